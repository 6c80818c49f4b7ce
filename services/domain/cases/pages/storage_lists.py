"""The storage office's lists: what is preserved, and the recorders with their cameras."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.unit_of_work import UnitOfWork
from services.domain.cases import storage_office
from services.domain.cases.storage_office import Watched
from services.runtime.labels import word
from services.web import lists
from services.web.csv import Cell, csv_answer
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting, Visitor

router = APIRouter()


class KeptWanted(lists.ListQuery):
    SORTS: ClassVar = get_args(storage_office.KeptSort)
    FALLING: ClassVar = frozenset({"preserved", "number"})
    LENGTH: ClassVar = 20


class RecordersWanted(lists.ListQuery):
    SORTS: ClassVar = get_args(storage_office.RecorderSort)
    FALLING: ClassVar = frozenset({"clock"})
    LENGTH: ClassVar = 20


@router.get("/storage/preserved")
async def preserved(visitor: Visiting, database: GivenDatabase, wanted: Annotated[KeptWanted, Query()]) -> Response:
    """The quarantine."""
    kept = await database.run(visitor.actor, storage_office.preserved, wanted.listing(visitor.language))
    return visitor.page("cases/storage_preserved.html", **wanted.shown(kept))


@router.get("/storage/preserved.csv")
async def preserved_as_csv(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[KeptWanted, Query()]
) -> Response:
    """All that matches of the quarantine."""
    kept = await database.run(visitor.actor, storage_office.preserved, wanted.whole(visitor.language))
    tell = visitor.translated
    header = [
        tell("Number"), tell("Item"), tell("Camera"), tell("Preserved"), tell("Extent"), tell("Overwritten from"),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [
            one.number,
            one.position,
            lists.named(visitor, one.camera),
            lists.written(visitor, one.row.preserved_at),
            word(visitor.language, one.outcome),
            lists.written(visitor, one.gone_at),
        ]
        for one in kept
    ]
    return csv_answer(tell("Preserved beforehand"), header, rows)


@router.get("/storage/recorders")
async def recorders(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[RecordersWanted, Query()]
) -> Response:
    """The recorders, what was measured of them, and their cameras; in CSV a line for each camera."""

    def read(uow: UnitOfWork) -> tuple[list[Watched], bool]:
        return storage_office.recorders(uow, wanted.listing(visitor.language)), storage_office.may_measure(uow)

    found, may_measure = await database.run(visitor.actor, read)
    if wanted.as_csv:
        return _csv(visitor, found)
    return visitor.page("cases/storage_recorders.html", may_measure=may_measure, **wanted.shown(found))


def _csv(visitor: Visitor, found: Sequence[Watched]) -> Response:
    tell = visitor.translated
    header = [
        tell("Recorder"), tell("Site"), tell("Clock off by seconds"), tell("Answered last"), tell("Camera"),
        tell("Channel"), tell("Oldest picture"), tell("Kept for days"),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [
            one.recorder.name,
            one.recorder.site,
            None if one.recorder.clock_offset_ms is None else one.recorder.clock_offset_ms / 1000,
            lists.written(visitor, one.recorder.last_seen_at),
            lists.named(visitor, camera),
            camera.channel,
            lists.written(visitor, camera.oldest_frame_at, one.recorder.zone),
            camera.retention_days,
        ]
        for one in found
        for camera in one.cameras
    ]
    return csv_answer(tell("Recorders"), header, rows)
