"""An open case that the engine does not have is counted for an alert, and so is all else that a process leads."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from case_people import CUSTODIAN, People
from pyzeebe.proto import gateway_pb2 as pb
from test_inspections_at_work import LEADER, appointed
from urgent_case import call
from whole_matter import ask

from services.database.tables.applications import Application
from services.database.tables.inspections import GroupInspection
from services.database.tables.maintenance import ReconciliationFinding
from services.database.tables.matters import Matter
from services.database.tables.reviews import Review
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo.organisation import demo_id
from services.domain.custody import violations
from services.domain.process.instances import check_instances
from services.domain.supervision import service as inspections
from services.domain.work_orders import opening, service
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import Role
from services.runtime import metrics
from services.runtime.channel import open_channel
from services.runtime.engine_client import PyzeebeEngineClient
from services.workers.engine_comparison import EngineComparison

TABLES: tuple[type[Any], ...] = (Application, Matter, GroupInspection, WorkOrder)


@pytest.fixture
async def client(desk: People) -> AsyncIterator[PyzeebeEngineClient]:
    channel = open_channel(desk.settings, desk.addresses.engine)
    yield PyzeebeEngineClient(channel)
    await channel.close()


def counted(process: str) -> float | None:
    return metrics.INSTANCE_REGISTRY.get_sample_value("footage_desk_cases_without_instance", {"process": process})


async def cancel(desk: People, key: int | None) -> None:
    await desk.gateway.CancelProcessInstance(pb.CancelProcessInstanceRequest(processInstanceKey=key))


async def found(desk: People, client: PyzeebeEngineClient, day: str) -> list[tuple[str, str]]:
    """What a comparison with the engine finds."""
    actor = Actor("worker", "reconcile")
    await EngineComparison(desk.database, actor, day, client, desk.container.engine).compare()
    return [(row.kind, row.subject) for row in desk.rows(ReconciliationFinding) if row.last_day == day]


async def open_work_order(desk: People) -> None:
    def open_one(uow: UnitOfWork) -> None:
        doer = Role(person_id=demo_id(CUSTODIAN))
        opening.open_work_order(
            uow, "device-service", Subject("recorder", "one", "一号录像机"), key="one", doer=doer, by_system=True
        )

    await desk.as_person(CUSTODIAN, open_one)


async def test_a_case_whose_instance_is_gone_is_counted_until_it_is_closed(
    desk: People, client: PyzeebeEngineClient
) -> None:
    waiting, stopped = await desk.apply("cam1"), await desk.apply("gate")
    for case in (waiting, stopped):
        await desk.reach(case, "security")
    assert await check_instances(desk.database, client) == []

    await cancel(desk, desk.application(stopped).process_instance_key)
    assert await check_instances(desk.database, client) == [stopped]
    assert (counted("video-retrieval"), counted("matter")) == (1, 0)


async def test_a_work_order_whose_instance_is_gone_is_counted_until_it_is_cancelled(
    desk: People, client: PyzeebeEngineClient
) -> None:
    await open_work_order(desk)
    await desk.until(lambda _: desk.rows(WorkOrder)[0].process_instance_key, "the start of the work order")
    [order] = desk.rows(WorkOrder)
    assert await check_instances(desk.database, client) == []

    await cancel(desk, order.process_instance_key)
    assert await check_instances(desk.database, client) == [order.id]
    assert counted("work-order") == 1
    await desk.as_person(CUSTODIAN, service.cancel, order.id, "its process is gone", by_system=True)
    assert await check_instances(desk.database, client) == []
    assert counted("work-order") == 0


@pytest.mark.slow
@pytest.mark.requirement("R53")
async def test_each_kind_that_is_open_has_its_instance_and_is_missed_without_it(
    desk: People, client: PyzeebeEngineClient
) -> None:
    """Cases, matters of each process, an inspection and a work order: on the engine as their models have begun."""
    [period, *_] = await appointed(desk)
    await desk.as_person(LEADER, inspections.open_by_leader, period)
    await open_work_order(desk)
    called, urgent = await call(desk)
    lent = await desk.apply("gate", requested_use_days=5)
    loan = await desk.accept(lent)
    await ask(desk, lent, "extension", dueAt=(loan.due_at + timedelta(days=7)).isoformat())
    await ask(desk, lent, "problem", problem="wrong-camera")
    await desk.as_person(CUSTODIAN, violations.open_of_case, lent, "ghost-export", {})

    def begun(uow: UnitOfWork) -> bool:
        taken = [
            row.process_instance_key for table in TABLES for row in uow.session.query(table) if row.closed_at is None
        ]
        asked = uow.session.query(Review).filter_by(matter_id=urgent, closed_at=None).count()
        return taken.count(None) == asked == 1  # of the urgent retrieval, which waits for its release

    await desk.until(begun, "each process")
    await desk.quiet()
    await desk.turn(hours=1)
    await desk.quiet()
    assert await found(desk, client, "1") == []
    assert await check_instances(desk.database, client) == []

    review = desk.rows(Review, matter_id=urgent)[0]
    open_rows = {row.id: row for table in TABLES for row in desk.rows(table) if row.closed_at is None}
    for row in open_rows.values():
        if row.process_instance_key is not None:
            await cancel(desk, row.process_instance_key)
    assert set(await check_instances(desk.database, client)) == open_rows.keys() - {urgent}
    differences = await found(desk, client, "2")
    assert sorted(subject for _, subject in differences) == sorted(
        row.number for row in open_rows.values() if row.id != urgent
    )
    assert {kind for kind, _ in differences} == {
        f"{name}-without-instance" for name in ("case", "matter", "inspection", "work-order")
    }
    if desk.container.engine is None:  # a broker lists nothing, so that nobody can cancel what it asks from here
        return
    [asking] = [one.key for one in await desk.container.engine.instances(process="urgent-retrieval")]  # type: ignore[attr-defined]  # an engine's summary
    await cancel(desk, asking)
    assert urgent in await check_instances(desk.database, client)
    assert ("matter-without-instance", open_rows[urgent].number) in await found(desk, client, "3")

    await desk.until(lambda uow: uow.session.get_one(Review, review.id).closed_at, "the end of the question")
    assert urgent in await check_instances(desk.database, client)
    assert ("matter-without-instance", open_rows[urgent].number) in await found(desk, client, "4")
    assert called in open_rows
