"""The applications of the applicant's side as a list: states, next acts and due dates (R16)."""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar, get_args

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from services.database.keyset import Page, Section, page_of
from services.database.listing import Listing
from services.database.moments import seconds_of
from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.custody import HandOver, of_present_issue
from services.database.tables.drafts import Draft
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.cases import footage as case_footage
from services.domain.cases import states
from services.domain.cases.schemas.lists import OwnApplication
from services.domain.cases.schemas.names import NamePair

EDITABLE = ("draft", "correction")
OPEN, UNFINISHED = "open", "unfinished"  # handed in and under way; drafts besides
Cameras = tuple[tuple[str, str], ...]
OfCase = TypeVar("OfCase", Draft, HandOver)
OwnSort = Literal["changed", "overwrite", "due", "number", "state"]
SORTS: tuple[OwnSort, ...] = get_args(OwnSort)
FALLING = frozenset({"changed", "number"})  # the newest first


def read_own(
    uow: UnitOfWork, listing: Listing, *, department: bool = False, state: str | None = None
) -> Page[OwnApplication]:
    """Read a page of what the actor drafted, sorted by one of ``SORTS``; what has no value there comes last.

    With ``department`` it is what the departments that the person heads have submitted. Searched are number, title,
    reason, purpose, incident and cameras; ``state`` is one of ``STATES``, ``open`` or ``unfinished``.
    """
    query = select(Application.id).where(_is_own(uow, department), _mentions(listing))
    if state is not None:
        query = query.where(_is_in(uow, state))
    page = page_of(uow.session, query, _sections(uow, listing), listing)
    return page.showing(list(_lines(uow, [row[0] for row in page.lines])))


def read_unfinished(uow: UnitOfWork, few: int) -> tuple[list[Application], int]:
    """Read the newest few of what the actor drafted and is not over, and count them all; one statement."""
    query = select(Application, func.count().over()).where(_is_own(uow, department=False), _is_in(uow, UNFINISHED))
    rows = uow.session.execute(query.order_by(Application.created_at.desc(), Application.id.desc()).limit(few)).all()
    return [row[0] for row in rows], rows[0][1] if rows else 0


def may_see_department(uow: UnitOfWork) -> bool:
    """Return whether the actor heads a department, or stands in for its head."""
    return access_queries.load_directory(uow).holds(uow.actor.id, "head", "deputy")


def _is_in(uow: UnitOfWork, state: str) -> ColumnElement[bool]:
    if state == UNFINISHED:
        return ~states.is_over()
    return states.is_under_way() if state == OPEN else states.is_in(state, uow.now)


def _is_own(uow: UnitOfWork, department: bool) -> ColumnElement[bool]:
    me = uow.actor.id
    if not department:
        return Application.drafter_id == me
    headed = {post.department_id for post in access_queries.list_posts(uow, me) if post.kind in ("head", "deputy")}
    return and_(
        Application.department_id.in_(headed),
        Application.submitted_at.is_not(None),
        visibility.is_not_hidden(uow),
    )


def _mentions(listing: Listing) -> ColumnElement[bool]:
    """Build the condition that the text is found; cameras are looked up for the own cases, which are few of all."""
    named = (
        select(Item.id)
        .join(Camera, Camera.id == Item.camera_id)
        .where(
            Item.application_id == Application.id,
            Item.dropped_in_round.is_(None),
            listing.mentioned(Camera.name_zh, Camera.name_en),
        )
        .exists()
    )
    words = (
        Application.number,
        Application.title,
        Application.reason,
        Application.purpose,
        Application.incident_reference,
    )
    return listing.mentioned(*words, also=named)


def _sections(uow: UnitOfWork, listing: Listing) -> tuple[Section, ...]:
    """Return the parts of the list; those without a value have the newest first as the others rise."""
    by_id = Application.id.expression
    newest = (-seconds_of(Application.created_at), by_id)
    correcting = Application.correction_until.is_not(None)
    if listing.sort == "number":
        number = Application.number.expression
        oldest = (Application.created_at.expression, by_id)
        return Section((number,), number.is_not(None)), Section(oldest, number.is_(None))
    if listing.sort == "overwrite":
        moment = case((~states.is_over(), case_footage.overwrite_order()))
        return Section((moment, by_id), moment.is_not(None)), Section(newest, moment.is_(None))
    if listing.sort == "due":
        lent = and_(HandOver.accepted_at.is_not(None), HandOver.returned_at.is_(None))
        due = case(
            (and_(states.is_under_way(), correcting), Application.correction_until),
            (and_(states.is_under_way(), lent), HandOver.due_at),
        )

        def with_loan(query: Select[*tuple[object, ...]]) -> Select[*tuple[object, ...]]:
            return query.outerjoin(HandOver, of_present_issue())

        return Section((due, by_id), due.is_not(None), with_loan), Section(newest, due.is_(None), with_loan)
    if listing.sort == "state":
        return (Section((states.place(uow.now), *newest)),)
    editable = and_(or_(Application.submitted_at.is_(None), correcting), ~states.is_over())
    changed = case(
        (and_(editable, Draft.saved_at.is_not(None)), Draft.saved_at),
        else_=func.coalesce(Application.submitted_at, Application.created_at),
    )
    return (
        Section((changed, by_id), joined=lambda query: query.outerjoin(Draft, Draft.application_id == Application.id)),
    )


def _lines(uow: UnitOfWork, ids: Sequence[str]) -> Iterator[OwnApplication]:
    if not ids:
        return
    by_id = {row.id: row for row in uow.session.scalars(select(Application).where(Application.id.in_(ids)))}
    rows = [by_id[application_id] for application_id in ids]
    states_of, footage, cameras = states.states_of(uow, rows), case_footage.read(uow, rows), _cameras(uow, ids)
    names = access_queries.get_names(uow, [row.drafter_id for row in rows])
    saved = {draft.application_id: draft.saved_at for draft in uow.session.scalars(_of(Draft, ids))}
    lent = {
        hand_over.application_id: hand_over.due_at
        for hand_over in uow.session.scalars(_of(HandOver, ids).order_by(HandOver.issue))
    }
    for row in rows:
        state = states_of[row.id]
        drafted = saved.get(row.id) if state.code in EDITABLE else None
        due = {"correction": row.correction_until, "in-use": lent.get(row.id), "overdue": lent.get(row.id)}
        yield OwnApplication(
            id=row.id,
            number=row.number,
            state=state.code,
            detail=state.detail,
            drafter=names[row.drafter_id],
            own=row.drafter_id == uow.actor.id,
            reason=row.reason,
            cameras=[NamePair(zh=zh, en=en) for zh, en in cameras[row.id]],
            way_of_use=row.granted_way_of_use or row.way_of_use,
            changed_at=drafted or row.submitted_at or row.created_at,
            submitted_at=row.submitted_at,
            overwrite_at=footage[row.id].overwrite_at if state.code != "closed" else None,
            due_at=due.get(state.code),
            about=footage[row.id].about,
        )


def _of(table: type[OfCase], ids: Sequence[str]) -> Select[OfCase]:
    return select(table).where(table.application_id.in_(ids))


def _cameras(uow: UnitOfWork, ids: Sequence[str]) -> dict[str, Cameras]:
    """Read the names of the cameras that each application asks for, by position."""
    query = (
        select(Item.application_id, Camera.name_zh, Camera.name_en)
        .join(Camera, Camera.id == Item.camera_id)
        .where(Item.application_id.in_(ids), Item.dropped_in_round.is_(None))
        .order_by(Item.position)
    )
    names: dict[str, dict[tuple[str, str], None]] = {application_id: {} for application_id in ids}
    for application_id, zh, en in uow.session.execute(query):
        names[application_id][zh, en] = None
    return {application_id: tuple(pairs) for application_id, pairs in names.items()}
