"""Store timers of active elements and of start events (without an instance)."""

import sqlite3
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select, text, update

from services.engine.state.statements import Statement, row_values
from services.engine.state.tables import timers


@dataclass(frozen=True, slots=True)
class Timer:
    """``due_date`` in ms; ``cycle`` repeats ``repetitions`` times (-1 = without end)."""

    key: int
    due_date: int
    process_instance_key: int
    element_instance_key: int
    element_id: str
    process_definition_key: int
    cycle: str | None
    repetitions: int


class Timers:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, timer: Timer) -> None:
        _INSERT.run(self._connection, **row_values(timer))

    def get(self, key: int) -> Timer | None:
        row = _GET.run(self._connection, timer=key).fetchone()
        return None if row is None else Timer(*row)

    def remove(self, key: int) -> None:
        _REMOVE.run(self._connection, timer=key)

    def postpone(self, key: int, due: int) -> None:
        _POSTPONE.run(self._connection, timer=key, later=due)

    def due(self, now: int, limit: int) -> list[Timer]:
        """Return due timers, the earliest first."""
        return [Timer(*row) for row in _DUE.run(self._connection, now=now, limit=limit)]

    def of_definition(self, process_definition_key: int) -> list[Timer]:
        """Return the timers of a definition's start events."""
        return [Timer(*row) for row in _STARTS.run(self._connection, definition=process_definition_key)]

    def next_due(self) -> int | None:
        return _NEXT.number(self._connection)


_INSERT = Statement(insert(timers))
_GET = Statement(select(timers).where(timers.c.key == bindparam("timer")))
_REMOVE = Statement(delete(timers).where(timers.c.key == bindparam("timer")))
_POSTPONE = Statement(update(timers).where(timers.c.key == bindparam("timer")).values(due_date=bindparam("later")))
_DUE = Statement(
    select(timers)
    .where(timers.c.due_date <= bindparam("now"))
    .order_by(timers.c.due_date, timers.c.key)
    .limit(bindparam("limit"))
)
_STARTS = Statement(
    select(timers).where(timers.c.process_definition_key == bindparam("definition"), text("process_instance_key = 0"))
)  # literally as in the partial index, so that SQLite uses it
_NEXT = Statement(select(func.min(timers.c.due_date)))
