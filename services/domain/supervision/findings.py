"""What becomes of a finding: a work order for each, and a violation of a severe one (R64).

Done once, when the report is signed, or one of the group has refused to: what was found is put right all the same.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.inspections import GroupInspection, InspectedCase, InspectionFinding
from services.database.tables.reviews import Decision
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.directory import LEADERS
from services.domain.audit import trail as audit_trail
from services.domain.custody import heads, suspensions, violations
from services.domain.stages.catalogue import STAGES
from services.domain.supervision import checklists, reports, service
from services.domain.work_orders import opening
from services.domain.work_orders import service as work_orders
from services.domain.work_orders.opening import Cause, Subject
from services.domain.work_orders.roles import Role
from services.runtime.translations import Bilingual

CORRECTIVE, WITHOUT_GROUP = "corrective-action", "group-term"  # kinds of work orders
# Who puts right what was found, by stage of the checklists; the others fall to the applicant's department.
OFFICES = {"approval": "security", "retrieval": "storage"}


def open_corrections(uow: UnitOfWork, inspection_id: str) -> int:
    """Open a work order for each finding, and record a violation of each severe one, once; how many findings.

    What earlier inspections found gets another one where its own was cancelled, as releases before this one let people
    do: nothing else puts it right. Raises NotPermitted before the group has answered the report.
    """
    act = "open the corrective actions"
    inspection = service.lock(uow, inspection_id, act)
    if inspection.signed_as is None:
        raise service.not_permitted(inspection, act, "its group has not answered the report")
    rows = reports.list_findings(uow, inspection)
    _accuse(uow, inspection, [row for row in rows if row.violation_id is None])  # first: no accused puts it right
    for finding in rows:
        if finding.work_order_id is None:
            _correct(uow, inspection, finding)
    cancelled = (
        select(InspectionFinding, GroupInspection)
        .join(GroupInspection, GroupInspection.id == InspectionFinding.inspection_id)
        .join(WorkOrder, WorkOrder.id == InspectionFinding.work_order_id)
        .where(InspectionFinding.closed_at.is_(None), WorkOrder.closed_as == work_orders.CANCELLED)
        .order_by(GroupInspection.opened_at, InspectionFinding.position)
    )
    for finding, of in uow.session.execute(cancelled).all():
        _accuse(uow, of, [finding] if finding.violation_id is None else [])
        _correct(uow, of, finding)
    return len(rows)


def close_finding(uow: UnitOfWork, order: WorkOrder) -> None:
    """Close the finding that a work order was opened for, which is done and verified now."""
    finding = uow.session.scalar(select(InspectionFinding).where(InspectionFinding.work_order_id == order.id))
    if finding is not None and finding.closed_at is None:
        finding.closed_at = uow.now
        _record(uow, "finding-closed", finding, work_order=order.number)


def is_of_finding(uow: UnitOfWork, order: WorkOrder) -> bool:
    """Return whether a corrective action is the one of a finding, which nothing else puts right."""
    finding = select(InspectionFinding.id).where(InspectionFinding.work_order_id == order.id)
    return uow.session.scalar(finding.limit(1)) is not None


def open_without_group(uow: UnitOfWork, period_name: str, because: str) -> WorkOrder:
    """Ask management to appoint a valid group, once for each period that cannot be inspected (R60)."""
    return opening.open_work_order(
        uow,
        WITHOUT_GROUP,
        Subject("group", "supervision", period_name),
        key=f"inspection-without-group:{period_name}",
        doer=Role(post="head", department_kind="management"),
        facts={"period": period_name, "because": because},
        by_system=True,
    )


def _correct(uow: UnitOfWork, inspection: GroupInspection, finding: InspectionFinding) -> None:
    application = uow.session.get_one(Application, finding.application_id)
    row = uow.session.get_one(InspectedCase, finding.inspected_case_id)
    _stage, question = checklists.load().questions().get(finding.question, (finding.stage, None))
    label = f"{inspection.number}/{finding.position}"
    asked = (
        Bilingual(question.zh, question.en) if question is not None else Bilingual(finding.question, finding.question)
    )
    order = opening.open_work_order(
        uow,
        CORRECTIVE,
        Subject("finding", finding.id, f"{label} · {row.number}"),
        key=f"finding:{finding.id}" + (f":{finding.work_order_id}" if finding.work_order_id else ""),
        doer=_who_corrects(finding, application),
        facts={
            "finding": finding.text,
            "questionZh": asked.zh,
            "questionEn": asked.en,
            "severity": finding.severity,
            "case": row.number,
            "report": inspection.number,
        },
        cause=Cause("finding", finding.id, label),
        application_id=finding.application_id,
        by_system=True,
    )
    finding.work_order_id = order.id
    _record(uow, "finding-corrected", finding, work_order=order.number, report=inspection.number)


def _who_corrects(finding: InspectionFinding, application: Application) -> Role:
    office = OFFICES.get(finding.stage)
    if office is not None:
        return Role(post="head", department_kind=office)
    return Role(post="head", department_id=application.department_id)


def _accuse(uow: UnitOfWork, inspection: GroupInspection, findings: Sequence[InspectionFinding]) -> None:
    """Record a violation of the severe ones: one of each case and accused, which names every finding about them.

    Other people answer for themselves, and what another report has found is a violation of its own, so that nothing is
    lost in one that is open. Of a case without a loan it suspends nothing.
    """
    by_accused: dict[tuple[str, tuple[str, ...] | None], list[InspectionFinding]] = {}
    for finding in findings:
        if finding.severity == checklists.SEVERE:
            application = uow.session.get_one(Application, finding.application_id)
            accused = _list_accused(uow, finding, application, _find_loan(uow, application.id))
            about = (application.id, None if accused is None else tuple(sorted(accused)))
            by_accused.setdefault(about, []).append(finding)
    for (application_id, people), found in by_accused.items():
        facts = {"found": _in_words(found), "report": inspection.number, "findings": [_as_fact(one) for one in found]}
        loan = _find_loan(uow, application_id)
        if loan is not None:
            violation = violations.open_another(uow, loan, violations.FINDING, facts, accused=people)
        else:
            violation = violations.open_of_case(uow, application_id, violations.FINDING, facts, accused=people or ())
        for finding in found:
            finding.violation_id = violation.id
            _record(uow, "finding-severe", finding, violation=violation.id)
    uow.session.flush()


def _in_words(findings: Sequence[InspectionFinding]) -> str:
    """Return what was found as the accused read it; several are numbered."""
    if len(findings) == 1:
        return findings[0].text
    return "\n".join(f"{number}. {finding.text}" for number, finding in enumerate(findings, start=1))


def _as_fact(finding: InspectionFinding) -> dict[str, Any]:
    return {"finding": finding.position, "stage": finding.stage, "text": finding.text}


def _find_loan(uow: UnitOfWork, application_id: str) -> HandOver | None:
    """Return the newest loan of a case that began."""
    query = select(HandOver).where(HandOver.application_id == application_id, HandOver.accepted_at.is_not(None))
    return uow.session.scalar(query.order_by(HandOver.issue.desc()).limit(1))


def _list_accused(
    uow: UnitOfWork, finding: InspectionFinding, application: Application, loan: HandOver | None
) -> list[str] | None:
    """List who answers for it, nobody whom it concerns (T8); None: the custodian who had the copies last.

    For an office these are who decided for it in the case, and its leaders where nobody did; for the use of the copies
    all who held them: who of them it was is for the hearing to find.
    """
    office = OFFICES.get(finding.stage)
    if office is not None:
        people = _list_deciders(uow, finding.stage, office, application) or _list_leaders(uow, office)
    elif loan is None or finding.stage == "application":
        people = [application.drafter_id]
    elif finding.stage == "use":
        people = _list_custodians(uow, application, loan)
    else:
        return None
    return [person for person in people if person not in application.subject_ids]


def _list_deciders(uow: UnitOfWork, phase: str, office: str, application: Application) -> list[str]:
    """List who decided the application last in each stage of a phase that is the office's, the earliest first."""
    query = (
        select(Decision)
        .where(Decision.application_id == application.id, Decision.matter_id.is_(None))
        .order_by(Decision.decided_at, Decision.id)
    )
    by_stage = {one.stage: one.decided_by for one in uow.session.scalars(query) if _is_of(one.stage, phase, office)}
    return list(dict.fromkeys(by_stage.values()))


def _is_of(code: str, phase: str, office: str) -> bool:
    stage = STAGES.get(code)
    if stage is None or stage.phase != phase:
        return False
    signed_off = office == "security" and stage.candidates == "sign-off"
    return signed_off or any(group.departments == office for group in stage.groups)


def _list_leaders(uow: UnitOfWork, office: str) -> list[str]:
    directory = access_queries.load_directory(uow)
    return directory.holders_in(office, "head") or directory.holders_in(office, *LEADERS)


def _list_custodians(uow: UnitOfWork, application: Application, loan: HandOver) -> list[str]:
    """List who held copies of the case, by the custody log; the heads of the department for those who have left."""
    query = (
        select(CustodyEntry.person_id)
        .join(HandOver, HandOver.id == CustodyEntry.hand_over_id)
        .where(HandOver.application_id == application.id, CustodyEntry.event == "received")
        .order_by(CustodyEntry.at, CustodyEntry.seq)
    )
    held = dict.fromkeys([*filter(None, uow.session.scalars(query)), loan.custodian_id])
    left = {person for person in held if suspensions.has_left(uow, person)}
    stand_in = heads.list_of_department(uow, loan) if left else []
    return list(dict.fromkeys([person for person in held if person not in left or not stand_in] + stand_in))


def _record(uow: UnitOfWork, action: str, finding: InspectionFinding, **detail: object) -> None:
    audit_trail.record(uow, action, "finding", finding.id, application_id=finding.application_id, **detail)
