"""When a gateway with several incoming flows may be entered, and which tokens it takes."""

from collections.abc import Iterator

from services.engine.model.bpmn import Element, ElementKind, Process
from services.engine.state.instances import ElementInstance, ProcessInstance

NO_FLOW = "*"  # the token of what is entered without a flow


def tokens_to_consume(
    instance: ProcessInstance, process: Process, scope: ElementInstance, element: Element, arrived_on: str
) -> list[str]:
    """The tokens that entering takes; empty while the gateway still waits, or if the token has gone."""
    if not scope.tokens.get(arrived_on):
        return []
    if arrived_on == NO_FLOW:
        return [arrived_on]
    if element.kind == ElementKind.PARALLEL_GATEWAY:
        flows = [f.id for f in element.incoming] or [arrived_on]
        return flows if all(scope.tokens.get(f) for f in flows) else []
    if is_inclusive_join(element):
        taken = [f.id for f in element.incoming if scope.tokens.get(f.id)]
        under_way = _active_element_ids(instance, process, scope, element)
        waits = any(_can_reach(process, start, element.id, taken) for start in under_way)
        return [] if waits else taken
    return [arrived_on]


def is_inclusive_join(element: Element) -> bool:
    return element.kind == ElementKind.INCLUSIVE_GATEWAY and len(element.incoming) > 1


def pending_joins(process: Process, scope: ElementInstance) -> Iterator[tuple[str, str]]:
    """Inclusive gateways at which tokens wait in a scope, each with a flow that has one."""
    if not process.inclusive_joins:
        return
    for join in process.inclusive_joins:
        flow = next((f.id for f in process.elements[join].incoming if scope.tokens.get(f.id)), None)
        if flow is not None:
            yield join, flow


def _active_element_ids(
    instance: ProcessInstance, process: Process, scope: ElementInstance, join: Element
) -> Iterator[str]:
    """Elements in the scope that hold a token or are about to get one, other than the join."""
    for child in scope.children:
        if child in instance.element_instances:
            yield instance.element_instances[child].element_id
    targets = {f.id: f.target for e in process.elements.values() for f in e.outgoing}
    yield from (targets[token] for token in scope.tokens if token in targets and targets[token] != join.id)


def _can_reach(process: Process, start: str, goal: str, taken: list[str]) -> bool:
    """Whether a token at ``start`` may come to ``goal``, through flows but those ``taken`` and boundary events."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        current = ahead.pop()
        element = process.elements[current]
        following = [f.target for f in element.outgoing if f.id not in taken]
        following += [*element.boundaries, *process.links.get(current, [])]
        if goal in following:
            return True
        ahead += [e for e in following if e not in seen]
        seen.update(following)
    return False
