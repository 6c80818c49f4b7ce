"""Who may see a case: its participants, Security and the supervisors (R2, R62).

Administrators see only what they draft themselves. The subjects of a case see nothing of it: they must not learn
beforehand that it exists, or what reviewers say of them (T8).
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    String,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.orm import aliased

from services.database.keyset import Page, Section, read_place, rows_at
from services.database.tables.applications import CONCERNS, Application
from services.database.tables.consents import Consent, Consultation
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.reviews import Confirmation, Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy, queries
from services.runtime.errors import NotFound
from services.runtime.translations import Message

NEWEST_FIRST = "created-desc"
UNRESTRICTED_POSTS = ("security-reviewer", "supervisor")
OTHER = aliased(Application)  # beside the one that the condition is on


def get_visible(uow: UnitOfWork, application_id: str) -> Application:
    """Return the application if the acting person may see it; NotFound otherwise."""
    application = uow.session.scalar(
        select(Application).where(Application.id == application_id, is_visible(uow, single=True))
    )
    if application is None and _is_asked(uow, application_id):
        application = uow.session.get(Application, application_id)
    if application is None:
        raise NotFound(Message("application"), application_id)
    return application


def list_visible(uow: UnitOfWork, *, limit: int, offset: int, mine: bool = False) -> list[Application]:
    """List the applications that the acting person may see, newest first; ``mine``: own drafts."""
    query = _drafted(uow, mine).order_by(Application.created_at.desc(), Application.id.desc())
    return list(uow.session.scalars(query.limit(limit).offset(offset)))


def page_of_visible(uow: UnitOfWork, *, limit: int, place: str = "", mine: bool = False) -> Page[Application]:
    """Read a page of the same list at a place that an earlier page names."""
    sections = (Section((Application.created_at.expression, Application.id.expression)),)
    begin = read_place(place, NEWEST_FIRST, sections)
    rows, *around = rows_at(uow.session, _drafted(uow, mine), sections, descending=True, limit=limit, place=begin)
    return Page([row[0] for row in rows], *(beside.text(NEWEST_FIRST) if beside else "" for beside in around))


def _drafted(uow: UnitOfWork, mine: bool) -> Select[Application]:
    query = select_visible(uow)
    return query.where(Application.drafter_id == uow.actor.id) if mine else query


def select_visible(uow: UnitOfWork) -> Select[Application]:
    """Build the query of all applications that the acting person may see."""
    return select(Application).where(is_visible(uow))


def is_of_visible(uow: UnitOfWork, application_id: SQLColumnExpression[Any]) -> ColumnElement[bool]:
    """Build the condition on a column of submitted cases' ids that the acting person may see them."""
    me = uow.actor.id
    if _sees_all(uow):
        hidden = select(Application.id).where(concerns(me), Application.drafter_id != me)
        return application_id.not_in(hidden)
    collected = application_id.in_(select(Application.id).where(is_visible(uow, filed=False)))
    if not _sees_filed(uow):
        return collected
    column, query = FILED
    unconcerned = application_id.not_in(select(Application.id).where(concerns(me)))
    return or_(collected, and_(query.where(column == application_id).exists(), unconcerned))


def count_closed(uow: UnitOfWork) -> int:
    """Count the cases that have ended, of those that the acting person may see.

    Who sees all cases has them counted by an index, less those that concern the person: a case that ends was submitted.
    """
    ended = select(func.count()).select_from(Application).where(Application.closed_at.is_not(None))
    if not _sees_all(uow):
        return uow.session.scalar(ended.where(is_visible(uow, narrowed=True))) or 0
    me = uow.actor.id
    # the condition inside the sum: beside it, SQLite would rather search what has ended than what concerns somebody
    others = and_(Application.closed_at.is_not(None), Application.drafter_id != me)
    hidden = select(func.sum(case((others, 1), else_=0))).where(concerns(me))
    counts = select(ended.scalar_subquery(), hidden.scalar_subquery())
    all_ended, unseen = uow.session.execute(counts).one()
    return int(all_ended) - int(unseen or 0)


def _is_asked(uow: UnitOfWork, application_id: str) -> bool:
    """Return whether an open review asks the acting person, maybe as a substitute (T1, T8)."""
    query = select(Review).where(Review.application_id == application_id, Review.closed_at.is_(None))
    reviews = uow.session.scalars(query).all()
    if not reviews:
        return False
    directory, facts = queries.load_directory(uow), queries.load_facts(uow, application_id)
    return any(policy.refusal_for(directory, facts, review, uow.actor.id) is None for review in reviews)


def is_visible(
    uow: UnitOfWork, *, single: bool = False, narrowed: bool = False, filed: bool = True
) -> ColumnElement[bool]:
    """Build the condition on ``Application`` that the acting person may see it.

    ``single``: of a query for one case, which looks for the person's part in it. A list collects the cases instead, of
    which most people have few among very many. ``narrowed``: of a query that looks at each of its cases anyway, as
    those that count; so those of a department are known by their own row. ``filed``: with
    those that the storage office sees because they were approved, which are most of all.
    """
    me = uow.actor.id
    directory = queries.load_directory(uow)
    posts = directory.posts_of(me)
    drafted = Application.drafter_id == me
    if directory.holds(me, "administrator"):
        return drafted
    heads = {post.department_id for post in posts if post.kind in ("head", "deputy")}
    kinds = {post.kind for post in posts}
    parts = _joint(heads)
    if _sees_all(uow):
        seen: ColumnElement[bool] = Application.submitted_at.is_not(None)  # of which all else but a consent is a part
        if parts:
            seen |= _among(parts, single=single)
    elif _collects(uow, single=single, filed=filed):
        own = OTHER.id, select(OTHER.id).where(OTHER.drafter_id == me)
        parts += [own, *_of_posts(kinds, heads), *_of_person(me)]
        return and_(_among(parts, single=False), or_(drafted, ~concerns(me)))
    else:
        seen = _among([*parts, *_of_posts(kinds, () if narrowed else heads), *_of_person(me)], single=single)
        if narrowed and heads:
            seen |= and_(Application.department_id.in_(heads), Application.submitted_at.is_not(None))
        if filed and _sees_filed(uow):
            seen |= _among([FILED], single=True)  # most cases: collected for each list, they would cost more
    return or_(drafted, ~concerns(me) & seen)


def _collects(uow: UnitOfWork, *, single: bool, filed: bool) -> bool:
    """Return whether all that the acting person sees is best collected, what is drafted too.

    PostgreSQL compares each case of the register with what is drafted *or* collected, and reads the rows of one
    collection alone. SQLite has an index for each side of an OR.
    """
    postgres = uow.session.get_bind().dialect.name == "postgresql"
    return postgres and not single and not (filed and _sees_filed(uow))


def _sees_all(uow: UnitOfWork) -> bool:
    me, directory = uow.actor.id, queries.load_directory(uow)
    return not directory.holds(me, "administrator") and (
        directory.holds(me, *UNRESTRICTED_POSTS) or directory.holds_in(me, "security", "head", "deputy")
    )


def _sees_filed(uow: UnitOfWork) -> bool:
    me, directory = uow.actor.id, queries.load_directory(uow)
    return directory.holds(me, "storage-operator") and not directory.holds(me, "administrator") and not _sees_all(uow)


# a column of applications' ids, and the query that selects it
_Part = tuple[SQLColumnExpression[Any], Select[Any]]
FILED: _Part = (
    Document.application_id,
    select(Document.application_id).where(Document.kind == "application-form"),
)


def _among(parts: Sequence[_Part], *, single: bool) -> ColumnElement[bool]:
    if single:
        return or_(*(query.where(column == Application.id).correlate(Application).exists() for column, query in parts))
    return Application.id.in_(union_all(*(query for _, query in parts)))


def concerns(person_id: str) -> ColumnElement[bool]:
    """Select the cases that concern the person; few concern anybody, and these are indexed."""
    named = cast(Application.subject_ids, String).contains(f'"{person_id}"', autoescape=True)
    return and_(text(f"{Application.__tablename__}.{CONCERNS}"), named)


def is_not_hidden(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition on ``Application`` that its existence is not hidden from the acting person (T8).

    For those whose post shows them the case besides: a drafter whom it concerns knows of it.
    """
    me = uow.actor.id
    return or_(Application.drafter_id == me, ~concerns(me))


def list_numbers_concerning(uow: UnitOfWork) -> set[str]:
    """Return the numbers of all cases that concern the acting person."""
    numbers = uow.session.scalars(select(Application.number).where(concerns(uow.actor.id)))
    return {number for number in numbers if number is not None}


def _joint(heads: Collection[str]) -> list[_Part]:
    """Of heads of joint departments, while they are asked and once they have consented (R17)."""
    if not heads:
        return []
    asked = (
        select(Consent.application_id)
        .join(Consultation, Consultation.id == Consent.consultation_id)
        .where(
            Consent.department_id.in_(heads),
            Consultation.ended_because.is_(None) | (Consultation.ended_because == "consented"),
        )
    )
    return [(Consent.application_id, asked)]


def _of_posts(kinds: Collection[str], heads: Collection[str]) -> list[_Part]:
    parts: list[_Part] = []
    if heads:
        own = select(OTHER.id).where(OTHER.department_id.in_(heads), OTHER.submitted_at.is_not(None))
        parts.append((OTHER.id, own))
    for kind, stage in (("manager", "management"), ("return-inspector", "return-inspection")):
        if kind in kinds:
            parts.append((Review.application_id, select(Review.application_id).where(Review.stage == stage)))
    return parts


def _of_person(me: str) -> list[_Part]:
    submitted = select(Consent.application_id).join(OTHER, OTHER.id == Consent.application_id)
    confirmed = select(Review.application_id).join(Confirmation, Confirmation.review_id == Review.id)
    return [
        (HandOver.application_id, select(HandOver.application_id).where(HandOver.custodian_id == me)),
        (Decision.application_id, select(Decision.application_id).where(Decision.decided_by == me)),
        (Consent.application_id, submitted.where(Consent.person_id == me, OTHER.submitted_at.is_not(None))),
        (Review.application_id, confirmed.where(Confirmation.person_id == me)),
    ]
