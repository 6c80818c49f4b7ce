"""Migrate the file of an earlier version; ``user_version`` is the schema version."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from services.engine.state.tables import ENDS, instances

_BATCH = 500
_COLUMN_TYPES = {"definition_key": "BIGINT", "element_id": "VARCHAR", "kind": "VARCHAR"}


def is_newer(connection: Connection) -> bool:
    """Return whether a later version wrote the file."""
    return _schema_version(connection) > len(_STEPS)


def migrate(connection: Connection) -> None:
    """Apply the missing steps; they change nothing in a new file."""
    version = _schema_version(connection)
    for step in _STEPS[version:]:
        step(connection)
    if version < len(_STEPS):
        connection.exec_driver_sql(f"PRAGMA user_version = {len(_STEPS)}")


def _schema_version(connection: Connection) -> int:
    version: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    return version


def _index_elements(connection: Connection) -> None:
    """Step 1: index element instances by element, and ended instances by position."""
    ENDS.create(connection, checkfirst=True)
    existing = {row.name for row in connection.exec_driver_sql("PRAGMA table_info(nodes)")}
    missing = [name for name in ("definition_key", "element_id", "kind") if name not in existing]
    for name in missing:
        connection.exec_driver_sql(f"ALTER TABLE nodes ADD COLUMN {name} {_COLUMN_TYPES[name]}")
    if missing:
        update = "UPDATE nodes SET definition_key = ?, element_id = ?, kind = ? WHERE key = ?"
        for rows in _element_rows(connection):
            connection.exec_driver_sql(update, rows)


def _element_rows(connection: Connection) -> Iterator[list[tuple[Any, ...]]]:
    last = 0
    while True:
        query = select(instances).where(instances.c.key > last).order_by(instances.c.key).limit(_BATCH)
        rows = connection.execute(query).all()
        if not rows:
            return
        last = rows[-1].key
        documents = [json.loads(row.document) for row in rows]
        yield [(d["definition"], n["element_id"], n["kind"], n["key"]) for d in documents for n in d["nodes"]]


def _mark_compensations(_: Connection) -> None:
    """Step 2: mark files whose documents earlier versions cannot read.

    Documents may have ``ElementInstance.compensations`` from now on; existing ones stay as they are.
    """


_STEPS: Sequence[Callable[[Connection], None]] = (_index_elements, _mark_compensations)
