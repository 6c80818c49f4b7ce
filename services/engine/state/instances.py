"""Store each live process instance as one document, a scope tree."""

import json
import sqlite3
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from services.engine.state.statements import Statement
from services.engine.state.tables import element_instances, instances

ACTIVATING, ACTIVATED, COMPLETING, TERMINATING = "ACTIVATING", "ACTIVATED", "COMPLETING", "TERMINATING"
_MAX_CACHED = 2000
_MAX_CACHED_CHARACTERS = 4_000_000  # of JSON; the objects use several times as much memory
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(slots=True)
class Trigger:
    """A triggered event: the element it activates and its variables."""

    element_id: str
    variables: dict[str, Any]
    is_error: bool = False


class Compensation(TypedDict):
    """A compensation subscription: a completed activity and its ``handler``.

    Without a handler ("") the activities inside it are compensated. ``node`` and ``scope`` are the keys of its element
    instance and flow scope, ``thrower`` that of the throw event (0 = not triggered), ``handler_node`` that of the
    handler's element instance.
    """

    key: int
    activity: str
    node: int
    scope: int
    handler: str
    handler_node: int
    thrower: int


@dataclass(slots=True)
class ElementInstance:
    """An active element: a task, a scope or a catch event.

    The field names are stored. ``tokens`` counts, in a scope, the tokens on each flow that have not entered an
    element yet; ``pending`` is the event that interrupts the element instance, kept until that is terminated;
    ``trigger`` holds the variables it is completed with; ``memo`` is its processor's data (the counts of a
    multi-instance); ``compensations`` are the instance's compensation subscriptions, kept at its root.
    """

    key: int
    element_id: str
    kind: str
    scope: int
    state: str = ACTIVATING
    variables: dict[str, Any] = field(default_factory=dict)
    children: dict[int, None] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    jobs: list[int] = field(default_factory=list)
    timers: list[int] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    incidents: list[int] = field(default_factory=list)
    trigger: Trigger | None = None
    pending: Trigger | None = None
    interrupted_by: str | None = None
    ended: bool = False
    called: int = 0
    memo: dict[str, Any] | None = None
    compensations: list[Compensation] = field(default_factory=list)

    def is_interrupted(self) -> bool:
        return self.pending is not None or self.interrupted_by is not None


@dataclass(slots=True)
class ProcessInstance:
    """A process instance; ``parent`` holds the keys of its caller.

    These are the calling process instance and the element instance of the call activity.
    """

    key: int
    definition_key: int
    process_id: str
    version: int
    parent: tuple[int, int] | None
    element_instances: dict[int, ElementInstance]
    start_lock: str | None = None
    awaited: list[str] | None = None
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
            _UNINDEX.run_each(self._connection, [{"node": n} for n in instance.indexed])
        self._changed[key] = None

    def get_by_element_instance(self, element_instance_key: int) -> tuple[ProcessInstance, ElementInstance] | None:
        """Return an element instance with its process instance, for changes."""
        instance_key = _OWNER.number(self._connection, node=element_instance_key)
        candidates = [self.get_for_update(instance_key)] if instance_key is not None else list(self._changed.values())
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
                _UNINDEX.run_each(self._connection, [{"node": n} for n in ended])
            if entered := current - instance.indexed:
                _INDEX.run_each(
                    self._connection, [_index_row(instance, instance.element_instances[n]) for n in entered]
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


_SELECT = Statement(select(instances.c.document).where(instances.c.key == bindparam("instance")))
_DELETE = Statement(delete(instances).where(instances.c.key == bindparam("instance")))
_OWNER = Statement(select(element_instances.c.instance_key).where(element_instances.c.key == bindparam("node")))
_INDEX = Statement(insert(element_instances))
_UNINDEX = Statement(delete(element_instances).where(element_instances.c.key == bindparam("node")))
_INSERT = upsert(instances)
_UPSERT = Statement(_INSERT.on_conflict_do_update(index_elements=["key"], set_={"document": _INSERT.excluded.document}))


def _index_row(instance: ProcessInstance, node: ElementInstance) -> dict[str, Any]:
    return {
        "key": node.key,
        "instance_key": instance.key,
        "definition_key": instance.definition_key,
        "element_id": node.element_id,
        "kind": node.kind,
    }


def _to_document(instance: ProcessInstance) -> dict[str, Any]:
    return {
        "key": instance.key,
        "definition": instance.definition_key,
        "process": instance.process_id,
        "version": instance.version,
        "parent": instance.parent,
        "startLock": instance.start_lock,
        "awaited": instance.awaited,
        "nodes": [_element_instance_document(n) for n in instance.element_instances.values()],
    }


def _element_instance_document(node: ElementInstance) -> dict[str, Any]:
    fields: dict[str, Any] = {name: getattr(node, name) for name in ElementInstance.__slots__}
    document = {name: value for name, value in fields.items() if value or name == "scope"}
    for name in ("trigger", "pending"):
        if name in document:
            document[name] = asdict(document[name])
    if node.children:
        document["children"] = list(node.children)
    return document


def _from_document(document: dict[str, Any]) -> ProcessInstance:
    loaded = [_element_instance(n) for n in document["nodes"]]
    parent = document["parent"]
    return ProcessInstance(
        document["key"],
        document["definition"],
        document["process"],
        document["version"],
        (parent[0], parent[1]) if parent else None,
        {n.key: n for n in loaded},
        document["startLock"],
        document["awaited"],
        frozenset(n.key for n in loaded),
    )


def _element_instance(document: dict[str, Any]) -> ElementInstance:
    fields = dict(document)
    for name in ("trigger", "pending"):
        if name in fields:
            fields[name] = Trigger(**fields[name])
    fields["children"] = dict.fromkeys(fields.get("children", []))
    return ElementInstance(**fields)
