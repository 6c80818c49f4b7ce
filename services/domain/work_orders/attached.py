"""Who may read and add the attachments of a work order: who sees it reads them, and who has a part in it adds them.

What is added belongs to the work order at once: the doer signs over what is there, and so does the verifier.
"""

from sqlalchemy import or_, select

from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import work_orders
from services.domain.attachments.subjects import Reading, Subject
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message


def read(uow: UnitOfWork, work_order_id: str) -> Reading:
    """Who may see the work order reads its attachments; NotFound for everybody else."""
    seen = select(WorkOrder).where(WorkOrder.id == work_order_id, work_orders.is_seen(uow))
    order = uow.session.scalar(seen)
    if order is None:
        raise NotFound(Message("work order"), work_order_id)
    return Reading(application_id=None, edits=False, draft=False, identity_cards=False, refusal=_refusal(uow, order))


def is_over(uow: UnitOfWork, work_order_id: str) -> bool:
    """Return whether its process waits for nothing more. A cancelled one is still told so."""
    order = uow.session.get_one(WorkOrder, work_order_id)
    return order.closed_at is not None and order.closed_as != "cancelled"


def _refusal(uow: UnitOfWork, order: WorkOrder) -> Refused | None:
    if order.closed_at is not None:
        return Refused("attachment-closed", "The work order is closed: attachments cannot be added.")
    parts = or_(work_orders.is_of_doer(uow), work_orders.is_of_verifier(uow), WorkOrder.opened_by == uow.actor.id)
    if uow.session.scalar(select(WorkOrder.id).where(WorkOrder.id == order.id, parts)) is None:
        return Refused(
            "attachment-no-part",
            "Only the doer, the verifier and the opener of the work order can add attachments: give the "
            "file to one of them.",
            status=403,
        )
    return None


def _lock(uow: UnitOfWork, work_order_id: str) -> None:
    uow.session.get(WorkOrder, work_order_id, with_for_update=True, populate_existing=True)


def _changed(uow: UnitOfWork, work_order_id: str) -> None:
    """What is added to a work order changes no form."""


SUBJECT = Subject(read=read, lock=_lock, changed=_changed)
