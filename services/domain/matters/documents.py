"""The document of a matter that was carried out: what was asked, who decided, what was done."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.people import Person
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import forms
from services.domain.documents import service as document_service
from services.domain.matters.kinds.base import Kind
from services.domain.retrieval.record_sheet import clock
from services.domain.stages.catalogue import STAGES
from services.rendering.formatting import JsonView
from services.rendering.sheet import Facts, Listing, Pairs, Part, Prose, Signatures, cell

BLANK = cell("　\n　")  # room for a signature by hand on the printed sheet

LAST = "1"  # the part of a matter's second document


def write(
    uow: UnitOfWork,
    matter: Matter,
    kind: Kind,
    decisions: Iterable[Decision],
    outcome: Mapping[str, Any],
    *,
    call: Mapping[str, Any] | None = None,
    part: str | None = None,
) -> Document:
    """Write the document under the matter's own number.

    ``call``: the signature of whoever asked. ``part``: of a second document of the same matter, what its number ends
    with.
    """
    number, subject_id = matter.number, matter.id
    if part is not None:
        number, subject_id = f"{number}/{part}", f"{subject_id}/{part}"
    content = {**content_of(uow, matter, kind, decisions, outcome, call=call), "number": number}
    return document_service.write(
        uow, matter.kind, number, content, application_id=matter.application_id, subject_id=subject_id
    )


def content_of(
    uow: UnitOfWork,
    matter: Matter,
    kind: Kind,
    decisions: Iterable[Decision],
    outcome: Mapping[str, Any],
    *,
    call: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what the document of a matter says that is carried out now."""
    return {
        "number": matter.number,
        "title": kind.title,
        "organisation": uow.rules.organisation,
        "policyVersion": uow.rules.policy_version,
        "zone": uow.rules.zone,
        "application": matter.facts["application"],
        "kind": matter.kind,
        "lines": [{"name": line.name_zh, "value": line.zh} for line in kind.lines(uow, matter.facts)],
        "facts": matter.facts,
        "factsSha256": matter.facts_sha256,
        "openedBy": forms.person_to_json(uow, matter.opened_by),
        "openedAt": matter.opened_at.isoformat(),
        "decisions": [decision_to_json(uow, decision) for decision in decisions],
        "appliedAt": uow.now.isoformat(),
        "outcome": dict(outcome),
        **({"calls": [dict(call)]} if call is not None else {}),
        "results": [{"name": line.name_zh, "value": line.zh} for line in kind.results(uow, outcome)],
        **kind.content(uow, matter),
    }


def asked_by(uow: UnitOfWork, matter: Matter) -> dict[str, Any] | None:
    """Return the signature of whoever asked, as the document shows it; None where that was not signed."""
    if matter.signature is None:
        return None
    return {
        "by": forms.person_to_json(uow, matter.opened_by),
        "at": matter.opened_at.isoformat(),
        "statement": matter.signature["sha256"],
        "signature": matter.signature,
    }


def decision_to_json(uow: UnitOfWork, decision: Decision) -> dict[str, Any]:
    """Return a decision as the document shows it."""
    stage = STAGES[decision.stage]
    return {
        "stage": stage.zh,
        "outcome": STAGES.outcomes[decision.outcome].zh,
        "by": {"id": decision.decided_by, "name": uow.session.get_one(Person, decision.decided_by).name},
        "standsInFor": decision.stands_in_for,
        "at": decision.decided_at.isoformat(),
        "answers": [
            {"question": question.zh, "answer": decision.answers.get(question.code)}
            for question in stage.all_questions
            if question in stage.questions or question.code in decision.answers
        ],
        "reason": decision.reason,
        "opinion": decision.opinion,
        "statement": decision.statement_sha256,
        "signature": decision.signature,
    }


def lay_out(matter: JsonView) -> list[Part]:
    """Lay out the document of any kind."""
    opener = matter.text("openedBy.name") if matter.get("openedBy") else "系统"
    asked: Pairs = [
        [
            ("申请表编号", cell(matter.text("application"))),
            ("提出人", cell(opener)),
        ],
        [("提出时间", cell(matter.when("openedAt"))), ("生效时间", cell(matter.when("appliedAt")))],
        *([(line.text("name"), cell(line.text("value")))] for line in matter.each("lines")),
        [("事项校验值", (matter.hash("factsSha256"),))],
    ]
    parts: list[Part] = [Facts("事项", asked)]
    for decision in matter.each("decisions"):
        answers = [f"{row.text('question')} {row.word('answer')}" for row in decision.each("answers")]
        words = [*answers, *(decision.text(name) for name in ("opinion", "reason") if decision.get(name))]
        if words:
            parts.append(Prose(f"{decision.text('stage')}：{decision.text('outcome')}", "\n".join(words)))
    call = [one.signature("发起", at="at", statement="statement") for one in matter.each("calls")]
    signatures = [
        decision.signature(decision.text("stage"), at="at", statement="statement")
        for decision in matter.each("decisions")
    ]
    if matter.get("results"):
        rows: Pairs = [[(line.text("name"), cell(line.text("value")))] for line in matter.each("results")]
        parts.append(Facts("办理结果", rows))
    if matter.get("list"):
        parts += _list_of_files(matter.part("list"))
    if matter.get("handedOn"):
        parts += _list_of_copies(matter.part("handedOn"))
    return [*parts, Signatures("签字", [*call, *signatures])]


def _span(file: JsonView) -> str:
    zone = file.get("zone")
    return f"{file.when('from', zone)} 至 {file.when('to', zone)}（{zone}）"


def _list_of_copies(given: JsonView) -> list[Part]:
    """Lay out what changes hands, and the places where both custodians sign by hand."""
    parts: list[Part] = [
        Facts(
            f"移交的副本 {number}（加密文件）",
            [
                [("摄像头", cell(copy.text("camera"))), ("标签", cell(copy.text("label")))],
                [("移交前 SHA-256", (copy.hash("before"),))],
                [("移交后 SHA-256", (copy.hash("after"),))],
            ],
        )
        for number, copy in enumerate(given.each("copies"), start=1)
    ]
    downloads = [
        [cell(download.when("askedAt")), cell(download.text("medium"))] for download in given.each("downloads")
    ]
    if downloads:
        parts.append(Listing("移交的下载文件", ["下载时间", "介质"], [40, 60], downloads))
    by_hand: Pairs = [
        [(f"移交人签字（{given.text('from.name')}）", BLANK), ("日期", BLANK)],
        [(f"接收人签字（{given.text('to.name')}）", BLANK), ("日期", BLANK)],
    ]
    return [*parts, Facts("交接签字", by_hand)]


def _derived(file: JsonView) -> Pairs:
    """Lay out of what a redacted file is derived: nobody takes it for the original."""
    return [
        [("性质", cell("派生件（脱敏副本），非原件")), ("脱敏制作记录", cell(file.text("record")))],
        [("配方 SHA-256", (file.hash("recipeSha256"),))],
        [("原件标签", cell(file.text("originalLabel"))), ("声音", cell("保留" if file.get("sound") else "已去除"))],
        [("未脱敏副本 SHA-256", (file.hash("originalSha256"),))],
    ]


def _list_of_files(given: JsonView) -> list[Part]:
    """Lay out what was provided, and the places where maker, holder and recipients sign by hand."""
    # one table for each file: names and hashes are longer than a column
    files = [
        Facts(
            f"提供的文件 {number}",
            [
                [("文件名", cell(file.text("file")))],
                [("格式", cell(file.text("format"))), ("大小", cell(f"{file.get('size', 0):,} 字节"))],
                [("摄像头", cell(file.text("camera"))), ("录像机", cell(file.text("recorder")))],
                [("时间段（录像机时间）", cell(_span(file)))],
                [("录像机时钟", cell(clock(file.part("clock"))))],
                [("调取记录", cell(file.text("record"))), ("标签", cell(file.text("label")))],
                [("SHA-256", (file.hash("sha256"),))],
                *(_derived(file.part("derived")) if file.get("derived") else []),
            ],
        )
        for number, file in enumerate(given.each("files"), start=1)
    ]
    made: Pairs = [
        [("不提供原始介质的原因", cell(given.text("notOriginalBecause")))],
        [("制作方法", cell(given.text("made")))],
        [("原件存放", cell(given.text("kept"))), ("清单份数", cell(f"一式{given.get('copies', 2)}份"))],
    ]
    by_hand: Pairs = [
        [("制作人签字", BLANK), ("日期", BLANK)],
        [(f"持有人签字（{given.text('holder.name')}）", BLANK), ("日期", BLANK)],
        *(
            [(f"接收人签字（{person.text('name')}，{person.text('unit')}）", BLANK), ("日期", BLANK)]
            for person in given.each("outsiders")
        ),
    ]
    return [
        *files,
        Facts("制作与原件", made),
        Facts("交接签字", by_hand),
    ]
