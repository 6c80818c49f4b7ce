"""preliminary-review: the automatic part of the preliminary review: completeness and reasonableness (R18 to R22)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.applications import completeness
from services.domain.reviews import ending

JOB_TYPE = "preliminary-review"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str


@dataclass(frozen=True)
class Result:
    """``on_behalf``: outsiders ask, so that Security checks their credentials before anything else."""

    application_complete: bool
    on_behalf: bool


async def handle(command: Command, database: Database) -> Result:
    return await database.run(ACTOR, _review, command.application_id)


def _review(uow: UnitOfWork, application_id: str) -> Result:
    checked = completeness.review(uow, application_id)
    if not checked.complete:
        ending.close_passed(uow, application_id)
    return Result(checked.complete, checked.on_behalf)
