"""Keep legal holds: place them, review them, lift them (R65 to R67, F14, F34).

Placing and lifting are matters (``matters.kinds.hold`` and ``lift_hold``): who may ask and who decides is theirs, and
what follows is done here. The row says that a case is held. What the stores are to do about it follows from the row:
placing and lifting make the locks of the case due, and the process that has both stores sets or lifts their legal holds
with them (``workers.vault_locks``), again until it is done.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.masters import Master
from services.database.tables.people import Person
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.access import holds as policy
from services.domain.access import queries as access_queries
from services.domain.access import violations
from services.domain.audit import trail as audit_trail
from services.domain.documents import retention
from services.domain.holds import notice, queries
from services.domain.notifications import service as notification_service
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

OVER = Message("This hold was already lifted.")


def find_case(uow: UnitOfWork, number: str) -> Application:
    """Return the submitted case with this number; NotFound where it concerns the acting person (T8)."""
    return _lock_case(uow, Application.number == number, number)


def require_terms(uow: UnitOfWork, application: Application, *, owner_id: str, review_at: datetime | None) -> datetime:
    """Return when a hold on these terms is to be reviewed; Refused where its owner or that date cannot be."""
    _require_owner(uow, owner_id, application)
    longest = uow.now + uow.rules.hold_review
    until = review_at or longest
    if not uow.now < until <= longest:
        raise Refused(
            "hold-review-date",
            "The review has to be in the future, and at most {days} days from now.",
            status=422,
            field="reviewAt",
            days=uow.rules.hold_review.days,
        )
    return until


def place(
    uow: UnitOfWork,
    application: Application,
    *,
    cause: str,
    reason: str,
    placed_by: str,
    owner_id: str,
    matter_id: str,
    review_at: datetime | None = None,
    number: str | None = None,
) -> Hold:
    """Hold a locked case for a matter of it, and write the notice; several holds may be open on one case.

    The caller has found that it may be done. ``number``: of the notice, where the matter gives it one.
    """
    hold = Hold(
        id=new_id(),
        application_id=application.id,
        cause=cause,
        reason=reason.strip(),
        placed_by=placed_by,
        placed_at=uow.now,
        owner_id=owner_id,
        review_at=review_at or uow.now + uow.rules.hold_review,
        matter_id=matter_id,
    )
    uow.session.add(hold)
    uow.session.flush()
    _record(uow, "hold-placed", hold, review_at=hold.review_at.isoformat())
    notice.write(uow, hold, application, number=number)
    _tell_stores(uow, application.id)
    if hold.owner_id != uow.actor.id:
        _notify(uow, hold.owner_id, "hold-owned", hold)
    return hold


def confirm(uow: UnitOfWork, hold: Hold) -> None:
    """Record that Legal has confirmed a hold: from now on only a matter of its own lifts it."""
    _record(uow, "hold-confirmed", hold)


def lift(uow: UnitOfWork, hold: Hold, decision: Decision, because: str) -> None:
    """Lift an open hold of a locked case by a signed decision; the caller has found that this may be done.

    What the case has kept waits for its disposal as if it had never been held.
    """
    hold.lifted_at, hold.lifted_by, hold.lifted_because = uow.now, decision.decided_by, because
    hold.lift_signature = decision.signature
    notification_service.mark_done(uow, "hold", subject_id=hold.id)
    _record(uow, "hold-lifted", hold, decision=decision.id)
    uow.session.flush()
    _tell_stores(uow, hold.application_id)
    _notify(uow, hold.owner_id, "hold-lifted", hold)


def review(uow: UnitOfWork, hold_id: str, owner_id: str | None = None) -> Hold:
    """Keep a hold for another term, maybe with another owner; of its owner, or who leads Legal or Security."""
    hold, application = _lock(uow, hold_id)
    require_not_accused(uow, application)
    if uow.actor.id != hold.owner_id:
        require_leader(uow)
    notification_service.mark_done(uow, "hold", subject_id=hold.id)
    if owner_id is not None and owner_id != hold.owner_id:
        _require_owner(uow, owner_id, application)
        hold.owner_id = owner_id
        _notify(uow, hold.owner_id, "hold-owned", hold)
    hold.review_at, hold.reminded_at = uow.now + uow.rules.hold_review, None
    _record(uow, "hold-reviewed", hold, review_at=hold.review_at.isoformat())
    return hold


def get_readable(uow: UnitOfWork, hold_id: str) -> Hold:
    """Return a hold; NotFound for those who read none, and where its case concerns them (T8)."""
    hold = uow.session.get(Hold, hold_id)
    if hold is None or not queries.may_read(uow):
        raise NotFound(Message("hold"), hold_id)
    _lock_case(uow, Application.id == hold.application_id, hold_id)
    return uow.session.get_one(Hold, hold_id, with_for_update=True, populate_existing=True)


def require_leader(uow: UnitOfWork) -> None:
    """Raise Refused unless the actor leads Legal or Security."""
    if not policy.may_lead(access_queries.load_directory(uow), uow.actor.id):
        raise Refused(
            "hold-placers-only",
            "Legal holds are reviewed, and their lifting requested, by the heads and deputies of Legal and Security "
            "and by the owner of a hold: ask one of them.",
            status=403,
        )


def require_not_accused(uow: UnitOfWork, application: Application) -> None:
    """Raise Refused for those against whom the held evidence may be used."""
    if uow.actor.id in violations.list_accused(uow, application.id):
        raise Refused(
            "hold-accused",
            "You are accused in a violation of this case: other people decide on its legal holds.",
            status=403,
        )


def _require_owner(uow: UnitOfWork, person_id: str, application: Application) -> None:
    person = uow.session.get(Person, person_id)
    reads = policy.may_read(access_queries.load_directory(uow), person_id)
    barred = {*application.subject_ids, *violations.list_accused(uow, application.id)}
    if person is None or not person.active or not reads or person_id in barred:
        raise Refused(
            "hold-owner",
            "The owner of a hold has to be of Legal, Security or the supervision group, and neither a person concerned "
            "nor accused in the case.",
            status=422,
            field="ownerId",
        )


def _lock(uow: UnitOfWork, hold_id: str) -> tuple[Hold, Application]:
    """Return an open hold and its case, the case locked first; NotFound for those who read none."""
    hold = get_readable(uow, hold_id)
    if hold.lifted_at is not None:
        raise Refused("hold-over", OVER)
    return hold, uow.session.get_one(Application, hold.application_id)


def _lock_case(uow: UnitOfWork, condition: ColumnElement[bool], named: str) -> Application:
    """Return a submitted case, locked; NotFound where it concerns the acting person (T8)."""
    query = select(Application).where(condition, Application.submitted_at.is_not(None)).with_for_update()
    application = uow.session.scalar(query.execution_options(populate_existing=True))
    if application is None or uow.actor.id in application.subject_ids:
        raise NotFound(Message("application"), named)
    return application


def _tell_stores(uow: UnitOfWork, application_id: str) -> None:
    """Have the stores told of everything that the case has there, with its hold or without."""
    masters = select(Master).where(Master.application_id == application_id, Master.discarded_at.is_(None))
    documents = select(Document).where(Document.application_id == application_id)
    rows: list[Master | Document] = [
        *uow.session.scalars(masters.order_by(Master.id).with_for_update()),
        *uow.session.scalars(documents.order_by(Document.id).with_for_update()),
    ]
    retention.extend(uow, [row for row in rows if row.retain_until is None], retention.provisional_end(uow))
    for row in rows:
        # written before the stores do anything: a hold of which a killed process has left no record is lifted too
        row.held_since = row.held_since or uow.now
        retention.make_due(uow, row)


def _record(uow: UnitOfWork, action: str, hold: Hold, **detail: str) -> None:
    """Record an act; why is in the notice and in what is signed, since the applicant sees the events of the case."""
    audit_trail.record(uow, action, "hold", hold.id, application_id=hold.application_id, **detail)


def _notify(uow: UnitOfWork, person_id: str, code: str, hold: Hold) -> None:
    notification_service.notify(uow, person_id, code, application_id=hold.application_id, subject_id=hold.id)
