"""What becomes of a violation that is appealed: it stands, or it is cleared as an unfounded one is (R65, R66).

Each accused appeals once and each department that answers for it once: what a head has asked for takes nothing from the
accused, nor from another department. One appeal is decided at a time; a granted one clears the violation for all.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.tables.violations import Sanction, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import violations as policy
from services.domain.audit import trail as audit_trail
from services.domain.custody import violation_ends, violations
from services.domain.custody.violations import CLEARED
from services.domain.matters.violations import documents
from services.domain.notifications import service as notification_service
from services.domain.process import outbox
from services.domain.process.messages import LOSS_SETTLED, REFERRAL_RECEIVED
from services.domain.reviews import tasks as review_tasks
from services.runtime.errors import Refused


def until(uow: UnitOfWork, violation: Violation, appeals: Sequence[Matter]) -> datetime | None:
    """Return until when the decision can be appealed; None while there is no decision to appeal.

    The time runs anew from the decision of an earlier appeal: while that was open, nobody else could appeal.
    """
    if violation.sanctioned_at is None:
        return None
    decided = [matter.closed_at for matter in appeals if matter.closed_at is not None]
    return max([violation.sanctioned_at, *decided]) + uow.rules.violation_appeal_period


def require_allowed(uow: UnitOfWork, violation: Violation) -> None:
    """Raise Refused unless the acting person can appeal now: who is accused or answers for them, once and in time."""
    matter = uow.session.get_one(Matter, violation.matter_id)
    accused = violations.list_accused(uow, matter.id)
    if uow.actor.id not in accused and not policy.may_answer_for(uow, matter, accused):
        raise Refused(
            "not-yours",
            "Only the accused and the head of their department can appeal: ask one of them to do it.",
            status=403,
        )
    refused = refusal(uow, violation, policy.list_appeals(uow, violation), accused)
    if refused is not None:
        raise refused


def refusal(
    uow: UnitOfWork, violation: Violation, appeals: Sequence[Matter], accused: Collection[str]
) -> Refused | None:
    """Return why the acting person, who is accused or answers for the ``accused``, cannot appeal now, or None."""
    ends = until(uow, violation, appeals)
    if ends is None or violation.closed_as == CLEARED:
        return Refused("nothing-to-appeal", "There is no sanction to appeal: wait for the decision of the violation.")
    if _has_appealed(uow, violation, appeals, accused):
        return Refused("appealed-already", "You or your department have appealed already: each can do it once.")
    if any(one.closed_at is None for one in appeals):
        return _undecided()
    if uow.now > ends:
        return Refused("appeal-too-late", "The time for an appeal is over: the decision stands.")
    return None


def _has_appealed(uow: UnitOfWork, violation: Violation, appeals: Sequence[Matter], accused: Collection[str]) -> bool:
    """Return whether the acting person has appealed, or somebody else for each department that they answer for."""
    me = uow.actor.id
    if any(one.opened_by == me for one in appeals):
        return True
    if me in accused:
        return False
    matter = uow.session.get_one(Matter, violation.matter_id)
    appealed_for = policy.list_appealed_for(uow, matter, accused, appeals)
    return bool(appealed_for) and policy.map_heads(uow, matter, accused).get(me, set()) <= appealed_for


def begin(uow: UnitOfWork, violation: Violation, matter: Matter) -> None:
    """Bind an appeal to its violation, as the newest; Refused while an earlier one is open."""
    uow.session.refresh(violation, with_for_update=True)
    earlier = uow.session.get(Matter, violation.appeal_id) if violation.appeal_id else None
    if earlier is not None and earlier.closed_at is None:
        raise _undecided()
    violation.appeal_id, matter.hand_over_id = matter.id, violation.hand_over_id
    _record(uow, violation, "violation-appealed", appeal=matter.number)


def grant(uow: UnitOfWork, violation: Violation, matter: Matter) -> dict[str, Any]:
    """Clear the violation: access is given back with the days, and the sanctions are revoked and stay on record.

    Where its process still asks somebody, or waits for a receipt or for money, it is told that nothing is asked or
    waited for any more (P11).
    """
    of_violation = uow.session.get_one(Matter, violation.matter_id, with_for_update=True, populate_existing=True)
    was_open, referred = of_violation.closed_at is None, bool((violation.referral or {}).get("handedAt"))
    judgement = _judgement(uow, of_violation)
    violation_ends.lift_people(uow, violation, cleared=True)
    violation_ends.revoke(uow, violation, by=matter.number)
    revoked = uow.session.scalars(
        select(Sanction).where(Sanction.matter_id == of_violation.id, Sanction.revoked_at.is_(None))
    ).all()
    for sanction in revoked:
        sanction.revoked_at = uow.now
    of_violation.closed_at = of_violation.closed_at or uow.now
    of_violation.closed_as = CLEARED
    of_violation.outcome = {**(of_violation.outcome or {}), "appeal": matter.number}
    if was_open:
        review_tasks.answer_of_matter(uow, of_violation)
        waited = (
            (REFERRAL_RECEIVED, bool(judgement.get("referral")) and not referred),
            (LOSS_SETTLED, violation.settlement is None),
        )
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


def _undecided() -> Refused:
    return Refused(
        "appeal-undecided",
        "Another appeal of this violation is being decided: wait for it. If it is refused, you can appeal after it.",
    )


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
