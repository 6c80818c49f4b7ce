"""Somebody leaves: without copies the account ends at once, with copies when the last is transferred (R46, R47).

Until then the account is kept, so that the copies do not strand with it: its posts have ended, the copies do not open,
and the head of the department is asked to transfer them. Whoever leaves can still return them.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from sqlalchemy import or_, select

from services.database.base import new_id
from services.database.leases import Lease, Leased
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver, of_present_issue, present_custodian
from services.database.tables.documents import Document
from services.database.tables.people import Person
from services.database.tables.staffing import Leaving
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access.administrators import lock_setup, require_administrator
from services.domain.accounts import held_copies, posts, sessions, staff
from services.domain.accounts.changes import get_person_for_update, refuse_oneself
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.domain.custody import heads, suspensions
from services.domain.notifications import service as notification_service
from services.runtime.errors import Refused
from services.runtime.periodic import Periodic
from services.runtime.translations import Message

Source = Literal["page", "list", "directory"]
EVERY = timedelta(minutes=5)
AT_ONCE = 50  # accounts in one unit of work
ACTOR = Actor("system", "leaving")
NOTICE = "custodian-leaves"


def leave(uow: UnitOfWork, person_id: str, source: Source = "page") -> Person:
    """End a person's account, or keep it until the copies that they hold are transferred. Administrators only."""
    lock_setup(uow)
    require_administrator(uow)
    refuse_oneself(uow, person_id, Message("You cannot deactivate your own account: ask another administrator."))
    return begin(uow, get_person_for_update(uow, person_id), source)


def leave_by_list(uow: UnitOfWork, person_id: str) -> Person:
    """Do what ``leave`` does for a line of a list of people."""
    return leave(uow, person_id, "list")


def begin(uow: UnitOfWork, person: Person, source: Source) -> Person:
    """Do what ``leave`` does with a locked person, whoever acts; again changes nothing."""
    if not person.active or get_open(uow, person.id) is not None:
        return person
    staff.check_may_leave(uow, person)
    change_requests.notify_change(uow, person.id)
    _ask_for_others(uow, person.id)
    if not held_copies.list_numbers(uow, person.id):
        staff.end_account(uow, person)
        return person
    row = Leaving(id=new_id(), person_id=person.id, source=source, begun_by=uow.actor.id, begun_at=uow.now)
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(uow, "leaving-begun", "person", person.id, leaving=row.id, source=source)
    posts.end_all_of(uow, person.id)
    change_requests.end_all_of(uow, person.id)
    sessions.end_all(uow, person.id)
    suspensions.open_for_person(uow, person.id, suspensions.CUSTODIAN_LEFT, row.id)
    return person


def stay(uow: UnitOfWork, person_id: str) -> Person:
    """Keep somebody who was to leave: the copies open again; posts have to be assigned anew.

    Administrators only, and as an account is activated again: once a second person has confirmed it. Else one of them
    would open footage to somebody who has gone.
    """
    lock_setup(uow)
    require_administrator(uow)
    refuse_oneself(uow, person_id, Message("You cannot keep your own account: ask another administrator."))
    person = get_person_for_update(uow, person_id)
    row = get_open(uow, person_id)
    if row is None:
        raise Refused("not-leaving", "This person is not leaving: there is nothing to cancel.")
    change_requests.authorise(uow, Change("stay", person_id, {"leaving": row.id}))
    _end(uow, row, "stays")
    kept = {one for subject_id, application in _list_kept(uow, person_id) for one in (subject_id, application.id)}
    notification_service.mark_done(uow, "custodian", subject_ids=kept)
    return person


def settle(uow: UnitOfWork) -> bool:
    """End accounts of those who leave and hold nothing any more, ``AT_ONCE`` at most; return whether there was one."""
    settled = False
    for row in _list_done(uow):
        lock_setup(uow)
        person = get_person_for_update(uow, row.person_id)
        if held_copies.list_numbers(uow, person.id):
            continue
        if person.active:
            staff.end_account(uow, person)
        _end(uow, row, "left")
        settled = True
    return settled


def account_ends(database: Database) -> Periodic:
    """Return the task that ends the accounts of those who have given the last copy away, in one process at a time."""

    async def act() -> bool:
        return bool(await database.read(ACTOR, _list_done)) and await database.run(ACTOR, settle)

    return Leased(Lease.between_runs(database, "leaving", EVERY), EVERY, act)


def get_open(uow: UnitOfWork, person_id: str) -> Leaving | None:
    """Return since when the person leaves, or None."""
    return uow.session.scalar(select(Leaving).where(Leaving.person_id == person_id, Leaving.ended_at.is_(None)))


def _list_done(uow: UnitOfWork) -> Sequence[Leaving]:
    """List open rows whose people hold nothing any more; it only reads."""
    rows = select(Leaving).where(Leaving.ended_at.is_(None), ~held_copies.are_held(uow, Leaving.person_id.expression))
    return uow.session.scalars(rows.order_by(Leaving.begun_at, Leaving.id).limit(AT_ONCE)).all()


def _end(uow: UnitOfWork, row: Leaving, outcome: Literal["left", "stays"]) -> None:
    row.outcome, row.ended_at, row.ended_by = outcome, uow.now, uow.actor.id
    audit_trail.record(uow, "leaving-ended", "person", row.person_id, leaving=row.id, outcome=outcome)
    for suspension in suspensions.of_person(uow, row.person_id):
        if (suspension.cause, suspension.matter_id) == (suspensions.CUSTODIAN_LEFT, row.id):
            suspensions.lift(uow, suspension)


def _ask_for_others(uow: UnitOfWork, person_id: str) -> None:
    """Tell the heads who may give the copies to somebody else: of the department, else of Security."""
    for subject_id, application in _list_kept(uow, person_id):
        for find in (heads.list_of_department, heads.list_of_security):
            others = [head for head in find(uow, application) if head != person_id]
            for head in others:
                notification_service.notify(uow, head, NOTICE, application_id=application.id, subject_id=subject_id)
            if others:
                break


def _list_kept(uow: UnitOfWork, person_id: str) -> list[tuple[str, Application]]:
    """List the cases whose copies the person has or is to have, each with its loan's id, or its own before one."""
    held = select(HandOver.id, Application).join(Application, Application.id == HandOver.application_id)
    loans = held.where(HandOver.custodian_id == person_id, HandOver.lost_at.is_(None), held_copies.holds(uow))
    # approved, and not offered yet
    filed = select(Document.id).where(Document.application_id == Application.id, Document.kind == "application-form")
    waiting = (
        select(Application.id, Application)
        .outerjoin(HandOver, of_present_issue())
        .where(
            or_(Application.custodian_id == person_id, Application.named_custodian_id == person_id),
            present_custodian() == person_id,
            HandOver.id.is_(None),
            Application.closed_at.is_(None),
            Application.withdrawn_at.is_(None),
            filed.exists(),
        )
        .order_by(Application.id)
    )
    found = [*uow.session.execute(loans.order_by(HandOver.id)), *uow.session.execute(waiting)]
    return [(subject_id, application) for subject_id, application in found]
