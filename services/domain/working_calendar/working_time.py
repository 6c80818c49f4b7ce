"""Compute with working time: the working hours of the days on which people work. Pure functions over one calendar."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.runtime.calendar_days import DAY, CalendarDay
from services.runtime.working_hours import Minutes

SATURDAY = 5  # of ``date.weekday``


@dataclass(frozen=True)
class WorkingCalendar:
    """The days of the years that were imported, and the hours of each working day, by the clock of ``zone``.

    What no table names is Monday to Friday: so is every day of a year that nobody has imported.
    """

    zone: ZoneInfo
    hours: tuple[Minutes, ...]
    days: Mapping[date, CalendarDay]
    years: frozenset[int]

    @property
    def day_length(self) -> timedelta:
        """The working time of one working day."""
        return timedelta(minutes=sum(closes - opens for opens, closes in self.hours))

    def works_on(self, day: date) -> bool:
        """Return whether people work on this day."""
        known = self.days.get(day)
        return day.weekday() < SATURDAY if known is None else known.kind == "working"

    def local_day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def working_limit(self, limit: timedelta) -> timedelta:
        """Return the working time that a limit means: each whole day is a working day, the rest is working hours.

        The rest is at most one working day, so that a longer limit never ends sooner than a shorter one.
        """
        days, rest = divmod(limit, DAY)
        return days * self.day_length + min(rest, self.day_length)

    def add(self, start: datetime, working: timedelta) -> datetime:
        """Return the first moment at which so much working time has passed since ``start``; it lies in working time."""
        day, left = self.local_day(start), working
        while True:
            for opens, closes in self._spans_on(day):
                begins = max(opens, start)
                if closes <= begins:
                    continue
                if left <= closes - begins:
                    return begins + left
                left -= closes - begins
            day += DAY

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Return the working time from ``start`` to ``end``."""
        day, last, passed = self.local_day(start), self.local_day(end), timedelta()
        while day <= last:
            for opens, closes in self._spans_on(day):
                passed += max(min(closes, end) - max(opens, start), timedelta())
            day += DAY
        return passed

    def _spans_on(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """Yield the working hours of a day in UTC; none on a day off."""
        if not self.works_on(day):
            return
        midnight = datetime.combine(day, time())
        for opens, closes in self.hours:
            yield self._moment(midnight, opens), self._moment(midnight, closes)

    def _moment(self, midnight: datetime, minutes: int) -> datetime:
        return (midnight + timedelta(minutes=minutes)).replace(tzinfo=self.zone).astimezone(UTC)
