"""retrieve-footage: one master and one record for each item, from wherever more of the span is, whatever happens."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from custody_desk import ASKED, FILMED, Case, Desk

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.progress import Progress
from services.database.tables.upload_attempts import UploadAttempt
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.retrieval import attempts, masters
from services.domain.retrieval import records as retrieval_records
from services.domain.retrieval.attempts import NoLongerWanted
from services.recorders.folder.recorder import FolderRecorder
from services.recorders.job_places import JobPlaces
from services.recorders.protocol import RecorderDown, ReplayUnsupported, Segment, WrongChannel
from services.runtime.errors import Fatal, NoPlace, NotPermitted, Outcome
from services.runtime.spans import Span
from services.vault.coverage import WrongFootage
from services.workers import preserve_footage, retrieve_footage


async def retrieve(desk: Desk, case: Case, item: int = 1, job_key: int = 77):  # type: ignore[no-untyped-def]
    return await desk.work(retrieve_footage, application_id=case.id, item_id=case.item(item), job_key=job_key)


def records(desk: Desk) -> list[Document]:
    return [row for row in desk.rows(Document) if row.kind == "retrieval-record"]


@pytest.mark.requirement("R35")
async def test_footage_comes_with_its_record_and_label_and_a_second_run_answers_the_same(desk: Desk) -> None:
    case = desk.case("gate").approve()

    first = await retrieve(desk, case)
    second = await retrieve(desk, case)

    assert first == second
    assert first.coverage == 1.0
    [master], [record] = desk.rows(Master), records(desk)
    assert desk.objects("masters") == [master.sealed["key"]]
    assert f"{master.sealed['key']}.label.json" in list(desk.store.list_keys("masters"))
    content = json.loads(record.content)
    assert content["operator"]["id"] == "operator"
    assert content["form"]["number"] == case.application.number
    assert content["outcome"] == desk.row(Item, case.item()).outcome == "complete"
    assert content["files"][0]["sha256Cipher"] == master.sealed["sha256Cipher"]
    assert first.record_number == record.number == "DQ-2031-000001"
    assert desk.row(Camera, "camera-gate").fingerprint == master.sealed["coverage"]["fingerprint"]


@pytest.mark.requirement("R34", verb="recorded")
async def test_the_record_tells_who_changed_the_recorder_after_the_form(desk: Desk) -> None:
    case = desk.case("gate").approve()
    renamed = {"zone": "UTC", "configuration": {"root": "/a"}}
    moved = {**renamed, "configuration": {"root": "/b"}}
    for new in (renamed, moved):
        desk.as_person(
            *("operator", audit_trail.record, "recorder-changed", "recorder", "recorder"),
            old={**renamed, "name": "before"},
            new=new,
        )

    await retrieve(desk, case)

    [change] = json.loads(records(desk)[0].content)["recorderChanges"]
    assert (change["by"]["id"], change["fields"]) == ("operator", ["root"])


@pytest.mark.requirement("R29", refuses=True)
async def test_nothing_is_retrieved_without_a_filed_form(desk: Desk) -> None:
    case = desk.case("gate")

    with pytest.raises(Fatal, match="no filed approved form"):
        await retrieve(desk, case)
    assert desk.everything() == []


@pytest.mark.requirement("R33", refuses=True)
async def test_nothing_is_retrieved_before_an_operator_has_released_it(desk: Desk) -> None:
    case = desk.case("gate").approve()
    desk.do(lambda uow: uow.session.execute(__import__("sqlalchemy").text("DELETE FROM decisions")))

    with pytest.raises(Fatal, match="no operator has released it"):
        await retrieve(desk, case)


@pytest.mark.requirement("R4")
async def test_the_granted_scope_is_retrieved_not_what_was_asked_for(desk: Desk) -> None:
    case = desk.case("gate").approve()
    granted = Span(ASKED.start + timedelta(seconds=4), ASKED.end - timedelta(seconds=6))
    desk.change(Item, case.item(), granted_start=granted.start, granted_end=granted.end)

    await retrieve(desk, case)

    [master] = desk.rows(Master)
    assert master.sealed["coverage"]["asked"] == [granted.start.isoformat(), granted.end.isoformat()]


async def test_a_gap_makes_the_item_partial_and_is_on_the_record(desk: Desk) -> None:
    case = desk.case("yard").approve()

    result = await retrieve(desk, case)

    # 2 to 8 and 16 to 20 of the asked 2 to 20
    assert result.coverage == pytest.approx(10 / 18, abs=0.02)
    assert desk.row(Item, case.item()).outcome == "partial"
    assert any(text.startswith("gap: ") for text in json.loads(records(desk)[0].content)["difficulties"])


async def test_items_of_one_case_are_retrieved_side_by_side(desk: Desk) -> None:
    import asyncio  # noqa: PLC0415

    case = desk.case("gate", "yard", "hall").approve()

    answers = await asyncio.gather(*(retrieve(desk, case, item, job_key=item) for item in (1, 2, 3)))

    assert len({answer.record_number for answer in answers}) == len(desk.objects("masters")) == 3


async def test_nothing_recorded_is_a_missing_item_with_a_record(desk: Desk) -> None:
    case = desk.case("dark").approve()

    for _ in range(2):
        with pytest.raises(Outcome) as caught:
            await retrieve(desk, case)
        assert caught.value.code == "FOOTAGE_MISSING"

    [record] = records(desk)
    assert json.loads(record.content)["outcome"] == "missing"
    assert desk.row(Item, case.item()).coverage == 0.0
    assert desk.everything() == []


async def test_a_file_that_is_no_footage_is_an_unreadable_item(desk: Desk) -> None:
    case = desk.case("gate").approve()
    for path in (desk.recordings / "gate").iterdir():
        path.write_bytes(path.read_bytes()[:700] + b"<html>sign in</html>" * 2000)

    with pytest.raises(Outcome) as caught:
        await retrieve(desk, case)

    assert caught.value.code == "FOOTAGE_UNREADABLE"
    assert desk.row(Item, case.item()).outcome == "unreadable"
    assert desk.everything() == []


async def test_a_recorder_that_is_down_is_waited_for_and_leaves_nothing(desk: Desk) -> None:
    case = desk.case("gate").approve()
    away = desk.recordings.rename(desk.root / "away")

    with pytest.raises(RecorderDown):
        await retrieve(desk, case)
    assert desk.everything() == []

    away.rename(desk.recordings)
    desk.clock.turn(measurements.ASKED_APART)
    assert (await retrieve(desk, case)).coverage == 1.0


async def test_the_tries_of_a_job_that_waits_leave_one_event(desk: Desk) -> None:
    case = desk.case("gate").approve()
    away = desk.recordings.rename(desk.root / "away")
    for _ in range(5):
        with pytest.raises(RecorderDown):
            await retrieve(desk, case)
        desk.clock.turn(measurements.ASKED_APART)
    events = len(desk.rows(AuditEvent))
    with pytest.raises(RecorderDown):
        await retrieve(desk, case)
    assert len(desk.rows(AuditEvent)) == events

    away.rename(desk.recordings)
    desk.clock.turn(measurements.ASKED_APART)
    await retrieve(desk, case)

    ordered = [row for row in desk.rows(AuditEvent) if row.action == retrieval_records.ORDERED]
    assert [row.subject_id for row in ordered] == [case.item()]


async def test_footage_of_another_camera_is_an_incident_and_nothing_is_kept(desk: Desk) -> None:
    case = desk.case("gate").approve()
    desk.change(Camera, "camera-gate", fingerprint="f" * 64)

    with pytest.raises(WrongFootage):
        await retrieve(desk, case)

    assert desk.everything() == []
    desk.change(Camera, "camera-gate", fingerprint=None)
    assert (await retrieve(desk, case)).coverage == 1.0


async def test_the_quarantine_becomes_the_master_where_the_recorder_has_lost_it(desk: Desk) -> None:
    case = desk.case("gate").approve()
    await desk.work(preserve_footage, application_id=case.id)
    for path in (desk.recordings / "gate").iterdir():
        path.unlink()

    first = await retrieve(desk, case)
    second = await retrieve(desk, case)

    assert first == second
    assert first.coverage == 1.0
    [master] = desk.rows(Master)
    assert master.origin == "quarantine"
    assert json.loads(records(desk)[0].content)["source"]["origin"] == "quarantine"
    assert len(desk.objects("masters")) == len(desk.objects("quarantine")) == 1


async def test_the_quarantine_is_taken_where_it_holds_more_than_the_recorder(desk: Desk) -> None:
    case = desk.case("gate").approve()
    await desk.work(preserve_footage, application_id=case.id)
    sorted((desk.recordings / "gate").iterdir())[2].unlink()

    assert (await retrieve(desk, case)).coverage == 1.0
    assert desk.rows(Master)[0].origin == "quarantine"


async def test_the_quarantine_serves_while_the_recorder_is_down(desk: Desk) -> None:
    case = desk.case("gate").approve()
    await desk.work(preserve_footage, application_id=case.id)
    desk.recordings.rename(desk.root / "away")

    assert (await retrieve(desk, case)).coverage == 1.0


@pytest.mark.requirement("R35")
async def test_the_quarantine_serves_where_the_camera_was_taken_down_meanwhile(desk: Desk) -> None:
    case = desk.case("gate").approve()
    await desk.work(preserve_footage, application_id=case.id)
    (desk.recordings / "gate").rename(desk.recordings / "elsewhere")

    assert (await retrieve(desk, case)).coverage == 1.0
    assert desk.rows(Master)[0].origin == "quarantine"
    assert "the recorder has no such channel any more; the quarantine holds the whole span" in records(desk)[0].content


CANNOT_FETCH = [
    RecorderDown("no", "forbidden"),
    RecorderDown("no", "broken-off"),
    WrongChannel("no"),
    ReplayUnsupported("no"),
]


def cannot_be_fetched_from(error: Exception) -> Any:
    async def fetch(*_: object) -> AsyncIterator[Segment]:
        raise error
        yield

    return patch.object(FolderRecorder, "fetch", fetch)


@pytest.mark.requirement("R35")
@pytest.mark.parametrize("error", CANNOT_FETCH)
async def test_the_quarantine_serves_where_the_recorder_lists_and_gives_nothing(desk: Desk, error: Exception) -> None:
    case = desk.case("gate").approve()
    await desk.work(preserve_footage, application_id=case.id)

    with cannot_be_fetched_from(error):
        assert (await retrieve(desk, case)).coverage == 1.0

    [master] = desk.rows(Master)
    assert (master.origin, desk.objects("masters")) == ("quarantine", [master.sealed["key"]])
    assert "the recorder could not be fetched from; the quarantine holds the whole span" in records(desk)[0].content
    masters_begun = [row for row in desk.rows(UploadAttempt) if row.purpose == "master"]
    assert [row.finished_at is None for row in masters_begun] == [row.swept_at is not None for row in masters_begun]
    assert len(masters_begun) == 2


@pytest.mark.requirement("R32", refuses=True)
@pytest.mark.parametrize("error", CANNOT_FETCH)
async def test_a_quarantine_that_lacks_some_is_no_excuse_for_a_recorder(desk: Desk, error: Exception) -> None:
    case = desk.case("gate").approve()
    lacking = sorted((desk.recordings / "gate").iterdir())[2]
    away = lacking.rename(desk.root / lacking.name)
    await desk.work(preserve_footage, application_id=case.id)
    away.rename(lacking)

    with cannot_be_fetched_from(error), pytest.raises(type(error)):
        await retrieve(desk, case)
    (desk.recordings / "gate").rename(desk.recordings / "elsewhere")
    with pytest.raises(WrongChannel):
        await retrieve(desk, case)
    assert desk.rows(Master) == records(desk) == []


async def test_footage_of_another_camera_is_an_incident_whatever_the_quarantine_holds(desk: Desk) -> None:
    case = desk.case("gate").approve()
    await desk.work(preserve_footage, application_id=case.id)
    desk.change(Camera, "camera-gate", fingerprint="f" * 64)

    with pytest.raises(WrongFootage):
        await retrieve(desk, case)
    assert desk.rows(Master) == []


async def test_a_crash_after_the_attempt_was_begun_is_swept_by_the_next_run(desk: Desk) -> None:
    case = desk.case("gate").approve()
    dead = desk.do(attempts.start, "master", application_id=case.id, item_id=case.item(), job_key=77)

    await retrieve(desk, case)

    assert desk.row(UploadAttempt, dead.id).swept_at is not None
    assert len(desk.objects("masters")) == 1


async def test_a_crash_between_put_and_finish_leaves_no_orphan(desk: Desk) -> None:
    case = desk.case("gate").approve()

    class Killed(BaseException):
        pass

    with patch.object(retrieval_records, "create", side_effect=Killed), pytest.raises(Killed):
        await retrieve(desk, case)
    assert len(desk.objects("masters")) == 1, "the object is there and no book knows of it but the attempt's row"

    await retrieve(desk, case)

    assert desk.objects("masters") == [desk.rows(Master)[0].sealed["key"]]
    assert len(records(desk)) == 1


async def test_a_crash_before_the_label_is_mended_by_the_next_run(desk: Desk) -> None:
    case = desk.case("gate").approve()

    class Killed(BaseException):
        pass

    with patch("services.workers.labelling.label_master", side_effect=Killed), pytest.raises(Killed):
        await retrieve(desk, case)
    first = records(desk)[0].number
    assert (await retrieve(desk, case)).record_number == first
    assert len(list(desk.store.list_keys("masters"))) == 2


async def test_a_case_withdrawn_while_it_is_fetched_keeps_nothing(desk: Desk) -> None:
    case = desk.case("gate").approve()
    keep = retrieval_records.create

    def withdrawn_meanwhile(uow, *arguments, **named):  # type: ignore[no-untyped-def]
        uow.session.get_one(Application, case.id).withdrawn_at = uow.now
        uow.session.flush()
        return keep(uow, *arguments, **named)

    with patch.object(retrieval_records, "create", withdrawn_meanwhile), pytest.raises(NoLongerWanted):
        await retrieve(desk, case)

    assert desk.everything() == []
    assert desk.rows(Master) == []
    assert records(desk) == []


async def test_a_case_that_has_ended_is_not_begun(desk: Desk) -> None:
    case = desk.case("gate").approve()
    desk.change(Application, case.id, closed_at=FILMED.start, closed_as="rejected")

    with pytest.raises(NotPermitted, match="closed as rejected"):
        await retrieve(desk, case)
    assert desk.rows(UploadAttempt) == []


async def test_of_two_runs_at_once_one_master_stays(desk: Desk) -> None:
    case = desk.case("gate").approve()
    keep = retrieval_records.create
    ran = False

    async def overtaken(actor, act, *arguments, **named):  # type: ignore[no-untyped-def]
        nonlocal ran
        if act is keep and not ran:
            ran = True
            await retrieve(desk, case, job_key=77)
        return await run(actor, act, *arguments, **named)

    run = desk.database.run
    with patch.object(desk.database, "run", overtaken), pytest.raises(NoLongerWanted):
        await retrieve(desk, case, job_key=77)

    assert desk.objects("masters") == [desk.do(masters.get_of_item, case.item()).sealed["key"]]
    assert len(records(desk)) == 1


async def test_a_job_without_a_place_at_its_recorder_leaves_nothing_and_is_done_later(desk: Desk) -> None:
    case, places = desk.case("gate").approve(), JobPlaces(2)
    desk.worker["places"] = places
    with places.one(retrieve_footage.JOB_TYPE, "recorder"), places.one(retrieve_footage.JOB_TYPE, "recorder"):
        with pytest.raises(NoPlace) as none:
            await retrieve(desk, case)
        assert (none.value.away, desk.rows(UploadAttempt), desk.rows(Progress)) == (None, [], [])
        with places.one(retrieve_footage.JOB_TYPE, "another"):
            assert places.taken(retrieve_footage.JOB_TYPE) == 3

    assert (await retrieve(desk, case)).coverage == 1.0
    assert places.taken(retrieve_footage.JOB_TYPE) == 0
