"""What the schedules are about: recorders, cameras, the vault, loans, departments, agreements, holds (R11 to R15, R47).

Each returns its subjects as they are now, in one or two statements. Sites, devices and the supervision group are
registered by the capabilities that have them (``schedules.SUBJECTS``).
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import aliased

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.cameras import UPLOADED, Camera, Recorder
from services.database.tables.custody import HandOver
from services.database.tables.disposals import DUE, DisposalItem
from services.database.tables.holds import Hold
from services.database.tables.maintenance import Damage
from services.database.tables.masters import Master
from services.database.tables.people import Absence, Department, Person, Post
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.agreements.service import RENEWAL_LEAD
from services.domain.work_orders import kinds
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import Role

DRIFT = timedelta(seconds=30)
LONG_LOAN = timedelta(days=14)
SHORTER_BY = timedelta(days=1)  # the day that is being overwritten
DRAWN = 5  # masters of a restore drill


@dataclass(frozen=True)
class ScheduleSubject:
    """One subject of a schedule; ``doer`` and ``verifier`` where it names them itself.

    ``label_en`` is given where a label is no name. ``find_facts`` is asked only where a work order is opened;
    ``items`` are further questions of its checklist.
    """

    subject: Subject
    doer: Role | None = None
    verifier: Role | None = None
    application_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    find_facts: Callable[[UnitOfWork], Mapping[str, Any]] | None = None
    items: Sequence[kinds.Item] = ()


def list_recorders(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the recorders in use, which are serviced."""
    query = select(Recorder.id, Recorder.name).where(Recorder.active, Recorder.kind != UPLOADED).order_by(Recorder.id)
    return [ScheduleSubject(Subject("recorder", row.id, row.name)) for row in uow.session.execute(query)]


def list_drifting(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the recorders whose clock was last measured to be off by more than ``DRIFT`` (C18)."""
    query = select(Recorder.id, Recorder.name, Recorder.clock_offset_ms, Recorder.clock_measured_at).where(
        Recorder.active,
        Recorder.kind != UPLOADED,
        func.abs(Recorder.clock_offset_ms) > DRIFT // timedelta(milliseconds=1),
    )
    return [
        ScheduleSubject(
            Subject("recorder", row.id, row.name),
            facts={
                "offsetMs": row.clock_offset_ms,
                "measuredAt": row.clock_measured_at.isoformat() if row.clock_measured_at else None,
            },
        )
        for row in uow.session.execute(query.order_by(Recorder.id))
    ]


def list_cameras(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the cameras in use, whose view and place are confirmed."""
    query = _cameras().order_by(Camera.id)
    return [ScheduleSubject(Subject("camera", row.Camera.id, _named(row))) for row in uow.session.execute(query)]


def list_short_cameras(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the cameras that overwrite their recordings sooner than declared (F33)."""
    query = _cameras().where(
        Camera.oldest_frame_at.is_not(None), Camera.oldest_measured_at.is_not(None), Camera.oldest_moved_at.is_not(None)
    )
    found = []
    for row in uow.session.execute(query.order_by(Camera.id)):
        camera: Camera = row.Camera
        if camera.oldest_frame_at is None or camera.oldest_measured_at is None:
            continue
        kept = camera.oldest_measured_at - camera.oldest_frame_at
        if kept + SHORTER_BY < timedelta(days=camera.retention_days):
            facts = {"declaredDays": camera.retention_days, "keptDays": kept.days}
            found.append(ScheduleSubject(Subject("camera", camera.id, _named(row)), facts=facts))
    return found


def list_vault(uow: UnitOfWork) -> list[ScheduleSubject]:
    """Return the vault, of which some masters are drawn that are to be restored (R15)."""
    return [ScheduleSubject(_of_the_house("vault"), find_facts=_draw)]


def list_escrow(uow: UnitOfWork) -> list[ScheduleSubject]:
    """Return the escrowed key (R15)."""
    return [ScheduleSubject(_of_the_house("escrow"))]


def list_loans(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the loans that have lasted for more than ``LONG_LOAN``, whose custodians report (R47)."""
    query = (
        select(HandOver.id, HandOver.custodian_id, HandOver.accepted_at, HandOver.due_at, Application)
        .join(Application, Application.id == HandOver.application_id)
        .where(
            HandOver.accepted_at <= uow.now - LONG_LOAN,
            *(moment.is_(None) for moment in (HandOver.ended_at, HandOver.returned_at, HandOver.lost_at)),
        )
        .order_by(HandOver.id)
    )
    return [
        ScheduleSubject(
            Subject("loan", row.id, row.Application.number or ""),
            doer=Role(person_id=row.custodian_id),
            application_id=row.Application.id,
            facts={"acceptedAt": row.accepted_at.isoformat(), "dueAt": row.due_at.isoformat() if row.due_at else None},
        )
        for row in uow.session.execute(query)
    ]


def list_departments(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the departments in which somebody holds a post besides membership, whose heads review it (R55).

    What they review is listed as it is now. Security's own is verified by supervision.
    """
    query = (
        select(Post, Person.name, Department)
        .join(Person, Person.id == Post.person_id)
        .join(Department, Department.id == Post.department_id)
        .where(Post.kind != "member", *access_queries.held_now(uow))
        .order_by(Department.id, Post.id)
    )
    posts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    departments: dict[str, Department] = {}
    for post, name, department in uow.session.execute(query):
        departments[department.id] = department
        posts[department.id].append({"person": name, "post": post.kind, "since": post.since.isoformat()})
    return [
        ScheduleSubject(
            Subject("department", department.id, department.name_zh),
            doer=Role("head", department_id=department.id),
            verifier=Role("supervisor") if department.kind == "security" else None,
            facts={"posts": posts[department.id]},
            find_facts=_absences_of(department.id, posts[department.id]),
        )
        for department in departments.values()
    ]


def list_agreements(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the agreements of active people that end soon and that no later one follows (R59)."""
    other = aliased(Agreement)
    later = select(other.id).where(
        other.person_id == Agreement.person_id, other.ended_at.is_(None), other.expires_at > Agreement.expires_at
    )
    query = (
        select(Agreement.id, Agreement.person_id, Agreement.expires_at, Person.name)
        .join(Person, Person.id == Agreement.person_id)
        .where(
            Person.active,
            Agreement.ended_at.is_(None),
            Agreement.expires_at > uow.now,
            Agreement.expires_at <= uow.now + RENEWAL_LEAD,
            ~later.exists(),
        )
        .order_by(Agreement.expires_at, Agreement.id)
    )
    return [
        ScheduleSubject(
            Subject("agreement", row.id, row.name),
            doer=Role(person_id=row.person_id),
            facts={"expiresAt": row.expires_at.isoformat()},
        )
        for row in uow.session.execute(query)
    ]


def list_holds(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the open holds, whose owners review them (F14)."""
    query = (
        select(
            *(Hold.id, Hold.owner_id, Hold.application_id, Hold.cause, Hold.placed_at, Hold.review_at),
            Application.number,
        )
        .join(Application, Application.id == Hold.application_id)
        .where(Hold.lifted_at.is_(None))
        .order_by(Hold.id)
    )
    return [
        ScheduleSubject(
            Subject("hold", row.id, row.number or ""),
            doer=Role(person_id=row.owner_id),
            application_id=row.application_id,
            facts={
                "cause": row.cause,
                "placedAt": row.placed_at.isoformat(),
                "reviewAt": row.review_at.isoformat(),
            },
        )
        for row in uow.session.execute(query)
    ]


def _cameras() -> Any:
    return (
        select(Camera, Recorder.name.label("recorder"))
        .join(Recorder, Recorder.id == Camera.recorder_id)
        .where(Camera.active, Recorder.active, Recorder.kind != UPLOADED)
    )


def _named(row: Any) -> str:
    return f"{row.Camera.name_zh} ({row.recorder} {row.Camera.channel})"


def _of_the_house(kind: str) -> Subject:
    named = kinds.get_label(kind)
    return Subject(kind, kind, f"{named.zh} {named.en}")


def _draw(uow: UnitOfWork) -> Mapping[str, Any]:
    """Draw masters that can be restored, at points that nobody chooses: hashes of the moment and a number."""
    there = select(Master).where(*_restorable()).order_by(Master.id).limit(1)
    drawn: dict[str, dict[str, Any]] = {}
    for number in range(DRAWN):
        digest = hashlib.sha256(f"{uow.now.isoformat()}:{number}".encode()).digest()
        point = str(UUID(bytes=digest[:16]))
        master = uow.session.scalar(there.where(Master.id >= point)) or uow.session.scalar(there)
        if master is not None:
            drawn[master.id] = {"master": master.id, "item": master.item_id}
    return {"drawn": list(drawn.values())}


def _restorable() -> tuple[ColumnElement[bool], ...]:
    """Build the conditions that a master is whole, and kept until the drill is due.

    Nobody opens one that waits for its disposal. One that is about to be deleted may be gone by then, and one that is
    damaged has its repair, and says nothing of whether others can be restored.
    """
    damaged = select(Damage.id).where(
        Damage.master_id == Master.id, Damage.place == "primary", Damage.repaired_at.is_(None)
    )
    agreed = select(DisposalItem.id).where(DisposalItem.master_id == Master.id, DisposalItem.state == DUE)
    return (
        Master.discarded_at.is_(None),
        Master.unneeded_at.is_(None),
        Master.suspect_since.is_(None),
        ~damaged.exists(),
        ~agreed.exists(),
    )


def _absences_of(department_id: str, posts: list[dict[str, Any]]) -> Callable[[UnitOfWork], Mapping[str, Any]]:
    def find(uow: UnitOfWork) -> Mapping[str, Any]:
        held = select(Post.person_id).where(
            Post.department_id == department_id, Post.kind != "member", *access_queries.held_now(uow)
        )
        query = (
            select(Person.name, Absence.since, Absence.until)
            .join(Person, Person.id == Absence.person_id)
            .where(Absence.person_id.in_(held), Absence.until > uow.now, Absence.since < Absence.until)
            .order_by(Absence.since, Absence.id)
        )
        left = select(Person.name).where(Person.id.in_(held), ~Person.active).order_by(Person.name)
        return {
            "posts": posts,
            "absences": [
                {"person": row.name, "since": row.since.isoformat(), "until": row.until.isoformat()}
                for row in uow.session.execute(query)
            ],
            "left": list(uow.session.scalars(left)),
        }

    return find
