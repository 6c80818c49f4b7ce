"""The inspector's results.

Times are aware datetimes, None once the record of them is deleted. The field names are those of the commands' JSON.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ProcessSummary:
    """A process version.

    ``active`` and ``incidents`` count its instances without and with incident.
    """

    process_definition_key: int
    bpmn_process_id: str
    version: int
    resource_name: str
    active: int
    incidents: int
    latest: bool


@dataclass(frozen=True, slots=True)
class ElementStatistics:
    """The numbers of an element's active instances without and with incident."""

    element_id: str
    active: int
    incidents: int


@dataclass(frozen=True, slots=True)
class InstanceSummary:
    """``state`` is active, incident, completed or terminated.

    ``parent_process_instance_key`` is 0 for a root instance.
    """

    key: int
    process_definition_key: int
    bpmn_process_id: str
    version: int
    state: str
    start_date: datetime | None
    end_date: datetime | None
    incidents: int
    parent_process_instance_key: int


@dataclass(frozen=True, slots=True)
class IncidentSummary:
    """``job_key`` is 0 if the element itself failed.

    ``retries`` are the job's remaining ones.
    """

    key: int
    process_instance_key: int
    process_definition_key: int
    bpmn_process_id: str
    version: int
    element_id: str
    error_type: str
    error_message: str
    creation_time: datetime | None
    job_key: int
    job_type: str
    retries: int | None


@dataclass(frozen=True, slots=True)
class JobSummary:
    """``deadline`` is the end of a job's timeout or back-off."""

    key: int
    type: str
    state: str
    retries: int
    worker: str
    deadline: datetime | None
    error_message: str
    process_instance_key: int
    process_definition_key: int
    bpmn_process_id: str
    version: int
    element_id: str


@dataclass(frozen=True, slots=True)
class WaitState:
    """What an element waits for.

    ``kind`` is job, timer, message, signal or call; ``key`` that of the job, subscription, timer or called instance.
    """

    kind: str
    name: str
    due_date: datetime | None
    key: int


@dataclass(frozen=True, slots=True)
class ActiveElement:
    """An active element, and what it waits for."""

    element_id: str
    element_type: str
    state: str
    start_date: datetime | None
    has_incident: bool
    wait_states: Sequence[WaitState]


@dataclass(frozen=True, slots=True)
class ElementInstanceSummary:
    """One element instance; ``state`` is active, completed or terminated."""

    element_id: str
    element_type: str
    start_date: datetime
    end_date: datetime | None
    state: str


@dataclass(frozen=True, slots=True)
class InstanceDetails:
    """One process instance.

    ``element_instances`` are its latest ones, oldest first; ``history_complete`` says whether they are all.
    """

    process_instance: InstanceSummary
    active_elements: Sequence[ActiveElement]
    incidents: Sequence[IncidentSummary]
    jobs: Sequence[JobSummary]
    element_instances: Sequence[ElementInstanceSummary]
    history_complete: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """``value`` is JSON.

    ``scope_id`` and ``scope_key`` identify the scope's element and element instance.
    """

    scope_id: str
    scope_key: int
    name: str
    value: str


def to_json(value: Any) -> Any:
    """Convert a result to JSON values; times become ISO 8601 text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value
