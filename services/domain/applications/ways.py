"""Ways of use, from the least: on site, viewing, download; each step up is argued in the form (R21, R42, T9)."""

from collections.abc import Iterator

from sqlalchemy import select

from services.database.tables.applications import WAYS_OF_USE, Application
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.applications.findings import CheckFinding
from services.runtime.rules import Rules
from services.runtime.translations import Message

ON_SITE, VIEW, DOWNLOAD = WAYS_OF_USE
COMPANIONS = ("security", "storage")  # kinds of departments that accompany a viewing on site
LEAST_ARGUMENT = 8  # characters


def usual(rules: Rules) -> str:
    """Return what a form proposes: on site where there is a station for it."""
    return ON_SITE if rules.viewing_stations else VIEW


def exceeds(way: str, other: str) -> bool:
    """Return whether the one gives more than the other."""
    return WAYS_OF_USE.index(way) > WAYS_OF_USE.index(other)


def up_to(way: str) -> tuple[str, ...]:
    """Return the ways that give no more than this one, the most first."""
    return tuple(reversed(WAYS_OF_USE[: WAYS_OF_USE.index(way) + 1]))


def is_companion(uow: UnitOfWork, person_id: str | None) -> bool:
    """Return whether the person works in Security or the storage office, and may accompany a viewing on site."""
    query = select(Department.kind).join(Person, Person.department_id == Department.id)
    return uow.session.scalar(query.where(Person.id == person_id, Person.active)) in COMPANIONS


def check(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    """Yield what lacks of the way of use that is asked for."""
    way = application.way_of_use
    if way == ON_SITE:
        yield from _on_site(uow, application)
    # forms of before it was asked are as they were handed in
    elif way in WAYS_OF_USE and application.way_of_use_because is not None and exceeds(way, usual(uow.rules)):
        yield from _argument(application)


def _on_site(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    if not uow.rules.viewing_stations:
        yield CheckFinding(
            "station-missing",
            "blocks",
            Message("No viewing station is set up here: choose another way of use, or ask the administrator for one."),
        )
    if application.custodian_id is not None and not is_companion(uow, application.custodian_id):
        yield CheckFinding(
            "custodian-no-companion",
            "blocks",
            Message(
                "On site, the custodian accompanies the viewing and must be of Security or the storage office: choose "
                "such a person."
            ),
        )
    if application.on_behalf is None and not application.recipients:
        yield CheckFinding("viewers-missing", "blocks", Message("Name the people who are to view the footage on site."))


def _argument(application: Application) -> Iterator[CheckFinding]:
    if len((application.way_of_use_because or "").strip()) < LEAST_ARGUMENT:
        less = Message("viewing") if application.way_of_use == DOWNLOAD else Message("viewing on site")
        yield CheckFinding(
            "way-not-argued",
            "blocks",
            Message(
                "Explain in at least {least} characters why {less} is not sufficient.", least=LEAST_ARGUMENT, less=less
            ),
        )
