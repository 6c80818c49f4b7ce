"""One processor for each element type."""

from collections.abc import Mapping

from services.engine.model.bpmn import ElementKind
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
from services.engine.processing.execution import Processor

PROCESSORS: Mapping[str, Processor] = {
    ElementKind.PROCESS: ProcessScope(),
    ElementKind.SUB_PROCESS: Subprocess(),
    ElementKind.EVENT_SUB_PROCESS: EventSubprocess(),
    ElementKind.CALL_ACTIVITY: CallActivity(),
    ElementKind.MULTI_INSTANCE_BODY: MultiInstanceBody(),
    ElementKind.SERVICE_TASK: JobTask(),
    ElementKind.SEND_TASK: JobTask(),
    ElementKind.USER_TASK: JobTask(),
    ElementKind.RECEIVE_TASK: ReceiveTask(),
    ElementKind.SCRIPT_TASK: ScriptTask(),
    ElementKind.BUSINESS_RULE_TASK: BusinessRuleTask(),
    ElementKind.MANUAL_TASK: PassThrough(),
    ElementKind.TASK: PassThrough(),
    ElementKind.EXCLUSIVE_GATEWAY: ExclusiveGateway(),
    ElementKind.PARALLEL_GATEWAY: ParallelGateway(),
    ElementKind.INCLUSIVE_GATEWAY: InclusiveGateway(),
    ElementKind.EVENT_BASED_GATEWAY: EventBasedGateway(),
    ElementKind.START_EVENT: StartEvent(),
    ElementKind.INTERMEDIATE_CATCH_EVENT: CatchEvent(),
    ElementKind.INTERMEDIATE_THROW_EVENT: ThrowEvent(),
    ElementKind.BOUNDARY_EVENT: BoundaryEvent(),
    ElementKind.END_EVENT: EndEvent(),
}
