"""Violations: overdue, lost, disputed (R48, R51). Their handling is a process of its own."""

from typing import Any

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.custody import grants, heads, log
from services.domain.notifications import service as notification_service
from services.domain.process import permissions
from services.domain.rules import agreed_limits

KINDS = ("overdue", "loss", "discrepancy")


def open_overdue(uow: UnitOfWork, application_id: str, hand_over_id: str) -> Violation | None:
    """Open the violation of an overdue copy and stop access (R51).

    None when the copies came back inside the grace, or were reported lost: that is a violation of its own. Raises
    NotPermitted before the grace is over by the database's clock, and for a case that is closed.
    """
    act = "open a violation"
    application = permissions.lock(uow, application_id, act).application
    hand_over = log.lock(uow, hand_over_id, application_id)
    if hand_over.due_at is None:
        raise permissions.refusal(act, application_id, f"nobody has accepted the hand-over {hand_over_id}")
    late_from = hand_over.due_at + agreed_limits.get_grace_period(uow, hand_over)
    if hand_over.returned_at is not None and hand_over.returned_at < late_from:
        return None
    known = _known(uow, hand_over, "overdue")
    if known is not None:
        return known
    if application.closed_at is not None:
        raise permissions.refusal(act, application_id, f"the case is closed as {application.closed_as}")
    if hand_over.lost_at is not None:
        return None
    if not permissions.is_over(uow, late_from):
        raise permissions.refusal(act, application_id, f"the copies are not overdue before {late_from.isoformat()}")
    facts = {
        "custodian": hand_over.custodian_id,
        "dueAt": hand_over.due_at.isoformat(),
        "graceOverAt": late_from.isoformat(),
    }
    return open_once(uow, hand_over, "overdue", facts)


def open_once(uow: UnitOfWork, hand_over: HandOver, kind: str, facts: dict[str, Any]) -> Violation:
    """Open one violation of a kind for each hand-over; suspend access, notify all who answer for the loan (R48, R51).

    These are the custodian, the department's head, Security with its head, and supervision; of those other than the
    custodian nobody whom the case concerns, who must not learn of it (T8).
    """
    known = _known(uow, hand_over, kind)
    if known is not None:
        return known
    violation = Violation(
        id=new_id(),
        application_id=hand_over.application_id,
        hand_over_id=hand_over.id,
        kind=kind,
        opened_at=uow.now,
        facts=facts,
    )
    uow.session.add(violation)
    grants.suspend(uow, hand_over, kind)
    log.append(uow, hand_over, "violation", kind=kind, violation=violation.id)
    audit_trail.record(
        uow, "violation-opened", "violation", violation.id, application_id=hand_over.application_id, kind=kind
    )
    for person_id in _list_notified(uow, hand_over):
        notification_service.notify(
            uow,
            person_id,
            f"violation-{kind}",
            application_id=hand_over.application_id,
            subject_id=violation.id,
        )
    return violation


def _list_notified(uow: UnitOfWork, hand_over: HandOver) -> list[str]:
    subjects = uow.session.get_one(Application, hand_over.application_id).subject_ids
    others = {
        *measurements.list_holders(uow, "security-reviewer", "supervisor"),
        *heads.list_of_department(uow, hand_over),
        *heads.list_of_security(uow, hand_over),
    }
    return sorted({hand_over.custodian_id} | others.difference(subjects))


def _known(uow: UnitOfWork, hand_over: HandOver, kind: str) -> Violation | None:
    return uow.session.scalar(select(Violation).where(Violation.hand_over_id == hand_over.id, Violation.kind == kind))
