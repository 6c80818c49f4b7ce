"""Serve the embedded engine's processes to administrators; with Camunda, Operate shows them."""

from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import Field

from services.database.unit_of_work import Actor, Database
from services.domain.access import administrators
from services.domain.process import engine_view
from services.domain.process.engine_view import (
    ElementAnswer,
    EngineInspection,
    IncidentAnswer,
    InstanceAnswer,
    InstanceLineAnswer,
    JobAnswer,
    ProcessAnswer,
    VariableAnswer,
)
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems, problems_beside
from services.web.identity import Acting
from services.web.language import KnownLanguage
from services.web.schemas import Body, Code, Identifier, ListParameters

router = APIRouter(prefix="/api/admin/engine", tags=["administration"])

Key = Annotated[int, Field(ge=0, lt=10**18)]
Language = Annotated[KnownLanguage, Query()]


async def find_engine(request: Request) -> EngineInspection | None:
    """Return the engine where it runs in this process."""
    return cast("EngineInspection | None", request.app.state.dependencies.get("engine"))


EngineHere = Annotated[EngineInspection | None, Depends(find_engine)]


def get_engine(request: Request) -> EngineInspection:
    """Return the engine of this process; Refused (404) if another one runs the processes."""
    engine = request.app.state.dependencies.get("engine")
    if engine is None:
        raise Refused(
            "no-engine",
            "The engine does not run in this process. For Camunda, see Operate; for a separate footage-desk "
            "engine, run footage-desk engine instances on its server.",
            status=404,
        )
    return cast("EngineInspection", engine)


async def administrators_engine(request: Request, actor: Acting, database: GivenDatabase) -> EngineInspection:
    """Return the engine to an administrator; Refused for all others, also without an engine."""
    await require_administrator(database, actor)
    return get_engine(request)


async def require_administrator(database: Database, actor: Actor) -> None:
    """Refused with 403 unless an administrator acts."""
    await database.read(actor, administrators.require_administrator)


GivenEngine = Annotated[EngineInspection, Depends(administrators_engine)]


class EngineQuestion(ListParameters):
    """``process`` and ``element`` are ids of the model, ``definition`` the key of one version; 0 and empty are any."""

    process: Code = ""
    definition: Key = 0
    element: Code = ""
    order: Literal["asc", "desc"] = "desc"

    def as_query(self) -> dict[str, object]:
        """Return the engine's query arguments."""
        return {**self.model_dump(exclude={"order"}), "descending": self.order == "desc"}


class InstancesQuestion(EngineQuestion):
    """``state``: all that run, those without or with an incident, or those that have ended."""

    state: Literal["running", "active", "incident", "ended"] = "running"

    def as_query(self) -> dict[str, object]:
        return {**super().as_query(), "state": "" if self.state == "running" else self.state}


class IncidentsQuestion(EngineQuestion):
    instance: Key = 0


class JobsQuestion(EngineQuestion):
    instance: Key = 0
    type: Code = ""
    state: Literal["", "ACTIVATABLE", "ACTIVATED", "BACKING_OFF", "FAILED", "ERROR_THROWN"] = ""


class RetriesBody(Body):
    retries: Annotated[int, Field(ge=1, le=100)] = 3


@router.get("/processes", responses=problems(401, 403, 404))
async def list_processes(engine: GivenEngine) -> list[ProcessAnswer]:
    """The versions of processes that are deployed or run, with how many instances of each do."""
    return [ProcessAnswer.model_validate(process) for process in await engine.processes()]


@router.get("/processes/{definition_key}/elements", responses=problems(401, 403, 404))
async def list_elements(definition_key: Identifier, engine: GivenEngine) -> list[ElementAnswer]:
    """The elements of one version at which instances are now."""
    key = engine_view.parse_key(definition_key, Message("process"))
    return [ElementAnswer.model_validate(element) for element in await engine.elements(key)]


@router.get("/processes/{definition_key}/model", responses=problems_beside(401, 403, 404), response_class=Response)
async def read_engine_model(definition_key: Identifier, engine: GivenEngine, language: Language = "zh") -> Response:
    """The BPMN of one version, its names in one language."""
    model = await engine_view.get_model(engine, engine_view.parse_key(definition_key, Message("process")))
    return Response(model.xml(language), media_type="application/xml")


@router.get("/instances", responses=problems(401, 403, 404))
async def list_instances(
    question: Annotated[InstancesQuestion, Query()], engine: GivenEngine
) -> list[InstanceLineAnswer]:
    """Process instances, the newest first; of those that have ended the newest 5000."""
    return [InstanceLineAnswer.model_validate(instance) for instance in await engine.instances(**question.as_query())]


@router.get("/instances/{instance_key}", responses=problems(401, 403, 404))
async def read_instance(instance_key: Identifier, engine: GivenEngine) -> InstanceAnswer:
    """One process instance: what it waits for, its incidents and jobs, its history."""
    return await engine_view.get_instance(engine, engine_view.parse_key(instance_key, Message("process instance")))


@router.get("/instances/{instance_key}/variables", responses=problems(401, 403, 404))
async def read_variables(
    instance_key: Identifier, actor: Acting, database: GivenDatabase, engine: GivenEngine
) -> list[VariableAnswer]:
    """The variables of one process instance: ids and classes. The audit trail records who read them."""
    key = engine_view.parse_key(instance_key, Message("process instance"))
    return await engine_view.read_variables(database, actor, engine, key)


@router.get("/incidents", responses=problems(401, 403, 404))
async def list_incidents(question: Annotated[IncidentsQuestion, Query()], engine: GivenEngine) -> list[IncidentAnswer]:
    """Open incidents: what failed, where, and why."""
    return [IncidentAnswer.model_validate(incident) for incident in await engine.incidents(**question.as_query())]


@router.post("/incidents/{incident_key}/retry", responses=problems(*USUAL))
async def retry_incident(
    incident_key: Identifier, body: RetriesBody, actor: Acting, database: GivenDatabase, engine: GivenEngine
) -> IncidentAnswer:
    """Resolve an incident once its cause is removed, with new retries of its job; answer with it as it was."""
    key = engine_view.parse_key(incident_key, Message("incident"))
    return await engine_view.retry_incident(database, actor, engine, key, body.retries)


@router.get("/jobs", responses=problems(401, 403, 404))
async def list_jobs(question: Annotated[JobsQuestion, Query()], engine: GivenEngine) -> list[JobAnswer]:
    """Jobs that are not done yet."""
    return [JobAnswer.model_validate(job) for job in await engine.jobs(**question.as_query())]


@router.post("/jobs/{job_key}/retries", responses=problems(*USUAL))
async def set_job_retries(
    job_key: Identifier, body: RetriesBody, actor: Acting, database: GivenDatabase, engine: GivenEngine
) -> JobAnswer:
    """Set the retries of a job; answer with it as it was."""
    key = engine_view.parse_key(job_key, Message("job"))
    return await engine_view.set_job_retries(database, actor, engine, key, body.retries)
