"""Gateways that pass tokens on: parallel, exclusive, inclusive. How they join is in ``joins``."""

from collections.abc import Iterator
from itertools import islice

from services.engine.errors import ErrorType, Failure
from services.engine.model.bpmn import Flow
from services.engine.model.expression import type_name
from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import FlowNodeProcessor
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.variables import evaluate
from services.engine.state.instances import COMPLETING


class ParallelGatewayProcessor(FlowNodeProcessor):
    """Left in the step in which it is entered, as in Zeebe."""

    def activate(self, execution: Execution, context: ElementContext) -> None:
        flows = self.flows(execution, context)
        lifecycle.transition_to_activated(execution, context)
        context.element_instance.state = COMPLETING
        execution.record_transition(context, "ELEMENT_COMPLETING")
        lifecycle.transition_to_completed(execution, context, flows)

    def flows(self, execution: Execution, context: ElementContext) -> tuple[Flow, ...]:
        """The flows that are taken; raises Trouble."""
        return context.element.outgoing


class InclusiveGatewayProcessor(ParallelGatewayProcessor):
    """Takes every flow whose condition holds, else the default flow."""

    most: int | None = None

    def flows(self, execution: Execution, context: ElementContext) -> tuple[Flow, ...]:
        flows = context.element.outgoing
        if not flows or (len(flows) == 1 and flows[0].condition is None):
            return flows
        return tuple(islice(_matching_flows(execution, context), self.most)) or (_default_flow(context),)


class ExclusiveGatewayProcessor(InclusiveGatewayProcessor):
    """Takes one flow; of several true conditions the one written last in the file wins, as in Zeebe."""

    most = 1


def _matching_flows(execution: Execution, context: ElementContext) -> Iterator[Flow]:
    """Raises Trouble where a condition is not a boolean: null is not false. That of the default flow is not asked."""
    for flow in context.element.outgoing:
        if flow.condition is None or flow.id == context.element.default_flow:
            continue
        value = evaluate(execution, context, flow.condition)
        if not isinstance(value, bool):
            raise Failure(
                ErrorType.EXTRACT_VALUE,
                f"Expected result of the expression '{flow.condition.text.removeprefix('=')}' to be 'BOOLEAN', "
                f"but was '{type_name(value)}'.",
            )
        if value:
            yield flow


def _default_flow(context: ElementContext) -> Flow:
    """Raises Trouble (CONDITION_ERROR) where there is none."""
    found = next((f for f in context.element.outgoing if f.id == context.element.default_flow), None)
    if found is None:
        raise Failure(
            ErrorType.CONDITION,
            "Expected at least one condition to evaluate to true, or to have a default flow",
        )
    return found
