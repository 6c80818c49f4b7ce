"""An open case that the engine does not have is counted for an alert."""

from case_people import People
from pyzeebe.proto import gateway_pb2 as pb

from services.domain.process.instances import check_instances
from services.runtime import metrics
from services.runtime.channel import open_channel
from services.runtime.engine_client import PyzeebeEngineClient


async def test_a_case_whose_instance_is_gone_is_counted_until_it_is_closed(desk: People) -> None:
    waiting, stopped = await desk.apply("cam1"), await desk.apply("gate")
    for case in (waiting, stopped):
        await desk.reach(case, "security")
    channel = open_channel(desk.settings, desk.addresses.engine)
    client = PyzeebeEngineClient(channel)
    try:
        assert await check_instances(desk.database, client) == []

        key = desk.application(stopped).process_instance_key
        await desk.gateway.CancelProcessInstance(pb.CancelProcessInstanceRequest(processInstanceKey=key))
        assert await check_instances(desk.database, client) == [stopped]
        assert metrics.INSTANCE_REGISTRY.get_sample_value("footage_desk_cases_without_instance") == 1
    finally:
        await channel.close()
