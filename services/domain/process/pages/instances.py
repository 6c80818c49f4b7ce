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


class Listed(lists.ListQuery):
    """What all lists of the engine narrow by. ``process`` and ``element`` are ids of the model."""

    SORTS: ClassVar = ("key",)
    FALLING: ClassVar = frozenset({"key"})

    process: SearchText = ""
    element: SearchText = ""
    definition: str = Field("", pattern="^[0-9]{0,18}$")

    def wanted(self) -> dict[str, object]:
        """As the engine takes it: the page with one line more; for CSV all."""
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


class ListQuery(Listed):
    state: str = "running"

    def wanted(self) -> dict[str, object]:
        return {**super().wanted(), "state": self.state if self.state in STATES[1:] else ""}


@router.get("")
async def list_instances(visitor: Visiting, engine: GivenEngine, wanted: Annotated[ListQuery, Query()]) -> Response:
    """Those that run, or have ended; ``form=csv`` answers with all that match."""
    lines = [InstanceLineAnswer.model_validate(one) for one in await engine.instances(**wanted.wanted())]
    names = await names_of(engine, (line.process_definition_key for line in lines))
    if wanted.as_csv:
        return _csv(visitor, lines, names)
    choices = await process_choices(engine, visitor)
    return visitor.page("process/instances.html", names=names, processes=choices, **wanted.shown(lines))


async def process_choices(engine: EngineInspection, visitor: Visitor) -> list[tuple[str, str]]:
    """The processes by id, with what they are called."""
    known = [ProcessAnswer.model_validate(one) for one in await engine.processes()]
    newest = [one for one in known if one.latest]
    names = await names_of(engine, (one.process_definition_key for one in newest))
    return [
        (one.bpmn_process_id, names[one.process_definition_key].of(one.bpmn_process_id, visitor.language))
        for one in newest
    ]


def _csv(visitor: Visitor, lines: Sequence[InstanceLineAnswer], names: Mapping[int, Names]) -> Response:
    tell = visitor.translated
    states = {
        "active": tell("runs"),
        "incident": tell("stopped by an incident"),
        "completed": tell("completed"),
        "terminated": tell("ended early"),
    }
    header = [
        tell("Instance"), tell("Process"), tell("Version"), tell("State"), tell("Began"), tell("Ended at"),
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
    return web_csv.csv_answer(tell("Process instances"), header, rows)
