"""Masters and replicas are read again by a budget, and what is damaged is made anew from the other place."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch
from urllib.parse import quote

import pytest
from bad_disk import bad_disk
from custody_desk import Case, Desk

from services.database.tables.audit import AuditEvent
from services.database.tables.maintenance import Damage, MaintenanceRun, ReconciliationFinding
from services.database.tables.masters import Master
from services.database.tables.notices import Notice
from services.database.unit_of_work import Actor
from services.domain.custody.integrity_checks import Verifier
from services.domain.holds import queries as holds
from services.domain.storage import damages, verification
from services.runtime.errors import NotYet, Outcome
from services.vault.labels import label_key
from services.vault.sealing import MasterDamaged
from services.vault.store.protocol import StoreDown, StoreLocked
from services.workers import repairs, reverify_footage

DAY = timedelta(days=1)
HALF = timedelta(days=100)  # longer than half of the time in which everything is read again


async def backed_up(desk: Desk, *channels: str) -> Case:
    case = desk.case(*channels).approve(backup_needed=True)
    await case.retrieve()
    await case.back_up()
    return case


def with_budget(desk: Desk, size: int) -> None:
    desk.database.rules = replace(desk.rules, reverify_bytes=size)


async def verify(desk: Desk, job_key: int = 0) -> reverify_footage.Result:
    given = {"job_key": job_key or next(desk.keys)}
    return await reverify_footage.handle(
        reverify_footage.Command(**given), desk.database, desk.store, desk.replica_store
    )


def run_of(desk: Desk) -> MaintenanceRun:
    return max(desk.rows(MaintenanceRun), key=lambda run: run.day)


def actions(desk: Desk) -> list[str]:
    return [event.action for event in desk.rows(AuditEvent)]


def damage_replica(desk: Desk, key: str) -> None:
    path = desk.root / "replica" / "r-replicas" / "objects" / quote(key, safe="") / "data"
    path.chmod(0o600)
    path.write_bytes(b"x" + path.read_bytes()[1:])


@pytest.mark.requirement("R13", "R15", "R53")
async def test_a_damaged_master_is_found_within_the_budget_and_repaired_from_the_replica(desk: Desk) -> None:
    case = await backed_up(desk, "gate")
    [before] = desk.rows(Master)
    desk.damage("masters", before.sealed["key"])

    found = await verify(desk)

    assert (found.objects_verified, found.objects_damaged) == (1, 1)
    [master], [damage] = desk.rows(Master), desk.rows(Damage)
    assert master.sealed["key"] != before.sealed["key"]
    assert {**master.sealed, **{name: before.sealed[name] for name in ("key", "versionId")}} == before.sealed
    body = b"".join(desk.store.get("masters", master.sealed["key"], version_id=master.sealed["versionId"]))
    replica = b"".join(desk.replica_store.get("replicas", master.replica["key"]))
    assert body == replica
    # the label that the seal has signed goes with it: it names the hashes, which are the same
    assert desk.label_of(master.sealed) == desk.label_of(before.sealed)
    # the damaged version is kept for examination, and holds its case
    assert damage.repaired_as["key"] == master.sealed["key"]
    with pytest.raises(StoreLocked):
        desk.store.delete("masters", damage.key, damage.version_id)
    assert desk.do(holds.is_held, case.id)
    assert [one for one in actions(desk) if one.startswith("object-")] == ["object-damaged", "object-repaired"]
    open_still = {notice.code: notice.done_at is None for notice in desk.rows(Notice)}
    assert (open_still["footage-damaged"], open_still["footage-repaired"]) == (False, True)

    # a second poke of the same day does nothing, and the new one is locked as the old one was
    assert (await verify(desk)).objects_verified == 0
    await desk.keep_locks()
    assert desk.locked_until("masters")[master.sealed["key"]] == desk.locked_until("masters")[damage.key]


@pytest.mark.requirement("R13", "R15")
@pytest.mark.parametrize("how", ["changed", "gone"])
async def test_damage_that_a_copy_meets_is_repaired_the_next_day_and_the_copy_is_made_then(
    desk: Desk, how: str
) -> None:
    case = await backed_up(desk, "gate")
    [master] = desk.rows(Master)
    if how == "gone":
        desk.remove_as_root("masters", master.sealed["key"])
    else:
        desk.damage("masters", master.sealed["key"])

    with pytest.raises(MasterDamaged, match="from its replica: retry after that"):
        await case.encrypt()

    assert desk.rows(Master)[0].suspect_since == desk.clock.now()
    assert desk.objects("copies") == []
    with patch.object(verification, "draw", return_value=[]):  # by chance it is read besides
        await verify(desk)
    assert [one for one in actions(desk) if one.startswith("object-")] == ["object-damaged", "object-repaired"]
    await case.encrypt()
    assert len(desk.objects("copies")) == 1


@pytest.mark.requirement("R13", "R15")
async def test_damage_that_a_check_by_hand_finds_is_repaired_the_next_day_each_time(desk: Desk) -> None:
    case = await backed_up(desk, "gate")
    checks = Verifier(desk.database, desk.store, report=damages.report_checked)
    for _ in range(2):  # what was reported once is repaired a second time too
        [master] = desk.rows(Master)
        desk.damage("masters", master.sealed["key"])

        await checks.begin(Actor("person", "security"), case.id)
        await checks.idle()

        assert desk.rows(Master)[0].suspect_since == desk.clock.now()
        desk.clock.turn(DAY)
        with patch.object(verification, "draw", return_value=[]):
            await verify(desk)
        [repaired] = desk.rows(Master)
        assert (repaired.suspect_since, repaired.sealed["key"] != master.sealed["key"]) == (None, True)


async def test_a_wrong_label_makes_no_master_suspected(desk: Desk) -> None:
    case = await backed_up(desk, "gate")
    [master] = desk.rows(Master)
    desk.damage("masters", label_key(master.sealed["key"]))  # the footage itself is what was sealed
    checks = Verifier(desk.database, desk.store, report=damages.report_checked)

    await checks.begin(Actor("person", "security"), case.id)
    await checks.idle()

    assert desk.rows(Master)[0].suspect_since is None


@pytest.mark.requirement("R53")
async def test_a_damaged_replica_is_not_used_and_is_itself_repaired_from_an_intact_master(desk: Desk) -> None:
    await backed_up(desk, "gate")
    [master] = desk.rows(Master)
    damage_replica(desk, master.replica["key"])
    desk.clock.turn(HALF)
    await verify(desk)  # the drawn one, and the replica
    [repaired] = desk.rows(Master)
    assert repaired.replica["key"] != master.replica["key"]
    assert repaired.sealed == master.sealed

    # both are damaged now: nothing is made of what is damaged, and it is said
    damage_replica(desk, repaired.replica["key"])
    desk.damage("masters", master.sealed["key"])
    desk.clock.turn(DAY)
    with pytest.raises(Outcome) as failed:
        await verify(desk)
    assert failed.value.code == "CARE_FAILED"
    [after] = desk.rows(Master)
    assert (after.sealed, after.replica) == (repaired.sealed, repaired.replica)
    unrepaired = {one.place: one.unrepaired_because for one in desk.rows(Damage) if one.repaired_at is None}
    assert unrepaired == {"primary": "replica-damaged", "replica": None}
    assert desk.do(damages.count_unrepaired) == 2
    assert len(desk.objects("masters")) == 1
    assert (await verify(desk)).objects_damaged == 0  # the day is over: one work order, and none for each poke


@pytest.mark.requirement("R53")
async def test_the_budget_of_a_day_is_not_exceeded_and_a_killed_run_goes_on(desk: Desk, tmp_path: Path) -> None:
    await backed_up(desk, "gate", "hall")
    desk.clock.turn(HALF)
    sizes = sorted(row.sealed["size"] for row in desk.rows(Master))
    with_budget(desk, 2 * sum(sizes) + 1)

    class Killed(BaseException):
        """The process dies here."""

    with patch.object(reverify_footage, "examine", side_effect=Killed), pytest.raises(Killed):
        await verify(desk, job_key=7)
    taken = run_of(desk).bytes_read
    assert taken in sizes  # what was taken stays taken

    with pytest.raises(NotYet):
        await verify(desk, job_key=8)  # a second instance waits while the first may live
    await verify(desk, job_key=7)
    assert run_of(desk).bytes_read <= 2 * sum(sizes) + 1
    read = {row.id: (row.last_verified_at, row.replica_last_verified_at) for row in desk.rows(Master)}
    now = desk.clock.now()
    assert sum(moment == now for moments in read.values() for moment in moments) >= 2

    # the next day reads what is left, the longest unread first, and then nothing twice
    desk.clock.turn(DAY)
    await verify(desk)
    assert all(
        moment >= now for row in desk.rows(Master) for moment in (row.last_verified_at, row.replica_last_verified_at)
    )


@pytest.mark.requirement("R13", "R53")
async def test_a_master_that_is_larger_than_the_budget_keeps_no_other_from_being_read(desk: Desk) -> None:
    await backed_up(desk, "gate", "yard", "hall")
    masters = sorted(desk.rows(Master), key=lambda row: int(row.sealed["size"]))
    desk.clock.turn(HALF)
    began = desk.clock.now()
    # the largest is the longest unread, and in the replica's place the last
    for number, row in enumerate(reversed(masters)):
        unread = began - HALF + number * DAY
        desk.change(Master, row.id, last_verified_at=unread, replica_last_verified_at=unread - 2 * number * DAY)
    with_budget(desk, masters[-1].sealed["size"] - 1)

    for _ in range(6):
        # by chance the smallest is drawn each day: that leaves too little for the largest
        with patch.object(verification, "draw", lambda _: [verification.subject_of(masters[0], "primary")]):
            await verify(desk)
        desk.clock.turn(DAY)

    read = [(row.last_verified_at, row.replica_last_verified_at) for row in desk.rows(Master)]
    assert min(moment for moments in read for moment in moments) >= began


@pytest.mark.requirement("R13", "R53")
async def test_what_does_not_fit_into_what_is_left_of_a_day_is_passed_over(desk: Desk) -> None:
    await backed_up(desk, "gate", "yard", "hall")
    small, drawn, large = sorted(desk.rows(Master), key=lambda row: int(row.sealed["size"]))
    desk.clock.turn(HALF)
    for number, row in enumerate((large, drawn, small)):  # the large one is the longest unread in both places
        unread = desk.clock.now() - HALF + number * DAY
        desk.change(Master, row.id, last_verified_at=unread, replica_last_verified_at=unread)
    half = int(drawn.sealed["size"]) + int(large.sealed["size"]) - 1
    with_budget(desk, 2 * half)

    with patch.object(verification, "draw", lambda _: [verification.subject_of(drawn, "primary")]):
        await verify(desk)

    now = desk.clock.now()
    assert [desk.row(Master, row.id).last_verified_at == now for row in (small, drawn, large)] == [True, True, False]


@pytest.mark.requirement("R13", "R53")
async def test_a_large_master_that_its_store_never_gives_does_not_take_the_budget_of_each_day(desk: Desk) -> None:
    await backed_up(desk, "gate", "yard", "hall")
    *others, large = sorted(desk.rows(Master), key=lambda row: int(row.sealed["size"]))
    desk.clock.turn(HALF)
    began = desk.clock.now()
    desk.change(Master, large.id, last_verified_at=began - HALF - DAY)  # the longest unread
    with_budget(desk, large.sealed["size"] - 1)

    for _ in range(6):
        with (
            bad_disk(desk.store, "stat", large.sealed["key"]),
            patch.object(verification, "draw", lambda _: []),
            pytest.raises(Outcome, match="were not given"),
        ):
            await verify(desk)
        desk.clock.turn(DAY)

    assert desk.row(Master, large.id).last_verified_at < began
    assert [desk.row(Master, row.id).last_verified_at >= began for row in others] == [True, True]


@pytest.mark.requirement("R13")
async def test_a_store_that_is_away_is_one_failure_and_the_same_day_can_go_on(desk: Desk) -> None:
    await backed_up(desk, "gate")
    desk.clock.turn(HALF)
    with patch.object(desk.store, "stat", side_effect=StoreDown("away")), pytest.raises(Outcome) as failed:
        await verify(desk)
    assert failed.value.code == "CARE_FAILED"
    assert not desk.rows(Damage)
    assert (await verify(desk)).objects_verified >= 2


@pytest.mark.requirement("R53")
async def test_a_damaged_version_that_a_store_does_not_remove_keeps_no_other_from_being_removed(desk: Desk) -> None:
    await backed_up(desk, "gate", "hall")
    for master in desk.rows(Master):
        desk.damage("masters", master.sealed["key"])
    desk.clock.turn(HALF)  # so that both are due, and not drawn alone
    await verify(desk)
    first, second = sorted(desk.rows(Damage), key=lambda row: row.id)
    for damage in (first, second):
        desk.change(Damage, damage.id, examined_at=desk.clock.now())
        desk.change(Master, damage.master_id, discarded_at=desk.clock.now())
    desk.clock.turn(HALF)  # beyond its lock

    with bad_disk(desk.store, "delete", first.key), pytest.raises(Outcome, match="were not given"):
        await verify(desk)
    assert [desk.row(Damage, one.id).removed_at is None for one in (first, second)] == [True, False]
    await verify(desk)
    assert desk.row(Damage, first.id).removed_at is not None


@pytest.mark.slow
@pytest.mark.requirement("R53")
async def test_who_keeps_the_store_does_not_examine_damage_and_a_wrong_label_is_a_finding(desk: Desk) -> None:
    await backed_up(desk, "gate")
    [master] = desk.rows(Master)
    desk.damage("masters", label_key(master.sealed["key"]))
    await verify(desk)
    [finding] = desk.rows(ReconciliationFinding)
    assert (finding.kind, finding.subject) == ("label-wrong", master.sealed["key"])
    assert not desk.rows(Damage)
    assert repairs.OTHER == {"primary": "replica", "replica": "primary"}
