"""preliminary-review: the automatic part of the preliminary review: completeness and reasonableness (R18 to R22)."""

from dataclasses import dataclass

from services.database.tables.applications import Application
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
    complete = completeness.review(uow, application_id)
    if not complete:
        ending.close_passed(uow, application_id)
    return Result(complete, uow.session.get_one(Application, application_id).on_behalf is not None)
