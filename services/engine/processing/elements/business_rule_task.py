"""Business rule task: a decision is evaluated, or a job does it."""

from services.engine.errors import ErrorType, Trouble
from services.engine.model.bpmn import Called
from services.engine.processing import lifecycle
from services.engine.processing.decisions import evaluate_called
from services.engine.processing.elements.activity import of_type
from services.engine.processing.elements.job_task import JobTask
from services.engine.processing.jobs import JobSpec
from services.engine.processing.variables import evaluate, visible_document
from services.engine.processing.work import At, Work
from services.engine.state.instances import Trigger


class BusinessRuleTask(JobTask):
    def prepare(self, work: Work, at: At) -> object:
        called = at.element.called
        if called is None:
            return super().prepare(work, at)
        return Trigger(at.element.id, {called.result_variable: self._decide(work, at, called)})

    def start(self, work: Work, at: At, prepared: object) -> None:
        if isinstance(prepared, JobSpec):
            super().start(work, at, prepared)
            return
        at.node.trigger = of_type(prepared, Trigger)
        lifecycle.activated(work, at)
        lifecycle.complete(work, at)

    def _decide(self, work: Work, at: At, called: Called) -> object:
        identity = evaluate(work, at, called.id)
        if not isinstance(identity, str):
            raise Trouble(ErrorType.EXTRACT_VALUE, f"Expected the decision id '{called.id.text}' to be a STRING.")
        return evaluate_called(work, at, called, identity, visible_document(at.instance, at.node))
