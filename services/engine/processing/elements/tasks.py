"""Service, send, user, script, business rule, receive, manual and undefined tasks."""

from typing import Any

from services.engine.errors import ErrorType, Failure
from services.engine.model.bpmn import required
from services.engine.processing import lifecycle
from services.engine.processing.decisions import evaluate_called
from services.engine.processing.elements.activity import ActivityProcessor, FlowNodeProcessor, of_type
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.jobs import JobSpec, create_job, evaluate_job
from services.engine.processing.mappings import apply_inputs
from services.engine.processing.variables import evaluate, visible_variables
from services.engine.state.instances import Trigger


class JobTaskProcessor(ActivityProcessor):
    """A service, send or user task: creates a job."""

    def prepare(self, execution: Execution, context: ElementContext) -> object:
        return evaluate_job(execution, context)

    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        create_job(execution, context, of_type(prepared, JobSpec))
        lifecycle.transition_to_activated(execution, context)


class ComputedTaskProcessor(JobTaskProcessor):
    """Base of script and business rule tasks.

    Without a job its boundary events are never subscribed, as in Zeebe.
    """

    def activate(self, execution: Execution, context: ElementContext) -> None:
        if context.element.job is not None:
            super().activate(execution, context)
            return
        apply_inputs(execution, context)
        context.element_instance.trigger = Trigger(context.element.id, self.result(execution, context))
        lifecycle.transition_to_activated(execution, context)
        lifecycle.schedule_completion(execution, context)

    def result(self, execution: Execution, context: ElementContext) -> dict[str, Any]:
        """Return the result variable and its value; raises Failure."""
        raise NotImplementedError


class ScriptTaskProcessor(ComputedTaskProcessor):
    """Evaluates a FEEL expression into a variable, or creates a job."""

    def result(self, execution: Execution, context: ElementContext) -> dict[str, Any]:
        script = required(context.element.script)
        return {script.result_variable: evaluate(execution, context, script.expression)}


class BusinessRuleTaskProcessor(ComputedTaskProcessor):
    """Evaluates a decision, or creates a job."""

    def result(self, execution: Execution, context: ElementContext) -> dict[str, Any]:
        called = required(context.element.called)
        identity = evaluate(execution, context, called.id)
        if not isinstance(identity, str):
            raise Failure(ErrorType.EXTRACT_VALUE, f"Expected the decision id '{called.id.text}' to be a STRING.")
        output = evaluate_called(
            execution, context, called, identity, visible_variables(context.process_instance, context.element_instance)
        )
        return {called.result_variable: output}


class ReceiveTaskProcessor(ActivityProcessor):
    """Waits for its message."""

    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        lifecycle.transition_to_activated(execution, context)


class PassThroughProcessor(FlowNodeProcessor):
    """A manual or undefined task, which completes at once.

    Mappings and boundary events have no effect, as in Zeebe.
    """

    def complete(self, execution: Execution, context: ElementContext) -> None:
        lifecycle.notify_before_completion(execution, context)
        lifecycle.transition_to_completed(execution, context)
