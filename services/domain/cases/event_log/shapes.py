"""What an event log is made of, whatever the format: cases, each with its objects and its events in order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Literal, Protocol

CASE, ITEM, REVIEW, HAND_OVER, PERSON = "case", "item", "review", "hand-over", "person"
Value = str | int | float | bool | datetime
Transition = Literal["schedule", "complete"]
Related = Sequence[tuple[str, str]]
"""Other objects: how each is related, in a word, and its id."""


@dataclass(frozen=True, slots=True)
class LogObject:
    """One case, item of footage, review, hand-over of copies, or person. Its attributes hold from ``since`` on."""

    id: str
    type: str
    since: datetime
    attributes: Mapping[str, Value] = field(default_factory=dict)
    related: Related = ()


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something that happened to objects. ``schedule``: work came to somebody; ``complete``: it was done.

    ``person`` is the id of the object who did it, where a person did.
    """

    activity: str
    at: datetime
    objects: Related
    transition: Transition = "complete"
    person: str | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The type of event where a format has no transitions."""
        return self.activity if self.transition == "complete" else f"{self.activity} opened"


@dataclass(frozen=True, slots=True)
class CaseLog:
    """One case. ``objects`` are its own; ``people`` may be those of other cases too."""

    case: LogObject
    objects: Sequence[LogObject]
    people: Sequence[LogObject]
    events: Sequence[LogEvent]


@dataclass(slots=True)
class Written:
    """How much a log has."""

    cases: int = 0
    events: int = 0


class WriteLog(Protocol):
    """Write the cases as they come, so that any number of them takes little memory."""

    def __call__(self, cases: Iterable[CaseLog], file: BinaryIO, /) -> Written: ...


def moment(at: datetime) -> str:
    """Return the moment as both standards write it: ISO 8601 with its offset, in milliseconds."""
    return at.isoformat(timespec="milliseconds")


def text(value: Value) -> str:
    """Return a value as text, as XML Schema writes its kind."""
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return moment(value)
    return str(value)
