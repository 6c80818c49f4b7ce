"""Schedules: what is to be done how often, who changes that, and the work orders that are due (R11, R15, R47, R55).

A poke opens what is due: keyed by schedule, period and subject, so that no second one does a thing twice. After an
outage each subject gets one work order, and what the missed periods would have opened is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, select

from services.database.tables.cameras import Camera, Recorder
from services.database.tables.custody import HandOver
from services.database.tables.devices import Device
from services.database.tables.holds import Hold
from services.database.tables.people import Department, Person
from services.database.tables.sites import Site
from services.database.tables.work_orders import Schedule, WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.access import queries as access_queries
from services.domain.access.storage import keeper_refusal
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.domain.stages.catalogue import STAGES
from services.domain.work_orders import access_reviews, downloads, follow_ups, opening, periods, service, sources
from services.domain.work_orders.kinds import ACTED_ON, SCHEDULES, Item, Shipped, items_of
from services.domain.work_orders.roles import DEPARTMENT_KINDS, Role
from services.domain.work_orders.sources import ScheduleSubject
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Bilingual, Message

AT_ONCE = 50  # work orders that one transaction opens or cancels
MOST_ITEMS = 40  # questions of a checklist; those that a subject adds come after them
LONGEST_ITEM = 200  # characters of a question
STORAGE_HEAD = Role("head", department_kind="storage")
LOAN, AGREEMENT, HOLD = "loan", "agreement", "hold"
OUT_OF_USE, HAS_LEFT = Message("It is no longer in use."), Message("This person has left.")
Source = Callable[[UnitOfWork], list[ScheduleSubject]]


def list_departments(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the departments to review, each with its posts and with what is granted to its people (R55)."""
    return access_reviews.with_grants(uow, sources.list_departments(uow))


SUBJECTS: dict[str, Source] = {
    "recorder": sources.list_recorders,
    "drifting-recorder": sources.list_drifting,
    "camera": sources.list_cameras,
    "short-camera": sources.list_short_cameras,
    "vault": sources.list_vault,
    "escrow": sources.list_escrow,
    LOAN: sources.list_loans,
    "department": list_departments,
    AGREEMENT: sources.list_agreements,
    HOLD: sources.list_holds,
}
"""By the kind of subject: what a schedule is about. Sites, devices and the group are registered by who has them."""


@dataclass(frozen=True)
class Values:
    """What an administrator sets. ``doer``: None where the subject names who does it.

    ``checklist`` and ``days``, until a work order is due: None in a change that leaves them as they are, as those do
    that were asked for in an earlier release.
    """

    every: str
    doer: Role | None
    verifier: Role | None
    active: bool
    checklist: tuple[Item, ...] | None = None
    days: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "every": self.every,
            "doer": self.doer.as_json() if self.doer is not None else None,
            "verifier": self.verifier.as_json() if self.verifier is not None else None,
            "active": self.active,
            **({"checklist": [item.as_json() for item in self.checklist]} if self.checklist is not None else {}),
            **({"days": self.days} if self.days is not None else {}),
        }

    @staticmethod
    def from_json(stored: dict[str, Any]) -> "Values":
        """Read what ``as_json`` has returned."""
        doer, verifier = stored["doer"], stored["verifier"]
        return Values(
            stored["every"],
            Role.from_json(doer) if doer is not None else None,
            Role.from_json(verifier) if verifier is not None else None,
            stored["active"],
            items_of(stored["checklist"]) if "checklist" in stored else None,
            stored.get("days"),
        )

    def beside(self, other: "Values") -> "Values":
        """Return these values, with what they leave as it is from the other ones."""
        checklist = self.checklist if self.checklist is not None else other.checklist
        return replace(self, checklist=checklist, days=self.days if self.days is not None else other.days)

    def without_same(self, other: "Values") -> "Values":
        """Return these values without the checklist and the days that the other ones have too."""
        checklist = self.checklist if self.checklist != other.checklist else None
        return replace(self, checklist=checklist, days=self.days if self.days != other.days else None)


@dataclass(frozen=True)
class ScheduleState:
    """A schedule as it is in force; ``next_due`` is None until the first poke has seen it."""

    shipped: Shipped
    values: Values
    next_due: datetime | None
    changed_at: datetime | None
    changed_by: str | None


def list_schedules(uow: UnitOfWork) -> list[ScheduleState]:
    """List all schedules in the order in which they are shipped; for who may read the set-up."""
    administrators.require_reader(uow)
    rows = {row.code: row for row in uow.session.scalars(select(Schedule))}
    names = access_queries.get_names(uow, [row.changed_by for row in rows.values()])
    return [_state(shipped, rows.get(code), names) for code, shipped in SCHEDULES.items()]


def change_schedule(uow: UnitOfWork, code: str, values: Values, reason: str, *, was: Values) -> Schedule:
    """Change a schedule as an administrator, once a second person has confirmed it; Refused until then (R2).

    ``was``: the values that the administrator saw. A work order that is open keeps what it was opened with.
    """
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)
    if code not in SCHEDULES:
        raise NotFound(Message("schedule"), code)
    row = _ensure(uow, code)
    shipped = SCHEDULES[code]
    before = _values(row, shipped)
    values = values.beside(before)
    if before != was.beside(before):
        raise Refused(
            "schedule-changed", "Another person has just changed this schedule: check it before you change it."
        )
    if values == before:
        raise Refused("schedule-same", "These are already the values: there is nothing to change.")
    if not reason.strip():
        raise Refused("missing", "Enter why the schedule is changed.", status=422, field="reason")
    _check(uow, shipped, values)
    _check_checklist(shipped, before, values)
    old, new = before.without_same(values).as_json(), values.without_same(before).as_json()
    payload = {"schedule": code, "was": old, "value": new, "reason": reason.strip()}
    change_requests.authorise(uow, Change("schedule", None, payload))
    row.every, row.active = values.every, values.active
    row.doer = values.doer.as_json() if values.doer is not None else None
    row.verifier = values.verifier.as_json() if values.verifier is not None else None
    row.checklist = _stored_checklist(shipped, values)
    row.changed_at, row.changed_by = uow.now, uow.actor.id
    if values.every != before.every or (values.active and not before.active):
        row.next_due = periods.after(uow.now, values.every, uow.rules.zone)
    audit_trail.record(uow, "schedule-changed", "schedule", code, old=old, new=new, reason=reason.strip())
    return row


def open_due_work_orders(uow: UnitOfWork) -> tuple[int, bool]:
    """Cancel what has become moot and open what is due, ``AT_ONCE`` at most; return how many, and whether more is left.

    A period ends when all its subjects have their work order; one whose earlier order of the schedule is still open
    gets no second one.
    """
    if _cancel_moot(uow) or _cancel_of_ended(uow) or downloads.reassign(uow):
        return 0, True
    _give_sites_to_keepers(uow)
    opened = 0
    for code, shipped in SCHEDULES.items():
        row = _ensure(uow, code)
        if not row.active or row.next_due > uow.now:
            continue
        left = _list_left(uow, row, shipped)
        for subject in left[: AT_ONCE - opened]:
            _open(uow, row, shipped, subject)
            opened += 1
        if opened >= AT_ONCE:
            return opened, True
        row.next_due = periods.next_after(row.next_due, row.every, uow.rules.zone, uow.now)
        row.period += 1
    return opened, False


def _ensure(uow: UnitOfWork, code: str) -> Schedule:
    """Return the row of a schedule, locked; the first period of a new one begins now."""
    row = uow.session.get(Schedule, code, with_for_update=True, populate_existing=True)
    if row is None:
        shipped = SCHEDULES[code]
        row = Schedule(
            code=code,
            every=shipped.every,
            next_due=periods.after(uow.now, shipped.every, uow.rules.zone),
            period=1,
            doer=shipped.doer.as_json() if shipped.doer is not None else None,
            verifier=shipped.verifier.as_json() if shipped.verifier is not None else None,
            checklist=[item.as_json() for item in shipped.checklist],
            active=True,
        )
        uow.session.add(row)
        uow.session.flush()
    return row


def _list_left(uow: UnitOfWork, row: Schedule, shipped: Shipped) -> list[ScheduleSubject]:
    """List the subjects without a work order of this period, and without an open one of the schedule."""
    source = SUBJECTS.get(shipped.subject)
    subjects = source(uow) if source is not None else []
    if not subjects:
        return []
    prefix = _key(row, "")
    made = set(uow.session.scalars(select(WorkOrder.key).where(WorkOrder.key.startswith(prefix, autoescape=True))))
    under_way = select(WorkOrder.subject_id).where(WorkOrder.schedule == row.code, WorkOrder.closed_at.is_(None))
    waiting = set(uow.session.scalars(under_way))
    return [one for one in subjects if _key(row, one.subject.id) not in made and one.subject.id not in waiting]


def _open(uow: UnitOfWork, row: Schedule, shipped: Shipped, subject: ScheduleSubject) -> None:
    values = _values(row, shipped)
    doer = values.doer or subject.doer or STORAGE_HEAD  # such as a site without a keeper
    facts = subject.find_facts(uow) if subject.find_facts is not None else {}
    opening.open_work_order(
        uow,
        shipped.kind.code,
        subject.subject,
        key=_key(row, subject.subject.id),
        doer=doer,
        verifier=subject.verifier or values.verifier,
        due_at=uow.now + timedelta(days=values.days) if values.days is not None else None,
        checklist=[*(values.checklist or ()), *subject.items],
        facts={**subject.facts, **facts},
        application_id=subject.application_id,
        schedule=row.code,
        by_system=True,
    )


def _key(row: Schedule, subject_id: str) -> str:
    return f"{row.code}:{row.period}:{subject_id}"


def _cancel_moot(uow: UnitOfWork) -> bool:
    """Cancel open work orders whose subject has ended; return whether there may be more of them."""
    kinds = (LOAN, AGREEMENT, HOLD)
    query = (
        select(WorkOrder)
        .where(WorkOrder.closed_at.is_(None), WorkOrder.schedule.is_not(None), WorkOrder.subject_kind.in_(kinds))
        .order_by(WorkOrder.id)
    )
    orders = uow.session.scalars(query).all()
    ids: dict[str, list[str]] = {kind: [one.subject_id for one in orders if one.subject_kind == kind] for kind in kinds}
    loans = _rows(uow, HandOver, ids[LOAN])
    holds = _rows(uow, Hold, ids[HOLD])
    moot = [order for order in orders if _moot_because(uow, order, loans, holds) is not None]
    for order in moot[:AT_ONCE]:
        because = _moot_because(uow, order, loans, holds)
        service.cancel(uow, order.id, because.en if because is not None else "", by_system=True)
    return len(moot) > AT_ONCE


def _cancel_of_ended(uow: UnitOfWork) -> bool:
    """Cancel what nobody has done yet of cameras, recorders, devices and sites out of use, and of people who have left.

    Return whether there may be more of them.
    """
    ended = [
        (kind, WorkOrder.subject_id.in_(select(column).where(gone)), OUT_OF_USE)
        for kind, column, gone in (
            ("camera", Camera.id, Camera.active.is_(False)),
            ("recorder", Recorder.id, Recorder.active.is_(False)),
            ("device", Device.id, Device.retired_at.is_not(None)),
            ("site", Site.id, Site.closed_at.is_not(None)),
        )
    ]
    left = select(Person.id).where(Person.active.is_(False))
    for kind, gone, because in (*ended, (AGREEMENT, WorkOrder.doer_id.in_(left), HAS_LEFT)):
        orders = uow.session.scalars(_undone(kind).where(gone).limit(AT_ONCE)).all()
        for order in orders:
            service.cancel(uow, order.id, because.en, by_system=True)
        if orders:
            return True
    return False


def _give_sites_to_keepers(uow: UnitOfWork) -> None:
    """Give the check of a site whose doer is not fit any more to its present keeper, or to who the schedule names."""
    asked = uow.session.scalars(_undone("site").where(WorkOrder.doer_id.is_not(None))).all()
    directory = access_queries.load_directory(uow) if asked else None
    unfit = [one for one in asked if directory and keeper_refusal(directory, str(one.doer_id)) is not None]
    keepers = {one.subject.id: one.doer for one in SUBJECTS["site"](uow)} if unfit else {}
    for order in unfit:
        service.give_to(uow, order, keepers.get(order.subject_id) or STORAGE_HEAD)


def _undone(kind: str) -> Select[WorkOrder]:
    """Select the open work orders of a schedule about subjects of this kind that nobody has done yet."""
    return (
        select(WorkOrder)
        .join(
            WorkOrderAttempt,
            and_(WorkOrderAttempt.work_order_id == WorkOrder.id, WorkOrderAttempt.attempt == WorkOrder.attempt),
        )
        .where(
            WorkOrder.closed_at.is_(None),
            WorkOrder.schedule.is_not(None),
            WorkOrder.subject_kind == kind,
            WorkOrderAttempt.done_at.is_(None),
        )
        .order_by(WorkOrder.id)
    )


def _rows(uow: UnitOfWork, table: Any, ids: list[str]) -> dict[str, Any]:
    if not ids:
        return {}
    return {row.id: row for row in uow.session.scalars(select(table).where(table.id.in_(ids)))}


def _moot_because(
    uow: UnitOfWork, order: WorkOrder, loans: dict[str, HandOver], holds: dict[str, Hold]
) -> Message | None:
    if order.subject_kind == LOAN:
        hand_over = loans.get(order.subject_id)
        if hand_over is None or follow_ups.is_over(hand_over):
            return Message("The loan has ended.")
        if hand_over.custodian_id != order.doer_id:
            return Message("Another person holds the copies now.")
    if order.subject_kind == HOLD:
        hold = holds.get(order.subject_id)
        if hold is None or hold.lifted_at is not None:
            return Message("The hold is lifted.")
        if hold.owner_id != order.doer_id:
            return Message("Another person owns the hold now.")
    if order.subject_kind == AGREEMENT and follow_ups.has_later_agreement(uow, order):
        return Message("The agreement is signed again.")
    return None


def _values(row: Schedule, shipped: Shipped) -> Values:
    stored = {"every": row.every, "doer": row.doer, "verifier": row.verifier, "active": row.active}
    kept = row.checklist if isinstance(row.checklist, dict) else {"items": row.checklist}
    asked = {"checklist": kept["items"], "days": kept.get("days", shipped.kind.days)}
    return Values.from_json({**stored, **asked})


def _stored_checklist(shipped: Shipped, values: Values) -> list[Any] | dict[str, Any]:
    """Return what a row has as its checklist: its questions, and beside them other days than those of the kind."""
    items = [item.as_json() for item in values.checklist or ()]
    return items if values.days == shipped.kind.days else {"items": items, "days": values.days}


def _state(shipped: Shipped, row: Schedule | None, names: dict[str, str]) -> ScheduleState:
    if row is None:
        values = Values(
            shipped.every,
            shipped.doer,
            shipped.verifier,
            active=True,
            checklist=shipped.checklist,
            days=shipped.kind.days,
        )
        return ScheduleState(shipped, values, None, None, None)
    by = names.get(row.changed_by) if row.changed_by is not None else None
    return ScheduleState(shipped, _values(row, shipped), row.next_due, row.changed_at, by)


def _check(uow: UnitOfWork, shipped: Shipped, values: Values) -> None:
    """Raise Refused for a period or a role that cannot be."""
    try:
        periods.parse(values.every)
    except ValueError:
        raise Refused(
            "period",
            "Enter the period as P7D, P2W, P3M or P1Y, at most three years.",
            status=422,
            field="every",
        ) from None
    if (values.doer is None) != (shipped.doer is None):
        raise Refused(
            "doer",
            "The doer is named by the subject where the schedule names none, and by a post elsewhere.",
            status=422,
            field="doer",
        )
    if (values.verifier is None) != (shipped.verifier is None):
        raise Refused(
            "verifier",
            "A work order that is verified stays verified, and a report of a person has no verifier.",
            status=422,
            field="verifier",
        )
    for name, role in (("doer", values.doer), ("verifier", values.verifier)):
        if role is not None:
            _check_role(uow, name, role)


def _check_checklist(shipped: Shipped, before: Values, values: Values) -> None:
    """Raise Refused for a checklist that is empty or that the system could not act on, and for days that cannot be."""
    items = {item.code: item for item in values.checklist or ()}
    if not items or len(items) > MOST_ITEMS or len(items) < len(values.checklist or ()):
        raise Refused(
            "checklist",
            "A checklist has 1 to {most} different questions.",
            status=422,
            field="checklist",
            most=MOST_ITEMS,
        )
    if not all(0 < len(text.strip()) <= LONGEST_ITEM for item in items.values() for text in (item.zh, item.en)):
        raise Refused(
            "checklist",
            "Write each question in Chinese and in English, with at most {most} characters.",
            status=422,
            field="checklist",
            most=LONGEST_ITEM,
        )
    kept = [item for item in before.checklist or () if item.code in ACTED_ON.get(shipped.kind.code, ())]
    if any(items.get(item.code) != item for item in kept):
        raise Refused(
            "checklist-acted-on",
            "The system acts on the answer to “{question}”: this question stays as it is.",
            status=422,
            field="checklist",
            question=next(Bilingual(item.zh, item.en) for item in kept if items.get(item.code) != item),
        )
    longest = service.LONGEST.days
    if values.days is None or not 1 <= values.days <= longest:
        raise Refused("days", "A work order is due after 1 to {most} days.", status=422, field="days", most=longest)


def _check_role(uow: UnitOfWork, name: str, role: Role) -> None:
    known = role.post in STAGES.posts and role.post != "administrator"
    kind_known = role.department_kind is None or role.department_kind in DEPARTMENT_KINDS
    department = role.department_id is None or uow.session.get(Department, role.department_id) is not None
    if not (known and kind_known and department and role.person_id is None):
        raise Refused("role", "Choose a post, and the department or the kind of department.", status=422, field=name)
