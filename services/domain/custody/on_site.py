"""Copies that are viewed on site alone: at a station, in an open sitting, with the companion there (R41, R56, R58).

Nothing has to run for a sitting to close by itself: each read asks the time.
"""

from datetime import datetime, timedelta

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.sittings import Sitting
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import ways
from services.domain.handling import cases as handling_of_cases
from services.runtime import stations
from services.runtime.errors import Refused
from services.runtime.stations import Station
from services.runtime.translations import Message

# Why a copy that is viewed on site does not open: code and message.
NO_STATION = (
    "not-a-station",
    Message("This is no registered viewing station: the footage opens at a viewing station only."),
)
NO_COMPANION = (
    "no-companion",
    Message("Only a person of Security or the storage office accompanies a viewing on site."),
)
NO_SITTING = (
    "no-sitting",
    Message("Begin the viewing on site first: enter who is present and confirm the purpose."),
)
ELSEWHERE = (
    "sitting-elsewhere",
    Message("The viewing was begun at another station: view the footage there, or end it and begin another one."),
)
LAPSED = (
    "sitting-lapsed",
    Message("The viewing has closed by itself, because its companion did not confirm being present: sign its end."),
)
ACCOMPANIED_ONLY = (
    "on-site-only",
    Message("This footage is viewed on site alone, together with its companion."),
)
SUPERSEDED = (
    "viewing-superseded",
    Message("The footage was opened again in another window: this one is closed."),
)


def way_of(application: Application, hand_over: HandOver | None) -> str:
    """Return the way of use that holds for the loan now: never more than the rules kept with the case allow (R56).

    ``hand_over``: None before the copies are offered.
    """
    changed = hand_over.way_of_use if hand_over is not None else None
    way = changed or application.granted_way_of_use or ways.VIEW
    return handling_of_cases.limited(application, way)


def holds_for(uow: UnitOfWork, hand_over: HandOver) -> bool:
    """Return whether the copies of the loan are viewed on site alone."""
    return way_of(uow.session.get_one(Application, hand_over.application_id), hand_over) == ways.ON_SITE


def ends_at(sitting: Sitting) -> datetime:
    """Return when a sitting closes by itself, unless its companion confirms being present before."""
    return sitting.confirmed_at + timedelta(seconds=sitting.interval_seconds)


def is_live(uow: UnitOfWork, sitting: Sitting) -> bool:
    """Return whether footage may be shown in the sitting now."""
    return sitting.closed_at is None and uow.now < ends_at(sitting)


def find_unclosed(uow: UnitOfWork, hand_over_id: str) -> Sitting | None:
    """Return the sitting of the loan whose end nobody has signed; a lapsed one too."""
    return uow.session.scalar(select(Sitting).where(Sitting.hand_over_id == hand_over_id, Sitting.closed_at.is_(None)))


def require_station(uow: UnitOfWork, address: str | None) -> Station:
    """Return the station at this address; Refused where it is none."""
    station = stations.find(stations.parse(uow.rules.viewing_stations), address)
    if station is None:
        raise refused(*NO_STATION)
    return station


def require_companion(uow: UnitOfWork, person_id: str) -> None:
    """Raise Refused unless the person may accompany a viewing on site."""
    if not ways.is_companion(uow, person_id):
        raise refused(*NO_COMPANION)


def require_sitting(uow: UnitOfWork, hand_over: HandOver, address: str | None) -> Sitting:
    """Return the open sitting of the loan that its companion holds at this station; Refused where there is none."""
    require_companion(uow, uow.actor.id)
    require_station(uow, address)
    sitting = find_unclosed(uow, hand_over.id)
    if sitting is None or sitting.companion_id != uow.actor.id:
        raise refused(*NO_SITTING)
    if not is_live(uow, sitting):
        raise refused(*LAPSED)
    if sitting.address != address:
        raise refused(*ELSEWHERE)
    return sitting


def refused(code: str, message: Message) -> Refused:
    """Return the refusal of one of the reasons above."""
    return Refused(code, message, status=403)
