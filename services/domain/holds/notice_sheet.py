"""《视频录像法律保留通知》: what must be kept, why, who answers for it, and when that is reviewed (F14, F34)."""

from services.rendering.formatting import JsonView
from services.rendering.sheet import Cell, Facts, Line, Listing, Pairs, Part, Prose, cell, hashes

TITLE = "视频录像法律保留通知"
KEPT = "自保留之日起，上列录像、副本标签及文书在任何情形下均不得删除、销毁或覆盖，保存期限届满亦同。"
REVIEWED = "责任人应当在复核日期前确认是否仍需保留。"
LIFTED = "解除保留，须经法务部门审核，并由安全保卫部门负责人签字。"
CONFIRMED = "本保留自保留时间起生效，由法务部门审核；法务部门不同意的，即行解除。"
# by what led to the hold; the notices that older releases have written name nothing, and keep their words
ORDERS = {
    "matter": (KEPT, CONFIRMED, LIFTED, REVIEWED),
    "decision": (KEPT, LIFTED, REVIEWED),
    "": (KEPT, "解除保留须由法务部门、安全保卫部门的两名负责人先后申请并签字确认。", REVIEWED),
}


def lay_out(notice: JsonView) -> list[Part]:
    facts: Pairs = [
        [("申请表编号", cell(notice.text("application"))), ("保留编号", hashes(notice.text("hold")))],
        [("保留事由", cell(notice.get("cause") and CAUSES[notice.text("cause")]))],
        [("理由", cell(notice.text("reason")))],
        [("保留人", cell(notice.text("by.name"))), ("保留时间", cell(notice.when("placedAt")))],
        [("责任人", cell(notice.text("owner.name"))), ("复核日期", (Line(notice.when("reviewAt"), "signed"),))],
        [("案内文书", cell(f"{notice.text('documents')} 份"))],
    ]
    rows = [
        [
            cell(f"{item.text('position')}. {item.text('camera')}", Line(item.text("place"), "note")),
            cell(item.span(item.get("asked"))),
            _kept(item),
        ]
        for item in notice.each("held")
    ]
    return [
        Facts("一、保留", facts),
        Listing("二、保留的录像", ["录像", "要求时间段", "存放与密文校验值"], [28, 32, 40], rows),
        Prose("三、要求", "\n".join(ORDERS[notice.get("procedure", "")])),
    ]


CAUSES = {
    "violation": "违规",
    "dispute": "争议",
    "referral": "移送",
    "authority": "有关机关要求",
    "appeal": "复核申请",
    "manual": "其他",
}


def _kept(item: JsonView) -> Cell:
    master = item.get("master")
    places = [
        "隔离区" if item.get("quarantine") else "",
        "主档" if master else "",
        "异地副本" if item.get("replica") else "",
    ]
    return cell("、".join(filter(None, places)) or "尚未调取", Line(master, "hash") if master else None)
