"""Service, send and user tasks: a job for a worker."""

from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import Activity, of_type
from services.engine.processing.jobs import JobSpec, create_job, evaluate_job
from services.engine.processing.work import At, Work


class JobTask(Activity):
    def prepare(self, work: Work, at: At) -> object:
        return evaluate_job(work, at)

    def start(self, work: Work, at: At, prepared: object) -> None:
        create_job(work, at, of_type(prepared, JobSpec))
        lifecycle.activated(work, at)
