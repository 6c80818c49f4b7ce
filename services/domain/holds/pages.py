"""Serve the page of the legal holds: the list, the form that places one, and their reviews; the rest is a matter's."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from services.database.listing import Listing
from services.database.tables.holds import CAUSES
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.holds import queries, service
from services.domain.holds.schemas import HoldBody, HoldsAnswer, LiftBody, ReviewBody
from services.domain.matters import held
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import days, lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

MOST_LIFTED = 100  # of those that the page shows; the API has them all
router = APIRouter(prefix="/holds")


class _PlaceForm(HoldBody):
    """As the body of the API, with the day on which the hold is to be reviewed."""

    review_day: str = ""


@dataclass(frozen=True)
class _Shown:
    view: HoldsAnswer
    lifted: HoldsAnswer
    people: list[tuple[str, str]]
    longest: int


class ListQuery(lists.PlacedQuery):
    """``number`` is that of a case to hold."""

    SORTS: ClassVar = ("review",)

    number: Annotated[str, Field(max_length=64)] = ""


@router.get("")
async def list_holds(visitor: Visiting, database: GivenDatabase, wanted: Annotated[ListQuery, Query()]) -> Response:
    """Show a page of the open holds, and those that were lifted last."""
    return await _page(visitor, database, wanted=wanted)


@router.post("")
async def place_hold(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Hold a case, and show the matter by which Legal confirms it."""
    try:
        body = typed.body(_PlaceForm)
        named = body.model_dump(exclude={"number", "review_day"})
        until = days.optional(body.review_day, visitor.zone, "reviewDay")
        hold = await database.run(visitor.actor, held.place, body.number, **{**named, "review_at": until})
    except Refused as refusal:
        return await _page(visitor, database, refusal, typed)
    return visitor.redirect(
        f"/matters/{hold.matter_id}",
        Message("The case is held: nothing of it is discarded or disposed of. Legal confirms it, or lifts it."),
    )


@router.post("/{legal_hold_id}/review")
async def review_hold(legal_hold_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Keep a hold for another term."""
    try:
        await database.run(visitor.actor, service.review, legal_hold_id, typed.body(ReviewBody).owner_id)
    except Refused as refusal:
        return await _again(visitor, database, refusal)
    return visitor.redirect("/holds", Message("The hold stays, and is reviewed again later."))


@router.post("/{legal_hold_id}/ask-lift")
async def ask_to_lift_hold(
    legal_hold_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Ask to lift a hold, and show the matter that decides it."""
    try:
        matter = await database.run(visitor.actor, held.ask_lift, legal_hold_id, typed.body(LiftBody).because)
    except Refused as refusal:
        return await _again(visitor, database, refusal)
    return visitor.redirect(
        f"/matters/{matter.id}", Message("Requested: the hold stays until Legal and the head of Security have decided.")
    )


async def _again(visitor: Visitor, database: Database, refusal: Refused) -> Response:
    if refusal.status == 404:
        raise refusal
    return await _page(visitor, database, refusal)


async def _page(
    visitor: Visitor,
    database: Database,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    wanted: ListQuery | None = None,
) -> Response:
    wanted = wanted or ListQuery()

    def read(uow: UnitOfWork) -> _Shown | None:
        if not queries.may_read(uow):
            return None
        return _Shown(
            queries.list_open(uow, wanted.listing(visitor.language)),
            queries.list_open(uow, Listing(limit=MOST_LIFTED), lifted=True),
            queries.list_people(uow),
            uow.rules.hold_review.days,
        )

    shown = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page(
        "holds/holds.html", status=status, shown=shown, refusal=refusal, typed=typed, wanted=wanted, causes=CAUSES
    )
