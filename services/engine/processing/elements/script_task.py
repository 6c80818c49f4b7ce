"""Script task: a FEEL expression into a variable, or a job."""

from typing import Any

from services.engine.model.bpmn import required
from services.engine.processing.elements.computed_task import ComputedTaskProcessor
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.variables import evaluate


class ScriptTaskProcessor(ComputedTaskProcessor):
    def result(self, execution: Execution, context: ElementContext) -> dict[str, Any]:
        script = required(context.element.script)
        return {script.result_variable: evaluate(execution, context, script.expression)}
