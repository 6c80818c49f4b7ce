"""Nothing of a held case is discarded, and a refused one keeps its footage for an appeal (T6, R67, F14, F34)."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from bad_disk import bad_disk
from custody_desk import HASH, NOON, Case, Desk

from services.database.tables.applications import Item
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.masters import Master
from services.database.tables.notices import Notice
from services.database.tables.people import Department, Person, Post
from services.database.tables.preservations import Preservation
from services.database.tables.protections import Protection
from services.database.tables.reviews import Decision
from services.database.tables.uploads import Upload
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import discards, locks
from services.domain.holds import queries, service
from services.domain.matters import held as matters_held
from services.domain.retrieval import upload_sources
from services.vault.keys.vault_keys import KeyGone
from services.vault.labels import label_key
from services.vault.store.protocol import Store, StoreDown, StoreLocked
from services.workers import (
    back_up_footage,
    preserve_footage,
    re_archive,
    release_preservation,
    vault_actions,
)

PASSWORD = "a password that is long"
WINDOW = timedelta(days=7)
TERM = timedelta(days=63)  # of 30 days of use, 3 of grace, and 30 more


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture(autouse=True)
def legal(desk: Desk) -> None:
    """Two people lead Legal, and one leads Security."""

    def add(uow: UnitOfWork) -> None:
        for kind in ("legal", "security"):
            uow.session.add(Department(id=kind, name_zh=kind, name_en=kind, kind=kind))
        uow.session.flush()
        for person, department, post in (
            ("counsel", "legal", "head"),
            ("counsel2", "legal", "deputy"),
            ("guard", "security", "head"),
        ):
            uow.session.add(Person(id=person, login=person, name=person, department_id=department, password_hash=HASH))
            uow.session.flush()
            since = NOON - timedelta(days=9)
            uow.session.add(Post(person_id=person, department_id=department, kind=post, since=since))

    desk.do(add)


def place(desk: Desk, case: Case, by: str = "counsel") -> str:
    number = case.application.number
    held = desk.as_person(by, matters_held.place, number, cause="authority", reason="公安机关来函要求保留")
    return str(held.id)


def lift(desk: Desk, hold_id: str) -> None:
    """Lift it as a decided matter does; who decides that is tested in tests/unit/domain/holds."""

    def act(uow: UnitOfWork) -> None:
        decision = Decision(id="decided", decided_by=uow.actor.id, signature={})
        service.lift(uow, uow.session.get_one(Hold, hold_id), decision, "案件已办结")

    desk.as_person("guard", act)


async def preserved(desk: Desk) -> Case:
    case = desk.case("gate")
    await desk.work(preserve_footage, application_id=case.id)
    return case


async def ended(desk: Desk, case: Case, outcome: str = "withdrawn") -> None:
    case.ready_to_end(outcome)
    await desk.work(release_preservation, application_id=case.id, closing_outcome=outcome)


async def with_everything(desk: Desk) -> Case:
    """A case with quarantine, master, replica and a copy that was not handed over."""
    case = await preserved(desk)
    await case.approve(backup_needed=True).retrieve()
    await case.back_up()
    await case.encrypt()
    return case


@pytest.mark.requirement("R67")
@pytest.mark.parametrize("outcome", ["withdrawn", "rejected", "expired"])
async def test_a_held_case_closes_and_loses_nothing_but_its_loan_keys(desk: Desk, outcome: str) -> None:
    case = await with_everything(desk)
    hold_id = place(desk, case)
    kept = {bucket: desk.objects(bucket) for bucket in ("quarantine", "masters", "copies")}

    await ended(desk, case, outcome)
    desk.clock.turn(2 * TERM)
    await desk.keep_locks()
    await desk.discard()

    assert case.application.closed_at is not None
    assert {bucket: desk.objects(bucket) for bucket in kept} == kept
    assert len(desk.locked_until("replicas")) == 1
    [master], [copy], [preservation] = desk.rows(Master), desk.rows(Copy), desk.rows(Preservation)
    assert master.awaits_disposal
    assert (preservation.released_at, preservation.discarded_at, copy.discarded_at) == (None, None, None)
    with pytest.raises(KeyGone):
        desk.loan_keys.unwrapper(copy.id)

    lift(desk, hold_id)
    await desk.keep_locks()
    await desk.discard()
    await desk.keep_locks()

    assert desk.everything() == []
    assert all(row.discarded_at for kind in (Master, Copy, Preservation) for row in desk.rows(kind))
    assert case.application.discard_after is None


@pytest.mark.requirement("R67")
async def test_the_end_of_a_loan_discards_nothing_of_a_held_case(desk: Desk) -> None:
    case = await preserved(desk)
    hand_over_id = await case.lend()
    hold_id = place(desk, case)
    case.give_back(hand_over_id)
    await case.inspect(hand_over_id)

    ids = {"application_id": case.id, "hand_over_id": hand_over_id}
    for _ in range(2):
        await desk.work(re_archive, **ids, decision="in-order")
    await desk.discard()

    assert len(desk.objects("quarantine")) == 1
    with pytest.raises(KeyGone):
        desk.loan_keys.unwrapper(desk.rows(Copy)[0].id)
    documents = desk.locked_until("documents")
    assert documents
    assert all(desk.store.stat("documents", key).legal_hold for key in documents)

    lift(desk, hold_id)
    await desk.discard()
    await desk.keep_locks()
    assert desk.objects("quarantine") == []
    assert desk.objects("copies") != [], "what was lent stays"
    assert not any(desk.store.stat("documents", key).legal_hold for key in desk.locked_until("documents"))


@pytest.mark.requirement("R65")
async def test_a_discrepancy_holds_the_case_by_itself(desk: Desk) -> None:
    case = await preserved(desk)
    hand_over_id = await case.lend()
    case.give_back(hand_over_id)
    assert not desk.do(queries.is_held, case.id)
    await case.inspect(hand_over_id, "discrepancy")
    assert [one.cause for one in desk.do(queries.list_holdings, case.id)] == ["dispute"]

    await desk.work(re_archive, application_id=case.id, hand_over_id=hand_over_id, decision="discrepancy")
    desk.clock.turn(2 * TERM)
    await desk.discard()

    assert [one.cause for one in desk.do(queries.list_holdings, case.id)] == ["violation"]
    assert len(desk.objects("quarantine")) == 1
    assert not desk.store.stat("masters", desk.objects("masters")[0]).legal_hold, "nobody has placed one"


@pytest.mark.requirement("R67")
async def test_a_hold_that_is_placed_between_list_and_act_still_counts(desk: Desk) -> None:
    case = await preserved(desk)
    await ended(desk, case, "rejected")
    desk.clock.turn(WINDOW)
    assert desk.do(discards.list_due, "", 9) == [case.id]

    place(desk, case)

    assert desk.do(discards.begin, case.id) is None
    assert desk.do(discards.list_due, "", 9) == []


@pytest.mark.requirement("R67")
async def test_a_hold_that_comes_while_masters_are_disposed_of_keeps_what_is_still_there(desk: Desk) -> None:
    case = desk.case("gate", "yard")
    await case.approve().retrieve()
    await ended(desk, case)
    await desk.keep_locks()
    desk.clock.turn(timedelta(days=64))
    delete = type(desk.store).delete

    def delete_and_hold(store: Any, bucket: str, key: str, version_id: str) -> bool:
        if not desk.rows(Hold):
            place(desk, case)
        return delete(store, bucket, key, version_id)

    with patch.object(type(desk.store), "delete", delete_and_hold):
        await desk.keep_locks()

    gone, kept = sorted(desk.rows(Master), key=lambda row: row.discarded_at is None)
    assert (gone.discarded_at is None, kept.discarded_at) == (False, None)
    assert [key for key in desk.objects("masters") if not key.endswith(".json")] == [kept.sealed["key"]]


async def test_a_release_that_died_asks_again_whether_the_case_is_held(desk: Desk) -> None:
    case = await preserved(desk)
    case.ready_to_end("withdrawn")
    named = {"application_id": case.id, "closing_outcome": "withdrawn"}
    with patch.object(vault_actions, "apply_vault_actions", side_effect=Killed), pytest.raises(Killed):
        await desk.work(release_preservation, **named)
    place(desk, case)

    await desk.work(release_preservation, **named)

    assert len(desk.objects("quarantine")) == 1


@pytest.mark.requirement("R67")
async def test_an_uploaded_file_whose_master_is_stored_stays_while_its_case_is_held(desk: Desk) -> None:
    case = desk.case("gate")
    said = {"source": "meeting", "title": "t", "occasion": "o", "place": "p", "recorded_by": "r", "description": "d"}
    upload = {"id": "camera-gate", "person_id": "drafter", "application_id": case.id, "key": "k", "zone": "UTC", **said}
    desk.do(lambda uow: uow.session.add(Upload(**upload, announced_at=NOON, changed_at=NOON)))
    desk.change(Item, case.item(), outcome="complete")
    hold_id = place(desk, case)

    assert desk.do(upload_sources.retire_spent, case.item()) is None
    lift(desk, hold_id)
    assert desk.do(upload_sources.retire_spent, case.item()) is not None


@pytest.mark.requirement("R6", "R67")
async def test_the_stores_hold_what_a_held_case_has_beyond_every_term(desk: Desk) -> None:
    case = await with_everything(desk)
    await desk.keep_locks()
    hold_id = place(desk, case)
    assert not _held(desk), "the row comes first"

    await desk.keep_locks()

    desk.clock.turn(2 * TERM)  # beyond the retention of all of them
    assert len(_held(desk)) == 2 + 1 + 3 * len([row for row in desk.rows(Document) if row.filed_at])
    for bucket, key in _held(desk):
        store = desk.replica_store if bucket == "replicas" else desk.store
        facts = store.stat(bucket, key)
        with pytest.raises(StoreLocked):
            store.delete(bucket, key, facts.version_id)

    lift(desk, hold_id)
    await desk.keep_locks()
    assert not _held(desk)
    assert not any(row.held_since for kind in (Master, Document) for row in desk.rows(kind))


def _held(desk: Desk) -> list[tuple[str, str]]:
    """What carries a legal hold of masters, labels, replicas and documents."""
    found = []
    for bucket, store in (("masters", desk.store), ("replicas", desk.replica_store), ("documents", desk.store)):
        keys = store.list_keys(bucket)
        found += [(bucket, key) for key in keys if store.stat(bucket, key).legal_hold]
    return found


@pytest.mark.parametrize("failure", [Killed, StoreDown("away")])
async def test_what_died_between_the_row_and_the_store_is_done_again(desk: Desk, failure: type[BaseException]) -> None:
    case = await preserved(desk)
    await case.approve().retrieve()
    await desk.keep_locks()
    hold_id = place(desk, case)

    with patch.object(type(desk.store), "set_legal_hold", side_effect=failure), pytest.raises((Killed, StoreDown)):
        await desk.keep_locks()
    assert not _held(desk)
    with patch.object(locks, "record", side_effect=Killed), pytest.raises(Killed):
        await desk.keep_locks()
    assert _held(desk), "the store knows, the database does not"

    lift(desk, hold_id)
    await desk.keep_locks()
    assert not _held(desk), "a hold without a record is lifted too"


async def test_what_comes_while_a_case_is_held_is_held_too(desk: Desk) -> None:
    case = desk.case("gate").approve(backup_needed=True)
    place(desk, case)

    await case.retrieve()
    assert len([one for one in _held(desk) if one[0] == "masters"]) == 2, "with its label"
    await desk.work(back_up_footage, application_id=case.id, item_id=case.item())

    [master] = desk.rows(Master)
    assert ("replicas", master.replica["key"]) in _held(desk)
    assert ("masters", label_key(master.sealed["key"])) in _held(desk)


async def test_a_hold_that_others_have_laid_in_the_store_stays(desk: Desk) -> None:
    case = await preserved(desk)
    await case.approve().retrieve()
    [master] = desk.rows(Master)
    kept = master.sealed
    desk.store.set_legal_hold("masters", kept["key"], kept["versionId"], True)

    desk.clock.turn(timedelta(days=49))  # the lock is renewed
    await desk.keep_locks()

    assert desk.store.stat("masters", kept["key"]).legal_hold


async def test_a_hold_that_comes_while_documents_are_filed_is_not_lost(desk: Desk) -> None:
    case = desk.case("gate").approve()
    due, _ = desk.do(locks.list_to_file, "", 9)
    told = {one.document.number: one.hold for one in due}
    place(desk, case)

    until = {one.document.number: one.until for one in due}
    desk.do(locks.record_documents, {}, until, told)

    assert all(row.lock_due_since for row in desk.rows(Document))


@pytest.mark.requirement("R20")
async def test_t6_a_refused_case_keeps_its_footage_until_nobody_can_appeal(desk: Desk) -> None:
    case = await preserved(desk)
    await ended(desk, case, "rejected")

    assert case.application.appeal_until == NOON + WINDOW
    assert [row.code for row in desk.rows(Notice) if row.person_id == "drafter"] == ["case-refused:rejected"]
    desk.clock.turn(WINDOW - timedelta(seconds=1))
    await desk.discard()
    assert len(desk.objects("quarantine")) == 1
    assert all(row.ended_at is None for row in desk.rows(Protection)), "the recorder keeps it too"

    desk.clock.turn(timedelta(seconds=1))
    await desk.discard()
    assert desk.objects("quarantine") == []
    assert desk.rows(Preservation)[0].released_because == "rejected"
    assert all(row.ended_at for row in desk.rows(Protection))


@pytest.mark.parametrize("outcome", ["withdrawn", "expired"])
async def test_what_nobody_has_refused_is_discarded_at_once(desk: Desk, outcome: str) -> None:
    case = await preserved(desk)

    await ended(desk, case, outcome)

    assert desk.objects("quarantine") == []
    assert (case.application.appeal_until, case.application.discard_after) == (None, None)


async def test_an_appeal_keeps_the_footage_of_the_case_and_uses_it(desk: Desk) -> None:
    case = await preserved(desk)
    await ended(desk, case, "rejected")
    appeal = desk.case("gate", previous_id=case.id)
    for film in desk.recordings.glob("gate/**/*"):
        if film.is_file():
            film.unlink()
    desk.clock.turn(3 * WINDOW)
    await desk.discard()
    assert len(desk.objects("quarantine")) == 1, "the appeal is open"

    answer = await desk.work(preserve_footage, application_id=appeal.id)
    assert (answer.items_preserved, answer.items_not_preserved) == (1, 0)
    await appeal.approve().retrieve()

    [master] = desk.rows(Master)
    assert (master.application_id, master.origin) == (appeal.id, "quarantine")
    appeal.ready_to_end("withdrawn")
    await desk.work(release_preservation, application_id=appeal.id, closing_outcome="withdrawn")
    await desk.discard()
    assert desk.objects("quarantine") == []


async def test_a_draft_of_an_appeal_keeps_nothing(desk: Desk) -> None:
    case = await preserved(desk)
    await ended(desk, case, "rejected")
    desk.case("gate", previous_id=case.id, submitted_at=None)

    desk.clock.turn(WINDOW)
    await desk.discard()

    assert desk.objects("quarantine") == []


async def test_what_died_while_it_was_discarded_is_discarded_by_the_next_run(desk: Desk) -> None:
    case = await preserved(desk)
    await ended(desk, case, "rejected")
    desk.clock.turn(WINDOW)

    with patch.object(discards, "record", side_effect=Killed), pytest.raises(Killed):
        await desk.discard()
    assert desk.objects("quarantine") == []
    assert desk.rows(Preservation)[0].discarded_at is None
    await desk.discard()

    assert desk.rows(Preservation)[0].discarded_at is not None
    assert [row.action for row in desk.rows(AuditEvent)].count("quarantine-discarded") == 1


@pytest.mark.requirement("R67")
async def test_a_hold_that_comes_while_a_case_is_discarded_keeps_what_is_still_there(desk: Desk) -> None:
    case = await with_everything(desk)
    await ended(desk, case, "rejected")
    desk.clock.turn(WINDOW)
    placed: list[str] = []
    discard = vault_actions.discard

    async def then_held(store: Store, bucket: str, key: str) -> None:
        await discard(store, bucket, key)
        placed.append(place(desk, case))

    with patch.object(vault_actions, "discard", then_held):
        await desk.discard()
    [hold_id], [copy], [preservation] = placed, desk.rows(Copy), desk.rows(Preservation)
    # in whichever order: one is gone and on record, and the other is there
    there = [bool(desk.objects(bucket)) for bucket in ("quarantine", "copies")]
    assert sorted(there) == [False, True]
    assert [row.discarded_at is None for row in (preservation, copy)] == there

    lift(desk, hold_id)
    await desk.discard()
    assert desk.objects("copies") == desk.objects("quarantine") == []
    assert all(row.discarded_at for kind in (Copy, Preservation) for row in desk.rows(kind))


async def test_one_case_that_cannot_be_discarded_holds_up_no_other(desk: Desk) -> None:
    cases = [await preserved(desk) for _ in range(2)]
    for case in cases:
        await ended(desk, case, "rejected")
    desk.clock.turn(WINDOW)
    first = desk.rows(Preservation)[0].sealed
    desk.store.retain("quarantine", first["key"], first["versionId"], desk.clock.now() + timedelta(days=3))

    await desk.discard()
    assert len(desk.objects("quarantine")) == 1
    desk.clock.turn(timedelta(days=4))
    await desk.discard()
    assert desk.objects("quarantine") == []


async def test_one_object_that_cannot_be_discarded_holds_up_no_other_of_its_case(desk: Desk) -> None:
    case = await with_everything(desk)
    await ended(desk, case, "rejected")
    desk.clock.turn(WINDOW)
    [kept] = desk.objects("quarantine")

    with bad_disk(desk.store, "delete", kept), pytest.raises(StoreDown):
        await desk.discarder().run()
    [copy], [preservation] = desk.rows(Copy), desk.rows(Preservation)
    assert (desk.objects("quarantine"), desk.objects("copies")) == ([kept], [])
    assert (copy.discarded_at is None, preservation.discarded_at) == (False, None)
    await desk.discard()
    assert desk.objects("quarantine") == []
    assert case.application.discard_after is None


async def test_what_the_store_does_not_give_of_some_cases_holds_up_no_other(desk: Desk) -> None:
    cases = [await preserved(desk) for _ in range(5)]
    for case in cases:
        await ended(desk, case, "rejected")
    desk.clock.turn(WINDOW)
    keys = {row.application_id: row.sealed["key"] for row in desk.rows(Preservation)}
    bad = [keys[application_id] for application_id in sorted(keys)][:3]
    discarder = desk.discarder()

    with bad_disk(desk.store, "delete", *bad) as asked:
        with pytest.raises(StoreDown):  # three in a row: the store seems to be away
            await discarder.run()
        assert asked == bad
        assert not await discarder.run()
        assert sorted(desk.objects("quarantine")) == sorted(bad)
    with bad_disk(desk.store, "delete", bad[0]), pytest.raises(StoreDown):
        await discarder.run()
    assert desk.objects("quarantine") == bad[:1]
    assert not await discarder.run()
    assert desk.objects("quarantine") == []
