"""Work orders on the engine: done and verified, done again by a new date, overdue, not to be verified, cancelled."""

from datetime import timedelta

import pytest
from case_people import CUSTODIAN, People

from services.database.tables.documents import Document
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.given import Proof
from services.domain.work_orders import opening, service
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import Role
from services.domain.work_orders.service import Answered, Done, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.zeebe]

DAYS = 7  # until the service of a device is due


async def opened(desk: People, *, verified: bool = True) -> str:
    def act(uow: UnitOfWork) -> str:
        return opening.open_work_order(
            uow,
            "device-service",
            Subject("recorder", "one", "一号录像机"),
            key="one",
            doer=Role(person_id=demo_id(CUSTODIAN)),
            verifier=Role("head", department_kind="security") if verified else None,
            by_system=True,
        ).id

    work_order_id = str(await desk.as_person(CUSTODIAN, act))
    await desk.until(lambda _: desk.rows(WorkOrder)[0].process_instance_key, "the start of the work order")
    return work_order_id


async def done(desk: People, work_order_id: str) -> None:
    order = desk.rows(WorkOrder)[0]
    said = Done({item["code"]: Answered("yes") for item in order.facts["checklist"]})
    proof = Proof(order.facts_sha256, f"demo-{CUSTODIAN}")
    await desk.as_person(CUSTODIAN, service.done, work_order_id, said, proof)


async def verified(desk: People, work_order_id: str, outcome: str, **values: str) -> None:
    def asked(uow: UnitOfWork) -> WorkOrderAttempt | None:
        return uow.session.query(WorkOrderAttempt).filter(
            WorkOrderAttempt.review_id.is_not(None), WorkOrderAttempt.outcome.is_(None)
        ).one_or_none()  # fmt: skip

    await desk.until(asked, "the verification")
    [head] = desk.look(lambda uow: access_queries.load_directory(uow).holders_in("security", "head"))
    login = desk.rows(Person, id=head)[0].login
    verdict = Verdict(outcome, {"on-site": True, "met": outcome == "verified"}, values.get("reason", ""))
    proof = Proof(desk.rows(WorkOrder)[0].facts_sha256, f"demo-{login}")
    await desk.as_person(login, service.verify, work_order_id, verdict, proof)


async def ended(desk: People, closed_as: str) -> None:
    await desk.until(lambda _: desk.rows(WorkOrder)[0].closed_at, "the end of the work order")
    assert desk.rows(WorkOrder)[0].closed_as == closed_as
    await desk.quiet()
    assert not desk.trace.incidents


@pytest.mark.requirement("R53")
@pytest.mark.requirement("R64")
async def test_what_is_done_again_has_its_own_dates_and_is_closed_once_it_is_verified(desk: People) -> None:
    work_order_id = await opened(desk)
    await desk.turn(days=DAYS - 1, hours=1)
    await desk.until(lambda _: desk.rows(Notice, code="work-order-reminder"), "the reminder")
    await done(desk, work_order_id)
    await verified(desk, work_order_id, "again", reason="未附照片")

    await desk.until(lambda _: desk.rows(WorkOrder)[0].attempt == 2, "the second attempt")
    await desk.quiet()
    assert not desk.rows(Notice, code="work-order-overdue"), "the old due date counts no more"
    assert desk.rows(WorkOrder)[0].due_at > desk.clock.now() + timedelta(days=DAYS - 1)
    await desk.turn(days=DAYS, hours=1)
    await desk.until(lambda _: desk.rows(Notice, code="work-order-overdue"), "the escalation")
    await desk.turn(days=7)
    await desk.until(lambda _: desk.rows(WorkOrder)[0].finding_due_at, "the second escalation")

    await done(desk, work_order_id)
    await verified(desk, work_order_id, "verified")

    await ended(desk, "done")
    assert [row.number for row in desk.rows(Document, kind="device-service")] == [desk.rows(WorkOrder)[0].number]


@pytest.mark.requirement("R47")
async def test_what_nobody_verifies_is_closed_once_it_is_done(desk: People) -> None:
    work_order_id = await opened(desk, verified=False)

    await done(desk, work_order_id)

    await ended(desk, "done")


@pytest.mark.requirement("R64")
async def test_what_is_cancelled_waits_for_nobody(desk: People) -> None:
    work_order_id = await opened(desk)
    await done(desk, work_order_id)

    await desk.as_person(CUSTODIAN, service.cancel, work_order_id, "对象已停用", by_system=True)

    await ended(desk, "cancelled")
    assert not desk.rows(Document, kind="device-service")
