"""Matters of the demo year, and its lost copies, compared column by column with those that the register's acts make."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from demo_year import demo_year
from filled_year import filled_year
from loan_matter import LoanDesk, lent
from matter_shapes import shapes_of_matters
from prepared_desk import prepared_desk
from row_shapes import Shapes, differences, shapes_of
from sqlalchemy import ColumnElement, select, true

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.unit_of_work import Actor, Database
from services.demo.year.fill import OPEN, Size
from services.domain.applications import opening
from services.domain.custody import closing, hand_overs, violations
from services.domain.matters.violations import acts, tasks
from services.domain.matters.violations.assessment import Assessment
from services.domain.reviews.given_judgements import GivenSanction, Judgement

ACTOR = Actor("system", "test")
LOST, EXPIRED = "copy-lost", "expired"
WARNING = Judgement(sanctions=(GivenSanction("warning"),), loss=False, referral=False)
BY_SECURITY = Assessment("minor", "violation-security", suspend_person=False, referral_asked=False)
# Papers are not made in rows, and no process of the desk takes its messages.
PAPERS = {"documents:problem", "documents:violation"}
LOAN_PAPERS = {"documents:custody-log", "documents:hand-over-receipt"}
# The loan of the desk is one on paper, its stores are empty, and its signer decides nothing more about it.
ON_PAPER = {
    *(f"applications.{name}" for name in ("max_use_days", "process_instance_key", "storage_notified_at")),
    *("applications.visits_added_at", "applications.discard_after", "masters.retain_until"),
    *("copies.discarded_at", "copies.discarded_because", "copies.sealed", "masters.sealed"),
    *("items.coverage", "items.loss_accepted", "items.reported", "revisions.form"),
    *(
        f"documents:{kind}.{name}"
        for kind in ("application-form", "retrieval-record")
        for name in ("lock_due_since", "retain_until")
    ),
    *("decisions:violation-security.stands_in_for", "decisions:preliminary.opinion"),
    # its release waits still, its locks do, and the process counts the time to correct
    *("reviews:storage-release.closed_at", "reviews:storage-release.closed_because", "masters.lock_due_since"),
    "applications.correction_seconds",
}
OF_A_PROCESS = ("published_at", "settled_at", "settled_because")


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with demo_year(tmp_path_factory.mktemp("year")) as database:
        yield database


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent)
    yield LoanDesk(desk, ids)
    desk.close()


def compare(loan: LoanDesk, year: Database, kind: str, closed_as: str, *, about: str | None = None) -> None:
    real = loan.desk.run(shapes_of_matters, kind, closed_as, about=about)
    made = year.read_now(ACTOR, shapes_of_matters, kind, closed_as, about=about)
    assert real["matters"]
    assert (real.keys() - made.keys() - PAPERS, made.keys() - real.keys()) == (set(), set())
    assert _without_a_process(real, made) == {}


def _without_a_process(real: Shapes, made: Shapes) -> dict[str, str]:
    found = differences(real, made)
    return {
        name: how for name, how in found.items() if name.split(".")[-1] not in OF_A_PROCESS and name not in ON_PAPER
    }


def test_an_extension_that_was_refused(loan: LoanDesk, year: Database) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(5))
    loan.check(matter_id)
    loan.decide(matter_id, "extension", "reviewer", "rejected")
    loan.close(matter_id, "refused")
    compare(loan, year, "extension", "refused")


def test_a_custody_transfer_that_was_declined(loan: LoanDesk, year: Database) -> None:
    matter_id = loan.ask("custody-transfer", toPersonId="drafter", conditions="副本完好。")
    loan.check(matter_id)
    loan.decide(matter_id, "custody-receipt", "drafter", "declined")
    loan.close(matter_id, "refused")
    compare(loan, year, "custody-transfer", "refused")


def test_a_problem_that_was_explained(loan: LoanDesk, year: Database) -> None:
    loan.respond(loan.report(problem="gap"), "explained")
    compare(loan, year, "problem", "answered")


def test_a_violation_that_was_upheld(loan: LoanDesk, year: Database) -> None:
    loan.desk.clock.turn(timedelta(days=15) + loan.desk.rules.grace_period + timedelta(hours=1))
    violation = loan.desk.run(violations.open_overdue, loan.application_id, loan.loan.id)
    assert violation is not None
    matter_id = str(violation.matter_id)
    loan.desk.run(tasks.assess, matter_id, loan.instance)
    loan.desk.run(tasks.serve, matter_id, BY_SECURITY)
    loan.desk.run(acts.reply, matter_id, "当时在医院。", by="keeper")
    loan.decide(matter_id, "violation-security", "security-deputy", judgement=WARNING)
    loan.desk.run(tasks.record_sanctions, matter_id)
    loan.close(matter_id, "handled")
    compare(loan, year, "violation", "upheld", about="overdue")


def test_a_copy_that_was_lost(loan: LoanDesk, year: Database) -> None:
    loan.desk.run(hand_overs.report_loss, loan.loan.id, kind="lost", what_happened="遗失在出租车上。", by="keeper")
    actions = loan.desk.run(closing.end_lost_loan, loan.application_id, loan.loan.id)
    loan.desk.run(closing.confirm_loan_end, loan.application_id, actions, closed_as=LOST, filed={})
    real = loan.desk.run(shapes_of, LOST, true())
    made = year.read_now(ACTOR, shapes_of, LOST, true())
    assert _without_a_process(real, made) == {}
    assert real.keys() - made.keys() == {"custody_entries:downloaded", *LOAN_PAPERS}


def test_an_application_that_was_not_corrected_in_time(loan: LoanDesk, year: Database) -> None:
    desk = loan.desk
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head", "returned")
    desk.clock.turn(desk.rules.correction_period + timedelta(hours=1))
    assert not desk.run(opening.expire, application_id, 1).corrected_meanwhile
    actions = desk.run(closing.release_case, application_id, EXPIRED)
    desk.run(closing.confirm_release, application_id, actions)
    real = desk.run(shapes_of, EXPIRED, Application.id == application_id)
    made = year.read_now(ACTOR, shapes_of, EXPIRED, true())
    assert _without_a_process(real, made) == {}
    assert _by_hand(real) == _by_hand(made)


def test_a_loan_that_is_open(loan: LoanDesk, tmp_path: Path) -> None:
    (tmp_path / "filled").mkdir()
    with filled_year(tmp_path / "filled", Size(cases=60, open=2 * len(OPEN), people=45, cameras=40)) as filled:
        made = filled.read_now(ACTOR, shapes_of, None, _held())
    real = loan.desk.run(shapes_of, None, Application.id == loan.application_id)
    assert _without_a_process(real, made) == {}
    assert _by_hand(real) - _by_hand(made) == {"custody_entries:downloaded", "documents:hand-over-receipt"}
    assert _by_hand(made) - _by_hand(real) == {"decisions:storage-release"}


def _by_hand(shapes: Shapes) -> set[str]:
    """Leave out what a process writes."""
    return {name for name in shapes if not name.startswith(("process_steps:", "stage_visits"))}


def _held() -> ColumnElement[bool]:
    held = select(HandOver.application_id).where(HandOver.accepted_at.is_not(None), HandOver.returned_at.is_(None))
    return Application.id.in_(held)
