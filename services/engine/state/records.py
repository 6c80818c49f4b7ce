"""Append-only records of every transition, with the field names of Zeebe's records."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from services.engine.state.tables import records

_PRUNED_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened. ``timestamp`` in ms; ``value`` is plain JSON."""

    position: int
    timestamp: int
    key: int
    value_type: str
    intent: str
    value: dict[str, Any]

    def line(self) -> str:
        """As one line of a record file."""
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

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.batch: list[Record] = []

    def flush(self) -> None:
        if self.batch:
            self._connection.execute(_INSERT, [_row(r) for r in self.batch])

    def of_instance(self, instance_key: int) -> list[Record]:
        """Everything kept about one process instance, oldest first."""
        query = select(records).where(records.c.instance_key == bindparam("instance")).order_by(records.c.position)
        rows = self._connection.execute(query, {"instance": instance_key})
        return [Record(r.position, r.timestamp, r.key, r.value_type, r.intent, json.loads(r.value)) for r in rows]

    def prune(self, before: int) -> int:
        """Delete records older than ``before`` (ms), oldest first, some at a time; returns how many went."""
        oldest = select(records.c.position, records.c.timestamp).order_by(records.c.position).limit(_PRUNED_AT_ONCE)
        old = [r.position for r in self._connection.execute(oldest) if r.timestamp < before]
        if old:
            self._connection.execute(delete(records).where(records.c.position <= max(old)))
        return len(old)


_INSERT = insert(records)


def _row(record: Record) -> dict[str, Any]:
    return {
        "position": record.position,
        "timestamp": record.timestamp,
        "key": record.key,
        "value_type": record.value_type,
        "intent": record.intent,
        "instance_key": record.value.get("processInstanceKey", -1),
        "value": json.dumps(record.value, ensure_ascii=False, separators=(",", ":")),
    }
