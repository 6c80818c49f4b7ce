"""An open case that the engine does not have is counted for an alert, and so is all else that a process leads."""

from collections.abc import AsyncIterator

import pytest
from case_people import CUSTODIAN, People
from pyzeebe.proto import gateway_pb2 as pb

from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.domain.process.instances import check_instances
from services.domain.work_orders import service
from services.domain.work_orders.roles import Role
from services.domain.work_orders.service import Subject
from services.runtime import metrics
from services.runtime.channel import open_channel
from services.runtime.engine_client import PyzeebeEngineClient


@pytest.fixture
async def client(desk: People) -> AsyncIterator[PyzeebeEngineClient]:
    channel = open_channel(desk.settings, desk.addresses.engine)
    yield PyzeebeEngineClient(channel)
    await channel.close()


def counted() -> float | None:
    return metrics.INSTANCE_REGISTRY.get_sample_value("footage_desk_cases_without_instance")


async def cancel(desk: People, key: int | None) -> None:
    await desk.gateway.CancelProcessInstance(pb.CancelProcessInstanceRequest(processInstanceKey=key))


async def test_a_case_whose_instance_is_gone_is_counted_until_it_is_closed(
    desk: People, client: PyzeebeEngineClient
) -> None:
    waiting, stopped = await desk.apply("cam1"), await desk.apply("gate")
    for case in (waiting, stopped):
        await desk.reach(case, "security")
    assert await check_instances(desk.database, client) == []

    await cancel(desk, desk.application(stopped).process_instance_key)
    assert await check_instances(desk.database, client) == [stopped]
    assert counted() == 1


async def test_a_work_order_whose_instance_is_gone_is_counted_until_it_is_cancelled(
    desk: People, client: PyzeebeEngineClient
) -> None:
    def open_one(uow: UnitOfWork) -> None:
        doer = Role(person_id=demo_id(CUSTODIAN))
        service.open_work_order(
            uow, "device-service", Subject("recorder", "one", "一号录像机"), key="one", doer=doer, by_system=True
        )

    await desk.as_person(CUSTODIAN, open_one)
    await desk.until(lambda _: desk.rows(WorkOrder)[0].process_instance_key, "the start of the work order")
    [order] = desk.rows(WorkOrder)
    assert await check_instances(desk.database, client) == []

    await cancel(desk, order.process_instance_key)
    assert await check_instances(desk.database, client) == [order.id]
    assert counted() == 1
    await desk.as_person(CUSTODIAN, service.cancel, order.id, "its process is gone", by_system=True)
    assert await check_instances(desk.database, client) == []
    assert counted() == 0
