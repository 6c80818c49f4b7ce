"""Whatever comes in whichever order: no copy opens while anything suspends it, and none is kept too long (R44, R50)."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from amount import examples
from custody_desk import NOON, Case, Desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from services.database.tables.copies import Copy
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.outbox import OutboxMessage
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Violation
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.custody import grants, hand_overs, suspensions, use_period, violation_ends, violations
from services.domain.process.messages import USE_PERIOD_CHANGED, written
from services.runtime.errors import NotPermitted, Refused

DAY = timedelta(days=1)
HARDEST = NOON + 30 * DAY  # the rules of the desk
KEEPER = Actor("person", "custodian")


class _Undone(Exception):
    """Ends a unit of work without a trace."""


@dataclass
class Loan:
    """One loan in a unit of work whose clock is turned by hand."""

    uow: UnitOfWork
    case: Case
    row: HandOver
    copy_id: str

    def pass_by(self, hours: int) -> None:
        self.uow.now += timedelta(hours=hours)

    def suspend(self, cause: str, matter: str) -> None:
        suspensions.open_once(self.uow, self.row, cause, matter)

    def suspend_person(self, hours: int) -> None:
        until = self.uow.now + timedelta(hours=hours) if hours else None
        suspensions.open_for_person(self.uow, self.row.custodian_id, "agreement", until=until)

    def lift(self, place: int) -> None:
        rows = self.uow.session.scalars(select(Suspension).order_by(Suspension.since, Suspension.id)).all()
        if rows:
            suspensions.lift(self.uow, rows[place % len(rows)])

    def lift_freeze(self, matter: str) -> None:
        use_period.lift_freeze(self.uow, self.row, matter)

    def violate(self, kind: str) -> None:
        violations.open_once(self.uow, self.row, kind, {})

    def close(self, place: int, closed_as: str) -> None:
        rows = self.uow.session.scalars(select(Violation).order_by(Violation.opened_at, Violation.id)).all()
        if rows:
            violation_ends.close(self.uow, rows[place % len(rows)], closed_as)

    def change(self, hours: int) -> None:
        use_period.change_due_date(self.uow, self.row, NOON + timedelta(hours=hours), because="extension")

    def due_date_comes(self) -> None:
        hand_overs.suspend(self.uow, self.case.id, self.row.id)

    def grace_ends(self) -> None:
        violations.open_overdue(self.uow, self.case.id, self.row.id)

    def period_changes(self) -> None:
        hand_overs.resume(self.uow, self.case.id, self.row.id)

    def opens(self) -> bool:
        actor, self.uow.actor = self.uow.actor, KEEPER
        try:
            grants.check(self.uow, self.copy_id, "view")
        except Refused:
            return False
        finally:
            self.uow.actor = actor
        return True

    def check(self) -> None:
        """Compare with the rows alone."""
        now, rows = self.uow.now, self.uow.session.scalars(select(Suspension)).all()
        open_ones = [row for row in rows if row.lifted_at is None and (row.until is None or row.until > now)]
        assert self.row.due_at is not None
        assert self.opens() == (not open_ones and now < self.row.due_at)
        assert self.row.due_at <= HARDEST
        # what people find again, once the first finding is decided, is another violation
        missed = [
            (row.kind, row.due_at)
            for row in self.uow.session.scalars(select(Violation))
            if row.kind not in violations.FOUND or row.closed_at is None
        ]
        assert len(missed) == len(set(missed))
        sent = {
            message.message_id: message.variables["dueAt"]
            for message in self.uow.session.scalars(
                select(OutboxMessage).where(OutboxMessage.name == USE_PERIOD_CHANGED)
            )
        }
        changed = select(CustodyEntry.seq).where(CustodyEntry.event == "due-date-changed").order_by(CustodyEntry.seq)
        seqs = self.uow.session.scalars(changed).all()
        assert len(sent) == len(seqs), "each change arms the timers"
        if seqs:
            assert sent[f"{USE_PERIOD_CHANGED}:{self.row.id}:{seqs[-1]}"] == written(self.row.due_at)


CAUSES = st.sampled_from([cause for cause in suspensions.CAUSES if cause != "violation"])
MATTERS = st.sampled_from(["one", "two"])
STEPS: st.SearchStrategy[tuple[Callable[..., None], tuple[object, ...]]] = st.one_of(
    st.tuples(st.just(Loan.pass_by), st.tuples(st.integers(1, 200))),
    st.tuples(st.just(Loan.suspend), st.tuples(CAUSES, MATTERS)),
    st.tuples(st.just(Loan.suspend), st.tuples(st.just("problem"), MATTERS)),
    st.tuples(st.just(Loan.suspend_person), st.tuples(st.integers(0, 100))),
    st.tuples(st.just(Loan.lift), st.tuples(st.integers(0, 9))),
    st.tuples(st.just(Loan.lift_freeze), st.tuples(MATTERS)),
    st.tuples(st.just(Loan.violate), st.tuples(st.sampled_from(["breach", "leak"]))),
    st.tuples(st.just(Loan.close), st.tuples(st.integers(0, 9), st.sampled_from(violations.ENDS))),
    st.tuples(st.just(Loan.change), st.tuples(st.integers(1, 1000))),
    st.tuples(st.sampled_from([Loan.due_date_comes, Loan.grace_ends, Loan.period_changes]), st.just(())),
)


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    footage = tmp_path / "no footage"
    footage.mkdir()
    desk = Desk(tmp_path, footage)
    lent = desk.case("gate").approve()
    lent.accept(desk.do(desk.lend_on_paper, lent))
    yield lent
    desk.database.close()


@settings(
    max_examples=examples(sample=25, full=1000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=4, max_size=14))
def test_no_order_opens_a_suspended_copy_or_exceeds_the_hard_maximum(
    case: Case, steps: list[tuple[Callable[..., None], tuple[object, ...]]]
) -> None:
    def play(uow: UnitOfWork) -> None:
        row = uow.session.scalars(select(HandOver)).one()
        loan = Loan(uow, case, row, uow.session.scalars(select(Copy.id)).one())
        for act, arguments in steps:
            with suppress(Refused, NotPermitted):
                act(loan, *arguments)
            uow.session.flush()
            loan.check()
        raise _Undone

    with pytest.raises(_Undone):
        case.desk.do(play)
