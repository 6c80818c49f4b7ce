"""Executable processes: immutable objects that refer to each other by element id."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from services.engine.model.expression import Expression


class ElementType(StrEnum):
    """Element types under Zeebe's names in records."""

    PROCESS = "PROCESS"
    SUB_PROCESS = "SUB_PROCESS"
    EVENT_SUB_PROCESS = "EVENT_SUB_PROCESS"
    CALL_ACTIVITY = "CALL_ACTIVITY"
    MULTI_INSTANCE_BODY = "MULTI_INSTANCE_BODY"
    SERVICE_TASK = "SERVICE_TASK"
    SEND_TASK = "SEND_TASK"
    RECEIVE_TASK = "RECEIVE_TASK"
    SCRIPT_TASK = "SCRIPT_TASK"
    BUSINESS_RULE_TASK = "BUSINESS_RULE_TASK"
    USER_TASK = "USER_TASK"
    MANUAL_TASK = "MANUAL_TASK"
    TASK = "TASK"
    EXCLUSIVE_GATEWAY = "EXCLUSIVE_GATEWAY"
    PARALLEL_GATEWAY = "PARALLEL_GATEWAY"
    INCLUSIVE_GATEWAY = "INCLUSIVE_GATEWAY"
    EVENT_BASED_GATEWAY = "EVENT_BASED_GATEWAY"
    START_EVENT = "START_EVENT"
    INTERMEDIATE_CATCH_EVENT = "INTERMEDIATE_CATCH_EVENT"
    INTERMEDIATE_THROW_EVENT = "INTERMEDIATE_THROW_EVENT"
    BOUNDARY_EVENT = "BOUNDARY_EVENT"
    END_EVENT = "END_EVENT"


Part = TypeVar("Part")

SCOPES = frozenset({ElementType.PROCESS, ElementType.SUB_PROCESS, ElementType.EVENT_SUB_PROCESS})


class EventType(StrEnum):
    NONE = "NONE"
    MESSAGE = "MESSAGE"
    TIMER = "TIMER"
    SIGNAL = "SIGNAL"
    ERROR = "ERROR"
    ESCALATION = "ESCALATION"
    COMPENSATION = "COMPENSATION"
    LINK = "LINK"
    TERMINATE = "TERMINATE"


class TimerType(StrEnum):
    DATE = "date"
    DURATION = "duration"
    CYCLE = "cycle"


class Binding(StrEnum):
    """Which version of a process or decision is called."""

    LATEST = "latest"
    DEPLOYMENT = "deployment"
    VERSION_TAG = "versionTag"


@dataclass(frozen=True, slots=True)
class Flow:
    id: str
    source: str
    target: str
    condition: Expression | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event definition.

    ``name`` is a message's, signal's or link's; ``key`` a message's correlation key; ``code`` an error's or
    escalation's (None catches every code); ``timer`` and ``timer_type`` a timer's definition; ``activity`` what a
    compensation throw event names (None = all in its scope).
    """

    event_type: EventType
    name: Expression | None = None
    key: Expression | None = None
    code: Expression | None = None
    timer: Expression | None = None
    timer_type: TimerType | None = None
    activity: str | None = None


@dataclass(frozen=True, slots=True)
class JobDefinition:
    type: Expression
    retries: Expression
    headers: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True)
class LoopCharacteristics:
    sequential: bool
    collection: Expression
    item: str | None
    output_collection: str | None
    output_element: Expression | None
    output_variable: str | None
    condition: Expression | None


@dataclass(frozen=True, slots=True)
class CallTarget:
    """A called process or decision; ``id`` may be an expression."""

    id: Expression
    binding: Binding = Binding.LATEST
    version_tag: str | None = None
    all_child_variables: bool = True
    all_parent_variables: bool = True
    result_variable: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    expression: Expression
    result_variable: str


@dataclass(frozen=True, slots=True)
class Element:
    """An element with the data for its processor.

    As in Zeebe, outgoing flows and boundary events are in the reverse order of the file. ``inputs`` and ``outputs``
    evaluate to one context with the variables of all mappings.
    """

    id: str
    element_type: ElementType
    scope: str
    name: str = ""
    incoming: tuple[Flow, ...] = ()
    outgoing: tuple[Flow, ...] = ()
    default_flow: str | None = None
    inputs: Expression | None = None
    outputs: Expression | None = None
    event: Event | None = None
    interrupting: bool = True
    attached_to: str | None = None
    boundaries: tuple[str, ...] = ()
    job: JobDefinition | None = None
    loop: LoopCharacteristics | None = None
    called: CallTarget | None = None
    script: Script | None = None
    none_start: str | None = None
    event_starts: tuple[str, ...] = ()
    event_subprocesses: tuple[str, ...] = ()
    for_compensation: bool = False
    handler: str | None = None  # of a compensation boundary event: its compensation handler

    @property
    def catches(self) -> bool:
        """Return whether the element itself catches an event."""
        return self.element_type in (ElementType.INTERMEDIATE_CATCH_EVENT, ElementType.RECEIVE_TASK)

    @property
    def event_type(self) -> EventType:
        """Return the type of its event definition; NONE without one."""
        return EventType.NONE if self.event is None else self.event.event_type


@dataclass(frozen=True, slots=True)
class Process:
    """An executable process; its root element has the process id.

    ``links`` maps from each link throw event to its catch event; ``inclusive_joins`` are the inclusive gateways
    with several incoming flows.
    """

    id: str
    name: str
    version_tag: str
    elements: dict[str, Element] = field(repr=False)
    links: dict[str, list[str]] = field(repr=False, default_factory=dict)
    inclusive_joins: tuple[str, ...] = ()

    @property
    def root(self) -> Element:
        return self.elements[self.id]

    def message_start_events(self) -> list[Element]:
        return self._starts(EventType.MESSAGE)

    def signal_start_events(self) -> list[Element]:
        return self._starts(EventType.SIGNAL)

    def timer_start_events(self) -> list[Element]:
        return self._starts(EventType.TIMER)

    def _starts(self, event_type: EventType) -> list[Element]:
        starts = [self.elements[i] for i in self.root.event_starts]
        return [s for s in starts if s.event is not None and s.event.event_type == event_type]


def required(part: Part | None) -> Part:
    """Return a part that deployment checks guarantee; raises LookupError without it."""
    if part is None:
        raise LookupError("a part that every deployed diagram has is missing")
    return part
