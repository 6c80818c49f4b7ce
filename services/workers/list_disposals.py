"""list-disposals: opens batches of what is past its retention and held by nothing, for two people to decide (R52)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.storage import disposals

JOB_TYPE = "list-disposals"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    process_instance_key: int


@dataclass(frozen=True)
class Result:
    """How many recordings were listed; those of an earlier run are in its batch."""

    disposals_listed: int


async def handle(command: Command, database: Database) -> Result:
    # a transaction for each batch: a batch is thousands of rows, and nobody else writes meanwhile
    batches = await database.read(ACTOR, disposals.plan_batches)
    return Result(sum([await database.run(ACTOR, disposals.open_batch, batch) for batch in batches]))
