"""The applications of the applicant's side as a list: where each stands, what comes next, and until when (R16)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.cameras import Camera
from services.database.tables.custody import HandOver
from services.database.tables.drafts import Draft
from services.database.tables.people import Person
from services.database.unit_of_work import Unit
from services.domain.access import queries as access_queries
from services.domain.cases import queries, states
from services.domain.cases.states import STATES
from services.domain.retrieval import preservations

NEVER = datetime.max.replace(tzinfo=UTC)
EDITABLE = ("draft", "correction")


@dataclass(frozen=True)
class Line:
    """One application. ``due_at``: until when it is to be corrected, or the copies are to be returned.

    ``detail`` is the open stage, or how it was closed; ``changed_at`` when the form was last saved or submitted.
    """

    id: str
    number: str | None
    state: str
    detail: str | None
    drafter: str
    own: bool
    reason: str
    cameras: tuple[tuple[str, str], ...]
    way_of_use: str
    changed_at: datetime
    submitted_at: datetime | None
    overwrite_at: datetime | None
    due_at: datetime | None

    @property
    def editable(self) -> bool:
        return self.state in EDITABLE

    @property
    def deletable(self) -> bool:
        return self.state == "draft" and self.own


SORTS: dict[str, Callable[[Line], Any]] = {
    "changed": lambda line: line.changed_at,
    "overwrite": lambda line: line.overwrite_at or NEVER,
    "due": lambda line: line.due_at or NEVER,
    "number": lambda line: line.number or "",
    "state": lambda line: STATES.index(line.state),
}


def lines(
    unit: Unit,
    *,
    department: bool = False,
    state: str | None = None,
    search: str = "",
    sort: str = "changed",
    descending: bool = True,
) -> list[Line]:
    """What the acting person drafted; with ``department`` what the departments that the person heads have submitted.

    ``search`` looks in number, reason, purpose, incident and cameras; ``state`` is one of ``STATES``, or ``open``.
    """
    found = [_line(unit, row) for row in _rows(unit, department, state, search)]
    return sorted(found, key=SORTS[sort], reverse=descending)


def may_see_department(unit: Unit) -> bool:
    """Whether the acting person heads a department, or stands in for its head."""
    return access_queries.directory(unit).holds(unit.actor.id, "head", "deputy")


def _rows(unit: Unit, department: bool, state: str | None, search: str) -> list[Application]:
    query = select(Application).order_by(Application.created_at.desc(), Application.id)
    if state is not None:
        query = query.where(states.is_under_way() if state == "open" else states.code(unit.now) == state)
    me = unit.actor.id
    if department:
        headed = {post.department_id for post in access_queries.posts_of(unit, me) if post.kind in ("head", "deputy")}
        query = query.where(Application.department_id.in_(headed), Application.submitted_at.is_not(None))
    else:
        query = query.where(Application.drafter_id == me)
    rows = [row for row in unit.session.scalars(query) if row.drafter_id == me or me not in row.subject_ids]
    wanted = search.strip().casefold()
    return [row for row in rows if wanted in _text(unit, row).casefold()] if wanted else rows


def _text(unit: Unit, row: Application) -> str:
    told = [row.number, row.reason, row.purpose, row.incident_reference]
    return "\n".join([*(text or "" for text in told), *(name for pair in _cameras(unit, row) for name in pair)])


def _line(unit: Unit, row: Application) -> Line:
    stands = queries.state(unit, row)
    draft = unit.session.get(Draft, row.id) if stands.code in EDITABLE else None
    return Line(
        id=row.id,
        number=row.number,
        state=stands.code,
        detail=stands.detail,
        drafter=unit.session.get_one(Person, row.drafter_id).name,
        own=row.drafter_id == unit.actor.id,
        reason=row.reason,
        cameras=_cameras(unit, row),
        way_of_use=row.granted_way_of_use or row.way_of_use,
        changed_at=draft.saved_at if draft else row.submitted_at or row.created_at,
        submitted_at=row.submitted_at,
        overwrite_at=queries.nearest_overwrite(unit, row) if stands.code != "closed" else None,
        due_at=_due(unit, row, stands.code),
    )


def _cameras(unit: Unit, row: Application) -> tuple[tuple[str, str], ...]:
    items = preservations.items_in_scope(unit, row.id)
    rows = (unit.session.get_one(Camera, item.camera_id) for item in items)
    return tuple(dict.fromkeys((camera.name_zh, camera.name_en) for camera in rows))


def _due(unit: Unit, row: Application, state: str) -> datetime | None:
    if state == "correction":
        return row.correction_until
    if state in ("in-use", "overdue"):
        return unit.session.scalar(select(HandOver.due_at).where(HandOver.application_id == row.id))
    return None
