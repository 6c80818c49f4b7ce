"""What the jobs of a matter do: check it, open its reviews, do it, close it. The rows decide, never the job."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import violations
from services.domain.custody.violations import hash_of
from services.domain.matters import disposal_sheet, documents
from services.domain.matters.kinds import KINDS
from services.domain.matters.kinds.base import Kind, concerns
from services.domain.matters.kinds.disposal import Disposal
from services.domain.matters.violations import tasks as violation_tasks
from services.domain.process import outbox, permissions
from services.domain.process.messages import MATTER_ASKED, MATTER_MOOT, REVIEW_DECIDED
from services.domain.process.permissions import MOST_OPEN_REVIEWS, CaseState
from services.domain.reviews import moot_matters
from services.domain.reviews import tasks as review_tasks
from services.domain.reviews.classification import compute_floor
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotPermitted
from services.runtime.translations import Message

APPLIED, REFUSED, MOOT = "applied", "refused", moot_matters.MOOT


@dataclass(frozen=True)
class Checked:
    """What the decision table reads. ``allowed``: it can be done as things stand, so that people are asked."""

    allowed: bool
    kind: str
    importance: str
    security_involved: bool
    management_involved: bool


@dataclass(frozen=True)
class Subject:
    """A matter with its case, both locked."""

    matter: Matter
    kind: Kind
    state: CaseState

    @property
    def application(self) -> Application:
        return self.state.application


def check(uow: UnitOfWork, matter_id: str, process_instance_key: int) -> Checked:
    """Find what the route depends on; a second run finds the same."""
    subject = lock(uow, matter_id, "check the matter")
    matter = subject.matter
    _require_routed(subject, "check the matter")
    if matter.process_instance_key not in (None, process_instance_key):
        raise refusal(matter, "check the matter", "another process instance handles it already")
    matter.process_instance_key = process_instance_key
    outbox.settle(uow, matter.application_id, "the matter is checked", MATTER_ASKED, matter_id=matter.id)
    obstacle = obstacle_of(uow, subject)
    return Checked(
        allowed=matter.closed_at is None and obstacle is None,
        kind=matter.kind,
        importance=subject.application.importance or compute_floor(uow, subject.application).importance,
        security_involved=concerns(uow, subject.application, "security"),
        management_involved=concerns(uow, subject.application, "management"),
    )


def open_review(
    uow: UnitOfWork, matter_id: str, stage: str, *, job_key: int, process_instance_key: int
) -> review_tasks.Opened:
    """Open a review of a matter, once for each job.

    Raises NotPermitted for a stage that is not about this kind, and once somebody has decided against the matter.
    """
    act = f"open the review {stage}"
    subject = lock(uow, matter_id, act)
    matter = subject.matter
    if stage not in STAGES or matter.kind not in STAGES[stage].about:
        raise refusal(matter, act, f"the stage {stage} is not about {matter.kind}: correct the route's table")
    outbox.settle(uow, matter.application_id, "its review is asked for", subject.kind.message, matter_id=matter.id)
    if _of_job(uow, job_key) is None:
        if matter.closed_at is not None:
            raise refusal(matter, act, f"it is closed as {matter.closed_as}")
        _require_next(uow, subject, stage, act)
        if _count_open(uow, matter, stage) >= MOST_OPEN_REVIEWS:
            raise refusal(matter, act, "it is asked already, and nobody has answered yet")
    return review_tasks.open_of_matter(
        uow, subject.application, matter, stage, job_key=job_key, process_instance_key=process_instance_key
    )


def apply(uow: UnitOfWork, matter_id: str) -> bool:
    """Do what was decided, once; False where it cannot be done any more, and the matter is moot.

    Raises NotPermitted unless every stage of the floor, and every other that was asked, has decided for it, signed over
    these facts.
    """
    act = "carry out the matter"
    subject = lock(uow, matter_id, act)
    matter = subject.matter
    _require_routed(subject, act)
    if matter.closed_at is not None:
        if matter.closed_as == REFUSED:
            raise refusal(matter, act, "it was refused")
        return matter.closed_as == APPLIED
    decisions = decisions_of(uow, matter)
    _require_decided(uow, subject, decisions, act)
    outbox.settle(uow, matter.application_id, "the matter is carried out", REVIEW_DECIDED, matter_id=matter.id)
    obstacle = obstacle_of(uow, subject)
    if obstacle is not None:
        end_undone(uow, subject, MOOT, {"because": obstacle.en})
        return False
    outcome = subject.kind.apply(uow, matter, subject.state)
    matter.applied_at = uow.now
    audit_trail.record(
        uow,
        "matter-applied",
        "matter",
        matter.id,
        application_id=matter.application_id,
        number=matter.number,
        kind=matter.kind,
        facts=matter.facts_sha256,
        decisions=[decision.id for decision in decisions.values()],
    )
    if subject.kind.filed:
        documents.write(uow, matter, subject.kind, decisions.values(), outcome)
    elif matter.kind == Disposal.code:
        disposal_sheet.write_if_finished(uow, matter.id)  # where nothing of it is left to be deleted
    moot_matters.close(uow, matter, APPLIED, outcome)
    return True


def close(uow: UnitOfWork, matter_id: str, closed_as: str) -> None:
    """Close a matter that was not carried out, or a violation; nothing where the act that ended it has closed it.

    Raises NotPermitted where the rows have no reason for it.
    """
    act = "close the matter"
    subject = lock(uow, matter_id, act)
    matter = subject.matter
    if matter.kind == violations.MATTER:
        violation_tasks.close(uow, matter_id, closed_as)
        return
    outbox.settle(uow, matter.application_id, "the matter is closed", REVIEW_DECIDED, MATTER_MOOT, matter_id=matter.id)
    if matter.closed_at is not None:
        return
    against, obstacle = _against(decisions_of(uow, matter)), obstacle_of(uow, subject)
    if closed_as == REFUSED and not subject.kind.refusable:
        raise refusal(matter, act, f"a matter of the kind {matter.kind} is answered, and never refused")
    if closed_as == REFUSED and against is not None:
        end_undone(uow, subject, REFUSED, {"stage": against})
    elif closed_as in (REFUSED, MOOT) and obstacle is not None:
        end_undone(uow, subject, MOOT, {"because": obstacle.en})
    else:
        raise refusal(matter, act, "nobody has decided against it, and nothing keeps it from being done")


def end_undone(uow: UnitOfWork, subject: Subject, closed_as: str, outcome: dict[str, object]) -> None:
    """Take back what the act of asking has done, and close the matter."""
    subject.kind.undo(uow, subject.matter, subject.state)
    moot_matters.close(uow, subject.matter, closed_as, outcome)


def lock(uow: UnitOfWork, matter_id: str, act: str) -> Subject:
    """Load a matter with its case, both locked; NotPermitted where the database does not have it."""
    application_id = uow.session.scalar(select(Matter.application_id).where(Matter.id == matter_id))
    if application_id is None:
        raise NotPermitted(
            f"could not {act} | {matter_id} | the database does not have this matter | find out who sent this job"
        )
    state = permissions.lock(uow, application_id, act)
    matter = uow.session.get_one(Matter, matter_id, with_for_update=True, populate_existing=True)
    return Subject(matter, KINDS[matter.kind], state)


def obstacle_of(uow: UnitOfWork, subject: Subject) -> Message | None:
    """Return why the matter cannot be done any more; None where it can."""
    if subject.kind.is_moot(subject.state):
        return Message("The loan has ended: submit a new application if you still need the footage.")
    return subject.kind.obstacle(uow, subject.state, subject.kind.read(subject.matter))


def _require_routed(subject: Subject, act: str) -> None:
    """Raise NotPermitted for a kind that has a model, and jobs, of its own."""
    if not subject.kind.routed:
        raise refusal(subject.matter, act, f"a matter of the kind {subject.kind.code} has a process of its own")


def _require_next(uow: UnitOfWork, subject: Subject, stage: str, act: str) -> None:
    """Raise NotPermitted where the decisions that there are leave nothing for this stage to decide."""
    matter = subject.matter
    if matter.kind == violations.MATTER:
        violation_tasks.require_stage(uow, matter, stage, act)
        return
    decisions = decisions_of(uow, matter)
    if decisions and not subject.kind.routed:
        raise refusal(matter, act, "it is answered already")
    against = _against(decisions)
    if against is not None:
        raise refusal(matter, act, f"the stage {against} has decided against it")


def _require_decided(uow: UnitOfWork, subject: Subject, decisions: Mapping[str, Decision], act: str) -> None:
    matter = subject.matter
    if hash_of(matter.facts) != matter.facts_sha256:
        raise refusal(matter, act, "its facts are not those that were signed: restore the row from a backup")
    against = _against(decisions)
    if against is not None:
        raise refusal(matter, act, f"the stage {against} has decided against it")
    for stage in subject.kind.floor(uow, subject.state):
        if stage not in decisions:
            raise refusal(matter, act, f"the stage {stage} has not decided it")
    for stage, decision in decisions.items():
        if decision.form_sha256 != matter.facts_sha256:
            raise refusal(matter, act, f"the decision of the stage {stage} is bound to other facts")


def decisions_of(uow: UnitOfWork, matter: Matter) -> dict[str, Decision]:
    """Return what counts of each stage: asking again overrides no "no"."""
    query = select(Decision).where(Decision.matter_id == matter.id).order_by(Decision.decided_at, Decision.id)
    counts: dict[str, Decision] = {}
    for decision in uow.session.scalars(query):
        known = counts.get(decision.stage)
        if known is None or known.outcome == STAGES[decision.stage].favourable:
            counts[decision.stage] = decision
    return counts


def _against(decisions: Mapping[str, Decision]) -> str | None:
    """Return a stage that has decided against the matter."""
    return next((stage for stage, row in decisions.items() if row.outcome != STAGES[stage].favourable), None)


def _of_job(uow: UnitOfWork, job_key: int) -> str | None:
    return uow.session.scalar(select(Review.id).where(Review.job_key == job_key))


def _count_open(uow: UnitOfWork, matter: Matter, stage: str) -> int:
    query = select(Review.id).where(Review.matter_id == matter.id, Review.stage == stage, Review.closed_at.is_(None))
    return len(uow.session.scalars(query).all())


def refusal(matter: Matter, act: str, cause: str) -> NotPermitted:
    """Return the error of a job that the rows do not allow."""
    return NotPermitted(
        f"could not {act} | {matter.number} | {cause} | find out who sent this job; where the matter is to go on, "
        "remove the cause, then resolve the incident"
    )
