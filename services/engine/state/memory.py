"""Keep the engine's state in dictionaries, and fork it: what explores a model goes on from one state in many ways.

A state is not changed once a batch has ended: ``begin`` forks it, and what changes is copied first. So a fork costs a
few copies of small dictionaries, and a rollback nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from services.engine.state.decisions import DecisionVersion, RequirementsVersion
from services.engine.state.incidents import Incident
from services.engine.state.instances import ElementInstance, ProcessInstance
from services.engine.state.jobs import ACTIVATABLE, Job
from services.engine.state.messages import Message, MessageSubscription
from services.engine.state.process_definitions import ProcessDefinition
from services.engine.state.records import Record
from services.engine.state.signals import SignalSubscription, StartEventSubscription
from services.engine.state.timers import Timer

_FIRST_KEY = 2**51  # as in Zeebe, of partition 1

Row = TypeVar("Row")
Versioned = TypeVar("Versioned", ProcessDefinition, DecisionVersion, RequirementsVersion)


@dataclass(slots=True)
class State:
    """All that changes as cases go on; each dictionary is by key."""

    instances: dict[int, ProcessInstance] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    timers: dict[int, Timer] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    correlations: frozenset[tuple[int, str]] = frozenset()
    message_subscriptions: dict[int, MessageSubscription] = field(default_factory=dict)
    signal_subscriptions: dict[int, SignalSubscription] = field(default_factory=dict)
    start_event_subscriptions: dict[int, StartEventSubscription] = field(default_factory=dict)
    incidents: dict[int, Incident] = field(default_factory=dict)
    locks: dict[tuple[str, str], int] = field(default_factory=dict)
    definitions: dict[int, ProcessDefinition] = field(default_factory=dict)
    requirements: dict[int, RequirementsVersion] = field(default_factory=dict)
    decisions: dict[int, DecisionVersion] = field(default_factory=dict)
    key: int = _FIRST_KEY
    position: int = 0

    def fork(self) -> "State":
        """Return a state that changes apart from this one."""
        return State(
            self.instances.copy(),
            self.jobs.copy(),
            self.timers.copy(),
            self.messages.copy(),
            self.correlations,
            self.message_subscriptions.copy(),
            self.signal_subscriptions.copy(),
            self.start_event_subscriptions.copy(),
            self.incidents.copy(),
            self.locks.copy(),
            self.definitions.copy(),
            self.requirements.copy(),
            self.decisions.copy(),
            self.key,
            self.position,
        )


class MemoryStore:
    """The state behind the same methods as the file's; ``state`` is the committed one, which may be set."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        self._committed = self.state
        self.changes = 0
        self.instances = _Instances(self)
        self.jobs = _Jobs(self)
        self.timers = _Timers(self)
        self.messages = _Messages(self)
        self.signals = _Signals(self)
        self.start_event_subscriptions = _StartEvents(self)
        self.incidents = _Incidents(self)
        self.process_definitions = _Definitions(self)
        self.decisions = _Decisions(self)
        self.records = _Records()

    def fork(self) -> "MemoryStore":
        """Return a store that goes on from the committed state apart from this one."""
        return MemoryStore(self.state)

    def begin(self) -> None:
        self._committed = self.state
        self.state = self.state.fork()
        self.instances.copied.clear()

    def commit(self) -> list[Record]:
        written, self.records.batch = self.records.batch, []
        return written

    def rollback(self) -> None:
        self.state = self._committed
        self.records.batch = []

    def change_marker(self) -> tuple[int, int, int]:
        return len(self.records.batch), self.instances.updates, self.changes

    def next_key(self) -> int:
        self.state.key += 1
        return self.state.key

    def next_position(self) -> int:
        self.state.position += 1
        return self.state.position

    def next_due(self) -> int | None:
        """Return when (ms) the next timer, job or message is due."""
        state = self.state
        due = [timer.due_date for timer in state.timers.values()]
        due += [job.deadline for job in state.jobs.values() if job.deadline is not None]
        due += [message.deadline for message in state.messages.values()]
        return min(due, default=None)


class _Instances:
    """An instance is copied before its first change in a batch."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.copied: set[int] = set()
        self.updates = 0

    def get_for_update(self, key: int) -> ProcessInstance | None:
        instances = self._store.state.instances
        instance = instances.get(key)
        if instance is None:
            return None
        self.updates += 1
        if key not in self.copied:
            self.copied.add(key)
            instance = instances[key] = _copy_instance(instance)
        return instance

    def get(self, key: int) -> ProcessInstance | None:
        return self._store.state.instances.get(key)

    def get_by_element_instance(self, element_instance_key: int) -> tuple[ProcessInstance, ElementInstance] | None:
        for key, instance in self._store.state.instances.items():
            if element_instance_key in instance.element_instances:
                changed = self.get_for_update(key)
                return None if changed is None else (changed, changed.element_instances[element_instance_key])
        return None

    def add(self, instance: ProcessInstance) -> None:
        self._store.state.instances[instance.key] = instance
        self.copied.add(instance.key)

    def remove(self, key: int) -> None:
        self._store.state.instances.pop(key, None)

    def reindex(self, key: int) -> None:
        """Do nothing: elements are found by looking."""


class _Table:
    """A part of the store that counts its changes."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    @property
    def _state(self) -> State:
        return self._store.state

    def _changed(self) -> State:
        self._store.changes += 1
        return self._store.state


class _Jobs(_Table):
    """Jobs are changed by those who get them, so each gets a copy."""

    def add(self, job: Job) -> None:
        self._changed().jobs[job.key] = job

    def get(self, key: int) -> Job | None:
        job = self._state.jobs.get(key)
        return None if job is None else replace(job)

    def save(self, job: Job) -> None:
        self._changed().jobs[job.key] = job

    def remove(self, key: int) -> None:
        self._changed().jobs.pop(key, None)

    def activatable(self, job_type: str, limit: int) -> list[Job]:
        found = (job for job in _in_order(self._state.jobs) if job.type == job_type and job.state == ACTIVATABLE)
        return [replace(job) for job, _ in zip(found, range(limit), strict=False)]

    def due(self, now: int, limit: int) -> list[Job]:
        jobs = [job for job in self._state.jobs.values() if job.deadline is not None and job.deadline <= now]
        return [replace(job) for job in sorted(jobs, key=lambda job: (job.deadline or 0, job.key))[:limit]]


class _Timers(_Table):
    def add(self, timer: Timer) -> None:
        self._changed().timers[timer.key] = timer

    def get(self, key: int) -> Timer | None:
        return self._state.timers.get(key)

    def remove(self, key: int) -> None:
        self._changed().timers.pop(key, None)

    def postpone(self, key: int, due: int) -> None:
        timers = self._changed().timers
        timers[key] = replace(timers[key], due_date=due)

    def due(self, now: int, limit: int) -> list[Timer]:
        timers = [timer for timer in self._state.timers.values() if timer.due_date <= now]
        return sorted(timers, key=lambda timer: (timer.due_date, timer.key))[:limit]

    def of_definition(self, process_definition_key: int) -> list[Timer]:
        return [
            timer
            for timer in _in_order(self._state.timers)
            if timer.process_definition_key == process_definition_key and timer.process_instance_key == 0
        ]


class _Messages(_Table):
    def add(self, message: Message) -> None:
        self._changed().messages[message.key] = message

    def get(self, key: int) -> Message | None:
        return self._state.messages.get(key)

    def remove(self, key: int) -> None:
        state = self._changed()
        state.messages.pop(key, None)
        state.correlations = frozenset(entry for entry in state.correlations if entry[0] != key)

    def is_published(self, name: str, correlation_key: str, message_id: str) -> bool:
        sought = (name, correlation_key, message_id)
        return any((m.name, m.correlation_key, m.message_id) == sought for m in self._state.messages.values())

    def oldest_buffered(self, name: str, correlation_key: str, bpmn_process_id: str, now: int) -> Message | None:
        for message in _in_order(self._state.messages):
            if (
                (message.name, message.correlation_key) == (name, correlation_key)
                and message.deadline > now
                and (message.key, bpmn_process_id) not in self._state.correlations
            ):
                return message
        return None

    def mark_correlated(self, message_key: int, bpmn_process_id: str) -> None:
        state = self._changed()
        state.correlations |= {(message_key, bpmn_process_id)}

    def unmark_correlated(self, message_key: int, bpmn_process_id: str) -> None:
        state = self._changed()
        state.correlations -= {(message_key, bpmn_process_id)}

    def due(self, now: int, limit: int) -> list[Message]:
        messages = [message for message in self._state.messages.values() if message.deadline <= now]
        return sorted(messages, key=lambda message: message.deadline)[:limit]

    def subscribe(self, subscription: MessageSubscription) -> None:
        self._changed().message_subscriptions[subscription.key] = subscription

    def subscription(self, key: int) -> MessageSubscription | None:
        return self._state.message_subscriptions.get(key)

    def unsubscribe(self, key: int) -> None:
        self._changed().message_subscriptions.pop(key, None)

    def subscribers(self, name: str, correlation_key: str) -> list[MessageSubscription]:
        found = _in_order(self._state.message_subscriptions)
        return [s for s in found if s.name == name and s.correlation_key == correlation_key]

    def lock(self, bpmn_process_id: str, correlation_key: str, process_instance_key: int) -> None:
        self._changed().locks[bpmn_process_id, correlation_key] = process_instance_key

    def is_locked(self, bpmn_process_id: str, correlation_key: str) -> bool:
        return (bpmn_process_id, correlation_key) in self._state.locks

    def unlock(self, bpmn_process_id: str, correlation_key: str) -> None:
        self._changed().locks.pop((bpmn_process_id, correlation_key), None)


class _Signals(_Table):
    def subscribe(self, subscription: SignalSubscription) -> None:
        self._changed().signal_subscriptions[subscription.key] = subscription

    def subscription(self, key: int) -> SignalSubscription | None:
        return self._state.signal_subscriptions.get(key)

    def unsubscribe(self, key: int) -> None:
        self._changed().signal_subscriptions.pop(key, None)

    def subscribers(self, name: str) -> list[SignalSubscription]:
        return [
            subscription for subscription in _in_order(self._state.signal_subscriptions) if subscription.name == name
        ]


class _StartEvents(_Table):
    def add(self, subscription: StartEventSubscription) -> None:
        self._changed().start_event_subscriptions[subscription.key] = subscription

    def by_name(self, event_type: str, name: str) -> list[StartEventSubscription]:
        return self._all(lambda subscription: (subscription.event_type, subscription.name) == (event_type, name))

    def of_process(self, bpmn_process_id: str) -> list[StartEventSubscription]:
        return self._all(lambda subscription: subscription.bpmn_process_id == bpmn_process_id)

    def remove(self, key: int) -> None:
        self._changed().start_event_subscriptions.pop(key, None)

    def _all(self, matches: Callable[[StartEventSubscription], bool]) -> list[StartEventSubscription]:
        return [found for found in _in_order(self._state.start_event_subscriptions) if matches(found)]


class _Incidents(_Table):
    def add(self, incident: Incident) -> None:
        self._changed().incidents[incident.key] = incident

    def get(self, key: int) -> Incident | None:
        return self._state.incidents.get(key)

    def all_open(self) -> list[Incident]:
        return list(_in_order(self._state.incidents))

    def remove(self, key: int) -> None:
        self._changed().incidents.pop(key, None)


class _Definitions(_Table):
    def add(self, definition: ProcessDefinition) -> None:
        self._changed().definitions[definition.key] = definition

    def get(self, key: int) -> ProcessDefinition | None:
        return self._state.definitions.get(key)

    def latest(self, bpmn_process_id: str) -> ProcessDefinition | None:
        return _newest(self._usable(bpmn_process_id))

    def version(self, bpmn_process_id: str, version: int) -> ProcessDefinition | None:
        return next((found for found in self._usable(bpmn_process_id) if found.version == version), None)

    def deployed_with(self, bpmn_process_id: str, deployment_key: int) -> ProcessDefinition | None:
        return _newest(found for found in self._usable(bpmn_process_id) if found.deployment_key == deployment_key)

    def latest_with_tag(self, bpmn_process_id: str, version_tag: str) -> ProcessDefinition | None:
        return _newest(found for found in self._usable(bpmn_process_id) if found.version_tag == version_tag)

    def highest_version(self, bpmn_process_id: str) -> int:
        of_process = (d.version for d in self._state.definitions.values() if d.bpmn_process_id == bpmn_process_id)
        return max(of_process, default=0)

    def delete(self, key: int) -> None:
        definitions = self._changed().definitions
        definitions[key] = replace(definitions[key], deleted=True)

    def _usable(self, bpmn_process_id: str) -> list[ProcessDefinition]:
        found = self._state.definitions.values()
        return [d for d in found if d.bpmn_process_id == bpmn_process_id and not d.deleted]


class _Decisions(_Table):
    def add_requirements(self, requirements_version: RequirementsVersion) -> None:
        self._changed().requirements[requirements_version.key] = requirements_version

    def add(self, decision: DecisionVersion) -> None:
        self._changed().decisions[decision.key] = decision

    def requirements(self, key: int) -> RequirementsVersion | None:
        return self._state.requirements.get(key)

    def latest_requirements(self, decision_requirements_id: str) -> RequirementsVersion | None:
        found = self._state.requirements.values()
        return _newest(r for r in found if r.decision_requirements_id == decision_requirements_id and not r.deleted)

    def in_requirements(self, decision_requirements_key: int) -> list[DecisionVersion]:
        found = _in_order(self._state.decisions)
        return [d for d in found if d.decision_requirements_key == decision_requirements_key]

    def by_key(self, key: int) -> DecisionVersion | None:
        decision = self._state.decisions.get(key)
        return None if decision is None or decision.deleted else decision

    def latest(self, decision_id: str) -> DecisionVersion | None:
        return _newest(self._usable(decision_id))

    def deployed_with(self, decision_id: str, deployment_key: int) -> DecisionVersion | None:
        return _newest(d for d in self._usable(decision_id) if d.deployment_key == deployment_key)

    def latest_with_tag(self, decision_id: str, version_tag: str) -> DecisionVersion | None:
        return _newest(d for d in self._usable(decision_id) if d.version_tag == version_tag)

    def highest_version(self, decision_id: str) -> int:
        of_decision = (d.version for d in self._state.decisions.values() if d.decision_id == decision_id)
        return max(of_decision, default=0)

    def highest_requirements_version(self, decision_requirements_id: str) -> int:
        found = self._state.requirements.values()
        return max((r.version for r in found if r.decision_requirements_id == decision_requirements_id), default=0)

    def delete_requirements(self, key: int) -> None:
        state = self._changed()
        state.requirements[key] = replace(state.requirements[key], deleted=True)
        for decision in self.in_requirements(key):
            state.decisions[decision.key] = replace(decision, deleted=True)

    def _usable(self, decision_id: str) -> list[DecisionVersion]:
        return [d for d in self._state.decisions.values() if d.decision_id == decision_id and not d.deleted]


class _Records:
    """The records of the batch alone: those of earlier batches were returned by ``commit``."""

    def __init__(self) -> None:
        self.batch: list[Record] = []

    def prune(self, before: int, limit: int) -> int:
        return 0


def _in_order(rows: dict[int, Row]) -> Iterable[Row]:
    """Return the rows by ascending key, which is the order of their creation."""
    return [rows[key] for key in sorted(rows)]


def _newest(versions: Iterable[Versioned]) -> Versioned | None:
    return max(versions, key=lambda found: found.version, default=None)


def _copy_instance(instance: ProcessInstance) -> ProcessInstance:
    return ProcessInstance(
        instance.key,
        instance.process_definition_key,
        instance.bpmn_process_id,
        instance.version,
        instance.parent,
        {key: _copy_element(element) for key, element in instance.element_instances.items()},
        instance.correlation_key,
        instance.fetch_variables,
        instance.indexed,
    )


def _copy_element(element: ElementInstance) -> ElementInstance:
    """Copy what the processors change in place; a variable's value is replaced, and never changed."""
    return ElementInstance(
        element.key,
        element.element_id,
        element.element_type,
        element.flow_scope_key,
        element.state,
        element.variables.copy(),
        element.children.copy(),
        element.tokens.copy(),
        element.jobs.copy(),
        element.timers.copy(),
        element.message_subscriptions.copy(),
        element.signal_subscriptions.copy(),
        element.incidents.copy(),
        element.trigger,
        element.pending_trigger,
        element.interrupting_element_id,
        element.ends_early,
        element.called_child_instance_key,
        element.start_instructions.copy(),
        element.loop_counter,
        element.loop_counts.copy(),
        [replace(subscription) for subscription in element.compensation_subscriptions],
    )
