"""Whether a case is held, by what, and the list of the holds.

``holding`` alone decides. Whatever deletes something of a case asks it: ``custody.discards`` (quarantine, uploads,
copies of nobody), ``custody.locks`` (masters) and ``retrieval.upload_sources`` (an uploaded file whose master is
stored). What is to hold a case by itself is added to ``HELD_BY``.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    and_,
    case,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased

from services.database import keyset
from services.database.due_rows import due_columns
from services.database.keyset import Section
from services.database.listing import EVERYTHING, Listing
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.inspections import GroupInspection, InspectedCase
from services.database.tables.maintenance import Damage
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.people import Person
from services.database.tables.reviews import Decision
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import holds as policy
from services.domain.access import namesakes, violations, visibility
from services.domain.access import queries as access_queries
from services.domain.holds.schemas import HoldAnswer, HoldsAnswer
from services.runtime.errors import Refused

NOTICE = "hold-notice"  # the kind of the document that each hold has
# the orders of the two lists
SECTIONS = {
    "review": Section((Hold.review_at.expression, Hold.id.expression), Hold.lifted_at.is_(None)),
    "lifted": Section((Hold.lifted_at.expression, Hold.id.expression), Hold.lifted_at.is_not(None)),
}
# beside the tables of the query that a condition is in
APPEAL, LOAN = aliased(Application), aliased(HandOver)


@dataclass(frozen=True)
class Holding:
    """One thing that holds a case, since when; the rest where somebody has placed it."""

    cause: str
    since: datetime
    hold_id: str | None
    reason: str | None
    owner: str | None
    review_at: datetime | None


def holding(application_id: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Build the condition on a column of cases' ids that the case is held."""
    return or_(*(query(application_id).exists() for query in HELD_BY.values()), is_explicit(application_id))


def is_explicit(application_id: SQLColumnExpression[str] | SQLColumnExpression[str | None]) -> ColumnElement[bool]:
    """Build the condition that somebody has placed a hold: the stores hold what such a case has there."""
    return select(Hold.id).where(Hold.application_id == application_id, Hold.lifted_at.is_(None)).exists()


def _violations(application_id: SQLColumnExpression[str]) -> Select[datetime]:
    """While a violation is open, or its appeal (R66)."""
    appealed = select(Matter.id).where(Matter.kind == "appeal", Matter.closed_at.is_(None))
    goes_on = or_(Violation.closed_at.is_(None), Violation.appeal_id.in_(appealed))
    return select(Violation.opened_at).where(Violation.application_id == application_id, goes_on)


def _problems(application_id: SQLColumnExpression[str]) -> Select[datetime]:
    """While a problem report is open, nothing of the case is discarded (R44)."""
    return select(Matter.opened_at).where(
        Matter.application_id == application_id, Matter.kind == "problem", Matter.closed_at.is_(None)
    )


def _urgent(application_id: SQLColumnExpression[str]) -> Select[datetime]:
    """Until an urgent retrieval has ended; where nobody has approved it, its violation holds the case from then on."""
    return select(Matter.opened_at).where(
        Matter.application_id == application_id, Matter.kind == "urgent", Matter.closed_at.is_(None)
    )


def _disputes(application_id: SQLColumnExpression[str]) -> Select[datetime]:
    """From the inspector's decision until the loan has ended; from then on its violation holds the case."""
    return (
        select(Decision.decided_at)
        .join(LOAN, LOAN.application_id == Decision.application_id)
        .where(
            Decision.application_id == application_id,
            Decision.stage == "return-inspection",
            Decision.outcome == "discrepancy",
            LOAN.ended_at.is_(None),
        )
    )


def _appeals(application_id: SQLColumnExpression[str]) -> Select[datetime | None]:
    """While an application that names this one is open, or could itself be appealed (T6)."""
    return select(APPEAL.submitted_at).where(
        APPEAL.previous_id == application_id,
        APPEAL.submitted_at.is_not(None),
        or_(APPEAL.closed_at.is_(None), APPEAL.discard_after.is_not(None)),
    )


def _inspections(application_id: SQLColumnExpression[str]) -> Select[datetime | None]:
    """While an inspection is open, nothing of the cases of its sample is discarded (R63)."""
    return (
        select(GroupInspection.drawn_at)
        .join(InspectedCase, InspectedCase.inspection_id == GroupInspection.id)
        .where(InspectedCase.application_id == application_id, GroupInspection.closed_at.is_(None))
    )


def _damages(application_id: SQLColumnExpression[str]) -> Select[datetime]:
    """Until somebody has examined a damaged version, which is evidence of what has happened to it."""
    return select(Damage.found_at).where(Damage.application_id == application_id, Damage.examined_at.is_(None))


HELD_BY: Mapping[str, Callable[[SQLColumnExpression[str]], Select[Any]]] = {
    "violation": _violations,
    "problem": _problems,
    "urgent": _urgent,
    "dispute": _disputes,
    "appeal": _appeals,
    "inspection": _inspections,
    "damage": _damages,
}


def is_held(uow: UnitOfWork, application_id: str) -> bool:
    """Return whether anything holds the case; lock the case first where something depends on it."""
    return _is(uow, application_id, holding(Application.id.expression))


def is_explicitly_held(uow: UnitOfWork, application_id: str) -> bool:
    """Return whether somebody has placed a hold on the case, so that the stores hold what it has there."""
    return _is(uow, application_id, is_explicit(Application.id.expression))


def _is(uow: UnitOfWork, application_id: str, condition: ColumnElement[bool]) -> bool:
    query = select(Application.id).where(Application.id == application_id, condition)
    return uow.session.scalar(query) is not None


def list_holdings(uow: UnitOfWork, application_id: str) -> list[Holding]:
    """List what holds a case, the oldest first; one statement."""
    placed = (
        select(Hold.cause, Hold.placed_at, Hold.id, Hold.reason, Person.name, Hold.review_at)
        .join(Person, Person.id == Hold.owner_id)
        .where(Hold.application_id == application_id, Hold.lifted_at.is_(None))
    )
    computed = []
    for cause, query in HELD_BY.items():
        since = query(literal(application_id))
        nothing = (null() for _ in ("id", "reason", "owner", "review"))
        computed.append(since.with_only_columns(literal(cause), since.selected_columns[0], *nothing))
    # the placed ones first: their columns tell what the others have none of
    return sorted(
        (Holding(*row) for row in uow.session.execute(union_all(placed, *computed))), key=lambda one: one.since
    )


def may_read(uow: UnitOfWork) -> bool:
    """Return whether the acting person may read holds."""
    return policy.may_read(access_queries.load_directory(uow), uow.actor.id)


def may_place(uow: UnitOfWork) -> bool:
    """Return whether the acting person may place holds."""
    return policy.may_place(access_queries.load_directory(uow), uow.actor.id)


def list_open(uow: UnitOfWork, listing: Listing = EVERYTHING, *, lifted: bool = False) -> HoldsAnswer:
    """List a page of the open holds, or of the lifted ones; the earliest review first, or the last lift.

    ``listing`` says how many, and where the page begins. Cases that concern the reader are left out (T8). Refused to
    those who read no holds.
    """
    if not may_read(uow):
        raise Refused(
            "hold-readers-only",
            "Legal holds are only for Legal, Security and the supervision group.",
            status=403,
        )
    query = (
        select(Hold, Application, Document.number)
        .join(Application, Application.id == Hold.application_id)
        .outerjoin(Document, and_(Document.subject_id == Hold.id, Document.kind == NOTICE))
        .where(~visibility.concerns(uow.actor.id))
    )
    order = "lifted" if lifted else "review"
    page = keyset.page_of(uow.session, query, (SECTIONS[order],), replace(listing, sort=order, descending=lifted))
    rows = [(row[0], row[1], row[2]) for row in page.lines]
    people = [
        person
        for hold, _, _ in rows
        for person in (hold.placed_by, hold.owner_id, hold.lift_asked_by, hold.lifted_by)
        if person is not None
    ]
    names = access_queries.get_names(uow, people)
    waiting = _list_untold(uow, {hold.application_id for hold, _, _ in rows})
    leads = policy.may_lead(access_queries.load_directory(uow), uow.actor.id)
    me = uow.actor.id
    unconfirmed = list_unconfirmed(uow, [hold for hold, _, _ in rows])
    against_me = violations.list_accusing(uow, {hold.application_id for hold, _, _ in rows})

    def is_open_to(hold: Hold) -> bool:
        return hold.lifted_at is None and hold.application_id not in against_me

    def name(person_id: str | None) -> str | None:
        return None if person_id is None else names.get(person_id, person_id)

    return HoldsAnswer(
        may_place=may_place(uow),
        holds=[
            HoldAnswer(
                id=hold.id,
                application_id=application.id,
                number=str(application.number),
                cause=hold.cause,
                reason=hold.reason,
                placed_by=names.get(hold.placed_by, hold.placed_by),
                placed_at=hold.placed_at,
                owner=names.get(hold.owner_id, hold.owner_id),
                review_at=hold.review_at,
                review_overdue=hold.lifted_at is None and hold.review_at <= uow.now,
                document=document,
                in_stores=hold.application_id not in waiting,
                matter_id=hold.matter_id,
                confirmed=hold.id not in unconfirmed,
                lift_matter_id=hold.lift_matter_id,
                lift_asked_by=name(hold.lift_asked_by),
                lift_asked_at=hold.lift_asked_at,
                lifted_because=hold.lifted_because,
                lifted_at=hold.lifted_at,
                lifted_by=name(hold.lifted_by),
                may_review=is_open_to(hold) and (leads or hold.owner_id == me),
                may_ask_lift=is_open_to(hold)
                and (leads or hold.owner_id == me)
                and hold.lift_asked_at is None
                and hold.id not in unconfirmed,
            )
            for hold, application, document in rows
        ],
        next=page.next,
        previous=page.previous,
    )


def select_due(uow: UnitOfWork) -> Select[*tuple[Any, ...]]:
    """Select the reviews of what ``list_open`` shows, as ``cases.due_dates`` reads them."""
    me = uow.actor.id
    return (
        select(*due_columns("hold-review", Hold.id, Application.number, Hold.review_at, own=Hold.owner_id == me))
        .join(Application, Application.id == Hold.application_id)
        .where(Hold.lifted_at.is_(None), ~visibility.concerns(me), true() if may_read(uow) else false())
    )


def list_unconfirmed(uow: UnitOfWork, found: Collection[Hold]) -> set[str]:
    """Return those of the holds, by id, which Legal has yet to confirm."""
    asked = {hold.matter_id for hold in found if hold.matter_id is not None}
    query = select(Matter.id).where(Matter.id.in_(asked), Matter.kind == policy.HOLD, Matter.closed_at.is_(None))
    waiting = set(uow.session.scalars(query))
    return {hold.id for hold in found if hold.matter_id in waiting}


def _list_untold(uow: UnitOfWork, application_ids: Collection[str]) -> set[str]:
    """Return those of the cases of which the stores have yet to be told something."""
    masters = select(Master.application_id).where(
        Master.application_id.in_(application_ids), Master.lock_due_since.is_not(None), Master.discarded_at.is_(None)
    )
    documents = select(Document.application_id).where(
        Document.application_id.in_(application_ids), Document.lock_due_since.is_not(None)
    )
    return {str(row) for row in uow.session.scalars(masters.union(documents))}


def count_open(uow: UnitOfWork) -> tuple[int, int]:
    """Count the open holds, and those whose review is overdue."""
    overdue = func.coalesce(func.sum(case((Hold.review_at <= uow.now, 1), else_=0)), 0)
    query = select(func.count(), overdue).where(Hold.lifted_at.is_(None))
    number, late = uow.session.execute(query).one()
    return int(number), int(late)


def list_people(uow: UnitOfWork) -> list[tuple[str, str]]:
    """List who may own a hold, by id, with their names, which are all different."""
    directory = access_queries.load_directory(uow)
    people = [person_id for person_id in directory.people if policy.may_read(directory, person_id)]
    names, usernames = access_queries.get_names(uow, people), namesakes.get_usernames(uow, people)
    labels = {person_id: namesakes.label(name, usernames.get(person_id)) for person_id, name in names.items()}
    return sorted(labels.items(), key=lambda one: (one[1], one[0]))
