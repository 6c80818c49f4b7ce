"""Named recipients who view the copies under their own names: the custodian lets them, and ends it (R55, R57, R59).

Only whom the signed form names, only to view, only inside the use period, only while nothing keeps the copies closed.
"""

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.applications import forms, recipients
from services.domain.custody import copies, granted, grants, hand_overs, log, on_site, suspensions
from services.domain.notifications import service as notification_service
from services.runtime.errors import Refused

FIELD = "personId"
MOST_ALLOWED = 500  # times in one loan


def allow(uow: UnitOfWork, hand_over_id: str, person_id: str) -> None:
    """Let a named recipient view the copies, up to the due date; nothing where the person may already.

    Raises Refused for a person whom the signed form does not name or who may not see footage, and for copies that do
    not open now.
    """
    hand_over = log.get_mine(uow, hand_over_id)
    hand_overs.require_held(hand_over)
    if on_site.holds_for(uow, hand_over):
        raise Refused("on-site-only", "This footage is viewed on site alone: enter who is present when it is viewed.")
    require_open(uow, hand_over)
    require_fit(uow, hand_over, person_id)
    if any(grant.person_id == person_id for grant in granted.list_of_recipients(uow, hand_over)):
        return
    log.require_fewer(uow, hand_over_id, ("view-allowed",), MOST_ALLOWED)
    lent = copies.list_lent(uow, hand_over.id)
    grants.create(uow, hand_over, lent, ("view",), person_id=person_id)
    log.append(uow, hand_over, "view-allowed", person_id=uow.actor.id, to=forms.person_to_json(uow, person_id))
    notification_service.notify(
        uow, person_id, "view-allowed", application_id=hand_over.application_id, subject_id=hand_over.id
    )


def withdraw(uow: UnitOfWork, hand_over_id: str, person_id: str) -> None:
    """End at once what a recipient was allowed; nothing where there is nothing to end."""
    hand_over = log.get_mine(uow, hand_over_id)
    if granted.end_of_recipients(uow, hand_over, "withdrawn", person_id=person_id):
        log.append(uow, hand_over, "view-ended", person_id=uow.actor.id, to=forms.person_to_json(uow, person_id))


def end_by_review(uow: UnitOfWork, hand_over: HandOver, person_id: str, *, review: str) -> None:
    """End what a recipient was allowed because a review of the grants has asked for it; tell both (R55).

    ``review`` is the number of its record. The caller has checked that it was signed and verified.
    """
    if not granted.end_of_recipients(uow, hand_over, "access-review", person_id=person_id):
        return
    log.append(uow, hand_over, "view-ended", to=forms.person_to_json(uow, person_id), review=review)
    for told in dict.fromkeys((person_id, hand_over.custodian_id)):
        notification_service.notify(
            uow, told, "view-ended-by-review", application_id=hand_over.application_id, subject_id=hand_over.id
        )


def require_open(uow: UnitOfWork, hand_over: HandOver) -> None:
    """Raise Refused while the copies are closed, or after the use period."""
    if suspensions.list_open(uow, hand_over):
        raise Refused(
            "copy-closed", "The copies are closed at present: once they open again, you can let others view them."
        )
    if hand_over.due_at is None or uow.now >= hand_over.due_at:
        raise Refused(*grants.USE_PERIOD_OVER)


def require_fit(uow: UnitOfWork, hand_over: HandOver, person_id: str) -> None:
    """Raise Refused unless the signed form names the person, who may see footage now."""
    application = uow.session.get_one(Application, hand_over.application_id)
    person = uow.session.get(Person, person_id)
    if person is None or person_id not in recipients.list_signed(uow, application.id):
        raise Refused(
            "recipient-not-named",
            "The application does not name this person as a viewer: submit a new application.",
            status=422,
            field=FIELD,
        )
    if person_id == hand_over.custodian_id:
        raise Refused(
            "recipient-is-custodian", "You are the custodian and can view the copies.", status=422, field=FIELD
        )
    administrator = access_queries.load_directory(uow).holds(person_id, "administrator")
    if not person.active or administrator or person_id in application.subject_ids:
        raise Refused(
            "recipient-unfit", "{name} can no longer view footage.", status=422, field=FIELD, name=person.name
        )
    if access_queries.get_valid_agreement(uow, person_id) is None:
        raise Refused(
            "recipient-agreement",
            "{name} has no valid confidentiality agreement: the agreement has to be signed first.",
            status=422,
            field=FIELD,
            name=person.name,
        )
    if suspensions.of_person(uow, person_id):
        raise Refused(
            "recipient-suspended",
            "Access of {name} to footage is suspended: contact Security.",
            status=422,
            field=FIELD,
            name=person.name,
        )
