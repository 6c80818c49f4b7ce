"""Read and administer the embedded engine; every act and every reading of variables is audited (F29)."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, Protocol

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import administrators
from services.domain.audit import trail as audit_trail
from services.runtime import models
from services.runtime.errors import NotFound, Refused
from services.runtime.models import Model
from services.runtime.translations import Message, Text
from services.web.schemas import Answer

_KEY = re.compile("[0-9]{1,18}")
_DEEPEST_CALL = 20


class EngineInspection(Protocol):
    """The engine in this process. Its answers have the fields of the models below.

    ``retry`` and ``update_job_retries`` return why they were refused, or None. ``follow_ends`` calls its listener with
    the keys of process instances that were just ended before they came to their end.
    """

    def follow_ends(self, listener: Callable[[set[int]], None]) -> None: ...
    async def processes(self) -> Sequence[object]: ...
    async def elements(self, process_definition_key: int) -> Sequence[object]: ...
    async def model(self, process_definition_key: int) -> tuple[str, bytes] | None: ...
    async def instances(self, **query: Any) -> Sequence[object]: ...
    async def instance(self, key: int) -> object | None: ...
    async def active(self, key: int) -> Sequence[object]: ...
    async def running(self, keys: list[int]) -> Sequence[object]: ...
    async def variables(self, process_instance_key: int) -> Sequence[object]: ...
    async def incidents(self, **query: Any) -> Sequence[object]: ...
    async def jobs(self, **query: Any) -> Sequence[object]: ...
    async def retry(self, incident_key: int, retries: int) -> str | None: ...
    async def update_job_retries(self, job_key: int, retries: int) -> str | None: ...


class ProcessAnswer(Answer):
    """One version of a process; ``active`` and ``incidents`` count its instances that run without and with one."""

    process_definition_key: int
    bpmn_process_id: str
    version: int
    active: int
    incidents: int
    latest: bool


class ElementAnswer(Answer):
    """How many instances are at an element now, without and with an incident."""

    element_id: str
    active: int
    incidents: int


class InstanceLineAnswer(Answer):
    """A process instance; ``parentProcessInstanceKey`` is 0 if no other called it."""

    key: int
    process_definition_key: int
    bpmn_process_id: str
    version: int
    state: Literal["active", "incident", "completed", "terminated"]
    start_date: datetime | None
    end_date: datetime | None
    incidents: int
    parent_process_instance_key: int


class IncidentAnswer(Answer):
    """An open incident; ``jobKey`` is 0 if the element itself failed."""

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


class JobAnswer(Answer):
    """A job that is not done; ``deadline``: when it times out, or may be activated again."""

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


class AwaitedAnswer(Answer):
    """What an element waits for; ``key`` is that of the called instance, or of the job."""

    kind: Literal["job", "timer", "message", "signal", "call"]
    name: str
    due_date: datetime | None
    key: int


class PlaceAnswer(Answer):
    """A running element."""

    element_id: str
    element_type: str
    state: str
    start_date: datetime | None
    has_incident: bool
    wait_states: list[AwaitedAnswer]


class PassageAnswer(Answer):
    """One visit of an element."""

    element_id: str
    element_type: str
    start_date: datetime
    end_date: datetime | None
    state: Literal["active", "completed", "terminated"]


class InstanceAnswer(Answer):
    """One process instance; ``historyComplete``: ``elementInstances`` has every visit."""

    process_instance: InstanceLineAnswer
    active_elements: list[PlaceAnswer]
    incidents: list[IncidentAnswer]
    jobs: list[JobAnswer]
    element_instances: list[PassageAnswer]
    history_complete: bool


class ActiveWaitAnswer(Answer):
    """What an element waits for; ``served`` is false for a job that no worker takes, null for one that waits."""

    kind: Literal["job", "timer", "message", "signal", "call"]
    element_id: str
    name: str
    due_date: datetime | None
    key: int
    served: bool | None


class ActiveElementAnswer(Answer):
    """An active element; the process itself has no ``elementId``."""

    element_id: str
    element_type: str
    since: datetime | None
    has_incident: bool
    waits: list[ActiveWaitAnswer]


class ActiveInstanceAnswer(Answer):
    """A running process instance of a case; ``parentKey`` is 0 for the case's own."""

    key: int
    process_definition_key: int
    bpmn_process_id: str
    version: int
    parent_key: int
    elements: list[ActiveElementAnswer]


class RunningAnswer(Answer):
    """The version that an instance runs on."""

    key: int
    process_definition_key: int
    bpmn_process_id: str
    version: int


class VariableAnswer(Answer):
    """A variable of a process instance; ``value`` is JSON."""

    scope_id: str
    scope_key: int
    name: str
    value: str


def parse_key(text: str, message: Text) -> int:
    """Parse a key of a URL; NotFound if it cannot be one."""
    if not _KEY.fullmatch(text):
        raise NotFound(message, text)
    return int(text)


async def get_model(engine: EngineInspection, definition_key: int) -> Model:
    """Return the model of one version; NotFound."""
    model = await engine.model(definition_key)
    if model is None:
        raise NotFound(Message("process"), str(definition_key))
    process_id, content = model
    return _parsed(content)[process_id]


async def get_instance(engine: EngineInspection, instance_key: int) -> InstanceAnswer:
    """Return one instance; NotFound, also once its records are deleted."""
    instance = await engine.instance(instance_key)
    if instance is None:
        raise NotFound(Message("process instance"), str(instance_key))
    return InstanceAnswer.model_validate(instance)


async def read_variables(
    database: Database, actor: Actor, engine: EngineInspection, instance_key: int
) -> list[VariableAnswer]:
    """Return the variables of one instance; first records who reads them."""
    line = (await get_instance(engine, instance_key)).process_instance
    await database.run(actor, _record_variables_read, instance_key, await _root_key_of(engine, line))
    return [VariableAnswer.model_validate(variable) for variable in await engine.variables(instance_key)]


async def retry_incident(
    database: Database, actor: Actor, engine: EngineInspection, incident_key: int, retries: int
) -> IncidentAnswer:
    """Resolve an incident, its job with so many retries; return the incident before that."""
    matches = [IncidentAnswer.model_validate(match) for match in await engine.incidents(text=str(incident_key))]
    incident = next((match for match in matches if match.key == incident_key), None)
    if incident is None:
        raise NotFound(Message("incident"), str(incident_key))
    root_key = await _root_key_of(engine, (await get_instance(engine, incident.process_instance_key)).process_instance)
    await database.run(
        actor,
        _record_incident_retry,
        incident_key,
        root_key,
        element=incident.element_id,
        retries=retries,
    )
    _raise_refusal(await engine.retry(incident_key, retries))
    return incident


async def set_job_retries(
    database: Database, actor: Actor, engine: EngineInspection, job_key: int, retries: int
) -> JobAnswer:
    """Set a job's retries; return the job before that."""
    matches = [JobAnswer.model_validate(match) for match in await engine.jobs(text=str(job_key))]
    job = next((match for match in matches if match.key == job_key), None)
    if job is None:
        raise NotFound(Message("job"), str(job_key))
    root_key = await _root_key_of(engine, (await get_instance(engine, job.process_instance_key)).process_instance)
    await database.run(actor, _record_job_retries, job_key, root_key, element=job.element_id, retries=retries)
    _raise_refusal(await engine.update_job_retries(job_key, retries))
    return job


def _record_variables_read(uow: UnitOfWork, instance_key: int, root_key: int) -> None:
    """Record that variables are about to be shown. ``root_key``: the outermost instance."""
    administrators.require_administrator(uow)
    audit_trail.record(
        uow,
        "process-variables-read",
        "process-instance",
        str(instance_key),
        application_id=_case_of(uow, root_key),
    )


def _record_incident_retry(uow: UnitOfWork, incident_key: int, root_key: int, *, element: str, retries: int) -> None:
    """Record that an incident is about to be resolved."""
    administrators.require_administrator(uow)
    audit_trail.record(
        uow,
        "incident-retry-ordered",
        "incident",
        str(incident_key),
        application_id=_case_of(uow, root_key),
        element=element,
        retries=retries,
    )


def _record_job_retries(uow: UnitOfWork, job_key: int, root_key: int, *, element: str, retries: int) -> None:
    """Record that a job's retries are about to be set."""
    administrators.require_administrator(uow)
    audit_trail.record(
        uow,
        "job-retries-set",
        "job",
        str(job_key),
        application_id=_case_of(uow, root_key),
        element=element,
        retries=retries,
    )


def _case_of(uow: UnitOfWork, root_key: int) -> str | None:
    """Return the application of a process; None if it belongs to no case."""
    return uow.session.scalar(select(Application.id).where(Application.process_instance_key == root_key))


async def _root_key_of(engine: EngineInspection, line: InstanceLineAnswer) -> int:
    """Return the key of the outermost caller, the case's own instance."""
    for _ in range(_DEEPEST_CALL):
        if not line.parent_process_instance_key:
            break
        line = (await get_instance(engine, line.parent_process_instance_key)).process_instance
    return line.key


def _raise_refusal(refused: str | None) -> None:
    if refused is not None:
        raise Refused("engine-refuses", "The engine refused: {refused}", status=409, refused=refused)


@lru_cache(maxsize=64)
def _parsed(content: bytes) -> dict[str, Model]:
    return models.parse(content)
