"""Show what runs in the engine: diagram with counts, one instance, its variables."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.domain.process import engine_view
from services.domain.process.api import require_administrator
from services.domain.process.engine_view import (
    ElementAnswer,
    EngineInspection,
    IncidentAnswer,
    InstanceAnswer,
    ProcessAnswer,
    VariableAnswer,
)
from services.domain.process.pages import incidents
from services.domain.process.pages.element_names import names_of
from services.domain.process.pages.engine import GivenEngine
from services.runtime.settings import Settings
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/engine")
NEWEST = 5


@router.get("")
async def overview(
    visitor: Visiting,
    database: GivenDatabase,
    request: Request,
    settings: GivenSettings,
    *,
    definition: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show the processes, one on its diagram, and incidents; with Camunda, a link to Operate."""
    await require_administrator(database, visitor.actor)
    engine: EngineInspection | None = request.app.state.dependencies.get("engine")
    if engine is None:
        return _elsewhere(visitor, settings)
    processes = [ProcessAnswer.model_validate(process) for process in await engine.processes()]
    shown = _chosen(processes, definition)
    elements = await engine.elements(shown.process_definition_key) if shown else ()
    newest = [IncidentAnswer.model_validate(incident) for incident in await engine.incidents(limit=NEWEST)]
    keys = [process.process_definition_key for process in processes]
    keys += [incident.process_definition_key for incident in newest]
    return visitor.page(
        "process/engine.html",
        processes=processes,
        shown=shown,
        elements=[ElementAnswer.model_validate(element) for element in elements],
        incidents=newest,
        names=await names_of(engine, keys),
        running=sum(process.active for process in processes),
        stuck=sum(process.incidents for process in processes),
    )


@router.get("/instances/{instance_key}")
async def show_instance(instance_key: Identifier, visitor: Visiting, engine: GivenEngine) -> Response:
    """Show one instance: what it waits for, its incidents and jobs, its history."""
    key = engine_view.parse_key(instance_key, Message("process instance"))
    return await _instance(visitor, engine, await engine_view.get_instance(engine, key))


@router.get("/instances/{instance_key}/variables")
async def show_variables(
    instance_key: Identifier, visitor: Visiting, database: GivenDatabase, engine: GivenEngine
) -> Response:
    """Show the variables of one instance, which is audited. For htmx the table alone."""
    key = engine_view.parse_key(instance_key, Message("process instance"))
    variables = await engine_view.read_variables(database, visitor.actor, engine, key)
    view = await engine_view.get_instance(engine, key)
    if visitor.is_htmx:
        definition_key = view.process_instance.process_definition_key
        names = (await names_of(engine, [definition_key]))[definition_key]
        return visitor.part("process/_variables.html", variables=variables, names=names)
    return await _instance(visitor, engine, view, variables)


async def _instance(
    visitor: Visitor, engine: EngineInspection, instance: InstanceAnswer, variables: list[VariableAnswer] | None = None
) -> Response:
    names = await names_of(engine, [instance.process_instance.process_definition_key])
    called = [
        awaited.key for element in instance.active_elements for awaited in element.wait_states if awaited.kind == "call"
    ]
    return visitor.page(
        "process/instance.html",
        instance=instance,
        line=instance.process_instance,
        names=names[instance.process_instance.process_definition_key],
        called=called,
        variables=variables,
        retries=incidents.RETRIES,
    )


def _chosen(processes: Iterable[ProcessAnswer], definition: str) -> ProcessAnswer | None:
    """Choose the given version, else the one with most incidents, else with most instances."""
    versions = list(processes)
    chosen = next((version for version in versions if str(version.process_definition_key) == definition), None)
    return chosen or max(versions, key=lambda version: (version.incidents, version.active), default=None)


def _elsewhere(visitor: Visitor, settings: Settings) -> Response:
    operate = settings.portal.operate_url
    return visitor.page(
        "process/elsewhere.html",
        gateway=settings.gateway_address,
        operate=f"{operate.rstrip('/')}/processes" if operate else None,
    )
