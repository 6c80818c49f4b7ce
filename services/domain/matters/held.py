"""Ask for legal holds, by the number of a case, and that they are lifted; and what older releases have left open."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.holds import Hold
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.access import violations
from services.domain.audit import trail as audit_trail
from services.domain.holds import queries as hold_queries
from services.domain.holds import service as hold_service
from services.domain.matters import service
from services.domain.matters.kinds import hold as hold_kind
from services.domain.matters.kinds.hold import HoldKind
from services.domain.matters.kinds.lift_hold import LiftHold
from services.domain.notifications import service as notification_service
from services.runtime.errors import Refused

AT_ONCE = 50


def place(
    uow: UnitOfWork,
    number: str,
    *,
    cause: str,
    reason: str,
    owner_id: str | None = None,
    review_at: datetime | None = None,
) -> Hold:
    """Hold the case with this number at once; Legal confirms it, or lifts it by a refusal."""
    if not hold_queries.may_place(uow):
        raise Refused("not-yours", HoldKind().who_may(), status=403)
    application = hold_service.find_case(uow, number)
    asked: dict[str, Any] = {"cause": cause, "reason": reason}
    asked |= {"ownerId": owner_id} if owner_id is not None else {}
    asked |= {"reviewAt": review_at} if review_at is not None else {}
    matter = service.open_matter(uow, HoldKind.code, application.id, asked)
    return hold_kind.get_hold(uow, matter)


def ask_lift(uow: UnitOfWork, hold_id: str, because: str) -> Matter:
    """Ask that a hold is lifted: it stays until Legal and the head of Security have decided it."""
    hold = hold_service.get_readable(uow, hold_id)
    return service.open_matter(uow, LiftHold.code, hold.application_id, {"holdId": hold_id, "reason": because})


def open_asked_lifts(uow: UnitOfWork) -> bool:
    """Open a matter of each lift that was asked for in an older release, in the name of who has; whether more are left.

    Where that person may have no hand in it by now, or the hold is over, the hold stays and the request ends.
    """
    query = (
        select(Hold)
        .where(Hold.lift_asked_at.is_not(None), Hold.lifted_at.is_(None), Hold.lift_matter_id.is_(None))
        .order_by(Hold.lift_asked_at, Hold.id)
        .limit(AT_ONCE)
    )
    rows = uow.session.scalars(query).all()
    opened = [_open_asked(uow, hold) for hold in rows]
    return len(rows) == AT_ONCE and any(opened)


def _open_asked(uow: UnitOfWork, hold: Hold) -> bool:
    """Open the matter of a lift that was asked for, or end the request; False where the stages are not there yet."""
    kind = LiftHold()
    asked_by = str(hold.lift_asked_by)
    application = uow.session.get_one(Application, hold.application_id)
    if asked_by in {*application.subject_ids, *violations.list_accused(uow, application.id)}:
        hold.lift_asked_by = hold.lift_asked_at = hold.lifted_because = None
        notification_service.mark_done(uow, "check", subject_id=hold.id)
        audit_trail.record(uow, "hold-lift-withdrawn", "hold", hold.id, application_id=application.id)
        return True
    asked = {"holdId": hold.id, "reason": hold.lifted_because}
    matter = service.open_by_system(uow, kind.code, application.id, asked, in_name_of=asked_by)
    if matter is not None:
        notification_service.mark_done(uow, "check", subject_id=hold.id)
    return matter is not None
