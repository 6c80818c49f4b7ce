"""preserve-footage: what is at risk goes into the quarantine; nothing that fails ever stops the application (T4)."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

import pytest
from asked_recorder import Asked
from custody_desk import ASKED, Case, Desk

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera
from services.database.tables.notices import Notice
from services.database.tables.preservations import FailedPreservation, Preservation
from services.database.tables.progress import Progress
from services.database.tables.upload_attempts import UploadAttempt
from services.domain.retrieval import attempts, preservations
from services.recorders import retrying_fetch
from services.recorders.job_places import JobPlaces
from services.recorders.protocol import RecorderDown
from services.runtime.errors import NoPlace
from services.runtime.spans import Span
from services.vault.sealing import Sealed, open_sealed
from services.vault.store.protocol import StoreDown, StoreLocked
from services.workers import preserve_footage, retrieve
from services.workers.preserve_footage import Result


def under(desk: Desk, **values: object) -> None:
    desk.database.rules = replace(desk.database.rules, **values)  # type: ignore[arg-type]


async def preserve(desk: Desk, case: Case) -> Result:
    return await desk.work(preserve_footage, application_id=case.id, job_key=5)  # type: ignore[no-any-return]


async def test_footage_is_preserved_once_under_a_legal_hold(desk: Desk) -> None:
    under(desk, preserve="always")
    case = desk.case("gate", "yard")

    assert await preserve(desk, case) == await preserve(desk, case) == Result(2, 0)

    kept = [Sealed.from_json(row.sealed) for row in desk.rows(Preservation)]
    assert sorted(one.key for one in kept) == desk.objects("quarantine")
    assert {one.outcome for one in kept} == {"complete", "partial"}
    with pytest.raises(StoreLocked):
        desk.store.delete("quarantine", kept[0].key, kept[0].version_id)
    reader = open_sealed(desk.store, kept[0].location, desk.vault_keys.unwrapper())
    assert len(reader.read()) == kept[0].plain_size


async def test_never_preserves_nothing(desk: Desk) -> None:
    under(desk, preserve="never")

    assert await preserve(desk, desk.case("gate")) == Result(0, 0)
    assert desk.everything() == []


async def test_what_outlives_the_approvals_is_not_at_risk(desk: Desk) -> None:
    under(desk, preserve="at-risk")
    # The recorder's oldest picture is as old as its retention: it keeps footage for that long.
    desk.change(Camera, "camera-gate", retention_days=30)
    case = desk.case("gate")
    with patch.object(preservations, "overwrite_moment", lambda camera, start: start + timedelta(days=30)):
        assert await preserve(desk, case) == Result(0, 0)
    assert desk.everything() == []


async def test_the_set_retention_puts_footage_at_risk(desk: Desk) -> None:
    desk.change(Camera, "camera-gate", retention_days=1)

    assert await preserve(desk, desk.case("gate")) == Result(1, 0)


async def test_the_measured_oldest_picture_puts_footage_at_risk(desk: Desk) -> None:
    earlier = desk.clock.now() - timedelta(days=2)
    desk.change(Camera, "camera-gate", retention_days=365, oldest_frame_at=earlier, oldest_measured_at=earlier)

    # the recorder held more and holds three hours now: it overwrites long before the approvals are through
    assert await preserve(desk, desk.case("gate")) == Result(1, 0)
    assert desk.row(Camera, "camera-gate").oldest_measured_at == desk.clock.now()


async def test_a_recorder_that_has_just_begun_to_record_overwrites_nothing_yet(desk: Desk) -> None:
    desk.change(Camera, "camera-gate", retention_days=365, oldest_frame_at=None, oldest_measured_at=None)

    # its oldest picture is three hours old, and was never another one
    assert await preserve(desk, desk.case("gate")) == Result(0, 0)
    assert desk.row(Camera, "camera-gate").oldest_moved_at is None


async def test_a_recorder_that_is_down_is_counted_and_told_and_the_application_goes_on(desk: Desk) -> None:
    under(desk, preserve="always")
    case = desk.case("gate", "yard")
    desk.recordings.rename(desk.root / "away")

    assert await preserve(desk, case) == Result(0, 2)
    assert {(row.person_id, row.code) for row in desk.rows(Notice)} == {("operator", "preservation-failed")}
    assert desk.everything() == []


async def test_a_job_that_comes_again_and_again_tells_the_storage_office_once_in_twelve_hours(desk: Desk) -> None:
    under(desk, preserve="always")
    case = desk.case("gate")
    desk.recordings.rename(desk.root / "away")

    for _ in range(5):
        assert await preserve(desk, case) == Result(0, 1)
        desk.clock.turn(timedelta(hours=3))
    assert len(desk.rows(Notice)) == 2
    assert len([row for row in desk.rows(AuditEvent) if row.action == "preservation-failed"]) == 2


async def test_a_vault_that_is_down_is_counted_too(desk: Desk) -> None:
    under(desk, preserve="always")

    with patch.object(type(desk.store), "put", side_effect=StoreDown("away")):
        assert await preserve(desk, desk.case("gate")) == Result(0, 1)


async def test_one_camera_s_trouble_does_not_keep_the_others_from_being_preserved(desk: Desk) -> None:
    under(desk, preserve="always")

    assert await preserve(desk, desk.case("dark", "gate")) == Result(1, 1)


async def test_what_is_at_risk_is_preserved_before_the_recorders_are_asked_what_they_have(desk: Desk) -> None:
    under(desk, preserve="always")
    preserved = []

    def promises(spans: list[Span]) -> list[Span]:
        preserved.append(len(desk.rows(Preservation)))
        return spans

    Asked.of(desk, promises=promises)
    await preserve(desk, desk.case("gate"))

    assert preserved == [0, 1]


async def test_a_second_round_preserves_what_its_new_scope_needs(desk: Desk) -> None:
    under(desk, preserve="always")
    case = desk.case("gate", "yard", span=Span(ASKED.start, ASKED.end - timedelta(seconds=8)))
    await preserve(desk, case)
    desk.change(Item, case.item(2), dropped_in_round=1)
    desk.change(Item, case.item(1), asked_end=ASKED.end)

    assert await preserve(desk, case) == Result(1, 0)
    assert len(desk.objects("quarantine")) == 3, "the wider span, and what the first round has kept until the end"


async def test_a_case_withdrawn_while_it_is_preserved_keeps_nothing(desk: Desk) -> None:
    under(desk, preserve="always")
    case = desk.case("gate")
    keep = preservations.create

    def withdrawn_meanwhile(uow, *arguments):  # type: ignore[no-untyped-def]
        uow.session.get_one(Application, case.id).withdrawn_at = uow.now
        uow.session.flush()
        return keep(uow, *arguments)

    with patch.object(preservations, "create", withdrawn_meanwhile):
        assert await preserve(desk, case) == Result(0, 1)
    assert desk.everything() == []
    assert await preserve(desk, case) == Result(0, 1)


async def test_a_crash_between_put_and_book_leaves_no_orphan(desk: Desk) -> None:
    under(desk, preserve="always")
    case = desk.case("gate")

    class Killed(BaseException):
        pass

    clear = patch("services.workers.vault_actions.clear_earlier_runs", side_effect=[None, Killed()])
    with patch.object(preservations, "create", side_effect=Killed), clear, pytest.raises(Killed):
        await preserve(desk, case)
    assert len(desk.objects("quarantine")) == 1

    assert await preserve(desk, case) == Result(1, 0)
    assert desk.objects("quarantine") == [desk.rows(Preservation)[0].sealed["key"]]


async def test_a_failure_is_on_the_trail_with_its_kind_and_no_words_of_the_case(desk: Desk) -> None:
    under(desk, preserve="always")
    desk.change(Camera, "camera-gate", fingerprint="f" * 64)

    await preserve(desk, desk.case("gate"))

    [event] = [row for row in desk.rows(AuditEvent) if row.action == "preservation-failed"]
    assert '"code":"WrongFootage"' in event.entry


async def test_a_job_that_was_taken_back_leaves_the_work_of_its_successor_alone(desk: Desk) -> None:
    under(desk, preserve="always")
    case = desk.case("gate")
    begun, may_go_on, seal = asyncio.Event(), asyncio.Event(), retrieve.seal

    async def slow(*arguments, **named):  # type: ignore[no-untyped-def]
        if not begun.is_set():
            begun.set()
            await may_go_on.wait()
        return await seal(*arguments, **named)

    with patch.object(retrieve, "seal", slow):
        old = asyncio.create_task(desk.work(preserve_footage, application_id=case.id, job_key=5))
        await begun.wait()
        new = await desk.work(preserve_footage, application_id=case.id, job_key=6)
        may_go_on.set()

        assert (await old, new) == (Result(0, 1), Result(1, 0))

    [kept] = desk.rows(Preservation)
    assert desk.objects("quarantine") == [kept.sealed["key"]]
    assert desk.rows(Notice) == []


async def test_a_job_that_was_taken_back_begins_nothing_beside_its_successor(desk: Desk) -> None:
    under(desk, preserve="always")
    case = desk.case("gate")
    desk.do(attempts.start, "quarantine", application_id=case.id, item_id=case.item(), job_key=6)

    assert await preserve(desk, case) == Result(0, 1)

    [attempt] = desk.rows(UploadAttempt)
    assert attempt.abandoned_at is None
    assert desk.rows(Notice) == []


async def test_who_fails_beside_a_job_of_another_partition_that_preserves_has_not_failed(desk: Desk) -> None:
    under(desk, preserve="always")
    case = desk.case("gate")
    begun, may_fail = asyncio.Event(), asyncio.Event()
    seal = retrieve.seal

    async def breaks(*arguments, **named):  # type: ignore[no-untyped-def]
        if not begun.is_set():
            begun.set()
            await may_fail.wait()
            raise StoreDown("the store broke off")
        return await seal(*arguments, **named)

    with patch.object(retrieve, "seal", breaks):
        one = asyncio.create_task(desk.work(preserve_footage, application_id=case.id, job_key=(3 << 51) + 1))
        await begun.wait()
        other = await desk.work(preserve_footage, application_id=case.id, job_key=(1 << 51) + 9)
        may_fail.set()

        assert (await one, other) == (Result(0, 1), Result(1, 0))

    [kept] = desk.rows(Preservation)
    assert desk.objects("quarantine") == [kept.sealed["key"]]
    assert (desk.rows(FailedPreservation), desk.rows(Notice)) == ([], [])


async def test_a_recorder_that_hangs_in_a_fetch_takes_its_time_for_one_item_of_a_case(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying_fetch, "PAUSES", ())
    under(desk, preserve="always")
    case = desk.case("gate", "yard")

    async def hang() -> None:
        raise RecorderDown("nothing came for 30 s", "broken-off", hangs=True)

    asked = Asked.of(desk, before=hang)

    assert await preserve(desk, case) == Result(0, 2)
    assert (len(asked.fetched), len(desk.rows(FailedPreservation))) == (1, 2)


async def test_a_case_whose_recorder_has_no_place_waits_and_keeps_what_is_preserved(desk: Desk) -> None:
    under(desk, preserve="always")
    case, places = desk.case("gate", "yard"), JobPlaces(1)
    desk.worker["places"] = places
    with places.one(preserve_footage.JOB_TYPE, "recorder"), pytest.raises(NoPlace):
        await preserve(desk, case)
    assert (desk.rows(FailedPreservation), desk.rows(Progress), desk.everything()) == ([], [], [])

    assert await preserve(desk, case) == Result(2, 0)
