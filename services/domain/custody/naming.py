"""Naming another custodian after the approval, until somebody has accepted the copies (R46).

The form stays as it was signed. Once somebody has accepted them, custody is transferred by a matter.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.people import Person
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.access.directory import LEADERS
from services.domain.applications.directory import FoundPeople
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import holds
from services.domain.custody import custodians, log
from services.domain.custody.custodians import Change
from services.domain.notifications import service as notification_service
from services.domain.process import permissions
from services.domain.process.permissions import CaseState
from services.runtime.errors import Refused
from services.runtime.translations import Message

ACT = "name another custodian"
OVER = Message("The case has ended: no copies will be handed over.")
NOT_APPROVED = Message("The application is not approved yet: another custodian can be named once its form is filed.")


@dataclass(frozen=True)
class NamingForm:
    """What the form shows. ``custodian``: who is named now; ``until`` when offered copies can be accepted."""

    application: Application
    custodian: str
    until: datetime | None
    people: FoundPeople


def may_name(uow: UnitOfWork, application: Application) -> bool:
    """Return whether the actor leads the applying department or Security; nobody whom the case concerns (T8)."""
    me, directory = uow.actor.id, access_queries.load_directory(uow)
    if uow.actor.kind != "person" or me in application.subject_ids or me in directory.administrators:
        return False
    return me in directory.holders(application.department_id, *LEADERS) or directory.holds_in(me, "security", *LEADERS)


def is_open(uow: UnitOfWork, application: Application, hand_over: HandOver | None) -> bool:
    """Return whether the copies of an approved case wait to be offered or accepted."""
    return not _has_ended(application) and _offer_obstacle(uow, hand_over) is None


def get_form(uow: UnitOfWork, application_id: str, search: str) -> NamingForm:
    """Read what the form shows; Refused where the actor names nobody, or not now."""
    application = _require_submitted(uow, application_id)
    state = permissions.read(uow, application_id)
    _require_allowed(uow, state)
    custodian_id = access_queries.load_facts(uow, application_id).custodian_id
    hand_over = state.hand_over
    return NamingForm(
        application,
        custodian=access_queries.get_names(uow, [custodian_id]).get(custodian_id or "", ""),
        until=hand_over.take_up_until if hand_over is not None else None,
        people=custodians.find_people(uow, Change(application, hand_over, uow.actor.id), search),
    )


def name(uow: UnitOfWork, application_id: str, person_id: str, *, reason: str) -> Application:
    """Name another custodian; copies that are offered already are offered to that person, who alone can accept them.

    Raises NotFound for who may not see the case, Refused where the actor names nobody, not now, not this person, or
    must not sign yet: it takes no signature, and decides who gets the footage.
    """
    _require_submitted(uow, application_id)
    state = permissions.lock(uow, application_id, ACT)
    application, hand_over = state.application, state.hand_over
    access_queries.discard_loaded(uow)  # others may have acted while this unit waited for the locks
    _require_allowed(uow, state)
    holds.check(uow, uow.actor.id)
    reason = reason.strip()
    if not reason:
        raise Refused("missing", "Enter a reason.", status=422, field="reason")
    former = access_queries.load_facts(uow, application_id).custodian_id
    # locked: nobody deactivates a person who is just named
    uow.session.get(Person, person_id, with_for_update={"read": True}, populate_existing=True)
    _require_fit(uow, Change(application, hand_over, uow.actor.id), former, person_id)
    notification_service.mark_done(uow, "custodian", application_id=application_id)
    if hand_over is None:
        application.named_custodian_id = person_id
    else:
        _offer_to(uow, hand_over, former, person_id)
    audit_trail.record(
        uow,
        "custodian-named",
        "application",
        application_id,
        application_id=application_id,
        former=former,
        custodian=person_id,
        reason=reason,
    )
    return application


def _require_submitted(uow: UnitOfWork, application_id: str) -> Application:
    application = visibility.get_visible(uow, application_id)
    if application.submitted_at is None:
        raise Refused("not-now", NOT_APPROVED)
    return application


def _require_allowed(uow: UnitOfWork, state: CaseState) -> None:
    """Raise Refused where nobody is named now, or not by the actor."""
    application = state.application
    if _has_ended(application) or state.rejected_in("approval") or state.rejected_in("retrieval"):
        raise Refused("not-now", OVER)
    if state.form is None or state.returned:
        raise Refused("not-now", NOT_APPROVED)
    obstacle = _offer_obstacle(uow, state.hand_over)
    if obstacle is not None:
        raise Refused("not-now", obstacle)
    if not may_name(uow, application):
        raise Refused(
            "not-yours",
            "Only the head of the applying department or the head of Security can name another custodian.",
            status=403,
        )


def _has_ended(application: Application) -> bool:
    return application.closed_at is not None or application.withdrawn_at is not None


def _offer_obstacle(uow: UnitOfWork, hand_over: HandOver | None) -> Message | None:
    if hand_over is None:
        return None
    if hand_over.accepted_at is not None:
        return Message("The copies have been accepted: ask for a custody transfer instead.")
    if hand_over.declined_at is not None or hand_over.ended_at is not None or uow.now >= hand_over.take_up_until:
        return Message("The offer of the copies is over: submit a new application if you still need the footage.")
    return None


def _require_fit(uow: UnitOfWork, change: Change, former: str | None, person_id: str) -> None:
    obstacle = custodians.obstacle(uow, change, person_id)
    if person_id == former:
        obstacle = custodians.ALREADY
    elif person_id == change.asked_by:
        obstacle = Message("You name the custodian, so it has to be another person: choose another one.")
    if obstacle is not None:
        raise Refused("not-now", obstacle, field="personId")


def _offer_to(uow: UnitOfWork, hand_over: HandOver, former: str | None, person_id: str) -> None:
    """Offer the copies to another person: the receipt and its notices are theirs, the time to accept stays."""
    hand_over.custodian_id = person_id
    log.append(uow, hand_over, "custodian-named", person_id=uow.actor.id, fromPerson=former, toPerson=person_id)
    told = {"application_id": hand_over.application_id}
    notification_service.mark_done(uow, "offer", subject_id=hand_over.id)
    notification_service.notify(uow, person_id, "copy-offered", subject_id=hand_over.id, **told)
    query = select(Review).where(
        Review.hand_over_id == hand_over.id, Review.stage == "receipt", Review.closed_at.is_(None)
    )
    for review in uow.session.scalars(query.with_for_update()).all():
        if review.claimed_by is not None:
            review.claimed_by = review.claimed_at = None
            audit_trail.record(uow, "review-unclaimed", "review", review.id, **told)
        notification_service.mark_done(uow, "review", subject_id=review.id)
        notification_service.notify(uow, person_id, "review-opened", subject_id=review.id, **told)
