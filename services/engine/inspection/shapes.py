"""What whoever looks on is told. Moments are aware; None where the record of it is not kept any more."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """One version of a process; ``active`` and ``incidents`` count its instances that run without, and with one."""

    definition_key: int
    process_id: str
    version: int
    resource_name: str
    active: int
    incidents: int
    latest: bool


@dataclass(frozen=True, slots=True)
class ElementLine:
    """How many stand at an element, without an incident and with one."""

    element_id: str
    active: int
    incidents: int


@dataclass(frozen=True, slots=True)
class InstanceLine:
    """``state`` is active, incident, completed or terminated; ``parent_key`` 0 where nobody called it."""

    key: int
    definition_key: int
    process_id: str
    version: int
    state: str
    began: datetime | None
    ended: datetime | None
    incidents: int
    parent_key: int


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """``job_key`` is 0 where the element itself could not go on; ``retries`` are those that its job has left."""

    key: int
    instance_key: int
    definition_key: int
    process_id: str
    version: int
    element_id: str
    error_type: str
    message: str
    since: datetime | None
    job_key: int
    job_type: str
    retries: int | None


@dataclass(frozen=True, slots=True)
class JobLine:
    """``due``: when an activated job times out, or one that backs off may be fetched again."""

    key: int
    type: str
    state: str
    retries: int
    worker: str
    due: datetime | None
    error: str
    instance_key: int
    definition_key: int
    process_id: str
    version: int
    element_id: str


@dataclass(frozen=True, slots=True)
class Awaited:
    """What an element waits for: ``kind`` is job, timer, message, signal or call; ``key`` that of the called."""

    kind: str
    name: str
    due: datetime | None
    key: int


@dataclass(frozen=True, slots=True)
class Place:
    """A running element; ``incident`` where it has stopped."""

    element_id: str
    kind: str
    state: str
    since: datetime | None
    incident: bool
    awaits: Sequence[Awaited]


@dataclass(frozen=True, slots=True)
class Passage:
    """One time that an element was entered; ``how`` is active, completed or terminated."""

    element_id: str
    kind: str
    began: datetime
    ended: datetime | None
    how: str


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance. ``passages`` are the newest, oldest first; ``whole`` tells whether they are all."""

    line: InstanceLine
    places: Sequence[Place]
    incidents: Sequence[IncidentLine]
    jobs: Sequence[JobLine]
    passages: Sequence[Passage]
    whole: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """``value`` is JSON; ``scope_id`` the element whose variable it is, ``scope_key`` which time it was entered."""

    scope_id: str
    scope_key: int
    name: str
    value: str


def plain(shown: Any) -> Any:
    """As JSON has it: moments as ISO 8601 texts."""
    if is_dataclass(shown) and not isinstance(shown, type):
        return {field.name: plain(getattr(shown, field.name)) for field in fields(shown)}
    if isinstance(shown, datetime):
        return shown.isoformat()
    if isinstance(shown, list | tuple):
        return [plain(one) for one in shown]
    return shown
