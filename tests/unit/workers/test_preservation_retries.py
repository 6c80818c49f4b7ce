"""What could not be preserved is tried again beside the process, until it is preserved or needed no more (T4, F1)."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import anyio
import pytest
from asked_recorder import Asked
from background import going
from custody_desk import ASKED, Case, Desk
from footage_maker import Camera as FilmedCamera
from sqlalchemy import select

from services.database.tables.applications import Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.notices import Notice
from services.database.tables.preservations import FailedPreservation, Preservation
from services.database.tables.progress import Progress
from services.database.tables.upload_attempts import UploadAttempt
from services.domain.cameras import measurements
from services.domain.cases import footage
from services.domain.cases import metrics as case_metrics
from services.domain.retrieval import attempts, preservations
from services.recorders.job_places import JobPlaces
from services.recorders.protocol import RecorderFacts
from services.runtime.metrics import DATABASE_REGISTRY
from services.runtime.spans import Span
from services.vault.store.protocol import StoreDown
from services.workers import preserve_footage, vault_actions
from services.workers.preservation_retries import PreservationRetries
from services.workers.preserve_footage import Result

MINUTE = timedelta(minutes=1)
BROKEN = "09-00-08-000000.mp4"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.database.rules = replace(desk.database.rules, preserve="always")
    return desk


def recorder_away(desk: Desk) -> None:
    desk.recordings.rename(desk.root / "away")


def recorder_back(desk: Desk) -> None:
    (desk.root / "away").rename(desk.recordings)


async def failed(desk: Desk, *channels: str) -> Case:
    """A case whose step has ended while the recorder was away."""
    case = desk.case(*(channels or ("gate",)))
    recorder_away(desk)
    assert await desk.work(preserve_footage, application_id=case.id, job_key=5) == Result(0, len(case.items))
    return case


async def retry_due(desk: Desk) -> list[bool | None]:
    """Try once what is due now."""
    due = desk.do(preservations.claim_due, (), 9)
    return [await preserve_footage.retry(item_id, **given(desk)) for item_id in due]


def given(desk: Desk) -> dict[str, Any]:
    """What a try is given."""
    return {name: desk.worker[name] for name in ("database", "store", "vault_keys", "recorders", "places")}


def waits(desk: Desk) -> list[timedelta | None]:
    rows = sorted(desk.rows(FailedPreservation), key=lambda row: str(row.item_id))
    return [row.next_try_at - desk.clock.now() if row.next_try_at is not None else None for row in rows]


@pytest.mark.requirement("R31")
async def test_a_recorder_that_was_away_for_two_minutes_costs_no_footage(desk: Desk) -> None:
    await failed(desk)
    assert (await retry_due(desk), waits(desk)) == ([], [MINUTE])

    desk.clock.turn(MINUTE)
    assert await retry_due(desk) == [False]
    recorder_back(desk)
    desk.clock.turn(2 * MINUTE)

    assert await retry_due(desk) == [True]
    [kept] = desk.rows(Preservation)
    assert desk.objects("quarantine") == [kept.sealed["key"]]
    assert (desk.rows(FailedPreservation), desk.rows(Progress)) == ([], [])
    [told] = desk.rows(Notice)
    assert told.done_at == desk.clock.now()


async def test_what_fails_again_after_it_was_preserved_is_told_again(desk: Desk) -> None:
    """The correction asks for more of it within the hours in which nobody is told twice of one failure."""
    case = await failed(desk)
    recorder_back(desk)
    desk.clock.turn(MINUTE)
    assert await retry_due(desk) == [True]
    desk.change(Item, case.item(), asked_end=ASKED.end + MINUTE)
    recorder_away(desk)
    for job_key in (6, 7):
        desk.clock.turn(MINUTE)
        assert await desk.work(preserve_footage, application_id=case.id, job_key=job_key) == Result(0, 1)
    assert [row.done_at is None for row in sorted(desk.rows(Notice), key=lambda row: row.created_at)] == [False, True]


async def test_a_recorder_that_stays_away_is_asked_every_ten_minutes(desk: Desk) -> None:
    await failed(desk)

    pauses = []
    for _ in range(6):
        [pause] = waits(desk)
        assert pause is not None
        pauses.append(pause // MINUTE)
        desk.clock.turn(pause)
        assert await retry_due(desk) == [False]

    assert pauses == [1, 2, 4, 8, 10, 10]
    assert len(desk.rows(Notice)) == 1


async def test_a_silent_recorder_is_asked_for_one_item_and_soon_for_the_others(desk: Desk) -> None:
    await failed(desk, "gate", "yard")
    desk.clock.turn(MINUTE)

    assert await retry_due(desk) == [False, False]
    assert sorted(filter(None, waits(desk))) == [measurements.ASKED_APART, 2 * MINUTE]
    recorder_back(desk)
    desk.clock.turn(2 * MINUTE)
    assert await retry_due(desk) == [True, True]


async def test_a_store_that_was_away_is_tried_again_too(desk: Desk) -> None:
    case = desk.case("gate")
    with patch.object(type(desk.store), "put", side_effect=StoreDown("away")):
        await desk.work(preserve_footage, application_id=case.id)
    desk.clock.turn(MINUTE)

    assert await retry_due(desk) == [True]


async def test_a_store_that_does_not_clear_up_either_hides_no_failure_and_stops_no_other_item(desk: Desk) -> None:
    case = desk.case("gate", "yard")
    down = StoreDown("away")
    with patch.object(type(desk.store), "put", side_effect=down), patch.object(vault_actions, "_sweep_one") as sweep:
        sweep.side_effect = down
        assert await desk.work(preserve_footage, application_id=case.id) == Result(0, 2)
        desk.clock.turn(MINUTE)
        assert await retry_due(desk) == [False, False]
    assert {row.code for row in desk.rows(FailedPreservation)} == {"StoreDown"}

    desk.clock.turn(2 * MINUTE)
    assert await retry_due(desk) == [True, True]
    assert all(row.finished_at is not None or row.swept_at is not None for row in desk.rows(UploadAttempt))


async def test_what_fails_by_a_defect_is_not_hidden_by_the_store(desk: Desk) -> None:
    case = desk.case("gate")
    with (
        patch.object(type(desk.store), "put", side_effect=ZeroDivisionError("a defect")),
        patch.object(vault_actions, "_sweep_one", side_effect=StoreDown("away")),
        pytest.raises(ZeroDivisionError),
    ):
        await desk.work(preserve_footage, application_id=case.id)


def safe(desk: Desk) -> list[str]:
    """The items that the vault holds."""
    return list(desk.do(lambda uow: uow.session.scalars(select(Item.id).where(footage.is_safe())).all()))


@pytest.mark.requirement("R31", "R32")
async def test_a_recorder_that_restarts_while_it_gives_is_asked_again_for_the_rest(desk: Desk) -> None:
    asked = Asked.of(
        desk, cut=lambda number, name: 20_000 if number == 1 and name.endswith(BROKEN) else None, down_at=2
    )
    case = desk.case("gate")

    assert await desk.work(preserve_footage, application_id=case.id, job_key=5) == Result(0, 1)

    [part] = desk.rows(Preservation)
    assert (part.sealed["outcome"], waits(desk), safe(desk)) == ("partial", [MINUTE], [])
    assert [row.last_error for row in desk.rows(Progress)] == ["Incomplete"]
    asked.down_at = None
    desk.clock.turn(MINUTE)
    assert await retry_due(desk) == [True]
    whole = next(row for row in desk.rows(Preservation) if row.id != part.id)
    assert whole.sealed["outcome"] == "complete"
    assert (desk.rows(FailedPreservation), desk.rows(Progress), safe(desk)) == ([], [], [case.item()])
    assert desk.do(preservations.list_needs, case.id) == (1, [])


async def test_a_recorder_whose_file_is_broken_is_asked_a_few_times_and_its_part_is_kept_once(desk: Desk) -> None:
    asked = Asked.of(desk, cut=lambda _, name: 20_000 if name.endswith(BROKEN) else None)
    case = desk.case("gate")
    assert await desk.work(preserve_footage, application_id=case.id, job_key=5) == Result(0, 1)

    for minutes, kept in ((1, False), (2, False), (4, True)):
        assert (waits(desk), safe(desk)) == ([minutes * MINUTE], [])
        desk.clock.turn(minutes * MINUTE)
        assert await retry_due(desk) == [kept]

    assert len(asked.fetched) == 8  # each time twice
    assert desk.objects("quarantine") == [row.sealed["key"] for row in desk.rows(Preservation)]
    assert (len(desk.rows(Preservation)), desk.rows(FailedPreservation), safe(desk)) == (1, [], [case.item()])
    assert all(row.finished_at or row.swept_at for row in desk.rows(UploadAttempt))
    assert len(desk.rows(Notice)) == 1


async def test_what_the_recorder_still_writes_is_asked_for_again_without_a_word(desk: Desk) -> None:
    camera, second = FilmedCamera(desk.recordings, "gate"), timedelta(seconds=1)
    camera.record(desk.clock.now() - 8 * second, 4)
    case = desk.case("gate", span=Span(desk.clock.now() - 8 * second, desk.clock.now()))
    assert await desk.work(preserve_footage, application_id=case.id, job_key=5) == Result(0, 1)
    camera.record(desk.clock.now() - 4 * second, 4)
    desk.clock.turn(MINUTE)

    assert await retry_due(desk) == [True]

    assert sorted(row.sealed["outcome"] for row in desk.rows(Preservation)) == ["complete", "partial"]
    assert desk.rows(Notice) == []


async def test_what_no_wait_mends_is_fetched_again_once_an_hour(desk: Desk) -> None:
    desk.change(Camera, "camera-gate", fingerprint="f" * 64)
    await desk.work(preserve_footage, application_id=desk.case("gate").id)

    for _ in range(8):
        desk.clock.turn(timedelta(hours=1))
        assert await retry_due(desk) == [False]
    assert waits(desk) == [timedelta(hours=1)]


@pytest.mark.parametrize("end", ["withdrawn", "rejected", "expired"])
async def test_a_case_that_is_to_end_has_nothing_preserved_any_more(desk: Desk, end: str) -> None:
    case = await failed(desk)
    recorder_back(desk)
    case.ready_to_end(end)
    desk.clock.turn(MINUTE)

    assert await retry_due(desk) == [None]
    assert (desk.rows(FailedPreservation), desk.everything()) == ([], [])


async def test_a_case_that_is_released_is_left_to_its_retrieval(desk: Desk) -> None:
    case = await failed(desk)
    recorder_back(desk)
    case.approve()
    desk.clock.turn(MINUTE)

    assert await retry_due(desk) == [None]
    assert desk.rows(FailedPreservation) == []
    assert all(row.done_at for row in desk.rows(Notice) if row.code == "preservation-failed")


async def test_an_approved_case_is_preserved_until_the_storage_office_has_released_it(desk: Desk) -> None:
    case = await failed(desk)
    recorder_back(desk)
    for stage in ("preliminary", "security"):
        case.decided(stage, "approved")
    desk.clock.turn(MINUTE)

    assert await retry_due(desk) == [True]


async def test_an_item_that_was_dropped_is_tried_no_more(desk: Desk) -> None:
    case = await failed(desk, "gate", "yard")
    recorder_back(desk)
    desk.change(Item, case.item(2), dropped_in_round=1)
    desk.clock.turn(MINUTE)

    assert sorted(await retry_due(desk), key=str) == [None, True]
    assert {row.item_id for row in desk.rows(Preservation)} == {case.item(1)}


async def test_a_case_that_ends_ends_all_tries(desk: Desk) -> None:
    case = await failed(desk)

    desk.do(preservations.end_tries, case.id)

    assert desk.rows(FailedPreservation) == []


async def test_what_fails_after_the_end_of_its_case_is_neither_told_nor_tried_again(desk: Desk) -> None:
    case = desk.case("gate")
    case.ready_to_end("withdrawn")

    desk.do(preservations.record_failure, case.id, case.item(), "RecorderDown", 5, away=True)

    assert (desk.rows(FailedPreservation), desk.rows(Notice)) == ([], [])


async def test_footage_that_the_recorder_has_overwritten_is_tried_no_more_and_told_once(desk: Desk) -> None:
    desk.change(Camera, "camera-dark", retention_days=1)
    await desk.work(preserve_footage, application_id=desk.case("dark").id)
    assert len(desk.rows(Notice)) == 1

    for _ in range(3):
        desk.clock.turn(timedelta(hours=9))
        await retry_due(desk)

    assert waits(desk) == [None]
    told = [row.entry for row in desk.rows(AuditEvent) if row.action == "preservation-failed"]
    assert ['"overwritten":true' in entry for entry in told] == [False, False, True]


async def test_a_recorder_that_is_away_may_still_have_what_is_old_enough_to_be_overwritten(desk: Desk) -> None:
    desk.change(Camera, "camera-gate", retention_days=1)
    await failed(desk)
    desk.clock.turn(timedelta(days=30))
    assert await retry_due(desk) == [False]
    recorder_back(desk)
    desk.clock.turn(timedelta(hours=1))

    assert await retry_due(desk) == [True]


async def test_what_one_process_tries_no_other_one_tries(desk: Desk) -> None:
    case = await failed(desk, "gate", "yard")
    desk.clock.turn(MINUTE)

    assert desk.do(preservations.claim_due, (), 1) == [case.item(1)]
    assert desk.do(preservations.claim_due, (), 9) == [case.item(2)]
    desk.clock.turn(preservations.CLAIM - MINUTE)
    assert desk.do(preservations.claim_due, [case.item(1)], 9) == []
    desk.clock.turn(MINUTE)
    assert desk.do(preservations.claim_due, (), 9) == [case.item(2)], "of the process that did not say so again"


async def test_a_job_of_the_next_round_takes_the_tries_over(desk: Desk) -> None:
    case = await failed(desk)
    for _ in range(2):
        desk.clock.turn(timedelta(hours=1))
        await retry_due(desk)

    assert await desk.work(preserve_footage, application_id=case.id, job_key=6) == Result(0, 1)
    [row] = desk.rows(FailedPreservation)
    assert (row.job_key, row.failures) == (6, 1)

    recorder_back(desk)
    assert await desk.work(preserve_footage, application_id=case.id, job_key=7) == Result(1, 0)
    assert desk.rows(FailedPreservation) == []


async def test_a_try_that_ends_after_the_retrieval_keeps_nothing(desk: Desk) -> None:
    case = await failed(desk)
    recorder_back(desk)
    desk.clock.turn(MINUTE)
    create = preservations.create

    def retrieved_meanwhile(uow, *arguments):  # type: ignore[no-untyped-def]
        uow.session.get_one(Item, case.item()).outcome = "complete"
        uow.session.flush()
        return create(uow, *arguments)

    with patch.object(preservations, "create", retrieved_meanwhile):
        assert await retry_due(desk) == [False]
    assert desk.everything() == []


async def test_a_later_job_is_not_disturbed(desk: Desk) -> None:
    case = await failed(desk)
    recorder_back(desk)
    desk.clock.turn(MINUTE)
    desk.do(attempts.start, "quarantine", application_id=case.id, item_id=case.item(), job_key=6)

    assert await retry_due(desk) == [False]
    assert len(desk.rows(Notice)) == 1


async def test_a_long_fetch_holds_up_no_other_item(desk: Desk) -> None:
    await failed(desk, "gate", "yard")
    recorder_back(desk)
    desk.change(Recorder, "recorder", last_error=None)
    desk.clock.turn(MINUTE)
    never, kept = asyncio.Event(), asyncio.Event()
    asked = Asked.of(desk)

    async def first_hangs() -> None:
        if len(asked.opened) == 1:
            await never.wait()

    asked.before = first_hangs
    loop = asyncio.get_running_loop()
    create = preservations.create

    def noted(uow, *arguments):  # type: ignore[no-untyped-def]
        done = create(uow, *arguments)
        loop.call_soon_threadsafe(kept.set)
        return done

    with patch.object(preservations, "create", noted):
        async with going(PreservationRetries(**given(desk), at_once=2).run()), asyncio.timeout(30):
            await kept.wait()
    assert len(desk.rows(Preservation)) == 1


async def test_a_defect_ends_neither_the_task_nor_the_other_items(desk: Desk) -> None:
    await failed(desk, "gate", "yard")
    desk.clock.turn(MINUTE)
    tried, both = list[str](), asyncio.Event()

    async def broken(item_id: str, *_: object, **__: object) -> None:
        tried.append(item_id)
        if len(tried) == 2:
            both.set()
        raise ZeroDivisionError

    with patch.object(preserve_footage, "retry", broken):
        async with going(PreservationRetries(**given(desk), at_once=1).run()) as running, asyncio.timeout(30):
            await both.wait()
            assert not running.done()


async def test_a_wider_span_of_the_next_round_is_what_is_tried(desk: Desk) -> None:
    case = desk.case("gate", span=Span(ASKED.start, ASKED.end - timedelta(seconds=8)))
    recorder_away(desk)
    await desk.work(preserve_footage, application_id=case.id, job_key=5)
    desk.change(Item, case.item(), asked_end=ASKED.end)
    recorder_back(desk)
    desk.clock.turn(MINUTE)

    assert await retry_due(desk) == [True]
    [kept] = desk.rows(Preservation)
    assert (kept.asked_start, kept.asked_end) == (ASKED.start, ASKED.end)


async def test_tries_leave_the_jobs_of_the_process_their_places(desk: Desk) -> None:
    case = await failed(desk, "gate", "yard")
    recorder_back(desk)
    desk.change(Recorder, "recorder", last_error=None)
    desk.clock.turn(MINUTE)
    places, asked = JobPlaces(2), Asked.of(desk)
    retries = PreservationRetries(**given(desk) | {"places": places}, at_once=3)

    with places.one(preserve_footage.JOB_TYPE, "X"), places.one(preserve_footage.JOB_TYPE, "X"):
        async with anyio.create_task_group() as group:
            await retries.begin(group)
    assert len(desk.rows(Preservation)) == 1, "three at once, and two are jobs"

    with places.one(preserve_footage.JOB_TYPE, "recorder"), places.one(preserve_footage.JOB_TYPE, "recorder"):
        async with anyio.create_task_group() as group:
            await retries.begin(group)
    assert (len(asked.fetched), waits(desk)) == (1, [measurements.ASKED_APART]), "its recorder has no place left"

    desk.clock.turn(measurements.ASKED_APART)
    async with anyio.create_task_group() as group:
        await retries.begin(group)
    assert {row.item_id for row in desk.rows(Preservation)} == {case.item(1), case.item(2)}


async def test_what_a_recorder_did_not_give_is_preserved_as_soon_as_it_answers_to_whoever_asks(desk: Desk) -> None:
    await failed(desk)
    for _ in range(4):
        desk.clock.turn(timedelta(minutes=10))
        await retry_due(desk)
    assert waits(desk) == [10 * MINUTE]
    recorder_back(desk)
    answers = RecorderFacts("maker", "one", "id", True, {}, None, "unknown", None, "UTC")

    desk.do(measurements.record_measured, "recorder", answers)

    assert waits(desk) == [timedelta(0)]
    desk.change(FailedPreservation, desk.rows(FailedPreservation)[0].item_id, next_try_at=desk.clock.now() + MINUTE)
    desk.do(measurements.record_measured, "recorder", answers)
    assert waits(desk) == [MINUTE], "it was there before"


async def test_the_metrics_say_how_long_something_could_not_be_preserved_and_nothing_once_it_is(desk: Desk) -> None:
    def said() -> tuple[float | None, float | None]:
        desk.do(case_metrics.update_gauges)
        names = ("footage_desk_preservations_open", "footage_desk_longest_unpreserved_seconds")
        number, longest = (DATABASE_REGISTRY.get_sample_value(name) for name in names)
        return number, longest

    assert said() == (0, 0)
    case = await failed(desk, "gate", "yard")
    for _ in range(5):
        desk.clock.turn(timedelta(hours=1))
        await retry_due(desk)
    assert said() == (2, 5 * 3600)
    await desk.work(preserve_footage, application_id=case.id, job_key=6)
    assert said() == (2, 5 * 3600), "of an earlier job too"

    desk.change(FailedPreservation, case.item(2), next_try_at=None)
    assert said() == (1, 5 * 3600), "what is overwritten is tried no more"
    recorder_back(desk)
    desk.clock.turn(timedelta(hours=1))
    assert await retry_due(desk) == [True]
    assert said() == (0, 0)
