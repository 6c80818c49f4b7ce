"""Store deployed decision requirements (one DMN file each) and their decisions."""

from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from services.engine.state.tables import decision_requirements, decisions


@dataclass(frozen=True, slots=True)
class RequirementsVersion:
    """One version of a DMN file."""

    key: int
    decision_requirements_id: str
    name: str
    version: int
    resource_name: str
    checksum: str
    deployment_key: int
    content: bytes
    deleted: bool


@dataclass(frozen=True, slots=True)
class DecisionVersion:
    key: int
    decision_id: str
    name: str
    version: int
    version_tag: str
    decision_requirements_key: int
    deployment_key: int
    deleted: bool


class Decisions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_requirements(self, requirements_version: RequirementsVersion) -> None:
        self._connection.execute(insert(decision_requirements), asdict(requirements_version))

    def add(self, decision: DecisionVersion) -> None:
        self._connection.execute(insert(decisions), asdict(decision))

    def requirements(self, key: int) -> RequirementsVersion | None:
        row = self._connection.execute(select(decision_requirements).where(decision_requirements.c.key == key)).first()
        return None if row is None else RequirementsVersion(*row)

    def latest_requirements(self, decision_requirements_id: str) -> RequirementsVersion | None:
        query = select(decision_requirements).where(
            decision_requirements.c.decision_requirements_id == decision_requirements_id,
            ~decision_requirements.c.deleted,
        )
        row = self._connection.execute(query.order_by(decision_requirements.c.version.desc()).limit(1)).first()
        return None if row is None else RequirementsVersion(*row)

    def in_requirements(self, decision_requirements_key: int) -> list[DecisionVersion]:
        query = (
            select(decisions)
            .where(decisions.c.decision_requirements_key == decision_requirements_key)
            .order_by(decisions.c.key)
        )
        return [DecisionVersion(*row) for row in self._connection.execute(query)]

    def by_key(self, key: int) -> DecisionVersion | None:
        return self._latest(decisions.c.key == key)

    def latest(self, decision_id: str) -> DecisionVersion | None:
        return self._latest(decisions.c.decision_id == decision_id)

    def deployed_with(self, decision_id: str, deployment_key: int) -> DecisionVersion | None:
        return self._latest(decisions.c.decision_id == decision_id, decisions.c.deployment_key == deployment_key)

    def latest_with_tag(self, decision_id: str, version_tag: str) -> DecisionVersion | None:
        return self._latest(decisions.c.decision_id == decision_id, decisions.c.version_tag == version_tag)

    def highest_version(self, decision_id: str) -> int:
        query = select(func.max(decisions.c.version)).where(decisions.c.decision_id == decision_id)
        return self._connection.execute(query).scalar() or 0

    def highest_requirements_version(self, decision_requirements_id: str) -> int:
        query = select(func.max(decision_requirements.c.version)).where(
            decision_requirements.c.decision_requirements_id == decision_requirements_id
        )
        return self._connection.execute(query).scalar() or 0

    def delete_requirements(self, key: int) -> None:
        """Mark the file and its decisions as deleted."""
        self._connection.execute(
            update(decision_requirements).where(decision_requirements.c.key == key).values(deleted=True)
        )
        self._connection.execute(
            update(decisions).where(decisions.c.decision_requirements_key == key).values(deleted=True)
        )

    def _latest(self, *conditions: ColumnElement[bool]) -> DecisionVersion | None:
        query = select(decisions).where(*conditions, ~decisions.c.deleted).order_by(decisions.c.version.desc()).limit(1)
        row = self._connection.execute(query).first()
        return None if row is None else DecisionVersion(*row)
