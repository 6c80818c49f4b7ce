"""Who may see a violation, reply to it and settle it: the rules that its pages and acts share (R65 to R67).

The accused and their department see facts and evidence, and not who has reported it. Those who may read all of it are
Legal, Security and supervision, but for what accuses or concerns them.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, false, or_, select

from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision, Review
from services.database.tables.violations import Hearing, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy, queries, visibility
from services.domain.access.directory import LEADERS, Directory

KIND, APPEAL = "violation", "appeal"  # of matters
KINDS = (KIND, APPEAL)  # an appeal is seen as the violation that it is about


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
    appealed = select(Violation.appeal_id).where(Violation.matter_id.in_(own), Violation.appeal_id.is_not(None))
    if me in directory.administrators:
        return or_(Matter.id.in_(own), Matter.id.in_(appealed))
    # looked up for each matter: who reviews applications has decided a hundred thousand times, and rarely about matters
    decided = select(Decision.id).where(Decision.matter_id == Matter.id, Decision.decided_by == me).exists()
    parts = [Matter.id.in_(own), Matter.id.in_(appealed), decided, Matter.opened_by == me]
    unconcerned = Matter.application_id.not_in(select(Application.id).where(visibility.concerns(me)))
    if may_read_all(directory, me):
        parts.append(unconcerned)
    elif led := policy.led_departments(directory, me):
        of_department = select(Application.id).where(Application.department_id.in_(led))
        parts.append(and_(Matter.application_id.in_(of_department), unconcerned))
    return or_(*parts)


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
    query = select(Matter).where(
        Matter.application_id == application_id, Matter.kind == KIND, Matter.opened_by.is_not(None)
    )
    recorded = uow.session.scalars(query).all()
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
        matter = get_appealed(uow, matter.id)
    return matter is not None and sees(uow, matter) and sees_opener(uow, matter)


def get_appealed(uow: UnitOfWork, appeal_id: str) -> Matter | None:
    """Return the matter of the violation that an appeal is about."""
    of_violation = select(Violation.matter_id).where(Violation.appeal_id == appeal_id)
    return uow.session.scalar(select(Matter).where(Matter.id.in_(of_violation)))


def may_answer_for(uow: UnitOfWork, application_id: str) -> bool:
    """Return whether the acting person heads the department that has the copies, so that they reply for it."""
    application = uow.session.get_one(Application, application_id)
    me, directory = uow.actor.id, queries.load_directory(uow)
    heads = directory.holders(application.department_id, "head") or directory.holders(
        application.department_id, "deputy"
    )
    return me in heads and me not in application.subject_ids


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
