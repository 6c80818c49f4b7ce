"""Recorders that name a recording by the whole second in which it begins: how such recordings follow one another."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.runtime.spans import Span

SECOND = timedelta(seconds=1)
SLACK = timedelta(milliseconds=200)  # how far lengths and clocks are off from one recording to the next
LONGEST = timedelta(hours=1)  # of a run: two clocks that drift apart are not held against each other for longer


def runs_of(named: Sequence[Span], *, slack: timedelta = SLACK) -> list[list[Span]]:
    """Runs of recordings without a gap between them, each at its place; ``named`` in order of time.

    A start that is a whole second may be any moment of that second, another is meant as it is. As long as some start
    of the first recording fits the names of all that follow it, they are one run, placed at the earliest such start;
    where none fits any more, there is a gap. A gap of two seconds is always seen, a shorter one not always. A long
    run is given as several, of which each begins within ``slack`` of the end of the one before.
    """
    runs: list[list[Span]] = []
    run: list[Span] = []
    early = late = datetime.min.replace(tzinfo=UTC)
    for span in named:
        first, last = span.start, span.start + (timedelta() if span.start.microsecond else SECOND)
        if run:
            length = run[-1].duration
            low, high = max(early + length, first - slack), min(late + length, last + slack)
            if low <= high and span.end - run[0].start <= LONGEST:
                run.append(span)
                early, late = low, high
                continue
            runs.append(_placed(run, early))
            if low <= high:
                first, last = low, high
        run, early, late = [span], first, last
    return [*runs, _placed(run, early)] if run else []


def _placed(run: Sequence[Span], last: datetime) -> list[Span]:
    """The run, of which the last begins at ``last`` and each other ends where the next begins."""
    placed: list[Span] = []
    for span in reversed(run):
        begin = placed[-1].start - span.duration if placed else last
        placed.append(Span(begin, begin + span.duration))
    return placed[::-1]
