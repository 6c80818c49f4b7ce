"""Jobs: work that a worker fetches."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

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
    """``due``: when an activated job times out, or when a job that backs off may be fetched again (ms)."""

    key: int
    type: str
    state: str
    retries: int
    worker: str
    due: int | None
    instance_key: int
    node_key: int
    element_id: str
    definition_key: int
    headers: str
    error: str


class Jobs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, job: Job) -> None:
        self._connection.execute(_INSERT, asdict(job))

    def get(self, key: int) -> Job | None:
        row = self._connection.execute(_GET, {"job": key}).one_or_none()
        return None if row is None else Job(*row)

    def save(self, job: Job) -> None:
        changed = {"state": job.state, "retries": job.retries, "worker": job.worker, "due": job.due, "error": job.error}
        self._connection.execute(_SAVE, {"job": job.key, **changed})

    def remove(self, key: int) -> None:
        self._connection.execute(_REMOVE, {"job": key})

    def activatable(self, job_type: str, limit: int) -> list[Job]:
        """In the order they were created."""
        rows = self._connection.execute(_ACTIVATABLE, {"job_type": job_type, "most": limit})
        return [Job(*row) for row in rows]

    def due(self, now: int, limit: int) -> list[Job]:
        return [Job(*row) for row in self._connection.execute(_DUE, {"now": now, "most": limit})]

    def next_due(self) -> int | None:
        return self._connection.execute(_NEXT).scalar()


_INSERT = insert(jobs)
_GET = select(jobs).where(jobs.c.key == bindparam("job"))
_SAVE = update(jobs).where(jobs.c.key == bindparam("job"))
_SAVE = _SAVE.values({c: bindparam(c) for c in ("state", "retries", "worker", "due", "error")})
_REMOVE = delete(jobs).where(jobs.c.key == bindparam("job"))
_ACTIVATABLE = (
    select(jobs)
    .where(jobs.c.type == bindparam("job_type"), jobs.c.state == ACTIVATABLE)
    .order_by(jobs.c.key)
    .limit(bindparam("most"))
)
_DUE = select(jobs).where(jobs.c.due <= bindparam("now")).order_by(jobs.c.due, jobs.c.key).limit(bindparam("most"))
_NEXT = select(func.min(jobs.c.due)).where(jobs.c.due.is_not(None))
