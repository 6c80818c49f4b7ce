"""Intermediate throw events and end events; a thrown message is a job."""

from services.engine.errors import ErrorType, Failure
from services.engine.model.bpmn import EventType, required
from services.engine.processing import lifecycle
from services.engine.processing.compensation import trigger_compensation
from services.engine.processing.elements.tasks import JobTaskProcessor
from services.engine.processing.event_publication import CatchEventMatch, find_catch_event, throw_escalation
from services.engine.processing.event_triggers import trigger_event
from services.engine.processing.execution import BroadcastSignal, ElementContext, Execution
from services.engine.processing.jobs import JobSpec
from services.engine.processing.mappings import apply_inputs, apply_outputs
from services.engine.processing.variables import evaluate_text
from services.engine.state.instances import Trigger


class ThrowEventProcessor(JobTaskProcessor):
    """Applies input mappings for messages and signals only."""

    def activate(self, execution: Execution, context: ElementContext) -> None:
        if required(context.element.event).event_type in (EventType.MESSAGE, EventType.SIGNAL):
            apply_inputs(execution, context)
        self.start(execution, context, self.prepare(execution, context))

    def prepare(self, execution: Execution, context: ElementContext) -> object:
        event = required(context.element.event)
        match event.event_type:
            case EventType.MESSAGE:
                return super().prepare(execution, context)
            case EventType.SIGNAL:
                return evaluate_text(execution, context, required(event.name))
            case EventType.ESCALATION:
                return evaluate_text(execution, context, required(event.code))
        return None

    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        if isinstance(prepared, JobSpec):
            super().start(execution, context, prepared)
            return
        lifecycle.transition_to_activated(execution, context)
        event_type = required(context.element.event).event_type
        if event_type == EventType.ESCALATION and throw_escalation(execution, context, str(prepared)):
            return  # its catch event interrupts it
        if event_type == EventType.COMPENSATION and trigger_compensation(execution, context):
            return  # it waits for the compensation handlers
        if event_type == EventType.SIGNAL:
            execution.steps.append(BroadcastSignal(str(prepared), dict(context.element_instance.variables)))
        lifecycle.schedule_completion(execution, context)

    def complete(self, execution: Execution, context: ElementContext) -> None:
        if required(context.element.event).event_type != EventType.LINK:
            super().complete(execution, context)
            return
        apply_outputs(execution, context)
        lifecycle.enter_element(
            execution, context.process_instance, context.scope, context.process.links[context.element.id][0]
        )
        lifecycle.transition_to_completed(execution, context)


class EndEventProcessor(ThrowEventProcessor):
    """An error end is terminated by its catch event.

    A terminate end has no mappings.
    """

    def prepare(self, execution: Execution, context: ElementContext) -> object:
        event = required(context.element.event)
        if event.event_type != EventType.ERROR:
            return super().prepare(execution, context)
        code = evaluate_text(execution, context, required(event.code))
        match = find_catch_event(
            execution, execution.element_context(context.process_instance, context.scope), EventType.ERROR, code
        )
        if match is None:
            raise Failure(
                ErrorType.UNHANDLED_ERROR_EVENT,
                f"Expected to throw an error event with the code '{code}', but it was not caught.",
            )
        return match

    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        if not isinstance(prepared, CatchEventMatch):
            super().start(execution, context, prepared)
            return
        lifecycle.transition_to_activated(execution, context)
        trigger_event(execution, prepared.host, Trigger(prepared.catch_event.id, {}, is_error=True))

    def complete(self, execution: Execution, context: ElementContext) -> None:
        if required(context.element.event).event_type != EventType.TERMINATE:
            super().complete(execution, context)
            return
        scope = execution.element_context(context.process_instance, context.scope)
        scope.element_instance.ends_early = True
        scope.element_instance.tokens.clear()
        lifecycle.transition_to_completed(execution, context)
        lifecycle.terminate_children(execution, scope)
