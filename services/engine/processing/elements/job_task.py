"""Service, send and user tasks: create a job."""

from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import ActivityProcessor, of_type
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.jobs import JobSpec, create_job, evaluate_job


class JobTaskProcessor(ActivityProcessor):
    def prepare(self, execution: Execution, context: ElementContext) -> object:
        return evaluate_job(execution, context)

    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        create_job(execution, context, of_type(prepared, JobSpec))
        lifecycle.transition_to_activated(execution, context)
