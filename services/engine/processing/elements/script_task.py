"""Script task: a FEEL expression into a variable, or a job."""

from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import of_type
from services.engine.processing.elements.job_task import JobTask
from services.engine.processing.jobs import JobSpec
from services.engine.processing.variables import evaluate
from services.engine.processing.work import At, Work
from services.engine.state.instances import Trigger


class ScriptTask(JobTask):
    def start(self, work: Work, at: At, prepared: object) -> None:
        if isinstance(prepared, JobSpec):
            super().start(work, at, prepared)
            return
        at.node.trigger = of_type(prepared, Trigger)
        lifecycle.activated(work, at)
        lifecycle.complete(work, at)

    def prepare(self, work: Work, at: At) -> object:
        script = at.element.script
        if script is None:
            return super().prepare(work, at)
        return Trigger(at.element.id, {script.result_variable: evaluate(work, at, script.expression)})
