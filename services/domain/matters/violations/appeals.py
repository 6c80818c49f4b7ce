"""What becomes of a violation that is appealed: it stands, or it is cleared as an unfounded one is (R65, R66)."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Sanction, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import violations as policy
from services.domain.audit import trail as audit_trail
from services.domain.custody import suspensions, violations
from services.domain.custody.violations import CLEARED
from services.domain.matters.violations import documents
from services.domain.notifications import service as notification_service
from services.domain.process import outbox
from services.domain.process.messages import LOSS_SETTLED, REFERRAL_RECEIVED
from services.runtime.errors import Refused


def until(uow: UnitOfWork, violation: Violation) -> datetime | None:
    """Return until when the decision can be appealed; None while there is no decision to appeal."""
    if violation.sanctioned_at is None:
        return None
    return violation.sanctioned_at + uow.rules.violation_appeal_period


def refusal(uow: UnitOfWork, violation: Violation) -> Refused | None:
    """Return why the acting person cannot appeal now, or None: once, in time, and by who is accused."""
    if not _is_party(uow, violation):
        return Refused(
            "not-yours",
            "Only the accused and the head of their department can appeal: ask one of them to do it.",
            status=403,
        )
    ends = until(uow, violation)
    if ends is None or violation.closed_as == CLEARED:
        return Refused("nothing-to-appeal", "There is no sanction to appeal: wait for the decision of the violation.")
    if violation.appeal_id is not None:
        return Refused("appealed-already", "This violation was appealed already: an appeal is possible once.")
    if uow.now > ends:
        return Refused("appeal-too-late", "The time for an appeal is over: the decision stands.")
    return None


def begin(uow: UnitOfWork, violation: Violation, matter: Matter) -> None:
    """Bind the one appeal to its violation; the database takes no second one."""
    uow.session.refresh(violation, with_for_update=True)
    if violation.appeal_id is not None:
        raise Refused("appealed-already", "This violation was appealed already: an appeal is possible once.")
    violation.appeal_id, matter.hand_over_id = matter.id, violation.hand_over_id
    _record(uow, violation, "violation-appealed", appeal=matter.number)


def grant(uow: UnitOfWork, violation: Violation, matter: Matter) -> dict[str, Any]:
    """Clear the violation: access is given back with the days, and the sanctions are revoked and stay on record.

    Where its process still waits for a receipt or for money, it is told that nothing is waited for any more.
    """
    of_violation = uow.session.get_one(Matter, violation.matter_id, with_for_update=True, populate_existing=True)
    was_open, referred = of_violation.closed_at is None, bool((violation.referral or {}).get("handedAt"))
    judgement = _judgement(uow, of_violation)
    violations.revoke(uow, violation, by=matter.number)
    revoked = uow.session.scalars(
        select(Sanction).where(Sanction.matter_id == of_violation.id, Sanction.revoked_at.is_(None))
    ).all()
    for sanction in revoked:
        sanction.revoked_at = uow.now
    of_people = select(Suspension).where(Suspension.matter_id == of_violation.id, Suspension.person_id.is_not(None))
    for suspension in uow.session.scalars(of_people).all():
        suspensions.lift(uow, suspension)
    of_violation.closed_at = of_violation.closed_at or uow.now
    of_violation.closed_as = CLEARED
    of_violation.outcome = {**(of_violation.outcome or {}), "appeal": matter.number}
    if was_open:
        waited = ((REFERRAL_RECEIVED, bool(judgement.get("referral")) and not referred), (LOSS_SETTLED, True))
        for name in (name for name, waits in waited if waits):
            outbox.publish(
                uow,
                name,
                of_violation.id,
                application_id=of_violation.application_id,
                matter_id=of_violation.id,
                message_id=f"{name}:{of_violation.id}",
                variables={},
            )
    notification_service.mark_done(uow, "violation", subject_id=of_violation.id)
    _record(uow, violation, "violation-revoked", appeal=matter.number, sanctions=[row.id for row in revoked])
    documents.write_appealed(uow, of_violation, violation)
    _notify(uow, of_violation, "appeal-granted")
    return {"cleared": of_violation.number, "sanctions": [row.id for row in revoked], "referred": referred}


def uphold(uow: UnitOfWork, violation: Violation, matter: Matter) -> None:
    """Say that the decision stands, where management has decided so."""
    decided = uow.session.scalar(select(Decision.id).where(Decision.matter_id == matter.id).limit(1))
    if decided is None:
        return
    of_violation = uow.session.get_one(Matter, violation.matter_id)
    _record(uow, violation, "violation-stands", appeal=matter.number)
    documents.write_appealed(uow, of_violation, violation)
    _notify(uow, of_violation, "appeal-refused")


def _is_party(uow: UnitOfWork, violation: Violation) -> bool:
    accused = violations.list_accused(uow, str(violation.matter_id))
    return uow.actor.id in accused or policy.may_answer_for(uow, violation.application_id)


def _judgement(uow: UnitOfWork, matter: Matter) -> dict[str, Any]:
    query = select(Decision).where(Decision.matter_id == matter.id).order_by(Decision.decided_at, Decision.id)
    return next((row.judgement for row in uow.session.scalars(query) if row.judgement and "loss" in row.judgement), {})


def _notify(uow: UnitOfWork, matter: Matter, code: str) -> None:
    for person_id in sorted({*violations.list_accused(uow, matter.id), *filter(None, [matter.opened_by])}):
        notification_service.notify(
            uow, person_id, code, application_id=matter.application_id, subject_id=str(matter.id)
        )


def _record(uow: UnitOfWork, violation: Violation, action: str, **detail: Any) -> None:
    audit_trail.record(
        uow, action, "violation", violation.id, application_id=violation.application_id, kind=violation.kind, **detail
    )
