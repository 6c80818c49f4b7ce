"""Whatever happens to a loan in whichever order, nothing opens or lasts that must not, and somebody can end it.

One unit of work has the whole story, its clock turned by hand; each act is a part of it that rolls back where the
product refuses, as its own unit of work would. There are three worlds: a loan of a department, one for the police, and
one that is viewed on site.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from amount import examples
from behalf_case import add_legal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lent_case import TIMES, Parts
from lent_case import offered as paper_offer
from loan_matter import REASON, lent
from on_site_case import STATION, lent_on_site
from prepared_desk import prepared_desk
from provided_case import WISH, lent_to_security
from redacted_case import RECIPE, make
from review_desk import CLERK, NOON, PASSWORD, ReviewDesk
from sqlalchemy import Select, event, select

from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.derivatives import Derivative
from services.database.tables.disclosures import Disclosure
from services.database.tables.holds import Hold
from services.database.tables.matters import Matter
from services.database.tables.outsiders import Outsider
from services.database.tables.people import Person
from services.database.tables.returns import Return
from services.database.tables.reviews import Decision, Review
from services.database.tables.sittings import Sitting
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Violation
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import forms
from services.domain.custody import (
    closing,
    copies,
    derivative_viewings,
    discards,
    grants,
    hand_overs,
    on_site,
    recipient_access,
    returns,
    sittings,
    suspensions,
    viewings,
    violations,
)
from services.domain.custody.returns import AttestedFate
from services.domain.disclosures import service as disclosures
from services.domain.holds import queries as holds
from services.domain.matters import problems, service, tasks
from services.domain.matters.violations import acts
from services.domain.matters.violations import tasks as violation_tasks
from services.domain.matters.violations.assessment import Assessment
from services.domain.reviews import service as review_service
from services.domain.reviews import tasks as review_tasks
from services.domain.reviews.given_judgements import GivenSanction, Judgement
from services.domain.rules import agreed_limits
from services.domain.staffing import leaving
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Fatal, NotPermitted, Refused
from services.vault.age import generate_identity

LONGEST = timedelta(days=30)  # the rules of the desk
NEEDED = {
    "extension": ("extension",),
    "custody-transfer": ("custody-receipt",),
    "recall": ("recall",),
    "purpose-change": ("preliminary", "security", "security-signature"),
    "problem": ("problem",),
    "violation": ("violation-security",),
    "appeal": ("violation-appeal",),
    "hold": ("legal",),
    "lift-hold": ("legal", "security-signature"),
    "redaction": ("redaction-check",),
    "disclosure": ("security", "legal", "security-signature"),
}
PLACES = 6
OUTLIVE = ("violation", "appeal", "hold", "lift-hold")  # the loan
ANSWERS = STAGES["problem"].outcomes
COMPARED = (
    *(Copy, CustodyEntry, Decision, Derivative, Disclosure, Grant, HandOver, Hold, Item, Matter, Outsider, Person),
    *(Return, Review, Sitting, Suspension, Violation),
)
ALL: dict[type[Any], Select[Any]] = {table: select(table) for table in COMPARED}
SHORT = [TIMES[0], TIMES[0].replace(":00Z", ":40Z")]  # what a redacted copy shows
WATCHED_MS = 40_000
DECIDE_VIOLATIONS = ("violation-security", "violation-management", "violation-legal")
WARNING = Judgement(sanctions=(GivenSanction("warning"),), loss=False, referral=False)
REFERRED = replace(WARNING, referral=True)
WAYS_TO_END = ("return", "recall", "transfer")
RECIPIENT = generate_identity()[1]


@dataclass(frozen=True)
class World:
    """Whose loan it is: who holds it, and can; who leads the custodian's department; whom the form names as viewer."""

    prepare: Callable[[ReviewDesk], dict[str, str]]
    keepers: tuple[str, ...]
    head: str
    viewer: str


def lent_with_viewer(desk: ReviewDesk) -> dict[str, str]:
    add_legal(desk)
    return lent(desk, Parts(recipient_ids=("office-head",)))


def lent_for_police(desk: ReviewDesk) -> dict[str, str]:
    ids = lent_to_security(desk, recipient_ids=("office-head",))
    desk.classed(ids["application_id"], max_use_days=None, granted_way_of_use="download")
    return ids


def lent_in_a_room(desk: ReviewDesk) -> dict[str, str]:
    ids = lent_on_site(desk)
    desk.classed(ids["application_id"], max_use_days=None)
    return ids


WORLDS = (
    World(lent_with_viewer, ("keeper", "drafter", "operator2"), "head", "office-head"),
    World(lent_for_police, ("inspector", "operator2", "operator"), "security-head", "office-head"),
    World(lent_in_a_room, ("inspector", "operator2", "operator"), "security-head", "keeper"),
)


class _Undone(Exception):
    """Ends a unit of work without a trace."""


@dataclass
class Loan:
    """One loan in a unit of work. ``keys`` are of the jobs that open reviews.

    ``changed``: something was done since the last comparison. What is refused is undone, and leaves nothing to compare.
    ``refused``: why the last act was that a person was refused, as a code.
    """

    uow: UnitOfWork
    world: World
    row: HandOver
    copy_id: str
    keys: Iterator[int] = field(default_factory=lambda: itertools.count(10_000))
    changed: bool = True
    refused: str | None = None
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
        except (Refused, NotPermitted) as refusal:
            self.refused = refusal.code if isinstance(refusal, Refused) else None
            return None
        finally:
            self.uow.actor = CLERK
        self.changed = True
        return done if done is not None else True

    # ---- acts of people

    def ask(self, by: str, kind: str, **asked: Any) -> Any:
        proof = Proof(password=PASSWORD) if kind == "custody-transfer" else None
        return self.attempt(by, service.open_matter, kind, self.row.application_id, {"reason": REASON, **asked}, proof)

    def who(self, role: str) -> str:
        """The person in this role: who keeps the copies now, the head of the department, or the one named."""
        return {"keeper": self.row.custodian_id, "head": self.world.head}.get(role, role)

    def ask_extension(self, by: str, hours: int) -> None:
        self.ask(self.who(by), "extension", dueAt=(NOON + timedelta(hours=hours)).isoformat())

    def ask_transfer(self, by: str, to: int) -> None:
        self.ask(self.who(by), "custody-transfer", toPersonId=self.world.keepers[to])

    def ask_recall(self, by: str) -> None:
        self.ask(by, "recall", ground="leak")

    def ask_purpose(self, way: str) -> None:
        self.ask(self.world.head, "purpose-change", purpose="用于培训", wayOfUse=way)

    def report(self, by: str) -> None:
        self.ask(self.who(by), "problem", problem="wrong-camera")

    def withdraw(self, place: int, by: str) -> None:
        if matter := self.matter(place):
            self.attempt(self.who(by), service.withdraw, matter.id)

    def ask_hold(self, by: str) -> None:
        self.ask(by, "hold", cause="manual")

    def ask_lift(self, by: str, agreed: bool) -> None:
        if row := self.uow.session.scalar(select(Hold).where(Hold.lifted_at.is_(None)).limit(1)):
            self.go_on(self.ask(by, "lift-hold", holdId=row.id), agreed)

    def ask_redaction(self, by: str, made: bool) -> None:
        asked = self.ask(self.who(by), "redaction", copyId=self.copy_id, recipe=RECIPE)
        if asked is not None and made:
            self.redact(-1)

    def ask_disclosure(self, ends_loan: bool, redacted: bool, agreed: bool, handed: bool) -> None:
        wish = {**WISH, "endsLoan": ends_loan, "redacted": redacted}
        asked = self.ask(self.row.custodian_id, "disclosure", **wish, outsiderIds=self.officers())
        self.go_on(asked, agreed)
        if handed:
            self.hand_out(-1)

    def ask_violation(self, by: str, kind: str) -> None:
        self.ask(by, "violation", violationKind=kind)

    def ask_appeal(self, place: int, agreed: bool) -> None:
        if violation := self.violation(PLACES - 1 if place < 0 else place):
            [accused, *_] = violation.accused or [self.world.head]
            self.go_on(self.ask(accused, "appeal", violationId=violation.matter_id), agreed)

    def go_on(self, asked: Matter | None, agreed: bool) -> None:
        if asked is not None and agreed:
            self.carry_out(asked)

    def officers(self) -> list[str]:
        rows = self.uow.session.scalars(select(Outsider).order_by(Outsider.position))
        return [row.id for row in rows]

    def respond(self, place: int, answer: str, done: str) -> None:
        """Answer a report, and send the job of an answer, this one or another."""
        if (matter := self.matter(place, "problem")) is None:
            return
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
            self.carry_out(matter)

    def carry_out(self, matter: Matter) -> None:
        if matter.kind in ("violation", "problem"):  # they have jobs of their own
            return
        self.attempt(None, tasks.check, matter.id, 7)
        for stage in NEEDED[matter.kind]:
            self.decide(matter, stage, True)
        self.attempt(None, tasks.apply, matter.id)

    def replace(self, place: int) -> None:
        """Have the copies replaced, and accept those that replace them."""
        self.respond(place, "replace", "replace")
        self.reissue()

    def handle(self, place: int, grave: bool, founded: bool, appealed: bool, referral: str) -> None:
        """Take a violation through its process as far as it goes: served, heard, decided, referred, closed.

        ``referral``: what Legal says of it, nothing yet where it is ``asked``; none where it is empty.
        """
        violation = self.violation(place)
        if violation is None or violation.matter_id is None or violation.closed_at is not None:
            return
        matter = self.uow.session.get_one(Matter, violation.matter_id)
        self.attempt(None, violation_tasks.assess, matter.id, 9)
        served = any(
            self.attempt(None, violation_tasks.serve, matter.id, Assessment(found, stage, grave, grave)) is not None
            for grave, found in ((grave, "severe" if grave else "minor"), (True, "severe"))
            for stage in DECIDE_VIOLATIONS
        )
        for accused in violation.accused if served else ():
            self.attempt(accused, acts.reply, matter.id, "当时在医院。")
        self.attempt(None, violation_tasks.expire_reply, matter.id)
        stage = matter.route[0] if matter.route else "violation-security"
        if founded:
            self.decide(matter, stage, True, judgement=REFERRED if referral else WARNING)
            self.attempt(None, violation_tasks.record_sanctions, matter.id)
            self.refer(matter, referral)
            self.attempt(None, tasks.close, matter.id, violation_tasks.HANDLED)
            if appealed:
                self.ask_appeal(-1, agreed=True)
        else:
            self.decide(matter, stage, False, "unfounded")
            self.attempt(None, violation_tasks.clear, matter.id)

    def refer(self, matter: Matter, referral: str) -> None:
        if referral == "asked":
            self.open_stage(matter, violation_tasks.REFERRAL)
        elif referral:
            authority = Judgement(authority="公安" if referral == violation_tasks.APPROVED else None)
            self.decide(matter, violation_tasks.REFERRAL, True, referral, judgement=authority)
            self.attempt(None, violation_tasks.begin_referral, matter.id)

    def redact(self, place: int) -> None:
        """Let what waits be made, and be watched and approved by a second person."""
        self.attempt(None, make, "c", SHORT)
        rows = [row for row in self.list_now(Derivative) if row.made_at is not None and row.approved_at is None]
        if not rows:
            return
        row = rows[place % len(rows)]
        matter = self.uow.session.get_one(Matter, row.matter_id)
        self.attempt(None, tasks.check, matter.id, 7)
        review = self.open_stage(matter, "redaction-check")
        by = self.decider(review) if review is not None else None
        if review is None or by is None:
            return
        opened = self.attempt(by, derivative_viewings.open_viewing, row.id, purpose_confirmed=True, address="x")
        if opened is not None:
            self.attempt(by, derivative_viewings.record_read, row.id, opened.viewing_id, 0, 4000)
            self.uow.now += timedelta(milliseconds=WATCHED_MS // derivative_viewings.FASTEST)
            self.attempt(by, derivative_viewings.record_played, row.id, opened.viewing_id, 0, WATCHED_MS)
        self.give(matter, review, by, True)
        self.attempt(None, tasks.apply, matter.id)

    def hand_out(self, place: int) -> None:
        """Fetch what a disclosure allows and have it signed for; nothing leaves while the copies are closed."""
        rows = self.list_now(Disclosure)
        if not rows:
            return
        row, opens = rows[place % len(rows)], self.may_open()
        for copy_id in row.copy_ids:
            fetched = self.attempt("reviewer2", disclosures.list_download, row.matter_id, copy_id, address="x")
            assert fetched is None or (opens and row.hand_over_id == self.row.id), "handed out while it is closed"
            if fetched is not None:
                self.attempt("reviewer2", disclosures.start_download, fetched.id)
                self.attempt("reviewer2", disclosures.continue_download, fetched.id, last=True)
        given = {"outsider_ids": row.outsider_ids, "attachment_id": None, "note": ""}
        self.attempt("reviewer2", disclosures.record_receipt, row.matter_id, **given)

    def leave(self) -> None:
        """The custodian leaves the organisation; two do at the most, so that somebody is left to take the copies."""
        if len(self.gone()) < len(self.world.keepers) - 1:
            self.attempt("admin", leaving.leave, self.row.custodian_id)

    def stay(self) -> None:
        for person in self.gone():
            self.attempt("admin", leaving.stay, person)

    def accounts_end(self) -> None:
        self.attempt(None, leaving.settle)

    def gone(self) -> set[str]:
        """Who of those who could hold the copies has left, or is leaving."""
        people = self.uow.session.scalars(select(Person).where(Person.id.in_(self.world.keepers)))
        return {row.id for row in people if not row.active or leaving.get_open(self.uow, row.id) is not None}

    def download(self) -> None:
        named = {"recipient": RECIPIENT, "medium": "d", "address": STATION}
        done = self.attempt(self.row.custodian_id, viewings.list_download, self.copy_id, **named)
        assert done is None or self.may_open(), "downloaded while it is closed"

    def sit(self) -> None:
        """Begin a viewing on site, or confirm that the companion is still there."""
        officers = tuple(self.officers())
        present = sittings.Present((), officers, officers)
        named = {"present": present, "purpose_confirmed": True, "address": STATION}
        if self.attempt(self.row.custodian_id, sittings.begin, self.row.id, **named) is None:
            for row in self.list_now(Sitting):
                self.attempt(self.row.custodian_id, sittings.confirm, row.id, address=STATION)

    def end_sittings(self) -> None:
        for row in self.list_now(Sitting):
            if row.closed_at is None:
                visitors = [*row.present["people"], *row.present["outsiders"]]
                named = {"leaves": [sittings.Leave(one["id"], "sheet") for one in visitors], "note": ""}
                self.attempt(self.row.custodian_id, sittings.end, row.id, **named, proof=Proof("", PASSWORD))

    def find_damage(self) -> None:
        damaged = [{"kind": "copy", "id": self.copy_id, "of": "1", "faults": ["changed"]}]
        self.attempt(None, problems.report_damage, self.row.application_id, damaged)

    def decide(
        self, matter: Matter, stage: str, yes: bool, outcome: str | None = None, *, judgement: Judgement | None = None
    ) -> None:
        review = self.open_stage(matter, stage)
        by = self.decider(review) if review is not None else None
        if review is not None and by is not None:
            self.give(matter, review, by, yes, outcome, judgement=judgement)

    def open_stage(self, matter: Matter, stage: str) -> Review | None:
        """Open a review of the matter, or take the one that waits; None too where its job stops, as nobody is left."""
        key = next(self.keys)
        try:
            opened = self.attempt(None, tasks.open_review, matter.id, stage, job_key=key, process_instance_key=key)
        except Fatal as stopped:
            if "nobody may decide" not in str(stopped):
                raise
            return None
        if opened is not None:
            return self.uow.session.get(Review, opened.review_id)
        waits = select(Review).where(Review.matter_id == matter.id, Review.stage == stage, Review.closed_at.is_(None))
        return self.uow.session.scalar(waits.limit(1))

    def decider(self, review: Review) -> str | None:
        """The first of those who may decide it."""
        facts = access_queries.load_facts(self.uow, review.application_id)
        found = access_policy.candidates(access_queries.load_directory(self.uow), facts, review)
        return found[0] if found else None

    def give(
        self,
        matter: Matter,
        review: Review,
        by: str,
        yes: bool,
        outcome: str | None = None,
        *,
        judgement: Judgement | None = None,
    ) -> None:
        given = STAGES[review.stage].asked_about(matter.kind)
        other = next(code for code in given.outcomes if code != given.favourable)
        outcome = outcome or (given.favourable if yes else other)
        self.attempt(
            by,
            review_service.decide,
            review.id,
            outcome=outcome,
            answers={question.code: True for question in given.questions},
            reason="理由" if outcome in given.reason_for else None,
            opinion="同意。" if given.opinion_needed else None,
            proof=Proof(matter.facts_sha256, PASSWORD),
            judgement=judgement or (WARNING if outcome == "upheld" else Judgement()),
        )

    def give_back(self) -> None:
        """Return the copies; what was downloaded is destroyed, or given back where a hold keeps it."""
        listed = copies.list_downloads(self.uow, self.row.id)
        is_returned = any(row.hand_over_id == self.row.id for row in self.list_now(Return))  # then that is answered
        kept = not is_returned and any(row.lifted_at is None for row in self.list_now(Hold))
        for fate in ("destroyed", "given-back"):
            done = self.attempt(
                self.row.custodian_id,
                returns.return_copies,
                self.row.id,
                return_to="security",
                fates=[AttestedFate(download.id, fate) for download in listed],
                no_other_copies=True,
                proof=Proof("", PASSWORD),
            )
            assert done is None or fate != "destroyed" or not (kept and listed), "a held case destroys nothing"
            if done is not None:
                return

    def lose(self, kind: str) -> None:
        told = {"kind_of_loss": kind, "what_happened": "丢失"}
        self.attempt(self.row.custodian_id, problems.report_loss, self.row.id, **told)

    def allow_viewing(self) -> None:
        self.attempt(self.row.custodian_id, recipient_access.allow, self.row.id, self.world.viewer)

    def end_viewing(self) -> None:
        self.attempt(self.row.custodian_id, recipient_access.withdraw, self.row.id, self.world.viewer)

    # ---- acts of the product

    def pass_by(self, hours: float) -> None:
        self.uow.now += timedelta(hours=hours)
        self.changed = True
        access_queries.discard_loaded(self.uow)  # it is of one moment, as a unit of work is

    def freeze(self, place: int) -> None:
        if matter := self.matter(place, "problem"):
            self.attempt(None, problems.freeze, matter.id, 7)

    def violate(self, kind: str) -> None:
        self.attempt(None, violations.open_once, self.row, kind, {})

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
            assert ended.leftovers == (), "the loss is a violation, which holds the case"
            confirmed = {"closed_as": closing.LOST_AS, "filed": {}}
            self.attempt(None, closing.confirm_loan_end, self.row.application_id, ended, **confirmed)
        self.sweep()

    def sweep(self) -> None:
        held = holds.is_held(self.uow, self.row.application_id)
        due = self.row.application_id in discards.list_due(self.uow, "", 10)
        assert not (held and due), "a held case discards nothing"
        left = self.attempt(None, discards.begin, self.row.application_id)
        assert not held or not isinstance(left, discards.Leftover), "a held case discards nothing"

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
        else:
            assert self.refused != "not-yours", "whom the copies are offered to is asked for the receipt"

    # ---- what holds

    def matter(self, place: int, kind: str | None = None) -> Matter | None:
        """One of the matters, of those that are open at half of the places."""
        rows = self.uow.session.scalars(select(Matter).order_by(Matter.opened_at, Matter.number)).all()
        rows = [row for row in rows if kind is None or row.kind == kind]
        rows = [row for row in rows if row.closed_at is None] if place < PLACES // 2 else rows
        return rows[place % len(rows)] if rows else None

    def violation(self, place: int) -> Violation | None:
        rows = list(self.uow.session.scalars(select(Violation).order_by(Violation.opened_at, Violation.id)))
        rows = [row for row in rows if row.closed_at is None] if place < PLACES // 2 else rows
        return rows[place % len(rows)] if rows else None

    def list_now(self, table: type[Any]) -> list[Any]:
        return list(self.uow.session.scalars(ALL[table]))

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
            grants.check(self.uow, self.copy_id, "view", address=STATION)
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

    def is_held(self) -> bool:
        return not (self.row.returned_at or self.row.lost_at or self.row.ended_at)

    def is_suspended(self) -> bool:
        now, row = self.uow.now, self.row
        return any(
            one.hand_over_id == row.id if one.hand_over_id else one.person_id == row.custodian_id
            for one in self.list_now(Suspension)
            if one.lifted_at is None and (one.until is None or one.until > now)
        )

    def may_open(self) -> bool:
        """Whether the copy may open for who keeps it, wherever that is."""
        assert self.row.due_at is not None
        return self.is_held() and not self.is_suspended() and self.uow.now < self.row.due_at

    def is_accompanied(self) -> bool:
        """Whether the copies may open where they are: anywhere, or in a viewing on site whose companion is there."""
        if not on_site.holds_for(self.uow, self.row):
            return True
        return any(
            one.closed_at is None
            and (one.hand_over_id, one.companion_id) == (self.row.id, self.row.custodian_id)
            and self.uow.now < one.confirmed_at + timedelta(seconds=one.interval_seconds)
            for one in self.list_of(Sitting)
        )

    def check(self) -> None:
        row = self.row
        assert row.due_at is not None
        assert row.accepted_at is not None
        held, suspended, may_open = self.is_held(), self.is_suspended(), self.may_open()
        opens = may_open and self.is_accompanied()
        assert [self.opens_for(person) for person in self.world.keepers] == [
            opens and person == row.custodian_id for person in self.world.keepers
        ]
        self.check_redacted(opens)
        first = min(one.accepted_at for one in self.list_of(HandOver) if one.accepted_at is not None)
        assert row.due_at <= min(agreed_limits.latest_due(self.uow, row), first + LONGEST)
        self.check_issues()
        granted = [one for one in self.list_of(Grant) if one.ended_at is None]
        viewer = self.world.viewer
        assert {grant.person_id for grant in granted} <= {row.custodian_id, viewer}
        assert all(grant.until <= row.due_at for grant in granted)
        own = [grant for grant in granted if grant.person_id == row.custodian_id]
        assert held == bool(own) or row.lost_at, "the custodian has the grants until the loan ends"
        shown = [grant.action for grant in granted if grant.person_id == viewer]
        assert shown in ([], ["view"])
        assert not shown or (held and not suspended), "whatever closes the copies ends the right of a viewer"
        accompanied = on_site.holds_for(self.uow, row)
        assert self.opens_for(viewer) == (bool(shown) and may_open and not accompanied)
        self.check_matters(held)

    def check_redacted(self, opens: bool) -> None:
        """A redacted copy opens for who keeps its copy when that opens; what is kept or handed out stays."""
        for derived in self.list_of(Derivative):
            self.uow.actor = Actor("person", self.row.custodian_id)
            try:
                derivative_viewings.check(self.uow, derived.id, address=STATION)
            except (Refused, NotPermitted):
                continue
            finally:
                self.uow.actor = CLERK
            assert opens, "a redacted copy opens while its copy is closed"
            assert derived.made_at is not None
            assert derived.discarded_at is None

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
            goes_on = held or matter.kind in OUTLIVE
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
        if matter.kind == "custody-transfer" and not on_site.holds_for(self.uow, self.row):
            application = self.uow.session.get_one(Application, matter.application_id)
            to = self.uow.session.get_one(Person, matter.counterpart_id)
            assert to.department_id == application.department_id or matter.opened_by == "security-head"

    def check_answered(self, matter: Matter) -> str:
        [answer] = {row.outcome for row in self.list_of(Decision) if row.matter_id == matter.id}
        assert matter.outcome is not None
        assert matter.outcome["answer"] == answer
        found = [one for one in self.list_of(Violation) if one.problem_id == matter.id]
        assert len(found) == (answer == "breach"), "a violation only where Security has found a breach"
        assert not [one for one in self.list_of(Suspension) if one.matter_id == matter.id and one.lifted_at is None]
        return answer

    def can_be_ended(self, way: str) -> bool:
        """Whether this ends the loan as things stand, for who keeps it or at all; tried, and taken back."""
        ways: dict[str, Callable[[], bool]] = {
            "return": self.given_back,
            "recall": lambda: self.carried_out("recall", lambda: self.ask_recall("reviewer"), "returned_at"),
            "transfer": lambda: self.carried_out("custody-transfer", self.ask_somebody, "custodian_id"),
        }
        return self.tried(ways[way])

    def tried(self, act: Callable[[], bool]) -> bool:
        with self.uow.savepoint() as part:
            worked = act()
            part.rollback()
        return worked

    def given_back(self) -> bool:
        before = self.row.returned_at
        self.end_sittings()
        self.give_back()
        return bool(self.row.returned_at != before)

    def ask_somebody(self) -> None:
        self.end_sittings()
        unfit = {self.row.custodian_id, *self.gone()}
        to = next(place for place, person in enumerate(self.world.keepers) if person not in unfit)
        self.ask_transfer("security-head", to)

    def carried_out(self, kind: str, ask: Callable[[], None], changes: str) -> bool:
        """Whether one under way, or a new one, changes the loan. What has a "no" is closed first, as by its process."""
        before = getattr(self.row, changes)
        open_ones = select(Matter).where(Matter.kind == kind, Matter.closed_at.is_(None))
        for matter in self.uow.session.scalars(open_ones).all():
            self.attempt(None, tasks.close, matter.id, "refused")
        ask()
        for matter in self.uow.session.scalars(open_ones).all():
            self.carry_out(matter)
        return bool(getattr(self.row, changes) != before)

    def check_end(self, way: str) -> None:
        if not suspensions.is_held(self.row):
            assert not self.can_be_ended(way)
            return
        frozen = suspensions.is_frozen(self.uow, self.row)
        assert self.can_be_ended(way) == (way == "recall" or not frozen)


Step = tuple[Callable[..., None], tuple[object, ...]]


def step(act: Callable[..., Any], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(act), st.tuples(*arguments))


PLACE = st.integers(0, PLACES - 1)
REFERRALS = st.sampled_from(["", "asked", "approved", "rejected"])
ASKED = st.one_of(
    step(Loan.ask_extension, st.sampled_from(["keeper", "head"]), st.integers(300, 740)),
    step(Loan.ask_transfer, st.sampled_from(["keeper", "head", "security-head"]), st.integers(0, 2)),
    step(Loan.ask_recall, st.sampled_from(["reviewer", "supervisor", "security-head"])),
    step(Loan.report, st.sampled_from(["keeper", "reviewer", "supervisor"])),
    step(Loan.ask_purpose, st.sampled_from(["view", "download"])),
    step(Loan.ask_hold, st.sampled_from(["counsel", "reviewer2", "reviewer2"])),
    step(Loan.ask_lift, st.sampled_from(["counsel", "security-deputy", "security-deputy"]), st.booleans()),
    step(Loan.ask_redaction, st.sampled_from(["keeper", "reviewer"]), st.booleans()),
    step(Loan.ask_disclosure, *[st.booleans()] * 4),
    step(Loan.ask_violation, st.sampled_from(["supervisor", "security-head"]), st.sampled_from(violations.FOUND)),
    step(Loan.ask_appeal, PLACE, st.booleans()),
)
TIMERS = st.one_of(
    step(Loan.pass_by, st.sampled_from([0.1, 1, 24, 25, 100, 200, 361])),
    *(step(act) for act in (Loan.due_date_comes, Loan.grace_ends, Loan.period_changes, Loan.accounts_end)),
)
ELSE = st.one_of(
    step(Loan.answer, PLACE, st.integers(0, 2), st.booleans()),
    step(Loan.check_matter, PLACE),
    step(Loan.withdraw, PLACE, st.sampled_from(["keeper", "head", "security-head"])),
    step(Loan.apply_matter, PLACE),
    step(Loan.close_matter, PLACE, st.sampled_from(["refused", "moot", "applied"])),
    step(Loan.freeze, PLACE),
    step(Loan.respond, PLACE, st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)),
    step(Loan.violate, st.sampled_from(["breach", "leak"])),
    step(Loan.handle, PLACE, *[st.booleans()] * 3, REFERRALS),
    step(Loan.handle, PLACE, st.booleans(), st.just(True), st.booleans(), REFERRALS),
    step(Loan.redact, PLACE),
    step(Loan.hand_out, PLACE),
    *(step(act) for act in (Loan.sit, Loan.sit, Loan.end_sittings, Loan.download, Loan.find_damage)),
    *(step(act) for act in (Loan.leave, Loan.stay)),
    step(Loan.sweep),
    step(Loan.reissue),
    step(Loan.replace, PLACE),
    *(step(act) for act in (Loan.allow_viewing, Loan.allow_viewing, Loan.end_viewing)),
)
ENDS = st.one_of(
    step(Loan.give_back),
    step(Loan.lose, st.sampled_from(["lost", "damaged", "leaked"])),
    step(Loan.end_lost),
    step(Loan.hand_out, PLACE),
)
STEPS = st.lists(st.one_of(ASKED, step(Loan.agree, PLACE), TIMERS, ELSE, ELSE), min_size=4, max_size=10)
AFTER = st.lists(st.one_of(ENDS, ASKED, step(Loan.agree, PLACE), step(Loan.reissue), TIMERS), max_size=3)


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[list[tuple[ReviewDesk, dict[str, str]]]]:
    """A desk for each world."""
    laid_out = [
        prepared_desk(f"sqlite:///{tmp_path / f'books{number}.db'}", world.prepare)
        for number, world in enumerate(WORLDS)
    ]
    yield laid_out
    for desk, _ids in laid_out:
        desk.close()


@pytest.mark.slow
@settings(
    max_examples=examples(sample=100, full=10_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=st.sampled_from(range(len(WORLDS))), steps=STEPS, way=st.sampled_from(WAYS_TO_END), after=AFTER)
def test_no_order_opens_lengthens_or_strands_a_loan(
    desks: list[tuple[ReviewDesk, dict[str, str]]], world: int, steps: list[Step], way: str, after: list[Step]
) -> None:
    desk, ids = desks[world]

    def play(uow: UnitOfWork) -> None:
        loan = Loan(uow, WORLDS[world], uow.session.get_one(HandOver, ids["hand_over_id"]), ids["copy_id"])
        for act, arguments in steps:
            act(loan, *arguments)
            loan.compare()
        loan.check_end(way)
        for act, arguments in after:
            act(loan, *arguments)
            loan.compare()
        raise _Undone

    with pytest.raises(_Undone):
        desk.run(play)
