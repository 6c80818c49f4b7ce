"""Reviews as their deciders see them: the list of open ones, and one with all that belongs to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, or_, select
from sqlalchemy.orm import defer, load_only

from services.database.case_search import asks_for_camera
from services.database.due_rows import Span, first_of_each, united
from services.database.keyset import FEW_TIMES, NO_END, Page, Section, chosen_of
from services.database.listing import EVERYTHING, Listing
from services.database.tables.applications import Application, Revision
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.people import Department, Person
from services.database.tables.reviews import Confirmation, Decision, Proposal, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import holds, namesakes, visibility
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.access import reviews as access_reviews
from services.domain.access.directory import LEADERS, Directory
from services.domain.access.parts import CaseFacts
from services.domain.access.violations import KIND as VIOLATION
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.applications import findings, security_check
from services.domain.audit import trail as audit_trail
from services.domain.cases import footage as case_footage
from services.domain.custody import reissue
from services.domain.matters import queries as matter_queries
from services.domain.reviews import assignment, judgements, questions, scopes
from services.domain.reviews import service as review_service
from services.domain.reviews import tasks as review_tasks
from services.domain.reviews.schemas import (
    BarredReview,
    Candidate,
    ClaimedReview,
    EarlierConfirmation,
    EarlierDecision,
    GrantedItem,
    MatterFact,
    ReviewedMatter,
    ReviewFinding,
    ReviewProposal,
    ReviewQuestion,
    ReviewView,
    WaitingReview,
)
from services.domain.stages.catalogue import STAGES
from services.domain.working_calendar import deadlines
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.web.problem import Problem

# Refusals that come from the person, not from whose turn it is: what one would decide by one's post, and may not.
CONFLICTS = ("was-", "agreement-missing")
RECEIPT = "receipt"  # the stage in which a custodian accepts copies
FAR_AWAY = 1e15  # seconds: sorts what nothing overwrites last
# hundreds of them are judged for a page, and each has a dozen columns of JSON
_FEW_COLUMNS = (
    load_only(Application.number, *access_queries.OF_CASE, *case_footage.OF_CASE),
    defer(Review.due_reason),
    load_only(Matter.number, Matter.kind, Matter.opened_by, Matter.opened_at),
)


@dataclass(frozen=True)
class _Open:
    """An open review; ``second`` where it waits for its second person, ``first`` whose task it is, if another's.

    ``refusal``: why the actor may not decide it now; None for what waits for the actor.
    """

    review: Review
    application: Application
    department_zh: str
    department_en: str
    facts: CaseFacts
    second: bool
    first: str | None
    refusal: Refused | None
    matter: Matter | None

    @property
    def is_barred(self) -> bool:
        """Whether a conflict keeps the actor from it, who may read what comes with the post all the same."""
        return self.refusal is not None and self.refusal.code.startswith(CONFLICTS)


def read_waiting(
    uow: UnitOfWork, listing: Listing = EVERYTHING, *, stage: str = "", receipts: bool = True
) -> Page[WaitingReview]:
    """Read a page of the open reviews that the actor may decide or confirm now; overwritten first comes first.

    Searched are number, title, camera and its place, department and who has claimed it. Without ``receipts`` it is what
    ``read_first`` counts: a receipt is signed where the loan is.
    """
    query = _select_open(uow, listing, stage)
    if not receipts:
        query = query.where(Review.stage != RECEIPT)
    page = _read(uow, query, listing, lambda entry: entry.refusal is None)
    return page.showing(_views(uow, page.lines))


def read_first(uow: UnitOfWork, few: int, most: int) -> tuple[list[WaitingReview], int, bool]:
    """Read the first few that wait for a decision, how many do, counted up to the most, and whether there are more."""
    query = _select_open(uow, EVERYTHING, "").where(Review.stage != RECEIPT)
    page = _read(uow, query, Listing(limit=most), lambda entry: entry.refusal is None)
    return _views(uow, page.lines[:few]), len(page.lines), bool(page.next)


@dataclass(frozen=True)
class DueReview:
    """A review that waits for the actor, with the number of its case or matter."""

    id: str
    number: str | None
    stage: str
    due_at: datetime


def list_due(uow: UnitOfWork, spans: Sequence[Span], most: int) -> list[DueReview]:
    """List what ``read_first`` counts and is due in one of the spans, at most so many of each; the first due first.

    Read are first a few times as many as wanted, and all others only where too few of these wait for the actor.
    """
    query = _select_open(uow, EVERYTHING, "").where(Review.stage != RECEIPT)
    due_at, by_id = Review.due_at.expression, Review.id.expression
    found: dict[Span, list[DueReview]] = {}
    for lot in (FEW_TIMES * most, NO_END):
        read = united(first_of_each(query.with_only_columns(by_id, due_at), spans, due_at, by_id, lot)).subquery()
        chosen = query.where(Review.id.in_(select(read.c.id))).options(*_FEW_COLUMNS).order_by(due_at, by_id)
        rows = uow.session.execute(chosen).all()
        entries = _judge_all(uow, rows)
        enough = True
        for span in spans:
            of_span = [entry for row, entry in zip(rows, entries, strict=True) if span.covers(row[0].due_at)]
            found[span] = [_due(entry) for entry in of_span if entry is not None and entry.refusal is None]
            enough &= len(of_span) < lot or len(found[span]) >= most
        if enough:
            break
    return [one for lines in found.values() for one in lines[:most]]


def _due(entry: _Open) -> DueReview:
    number = entry.matter.number if entry.matter else entry.application.number
    return DueReview(id=entry.review.id, number=number, stage=entry.review.stage, due_at=entry.review.due_at)


def read_barred(uow: UnitOfWork, listing: Listing = EVERYTHING) -> Page[BarredReview]:
    """Read a page of the open reviews that a conflict keeps from the actor; none that the actor may not see (T8)."""
    query, directory = _select_open(uow, listing, ""), access_queries.load_directory(uow)
    if uow.actor.id in directory.agreed:  # without an agreement one is barred everywhere
        query = query.where(access_queries.has_part(uow.actor.id))
    page = _read(uow, query, listing, lambda entry: entry.is_barred)
    return page.showing(_barred(uow, page.lines))


def read_claimed(uow: UnitOfWork, listing: Listing = EVERYTHING) -> Page[ClaimedReview]:
    """Read a page of the claimed reviews that the actor may give to another candidate; overwritten first comes first.

    As ``assignment.reassign`` allows it: those claimed by a post in a department whose head or deputy the actor is.
    """
    me, directory = uow.actor.id, access_queries.load_directory(uow)
    led = {post.department_id for post in directory.posts_of(me) if post.kind in LEADERS}
    staff = {post.person_id for post in directory.held if post.department_id in led}
    if not staff:
        return Page([])
    query = _select_of_case(listing).add_columns(visibility.is_visible(uow)).options(*_FEW_COLUMNS)
    query = query.where(Review.claimed_by.in_(staff))
    reads_holds = holds.may_read(directory, me)

    def judge(facts: CaseFacts, row: Row[*tuple[Any, ...]]) -> tuple[_Open, list[str]] | None:
        review, application, name_zh, name_en, second, matter, visible, *_ = row
        in_pool = any(me in group for group in access_policy.pools_of(directory, facts, review))
        hidden = matter is not None and matter.kind in holds.KINDS and not reads_holds
        if second or not (in_pool or (visible and not hidden)):
            return None
        if access_policy.reassignment_refusal(directory, facts, review, me) is not None:
            return None
        others = [one for one in access_policy.candidates(directory, facts, review) if one != review.claimed_by]
        refusal = access_policy.refusal_for(directory, facts, review, me)
        entry = _Open(review, application, name_zh, name_en, facts, second, None, refusal, matter)
        return (entry, others) if others else None

    def choose(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[tuple[_Open, list[str]] | None]:
        facts = access_queries.load_all_facts(uow, [row[1] for row in rows])
        return [judge(facts[row[1].id], row) for row in rows]

    page = chosen_of(uow.session, query, _section(listing), listing, choose)
    people = {person_id for _, others in page.lines for person_id in others}
    names, usernames = access_queries.get_names(uow, people), namesakes.get_usernames(uow, people)
    return page.showing(
        [
            ClaimedReview(
                review=view,
                reassign_to=[
                    Candidate(id=person_id, name=names[person_id], username=usernames.get(person_id))
                    for person_id in others
                ],
            )
            for view, (_, others) in zip(_views(uow, [entry for entry, _ in page.lines]), page.lines, strict=True)
        ]
    )


def list_deciders(uow: UnitOfWork) -> list[tuple[str, str]]:
    """Return who may decide or confirm each open review now, as ids of people with the review's stage."""
    proposed = select(Proposal.id).where(Proposal.review_id == Review.id, Proposal.refused_by.is_(None))
    query = (
        select(Review, Application, proposed.exists())
        .join(Application, Application.id == Review.application_id)
        .where(Review.closed_at.is_(None), Application.withdrawn_at.is_(None))
        .options(load_only(*access_queries.OF_CASE), defer(Review.due_reason))
    )
    directory, rows = access_queries.load_directory(uow), uow.session.execute(query).all()
    facts = access_queries.load_all_facts(uow, [application for _, application, _ in rows])
    return [
        (person_id, review.stage)
        for review, application, second in rows
        for person_id in _deciders(directory, facts[application.id], review, second=second)
    ]


def _select_open(uow: UnitOfWork, listing: Listing, stage: str) -> Select[*tuple[Any, ...]]:
    """Select the open reviews that the actor's posts may lead to, and the copies that are offered to the actor."""
    me, directory = uow.actor.id, access_queries.load_directory(uow)
    reach = access_policy.reach(directory, me)
    mine = [
        and_(Review.stage == RECEIPT, Review.hand_over_id.in_(select(HandOver.id).where(HandOver.custodian_id == me))),
        Review.matter_id.in_(select(Matter.id).where(Matter.counterpart_id == me)),
        Review.stage.in_([code for code, departments in reach.items() if departments is None]),
    ]
    for code, departments in reach.items():
        if departments is not None:
            mine.append(and_(Review.stage == code, Application.department_id.in_(departments)))
    query = _select_of_case(listing).where(or_(*mine))
    return query.where(Review.stage == stage) if stage else query


def _select_of_case(listing: Listing) -> Select[*tuple[Any, ...]]:
    """Select the open reviews that a search finds, each with its case, the second decision and the matter."""
    proposed = select(Proposal.id).where(Proposal.review_id == Review.id, Proposal.refused_by.is_(None))
    claimers = select(Person.id).where(listing.mentioned(Person.name))
    return (
        select(Review, Application, Department.name_zh, Department.name_en, proposed.exists(), Matter)
        .join(Application, Application.id == Review.application_id)
        .join(Department, Department.id == Application.department_id)
        .outerjoin(Matter, Matter.id == Review.matter_id)
        .where(
            Review.closed_at.is_(None),
            Application.withdrawn_at.is_(None),
            listing.mentioned(
                *(Application.number, Matter.number, Application.title, Department.name_zh, Department.name_en),
                also=or_(Review.claimed_by.in_(claimers), asks_for_camera(listing)),
            ),
        )
    )


def _read(
    uow: UnitOfWork, query: Select[*tuple[Any, ...]], listing: Listing, fits: Callable[[_Open], bool]
) -> Page[_Open]:
    """Read the page of those reviews that fit. Who may decide is no matter of SQL (``access.policy``)."""

    def choose(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[_Open | None]:
        return [entry if entry is not None and fits(entry) else None for entry in _judge_all(uow, rows)]

    return chosen_of(uow.session, query.options(*_FEW_COLUMNS), _section(listing), listing, choose)


def _judge_all(uow: UnitOfWork, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[_Open | None]:
    directory = access_queries.load_directory(uow)
    facts = access_queries.load_all_facts(uow, [row[1] for row in rows])
    return [_judge(directory, facts[row[1].id], row, uow.actor.id) for row in rows]


def _judge(directory: Directory, facts: CaseFacts, row: Row[*tuple[Any, ...]], me: str) -> _Open | None:
    """Return what the review is to the person; None where it does not concern them."""
    review, application, name_zh, name_en, second, matter, *_ = row
    groups = access_policy.pools_of(directory, facts, review)
    if not any(me in group for group in groups):
        return None
    first = None if me in groups[0] else groups[0][0]
    refusal = access_policy.refusal_for(directory, facts, review, me, second=second)
    return _Open(review, application, name_zh, name_en, facts, second, first, refusal, matter)


def _section(listing: Listing) -> Section:
    """Return the order of the list: each ends with the urgency, or the id alone."""
    due_at, by_id = Review.due_at.expression, Review.id.expression
    urgency = (func.coalesce(case_footage.overwrite_order(), FAR_AWAY), due_at, by_id)
    orders: dict[str, tuple[ColumnElement[Any], ...]] = {
        "due": (due_at, by_id),
        "number": (func.coalesce(Application.number, ""), by_id),
        "stage": (case({code: place for place, code in enumerate(STAGES)}, value=Review.stage), *urgency),
    }
    return Section(orders.get(listing.sort, urgency))


def _views(uow: UnitOfWork, entries: Sequence[_Open]) -> list[WaitingReview]:
    """Return these reviews as lines, in this order; two statements."""
    if not entries:
        return []
    me = uow.actor.id
    footage = case_footage.read(uow, [entry.application for entry in entries])
    names = access_queries.get_names(
        uow,
        [
            name
            for entry in entries
            for name in (entry.review.claimed_by, entry.first, entry.matter.opened_by if entry.matter else None)
        ],
    )
    return [
        WaitingReview(
            id=review.id,
            application_id=application.id,
            number=entry.matter.number if entry.matter else application.number,
            stage=review.stage,
            round=review.round,
            opened_at=review.opened_at,
            due_at=review.due_at,
            escalated_at=review.escalated_at,
            overwrite_at=footage[application.id].overwrite_at,
            claimed=review.claimed_by is not None,
            claimed_by_me=review.claimed_by == me,
            to_confirm=entry.second,
            department_zh=entry.department_zh,
            department_en=entry.department_en,
            purpose_category=application.purpose_category,
            items=footage[application.id].items,
            claimed_by=names[review.claimed_by] if review.claimed_by else None,
            stands_in_for=names[entry.first] if entry.first else None,
            hand_over_id=review.hand_over_id,
            about=None if entry.is_barred else footage[application.id].about,
            matter=_matter(entry.matter, names) if entry.matter else None,
        )
        for entry in entries
        for review, application in [(entry.review, entry.application)]
    ]


def _matter(matter: Matter, names: Mapping[str, str], lines: Sequence[MatterFact] = ()) -> ReviewedMatter:
    return ReviewedMatter(
        id=matter.id,
        number=matter.number,
        kind=matter.kind,
        opened_by=None if matter.kind == VIOLATION else names.get(matter.opened_by or ""),
        opened_at=matter.opened_at,
        lines=list(lines),
    )


def _barred(uow: UnitOfWork, entries: Sequence[_Open]) -> list[BarredReview]:
    directory = access_queries.load_directory(uow)
    deciders = [_deciders(directory, entry.facts, entry.review, second=entry.second) for entry in entries]
    names = access_queries.get_names(uow, {person_id for ids in deciders for person_id in ids})
    return [
        BarredReview(
            review=line, why_not=Problem.of(entry.refusal), who_can=[names[person_id] for person_id in who_can]
        )
        for line, entry, who_can in zip(_views(uow, entries), entries, deciders, strict=True)
        if entry.refusal is not None
    ]


def _deciders(directory: Directory, facts: CaseFacts, review: Review, *, second: bool) -> list[str]:
    """Return the ids of those who may decide the review now, or confirm it as the ``second`` person."""
    if second:
        return directory.present(access_policy.second_people(directory, facts, review))
    return access_policy.candidates(directory, facts, review)


def get_review(uow: UnitOfWork, review_id: str) -> ReviewView:
    """Return the review for those who may decide it or see the case; reading it is an event (F20)."""
    review = uow.session.get(Review, review_id)
    if review is None:
        raise NotFound(Message("review"), review_id)
    access_reviews.require_readable(uow, review)
    application = uow.session.get_one(Application, review.application_id)
    matter = uow.session.get(Matter, review.matter_id) if review.matter_id else None
    revision = uow.session.scalar(
        select(Revision).where(Revision.application_id == application.id, Revision.round == review.round)
    )
    if revision is None:
        raise NotFound(Message("form"), application.id)
    audit_trail.record(uow, "review-read", "review", review.id, application_id=application.id)
    stage = STAGES[review.stage].asked_about(matter.kind if matter is not None else None)
    proposal = review_service.open_proposal(uow, review)
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, application.id)
    second = proposal is not None
    refusal = _refusal(uow, review, second=second)
    held_by_other = review.claimed_by not in (None, uow.actor.id) and not access_queries.is_absent(
        uow, str(review.claimed_by)
    )
    stands_in_for = access_policy.stands_in_for(directory, facts, review, uow.actor.id) if refusal is None else None
    deciders = _deciders(directory, facts, review, second=second) if review.closed_at is None else []
    earlier = uow.session.scalars(
        select(Decision)
        .where(
            Decision.application_id == application.id,
            Decision.matter_id == review.matter_id,
            Decision.review_id != review.id,
        )
        .order_by(Decision.decided_at)
    ).all()
    confirmations = uow.session.scalars(
        select(Confirmation)
        .join(Review, Review.id == Confirmation.review_id)
        .where(Review.application_id == application.id, Review.matter_id == review.matter_id)
        .order_by(Confirmation.confirmed_at)
    ).all()
    decision = uow.session.scalar(select(Decision).where(Decision.review_id == review.id))
    proposed_by = proposal.person_id if proposal is not None else None
    others = assignment.list_others(uow, review) if not second and assignment.may_reassign(uow, review) else []
    usernames = namesakes.get_usernames(uow, others)
    named = [*others, review.claimed_by, stands_in_for, proposed_by, *deciders, *(row.decided_by for row in earlier)]
    named += [confirmation.person_id for confirmation in confirmations]
    named += [matter.opened_by] if matter is not None else []
    named += [person_id for row in earlier for person_id in judgements.list_people(row.judgement)]
    names = access_queries.get_names(uow, named)
    due_reason = deadlines.describe(review.due_reason)
    return ReviewView(
        id=review.id,
        application_id=application.id,
        number=matter.number if matter is not None else application.number,
        stage=stage.code,
        round=review.round,
        opened_at=review.opened_at,
        due_at=review.due_at,
        due_reason_zh=due_reason.zh if due_reason else None,
        due_reason_en=due_reason.en if due_reason else None,
        escalated_at=review.escalated_at,
        closed_at=review.closed_at,
        closed_because=review.closed_because,
        claimed_by=names[review.claimed_by] if review.claimed_by else None,
        claimed_by_me=review.claimed_by == uow.actor.id,
        outcomes=list(stage.outcomes),
        questions=[ReviewQuestion.model_validate(question) for question in stage.questions],
        reason_for=list(stage.reason_for),
        opinion_needed=stage.opinion_needed,
        may_raise=stage.may_raise and matter is None,
        may_lower=stage.may_lower and matter is None,
        second_person=review_service.needs_second_person(application, review),
        form=revision.form,
        form_sha256=matter.facts_sha256 if matter is not None else revision.sha256,
        findings=[
            ReviewFinding.model_validate(finding)
            for finding in security_check.list_readable(
                uow, application, findings.list_of_round(uow, application.id, review.round)
            )
        ],
        granted=[GrantedItem.model_validate(item) for item in scopes.granted(uow, application)],
        importance=application.importance,
        important_information=application.important_information,
        sensitive_event=application.sensitive_event,
        high_impact=application.high_impact,
        use_period_days=application.granted_use_days or scopes.use_days(uow, application, None),
        way_of_use=application.granted_way_of_use or application.way_of_use,
        lesser_ways=scopes.lesser_ways(uow, application),
        earlier=[
            EarlierDecision(
                stage=row.stage,
                round=row.round,
                outcome=row.outcome,
                by=names[row.decided_by],
                decided_at=row.decided_at,
                reason=row.reason,
                opinion=row.opinion,
                judgement=judgements.list_facts(row.judgement, names),
                confirmed_by=[
                    EarlierConfirmation(by=names[one.person_id], confirmed_at=one.confirmed_at)
                    for one in confirmations
                    if one.review_id == row.review_id
                ],
            )
            for row in earlier
        ],
        proposal=_proposal(proposal, names) if proposal is not None else None,
        outcome=decision.outcome if decision is not None else None,
        why_not=Problem.of(refusal) if refusal is not None else None,
        signature_methods=list(signature_signing.methods(uow, stage.level)),
        stands_in_for=names[stands_in_for] if stands_in_for else None,
        who_can=[names[person_id] for person_id in deciders],
        most_use_days=scopes.use_days(uow, application, None),
        applicant_questions=questions.list_of_application(uow, application),
        reassign_to=[
            Candidate(id=person_id, name=names[person_id], username=usernames.get(person_id)) for person_id in others
        ],
        may_ask=refusal is None and not second and not held_by_other and matter is None,
        hand_over_id=review.hand_over_id,
        matter=_matter(matter, names, matter_queries.lines_of(uow, matter)) if matter is not None else None,
        judgement=judgements.describe(uow, review),
        replacements=judgements.describe_replacements(uow, review, reissue.find_obstacle),
    )


def _proposal(proposal: Proposal, names: Mapping[str, str]) -> ReviewProposal:
    statement = proposal.statement
    return ReviewProposal(
        by=names[proposal.person_id],
        proposed_at=proposal.proposed_at,
        outcome=statement["outcome"],
        answers=statement["answers"],
        reason=statement.get("reason"),
        statement_sha256=proposal.statement_sha256,
    )


def _refusal(uow: UnitOfWork, review: Review, *, second: bool) -> Refused | None:
    if review.closed_at is not None:
        return review_tasks.closed_refusal(review)
    if review.stage == "receipt":
        return Refused("receipt-elsewhere", "Accept or decline the copies on the hand-over page.")
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id)
    return access_policy.refusal_for(directory, facts, review, uow.actor.id, second=second)
