"""What a reviewer sees: the open reviews, the most pressing first, and one review with all that belongs to it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select

from services.database.tables.applications import Application, Revision
from services.database.tables.people import Department, Person
from services.database.tables.reviews import Decision, Finding, Proposal, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.access.policy import CaseFacts, Directory
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.applications import findings
from services.domain.audit import trail as audit_trail
from services.domain.cases import queries
from services.domain.reviews import scopes
from services.domain.reviews import service as review_service
from services.domain.stages.catalogue import STAGES, Stage
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

NEVER = datetime.max.replace(tzinfo=UTC)
# Refusals that come from the person, not from whose turn it is: what one would decide by one's post, and may not.
CONFLICTS = ("was-", "agreement-missing")
Sort = Literal["overwrite", "due", "number", "stage"]


@dataclass(frozen=True)
class Waiting:
    """One line of the inbox. ``to_confirm``: somebody has decided and a second person is to confirm."""

    review: Review
    number: str | None
    department: Department
    purpose_category: str
    items: int
    overwrite_at: datetime | None
    to_confirm: bool
    claimed_by: str | None
    stands_in_for: str | None


@dataclass(frozen=True)
class Barred:
    """An open review that the person's post would bring, and why the person may not decide it; who can, by name."""

    line: Waiting
    why_not: Refused
    who_can: list[str]


@dataclass(frozen=True)
class View:
    """One review for the person who reads it; ``why_not`` is None where that person may decide (or confirm) it.

    ``signature_methods`` is what the signature needs of that person: ``("password",)``, or ``("password", "totp")``
    where a one-time code goes with it (``Proof.code``).
    """

    review: Review
    stage: Stage
    number: str | None
    revision: Revision
    findings: list[Finding]
    granted: list[dict[str, Any]]
    marks: dict[str, bool]
    use_days: int
    way_of_use: str
    earlier: list[tuple[Decision, str]]
    proposal: Proposal | None
    second_person: bool
    claimed_by: str | None
    decision: Decision | None
    why_not: Refused | None
    signature_methods: tuple[str, ...]
    stands_in_for: str | None
    who_can: list[str]
    most_days: int


def mine(uow: UnitOfWork) -> list[Waiting]:
    """The open reviews that the acting person may decide or confirm now; what is overwritten first comes first."""
    return mine_and_barred(uow)[0]


def barred(uow: UnitOfWork) -> list[Barred]:
    """The open reviews that a conflict keeps from the acting person; none that the person may not even see (T8)."""
    return mine_and_barred(uow)[1]


def mine_and_barred(uow: UnitOfWork) -> tuple[list[Waiting], list[Barred]]:
    """Both, each in the order of what is overwritten first; the same number of statements for any number of reviews."""
    me, staff = uow.actor.id, access_queries.directory(uow)
    decidable, conflicts = [], []
    for one in _open(uow):
        refusal = access_policy.refusal_for(staff, one.facts, one.review, me, second=one.second)
        if refusal is None:
            decidable.append(one)
        elif refusal.code.startswith(CONFLICTS):
            # so the person is neither an administrator nor a subject, and may read what the post brings
            conflicts.append((one, refusal))
    shown = [*decidable, *(one for one, _ in conflicts)]
    footage = queries.footage(uow, [one.application for one in shown])
    able = {one.review.id: _able(staff, one.facts, one.review, second=one.second) for one, _ in conflicts}
    claimed = [one.review.claimed_by for one in shown]
    names = access_queries.names(
        uow, [*claimed, *(one.first for one in shown), *(i for ids in able.values() for i in ids)]
    )

    def line(one: _Open) -> Waiting:
        return Waiting(
            review=one.review,
            number=one.application.number,
            department=one.department,
            purpose_category=one.application.purpose_category,
            items=footage[one.application.id].items,
            overwrite_at=footage[one.application.id].overwrite_at,
            to_confirm=one.second,
            claimed_by=names[one.review.claimed_by] if one.review.claimed_by else None,
            stands_in_for=names[one.first] if one.first else None,
        )

    return (
        sorted((line(one) for one in decidable), key=_urgency),
        sorted(
            (
                Barred(line(one), refusal, [names[person_id] for person_id in able[one.review.id]])
                for one, refusal in conflicts
            ),
            key=lambda one: _urgency(one.line),
        ),
    )


def chosen(
    lines: Iterable[Waiting], *, stage: str = "", search: str = "", sort: Sort = "overwrite", descending: bool = False
) -> list[Waiting]:
    """The lines of a stage whose number or department holds ``search``, in this order."""
    wanted = search.strip().casefold()
    found = [
        line
        for line in lines
        if (not stage or line.review.stage == stage)
        and any(wanted in str(text or "").casefold() for text in _searched(line))
    ]
    return sorted(found, key=ORDERS[sort], reverse=descending)


def who_can(uow: UnitOfWork, review: Review, *, second: bool = False) -> list[str]:
    """The names of those who may decide the review, or confirm it, now."""
    able = _able(access_queries.directory(uow), access_queries.facts(uow, review.application_id), review, second=second)
    names = access_queries.names(uow, able)
    return [names[person_id] for person_id in able]


def _able(staff: Directory, facts: CaseFacts, review: Review, *, second: bool) -> list[str]:
    if second:
        return staff.present(access_policy.second_people(staff, facts, review))
    return access_policy.candidates(staff, facts, review)


@dataclass(frozen=True)
class _Open:
    """An open review; ``second`` where it waits for its second person, ``first`` whose task it is, if another's."""

    review: Review
    application: Application
    department: Department
    facts: CaseFacts
    second: bool
    first: str | None


def _open(uow: UnitOfWork) -> list[_Open]:
    """The open reviews that the acting person's posts, or an offered copy, have to do with."""
    me, staff = uow.actor.id, access_queries.directory(uow)
    receipts = (Review.stage == "receipt") & (Application.custodian_id == me)
    proposed = select(Proposal.id).where(Proposal.review_id == Review.id, Proposal.refused_by.is_(None))
    query = (
        select(Review, Application, Department, proposed.exists())
        .join(Application, Application.id == Review.application_id)
        .join(Department, Department.id == Application.department_id)
        .where(
            Review.closed_at.is_(None),
            Application.withdrawn_at.is_(None),
            receipts | Review.stage.in_(access_policy.stages_of(staff, me)),
        )
        .order_by(Review.due_at)
    )
    rows = uow.session.execute(query).all()
    facts = access_queries.facts_of_all(uow, [application for _, application, _, _ in rows])
    found = []
    for review, application, department, second in rows:
        groups = access_policy.pools(staff, facts[application.id], STAGES[review.stage])
        if any(me in group for group in groups):
            first = None if me in groups[0] else groups[0][0]
            found.append(_Open(review, application, department, facts[application.id], second, first))
    return found


def _urgency(line: Waiting) -> tuple[datetime, datetime]:
    return line.overwrite_at or NEVER, line.review.due_at


def _searched(line: Waiting) -> tuple[str | None, ...]:
    return line.number, line.department.name_zh, line.department.name_en, line.claimed_by


ORDERS: dict[Sort, Callable[[Waiting], Any]] = {
    "overwrite": _urgency,
    "due": lambda line: line.review.due_at,
    "number": lambda line: line.number or "",
    "stage": lambda line: (list(STAGES).index(line.review.stage), _urgency(line)),
}


def view(uow: UnitOfWork, review_id: str) -> View:
    """The review, for those who hold a post for it and those who may see the case; the look is on the trail (F20)."""
    review = uow.session.get(Review, review_id)
    if review is None:
        raise NotFound(Message("review"), review_id)
    visibility.readable(uow, review)
    application = uow.session.get_one(Application, review.application_id)
    revision = uow.session.scalar(
        select(Revision).where(Revision.application_id == application.id, Revision.round == review.round)
    )
    if revision is None:
        raise NotFound(Message("form"), application.id)
    audit_trail.record(uow, "review-read", "review", review.id, application_id=application.id)
    proposal = review_service.open_proposal(uow, review)
    staff, facts = access_queries.directory(uow), access_queries.facts(uow, application.id)
    no = _why_not(uow, review, second=proposal is not None)
    stands_in_for = access_policy.stands_in_for(staff, facts, review, uow.actor.id) if no is None else None
    earlier = (
        select(Decision, Person.name)
        .join(Person, Person.id == Decision.decided_by)
        .where(Decision.application_id == application.id, Decision.review_id != review.id)
        .order_by(Decision.decided_at)
    )
    return View(
        review=review,
        stage=STAGES[review.stage],
        number=application.number,
        revision=revision,
        findings=findings.of_round(uow, application.id, review.round),
        granted=scopes.granted(uow, application),
        marks={mark: bool(getattr(application, mark)) for mark in scopes.MARKS},
        use_days=application.granted_use_days or scopes.use_days(uow, application, None),
        way_of_use=application.granted_way_of_use or application.way_of_use,
        earlier=[(decision, name) for decision, name in uow.session.execute(earlier)],
        proposal=proposal,
        second_person=review_service.needs_second_person(application, review),
        claimed_by=name_of(uow, review.claimed_by) if review.claimed_by else None,
        decision=uow.session.scalar(select(Decision).where(Decision.review_id == review.id)),
        why_not=no,
        signature_methods=signature_signing.methods(uow, STAGES[review.stage].level),
        stands_in_for=name_of(uow, stands_in_for) if stands_in_for else None,
        who_can=who_can(uow, review, second=proposal is not None) if review.closed_at is None else [],
        most_days=scopes.use_days(uow, application, None),
    )


def name_of(uow: UnitOfWork, person_id: str) -> str:
    return uow.session.get_one(Person, person_id).name


def _why_not(uow: UnitOfWork, review: Review, *, second: bool) -> Refused | None:
    if review.closed_at is not None:
        return Refused("review-closed", "This review is closed already.")
    if review.stage == "receipt":
        return Refused("receipt-elsewhere", "Accept or decline on the hand-over's page.")
    staff, facts = access_queries.directory(uow), access_queries.facts(uow, review.application_id)
    return access_policy.refusal_for(staff, facts, review, uow.actor.id, second=second)
