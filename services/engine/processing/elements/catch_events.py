"""Start events, intermediate catch events and boundary events."""

from services.engine.model.bpmn import ElementType, EventType, required
from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import FlowNodeProcessor
from services.engine.processing.event_subscriptions import subscribe_to_events, unsubscribe_from_events
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.mappings import apply_inputs, apply_outputs
from services.engine.processing.variables import set_local_variables
from services.engine.state.instances import Trigger


class StartEventProcessor(FlowNodeProcessor):
    """Propagates the trigger's variables, and subscribes the scope on completion.

    The variables of an event that started the process are local variables of its start event as well.
    """

    def activate(self, execution: Execution, context: ElementContext) -> None:
        if context.element_instance.trigger is not None and context.scope.element_type == ElementType.PROCESS:
            _copy_trigger_variables(execution, context)
        super().activate(execution, context)

    def complete(self, execution: Execution, context: ElementContext) -> None:
        apply_outputs(execution, context)
        subscribe_to_events(execution, execution.element_context(context.process_instance, context.scope))
        lifecycle.transition_to_completed(execution, context)


class CatchEventProcessor(FlowNodeProcessor):
    """Waits for its event, unless an event-based gateway has caught it.

    Link events complete at once.
    """

    def activate(self, execution: Execution, context: ElementContext) -> None:
        if context.element_instance.trigger is not None:
            _copy_trigger_variables(execution, context)
            lifecycle.transition_to_activated(execution, context)
            lifecycle.schedule_completion(execution, context)
            return
        if required(context.element.event).event_type == EventType.LINK:
            lifecycle.transition_to_activated(execution, context)
            lifecycle.schedule_completion(execution, context)
            return
        apply_inputs(execution, context)
        subscribe_to_events(execution, context)
        lifecycle.transition_to_activated(execution, context)

    def complete(self, execution: Execution, context: ElementContext) -> None:
        apply_outputs(execution, context)
        unsubscribe_from_events(execution, context)
        lifecycle.transition_to_completed(execution, context)


class BoundaryEventProcessor(FlowNodeProcessor):
    """Propagates the trigger's variables; an error's only by mappings."""

    def activate(self, execution: Execution, context: ElementContext) -> None:
        _copy_trigger_variables(execution, context)
        lifecycle.transition_to_activated(execution, context)
        lifecycle.schedule_completion(execution, context)

    def complete(self, execution: Execution, context: ElementContext) -> None:
        if context.element_instance.trigger is not None and context.element_instance.trigger.is_error:
            context.element_instance.trigger = Trigger(context.element.id, {})
        apply_outputs(execution, context)
        lifecycle.transition_to_completed(execution, context)


def _copy_trigger_variables(execution: Execution, context: ElementContext) -> None:
    set_local_variables(
        execution,
        context.process_instance,
        context.element_instance,
        required(context.element_instance.trigger).variables,
    )
