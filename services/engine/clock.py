"""What time the engine goes by: the machine's clock, another room's, or one turned by hand over the management port."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class EngineClock(Protocol):
    """Tells the time that timers, job timeouts, back-offs and messages go by."""

    def now(self) -> datetime:
        """The moment, as an aware datetime."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ControlledClock:
    """A clock that the management port moves: by an offset, or pinned to one moment (as Zeebe's controlled clock)."""

    def __init__(self, base: EngineClock | None = None) -> None:
        self._base: EngineClock = base or SystemClock()
        self._offset = timedelta()
        self._pinned: datetime | None = None

    def now(self) -> datetime:
        return self._pinned if self._pinned is not None else self._base.now() + self._offset

    def add(self, by: timedelta) -> None:
        """Move by ``by``; a pinned clock stays pinned, at the later moment."""
        if self._pinned is not None:
            self._pinned += by
        else:
            self._offset += by

    def pin(self, moment: datetime) -> None:
        self._pinned = moment

    def reset(self) -> None:
        self._offset = timedelta()
        self._pinned = None


MAX_MILLIS = 253_402_300_799_000  # the end of the year 9999: what Python and ISO 8601 can still write


def clamp_millis(millis: int) -> int:
    """A moment as the state can hold it: clients send durations up to 64 bits."""
    return max(0, min(millis, MAX_MILLIS))


def to_millis(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime; times in the engine's state are kept so."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def from_millis(millis: int) -> datetime:
    """The aware UTC datetime of ``millis`` since 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)
