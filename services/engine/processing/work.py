"""What processors work with: the state, the time, the records and the steps that are still to be taken."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from services.engine.clock import EngineClock, to_millis
from services.engine.errors import Trouble
from services.engine.model.bpmn import Element, Kind, Process
from services.engine.processing.catalogue import Catalogue
from services.engine.state.incidents import Incident
from services.engine.state.instances import Instance, Node, Trigger
from services.engine.state.messages import Message, MessageSubscription
from services.engine.state.records import Record
from services.engine.state.store import Store


@dataclass(frozen=True, slots=True)
class At:
    """A running element: where a processor acts."""

    instance: Instance
    process: Process
    element: Element
    node: Node

    @property
    def is_body(self) -> bool:
        return self.node.kind == Kind.MULTI_INSTANCE_BODY

    @property
    def scope(self) -> Node:
        """The scope around it; only for elements that have one."""
        return self.instance.nodes[self.node.scope]

    @property
    def is_inner(self) -> bool:
        """One of the instances of a multi-instance."""
        return self.node.scope in self.instance.nodes and self.scope.kind == Kind.MULTI_INSTANCE_BODY


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
    node_key: int = 0  # where it was promised before


@dataclass(frozen=True, slots=True)
class Activate:
    """Go on activating an element (a process, or one whose incident was resolved)."""

    instance_key: int
    node_key: int


@dataclass(frozen=True, slots=True)
class Complete:
    instance_key: int
    node_key: int


@dataclass(frozen=True, slots=True)
class Terminate:
    instance_key: int
    node_key: int


@dataclass(frozen=True, slots=True)
class LookForMessage:
    """A new message subscription looks at the messages that wait."""

    subscription_key: int


@dataclass(frozen=True, slots=True)
class Correlate:
    """A message comes to a subscription that it was chosen for."""

    subscription: MessageSubscription
    message: Message


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A signal that was thrown inside a process."""

    name: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LookForStart:
    """A correlation key is free again: look for a message that waits to start the process."""

    process_id: str
    correlation_key: str


Step = Enter | Activate | Complete | Terminate | LookForMessage | Correlate | Broadcast | LookForStart


def _event_type(element: Element) -> str:
    return "COMPENSATION" if element.for_compensation else "UNSPECIFIED"


class Processor(Protocol):
    """What an element type does. Each method may raise Trouble, and is called again when that is resolved."""

    def activate(self, work: "Work", at: At) -> None: ...

    def complete(self, work: "Work", at: At) -> None: ...

    def terminate(self, work: "Work", at: At) -> None: ...

    def child_completing(self, work: "Work", at: At, child: At) -> None:
        """Before a child completes."""
        ...

    def child_completed(self, work: "Work", at: At) -> None: ...

    def child_terminated(self, work: "Work", at: At) -> None: ...


class Tally(Counter[str]):
    """How many jobs of each type may be fetched."""

    def add(self, job_type: str) -> None:
        self[job_type] += 1


class Work:
    """One command and all that follows from it."""

    def __init__(
        self, store: Store, catalogue: Catalogue, clock: EngineClock, processors: Mapping[str, Processor]
    ) -> None:
        self.store = store
        self.catalogue = catalogue
        self.steps: deque[Step] = deque()
        self.available = Tally()
        self.results: dict[int, dict[str, Any]] = {}
        self._now = clock.now()  # all of a command happens at one moment
        self._millis = to_millis(self._now)
        self._processors = processors

    def now(self) -> datetime:
        return self._now

    def millis(self) -> int:
        return self._millis

    def processor(self, node: Node) -> Processor:
        return self._processors[node.kind]

    def at(self, instance: Instance, node: Node) -> At:
        process = self.catalogue.process(instance.definition_key)
        return At(instance, process, process.elements[node.element_id], node)

    def find(self, instance_key: int, node_key: int) -> At | None:
        """The running element, or None when it has gone."""
        instance = self.store.instances.get(instance_key)
        if instance is None or node_key not in instance.nodes:
            return None
        return self.at(instance, instance.nodes[node_key])

    def parent_call(self, instance: Instance) -> At | None:
        """The call activity that called the instance."""
        return None if instance.parent is None else self.find(*instance.parent)

    def record(self, key: int, value_type: str, intent: str, value: dict[str, Any]) -> None:
        position = self.store.next_position()
        self.store.records.batch.append(Record(position, self.millis(), key, value_type, intent, value))

    def origin(self, instance: Instance) -> dict[str, Any]:
        """The fields by which every record names its process instance."""
        return {
            "processInstanceKey": instance.key,
            "processDefinitionKey": instance.definition_key,
            "bpmnProcessId": instance.process_id,
        }

    def transition(self, at: At, intent: str) -> None:
        """Record that an element changed its state."""
        parent = at.instance.parent or (-1, -1)
        event = at.element.event
        value = {
            **self.origin(at.instance),
            "version": at.instance.version,
            "elementId": at.element.id,
            "bpmnElementType": at.node.kind,
            "bpmnEventType": event.kind.value if event is not None else _event_type(at.element),
            "flowScopeKey": at.node.scope or -1,
            "parentProcessInstanceKey": parent[0],
            "parentElementInstanceKey": parent[1],
        }
        self.record(at.node.key, "PROCESS_INSTANCE", intent, value)

    def incident(self, at: At, trouble: Trouble, *, job_key: int = 0, element_id: str | None = None) -> None:
        """Raise an incident at an element."""
        key = self.store.next_key()
        found = Incident(
            key, at.instance.key, at.node.key, job_key, trouble.error_type, str(trouble), element_id or at.element.id
        )
        self.store.incidents.add(found)
        at.node.incidents.append(key)
        self.record_incident(at, found, "CREATED")

    def resolve_incidents(self, at: At) -> None:
        """The element goes: its incidents go with it."""
        for key in at.node.incidents:
            found = self.store.incidents.get(key)
            if found is not None:
                self.store.incidents.remove(key)
                self.record_incident(at, found, "RESOLVED")
        at.node.incidents.clear()

    def record_incident(self, at: At, incident: Incident, intent: str) -> None:
        value = {
            **self.origin(at.instance),
            "errorType": incident.error_type,
            "errorMessage": incident.text,
            "elementId": incident.element_id,
            "elementInstanceKey": incident.node_key,
            "jobKey": incident.job_key or -1,
            "variableScopeKey": incident.node_key,
        }
        self.record(incident.key, "INCIDENT", intent, value)
