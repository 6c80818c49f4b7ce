"""Durations, dates, cycles and cron as diagrams write them."""

from datetime import UTC, datetime, timedelta

import pytest
from bpmn_makers import diagram, job, start
from engine_harness import EngineHarness

from services.engine.errors import Rejection, RejectionType
from services.engine.model.cron import parse_cron
from services.engine.model.timers import parse_cycle, parse_date, parse_duration

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("PT1H", NOON + timedelta(hours=1)),
        ("P7D", NOON + timedelta(days=7)),
        ("P1DT12H", NOON + timedelta(days=1, hours=12)),
        ("PT0.5S", NOON + timedelta(milliseconds=500)),
        ("P1M", datetime(2026, 2, 28, 12, 0, tzinfo=UTC)),
        ("P1Y", datetime(2027, 1, 31, 12, 0, tzinfo=UTC)),
        ("-PT1H", NOON - timedelta(hours=1)),
    ],
)
def test_a_duration_is_added_by_the_calendar(text: str, due: datetime) -> None:
    assert parse_duration(text).after(NOON) == due


@pytest.mark.parametrize("text", ["", "P", "PT", "1H", "P1H", "PT1D", "P1D2H"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 8601 duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    "text", ["2026-12-01T08:00:00Z", "2026-12-01T16:00:00+08:00", "2026-12-01T16:00:00@Asia/Shanghai"]
)
def test_a_date_is_the_same_moment_in_every_zone(text: str) -> None:
    assert parse_date(text) == datetime(2026, 12, 1, 8, 0, tzinfo=UTC)


def test_a_cycle_keeps_its_rhythm_but_catches_nothing_up() -> None:
    cycle = parse_cycle("R/PT1H")
    due = cycle.due_after(NOON)

    assert due == NOON + timedelta(hours=1)
    assert cycle.due_again(due, NOON + timedelta(hours=1, minutes=59)) == NOON + timedelta(hours=2)
    assert cycle.due_again(due, NOON + timedelta(hours=2)) == NOON + timedelta(hours=3)
    assert cycle.due_again(due, NOON + timedelta(hours=3, minutes=30)) == NOON + timedelta(hours=4, minutes=30)


def test_a_cycle_without_repetitions_fires_once_all_the_same() -> None:
    assert parse_cycle("R0/PT1H").due_after(NOON) == NOON + timedelta(hours=1)


def test_a_start_in_the_future_comes_first_and_one_in_the_past_is_left_out() -> None:
    assert parse_cycle("R/2026-12-01T08:00:00Z/P1D").due_after(NOON) == datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
    assert parse_cycle("R/2020-12-01T08:00:00Z/P1D").due_after(NOON) == NOON + timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("0 0 9-17 * * MON-FRI", datetime(2026, 2, 2, 9, 0, tzinfo=UTC)),
        ("0 */15 * * * *", NOON + timedelta(minutes=15)),
        ("30 0 12 * * *", NOON + timedelta(seconds=30)),
        ("0 0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        ("@monthly", datetime(2026, 2, 1, tzinfo=UTC)),
        ("0 0 8 * * SUN", datetime(2026, 2, 1, 8, 0, tzinfo=UTC)),
        ("0 0 8 * * 7", datetime(2026, 2, 1, 8, 0, tzinfo=UTC)),
        ("0 0 0 L * *", datetime(2026, 2, 28, tzinfo=UTC)),
        ("0 0 0 L-3 * *", datetime(2026, 2, 25, tzinfo=UTC)),
        ("0 0 0 LW 5,8 *", datetime(2026, 5, 29, tzinfo=UTC)),  # the 31st is a Sunday
        ("0 0 0 15W 2 *", datetime(2026, 2, 16, tzinfo=UTC)),  # a Sunday: the Monday after
        ("0 0 0 1W 8 *", datetime(2026, 8, 3, tzinfo=UTC)),  # a Saturday: not the Friday in July
        ("0 0 0 * * FRIL", datetime(2026, 2, 27, tzinfo=UTC)),
        ("0 0 0 ? * 1#2", datetime(2026, 2, 9, tzinfo=UTC)),
        ("0 0 0 * * TUE#5", datetime(2026, 3, 31, tzinfo=UTC)),
        ("0 0 0 3,L * *", datetime(2026, 2, 3, tzinfo=UTC)),
    ],
)
def test_cron_finds_the_next_moment(text: str, due: datetime) -> None:
    assert parse_cron(text).next_after(NOON) == due


_BOUNDARY = 'boundaryEvent attachedToRef="a" cancelActivity="false"'
_BEYOND = [
    ("timeCycle", "R/P99999999Y"),
    ("timeCycle", "R/PT99999999999999H"),
    ("timeCycle", "R99999999999999999999/PT1H"),
    ("timeCycle", "R2147483648/PT1H"),
    ("timeDuration", "P99999999999W"),
    ("timeDate", "0001-01-01T00:00:00+14:00"),
    ("timeDate", "9999-12-31T23:59:59-12:00"),
]


def _waiting(event: str, kind: str, text: str) -> bytes:
    """A process that can wait at ``b``, the ``event``."""
    timer = f"<bpmn:timerEventDefinition><bpmn:{kind}>{text}</bpmn:{kind}></bpmn:timerEventDefinition>"
    return diagram(
        start() + job("a") + f'<bpmn:{event} id="b">{timer}</bpmn:{event.split(maxsplit=1)[0]}>' + job("c"), "s>a b>c"
    )


@pytest.mark.parametrize("event", ["startEvent", _BOUNDARY])
@pytest.mark.parametrize(("kind", "text"), _BEYOND)
def test_a_timer_beyond_all_bounds_is_refused_with_its_file(kind: str, text: str, event: str) -> None:
    with pytest.raises(Rejection, match="'b'") as refusal:
        EngineHarness().deploy(_waiting(event, kind, text))

    assert refusal.value.reason == RejectionType.INVALID_ARGUMENT


@pytest.mark.parametrize(("kind", "text"), [*_BEYOND, ("timeDuration", "P9000Y"), ("timeCycle", "R/P9000Y")])
def test_a_computed_timer_beyond_all_bounds_is_an_incident(kind: str, text: str) -> None:
    harness = EngineHarness()
    harness.deploy(_waiting(_BOUNDARY, kind, "=t"))

    harness.create("p", t=text)

    assert harness.open_incidents() == [("a", "EXTRACT_VALUE_ERROR")]


def test_cron_knows_days_that_never_come() -> None:
    assert parse_cron("0 0 0 30 2 *").next_after(NOON) is None


@pytest.mark.parametrize("text", ["* * * * *", "0 0 24 * * *", "0 0 0 0W * *", "0 0 0 * 13 *", "0 0 0 * * XYZL"])
def test_what_is_no_cron_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_cron(text)
