"""Reviews as their deciders see them: the list of open ones, and one with all that belongs to it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from services.database.tables.applications import Application, Revision
from services.database.tables.people import Department
from services.database.tables.reviews import Decision, Proposal, Review
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
from services.domain.reviews.schemas import (
    BarredReview,
    EarlierDecision,
    GrantedItem,
    InboxSort,
    ReviewFinding,
    ReviewProposal,
    ReviewQuestion,
    ReviewView,
    WaitingReview,
)
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.web.errors import Problem

# Refusals that come from the person, not from whose turn it is: what one would decide by one's post, and may not.
CONFLICTS = ("was-", "agreement-missing")


def list_waiting(uow: UnitOfWork) -> list[WaitingReview]:
    """Return the open reviews that the actor may decide or confirm now; overwritten first comes first."""
    return _views(uow, _sorted_out(uow)[0])


def list_barred(uow: UnitOfWork) -> list[BarredReview]:
    """Return the open reviews that a conflict keeps from the actor; none that the actor may not see (T8)."""
    return _barred(uow, _sorted_out(uow)[1])


def list_all(uow: UnitOfWork) -> tuple[list[WaitingReview], list[BarredReview]]:
    """Return what waits and what is barred; as many statements for one review as for thousands."""
    decidable, conflicts = _sorted_out(uow)
    return _views(uow, decidable), _barred(uow, conflicts)


def list_deciders(uow: UnitOfWork) -> list[tuple[str, str]]:
    """Return who may decide or confirm each open review now, as ids of people with the review's stage."""
    directory, rows = access_queries.load_directory(uow), uow.session.execute(_select_open()).all()
    facts = access_queries.load_all_facts(uow, [application for _, application, _, _ in rows])
    return [
        (person_id, review.stage)
        for review, application, _, second in rows
        for person_id in _deciders(directory, facts[application.id], review, second=second)
    ]


def _sorted_out(uow: UnitOfWork) -> "tuple[list[_Open], list[tuple[_Open, Refused]]]":
    """Return what the actor may decide now, and what a conflict bars, with its refusal."""
    directory = access_queries.load_directory(uow)
    decidable, conflicts = [], []
    for entry in _open(uow):
        refusal = access_policy.refusal_for(directory, entry.facts, entry.review, uow.actor.id, second=entry.second)
        if refusal is None:
            decidable.append(entry)
        elif refusal.code.startswith(CONFLICTS):
            # so the person is neither an administrator nor a subject, and may read what comes with the post
            conflicts.append((entry, refusal))
    return decidable, conflicts


def _views(uow: UnitOfWork, entries: "Sequence[_Open]") -> list[WaitingReview]:
    """Return these reviews, overwritten first; two statements."""
    if not entries:
        return []
    me = uow.actor.id
    footage = queries.footage(uow, [entry.application for entry in entries])
    names = access_queries.get_names(
        uow, [name for entry in entries for name in (entry.review.claimed_by, entry.first)]
    )
    return sorted(
        (
            WaitingReview(
                id=review.id,
                application_id=application.id,
                number=application.number,
                stage=review.stage,
                round=review.round,
                opened_at=review.opened_at,
                due_at=review.due_at,
                escalated_at=review.escalated_at,
                overwrite_at=footage[application.id].overwrite_at,
                claimed=review.claimed_by is not None,
                claimed_by_me=review.claimed_by == me,
                to_confirm=entry.second,
                department_zh=entry.department.name_zh,
                department_en=entry.department.name_en,
                purpose_category=application.purpose_category,
                items=footage[application.id].items,
                claimed_by=names[review.claimed_by] if review.claimed_by else None,
                stands_in_for=names[entry.first] if entry.first else None,
                hand_over_id=review.hand_over_id,
            )
            for entry in entries
            for review, application in [(entry.review, entry.application)]
        ),
        key=_urgency,
    )


def _barred(uow: UnitOfWork, conflicts: "Sequence[tuple[_Open, Refused]]") -> list[BarredReview]:
    directory, of_review = (
        access_queries.load_directory(uow),
        {entry.review.id: (entry, why) for entry, why in conflicts},
    )
    deciders = {
        review_id: _deciders(directory, entry.facts, entry.review, second=entry.second)
        for review_id, (entry, _) in of_review.items()
    }
    names = access_queries.get_names(uow, {person_id for ids in deciders.values() for person_id in ids})
    return [
        BarredReview(
            review=line,
            why_not=Problem.of(of_review[line.id][1]),
            who_can=[names[person_id] for person_id in deciders[line.id]],
        )
        for line in _views(uow, [entry for entry, _ in conflicts])
    ]


def select_lines(
    lines: Iterable[WaitingReview],
    *,
    stage: str = "",
    search: str = "",
    sort: InboxSort = "overwrite",
    descending: bool = False,
) -> list[WaitingReview]:
    """Return the lines of a stage whose number or department holds ``search``, sorted."""
    wanted = search.strip().casefold()
    selected = [
        line
        for line in lines
        if (not stage or line.stage == stage)
        and any(
            wanted in (text or "").casefold()
            for text in (line.number, line.department_zh, line.department_en, line.claimed_by)
        )
    ]
    return sorted(selected, key=ORDERS[sort], reverse=descending)


def _deciders(directory: Directory, facts: CaseFacts, review: Review, *, second: bool) -> list[str]:
    """Return the ids of those who may decide the review now, or confirm it as the ``second`` person."""
    if second:
        return directory.present(access_policy.second_people(directory, facts, review))
    return access_policy.candidates(directory, facts, review)


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
    """Return the open reviews that concern the actor's posts, or a copy that is offered to the actor."""
    me, directory = uow.actor.id, access_queries.load_directory(uow)
    receipts = (Review.stage == "receipt") & (Application.custodian_id == me)
    mine = receipts | Review.stage.in_(access_policy.stages_of(directory, me))
    rows = uow.session.execute(_select_open().where(mine).order_by(Review.due_at)).all()
    facts = access_queries.load_all_facts(uow, [application for _, application, _, _ in rows])
    entries = []
    for review, application, department, second in rows:
        groups = access_policy.pools(directory, facts[application.id], STAGES[review.stage])
        if any(me in group for group in groups):
            first = None if me in groups[0] else groups[0][0]
            entries.append(_Open(review, application, department, facts[application.id], second, first))
    return entries


def _select_open() -> Select[*tuple[Any, ...]]:
    """Select the open reviews, with application, department, and whether the second person is waited for."""
    proposed = select(Proposal.id).where(Proposal.review_id == Review.id, Proposal.refused_by.is_(None))
    return (
        select(Review, Application, Department, proposed.exists())
        .join(Application, Application.id == Review.application_id)
        .join(Department, Department.id == Application.department_id)
        .where(Review.closed_at.is_(None), Application.withdrawn_at.is_(None))
    )


def _urgency(line: WaitingReview) -> tuple[datetime, datetime]:
    return line.overwrite_at or queries.NEVER, line.due_at


ORDERS: dict[InboxSort, Callable[[WaitingReview], Any]] = {
    "overwrite": _urgency,
    "due": lambda line: line.due_at,
    "number": lambda line: line.number or "",
    "stage": lambda line: (list(STAGES).index(line.stage), _urgency(line)),
}


def get_review(uow: UnitOfWork, review_id: str) -> ReviewView:
    """Return the review for those who may decide it or see the case; reading it is an event (F20)."""
    review = uow.session.get(Review, review_id)
    if review is None:
        raise NotFound(Message("review"), review_id)
    visibility.require_readable(uow, review)
    application = uow.session.get_one(Application, review.application_id)
    revision = uow.session.scalar(
        select(Revision).where(Revision.application_id == application.id, Revision.round == review.round)
    )
    if revision is None:
        raise NotFound(Message("form"), application.id)
    audit_trail.record(uow, "review-read", "review", review.id, application_id=application.id)
    stage, proposal = STAGES[review.stage], review_service.open_proposal(uow, review)
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, application.id)
    second = proposal is not None
    refusal = _refusal(uow, review, second=second)
    stands_in_for = access_policy.stands_in_for(directory, facts, review, uow.actor.id) if refusal is None else None
    deciders = _deciders(directory, facts, review, second=second) if review.closed_at is None else []
    earlier = uow.session.scalars(
        select(Decision)
        .where(Decision.application_id == application.id, Decision.review_id != review.id)
        .order_by(Decision.decided_at)
    ).all()
    decision = uow.session.scalar(select(Decision).where(Decision.review_id == review.id))
    proposed_by = proposal.person_id if proposal is not None else None
    named = [review.claimed_by, stands_in_for, proposed_by, *deciders, *(row.decided_by for row in earlier)]
    names = access_queries.get_names(uow, named)
    return ReviewView(
        id=review.id,
        application_id=application.id,
        number=application.number,
        stage=stage.code,
        round=review.round,
        opened_at=review.opened_at,
        due_at=review.due_at,
        escalated_at=review.escalated_at,
        closed_at=review.closed_at,
        closed_because=review.closed_because,
        claimed_by=names[review.claimed_by] if review.claimed_by else None,
        claimed_by_me=review.claimed_by == uow.actor.id,
        outcomes=list(stage.outcomes),
        questions=[ReviewQuestion.model_validate(question) for question in stage.questions],
        reason_for=list(stage.reason_for),
        opinion_needed=stage.opinion_needed,
        may_raise=stage.may_raise,
        may_lower=stage.may_lower,
        second_person=review_service.needs_second_person(application, review),
        form=revision.form,
        form_sha256=revision.sha256,
        findings=[
            ReviewFinding.model_validate(finding)
            for finding in findings.list_of_round(uow, application.id, review.round)
        ],
        granted=[GrantedItem.model_validate(item) for item in scopes.granted(uow, application)],
        important_information=application.important_information,
        sensitive_event=application.sensitive_event,
        high_impact=application.high_impact,
        use_period_days=application.granted_use_days or scopes.use_days(uow, application, None),
        way_of_use=application.granted_way_of_use or application.way_of_use,
        earlier=[
            EarlierDecision(
                stage=row.stage,
                round=row.round,
                outcome=row.outcome,
                by=names[row.decided_by],
                decided_at=row.decided_at,
                reason=row.reason,
                opinion=row.opinion,
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
        hand_over_id=review.hand_over_id,
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
        return Refused("review-closed", "This review is closed already.")
    if review.stage == "receipt":
        return Refused("receipt-elsewhere", "Accept or decline on the hand-over's page.")
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id)
    return access_policy.refusal_for(directory, facts, review, uow.actor.id, second=second)
