"""The steps of a case: each job of its process once, with when it began and ended, whatever engine runs it (R2, F24).

Waits for people have no row here: their beginning and end are in the books of reviews, corrections and hand-overs.
"""

from dataclasses import dataclass

from services.database.tables.applications import Application
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Review
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.runtime.jobs.journal import JournalledJob

COMPLETED, CANCELLED = "completed", "cancelled"
ACTOR = Actor("system", "journal")


@dataclass(frozen=True)
class JobReference:
    """What the engine says of a job: where it stands in which model, and for which case or review."""

    element_instance_key: int
    process_id: str
    process_instance_key: int
    element_id: str
    application_id: str | None
    review_id: str | None = None
    item_id: str | None = None


def start(uow: UnitOfWork, work: JobReference) -> None:
    """A job's handler is about to run: its first beginning stays. A job of no case of ours is left out."""
    step = _locked(uow, work)
    if step is not None:
        step.attempts += 1
        step.ended_at = step.outcome = step.stuck_since = None
        return
    application_id = _case_of(uow, work)
    if application_id is not None:
        uow.session.add(
            ProcessStep(
                element_instance_key=work.element_instance_key,
                application_id=application_id,
                process_id=work.process_id,
                process_instance_key=work.process_instance_key,
                element_id=work.element_id,
                item_id=work.item_id,
                began_at=uow.now,
                attempts=1,
            )
        )


def end(uow: UnitOfWork, work: JobReference, outcome: str) -> None:
    """A job is done; the first ending of a run stays."""
    step = _locked(uow, work)
    if step is not None and step.ended_at is None:
        step.ended_at, step.outcome, step.stuck_since = uow.now, outcome, None


def mark_stuck(uow: UnitOfWork, work: JobReference) -> None:
    """A job has become an incident."""
    step = _locked(uow, work)
    if step is not None and step.ended_at is None and step.stuck_since is None:
        step.stuck_since = uow.now


class StepJournal:
    """The runner's journal (``runtime.journal.Journal``), kept in the register."""

    def __init__(self, database: Database) -> None:
        self._register = database

    async def began(self, job: JournalledJob, /) -> None:
        await self._register.run(ACTOR, start, _job_reference(job))

    async def ended(self, job: JournalledJob, outcome: str, /) -> None:
        await self._register.run(ACTOR, end, _job_reference(job), outcome)

    async def stuck(self, job: JournalledJob, /) -> None:
        await self._register.run(ACTOR, mark_stuck, _job_reference(job))


def _job_reference(job: JournalledJob) -> JobReference:
    return JobReference(
        element_instance_key=job.element_instance_key,
        process_id=job.bpmn_process_id,
        process_instance_key=job.process_instance_key,
        element_id=job.element_id,
        application_id=_text(job, "applicationId"),
        review_id=_text(job, "reviewId"),
        item_id=_text(job, "itemId"),
    )


def _text(job: JournalledJob, name: str) -> str | None:
    value = job.variables.get(name)
    return value if isinstance(value, str) else None


def _locked(uow: UnitOfWork, work: JobReference) -> ProcessStep | None:
    return uow.session.get(ProcessStep, work.element_instance_key, with_for_update=True)


def _case_of(uow: UnitOfWork, work: JobReference) -> str | None:
    if work.application_id is not None:
        application = uow.session.get(Application, work.application_id)
        return application.id if application is not None else None
    review = uow.session.get(Review, work.review_id) if work.review_id is not None else None
    return review.application_id if review is not None else None
