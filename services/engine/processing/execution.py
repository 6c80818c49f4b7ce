"""The execution of one command: state, time, records and pending steps."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from services.engine.clock import EngineClock, to_millis
from services.engine.errors import Failure
from services.engine.model.bpmn import Element, ElementType, Process
from services.engine.processing.model_cache import ModelCache
from services.engine.state.incidents import Incident
from services.engine.state.instances import ElementInstance, ProcessInstance, Trigger
from services.engine.state.messages import Message, MessageSubscription
from services.engine.state.protocol import Store
from services.engine.state.records import Record


@dataclass(frozen=True, slots=True)
class ElementContext:
    """An active element with its process instance and its model."""

    process_instance: ProcessInstance
    process: Process
    element: Element
    element_instance: ElementInstance

    @property
    def is_multi_instance_body(self) -> bool:
        return self.element_instance.element_type == ElementType.MULTI_INSTANCE_BODY

    @property
    def scope(self) -> ElementInstance:
        """Return the flow scope; the process itself has none."""
        return self.process_instance.element_instances[self.element_instance.flow_scope_key]

    @property
    def is_inner_instance(self) -> bool:
        """Return whether this is an inner instance of a multi-instance."""
        return (
            self.element_instance.flow_scope_key in self.process_instance.element_instances
            and self.scope.element_type == ElementType.MULTI_INSTANCE_BODY
        )


@dataclass(frozen=True, slots=True)
class Enter:
    """Enter an element by a flow, an event or a multi-instance."""

    process_instance_key: int
    scope_key: int
    element_id: str
    flow: str | None = None
    trigger: Trigger | None = None
    index: int = 0
    local: Mapping[str, Any] = field(default_factory=dict)
    element_instance_key: int = 0  # if it was assigned before


@dataclass(frozen=True, slots=True)
class Activate:
    """Activate a process, or an element whose incident was resolved."""

    process_instance_key: int
    element_instance_key: int


@dataclass(frozen=True, slots=True)
class Complete:
    process_instance_key: int
    element_instance_key: int


@dataclass(frozen=True, slots=True)
class Terminate:
    process_instance_key: int
    element_instance_key: int


@dataclass(frozen=True, slots=True)
class CorrelateBufferedMessage:
    """Correlate the oldest buffered message to a subscription."""

    subscription_key: int


@dataclass(frozen=True, slots=True)
class CorrelateMessage:
    """Correlate a message to its subscription."""

    subscription: MessageSubscription
    message: Message


@dataclass(frozen=True, slots=True)
class BroadcastSignal:
    """Broadcast a signal that a process threw."""

    name: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StartFromBufferedMessage:
    """Start a process by a buffered message with a freed correlation key."""

    bpmn_process_id: str
    correlation_key: str


Step = (
    Enter
    | Activate
    | Complete
    | Terminate
    | CorrelateBufferedMessage
    | CorrelateMessage
    | BroadcastSignal
    | StartFromBufferedMessage
)


class ElementProcessor(Protocol):
    """The behavior of an element type.

    Each method may raise Failure, and is called again when the incident is resolved.
    """

    def activate(self, execution: "Execution", context: ElementContext) -> None: ...

    def complete(self, execution: "Execution", context: ElementContext) -> None: ...

    def terminate(self, execution: "Execution", context: ElementContext) -> None: ...

    def before_child_completes(self, execution: "Execution", context: ElementContext, child: ElementContext) -> None:
        """Handle a child that is about to complete."""
        ...

    def child_completed(self, execution: "Execution", context: ElementContext) -> None: ...

    def child_terminated(self, execution: "Execution", context: ElementContext) -> None: ...


class JobCounter(Counter[str]):
    """The number of new activatable jobs of each type."""

    def add(self, job_type: str) -> None:
        self[job_type] += 1


class Execution:
    """One command and all steps that follow from it."""

    def __init__(
        self, store: Store, models: ModelCache, clock: EngineClock, processors: Mapping[str, ElementProcessor]
    ) -> None:
        self.store = store
        self.models = models
        self.steps: deque[Step] = deque()
        self.available_jobs = JobCounter()
        self.results: dict[int, dict[str, Any]] = {}
        self._now = clock.now()  # all of a command has one timestamp
        self._millis = to_millis(self._now)
        self._processors = processors

    def now(self) -> datetime:
        return self._now

    def now_millis(self) -> int:
        return self._millis

    def processor(self, element_instance: ElementInstance) -> ElementProcessor:
        return self._processors[element_instance.element_type]

    def element_context(self, instance: ProcessInstance, element_instance: ElementInstance) -> ElementContext:
        process = self.models.process(instance.process_definition_key)
        return ElementContext(instance, process, process.elements[element_instance.element_id], element_instance)

    def find(self, process_instance_key: int, element_instance_key: int) -> ElementContext | None:
        """Return an active element for changes; None once it has ended."""
        instance = self.store.instances.get_for_update(process_instance_key)
        if instance is None or element_instance_key not in instance.element_instances:
            return None
        return self.element_context(instance, instance.element_instances[element_instance_key])

    def calling_context(self, instance: ProcessInstance) -> ElementContext | None:
        """Return the call activity that created the instance."""
        return None if instance.parent is None else self.find(*instance.parent)

    def record(self, key: int, value_type: str, intent: str, value: dict[str, Any]) -> None:
        position = self.store.next_position()
        self.store.records.batch.append(Record(position, self.now_millis(), key, value_type, intent, value))

    def instance_fields(self, instance: ProcessInstance) -> dict[str, Any]:
        """Return the record fields that identify a process instance."""
        return {
            "processInstanceKey": instance.key,
            "processDefinitionKey": instance.process_definition_key,
            "bpmnProcessId": instance.bpmn_process_id,
        }

    def record_transition(self, context: ElementContext, intent: str) -> None:
        """Record a lifecycle transition of an element."""
        parent = context.process_instance.parent or (-1, -1)
        event = context.element.event
        other_event_type = "COMPENSATION" if context.element.for_compensation else "UNSPECIFIED"
        value = {
            **self.instance_fields(context.process_instance),
            "version": context.process_instance.version,
            "elementId": context.element.id,
            "bpmnElementType": context.element_instance.element_type,
            "bpmnEventType": event.event_type.value if event is not None else other_event_type,
            "flowScopeKey": context.element_instance.flow_scope_key or -1,
            "parentProcessInstanceKey": parent[0],
            "parentElementInstanceKey": parent[1],
        }
        self.record(context.element_instance.key, "PROCESS_INSTANCE", intent, value)

    def raise_incident(
        self, context: ElementContext, failure: Failure, *, job_key: int = 0, element_id: str | None = None
    ) -> None:
        """Create an incident of an element."""
        key = self.store.next_key()
        incident = Incident(
            key,
            context.process_instance.key,
            context.element_instance.key,
            job_key,
            failure.error_type,
            str(failure),
            element_id or context.element.id,
        )
        self.store.incidents.add(incident)
        context.element_instance.incidents.append(key)
        self.record_incident(context, incident, "CREATED")

    def resolve_incidents(self, context: ElementContext) -> None:
        """Resolve the incidents of a terminated element."""
        for key in context.element_instance.incidents:
            incident = self.store.incidents.get(key)
            if incident is not None:
                self.store.incidents.remove(key)
                self.record_incident(context, incident, "RESOLVED")
        context.element_instance.incidents.clear()

    def record_incident(self, context: ElementContext, incident: Incident, intent: str) -> None:
        value = {
            **self.instance_fields(context.process_instance),
            "errorType": incident.error_type,
            "errorMessage": incident.error_message,
            "elementId": incident.element_id,
            "elementInstanceKey": incident.element_instance_key,
            "jobKey": incident.job_key or -1,
            "variableScopeKey": incident.element_instance_key,
        }
        self.record(incident.key, "INCIDENT", intent, value)
