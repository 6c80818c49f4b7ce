"""Store records of every transition, with the field names of Zeebe's records."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select

from services.engine.state.statements import Statement
from services.engine.state.tables import records


@dataclass(frozen=True, slots=True)
class Record:
    """One event; ``timestamp`` in ms, ``value`` is JSON."""

    position: int
    timestamp: int
    key: int
    value_type: str
    intent: str
    value: dict[str, Any]

    def line(self) -> str:
        """Return the record as one line of a record file."""
        return json.dumps(
            {
                "position": self.position,
                "sourceRecordPosition": -1,
                "timestamp": self.timestamp,
                "key": self.key,
                "recordType": "EVENT",
                "valueType": self.value_type,
                "intent": self.intent,
                "value": self.value,
            },
            ensure_ascii=False,
        )


class Records:
    """Collects the records of a batch and writes them with it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.batch: list[Record] = []

    def flush(self) -> None:
        if self.batch:
            _ADD.run_each(self._connection, map(_row, self.batch))

    def of_instance(self, process_instance_key: int) -> list[Record]:
        """Return the kept records of one process instance, oldest first."""
        rows = _OF_INSTANCE.run(self._connection, instance=process_instance_key)
        return [Record(*[*row, json.loads(value)]) for *row, _, value in rows]

    def prune(self, before: int, limit: int) -> int:
        """Delete up to ``limit`` records older than ``before`` (ms); return their number."""
        last = _LAST_OLD.number(self._connection, limit=limit, before=before)
        return 0 if last is None else _PRUNE.run(self._connection, last=last).rowcount


_oldest = select(records.c.position, records.c.timestamp).order_by(records.c.position)
_oldest_page = _oldest.limit(bindparam("limit")).subquery()
_ADD = Statement(insert(records))
_OF_INSTANCE = Statement(
    select(records).where(records.c.process_instance_key == bindparam("instance")).order_by(records.c.position)
)
_LAST_OLD = Statement(select(func.max(_oldest_page.c.position)).where(_oldest_page.c.timestamp < bindparam("before")))
_PRUNE = Statement(delete(records).where(records.c.position <= bindparam("last")))
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _row(record: Record) -> dict[str, Any]:
    return {
        "position": record.position,
        "timestamp": record.timestamp,
        "key": record.key,
        "value_type": record.value_type,
        "intent": record.intent,
        "process_instance_key": record.value.get("processInstanceKey", -1),
        "value": _encode(record.value),
    }
