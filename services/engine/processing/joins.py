"""Decide when a gateway with several incoming flows may be entered."""

from collections.abc import Iterator

from services.engine.model.bpmn import Element, ElementType, Process
from services.engine.state.instances import ElementInstance, ProcessInstance

NO_FLOW = "*"  # the token of an element that is entered without a flow


def tokens_to_consume(
    instance: ProcessInstance, process: Process, scope: ElementInstance, element: Element, arrived_on: str
) -> list[str]:
    """Return the tokens that entering consumes; none while a join waits."""
    if not scope.tokens.get(arrived_on):
        return []
    if arrived_on == NO_FLOW:
        return [arrived_on]
    if element.element_type == ElementType.PARALLEL_GATEWAY:
        flows = [f.id for f in element.incoming] or [arrived_on]
        return flows if all(scope.tokens.get(f) for f in flows) else []
    if is_inclusive_join(element):
        arrived = [f.id for f in element.incoming if scope.tokens.get(f.id)]
        active = _active_element_ids(instance, process, scope, element)
        waits = any(_can_reach(process, start, element.id, arrived) for start in active)
        return [] if waits else arrived
    return [arrived_on]


def is_inclusive_join(element: Element) -> bool:
    return element.element_type == ElementType.INCLUSIVE_GATEWAY and len(element.incoming) > 1


def pending_joins(process: Process, scope: ElementInstance) -> Iterator[tuple[str, str]]:
    """List inclusive gateways with waiting tokens, each with a flow of one."""
    if not process.inclusive_joins:
        return
    for join in process.inclusive_joins:
        flow = next((f.id for f in process.elements[join].incoming if scope.tokens.get(f.id)), None)
        if flow is not None:
            yield join, flow


def _active_element_ids(
    instance: ProcessInstance, process: Process, scope: ElementInstance, join: Element
) -> Iterator[str]:
    """List the scope's active elements and token targets except the join."""
    for child in scope.children:
        if child in instance.element_instances:
            yield instance.element_instances[child].element_id
    targets = {f.id: f.target for e in process.elements.values() for f in e.outgoing}
    yield from (targets[token] for token in scope.tokens if token in targets and targets[token] != join.id)


def _can_reach(process: Process, start: str, goal: str, excluded: list[str]) -> bool:
    """Return whether a token at ``start`` can reach ``goal``.

    Flows ``excluded`` are ignored; boundary events and links are followed.
    """
    visited: set[str] = set()
    queue = [start]
    while queue:
        current = queue.pop()
        element = process.elements[current]
        targets = [f.target for f in element.outgoing if f.id not in excluded]
        targets += [*element.boundaries, *process.links.get(current, [])]
        if goal in targets:
            return True
        queue += [e for e in targets if e not in visited]
        visited.update(targets)
    return False
