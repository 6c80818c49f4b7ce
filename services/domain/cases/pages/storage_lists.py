"""The storage office's lists: what is preserved, and the recorders with their cameras."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.unit_of_work import UnitOfWork
from services.domain.cases import storage_office
from services.domain.cases.schemas.storage import PreservedSort, RecorderSort, WatchedRecorder
from services.runtime.labels import word
from services.web import lists
from services.web.csv import Cell, csv_answer
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting, Visitor

router = APIRouter()


def _(message: str) -> str:
    """Mark a text for translation."""
    return message


class PreservedQuery(lists.ListQuery):
    SORTS: ClassVar = get_args(PreservedSort)
    FALLING: ClassVar = frozenset({"preserved", "number"})
    LENGTH: ClassVar = 20


class RecordersQuery(lists.ListQuery):
    SORTS: ClassVar = get_args(RecorderSort)
    FALLING: ClassVar = frozenset({"clock"})
    LENGTH: ClassVar = 20


@router.get("/storage/preserved")
async def preserved(visitor: Visiting, database: GivenDatabase, wanted: Annotated[PreservedQuery, Query()]) -> Response:
    """Return the quarantine."""
    items = await database.read(visitor.actor, storage_office.list_preserved, wanted.listing(visitor.language))
    return visitor.page("cases/storage_preserved.html", **wanted.shown(items))


@router.get("/storage/preserved.csv")
async def preserved_as_csv(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[PreservedQuery, Query()]
) -> Response:
    """Return all that matches of the quarantine."""
    items = await database.read(visitor.actor, storage_office.list_preserved, wanted.whole(visitor.language))
    columns = (_("Number"), _("Item"), _("Camera"), _("Preserved"), _("Completeness"), _("At risk of overwrite from"))
    rows: list[list[Cell]] = [
        [
            item.number,
            item.position,
            lists.named(visitor, item, "camera"),
            lists.written(visitor, item.preserved_at),
            word(visitor.language, item.outcome),
            lists.written(visitor, item.overwrite_at),
        ]
        for item in items
    ]
    return lists.csv_answer(
        visitor, visitor.translated(_("Preserved footage")), list(map(visitor.translated, columns)), rows
    )


@router.get("/storage/recorders")
async def list_recorders(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[RecordersQuery, Query()]
) -> Response:
    """Return the recorders, what was measured of them, and their cameras; in CSV a line for each camera."""

    def read(uow: UnitOfWork) -> tuple[list[WatchedRecorder], bool]:
        return storage_office.list_recorders(uow, wanted.listing(visitor.language)), storage_office.may_measure(uow)

    recorders, may_measure = await database.read(visitor.actor, read)
    if wanted.as_csv:
        return _csv(visitor, recorders)
    return visitor.page("cases/storage_recorders.html", may_measure=may_measure, **wanted.shown(recorders))


def _csv(visitor: Visitor, recorders: Sequence[WatchedRecorder]) -> Response:
    columns = (
        *(_("Recorder"), _("Site"), _("Clock offset in seconds"), _("Last response")),
        *(_("Camera"), _("Channel"), _("Oldest footage"), _("Retention in days")),
    )
    rows: list[list[Cell]] = [
        [
            recorder.name,
            recorder.site,
            None if recorder.clock_offset_ms is None else recorder.clock_offset_ms / 1000,
            lists.written(visitor, recorder.last_seen_at),
            lists.named(visitor, camera),
            camera.channel,
            lists.written(visitor, camera.oldest_frame_at, recorder.zone),
            camera.retention_days,
        ]
        for recorder in recorders
        for camera in recorder.cameras
    ]
    # a line for each camera: the list that is read whole is that of the recorders
    return csv_answer(visitor.translated(_("Recorders")), list(map(visitor.translated, columns)), rows)
