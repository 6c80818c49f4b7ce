"""Change the handling rules of a level, by two people, with history; filed cases keep theirs (R56)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from services.database.tables.handling import HandlingChange
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.domain.handling import levels
from services.domain.handling.levels import FLOOR, LEVELS, SHIPPED, Handling
from services.runtime.errors import NotFound, Refused
from services.runtime.labels import Label
from services.runtime.translations import Joined, Message

ON_SITE = "on-site"


@dataclass(frozen=True)
class InForce:
    """The rules of a level that hold now. ``version`` counts its changes; 0: as shipped."""

    handling: Handling
    version: int


@dataclass(frozen=True)
class RecordedHandling:
    """One change of a level, with who made it."""

    level: str
    version: int
    at: datetime
    by: str
    reason: str
    handling: Handling


def read_in_force(uow: UnitOfWork) -> dict[str, InForce]:
    """Return the rules of every level, none looser than the floor in code."""
    found = {level: InForce(SHIPPED[level], 0) for level in LEVELS}
    rows = uow.session.execute(
        select(HandlingChange.level, HandlingChange.version, HandlingChange.handling).order_by(HandlingChange.version)
    )
    for level, version, stored in rows:
        if level in FLOOR:
            found[level] = InForce(Handling.from_json(stored).at_least(FLOOR[level]), version)
    return found


def get_level(uow: UnitOfWork, level: str) -> InForce:
    """Return the rules of one level, for who may read the set-up; NotFound."""
    administrators.require_reader(uow)
    if level not in LEVELS:
        raise NotFound(Message("confidentiality level"), level)
    return read_in_force(uow)[level]


def list_levels(uow: UnitOfWork) -> dict[str, InForce]:
    """Return the rules of every level, for who may read the set-up."""
    administrators.require_reader(uow)
    return read_in_force(uow)


def list_changes(uow: UnitOfWork, level: str | None = None) -> list[RecordedHandling]:
    """List the changes of all levels or of one, the newest first."""
    administrators.require_reader(uow)
    query = select(HandlingChange, Person.name).join(Person, Person.id == HandlingChange.changed_by)
    if level is not None:
        query = query.where(HandlingChange.level == level)
    rows = uow.session.execute(query.order_by(HandlingChange.at.desc(), HandlingChange.version.desc()))
    return [
        RecordedHandling(row.level, row.version, row.at, by, row.reason, Handling.from_json(row.handling))
        for row, by in rows
    ]


def change_level(uow: UnitOfWork, level: str, handling: Handling, reason: str, *, version: int) -> HandlingChange:
    """Change the rules of a level once a second person has confirmed it; ``version`` is the one that was seen.

    Refused until then, for what allows more than the floor in code, and for what cannot be followed here.
    """
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)
    if level not in LEVELS:
        raise NotFound(Message("confidentiality level"), level)
    before = read_in_force(uow)[level]
    if before.version != version:
        raise Refused(
            "handling-changed", "Another person has just changed the rules of this level: check them, then change them."
        )
    _check(uow, level, handling)
    if handling == before.handling:
        raise Refused("handling-same", "These are already the rules of this level: there is nothing to change.")
    payload = {
        "level": level,
        "version": version,
        "was": before.handling.as_json(),
        "value": handling.as_json(),
        "reason": reason,
    }
    change_requests.authorise(uow, Change("handling", None, payload))
    row = HandlingChange(
        level=level,
        version=version + 1,
        at=uow.now,
        changed_by=uow.actor.id,
        handling=handling.as_json(),
        reason=reason,
    )
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(
        uow,
        "handling-changed",
        "handling",
        level,
        version=row.version,
        old=before.handling.as_json(),
        new=handling.as_json(),
        reason=reason,
    )
    return row


def _check(uow: UnitOfWork, level: str, handling: Handling) -> None:
    looser = handling.looser_than(FLOOR[level])
    if looser:
        raise Refused(
            "handling-below-floor",
            "The rules of the level {level} cannot allow more than what is built in: {fields}. Enter values that are "
            "as strict or stricter.",
            status=422,
            field=looser[0],
            level=Label(f"level-{level}"),
            fields=Joined(", ", [Label(f"handling-{name}") for name in looser]),
        )
    if handling.way_of_use == ON_SITE and not uow.rules.viewing_stations:
        raise Refused(
            "station-missing",
            "No viewing station is set up here, so nobody could view this footage: set one up first (rule "
            "“viewing stations”).",
            status=422,
            field="wayOfUse",
        )
    for name, days in (("maxUseDays", handling.max_use_days), ("checkInDays", handling.check_in_days)):
        if days is not None and not 1 <= days <= levels.MOST_DAYS:
            raise Refused("handling-days", "Enter 1 to {most} days.", status=422, field=name, most=levels.MOST_DAYS)
