"""Gateways; ``joins`` has their incoming side."""

from collections.abc import Iterator
from itertools import islice

from services.engine.errors import ErrorType, Failure
from services.engine.model.bpmn import Flow, required
from services.engine.model.expression import type_name
from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import FlowNodeProcessor
from services.engine.processing.event_subscriptions import subscribe_to_events, unsubscribe_from_events
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.variables import evaluate
from services.engine.state.instances import COMPLETING


class ParallelGatewayProcessor(FlowNodeProcessor):
    """Completes in the step that enters it, as in Zeebe."""

    def activate(self, execution: Execution, context: ElementContext) -> None:
        flows = self.flows(execution, context)
        lifecycle.transition_to_activated(execution, context)
        context.element_instance.state = COMPLETING
        execution.record_transition(context, "ELEMENT_COMPLETING")
        lifecycle.transition_to_completed(execution, context, flows)

    def flows(self, execution: Execution, context: ElementContext) -> tuple[Flow, ...]:
        """Return the flows to take; raises Failure."""
        return context.element.outgoing


class InclusiveGatewayProcessor(ParallelGatewayProcessor):
    """Takes all flows with a true condition, else the default flow."""

    max_flows: int | None = None

    def flows(self, execution: Execution, context: ElementContext) -> tuple[Flow, ...]:
        flows = context.element.outgoing
        if not flows or (len(flows) == 1 and flows[0].condition is None):
            return flows
        return tuple(islice(matching_flows(execution, context), self.max_flows)) or (_default_flow(context),)


class ExclusiveGatewayProcessor(InclusiveGatewayProcessor):
    """Takes the last flow in the file that is true, as Zeebe."""

    max_flows = 1


class EventBasedGatewayProcessor(FlowNodeProcessor):
    """Activates the first triggered event, without taking a flow."""

    def activate(self, execution: Execution, context: ElementContext) -> None:
        subscribe_to_events(execution, context)
        lifecycle.transition_to_activated(execution, context)

    def complete(self, execution: Execution, context: ElementContext) -> None:
        unsubscribe_from_events(execution, context)
        lifecycle.transition_to_completed(execution, context, (), event=required(context.element_instance.trigger))


def matching_flows(execution: Execution, context: ElementContext) -> Iterator[Flow]:
    """List flows with a true condition; the default flow's is not evaluated.

    Raises Failure if a condition is not a boolean, null included.
    """
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
    """Return the default flow; raises Failure (CONDITION_ERROR) without one."""
    flow = next((f for f in context.element.outgoing if f.id == context.element.default_flow), None)
    if flow is None:
        raise Failure(
            ErrorType.CONDITION,
            "Expected at least one condition to evaluate to true, or to have a default flow",
        )
    return flow
