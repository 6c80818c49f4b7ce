"""Who may be the custodian of the copies of a case (R46, R57)."""

from dataclasses import dataclass

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.consents import Consent
from services.database.tables.custody import HandOver
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import parts
from services.domain.access import queries as access_queries
from services.domain.access.directory import LEADERS
from services.domain.applications import directory, ways
from services.domain.applications.directory import FoundPeople
from services.domain.custody import on_site, suspensions
from services.runtime.translations import Message

ALREADY = Message("This person is the custodian already: choose another one.")
ELSEWHERE = Message(
    "The custodian must be of the applying department, or of a joint department that has consented: choose such a "
    "person, or ask the head of Security, who alone can name a person of another department."
)


@dataclass(frozen=True)
class Change:
    """Copies that are to have another custodian. ``asked_by``: the person who wants it; None: nobody any more.

    ``hand_over`` is that of the present issue; None before an offer.
    """

    application: Application
    hand_over: HandOver | None
    asked_by: str | None


def obstacle(uow: UnitOfWork, change: Change, person_id: str) -> Message | None:
    """Return why the person may not become the custodian as things stand; None where they may."""
    person = uow.session.get(Person, person_id)
    if person is None or not person.active:
        return Message("This person has left: choose another one.")
    if person_id in access_queries.load_directory(uow).administrators:
        return Message("Administrators cannot view footage: another person has to be the custodian.")
    if person_id in change.application.subject_ids:
        return Message("This person is concerned in the case: choose another one.")
    if parts.has_decided(access_queries.load_facts(uow, change.application.id), person_id):
        return Message("This person has decided in the case: choose another one.")
    return _access_obstacle(uow, change, person)


def _access_obstacle(uow: UnitOfWork, change: Change, person: Person) -> Message | None:
    """Return why the copies are not meant to open for the person, or would not (R57).

    Whether a person is suspended is said last: of people elsewhere nobody learns it here.
    """
    if _is_on_site(change):
        if not ways.is_companion(uow, person.id):
            return Message("The footage is viewed on site: choose a person of Security or the storage office.")
    elif not _is_for_anybody(uow, change) and person.department_id not in _list_departments(uow, change.application):
        return ELSEWHERE
    if suspensions.of_person(uow, person.id):
        return Message("Access of this person to footage is suspended: choose another one.")
    return None


def find_people(uow: UnitOfWork, change: Change, search: str) -> FoundPeople:
    """Find who may become the custodian, for whoever asks for the change, who is not among them."""
    facts = access_queries.load_facts(uow, change.application.id)
    unfit = {
        *filter(None, (change.asked_by, facts.custodian_id)),
        *change.application.subject_ids,
        *parts.deciders(facts),
        *suspensions.list_people(uow),
    }
    on_site_alone = _is_on_site(change)
    anywhere = on_site_alone or _is_for_anybody(uow, change)
    return directory.find_people(
        uow,
        search,
        unfit,
        department_ids=() if anywhere else _list_departments(uow, change.application),
        kinds=ways.COMPANIONS if on_site_alone else (),
        custodians=True,
    )


def _is_on_site(change: Change) -> bool:
    return on_site.way_of(change.application, change.hand_over) == ways.ON_SITE


def _is_for_anybody(uow: UnitOfWork, change: Change) -> bool:
    """Whether the head of Security asks for it, or the deputy; not of copies that they hold themselves."""
    by = change.asked_by
    if by is None or by in change.application.subject_ids:
        return False
    if by == access_queries.load_facts(uow, change.application.id).custodian_id:
        return False
    organisation = access_queries.load_directory(uow)
    return by not in organisation.administrators and organisation.holds_in(by, "security", *LEADERS)


def _list_departments(uow: UnitOfWork, application: Application) -> set[str]:
    """Return the applying department, and those that have consented to its form (R17)."""
    consented = select(Consent.department_id).where(
        Consent.application_id == application.id,
        Consent.answer == "consented",
        Consent.department_id.in_(application.joint_department_ids or ()),
    )
    return {application.department_id, *uow.session.scalars(consented)}
