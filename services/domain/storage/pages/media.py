"""Serve the page of numbered media: who holds each, and scanning one that is back (R39)."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query, Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.applications import directory
from services.domain.storage import media, rights, sites
from services.domain.storage.pages.answers import SAVED, raise_unless_shown
from services.domain.storage.schemas import (
    HandOutBody,
    MediumBody,
    MediumEnd,
    MediumEndBody,
    MediumKind,
    MediumSort,
    ScanBody,
)
from services.runtime.errors import Refused
from services.runtime.translations import Text
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/storage")

STATES = ("in", "out", *get_args(MediumEnd))


class MediumQuery(lists.PlacedQuery):
    """``person``: whom a medium may be handed to."""

    SORTS: ClassVar = get_args(MediumSort)

    state: SearchText = ""
    person: SearchText = ""


@router.get("/media")
async def list_media(visitor: Visiting, database: GivenDatabase, wanted: Annotated[MediumQuery, Query()]) -> Response:
    """Show the numbered media."""
    return await _media(visitor, database, wanted)


@router.post("/media")
async def add_medium(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Register a medium."""
    return await _act_on_medium(visitor, database, typed, lambda uow: media.add(uow, typed.body(MediumBody)))


@router.post("/media/scan")
async def scan_medium(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Record that a medium is back, by the number on it."""

    def act(uow: UnitOfWork) -> object:
        return media.scan(uow, typed.body(ScanBody, siteId=typed.text("siteId") or None))

    return await _act_on_medium(visitor, database, typed, act)


@router.post("/media/{medium_id}/hand-out")
async def hand_out_medium(medium_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Hand a medium to somebody of the organisation."""

    def act(uow: UnitOfWork) -> object:
        return media.hand_out(uow, medium_id, typed.body(HandOutBody))

    return await _act_on_medium(visitor, database, typed, act)


@router.post("/media/{medium_id}/end")
async def end_medium(medium_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Take a medium out of the register for good."""

    def act(uow: UnitOfWork) -> object:
        return media.end(uow, medium_id, typed.body(MediumEndBody))

    return await _act_on_medium(visitor, database, typed, act)


async def _media(
    visitor: Visitor,
    database: Database,
    wanted: MediumQuery,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    raise_unless_shown(refusal)

    def read(uow: UnitOfWork) -> dict[str, Any]:
        return {
            **wanted.shown_page(media.read(uow, wanted.listing(visitor.language), state=wanted.state)),
            "sites": sites.list_open(uow),
            "may_change": rights.may_change(uow),
            "people": directory.find_people(uow, wanted.person),
        }

    shown = await database.read(visitor.actor, read)
    if wanted.as_csv:
        rows = [(line.number, line.kind, line.state, line.site, line.holder or "") for line in shown["lines"]]
        return lists.csv_answer(visitor, "media", ("number", "kind", "state", "site", "holder"), rows)
    status = refusal.status if refusal else 200
    return visitor.page(
        "storage/media.html",
        status,
        **shown,
        refusal=refusal,
        typed=typed,
        states=STATES,
        kinds=get_args(MediumKind),
        ends=get_args(MediumEnd),
    )


async def _act_on_medium(
    visitor: Visitor, database: Database, typed: TypedForm, act: Callable[[UnitOfWork], object], done: Text = SAVED
) -> Response:
    try:
        await database.run(visitor.actor, act)
    except Refused as refusal:
        return await _media(visitor, database, MediumQuery(), refusal, typed)
    return visitor.redirect("/storage/media", done)
