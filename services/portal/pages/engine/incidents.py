"""The list of open incidents, and their retry."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.portal import engine_desk, tables
from services.portal.api.dependencies import Books
from services.portal.api.engine import RetriesBody
from services.portal.api.shapes import Identifier
from services.portal.engine_desk import IncidentAnswer
from services.portal.pages import lists
from services.portal.pages.engine.given import GivenEngine
from services.portal.pages.engine.instances import Listed, process_choices
from services.portal.pages.engine.names import Names, names_of
from services.portal.pages.forms import Typed
from services.portal.pages.visitor import Visiting, Visitor

router = APIRouter(prefix="/incidents")
RETRIES = 3


@router.get("")
async def list_incidents(visitor: Visiting, engine: GivenEngine, wanted: Annotated[Listed, Query()]) -> Response:
    """What failed, where and why; ``form=csv`` answers with all that match."""
    lines = [IncidentAnswer.model_validate(one) for one in await engine.incidents(**wanted.wanted())]
    names = await names_of(engine, (line.definition_key for line in lines))
    if wanted.as_csv:
        return _csv(visitor, lines, names)
    choices = await process_choices(engine, visitor)
    return visitor.page("engine/incidents.html", names=names, processes=choices, retries=RETRIES, **wanted.shown(lines))


@router.post("/{incident_key}/retry")
async def retry(
    incident_key: Identifier, visitor: Visiting, typed: Typed, books: Books, engine: GivenEngine
) -> Response:
    """Resolve it; what failed is tried again. Leads to its instance."""
    key = engine_desk.key_of(incident_key, "流程故障", "incident")
    retries = typed.body(RetriesBody).retries
    incident = await engine_desk.retry(books, visitor.actor, engine, key, retries)
    return visitor.go(
        f"/admin/engine/instances/{incident.instance_key}",
        "已重试，稍后刷新本页查看结果。",
        "It is tried again: reload this page in a moment to see what came of it.",
    )


def _csv(visitor: Visitor, lines: Sequence[IncidentAnswer], names: Mapping[int, Names]) -> Response:
    tell = visitor.translated
    header = [
        tell("Incident key"), tell("Instance"), tell("Process"), tell("Element"), tell("Kind"), tell("Stopped since"),
        tell("What failed"), tell("Job"),
    ]  # fmt: skip
    rows: list[list[tables.Cell]] = [
        [
            str(line.key),
            str(line.instance_key),
            names[line.definition_key].of(line.process_id, visitor.language),
            names[line.definition_key].of(line.element_id, visitor.language),
            line.error_type,
            lists.written(visitor, line.since),
            line.message,
            str(line.job_key or ""),
        ]
        for line in lines
    ]
    return tables.csv_answer(tell("Incidents"), header, rows)
