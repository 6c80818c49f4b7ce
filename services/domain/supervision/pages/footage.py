"""The page that answers who saw a moment of a camera (R41, R52, R62)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field, model_validator

from services.database.keyset import Page
from services.database.tables.cameras import Camera
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import directory
from services.domain.applications.directory import FoundCameras
from services.domain.supervision import footage_viewers, readers
from services.domain.supervision.api.audit import PAGE
from services.domain.supervision.audit_schemas import FootageLook
from services.domain.supervision.footage_viewers import Question
from services.runtime.errors import Refused
from services.runtime.labels import word
from services.runtime.spans import Span
from services.web import lists
from services.web.csv import Cell
from services.web.dependencies import GivenDatabase
from services.web.schemas import PlaceText, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/supervision/footage-viewers")
MINUTE = timedelta(minutes=1)
COLUMNS = ("person", "way", "redacted", "when", "moments", "case", "purpose", "address", "present", "outsiders")


class FootageQuery(BaseModel):
    """What the address asks for, as it was typed; ``pick`` is a camera that was chosen among those found.

    ``at`` and ``until`` are local moments of the organisation; without ``until`` one minute is meant.
    """

    camera: str = Field("", max_length=64)
    camera_search: SearchText = ""
    pick: str = Field("", max_length=64)
    at: str = Field("", max_length=32)
    until: str = Field("", max_length=32)
    purpose: str = Field("", max_length=footage_viewers.MOST_PURPOSE)
    place: PlaceText = ""
    form: Literal["", "csv"] = ""

    @model_validator(mode="after")
    def _picked(self) -> Self:
        if self.pick:
            self.camera, self.camera_search, self.pick = self.pick, "", ""
        return self

    @property
    def is_asked(self) -> bool:
        """Whether camera and moment are there, so that it is searched."""
        return bool(self.camera and self.at and not self.camera_search)

    def query(self) -> str:
        """Return the query string without the place."""
        return urlencode(self.model_dump(exclude={"place", "form", "pick", "camera_search"}, exclude_defaults=True))

    def span(self, zone: str) -> Span:
        """Return what is asked for; Refused where a moment is none."""
        start = _moment(self.at, zone, "at")
        return footage_viewers.span_of(start, _moment(self.until, zone, "until") if self.until else start + MINUTE)


@router.get("")
async def show_viewers(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[FootageQuery, Query()]
) -> Response:
    """Return the form, and who saw what it asks for."""
    refusal: Refused | None = None
    span: Span | None = None
    if wanted.is_asked:
        try:
            span = wanted.span(visitor.zone)
        except Refused as refused:
            refusal = refused

    def read(uow: UnitOfWork) -> tuple[Page[FootageLook] | None, Camera | None, FoundCameras | None]:
        readers.require_reader(uow)
        camera = directory.get_camera(uow, wanted.camera) if wanted.camera else None
        cameras = directory.find_cameras(uow, wanted.camera_search, retired=True) if wanted.camera_search else None
        if span is None or camera is None:
            return None, camera, cameras
        question = Question(camera.id, span, wanted.purpose)
        if wanted.form:
            return footage_viewers.read_page(uow, question, limit=lists.MOST_ROWS + 1), camera, cameras
        return footage_viewers.read_page(uow, question, limit=PAGE, place=wanted.place), camera, cameras

    try:
        found, camera, cameras = await database.read(visitor.actor, read)
    except Refused as refused:
        if refused.status != 422:
            raise
        refusal, span = refused, None
        found, camera, cameras = await database.read(visitor.actor, read)
    if wanted.form and found is not None:
        return lists.csv_answer(visitor, "who-saw", COLUMNS, _rows(visitor, found.lines))
    return visitor.page(
        "supervision/footage_viewers.html",
        status=refusal.status if refusal else 200,
        refusal=refusal,
        wanted=wanted,
        span=span,
        found=found,
        camera=camera,
        found_cameras=cameras,
        longest=footage_viewers.MOST_PURPOSE,
    )


def _rows(visitor: Visitor, looks: Sequence[FootageLook]) -> list[tuple[Cell, ...]]:
    """Return the rows of the CSV; without parts, all of it was given."""
    return [
        (
            look.person or "",
            word(visitor.language, f"look-{look.how}"),
            look.redacted,
            lists.written(visitor, look.at),
            " ".join(f"{lists.written(visitor, part.start)}/{lists.written(visitor, part.end)}" for part in look.parts),
            look.number,
            look.purpose,
            look.address or "",
            ", ".join(look.present),
            look.outsiders,
        )
        for look in looks
    ]


def _moment(text: str, zone: str, field: str) -> datetime:
    wrong = Refused("moment-wrong", "Enter a day with a time such as 2026-01-31 14:05.", status=422, field=field)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise wrong from None
    if not 1970 < moment.year < 2200:  # a conversion between zones may not leave the calendar
        raise wrong
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(zone))
