"""《监督检查报告》: written when every case is inspected, signed by the leader and every member (R63).

What is signed is ``GroupInspection.report``; the numbered document adds the signatures, and is filed with the last.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from services.database.tables.inspections import (
    GroupInspection,
    InspectedCase,
    InspectionFinding,
    InspectionSignature,
    SupervisionGroup,
)
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import supervision as access_supervision
from services.domain.audit import trail as audit_trail
from services.domain.documents import service as document_service
from services.domain.notifications import service as notification_service
from services.domain.supervision import checklists, figures, groups, report_sheet, sampling, service
from services.domain.work_orders import queries as work_order_queries
from services.runtime.canonical_json import hash_of


def write(uow: UnitOfWork, inspection_id: str) -> None:
    """Write the report, once. Raises NotPermitted unless every case of the sample is inspected."""
    act = "write the report"
    inspection = service.lock(uow, inspection_id, act)
    if inspection.report is not None:
        return
    service.require_open(inspection, act)
    if inspection.drawn_at is None or not inspection.sampled:
        raise service.not_permitted(inspection, act, "no sample is drawn, or it has no cases")
    cases = list_cases(uow, inspection)
    waiting = [row.number for row in cases if row.decided_at is None]
    if waiting:
        raise service.not_permitted(inspection, act, f"nobody has inspected {', '.join(waiting[:5])}")
    findings = _number(uow, inspection, cases)
    report = _content(uow, inspection, cases, findings)
    inspection.report, inspection.report_sha256, inspection.reported_at = report, hash_of(report), uow.now
    audit_trail.record(
        uow,
        "inspection-reported",
        "inspection",
        inspection.id,
        number=inspection.number,
        report=inspection.report_sha256,
        findings=len(findings),
    )


def name_group(uow: UnitOfWork, inspection: GroupInspection) -> None:
    """Name the present group in a report that is written and not signed yet: it has another hash then."""
    report = {**(inspection.report or {}), "group": _group(uow, groups.get(uow, inspection.group_id))}
    inspection.report, inspection.report_sha256 = report, hash_of(report)
    uow.session.flush()


def file(uow: UnitOfWork, inspection: GroupInspection) -> None:
    """Write the numbered document with all signatures, and tell the management."""
    signatures = uow.session.scalars(
        select(InspectionSignature)
        .where(InspectionSignature.inspection_id == inspection.id)
        .order_by(InspectionSignature.part, InspectionSignature.signed_at, InspectionSignature.person_id)
    ).all()
    names = access_queries.get_names(uow, [one.person_id for one in signatures])
    content = {
        **(inspection.report or {}),
        "reportSha256": inspection.report_sha256,
        "signatures": [
            {
                "by": {"id": one.person_id, "name": names.get(one.person_id)},
                "part": one.part,
                "outcome": one.outcome,
                "reason": one.reason,
                "at": one.signed_at.isoformat(),
                "statement": one.statement_sha256,
                "signature": one.signature,
            }
            for one in signatures
        ],
    }
    document_service.write(
        uow, service.REPORT, inspection.number, content, application_id=None, subject_id=inspection.id
    )
    for person_id in access_supervision.appointers(access_queries.load_directory(uow)):
        notification_service.notify(
            uow, person_id, "inspection-reported", application_id=None, subject_id=inspection.id
        )


def list_cases(uow: UnitOfWork, inspection: GroupInspection) -> list[InspectedCase]:
    """List the cases of the sample in their order."""
    query = select(InspectedCase).where(InspectedCase.inspection_id == inspection.id)
    return list(uow.session.scalars(query.order_by(InspectedCase.position)))


def list_findings(uow: UnitOfWork, inspection: GroupInspection) -> list[InspectionFinding]:
    """List the findings by case and question."""
    query = (
        select(InspectionFinding)
        .join(InspectedCase, InspectedCase.id == InspectionFinding.inspected_case_id)
        .where(InspectionFinding.inspection_id == inspection.id)
    )
    return list(uow.session.scalars(query.order_by(InspectedCase.position, InspectionFinding.question)))


def _number(uow: UnitOfWork, inspection: GroupInspection, cases: Sequence[InspectedCase]) -> list[InspectionFinding]:
    """Number the findings in the order of cases and questions."""
    order = {code: place for place, code in enumerate(checklists.load().questions())}
    places = {row.id: row.position for row in cases}
    findings = sorted(
        list_findings(uow, inspection), key=lambda one: (places[one.inspected_case_id], order.get(one.question, 0))
    )
    for position, one in enumerate(findings, 1):
        one.position = position
    uow.session.flush()
    return findings


def _content(
    uow: UnitOfWork,
    inspection: GroupInspection,
    cases: Sequence[InspectedCase],
    findings: Sequence[InspectionFinding],
) -> dict[str, Any]:
    group = groups.get(uow, inspection.group_id)
    people = access_queries.get_names(uow, [*groups.people_of(group), *(row.decided_by for row in cases)])
    numbers = {row.id: row.number for row in cases}
    return {
        "title": report_sheet.TITLE,
        "number": inspection.number,
        "organisation": uow.rules.organisation,
        "policyVersion": uow.rules.policy_version,
        "zone": uow.rules.zone,
        "period": {
            "name": inspection.period,
            "start": inspection.period_from.isoformat(),
            "end": inspection.period_to.isoformat(),
        },
        "group": _group(uow, group),
        "sample": {
            "seed": inspection.seed,
            "checkpoint": inspection.seed_size,
            "rule": inspection.seed_rule,
            "drawnAt": inspection.drawn_at.isoformat() if inspection.drawn_at else None,
            "population": inspection.population,
            "populationSha256": inspection.population_sha256,
            "least": sampling.LEAST,
            "share": round(sampling.SHARE * 100),
            "cases": [
                {
                    "position": row.position,
                    "number": row.number,
                    "because": row.because,
                    "by": people.get(str(row.decided_by)),
                    "at": row.decided_at.isoformat() if row.decided_at else None,
                    "statement": row.statement_sha256,
                }
                for row in cases
            ],
        },
        "numbers": figures.count(uow, service.period_of(inspection)),
        "checklists": _tally(cases),
        "overruled": [
            {"number": row.number, **{name: one[name] for name in ("question", "system", "answer", "word")}}
            for row in cases
            for one in row.answers or ()
            if one["overruled"]
        ],
        "findings": [
            {
                "position": one.position,
                "number": numbers[one.inspected_case_id],
                "stage": one.stage,
                "question": one.question,
                "severity": one.severity,
                "text": one.text,
            }
            for one in findings
        ],
        "earlier": _earlier(uow, inspection),
        "workOrders": _work_orders(uow, inspection),
    }


def _work_orders(uow: UnitOfWork, inspection: GroupInspection) -> list[dict[str, Any]]:
    """List the work orders that were overdue twice, or to which a custodian said no, each in one report (R47, R64)."""
    late = work_order_queries.list_without_finding(uow)
    for order in late:
        order.finding_id = inspection.id
    return [
        {
            "number": order.number,
            "zh": order.title_zh,
            "en": order.title_en,
            "subject": order.subject_label,
            "dueAt": order.due_at.isoformat(),
            "since": order.finding_due_at.isoformat() if order.finding_due_at else None,
            "closedAs": order.closed_as,
        }
        for order in late
    ]


def _group(uow: UnitOfWork, group: SupervisionGroup) -> dict[str, Any]:
    return {"document": group.document, "members": _members(uow, group)}


def _members(uow: UnitOfWork, group: SupervisionGroup) -> list[dict[str, Any]]:
    query = (
        select(Person.id, Person.name, Department.name_zh, Department.name_en)
        .join(Department, Department.id == Person.department_id)
        .where(Person.id.in_(groups.people_of(group)))
    )
    rows = {row.id: row for row in uow.session.execute(query)}
    leader = groups.leader_of(group)
    return [
        {
            "id": person_id,
            "name": rows[person_id].name,
            "department": rows[person_id].name_zh,
            "departmentEn": rows[person_id].name_en,
            "part": groups.LEADER if person_id == leader else groups.MEMBER,
        }
        for person_id in groups.people_of(group)
    ]


def _tally(cases: Sequence[InspectedCase]) -> list[dict[str, Any]]:
    """Count the answers to each question, in the order of the file, with what each stands for."""
    counted: dict[str, dict[str, int]] = defaultdict(lambda: {"yes": 0, "no": 0, "not-applicable": 0, "overruled": 0})
    for row in cases:
        for one in row.answers or ():
            counted[one["question"]][one["answer"]] += 1
            counted[one["question"]]["overruled"] += one["overruled"]
    return [
        {
            "stage": stage,
            "code": code,
            "zh": question.zh,
            "en": question.en,
            "requirements": list(question.requirements),
            **counted[code],
        }
        for code, (stage, question) in checklists.load().questions().items()
    ]


def _earlier(uow: UnitOfWork, inspection: GroupInspection) -> list[dict[str, Any]]:
    """List the findings of earlier inspections that are not put right yet."""
    query = (
        select(InspectionFinding, GroupInspection.number, InspectedCase.number)
        .join(GroupInspection, GroupInspection.id == InspectionFinding.inspection_id)
        .join(InspectedCase, InspectedCase.id == InspectionFinding.inspected_case_id)
        .where(
            InspectionFinding.inspection_id != inspection.id,
            InspectionFinding.closed_at.is_(None),
            GroupInspection.closed_at.is_not(None),
        )
        .order_by(GroupInspection.opened_at, InspectionFinding.position)
    )
    return [
        {"report": number, "position": one.position, "number": case, "severity": one.severity, "text": one.text}
        for one, number, case in uow.session.execute(query)
    ]
