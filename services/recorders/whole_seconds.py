"""Recorders that name a recording by the whole second in which it begins: how such recordings follow one another."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.runtime.spans import Span

SECOND = timedelta(seconds=1)
TIMESTAMP_TOLERANCE = timedelta(milliseconds=200)  # by which lengths and clocks differ between neighbours
DRIFT = 2e-4  # that two clocks may drift apart
HORIZON = timedelta(hours=1)  # of recordings, or MANY if that is longer, define where a run begins
MANY = 30


def runs_of(named: Sequence[Span], *, tolerance: timedelta = TIMESTAMP_TOLERANCE) -> list[list[Span]]:
    """Runs of recordings without a gap between them, each with its start; ``named`` in order of time.

    A start that is a whole second may be any moment of that second, another is meant as it is. As long as some start
    of the first recording fits the names of all that follow it, they are one run, placed at the earliest such start;
    where none fits any more, there is a gap. A gap of two seconds is always seen, a shorter one not always.
    """
    runs: list[list[Span]] = []
    early = late = datetime.min.replace(tzinfo=UTC)  # where the last recording may begin
    for span in named:
        latest = span.start + _step(span)
        if runs:
            length = runs[-1][-1].duration
            low = max(early + length * (1 - DRIFT), span.start - tolerance)
            high = min(late + length * (1 + DRIFT), latest + tolerance)
            if low <= high:
                runs[-1].append(span)
                early, late = low, high
                continue
        runs.append([span])
        early, late = span.start, latest
    return [_placed(run, tolerance) for run in runs]


def _step(span: Span) -> timedelta:
    return timedelta() if span.start.microsecond else SECOND


def _placed(run: Sequence[Span], tolerance: timedelta) -> list[Span]:
    """Each where the one before ends; where two clocks drift apart, moved towards the second that it is named by, by
    so little that it still follows."""
    first, passed = run[0].start, timedelta()
    for number, span in enumerate(run):
        if number >= MANY and passed > HORIZON:
            break
        first = max(first, span.start - passed)
        passed += span.duration
    placed: list[Span] = []
    for span in run:
        begin = placed[-1].end if placed else first
        meant = min(max(begin, span.start), span.start + _step(span) + tolerance)
        begin += min(max(meant - begin, -tolerance / 2), tolerance / 2)
        placed.append(Span(begin, begin + span.duration))
    return placed
