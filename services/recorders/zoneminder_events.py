"""ZoneMinder's events: rows of its API as spans of time.

Its times are whole seconds of its own zone, without saying which. An event's end and its length together place it more
closely than either: the end is somewhere in its second, and the start plus the length somewhere in another.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.runtime.spans import Span

WHEN = "%Y-%m-%d %H:%M:%S"
SECOND = timedelta(seconds=1)
LONGEST = timedelta(days=31)


@dataclass(frozen=True)
class Row:
    """An event as the API tells it; times without zone. ``end`` is None while it goes on."""

    number: int
    start: datetime
    end: datetime | None
    length: timedelta
    video: str
    archived: bool
    notes: str

    @classmethod
    def of(cls, told: Any) -> "Row":
        """Raises KeyError, TypeError and ValueError where it is no event."""
        end = told.get("EndDateTime") or told.get("EndTime")
        length = timedelta(seconds=float(told.get("Length") or 0))
        if not timedelta() <= length < LONGEST:
            raise ValueError("no event is that long")
        return cls(
            number=int(told["Id"]),
            start=datetime.strptime(told.get("StartDateTime") or told["StartTime"], WHEN),  # noqa: DTZ007 - it has none
            end=datetime.strptime(end, WHEN) if end else None,  # noqa: DTZ007 - it has none
            length=length,
            video=str(told.get("DefaultVideo") or ""),
            archived=str(told.get("Archived") or "0") not in ("0", "False"),
            notes=str(told.get("Notes") or ""),
        )


@dataclass(frozen=True)
class Event:
    """A row at its place in time; ``span`` is good to half a second each way, ``going_on`` has no end yet."""

    row: Row
    span: Span
    going_on: bool


def rows_of(told: Any, channel: str) -> list[Row]:
    """The channel's rows of a page, whatever else it holds; raises KeyError, TypeError and ValueError."""
    events = (one["Event"] for one in told["events"])
    return [Row.of(event) for event in events if str(event["MonitorId"]) == channel]


def placed(rows: Iterable[Row], zone: ZoneInfo) -> list[Event]:
    """The events in order of time.

    The hour that a clock goes through twice is told apart by the events' lengths and by their numbers, which rise: the
    earlier reading holds until a later one is needed.
    """
    events: list[Event] = []
    before = datetime.min.replace(tzinfo=UTC)
    for row in sorted(rows, key=lambda row: row.number):
        starts = _readings(row.start, zone)
        if row.end is None:
            start = next((one for one in starts if one >= before), starts[0])
            half = start + SECOND / 2
            events.append(Event(row, Span(half, half + row.length), going_on=True))
        else:
            pairs = [(one, end) for one in starts for end in _readings(row.end, zone) if end >= one]
            pairs = pairs or [(starts[0], starts[0] + row.length)]
            start, end = min(pairs, key=lambda pair: (_strain(row, *pair), pair[0] < before))
            events.append(Event(row, _span(start, end, row.length), going_on=False))
        before = start - 2 * SECOND
    return sorted(events, key=lambda event: (event.span.start, event.row.number))


def bounds(span: Span, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The times without zone between which its events of the span can have begun, whatever its clock was changed."""
    moments = [moment + timedelta(hours=hours) for moment in (span.start, span.end) for hours in (-3, 0, 3)]
    offsets = [moment.astimezone(zone).utcoffset() or timedelta() for moment in moments]
    naive = Span(span.start + min(offsets), span.end + max(offsets))
    return naive.start.replace(tzinfo=None), naive.end.replace(tzinfo=None)


def _readings(local: datetime, zone: ZoneInfo) -> list[datetime]:
    here = local.replace(tzinfo=zone)
    return sorted({here.astimezone(UTC), here.replace(fold=1).astimezone(UTC)})


def _strain(row: Row, start: datetime, end: datetime) -> int:
    """How far the reading is from the length, in steps of ten minutes; a clock is changed by half an hour at least."""
    return round(abs(end - start - row.length) / timedelta(minutes=10))


def _span(start: datetime, end: datetime, length: timedelta) -> Span:
    low, high = max(end, start + length), min(end, start + length) + SECOND
    if low >= high:  # they contradict each other: its own start and end are kept
        return Span(start + SECOND / 2, max(end, start) + SECOND / 2)
    last = low + (high - low) / 2
    return Span(last - length, last)
