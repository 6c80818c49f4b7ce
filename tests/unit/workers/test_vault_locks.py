"""Locks while a case is open, documents that are filed when they are made, disposal by itself (R6, R28, R52)."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from custody_desk import NOON, Case, Desk
from sqlalchemy import update
from statements import statements

from services.database import leases
from services.database.tables.audit import AuditEvent
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import key_events
from services.domain.cases import queries, register
from services.domain.custody import hand_overs, integrity, locks
from services.domain.documents import retention
from services.domain.retrieval import masters
from services.evidence import case_file, package
from services.evidence.package import Sources
from services.runtime.errors import Fatal, NotPermitted, Retryable
from services.runtime.rules import Rules
from services.vault.examination import Expected, examine
from services.vault.labels import label_key
from services.vault.store.protocol import StoreDown, StoreLocked, StoreMissing
from services.workers import (
    back_up_footage,
    encrypt_copy,
    hand_over,
    labelling,
    re_archive,
    release_preservation,
    retrieve_footage,
    vault_actions,
    vault_locks,
)

# of 30 days of use, 3 of grace, and 30 more
TERM = timedelta(days=63)


class Killed(BaseException):
    """The process dies here."""


async def withdrawn(desk: Desk, *channels: str) -> Case:
    """A case that ended after its footage was retrieved, backed up and copied."""
    case = desk.case(*(channels or ("gate",)))
    await case.approve(backup_needed=True).retrieve()
    await case.back_up()
    await case.encrypt()
    case.ready_to_end("withdrawn")
    await desk.work(release_preservation, application_id=case.id, closing_outcome="withdrawn")
    return case


async def retrieved_without_locks(desk: Desk, *channels: str) -> Case:
    """A case whose masters are there, and whose process died each time before it locked one."""
    case = desk.case(*channels).approve()
    with patch.object(vault_locks, "hold", side_effect=Killed):
        for item in case.items:
            with pytest.raises(Killed):
                await desk.work(retrieve_footage, application_id=case.id, item_id=item)
    return case


async def returned(desk: Desk) -> tuple[Case, str]:
    """A case whose copies were lent, given back and inspected, and its hand-over."""
    case = desk.case("gate")
    hand_over_id = await case.lend()
    case.give_back(hand_over_id)
    await case.inspect(hand_over_id)
    return case, hand_over_id


def everything_locked(desk: Desk) -> set[Any]:
    """Until when masters, labels and replicas are locked."""
    return {*desk.locked_until("masters").values(), *desk.locked_until("replicas").values()}


@pytest.mark.requirement("R6", "R52", refuses=True)
async def test_a_master_is_locked_by_the_job_that_has_brought_it(desk: Desk) -> None:
    case = desk.case("gate").approve(backup_needed=True)

    await case.retrieve()
    assert set(desk.locked_until("masters").values()) == {NOON + TERM}
    await case.back_up()

    [master] = desk.rows(Master)
    assert set(desk.locked_until("masters")) == {master.sealed["key"], label_key(master.sealed["key"])}
    assert desk.locked_until("replicas") == {master.replica["key"]: NOON + TERM}
    assert master.lock_due_since is None
    for store, kept in ((desk.store, master.sealed), (desk.replica_store, master.replica)):
        with pytest.raises(StoreLocked):
            store.delete(kept["bucket"], kept["key"], kept["versionId"])


async def test_no_lock_is_laid_before_the_row_has_committed(desk: Desk) -> None:
    case = desk.case("gate").approve()
    with patch.object(masters, "create", side_effect=Killed), pytest.raises(Killed):
        await desk.work(retrieve_footage, application_id=case.id, item_id=case.item())
    [key] = desk.objects("masters")
    assert desk.locked_until("masters") == {key: None}

    await case.retrieve()

    assert key not in desk.objects("masters"), "what nobody has a row of is swept"
    assert set(desk.locked_until("masters").values()) == {NOON + TERM}


@pytest.mark.requirement("R52")
@pytest.mark.parametrize("kept", ["job", "periodic task"])
@pytest.mark.parametrize("failure", [Killed, StoreDown("away")])
async def test_what_a_crash_or_a_store_that_is_away_has_left_unlocked_is_caught_up(
    desk: Desk, kept: str, failure: Any
) -> None:
    case = desk.case("gate").approve()
    ids = {"application_id": case.id, "item_id": case.item()}
    with patch.object(type(desk.store), "retain", side_effect=failure), pytest.raises((Killed, Retryable)):
        await desk.work(retrieve_footage, **ids)
    assert set(desk.locked_until("masters").values()) == {None}
    desk.clock.turn(timedelta(hours=1))

    if kept == "job":
        await desk.work(retrieve_footage, **ids)
    else:
        await desk.keep_locks()

    assert set(desk.locked_until("masters").values()) == {NOON + TERM}
    assert desk.rows(Master)[0].lock_due_since is None


async def test_a_label_that_comes_after_the_lock_is_locked_too(desk: Desk) -> None:
    case = desk.case("gate").approve()
    with patch.object(labelling, "label_master", side_effect=Killed), pytest.raises(Killed):
        await desk.work(retrieve_footage, application_id=case.id, item_id=case.item())
    assert len(desk.locked_until("masters")) == 1
    desk.change(Master, desk.rows(Master)[0].id, lock_due_since=NOON)
    told = desk.do(locks.list_due, "", 10)  # as another process reads it before the label is there

    await desk.work(retrieve_footage, application_id=case.id, item_id=case.item())
    desk.change(Master, desk.rows(Master)[0].id, lock_due_since=NOON)
    desk.do(locks.record, told)

    assert desk.rows(Master)[0].lock_due_since is not None, "it was told of the master without its label"
    await desk.keep_locks()
    assert set(desk.locked_until("masters").values()) == {NOON + TERM}
    assert len(desk.locked_until("masters")) == 2


@pytest.mark.requirement("R28", refuses=True)
@pytest.mark.requirement("R35", "R47", "R59")
async def test_documents_are_filed_and_locked_when_they_are_made(desk: Desk) -> None:
    case = desk.case("gate")
    await case.lend()
    assert desk.locked_until("documents") == {}

    await desk.keep_locks()
    await desk.keep_locks()

    documents = desk.rows(Document)
    assert {row.kind for row in documents} == {"application-form", "retrieval-record", "label", "hand-over-receipt"}
    keys = {f"{row.number}.{form}" for row in documents for form in ("json", "pdf", "label.json")}
    assert set(desk.locked_until("documents")) == keys
    assert set(desk.locked_until("documents").values()) == {NOON + TERM}
    assert all(row.filed_at == NOON and row.lock_due_since is None for row in documents)
    filed = [row.subject_id for row in desk.rows(AuditEvent) if row.action == "document-filed"]
    assert sorted(filed) == sorted(row.number for row in documents)
    for key in keys:
        facts = desk.store.stat("documents", key)
        assert facts is not None
        with pytest.raises(StoreLocked):
            desk.store.delete("documents", key, facts.version_id)


async def test_of_two_who_file_the_same_documents_one_waits_for_the_other(desk: Desk) -> None:
    """Two at once would leave two statements, and a hash in the audit trail that is of only one of them."""
    case, hand_over_id = await returned(desk)
    numbers = [row.number for row in desk.rows(Document)]
    assert desk.do(locks.claim_documents, numbers, "another process") == set(numbers)

    await desk.keep_locks()
    assert desk.locked_until("documents") == {}

    async def other_ends(_seconds: float) -> None:
        assert desk.locked_until("documents") == {}
        desk.do(locks.release_documents, numbers, "another process")

    with patch.object(vault_actions.anyio, "sleep", other_ends):
        await desk.work(re_archive, application_id=case.id, hand_over_id=hand_over_id, decision="in-order")
    assert {row.number for row in desk.rows(Document) if row.filed_at} >= set(numbers)
    assert desk.do(locks.claim_documents, numbers, "a third") == set(numbers), "no claim is left"


async def test_a_job_that_waits_for_one_document_keeps_none_of_the_others(desk: Desk) -> None:
    case, hand_over_id = await returned(desk)
    first, *others = [row.number for row in desk.rows(Document)]
    assert desk.do(locks.claim_documents, [first], "another process") == {first}

    async def other_ends(_seconds: float) -> None:
        assert desk.do(locks.claim_documents, others, "a third") == set(others)
        desk.do(locks.release_documents, [first], "another process")
        desk.do(locks.release_documents, others, "a third")

    with patch.object(vault_actions.anyio, "sleep", other_ends):
        await desk.work(re_archive, application_id=case.id, hand_over_id=hand_over_id, decision="in-order")
    assert {row.number for row in desk.rows(Document) if row.filed_at} >= {first, *others}


def test_those_who_claim_the_same_documents_take_them_at_once_and_in_one_order(desk: Desk) -> None:
    taken = patch.object(leases, "take_all", wraps=leases.take_all)
    with statements(desk.database.engine) as sent, taken as take_all:
        assert desk.do(locks.claim_documents, {"b", "d", "a", "c"}, "one") == set("abcd")
    assert take_all.call_args.args[1] == [f"document {number}" for number in "abcd"]
    assert sum("leases" in one for one in sent) == 1
    assert desk.do(locks.claim_documents, ["d", "e"], "another") == {"e"}


@pytest.mark.requirement("R6", "R53")
async def test_the_check_of_a_lent_case_reads_documents_and_locks(desk: Desk) -> None:
    case = desk.case("gate")
    await case.lend()
    await desk.keep_locks()
    expected = desk.do(integrity.list_expected, case.id)

    assert {one.kind for one in expected} == {"master", "copy", "document", "record"}
    assert {one.retain_until for one in expected if one.kind in ("master", "document")} == {NOON + TERM}
    [master] = [one for one in expected if one.kind == "master"]
    fields = {
        "bucket": str(master.bucket),
        "key": str(master.key),
        "version_id": master.version_id,
        "size": master.size,
        "sha256": master.sha256,
    }
    assert await examine(desk.store, Expected(**fields, retain_until=master.retain_until)) == []
    assert await examine(desk.store, Expected(**fields, retain_until=NOON + 2 * TERM)) == ["retention"]


@pytest.mark.requirement("R49", "R51", "R52")
async def test_a_lock_grows_with_the_loan_and_never_shrinks(desk: Desk) -> None:
    case = desk.case("gate")
    hand_over_id = await case.offer()
    desk.clock.turn(timedelta(days=6))
    desk.change(hand_overs.HandOver, hand_over_id, use_days=200)

    case.accept(hand_over_id)
    await desk.keep_locks()

    until = NOON + timedelta(days=6 + 200 + 3 + 30)
    assert set(desk.locked_until("masters").values()) == {until}
    assert set(desk.locked_until("documents").values()) == {until}

    desk.change(hand_overs.HandOver, hand_over_id, due_at=NOON + timedelta(days=20))
    desk.do(hand_overs.resume, case.id, hand_over_id)
    await desk.keep_locks()
    assert set(desk.locked_until("masters").values()) == {until}

    desk.change(hand_overs.HandOver, hand_over_id, due_at=NOON + timedelta(days=300))
    desk.do(hand_overs.resume, case.id, hand_over_id)
    await desk.keep_locks()
    assert set(desk.locked_until("masters").values()) == {NOON + timedelta(days=333)}


@pytest.mark.requirement("R51", "R52")
async def test_the_lock_of_a_case_that_stays_open_is_begun_anew_before_it_ends(desk: Desk) -> None:
    case = desk.case("gate").approve(backup_needed=True)
    await case.retrieve()
    await case.back_up()
    await desk.keep_locks()

    desk.clock.turn(timedelta(days=47))
    await desk.keep_locks()
    assert everything_locked(desk) == {NOON + TERM}

    desk.clock.turn(timedelta(days=2))
    await desk.keep_locks()
    until = NOON + timedelta(days=49) + TERM
    assert everything_locked(desk) == {until}
    assert set(desk.locked_until("documents").values()) == {until}


async def test_without_a_longest_use_period_the_term_is_grace_and_margin() -> None:
    assert Rules(max_use_days=None).lock_term == timedelta(days=33)
    assert Rules(max_use_days=90, grace_period=timedelta(days=5)).lock_term == timedelta(days=125)


@pytest.mark.requirement("R40")
async def test_t13_a_disposal_date_by_the_class_does_not_shorten_a_lock(tmp_path: Path, footage: Path) -> None:
    rules = Rules(max_use_days=30, ordinary_retention=timedelta(days=5))
    desk = Desk(tmp_path, footage, rules=rules)
    case = desk.case("gate")
    hand_over_id = await case.lend()
    await desk.keep_locks()
    case.give_back(hand_over_id)
    await case.inspect(hand_over_id)

    ids = {"application_id": case.id, "hand_over_id": hand_over_id}
    answer = await desk.work(re_archive, **ids, decision="in-order")

    assert answer.disposal_date == (NOON + TERM).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert set(desk.locked_until("masters").values()) == {NOON + TERM}
    assert desk.rows(Master)[0].dispose_after == NOON + TERM


@pytest.mark.requirement("R4", "R5", "R41", refuses=True)
async def test_nothing_opens_a_master_that_waits_for_its_disposal(desk: Desk) -> None:
    case = desk.case("gate")
    await case.approve().retrieve()
    case.ready_to_end("withdrawn")
    await desk.work(release_preservation, application_id=case.id, closing_outcome="withdrawn")
    ids = {"application_id": case.id, "item_id": case.item()}
    [master] = desk.rows(Master)

    with patch.object(type(desk.vault_keys), "unwrapper", side_effect=AssertionError("it was opened")):
        for module in (encrypt_copy, back_up_footage):
            with pytest.raises(NotPermitted):
                await desk.work(module, **ids)
        with pytest.raises(NotPermitted):
            await desk.work(hand_over, application_id=case.id, use_period_days=10)
    with pytest.raises(NotPermitted, match="waits for its disposal"):
        desk.do(masters.require, case.id, case.item())
    assert desk.do(key_events.list_drill_masters, []) == []
    assert desk.do(key_events.list_drill_masters, [master.id]) == []
    assert desk.rows(Master)[0].sealed == master.sealed


@pytest.mark.requirement("R5", refuses=True)
async def test_no_package_with_footage_is_made_of_what_waits_for_disposal(desk: Desk, tmp_path: Path) -> None:
    case = await withdrawn(desk)
    refused_before: Any = (None, (), None)
    sources = Sources(desk.database, desk.store, desk.signer, *refused_before)

    for how in ("clear", "sealed"):
        with pytest.raises(Fatal, match="waits for its disposal"):
            package.make(sources, str(case.application.number), tmp_path / "case.zip", how)  # type: ignore[arg-type]  # of the two
    assert not (tmp_path / "case.zip").exists()
    desk.clock.turn(TERM)
    await desk.keep_locks()
    desk.do(case_file.require_needed, case.id)


@pytest.mark.requirement("R52")
async def test_a_master_that_nobody_needs_is_disposed_of_when_its_lock_has_ended(desk: Desk) -> None:
    case = await withdrawn(desk)
    await desk.keep_locks()
    kept = desk.everything()
    assert len(kept) == 3
    desk.clock.turn(TERM - timedelta(seconds=1))
    await desk.keep_locks()
    assert desk.everything() == kept

    desk.clock.turn(timedelta(seconds=1))
    for _ in range(2):
        await desk.keep_locks()

    assert desk.everything() == []
    [master] = desk.rows(Master)
    assert master.discarded_at == desk.clock.now()
    assert master.discarded_because == "withdrawn"
    events = [row for row in desk.rows(AuditEvent) if row.action == "master-discarded"]
    assert [(row.subject_id, row.actor_kind, row.application_id) for row in events] == [
        (master.sealed["key"], "system", case.id)
    ]
    assert len(desk.locked_until("documents")) == 3 * len(desk.rows(Document)), "documents stay"


async def test_a_disposal_that_a_crash_has_stopped_is_ended(desk: Desk) -> None:
    await withdrawn(desk)
    desk.clock.turn(TERM)
    with patch.object(locks, "record_disposal", side_effect=Killed), pytest.raises(Killed):
        await desk.keep_locks()
    assert desk.everything() == []
    assert desk.rows(Master)[0].discarded_at is None

    await desk.keep_locks()

    assert desk.rows(Master)[0].discarded_at == desk.clock.now()


async def test_a_store_whose_time_has_not_come_refuses_and_is_asked_again(desk: Desk) -> None:
    await withdrawn(desk)
    desk.clock.turn(TERM)
    refused = patch.object(type(desk.store), "delete", side_effect=StoreLocked("its own clock is behind"))
    with refused:
        await desk.keep_locks()
    assert desk.rows(Master)[0].awaits_disposal

    await desk.keep_locks()

    assert desk.everything() == []


async def test_what_cannot_be_locked_holds_up_nothing_behind_it(desk: Desk) -> None:
    await retrieved_without_locks(desk, "gate", "yard", "hall")
    first = min(desk.rows(Master), key=lambda row: row.id)
    desk.store.delete("masters", first.sealed["key"], first.sealed["versionId"])

    with patch.object(vault_locks, "AT_ONCE", 1):
        await desk.keep_locks()

    held = {key for key, until in desk.locked_until("masters").items() if until is not None}
    others = {row.sealed["key"] for row in desk.rows(Master)} - {first.sealed["key"]}
    assert held == others
    with pytest.raises(StoreMissing):
        vault_locks.hold(desk.store, locks.lock_of(first, held=False))


@pytest.mark.parametrize("fault", [StoreDown("one object cannot be read"), ValueError("its facts are damaged")])
async def test_an_object_that_always_fails_holds_up_no_other_and_no_other_step(desk: Desk, fault: Exception) -> None:
    case = await retrieved_without_locks(desk, "gate", "yard", "hall")
    first = min(desk.rows(Master), key=lambda row: row.id)
    disposable = await withdrawn(desk, "gate")
    desk.clock.turn(TERM + timedelta(days=1))
    retain = type(desk.store).retain

    def fail(store: Any, bucket: str, key: str, *rest: Any) -> None:
        if key == first.sealed["key"]:
            raise fault
        retain(store, bucket, key, *rest)

    keeper = desk.lock_keeper()
    with patch.object(type(desk.store), "retain", fail):
        for _ in range(2):
            with suppress(type(fault)):
                await keeper.run()

    held = {key for key, until in desk.locked_until("masters").items() if until is not None}
    others = {row.sealed["key"] for row in desk.rows(Master) if row.application_id == case.id}
    assert held == others - {first.sealed["key"]}
    assert all(row.discarded_at for row in desk.rows(Master) if row.application_id == disposable.id)


@pytest.mark.requirement("R28")
async def test_a_document_whose_term_has_passed_before_it_was_filed_is_filed_all_the_same(desk: Desk) -> None:
    await withdrawn(desk)
    desk.clock.turn(TERM + timedelta(days=1))

    await desk.keep_locks()

    assert set(desk.locked_until("documents").values()) == {desk.clock.now() + TERM}
    assert not any(row.lock_due_since for row in desk.rows(Document))


async def test_a_second_store_that_is_away_stops_no_lock_in_the_first(desk: Desk) -> None:
    case = desk.case("gate", "yard").approve(backup_needed=True)
    await case.retrieve()
    await case.back_up()

    def later(uow: UnitOfWork) -> None:
        locks.extend_loan(uow, case.id, NOON + timedelta(days=90), timedelta(days=3))

    desk.do(later)
    until = NOON + timedelta(days=123)
    with (
        patch.object(desk.replica_store, "retain", side_effect=StoreDown("away")),
        pytest.raises(StoreDown),
    ):
        await desk.keep_locks()
    assert set(desk.locked_until("masters").values()) == {until}
    assert all(row.lock_due_since for row in desk.rows(Master))
    assert set(desk.locked_until("documents").values()) == {until}

    await desk.keep_locks()
    assert everything_locked(desk) == {until}
    assert not any(row.lock_due_since for row in desk.rows(Master))


@pytest.mark.requirement("R40", verb="recorded")
async def test_case_page_and_register_say_that_a_master_waits_for_disposal(desk: Desk) -> None:
    case = await withdrawn(desk)
    other = desk.case("yard")
    await other.approve().retrieve()

    view = desk.as_person("supervisor", queries.get_case, case.id)
    lines = desk.as_person("supervisor", register.list_cases, register.Search(), limit=10)

    [item] = view.items
    assert item.master.awaits_disposal
    assert item.master.dispose_after == item.master.retain_until == NOON + TERM
    assert {line.id: line.awaits_disposal for line in lines} == {case.id: True, other.id: False}
    desk.clock.turn(TERM)
    await desk.keep_locks()
    lines = desk.as_person("supervisor", register.list_cases, register.Search(), limit=10)
    assert not any(line.awaits_disposal for line in lines)


async def test_a_turned_back_clock_locks_by_real_time(tmp_path: Path, footage: Path) -> None:
    desk = Desk(tmp_path, footage)
    real = desk.database.real.now()
    desk.clock._moment = real - timedelta(days=400)  # no clock of the product is turned back
    until = desk.do(retention.provisional_end)
    assert until >= real + TERM - timedelta(seconds=1)


async def test_masters_of_an_older_installation_are_locked_at_its_next_start(desk: Desk) -> None:
    case = await retrieved_without_locks(desk, "gate", "yard")
    # as the migration leaves them: in the vault, without a term, with labels whose version nobody knows
    for item in case.items:
        with patch.object(vault_locks, "lock_master"):
            await desk.work(retrieve_footage, application_id=case.id, item_id=item)
    old = {"retain_until": None, "lock_due_since": NOON}
    desk.do(lambda uow: uow.session.execute(update(Master).values(**old, label_version=None)))
    desk.do(lambda uow: uow.session.execute(update(Document).values(**old)))
    assert set(desk.locked_until("masters").values()) == {None}

    await desk.keep_locks()

    assert len(desk.locked_until("masters")) == 4
    assert set(desk.locked_until("masters").values()) == {NOON + TERM}
    assert set(desk.locked_until("documents").values()) == {NOON + TERM}


@pytest.mark.slow
async def test_a_run_with_nothing_to_do_writes_nothing_and_asks_five_things(desk: Desk) -> None:
    await desk.case("gate").lend()
    await desk.keep_locks()

    refused = patch.object(desk.database, "run_now", side_effect=AssertionError("nothing is to be written"))
    with statements(desk.database.engine) as told, refused:
        await desk.keep_locks()

    assert sum(one.startswith("SELECT") for one in told) == 5
