"""《视频录像移交签收单》: what the custodian took, on what terms, until when (R45, R46, R49)."""

from services.rendering.formatting import JsonView
from services.rendering.sheet import Cell, Facts, Line, Listing, Pairs, Part, Prose, Signatures, cell, hashes, joined
from services.runtime.labels import words


def lay_out(receipt: JsonView) -> list[Part]:
    terms: Pairs = [
        [("申请表编号", cell(receipt.text("application"))), ("保管人", cell(receipt.text("custodian.name")))],
        [("申请表校验值", (receipt.hash("form"),))],
        [("移交部门", cell("存储部门")), ("放行人", cell(receipt.text("releasedBy.name")))],
        [("移交时间", cell(receipt.when("offeredAt"))), ("签收时间", cell(receipt.when("acceptedAt")))],
        [("归还期限", (Line(receipt.when("dueAt"), "signed"),)), ("使用期限", cell(f"{receipt.text('useDays')} 天"))],
        [("用途", cell(receipt.text("purpose")))],
        [("使用方式", cell(receipt.word("wayOfUse"))), ("使用地点", cell(receipt.text("placeOfUse")))],
        [("知悉人员", joined(receipt.names("recipients"), "仅保管人本人"))],
        [
            ("保密协议", cell(f"{receipt.text('agreement.version')} 版 {receipt.get('agreement.document') or ''}")),
            ("使用条件", cell(f"{receipt.text('conditionsVersion')} 版，已阅读")),
        ],
    ]
    if receipt.get("handling"):
        terms.append([("密级管理要求", handling(receipt.part("handling")))])
    return [
        Facts("一、移交条件", terms),
        copies_listing("二、移交副本", receipt),
        Prose("三、使用条件", _conditions(receipt)),
        Signatures("四、签收", [receipt.signature("保管人", at="acceptedAt", statement="statement")]),
    ]


def handling(rules: JsonView) -> Cell:
    """Return what holds for the confidentiality levels of the case, and each level's own text and rule."""
    said = [f"最高使用方式：{rules.word('wayOfUse')}"]
    for name, unit in (("maxUseDays", "天"), ("checkInDays", "天")):
        if rules.get(name) is not None:
            said.append(f"{words(f'handling-{name}')}：{rules.text(name)} {unit}")
    said += [words(f"handling-{name}") for name in ("twoPeople", "redactedOutside") if rules.get(name)]
    lines = [Line("；".join(said))]
    for level in rules.each("levels"):
        name = words(f"level-{level.text('level')}")
        if level.get("zh"):
            lines.append(Line(f"{name}：{level.text('zh')}", "note"))
        own = " ".join(filter(None, (level.get("ruleTitle"), level.get("ruleLink"))))
        if own:
            lines.append(Line(f"{name}：适用《{own}》" if not own.startswith("《") else f"{name}：适用{own}", "note"))
    return tuple(lines)


def _conditions(receipt: JsonView) -> str:
    numbered = [f"{number}. {text}" for number, text in enumerate(receipt.get("conditions", ()), 1)]
    return "\n".join([*numbered, receipt.text("undertaking")])


def copies_listing(title: str, document: JsonView) -> Listing:
    rows = [
        [
            cell(f"{copy.text('position')}. {copy.text('camera')}", Line(copy.text("place"), "note")),
            cell(*copy.spans("covered"), Line(copy.text("record"), "note")),
            hashes(copy.text("id"), copy.text("sha256Cipher")[:32], copy.text("sha256Cipher")[32:]),
        ]
        for copy in document.each("copies")
    ]
    return Listing(title, ["录像", "实有时间段／调取记录", "副本编号与校验值"], [28, 36, 36], rows)
