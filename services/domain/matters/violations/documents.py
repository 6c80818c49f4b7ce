"""The data of 《违规登记及处理表》 and 《移送登记表》, and how they are laid out (R65 to R67)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Hearing, Sanction, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import violations as policy
from services.domain.applications import forms
from services.domain.custody.violations import CLEARED
from services.domain.documents import service as document_service
from services.domain.matters import documents as matter_documents
from services.domain.matters.permissions import first_decisions_of
from services.domain.matters.violations import lines
from services.rendering.formatting import JsonView
from services.rendering.sheet import Facts, Listing, Pairs, Part, Prose, Signatures, cell
from services.runtime import money
from services.runtime.labels import word

TITLE = "违规登记及处理表"
REFERRAL_TITLE = "移送登记表"
REFERRAL = "referral"
SYSTEM = "系统自动登记"


def write_violation(uow: UnitOfWork, matter: Matter, violation: Violation, decided: Mapping[str, Decision]) -> Document:
    """Write the sheet of a violation that has just ended, under its own number."""
    content = _violation(uow, matter, violation, decided)
    return _write_sheet(uow, matter, matter.number, content, subject_id=matter.id)


def write_appealed(uow: UnitOfWork, matter: Matter, violation: Violation) -> None:
    """Write the sheet anew after an appeal; the first one stays as it was.

    Where the violation goes on, its first sheet is written at its end and says it then.
    """
    if matter.closed_at is None:
        return
    subjects = [matter.id, *(appeal.id for appeal in policy.list_appeals(uow, violation))]
    sheets = select(func.count(Document.id)).where(Document.kind == "violation", Document.subject_id.in_(subjects))
    written = uow.session.scalar(sheets)
    decided = first_decisions_of(uow, matter)
    number, subject_id = (
        (f"{matter.number}/{written}", str(violation.appeal_id)) if written else (matter.number, matter.id)
    )
    _write_sheet(uow, matter, number, _violation(uow, matter, violation, decided), subject_id=subject_id)


def _write_sheet(uow: UnitOfWork, matter: Matter, number: str, content: dict[str, Any], *, subject_id: str) -> Document:
    return document_service.write(
        *(uow, "violation", number, {**content, "number": number}),
        application_id=matter.application_id,
        subject_id=subject_id,
    )


def _violation(
    uow: UnitOfWork, matter: Matter, violation: Violation, decided: Mapping[str, Decision]
) -> dict[str, Any]:
    names = access_queries.get_names(uow, _people(uow, matter, violation))
    return {
        **_head(uow, matter, TITLE),
        "source": forms.person_to_json(uow, matter.opened_by) if matter.opened_by else None,
        "openedAt": violation.opened_at.isoformat(),
        "violationKind": violation.kind,
        "lines": [{"name": line.name_zh, "value": line.zh} for line in lines.list_lines(uow, matter.facts)],
        "facts": matter.facts,
        "factsSha256": matter.facts_sha256,
        "evidence": [
            {"number": number, "kind": kind}
            for number, kind in uow.session.execute(
                select(Document.number, Document.kind)
                .where(Document.application_id == matter.application_id)
                .order_by(Document.made_at, Document.number)
            )
        ],
        "hearings": [
            {
                "person": names.get(row.person_id, row.person_id),
                "part": row.part,
                "repliedAt": row.replied_at.isoformat() if row.replied_at else None,
                "reply": row.reply,
            }
            for row in _hearings(uow, matter)
        ],
        "servedAt": violation.served_at.isoformat() if violation.served_at else None,
        "replyUntil": violation.reply_until.isoformat() if violation.reply_until else None,
        "severity": violation.severity,
        "decisions": [
            {**matter_documents.decision_to_json(uow, decision), "judgement": decision.judgement}
            for decision in decided.values()
        ],
        "sanctions": [
            {
                "person": names.get(row.person_id, row.person_id),
                "kind": row.kind,
                "amount": row.amount,
                **({"currency": row.currency} if row.currency else {}),
                "note": row.note,
                "droppedBecause": row.dropped_because,
                **({"revokedAt": row.revoked_at.isoformat()} if row.revoked_at else {}),
            }
            for row in uow.session.scalars(
                select(Sanction).where(Sanction.matter_id == matter.id).order_by(Sanction.id)
            )
        ],
        "referral": violation.referral,
        "settlement": violation.settlement,
        "suspensions": [
            {
                "of": names.get(row.person_id) if row.person_id else None,
                "since": row.since.isoformat(),
                "until": row.lifted_at.isoformat() if row.lifted_at else None,
            }
            for row in _suspensions(uow, matter, violation)
        ],
        "closedAs": violation.closed_as,
        "closedAt": uow.now.isoformat(),
        **_appeals(uow, violation),
    }


def _appeals(uow: UnitOfWork, violation: Violation) -> dict[str, Any]:
    """Return the appeals that management has decided: the newest, and apart those before it, if there are any."""
    appeals = policy.list_appeals(uow, violation)
    by_appeal: dict[str, list[Decision]] = {appeal.id: [] for appeal in appeals}
    query = select(Decision).where(Decision.matter_id.in_(by_appeal)).order_by(Decision.decided_at, Decision.id)
    for decision in uow.session.scalars(query) if appeals else ():
        by_appeal[str(decision.matter_id)].append(decision)
    found = [
        {
            "number": appeal.number,
            "by": forms.person_to_json(uow, appeal.opened_by) if appeal.opened_by else None,
            "at": appeal.opened_at.isoformat(),
            "reason": appeal.facts["asked"]["reason"],
            "factsSha256": appeal.facts_sha256,
            "granted": appeal.id == violation.appeal_id and violation.closed_as == CLEARED,
            "decisions": [matter_documents.decision_to_json(uow, decision) for decision in by_appeal[appeal.id]],
        }
        for appeal in appeals
        if by_appeal[appeal.id]
    ]
    if not found:
        return {}
    return {"appeal": found[-1], **({"earlierAppeals": found[:-1]} if found[:-1] else {})}


def write_referral(uow: UnitOfWork, matter: Matter, violation: Violation, decided: Mapping[str, Decision]) -> Document:
    """Write the sheet of evidence that was handed to an authority."""
    referral = violation.referral or {}
    return document_service.write_once(
        uow,
        "referral",
        matter.id,
        lambda: {
            "title": REFERRAL_TITLE,
            "violation": matter.number,
            "application": matter.facts["application"],
            "violationKind": violation.kind,
            "factsSha256": matter.facts_sha256,
            "authority": referral["authority"],
            "handedAt": referral["handedAt"],
            "receipt": referral["receipt"],
            "packageSha256": referral["packageSha256"],
            "packageMadeHere": referral["packageMadeHere"],
            "packageBecause": referral["packageBecause"],
            "hold": referral["hold"],
            "holdNotice": uow.session.scalar(
                select(Document.number).where(Document.subject_id == referral["hold"], Document.kind == "hold-notice")
            ),
            "by": forms.person_to_json(uow, referral["recordedBy"]),
            "decisions": [matter_documents.decision_to_json(uow, decided[REFERRAL])],
        },
        application_id=matter.application_id,
    )


def lay_out_violation(sheet: JsonView) -> list[Part]:
    head: Pairs = [
        [
            ("申请表编号", cell(sheet.text("application"))),
            ("来源", cell(sheet.text("source.name") if sheet.has("source") else SYSTEM)),
        ],
        [("告知时间", cell(sheet.when("servedAt")))],
        *([(line.text("name"), cell(line.text("value")))] for line in sheet.each("lines")),
        [("事项校验值", (sheet.hash("factsSha256"),))],
        [("证据文书", cell("、".join(row.text("number") for row in sheet.each("evidence")) or None))],
    ]
    parts: list[Part] = [Facts("一、违规事实", head)]
    heard = [
        [
            cell(row.text("person")),
            cell("部门负责人" if row.text("part") == "department" else "当事人"),
            cell(row.when("repliedAt") if row.has("repliedAt") else "未申辩"),
        ]
        for row in sheet.each("hearings")
    ]
    parts.append(Listing("二、听取申辩", ["姓名", "身份", "申辩时间"], [40, 30, 30], heard))
    for decision in sheet.each("decisions"):
        answers = [f"{row.text('question')} {row.word('answer')}" for row in decision.each("answers")]
        words = [*answers, *(decision.text(name) for name in ("opinion", "reason") if decision.get(name))]
        parts.append(Prose(f"{decision.text('stage')}：{decision.text('outcome')}", "\n".join(words)))
    sanctions = [
        [
            cell(row.text("person")),
            cell(
                word("zh", f"sanction-{row.text('kind')}"),
                *([_amount(row, "amount", "currency") or ""] if row.has("amount") else []),
                *([row.text("note")] if row.has("note") else []),
            ),
            cell(_effect(row)),
        ]
        for row in sheet.each("sanctions")
    ]
    if sanctions:
        parts.append(Listing("三、处罚", ["姓名", "处罚", "效力"], [40, 30, 30], sanctions))
    end: Pairs = [
        [
            ("情节", cell(word("zh", f"severity-{sheet.text('severity')}"))),
            ("结果", cell(word("zh", sheet.text("closedAs")))),
        ],
        [("移送机关", cell(sheet.text("referral.authority"))), ("移送时间", cell(sheet.when("referral.handedAt")))],
        [("损失金额", cell(_loss(sheet))), ("暂停使用", cell(*_suspended(sheet)))],
        [
            (
                "赔偿",
                cell(sheet.text("settlement.account"), _amount(sheet, "settlement.amount", "settlement.currency")),
            ),
            ("赔偿时间", cell(sheet.when("settlement.at"))),
        ],
        [("结案时间", cell(sheet.when("closedAt")))],
    ]
    parts.append(Facts("四、处理结果", end))
    appeals = _list_appeals(sheet)
    if appeals:
        parts.append(Facts("五、申诉", [line for appeal in appeals for line in _appeal(appeal)]))
    return [*parts, Signatures("签字", _signatures(sheet))]


def _amount(sheet: JsonView, path: str, currency: str) -> str | None:
    if not sheet.has(path):
        return None
    return money.written(sheet.text(path), sheet.text(currency) if sheet.has(currency) else None)


def _loss(sheet: JsonView) -> str | None:
    """Return the loss that the decision names."""
    amounts = [
        _amount(decision, "judgement.lossAmount", "judgement.lossCurrency") for decision in sheet.each("decisions")
    ]
    return next((amount for amount in amounts if amount), None)


def _suspended(sheet: JsonView) -> list[str]:
    """Return from when to when the loan or a person was suspended."""
    return [
        f"{row.text('of') if row.has('of') else '本次借用'}：{row.when('since')} 至 "
        f"{row.when('until') if row.has('until') else '未解除'}"
        for row in sheet.each("suspensions")
    ]


def _effect(row: JsonView) -> str:
    """Say whether a sanction takes effect; one that an appeal has revoked stays on the sheet."""
    if row.has("revokedAt"):
        return "已撤销"
    return word("zh", f"sanction-{row.text('droppedBecause')}") if row.has("droppedBecause") else "生效"


def _list_appeals(sheet: JsonView) -> list[JsonView]:
    earlier = sheet.each("earlierAppeals") if sheet.has("earlierAppeals") else []
    return [*earlier, *([sheet.part("appeal")] if sheet.has("appeal") else [])]


def _appeal(appeal: JsonView) -> Pairs:
    granted = "申诉成立，违规决定撤销，处罚撤销" if appeal.get("granted") else "申诉不成立，维持原决定"
    return [
        [("申诉编号", cell(appeal.text("number"))), ("申诉人", cell(appeal.text("by.name")))],
        [("申诉时间", cell(appeal.when("at"))), ("结果", cell(granted))],
        [("申诉理由", cell(appeal.text("reason")))],
        [("事项校验值", (appeal.hash("factsSha256"),))],
    ]


def lay_out_referral(sheet: JsonView) -> list[Part]:
    facts: Pairs = [
        [("违规编号", cell(sheet.text("violation"))), ("申请表编号", cell(sheet.text("application")))],
        [("违规种类", cell(word("zh", sheet.text("violationKind"))))],
        [("接收机关", cell(sheet.text("authority"))), ("移送时间", cell(sheet.when("handedAt")))],
        [("回执", cell(sheet.text("receipt"))), ("移送人", cell(sheet.text("by.name")))],
        [("证据包校验值", (sheet.hash("packageSha256"),))],
        *([[("证据包来源", cell(_package_source(sheet)))]] if sheet.has("packageMadeHere") else []),
        [("事项校验值", (sheet.hash("factsSha256"),))],
        [("法律保留通知", cell(sheet.text("holdNotice") if sheet.has("holdNotice") else sheet.text("hold")))],
    ]
    return [Facts("一、移送", facts), Signatures("移送决定", _signatures(sheet))]


def _package_source(sheet: JsonView) -> str:
    return "本系统制作" if sheet.get("packageMadeHere") else f"非本系统制作：{sheet.text('packageBecause')}"


def _signatures(sheet: JsonView) -> list[Any]:
    of_appeals = [decision for appeal in _list_appeals(sheet) for decision in appeal.each("decisions")]
    decisions = [*sheet.each("decisions"), *of_appeals]
    return [decision.signature(decision.text("stage"), at="at", statement="statement") for decision in decisions]


def _head(uow: UnitOfWork, matter: Matter, title: str) -> dict[str, Any]:
    return {
        "number": matter.number,
        "title": title,
        "organisation": uow.rules.organisation,
        "policyVersion": uow.rules.policy_version,
        "zone": uow.rules.zone,
        "application": matter.facts["application"],
    }


def _hearings(uow: UnitOfWork, matter: Matter) -> list[Hearing]:
    query = select(Hearing).where(Hearing.matter_id == matter.id).order_by(Hearing.part, Hearing.person_id)
    return list(uow.session.scalars(query))


def _suspensions(uow: UnitOfWork, matter: Matter, violation: Violation) -> list[Suspension]:
    of_it = (Suspension.violation_id == violation.id) | (Suspension.matter_id == matter.id)
    return list(uow.session.scalars(select(Suspension).where(of_it).order_by(Suspension.since, Suspension.id)))


def _people(uow: UnitOfWork, matter: Matter, violation: Violation) -> list[str]:
    sanctioned = select(Sanction.person_id).where(Sanction.matter_id == matter.id)
    return [*violation.accused, *(row.person_id for row in _hearings(uow, matter)), *uow.session.scalars(sanctioned)]
