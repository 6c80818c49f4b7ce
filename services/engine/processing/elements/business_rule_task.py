"""Business rule task: evaluates a decision, or creates a job."""

from typing import Any

from services.engine.errors import ErrorType, Failure
from services.engine.model.bpmn import required
from services.engine.processing.decisions import evaluate_called
from services.engine.processing.elements.computed_task import ComputedTaskProcessor
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.variables import evaluate, visible_variables


class BusinessRuleTaskProcessor(ComputedTaskProcessor):
    def result(self, execution: Execution, context: ElementContext) -> dict[str, Any]:
        called = required(context.element.called)
        identity = evaluate(execution, context, called.id)
        if not isinstance(identity, str):
            raise Failure(ErrorType.EXTRACT_VALUE, f"Expected the decision id '{called.id.text}' to be a STRING.")
        output = evaluate_called(
            execution, context, called, identity, visible_variables(context.process_instance, context.element_instance)
        )
        return {called.result_variable: output}
