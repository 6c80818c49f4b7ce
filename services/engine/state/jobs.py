"""Store jobs."""

import sqlite3
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select, update

from services.engine.state.statements import Statement, row_values
from services.engine.state.tables import jobs

ACTIVATABLE, ACTIVATED, BACKING_OFF, FAILED, ERROR_THROWN = (
    "ACTIVATABLE",
    "ACTIVATED",
    "BACKING_OFF",
    "FAILED",
    "ERROR_THROWN",
)


@dataclass(slots=True)
class Job:
    """``deadline`` (ms) is the end of a job's timeout or back-off."""

    key: int
    type: str
    state: str
    retries: int
    worker: str
    deadline: int | None
    process_instance_key: int
    element_instance_key: int
    element_id: str
    process_definition_key: int
    custom_headers: str
    error_message: str


class Jobs:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, job: Job) -> None:
        _INSERT.run(self._connection, **row_values(job))

    def get(self, key: int) -> Job | None:
        row = _GET.run(self._connection, job=key).fetchone()
        return None if row is None else Job(*row)

    def save(self, job: Job) -> None:
        changed = {
            "state": job.state,
            "retries": job.retries,
            "worker": job.worker,
            "deadline": job.deadline,
            "error_message": job.error_message,
        }
        _SAVE.run(self._connection, job=job.key, **changed)

    def remove(self, key: int) -> None:
        _REMOVE.run(self._connection, job=key)

    def activatable(self, job_type: str, limit: int) -> list[Job]:
        """Return activatable jobs in the order of their creation."""
        rows = _ACTIVATABLE.run(self._connection, job_type=job_type, limit=limit)
        return [Job(*row) for row in rows]

    def due(self, now: int, limit: int) -> list[Job]:
        return [Job(*row) for row in _DUE.run(self._connection, now=now, limit=limit)]

    def next_due(self) -> int | None:
        return _NEXT.number(self._connection)


_INSERT = Statement(insert(jobs))
_GET = Statement(select(jobs).where(jobs.c.key == bindparam("job")))
_SAVE = Statement(
    update(jobs)
    .where(jobs.c.key == bindparam("job"))
    .values({name: bindparam(name) for name in ("state", "retries", "worker", "deadline", "error_message")})
)
_REMOVE = Statement(delete(jobs).where(jobs.c.key == bindparam("job")))
_ACTIVATABLE = Statement(
    select(jobs)
    .where(jobs.c.type == bindparam("job_type"), jobs.c.state == ACTIVATABLE)
    .order_by(jobs.c.key)
    .limit(bindparam("limit"))
)
_DUE = Statement(
    select(jobs)
    .where(jobs.c.deadline <= bindparam("now"))
    .order_by(jobs.c.deadline, jobs.c.key)
    .limit(bindparam("limit"))
)
_NEXT = Statement(select(func.min(jobs.c.deadline)).where(jobs.c.deadline.is_not(None)))
