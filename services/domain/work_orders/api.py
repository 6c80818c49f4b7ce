"""Serve work orders and schedules as JSON."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from services.database.base import new_id
from services.database.listing import Listing
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.http import signed
from services.domain.work_orders import downloads, opening, queries, schedules, service
from services.domain.work_orders.downloads import Account
from services.domain.work_orders.kinds import Item
from services.domain.work_orders.opening import Cause, Subject
from services.domain.work_orders.roles import Role
from services.domain.work_orders.schedules import Values
from services.domain.work_orders.schemas import (
    CancelBody,
    DoneBody,
    DownloadAccountBody,
    DownloadAccountsBody,
    ItemBody,
    RoleBody,
    ScheduleBody,
    SchedulesAnswer,
    ScheduleValues,
    VerdictBody,
    WorkOrderBody,
    WorkOrdersAnswer,
    WorkOrdersQuestion,
    WorkOrderView,
)
from services.domain.work_orders.service import Answered, Done, Verdict
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Code, Identifier

router = APIRouter(prefix="/api", tags=["work orders"])


@router.get("/work-orders", responses=problems(401, 422))
async def list_work_orders(
    actor: Acting, database: GivenDatabase, asked: Annotated[WorkOrdersQuestion, Query()]
) -> WorkOrdersAnswer:
    """List the work orders that you may see, the first due first."""
    listing = Listing(asked.text, "due", limit=asked.limit, place=asked.place)
    page = await database.read(
        actor, queries.read, listing, whose=asked.whose, state=asked.state, kind=asked.kind, subject=asked.subject
    )
    return WorkOrdersAnswer(work_orders=page.lines, next=page.next, previous=page.previous)


@router.post("/work-orders", status_code=201, responses=problems(401, 403, 404, 409, 422))
async def open_work_order(actor: Acting, body: WorkOrderBody, database: GivenDatabase) -> WorkOrderView:
    """Open a work order by hand, such as a corrective action or the service of a device."""

    def run(uow: UnitOfWork) -> WorkOrderView:
        return queries.get(uow, open_by_hand(uow, body))

    return await database.run(actor, run)


@router.get("/work-orders/{work_order_id}", responses=problems(401, 404))
async def read_work_order(work_order_id: Identifier, actor: Acting, database: GivenDatabase) -> WorkOrderView:
    """Return one work order; reading it is an event."""
    return await database.read(actor, queries.get, work_order_id)


@router.post("/work-orders/{work_order_id}/done", responses=signed(401, 403, 404, 409, 422))
async def do_work_order(
    work_order_id: Identifier, body: DoneBody, actor: Acting, database: GivenDatabase
) -> WorkOrderView:
    """Sign the checklist as who does it, once for each attempt."""

    def run(uow: UnitOfWork) -> WorkOrderView:
        service.done(uow, work_order_id, said_of(body), body.proof())
        uow.session.flush()
        return queries.get(uow, work_order_id)

    return await database.run(actor, run)


@router.post("/work-orders/{work_order_id}/downloads", responses=signed(401, 403, 404, 409, 422))
async def account_for_downloads(
    work_order_id: Identifier, body: DownloadAccountsBody, actor: Acting, database: GivenDatabase
) -> WorkOrderView:
    """Say what became of each download of a loan that has ended, and sign it as who does the work order."""

    def run(uow: UnitOfWork) -> WorkOrderView:
        downloads.account(uow, work_order_id, accounts_of(body.downloads), said_of(body), body.proof())
        uow.session.flush()
        return queries.get(uow, work_order_id)

    return await database.run(actor, run)


@router.post("/work-orders/{work_order_id}/verify", responses=signed(401, 403, 404, 409, 422))
async def verify_work_order(
    work_order_id: Identifier, body: VerdictBody, actor: Acting, database: GivenDatabase
) -> WorkOrderView:
    """Verify what was done, or have it done again; never who did it."""

    def run(uow: UnitOfWork) -> WorkOrderView:
        service.verify(uow, work_order_id, verdict_of(body), body.proof())
        uow.session.flush()
        return queries.get(uow, work_order_id)

    return await database.run(actor, run)


@router.post("/work-orders/{work_order_id}/cancel", responses=problems(401, 403, 404, 409, 422))
async def cancel_work_order(
    work_order_id: Identifier, body: CancelBody, actor: Acting, database: GivenDatabase
) -> WorkOrderView:
    """Cancel a work order with a reason: of who opened it, and who oversees all of them."""

    def run(uow: UnitOfWork) -> WorkOrderView:
        service.cancel(uow, work_order_id, body.because)
        uow.session.flush()
        return queries.get(uow, work_order_id)

    return await database.run(actor, run)


@router.get("/schedules", responses=problems(401, 403))
async def list_schedules(actor: Acting, database: GivenDatabase) -> SchedulesAnswer:
    """List the schedules of work orders, for administrators, the head of Security and supervisors."""
    return SchedulesAnswer(schedules=await database.read(actor, queries.list_schedules))


@router.put("/schedules/{schedule_code}", responses=problems(401, 403, 404, 409, 422))
async def change_schedule(
    schedule_code: Code, body: ScheduleBody, actor: Acting, database: GivenDatabase
) -> SchedulesAnswer:
    """Change a schedule as an administrator, once a second person has confirmed it."""

    def run(uow: UnitOfWork) -> SchedulesAnswer:
        schedules.change_schedule(uow, schedule_code, values_of(body.value), body.reason, was=values_of(body.was))
        return SchedulesAnswer(schedules=queries.list_schedules(uow))

    return await database.run(actor, run)


def open_by_hand(uow: UnitOfWork, body: WorkOrderBody) -> str:
    """Open what was asked for, as who may; return its id."""
    opening.require_may_open(uow, body.kind)
    order = opening.open_work_order(
        uow,
        body.kind,
        Subject(body.subject_kind, body.subject_id, body.subject_label),
        key=f"by-hand:{new_id()}",
        doer=role_of(body.doer, "doer"),
        title=Bilingual(body.title, body.title) if body.title else None,
        due_at=body.due_at,
        checklist=items_given(body.checklist),
        interim=body.interim,
        cause=Cause("reason", "", body.reason),
        verifier=role_of(body.verifier, "verifier") if body.verifier is not None else "usual",
    )
    uow.session.flush()
    return order.id


def role_of(body: RoleBody, field: str) -> Role:
    """Read a role; Refused unless it is a person or a post."""
    try:
        return Role(body.post, body.department_id, body.department_kind, body.person_id)
    except ValueError:
        raise Refused("role", "Choose a person or a post.", status=422, field=field) from None


def values_of(body: ScheduleValues) -> Values:
    """Read the values of a schedule."""
    doer = role_of(body.doer, "doer") if body.doer is not None else None
    verifier = role_of(body.verifier, "verifier") if body.verifier is not None else None
    return Values(body.every, doer, verifier, body.active, items_given(body.checklist), body.days)


def items_given(given: Sequence[ItemBody] | None) -> tuple[Item, ...] | None:
    """Read the questions of a checklist; None where it is left out."""
    return tuple(Item(item.code, item.zh, item.en) for item in given) if given is not None else None


def said_of(body: DoneBody) -> Done:
    """Read what the doer says."""
    return Done({code: Answered(given.answer, given.note) for code, given in body.answers.items()}, body.note)


def accounts_of(said: Sequence[DownloadAccountBody]) -> list[Account]:
    """Read what the doer says of each download."""
    return [Account(one.download_id, one.fate, one.medium, one.how, one.happened_at, one.witness_id) for one in said]


def verdict_of(body: VerdictBody) -> Verdict:
    """Read what the verifier decides."""
    return Verdict(body.outcome, body.answers, body.reason, body.due_at)
