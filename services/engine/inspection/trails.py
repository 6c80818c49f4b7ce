"""One instance in detail: where it stands and what it waits for, the way it came, its variables."""

import json
from collections.abc import Iterator

from services.engine.clock import from_millis
from services.engine.inspection.shapes import Awaited, Passage, Place, Variable
from services.engine.state.instances import Instance, Node
from services.engine.state.store import Store

LONGEST_TRAIL = 2000  # records
_ENTERED = ("ELEMENT_ACTIVATING",)
_ENDED = {"ELEMENT_COMPLETED": "completed", "ELEMENT_TERMINATED": "terminated"}


def places(store: Store, found: Instance) -> list[Place]:
    """Where a running instance stands, outermost first; the process itself is not a place."""
    return [
        Place(
            node.element_id,
            node.kind,
            node.state,
            None if (since := store.overview.moment(found.key, node.key, _ENTERED)) is None else from_millis(since),
            bool(node.incidents),
            list(_awaited(store, node)),
        )
        for node in found.nodes.values()
        if node.key != found.key
    ]


def passages(store: Store, instance_key: int) -> tuple[list[Passage], bool]:
    """The elements that were entered, in that order, and whether that is all."""
    records = store.overview.history(instance_key, "PROCESS_INSTANCE", LONGEST_TRAIL)
    found: dict[int, Passage] = {}
    for record in records:
        element_id, kind = record.value["elementId"], record.value["bpmnElementType"]
        at = from_millis(record.timestamp)
        known = found.get(record.key)
        if record.intent in _ENDED:
            began = known.began if known is not None else at
            found[record.key] = Passage(element_id, kind, began, at, _ENDED[record.intent])
        elif record.intent.startswith("ELEMENT_") and known is None:
            found[record.key] = Passage(element_id, kind, at, None, "active")
    whole = bool(records) and records[0].key == instance_key and records[0].intent in _ENTERED
    return list(found.values()), whole


def variables(store: Store, instance_key: int) -> list[Variable]:
    """As they are now, each in its scope; of an instance that has ended, as its records last told them."""
    found = store.instances.look(instance_key)
    if found is not None:
        return [
            Variable(node.element_id, node.key, name, json.dumps(value, ensure_ascii=False))
            for node in found.nodes.values()
            for name, value in sorted(node.variables.items())
        ]
    scopes = {
        record.key: record.value["elementId"]
        for record in store.overview.history(instance_key, "PROCESS_INSTANCE", LONGEST_TRAIL)
    }
    last = {
        (record.value["scopeKey"], record.value["name"]): record.value["value"]
        for record in store.overview.history(instance_key, "VARIABLE", LONGEST_TRAIL)
    }
    return [Variable(scopes.get(key, ""), key, name, value) for (key, name), value in sorted(last.items())]


def _awaited(store: Store, node: Node) -> Iterator[Awaited]:
    for job in filter(None, map(store.jobs.get, node.jobs)):
        yield Awaited("job", job.type, None, job.key)
    for timer in filter(None, map(store.timers.get, node.timers)):
        yield Awaited("timer", timer.element_id, from_millis(timer.due), timer.key)
    for message in filter(None, map(store.messages.subscription, node.messages)):
        yield Awaited("message", message.name, None, message.key)
    for signal in filter(None, map(store.signals.subscription, node.signals)):
        yield Awaited("signal", signal.name, None, signal.key)
    if node.called:
        yield Awaited("call", "", None, node.called)
