"""《监督小组任命书》: who belongs to the group, until when, on which decision, and who has appointed it (R60, R61)."""

from services.rendering.formatting import JsonView
from services.rendering.sheet import Facts, Listing, Part, Signature, Signatures, cell

TITLE = "视频录像调取监督小组任命书"
KINDS = {
    "security": "安全保卫部门",
    "administration": "行政管理部门",
    "legal": "法务部门",
    "storage": "信息存储部门",
    "management": "管理层",
    "business": "业务部门",
}
PARTS = {"leader": "组长", "member": "成员"}


def lay_out(appointment: JsonView) -> list[Part]:
    rows = [
        [cell(one.text("name")), cell(PARTS[one.text("part")]), cell(KINDS.get(one.text("department"), ""))]
        for one in appointment.each("members")
    ]
    return [
        Facts(
            "一、任期",
            [
                [("自", cell(appointment.when("since"))), ("至", cell(appointment.when("until")))],
                [("任命依据", cell(appointment.text("basis") if appointment.get("basis") else "见任命文件附件"))],
            ],
        ),
        *_attached(appointment),
        Listing("二、成员", ["姓名", "职责", "部门类别"], [34, 33, 33], rows),
        Signatures(
            "三、任命",
            [
                appointment.part("proposed").signature("提名人", at="at", statement="statement"),
                appointment.part("confirmed").signature("确认人", at="at", statement="statement"),
            ],
        ),
    ]


def _attached(appointment: JsonView) -> list[Part]:
    """List the appointment document with its hash; nothing where none is attached, as before there were any."""
    if not appointment.get("attachments"):
        return []
    rows = [[cell(one.text("name")), (one.hash("sha256"),)] for one in appointment.each("attachments")]
    return [Listing("任命文件附件", ["文件名", "SHA-256"], [40, 60], rows)]


def signatures(report: JsonView) -> list[Signature]:
    """Return the signatures under a report, with the reason of a refusal."""
    blocks = []
    for one in report.each("signatures"):
        refused = one.get("outcome") == "refused"
        role = PARTS[one.text("part")] + ("（拒绝签字）" if refused else "")
        note = one.text("reason") if refused else ""
        blocks.append(one.signature(role, at="at", statement="statement", note=note))
    return blocks
