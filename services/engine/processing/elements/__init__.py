"""One processor for each element type."""

from collections.abc import Mapping

from services.engine.model.bpmn import Kind
from services.engine.processing.elements.business_rule_task import BusinessRuleTask
from services.engine.processing.elements.call_activity import CallActivity
from services.engine.processing.elements.catch_event import BoundaryEvent, CatchEvent, StartEvent
from services.engine.processing.elements.end_event import EndEvent
from services.engine.processing.elements.event_based_gateway import EventBasedGateway
from services.engine.processing.elements.gateway import ExclusiveGateway, InclusiveGateway, ParallelGateway
from services.engine.processing.elements.job_task import JobTask
from services.engine.processing.elements.multi_instance import MultiInstanceBody
from services.engine.processing.elements.pass_through import PassThrough
from services.engine.processing.elements.process import EventSubprocess, ProcessScope, Subprocess
from services.engine.processing.elements.receive_task import ReceiveTask
from services.engine.processing.elements.script_task import ScriptTask
from services.engine.processing.elements.throw_event import ThrowEvent
from services.engine.processing.work import Processor

PROCESSORS: Mapping[str, Processor] = {
    Kind.PROCESS: ProcessScope(),
    Kind.SUB_PROCESS: Subprocess(),
    Kind.EVENT_SUB_PROCESS: EventSubprocess(),
    Kind.CALL_ACTIVITY: CallActivity(),
    Kind.MULTI_INSTANCE_BODY: MultiInstanceBody(),
    Kind.SERVICE_TASK: JobTask(),
    Kind.SEND_TASK: JobTask(),
    Kind.USER_TASK: JobTask(),
    Kind.RECEIVE_TASK: ReceiveTask(),
    Kind.SCRIPT_TASK: ScriptTask(),
    Kind.BUSINESS_RULE_TASK: BusinessRuleTask(),
    Kind.MANUAL_TASK: PassThrough(),
    Kind.TASK: PassThrough(),
    Kind.EXCLUSIVE_GATEWAY: ExclusiveGateway(),
    Kind.PARALLEL_GATEWAY: ParallelGateway(),
    Kind.INCLUSIVE_GATEWAY: InclusiveGateway(),
    Kind.EVENT_BASED_GATEWAY: EventBasedGateway(),
    Kind.START_EVENT: StartEvent(),
    Kind.INTERMEDIATE_CATCH_EVENT: CatchEvent(),
    Kind.INTERMEDIATE_THROW_EVENT: ThrowEvent(),
    Kind.BOUNDARY_EVENT: BoundaryEvent(),
    Kind.END_EVENT: EndEvent(),
}
