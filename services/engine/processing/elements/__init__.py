"""One processor for each element type."""

from collections.abc import Mapping

from services.engine.model.bpmn import ElementKind
from services.engine.processing.elements.call_activity import CallActivityProcessor
from services.engine.processing.elements.catch_event import (
    BoundaryEventProcessor,
    CatchEventProcessor,
    StartEventProcessor,
)
from services.engine.processing.elements.end_event import EndEventProcessor
from services.engine.processing.elements.gateways import (
    EventBasedGatewayProcessor,
    ExclusiveGatewayProcessor,
    InclusiveGatewayProcessor,
    ParallelGatewayProcessor,
)
from services.engine.processing.elements.multi_instance import MultiInstanceBodyProcessor
from services.engine.processing.elements.process import EventSubprocessProcessor, ProcessProcessor, SubprocessProcessor
from services.engine.processing.elements.tasks import (
    BusinessRuleTaskProcessor,
    JobTaskProcessor,
    PassThroughProcessor,
    ReceiveTaskProcessor,
    ScriptTaskProcessor,
)
from services.engine.processing.elements.throw_event import ThrowEventProcessor
from services.engine.processing.execution import ElementProcessor

PROCESSORS: Mapping[str, ElementProcessor] = {
    ElementKind.PROCESS: ProcessProcessor(),
    ElementKind.SUB_PROCESS: SubprocessProcessor(),
    ElementKind.EVENT_SUB_PROCESS: EventSubprocessProcessor(),
    ElementKind.CALL_ACTIVITY: CallActivityProcessor(),
    ElementKind.MULTI_INSTANCE_BODY: MultiInstanceBodyProcessor(),
    ElementKind.SERVICE_TASK: JobTaskProcessor(),
    ElementKind.SEND_TASK: JobTaskProcessor(),
    ElementKind.USER_TASK: JobTaskProcessor(),
    ElementKind.RECEIVE_TASK: ReceiveTaskProcessor(),
    ElementKind.SCRIPT_TASK: ScriptTaskProcessor(),
    ElementKind.BUSINESS_RULE_TASK: BusinessRuleTaskProcessor(),
    ElementKind.MANUAL_TASK: PassThroughProcessor(),
    ElementKind.TASK: PassThroughProcessor(),
    ElementKind.EXCLUSIVE_GATEWAY: ExclusiveGatewayProcessor(),
    ElementKind.PARALLEL_GATEWAY: ParallelGatewayProcessor(),
    ElementKind.INCLUSIVE_GATEWAY: InclusiveGatewayProcessor(),
    ElementKind.EVENT_BASED_GATEWAY: EventBasedGatewayProcessor(),
    ElementKind.START_EVENT: StartEventProcessor(),
    ElementKind.INTERMEDIATE_CATCH_EVENT: CatchEventProcessor(),
    ElementKind.INTERMEDIATE_THROW_EVENT: ThrowEventProcessor(),
    ElementKind.BOUNDARY_EVENT: BoundaryEventProcessor(),
    ElementKind.END_EVENT: EndEventProcessor(),
}
