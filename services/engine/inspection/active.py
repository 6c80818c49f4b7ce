"""Where one process instance stands, with all that it has called; read by keys, so it costs the same beside many."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from services.engine.clock import from_millis
from services.engine.model.bpmn import ElementType
from services.engine.state.instances import ElementInstance, ProcessInstance
from services.engine.state.jobs import ACTIVATABLE, ACTIVATED
from services.engine.state.store import Store

MOST_INSTANCES, MOST_ELEMENTS = 50, 500
_START = "ELEMENT_ACTIVATING"

Asked = Callable[[str], bool]
"""Whether workers ask for jobs of a type."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What an element waits for: kind is job, timer, message, signal or call.

    ``name`` is the type of the job, or the name of the message or signal; ``element_id`` the event that catches;
    ``key`` that of the called instance. ``served``: a worker has the job, or asks for jobs of its type; None for a job
    that waits for something else (a back-off, an incident).
    """

    kind: str
    element_id: str
    name: str = ""
    due_date: datetime | None = None
    key: int = 0
    served: bool | None = None


@dataclass(frozen=True, slots=True)
class ActiveElement:
    """An active element other than the process; ``since`` is None once the record of it is deleted."""

    element_id: str
    element_type: str
    since: datetime | None
    has_incident: bool
    waits: list[Wait]


@dataclass(frozen=True, slots=True)
class ActiveInstance:
    """A running process instance; ``parent_key`` is 0 for the outermost."""

    key: int
    process_definition_key: int
    bpmn_process_id: str
    version: int
    parent_key: int
    elements: list[ActiveElement]


@dataclass(frozen=True, slots=True)
class Running:
    """The version that a process instance runs on."""

    key: int
    process_definition_key: int
    bpmn_process_id: str
    version: int


def instances(store: Store, key: int, asked: Asked) -> list[ActiveInstance]:
    """Return the instance and those that it has called, the outermost first; none once it has ended.

    At most ``MOST_INSTANCES``, of each ``MOST_ELEMENTS``.
    """
    found: list[ActiveInstance] = []
    ahead = [key]
    while ahead and len(found) < MOST_INSTANCES:
        instance = store.instances.get(ahead.pop(0))
        if instance is None:
            continue
        found.append(_instance(store, instance, asked))
        ahead += [wait.key for element in found[-1].elements for wait in element.waits if wait.kind == "call"]
    return found


def running(store: Store, keys: list[int]) -> list[Running]:
    """Return the versions of those of these instances that run."""
    found = []
    for key in keys:
        instance = store.instances.get(key)
        definition = None if instance is None else store.process_definitions.get(instance.process_definition_key)
        if instance is not None and definition is not None:
            found.append(Running(key, definition.key, definition.bpmn_process_id, definition.version))
    return found


def _instance(store: Store, instance: ProcessInstance, asked: Asked) -> ActiveInstance:
    elements = [
        element
        for element in instance.element_instances.values()
        if element.key != instance.key and element.element_type != ElementType.MULTI_INSTANCE_BODY
    ][:MOST_ELEMENTS]
    since = store.overview.first_timestamps(instance.key, [element.key for element in elements], _START)
    own = ActiveElement("", "PROCESS", None, has_incident=False, waits=list(_waits(store, instance.root, asked)))
    return ActiveInstance(
        instance.key,
        instance.process_definition_key,
        instance.bpmn_process_id,
        instance.version,
        instance.parent[0] if instance.parent is not None else 0,
        [
            *([own] if own.waits else []),
            *(_element(store, element, since.get(element.key), asked) for element in elements),
        ],
    )


def _element(store: Store, element: ElementInstance, since: int | None, asked: Asked) -> ActiveElement:
    return ActiveElement(
        element.element_id,
        element.element_type,
        None if since is None else from_millis(since),
        bool(element.incidents),
        list(_waits(store, element, asked)),
    )


def _waits(store: Store, element: ElementInstance, asked: Asked) -> Iterator[Wait]:
    for job in filter(None, map(store.jobs.get, element.jobs)):
        served = None
        if job.state in (ACTIVATABLE, ACTIVATED):
            served = job.state == ACTIVATED or asked(job.type) or store.overview.has_activated(job.type)
        yield Wait("job", element.element_id, job.type, served=served)
    for timer in filter(None, map(store.timers.get, element.timers)):
        yield Wait("timer", timer.element_id, due_date=from_millis(timer.due_date))
    for message in filter(None, map(store.messages.subscription, element.message_subscriptions)):
        yield Wait("message", message.element_id, message.name)
    for signal in filter(None, map(store.signals.subscription, element.signal_subscriptions)):
        yield Wait("signal", signal.element_id, signal.name)
    if element.called_child_instance_key:
        yield Wait("call", element.element_id, key=element.called_child_instance_key)
