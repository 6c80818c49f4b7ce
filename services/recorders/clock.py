"""The measured offset of a recorder's clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Clock:
    """A recorder's clock minus true time, how that was measured, and how far it may be off; None: not measured."""

    offset_ms: int | None = None
    method: str = "unknown"
    uncertainty_ms: int | None = None

    @classmethod
    def of(cls, shown: datetime, asked: datetime, answered: datetime, *, resolution: timedelta, method: str) -> "Clock":
        """From the time that a recorder showed at some moment between ``asked`` and ``answered``, both true.

        ``resolution`` is the step of what it shows, which it has rounded down to.
        """
        half, trip = resolution / 2, (answered - asked) / 2
        offset = shown + half - (asked + trip)
        return cls(_milliseconds(offset), method, _milliseconds(half + trip))


def _milliseconds(length: timedelta) -> int:
    return round(length / timedelta(milliseconds=1))
