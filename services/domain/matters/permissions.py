"""What a matter allows a job to do now: by its row, its case and the decisions, and never by the job.

``process.permissions`` says the same of a case.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.process import permissions
from services.domain.process.permissions import CaseState
from services.domain.stages.catalogue import STAGES
from services.runtime.canonical_json import hash_of
from services.runtime.errors import NotPermitted


@dataclass(frozen=True)
class Subject:
    """A matter with its case, both locked."""

    matter: Matter
    state: CaseState

    @property
    def application(self) -> Application:
        return self.state.application


def lock(uow: UnitOfWork, matter_id: str, act: str, *, noun: str = "matter") -> Subject:
    """Load a matter with its case, both locked; NotPermitted where the database does not have it.

    ``noun``: what the matter is called in that refusal.
    """
    application_id = uow.session.scalar(select(Matter.application_id).where(Matter.id == matter_id))
    if application_id is None:
        raise unknown(matter_id, act, noun=noun)
    state = permissions.lock(uow, application_id, act)
    matter = uow.session.get_one(Matter, matter_id, with_for_update=True, populate_existing=True)
    return Subject(matter, state)


def unknown(matter_id: str, act: str, *, noun: str) -> NotPermitted:
    """Return the error of a job about a matter that the database does not have."""
    return NotPermitted(
        f"could not {act} | {matter_id} | the database does not have this {noun} | find out who sent this job"
    )


def refusal(matter: Matter, act: str, cause: str) -> NotPermitted:
    """Return the error of a job that the rows do not allow."""
    return NotPermitted(
        f"could not {act} | {matter.number} | {cause} | find out who sent this job; where the matter is to go on, "
        "remove the cause, then resolve the incident"
    )


def bind_instance(matter: Matter, process_instance_key: int, act: str) -> None:
    """Keep which process instance handles the matter; NotPermitted where it is another one."""
    if matter.process_instance_key not in (None, process_instance_key):
        raise refusal(matter, act, "another process instance handles it already")
    matter.process_instance_key = process_instance_key


def require_signed(matter: Matter, decisions: Mapping[str, Decision], act: str) -> None:
    """Raise NotPermitted unless the facts are unchanged, and each of the decisions is signed over them."""
    if hash_of(matter.facts) != matter.facts_sha256:
        raise refusal(matter, act, "its facts are not those that were signed: restore the row from a backup")
    for stage, decision in decisions.items():
        if decision.form_sha256 != matter.facts_sha256:
            raise refusal(matter, act, f"the decision of the stage {stage} is bound to other facts")


def decisions_of(uow: UnitOfWork, matter: Matter) -> dict[str, Decision]:
    """Return what counts of each stage: asking again overrides no "no"."""
    return counting(_each_decision(uow, matter))


def counting(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Return the same of decisions that are ordered, the oldest first."""
    counts: dict[str, Decision] = {}
    for decision in decisions:
        known = counts.get(decision.stage)
        if known is None or known.outcome == STAGES[decision.stage].favourable:
            counts[decision.stage] = decision
    return counts


def first_decisions_of(uow: UnitOfWork, matter: Matter) -> dict[str, Decision]:
    """Return the first decision of each stage: what counts of a matter whose stages are decided once."""
    return first_of(_each_decision(uow, matter))


def first_of(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Return the same of decisions that are ordered, the oldest first."""
    found: dict[str, Decision] = {}
    for decision in decisions:
        found.setdefault(decision.stage, decision)
    return found


def _each_decision(uow: UnitOfWork, matter: Matter) -> Iterator[Decision]:
    query = select(Decision).where(Decision.matter_id == matter.id).order_by(Decision.decided_at, Decision.id)
    return iter(uow.session.scalars(query))
