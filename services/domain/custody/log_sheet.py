"""《视频录像保管记录》: every line of the custody log, each with the hash that binds it to the one before (R47)."""

from collections.abc import Mapping
from typing import Any

from services.domain.custody.receipt_sheet import copies_listing
from services.rendering.formatting import JsonView
from services.rendering.sheet import NOTHING, Cell, Facts, Line, Listing, Pairs, Part, cell, short
from services.runtime.labels import has_word, word, words

OFFICES = {"security": "office-security", "storage": "office-storage"}


def lay_out(log: JsonView) -> list[Part]:
    loan: Pairs = [
        [("申请表编号", cell(log.text("application"))), ("保管人", cell(log.text("custodian.name")))],
        [("移交时间", cell(log.when("offeredAt"))), ("签收时间", cell(log.when("acceptedAt")))],
        [("归还期限", cell(log.when("dueAt"))), ("归还时间", cell(log.when("returnedAt")))],
        [("借用结束", cell(log.when("endedAt"))), ("记录条数", cell(f"{len(log.get('entries', ()))} 条"))],
        [("首条之前", cell("无（前一条校验值为 64 个 0）")), ("末条校验值", _last(log))],
    ]
    rows = [
        [
            cell(entry.text("seq")),
            cell(*entry.when("at").split(" ", 1)),
            _event(entry),
            (Line(entry.text("person.name"), "signed"),) if entry.has("person.name") else (Line("系统", "note"),),
            (short(entry.text("previous")), short(entry.text("sha256"))),
        ]
        for entry in log.each("entries")
    ]
    heads = ["序号", "时间", "事项", "人员", "前一条／本条校验值"]
    return [
        Facts("一、借用", loan),
        copies_listing("二、副本", log),
        Listing("三、保管记录", heads, [7, 15, 31, 15, 32], rows),
    ]


def _last(log: JsonView) -> Cell:
    entries = log.each("entries")
    return (short(entries[-1].text("sha256")),) if entries else cell()


def _event(entry: JsonView) -> Cell:
    """Return the event and its detail."""
    code = f"custody-{entry.text('event')}"
    detail: Mapping[str, Any] = entry.get("detail", {})
    said = [
        f"归还期限 {entry.when('detail.due_at')}" if entry.has("detail.due_at") else "",
        f"归还期限 {entry.when('detail.dueAt')}" if entry.has("detail.dueAt") else "",
        f"归还至{words(OFFICES.get(str(detail.get('return_to'))))}" if "return_to" in detail else "",
        f"检查发现 {detail['findings']} 项" if isinstance(detail.get("findings"), int) else "",
        words(detail["kind"]) if "kind" in detail and has_word(detail["kind"]) else "",
        f"人员 {entry.text('detail.to.name')}" if entry.has("detail.to.name") else "",
        f"地点 {entry.text('detail.place')}" if entry.has("detail.place") else "",
        f"录像时刻 {detail['at'].replace('T', ' ')}" if "at" in detail else "",
        f"脱敏副本 {detail['redaction']}" if "redaction" in detail else "",
        f"截图单 {detail['document']}" if "document" in detail else "",
        f"登记表 {detail['sitting']}" if "sitting" in detail else "",
        f"在场 {'、'.join(detail['present'])}" if detail.get("present") else "",
        entry.text("detail.text") if entry.has("detail.text") else "",
        f"第 {entry.text('position')} 项副本" if entry.has("position") else "",
    ]
    name = word("zh", code) if has_word(code) else entry.text("event") or NOTHING
    return (Line(name), *(Line(text, "note") for text in said if text))
