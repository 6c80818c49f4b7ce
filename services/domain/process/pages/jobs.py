"""The list of open jobs, and how often each is retried."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.domain.process import engine_view
from services.domain.process.api import RetriesBody
from services.domain.process.engine_view import JobAnswer
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

router = APIRouter(prefix="/admin/engine/jobs")
STATES = ("ACTIVATABLE", "ACTIVATED", "BACKING_OFF", "FAILED", "ERROR_THROWN")


class ListQuery(EngineListQuery):
    state: str = ""

    def as_query(self) -> dict[str, object]:
        return {**super().as_query(), "state": self.state if self.state in STATES else ""}


@router.get("")
async def list_jobs(visitor: Visiting, engine: GivenEngine, query: Annotated[ListQuery, Query()]) -> Response:
    """List open jobs with worker and retries; ``form=csv`` answers with all that match."""
    lines = [JobAnswer.model_validate(job) for job in await engine.jobs(**query.as_query())]
    names = await names_of(engine, (line.process_definition_key for line in lines))
    if query.as_csv:
        return _csv(visitor, lines, names)
    choices = await process_choices(engine, visitor)
    return visitor.page("process/jobs.html", names=names, processes=choices, **query.shown(lines))


@router.post("/{job_key}/retries")
async def set_retries(
    job_key: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase, engine: GivenEngine
) -> Response:
    """Set the job's retries; redirect to its instance."""
    key = engine_view.parse_key(job_key, Message("job"))
    retries = typed.body(RetriesBody).retries
    job = await engine_view.set_job_retries(database, visitor.actor, engine, key, retries)
    return visitor.redirect(
        f"/admin/engine/instances/{job.process_instance_key}", Message("The remaining retries were set.")
    )


def _csv(visitor: Visitor, lines: Sequence[JobAnswer], names: Mapping[int, Names]) -> Response:
    _ = visitor.translated
    states = {
        "ACTIVATABLE": _("waiting for a worker"),
        "ACTIVATED": _("being processed"),
        "BACKING_OFF": _("waiting for a retry"),
        "FAILED": _("failed"),
        "ERROR_THROWN": _("unhandled error"),
    }
    header = [
        _("Job"), _("Type"), _("Status"), _("Retries left"), _("Worker"), _("Element"), _("Instance"),
        _("What failed"),
    ]  # fmt: skip
    rows: list[list[web_csv.Cell]] = [
        [
            str(line.key),
            line.type,
            states[line.state],
            line.retries,
            line.worker,
            names[line.process_definition_key].of(line.element_id, visitor.language),
            str(line.process_instance_key),
            line.error_message,
        ]
        for line in lines
    ]
    return lists.csv_answer(visitor, _("Jobs"), header, rows)
