"""freeze-loan: confirms that the copies of a problem report are frozen, which the report itself has done (R44)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters import problems

JOB_TYPE = "freeze-loan"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str
    process_instance_key: int


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, problems.freeze, command.matter_id, command.process_instance_key)
