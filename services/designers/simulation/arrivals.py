"""When the cases of a year are submitted, by whom, and for which footage."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from services.designers.simulation.draws import Draws, Weights
from services.designers.simulation.profile import YEAR, Profile
from services.runtime.calendar_days import DAY

DRAFTERS = 20
"""How many people of each department submit applications."""


@dataclass(frozen=True)
class Item:
    """One recording. ``lost_from`` is when its beginning is overwritten, ``lost_at`` its end; None: never."""

    id: str
    camera_class: str
    asked_start: datetime
    lost_from: datetime | None
    lost_at: datetime | None

    def kept_share(self, at: datetime) -> float:
        """Return how much of it the recorder still has, 0 to 1."""
        if self.lost_from is None or self.lost_at is None or at <= self.lost_from:
            return 1
        return max(0.0, (self.lost_at - at) / (self.lost_at - self.lost_from))


@dataclass(frozen=True)
class Arrival:
    """One application. ``number`` counts from 1 in the order of submission."""

    number: int
    at: datetime
    department: str
    drafter: str
    items: tuple[Item, ...]

    @property
    def id(self) -> str:
        return f"case-{self.number:06}"


def arrivals(profile: Profile, cases: int, draws: Draws) -> list[Arrival]:
    """Return the applications of the year, the earliest first."""
    hours = Weights(list(_hours(profile)))
    moments = sorted(
        hours.at(draws.share("arrival", number)) + timedelta(hours=draws.share("arrival", number, "minute"))
        for number in range(cases)
    )
    return [_arrival(profile, number, at, draws) for number, at in enumerate(moments, 1)]


def _hours(profile: Profile) -> Iterator[tuple[datetime, float]]:
    """Yield the beginning of each hour of the year, with its weight."""
    calendar = profile.calendar
    day: date = profile.start
    while day < profile.start + YEAR:
        weights = profile.hours if calendar.works_on(day) else profile.hours_off
        # once a day: where clocks are turned, one day of the year is an hour off
        midnight = datetime.combine(day, time(), calendar.zone).astimezone(UTC)
        for hour, weight in enumerate(weights):
            yield midnight + timedelta(hours=hour), weight
        day += DAY


def _arrival(profile: Profile, number: int, at: datetime, draws: Draws) -> Arrival:
    department = profile.departments.at(draws.share("department", number))
    drafter = int(draws.share("drafter", number) * DRAFTERS) + 1
    count = profile.footage.items.at(draws.share("items", number))
    items = tuple(_item(profile, number, place, at, draws) for place in range(1, count + 1))
    return Arrival(number, at, department, f"{department}-member-{drafter}", items)


def _item(profile: Profile, number: int, place: int, at: datetime, draws: Draws) -> Item:
    footage = profile.footage
    camera = footage.cameras.at(draws.share("camera", number, place))
    end = at - timedelta(seconds=footage.age.at(draws.share("age", number, place)))
    start = end - timedelta(seconds=max(1.0, footage.length.at(draws.share("length", number, place))))
    kept = None if camera.retention_days is None else timedelta(days=camera.retention_days)
    lost = (None, None) if kept is None else (start + kept, end + kept)
    return Item(f"item-{number}-{place}", camera.camera_class, start, *lost)
