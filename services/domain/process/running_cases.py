"""The open cases with all that the database knows of their way through the process; some statements for all of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.deployed_models import DeployedProcess
from services.database.tables.outbox import OutboxMessage
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.process.deployed_models import ProcessVersion

ORDERED, MIGRATED, REJECTED = "case-migration-ordered", "case-migrated", "case-migration-rejected"
"""The actions in the audit trail."""


@dataclass(frozen=True)
class RunningCase:
    """An open case; ``messages`` are those to its process, ``reviews`` by id, ``migrations`` its events, oldest first.

    ``began_on`` is the SHA-256 of the model that its first job ran on; None where it is not known.
    """

    application: Application
    items: Sequence[str]
    steps: Sequence[ProcessStep]
    messages: Sequence[OutboxMessage]
    reviews: Mapping[str, Review]
    migrations: Sequence[AuditEvent]
    began_on: str | None

    @property
    def name(self) -> str:
        """What people call the case."""
        return self.application.number or self.application.id

    def ordered(self) -> AuditEvent | None:
        """Return the order of a migration of which it is not recorded how it ended."""
        last = self.migrations[-1] if self.migrations else None
        return last if last is not None and last.action == ORDERED else None


def list_running(uow: UnitOfWork, *, case: str | None = None, version: int | None = None) -> list[RunningCase]:
    """Return the open cases that a process has taken, oldest first.

    ``case`` is the id or number of the only one, ``version`` that of their process.
    """
    query = select(Application.id).where(Application.process_instance_key.is_not(None), Application.closed_at.is_(None))
    if case is not None:
        query = query.where((Application.id == case) | (Application.number == case))
    if version is not None:
        query = query.where(Application.process_version == version)
    chosen = query.scalar_subquery()
    applications = uow.session.scalars(
        select(Application).where(Application.id.in_(chosen)).order_by(Application.submitted_at, Application.id)
    ).all()
    items = _grouped(
        uow,
        select(Item).where(Item.application_id.in_(chosen), Item.dropped_in_round.is_(None)).order_by(Item.position),
    )
    steps = _grouped(
        uow, select(ProcessStep).where(ProcessStep.application_id.in_(chosen)).order_by(ProcessStep.began_at)
    )
    messages = _grouped(
        uow, select(OutboxMessage).where(OutboxMessage.application_id.in_(chosen)).order_by(OutboxMessage.created_at)
    )
    reviews = _grouped(
        uow,
        select(Review).where(Review.application_id.in_(chosen), Review.matter_id.is_(None)).order_by(Review.opened_at),
    )
    migrations = _grouped(
        uow,
        select(AuditEvent)
        .where(AuditEvent.application_id.in_(chosen), AuditEvent.action.in_((ORDERED, MIGRATED, REJECTED)))
        .order_by(AuditEvent.seq),
    )
    models = {row.process_definition_key: row.sha256 for row in uow.session.scalars(select(DeployedProcess))}
    return [
        RunningCase(
            application,
            [item.id for item in items[application.id]],
            steps[application.id],
            messages[application.id],
            {review.id: review for review in reviews[application.id]},
            migrations[application.id],
            _began_on(application, steps[application.id], models),
        )
        for application in applications
    ]


def lock(uow: UnitOfWork, application_id: str) -> Application:
    """Lock the case, so that nobody decides in it and no job of it begins until the unit of work ends."""
    return uow.session.get_one(Application, application_id, with_for_update=True)


def move_open_steps(uow: UnitOfWork, case: RunningCase, ids: Mapping[str, str], version: ProcessVersion) -> None:
    """Give the steps of jobs that are under way the elements and the version that their process has now."""
    for step in case.steps:
        if step.process_instance_key != case.application.process_instance_key or step.ended_at is not None:
            continue
        row = uow.session.get_one(ProcessStep, step.element_instance_key, with_for_update=True)
        if row.ended_at is None:
            row.element_id = ids.get(row.element_id, row.element_id)
            row.process_definition_key, row.process_version = version.definition_key, version.version


def _grouped(uow: UnitOfWork, query: Select[Any]) -> Mapping[str, list[Any]]:
    """Return the rows by the case that they belong to."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in uow.session.scalars(query):
        found[row.application_id].append(row)
    return found


def _began_on(application: Application, steps: Sequence[ProcessStep], models: Mapping[int, str]) -> str | None:
    own = (step for step in steps if step.process_instance_key == application.process_instance_key)
    first = next(own, None)
    if first is None:
        return application.model_sha256
    return models.get(first.process_definition_key or 0)
