"""Each kind of matter, tried in each wrong way: the register refuses, whatever people and jobs want.

It is opened by the wrong person, decided by who opened it, decided over other facts, carried out without a decision (a
job sent by hand), carried out twice, after the loan has ended, and under a process that is killed. A new kind is one
entry of ``PLAYED``.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from archived_case import CONFIRMER, PROPOSER, DisposalDesk, archived
from behalf_case import DRAFTER, add_legal
from chaos_matters import COURSES
from loan_matter import LoanDesk, lent
from portal_client import Portal
from prepared_desk import prepared_desk
from provided_case import DECIDERS, WISH, lent_to_security
from redacted_case import RECIPE, made, watch
from review_desk import PASSWORD, ReviewDesk
from test_appeals import upheld
from test_violations_to_their_end import BY_SECURITY, WARNING
from urgent_desk import CALLER, RELEASER, Urgent

from services.database.tables.copies import Download, Grant
from services.database.tables.custody import HandOver
from services.database.tables.derivatives import Derivative
from services.database.tables.disclosures import Disclosure
from services.database.tables.disposals import DisposalItem
from services.database.tables.documents import Document
from services.database.tables.emergency_views import EmergencyGrant
from services.database.tables.holds import Hold
from services.database.tables.matters import Matter
from services.database.tables.outsiders import Outsider
from services.database.tables.returns import Return
from services.database.tables.reviews import Decision, Review
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Sanction, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.custody import returns
from services.domain.custody.returns import AttestedFate
from services.domain.matters import problems, tasks, urgents
from services.domain.matters.kinds import KINDS
from services.domain.matters.violations import acts
from services.domain.matters.violations import tasks as violation_tasks
from services.domain.reviews.moot_matters import OUTLIVING
from services.runtime.errors import NotFound, NotPermitted, Refused

# All that carrying a matter out may change.
TABLES: tuple[type[Any], ...] = (
    *(HandOver, Grant, Suspension, Hold, Disclosure, Derivative, DisposalItem, EmergencyGrant, Violation, Sanction),
    *(Return, Document, Matter),
)
Stages = tuple[tuple[str, str], ...]


class Killed(BaseException):
    """The process that does a job dies before its unit of work ends."""


@dataclass(frozen=True)
class Play:
    """How a kind is asked for, decided and carried out.

    ``by`` asks, None where the system does; ``wrong`` may not. ``stages``: each with who decides it. ``named``: what
    the decisions say besides. ``begin`` is what the process does before it asks the first stage, ``watched`` what the
    decider does before deciding. ``job`` carries it out.
    """

    by: str | None
    wrong: str
    stages: Stages
    asked: Callable[[LoanDesk], dict[str, Any]] = lambda _loan: {}
    prepare: Callable[[ReviewDesk], dict[str, str]] = lent
    named: dict[str, Any] = field(default_factory=dict)
    begin: Callable[[LoanDesk, str], object] = LoanDesk.check
    watched: Callable[[LoanDesk, str], object] = lambda _loan, _matter_id: None
    job: Callable[[UnitOfWork, str], object] = tasks.apply


def legal_too(desk: ReviewDesk) -> dict[str, str]:
    add_legal(desk)
    return lent(desk)


def held(desk: ReviewDesk) -> dict[str, str]:
    """A loan whose case is held, as Legal has confirmed."""
    loan = LoanDesk(desk, legal_too(desk))
    matter_id = loan.ask("hold", "reviewer2", cause="manual")
    loan.agreed(matter_id, ("legal", "counsel"))
    loan.apply(matter_id)
    return {**loan.ids, "hold_id": desk.the(Hold, matter_id=matter_id).id}


def applied_for(desk: ReviewDesk) -> dict[str, str]:
    """An application under approval."""
    return {"application_id": desk.submitted()}


def officers(loan: LoanDesk) -> list[str]:
    return [row.id for row in sorted(loan.desk.all(Outsider), key=lambda row: row.position)]


def hear(loan: LoanDesk, matter_id: str) -> None:
    loan.desk.run(violation_tasks.assess, matter_id, loan.instance)
    loan.desk.run(violation_tasks.serve, matter_id, BY_SECURITY)
    loan.desk.run(acts.reply, matter_id, "当时在医院。", by="keeper")


def watch_it(loan: LoanDesk, _matter_id: str) -> None:
    watch(loan, made(loan), "reviewer2")


PLAYED: dict[str, Play] = {
    "extension": Play("keeper", "reviewer", (("extension", "reviewer"),), lambda loan: {"dueAt": loan.later(2)}),
    "purpose-change": Play(
        "head",
        "keeper",
        (("preliminary", "board-head"), ("security", "reviewer"), ("security-signature", "security-head")),
        lambda _loan: {"purpose": "用于培训", "wayOfUse": "view"},
    ),
    "custody-transfer": Play(
        "keeper", "reviewer", (("custody-receipt", "drafter"),), lambda _loan: {"toPersonId": "drafter"}
    ),
    "recall": Play("reviewer", "head", (("recall", "security-head"),), lambda _loan: {"ground": "misuse"}),
    "problem": Play(
        "reviewer",
        "drafter",
        (("problem", "reviewer2"),),
        lambda _loan: {"problem": "gap"},
        named={"outcome": "explained", "reason": "缺口在调取记录中已经写明。"},
        begin=lambda loan, matter_id: loan.desk.run(problems.freeze, matter_id, loan.instance),
        job=lambda uow, matter_id: problems.answer(uow, matter_id, "do what follows", ("explained",)),
    ),
    "violation": Play(
        "security-head",
        "keeper",
        (("violation-security", "security-deputy"),),
        lambda _loan: {"violationKind": "finding"},
        named={"judgement": WARNING},
        begin=hear,
        job=violation_tasks.record_sanctions,
    ),
    "appeal": Play(
        "keeper",
        "reviewer",
        (("violation-appeal", "manager"),),
        lambda loan: {"violationId": loan.ids["matter_id"]},
        prepare=upheld,
        named={"reason": "处理过重。"},
    ),
    "hold": Play("reviewer2", "keeper", (("legal", "counsel"),), lambda _loan: {"cause": "manual"}, prepare=legal_too),
    "lift-hold": Play(
        "security-deputy",
        "keeper",
        (("legal", "counsel"), ("security-signature", "security-head")),
        lambda loan: {"holdId": loan.ids["hold_id"]},
        prepare=held,
    ),
    "disclosure": Play(
        DRAFTER,
        "keeper",
        DECIDERS,
        lambda loan: {**WISH, "outsiderIds": officers(loan)},
        prepare=lent_to_security,
    ),
    "redaction": Play(
        "keeper",
        "drafter",
        (("redaction-check", "reviewer2"),),
        lambda loan: {"copyId": loan.ids["copy_id"], "recipe": RECIPE},
        watched=watch_it,
    ),
    "urgent": Play(
        CALLER,
        "keeper",
        (("urgent-release", RELEASER),),
        prepare=applied_for,
        begin=lambda _loan, _matter_id: None,
        job=urgents.open_view,
    ),
    "disposal": Play(None, CONFIRMER, (("disposal", PROPOSER), ("disposal-confirm", CONFIRMER)), prepare=archived),
}


class Tried:
    """A matter of one kind on a desk of its own."""

    def __init__(self, kind: str, desk: ReviewDesk, ids: dict[str, str], folder: Path) -> None:
        self.kind, self.play, self.desk = kind, PLAYED[kind], desk
        self.loan: Any = DisposalDesk(desk, ids).stored(folder) if kind == "disposal" else LoanDesk(desk, ids)

    def ask(self, by: str | None = None) -> str:
        by = by or self.play.by
        if self.kind == "urgent":
            return Urgent.of(self.desk, self.loan.application_id).call(str(by))
        if by is None:
            self.loan.list_due()
            return str(self.loan.batch)
        return str(self.loan.ask(self.kind, by, **self.play.asked(self.loan)))

    def begun(self) -> str:
        matter_id = self.ask()
        self.play.begin(self.loan, matter_id)
        return matter_id

    def open(self, matter_id: str, stage: str) -> str:
        review_id = str(self.loan.open(matter_id, stage))
        self.play.watched(self.loan, matter_id)
        return review_id

    def agreed(self) -> str:
        """Asked for, and decided by all; nothing of it is carried out."""
        matter_id = self.begun()
        for stage, by in self.play.stages:
            self.loan.answer(self.open(matter_id, stage), matter_id, stage, by, **self.play.named)
        if self.kind == "urgent":
            Urgent.of(self.desk, self.loan.application_id).copy(matter_id)
        return matter_id

    def do(self, matter_id: str) -> object:
        return self.desk.run(self.play.job, matter_id)

    def end_loan(self) -> None:
        """The loan ends; an application under approval is approved, so that nothing is urgent any more."""
        if self.kind == "urgent":
            Urgent.of(self.desk, self.loan.application_id).file()
            return
        row = self.loan.loan
        fates = [AttestedFate(one.id, "given-back") for one in self.desk.all(Download, hand_over_id=row.id)]
        given = {"return_to": "security", "fates": fates, "no_other_copies": True, "proof": Proof("", PASSWORD)}
        self.desk.run(returns.return_copies, row.id, **given, by=row.custodian_id)

    def register(self) -> dict[str, list[dict[str, Any]]]:
        def values(row: Any) -> dict[str, Any]:
            return {one.key: getattr(row, one.key) for one in type(row).__mapper__.column_attrs}

        def read(uow: UnitOfWork) -> dict[str, list[dict[str, Any]]]:
            return {one.__name__: sorted(map(values, uow.session.query(one)), key=str) for one in TABLES}

        return self.desk.run(read)


@pytest.fixture
def tried(tmp_path: Path) -> Iterator[Callable[[str], Tried]]:
    desks: list[ReviewDesk] = []

    def make(kind: str) -> Tried:
        desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", PLAYED[kind].prepare)
        desks.append(desk)
        return Tried(kind, desk, ids, tmp_path)

    yield make
    for desk in desks:
        desk.close()


Make = Callable[[str], Tried]
each_kind = pytest.mark.parametrize("kind", PLAYED)


def test_every_kind_is_tried() -> None:
    assert set(PLAYED) == set(KINDS)


@pytest.mark.parametrize("kind", [kind for kind, one in KINDS.items() if one.has_form])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_its_form_opens_for_who_may_ask(kind: str, language: str, tried: Make) -> None:
    one = tried(kind)
    async with Portal(one.desk) as portal:
        client = await portal.signed_in(str(one.play.by))
        client.cookies.set("footage_desk_language", language)
        form = await client.get(f"/matters/new/{kind}?case={one.loan.application_id}")
    assert form.status_code == 200, form.text
    assert f'lang="{language}' in form.text
    assert 'name="reason"' in form.text or not KINDS[kind].one_form


@pytest.mark.requirement("R2", "R50", refuses=True)
@each_kind
def test_it_is_not_opened_by_the_wrong_person(kind: str, tried: Make) -> None:
    one = tried(kind)
    before = one.register()
    with pytest.raises((Refused, NotFound)):
        one.ask(one.play.wrong)
    assert one.register() == before


@pytest.mark.requirement("R2", "R24", refuses=True)
@each_kind
def test_it_is_not_decided_by_who_opened_it(kind: str, tried: Make) -> None:
    """Of what the system opens, by who has proposed it: not both stages."""
    one = tried(kind)
    matter_id = one.begun()
    (stage, decider), *later = one.play.stages
    if one.play.by is None:
        one.loan.answer(one.open(matter_id, stage), matter_id, stage, decider)
        [(stage, _)] = later
    review_id = one.open(matter_id, stage)
    before = len(one.desk.all(Decision, matter_id=matter_id))
    with pytest.raises(Refused) as caught:
        one.loan.answer(review_id, matter_id, stage, one.play.by or decider, **one.play.named)
    assert caught.value.status == 403
    assert len(one.desk.all(Decision, matter_id=matter_id)) == before
    assert one.desk.the(Review, id=review_id).closed_at is None


@pytest.mark.requirement("R2", "R24", refuses=True)
@each_kind
def test_it_is_not_decided_over_other_facts(kind: str, tried: Make) -> None:
    one = tried(kind)
    matter_id = one.begun()
    stage, decider = one.play.stages[0]
    review_id = one.open(matter_id, stage)
    named = {**one.play.named, "proof": Proof("0" * 64, PASSWORD)}
    with pytest.raises(Refused) as caught:
        one.loan.answer(review_id, matter_id, stage, decider, **named)
    assert caught.value.code == "form-changed"
    assert not one.desk.all(Decision, matter_id=matter_id)


@pytest.mark.requirement("R2", "R24", refuses=True)
@each_kind
def test_it_is_not_carried_out_over_other_facts_than_were_decided(kind: str, tried: Make) -> None:
    one = tried(kind)
    matter_id = one.agreed()

    def forge(uow: UnitOfWork) -> None:
        matter = uow.session.get_one(Matter, matter_id)
        matter.facts = {**matter.facts, "openedAt": "2031-01-01T00:00:00+00:00"}

    one.desk.run(forge)
    before = one.register()
    with pytest.raises(NotPermitted):
        one.do(matter_id)
    assert one.register() == before


@pytest.mark.requirement("R2", "R24", refuses=True)
@each_kind
def test_a_job_sent_by_hand_carries_nothing_out_that_is_not_decided(kind: str, tried: Make) -> None:
    one = tried(kind)
    matter_id = one.begun()
    for stage, by in one.play.stages:  # nobody has decided yet, and then all but the last
        before = one.register()
        with pytest.raises(NotPermitted):
            one.do(matter_id)
        assert one.register() == before
        one.loan.answer(one.open(matter_id, stage), matter_id, stage, by, **one.play.named)


@pytest.mark.requirement("R2", "R50")
@each_kind
def test_carried_out_twice_it_is_done_once(kind: str, tried: Make) -> None:
    one = tried(kind)
    matter_id = one.agreed()
    before = one.register()
    one.do(matter_id)
    done = one.register()
    assert done != before
    with suppress(NotPermitted):
        one.do(matter_id)
    assert one.register() == done


@pytest.mark.requirement("R44", "R50", refuses=True)
@pytest.mark.parametrize("kind", [kind for kind in PLAYED if kind != "disposal"])
def test_after_the_loan_has_ended_it_changes_nothing_of_it(kind: str, tried: Make) -> None:
    """What is about the loan ends with it, and is not asked for anew; what outlives it goes on."""
    one = tried(kind)
    if kind == "problem":  # frozen copies are not returned: what is asked meanwhile is another one
        one.end_loan()
        with pytest.raises(Refused):
            one.ask()
        assert not one.desk.all(Matter, kind=kind)
        return
    matter_id = one.begun() if kind == "urgent" else one.agreed()
    one.end_loan()
    if kind in OUTLIVING:
        one.do(matter_id)
        assert one.loan.matter(matter_id).closed_as in ("applied", None)
        return
    assert one.loan.matter(matter_id).closed_as == "moot"
    before = one.register()
    with suppress(NotPermitted):
        one.do(matter_id)
    assert one.register() == before
    with pytest.raises(Refused):
        one.ask()


@pytest.mark.requirement("R2", "R50")
@each_kind
def test_a_process_that_is_killed_leaves_nothing_half_done(kind: str, tried: Make) -> None:
    one = tried(kind)
    matter_id = one.agreed()
    before = one.register()

    def dies(uow: UnitOfWork) -> None:
        one.play.job(uow, matter_id)
        uow.session.flush()
        raise Killed

    with pytest.raises(Killed):
        one.desk.run(dies)
    assert one.register() == before
    one.do(matter_id)
    assert one.register() != before


def test_each_kind_is_in_a_course_whose_server_is_killed() -> None:
    """tests/process/test_kill_points_matters.py plays them on whole servers."""
    assert {kind for course in COURSES for kind in course.ends} == set(KINDS)
