"""What processors work with: the state, the time, the records and the steps that are still to be taken."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from services.engine.clock import EngineClock, to_millis
from services.engine.errors import Failure
from services.engine.model.bpmn import Element, ElementKind, Process
from services.engine.processing.model_cache import ModelCache
from services.engine.state.incidents import Incident
from services.engine.state.instances import ElementInstance, ProcessInstance, Trigger
from services.engine.state.messages import Message, MessageSubscription
from services.engine.state.records import Record
from services.engine.state.store import Store


@dataclass(frozen=True, slots=True)
class ElementContext:
    """A running element: where a processor acts."""

    process_instance: ProcessInstance
    process: Process
    element: Element
    element_instance: ElementInstance

    @property
    def is_multi_instance_body(self) -> bool:
        return self.element_instance.kind == ElementKind.MULTI_INSTANCE_BODY

    @property
    def scope(self) -> ElementInstance:
        """The scope around it; only for elements that have one."""
        return self.process_instance.element_instances[self.element_instance.scope]

    @property
    def is_inner_instance(self) -> bool:
        """One of the instances of a multi-instance."""
        return (
            self.element_instance.scope in self.process_instance.element_instances
            and self.scope.kind == ElementKind.MULTI_INSTANCE_BODY
        )


@dataclass(frozen=True, slots=True)
class Enter:
    """Enter an element: along a flow, by an event, or as one of several instances."""

    instance_key: int
    scope_key: int
    element_id: str
    flow: str | None = None
    trigger: Trigger | None = None
    index: int = 0
    local: Mapping[str, Any] = field(default_factory=dict)
    element_instance_key: int = 0  # where it was promised before


@dataclass(frozen=True, slots=True)
class Activate:
    """Go on activating an element (a process, or one whose incident was resolved)."""

    instance_key: int
    element_instance_key: int


@dataclass(frozen=True, slots=True)
class Complete:
    instance_key: int
    element_instance_key: int


@dataclass(frozen=True, slots=True)
class Terminate:
    instance_key: int
    element_instance_key: int


@dataclass(frozen=True, slots=True)
class CorrelateBufferedMessage:
    """A new message subscription looks at the messages that wait."""

    subscription_key: int


@dataclass(frozen=True, slots=True)
class CorrelateMessage:
    """A message comes to a subscription that it was chosen for."""

    subscription: MessageSubscription
    message: Message


@dataclass(frozen=True, slots=True)
class BroadcastSignal:
    """A signal that was thrown inside a process."""

    name: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StartFromBufferedMessage:
    """A correlation key is free again: look for a message that waits to start the process."""

    process_id: str
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


def _event_type(element: Element) -> str:
    return "COMPENSATION" if element.for_compensation else "UNSPECIFIED"


class ElementProcessor(Protocol):
    """What an element type does. Each method may raise Trouble, and is called again when that is resolved."""

    def activate(self, execution: "Execution", context: ElementContext) -> None: ...

    def complete(self, execution: "Execution", context: ElementContext) -> None: ...

    def terminate(self, execution: "Execution", context: ElementContext) -> None: ...

    def before_child_completes(self, execution: "Execution", context: ElementContext, child: ElementContext) -> None:
        """Before a child completes."""
        ...

    def child_completed(self, execution: "Execution", context: ElementContext) -> None: ...

    def child_terminated(self, execution: "Execution", context: ElementContext) -> None: ...


class JobCounter(Counter[str]):
    """How many jobs of each type may be fetched."""

    def add(self, job_type: str) -> None:
        self[job_type] += 1


class Execution:
    """One command and all that follows from it."""

    def __init__(
        self, store: Store, models: ModelCache, clock: EngineClock, processors: Mapping[str, ElementProcessor]
    ) -> None:
        self.store = store
        self.models = models
        self.steps: deque[Step] = deque()
        self.available_jobs = JobCounter()
        self.results: dict[int, dict[str, Any]] = {}
        self._now = clock.now()  # all of a command happens at one moment
        self._millis = to_millis(self._now)
        self._processors = processors

    def now(self) -> datetime:
        return self._now

    def now_millis(self) -> int:
        return self._millis

    def processor(self, element_instance: ElementInstance) -> ElementProcessor:
        return self._processors[element_instance.kind]

    def element_context(self, instance: ProcessInstance, element_instance: ElementInstance) -> ElementContext:
        process = self.models.process(instance.definition_key)
        return ElementContext(instance, process, process.elements[element_instance.element_id], element_instance)

    def find(self, instance_key: int, element_instance_key: int) -> ElementContext | None:
        """The running element, or None when it has gone."""
        instance = self.store.instances.get_for_update(instance_key)
        if instance is None or element_instance_key not in instance.element_instances:
            return None
        return self.element_context(instance, instance.element_instances[element_instance_key])

    def calling_context(self, instance: ProcessInstance) -> ElementContext | None:
        """The call activity that called the instance."""
        return None if instance.parent is None else self.find(*instance.parent)

    def record(self, key: int, value_type: str, intent: str, value: dict[str, Any]) -> None:
        position = self.store.next_position()
        self.store.records.batch.append(Record(position, self.now_millis(), key, value_type, intent, value))

    def instance_fields(self, instance: ProcessInstance) -> dict[str, Any]:
        """The fields by which every record names its process instance."""
        return {
            "processInstanceKey": instance.key,
            "processDefinitionKey": instance.definition_key,
            "bpmnProcessId": instance.process_id,
        }

    def record_transition(self, context: ElementContext, intent: str) -> None:
        """Record that an element changed its state."""
        parent = context.process_instance.parent or (-1, -1)
        event = context.element.event
        value = {
            **self.instance_fields(context.process_instance),
            "version": context.process_instance.version,
            "elementId": context.element.id,
            "bpmnElementType": context.element_instance.kind,
            "bpmnEventType": event.kind.value if event is not None else _event_type(context.element),
            "flowScopeKey": context.element_instance.scope or -1,
            "parentProcessInstanceKey": parent[0],
            "parentElementInstanceKey": parent[1],
        }
        self.record(context.element_instance.key, "PROCESS_INSTANCE", intent, value)

    def raise_incident(
        self, context: ElementContext, failure: Failure, *, job_key: int = 0, element_id: str | None = None
    ) -> None:
        """Raise an incident at an element."""
        key = self.store.next_key()
        found = Incident(
            key,
            context.process_instance.key,
            context.element_instance.key,
            job_key,
            failure.error_type,
            str(failure),
            element_id or context.element.id,
        )
        self.store.incidents.add(found)
        context.element_instance.incidents.append(key)
        self.record_incident(context, found, "CREATED")

    def resolve_incidents(self, context: ElementContext) -> None:
        """The element goes: its incidents go with it."""
        for key in context.element_instance.incidents:
            found = self.store.incidents.get(key)
            if found is not None:
                self.store.incidents.remove(key)
                self.record_incident(context, found, "RESOLVED")
        context.element_instance.incidents.clear()

    def record_incident(self, context: ElementContext, incident: Incident, intent: str) -> None:
        value = {
            **self.instance_fields(context.process_instance),
            "errorType": incident.error_type,
            "errorMessage": incident.text,
            "elementId": incident.element_id,
            "elementInstanceKey": incident.element_instance_key,
            "jobKey": incident.job_key or -1,
            "variableScopeKey": incident.element_instance_key,
        }
        self.record(incident.key, "INCIDENT", intent, value)
