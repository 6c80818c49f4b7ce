"""Containers: processes, embedded subprocesses and event subprocesses."""

from services.engine.model.bpmn import required
from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import ActivityProcessor
from services.engine.processing.event_subscriptions import subscribe_to_events, unsubscribe_from_events
from services.engine.processing.event_triggers import activate_pending_event_subprocess
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.mappings import apply_inputs
from services.engine.processing.modification import Activation, activation_step


class ContainerProcessor(ActivityProcessor):
    """Completes without active children; terminates its children first.

    Its events are subscribed when the start event completes, so that the start event's variables are visible.
    """

    def activate(self, execution: Execution, context: ElementContext) -> None:
        apply_inputs(execution, context)
        self.start(execution, context, None)

    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        lifecycle.transition_to_activated(execution, context)
        if context.element.none_start is not None:
            lifecycle.enter_element(
                execution, context.process_instance, context.element_instance, context.element.none_start
            )

    def terminate(self, execution: Execution, context: ElementContext) -> None:
        unsubscribe_from_events(execution, context)
        if lifecycle.terminate_children(execution, context):
            self._terminated(execution, context)

    def child_completed(self, execution: Execution, context: ElementContext) -> None:
        if lifecycle.is_scope_empty(context.element_instance):
            lifecycle.schedule_completion(execution, context)

    def child_terminated(self, execution: Execution, context: ElementContext) -> None:
        if context.element_instance.children:
            return
        if context.element_instance.state == "TERMINATING":
            self._terminated(execution, context)
        elif not activate_pending_event_subprocess(execution, context) and lifecycle.is_scope_empty(
            context.element_instance
        ):
            lifecycle.schedule_completion(execution, context)

    def _terminated(self, execution: Execution, context: ElementContext) -> None:
        execution.resolve_incidents(context)
        lifecycle.transition_to_terminated(execution, context)


class SubprocessProcessor(ContainerProcessor):
    """An embedded subprocess."""


class ProcessProcessor(ContainerProcessor):
    """A process instance; starts at its none or triggered start event."""

    def activate(self, execution: Execution, context: ElementContext) -> None:
        if context.element_instance.start_instructions:
            self._start_at_instructions(execution, context)
            return
        started_by = context.element_instance.trigger
        context.element_instance.trigger = None
        if started_by is None:
            self.start(execution, context, None)
            return
        lifecycle.transition_to_activated(execution, context)
        lifecycle.enter_element(
            execution, context.process_instance, context.element_instance, started_by.element_id, trigger=started_by
        )

    def complete(self, execution: Execution, context: ElementContext) -> None:
        unsubscribe_from_events(execution, context)
        lifecycle.transition_to_completed(execution, context)

    def _start_at_instructions(self, execution: Execution, context: ElementContext) -> None:
        subscribe_to_events(execution, context)
        element_ids, context.element_instance.start_instructions = context.element_instance.start_instructions, []
        lifecycle.transition_to_activated(execution, context)
        execution.steps.extend(
            [activation_step(execution, context, Activation(element_id)) for element_id in element_ids]
        )


class EventSubprocessProcessor(ContainerProcessor):
    """Starts at its start event, which gets the trigger's variables."""

    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        lifecycle.transition_to_activated(execution, context)
        trigger, context.element_instance.trigger = required(context.element_instance.trigger), None
        lifecycle.enter_element(
            execution, context.process_instance, context.element_instance, trigger.element_id, trigger=trigger
        )
