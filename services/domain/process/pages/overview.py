"""What runs in the engine: the diagram with counts, one instance, and its variables."""

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
    """The processes, one of them on its diagram, and what has stopped; or where to see it when Camunda runs them."""
    await require_administrator(database, visitor.actor)
    found: EngineInspection | None = request.app.state.dependencies.get("engine")
    if found is None:
        return _elsewhere(visitor, settings)
    processes = [ProcessAnswer.model_validate(one) for one in await found.processes()]
    shown = _chosen(processes, definition)
    elements = await found.elements(shown.process_definition_key) if shown else ()
    newest = await found.incidents(limit=NEWEST)
    told = [IncidentAnswer.model_validate(one) for one in newest]
    keys = [*(one.process_definition_key for one in processes), *(one.process_definition_key for one in told)]
    return visitor.page(
        "process/engine.html",
        processes=processes,
        shown=shown,
        elements=[ElementAnswer.model_validate(one) for one in elements],
        incidents=told,
        names=await names_of(found, keys),
        running=sum(one.active for one in processes),
        stuck=sum(one.incidents for one in processes),
    )


@router.get("/instances/{instance_key}")
async def one_instance(instance_key: Identifier, visitor: Visiting, engine: GivenEngine) -> Response:
    """One instance: where it stands and waits for what, its incidents and jobs, the way it came."""
    found = await engine_view.get_instance(engine, engine_view.parse_key(instance_key, Message("process instance")))
    return await _instance(visitor, engine, found)


@router.get("/instances/{instance_key}/variables")
async def its_variables(
    instance_key: Identifier, visitor: Visiting, database: GivenDatabase, engine: GivenEngine
) -> Response:
    """The variables of one instance; the audit trail tells who read them. For htmx the table alone."""
    key = engine_view.parse_key(instance_key, Message("process instance"))
    found = await engine_view.read_variables(database, visitor.actor, engine, key)
    view = await engine_view.get_instance(engine, key)
    if visitor.is_htmx:
        definition_key = view.process_instance.process_definition_key
        names = (await names_of(engine, [definition_key]))[definition_key]
        return visitor.part("process/_variables.html", variables=found, names=names)
    return await _instance(visitor, engine, view, found)


async def _instance(
    visitor: Visitor, engine: EngineInspection, found: InstanceAnswer, variables: list[VariableAnswer] | None = None
) -> Response:
    names = await names_of(engine, [found.process_instance.process_definition_key])
    called = [awaited.key for place in found.active_elements for awaited in place.wait_states if awaited.kind == "call"]
    return visitor.page(
        "process/instance.html",
        found=found,
        line=found.process_instance,
        names=names[found.process_instance.process_definition_key],
        called=called,
        variables=variables,
        retries=incidents.RETRIES,
    )


def _chosen(processes: Iterable[ProcessAnswer], definition: str) -> ProcessAnswer | None:
    """The version that was asked for, else the one with the most incidents, else the most instances."""
    found = list(processes)
    asked = [one for one in found if str(one.process_definition_key) == definition]
    return asked[0] if asked else max(found, key=lambda one: (one.incidents, one.active), default=None)


def _elsewhere(visitor: Visitor, settings: Settings) -> Response:
    operate = settings.portal.operate_url
    return visitor.page(
        "process/elsewhere.html",
        gateway=settings.gateway_address,
        operate=f"{operate.rstrip('/')}/processes" if operate else None,
    )
