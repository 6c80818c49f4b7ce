"""Clocks of the engine: the system's, the application's, or a controlled one."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class EngineClock(Protocol):
    """The time source of timers, job timeouts, back-offs and message deadlines."""

    def now(self) -> datetime:
        """Return the current time as an aware datetime."""
        ...


class SystemClock:
    """The system's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ControlledClock:
    """A clock with an offset or a fixed time, as Zeebe's."""

    def __init__(self, base: EngineClock | None = None) -> None:
        self._base: EngineClock = base or SystemClock()
        self._offset = timedelta()
        self._pinned: datetime | None = None

    def now(self) -> datetime:
        return self._pinned if self._pinned is not None else self._base.now() + self._offset

    def add(self, by: timedelta) -> None:
        """Advance by ``by``; a pinned clock stays pinned, at the later time."""
        if self._pinned is not None:
            self._pinned += by
        else:
            self._offset += by

    def pin(self, moment: datetime) -> None:
        self._pinned = moment

    def reset(self) -> None:
        self._offset = timedelta()
        self._pinned = None


MAX_MILLIS = 253_402_300_799_000  # the end of the year 9999: the last that Python and ISO 8601 can represent


def clamp_millis(millis: int) -> int:
    """Limit a timestamp to what the state stores; clients send 64 bits."""
    return max(0, min(millis, MAX_MILLIS))


def to_millis(moment: datetime) -> int:
    """Return the milliseconds since 1970 of an aware datetime."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def from_millis(millis: int) -> datetime:
    """Return the aware UTC datetime of ``millis`` since 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)
