"""How a device of storage is, as far as it tells: disks, redundancy, free space (R10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from services.runtime.translations import Text

State = Literal["good", "bad", "not-told"]
GOOD: State = "good"
BAD: State = "bad"
NOT_TOLD: State = "not-told"
STATES: tuple[State, ...] = (GOOD, BAD, NOT_TOLD)
MOST_BYTES = 1 << 62  # a device that tells more of itself is not believed


@dataclass(frozen=True)
class Disk:
    """One disk as its device tells of it. ``failed``: None where it does not tell; sizes in bytes.

    ``status`` is the device's own word.
    """

    name: str
    status: str = ""
    failed: bool | None = None
    total_bytes: int | None = None
    free_bytes: int | None = None

    def as_json(self) -> dict[str, str | int | bool | None]:
        return {
            "name": self.name,
            "status": self.status,
            "failed": self.failed,
            "totalBytes": self.total_bytes,
            "freeBytes": self.free_bytes,
        }


@dataclass(frozen=True)
class StorageHealth:
    """What was read of a device: ``findings`` are sentences, ``figures`` numbers by their names in the API.

    Of a device that tells nothing of its disks ``state`` is not-told, whatever else it tells.
    """

    state: State
    findings: tuple[Text, ...] = ()
    figures: Mapping[str, int] = field(default_factory=dict)
    disks: Sequence[Disk] = ()


def whole(value: float) -> int | None:
    """Return a number that a device tells as a whole one; None where it cannot be one of bytes, disks or nodes."""
    # NaN compares false with everything
    return int(value) if 0 <= value <= MOST_BYTES else None
