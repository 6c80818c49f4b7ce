"""Parse timers: ISO 8601 durations, dates and cycles, and cron."""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.engine.model.cron import Cron, parse_cron

_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_MAX_REPETITIONS = 2**31 - 1
_MAX_YEARS = 9999  # beyond the supported calendar
_ZONE = re.compile(r"(?P<local>.*?)(?P<offset>Z|[+-]\d\d:\d\d)?(?:\[(?P<region>[^]]+)\]|@(?P<at>.+))?")


@dataclass(frozen=True, slots=True)
class Duration:
    """Calendar months and an exact rest; months end at their last day."""

    months: int
    rest: timedelta

    def after(self, moment: datetime) -> datetime:
        """Add the duration; raises ValueError or OverflowError beyond the year 9999."""
        if self.months:
            index = moment.year * 12 + moment.month - 1 + self.months
            year, month = divmod(index, 12)
            last = calendar.monthrange(year, month + 1)[1]
            moment = moment.replace(year=year, month=month + 1, day=min(moment.day, last))
        return moment + self.rest


@dataclass(frozen=True, slots=True)
class Cycle:
    """``repetitions`` of ``period`` (-1 = without end); ``start`` delays the first."""

    repetitions: int
    period: Duration | Cron
    start: datetime | None = None

    def due_after(self, moment: datetime) -> datetime | None:
        """Return the first firing after ``moment``; None if there is none.

        A cycle of zero repetitions fires once, as in Zeebe. Raises as ``Duration.after``.
        """
        if self.start is not None and self.start > moment:
            return self.start
        return self._next(moment)

    def due_again(self, last: datetime, now: datetime) -> datetime | None:
        """Return the firing after the one due at ``last``.

        Cron depends on ``now`` only.
        """
        if isinstance(self.period, Cron):
            return self._next(now)
        regular = self.period.after(last)
        return regular if regular > now else self._next(now)

    def _next(self, moment: datetime) -> datetime | None:
        return self.period.next_after(moment) if isinstance(self.period, Cron) else self.period.after(moment)


def parse_duration(text: str) -> Duration:
    """Parse an ISO 8601 duration; raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match[g] for g in ("years", "months", "weeks", "days", "hours", "minutes", "seconds")):
        raise ValueError(f"'{text}' is not an ISO 8601 duration such as PT1H or P7D")
    sign = -1 if match["sign"] else 1
    months = int(match["years"] or 0) * 12 + int(match["months"] or 0)
    try:
        rest = timedelta(
            weeks=int(match["weeks"] or 0),
            days=int(match["days"] or 0),
            hours=int(match["hours"] or 0),
            minutes=int(match["minutes"] or 0),
            seconds=float(match["seconds"] or 0),
        )
    except OverflowError as error:
        raise _length_error(text) from error
    if months > _MAX_YEARS * 12 or rest > timedelta(days=_MAX_YEARS * 366):
        raise _length_error(text)
    return Duration(sign * months, sign * rest)


def _length_error(text: str) -> ValueError:
    return ValueError(f"'{text}' is longer than {_MAX_YEARS} years")


def parse_date(text: str) -> datetime:
    """Parse a date with a zone; raises ValueError."""
    match = _ZONE.fullmatch(text.strip())
    region = (match["region"] or match["at"]) if match is not None else None
    try:
        if match is not None and match["offset"]:
            return datetime.fromisoformat(match["local"] + match["offset"]).astimezone(UTC)
        if match is not None and region:
            return datetime.fromisoformat(match["local"]).replace(tzinfo=ZoneInfo(region)).astimezone(UTC)
    except (ValueError, OverflowError, OSError, ZoneInfoNotFoundError) as error:
        raise ValueError(f"'{text}' is not an ISO 8601 date with a zone such as 2026-12-01T08:00:00Z") from error
    raise ValueError(f"'{text}' has no zone; write a date such as 2026-12-01T08:00:00Z")


def parse_cycle(text: str) -> Cycle:
    """Parse ``R3/PT1H``, ``R/2026-12-01T08:00:00Z/P1D`` or cron; raises ValueError."""
    stripped = text.strip()
    if not stripped.startswith("R"):
        return Cycle(-1, parse_cron(stripped))
    parts = stripped[1:].split("/")
    if len(parts) not in (2, 3) or (parts[0] and not parts[0].lstrip("-").isdigit()):
        raise ValueError(f"'{text}' is not a cycle such as R3/PT1H")
    repetitions = int(parts[0]) if parts[0] else -1
    if abs(repetitions) > _MAX_REPETITIONS:
        raise ValueError(f"'{text}' repeats more than {_MAX_REPETITIONS} times; write R/ for without end")
    start = parse_date(parts[1]) if len(parts) == 3 and parts[1] else None
    return Cycle(repetitions, parse_duration(parts[-1]), start)
