"""Which element of a model is which of another version: by its id, or by what it does where the id is another.

What it does is its job type, the process that it calls and the stage that it asks there, its message, its decision
table, the element that its event belongs to; names and places in the drawing say nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.engine.feel.nodes import ContextNode, Literal
from services.engine.model.bpmn import Element, ElementType, Event, EventType, Flow, Process

STAGE = "stage"
_BY_MESSAGE = (EventType.MESSAGE, EventType.SIGNAL)


def map_elements(source: Process, target: Process) -> dict[str, str]:
    """Return the id in the target of each element and flow of the source that has a counterpart there.

    A message or signal event whose name or key is another in the target has none: it is awaited anew. A timer that is
    under way keeps its moment.
    """
    found: dict[str, str] = {}
    by_deed = _unique(target, source)
    for element in _outside_in(source):
        if element.element_type == ElementType.PROCESS:
            found[element.id] = target.id
            continue
        scope = found.get(element.scope)
        there = target.elements.get(element.id) or target.elements.get(by_deed.get(_deed(source, element), ""))
        if there is None or there.id in found.values() or not _is_like(element, there):
            continue
        if there.scope != scope or (element.attached_to and found.get(element.attached_to) != there.attached_to):
            continue
        found[element.id] = there.id
    found.pop(source.id)
    return found | dict(_flows(source, target, found))


@dataclass(frozen=True)
class Difference:
    """A mapping without what it does not change: the ids that become others, and those that have no counterpart."""

    changed: Mapping[str, str]
    without: Sequence[str]


def difference(source: Process, ids: Mapping[str, str]) -> Difference:
    """Return what a mapping of this process changes; ``pairs`` gives it back."""
    known = _ids(source)
    changed = {one: ids[one] for one in known if ids.get(one, one) != one}
    return Difference(changed, [one for one in known if one not in ids])


def pairs(source: Process, of: Difference) -> list[tuple[str, str]]:
    """Return the mapping that a difference was made of."""
    without = set(of.without)
    return [(one, of.changed.get(one, one)) for one in _ids(source) if one not in without]


def _ids(process: Process) -> list[str]:
    elements = [element for element in process.elements.values() if element.element_type != ElementType.PROCESS]
    return [*(e.id for e in elements), *(flow.id for e in process.elements.values() for flow in e.outgoing)]


def _outside_in(process: Process) -> Iterator[Element]:
    """Yield each element after its scope, and after the element that it is attached to."""
    todo, yielded = list(process.elements.values()), set[str]()
    while todo:
        ready = [e for e in todo if all(not o or o in yielded for o in (e.scope, e.attached_to)) or e.id == process.id]
        ready = ready or todo  # a scope that is not drawn: the schema's check refuses it before
        yield from ready
        yielded |= {element.id for element in ready}
        todo = [element for element in todo if element.id not in yielded]


def _is_like(element: Element, other: Element) -> bool:
    if element.element_type != other.element_type or (element.loop is None) != (other.loop is None):
        return False
    if element.event is None or other.event is None:
        return element.event is other.event
    if element.event.event_type != other.event.event_type:
        return False
    if element.element_type == ElementType.RECEIVE_TASK or element.event.event_type not in _BY_MESSAGE:
        return True
    return _awaited(element.event) == _awaited(other.event)


def _awaited(event: Event) -> list[str]:
    return [part.text for part in (event.name, event.key) if part is not None]


def _unique(target: Process, source: Process) -> Mapping[tuple[str, ...], str]:
    """Return the elements whose ids only the target has, by what they do; none where two of them do the same."""
    found: dict[tuple[str, ...], list[str]] = {}
    for element in target.elements.values():
        if element.id not in source.elements:
            found.setdefault(_deed(target, element), []).append(element.id)
    return {deed: ids[0] for deed, ids in found.items() if len(ids) == 1}


def _deed(process: Process, element: Element) -> tuple[str, ...]:
    """Return what an element does, within what it lies in or belongs to."""
    parts = [element.element_type.value, "interrupts" if element.interrupting else ""]
    if element.job is not None:
        parts.append(element.job.type.text)
    if element.called is not None:
        parts += [element.called.id.text, _literal_input(element, STAGE) or ""]
    if element.event is not None:
        texts = (element.event.name, element.event.code, element.event.timer)
        parts += [element.event.event_type.value, *(text.text for text in texts if text is not None)]
    if element.attached_to is not None:
        parts += _deed(process, process.elements[element.attached_to])
    return tuple(parts)


def _flows(source: Process, target: Process, found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    there = {flow.id: flow for element in target.elements.values() for flow in element.outgoing}
    by_ends: dict[tuple[str, str], list[Flow]] = {}
    for flow in there.values():
        by_ends.setdefault((flow.source, flow.target), []).append(flow)
    used: set[str] = set()
    for element in source.elements.values():
        for flow in element.outgoing:
            same = by_ends.get((found.get(flow.source, ""), found.get(flow.target, "")), [])
            mapped = flow.id if flow.id in there else (same[0].id if len(same) == 1 else "")
            if mapped and mapped not in used:
                used.add(mapped)
                yield flow.id, mapped


def _literal_input(element: Element, name: str) -> str | None:
    """Return the text that an input mapping sets a variable to; None where it is computed."""
    if element.inputs is None or element.inputs.compiled is None:
        return None
    node = element.inputs.compiled.node
    if not isinstance(node, ContextNode):
        return None
    value = dict(node.entries).get(name)
    return value.value if isinstance(value, Literal) and isinstance(value.value, str) else None
