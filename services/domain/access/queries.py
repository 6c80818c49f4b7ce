"""Load, once in a unit of work, the organisation and the facts of cases.

Both are cached in the unit, and dropped as soon as it writes something that they are made of, so that an act sees its
own changes. They never outlive the unit.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    String,
    bindparam,
    case,
    event,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, UOWTransaction, aliased, joinedload

from services.database.base import Moment
from services.database.tables.agreements import Agreement, AgreementText
from services.database.tables.applications import Application, Revision
from services.database.tables.consents import Consent
from services.database.tables.custody import CustodyEntry, HandOver, of_present_issue
from services.database.tables.inspections import InspectedCase
from services.database.tables.matters import Matter
from services.database.tables.people import Absence, Department, Person, Post
from services.database.tables.returns import Return
from services.database.tables.reviews import Confirmation, Decision, Proposal, Review
from services.database.tables.violations import Hearing, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import holds
from services.domain.access.directory import DepartmentInfo, Directory, HeldPost, PersonInfo
from services.domain.access.parts import CaseFacts, MatterParts, all_duties
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Refused
from services.runtime.translations import in_context

OF_MATTER = ("opener", "counterpart", "called")  # the fields of MatterParts that name one person
HEARD = {"accused": "accused", "speakers": "department"}  # the others, by the part of a hearing
SEVERAL = ("reported", "proposed", "held_against")  # and those that several people may be
BARRED = ("asked", "barred")  # where the facts of a disposal name, by stage, who has a part in one of its cases
HELD = aliased(Matter)  # a hold or disposal of the case, beside the violation
# what the facts of a case are made of, for a list that reads no more of it
OF_CASE = (
    *(Application.id, Application.department_id, Application.drafter_id, Application.on_behalf),
    *(Application.subject_ids, Application.near_departments, Application.custodian_id),
    *(Application.named_custodian_id, Application.decided_by, Application.second_person),
)
DIRECTORY, FACTS, WATCHED = "access.directory", "access.facts", "access.watched"
OF_DIRECTORY = (Department, Person, Post, Absence, Agreement, AgreementText)
# the departments of the people near a case belong to its facts
OF_FACTS = (
    InspectedCase,
    Person,
    Post,
    Application,
    Revision,
    Consent,
    Decision,
    Proposal,
    Confirmation,
    HandOver,
    CustodyEntry,
    Return,
    Matter,
    Hearing,
)


def load_directory(uow: UnitOfWork) -> Directory:
    """Load the organisation: two statements once, then none until the unit writes a part of it."""
    cache = _cache(uow)
    if DIRECTORY not in cache:
        cache[DIRECTORY] = _load_directory(uow)
    directory: Directory = cache[DIRECTORY]
    return directory


def load_facts(uow: UnitOfWork, application_id: str) -> CaseFacts:
    """Load who did what in one case."""
    cache: dict[str, CaseFacts] = _cache(uow).setdefault(FACTS, {})
    if application_id not in cache:
        cache.update(_load_facts(uow, [uow.session.get_one(Application, application_id)]))
    return cache[application_id]


def load_all_facts(uow: UnitOfWork, applications: Collection[Application]) -> dict[str, CaseFacts]:
    """Load who did what in each case, by id: two statements for all that are not cached."""
    cache: dict[str, CaseFacts] = _cache(uow).setdefault(FACTS, {})
    missing = [application for application in applications if application.id not in cache]
    if missing:
        cache.update(_load_facts(uow, missing))
    return {application.id: cache[application.id] for application in applications}


def load_departments(uow: UnitOfWork, person_ids: Collection[str]) -> Mapping[str, Collection[str]]:
    """Load the departments of people, also of those without a post: their own, and those of their posts."""
    return _departments_of(uow, person_ids)[0] if person_ids else {}


def keep_departments(uow: UnitOfWork, application: Application) -> None:
    """Keep the departments of the people near the case, as they are when it names them first (T8).

    Membership is given and ended by one administrator at once, and the departments say who signs. So for a case that
    is under way only posts that decide, which are given by two, add to what it began with.
    """
    near = load_facts(uow, application.id).near
    kept = {person_id: sorted(departments) for person_id, departments in near.items()}
    application.near_departments = {**kept, **(application.near_departments or {})}


def discard_loaded(uow: UnitOfWork) -> None:
    """Drop the cache: after a wait for a lock, others may have written meanwhile."""
    for name in (DIRECTORY, FACTS):
        uow.session.info.pop(name, None)


def list_posts(uow: UnitOfWork, person_id: str) -> list[Post]:
    """List the posts that the person holds now, membership too, with their departments."""
    return list_posts_by_person(uow, [person_id])[person_id]


def list_posts_by_person(uow: UnitOfWork, person_ids: Collection[str] | Select[str]) -> dict[str, list[Post]]:
    """List the posts of each person, by id, in one statement."""
    posts: dict[str, list[Post]] = defaultdict(list)
    query = select(Post).where(Post.person_id.in_(person_ids), *held_now(uow)).options(joinedload(Post.department))
    for post in uow.session.scalars(query.order_by(Post.id)):
        posts[post.person_id].append(post)
    return posts


def is_absent(uow: UnitOfWork, person_id: str) -> bool:
    """Return whether the person, who may be a plain member, is absent now, so that others sign."""
    directory: Directory | None = _cache(uow).get(DIRECTORY)
    if directory is not None and person_id in directory.people:
        return person_id in directory.absent
    return uow.session.scalar(_absent(uow).where(Absence.person_id == person_id).limit(1)) is not None


def list_absent(uow: UnitOfWork, person_ids: Select[str]) -> set[str]:
    """Return those of the people, plain members too, who are absent now."""
    return set(uow.session.scalars(_absent(uow).where(Absence.person_id.in_(person_ids))))


def list_agreed(uow: UnitOfWork, person_ids: Collection[str] | Select[str]) -> set[str]:
    """Return those of the people, plain members too, with a valid confidentiality agreement (R59)."""
    if not isinstance(person_ids, Select) and not person_ids:
        return set()
    return set(uow.session.scalars(select_agreed(uow).where(Agreement.person_id.in_(person_ids))))


def get_valid_agreement(uow: UnitOfWork, person_id: str) -> Agreement | None:
    """Return the person's agreement that is neither expired nor ended, of the newest version that they signed."""
    query = select(Agreement).where(Agreement.person_id == person_id, *_valid(uow))
    newest = (Agreement.version == uow.rules.agreement_version).desc()
    return uow.session.scalar(query.order_by(newest, Agreement.expires_at.desc()).limit(1))


def require_agreement(uow: UnitOfWork, person_id: str) -> Agreement:
    """Return the valid agreement; Refused without one: no key, view or hand-over (R46, R59)."""
    agreement = get_valid_agreement(uow, person_id)
    if agreement is None:
        raise Refused(
            "agreement-missing",
            in_context("agreement-missing", "You have no valid confidentiality agreement: sign it first."),
            status=403,
        )
    return agreement


def get_names(uow: UnitOfWork, person_ids: Iterable[str | None]) -> dict[str, str]:
    """Map these people's ids to their names, in one statement at most; unknown ids are left out.

    None where the unit has loaded the directory, which has everybody who holds a post.
    """
    ids = {person_id for person_id in person_ids if person_id is not None}
    directory: Directory | None = _cache(uow).get(DIRECTORY) if DIRECTORY in uow.session.info else None
    people = directory.people if directory is not None else {}
    names = {person_id: people[person_id].name for person_id in ids if person_id in people}
    if ids == names.keys():
        return names
    rows = uow.session.execute(select(Person.id, Person.name).where(Person.id.in_(ids - names.keys())))
    return names | {row.id: row.name for row in rows}


def held_now(uow: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for a post that is held now."""
    return Post.since <= uow.now, Post.until.is_(None) | (Post.until > uow.now)


def _load_directory(uow: UnitOfWork) -> Directory:
    asked = {"now": uow.now, "version": uow.rules.agreement_version}
    posts = uow.session.execute(_select_posts(), asked).all()
    departments = uow.session.execute(select(Department.id, Department.kind, Department.superior_id))
    zone = ZoneInfo(uow.rules.zone)
    return Directory(
        departments={row.id: DepartmentInfo(row.kind, row.superior_id) for row in departments},
        people={row.id: PersonInfo(row.name, row.own) for row in posts},
        held=tuple(HeldPost(row.id, row.department_id, row.kind) for row in posts),
        absent=frozenset(row.id for row in posts if row.absent),
        announced={row.id: row.announced.astimezone(zone) for row in posts if row.announced is not None},
        agreed=frozenset(row.id for row in posts if row.agreed),
    )


@cache
def _select_posts() -> Select[*tuple[Any, ...]]:
    """Build the query of the directory, once: to build it takes longer than to run it.

    ``now`` and ``version`` (of the agreement) are given with each run.
    """
    asked = SimpleNamespace(now=bindparam("now", type_=Moment()))
    asked.rules = SimpleNamespace(agreement_version=bindparam("version", type_=String()))
    uow: Any = asked
    other = aliased(Post)
    with_post = select(other.person_id).where(
        other.kind != "member", other.since <= uow.now, other.until.is_(None) | (other.until > uow.now)
    )
    return (
        select(
            Person.id,
            Person.name,
            Person.department_id.label("own"),
            Post.department_id,
            Post.kind,
            _absent(uow).where(Absence.person_id == Person.id).correlate(Person).exists().label("absent"),
            _announced(uow)
            .where(Absence.person_id == Person.id)
            .correlate(Person)
            .scalar_subquery()
            .label("announced"),
            select_agreed(uow).where(Agreement.person_id == Person.id).correlate(Person).exists().label("agreed"),
        )
        .join(Post, Post.person_id == Person.id)
        .where(Person.active, *held_now(uow), Person.id.in_(with_post))
    )


def _load_facts(uow: UnitOfWork, applications: Collection[Application]) -> dict[str, CaseFacts]:
    ids, duties = [application.id for application in applications], all_duties()
    done = {case_id: {duty: set[str]() for duty in duties} for case_id in ids}
    consented: dict[str, set[str]] = defaultdict(set)
    custodians: dict[str, set[str]] = defaultdict(set)
    asked: dict[str, str] = {}  # to receive the copies of the present issue
    returned: dict[str, str] = {}
    matters: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for case_id, act, detail, person_id in uow.session.execute(_select_acts(), {"ids": ids}).all():
        if act == "decided":
            done[case_id].get(STAGES[str(detail)].duty, set()).add(person_id)
        elif act in OF_MATTER:
            matters[case_id][str(detail)][act] = person_id
        elif act in HEARD or act in SEVERAL:
            matters[case_id][str(detail)].setdefault(act, set()).add(person_id)
        elif act == "barred":
            matters[case_id][str(detail)][act] = json.loads(person_id)
        elif act == "consented":
            consented[case_id].add(person_id)
        elif act == "asked":
            asked[case_id] = person_id
        elif act == "handed":
            custodians[case_id].add(person_id)
            if detail is not None:
                returned[case_id] = detail
        else:
            done[case_id][act].add(person_id)
    near = {
        application.id: dict.fromkeys(
            [
                *([application.drafter_id] if application.on_behalf is None else []),
                *application.subject_ids,
                *sorted(consented[application.id]),
            ]
        )
        for application in applications
    }
    kept = {application.id: application.near_departments or {} for application in applications}
    now, by_post = _departments_of(uow, {person_id for people in near.values() for person_id in people})
    for application in applications:
        # a head who consented to a joint application is an applicant too (R17)
        done[application.id]["applicant"].update((application.drafter_id, *consented[application.id]))
        custodians[application.id].update(filter(None, [application.custodian_id, application.named_custodian_id]))
    return {
        application.id: CaseFacts(
            application_id=application.id,
            department_id=application.department_id,
            subjects=frozenset(application.subject_ids),
            custodian_id=asked.get(application.id, application.named_custodian_id or application.custodian_id),
            decided_by=application.decided_by,
            second_person=bool(application.second_person),
            done=done[application.id],
            near={
                person_id: by_post[person_id].union(kept[application.id][person_id])
                if person_id in kept[application.id]
                else now[person_id]
                for person_id in near[application.id]
            },
            custodians=custodians[application.id],
            return_to=returned.get(application.id),
            matters={matter_id: MatterParts(**parts) for matter_id, parts in matters[application.id].items()},
        )
        for application in applications
    }


@cache
def _select_acts() -> CompoundSelect[str, str, str | None, str]:
    """Build the query of all acts, once: case, act (a duty, or decided, consented, handed, opener …), detail, person.

    ``ids`` of the cases are given with each run.
    """
    nothing = null().cast(String)
    cases = select(Application.id).where(Application.id.in_(bindparam("ids", expanding=True))).cte("cases")

    def rows(case: Any, act: str, detail: Any, person: Any) -> Select[str, str, str | None, str]:
        return select(case, literal(act, String), detail, person).where(
            case.in_(select(cases.c.id)), person.is_not(None)
        )

    of_review = Review.application_id
    return union_all(
        rows(Revision.application_id, "applicant", nothing, Revision.submitted_by),
        rows(Consent.application_id, "consented", nothing, Consent.person_id).where(Consent.answer == "consented"),
        rows(Decision.application_id, "decided", Decision.stage, Decision.decided_by),
        rows(Decision.application_id, "proposed", Decision.matter_id, Decision.decided_by).where(
            Decision.stage == "disposal", Decision.matter_id.is_not(None)
        ),
        rows(of_review, "storage-release", nothing, Proposal.person_id).where(Proposal.review_id == Review.id),
        rows(of_review, "second-person", nothing, Proposal.refused_by).where(Proposal.review_id == Review.id),
        rows(of_review, "second-person", nothing, Confirmation.person_id).where(Confirmation.review_id == Review.id),
        rows(InspectedCase.application_id, "supervision", nothing, InspectedCase.decided_by),
        rows(HandOver.application_id, "handed", nothing, HandOver.custodian_id),
        rows(HandOver.application_id, "asked", nothing, HandOver.custodian_id).where(of_present_issue()),
        # whoever had the copies before a transfer of custody, or returned them in the place of who has left
        rows(HandOver.application_id, "handed", nothing, CustodyEntry.person_id).where(
            CustodyEntry.hand_over_id == HandOver.id, CustodyEntry.event.in_(("received", "returned"))
        ),
        rows(HandOver.application_id, "handed", Return.return_to, HandOver.custodian_id).where(
            Return.hand_over_id == HandOver.id
        ),
        *(
            rows(Matter.application_id, act, Matter.id, person)
            for act, person in (("opener", Matter.opened_by), ("counterpart", Matter.counterpart_id))
        ),
        rows(Matter.application_id, "called", Matter.id, Matter.opened_by).where(Matter.kind == "urgent"),
        *(
            rows(Matter.application_id, act, Matter.id, Hearing.person_id).where(
                Hearing.matter_id == Matter.id, Hearing.part == part
            )
            for act, part in HEARD.items()
        ),
        # in the place of one person the object of all, since the rows of a union have the same columns
        rows(Matter.application_id, "barred", Matter.id, Matter.facts[BARRED].as_string()).where(
            Matter.kind == "disposal"
        ),
        # whoever is accused in a violation, or has recorded it, decides nothing in its appeal
        rows(Violation.application_id, "accused", Violation.appeal_id, Hearing.person_id).where(
            Hearing.matter_id == Violation.matter_id, Hearing.part == "accused", Violation.appeal_id.is_not(None)
        ),
        rows(Violation.application_id, "reported", Violation.appeal_id, Matter.opened_by).where(
            Matter.id == Violation.matter_id, Violation.appeal_id.is_not(None)
        ),
        # whoever is accused in a violation of the case decides nothing about what holds or destroys its evidence
        rows(HELD.application_id, "held_against", HELD.id, Hearing.person_id).where(
            HELD.kind.in_((*holds.KINDS, "disposal")),
            Matter.application_id == HELD.application_id,
            Hearing.matter_id == Matter.id,
            Hearing.part == "accused",
            or_(Matter.closed_as.is_(None), Matter.closed_as != "cleared"),
        ),
    )


def has_part(person_id: str) -> ColumnElement[bool]:
    """Build the condition on ``Application`` that the person did something in it, or is or was its custodian.

    Of nobody else ``CaseFacts`` names an act; so ``parts.duty_refusal`` can say "was-" to nobody else.
    """
    of_review = Review.application_id == Application.id
    acts = (
        select(Revision.id).where(Revision.application_id == Application.id, Revision.submitted_by == person_id),
        select(Consent.id).where(Consent.application_id == Application.id, Consent.person_id == person_id),
        select(Decision.id).where(Decision.application_id == Application.id, Decision.decided_by == person_id),
        select(HandOver.id).where(HandOver.application_id == Application.id, HandOver.custodian_id == person_id),
        select(Return.id)
        .join(HandOver, HandOver.id == Return.hand_over_id)
        .where(HandOver.application_id == Application.id, Return.returned_by == person_id),
        select(InspectedCase.id).where(
            InspectedCase.application_id == Application.id, InspectedCase.decided_by == person_id
        ),
        select(Proposal.id)
        .join(Review, Review.id == Proposal.review_id)
        .where(of_review, or_(Proposal.person_id == person_id, Proposal.refused_by == person_id)),
        select(Confirmation.id)
        .join(Review, Review.id == Confirmation.review_id)
        .where(of_review, Confirmation.person_id == person_id),
    )
    return or_(
        Application.drafter_id == person_id,
        Application.custodian_id == person_id,
        Application.named_custodian_id == person_id,
        *(act.correlate(Application).exists() for act in acts),
    )


def _departments_of(
    uow: UnitOfWork, person_ids: Collection[str]
) -> tuple[Mapping[str, set[str]], Mapping[str, set[str]]]:
    """Load each person's departments: their own and those of their posts, and apart those of posts that decide."""
    departments: dict[str, set[str]] = defaultdict(set)
    by_post: dict[str, set[str]] = defaultdict(set)
    query = (
        select(Person.id, Person.department_id, Post.department_id, Post.kind)
        .outerjoin(Post, (Post.person_id == Person.id) & held_now(uow)[0] & held_now(uow)[1])
        .where(Person.id.in_(person_ids))
    )
    for i, own, other, kind in uow.session.execute(query):
        departments[i].update({own, other} - {None})
        if kind not in (None, "member"):
            by_post[i].add(other)
    return departments, by_post


def _absent(uow: UnitOfWork) -> Select[str]:
    counts = Absence.notice_until.is_(None) | (Absence.notice_until <= uow.now) | (Absence.confirmed_at <= uow.now)
    return select(Absence.person_id).where(Absence.since <= uow.now, Absence.until > uow.now, counts)


def _announced(uow: UnitOfWork) -> Select[datetime | None]:
    """Select from when absences count that somebody else entered and nobody has confirmed: the earliest."""
    begins = case((Absence.since > Absence.notice_until, Absence.since), else_=Absence.notice_until)
    return select(func.min(begins)).where(
        Absence.notice_until > uow.now, Absence.confirmed_at.is_(None), Absence.until > begins
    )


def select_agreed(uow: UnitOfWork) -> Select[str]:
    """Select the people with a valid confidentiality agreement."""
    return select(Agreement.person_id).where(*_valid(uow))


def select_still_valid(uow: UnitOfWork) -> Select[str | None]:
    """Select the versions of the agreement that were replaced by texts which do not count yet."""
    counting = select(func.coalesce(func.max(AgreementText.number), 0)).where(
        AgreementText.counts_from.is_(None) | (AgreementText.counts_from <= uow.now)
    )
    return select(AgreementText.replaces).where(
        AgreementText.counts_from > uow.now, AgreementText.number > counting.scalar_subquery()
    )


def _valid(uow: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    return (
        or_(Agreement.version == uow.rules.agreement_version, Agreement.version.in_(select_still_valid(uow))),
        Agreement.signed_at <= uow.now,
        Agreement.expires_at > uow.now,
        Agreement.ended_at.is_(None),
    )


def _cache(uow: UnitOfWork) -> dict[Any, Any]:
    """Return the unit's cache; flushes first, so that nothing in it is out of date."""
    session = uow.session
    if WATCHED not in session.info:
        # what the savepoint that is open now has written before cannot be known
        session.info[WATCHED] = {DIRECTORY, FACTS} if session.in_nested_transaction() else set()
        event.listen(session, "after_flush", _drop_written)
        event.listen(session, "after_soft_rollback", _drop_undone)
        event.listen(session, "do_orm_execute", _drop_at_bulk_write)
    session.flush()
    return session.info


def _drop_written(session: Session, _flush: UOWTransaction) -> None:
    for row in (*session.new, *session.dirty, *session.deleted):
        _drop(session, type(row))


def _drop_undone(session: Session, ended: SessionTransaction) -> None:
    """Drop what a savepoint that was rolled back may have changed: nothing where the unit has written none of it."""
    names = session.info[WATCHED] if ended.nested else (DIRECTORY, FACTS)
    for name in names:
        session.info.pop(name, None)


def _drop_at_bulk_write(execution: ORMExecuteState) -> None:
    if execution.is_select:
        return
    mapper = execution.bind_mapper
    _drop(execution.session, mapper.class_ if mapper is not None else None)


def _drop(session: Session, table: type[Any] | None) -> None:
    """Drop what is read from this table, or all of it where the table is not known."""
    for name, tables in ((DIRECTORY, OF_DIRECTORY), (FACTS, OF_FACTS)):
        if table is None or issubclass(table, tables):
            session.info[WATCHED].add(name)
            session.info.pop(name, None)
