"""hand-over, reminders, suspension, violations: what the process does while somebody holds a copy (R45 to R51)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from custody_desk import NOON, Case, Desk
from sqlalchemy import delete

from services.database.tables.applications import Application
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Reminder
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Violation
from services.domain.custody import hand_overs
from services.runtime.errors import Fatal
from services.vault.keys.vault_keys import KeyGone
from services.vault.store.protocol import StoreLocked
from services.workers import hand_over, open_violation, remind_return, resume_access, suspend_access

DUE = NOON + timedelta(days=10)


@pytest.fixture
async def case(desk: Desk) -> Case:
    case = await desk.case("gate", "yard").approve().retrieve()
    case.decided("partial-footage", "approved")
    return await case.encrypt()


async def offer(desk: Desk, case: Case, days: int = 10):  # type: ignore[no-untyped-def]
    return await desk.work(hand_over, application_id=case.id, use_period_days=days)


def causes(desk: Desk) -> list[str]:
    return sorted(row.cause for row in desk.rows(Suspension) if row.lifted_at is None)


def events(desk: Desk) -> list[str]:
    return [row.event for row in sorted(desk.rows(CustodyEntry), key=lambda row: row.seq)]


@pytest.mark.requirement("R46", "R49")
async def test_the_copies_are_offered_to_the_named_custodian_once(desk: Desk, case: Case) -> None:
    first, second = await offer(desk, case), await offer(desk, case)

    assert first == second
    assert (first.take_up_period, first.grace_period, first.reminder_lead) == ("P7D", "P3D", "P3D")
    [row] = desk.rows(HandOver)
    assert (row.id, row.custodian_id, row.use_days) == (first.hand_over_id, "custodian", 10)
    assert {copy.hand_over_id for copy in desk.rows(Copy)} == {row.id}
    assert events(desk) == ["offered"]
    assert [notice.person_id for notice in desk.rows(Notice) if notice.code == "copy-offered"] == ["custodian"]


@pytest.mark.requirement("R50", refuses=True)
async def test_nothing_is_handed_over_while_the_longest_use_period_is_not_set(desk: Desk, case: Case) -> None:
    desk.database.rules = replace(desk.rules, max_use_days=None)

    with pytest.raises(Fatal, match="maximum use period is not set"):
        await offer(desk, case)
    assert desk.rows(HandOver) == []

    desk.database.rules = desk.rules
    await offer(desk, case)


@pytest.mark.requirement("R50", refuses=True)
@pytest.mark.parametrize(
    ("asked", "granted", "of_class", "hardest", "days"),
    [(10, 20, 30, 40, 20), (40, 20, 30, 40, 20), (40, 40, 15, 40, 15), (1, 90, 90, 30, 90), (40, None, None, 30, 30)],
)
async def test_the_use_period_is_the_least_of_every_limit_whatever_the_job_says(  # type: ignore[no-untyped-def]
    desk: Desk, case: Case, *, asked, granted, of_class, hardest, days
) -> None:
    # a rule that was made harder after the grant does not shorten it
    desk.database.rules = replace(desk.rules, max_use_days=hardest)
    desk.change(Application, case.id, granted_use_days=granted, max_use_days=of_class)

    await offer(desk, case, asked)

    assert desk.rows(HandOver)[0].use_days == days


@pytest.mark.requirement("R46", refuses=True)
async def test_nothing_is_handed_over_without_a_custodian(desk: Desk, case: Case) -> None:
    desk.change(Application, case.id, custodian_id=None)

    with pytest.raises(Fatal, match="no custodian is named"):
        await offer(desk, case)


@pytest.mark.requirement("R35", refuses=True)
async def test_nothing_is_handed_over_without_its_retrieval_record(desk: Desk, case: Case) -> None:
    desk.do(lambda uow: uow.session.execute(delete(Document).where(Document.kind == "retrieval-record")))

    with pytest.raises(Fatal, match="no retrieval record"):
        await offer(desk, case)


@pytest.mark.requirement("R14", refuses=True)
async def test_important_footage_is_handed_over_only_after_its_backup(desk: Desk, case: Case) -> None:
    desk.change(Application, case.id, backup_needed=True)

    with pytest.raises(Fatal, match="backup of the item"):
        await offer(desk, case)

    await case.back_up()
    await offer(desk, case)


async def test_a_case_without_copies_has_nothing_to_hand_over(desk: Desk) -> None:
    case = desk.case("gate").approve()

    with pytest.raises(Fatal, match="not retrieved yet"):
        await offer(desk, case)


@pytest.mark.requirement("R51")
async def test_one_job_sends_one_reminder(desk: Desk) -> None:
    case = desk.case("gate")
    hand_over_id = await case.lend()
    desk.clock.turn(timedelta(days=7))

    async def remind(job_key: int) -> int:
        sent = await desk.work(remind_return, application_id=case.id, hand_over_id=hand_over_id, job_key=job_key)
        return int(sent.reminders_sent)

    assert [await remind(1001), await remind(1001), await remind(1002)] == [1, 1, 1], "a flood of jobs reminds once"
    desk.clock.turn(timedelta(days=1))
    assert await remind(1003) == 2
    assert len(desk.rows(Reminder)) == events(desk).count("reminded") == 2
    case.give_back(hand_over_id)
    assert await remind(1004) == 2


@pytest.mark.requirement("R51")
async def test_access_stops_at_the_due_date_and_resumes_with_a_new_one(desk: Desk) -> None:
    case = desk.case("gate")
    hand_over_id = await case.lend()
    ids = {"application_id": case.id, "hand_over_id": hand_over_id}

    assert (await desk.work(suspend_access, **ids)).access_suspended is False, "the date is ten days off"
    desk.clock.turn(timedelta(days=10))
    for _ in range(2):
        assert (await desk.work(suspend_access, **ids)).access_suspended is True
    assert causes(desk) == ["use-period-over"]
    assert events(desk).count("suspended") == 1

    desk.change(HandOver, hand_over_id, due_at=DUE + timedelta(days=5))
    for _ in range(2):
        assert await desk.work(resume_access, **ids) is None
    assert (causes(desk), [grant.until for grant in desk.rows(Grant)]) == ([], [DUE + timedelta(days=5)])
    assert events(desk).count("resumed") == 1
    assert (await desk.work(suspend_access, **ids)).access_suspended is False, "the old date's timer comes late"


async def test_access_to_what_came_back_is_not_suspended(desk: Desk) -> None:
    case = desk.case("gate")
    hand_over_id = await case.lend()
    case.give_back(hand_over_id)
    desk.clock.turn(timedelta(days=10))

    answer = await desk.work(suspend_access, application_id=case.id, hand_over_id=hand_over_id)

    assert answer.access_suspended is False


@pytest.mark.requirement("R51", "R65")
async def test_an_overdue_copy_is_one_violation_and_stops_access(desk: Desk) -> None:
    case = desk.case("gate")
    hand_over_id = await case.lend()
    desk.clock.turn(timedelta(days=13))
    named = {"application_id": case.id, "hand_over_id": hand_over_id, "violation_kind": "overdue"}

    first, second = await desk.work(open_violation, **named), await desk.work(open_violation, **named)

    assert first == second
    [violation] = desk.rows(Violation)
    assert (violation.id, violation.kind) == (first.violation_id, "overdue")
    assert (violation.due_at, violation.accused, causes(desk)) == (DUE, ["custodian"], ["violation"])
    told = {notice.person_id for notice in desk.rows(Notice) if notice.code == "violation-overdue"}
    assert told == {"custodian", "security", "supervisor"}
    assert case.application.closed_at is None, "the copies are still awaited"
    case.give_back(hand_over_id)


async def test_what_came_back_inside_the_grace_is_no_violation(desk: Desk) -> None:
    case = desk.case("gate")
    hand_over_id = await case.lend()
    desk.clock.turn(timedelta(days=12))
    case.give_back(hand_over_id)
    desk.clock.turn(timedelta(days=1))

    named = {"application_id": case.id, "hand_over_id": hand_over_id, "violation_kind": "overdue"}
    assert (await desk.work(open_violation, **named)).violation_id is None
    assert desk.rows(Violation) == []


@pytest.mark.requirement("R48")
async def test_a_lost_copy_ends_the_case_and_nobody_opens_it_any_more(desk: Desk) -> None:
    case = desk.case("gate")
    hand_over_id = await case.lend()
    desk.as_person("custodian", hand_overs.report_loss, hand_over_id, kind="lost", what_happened="Left on a train.")
    named = {"application_id": case.id, "hand_over_id": hand_over_id, "violation_kind": "loss"}

    first, second = await desk.work(open_violation, **named), await desk.work(open_violation, **named)

    assert first == second
    assert case.application.closed_as == "copy-lost"
    [violation], [copy], [master] = desk.rows(Violation), desk.rows(Copy), desk.rows(Master)
    assert violation.facts["whatHappened"] == "Left on a train."
    with pytest.raises(KeyGone):
        desk.loan_keys.unwrapper(copy.id)
    assert all(grant.ended_at for grant in desk.rows(Grant))
    assert desk.objects("quarantine") == []
    with pytest.raises(StoreLocked):
        desk.store.delete("masters", master.sealed["key"], master.sealed["versionId"])
    assert [row.name for row in desk.rows(OutboxMessage)].count("copy-lost") == 1


async def test_a_kind_that_the_process_does_not_know_is_an_incident(desk: Desk) -> None:
    case = desk.case("gate")
    hand_over_id = await case.lend()

    with pytest.raises(Fatal, match="no kind of it"):
        await desk.work(open_violation, application_id=case.id, hand_over_id=hand_over_id, violation_kind="theft")


async def test_a_hand_over_of_another_case_is_an_incident(desk: Desk) -> None:
    case = desk.case("gate")
    hand_over_id = await case.lend()
    other = desk.case("gate")

    with pytest.raises(Fatal, match="does not have it"):
        await desk.work(suspend_access, application_id=other.id, hand_over_id=hand_over_id)
