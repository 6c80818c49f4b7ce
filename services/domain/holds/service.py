"""Place, review and lift legal holds (R65 to R67, F14, F34).

The row says that a case is held. What the stores are to do about it follows from the row: placing and lifting make the
locks of the case due, and the process that has both stores sets or lifts their legal holds with them
(``workers.vault_locks``), again until it is done.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.holds import CAUSES, Hold
from services.database.tables.masters import Master
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import holds as policy
from services.domain.access import queries as access_queries
from services.domain.access import violations
from services.domain.accounts.signatures import signing
from services.domain.accounts.signatures.given import Proof
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import holds as signature_holds
from services.domain.documents import retention
from services.domain.holds import notice, queries
from services.domain.notifications import service as notification_service
from services.domain.stages.schema import Level
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

LEVEL: Level = "password+totp"


def place(
    uow: UnitOfWork,
    number: str,
    *,
    cause: str,
    reason: str,
    owner_id: str | None = None,
    review_at: datetime | None = None,
) -> Hold:
    """Hold the case with this number, and write its notice; several holds may be open on one case.

    Refused to those who lead neither Legal nor Security, and for an owner or a review date that cannot be.
    """
    _require_placer(uow)
    application = _lock_case(uow, Application.number == number, number)
    if cause not in CAUSES:
        raise Refused("unknown", "Choose why the case is held.", status=422, field="cause")
    owner = _require_owner(uow, owner_id or uow.actor.id, application)
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
    return _place(
        uow,
        application,
        Hold(
            id=new_id(),
            application_id=application.id,
            cause=cause,
            reason=reason.strip(),
            placed_by=uow.actor.id,
            placed_at=uow.now,
            owner_id=owner,
            review_at=until,
        ),
    )


def place_decided(
    uow: UnitOfWork,
    application: Application,
    *,
    cause: str,
    reason: str,
    placed_by: str,
    owner_id: str,
    matter_id: str,
) -> Hold:
    """Hold a locked case because of what people have decided in a matter of it, in the name of who decided.

    A job does it; the caller has found the signed decision.
    """
    hold = Hold(
        id=new_id(),
        application_id=application.id,
        cause=cause,
        reason=reason.strip(),
        placed_by=placed_by,
        placed_at=uow.now,
        owner_id=owner_id,
        review_at=uow.now + uow.rules.hold_review,
        matter_id=matter_id,
    )
    return _place(uow, application, hold)


def _place(uow: UnitOfWork, application: Application, hold: Hold) -> Hold:
    uow.session.add(hold)
    uow.session.flush()
    _record(uow, "hold-placed", hold, review_at=hold.review_at.isoformat())
    notice.write(uow, hold, application)
    _tell_stores(uow, application.id)
    if hold.owner_id != uow.actor.id:
        _notify(uow, hold.owner_id, "hold-owned", hold)
    return hold


def review(uow: UnitOfWork, hold_id: str, owner_id: str | None = None) -> Hold:
    """Keep a hold for another term, maybe with another owner; of its owner, or who may place one."""
    hold, application = _lock(uow, hold_id)
    _require_not_accused(uow, application)
    if uow.actor.id != hold.owner_id:
        _require_placer(uow)
    if owner_id is not None and owner_id != hold.owner_id:
        hold.owner_id = _require_owner(uow, owner_id, application)
        _notify(uow, hold.owner_id, "hold-owned", hold)
    hold.review_at, hold.reminded_at = uow.now + uow.rules.hold_review, None
    notification_service.mark_done(uow, "hold", subject_id=hold.id)
    _record(uow, "hold-reviewed", hold, review_at=hold.review_at.isoformat())
    return hold


def ask_lift(uow: UnitOfWork, hold_id: str, because: str) -> Hold:
    """Ask that a hold is lifted: it stays until another person confirms that, however much time passes."""
    hold, application = _lock(uow, hold_id)
    _require_lifter(uow, application)
    if hold.lift_asked_at is not None:
        raise Refused("lift-asked", "It is already requested to lift this hold: another person has to confirm it.")
    hold.lift_asked_by, hold.lift_asked_at, hold.lifted_because = uow.actor.id, uow.now, because.strip()
    _record(uow, "hold-lift-asked", hold)
    barred = {uow.actor.id, *application.subject_ids, *violations.list_accused(uow, application.id)}
    for person_id in policy.placers(access_queries.load_directory(uow)):
        if person_id not in barred:
            _notify(uow, person_id, "hold-lift-asked", hold)
    return hold


def withdraw_lift(uow: UnitOfWork, hold_id: str) -> Hold:
    """Withdraw what was asked for, or say no to it: the hold stays."""
    hold, application = _lock(uow, hold_id)
    _require_lifter(uow, application)
    _require_asked(hold)
    hold.lift_asked_by = hold.lift_asked_at = hold.lifted_because = None
    notification_service.mark_done(uow, "check", subject_id=hold.id)
    _record(uow, "hold-lift-withdrawn", hold)
    return hold


def confirm_lift(uow: UnitOfWork, hold_id: str, proof: Proof) -> Hold:
    """Lift a hold as the second person, signed.

    Refused to whoever has asked for it, to those who have a part in the case, and where whoever has asked for it could
    not do so any more. What the case has kept waits for its disposal as if it had never been held.
    """
    hold, application = _lock(uow, hold_id)
    _require_lifter(uow, application)
    asked_by = _require_asked(hold)
    if asked_by == uow.actor.id:
        raise Refused(
            "not-second-person",
            "You have asked to lift this hold yourself: another person who leads Legal or Security has to confirm it.",
            status=403,
        )
    if not policy.may_place(access_queries.load_directory(uow), asked_by) or asked_by in violations.list_accused(
        uow, application.id
    ):
        raise Refused(
            "lift-asker-unfit",
            "Who has asked to lift this hold may no longer do so: keep the hold, then ask for it yourself.",
        )
    signature_holds.check(uow, uow.actor.id)
    statement = {
        "kind": "hold-lift",
        "hold": hold.id,
        "application": application.number,
        "because": hold.lifted_because,
        "askedBy": asked_by,
        "person": uow.actor.id,
        "decidedAt": signing.signing_moment(uow, proof).isoformat(),
    }
    hold.lift_signature = signing.sign(uow, statement, proof, level=LEVEL).signature
    hold.lifted_at, hold.lifted_by = uow.now, uow.actor.id
    notification_service.mark_done(uow, "hold", "check", subject_id=hold.id)
    _record(uow, "hold-lifted", hold)
    uow.session.flush()
    _tell_stores(uow, application.id)
    if hold.owner_id != uow.actor.id:
        _notify(uow, hold.owner_id, "hold-lifted", hold)
    return hold


def _require_placer(uow: UnitOfWork) -> None:
    if not queries.may_place(uow):
        raise Refused(
            "hold-placers-only",
            "Only the heads and deputies of Legal and Security place and lift legal holds: ask one of them.",
            status=403,
        )


def _require_lifter(uow: UnitOfWork, application: Application) -> None:
    _require_placer(uow)
    query = select(HandOver.custodian_id).where(HandOver.application_id == application.id)
    if uow.actor.id in {application.drafter_id, application.custodian_id, *uow.session.scalars(query)}:
        raise Refused("hold-party", "You have a part in this case: other people have to lift the hold.", status=403)
    _require_not_accused(uow, application)


def _require_not_accused(uow: UnitOfWork, application: Application) -> None:
    """Raise Refused for those against whom the held evidence may be used."""
    if uow.actor.id in violations.list_accused(uow, application.id):
        raise Refused(
            "hold-accused",
            "You are accused in a violation of this case: other people decide on its legal holds.",
            status=403,
        )


def _require_asked(hold: Hold) -> str:
    if hold.lift_asked_by is None:
        raise Refused("lift-not-asked", "Nobody has asked to lift this hold: ask for it, then another person confirms.")
    return hold.lift_asked_by


def _require_owner(uow: UnitOfWork, person_id: str, application: Application) -> str:
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
    return person_id


def _lock(uow: UnitOfWork, hold_id: str) -> tuple[Hold, Application]:
    """Return an open hold and its case, the case locked first as ``place`` does; NotFound for those who read none."""
    found = uow.session.get(Hold, hold_id)
    if found is None or not queries.may_read(uow):
        raise NotFound(Message("hold"), hold_id)
    application = _lock_case(uow, Application.id == found.application_id, hold_id)
    hold = uow.session.get_one(Hold, hold_id, with_for_update=True, populate_existing=True)
    if hold.lifted_at is not None:
        raise Refused("hold-over", "This hold was already lifted.")
    return hold, application


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
