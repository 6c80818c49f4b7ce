"""Making redacted copies: each once, under a key of its own, whatever happens to the process that makes it."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import pytest
from bad_disk import bad_disk
from custody_desk import Case, Desk

from services.database.leases import Lease
from services.database.tables.copies import Copy
from services.database.tables.derivatives import Derivative, DerivativeAttempt
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.domain.custody import derivatives
from services.domain.matters import held as holds
from services.domain.matters import service
from services.runtime.errors import Refused
from services.vault.age import NotARecipient
from services.vault.envelopes import open_envelope
from services.vault.keys.vault_keys import KeyGone
from services.vault.labels import DERIVED, label_key
from services.vault.sealing import Sealed, open_sealed
from services.vault.store.breaker import MOST_SILENT
from services.vault.store.protocol import StoreDown, StoreLocked
from services.workers import redactions
from services.workers.redactions import RedactionMaker

BOX = {"start": 2000, "end": 6000, "keyframes": [{"at": 2000, "x": 0, "y": 0, "width": 160, "height": 64}]}
RECIPE = {"mode": "blur-these", "picture": {"width": 160, "height": 96}, "regions": [BOX]}


@pytest.fixture
def case(tmp_path: Path, footage: Path) -> Case:
    return Desk.at_stage("lend", tmp_path, footage, "gate")


def ask(case: Case, recipe: Any = RECIPE, by: str = "custodian", *, copy_id: str | None = None) -> str:
    desk = case.desk
    asked = {"reason": "被拍摄人申请复制。", "copyId": copy_id or desk.rows(Copy)[0].id, "recipe": recipe}
    matter: Matter = desk.as_person(by, service.open_matter, "redaction", case.id, asked)
    return matter.id


def maker(desk: Desk) -> RedactionMaker:
    lease = Lease(desk.database, redactions.LEASE, redactions.LENGTH)
    return RedactionMaker(desk.database, desk.store, desk.loan_keys, lambda: desk.signer, lease=lease)


def opened(desk: Desk, row: Derivative) -> bytes:
    assert row.sealed is not None
    assert row.attempt_id is not None
    sealed = Sealed.from_json(row.sealed)
    return bytes(open_sealed(desk.store, sealed.location, desk.loan_keys.unwrapper(row.attempt_id)).read())


@pytest.mark.requirement("R6", "R58")
async def test_a_redacted_copy_is_its_own_object_and_the_original_stays(case: Case) -> None:
    desk = case.desk
    [master], [copy] = desk.rows(Master), desk.rows(Copy)
    before = {key: desk.store.stat("copies", key) for key in desk.store.list_keys("copies")}
    matter_id = ask(case)

    assert await maker(desk).run()
    assert not await maker(desk).run()

    [row] = desk.rows(Derivative)
    sealed = Sealed.from_json(row.sealed)
    assert (row.matter_id, row.copy_id, row.master_id) == (matter_id, copy.id, master.id)
    assert row.retain_until == desk.clock.now() + timedelta(days=90)
    assert {key: desk.store.stat("copies", key) for key in before} == before
    assert sealed.key.startswith(f"copies/{row.id}/")
    facts = desk.store.stat("copies", sealed.key)
    assert facts is not None
    assert facts.legal_hold
    for key in (copy.id, row.id):
        with pytest.raises((NotARecipient, KeyGone)):
            open_sealed(desk.store, sealed.location, desk.loan_keys.unwrapper(key))

    whole = Sealed.from_json(copy.sealed)
    assert sealed.coverage.first_frame == whole.coverage.first_frame
    assert sealed.coverage.covered == whole.coverage.covered
    data = opened(desk, row)
    original = bytes(open_sealed(desk.store, whole.location, desk.loan_keys.unwrapper(copy.id)).read())
    with av.open(io.BytesIO(data)) as given, av.open(io.BytesIO(original)) as source:
        assert [frame.time for frame in given.decode(video=0)] == [frame.time for frame in source.decode(video=0)]
    assert row.facts["drawn"] == 41

    label = open_envelope(b"".join(desk.store.get("copies", label_key(sealed.key))))
    said = label.statement["predicate"]
    assert label.statement["predicateType"] == DERIVED
    assert said["statement"] == "derived, not the original"
    assert said["originals"]["master"]["sha256Footage"] == master.sealed["sha256Plain"]
    assert said["originals"]["copy"]["label"].startswith("BQ-")
    assert label.payload_sha256 == row.label_sha256


@pytest.mark.requirement("R6", refuses=True)
async def test_a_run_whose_process_died_is_begun_anew_and_nothing_is_there_twice(case: Case) -> None:
    desk = case.desk
    ask(case)
    dead = desk.do(derivatives.begin)
    desk.loan_keys.create(dead.attempt_id)
    desk.store.put(dead.bucket, dead.key, io.BytesIO(b"half of it"), metadata={}, legal_hold=True)

    assert await maker(desk).run()

    [row] = desk.rows(Derivative)
    assert row.attempt_id != dead.attempt_id
    assert dead.key not in desk.store.list_keys("copies")
    with pytest.raises(KeyGone):
        desk.loan_keys.unwrapper(dead.attempt_id)
    # the first one, which was only slow, brings its result late
    assert not desk.do(derivatives.finish, dead.attempt_id, {"sha256Plain": "x", "sha256Cipher": "y"}, {})
    assert desk.do(derivatives.finish, row.attempt_id, row.sealed, row.facts)
    states = {one.id: one.abandoned_because for one in desk.rows(DerivativeAttempt)}
    assert states == {dead.attempt_id: "its process has ended", row.attempt_id: None}


async def test_what_a_run_has_left_and_the_store_does_not_give_holds_up_no_other(case: Case) -> None:
    desk = case.desk
    ask(case)
    dead = desk.do(derivatives.begin)
    desk.store.put(dead.bucket, dead.key, io.BytesIO(b"half of it"), metadata={})
    delete = type(desk.store).delete

    def locked(store: Any, bucket: str, key: str, version_id: str) -> bool:
        if key == dead.key:
            raise StoreLocked("somebody has locked it in the store")
        return delete(store, bucket, key, version_id)

    with patch.object(type(desk.store), "delete", locked):
        assert await maker(desk).run()
    [row] = desk.rows(Derivative)
    assert row.label_sha256 is not None
    assert dead.key in desk.store.list_keys("copies")

    assert not await maker(desk).run()
    assert dead.key not in desk.store.list_keys("copies")


async def test_one_whose_copy_the_store_does_not_give_holds_up_no_other(tmp_path: Path, footage: Path) -> None:
    case = Desk.at_stage("lend", tmp_path, footage, "gate", "yard")
    desk = case.desk
    for copy in desk.rows(Copy):
        ask(case, copy_id=copy.id)
        desk.clock.turn(timedelta(seconds=1))
    first, second = sorted(desk.rows(Derivative), key=lambda row: row.queued_at)

    with bad_disk(desk.store, "get", desk.row(Copy, first.copy_id).sealed["key"]):
        with pytest.raises(StoreDown):
            await maker(desk).run()
        desk.clock.turn(timedelta(seconds=1))
        assert await maker(desk).run()
        assert [desk.row(Derivative, row.id).made_at is None for row in (first, second)] == [True, False]
        desk.clock.turn(timedelta(seconds=1))
        with pytest.raises(StoreDown):
            await maker(desk).run()
    assert await maker(desk).run()
    assert desk.row(Derivative, first.id).made_at is not None


@pytest.mark.parametrize("act", ["sweep", "stat"])
async def test_what_the_store_does_not_let_be_removed_keeps_none_from_being_made(case: Case, act: str) -> None:
    desk = case.desk
    ask(case)
    dead = desk.do(derivatives.begin)
    desk.store.put(dead.bucket, dead.key, io.BytesIO(b"half of it"), metadata={})

    with bad_disk(desk.store, act, dead.key):
        assert await maker(desk).run()
        [row] = desk.rows(Derivative)
        assert row.label_sha256 is not None
        with pytest.raises(StoreDown):
            await maker(desk).run()
    assert len(desk.rows(DerivativeAttempt)) == 2
    assert not await maker(desk).run()
    assert dead.key not in desk.store.list_keys("copies")


async def test_what_the_store_does_not_discard_keeps_none_behind_it_and_none_from_being_made(case: Case) -> None:
    desk = case.desk
    made = await make_discardable(case, 2)
    ask(case)

    with bad_disk(desk.store, "delete", f"*{made[0]}*"):
        assert await maker(desk).run()
        assert [desk.row(Derivative, one).discarded_at is None for one in made] == [True, False]
        assert all(row.made_at for row in desk.rows(Derivative))
        with pytest.raises(StoreDown):
            await maker(desk).run()
    await maker(desk).run()
    assert desk.row(Derivative, made[0]).discarded_at is not None


async def test_a_store_that_is_away_is_asked_for_no_more_than_a_few(case: Case) -> None:
    desk = case.desk
    ask(case)
    for _ in range(5):
        desk.do(derivatives.begin)

    with bad_disk(desk.store, "sweep", "copies/*") as asked, pytest.raises(StoreDown):
        await maker(desk).run()
    assert len(asked) == MOST_SILENT + 1  # and once for what was made


async def make_discardable(case: Case, count: int) -> list[str]:
    """Make redacted copies whose time is over."""
    desk = case.desk
    for _ in range(count):
        matter_id = ask(case)
        await maker(desk).run()
        desk.do(_close, matter_id)
    made = [row.id for row in desk.rows(Derivative)]
    for row_id in made:
        desk.change(Derivative, row_id, retain_until=desk.clock.now())
    return made


async def test_a_label_that_a_dying_process_has_not_written_is_written_by_the_next(case: Case) -> None:
    desk = case.desk
    ask(case)
    await maker(desk).run()
    [row] = desk.rows(Derivative)
    desk.change(Derivative, row.id, label_sha256=None)
    assert not await maker(desk).run()
    assert desk.row(Derivative, row.id).label_sha256 == row.label_sha256


@pytest.mark.requirement("R6", refuses=True)
async def test_one_process_of_several_makes_them(case: Case) -> None:
    desk = case.desk
    ask(case)
    other = Lease(desk.database, redactions.LEASE, redactions.LENGTH, holder="another process")
    assert await other.hold()
    assert not await maker(desk).run()
    assert not desk.rows(DerivativeAttempt)


@pytest.mark.requirement("R6", "R58", refuses=True)
async def test_what_nobody_can_decide_any_more_is_not_made(case: Case) -> None:
    desk = case.desk
    matter_id = ask(case)
    desk.change(Matter, matter_id, closed_at=desk.clock.now(), closed_as="moot")
    assert not await maker(desk).run()
    [row] = desk.rows(Derivative)
    assert row.ended_at is not None
    assert row.made_at is None


@pytest.mark.requirement("R6")
async def test_a_damaged_copy_is_not_redacted_and_is_said_to_be(case: Case) -> None:
    desk = case.desk
    [copy] = desk.rows(Copy)
    ask(case)
    desk.damage("copies", copy.sealed["key"])
    assert await maker(desk).run()
    [row] = desk.rows(Derivative)
    assert row.failed_because
    assert row.made_at is None
    assert [key for key in desk.objects("copies") if row.id in key] == []


@pytest.mark.requirement("R67")
async def test_the_redacted_copy_of_a_held_case_stays_beyond_its_time(case: Case) -> None:
    desk = case.desk
    ask(case)
    await maker(desk).run()
    [row] = desk.rows(Derivative)
    number = str(case.application.number)
    desk.do(_post, "security", "head")
    hold = desk.as_person("security", holds.place, number, cause="manual", reason="争议。")
    desk.clock.turn(timedelta(days=91))

    await maker(desk).run()
    assert opened(desk, row)

    desk.do(_end_holds, hold.id)
    await maker(desk).run()
    assert desk.row(Derivative, row.id).discarded_at is not None
    assert [key for key in desk.store.list_keys("copies") if row.id in key] == []
    with pytest.raises(KeyGone):
        opened(desk, row)


async def test_what_the_store_refuses_to_discard_keeps_nothing_behind_it(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = case.desk
    first, second = sorted(await make_discardable(case, 2))
    monkeypatch.setattr(redactions, "AT_ONCE", 1)
    delete = type(desk.store).delete

    def locked(store: Any, bucket: str, key: str, version_id: str) -> bool:
        if first in key:
            raise StoreLocked("somebody has locked it in the store")
        return delete(store, bucket, key, version_id)

    with patch.object(type(desk.store), "delete", locked):
        await maker(desk).run()
    assert desk.row(Derivative, first).discarded_at is None
    assert desk.row(Derivative, second).discarded_at is not None
    await maker(desk).run()
    assert desk.row(Derivative, first).discarded_at is not None


def _post(uow: Any, person: str, kind: str) -> None:
    from services.database.tables.people import Department, Post  # noqa: PLC0415

    uow.session.add(Department(id="guards", name_zh="安全保卫部", name_en="Security", kind="security"))
    uow.session.flush()
    uow.session.add(Post(person_id=person, department_id="guards", kind=kind, since=uow.now))


def _close(uow: Any, matter_id: str) -> None:
    uow.session.get_one(Matter, matter_id).closed_at = uow.now


def _end_holds(uow: Any, hold_id: str) -> None:
    from services.database.tables.holds import Hold  # noqa: PLC0415

    uow.session.get_one(Hold, hold_id).lifted_at = uow.now


@pytest.mark.requirement("R58", refuses=True)
def test_a_recipe_beyond_the_footage_or_of_another_copy_is_refused(case: Case) -> None:
    late = {**BOX, "start": 900_000, "end": 900_500, "keyframes": [{**BOX["keyframes"][0], "at": 900_000}]}
    for recipe in ({**RECIPE, "regions": [late]}, {**RECIPE, "regions": []}, "no recipe", None):
        with pytest.raises(Refused) as caught:
            ask(case, recipe)
        assert caught.value.status == 422
        assert caught.value.field == "recipe"
    with pytest.raises(Refused):
        ask(case, by="stranger")
    assert not case.desk.rows(Derivative)
