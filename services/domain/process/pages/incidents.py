"""The list of open incidents, and their retry."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.domain.process import engine_view
from services.domain.process.api import RetriesBody
from services.domain.process.engine_view import IncidentAnswer
from services.domain.process.pages.element_names import Names, names_of
from services.domain.process.pages.engine import GivenEngine
from services.domain.process.pages.instances import EngineListQuery, process_choices
from services.runtime.translations import Message
from services.web import csv as web_csv
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/engine/incidents")
RETRIES = 3


@router.get("")
async def list_incidents(
    visitor: Visiting, engine: GivenEngine, query: Annotated[EngineListQuery, Query()]
) -> Response:
    """List what failed, where and why; ``form=csv`` answers with all that match."""
    lines = [IncidentAnswer.model_validate(incident) for incident in await engine.incidents(**query.as_query())]
    names = await names_of(engine, (line.process_definition_key for line in lines))
    if query.as_csv:
        return _csv(visitor, lines, names)
    choices = await process_choices(engine, visitor)
    return visitor.page("process/incidents.html", names=names, processes=choices, retries=RETRIES, **query.shown(lines))


@router.post("/{incident_key}/retry")
async def retry(
    incident_key: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase, engine: GivenEngine
) -> Response:
    """Resolve the incident and retry its element; redirect to its instance."""
    key = engine_view.parse_key(incident_key, Message("incident"))
    retries = typed.body(RetriesBody).retries
    incident = await engine_view.retry_incident(database, visitor.actor, engine, key, retries)
    return visitor.redirect(
        f"/admin/engine/instances/{incident.process_instance_key}",
        Message("Retry started: reload this page shortly to see the result."),
    )


def _csv(visitor: Visitor, lines: Sequence[IncidentAnswer], names: Mapping[int, Names]) -> Response:
    _ = visitor.translated
    header = [
        _("Incident key"), _("Instance"), _("Process"), _("Element"), _("Type"), _("Stopped since"),
        _("What failed"), _("Job"),
    ]  # fmt: skip
    rows: list[list[web_csv.Cell]] = [
        [
            str(line.key),
            str(line.process_instance_key),
            names[line.process_definition_key].of(line.bpmn_process_id, visitor.language),
            names[line.process_definition_key].of(line.element_id, visitor.language),
            line.error_type,
            lists.written(visitor, line.creation_time),
            line.error_message,
            str(line.job_key or ""),
        ]
        for line in lines
    ]
    return lists.csv_answer(visitor, _("Incidents"), header, rows)
