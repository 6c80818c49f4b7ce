"""retrieve-footage takes from the archive what neither recorder nor quarantine has, and never more than was granted."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from custody_desk import ASKED, FILMED, HASH, NOON, Case, Desk

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.maintenance import Damage
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.people import Department, Person, Post
from services.database.tables.reviews import Finding
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import security_check
from services.domain.custody import disposals
from services.domain.retrieval import archive
from services.domain.retrieval import records as retrieval_records
from services.runtime.errors import Outcome, Retryable
from services.runtime.spans import Span
from services.vault.sealing import MasterDamaged, Sealed, open_sealed
from services.vault.store.replicas import ObjectDamaged
from services.workers import (
    encrypt_copy,
    preserve_footage,
    quarantine,
    re_archive,
    retrieve_footage,
    reverify_footage,
)

YEAR, SECOND = timedelta(days=365), timedelta(seconds=1)
FIRST_HALF = Span(ASKED.start, ASKED.start + timedelta(seconds=9))
TAKEN = "taken from the archive, whole as it was retrieved for another application"


@pytest.fixture
def desk_of_each(any_database_url: str, tmp_path: Path, footage: Path) -> Desk:
    """The same on each kind of database."""
    return Desk(tmp_path, footage, database_url=any_database_url)


async def archived(desk: Desk, channel: str = "gate", **values: Any) -> Case:
    """A case whose loan was returned and inspected."""
    case = desk.case(channel, **values)
    hand_over_id = await case.lend()
    case.give_back(hand_over_id)
    await case.inspect(hand_over_id)
    await desk.work(re_archive, application_id=case.id, hand_over_id=hand_over_id, decision="in-order")
    return case


def overwrite(desk: Desk, channel: str = "gate") -> None:
    """The recorder has nothing of the camera any more."""
    for path in (desk.recordings / channel).iterdir():
        path.unlink()


async def retrieve(desk: Desk, case: Case, job_key: int = 77) -> Any:
    return await desk.work(retrieve_footage, application_id=case.id, item_id=case.item(), job_key=job_key)


async def missing(desk: Desk, case: Case) -> list[str]:
    """Nothing is retrieved; what the record says of it."""
    with pytest.raises(Outcome) as caught:
        await retrieve(desk, case)
    assert caught.value.code == "FOOTAGE_MISSING"
    assert master_of(desk, case) is None
    return list(record_of(desk, case)["difficulties"])


def master_of(desk: Desk, case: Case) -> Master | None:
    return next((row for row in desk.rows(Master) if row.application_id == case.id), None)


def record_of(desk: Desk, case: Case) -> dict[str, Any]:
    [record] = [row for row in desk.rows(Document) if row.kind == "retrieval-record" and row.item_id == case.item()]
    return dict(json.loads(record.content))


def person(desk: Desk, name: str, post: str, department: str = "works") -> None:
    def add(uow: UnitOfWork) -> None:
        if uow.session.get(Department, department) is None:
            uow.session.add(Department(id=department, name_zh=department, name_en=department, kind=department))
            uow.session.flush()
        uow.session.add(Person(id=name, login=name, name=name, department_id=department, password_hash=HASH))
        uow.session.flush()
        uow.session.add(Post(person_id=name, department_id=department, kind=post, since=NOON - timedelta(days=9)))

    desk.do(add)


@pytest.mark.requirement("R1", "R40")
async def test_what_the_recorder_has_lost_comes_from_the_archive_with_the_record_of_its_time(desk: Desk) -> None:
    desk.change(Recorder, "recorder", clock_offset_ms=1500, clock_method="picture", clock_uncertainty_ms=1000)
    earlier = await archived(desk)
    overwrite(desk)
    desk.clock.turn(YEAR)
    desk.change(Recorder, "recorder", clock_offset_ms=-60_000, model="of another make")
    case = desk.case("gate").approve()

    first = await retrieve(desk, case)
    second = await retrieve(desk, case, job_key=78)

    assert first == second
    assert first.coverage == 1.0
    kept, master = master_of(desk, earlier), master_of(desk, case)
    assert kept is not None
    assert master is not None
    assert master.origin == "archive"
    assert (master.sealed["key"] != kept.sealed["key"], master.sealed["sha256Cipher"]) == (
        True,
        kept.sealed["sha256Cipher"],
    )
    assert master.retain_until is not None
    before, record = record_of(desk, earlier), record_of(desk, case)
    assert record["source"] == {**before["source"], "origin": "archive"}
    assert record["recorderClock"] == before["recorderClock"]
    assert record["searched"] == before["searched"]
    assert record["obtained"] == before["obtained"]
    assert TAKEN in record["difficulties"]
    # who reads record or label learns of no other case
    told = json.dumps([record, desk.label_of(master.sealed)], ensure_ascii=False)
    assert "archive" in told
    for secret in (earlier.id, str(earlier.application.number), before["number"], kept.sealed["key"]):
        assert secret not in told

    await desk.work(encrypt_copy, application_id=case.id, item_id=case.item())
    [copy] = [row for row in desk.rows(Copy) if row.application_id == case.id]
    sealed = Sealed.from_json(copy.sealed)
    assert sealed.outcome == "complete"
    assert open_sealed(desk.store, sealed.location, desk.loan_keys.unwrapper(copy.id)).size == sealed.plain_size


@pytest.mark.requirement("R4", "R34", refuses=True)
@pytest.mark.parametrize("source", ["archive", "quarantine"])
async def test_a_clock_that_was_set_right_since_leaves_a_part_beyond_the_release_which_is_partial(
    desk: Desk, source: str
) -> None:
    slow, later = timedelta(seconds=6), Span(ASKED.start + timedelta(seconds=8), ASKED.end)
    desk.change(Recorder, "recorder", clock_offset_ms=-6000, clock_method="picture", clock_uncertainty_ms=1000)
    earlier = await archived(desk, span=later) if source == "archive" else None
    case = desk.case("gate", span=later)
    if earlier is None:
        await desk.work(preserve_footage, application_id=case.id)
    overwrite(desk)
    desk.change(Recorder, "recorder", clock_offset_ms=0)
    case.approve()

    result = await retrieve(desk, case)

    master, record = master_of(desk, case), record_of(desk, case)
    assert master is not None
    assert master.origin == source
    searched = Span(later.start - slow - SECOND, later.end + SECOND)
    assert record["searched"] == {"start": searched.start.isoformat(), "end": searched.end.isoformat()}
    assert result.coverage == pytest.approx(12 / 18)
    assert (record["outcome"], record["lossAccepted"]) == ("partial", False)
    assert retrieve_footage.BEYOND_RELEASE in record["difficulties"]
    # what a person then accepts is no more than the release says
    await desk.work(encrypt_copy, application_id=case.id, item_id=case.item())
    [copy] = [row for row in desk.rows(Copy) if row.application_id == case.id]
    released = Span(later.start - SECOND, later.end + SECOND)
    assert Sealed.from_json(copy.sealed).coverage.asked == released


@pytest.mark.requirement("R40")
async def test_the_archive_is_asked_last_and_gives_what_the_recorder_lacks(desk: Desk) -> None:
    await archived(desk)
    whole = desk.case("gate").approve()
    await retrieve(desk, whole)
    assert master_of(desk, whole).origin == "recorder"  # type: ignore[union-attr]  # it was retrieved

    preserved = desk.case("gate").approve()
    await desk.work(preserve_footage, application_id=preserved.id)
    overwrite(desk)
    await retrieve(desk, preserved)
    assert master_of(desk, preserved).origin == "quarantine"  # type: ignore[union-attr]

    shutil.copytree(desk.footage / "gate", desk.recordings / "gate", dirs_exist_ok=True)
    sorted((desk.recordings / "gate").iterdir())[2].unlink()
    lacking = desk.case("gate").approve()
    assert (await retrieve(desk, lacking)).coverage == 1.0
    assert master_of(desk, lacking).origin == "archive"  # type: ignore[union-attr]

    desk.recordings.rename(desk.root / "away")
    down = desk.case("gate").approve()
    assert (await retrieve(desk, down)).coverage == 1.0
    assert "the recorder was down; the archive holds the whole span" in record_of(desk, down)["difficulties"]


@pytest.mark.requirement("R32", "R35")
async def test_a_part_is_a_part_and_its_gap_is_on_record_and_label(desk: Desk) -> None:
    await archived(desk, span=FIRST_HALF)
    overwrite(desk)
    case = desk.case("gate").approve()

    result = await retrieve(desk, case)

    assert result.coverage == pytest.approx(0.5, abs=0.05)
    assert desk.row(Item, case.item()).outcome == "partial"
    record, master = record_of(desk, case), master_of(desk, case)
    assert master is not None
    [gap] = record["obtained"]["gaps"]
    assert gap[1] == ASKED.end.isoformat()
    assert f"gap: {gap[0]} to {gap[1]}" in record["difficulties"]
    label = desk.label_of(master.sealed)["predicate"]
    assert (label["outcome"], label["gaps"], label["searched"]) == (
        "partial",
        [gap],
        [ASKED.start.isoformat(), ASKED.end.isoformat()],
    )


@pytest.mark.requirement("R4", refuses=True)
async def test_a_longer_span_than_was_granted_is_not_taken(desk: Desk) -> None:
    await archived(desk)
    overwrite(desk)
    case = desk.case("gate", span=FIRST_HALF).approve()

    assert any("longer span, which was not taken" in text for text in await missing(desk, case))

    # nor what a reviewer has not granted
    narrowed = desk.case("gate").approve()
    desk.change(Item, narrowed.item(), granted_start=ASKED.start, granted_end=ASKED.start + timedelta(seconds=6))
    await missing(desk, narrowed)


@pytest.mark.requirement("R34", refuses=True)
@pytest.mark.parametrize("why", ["another camera", "another time", "lent", "replaced", "unneeded", "suspected"])
async def test_what_is_not_archived_or_not_of_this_camera_and_time_is_not_taken(desk: Desk, why: str) -> None:
    earlier = await archived(desk, "hall" if why == "another camera" else "gate")
    master = master_of(desk, earlier)
    assert master is not None
    states: dict[str, dict[str, Any]] = {
        "lent": {"archived_at": None},
        "replaced": {"superseded_at": desk.clock.now()},
        "unneeded": {"unneeded_at": desk.clock.now()},
        "suspected": {"suspect_since": desk.clock.now()},
    }
    desk.change(Master, master.id, **states.get(why, {}))
    overwrite(desk)
    later = Span(ASKED.end, FILMED.end)
    case = desk.case("gate", span=later if why == "another time" else None).approve()

    assert not any("archive" in text for text in await missing(desk, case))


@pytest.mark.requirement("R6", refuses=True)
@pytest.mark.parametrize("how", ["changed", "gone"])
async def test_a_damaged_master_is_not_used_and_is_examined_first(desk: Desk, how: str) -> None:
    damaged = master_of(desk, await archived(desk))
    assert damaged is not None
    overwrite(desk)
    if how == "gone":
        desk.remove_as_root("masters", damaged.sealed["key"])
    else:
        desk.damage("masters", damaged.sealed["key"])
    case = desk.case("gate").approve()

    assert "a master of the archive is damaged; it was not used" in await missing(desk, case)

    assert desk.row(Master, damaged.id).suspect_since is not None
    left = [] if how == "gone" else [damaged.sealed["key"]]
    assert desk.objects("masters") == left
    with pytest.raises(Outcome):  # there is no replica to repair it from
        await reverify_footage.handle(
            reverify_footage.Command(next(desk.keys)), desk.database, desk.store, desk.replica_store
        )
    [damage] = desk.rows(Damage)
    assert (damage.master_id, damage.place) == (damaged.id, "primary")
    # a damage that is known is not even read
    again = desk.case("gate").approve()
    assert not any("archive" in text for text in await missing(desk, again))


async def test_where_one_is_damaged_the_next_best_serves(desk: Desk) -> None:
    whole = master_of(desk, await archived(desk))
    part = master_of(desk, await archived(desk, span=FIRST_HALF))
    assert whole is not None
    assert part is not None
    overwrite(desk)
    desk.damage("masters", whole.sealed["key"])
    case = desk.case("gate").approve()

    assert (await retrieve(desk, case)).coverage == pytest.approx(0.5, abs=0.05)

    master = master_of(desk, case)
    assert master is not None
    assert master.sealed["sha256Cipher"] == part.sealed["sha256Cipher"]
    assert len(desk.objects("masters")) == 3


@pytest.mark.requirement("R6", refuses=True)
async def test_a_damaged_master_of_the_earlier_issue_is_waited_for_and_where_it_is_lost_the_recorder_serves(
    desk: Desk,
) -> None:
    first = desk.case("gate").approve()
    await retrieve(desk, first)
    earlier = master_of(desk, first)
    assert earlier is not None
    case = desk.case("gate")
    desk.change(Item, case.item(), replaces_id=first.item(), unchanged=True)
    case.approve()
    desk.damage("masters", earlier.sealed["key"])

    with pytest.raises(MasterDamaged, match="earlier issue"):
        await retrieve(desk, case)

    assert desk.row(Master, earlier.id).suspect_since is not None
    assert desk.objects("masters") == [earlier.sealed["key"]]
    with pytest.raises(Outcome):  # there is no replica to repair it from
        await reverify_footage.handle(
            reverify_footage.Command(next(desk.keys)), desk.database, desk.store, desk.replica_store
        )
    assert (await retrieve(desk, case)).coverage == 1.0
    assert master_of(desk, case).origin == "recorder"  # type: ignore[union-attr]  # it was retrieved


@pytest.mark.requirement("R6", "R32", refuses=True)
@pytest.mark.parametrize("how", ["changed", "gone"])
async def test_what_the_quarantine_has_and_is_damaged_is_not_used_and_the_rest_serves(desk: Desk, how: str) -> None:
    case = desk.case("gate").approve()
    await desk.work(preserve_footage, application_id=case.id)
    sorted((desk.recordings / "gate").iterdir())[2].unlink()
    [key] = desk.objects("quarantine")
    if how == "gone":
        desk.remove_as_root("quarantine", key)
    else:
        desk.damage("quarantine", key)

    assert 0.5 < (await retrieve(desk, case)).coverage < 1

    assert master_of(desk, case).origin == "recorder"  # type: ignore[union-attr]  # it was retrieved
    assert "what the quarantine had is damaged; it was not used" in record_of(desk, case)["difficulties"]
    [event] = [one for one in desk.rows(AuditEvent) if one.action == "object-damaged"]
    assert event.subject_id == key
    told = [one.person_id for one in desk.rows(Notice) if one.code == "footage-damaged"]
    assert told == ["security"]


@pytest.mark.requirement("R6", "R40")
async def test_in_the_place_of_a_damaged_quarantine_the_archive_serves(desk: Desk) -> None:
    await archived(desk)
    case = desk.case("gate").approve()
    await desk.work(preserve_footage, application_id=case.id)
    overwrite(desk)
    [key] = desk.objects("quarantine")
    desk.damage("quarantine", key)

    assert (await retrieve(desk, case)).coverage == 1.0

    assert master_of(desk, case).origin == "archive"  # type: ignore[union-attr]  # it was retrieved
    assert "what the quarantine had is damaged; it was not used" in record_of(desk, case)["difficulties"]


@pytest.mark.requirement("R6", refuses=True)
async def test_where_all_that_is_left_is_damaged_the_footage_is_missing(desk: Desk) -> None:
    case = desk.case("gate").approve()
    await desk.work(preserve_footage, application_id=case.id)
    overwrite(desk)
    desk.damage("quarantine", desk.objects("quarantine")[0])

    assert "what the quarantine had is damaged; it was not used" in await missing(desk, case)


async def test_a_quarantine_that_seemed_damaged_once_is_asked_again(desk: Desk) -> None:
    case = desk.case("gate").approve()
    await desk.work(preserve_footage, application_id=case.id)
    overwrite(desk)
    with (
        patch.object(quarantine, "replicate", side_effect=ObjectDamaged("read otherwise")),
        pytest.raises(Retryable, match="reads otherwise"),
    ):
        await retrieve(desk, case)
    assert (await retrieve(desk, case)).coverage == 1.0


async def test_a_killed_run_leaves_nothing_that_the_next_one_does_not_find(desk: Desk) -> None:
    await archived(desk)
    overwrite(desk)
    case = desk.case("gate").approve()

    class Killed(BaseException):
        pass

    with patch.object(retrieval_records, "create", side_effect=Killed), pytest.raises(Killed):
        await retrieve(desk, case)
    assert len(desk.objects("masters")) == 2

    await retrieve(desk, case, job_key=78)

    master = master_of(desk, case)
    assert master is not None
    assert sorted(desk.objects("masters")) == sorted(row.sealed["key"] for row in desk.rows(Master))
    assert all(row.swept_at or row.finished_at for row in desk.rows(UploadAttempt))


@pytest.mark.requirement("R67")
async def test_a_held_case_serves_another_one_and_stays_as_it_is(desk: Desk) -> None:
    earlier = await archived(desk)
    held = Hold(id="hold", application_id=earlier.id, cause="authority", reason="公安机关来函要求保留")
    held.placed_by = held.owner_id = "security"
    held.placed_at, held.review_at = desk.clock.now(), desk.clock.now() + YEAR
    desk.do(lambda uow: uow.session.add(held))
    before = master_of(desk, earlier)
    overwrite(desk)
    case = desk.case("gate").approve()

    assert (await retrieve(desk, case)).coverage == 1.0
    assert master_of(desk, earlier).sealed == before.sealed  # type: ignore[union-attr]


@pytest.mark.requirement("R5", refuses=True)
async def test_what_concerns_anybody_serves_no_other_case_and_is_not_told_of(desk: Desk) -> None:
    await archived(desk, subject_ids=["stranger"])
    overwrite(desk)
    case = desk.case("gate").approve()

    assert not any("archive" in text for text in await missing(desk, case))


@pytest.mark.requirement("R34", "R44", refuses=True)
@pytest.mark.parametrize("kind", ["problem", "recall"])
async def test_what_was_reported_or_recalled_serves_no_other_case(desk: Desk, kind: str) -> None:
    earlier = await archived(desk)

    def report(uow: UnitOfWork) -> None:
        given = {"id": kind, "number": "WT-2031-000001", "kind": kind, "application_id": earlier.id, "facts": {}}
        uow.session.add(Matter(**given, facts_sha256=HASH, opened_by="security", opened_at=uow.now))

    desk.do(report)
    overwrite(desk)
    case = desk.case("gate").approve()

    assert not any("archive" in text for text in await missing(desk, case))


@pytest.mark.requirement("R24", "R26", refuses=True)
async def test_what_was_retrieved_for_an_important_case_serves_important_ones_alone(desk: Desk) -> None:
    earlier = await archived(desk)
    desk.change(Application, earlier.id, importance="important")
    overwrite(desk)
    ordinary, important = desk.case("gate").approve(), desk.case("gate").approve()
    desk.change(Application, important.id, importance="important")

    assert not any("archive" in text for text in await missing(desk, ordinary))
    assert (await retrieve(desk, important)).coverage == 1.0


@pytest.mark.requirement("R44", refuses=True)
async def test_footage_that_was_replaced_does_not_come_again(desk: Desk) -> None:
    await archived(desk)
    overwrite(desk)
    case = desk.case("gate").approve()
    await retrieve(desk, case)
    [item] = [row for row in desk.rows(Item) if row.id == case.item()]

    def listed(uow: UnitOfWork) -> dict[str, list[Any]]:
        application = uow.session.get_one(Application, case.id)
        return archive.list_of(uow, application, archive.wanted_of(item))

    assert desk.do(listed) == {item.id: []}


@pytest.mark.requirement("R22")
async def test_security_alone_is_told_what_the_archive_has(desk: Desk) -> None:
    def told(case: Case) -> str | None:
        def check(uow: UnitOfWork) -> str | None:
            security_check.review(uow, case.id)
            of_security = {one.code: one.en for one in uow.session.query(Finding).filter_by(application_id=case.id)}
            return of_security.get("footage-archived")

        return desk.do(check)  # type: ignore[no-any-return]

    earlier = await archived(desk)
    desk.clock.turn(YEAR)

    assert "100 %" in str(told(desk.case("gate")))
    longer = Span(ASKED.start - (ASKED.end - ASKED.start), ASKED.end)
    assert "50 %" in str(told(desk.case("gate", span=longer)))
    # one that cannot be cut to less is of no use
    assert told(desk.case("gate", span=FIRST_HALF)) is None
    assert "footage-archived" in security_check.REVIEWERS_ONLY
    desk.change(Application, earlier.id, subject_ids=["stranger"])
    assert told(desk.case("gate")) is None


@pytest.mark.requirement("R47")
async def test_who_sees_both_cases_reads_where_it_is_from_and_nobody_else(desk_of_each: Desk) -> None:
    desk = desk_of_each
    person(desk, "elsewhere-head", "head", "elsewhere")
    earlier = await archived(desk, department_id="elsewhere", drafter_id="elsewhere-head")
    overwrite(desk)
    case = desk.case("gate").approve()
    await retrieve(desk, case)
    masters = [row for row in desk.rows(Master) if row.application_id == case.id]

    read = {one: desk.as_person(one, archive.list_records, masters) for one in ("supervisor", "drafter", "custodian")}

    assert read == {
        "supervisor": {masters[0].id: record_of(desk, earlier)["number"]},
        "drafter": {},
        "custodian": {masters[0].id: record_of(desk, earlier)["number"]},  # of both
    }


@pytest.mark.requirement("R52", refuses=True)
async def test_nothing_is_disposed_of_that_an_open_application_asks_for(desk_of_each: Desk) -> None:
    desk = desk_of_each
    earlier = await archived(desk)
    overwrite(desk)
    desk.clock.turn(5 * YEAR)

    def listed() -> list[str]:
        return [application_id for _, application_id in desk.do(disposals.list_ended, 10)]

    assert listed() == [earlier.id]
    other = desk.case("hall")
    assert listed() == [earlier.id]
    case = desk.case("gate")
    assert listed() == []
    desk.change(Application, case.id, withdrawn_at=desk.clock.now())
    assert listed() == [earlier.id]
    again = desk.case("gate").approve()
    assert listed() == []

    await retrieve(desk, again)

    assert listed() == [earlier.id]
    assert other.application.closed_at is None


@pytest.mark.requirement("R34", refuses=True)
@pytest.mark.parametrize("led", ["channel", "recorder"])
async def test_a_camera_that_is_led_elsewhere_since_is_another_one(desk: Desk, led: str) -> None:
    await archived(desk)
    overwrite(desk)
    if led == "channel":
        desk.change(Camera, "camera-gate", channel="moved")
        (desk.recordings / "moved").mkdir()
    else:
        desk.change(Recorder, "recorder", identity="of another one")
    case = desk.case("gate").approve()

    assert not any("archive" in text for text in await missing(desk, case))
