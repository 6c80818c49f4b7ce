"""draw-sample: draw the sample of an inspection, which nobody can choose (R61, R63)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.supervision import service, warnings

JOB_TYPE = "draw-sample"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    inspection_id: str
    process_instance_key: int


@dataclass(frozen=True)
class Result:
    """``sampled_cases``: the places of the cases in the sample; never ids, so that they stay small.

    ``duplicate``: another process inspects the period.
    """

    duplicate: bool
    sampled_cases: list[int]


async def handle(command: Command, database: Database) -> Result:
    await database.run(ACTOR, warnings.warn_without_group, command.inspection_id)
    drawn = await database.run(ACTOR, service.draw, command.inspection_id, command.process_instance_key)
    return Result(drawn.duplicate, list(drawn.positions))
