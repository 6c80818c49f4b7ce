"""Timers: of running elements, and of timer start events (those have no instance)."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from services.engine.state.tables import timers


@dataclass(frozen=True, slots=True)
class Timer:
    """``due`` in ms; ``cycle`` is the text of the cycle while ``repetitions`` (-1 = for ever) are left."""

    key: int
    due: int
    instance_key: int
    node_key: int
    element_id: str
    definition_key: int
    cycle: str | None
    repetitions: int


class Timers:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, timer: Timer) -> None:
        self._connection.execute(_INSERT, asdict(timer))

    def get(self, key: int) -> Timer | None:
        row = self._connection.execute(_GET, {"timer": key}).one_or_none()
        return None if row is None else Timer(*row)

    def remove(self, key: int) -> None:
        self._connection.execute(_REMOVE, {"timer": key})

    def put_off(self, key: int, due: int) -> None:
        self._connection.execute(_PUT_OFF, {"timer": key, "later": due})

    def due(self, now: int, limit: int) -> list[Timer]:
        """In the order they are due."""
        return [Timer(*row) for row in self._connection.execute(_DUE, {"now": now, "most": limit})]

    def of_definition(self, definition_key: int) -> list[Timer]:
        """The timers of its start events."""
        return [Timer(*row) for row in self._connection.execute(_STARTS, {"definition": definition_key})]

    def next_due(self) -> int | None:
        return self._connection.execute(_NEXT).scalar()


_INSERT = insert(timers)
_GET = select(timers).where(timers.c.key == bindparam("timer"))
_REMOVE = delete(timers).where(timers.c.key == bindparam("timer"))
_PUT_OFF = update(timers).where(timers.c.key == bindparam("timer")).values(due=bindparam("later"))
_DUE = (
    select(timers).where(timers.c.due <= bindparam("now")).order_by(timers.c.due, timers.c.key).limit(bindparam("most"))
)
_STARTS = select(timers).where(timers.c.definition_key == bindparam("definition"), timers.c.instance_key == 0)
_NEXT = select(func.min(timers.c.due))
