"""Redacted copies are read again by the budget, compared with the register, and discarded when their time is over."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from custody_desk import Case, Desk
from test_reconciliation import audit_line, found, imported
from test_reconciliation import run as reconciled
from test_redactions import ask, maker
from test_rolling_verification import backed_up, run_of, verify

from services.database.tables.audit import AuditEvent
from services.database.tables.derivatives import Derivative
from services.database.tables.maintenance import Damage, MaintenanceRun, ReconciliationFinding
from services.database.tables.masters import Master
from services.database.tables.notices import Notice
from services.domain.custody import derivative_viewings, derivatives
from services.domain.storage import derived_verification, maintenance
from services.runtime.errors import NotYet, Outcome, Refused
from services.vault.labels import label_key
from services.vault.store.protocol import StoreDown

DAY = timedelta(days=1)


@pytest.fixture
async def made(tmp_path: Path, footage: Path) -> Case:
    """A loan of one copy, of which a redacted copy is made."""
    case = Desk.at_stage("lend", tmp_path, footage, "gate")
    ask(case)
    await maker(case.desk).run()
    return case


@pytest.mark.requirement("R13", "R53")
async def test_a_redacted_copy_is_known_to_the_register_and_a_stranger_beside_it_is_found(made: Case) -> None:
    desk = made.desk
    [row] = desk.rows(Derivative)
    key, version = row.sealed["key"], row.sealed["versionId"]
    put = audit_line("PutObject", key, version=version, bucket="copies")
    assert imported(desk, [put, audit_line("DeleteObject", key, version=version, bucket="copies")]) == 2
    await reconciled(desk)
    # its put is ours, and nothing has decided to delete it
    assert [one for one in found(desk) if one[0] != "lock"] == [("unexplained-delete", "primary")]
    desk.clock.turn(DAY)
    desk.store.set_legal_hold("copies", key, version, False)
    desk.remove_as_root("copies", label_key(key))
    await reconciled(desk)
    kinds = {one.kind for one in desk.rows(ReconciliationFinding) if one.subject == key}
    assert kinds == {"lock", "label"}
    desk.clock.turn(DAY)
    desk.remove_as_root("copies", key)
    await reconciled(desk)
    assert "missing" in {one.kind for one in desk.rows(ReconciliationFinding) if one.subject == key}


@pytest.mark.requirement("R6", "R53", "R58")
async def test_a_damaged_redacted_copy_is_told_and_opened_no_more_until_it_is_made_anew(made: Case) -> None:
    desk = made.desk
    [row] = desk.rows(Derivative)
    assert await verify(desk)
    assert run_of(desk).counts["verified"] >= 1
    unread = desk.row(Derivative, row.id).last_verified_at
    assert unread == row.made_at, "it was made today"

    desk.clock.turn(timedelta(days=46))
    desk.damage("copies", row.sealed["key"])
    result = await verify(desk)

    damaged = desk.row(Derivative, row.id)
    assert result.objects_damaged == 1
    assert (damaged.damaged_as, damaged.last_verified_at) == (["bytes"], desk.clock.now())
    assert desk.rows(Damage) == [], "there is no replica to make it from"
    [finding] = desk.rows(ReconciliationFinding)
    assert (finding.kind, finding.subject, finding.application_id) == ("derived-damaged", row.sealed["key"], made.id)
    assert "redaction-damaged" in {event.action for event in desk.rows(AuditEvent)}
    told = {one.person_id for one in desk.rows(Notice) if one.code == derived_verification.NOTICE}
    assert "custodian" in told, "who has asked for it asks again"
    assert len(told) > 1
    with pytest.raises(Refused) as refused:
        desk.as_person("custodian", derivative_viewings.check, row.id)
    assert refused.value.code in ("copy-damaged", "agreement-missing", "loan-ended")
    assert desk.do(derivatives.list_approved, [row.copy_id]) == {}
    desk.clock.turn(DAY)
    assert (await verify(desk)).objects_damaged == 0


@pytest.mark.requirement("R53")
async def test_a_run_that_another_job_has_taken_over_stops(made: Case) -> None:
    desk = made.desk
    day = desk.do(maintenance.begin, maintenance.REVERIFY, "job 1")
    take = (maintenance.take_bytes, day, maintenance.REVERIFY, 5, 10)
    assert desk.do(*take, holder="job 1")
    desk.clock.turn(timedelta(minutes=6))
    desk.do(maintenance.begin, maintenance.REVERIFY, "job 2")
    with pytest.raises(NotYet):
        desk.do(*take, holder="job 1")
    assert desk.do(*take, holder="job 2")
    assert not desk.do(*take, holder="job 2"), "the budget is over"
    desk.do(maintenance.end, day, maintenance.REVERIFY)
    assert not desk.do(*take, holder="job 2")
    assert [run.bytes_read for run in desk.rows(MaintenanceRun)] == [10]


@pytest.mark.requirement("R53")
@pytest.mark.parametrize("budget", [0, 1, 2**62])
async def test_no_budget_stops_the_verification_for_ever_or_breaks_it(made: Case, budget: int) -> None:
    desk = made.desk
    desk.clock.turn(timedelta(days=100))
    desk.database.rules = replace(desk.rules, reverify_bytes=budget)
    result = await verify(desk)
    assert result.objects_verified >= 1


@pytest.mark.requirement("R53")
async def test_an_object_that_a_store_never_gives_does_not_keep_the_others_from_being_read(desk: Desk) -> None:
    await backed_up(desk, "gate", "hall")
    desk.clock.turn(timedelta(days=100))
    first, *_ = sorted(desk.rows(Master), key=lambda row: (row.last_verified_at, row.id))
    get = desk.store.get

    def bad_disk(bucket: str, key: str, **given: Any) -> Any:
        if key == first.sealed["key"]:
            raise StoreDown("no answer for this one")
        return get(bucket, key, **given)

    with patch.object(desk.store, "get", bad_disk), pytest.raises(Outcome) as failed:
        await verify(desk)
    assert failed.value.code == "CARE_FAILED"
    read = {row.id: row.last_verified_at == desk.clock.now() for row in desk.rows(Master)}
    assert read.pop(first.id) is False
    assert all(read.values())
    assert desk.rows(Damage) == []


@pytest.mark.requirement("R53")
async def test_repairs_that_no_store_lets_end_keep_neither_the_reading_nor_other_repairs_from_their_turn(
    desk: Desk,
) -> None:
    await backed_up(desk, "gate", "hall")
    desk.clock.turn(timedelta(days=100))
    first, second = sorted(desk.rows(Master), key=lambda row: (row.last_verified_at, row.id))
    desk.damage("masters", first.sealed["key"])
    get = desk.replica_store.get

    def bad_disk(bucket: str, key: str, **given: Any) -> Any:
        if key == first.replica["key"]:
            raise StoreDown("no answer for this one")
        return get(bucket, key, **given)

    with patch.object(desk.replica_store, "get", bad_disk):
        with pytest.raises(Outcome, match="were not given"):
            await verify(desk)
        assert desk.row(Master, second.id).last_verified_at == desk.clock.now()

        desk.damage("masters", second.sealed["key"])
        desk.clock.turn(timedelta(days=100))
        with pytest.raises(Outcome, match="were not given"):
            await verify(desk)
    repaired = {one.master_id: one.repaired_at is not None for one in desk.rows(Damage)}
    assert repaired == {first.id: False, second.id: True}

    desk.clock.turn(timedelta(days=1))
    await verify(desk)
    assert all(one.repaired_at for one in desk.rows(Damage))


@pytest.mark.requirement("R53")
async def test_one_wrong_answer_of_a_store_is_no_damage_and_no_difference(desk: Desk) -> None:
    await backed_up(desk, "gate")
    desk.clock.turn(timedelta(days=100))
    get, wrong = desk.store.get, ["once"]

    def once_wrong(bucket: str, key: str, **given: Any) -> Any:
        return iter([b"something else"]) if wrong and wrong.pop() else get(bucket, key, **given)

    with patch.object(desk.store, "get", once_wrong):
        await verify(desk)
    assert not wrong
    assert desk.rows(Damage) == []
    with patch.object(desk.store, "list_versions", lambda bucket, prefix="": iter(())):  # it has them all the same
        await reconciled(desk)
    assert [one for one in found(desk) if one[0] == "missing"] == []
