"""The applications of the applicant's side as a list: states, next acts and due dates (R16)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, select

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.custody import HandOver
from services.database.tables.drafts import Draft
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.cases import queries, states
from services.domain.cases.schemas.lists import OwnApplication
from services.domain.cases.schemas.names import NamePair
from services.domain.cases.states import STATES

EDITABLE = ("draft", "correction")
Cameras = tuple[tuple[str, str], ...]
OfCase = TypeVar("OfCase", Draft, HandOver)


SORTS: dict[str, Callable[[OwnApplication], Any]] = {
    "changed": lambda line: line.changed_at,
    "overwrite": lambda line: line.overwrite_at or queries.NEVER,
    "due": lambda line: line.due_at or queries.NEVER,
    "number": lambda line: line.number or "",
    "state": lambda line: STATES.index(line.state),
}


def list_own(
    uow: UnitOfWork,
    *,
    department: bool = False,
    state: str | None = None,
    search: str = "",
    sort: str = "changed",
    descending: bool = True,
) -> list[OwnApplication]:
    """List what the actor drafted.

    With ``department`` it is what the departments that the person heads have submitted. ``search`` looks in number,
    reason, purpose, incident and cameras; ``state`` is one of ``STATES``, or ``open``.
    """
    rows = _rows(uow, department, state)
    cameras = _cameras(uow, rows)
    wanted = search.strip().casefold()
    if wanted:
        rows = [row for row in rows if wanted in _text(row, cameras[row.id]).casefold()]
    return sorted(_lines(uow, rows, cameras), key=SORTS[sort], reverse=descending)


def may_see_department(uow: UnitOfWork) -> bool:
    """Return whether the actor heads a department, or stands in for its head."""
    return access_queries.load_directory(uow).holds(uow.actor.id, "head", "deputy")


def _rows(uow: UnitOfWork, department: bool, state: str | None) -> list[Application]:
    query = select(Application).order_by(Application.created_at.desc(), Application.id)
    if state is not None:
        query = query.where(states.is_under_way() if state == "open" else states.code(uow.now) == state)
    me = uow.actor.id
    if department:
        headed = {post.department_id for post in access_queries.list_posts(uow, me) if post.kind in ("head", "deputy")}
        query = query.where(Application.department_id.in_(headed), Application.submitted_at.is_not(None))
    else:
        query = query.where(Application.drafter_id == me)
    return [row for row in uow.session.scalars(query) if row.drafter_id == me or me not in row.subject_ids]


def _text(row: Application, cameras: Cameras) -> str:
    texts = [row.number, row.reason, row.purpose, row.incident_reference]
    return "\n".join([*(text or "" for text in texts), *(name for pair in cameras for name in pair)])


def _lines(uow: UnitOfWork, rows: Sequence[Application], cameras: Mapping[str, Cameras]) -> Iterator[OwnApplication]:
    ids = [row.id for row in rows]
    states_of, footage = states.states_of(uow, rows), queries.footage(uow, rows)
    names = access_queries.get_names(uow, [row.drafter_id for row in rows])
    saved = {draft.application_id: draft.saved_at for draft in uow.session.scalars(_of(Draft, ids))}
    lent = {hand_over.application_id: hand_over.due_at for hand_over in uow.session.scalars(_of(HandOver, ids))}
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
        )


def _of(table: type[OfCase], ids: Sequence[str]) -> Select[OfCase]:
    return select(table).where(table.application_id.in_(ids))


def _cameras(uow: UnitOfWork, rows: Sequence[Application]) -> dict[str, Cameras]:
    """Read the names of the cameras that each application asks for, by position."""
    query = (
        select(Item.application_id, Camera.name_zh, Camera.name_en)
        .join(Camera, Camera.id == Item.camera_id)
        .where(Item.application_id.in_([row.id for row in rows]), Item.dropped_in_round.is_(None))
        .order_by(Item.position)
    )
    names: dict[str, dict[tuple[str, str], None]] = {row.id: {} for row in rows}
    for application_id, zh, en in uow.session.execute(query):
        names[application_id][zh, en] = None
    return {application_id: tuple(pairs) for application_id, pairs in names.items()}
