"""Who may see a work order: who does, verifies or opened it, and those who watch over the work (R62, R64).

One of a case that concerns a person is hidden from them as the case is, unless it asks them by name (T8): by a post
they neither do nor verify it. Administrators change schedules and read no work order.
"""

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, false, or_, select

from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.people import Person
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy, queries, visibility
from services.domain.access.directory import LEADERS, Directory

TECHNICAL = (
    "defect",
    "difference",
    "device-service",
    "clock-check",
    "kept-days-check",
    "view-check",
    "site-check",
    "restore-drill",
    "escrow-drill",
)


def may_read_all(directory: Directory, person_id: str) -> bool:
    """Return whether the person may see all work orders but those of cases that concern them."""
    sees = directory.holds(person_id, "supervisor", "security-reviewer") or directory.holds_in(
        person_id, "security", *LEADERS
    )
    return sees and person_id not in directory.administrators


def is_seen(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition on ``WorkOrder`` that the acting person may see it."""
    me, directory = uow.actor.id, queries.load_directory(uow)
    if uow.actor.kind != "person" or me in directory.administrators:
        return false()
    unconcerned = or_(
        WorkOrder.application_id.is_(None),
        WorkOrder.application_id.not_in(select(Application.id).where(visibility.concerns(me))),
    )
    acted = select(WorkOrderAttempt.work_order_id).where(WorkOrderAttempt.done_by == me)
    verified = select(WorkOrderAttempt.work_order_id).where(WorkOrderAttempt.verified_by == me)
    parts = [
        WorkOrder.doer_id == me,
        and_(unconcerned, or_(is_of_doer(uow), is_of_verifier(uow))),
        WorkOrder.opened_by == me,
        WorkOrder.id.in_(acted),
        WorkOrder.id.in_(verified),
    ]
    if may_read_all(directory, me):
        parts.append(unconcerned)
    if directory.holds(me, "storage-operator") or directory.holds_in(me, "storage", *LEADERS):
        parts.append(WorkOrder.kind.in_(TECHNICAL))
    if led := policy.led_departments(directory, me):
        people = select(Person.id).where(Person.department_id.in_(led))
        parts.append(and_(unconcerned, or_(WorkOrder.doer_department_id.in_(led), WorkOrder.doer_id.in_(people))))
    return or_(*parts)


def is_of_doer(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition that the acting person is the doer of the work order, or holds the doer's post."""
    return or_(
        WorkOrder.doer_id == uow.actor.id,
        *_by_post(uow, WorkOrder.doer_post, WorkOrder.doer_department_id, WorkOrder.doer_department_kind),
    )


def is_of_verifier(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition that the acting person is the verifier of the work order, or holds the verifier's post."""
    return or_(
        WorkOrder.verifier_id == uow.actor.id,
        *_by_post(uow, WorkOrder.verifier_post, WorkOrder.verifier_department_id, WorkOrder.verifier_department_kind),
    )


def sees_document(uow: UnitOfWork, document: Document) -> bool:
    """Return whether the acting person may see the work order that the document is of."""
    query = select(WorkOrder.id).where(WorkOrder.id == document.subject_id, is_seen(uow))
    return uow.session.scalar(query) is not None


def _by_post(
    uow: UnitOfWork,
    post: SQLColumnExpression[str | None],
    department: SQLColumnExpression[str | None],
    kind: SQLColumnExpression[str | None],
) -> list[ColumnElement[bool]]:
    """Return a condition for each post of the actor; a deputy reads what the head has to do."""
    directory = queries.load_directory(uow)
    conditions = []
    for held in directory.posts_of(str(uow.actor.id)):
        names = ["head", "deputy"] if held.kind == "deputy" else [held.kind]
        of_kind = directory.departments[held.department_id].kind
        conditions.append(
            and_(
                post.in_(names),
                or_(
                    department == held.department_id,
                    and_(department.is_(None), kind == of_kind),
                    and_(department.is_(None), kind.is_(None)),
                ),
            )
        )
    return conditions
