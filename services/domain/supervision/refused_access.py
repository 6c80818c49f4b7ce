"""Watch over refused accesses: each is on record, and who is refused much in a short time is looked at (R52).

Different addresses count, so that nobody is looked at for one old link. A page of another site can send a browser to
many in somebody's name: they count, since any program can say that it comes from there, and the record says so to
whoever judges it. What is kept is bounded: beyond, the metric
alone counts, but for cases that there are, each once: nobody hides them behind many other addresses.
"""

from typing import Any

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.access_refusals import AccessRefusal
from services.database.tables.applications import Application
from services.database.tables.people import Person
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import refusals, visibility
from services.domain.access.directory import LEADERS
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.supervision import readers
from services.domain.supervision.audit_schemas import RefusalLine, RefusalsView
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.web.refused_access import RefusedRequest

REFUSED = "access-refused"  # the event
OFTEN = "access-refused-often"  # the notice
KEPT = 4  # times the number that is a pattern, of one person in one window
MOST_CASES = 40  # times that number, of cases that there are, one refusal each


async def note_refusal(database: Database, person_id: str, refused: RefusedRequest) -> None:
    """Record what the portal has refused to a person."""
    await database.run(Actor("person", person_id), note, refused)


def note(uow: UnitOfWork, refused: RefusedRequest) -> None:
    """Record what was refused to the acting person, once in a window; tell of a pattern, once in a window too."""
    me, limit = str(uow.actor.id), uow.rules.refused_accesses
    # one row for all that is refused to the person at once, in whichever portal
    if uow.session.get(Person, me, with_for_update=True, populate_existing=True) is None:
        return
    asked = f"{refused.method} {refused.path}" + (f" [{refused.site}]" if refused.site else "")
    query = select(AccessRefusal.asked, AccessRefusal.told, AccessRefusal.application_id).where(
        AccessRefusal.person_id == me, AccessRefusal.at > uow.now - uow.rules.refusal_window
    )
    rows = uow.session.execute(query).all()
    known = {row.asked: row.told for row in rows}
    if asked in known or len(known) >= MOST_CASES * limit:
        return
    application_id = _case_of(uow, refused.parameters)
    if len(known) >= KEPT * limit and (application_id is None or application_id in {row[2] for row in rows}):
        return
    often = len(known) + 1 >= limit and not any(known.values())
    uow.session.add(
        AccessRefusal(
            id=new_id(),
            person_id=me,
            at=uow.now,
            cause=refused.cause,
            code=refused.code,
            asked=asked,
            application_id=application_id,
            told=often,
        )
    )
    audit_trail.record(uow, REFUSED, "person", me, cause=refused.cause, code=refused.code, asked=asked)
    if often:
        for person_id in list_told(uow, me):
            notification_service.notify(uow, person_id, OFTEN, application_id=None, subject_id=me)


def list_told(uow: UnitOfWork, refused_id: str) -> list[str]:
    """List who is told of a pattern: the head of Security and the supervisors, never the person themselves."""
    directory = access_queries.load_directory(uow)
    heads = [one for one in directory.holders_in("security", "head") if one != refused_id]
    heads = heads or directory.holders_in("security", *LEADERS)
    people = dict.fromkeys([*heads, *directory.holders(None, "supervisor")])
    return [one for one in people if one != refused_id and readers.reads_supervision(directory, one)]


def read(uow: UnitOfWork, person_id: str) -> RefusalsView:
    """Read what was refused to a person of late; Refused to all but the readers of supervision, and to the person."""
    readers.require_reader(uow)
    person = uow.session.get(Person, person_id)
    if person is None:
        raise NotFound(Message("person"), person_id)
    if person_id == uow.actor.id:
        raise Refused("own-refusals", "You cannot read what was refused to you: another supervisor does.", status=403)
    rows = refusals.list_of_person(uow, person_id)
    audit_trail.record(uow, "refusals-read", "person", person_id)
    ids = {row.application_id for row in rows if row.application_id is not None}
    visible = select(Application.id, Application.number).where(
        Application.id.in_(ids), visibility.is_of_visible(uow, Application.id)
    )
    numbers = {row.id: row.number for row in uow.session.execute(visible)} if ids else {}
    return RefusalsView(
        person_id=person.id,
        person=person.name,
        login=person.login,
        limit=uow.rules.refused_accesses,
        pattern=refusals.has_pattern(uow, person_id),
        number=next((numbers[row.application_id] for row in rows if row.application_id in numbers), None),
        refusals=[
            RefusalLine(
                at=row.at, cause=row.cause, code=row.code, asked=row.asked, number=numbers.get(row.application_id or "")
            )
            for row in rows
            if row.application_id is None or row.application_id in numbers
        ],
    )


def _case_of(uow: UnitOfWork, parameters: dict[str, Any]) -> str | None:
    """Return the case that the address names, where it names one."""
    for name in ("application_id", "case_id"):
        if name in parameters:
            found = uow.session.get(Application, str(parameters[name]))
            return found.id if found is not None and found.submitted_at is not None else None
    return None
