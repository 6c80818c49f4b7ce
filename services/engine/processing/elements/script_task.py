"""Script task: a FEEL expression into a variable, or a job."""

from typing import Any

from services.engine.model.bpmn import given
from services.engine.processing.elements.computed_task import ComputedTask
from services.engine.processing.variables import evaluate
from services.engine.processing.work import At, Work


class ScriptTask(ComputedTask):
    def result(self, work: Work, at: At) -> dict[str, Any]:
        script = given(at.element.script)
        return {script.result_variable: evaluate(work, at, script.expression)}
