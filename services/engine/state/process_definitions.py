"""Store deployed processes; all versions stay, because running instances keep theirs."""

import sqlite3
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import bindparam, func, insert, select, update

from services.engine.state.statements import Statement, row_values
from services.engine.state.tables import process_definitions

_MAX_CACHED = 50

CacheKey = TypeVar("CacheKey", int, str)


@dataclass(frozen=True, slots=True)
class ProcessDefinition:
    """A process version.

    ``content`` is the BPMN file, ``checksum`` its SHA-256 in hex.
    """

    key: int
    bpmn_process_id: str
    version: int
    version_tag: str
    resource_name: str
    checksum: str
    deployment_key: int
    content: bytes
    deleted: bool


class ProcessDefinitions:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._by_key: dict[int, ProcessDefinition] = {}
        self._latest: dict[str, ProcessDefinition] = {}

    def add(self, definition: ProcessDefinition) -> None:
        self.clear_cache()
        _ADD.run(self._connection, **row_values(definition))

    def get(self, key: int) -> ProcessDefinition | None:
        return self._by_key.get(key) or self._cache(self._by_key, key, _GET.run(self._connection, definition=key))

    def latest(self, bpmn_process_id: str) -> ProcessDefinition | None:
        return self._latest.get(bpmn_process_id) or self._cache(
            self._latest, bpmn_process_id, _LATEST.run(self._connection, process=bpmn_process_id)
        )

    def version(self, bpmn_process_id: str, version: int) -> ProcessDefinition | None:
        return _first_definition(_VERSION.run(self._connection, process=bpmn_process_id, number=version))

    def deployed_with(self, bpmn_process_id: str, deployment_key: int) -> ProcessDefinition | None:
        """Return the version of a deployment."""
        return _first_definition(
            _DEPLOYED_WITH.run(self._connection, process=bpmn_process_id, deployment=deployment_key)
        )

    def latest_with_tag(self, bpmn_process_id: str, version_tag: str) -> ProcessDefinition | None:
        """Return the latest version with the tag."""
        return _first_definition(_TAGGED.run(self._connection, process=bpmn_process_id, tag=version_tag))

    def highest_version(self, bpmn_process_id: str) -> int:
        """Return the highest version ever, 0 if none; deleted versions count."""
        return _HIGHEST.number(self._connection, process=bpmn_process_id) or 0

    def delete(self, key: int) -> None:
        """Prevent new instances; running instances continue."""
        self.clear_cache()
        _DELETE.run(self._connection, definition=key)

    def clear_cache(self) -> None:
        """Clear the cache after a deployment, a deletion or a rollback."""
        self._by_key.clear()
        self._latest.clear()

    def _cache(
        self, cache: dict[CacheKey, ProcessDefinition], name: CacheKey, rows: sqlite3.Cursor
    ) -> ProcessDefinition | None:
        definition = _first_definition(rows)
        if definition is not None:
            if len(cache) >= _MAX_CACHED:
                cache.clear()
            cache[name] = definition
        return definition


def _first_definition(rows: sqlite3.Cursor) -> ProcessDefinition | None:
    for *row, deleted in rows:
        return ProcessDefinition(*[*row, bool(deleted)])
    return None


_of_process = process_definitions.c.bpmn_process_id == bindparam("process")
_usable = select(process_definitions).where(_of_process, ~process_definitions.c.deleted)
_newest = process_definitions.c.version.desc()
_ADD = Statement(insert(process_definitions))
_GET = Statement(select(process_definitions).where(process_definitions.c.key == bindparam("definition")))
_LATEST = Statement(_usable.order_by(_newest).limit(1))
_VERSION = Statement(_usable.where(process_definitions.c.version == bindparam("number")))
_DEPLOYED_WITH = Statement(
    _usable.where(process_definitions.c.deployment_key == bindparam("deployment")).order_by(_newest).limit(1)
)
_TAGGED = Statement(_usable.where(process_definitions.c.version_tag == bindparam("tag")).order_by(_newest).limit(1))
_HIGHEST = Statement(select(func.max(process_definitions.c.version)).where(_of_process))
_DELETE = Statement(
    update(process_definitions).where(process_definitions.c.key == bindparam("definition")).values(deleted=True)
)
