"""Cron expressions with seconds, as Zeebe's cycle timers take them: ``0 0 9-17 * * MON-FRI`` (UTC)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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


@dataclass(frozen=True, slots=True)
class Cron:
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def next_after(self, moment: datetime) -> datetime | None:
        """The first matching moment later than ``moment``; None where there is none (30 February)."""
        start = (moment.astimezone(UTC) + timedelta(seconds=1)).replace(microsecond=0)
        times = [(h, m, s) for h in sorted(self.hours) for m in sorted(self.minutes) for s in sorted(self.seconds)]
        for offset in range(_HORIZON_DAYS):
            day = start + timedelta(days=offset)
            if day.month not in self.months or day.day not in self.days or day.isoweekday() % 7 not in self.weekdays:
                continue
            earliest = (start.hour, start.minute, start.second) if offset == 0 else (0, 0, 0)
            match = next((t for t in times if t >= earliest), None)
            if match is not None:
                return day.replace(hour=match[0], minute=match[1], second=match[2])
        return None


def parse_cron(text: str) -> Cron:
    """Raises ValueError; L, W and # are not known."""
    fields = _MACROS.get(text.strip().lower(), text).upper().split()
    if len(fields) != 6:
        raise ValueError(f"a cron expression has six fields, '{text}' has {len(fields)}")
    weekdays = _field(fields[5], 0, 7, _DAYS)
    return Cron(
        _field(fields[0], 0, 59, {}),
        _field(fields[1], 0, 59, {}),
        _field(fields[2], 0, 23, {}),
        _field(fields[3], 1, 31, {}),
        _field(fields[4], 1, 12, _MONTHS),
        frozenset(d % 7 for d in weekdays),
    )


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
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
