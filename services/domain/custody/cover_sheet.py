"""The cover sheet of a download, which lies beside the footage: what it is, for what, until when, how it opens.

It is made at each sending and is no numbered document; where the footage alone is encrypted, it names no purpose.
"""

import hashlib
from typing import Any

import rfc8785

from services.domain.custody import download_folder
from services.domain.custody.download_contents import Contents
from services.rendering import pdf
from services.rendering.formatting import JsonView
from services.rendering.sheet import Facts, Line, Pairs, Part, Prose, Sheet, cell
from services.verifier import pyz
from services.verifier.page import build as page

TITLE = "视频录像副本封面"
CHINESE = "zh"
RECORDER_TIME = Line("录像机时间", "note")


def render(contents: Contents) -> bytes:
    """Return the sheet as PDF/A. Blocks."""
    content = _content(contents)
    data = rfc8785.dumps(content)
    sheet = Sheet(
        title=TITLE,
        organisation=contents.organisation,
        number=contents.number,
        sha256=hashlib.sha256(data).hexdigest(),
        zone=contents.zone,
        policy_version=contents.policy_version,
        demo=contents.demo,
        verifier=pyz.sha256(),
        verifier_page=page.sha256(),
        parts=lay_out(JsonView(content, contents.zone)),
    )
    return pdf.render(sheet, data.decode(), contents.listed_at)


def lay_out(cover: JsonView) -> list[Part]:
    first, last = (cell(cover.when(frame), RECORDER_TIME) for frame in ("firstFrame", "lastFrame"))
    copy: Pairs = [
        [("申请表编号", cell(cover.text("application"))), ("标签编号", cell(cover.text("label")))],
        [("摄像头", cell(cover.text("camera")))],
        [("首个画面", first), ("末个画面", last)],
        [("录像文件", cell(cover.text("file"), Line(f"{cover.get('size', 0):,} 字节", "note")))],
        [("录像 SHA-256", (cover.hash("sha256"),))],
    ]
    use: Pairs = [
        [("用途", cell(cover.text("purpose")))],
        [("归还期限", (Line(cover.when("dueAt", cover.text("dueZone")), "signed"),))],
        [("使用要求", cell(cover.text("duty"), Line(f"使用条件见移交签收单 {cover.text('receipt')}", "note")))],
    ]
    return [
        Facts("一、录像", copy),
        Facts("二、使用", use),
        Prose("三、打开方式", "\n".join(cover.get("opening", ()))),
    ]


def _content(contents: Contents) -> dict[str, Any]:
    """Return the sheet's data, which are attached to it."""
    return {
        "title": TITLE,
        "organisation": contents.organisation,
        "policyVersion": contents.policy_version,
        "zone": contents.zone,
        "demo": contents.demo,
        "application": contents.number,
        "label": contents.label.number if contents.label else None,
        "receipt": contents.receipt,
        "camera": contents.camera.zh,
        "firstFrame": contents.first.isoformat(),
        "lastFrame": contents.last.isoformat(),
        "file": contents.footage,
        "size": contents.size,
        "sha256": contents.sha256,
        "purpose": download_folder.purpose_of(contents).translate(CHINESE),
        "dueAt": contents.due_at.isoformat(),
        "dueZone": contents.due_zone,
        "duty": download_folder.SENTENCES["duty"].translate(CHINESE),
        "opening": [sentence.translate(CHINESE) for sentence in download_folder.opening_of(contents)],
    }
