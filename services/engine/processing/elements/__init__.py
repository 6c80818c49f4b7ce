"""One processor for each element type."""

from collections.abc import Mapping

from services.engine.model.bpmn import ElementType
from services.engine.processing.elements.call_activity import CallActivityProcessor
from services.engine.processing.elements.catch_events import (
    BoundaryEventProcessor,
    CatchEventProcessor,
    StartEventProcessor,
)
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
from services.engine.processing.elements.throw_events import EndEventProcessor, ThrowEventProcessor
from services.engine.processing.execution import ElementProcessor

PROCESSORS: Mapping[str, ElementProcessor] = {
    ElementType.PROCESS: ProcessProcessor(),
    ElementType.SUB_PROCESS: SubprocessProcessor(),
    ElementType.EVENT_SUB_PROCESS: EventSubprocessProcessor(),
    ElementType.CALL_ACTIVITY: CallActivityProcessor(),
    ElementType.MULTI_INSTANCE_BODY: MultiInstanceBodyProcessor(),
    ElementType.SERVICE_TASK: JobTaskProcessor(),
    ElementType.SEND_TASK: JobTaskProcessor(),
    ElementType.USER_TASK: JobTaskProcessor(),
    ElementType.RECEIVE_TASK: ReceiveTaskProcessor(),
    ElementType.SCRIPT_TASK: ScriptTaskProcessor(),
    ElementType.BUSINESS_RULE_TASK: BusinessRuleTaskProcessor(),
    ElementType.MANUAL_TASK: PassThroughProcessor(),
    ElementType.TASK: PassThroughProcessor(),
    ElementType.EXCLUSIVE_GATEWAY: ExclusiveGatewayProcessor(),
    ElementType.PARALLEL_GATEWAY: ParallelGatewayProcessor(),
    ElementType.INCLUSIVE_GATEWAY: InclusiveGatewayProcessor(),
    ElementType.EVENT_BASED_GATEWAY: EventBasedGatewayProcessor(),
    ElementType.START_EVENT: StartEventProcessor(),
    ElementType.INTERMEDIATE_CATCH_EVENT: CatchEventProcessor(),
    ElementType.INTERMEDIATE_THROW_EVENT: ThrowEventProcessor(),
    ElementType.BOUNDARY_EVENT: BoundaryEventProcessor(),
    ElementType.END_EVENT: EndEventProcessor(),
}
