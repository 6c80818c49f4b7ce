"""Parse Zeebe's cron expressions: ``0 0 9-17 * * MON-FRI`` (UTC)."""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {m: i for i, m in enumerate(_MONTH_NAMES, 1)}
_DAYS = {d: i for i, d in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}
_MACROS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
_HORIZON_DAYS = 366 * 9  # a 29 February can be eight years away
_FROM_END = re.compile(r"L(?:-(?P<back>\d{1,2}))?")
_WORKING_DAY = re.compile(r"(?P<nearest>L|\d{1,2})W")
_NTH_WEEKDAY = re.compile(r"(?P<weekday>[0-7]|[A-Z]{3})(?:L|#(?P<nth>[1-5]))")

_DayOfMonth = Callable[[int, int], int]  # (year, month) -> day, beyond the month's end if there is none


@dataclass(frozen=True, slots=True)
class Cron:
    """``special_days`` and ``special_weekdays`` depend on the month, such as its last day."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    special_days: tuple[_DayOfMonth, ...] = ()
    special_weekdays: tuple[_DayOfMonth, ...] = ()

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first match after ``moment``.

        None for 30 February and the like.
        """
        start = (moment.astimezone(UTC) + timedelta(seconds=1)).replace(microsecond=0)
        times = [(h, m, s) for h in sorted(self.hours) for m in sorted(self.minutes) for s in sorted(self.seconds)]
        for offset in range(_HORIZON_DAYS):
            day = start + timedelta(days=offset)
            if not self._matches_day(day):
                continue
            earliest = (start.hour, start.minute, start.second) if offset == 0 else (0, 0, 0)
            match = next((t for t in times if t >= earliest), None)
            if match is not None:
                return day.replace(hour=match[0], minute=match[1], second=match[2])
        return None

    def _matches_day(self, day: date) -> bool:
        def includes(special: tuple[_DayOfMonth, ...]) -> bool:
            return any(find(day.year, day.month) == day.day for find in special)

        return (
            day.month in self.months
            and (day.day in self.days or includes(self.special_days))
            and (day.isoweekday() % 7 in self.weekdays or includes(self.special_weekdays))
        )


def parse_cron(text: str) -> Cron:
    """Parse six fields or a macro such as ``@daily``; raises ValueError."""
    fields = _MACROS.get(text.strip().lower(), text).upper().split()
    if len(fields) != 6:
        raise ValueError(f"a cron expression has six fields, '{text}' has {len(fields)}")
    special_days, days = _split_special(fields[3], _special_day)
    special_weekdays, weekdays = _split_special(fields[5], _special_weekday)
    return Cron(
        _field(fields[0], 0, 59, {}),
        _field(fields[1], 0, 59, {}),
        _field(fields[2], 0, 23, {}),
        _field(days, 1, 31, {}),
        _field(fields[4], 1, 12, _MONTHS),
        frozenset(d % 7 for d in _field(weekdays, 0, 7, _DAYS)),
        special_days,
        special_weekdays,
    )


def _split_special(text: str, parse: Callable[[str], _DayOfMonth | None]) -> tuple[tuple[_DayOfMonth, ...], str]:
    """Split a field into its special days and the rest."""
    parts = {part: parse(part) for part in text.split(",")}
    special = tuple(find for find in parts.values() if find is not None)
    return special, ",".join(part for part, find in parts.items() if find is None)


def _special_day(text: str) -> _DayOfMonth | None:
    """Parse ``L`` (last day), ``L-3`` (three before), ``15W`` (nearest working day), ``LW``."""
    if match := _FROM_END.fullmatch(text):
        back = int(match["back"] or 0)
        return lambda year, month: _last_day(year, month) - back
    if match := _WORKING_DAY.fullmatch(text):
        nearest = None if match["nearest"] == "L" else int(match["nearest"])
        if nearest is not None and not 1 <= nearest <= 31:
            raise ValueError(f"'{text}' is no day of a month")
        return lambda year, month: _working_day(year, month, nearest or _last_day(year, month))
    return None


def _special_weekday(text: str) -> _DayOfMonth | None:
    """Parse ``FRIL`` (last Friday of the month) and ``FRI#2`` (second)."""
    match = _NTH_WEEKDAY.fullmatch(text)
    if match is None:
        return None
    weekday, nth = _number(match["weekday"], _DAYS) % 7, match["nth"]

    def find(year: int, month: int) -> int:
        first = (weekday - date(year, month, 1).isoweekday()) % 7 + 1
        last = first + (_last_day(year, month) - first) // 7 * 7
        return last if nth is None else first + (int(nth) - 1) * 7

    return find


def _last_day(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _working_day(year: int, month: int, nearest: int) -> int:
    """Return the nearest day from Monday to Friday in the same month."""
    last = _last_day(year, month)
    weekday = date(year, month, nearest).isoweekday() if nearest <= last else 0
    if weekday == 6:
        return nearest - 1 if nearest > 1 else nearest + 2
    if weekday == 7:
        return nearest + 1 if nearest < last else nearest - 2
    return nearest


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(",") if text else ():
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            start, end = low, high
        else:
            start = _number(first, names)
            end = _number(last, names) if dash else (high if step else start)
        if not low <= start <= end <= high:
            raise ValueError(f"'{part}' is outside {low} to {high}")
        values.update(range(start, end + 1, int(step or 1)))
    return frozenset(values)


def _number(text: str, names: dict[str, int]) -> int:
    return names[text] if text in names else int(text)
