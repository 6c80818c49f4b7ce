"""Who may see a violation, reply to it and settle it: the rules that its pages and acts share (R65 to R67).

The accused and their department see facts and evidence, and not who has reported it. Those who may read all of it are
Legal, Security and supervision, but for what accuses or concerns them. The department is the one that has the copies;
a case without a loan may be one that was refused to the accused, and there it is their own.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, false, or_, select
from sqlalchemy.orm import aliased, load_only

from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.people import Person, Post
from services.database.tables.reviews import Decision, Review
from services.database.tables.violations import Hearing, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy, queries, visibility
from services.domain.access.directory import LEADERS, Directory

KIND, APPEAL = "violation", "appeal"  # of matters
KINDS = (KIND, APPEAL)  # an appeal is seen as the violation that it is about
OF_APPEAL = aliased(Matter)  # beside the matter that a condition is on
APPEALED = ("asked", "violationId")  # where the facts of an appeal name the matter of its violation


def may_read_all(directory: Directory, person_id: str) -> bool:
    """Return whether the person may read violations that neither accuse nor concern them."""
    reads = (
        directory.holds(person_id, "security-reviewer", "supervisor")
        or directory.holds_in(person_id, "legal", *LEADERS)
        or directory.holds_in(person_id, "security", *LEADERS)
    )
    return reads and person_id not in directory.administrators


def is_seen(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition on ``Matter`` that the acting person may see it, of a violation or its appeal.

    Administrators see none but those that accuse them, to which they reply as everybody does.
    """
    me, directory = uow.actor.id, queries.load_directory(uow)
    if uow.actor.kind != "person":
        return false()
    own = select(Hearing.matter_id).where(Hearing.person_id == me)
    if me in directory.administrators:
        return _with_appeals(own)
    # looked up for each matter: who reviews applications has decided a hundred thousand times, and rarely about matters
    decided = select(Decision.id).where(Decision.matter_id == Matter.id, Decision.decided_by == me).exists()
    parts = [_with_appeals(own), decided, Matter.opened_by == me]
    unconcerned = Matter.application_id.not_in(select(Application.id).where(visibility.concerns(me)))
    if may_read_all(directory, me):
        parts.append(unconcerned)
    elif led := policy.led_departments(directory, me):
        of_department = select(Application.id).where(Application.department_id.in_(led))
        lent = and_(Matter.hand_over_id.is_not(None), Matter.application_id.in_(of_department))
        parts.append(and_(or_(lent, _with_appeals(_without_a_loan(uow, led, of_department))), unconcerned))
    return or_(*parts)


def _with_appeals(violations: Select[str] | Select[str | None]) -> ColumnElement[bool]:
    """Build the condition on ``Matter`` that it is one of these violations, or an appeal of one."""
    return or_(Matter.id.in_(violations), Matter.id.in_(select_appeals(violations)))


def select_appeals(violations: Select[str] | Select[str | None]) -> Select[str]:
    """Select the appeals of these violations; both by the ids of their matters."""
    return (
        select(OF_APPEAL.id)
        .join(Violation, Violation.application_id == OF_APPEAL.application_id)
        .where(
            OF_APPEAL.kind == APPEAL,
            Violation.matter_id.in_(violations),
            OF_APPEAL.facts[APPEALED].as_string() == Violation.matter_id,
        )
    )


def _without_a_loan(uow: UnitOfWork, led: Collection[str], of_department: Select[str]) -> Select[str | None]:
    """Select the violations without a loan, by their matters, that accuse people of these departments.

    One that accuses nobody is of the department of its case.
    """
    posts = select(Post.person_id).where(Post.department_id.in_(led), *queries.held_now(uow))
    heard = select(Hearing.matter_id).where(Hearing.matter_id == Violation.matter_id, Hearing.part == "accused")
    return select(Violation.matter_id).where(
        Violation.hand_over_id.is_(None),
        or_(
            heard.join(Person, Person.id == Hearing.person_id)
            .where(or_(Person.department_id.in_(led), Person.id.in_(posts)))
            .exists(),
            and_(Violation.application_id.in_(of_department), ~heard.exists()),
        ),
    )


def is_asked(uow: UnitOfWork, matter_id: str) -> bool:
    """Return whether an open review of the violation asks the acting person."""
    reviews = uow.session.scalars(select(Review).where(Review.matter_id == matter_id, Review.closed_at.is_(None))).all()
    if not reviews:
        return False
    directory, facts = queries.load_directory(uow), queries.load_facts(uow, reviews[0].application_id)
    return any(policy.refusal_for(directory, facts, review, uow.actor.id) is None for review in reviews)


def sees(uow: UnitOfWork, matter: Matter) -> bool:
    """Return whether the acting person may see this violation."""
    seen = select(Matter.id).where(Matter.id == matter.id, is_seen(uow))
    return uow.session.scalar(seen) is not None or is_asked(uow, matter.id)


def sees_opener(uow: UnitOfWork, matter: Matter) -> bool:
    """Return whether the acting person may see who asked for the matter; ``list_openers_seen`` says of which."""
    return matter.id in list_openers_seen(uow, [matter])


def list_openers_seen(uow: UnitOfWork, matters: Collection[Matter]) -> set[str]:
    """Return those of the matters, by id, of which the acting person may see who asked for them.

    Who has reported a violation is seen by Legal, Security and supervision, unless they are heard in it, and by the
    person who has.
    """
    me = uow.actor.id
    seen = {matter.id for matter in matters if matter.kind != KIND or matter.opened_by == me}
    ids = {matter.id for matter in matters} - seen
    if not ids or not may_read_all(queries.load_directory(uow), me):
        return seen
    heard = select(Hearing.matter_id).where(Hearing.matter_id.in_(ids), Hearing.person_id == me)
    return seen | (ids - set(uow.session.scalars(heard)))


def list_acts_hidden(uow: UnitOfWork, application_id: str) -> set[tuple[str, datetime]]:
    """Return person and moment of each recording of a violation of the case that the acting person may not attribute.

    One act has one moment, so everything that was written with it is known by these two.
    """
    # all kinds, of which the openers of others are seen: with a kind, SQLite would read all violations for it
    recorded = uow.session.scalars(
        select(Matter)
        .where(Matter.application_id == application_id, Matter.opened_by.is_not(None))
        .options(load_only(Matter.kind, Matter.opened_by, Matter.opened_at))
    ).all()
    seen = list_openers_seen(uow, recorded)
    return {(str(matter.opened_by), matter.opened_at) for matter in recorded if matter.id not in seen}


def list_accusing(uow: UnitOfWork, application_ids: Collection[str]) -> set[str]:
    """Return those of the cases in which a violation accuses the acting person, unless it was unfounded."""
    accusing = select(Matter.application_id).where(Matter.application_id.in_(application_ids), *_accuses(uow.actor.id))
    return set(uow.session.scalars(accusing.join(Hearing, Hearing.matter_id == Matter.id)))


def list_accused(uow: UnitOfWork, application_id: str) -> set[str]:
    """Return who is accused in a violation of the case that was not found to be unfounded."""
    return accused_by_case(uow, {application_id}).get(application_id, set())


def accused_by_case(uow: UnitOfWork, application_ids: Collection[str]) -> dict[str, set[str]]:
    """Return who is accused in each of these cases, by its id, as ``list_accused`` does; one statement."""
    query = (
        select(Matter.application_id, Hearing.person_id)
        .select_from(Hearing)
        .join(Matter, Matter.id == Hearing.matter_id)
        .where(Matter.application_id.in_(application_ids), *_accuses())
    )
    found: dict[str, set[str]] = {}
    for application_id, person_id in uow.session.execute(query):
        found.setdefault(application_id, set()).add(person_id)
    return found


def _accuses(*person_ids: str) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on a matter and its hearing that it accuses: these people, or anybody."""
    whom = (Hearing.person_id.in_(person_ids),) if person_ids else ()
    return Hearing.part == "accused", or_(Matter.closed_as.is_(None), Matter.closed_as != "cleared"), *whom


def reads_sheet(uow: UnitOfWork, document: Document) -> bool:
    """Return whether the acting person may read a numbered sheet of a violation, which names who reported it."""
    matter = uow.session.get(Matter, document.subject_id) if document.subject_id else None
    if matter is not None and matter.kind == APPEAL:  # the sheet that was written anew after it
        matter = get_appealed(uow, matter)
    return matter is not None and sees(uow, matter) and sees_opener(uow, matter)


def get_appealed(uow: UnitOfWork, appeal: Matter) -> Matter:
    """Return the matter of the violation that an appeal is about."""
    of, name = APPEALED
    return uow.session.get_one(Matter, appeal.facts[of][name])


def list_appeals(uow: UnitOfWork, violation: Violation) -> Sequence[Matter]:
    """List the appeals of a violation, the newest last."""
    if violation.appeal_id is None:
        return []
    of_case = Matter.application_id == violation.application_id, Matter.kind == APPEAL
    query = select(Matter).where(*of_case, Matter.facts[APPEALED].as_string() == violation.matter_id)
    return uow.session.scalars(query.order_by(Matter.opened_at, Matter.id)).all()


def list_heads(uow: UnitOfWork, matter: Matter, accused: Collection[str]) -> list[str]:
    """List, by id, who heads the departments that answer for a violation; ``map_heads`` says of which."""
    return sorted(map_heads(uow, matter, accused))


def map_heads(uow: UnitOfWork, matter: Matter, accused: Collection[str]) -> dict[str, set[str]]:
    """Map who heads departments that answer for a violation to these: the heads, else the deputies.

    None whom the case concerns (T8), and none of the ``accused``, who answer for themselves.
    """
    directory = queries.load_directory(uow)
    barred = {*uow.session.get_one(Application, matter.application_id).subject_ids, *accused}
    found: dict[str, set[str]] = {}
    for department_id in _list_answering(uow, matter, accused):
        groups = (directory.holders(department_id, kind) for kind in ("head", "deputy"))
        for person_id in next(filter(None, (set(group) - barred for group in groups)), set()):
            found.setdefault(person_id, set()).add(department_id)
    return found


def list_appealed_for(
    uow: UnitOfWork, matter: Matter, accused: Collection[str], appeals: Collection[Matter]
) -> set[str]:
    """Return those of the departments that answer for a violation for which one of its appeals was made.

    Somebody else may hold the post now: what counts is who was the head at that moment, or else the deputy.
    """
    made = [one for one in appeals if one.opened_by not in accused]
    if not made:
        return set()
    query = select(Post).where(
        Post.person_id.in_({one.opened_by for one in made}),
        Post.department_id.in_(_list_answering(uow, matter, accused)),
        Post.kind.in_(LEADERS),
    )
    posts = uow.session.scalars(query).all()
    found: set[str] = set()
    for one in made:
        held = [post for post in posts if post.person_id == one.opened_by and _was_held(post, one.opened_at)]
        as_head = {post.department_id for post in held if post.kind == "head"}
        found |= as_head or {post.department_id for post in held}
    return found


def _was_held(post: Post, at: datetime) -> bool:
    return post.since <= at and (post.until is None or post.until > at)


def _list_answering(uow: UnitOfWork, matter: Matter, accused: Collection[str]) -> set[str]:
    """Return the departments that answer for a violation.

    With a loan that is the department of the case, and where nobody is accused; else those of the ``accused``.
    """
    if matter.hand_over_id is None and accused:
        return set[str]().union(*queries.load_departments(uow, accused).values())
    return {uow.session.get_one(Application, matter.application_id).department_id}


def may_answer_for(uow: UnitOfWork, matter: Matter, accused: Collection[str]) -> bool:
    """Return whether the acting person heads a department that answers for the violation, and replies for it."""
    return uow.actor.id in list_heads(uow, matter, accused)


def may_handle(uow: UnitOfWork, matter: Matter) -> bool:
    """Return whether the acting person records what follows a decision: who leads Legal or Security, not accused."""
    me, directory = uow.actor.id, queries.load_directory(uow)
    application = uow.session.get_one(Application, matter.application_id)
    heard = select(Hearing.person_id).where(Hearing.matter_id == matter.id, Hearing.person_id == me)
    barred = me in application.subject_ids or uow.session.scalar(heard) is not None
    return leads_handling(directory, me) and not barred


def leads_handling(directory: Directory, person_id: str) -> bool:
    """Return whether the person leads Legal or Security, and is no administrator."""
    leads = directory.holds_in(person_id, "legal", *LEADERS) or directory.holds_in(person_id, "security", *LEADERS)
    return leads and person_id not in directory.administrators
