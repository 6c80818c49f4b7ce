"""What the jobs of a matter do: check it, open its reviews, do it, close it. The rows decide, never the job."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.matters import documents
from services.domain.matters.kinds import KINDS
from services.domain.matters.kinds.base import Kind, concerns
from services.domain.matters.permissions import Subject, bind_instance, decisions_of, lock, refusal, require_signed
from services.domain.process import outbox
from services.domain.process.messages import MATTER_ASKED, MATTER_MOOT, REVIEW_DECIDED
from services.domain.process.permissions import MOST_OPEN_REVIEWS
from services.domain.reviews import moot_matters
from services.domain.reviews import tasks as review_tasks
from services.domain.reviews.classification import compute_floor
from services.domain.stages.catalogue import STAGES
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


def check(uow: UnitOfWork, matter_id: str, process_instance_key: int) -> Checked:
    """Find what the route depends on; a second run finds the same."""
    subject = lock(uow, matter_id, "check the matter")
    matter = subject.matter
    _require_routed(subject, "check the matter")
    bind_instance(matter, process_instance_key, "check the matter")
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

    One that was under way when the matter ended is answered, and put to nobody, where its process goes on.

    Raises NotPermitted for a stage that is not about this kind, and once somebody has decided against the matter.
    """
    act = f"open the review {stage}"
    subject = lock(uow, matter_id, act)
    matter = subject.matter
    if stage not in STAGES or matter.kind not in STAGES[stage].about:
        raise refusal(matter, act, f"the stage {stage} is not about {matter.kind}: correct the route's table")
    outbox.settle(uow, matter.application_id, "its review is asked for", kind_of(subject).message, matter_id=matter.id)
    if _of_job(uow, job_key) is None:
        if matter.closed_at is not None:
            if not kind_of(subject).goes_on(matter):
                raise refusal(matter, act, f"it is closed as {matter.closed_as}")
            return review_tasks.open_answered(
                uow, subject.application, matter, stage, job_key=job_key, process_instance_key=process_instance_key
            )
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
    done = carry_out(uow, subject, decisions.values(), action="matter-applied", closed_as=APPLIED)
    return done is not None


def carry_out(
    uow: UnitOfWork, subject: Subject, decisions: Collection[Decision], *, action: str, closed_as: str, **detail: Any
) -> dict[str, Any] | None:
    """Do what these decisions say, file it and close the matter; what was done, None where it is moot by now.

    ``action`` and ``detail``: of the audit event, which names the matter, its facts and the decisions besides.
    """
    matter, kind = subject.matter, kind_of(subject)
    outbox.settle(uow, matter.application_id, "the matter is carried out", REVIEW_DECIDED, matter_id=matter.id)
    obstacle = obstacle_of(uow, subject)
    if obstacle is not None:
        end_undone(uow, subject, MOOT, {"because": obstacle.en})
        return None
    outcome = kind.apply(uow, matter, subject.state)
    matter.applied_at = uow.now
    audit_trail.record(
        uow,
        action,
        "matter",
        matter.id,
        application_id=matter.application_id,
        number=matter.number,
        kind=matter.kind,
        facts=matter.facts_sha256,
        decisions=[decision.id for decision in decisions],
        **detail,
    )
    if kind.filed:
        documents.write(uow, matter, kind, decisions, outcome, call=documents.asked_by(uow, matter))
    else:
        kind.file_itself(uow, matter)
    moot_matters.close(uow, matter, closed_as, outcome)
    return outcome


def close(uow: UnitOfWork, matter_id: str, closed_as: str) -> None:
    """Close a matter that was not carried out, or a violation; nothing where the act that ended it has closed it.

    Raises NotPermitted where the rows have no reason for it.
    """
    act = "close the matter"
    subject = lock(uow, matter_id, act)
    matter = subject.matter
    if kind_of(subject).close_itself(uow, matter, closed_as):
        return
    outbox.settle(uow, matter.application_id, "the matter is closed", REVIEW_DECIDED, MATTER_MOOT, matter_id=matter.id)
    if matter.closed_at is not None:
        return
    against, obstacle = _against(decisions_of(uow, matter)), obstacle_of(uow, subject)
    if closed_as == REFUSED and not kind_of(subject).refusable:
        raise refusal(matter, act, f"a matter of the kind {matter.kind} is answered, and never refused")
    if closed_as == REFUSED and against is not None:
        end_undone(uow, subject, REFUSED, {"stage": against})
    elif closed_as in (REFUSED, MOOT) and obstacle is not None:
        end_undone(uow, subject, MOOT, {"because": obstacle.en})
    else:
        raise refusal(matter, act, "nobody has decided against it, and nothing keeps it from being done")


def end_undone(uow: UnitOfWork, subject: Subject, closed_as: str, outcome: dict[str, object]) -> None:
    """Take back what the act of asking has done, and close the matter."""
    kind_of(subject).undo(uow, subject.matter, subject.state)
    moot_matters.close(uow, subject.matter, closed_as, outcome)


def kind_of(subject: Subject) -> Kind:
    """Return the kind of the matter."""
    return KINDS[subject.matter.kind]


def obstacle_of(uow: UnitOfWork, subject: Subject) -> Message | None:
    """Return why the matter cannot be done any more; None where it can."""
    kind = kind_of(subject)
    if kind.is_moot(subject.state):
        return Message("The loan has ended: submit a new application if you still need the footage.")
    return kind.obstacle_of(uow, subject.state, subject.matter)


def _require_routed(subject: Subject, act: str) -> None:
    """Raise NotPermitted for a kind that has a model, and jobs, of its own."""
    if not kind_of(subject).routed:
        raise refusal(subject.matter, act, f"a matter of the kind {subject.matter.kind} has a process of its own")


def _require_next(uow: UnitOfWork, subject: Subject, stage: str, act: str) -> None:
    """Raise NotPermitted where the decisions that there are leave nothing for this stage to decide."""
    matter = subject.matter
    kind = kind_of(subject)
    if kind.check_stage_itself(uow, matter, stage, act):
        return
    decisions = decisions_of(uow, matter)
    if decisions and not kind.routed:
        raise refusal(matter, act, "it is answered already")
    against = _against(decisions)
    if against is not None:
        raise refusal(matter, act, f"the stage {against} has decided against it")


def _require_decided(uow: UnitOfWork, subject: Subject, decisions: Mapping[str, Decision], act: str) -> None:
    matter = subject.matter
    require_signed(matter, decisions, act)
    against = _against(decisions)
    if against is not None:
        raise refusal(matter, act, f"the stage {against} has decided against it")
    for stage in kind_of(subject).floor(uow, subject.state):
        if stage not in decisions:
            raise refusal(matter, act, f"the stage {stage} has not decided it")


def _against(decisions: Mapping[str, Decision]) -> str | None:
    """Return a stage that has decided against the matter."""
    return next((stage for stage, row in decisions.items() if row.outcome != STAGES[stage].favourable), None)


def _of_job(uow: UnitOfWork, job_key: int) -> str | None:
    return uow.session.scalar(select(Review.id).where(Review.job_key == job_key))


def _count_open(uow: UnitOfWork, matter: Matter, stage: str) -> int:
    query = select(Review.id).where(Review.matter_id == matter.id, Review.stage == stage, Review.closed_at.is_(None))
    return len(uow.session.scalars(query).all())
