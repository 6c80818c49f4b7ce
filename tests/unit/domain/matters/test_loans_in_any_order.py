"""Whatever happens to a loan in whichever order, nothing opens or lasts that must not, and somebody can end it.

One unit of work has the whole story, its clock turned by hand; each act is a part of it that rolls back where the
product refuses, as its own unit of work would.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from amount import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lent_case import Parts
from lent_case import offered as paper_offer
from loan_matter import REASON, lent
from prepared_desk import prepared_desk
from review_desk import CLERK, NOON, PASSWORD, ReviewDesk
from sqlalchemy import Select, event, select

from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.matters import Matter
from services.database.tables.returns import Return
from services.database.tables.reviews import Decision, Review
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Violation
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import forms
from services.domain.custody import (
    closing,
    copies,
    discards,
    grants,
    hand_overs,
    recipient_access,
    returns,
    suspensions,
    violations,
)
from services.domain.custody.returns import AttestedFate
from services.domain.holds import queries as holds
from services.domain.matters import problems, service, tasks
from services.domain.reviews import service as review_service
from services.domain.reviews import tasks as review_tasks
from services.domain.rules import agreed_limits
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotPermitted, Refused

LONGEST = timedelta(days=30)  # the rules of the desk
KEEPERS = ("keeper", "operator2", "operator")
VIEWER = "office-head"  # whom the form names
NEEDED = {
    "extension": ("extension",),
    "custody-transfer": ("custody-receipt",),
    "recall": ("recall",),
    "purpose-change": ("preliminary", "security", "security-signature"),
    "problem": ("problem",),
    "violation": ("violation-security",),  # by a process of its own: nothing here comes as far as its decision
}
ANSWERS = STAGES["problem"].outcomes
COMPARED = (Copy, CustodyEntry, Decision, Grant, HandOver, Item, Matter, Return, Review, Suspension, Violation)
ALL: dict[type[Any], Select[Any]] = {table: select(table) for table in COMPARED}
DECIDERS = {
    "extension": "reviewer2",
    "recall": "security-head",
    "problem": "reviewer2",
    "violation-security": "security-head",
    "preliminary": "board-head",
    "security": "reviewer2",
    "security-signature": "security-head",
}


class _Undone(Exception):
    """Ends a unit of work without a trace."""


@dataclass
class Loan:
    """One loan in a unit of work. ``keys`` are of the jobs that open reviews.

    ``changed``: something was done since the last comparison. What is refused is undone, and leaves nothing to compare.
    """

    uow: UnitOfWork
    row: HandOver
    copy_id: str
    keys: Iterator[int] = field(default_factory=lambda: itertools.count(10_000))
    changed: bool = True
    loaded: list[Any] = field(default_factory=list)
    rows: dict[type[Any], list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Keep what is loaded: a session has weak references alone, and would load each person for each act."""
        for moment in ("loaded_as_persistent", "pending_to_persistent"):
            event.listen(self.uow.session, moment, lambda _session, row: self.loaded.append(row))

    def attempt(self, by: str | None, act: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Do it as this person, or as a job; None where it is refused, and then nothing of it stays."""
        self.uow.actor = Actor("person", by) if by else CLERK
        try:
            with self.uow.savepoint():
                done = act(self.uow, *arguments, **named)
                self.uow.session.flush()
        except (Refused, NotPermitted):
            return None
        finally:
            self.uow.actor = CLERK
        self.changed = True
        return done if done is not None else True

    # ---- acts of people

    def ask(self, by: str, kind: str, **asked: Any) -> Any:
        proof = Proof(password=PASSWORD) if kind == "custody-transfer" else None
        return self.attempt(by, service.open_matter, kind, self.row.application_id, {"reason": REASON, **asked}, proof)

    def ask_extension(self, by: str, hours: int) -> None:
        self.ask(by, "extension", dueAt=(NOON + timedelta(hours=hours)).isoformat())

    def ask_transfer(self, by: str, to: str) -> None:
        self.ask(by, "custody-transfer", toPersonId=to)

    def ask_recall(self, by: str) -> None:
        self.ask(by, "recall", ground="leak")

    def ask_purpose(self, way: str) -> None:
        self.ask("head", "purpose-change", purpose="用于培训", wayOfUse=way)

    def report(self, by: str) -> None:
        self.ask(by, "problem", problem="wrong-camera")

    def respond(self, place: int, answer: str, done: str) -> None:
        """Answer a report, and send the job of an answer, this one or another."""
        if (matter := self.matter(place)) is None:
            return
        if matter.kind == "problem":
            self.decide(matter, "problem", True, answer)
        self.attempt(None, problems.answer, matter.id, "do what follows", (done,))

    def answer(self, place: int, stage: int, yes: bool) -> None:
        """Ask one stage of a matter, and answer it."""
        if matter := self.matter(place):
            stages = NEEDED[matter.kind]
            self.decide(matter, stages[stage % len(stages)], yes)

    def agree(self, place: int) -> None:
        """Let everybody decide for it, and carry it out."""
        if matter := self.matter(place):
            self.check_matter(place)
            for stage in NEEDED[matter.kind]:
                self.decide(matter, stage, True)
            self.attempt(None, tasks.apply, matter.id)

    def decide(self, matter: Matter, stage: str, yes: bool, outcome: str | None = None) -> None:
        key = next(self.keys)
        opened = self.attempt(None, tasks.open_review, matter.id, stage, job_key=key, process_instance_key=key)
        if opened is None:
            return
        given = STAGES[stage]
        other = next(code for code in given.outcomes if code != given.favourable)
        outcome = outcome or (given.favourable if yes else other)
        by = DECIDERS.get(stage, matter.counterpart_id)
        if by == matter.opened_by:
            by = "security-deputy"
        self.attempt(
            by,
            review_service.decide,
            opened.review_id,
            outcome=outcome,
            answers={question.code: True for question in given.questions},
            reason="理由" if outcome in given.reason_for else None,
            opinion="同意。" if given.opinion_needed else None,
            proof=Proof(matter.facts_sha256, PASSWORD),
        )

    def give_back(self) -> Any:
        listed = copies.list_downloads(self.uow, self.row.id)
        return self.attempt(
            self.row.custodian_id,
            returns.return_copies,
            self.row.id,
            return_to="security",
            fates=[AttestedFate(download.id, "destroyed") for download in listed],
            no_other_copies=True,
            proof=Proof("", PASSWORD),
        )

    def lose(self, kind: str) -> None:
        told = {"kind_of_loss": kind, "what_happened": "丢失"}
        self.attempt(self.row.custodian_id, problems.report_loss, self.row.id, **told)

    def allow_viewing(self) -> None:
        self.attempt(self.row.custodian_id, recipient_access.allow, self.row.id, VIEWER)

    def end_viewing(self) -> None:
        self.attempt(self.row.custodian_id, recipient_access.withdraw, self.row.id, VIEWER)

    # ---- acts of the product

    def pass_by(self, hours: int) -> None:
        self.uow.now += timedelta(hours=hours)
        self.changed = True
        access_queries.discard_loaded(self.uow)  # it is of one moment, as a unit of work is

    def freeze(self, place: int) -> None:
        if matter := self.matter(place):
            self.attempt(None, problems.freeze, matter.id, 7)

    def violate(self, kind: str) -> None:
        self.attempt(None, violations.open_once, self.row, kind, {})

    def close_violation(self, place: int, closed_as: str) -> None:
        rows = self.uow.session.scalars(select(Violation).order_by(Violation.opened_at, Violation.id)).all()
        if rows:
            self.attempt(None, violations.close, rows[place % len(rows)], closed_as)

    # ---- jobs, whoever sends them

    def check_matter(self, place: int) -> None:
        if matter := self.matter(place):
            self.attempt(None, tasks.check, matter.id, 7)

    def apply_matter(self, place: int) -> None:
        if matter := self.matter(place):
            self.attempt(None, tasks.apply, matter.id)

    def close_matter(self, place: int, closed_as: str) -> None:
        if matter := self.matter(place):
            self.attempt(None, tasks.close, matter.id, closed_as)

    def due_date_comes(self) -> None:
        self.attempt(None, hand_overs.suspend, self.row.application_id, self.row.id)

    def grace_ends(self) -> None:
        frozen, before = suspensions.is_frozen(self.uow, self.row), self.count_violations()
        self.attempt(None, violations.open_overdue, self.row.application_id, self.row.id)
        held = suspensions.is_held(self.row)
        assert not (frozen and held) or self.count_violations() == before, "the clock stands while it is frozen"

    def period_changes(self) -> None:
        self.attempt(None, hand_overs.resume, self.row.application_id, self.row.id)

    def end_lost(self) -> None:
        """Report a loss and end its loan, then let the sweep look at what is left."""
        self.lose("lost")
        ended = self.attempt(None, closing.end_lost_loan, self.row.application_id, self.row.id)
        if ended is not None:
            assert ended.leftovers is None, "the loss is a violation, which holds the case"
            confirmed = {"closed_as": closing.LOST_AS, "filed": {}}
            self.attempt(None, closing.confirm_loan_end, self.row.application_id, ended, **confirmed)
        self.sweep()

    def sweep(self) -> None:
        held = holds.is_held(self.uow, self.row.application_id)
        due = self.row.application_id in discards.list_due(self.uow, "", 10)
        assert not (held and due), "a held case discards nothing"
        left = self.attempt(None, discards.begin, self.row.application_id)
        assert not held or not isinstance(left, discards.Leftovers), "a held case discards nothing"

    def reissue(self) -> None:
        """Offer what replaces the copies, and let their holder accept it: from then on that is the loan."""
        application = self.uow.session.get_one(Application, self.row.application_id)
        if application.issue == self.row.issue:
            return
        offered = self.attempt(None, paper_offer, self.row.application_id)
        if offered is None:
            return
        _, copy_id, hand_over_id = offered
        key = next(self.keys)
        asked = {"job_key": key, "process_instance_key": key, "hand_over_id": hand_over_id}
        before, row = self.row, self.uow.session.get_one(HandOver, hand_over_id)
        self.attempt(None, review_tasks.open_review, self.row.application_id, "receipt", **asked)
        form = forms.current_revision(self.uow, row.application_id)
        assert form is not None
        signed = {"conditions_version": self.uow.rules.policy_version, "proof": Proof(form.sha256, PASSWORD)}
        assert row.custodian_id == before.custodian_id, "whoever held the wrong copies gets those that replace them"
        if self.attempt(row.custodian_id, hand_overs.accept, hand_over_id, **signed) is not None:
            self.row, self.copy_id = row, copy_id

    # ---- what holds

    def matter(self, place: int) -> Matter | None:
        rows = self.uow.session.scalars(select(Matter).order_by(Matter.opened_at, Matter.number)).all()
        return rows[place % len(rows)] if rows else None

    def list_of(self, table: type[Any]) -> list[Any]:
        """List all rows, read once for each comparison."""
        if table not in self.rows:
            self.rows[table] = list(self.uow.session.scalars(ALL[table]))
        return self.rows[table]

    def count_violations(self) -> int:
        return len(self.uow.session.scalars(select(Violation.id)).all())

    def opens_for(self, person: str) -> bool:
        """Whether the copy opens for this person; to ask changes nothing, whatever the answer."""
        session, self.uow.actor = self.uow.session, Actor("person", person)
        try:
            grants.check(self.uow, self.copy_id, "view")
        except (Refused, NotPermitted):
            return False
        finally:
            self.uow.actor = CLERK
            assert not session.new
            assert not session.deleted
            assert not any(session.is_modified(row) for row in session.dirty)
        return True

    def compare(self) -> None:
        """Compare with the rows alone, where anything was done since the last time."""
        self.uow.session.flush()
        if self.changed:
            self.rows = {}
            self.check()
            self.changed, self.rows = False, {}

    def check(self) -> None:
        now, row = self.uow.now, self.row
        assert row.due_at is not None
        assert row.accepted_at is not None
        suspended = [
            one
            for one in self.list_of(Suspension)
            if one.lifted_at is None and (one.until is None or one.until > now)
            if (one.hand_over_id == row.id if one.hand_over_id else one.person_id == row.custodian_id)
        ]
        held = not (row.returned_at or row.lost_at or row.ended_at)
        may_open = held and not suspended and now < row.due_at
        assert [self.opens_for(person) for person in KEEPERS] == [
            may_open and person == row.custodian_id for person in KEEPERS
        ]
        first = min(one.accepted_at for one in self.list_of(HandOver) if one.accepted_at is not None)
        assert row.due_at <= min(agreed_limits.latest_due(self.uow, row), first + LONGEST)
        self.check_issues()
        granted = [one for one in self.list_of(Grant) if one.ended_at is None]
        assert {grant.person_id for grant in granted} <= {row.custodian_id, VIEWER}
        assert all(grant.until <= row.due_at for grant in granted)
        own = [grant for grant in granted if grant.person_id == row.custodian_id]
        assert held == bool(own) or row.lost_at, "the custodian has the grants until the loan ends"
        shown = [grant.action for grant in granted if grant.person_id == VIEWER]
        assert shown in ([], ["view"])
        assert not shown or (held and not suspended), "whatever closes the copies ends the right of a viewer"
        assert self.opens_for(VIEWER) == (bool(shown) and may_open)
        self.check_matters(held)

    def check_issues(self) -> None:
        """Of all issues one at most is held; what was replaced has its successors, and opens for nobody."""
        loans = self.list_of(HandOver)
        assert sorted(one.issue for one in loans) == list(range(1, len(loans) + 1))
        for one in loans:
            if one.replaced_at is not None:
                assert one.ended_at == one.replaced_at
                assert one.returned_at is None
                own = {copy.id for copy in self.list_of(Copy) if copy.hand_over_id == one.id}
                assert not [grant for grant in self.list_of(Grant) if grant.copy_id in own and grant.ended_at is None]
        earlier = [one for one in loans if one.issue < self.row.issue]
        assert all(one.replaced_at is not None for one in earlier)
        of_case = [one for one in self.list_of(Item) if one.application_id == self.row.application_id]
        items = [one for one in of_case if one.dropped_in_round is None]
        assert len(items) == 1, "what replaces an item takes its place"

    def check_matters(self, held: bool) -> None:
        done = dict.fromkeys(NEEDED, 0)
        # the events of the unit, which are written when it ends
        applied = Counter(row.subject_id for row in self.uow.events if row.action == "matter-applied")
        unanswered = {row.matter_id for row in self.list_of(Review) if row.closed_at is None}
        matters = self.list_of(Matter)
        for matter in matters:
            assert applied[matter.id] == (matter.closed_as == "applied"), "once"
            goes_on = held or matter.kind == "violation"
            assert goes_on or matter.closed_at is not None, "a loan that is over ends what is asked about it"
            if matter.closed_as == "applied":
                done[matter.kind] += matter.hand_over_id == self.row.id
                self.check_decided(matter)
            if matter.closed_at is not None:
                assert matter.id not in unanswered
        answers = {row.id: self.check_answered(row) for row in matters if row.closed_as == "answered"}
        answered = {answers[row.id] for row in matters if row.id in answers and row.hand_over_id == self.row.id}
        entries = [one for one in self.list_of(CustodyEntry) if one.hand_over_id == self.row.id]
        logged = [(entry.event, entry.detail.get("because")) for entry in entries]
        assert logged.count(("due-date-changed", "extension")) == done["extension"]
        assert logged.count(("received", None)) == 1 + done["custody-transfer"]
        assert logged.count(("purpose-changed", None)) == done["purpose-change"]
        again = self.row.replaced_at is not None
        assert again <= ("replace" in answered), "nothing is replaced without an answer that says so"
        assert logged.count(("replaced", None)) == again
        assert logged.count(("recalled", None)) == done["recall"] + len({"replace", "recall"} & answered) - again
        returned = [one for one in self.list_of(Return) if one.hand_over_id == self.row.id]
        assert len(returned) == bool(self.row.returned_at)

    def check_decided(self, matter: Matter) -> None:
        decisions = [one for one in self.list_of(Decision) if one.matter_id == matter.id]
        assert {decision.stage for decision in decisions} >= set(NEEDED[matter.kind])
        for decision in decisions:
            assert decision.outcome == STAGES[decision.stage].favourable
            assert decision.form_sha256 == matter.facts_sha256
            assert decision.signature
            assert decision.decided_by != matter.opened_by

    def check_answered(self, matter: Matter) -> str:
        [answer] = {row.outcome for row in self.list_of(Decision) if row.matter_id == matter.id}
        assert matter.outcome is not None
        assert matter.outcome["answer"] == answer
        found = [one for one in self.list_of(Violation) if one.problem_id == matter.id]
        assert len(found) == (answer == "breach"), "a violation only where Security has found a breach"
        assert not [one for one in self.list_of(Suspension) if one.matter_id == matter.id and one.lifted_at is None]
        return answer

    def can_be_ended(self) -> set[str]:
        """Return who can end the loan as things stand, each tried on its own and taken back."""
        ways: dict[str, Callable[[], bool]] = {
            "return": self.given_back,
            "recall": lambda: self.carried_out("recall", lambda: self.ask_recall("reviewer"), "returned_at"),
            "transfer": lambda: self.carried_out("custody-transfer", self.ask_somebody, "custodian_id"),
        }
        return {way for way, act in ways.items() if self.tried(act)}

    def tried(self, act: Callable[[], bool]) -> bool:
        with self.uow.savepoint() as part:
            worked = act()
            part.rollback()
        return worked

    def given_back(self) -> bool:
        before = self.row.returned_at
        self.give_back()
        return bool(self.row.returned_at != before)

    def ask_somebody(self) -> None:
        self.ask_transfer("head", next(person for person in KEEPERS if person != self.row.custodian_id))

    def carried_out(self, kind: str, ask: Callable[[], None], changes: str) -> bool:
        """Whether one under way, or a new one, changes the loan. What has a "no" is closed first, as by its process."""
        before = getattr(self.row, changes)
        open_ones = select(Matter).where(Matter.kind == kind, Matter.closed_at.is_(None))
        for matter in self.uow.session.scalars(open_ones).all():
            self.attempt(None, tasks.close, matter.id, "refused")
        ask()
        for matter in self.uow.session.scalars(open_ones).all():
            for stage in NEEDED[kind]:
                self.decide(matter, stage, True)
            self.attempt(None, tasks.apply, matter.id)
        return bool(getattr(self.row, changes) != before)

    def check_end(self) -> None:
        if not suspensions.is_held(self.row):
            assert not self.can_be_ended()
            return
        frozen = suspensions.is_frozen(self.uow, self.row)
        assert self.can_be_ended() == ({"recall"} if frozen else {"return", "recall", "transfer"})


Step = tuple[Callable[..., None], tuple[object, ...]]


def step(act: Callable[..., Any], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(act), st.tuples(*arguments))


PLACE = st.integers(0, 5)
ASKED = st.one_of(
    step(Loan.ask_extension, st.sampled_from(["keeper", "head"]), st.integers(300, 740)),
    step(Loan.ask_transfer, st.sampled_from(["keeper", "head", "security-head"]), st.sampled_from(KEEPERS)),
    step(Loan.ask_recall, st.sampled_from(["reviewer", "supervisor", "security-head"])),
    step(Loan.report, st.sampled_from(["keeper", "reviewer", "supervisor"])),
    step(Loan.ask_purpose, st.sampled_from(["view", "download"])),
)
TIMERS = st.one_of(
    step(Loan.pass_by, st.sampled_from([1, 24, 25, 100, 200, 361])),
    *(step(act) for act in (Loan.due_date_comes, Loan.grace_ends, Loan.period_changes)),
)
ELSE = st.one_of(
    step(Loan.answer, PLACE, st.integers(0, 2), st.booleans()),
    step(Loan.check_matter, PLACE),
    step(Loan.apply_matter, PLACE),
    step(Loan.close_matter, PLACE, st.sampled_from(["refused", "moot", "applied"])),
    step(Loan.freeze, PLACE),
    step(Loan.respond, PLACE, st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)),
    step(Loan.violate, st.sampled_from(["breach", "leak"])),
    step(Loan.close_violation, PLACE, st.sampled_from(violations.ENDS)),
    step(Loan.sweep),
    step(Loan.reissue),
    step(Loan.respond, PLACE, st.just("replace"), st.just("replace")),
    *(step(act) for act in (Loan.allow_viewing, Loan.allow_viewing, Loan.end_viewing)),
)
ENDS = st.one_of(
    step(Loan.give_back), step(Loan.lose, st.sampled_from(["lost", "damaged", "leaked"])), step(Loan.end_lost)
)
STEPS = st.lists(st.one_of(ASKED, step(Loan.agree, PLACE), TIMERS, ELSE, ELSE), min_size=4, max_size=10)
AFTER = st.lists(st.one_of(ENDS, ASKED, step(Loan.agree, PLACE), step(Loan.reissue), TIMERS), max_size=3)


def lent_with_viewer(desk: ReviewDesk) -> dict[str, str]:
    return lent(desk, Parts(recipient_ids=(VIEWER,)))


@pytest.fixture
def desk_and_ids(tmp_path: Path) -> Iterator[tuple[ReviewDesk, dict[str, str]]]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent_with_viewer)
    yield desk, ids
    desk.close()


@pytest.mark.slow
@settings(
    max_examples=examples(sample=25, full=10_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS, after=AFTER)
def test_no_order_opens_lengthens_or_strands_a_loan(
    desk_and_ids: tuple[ReviewDesk, dict[str, str]], steps: list[Step], after: list[Step]
) -> None:
    desk, ids = desk_and_ids

    def play(uow: UnitOfWork) -> None:
        loan = Loan(uow, uow.session.get_one(HandOver, ids["hand_over_id"]), ids["copy_id"])
        for act, arguments in steps:
            act(loan, *arguments)
            loan.compare()
        loan.check_end()
        for act, arguments in after:
            act(loan, *arguments)
            loan.compare()
        raise _Undone

    with pytest.raises(_Undone):
        desk.run(play)
