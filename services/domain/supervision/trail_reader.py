"""The audit trail as people read it: a list with filters, and each event with its place in the tree (R62, F29).

Whoever reads it learns nothing here that is hidden elsewhere: cases that concern the reader are left out, and who has
recorded a violation that accuses the reader has no name, neither in a line nor by a filter (R65). Numbers of cards and
names of people outside are not in the trail.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, not_, or_, select

from services.database.keyset import Page, Section, page_of
from services.database.listing import Listing
from services.database.tables.applications import Application
from services.database.tables.audit import AuditAnchor, AuditCheckpoint, AuditEvent
from services.database.tables.matters import Matter
from services.database.tables.people import Person
from services.database.tables.violations import Hearing
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import violations, visibility
from services.domain.audit import trail as audit_trail
from services.domain.audit import tree
from services.domain.supervision import readers
from services.domain.supervision.audit_schemas import EventPlace, TrailEvent, TrailLine
from services.runtime.errors import NotFound
from services.runtime.translations import Message

LIST_READ, EVENT_READ = "audit-trail-read", "audit-event-read"
SEEN = "footage-read"  # is no look at records, but at footage
# Where things lie in the vault is left out of what people see of an event.
VAULT_ADDRESS = ("bucket", "key", "version")
MOST_NAMESAKES = 100
LAST_SEQ = (1 << 63) - 1  # that a database compares
COLUMNS = (
    *(AuditEvent.seq, AuditEvent.at, AuditEvent.actor_kind, AuditEvent.actor_id, AuditEvent.action),
    *(AuditEvent.subject_kind, AuditEvent.subject_id, AuditEvent.application_id, AuditEvent.entry),
)


@dataclass(frozen=True)
class TrailSearch:
    """What is searched: a person by name or login, an action, a case by its number, days; with ``looks`` readings too.

    ``person`` may also be the name of a part of the product, such as that of a worker.
    """

    person: str = ""
    action: str = ""
    number: str = ""
    since: datetime | None = None
    until: datetime | None = None
    looks: bool = False


def read_page(uow: UnitOfWork, wanted: TrailSearch, *, limit: int, place: str = "") -> Page[TrailLine]:
    """Read a page of the trail, the newest first; each page that is read is one event, whatever it shows."""
    readers.require_reader(uow)
    section = Section((AuditEvent.seq.expression,))
    audit_trail.record(
        uow,
        LIST_READ,
        "audit-trail",
        "events",
        person=wanted.person,
        named_action=wanted.action,
        number=wanted.number,
        since=wanted.since.isoformat() if wanted.since else None,
        until=wanted.until.isoformat() if wanted.until else None,
        looks=wanted.looks,
        place=place,
    )
    query = _matching(uow, select(*COLUMNS), wanted)
    page = page_of(uow.session, query, (section,), Listing(descending=True, limit=limit, place=place))
    return page.showing(_lines(uow, page.lines))


def read_event(uow: UnitOfWork, seq: int) -> TrailEvent:
    """Read one event with its details and its place in the tree; NotFound where it is hidden from the reader."""
    readers.require_reader(uow)
    query = select(*COLUMNS, AuditEvent.leaf_sha256).where(AuditEvent.seq == seq, _is_shown(uow))
    row = uow.session.execute(query).one_or_none() if 0 < seq <= LAST_SEQ else None
    if row is None:
        raise NotFound(Message("event"), str(seq))
    audit_trail.record(uow, EVENT_READ, "audit-event", str(seq), application_id=row.application_id)
    [line] = _lines(uow, [row])
    detail = {} if line.hidden else json.loads(row.entry)["detail"]
    return TrailEvent(
        **line.model_dump(by_alias=False, exclude={"detail"}),
        detail={name: value for name, value in detail.items() if name not in VAULT_ADDRESS},
        place=_place(uow, seq, row.leaf_sha256),
    )


def _matching(uow: UnitOfWork, query: Select[*tuple[Any, ...]], wanted: TrailSearch) -> Select[*tuple[Any, ...]]:
    query = query.where(_is_shown(uow))
    if not wanted.looks:
        query = query.where(or_(AuditEvent.action.not_like("%-read"), AuditEvent.action == SEEN))
    if wanted.action:
        query = query.where(AuditEvent.action == wanted.action)
    if wanted.number.strip():
        of_case = select(Application.id).where(Application.number == wanted.number.strip().upper())
        query = query.where(AuditEvent.application_id.in_(of_case))
    if wanted.since is not None:
        query = query.where(AuditEvent.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEvent.at < wanted.until)
    if wanted.person.strip():
        actors = _actors(uow, wanted.person.strip())
        # of one actor, the index has the order too
        query = query.where(AuditEvent.actor_id == actors[0] if len(actors) == 1 else AuditEvent.actor_id.in_(actors))
        # else the filter would tell who has done what a line does not say
        unsaid = [_of_act(one) for one in _hidden_acts(uow)]
        if unsaid:
            query = query.where(not_(or_(*unsaid)))
    return query


def _actors(uow: UnitOfWork, named: str) -> list[str]:
    """Return the people of this name or login, by id; without any it is the name of a part of the product."""
    people = select(Person.id).where(or_(Person.name == named, Person.login == named)).order_by(Person.id)
    return list(uow.session.scalars(people.limit(MOST_NAMESAKES))) or [named]


def _is_shown(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition that an event is of no case or draft that is hidden from the reader.

    Nor does it say that somebody else has searched the trail for the number of such a case.
    """
    me, of_case = uow.actor.id, AuditEvent.application_id
    drafts = select(Application.id).where(
        Application.closed_at.is_(None), Application.submitted_at.is_(None), Application.drafter_id != me
    )
    named = select(Application.id).where(
        visibility.concerns(me), Application.drafter_id != me, AuditEvent.entry.icontains(Application.number)
    )
    searched = and_(AuditEvent.action == LIST_READ, AuditEvent.actor_id != me, named.exists())
    return and_(
        not_(searched), or_(of_case.is_(None), and_(visibility.is_of_visible(uow, of_case), of_case.not_in(drafts)))
    )


@dataclass(frozen=True)
class _Hidden:
    """Who has recorded a violation, when, and its matter: later acts of theirs about it would tell as much."""

    person: str
    at: datetime
    matter: str

    def has(self, row: Row[*tuple[Any, ...]]) -> bool:
        return bool(row.actor_id == self.person and (row.at == self.at or self.matter in row.entry))


def _of_act(one: _Hidden) -> ColumnElement[bool]:
    about = or_(AuditEvent.at == one.at, AuditEvent.entry.contains(one.matter))
    return and_(AuditEvent.actor_id == one.person, about)


def _hidden_acts(uow: UnitOfWork) -> list[_Hidden]:
    """Return the recording of each violation that the reader is heard about, where the reader may not attribute it."""
    heard = select(Hearing.matter_id).where(Hearing.person_id == uow.actor.id)
    query = select(Matter).where(Matter.kind == violations.KIND, Matter.id.in_(heard), Matter.opened_by.is_not(None))
    matters = uow.session.scalars(query).all()
    seen = violations.list_openers_seen(uow, matters)
    return [_Hidden(str(one.opened_by), one.opened_at, one.id) for one in matters if one.id not in seen]


def _lines(uow: UnitOfWork, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[TrailLine]:
    """Return the lines with names and numbers of cases; a few statements, however many there are."""
    hidden = _hidden_acts(uow)
    actors = {row.actor_id for row in rows if row.actor_kind == "person"}
    subjects = {row.subject_id for row in rows if row.subject_kind == "person"}
    people = access_queries.get_names(uow, actors | subjects)
    numbers = _numbers(uow, {row.application_id for row in rows if row.application_id})
    found = []
    for row in rows:
        unnamed = any(one.has(row) for one in hidden)
        found.append(
            TrailLine(
                seq=row.seq,
                at=row.at,
                action=row.action,
                by_person=row.actor_kind == "person",
                actor=None if unnamed else people.get(row.actor_id, row.actor_id),
                hidden=unnamed,
                subject_kind=row.subject_kind,
                subject_id=None if unnamed or row.subject_kind == "object" else row.subject_id,
                subject_name=None if unnamed or row.subject_kind != "person" else people.get(row.subject_id),
                application_id=row.application_id,
                number=numbers.get(row.application_id),
                detail={} if unnamed else json.loads(row.entry)["detail"],
            )
        )
    return found


def _numbers(uow: UnitOfWork, ids: Collection[str]) -> Mapping[str, str | None]:
    query = select(Application.id, Application.number).where(Application.id.in_(ids))
    return {row.id: row.number for row in uow.session.execute(query)} if ids else {}


def _place(uow: UnitOfWork, seq: int, leaf: str) -> EventPlace:
    """Return the event's place in the tree, and the first signed head that has it, with the proof that it does."""
    query = (
        select(AuditCheckpoint, AuditAnchor)
        .outerjoin(AuditAnchor, AuditAnchor.size == AuditCheckpoint.size)
        .where(AuditCheckpoint.size >= seq)
        .order_by(AuditCheckpoint.size)
        .limit(1)
    )
    row = uow.session.execute(query).first()
    if row is None:
        return EventPlace(index=seq - 1, leaf_sha256=leaf)
    checkpoint, anchor = row
    return EventPlace(
        index=seq - 1,
        leaf_sha256=leaf,
        size=checkpoint.size,
        root=checkpoint.root,
        origin=checkpoint.origin,
        signed_at=checkpoint.signed_at,
        anchored_at=anchor.anchored_at if anchor is not None else None,
        proof=tree.inclusion(uow, seq - 1, checkpoint.size)["hashes"],
    )
