"""End events: none, message (a job), signal, error, escalation, compensation, terminate."""

from services.engine.errors import ErrorType, Failure
from services.engine.model.bpmn import EventKind, required
from services.engine.processing import lifecycle
from services.engine.processing.elements.throw_event import ThrowEventProcessor
from services.engine.processing.event_publication import CatchEventMatch, find_catch_event
from services.engine.processing.event_triggers import trigger_event
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.variables import evaluate_text
from services.engine.state.instances import Trigger


class EndEventProcessor(ThrowEventProcessor):
    """An error end is terminated by its catch event.

    A terminate end has no mappings.
    """

    def prepare(self, execution: Execution, context: ElementContext) -> object:
        event = required(context.element.event)
        if event.kind != EventKind.ERROR:
            return super().prepare(execution, context)
        code = evaluate_text(execution, context, required(event.code))
        match = find_catch_event(
            execution, execution.element_context(context.process_instance, context.scope), EventKind.ERROR, code
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
        if required(context.element.event).kind != EventKind.TERMINATE:
            super().complete(execution, context)
            return
        scope = execution.element_context(context.process_instance, context.scope)
        scope.element_instance.ends_early = True
        scope.element_instance.tokens.clear()
        lifecycle.transition_to_completed(execution, context)
        lifecycle.terminate_children(execution, scope)
