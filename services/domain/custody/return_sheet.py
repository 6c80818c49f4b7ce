"""《视频录像归还检查表》: what came back, what became of each download, and what the inspector found (R38 to R40)."""

from services.domain.custody.log_sheet import OFFICES
from services.rendering.formatting import JsonView
from services.rendering.sheet import Cell, Facts, Line, Listing, Pairs, Part, Signature, Signatures, cell, joined
from services.runtime.labels import words

ANSWERS = {True: "是", False: "否"}


def lay_out(check: JsonView) -> list[Part]:
    returned: Pairs = [
        [("申请表编号", cell(check.text("application"))), ("归还人", cell(_returned_by(check)))],
        [("归还期限", cell(check.when("dueAt"))), ("归还时间", cell(check.when("returnedAt")))],
        [("归还至", cell(words(OFFICES.get(check.text("returnTo"))))), ("其他副本", cell(_attested(check)))],
        [("自动检查时间", cell(check.when("inspectedAt"))), ("检查结论", cell(check.word("decision.outcome")))],
        [("自动检查发现", _findings(check))],
        [("检查意见", cell(check.get("decision.opinion") or check.get("decision.reason")))],
    ]
    parts: list[Part] = [Facts("一、归还", returned), _copies(check)]
    downloads = _downloads(check)
    if downloads:
        heads = ["下载", "介质", "去向", "说明"]
        parts.append(Listing("三、下载的去向", heads, [34, 22, 16, 28], downloads))
    number = "四" if downloads else "三"
    asked = _questions(check)
    if asked:
        parts.append(Listing(f"{number}、人工检查", ["检查项目", "回答"], [80, 20], asked))
        number = "五" if downloads else "四"
    parts.append(Signatures(f"{number}、签字", _signatures(check)))
    return parts


def _returned_by(check: JsonView) -> str:
    by, custodian = check.text("returnedBy.name"), check.get("inPlaceOf.name")
    return f"{by}（代已离职的保管人{custodian}）" if custodian else by


def _attested(check: JsonView) -> str:
    # sheets of recalls that earlier releases have filed lack it; they stay as they were printed
    return "无人声明" if check.get("attested") is False else "归还人声明没有保留"


def _findings(check: JsonView) -> Cell:
    texts = [
        words(entry.get("code")) + (f"（{entry.get('days')} 天）" if entry.has("days") else "")
        for entry in check.each("findings")
    ]
    return joined(texts, "未发现问题")


def _copies(check: JsonView) -> Listing:
    rows = [
        [
            cell(f"{copy.text('position')}. {copy.text('camera')}"),
            (Line(copy.text("sha256Cipher"), "hash"),),
            cell({True: "一致", False: "不一致", None: "未核对"}[copy.get("matches")]),
        ]
        for copy in check.each("copies")
    ]
    return Listing("二、副本核对", ["录像", "封存时的校验值", "核对"], [24, 63, 13], rows)


def _downloads(check: JsonView) -> list[list[Cell]]:
    return [
        [
            (Line(entry.text("id"), "hash"), Line(entry.when("askedAt"), "note")),
            cell(entry.text("medium")),
            cell(entry.word("fate")),
            cell(entry.get("note")),
        ]
        for entry in check.each("downloads")
    ]


def _questions(check: JsonView) -> list[list[Cell]]:
    return [
        [cell(entry.text("question")), cell(ANSWERS.get(entry.get("answer"), entry.text("answer")))]
        for entry in check.each("decision.questions")
    ]


def _signatures(check: JsonView) -> list[Signature]:
    signed = [check.part("return").signature("归还人", at="at", statement="statement")]
    decision = check.part("decision")
    if decision.data:
        note = "（代）" if decision.get("standsInFor") else ""
        signed.append(decision.signature("归还检查员", at="at", statement="statement", note=note))
    return signed
