"""file-application: the approved form becomes a numbered document, the basis of the retrieval (R28, R29)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification

JOB_TYPE = "file-application"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    importance: str
    management_needed: bool
    second_person: bool
    backup_needed: bool
    max_use_days: int


@dataclass(frozen=True)
class Result:
    form_number: str
    use_period_days: int
    item_ids: list[str]


async def handle(command: Command, database: Database) -> Result:
    classification = Classification(
        importance=command.importance,
        management_needed=command.management_needed,
        second_person=command.second_person,
        backup_needed=command.backup_needed,
        max_use_days=command.max_use_days,
    )
    filed = await database.run(ACTOR, filing.file, command.application_id, classification)
    return Result(filed.form_number, filed.use_period_days, filed.item_ids)
