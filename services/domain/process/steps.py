"""The process steps of a case: each job once, on any engine (R2, F24).

Waits for people have no row here: their start and end are in the rows of reviews, corrections and hand-overs.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.outbox import OutboxMessage
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Review
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.process import deployed_models
from services.domain.process.deployed_models import ProcessVersion
from services.runtime.jobs.commands import JobFacts
from services.runtime.jobs.journal import Begun, Wait

COMPLETED, CANCELLED = "completed", "cancelled"
REFUSED = "job-refused"  # the action in the audit trail
REFUSALS_APART = timedelta(days=1)
ACTOR = Actor("system", "journal")


@dataclass(frozen=True)
class JobReference:
    """A job's element in its model, and the case or review that it is for."""

    element_instance_key: int
    process_id: str
    process_instance_key: int
    element_id: str
    application_id: str | None
    review_id: str | None = None
    item_id: str | None = None
    version: ProcessVersion | None = None  # None: not known


def start(uow: UnitOfWork, job: JobReference) -> ProcessStep | None:
    """Record that a job's handler starts; keep its first start. Return its step; jobs of no case have none.

    A step that has ended keeps its end, unless the engine took its job back: a job that is sent again does not rewrite
    what happened. A job with the key of another job's step is ignored.
    """
    application_id = _case_of(uow, job)
    _follow_version(uow, job, application_id)
    step = uow.session.get(ProcessStep, job.element_instance_key, with_for_update=True)
    if step is not None:
        if _is_of(step, job, application_id):
            step.attempts += 1
            if step.outcome in (None, CANCELLED):
                if step.stuck_since is not None:
                    _wait_no_more(step)
                step.ended_at = step.outcome = step.stuck_since = step.next_try_at = None
            return step
        return None
    if application_id is None:
        return None
    step = ProcessStep(
        element_instance_key=job.element_instance_key,
        application_id=application_id,
        process_id=job.process_id,
        process_instance_key=job.process_instance_key,
        process_version=job.version.version if job.version else None,
        process_definition_key=job.version.definition_key if job.version else None,
        element_id=job.element_id,
        item_id=job.item_id,
        began_at=uow.now,
        attempts=1,
    )
    uow.session.add(step)
    return step


def _follow_version(uow: UnitOfWork, job: JobReference, application_id: str | None) -> None:
    """Note the version that the case's own process runs on, where it is not known, or was moved to another one."""
    application = uow.session.get(Application, application_id) if application_id is not None else None
    if application is None or job.version is None or application.process_instance_key != job.process_instance_key:
        return
    if application.process_definition_key != job.version.definition_key:
        deployed_models.set_version(uow, application, job.version)


def list_open_of_items(uow: UnitOfWork, item_ids: set[str]) -> dict[str, ProcessStep]:
    """Return the open step of each item, the newest where there are several; one statement."""
    query = (
        select(ProcessStep)
        .join(Item, (Item.application_id == ProcessStep.application_id) & (Item.id == ProcessStep.item_id))
        .where(Item.id.in_(item_ids), ProcessStep.ended_at.is_(None))
        .order_by(ProcessStep.began_at)
    )
    return {str(step.item_id): step for step in uow.session.scalars(query)}


def wait(uow: UnitOfWork, job: JobReference, wait: Wait | None) -> None:
    """Record that a part is away and the job is tried again; None: it waits no more."""
    step = _locked(uow, job)
    if step is None or step.ended_at is not None:
        return
    if wait is None:
        _wait_no_more(step)
        return
    step.waiting_for, step.waiting_since = wait.part, wait.since
    step.next_try_at, step.waiting_until = wait.next_try_at, wait.until


def _wait_no_more(step: ProcessStep) -> None:
    step.waiting_for = step.waiting_since = step.next_try_at = step.waiting_until = None


def begin(uow: UnitOfWork, job: JobReference) -> Begun:
    """Record a start, and return what led to it: the request of the last message to the case's process.

    The last one by the time it was written, because the engine may hand the job out before the relay has noted that it
    published the message.
    """
    step = start(uow, job)
    query = (
        select(OutboxMessage.request_id, OutboxMessage.trace_parent)
        .where(OutboxMessage.application_id == _case_of(uow, job))
        .order_by(OutboxMessage.created_at.desc())
        .limit(1)
    )
    row = uow.session.execute(query).first()
    request_id, trace_parent = row or (None, None)
    since = step.waiting_since if step is not None else None
    return Begun(since, request_id, trace_parent, recorded=step is not None)


def end(uow: UnitOfWork, job: JobReference, outcome: str) -> None:
    """Record that a job has ended; keep the first end of a run."""
    step = _locked(uow, job)
    if step is not None and step.ended_at is None:
        step.ended_at, step.outcome, step.stuck_since = uow.now, outcome, None
        _wait_no_more(step)


def mark_stuck(uow: UnitOfWork, job: JobReference) -> None:
    """Record that a job has become an incident."""
    step = _locked(uow, job)
    if step is not None and step.ended_at is None and step.stuck_since is None:
        step.stuck_since = uow.now
        step.waiting_since = step.next_try_at = step.waiting_until = None


def refuse(uow: UnitOfWork, job: JobReference, job_type: str, sentence: str) -> None:
    """Record that the database did not allow what a job asked for.

    One event, and one new step that is stuck, for each job type and case within ``REFUSALS_APART``: the metric counts
    them all, and no flood of jobs fills trail and timeline. A job of a process instance that is not the case's leaves
    no step.
    """
    step, application_id = _locked(uow, job), _case_of(uow, job)
    query = select(AuditEvent.seq).where(
        AuditEvent.action == REFUSED,
        AuditEvent.subject_id == job_type,
        AuditEvent.application_id == application_id,
        AuditEvent.at > uow.now - REFUSALS_APART,
    )
    first = uow.session.scalar(query.limit(1)) is None
    if step is not None:
        if step.ended_at is not None:
            step.attempts -= 1  # of this run
        elif _is_own(uow, step) and (first or step.attempts > 1):
            mark_stuck(uow, job)
        else:
            uow.session.delete(step)
    if first:
        audit_trail.record(
            uow,
            REFUSED,
            "job",
            job_type,
            application_id=application_id,
            element=job.element_id,
            process=job.process_id,
            process_instance=str(job.process_instance_key),
            element_instance=str(job.element_instance_key),
            sentence=sentence,
        )


class StepJournal:
    """The runner's journal (``runtime.jobs.journal.Journal``), in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def began(self, job: JobFacts, /) -> Begun:
        return await self._database.run(ACTOR, begin, _job_reference(job))

    async def waits(self, job: JobFacts, waited: Wait | None, /) -> None:
        await self._database.run(ACTOR, wait, _job_reference(job), waited)

    async def ended(self, job: JobFacts, outcome: str, /) -> None:
        await self._database.run(ACTOR, end, _job_reference(job), outcome)

    async def stuck(self, job: JobFacts, /) -> None:
        await self._database.run(ACTOR, mark_stuck, _job_reference(job))

    async def refused(self, job: JobFacts, sentence: str, /) -> None:
        await self._database.run(ACTOR, refuse, _job_reference(job), job.type, sentence)


def _job_reference(job: JobFacts) -> JobReference:
    return JobReference(
        element_instance_key=job.element_instance_key,
        process_id=job.bpmn_process_id,
        process_instance_key=job.process_instance_key,
        element_id=job.element_id,
        application_id=_text(job, "applicationId"),
        review_id=_text(job, "reviewId"),
        item_id=_text(job, "itemId"),
        version=ProcessVersion(job.bpmn_process_id, job.process_definition_version, job.process_definition_key),
    )


def _text(job: JobFacts, name: str) -> str | None:
    value = job.variables.get(name)
    return value if isinstance(value, str) else None


def _locked(uow: UnitOfWork, job: JobReference) -> ProcessStep | None:
    """Return the job's step, locked; None where there is none, or its key is another job's."""
    step = uow.session.get(ProcessStep, job.element_instance_key, with_for_update=True)
    return step if step is not None and _is_of(step, job, _case_of(uow, job)) else None


def _is_of(step: ProcessStep, job: JobReference, application_id: str | None) -> bool:
    of_step = (step.application_id, step.process_instance_key, step.process_id)
    if of_step != (application_id, job.process_instance_key, job.process_id):
        return False
    # an instance that was moved to another version while its job was under way has another element there
    known = (step.process_definition_key, job.version.definition_key if job.version else None)
    return step.element_id == job.element_id or (None not in known and known[0] != known[1])


def _is_own(uow: UnitOfWork, step: ProcessStep) -> bool:
    """Return whether the step belongs to the case's process instance, or to one of its reviews'."""
    application = uow.session.get_one(Application, step.application_id)
    of_review = select(Review.id).where(
        Review.application_id == application.id, Review.process_instance_key == step.process_instance_key
    )
    return (
        step.process_instance_key == application.process_instance_key
        or uow.session.scalar(of_review.limit(1)) is not None
    )


def _case_of(uow: UnitOfWork, job: JobReference) -> str | None:
    if job.application_id is not None:
        application = uow.session.get(Application, job.application_id)
        return application.id if application is not None else None
    review = uow.session.get(Review, job.review_id) if job.review_id is not None else None
    return review.application_id if review is not None else None
