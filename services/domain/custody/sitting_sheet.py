"""《视频录像查阅登记表》: who was present, what was shown, and who has signed at the end (R41, R47, R56)."""

from services.rendering.formatting import JsonView
from services.rendering.sheet import (
    Cell,
    Drawing,
    Drawings,
    Facts,
    Line,
    Listing,
    Pairs,
    Part,
    Signature,
    Signatures,
    cell,
    hashes,
)
from services.runtime.labels import word

TITLE = "视频录像查阅登记表"
BLANK = cell("　")  # signed by hand on the printed sheet


def lay_out(sitting: JsonView) -> list[Part]:
    minutes = sitting.get("confirmedEvery", 0) // 60
    facts: Pairs = [
        [("申请表编号", cell(sitting.text("application"))), ("陪同人", cell(sitting.text("companion.name")))],
        [("查阅点", cell(sitting.text("station"))), ("终端地址", cell(sitting.text("address")))],
        [("开始时间", cell(sitting.when("openedAt"))), ("离场时间", cell(sitting.when("closedAt")))],
        [("用途", cell(sitting.text("purpose")))],
        [("陪同确认", cell(f"陪同人每 {minutes} 分钟确认在场，逾时自动关闭")), ("结束方式", _ending(sitting))],
    ]
    people = [[cell(one.text("name")), cell("本单位，申请表所列知悉人员"), cell("—")] for one in sitting.each("people")]
    outsiders = [
        [
            cell(one.text("name"), Line(one.text("unit"), "note")),
            cell(f"{word('zh', 'card-' + one.text('cardKind'))}尾号 {one.text('cardTail')}"),
            cell("已核对" if one.get("cardChecked") else "未核对"),
        ]
        for one in sitting.each("outsiders")
    ]
    parts: list[Part] = [
        Facts("一、查阅", facts),
        Listing("二、在场人员", ["姓名／单位", "身份或证件", "证件核对"], [36, 42, 22], [*people, *outsiders]),
        Listing("三、播放内容（录像机时间）", ["录像", "播放时间段", "SHA-256"], [30, 38, 32], _shown(sitting)),
    ]
    if sitting.get("departure.note"):
        facts.append([("备注", cell(sitting.text("departure.note")))])
    return [*parts, *_signed(sitting)]


def _ending(sitting: JsonView) -> Cell:
    if sitting.get("closedItselfAt"):
        return cell("陪同人逾时未确认，自动关闭", sitting.when("closedItselfAt"))
    return cell("离场签字" if sitting.get("signature") else "借用结束时未签字")


def _shown(sitting: JsonView) -> list[list[Cell]]:
    return [
        [
            cell(f"{copy.text('position')}. {copy.text('camera')}", Line(copy.text("place"), "note")),
            cell(*JsonView(copy.data, str(copy.get("zone"))).spans("spans"), Line(copy.text("record"), "note")),
            hashes(copy.text("sha256")[:32], copy.text("sha256")[32:]),
        ]
        for copy in sitting.each("shown")
    ]


def _signed(sitting: JsonView) -> list[Part]:
    visitors = sitting.each("departure.visitors") if sitting.get("departure") else []
    by_hand: Pairs = [
        [(f"查阅人签字（{one.text('name')}）", BLANK), ("日期", BLANK)] for one in visitors if one.get("how") == "sheet"
    ]
    drawn = [Drawing(one.text("name"), one.get("strokes")) for one in visitors if one.get("how") == "drawn"]
    numbers = iter("四五六")
    parts: list[Part] = []
    if drawn:
        parts.append(Drawings(f"{next(numbers)}、查阅人签字（屏幕手写）", drawn))
    if by_hand:
        parts.append(Facts(f"{next(numbers)}、查阅人签字（纸面）", by_hand))
    if sitting.get("signature"):
        parts.append(Signatures(f"{next(numbers)}、陪同人签字", [_companion(sitting)]))
    return parts


def _companion(sitting: JsonView) -> Signature:
    signed = JsonView({**sitting.data, "by": sitting.get("closedBy")}, sitting.zone)
    return signed.signature("陪同人", at="closedAt", statement="statement")
