"""preliminary-review: the automatic part of the preliminary review: completeness and reasonableness (R18 to R22)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.applications import completeness

JOB_TYPE = "preliminary-review"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str


@dataclass(frozen=True)
class Result:
    application_complete: bool


async def handle(command: Command, database: Database) -> Result:
    complete = await database.run(ACTOR, completeness.review, command.application_id)
    return Result(complete)
