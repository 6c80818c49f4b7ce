"""The list of process instances."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from services.domain.process.engine_view import EngineInspection, InstanceLineAnswer, ProcessAnswer
from services.domain.process.pages.element_names import Names, names_of
from services.domain.process.pages.engine import GivenEngine
from services.web import csv as web_csv
from services.web import lists
from services.web.schemas import SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/engine/instances")
STATES = ("running", "active", "incident", "ended")


class EngineListQuery(lists.ListQuery):
    """The filters of all lists of the engine. ``process`` and ``element`` are ids of the model."""

    SORTS: ClassVar = ("key",)
    FALLING: ClassVar = frozenset({"key"})

    process: SearchText = ""
    element: SearchText = ""
    definition: str = Field("", pattern="^[0-9]{0,18}$")

    def as_query(self) -> dict[str, object]:
        """Return the engine's query arguments: one line more than the page; for CSV all."""
        part = self.listing("zh")
        return {
            "process": self.process,
            "element": self.element,
            "definition": int(self.definition or 0),
            "text": self.text,
            "descending": part.descending,
            "limit": part.limit,
            "offset": part.offset,
        }


class ListQuery(EngineListQuery):
    state: str = "running"

    def as_query(self) -> dict[str, object]:
        return {**super().as_query(), "state": self.state if self.state in STATES[1:] else ""}


@router.get("")
async def list_instances(visitor: Visiting, engine: GivenEngine, query: Annotated[ListQuery, Query()]) -> Response:
    """List running or ended instances; ``form=csv`` answers with all that match."""
    lines = [InstanceLineAnswer.model_validate(instance) for instance in await engine.instances(**query.as_query())]
    names = await names_of(engine, (line.process_definition_key for line in lines))
    if query.as_csv:
        return _csv(visitor, lines, names)
    choices = await process_choices(engine, visitor)
    return visitor.page("process/instances.html", names=names, processes=choices, **query.shown(lines))


async def process_choices(engine: EngineInspection, visitor: Visitor) -> list[tuple[str, str]]:
    """List the ids and names of the processes."""
    processes = [ProcessAnswer.model_validate(process) for process in await engine.processes()]
    newest = [process for process in processes if process.latest]
    names = await names_of(engine, (process.process_definition_key for process in newest))
    return [
        (process.bpmn_process_id, names[process.process_definition_key].of(process.bpmn_process_id, visitor.language))
        for process in newest
    ]


def _csv(visitor: Visitor, lines: Sequence[InstanceLineAnswer], names: Mapping[int, Names]) -> Response:
    _ = visitor.translated
    states = {
        "active": _("running"),
        "incident": _("stopped by an incident"),
        "completed": _("completed"),
        "terminated": _("ended early"),
    }
    header = [
        _("Instance"), _("Process"), _("Version"), _("Status"), _("Started"), _("Ended at"),
    ]  # fmt: skip
    rows: list[list[web_csv.Cell]] = [
        [
            str(line.key),
            names[line.process_definition_key].of(line.bpmn_process_id, visitor.language),
            line.version,
            states[line.state],
            lists.written(visitor, line.start_date),
            lists.written(visitor, line.end_date),
        ]
        for line in lines
    ]
    return lists.csv_answer(visitor, _("Process instances"), header, rows)
