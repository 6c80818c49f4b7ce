"""《录像查阅复制请求答复告知书》: a request of a person who was filmed is not agreed to, and why (R3, R58)."""

from services.rendering.formatting import JsonView
from services.rendering.sheet import Facts, Pairs, Part, Prose, cell
from services.runtime.labels import word

TITLE = "录像查阅复制请求答复告知书"
BLANK = cell("　")  # filled in by hand on the printed sheet
WITHOUT_DECISION = {
    "footage-unavailable": "所请求时间段的录像不存在或无法读取。",
    "expired": "请求所需材料未在规定期限内补正。",
}


def lay_out(notice: JsonView) -> list[Part]:
    people: Pairs = [
        [
            ("请求人", cell(person.text("name"))),
            ("证件", cell(f"{word('zh', 'card-' + person.text('cardKind'))}尾号 {person.text('cardTail')}")),
        ]
        for person in notice.each("people")
    ]
    asked: Pairs = [
        *people,
        [("登记编号", cell(notice.text("application"))), ("登记时间", cell(notice.when("askedAt")))],
        [("请求事项", cell(notice.text("purpose")))],
        [("答复期限", cell(notice.when("answerDueAt"))), ("作出决定时间", cell(notice.when("decidedAt")))],
    ]
    reason = notice.get("reason") or WITHOUT_DECISION.get(str(notice.get("closedAs")), "—")
    rights = "如对本答复有异议，可以向本单位书面提出复核，也可以依法维护自己的权利。"
    if notice.get("appealUntil"):
        rights += f"相关录像保全至 {notice.when('appealUntil')}，请在此之前提出。"
    by_hand: Pairs = [[("送达方式", BLANK), ("送达日期", BLANK)], [("签收人", BLANK), ("单位盖章", BLANK)]]
    return [
        Facts("一、请求", asked),
        Prose("二、答复", "经审核，对上述请求不予同意。"),
        Prose("三、理由", str(reason)),
        Prose("四、权利告知", rights),
        Facts("五、送达", by_hand),
    ]
