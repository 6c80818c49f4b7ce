"""Gateways that pass tokens on: parallel, exclusive, inclusive. How they join is in ``joins``."""

from collections.abc import Iterator
from itertools import islice

from services.engine.errors import ErrorType, Trouble
from services.engine.model.bpmn import Flow
from services.engine.model.expression import type_name
from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import Leaf
from services.engine.processing.variables import evaluate
from services.engine.processing.work import At, Work
from services.engine.state.instances import COMPLETING


class ParallelGateway(Leaf):
    """Left in the step in which it is entered, as in Zeebe."""

    def activate(self, work: Work, at: At) -> None:
        flows = self.flows(work, at)
        lifecycle.activated(work, at)
        at.node.state = COMPLETING
        work.transition(at, "ELEMENT_COMPLETING")
        lifecycle.completed(work, at, flows)

    def flows(self, work: Work, at: At) -> tuple[Flow, ...]:
        """The flows that are taken; raises Trouble."""
        return at.element.outgoing


class InclusiveGateway(ParallelGateway):
    """Takes every flow whose condition holds, else the default flow."""

    most: int | None = None

    def flows(self, work: Work, at: At) -> tuple[Flow, ...]:
        flows = at.element.outgoing
        if not flows or (len(flows) == 1 and flows[0].condition is None):
            return flows
        return tuple(islice(_fulfilled(work, at), self.most)) or (_default(at),)


class ExclusiveGateway(InclusiveGateway):
    """Takes one flow; of several true conditions the one written last in the file wins, as in Zeebe."""

    most = 1


def _fulfilled(work: Work, at: At) -> Iterator[Flow]:
    """Raises Trouble where a condition is not a boolean: null is not false. That of the default flow is not asked."""
    for flow in at.element.outgoing:
        if flow.condition is None or flow.id == at.element.default_flow:
            continue
        value = evaluate(work, at, flow.condition)
        if not isinstance(value, bool):
            raise Trouble(
                ErrorType.EXTRACT_VALUE,
                f"Expected result of the expression '{flow.condition.text.removeprefix('=')}' to be 'BOOLEAN', "
                f"but was '{type_name(value)}'.",
            )
        if value:
            yield flow


def _default(at: At) -> Flow:
    """Raises Trouble (CONDITION_ERROR) where there is none."""
    found = next((f for f in at.element.outgoing if f.id == at.element.default_flow), None)
    if found is None:
        raise Trouble(
            ErrorType.CONDITION,
            "Expected at least one condition to evaluate to true, or to have a default flow",
        )
    return found
