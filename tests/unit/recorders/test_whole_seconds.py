"""Recordings that are named by whole seconds: what follows without a gap stays one run, and a gap is seen."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vault_bench import NOON, at

from services.recorders.whole_seconds import SECOND, TIMESTAMP_TOLERANCE, runs_of
from services.runtime.spans import Span

LENGTHS = st.lists(st.integers(500, 12_000), min_size=1, max_size=40)  # in milliseconds


def named(starts: list[datetime], lengths: list[timedelta]) -> list[Span]:
    """As such a recorder tells of them: the start loses what lies below the second."""
    floors = [start.replace(microsecond=0) for start in starts]
    return [Span(start, start + length) for start, length in zip(floors, lengths, strict=True)]


def true_starts(first: datetime, lengths: list[timedelta]) -> list[datetime]:
    starts = [first]
    for length in lengths[:-1]:
        starts.append(starts[-1] + length)
    return starts


@given(st.integers(0, 999), LENGTHS)
def test_what_has_no_gap_is_one_run_less_than_a_second_from_its_place(begin: int, milliseconds: list[int]) -> None:
    lengths = [timedelta(milliseconds=one) for one in milliseconds]
    starts = true_starts(NOON + timedelta(milliseconds=begin), lengths)
    [run] = runs_of(named(starts, lengths))
    assert [one.duration for one in run] == lengths
    assert all(one.end == two.start for one, two in pairwise(run))
    off = starts[0] - run[0].start
    assert -TIMESTAMP_TOLERANCE <= off < SECOND + TIMESTAMP_TOLERANCE


@given(st.integers(0, 999), LENGTHS, LENGTHS, st.integers(2401, 60_000))
def test_a_gap_of_more_than_two_seconds_is_seen(begin: int, before: list[int], after: list[int], gap: int) -> None:
    lengths = [timedelta(milliseconds=one) for one in (*before, *after)]
    first = true_starts(NOON + timedelta(milliseconds=begin), lengths[: len(before)])
    second_start = first[-1] + lengths[len(before) - 1] + timedelta(milliseconds=gap)
    second = true_starts(second_start, lengths[len(before) :])
    runs = runs_of(named([*first, *second], lengths))
    assert [len(run) for run in runs] == [len(before), len(after)]


def test_starts_that_tell_more_than_seconds_are_taken_as_they_are() -> None:
    spans = [Span(at(0.25), at(4.25)), Span(at(4.25), at(8.25)), Span(at(9.25), at(13.25))]
    assert runs_of(spans) == [spans[:2], spans[2:]]


@pytest.mark.parametrize("seconds", [10.04, 59.7, 600.3])
@pytest.mark.parametrize("drift", [-60e-6, 0, 60e-6])
def test_a_clock_that_drifts_for_a_night_opens_no_gap(drift: float, seconds: float) -> None:
    length = timedelta(seconds=seconds)
    starts = [NOON + number * length * (1 + drift) for number in range(int(12 * 3600 / seconds))]
    [run] = runs_of(named(starts, [length] * len(starts)))
    assert all(abs(two.start - one.end) <= TIMESTAMP_TOLERANCE for one, two in pairwise(run))
    assert all(abs(one.start - start) <= SECOND + TIMESTAMP_TOLERANCE for one, start in zip(run, starts, strict=True))


def test_nothing_is_no_run() -> None:
    assert runs_of([]) == []
