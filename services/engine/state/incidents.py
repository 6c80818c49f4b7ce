"""Store open incidents."""

import sqlite3
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select

from services.engine.state.statements import Statement, row_values
from services.engine.state.tables import incidents


@dataclass(frozen=True, slots=True)
class Incident:
    """``job_key`` is 0 if the element itself failed."""

    key: int
    process_instance_key: int
    element_instance_key: int
    job_key: int
    error_type: str
    error_message: str
    element_id: str


class Incidents:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, incident: Incident) -> None:
        _ADD.run(self._connection, **row_values(incident))

    def get(self, key: int) -> Incident | None:
        row = _GET.run(self._connection, incident=key).fetchone()
        return None if row is None else Incident(*row)

    def all_open(self) -> list[Incident]:
        """Return all open incidents, oldest first."""
        return [Incident(*row) for row in _ALL.run(self._connection)]

    def remove(self, key: int) -> None:
        _REMOVE.run(self._connection, incident=key)


_ADD = Statement(insert(incidents))
_GET = Statement(select(incidents).where(incidents.c.key == bindparam("incident")))
_ALL = Statement(select(incidents).order_by(incidents.c.key))
_REMOVE = Statement(delete(incidents).where(incidents.c.key == bindparam("incident")))
