"""The list of jobs that are not done, and how often each may be tried again."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.domain.process import engine_view
from services.domain.process.api import RetriesBody
from services.domain.process.engine_view import JobAnswer
from services.domain.process.pages.element_names import Names, names_of
from services.domain.process.pages.engine import GivenEngine
from services.domain.process.pages.instances import Listed, process_choices
from services.runtime.translations import Message
from services.web import csv as web_csv
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/engine/jobs")
STATES = ("ACTIVATABLE", "ACTIVATED", "BACKING_OFF", "FAILED", "ERROR_THROWN")


class Wanted(Listed):
    state: str = ""

    def wanted(self) -> dict[str, object]:
        return {**super().wanted(), "state": self.state if self.state in STATES else ""}


@router.get("")
async def list_jobs(visitor: Visiting, engine: GivenEngine, wanted: Annotated[Wanted, Query()]) -> Response:
    """Who works on what, and how many tries are left; ``form=csv`` answers with all that match."""
    lines = [JobAnswer.model_validate(one) for one in await engine.jobs(**wanted.wanted())]
    names = await names_of(engine, (line.process_definition_key for line in lines))
    if wanted.as_csv:
        return _csv(visitor, lines, names)
    choices = await process_choices(engine, visitor)
    return visitor.page("process/jobs.html", names=names, processes=choices, **wanted.shown(lines))


@router.post("/{job_key}/retries")
async def set_retries(
    job_key: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase, engine: GivenEngine
) -> Response:
    """Let it be tried so often. Leads to its instance."""
    key = engine_view.parse_key(job_key, Message("job"))
    retries = typed.body(RetriesBody).retries
    job = await engine_view.set_job_retries(database, visitor.actor, engine, key, retries)
    return visitor.redirect(
        f"/admin/engine/instances/{job.process_instance_key}", Message("The tries that are left are set.")
    )


def _csv(visitor: Visitor, lines: Sequence[JobAnswer], names: Mapping[int, Names]) -> Response:
    tell = visitor.translated
    states = {
        "ACTIVATABLE": tell("waits for a worker"),
        "ACTIVATED": tell("a worker has it"),
        "BACKING_OFF": tell("waits to be tried again"),
        "FAILED": tell("failed"),
        "ERROR_THROWN": tell("error nobody catches"),
    }
    header = [
        tell("Job"), tell("Type"), tell("State"), tell("Tries left"), tell("Worker"), tell("Element"), tell("Instance"),
        tell("What failed"),
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
    return web_csv.csv_answer(tell("Jobs"), header, rows)
