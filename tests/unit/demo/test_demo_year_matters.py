"""Matters of the demo year, and its lost copies, compared column by column with those that the register's acts make."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from demo_year import demo_year
from filled_year import filled_year
from loan_matter import LoanDesk, awaiting, lent
from matter_shapes import events_of, shapes_of_matters
from prepared_desk import prepared_desk
from provided_case import ProvidingDesk, lent_to_security, with_medium
from review_desk import PASSWORD, ReviewDesk
from row_shapes import Shapes, differences, shape, shapes_of
from sqlalchemy import ColumnElement, select, true
from urgent_desk import Urgent

from services.database.tables.applications import Application
from services.database.tables.copies import Download
from services.database.tables.custody import HandOver
from services.database.tables.devices import Medium, MediumEvent
from services.database.tables.disclosures import DisclosureDownload
from services.database.tables.returns import Return
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.organisation import demo_id
from services.demo.year.fill import OPEN, Size
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import opening
from services.domain.custody import closing, hand_overs, violations
from services.domain.custody.returns import AttestedFate, return_copies
from services.domain.disclosures import service as disclosures
from services.domain.matters.violations import acts, tasks
from services.domain.matters.violations.assessment import Assessment
from services.domain.reviews.given_judgements import GivenSanction, Judgement

ACTOR = Actor("system", "test")
LOST, EXPIRED, NOT_TAKEN, PROVIDED = "copy-lost", "expired", "copy-not-taken-up", "footage-provided"
SIGNED, MEDIUM = ("recall", "security-head"), "JZ-U-0001"
WARNING = Judgement(sanctions=(GivenSanction("warning"),), loss=False, referral=False)
BY_SECURITY = Assessment("minor", "violation-security", suspend_person=False, referral_asked=False)
# Papers are not made in rows, and no process of the desk takes its messages.
PAPERS = {"documents:problem", "documents:violation", "documents:urgent"}
RELEASED = {"decisions:storage-release", "reviews:storage-release"}  # which the desk does without
LOAN_PAPERS = {"documents:custody-log", "documents:hand-over-receipt"}
# The loan of the desk is one on paper, its stores are empty, and its signer decides nothing more about it.
ON_PAPER = {
    *(f"applications.{name}" for name in ("max_use_days", "process_instance_key", "storage_notified_at")),
    *("applications.visits_added_at", "applications.discard_after", "masters.retain_until"),
    *("copies.discarded_at", "copies.discarded_because", "copies.sealed", "masters.sealed"),
    *("items.coverage", "items.loss_accepted", "items.reported", "revisions.form"),
    *(
        f"documents:{kind}.{name}"
        for kind in ("application-form", "retrieval-record", "recall", "disclosure")
        for name in ("lock_due_since", "retain_until")
    ),
    *("decisions:violation-security.stands_in_for", "decisions:preliminary.opinion"),
    # its release waits still, its locks do, and the process counts the time to correct
    *("reviews:storage-release.closed_at", "reviews:storage-release.closed_because", "masters.lock_due_since"),
    "applications.correction_seconds",
    # an urgent retrieval learns of its instance by its first job
    "matters.process_instance_key",
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


def compare(
    loan: LoanDesk,
    year: Database,
    kind: str,
    closed_as: str,
    *,
    about: str | None = None,
    more: Collection[str] = (),
) -> None:
    """``more``: parts of the facts of which others of the year's have more names."""
    real = loan.desk.run(shapes_of_matters, kind, closed_as, about=about)
    made = year.read_now(ACTOR, shapes_of_matters, kind, closed_as, about=about)
    assert real["matters"]
    assert (real.keys() - made.keys() - PAPERS, made.keys() - real.keys()) == (set(), set())
    found = _without_a_process(real, made)
    assert {name: how for name, how in found.items() if name.split(".")[0] not in more} == {}


def compare_events(loan: LoanDesk, year: Database) -> None:
    """Look for the events of the matters, with their details, in the audit trail of the year."""
    real, made = loan.desk.run(events_of), year.read_now(ACTOR, events_of)
    assert real
    assert {action: lacking for action, told in real.items() if (lacking := told - made.get(action, set()))} == {}


def compare_case(desk: ReviewDesk, year: Database, closed_as: str) -> None:
    """Compare the rows of a case that has ended so, beside those of its matters."""
    real = desk.run(shapes_of, closed_as, true())
    made = year.read_now(ACTOR, shapes_of, closed_as, true())
    assert _without_a_process(real, made) == {}
    assert _by_hand(real) - LOAN_PAPERS - RELEASED == _by_hand(made) - RELEASED - {"custody_entries:viewed"}


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


def test_an_urgent_retrieval_that_nobody_has_approved(tmp_path: Path, year: Database) -> None:
    urgent = Urgent(f"sqlite:///{tmp_path / 'empty.db'}")
    urgent.unratified()
    loan = LoanDesk(urgent.desk, {"application_id": urgent.case})
    compare(loan, year, "urgent", "not-ratified")
    urgent.desk.close()


def test_a_recall_of_copies_in_use_that_was_signed(loan: LoanDesk, year: Database) -> None:
    matter_id = loan.ask("recall", "reviewer", ground="no-longer-needed")
    loan.agreed(matter_id, SIGNED)
    assert loan.apply(matter_id)
    compare(loan, year, "recall", "applied", more={"facts:before"})
    compare_events(loan, year)
    recalled = year.read_now(ACTOR, _recalled)
    assert recalled
    assert {(by, statement["stage"], statement["outcome"]) for by, statement in recalled} == {
        (demo_id("zhaoqiang"), "recall", "signed")
    }


def _recalled(uow: UnitOfWork) -> list[tuple[str, dict[str, Any]]]:
    rows = uow.session.scalars(select(Return))
    return [(row.returned_by, row.signature["statement"]) for row in rows if "recalled" in row.attestation]


def test_a_recall_that_nobody_signs_ends_with_the_return(loan: LoanDesk, year: Database) -> None:
    matter_id = loan.ask("recall", "reviewer", ground="misuse")
    loan.check(matter_id)
    loan.open(matter_id, "recall")
    loan.desk.clock.turn(timedelta(hours=25))
    fates = [AttestedFate(row.id, "destroyed") for row in loan.desk.all(Download)]
    told = {"return_to": "security", "fates": fates, "no_other_copies": True, "proof": Proof("", PASSWORD)}
    loan.desk.run(return_copies, loan.loan.id, **told, by="keeper")
    compare(loan, year, "recall", "moot")


def test_an_offer_that_was_recalled(tmp_path: Path, year: Database) -> None:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", awaiting)
    loan = LoanDesk(desk, ids)
    matter_id = loan.ask("recall", "reviewer", ground="other")
    loan.agreed(matter_id, SIGNED)
    assert loan.apply(matter_id)
    compare(loan, year, "recall", "applied")
    compare_events(loan, year)
    actions = desk.run(closing.release_case, loan.application_id, "not-taken-up")
    desk.run(closing.confirm_release, loan.application_id, actions)
    compare_case(desk, year, NOT_TAKEN)
    desk.close()


def test_what_was_provided_to_an_authority_on_a_medium_of_the_register(tmp_path: Path, year: Database) -> None:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", _to_be_provided)
    loan = ProvidingDesk(desk, ids)
    matter_id = loan.allowed(opensWith="medium", medium=MEDIUM, seal="F-1")
    fetched = desk.run(disclosures.list_download, matter_id, ids["copy_id"], address="x", by="reviewer2").id
    desk.run(disclosures.start_download, fetched, by="reviewer2")
    desk.run(disclosures.continue_download, fetched, last=True, by="reviewer2")
    signed = {"outsider_ids": loan.officers, "attachment_id": None, "note": "已签字"}
    desk.run(disclosures.record_receipt, matter_id, **signed, by="reviewer2")
    compare(loan, year, "disclosure", "applied")
    compare_events(loan, year)
    actions = desk.run(closing.end_provided_loan, loan.application_id, loan.loan.id)
    desk.run(closing.confirm_loan_end, loan.application_id, actions, closed_as=PROVIDED, filed={})
    compare_case(desk, year, PROVIDED)
    real, made = desk.run(_of_media), year.read_now(ACTOR, _of_media)
    assert real.keys() == made.keys()
    assert differences(real, made) == {}
    desk.close()


def _to_be_provided(desk: ReviewDesk) -> dict[str, str]:
    ids = lent_to_security(desk, legal_basis="authority-request", incident_reference="公治调证字〔2031〕12号")
    with_medium(desk, MEDIUM)
    return ids


def _of_media(uow: UnitOfWork) -> Shapes:
    """The shapes of the media on which something was provided, and of what became of them."""
    provided = Medium.number.in_(select(DisclosureDownload.medium))
    media = uow.session.scalars(select(Medium).where(provided)).all()
    events: dict[str, list[Any]] = defaultdict(list)
    for event in uow.session.scalars(select(MediumEvent).where(MediumEvent.medium_id.in_([row.id for row in media]))):
        events[f"medium_events:{event.event}"].append(event)
    tables = [("media", Medium, list(media)), *((name, MediumEvent, rows) for name, rows in events.items())]
    return {
        name: {column.key: shape(rows, column.key) for column in table.__table__.columns}
        for name, table, rows in tables
    }


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
