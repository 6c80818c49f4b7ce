"""open-review: one open question to the people who may answer it (R22 to R27, R33, R39, R46)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.database.unit_of_work import Actor, Database
from services.domain.matters import tasks as matter_tasks
from services.domain.reviews import tasks as review_tasks
from services.domain.work_orders import tasks as work_order_tasks
from services.runtime.errors import NotPermitted

JOB_TYPE = "open-review"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    stage: str
    job_key: int
    process_instance_key: int
    application_id: str | None = None
    hand_over_id: str | None = None
    matter_id: str | None = None
    work_order_id: str | None = None


@dataclass(frozen=True)
class Result:
    review_id: str
    first_review_reminder_at: datetime
    review_limit: timedelta
    application_number: str


async def handle(command: Command, database: Database) -> Result:
    if command.work_order_id is not None:
        work_order_tasks.require_stage(command.work_order_id, command.stage)
        opened = await database.run(
            ACTOR, work_order_tasks.open_verification, command.work_order_id, job_key=command.job_key
        )
    elif command.matter_id is not None:
        opened = await database.run(
            ACTOR,
            matter_tasks.open_review,
            command.matter_id,
            command.stage,
            job_key=command.job_key,
            process_instance_key=command.process_instance_key,
        )
    elif command.application_id is None:
        raise NotPermitted(
            f"could not open the review | stage {command.stage} | the job names no application, matter or work order | "
            "correct the variables of the job, then resolve the incident"
        )
    else:
        opened = await database.run(
            ACTOR,
            review_tasks.open_review,
            command.application_id,
            command.stage,
            job_key=command.job_key,
            process_instance_key=command.process_instance_key,
            hand_over_id=command.hand_over_id,
        )
    return Result(opened.review_id, opened.first_review_reminder_at, opened.review_limit, opened.application_number)
