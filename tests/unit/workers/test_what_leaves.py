"""What of a master may leave it: no more than the release was signed over; labels say both spans (R4, R34, R37)."""

from datetime import timedelta

import pytest
from asked_recorder import Asked, widened
from custody_desk import FILMED, Case, Desk

from services.database.tables.cameras import Recorder
from services.database.tables.copies import Copy
from services.database.tables.masters import Master
from services.runtime.spans import Span
from services.workers import encrypt_copy, retrieve_footage

SECOND = timedelta(seconds=1)
INNER = Span(FILMED.start + 8 * SECOND, FILMED.start + 14 * SECOND)


async def issued(desk: Desk, case: Case) -> tuple[Master, Copy]:
    await desk.work(retrieve_footage, application_id=case.id, item_id=case.item())
    await desk.work(encrypt_copy, application_id=case.id, item_id=case.item())
    [master], [copy] = desk.rows(Master), desk.rows(Copy)
    return master, copy


def measured(desk: Desk, offset_ms: int, uncertainty_ms: int) -> None:
    told = {"clock_offset_ms": offset_ms, "clock_method": "api-time", "clock_uncertainty_ms": uncertainty_ms}
    desk.change(Recorder, "recorder", **told)


def asked(row: Master | Copy) -> list[str]:
    span: list[str] = row.sealed["coverage"]["asked"]
    return span


def pair(span: Span) -> list[str]:
    return [span.start.isoformat(), span.end.isoformat()]


@pytest.mark.requirement("R4", "R34")
async def test_a_clock_that_was_measured_after_the_release_widens_no_copy(desk: Desk) -> None:
    Asked.of(desk, clock=(3000, "api-time", 0))
    case = desk.case("gate", span=INNER).approve()

    master, copy = await issued(desk, case)

    assert asked(master) == pair(widened(INNER, 0, 3))
    assert asked(copy) == pair(INNER)


@pytest.mark.requirement("R4", "R34")
async def test_a_copy_holds_what_the_release_said_would_be_searched(desk: Desk) -> None:
    Asked.of(desk, clock=(2000, "api-time", 1000))
    measured(desk, 1000, 500)
    case = desk.case("gate", span=INNER).approve()

    master, copy = await issued(desk, case)

    assert asked(master) == pair(widened(INNER, 1, 3))
    assert asked(copy) == pair(widened(INNER, 0.5, 1.5))


@pytest.mark.requirement("R4", "R37")
async def test_labels_say_what_was_asked_for_and_what_was_searched(desk: Desk) -> None:
    Asked.of(desk, clock=(3000, "api-time", 0))
    measured(desk, 3000, 0)
    case = desk.case("gate", span=INNER).approve()

    for row in await issued(desk, case):
        label = desk.label_of(row.sealed)
        assert label["predicate"]["asked"] == pair(INNER)
        assert label["predicate"]["searched"] == pair(widened(INNER, 0, 3))
        assert label["predicate"]["database"]["asked"] == {
            **{"start": INNER.start.isoformat(), "end": INNER.end.isoformat()},
            "zone": "UTC",
        }
