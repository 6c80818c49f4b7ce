"""Work orders and schedules as people see them: lists, one with all of it, and what a subject has (R62, R64)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from services.database.due_rows import due_columns
from services.database.keyset import Page, Section, page_of
from services.database.listing import EVERYTHING, Listing
from services.database.tables.documents import Document
from services.database.tables.people import Department
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import work_orders as visibility
from services.domain.audit import trail as audit_trail
from services.domain.work_orders import downloads, fitness, policy, schedules, service
from services.domain.work_orders.kinds import ACTED_ON, KINDS, name_subject
from services.domain.work_orders.roles import Role
from services.domain.work_orders.schemas import (
    AttemptView,
    GivenAnswer,
    ItemView,
    RoleView,
    ScheduleView,
    WaitingWorkOrder,
    WorkOrderLine,
    WorkOrderView,
)
from services.runtime.errors import NotFound
from services.runtime.labels import word
from services.runtime.translations import Bilingual, Message

OPEN, TO_VERIFY, OVERDUE = "open", "to-verify", "overdue"
MINE, VERIFY, WAITING = "mine", "verify", "waiting"


def read(
    uow: UnitOfWork,
    listing: Listing = EVERYTHING,
    *,
    whose: str = "",
    state: str = "",
    kind: str = "",
    subject: str = "",
) -> Page[WorkOrderLine]:
    """Read a page of the work orders that the actor sees, the first due first; searched in numbers and titles."""
    query = _select().where(
        visibility.is_seen(uow),
        listing.mentioned(WorkOrder.number, WorkOrder.title_zh, WorkOrder.title_en, WorkOrder.subject_label),
    )
    under_way = WorkOrder.closed_at.is_(None)
    if whose == MINE:
        query = query.where(_is_mine(uow))
    elif whose == VERIFY:
        query = query.where(_is_mine_to_verify(uow))
    elif whose == WAITING:
        query = query.where(or_(_is_mine(uow), _is_mine_to_verify(uow)))
    elif whose == OVERDUE:
        query = query.where(under_way, WorkOrderAttempt.done_at.is_(None), WorkOrder.due_at <= uow.now)
    if state:
        query = query.where(under_way if state == OPEN else WorkOrder.closed_at.is_not(None))
    if kind:
        query = query.where(WorkOrder.kind == kind)
    if subject:
        query = query.where(WorkOrder.subject_kind == subject)
    by_id = WorkOrder.id.expression
    by: dict[str, ColumnElement[Any]] = {
        "opened": WorkOrder.opened_at.expression,
        "number": WorkOrder.number.expression,
        "due": WorkOrder.due_at.expression,
    }
    page = page_of(uow.session, query, (Section((by.get(listing.sort, by["due"]), by_id)),), listing)
    return page.showing(_lines(uow, page.lines))


def list_waiting(uow: UnitOfWork, limit: int) -> tuple[list[WaitingWorkOrder], int]:
    """List the work orders that the actor has to do or to verify, the first due first, and count them all.

    One statement for both.
    """
    due_at = _waits_until(uow)
    query = (
        _select_waiting(uow)
        .with_only_columns(WorkOrder, due_at, case((_is_mine_to_verify(uow), 1), else_=0), func.count().over())
        .order_by(due_at, WorkOrder.id)
        .limit(limit)
    )
    rows = uow.session.execute(query).all()
    lines = [
        WaitingWorkOrder(
            id=order.id,
            number=order.number,
            kind_zh=KINDS[order.kind].zh,
            kind_en=KINDS[order.kind].en,
            subject_label=order.subject_label,
            subject_zh=(called := _name_subject(order)).zh,
            subject_en=called.en,
            due_at=until,
            to_verify=bool(verifies),
        )
        for order, until, verifies, _ in rows
    ]
    return lines, rows[0][3] if rows else 0


def select_waiting_due(uow: UnitOfWork) -> Select[*tuple[Any, ...]]:
    """Select what ``list_waiting`` lists, as ``cases.due_dates`` reads it."""
    kind = case((_is_mine_to_verify(uow), "work-order-verification"), else_="work-order")
    columns = due_columns(kind, WorkOrder.id, WorkOrder.number, _waits_until(uow))
    return _select_waiting(uow).with_only_columns(*columns)


def _select_waiting(uow: UnitOfWork) -> Select[*tuple[Any, ...]]:
    return (
        select(WorkOrder)
        .join(WorkOrderAttempt, _present())
        # said once more for the whole, so that the open ones are read by their index, and not all attempts
        .where(WorkOrder.closed_at.is_(None), visibility.is_seen(uow), or_(_is_mine(uow), _is_mine_to_verify(uow)))
    )


def _waits_until(uow: UnitOfWork) -> ColumnElement[datetime]:
    """Build until when a work order waits for the actor: a term of its own for who has to verify it."""
    verified = func.coalesce(WorkOrderAttempt.verify_until, WorkOrder.due_at)
    return case((_is_mine_to_verify(uow), verified), else_=WorkOrder.due_at)


def select_due(uow: UnitOfWork) -> Select[*tuple[Any, ...]]:
    """Select the work orders that the actor sees and that are not done yet, as ``cases.due_dates`` reads them."""
    return (
        select(*due_columns("work-order", WorkOrder.id, WorkOrder.number, WorkOrder.due_at, own=False))
        .join(WorkOrderAttempt, _present())
        .where(visibility.is_seen(uow), WorkOrder.closed_at.is_(None), WorkOrderAttempt.done_at.is_(None))
    )


def list_of_subject(uow: UnitOfWork, subject_kind: str, subject_id: str) -> list[WorkOrderLine]:
    """List the newest work orders about a subject whose page the actor sees, at most 50."""
    query = _select().where(WorkOrder.subject_kind == subject_kind, WorkOrder.subject_id == subject_id)
    rows = uow.session.execute(query.order_by(WorkOrder.opened_at.desc(), WorkOrder.id).limit(50)).all()
    return _lines(uow, rows)


def list_without_finding(uow: UnitOfWork, limit: int = 200) -> list[WorkOrder]:
    """List the work orders that no report of an inspection names yet: overdue twice, or with a custodian's no."""
    query = select(WorkOrder).where(WorkOrder.finding_due_at.is_not(None), WorkOrder.finding_id.is_(None))
    return list(uow.session.scalars(query.order_by(WorkOrder.finding_due_at, WorkOrder.id).limit(limit)))


def count_open(uow: UnitOfWork) -> tuple[Mapping[str, int], int]:
    """Count the open work orders by kind, and those that are overdue; one statement."""
    overdue = func.sum(case((and_(WorkOrderAttempt.done_at.is_(None), WorkOrder.due_at <= uow.now), 1), else_=0))
    query = (
        select(WorkOrder.kind, func.count(), overdue)
        .join(WorkOrderAttempt, _present())
        .where(WorkOrder.closed_at.is_(None))
        .group_by(WorkOrder.kind)
    )
    rows = uow.session.execute(query).all()
    return {kind: number for kind, number, _ in rows}, sum(int(late) for _, _, late in rows)


def get(uow: UnitOfWork, work_order_id: str) -> WorkOrderView:
    """Return one work order; NotFound for who may not see it. Reading it is an event."""
    row = uow.session.execute(_select().where(WorkOrder.id == work_order_id, visibility.is_seen(uow))).one_or_none()
    if row is None:
        raise NotFound(Message("work order"), work_order_id)
    order: WorkOrder = row[0]
    audit_trail.record(uow, "work-order-read", service.SUBJECT_KIND, order.id, application_id=order.application_id)
    query = select(WorkOrderAttempt).where(WorkOrderAttempt.work_order_id == order.id)
    attempts = uow.session.scalars(query.order_by(WorkOrderAttempt.attempt)).all()
    present = attempts[-1]
    people = {
        person
        for each in attempts
        for person in (each.done_by, each.stands_in_for, each.verified_by, each.verifier_stands_in_for)
    }
    directory, me = access_queries.load_directory(uow), str(uow.actor.id)
    parts = service.parts_of(uow, order)
    waits = order.closed_at is None and present.review_id is not None and present.outcome is None
    late = present.verification_escalated_at is not None
    verifying = policy.verifiers(directory, service.verifier_of(order), parts, late=late) if waits else []
    names = access_queries.get_names(uow, {*people, order.opened_by, *verifying})
    [line] = _lines(uow, [row])
    verifier = _words(uow, [service.verifier_of(order)])[0] if order.is_verified else None
    cause = order.facts["cause"] or {}
    undone = order.closed_at is None and present.done_at is None
    doer = service.doer_of(order)
    unfit = fitness.barred_from(uow, order, doer)
    refusal = policy.doer_refusal(directory, doer, me, late=uow.now >= order.due_at, unfit=unfit)
    document = select(Document.number).where(Document.subject_id == order.id, Document.kind == order.kind)
    return WorkOrderView(
        **line.model_dump(),
        opened_by=names.get(order.opened_by or ""),
        verifier_zh=verifier.zh if verifier else None,
        verifier_en=verifier.en if verifier else None,
        interim=order.facts["interim"],
        cause_kind=cause.get("kind"),
        cause_label=cause.get("label"),
        facts=order.facts["facts"],
        facts_sha256=order.facts_sha256,
        checklist=[ItemView(**item) for item in order.facts["checklist"]],
        attempts=[_attempt(order, each, names) for each in attempts],
        closed_because=order.closed_because,
        finding_due_at=order.finding_due_at,
        document=uow.session.scalar(document),
        application_id=order.application_id,
        downloads=downloads.list_accounted(uow, order),
        witnesses=downloads.list_witnesses(uow, order) if undone and refusal is None else [],
        may_do=undone and refusal is None,
        may_verify=waits and service.refusal_to_verify(uow, order, present) is None,
        may_cancel=order.closed_at is None
        and policy.cancels(directory, doer, me, parts)
        and not service.ends_when_done(uow, order),
        who_can_verify=[names[person] for person in verifying if person in names],
    )


def list_schedules(uow: UnitOfWork) -> list[ScheduleView]:
    """List the schedules as they are in force, for who may read the set-up."""
    states = schedules.list_schedules(uow)
    roles = [role for state in states for role in (state.values.doer, state.values.verifier) if role is not None]
    words = dict(zip(map(_key, roles), _words(uow, roles), strict=True))
    return [
        ScheduleView(
            code=state.shipped.code,
            kind=state.shipped.kind.code,
            kind_zh=state.shipped.kind.zh,
            kind_en=state.shipped.kind.en,
            subject_kind=state.shipped.subject,
            every=state.values.every,
            doer=_role(state.values.doer, words),
            verifier=_role(state.values.verifier, words),
            checklist=[ItemView(**item.as_json()) for item in state.values.checklist or ()],
            kept_items=list(ACTED_ON.get(state.shipped.kind.code, ())),
            days=state.values.days or state.shipped.kind.days,
            active=state.values.active,
            next_due=state.next_due,
            changed_at=state.changed_at,
            changed_by=state.changed_by,
        )
        for state in states
    ]


def _select() -> Select[*tuple[Any, ...]]:
    return select(WorkOrder, WorkOrderAttempt).join(WorkOrderAttempt, _present())


def _present() -> ColumnElement[bool]:
    """Build the condition that joins a work order with its present attempt."""
    return and_(WorkOrderAttempt.work_order_id == WorkOrder.id, WorkOrderAttempt.attempt == WorkOrder.attempt)


def _is_mine(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition that the actor has to do it."""
    return and_(WorkOrder.closed_at.is_(None), WorkOrderAttempt.done_at.is_(None), visibility.is_of_doer(uow))


def _is_mine_to_verify(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition that the actor has to verify it."""
    return and_(WorkOrder.closed_at.is_(None), _waits_for_verifier(), visibility.is_of_verifier(uow), ~_done_by_me(uow))


def _waits_for_verifier() -> ColumnElement[bool]:
    return and_(WorkOrderAttempt.review_id.is_not(None), WorkOrderAttempt.outcome.is_(None))


def _done_by_me(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition that the actor has done or opened it, and so does not verify it."""
    me = uow.actor.id
    return or_(
        WorkOrderAttempt.done_by == me,
        func.coalesce(WorkOrder.doer_id, "") == me,
        func.coalesce(WorkOrder.opened_by, "") == me,
    )


def _state(uow: UnitOfWork, order: WorkOrder, attempt: WorkOrderAttempt) -> str:
    if order.closed_as is not None:
        return order.closed_as
    if attempt.done_at is not None:
        return TO_VERIFY
    return OVERDUE if order.due_at <= uow.now else OPEN


def _lines(uow: UnitOfWork, rows: Sequence[Any]) -> list[WorkOrderLine]:
    orders = [(row[0], row[1]) for row in rows]
    words = _words(uow, [service.doer_of(order) for order, _ in orders])
    return [
        WorkOrderLine(
            id=order.id,
            number=order.number,
            kind=order.kind,
            kind_zh=KINDS[order.kind].zh,
            kind_en=KINDS[order.kind].en,
            title_zh=order.title_zh,
            title_en=order.title_en,
            subject_kind=order.subject_kind,
            subject_id=order.subject_id,
            subject_label=order.subject_label,
            subject_zh=(called := _name_subject(order)).zh,
            subject_en=called.en,
            state=_state(uow, order, attempt),
            doer_zh=doer.zh,
            doer_en=doer.en,
            due_at=order.due_at,
            opened_at=order.opened_at,
            closed_at=order.closed_at,
            attempt=order.attempt,
        )
        for (order, attempt), doer in zip(orders, words, strict=True)
    ]


def _name_subject(order: WorkOrder) -> Bilingual:
    return name_subject(order.subject_id, order.subject_label, Bilingual(order.title_zh, order.title_en))


def _words(uow: UnitOfWork, roles: Sequence[Role]) -> list[Bilingual]:
    """Say who each role is, in at most two statements for all."""
    names = access_queries.get_names(uow, [role.person_id for role in roles])
    departments = _departments(uow, {role.department_id for role in roles if role.department_id is not None})
    return [_word(role, names, departments) for role in roles]


def _word(role: Role, names: Mapping[str, str], departments: Mapping[str, Department]) -> Bilingual:
    if role.person_id is not None:
        name = names.get(role.person_id, role.person_id)
        return Bilingual(name, name)
    zh, en = word("zh", str(role.post)), word("en", str(role.post))
    department = departments.get(role.department_id or "")
    if department is not None:
        return Bilingual(f"{department.name_zh} {zh}", f"{department.name_en}: {en}")
    if role.department_kind is not None:
        of_kind = f"department-{role.department_kind}"
        return Bilingual(f"{word('zh', of_kind)} {zh}", f"{word('en', of_kind)}: {en}")
    return Bilingual(zh, en)


def _departments(uow: UnitOfWork, ids: Collection[str]) -> dict[str, Department]:
    if not ids:
        return {}
    return {row.id: row for row in uow.session.scalars(select(Department).where(Department.id.in_(ids)))}


def _key(role: Role) -> tuple[str | None, ...]:
    return (role.post, role.department_id, role.department_kind, role.person_id)


def _role(role: Role | None, words: Mapping[tuple[str | None, ...], Bilingual]) -> RoleView | None:
    if role is None:
        return None
    said = words[_key(role)]
    return RoleView(
        post=role.post, department_id=role.department_id, department_kind=role.department_kind, zh=said.zh, en=said.en
    )


def _attempt(order: WorkOrder, attempt: WorkOrderAttempt, names: Mapping[str, str]) -> AttemptView:
    given = attempt.answers or {}
    return AttemptView(
        attempt=attempt.attempt,
        due_at=attempt.due_at,
        done_by=names.get(attempt.done_by or ""),
        stands_in_for=names.get(attempt.stands_in_for or ""),
        done_at=attempt.done_at,
        answers=[
            GivenAnswer(zh=item["zh"], en=item["en"], **given[item["code"]])
            for item in order.facts["checklist"]
            if item["code"] in given
        ],
        note=attempt.note,
        verify_until=attempt.verify_until,
        verified_by=names.get(attempt.verified_by or ""),
        verifier_stands_in_for=names.get(attempt.verifier_stands_in_for or ""),
        verified_at=attempt.verified_at,
        outcome=attempt.outcome,
        reason=attempt.reason,
    )
