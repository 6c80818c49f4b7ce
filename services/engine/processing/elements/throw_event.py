"""Intermediate throw events: none, message (a job), signal, escalation, compensation, link."""

from services.engine.model.bpmn import EventKind, required
from services.engine.processing import lifecycle
from services.engine.processing.compensation import trigger_compensation
from services.engine.processing.elements.tasks import JobTaskProcessor
from services.engine.processing.event_publication import throw_escalation
from services.engine.processing.execution import BroadcastSignal, ElementContext, Execution
from services.engine.processing.jobs import JobSpec
from services.engine.processing.mappings import apply_inputs, apply_outputs
from services.engine.processing.variables import evaluate_text


class ThrowEventProcessor(JobTaskProcessor):
    """Applies input mappings for messages and signals only."""

    def activate(self, execution: Execution, context: ElementContext) -> None:
        if required(context.element.event).kind in (EventKind.MESSAGE, EventKind.SIGNAL):
            apply_inputs(execution, context)
        self.start(execution, context, self.prepare(execution, context))

    def prepare(self, execution: Execution, context: ElementContext) -> object:
        event = required(context.element.event)
        match event.kind:
            case EventKind.MESSAGE:
                return super().prepare(execution, context)
            case EventKind.SIGNAL:
                return evaluate_text(execution, context, required(event.name))
            case EventKind.ESCALATION:
                return evaluate_text(execution, context, required(event.code))
        return None

    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        if isinstance(prepared, JobSpec):
            super().start(execution, context, prepared)
            return
        lifecycle.transition_to_activated(execution, context)
        kind = required(context.element.event).kind
        if kind == EventKind.ESCALATION and throw_escalation(execution, context, str(prepared)):
            return  # its catch event interrupts it
        if kind == EventKind.COMPENSATION and trigger_compensation(execution, context):
            return  # it waits for the compensation handlers
        if kind == EventKind.SIGNAL:
            execution.steps.append(BroadcastSignal(str(prepared), dict(context.element_instance.variables)))
        lifecycle.schedule_completion(execution, context)

    def complete(self, execution: Execution, context: ElementContext) -> None:
        if required(context.element.event).kind != EventKind.LINK:
            super().complete(execution, context)
            return
        apply_outputs(execution, context)
        lifecycle.enter_element(
            execution, context.process_instance, context.scope, context.process.links[context.element.id][0]
        )
        lifecycle.transition_to_completed(execution, context)
