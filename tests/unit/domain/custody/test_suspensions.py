"""Suspensions: a copy opens only while none is open; the freeze, the due date and its hard maximum (R44, R50, R51)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from custody_desk import NOON, Desk
from lent_case import lend
from prepared_desk import prepared_desk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.masters import Master
from services.database.tables.outbox import OutboxMessage
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import queries as case_queries
from services.domain.cases import register
from services.domain.custody import grants, hand_overs, suspensions, use_period, violation_ends, violations
from services.domain.custody import queries as custody_queries
from services.domain.process import outbox
from services.domain.process.messages import written
from services.domain.rules import agreed_limits
from services.runtime.errors import Fatal, Refused
from services.runtime.rules import LOCK_MARGIN

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
DUE = NOON + 10 * DAY
HARDEST = NOON + 30 * DAY  # the rules of the desk
GRACE = 3 * DAY
CODES = {
    "lost": "copy-lost",
    "recalled": "copy-recalled",
    "violation": "violation-open",
    "problem": "copy-frozen",
    "custodian-left": "custodian-left",
    "agreement": "agreement-suspended",
    "use-period-over": "use-period-over",
}


class Loan:
    """A copy that the custodian has accepted at noon for ten days; what it knows of it is read anew each time."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.case = desk, desk.case("gate").approve()
        self.id = desk.do(desk.lend_on_paper, self.case)
        self.case.accept(self.id)

    @property
    def row(self) -> HandOver:
        return self.desk.row(HandOver, self.id)  # type: ignore[no-any-return]

    def act(self, act: Any, *arguments: Any, **named: Any) -> Any:
        """Call a function with the hand-over after the unit of work."""
        return self.desk.do(lambda uow: act(uow, uow.session.get_one(HandOver, self.id), *arguments, **named))

    def suspend(self, cause: str, matter_id: str | None = None, **named: Any) -> None:
        self.act(suspensions.open_once, cause, matter_id, **named)

    def lift(self, cause: str) -> None:
        def act(uow: UnitOfWork, hand_over: HandOver) -> None:
            [row] = [one for one in suspensions.list_open(uow, hand_over) if one.cause == cause]
            suspensions.lift(uow, row)

        self.act(act)

    @property
    def causes(self) -> list[str]:
        return [row.cause for row in self.act(suspensions.list_open)]

    def opens(self) -> str:
        """Return the code of the refusal, or nothing where the copy opens."""
        [copy] = [row for row in self.desk.rows(Copy) if row.application_id == self.case.id]
        try:
            self.desk.as_person("custodian", grants.check, copy.id, "view")
        except Refused as refusal:
            return refusal.code
        return ""

    def due_date_comes(self) -> bool:
        return bool(self.desk.do(hand_overs.suspend, self.case.id, self.id))

    def period_changes(self, due_at: datetime | None = None, grace_period: str | None = None) -> None:
        """The process goes by ``due_at`` and ``grace_period``."""
        self.desk.do(hand_overs.resume, self.case.id, self.id, due_at, grace_period)

    def grace_ends(self) -> Violation | None:
        return self.desk.do(violations.open_overdue, self.case.id, self.id)  # type: ignore[no-any-return]

    def messages(self) -> list[OutboxMessage]:
        return [row for row in self.desk.rows(OutboxMessage) if row.name == "use-period-changed"]

    def log(self) -> list[str]:
        rows = [row for row in self.desk.rows(CustodyEntry) if row.hand_over_id == self.id]
        return [row.event for row in sorted(rows, key=lambda row: row.seq)][2:]  # offered, received


def close(loan: Loan, violation: Violation, closed_as: str) -> None:
    loan.desk.do(lambda uow: violation_ends.close(uow, uow.session.get_one(Violation, violation.id), closed_as))


@pytest.fixture
def desk(tmp_path: Path, any_database_url: str) -> Iterator[Desk]:
    footage = tmp_path / "no footage"
    footage.mkdir()
    desk = Desk(tmp_path, footage, database_url=any_database_url)
    yield desk
    desk.database.close()


@pytest.fixture
def loan(desk: Desk) -> Loan:
    return Loan(desk)


def refusal(loan: Loan, due_at: datetime) -> str:
    with pytest.raises(Refused) as caught:
        loan.act(use_period.change_due_date, due_at, because="extension")
    return caught.value.code


@pytest.mark.requirement("R41", "R44", "R51", "R65")
def test_a_copy_opens_only_while_no_suspension_is_open_and_says_which(loan: Loan) -> None:
    assert set(CODES) == set(suspensions.CAUSES)

    for cause, code in CODES.items():
        for _ in range(2):
            loan.suspend(cause)
        assert (loan.causes, loan.opens()) == ([cause], code)
        loan.lift(cause)
        assert (loan.causes, loan.opens()) == ([], "")

    with pytest.raises(ValueError, match="no cause of a suspension"):
        loan.suspend("whim")


@pytest.mark.requirement("R41", "R65")
def test_lifting_one_lifts_one(loan: Loan) -> None:
    for cause in reversed(suspensions.CAUSES):
        loan.suspend(cause)
    told = []
    while loan.causes:
        told.append(loan.opens())
        loan.lift(str(suspensions.first_cause(loan.causes)))

    assert told == list(CODES.values())
    assert loan.opens() == ""
    assert loan.log().count("resumed") == 1, "access is resumed with the last one"
    lifted = loan.desk.rows(Suspension)
    assert {(row.lifted_at, row.lifted_by) for row in lifted} == {(NOON, "test")}
    loan.act(lambda uow, _: suspensions.lift(uow, uow.session.get_one(Suspension, lifted[0].id)))
    assert [event.action for event in loan.desk.rows(AuditEvent)].count("suspension-lifted") == len(CODES)


def test_a_suspended_person_opens_none_of_their_copies(desk: Desk) -> None:
    loans = [Loan(desk), Loan(desk)]
    for _ in range(2):
        desk.do(suspensions.open_for_person, "custodian", "agreement")
    loans[0].suspend("recalled")
    [row] = desk.do(suspensions.of_person, "custodian")

    assert [loan.opens() for loan in loans] == ["copy-recalled", "agreement-suspended"]
    loans[0].lift("recalled")
    assert [loan.opens() for loan in loans] == ["agreement-suspended"] * 2
    desk.do(lambda uow: suspensions.lift(uow, uow.session.get_one(Suspension, row.id)))
    assert [loan.opens() for loan in loans] == ["", ""]
    assert [loan.log().count("resumed") for loan in loans] == [1, 1]


def test_a_suspension_up_to_a_moment_ends_by_itself(loan: Loan) -> None:
    loan.suspend("violation", until=NOON + DAY)
    loan.desk.clock.turn(DAY - timedelta(seconds=1))
    assert loan.opens() == "violation-open"

    loan.desk.clock.turn(timedelta(seconds=1))

    assert loan.opens() == ""
    loan.suspend("violation")
    assert loan.opens() == "violation-open", "one that is over is no open one"


@pytest.mark.requirement("R50", "R51", "R65")
@pytest.mark.parametrize("cause", ["problem", "violation", "recalled", "custodian-left", "lost"])
def test_resuming_access_lifts_the_end_of_the_use_period_alone(loan: Loan, cause: str) -> None:
    loan.desk.clock.turn(10 * DAY)
    assert loan.due_date_comes()
    loan.suspend(cause)
    loan.desk.change(HandOver, loan.id, due_at=DUE + 5 * DAY)

    loan.period_changes()

    assert (loan.causes, loan.opens()) == ([cause], CODES[cause])


def test_nothing_falls_due_while_a_problem_report_freezes_the_copies(loan: Loan) -> None:
    loan.desk.clock.turn(8 * DAY)
    loan.suspend("problem", "matter-1")
    loan.desk.clock.turn(7 * DAY)

    assert loan.due_date_comes(), "access is stopped already"
    assert loan.grace_ends() is None
    assert loan.desk.do(hand_overs.remind, loan.case.id, loan.id, 7) == 0
    assert (loan.causes, loan.desk.rows(Violation)) == (["problem"], [])
    with pytest.raises(Refused, match="frozen while a problem report"):
        loan.case.give_back(loan.id)

    assert not loan.act(use_period.lift_freeze, "another matter")
    assert loan.act(use_period.lift_freeze, "matter-1")
    assert not loan.act(use_period.lift_freeze, "matter-1"), "a second run finds nothing to lift"

    assert (loan.row.due_at, loan.opens()) == (DUE + 7 * DAY, "")
    assert {grant.until for grant in loan.desk.rows(Grant)} == {DUE + 7 * DAY}
    [message] = loan.messages()
    assert (message.correlation_key, message.variables) == (loan.id, {"dueAt": "2031-03-21T12:00:00Z"})
    loan.desk.clock.turn(2 * DAY + GRACE)
    assert loan.grace_ends() is not None


def test_a_lifted_freeze_stays_inside_the_hard_maximum_and_arms_the_timers_also_with_the_old_date(loan: Loan) -> None:
    loan.desk.clock.turn(9 * DAY)
    loan.suspend("problem")
    loan.desk.clock.turn(60 * DAY)
    loan.act(use_period.lift_freeze)
    assert loan.row.due_at == HARDEST, "which is over, and the grace begins anew"
    told = {"dueAt": "2031-04-03T12:00:00Z", "gracePeriod": "P42D"}
    assert [message.variables for message in loan.messages()] == [told]

    other = Loan(loan.desk)
    other.act(use_period.change_due_date, other.row.due_at + 15 * DAY, because="extension")
    loan.desk.clock.turn(9 * DAY)
    other.suspend("problem")
    loan.desk.clock.turn(20 * DAY)
    other.act(use_period.lift_freeze)
    assert other.row.accepted_at is not None
    assert other.row.due_at == other.row.accepted_at + 30 * DAY


@pytest.mark.requirement("R44", "R51", refuses=True)
def test_copies_that_could_not_be_returned_are_not_overdue_before_a_whole_grace(loan: Loan) -> None:
    loan.act(use_period.change_due_date, HARDEST, because="extension")
    loan.desk.clock.turn(29 * DAY)
    loan.suspend("problem")
    loan.desk.clock.turn(6 * DAY)
    loan.act(use_period.lift_freeze)

    assert loan.row.due_at == HARDEST
    told = {"dueAt": "2031-04-03T12:00:00Z", "gracePeriod": "P8D"}
    assert [message.variables for message in loan.messages()] == [{"dueAt": told["dueAt"]}, told]
    assert loan.due_date_comes()
    loan.desk.clock.turn(GRACE - HOUR)
    with pytest.raises(Fatal, match="not overdue before"):
        loan.grace_ends()
    loan.desk.clock.turn(HOUR)
    assert loan.grace_ends() is not None


@pytest.mark.requirement("R44", "R51", refuses=True)
def test_one_report_after_the_other_puts_the_violation_off_by_the_frozen_time_alone(loan: Loan) -> None:
    loan.act(use_period.change_due_date, HARDEST, because="extension")
    loan.desk.clock.turn(30 * DAY)
    for _ in range(2):  # after one day of the grace, and after another
        loan.desk.clock.turn(DAY)
        loan.suspend("problem")
        loan.desk.clock.turn(5 * DAY)
        loan.act(use_period.lift_freeze)
    loan.desk.clock.turn(DAY - HOUR)
    with pytest.raises(Fatal, match="not overdue before"):
        loan.grace_ends()
    loan.desk.clock.turn(HOUR)
    assert loan.grace_ends() is not None


def test_a_later_due_date_has_the_usual_grace_again(loan: Loan) -> None:
    loan.desk.clock.turn(9 * DAY)
    loan.suspend("problem", "matter")
    loan.desk.clock.turn(6 * DAY)
    loan.act(use_period.take_freeze_over)
    loan.act(use_period.take_freeze_over)
    assert (loan.row.due_at, loan.act(agreed_limits.get_grace_period)) == (DUE, 8 * DAY)
    assert loan.log() == ["suspended", "resumed", "due-date-changed"]

    loan.act(use_period.change_due_date, HARDEST, because="extension")

    assert loan.act(agreed_limits.get_grace_period) == GRACE
    assert loan.messages()[-1].variables == {"dueAt": "2031-04-03T12:00:00Z", "gracePeriod": "P3D"}
    details = [row.detail for row in loan.desk.rows(CustodyEntry) if row.event == "due-date-changed"]
    assert sorted((one["grace_seconds"], one["usual_grace_seconds"]) for one in details) == [
        (3 * 86400, 3 * 86400),
        (8 * 86400, 3 * 86400),
    ]


def test_what_the_copies_rest_on_is_locked_for_the_longer_grace(loan: Loan) -> None:
    loan.desk.clock.turn(9 * DAY)
    loan.suspend("problem", "matter")
    loan.desk.clock.turn(40 * DAY)
    loan.act(use_period.take_freeze_over)
    [master] = [row for row in loan.desk.rows(Master) if row.application_id == loan.case.id]
    assert master.retain_until >= loan.desk.clock.now() + GRACE + LOCK_MARGIN


def test_a_process_that_goes_by_another_grace_is_told_again(loan: Loan) -> None:
    loan.act(use_period.change_due_date, HARDEST, because="extension")
    loan.period_changes(HARDEST)
    loan.desk.clock.turn(29 * DAY)
    loan.suspend("problem")
    loan.desk.clock.turn(6 * DAY)
    loan.act(use_period.lift_freeze)
    newest = {"dueAt": "2031-04-03T12:00:00Z", "gracePeriod": "P8D"}

    loan.period_changes(HARDEST, "P3D")
    assert [row.variables for row in loan.messages() if row.settled_at is None] == [newest]
    loan.period_changes(HARDEST, "P8D")
    assert all(row.settled_at for row in loan.messages())


def test_days_that_two_suspensions_cover_are_given_back_once(loan: Loan) -> None:
    loan.desk.clock.turn(DAY)
    loan.suspend("problem", "one")
    loan.desk.clock.turn(2 * DAY)
    loan.suspend("problem", "two")
    loan.desk.clock.turn(2 * DAY)
    loan.act(use_period.lift_freeze, "one")
    assert (loan.row.due_at, loan.opens()) == (DUE + 2 * DAY, "copy-frozen")

    loan.desk.clock.turn(2 * DAY)
    loan.act(use_period.lift_freeze, "two")

    assert (loan.row.due_at, loan.opens()) == (DUE + 6 * DAY, "")


@pytest.mark.requirement("R50")
def test_a_changed_due_date_opens_access_again_and_arms_every_timer(loan: Loan) -> None:
    loan.desk.clock.turn(10 * DAY)
    loan.due_date_comes()

    for _ in range(2):
        loan.act(use_period.change_due_date, DUE + 5 * DAY, because="extension")

    assert (loan.causes, loan.opens(), loan.row.due_at) == ([], "", DUE + 5 * DAY)
    assert loan.log() == ["suspended", "due-date-changed", "resumed", "due-date-changed"]
    first, second = loan.messages()
    assert first.message_id != second.message_id
    for _ in range(2):
        loan.period_changes(DUE + 5 * DAY)
        assert all(message.settled_at for message in loan.messages()), "the use period is entered anew after the job"
    assert loan.log().count("resumed") == 1


@pytest.mark.requirement("R50")
def test_no_due_date_lies_behind_the_hard_maximum_or_in_the_past(loan: Loan) -> None:
    assert refusal(loan, HARDEST + timedelta(seconds=1)) == "due-date-too-late"
    loan.act(use_period.change_due_date, HARDEST, because="extension")
    loan.desk.clock.turn(5 * DAY)
    assert refusal(loan, HARDEST + DAY) == "due-date-too-late", "it counts from the acceptance, not from today"
    assert refusal(loan, NOON + 4 * DAY) == "due-date-past"
    assert len(loan.messages()) == 1

    loan.desk.database.rules = replace(loan.desk.rules, max_use_days=12)
    loan.act(use_period.change_due_date, HARDEST, because="extension")
    assert loan.act(agreed_limits.latest_due) == HARDEST, "what was granted stays granted"
    loan.act(use_period.change_due_date, NOON + 6 * DAY, because="purpose")
    assert loan.act(agreed_limits.latest_due) == NOON + 12 * DAY
    loan.desk.change(Application, loan.case.id, max_use_days=11)
    assert loan.act(agreed_limits.latest_due) == NOON + 11 * DAY


@pytest.mark.requirement("R50")
def test_copies_that_nobody_holds_have_no_use_period_to_change(desk: Desk) -> None:
    loan = Loan(desk)
    loan.case.give_back(loan.id)
    assert refusal(loan, DUE + DAY) == "loan-not-running"
    loan.period_changes()

    case = desk.case("gate").approve()
    offered = desk.do(desk.lend_on_paper, case)
    with pytest.raises(ValueError, match="nobody has accepted"):
        desk.do(lambda uow: agreed_limits.latest_due(uow, uow.session.get_one(HandOver, offered)))
    assert loan.messages() == []


def test_p5_after_an_extension_the_same_loan_is_overdue_a_second_time(loan: Loan) -> None:
    loan.desk.clock.turn(10 * DAY + GRACE)
    first = loan.grace_ends()
    assert first is not None
    assert loan.grace_ends() is not None, "the timer fires again"
    assert len(loan.desk.rows(Violation)) == 1
    close(loan, first, "upheld")
    loan.act(use_period.change_due_date, DUE + 8 * DAY, because="extension")
    with pytest.raises(Fatal, match="not overdue before"):
        loan.grace_ends()

    loan.desk.clock.turn(5 * DAY + GRACE)
    for _ in range(2):
        loan.grace_ends()

    assert [row.due_at for row in sorted(loan.desk.rows(Violation), key=lambda row: row.opened_at)] == [
        DUE,
        DUE + 8 * DAY,
    ]


@pytest.mark.requirement("R48", "R51")
@pytest.mark.parametrize(("reported_after", "kinds"), [(12 * DAY, ["loss"]), (14 * DAY, ["loss", "overdue"])])
def test_p7_a_loss_does_not_cancel_the_overdue_job_and_both_are_true(
    loan: Loan, reported_after: timedelta, kinds: list[str]
) -> None:
    loan.desk.clock.turn(reported_after)
    lost = {"kind": "lost", "what_happened": "Left on a train."}
    loan.desk.as_person("custodian", hand_overs.report_loss, loan.id, **lost)
    loan.act(violations.open_once, "loss", lost)
    loan.desk.change(Application, loan.case.id, closed_at=loan.desk.clock.now(), closed_as="copy-lost")
    loan.desk.clock.turn(DAY)

    loan.grace_ends()

    assert sorted(row.kind for row in loan.desk.rows(Violation)) == kinds
    assert sorted(loan.causes) == ["lost", *["violation" for _ in kinds]]


def test_a_cleared_violation_lifts_its_suspension_and_gives_back_the_days(loan: Loan) -> None:
    loan.desk.clock.turn(2 * DAY)
    breach = loan.act(violations.open_once, "breach", {})
    assert breach.accused == ["custodian"]
    loan.desk.clock.turn(4 * DAY)
    leak = loan.act(violations.open_once, "leak", {}, accused=["drafter"])
    assert loan.due_date_comes(), "the violation has stopped access already"

    close(loan, leak, "upheld")
    close(loan, breach, "cleared")
    close(loan, breach, "cleared")

    assert (loan.causes, loan.opens()) == (["violation"], "violation-open"), "the other one is its own"
    assert loan.row.due_at == DUE + 4 * DAY, "the time that the other one covers is not given back"
    assert len(loan.messages()) == 1
    assert loan.log() == ["violation", "violation", "violation-closed", "violation-closed", "due-date-changed"]
    with pytest.raises(Refused, match="decided already"):
        close(loan, breach, "upheld")
    with pytest.raises(ValueError, match="no end of a violation"):
        close(loan, leak, "forgotten")
    with pytest.raises(ValueError, match="no kind of violation"):
        loan.act(violations.open_once, "rudeness", {})


def test_a_cleared_overdue_copy_has_its_grace_again_and_is_no_violation_at_once(loan: Loan) -> None:
    loan.desk.clock.turn(10 * DAY)
    loan.due_date_comes()
    loan.desk.clock.turn(GRACE)
    violation = loan.grace_ends()
    assert violation is not None
    loan.desk.clock.turn(2 * DAY)

    close(loan, violation, "cleared")

    assert (loan.row.due_at, loan.causes) == (DUE + GRACE + 2 * DAY, ["use-period-over"])
    with pytest.raises(Fatal, match="not overdue before"):
        loan.grace_ends()
    loan.desk.clock.turn(GRACE)
    assert loan.grace_ends() is not None
    assert len(loan.desk.rows(Violation)) == 2


@pytest.mark.requirement("R50", "R51", refuses=True)
@pytest.mark.parametrize("due_at", [HARDEST, HARDEST - HOUR])
def test_copies_that_are_kept_after_a_cleared_violation_are_overdue_again_at_the_hard_maximum(
    loan: Loan, due_at: datetime
) -> None:
    loan.act(use_period.change_due_date, due_at, because="extension")
    loan.desk.clock.turn(30 * DAY)
    loan.due_date_comes()
    ends: list[datetime] = []
    for turn in range(3):
        loan.desk.clock.turn(GRACE)
        violation = loan.grace_ends()
        assert violation is not None
        again = loan.grace_ends()
        assert again is not None
        assert again.id == violation.id, "the timer fires again"
        loan.desk.clock.turn(5 * DAY)
        close(loan, violation, "cleared")
        ends.append(loan.desk.clock.now() + GRACE)

        assert (loan.row.due_at, loan.causes) == (HARDEST, ["use-period-over"]), "nothing is used beyond the maximum"
        assert loan.row.due_at + loan.act(agreed_limits.get_grace_period) == ends[-1], "a whole grace to return them"
        assert loan.messages()[-1].variables["gracePeriod"]
        assert len(loan.desk.rows(Violation)) == turn + 1

    missed = sorted(row.due_at for row in loan.desk.rows(Violation))
    assert missed == [due_at, HARDEST if due_at < HARDEST else ends[0], ends[1]]


@pytest.mark.requirement("R51", refuses=True)
def test_copies_that_came_back_within_the_grace_after_a_cleared_violation_are_not_overdue_again(loan: Loan) -> None:
    loan.act(use_period.change_due_date, HARDEST, because="extension")
    loan.desk.clock.turn(30 * DAY + GRACE)
    violation = loan.grace_ends()
    assert violation is not None
    close(loan, violation, "cleared")
    known = loan.grace_ends()
    assert known is not None
    assert known.id == violation.id, "the grace is not over"
    loan.desk.clock.turn(GRACE - HOUR)
    loan.case.give_back(loan.id)
    loan.desk.clock.turn(HOUR)

    assert loan.grace_ends() is None
    assert len(loan.desk.rows(Violation)) == 1


def test_an_upheld_violation_is_the_only_one_of_its_due_date(loan: Loan) -> None:
    loan.act(use_period.change_due_date, HARDEST, because="extension")
    loan.desk.clock.turn(30 * DAY + GRACE)
    violation = loan.grace_ends()
    assert violation is not None
    close(loan, violation, "upheld")
    loan.desk.clock.turn(30 * DAY)

    known = loan.grace_ends()
    assert known is not None
    assert known.id == violation.id


def test_a_violation_that_is_cleared_after_the_return_changes_no_date(loan: Loan) -> None:
    breach = loan.act(violations.open_once, "breach", {})
    loan.case.give_back(loan.id)

    close(loan, breach, "cleared")

    assert (loan.row.due_at, loan.messages(), loan.causes) == (DUE, [], [])


def test_holder_and_case_page_are_told_the_cause(any_database_url: str) -> None:
    desk, ids = prepared_desk(any_database_url, lend)
    hand_over_id = ids["hand_over_id"]
    desk.run(lambda uow: suspensions.open_once(uow, uow.session.get_one(HandOver, hand_over_id), "problem"))
    desk.run(suspensions.open_for_person, "keeper", "agreement")

    mine = desk.run(custody_queries.get_mine, hand_over_id, by="keeper")
    [listed] = desk.run(custody_queries.read_mine, by="keeper").lines
    [line] = desk.run(custody_queries.open_loans, by="keeper")
    seen = desk.run(case_queries.get_case, ids["application_id"], by="supervisor").hand_over
    [out] = desk.run(register.read_copies_out, by="supervisor").lines

    assert (mine.state, listed.state, line.state) == ("frozen",) * 3
    for view in (mine, listed, seen):
        assert view is not None
        assert sorted(row.cause for row in view.suspensions) == ["agreement", "problem"]
        assert view.suspended_at == out.suspended_at is not None
    desk.close()


def change(loan: Loan, *days: int) -> list[datetime]:
    """Set the due date so many days after the first one, one change a minute; return the due dates."""
    dates = [DUE + number * DAY for number in days]
    for due_at in dates:
        loan.desk.clock.turn(timedelta(minutes=1))
        loan.act(use_period.change_due_date, due_at, because="extension")
    return dates


def waiting(loan: Loan) -> list[str]:
    """Return the due dates that the process is still told."""
    rows = sorted(loan.messages(), key=lambda row: row.created_at)
    return [row.variables["dueAt"] for row in rows if row.settled_at is None]


@pytest.mark.requirement("R49", "R50")
def test_the_process_ends_with_the_last_due_date_however_often_a_job_runs(loan: Loan) -> None:
    first, last = change(loan, 2, 4)
    for _ in range(2):  # a second run of a job, and the job of a message that was published again
        loan.period_changes(first)
        assert waiting(loan) == [written(last)]

    loan.period_changes(last)
    assert waiting(loan) == []

    loan.period_changes(first)  # the engine has held an earlier one until now
    assert waiting(loan) == [written(last)]
    loan.period_changes(last)
    assert waiting(loan) == []


def test_a_change_is_not_undone_by_an_earlier_one_of_the_same_date(loan: Loan) -> None:
    there, back, again = change(loan, 3, 1, 3)
    assert there == again
    loan.period_changes(back)
    assert waiting(loan) == [written(again)]
    loan.period_changes(again)
    assert waiting(loan) == []


def test_a_job_that_does_not_say_its_due_date_settles_no_change_that_was_not_sent(loan: Loan) -> None:
    _, last = change(loan, 2, 4)
    loan.period_changes()
    assert waiting(loan) == [written(last)]
    [row] = [row for row in loan.messages() if row.settled_at is None]
    loan.desk.do(outbox.mark_published, row.message_id, attempts=0, retry_after=DAY)
    loan.period_changes()
    assert waiting(loan) == []


def test_the_process_of_a_loan_that_has_ended_is_told_no_due_date_any_more(loan: Loan) -> None:
    first, _ = change(loan, 2, 4)
    loan.case.give_back(loan.id)
    loan.period_changes(first)
    assert waiting(loan) == []
