"""Event-based gateway: activates the first triggered event, without taking a flow."""

from services.engine.model.bpmn import required
from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import FlowNodeProcessor
from services.engine.processing.event_subscriptions import subscribe_to_events, unsubscribe_from_events
from services.engine.processing.execution import ElementContext, Execution


class EventBasedGatewayProcessor(FlowNodeProcessor):
    def activate(self, execution: Execution, context: ElementContext) -> None:
        subscribe_to_events(execution, context)
        lifecycle.transition_to_activated(execution, context)

    def complete(self, execution: Execution, context: ElementContext) -> None:
        unsubscribe_from_events(execution, context)
        lifecycle.transition_to_completed(execution, context, (), event=required(context.element_instance.trigger))
