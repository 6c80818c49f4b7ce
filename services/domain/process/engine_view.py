"""The embedded engine as the portal sees it: what it is asked, how its answers look, and what leaves a trace."""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, Protocol

from services.database.unit_of_work import Actor, Database
from services.domain.process import engine_actions
from services.runtime import models
from services.runtime.errors import NotFound, Refused
from services.runtime.models import Model
from services.runtime.translations import Message, Text
from services.web.schemas import Answer

_KEY = re.compile("[0-9]{1,18}")
_DEEPEST_CALL = 20


class EngineInspection(Protocol):
    """The engine in this process. Its answers have the fields of the shapes below; acts tell why they were refused."""

    async def processes(self) -> Sequence[object]: ...
    async def elements(self, process_definition_key: int) -> Sequence[object]: ...
    async def model(self, process_definition_key: int) -> tuple[str, bytes] | None: ...
    async def instances(self, **wanted: Any) -> Sequence[object]: ...
    async def instance(self, key: int) -> object | None: ...
    async def variables(self, process_instance_key: int) -> Sequence[object]: ...
    async def incidents(self, **wanted: Any) -> Sequence[object]: ...
    async def jobs(self, **wanted: Any) -> Sequence[object]: ...
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
    """How many stand at an element now, without an incident and with one."""

    element_id: str
    active: int
    incidents: int


class InstanceLineAnswer(Answer):
    """A process instance; ``parentProcessInstanceKey`` is 0 where no other called it."""

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
    """An open incident; ``jobKey`` is 0 where the element itself could not go on."""

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
    """A job that is not done; ``deadline``: when it times out, or may be fetched again."""

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
    """One time that an element was entered."""

    element_id: str
    element_type: str
    start_date: datetime
    end_date: datetime | None
    state: Literal["active", "completed", "terminated"]


class InstanceAnswer(Answer):
    """One process instance; ``historyComplete`` tells whether ``elementInstances`` are all there ever were."""

    process_instance: InstanceLineAnswer
    active_elements: list[PlaceAnswer]
    incidents: list[IncidentAnswer]
    jobs: list[JobAnswer]
    element_instances: list[PassageAnswer]
    history_complete: bool


class VariableAnswer(Answer):
    """A variable of a process instance; ``value`` is JSON."""

    scope_id: str
    scope_key: int
    name: str
    value: str


def parse_key(text: str, message: Text) -> int:
    """A key as an address has it; NotFound for what can be none."""
    if not _KEY.fullmatch(text):
        raise NotFound(message, text)
    return int(text)


async def get_model(desk: EngineInspection, definition_key: int) -> Model:
    """The model of one version; NotFound where there is none."""
    found = await desk.model(definition_key)
    if found is None:
        raise NotFound(Message("process"), str(definition_key))
    process_id, content = found
    return _parsed(content)[process_id]


async def get_instance(desk: EngineInspection, instance_key: int) -> InstanceAnswer:
    """One instance; NotFound where it never was, or its records are gone."""
    found = await desk.instance(instance_key)
    if found is None:
        raise NotFound(Message("process instance"), str(instance_key))
    return InstanceAnswer.model_validate(found)


async def read_variables(
    database: Database, actor: Actor, desk: EngineInspection, instance_key: int
) -> list[VariableAnswer]:
    """The variables of one instance; whoever reads them is in the trail first."""
    line = (await get_instance(desk, instance_key)).process_instance
    await database.run(actor, engine_actions.record_variables_read, instance_key, await _root_key_of(desk, line))
    return [VariableAnswer.model_validate(one) for one in await desk.variables(instance_key)]


async def retry_incident(
    database: Database, actor: Actor, desk: EngineInspection, incident_key: int, retries: int
) -> IncidentAnswer:
    """Resolve an incident, its job with so many tries; returns it as it was."""
    known = [IncidentAnswer.model_validate(one) for one in await desk.incidents(text=str(incident_key))]
    incident = next((one for one in known if one.key == incident_key), None)
    if incident is None:
        raise NotFound(Message("incident"), str(incident_key))
    root_key = await _root_key_of(desk, (await get_instance(desk, incident.process_instance_key)).process_instance)
    await database.run(
        actor,
        engine_actions.record_incident_retry,
        incident_key,
        root_key,
        element=incident.element_id,
        retries=retries,
    )
    _raise_refusal(await desk.retry(incident_key, retries))
    return incident


async def set_job_retries(
    database: Database, actor: Actor, desk: EngineInspection, job_key: int, retries: int
) -> JobAnswer:
    """Let a job be tried so many times; returns it as it was."""
    known = [JobAnswer.model_validate(one) for one in await desk.jobs(text=str(job_key))]
    job = next((one for one in known if one.key == job_key), None)
    if job is None:
        raise NotFound(Message("job"), str(job_key))
    root_key = await _root_key_of(desk, (await get_instance(desk, job.process_instance_key)).process_instance)
    await database.run(
        actor, engine_actions.record_job_retries, job_key, root_key, element=job.element_id, retries=retries
    )
    _raise_refusal(await desk.update_job_retries(job_key, retries))
    return job


async def _root_key_of(desk: EngineInspection, line: InstanceLineAnswer) -> int:
    """The instance that nobody called, which is the case's own."""
    for _ in range(_DEEPEST_CALL):
        if not line.parent_process_instance_key:
            break
        line = (await get_instance(desk, line.parent_process_instance_key)).process_instance
    return line.key


def _raise_refusal(refused: str | None) -> None:
    if refused is not None:
        raise Refused("engine-refuses", "The engine refused: {refused}", status=409, refused=refused)


@lru_cache(maxsize=64)
def _parsed(content: bytes) -> dict[str, Model]:
    return models.parse(content)
