"""Business rule task: a decision is evaluated, or a job does it."""

from typing import Any

from services.engine.errors import ErrorType, Trouble
from services.engine.model.bpmn import given
from services.engine.processing.decisions import evaluate_called
from services.engine.processing.elements.computed_task import ComputedTask
from services.engine.processing.variables import evaluate, visible_document
from services.engine.processing.work import At, Work


class BusinessRuleTask(ComputedTask):
    def result(self, work: Work, at: At) -> dict[str, Any]:
        called = given(at.element.called)
        identity = evaluate(work, at, called.id)
        if not isinstance(identity, str):
            raise Trouble(ErrorType.EXTRACT_VALUE, f"Expected the decision id '{called.id.text}' to be a STRING.")
        output = evaluate_called(work, at, called, identity, visible_document(at.instance, at.node))
        return {called.result_variable: output}
