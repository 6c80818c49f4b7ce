"""ZoneMinder's events: rows of its API as spans of time.

Its times are whole seconds of its own zone, without saying which. An event's end and its length together place it more
closely than either: the end is somewhere in its second, and the start plus the length somewhere in another.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.runtime.spans import Span

WHEN = "%Y-%m-%d %H:%M:%S"
SECOND = timedelta(seconds=1)
LONGEST = timedelta(days=31)
LONGEST_RUN = 500  # events that are placed together
OVERLAPS = [overlap / 50 for overlap in range(-25, 100)]  # seconds, of one event with the next
LENGTH_TOLERANCE = 0.02  # seconds that lengths are off


@dataclass(frozen=True)
class Row:
    """An event as the API lists it; times without zone. ``end`` is None while it continues."""

    number: int
    start: datetime
    end: datetime | None
    length: timedelta
    video: str
    archived: bool
    notes: str

    @classmethod
    def of(cls, payload: Any) -> "Row":
        """Raises KeyError, TypeError and ValueError where it is no event."""
        end = payload.get("EndDateTime") or payload.get("EndTime")
        length = timedelta(seconds=float(payload.get("Length") or 0))
        if not timedelta() <= length < LONGEST:
            raise ValueError("no event is that long")
        return cls(
            number=int(payload["Id"]),
            start=datetime.strptime(payload.get("StartDateTime") or payload["StartTime"], WHEN),  # noqa: DTZ007 - it has none
            end=datetime.strptime(end, WHEN) if end else None,  # noqa: DTZ007 - it has none
            length=length,
            video=str(payload.get("DefaultVideo") or ""),
            archived=str(payload.get("Archived") or "0") not in ("0", "False"),
            notes=str(payload.get("Notes") or ""),
        )


@dataclass(frozen=True)
class Event:
    """A row at its place in time; ``span`` is good to half a second each way, ``ongoing`` has no end yet."""

    row: Row
    span: Span
    ongoing: bool


def rows_of(payload: Any, channel: str) -> list[Row]:
    """The channel's rows of a page, whatever else it holds; raises KeyError, TypeError and ValueError."""
    events = (one["Event"] for one in payload["events"])
    rows = [Row.of(event) for event in events if str(event["MonitorId"]) == channel]
    if any(not 1970 < row.start.year < 9999 for row in rows):
        raise ValueError("an event begins at no time")  # and reckoning with it would run over
    return rows


@dataclass(frozen=True)
class Loose:
    """An event that ends somewhere between ``low`` and ``high``, and began ``length`` before."""

    row: Row
    low: datetime
    high: datetime
    length: timedelta

    @property
    def middle(self) -> datetime:
        return self.low + (self.high - self.low) / 2


def placed(rows: Iterable[Row], zone: ZoneInfo) -> list[Event]:
    """The events in order of time."""
    loose = sorted(_loose(rows, zone), key=lambda one: (one.middle - one.length, one.row.number))
    events: list[Event] = []
    for run in _runs(loose):
        events += [
            Event(one.row, Span(end - one.length, end), ongoing=one.row.end is None)
            for one, end in zip(run, _ends(run), strict=True)
        ]
    return events


def _runs(loose: Iterable[Loose]) -> list[list[Loose]]:
    """Those that may follow each other without a gap."""
    runs: list[list[Loose]] = []
    for one in loose:
        before = runs[-1][-1] if runs else None
        begin = one.middle - one.length
        if before and len(runs[-1]) < LONGEST_RUN and -SECOND < before.middle - begin < 2 * SECOND:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _ends(run: Sequence[Loose]) -> list[datetime]:
    """When the events of a run end.

    A camera's events overlap by about the same from one to the next. With the overlap that strains the rows least, each
    event bounds its neighbours, within what their own rows leave open; so places do not step with the seconds
    of the rows, and a long run is placed more exactly than any of its events by itself.
    """
    first = run[0].low
    bounds = [((one.low - first) / SECOND, (one.high - first) / SECOND) for one in run]
    steps = [one.length / SECOND for one in run[1:]]
    tried = [_chain(bounds, [step - overlap for step in steps]) for overlap in OVERLAPS]
    least = min(strain for strain, _ in tried)
    fitting = [index for index, (strain, _) in enumerate(tried) if strain <= least + LENGTH_TOLERANCE]
    chosen = fitting[len(fitting) // 2]
    ends = tried[chosen][1]
    # Back from where it has settled, then to the middle of what all leave open.
    back = [OVERLAPS[chosen] - step for step in reversed(steps)]
    ends = _chain([(ends[-1], ends[-1]), *bounds[-2::-1]], back)[1][::-1]
    lowest = max(low - end for (low, _), end in zip(bounds, ends, strict=True))
    highest = min(high - end for (_, high), end in zip(bounds, ends, strict=True))
    return [first + (end + (lowest + highest) / 2) * SECOND for end in ends]


def _chain(bounds: Sequence[tuple[float, float]], steps: Sequence[float]) -> tuple[float, list[float]]:
    """Places, each the step behind the one before as far as its bounds allow, and by how much they did not."""
    places = [sum(bounds[0]) / 2]
    strain = 0.0
    for (low, high), step in zip(bounds[1:], steps, strict=True):
        wanted = places[-1] + step
        places.append(min(max(wanted, low), high))
        strain += abs(places[-1] - wanted)
    return strain, places


def _loose(rows: Iterable[Row], zone: ZoneInfo) -> Iterator[Loose]:
    """In an hour that a clock repeats, events are ordered by the events' lengths and by their numbers, which rise:
    the earlier reading holds until a later one is needed."""
    before = datetime.min.replace(tzinfo=UTC)
    for row in sorted(rows, key=lambda row: row.number):
        starts = _readings(row.start, zone)
        if row.end is None:
            start = next((one for one in starts if one >= before), starts[0])
            yield Loose(row, start + row.length, start + row.length + SECOND, row.length)
        else:
            pairs = [(one, end) for one in starts for end in _readings(row.end, zone) if end >= one]
            pairs = pairs or [(starts[0], starts[0] + row.length)]
            start, end = min(pairs, key=lambda pair: (_strain(row, *pair), pair[0] < before))
            low, high = max(end, start + row.length), min(end, start + row.length) + SECOND
            if low < high:
                yield Loose(row, low, high, row.length)
            else:  # they contradict each other: its own start and end remain
                yield Loose(row, end + SECOND / 2, end + SECOND / 2, end - start)
        before = start - 2 * SECOND


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
