"""Open work orders: by hand, of a schedule, of a finding, and of a defect, once for each key (R11, R64)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.documents import service as document_service
from services.domain.process import messages, outbox
from services.domain.stages.catalogue import STAGES
from services.domain.work_orders import fitness, policy, service
from services.domain.work_orders.kinds import Item, Kind, get_label, name_subject
from services.domain.work_orders.roles import Role
from services.runtime.canonical_json import hash_of
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual, Text

MOST_ITEMS = 1000
DEFECT = "defect"

Usual = Literal["usual"]


@dataclass(frozen=True)
class Subject:
    """What is checked or corrected: a recorder, a site, a department, a finding."""

    kind: str
    id: str
    label: str


@dataclass(frozen=True)
class Cause:
    """Why it was opened: a finding, a matter, a reconciliation."""

    kind: str
    id: str
    label: str


def open_work_order(
    uow: UnitOfWork,
    kind: str,
    subject: Subject,
    *,
    key: str,
    doer: Role,
    title: Text | None = None,
    verifier: Role | Usual | None = "usual",
    due_at: datetime | None = None,
    checklist: Sequence[Item] | None = None,
    facts: Mapping[str, Any] | None = None,
    interim: str = "",
    cause: Cause | None = None,
    application_id: str | None = None,
    schedule: str | None = None,
    by_system: bool = False,
) -> WorkOrder:
    """Open a work order once for each key, and tell the process; a second call returns the first one unchanged.

    Who opens it by hand has been checked by the caller (``require_may_open``). ``by_system``: nobody has opened it.
    Raises NotFound for a kind that there is not, and Refused for a due date or a checklist that cannot be.
    """
    of_kind = service.find_kind(kind)
    existing = uow.session.scalar(select(WorkOrder).where(WorkOrder.key == key))
    if existing is not None:
        return existing
    due_at = due_at or uow.now + timedelta(days=of_kind.days)
    service.require_date(uow, due_at)
    items = tuple(checklist) if checklist is not None else of_kind.checklist
    if not items or len(items) > MOST_ITEMS or len({item.code for item in items}) < len(items):
        raise Refused("checklist", "A checklist has 1 to {most} different questions.", most=MOST_ITEMS, status=422)
    verified_by = of_kind.verifier if verifier == "usual" else verifier
    if verified_by is not None and service.STAGE not in STAGES:
        raise Refused(
            "stage-lacking",
            "The review stage {stage} is not set up here: ask the administrator to add it to review-stages.json.",
            stage=service.STAGE,
        )
    order = _new(uow, of_kind, subject, key=key, title=title, due_at=due_at)
    order.application_id, order.schedule = application_id, schedule
    order.opened_by = None if by_system else uow.actor.id
    doer = fitness.choose(access_queries.load_directory(uow), doer, fitness.unfit_of(uow, order, doer))
    _set_roles(order, doer, verified_by)
    order.facts = {
        "workOrder": order.id,
        "number": order.number,
        "kind": kind,
        "subject": {"kind": subject.kind, "id": subject.id, "label": subject.label},
        "title": {"zh": order.title_zh, "en": order.title_en},
        "doer": doer.as_json(),
        "verifier": verified_by.as_json() if verified_by is not None else None,
        "dueAt": due_at.isoformat(),
        "checklist": [item.as_json() for item in items],
        "interim": interim.strip(),
        "cause": {"kind": cause.kind, "id": cause.id, "label": cause.label} if cause is not None else None,
        "facts": dict(facts or {}),
        "openedBy": order.opened_by,
        "openedAt": uow.now.isoformat(),
    }
    order.facts_sha256 = hash_of(order.facts)
    uow.session.add(order)
    uow.session.flush()
    service.add_attempt(uow, order, due_at)
    service.record(uow, order, "work-order-opened", facts=order.facts_sha256, due_at=due_at.isoformat())
    outbox.publish(
        uow,
        messages.WORK_ORDER_OPENED,
        order.id,
        application_id=None,
        subject=service.process_subject(order),
        message_id=f"{messages.WORK_ORDER_OPENED}:{order.id}",
        variables={"workOrderId": order.id},
    )
    service.tell_doers(uow, order, "work-order-opened")
    return order


def open_defect(uow: UnitOfWork, defect: str) -> WorkOrder:
    """Open the work order of a part of the daily maintenance that fails; one while it is open, however often it fails.

    Raises KeyError for a part that there is not.
    """
    named = get_label(defect)
    of_defect = select(WorkOrder).where(WorkOrder.subject_kind == DEFECT, WorkOrder.subject_id == defect)
    # one that somebody has opened by hand, for whomever they chose, does not stand for the system's own
    own = WorkOrder.closed_at.is_(None), WorkOrder.opened_by.is_(None)
    existing = uow.session.scalar(of_defect.where(*own).limit(1))
    if existing is not None:
        return existing
    return open_work_order(
        uow,
        DEFECT,
        Subject(DEFECT, defect, f"{named.zh} {named.en}"),
        key=f"{DEFECT}:{defect}:{uow.now.isoformat()}",
        doer=Role("storage-operator", department_kind="storage"),
        by_system=True,
    )


def require_may_open(uow: UnitOfWork, kind: str) -> None:
    """Raise Refused unless the actor may open work orders of this kind by hand."""
    service.find_kind(kind)
    if not policy.opens(access_queries.load_directory(uow), str(uow.actor.id), kind):
        raise Refused(
            "not-an-opener",
            "Only the head of Security and the supervision group can open this, and the storage office what is about "
            "its devices and sites: ask one of them.",
            status=403,
        )


def _new(uow: UnitOfWork, kind: Kind, subject: Subject, *, key: str, title: Text | None, due_at: datetime) -> WorkOrder:
    called = name_subject(subject.id, subject.label)
    named = title if title is not None else Bilingual(f"{kind.zh}：{called.zh}", f"{kind.en}: {called.en}")
    return WorkOrder(
        id=new_id(),
        number=document_service.next_number(uow, kind.code),
        key=key,
        kind=kind.code,
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_label=subject.label,
        title_zh=named.zh,
        title_en=named.en,
        opened_at=uow.now,
        attempt=1,
        due_at=due_at,
        escalations=0,
    )


def _set_roles(order: WorkOrder, doer: Role, verifier: Role | None) -> None:
    service.set_doer(order, doer)
    if verifier is not None:
        order.verifier_id, order.verifier_post = verifier.person_id, verifier.post
        order.verifier_department_id = verifier.department_id
        order.verifier_department_kind = verifier.department_kind
