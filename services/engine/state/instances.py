"""Store each live process instance as one document, a scope tree."""

import json
import sqlite3
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from services.engine.state.statements import Statement
from services.engine.state.tables import element_instances, process_instances

ACTIVATING, ACTIVATED, COMPLETING, TERMINATING = "ACTIVATING", "ACTIVATED", "COMPLETING", "TERMINATING"
_MAX_CACHED = 2000
_MAX_CACHED_CHARACTERS = 4_000_000  # of JSON; the objects use several times as much memory
_TRIGGERS = ("trigger", "pending_trigger")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(slots=True)
class Trigger:
    """A triggered event: the element it activates and its variables."""

    element_id: str
    variables: dict[str, Any]
    is_error: bool = False


@dataclass(slots=True)
class CompensationSubscription:
    """A completed activity and its compensation handler.

    Without a handler ("") the activities inside it are compensated; ``throw_event_instance_key`` is 0 until it is
    triggered.
    """

    key: int
    activity_id: str
    activity_instance_key: int
    scope_key: int
    handler_id: str
    handler_instance_key: int = 0
    throw_event_instance_key: int = 0


@dataclass(slots=True)
class ElementInstance:
    """An active element: a task, a scope or a catch event.

    The field names are stored; lists of jobs, timers, subscriptions and incidents hold keys. ``tokens`` counts, in a
    scope, the tokens on each flow that have not entered an element yet. ``trigger`` holds the variables that the
    element completes with; ``pending_trigger`` is the event that interrupts it, kept until it is terminated;
    ``ends_early`` says that no more elements may be entered. ``start_instructions`` and ``compensation_subscriptions``
    are the process instance's, kept at its root. ``loop_counter`` is the number of an inner instance, from 1;
    ``loop_counts`` are the counts of a multi-instance body.
    """

    key: int
    element_id: str
    element_type: str
    flow_scope_key: int
    state: str = ACTIVATING
    variables: dict[str, Any] = field(default_factory=dict)
    children: dict[int, None] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    jobs: list[int] = field(default_factory=list)
    timers: list[int] = field(default_factory=list)
    message_subscriptions: list[int] = field(default_factory=list)
    signal_subscriptions: list[int] = field(default_factory=list)
    incidents: list[int] = field(default_factory=list)
    trigger: Trigger | None = None
    pending_trigger: Trigger | None = None
    interrupting_element_id: str | None = None
    ends_early: bool = False
    called_child_instance_key: int = 0
    start_instructions: list[str] = field(default_factory=list)
    loop_counter: int = 0
    loop_counts: dict[str, Any] = field(default_factory=dict)
    compensation_subscriptions: list[CompensationSubscription] = field(default_factory=list)

    def is_interrupted(self) -> bool:
        return self.pending_trigger is not None or self.interrupting_element_id is not None


@dataclass(slots=True)
class ProcessInstance:
    """A process instance.

    ``parent`` holds the keys of the calling process instance and of its call activity's element instance;
    ``correlation_key`` is that of the message that started it, which starts no second one meanwhile;
    ``fetch_variables`` are those that a client waits for (empty = all, None = no client waits).
    """

    key: int
    process_definition_key: int
    bpmn_process_id: str
    version: int
    parent: tuple[int, int] | None
    element_instances: dict[int, ElementInstance]
    correlation_key: str | None = None
    fetch_variables: list[str] | None = None
    indexed: frozenset[int] = frozenset()

    @property
    def root(self) -> ElementInstance:
        return self.element_instances[self.key]


class Instances:
    """Loads documents on demand, and writes changed ones with the batch."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._cached: dict[int, ProcessInstance] = {}  # the least recently changed first
        self._sizes: dict[int, int] = {}
        self._cached_characters = 0
        self._changed: dict[int, ProcessInstance | None] = {}
        self.updates = 0
        """How often an instance was returned for changes."""

    def get_for_update(self, key: int) -> ProcessInstance | None:
        """Return the instance for changes; None once it has ended."""
        instance = self.get(key)
        if instance is not None:
            self._changed[key] = instance
            self.updates += 1
        return instance

    def get(self, key: int) -> ProcessInstance | None:
        """Return the instance for reading; None once it has ended."""
        if key in self._changed:
            return self._changed[key]
        cached = self._cached.get(key)
        if cached is not None:
            return cached
        row = _SELECT.run(self._connection, instance=key).fetchone()
        return None if row is None else _from_document(json.loads(row[0]))

    def add(self, instance: ProcessInstance) -> None:
        self._changed[instance.key] = instance

    def remove(self, key: int) -> None:
        """Remove an ended instance from the live tables."""
        instance = self._changed.get(key)
        if instance is not None and instance.indexed:
            _UNINDEX.run_each(self._connection, [{"element_instance": e} for e in instance.indexed])
        self._changed[key] = None

    def reindex(self, key: int) -> None:
        """Have the elements of a changed instance indexed anew, as they are when the batch is written."""
        instance = self._changed.get(key)
        if instance is not None and instance.indexed:
            _UNINDEX.run_each(self._connection, [{"element_instance": e} for e in instance.indexed])
            instance.indexed = frozenset()

    def get_by_element_instance(self, element_instance_key: int) -> tuple[ProcessInstance, ElementInstance] | None:
        """Return an element instance with its process instance, for changes."""
        process_instance_key = _OWNER.number(self._connection, element_instance=element_instance_key)
        candidates = (
            [self.get_for_update(process_instance_key)]
            if process_instance_key is not None
            else list(self._changed.values())
        )
        for instance in candidates:
            if instance is not None and element_instance_key in instance.element_instances:
                return instance, instance.element_instances[element_instance_key]
        return None

    def flush(self) -> None:
        """Write changed instances; call ``mark_saved`` after the commit."""
        for key, instance in self._changed.items():
            self._evict(key)
            if instance is None:
                _DELETE.run(self._connection, instance=key)
                continue
            document = _encode(_to_document(instance))
            _UPSERT.run(self._connection, key=key, document=document)
            current = frozenset(instance.element_instances)
            if ended := instance.indexed - current:
                _UNINDEX.run_each(self._connection, [{"element_instance": e} for e in ended])
            if entered := current - instance.indexed:
                _INDEX.run_each(
                    self._connection, [_index_row(instance, instance.element_instances[e]) for e in entered]
                )
            instance.indexed = current
            self._cache(instance, len(document))

    def _cache(self, instance: ProcessInstance, size: int) -> None:
        """Cache an instance and evict the least recently changed ones."""
        self._cached[instance.key] = instance
        self._sizes[instance.key] = size
        self._cached_characters += size
        while len(self._cached) > _MAX_CACHED or self._cached_characters > _MAX_CACHED_CHARACTERS:
            self._evict(next(iter(self._cached)))

    def _evict(self, key: int) -> None:
        self._cached.pop(key, None)
        self._cached_characters -= self._sizes.pop(key, 0)

    def mark_saved(self) -> None:
        """Mark all instances as saved."""
        self._changed.clear()

    def discard_changes(self) -> None:
        """Discard changed instances after a rollback."""
        for key in self._changed:
            self._evict(key)
        self._changed.clear()


_SELECT = Statement(select(process_instances.c.document).where(process_instances.c.key == bindparam("instance")))
_DELETE = Statement(delete(process_instances).where(process_instances.c.key == bindparam("instance")))
_OWNER = Statement(
    select(element_instances.c.process_instance_key).where(element_instances.c.key == bindparam("element_instance"))
)
_INDEX = Statement(insert(element_instances))
_UNINDEX = Statement(delete(element_instances).where(element_instances.c.key == bindparam("element_instance")))
_INSERT = upsert(process_instances)
_UPSERT = Statement(_INSERT.on_conflict_do_update(index_elements=["key"], set_={"document": _INSERT.excluded.document}))


def _index_row(instance: ProcessInstance, element_instance: ElementInstance) -> dict[str, Any]:
    return {
        "key": element_instance.key,
        "process_instance_key": instance.key,
        "process_definition_key": instance.process_definition_key,
        "element_id": element_instance.element_id,
        "element_type": element_instance.element_type,
    }


def _to_document(instance: ProcessInstance) -> dict[str, Any]:
    return {
        "key": instance.key,
        "process_definition_key": instance.process_definition_key,
        "bpmn_process_id": instance.bpmn_process_id,
        "version": instance.version,
        "parent": instance.parent,
        "correlation_key": instance.correlation_key,
        "fetch_variables": instance.fetch_variables,
        "element_instances": [_element_instance_document(e) for e in instance.element_instances.values()],
    }


def _element_instance_document(element_instance: ElementInstance) -> dict[str, Any]:
    fields: dict[str, Any] = {name: getattr(element_instance, name) for name in ElementInstance.__slots__}
    document = {name: value for name, value in fields.items() if value or name == "flow_scope_key"}
    for name in _TRIGGERS:
        if name in document:
            document[name] = asdict(document[name])
    if element_instance.compensation_subscriptions:
        document["compensation_subscriptions"] = [asdict(c) for c in element_instance.compensation_subscriptions]
    if element_instance.children:
        document["children"] = list(element_instance.children)
    return document


def _from_document(document: dict[str, Any]) -> ProcessInstance:
    loaded = [_element_instance(e) for e in document["element_instances"]]
    parent = document["parent"]
    return ProcessInstance(
        document["key"],
        document["process_definition_key"],
        document["bpmn_process_id"],
        document["version"],
        (parent[0], parent[1]) if parent else None,
        {e.key: e for e in loaded},
        document["correlation_key"],
        document["fetch_variables"],
        frozenset(e.key for e in loaded),
    )


def _element_instance(document: dict[str, Any]) -> ElementInstance:
    fields = dict(document)
    for name in _TRIGGERS:
        if name in fields:
            fields[name] = Trigger(**fields[name])
    if "compensation_subscriptions" in fields:
        fields["compensation_subscriptions"] = [
            CompensationSubscription(**c) for c in fields["compensation_subscriptions"]
        ]
    fields["children"] = dict.fromkeys(fields.get("children", []))
    return ElementInstance(**fields)
