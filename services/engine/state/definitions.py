"""Deployed processes: every version stays, because running instances keep theirs."""

from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from services.engine.state.tables import definitions


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of a process; ``content`` is the BPMN file, ``checksum`` its SHA-256 in hex."""

    key: int
    process_id: str
    version: int
    version_tag: str
    resource_name: str
    checksum: str
    deployment_key: int
    content: bytes
    deleted: bool


class Definitions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, definition: Definition) -> None:
        self._connection.execute(insert(definitions), asdict(definition))

    def get(self, key: int) -> Definition | None:
        return self._one(definitions.c.key == key)

    def latest(self, process_id: str) -> Definition | None:
        return self._one(definitions.c.process_id == process_id, ~definitions.c.deleted)

    def version(self, process_id: str, version: int) -> Definition | None:
        return self._one(
            definitions.c.process_id == process_id, definitions.c.version == version, ~definitions.c.deleted
        )

    def deployed_with(self, process_id: str, deployment_key: int) -> Definition | None:
        """The version that came with a deployment."""
        same = definitions.c.deployment_key == deployment_key
        return self._one(definitions.c.process_id == process_id, same, ~definitions.c.deleted)

    def tagged(self, process_id: str, version_tag: str) -> Definition | None:
        """The newest version with the tag."""
        tagged = definitions.c.version_tag == version_tag
        return self._one(definitions.c.process_id == process_id, tagged, ~definitions.c.deleted)

    def highest_version(self, process_id: str) -> int:
        """0 before the first; deleted versions count, so that numbers are never used twice."""
        highest = select(func.max(definitions.c.version)).where(definitions.c.process_id == process_id)
        return self._connection.execute(highest).scalar() or 0

    def delete(self, key: int) -> None:
        """Nothing new starts with it; running instances go on."""
        self._connection.execute(update(definitions).where(definitions.c.key == key).values(deleted=True))

    def _one(self, *conditions: ColumnElement[bool]) -> Definition | None:
        query = select(definitions).where(*conditions).order_by(definitions.c.version.desc()).limit(1)
        row = self._connection.execute(query).first()
        return None if row is None else Definition(*row)
