"""Incidents: steps that could not be taken and wait for somebody."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select

from services.engine.state.tables import incidents


@dataclass(frozen=True, slots=True)
class Incident:
    """``job_key`` is 0 where the element itself could not go on."""

    key: int
    instance_key: int
    node_key: int
    job_key: int
    error_type: str
    text: str
    element_id: str


class Incidents:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, incident: Incident) -> None:
        self._connection.execute(insert(incidents), asdict(incident))

    def get(self, key: int) -> Incident | None:
        row = self._connection.execute(
            select(incidents).where(incidents.c.key == bindparam("incident")), {"incident": key}
        )
        found = row.one_or_none()
        return None if found is None else Incident(*found)

    def all_open(self) -> list[Incident]:
        """Oldest first."""
        return [Incident(*row) for row in self._connection.execute(select(incidents).order_by(incidents.c.key))]

    def remove(self, key: int) -> None:
        self._connection.execute(delete(incidents).where(incidents.c.key == bindparam("incident")), {"incident": key})
