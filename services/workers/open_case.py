"""open-case: open the case: bind the application to its process instance, so that a second start ends silently.

A model that gives ``duplicateIsError`` catches the BPMN error of a second start; those of earlier releases ask a
gateway for the variable ``duplicate``.
"""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.applications import opening as application_opening
from services.domain.process.deployed_models import ProcessVersion
from services.runtime.errors import Outcome
from services.runtime.rules import iso

JOB_TYPE = "open-case"
ACTOR = Actor("worker", JOB_TYPE)
DUPLICATE = "CASE_DUPLICATE"  # the BPMN error


@dataclass(frozen=True)
class Command:
    application_id: str
    process_instance_key: int
    bpmn_process_id: str
    process_definition_version: int
    process_definition_key: int
    duplicate_is_error: bool = False


@dataclass(frozen=True)
class Result:
    duplicate: bool
    item_ids: list[str]
    correction_period: str
    application_number: str


async def handle(command: Command, database: Database) -> Result:
    process = ProcessVersion(
        command.bpmn_process_id, command.process_definition_version, command.process_definition_key
    )
    opened = await database.run(
        ACTOR, application_opening.open_case, command.application_id, command.process_instance_key, process
    )
    if opened.duplicate and command.duplicate_is_error:
        raise Outcome(DUPLICATE, "another process instance runs this case")
    return Result(opened.duplicate, opened.item_ids, iso(opened.correction_period), opened.application_number)
