"""Exclusive gateway: one flow goes on."""

from services.engine.errors import ErrorType, Trouble
from services.engine.model.bpmn import Element, Flow, given
from services.engine.model.expression import type_name
from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import Leaf
from services.engine.processing.variables import evaluate
from services.engine.processing.work import At, Work


class ExclusiveGateway(Leaf):
    """Of several true conditions the flow written last in the file wins, as in Zeebe."""

    def activate(self, work: Work, at: At) -> None:
        flow = self._choose(work, at)
        lifecycle.activated(work, at)
        lifecycle.complete(work, at)
        at.node.memo = {"flow": flow.id} if flow is not None else None

    def complete(self, work: Work, at: At) -> None:
        chosen = at.node.memo["flow"] if at.node.memo is not None else None
        lifecycle.completed(work, at, tuple(f for f in at.element.outgoing if f.id == chosen))

    def _choose(self, work: Work, at: At) -> Flow | None:
        flows = at.element.outgoing
        if not flows:
            return None
        if len(flows) == 1 and flows[0].condition is None:
            return flows[0]
        for flow in sorted(flows, key=lambda f: -f.position):
            if flow.condition is not None and is_true(work, at, flow):
                return flow
        return default_flow(at.element)


def is_true(work: Work, at: At, flow: Flow) -> bool:
    """Raises Trouble where the condition is not a boolean: null is not false."""
    condition = given(flow.condition)
    value = evaluate(work, at, condition)
    if not isinstance(value, bool):
        raise Trouble(
            ErrorType.EXTRACT_VALUE,
            f"Expected result of the expression '{condition.text.removeprefix('=')}' to be 'BOOLEAN', "
            f"but was '{type_name(value)}'.",
        )
    return value


def default_flow(element: Element) -> Flow:
    """Raises Trouble (CONDITION_ERROR) where there is none."""
    found = next((f for f in element.outgoing if f.id == element.default_flow), None)
    if found is None:
        raise Trouble(
            ErrorType.CONDITION,
            "Expected at least one condition to evaluate to true, or to have a default flow",
        )
    return found
