"""Serve the pages of batches of disposal, whose items may be left out (R52)."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query, Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.storage import disposals
from services.domain.storage.pages.answers import SAVED
from services.domain.storage.schemas import (
    DisposalSort,
    MarkBody,
)
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import lists
from services.web.csv import Cell
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/storage")

ITEM_STATES = ("listed", "left-out", "due", "kept", "held", "deleted")


class BatchQuery(lists.ListQuery):
    SORTS: ClassVar = ("opened",)
    FALLING: ClassVar = frozenset({"opened"})


class ItemQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(DisposalSort)

    state: SearchText = ""


@router.get("/disposals")
async def list_disposals(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[BatchQuery, Query()]
) -> Response:
    """Show the batches of disposal."""
    lines = await database.read(visitor.actor, disposals.read, wanted.listing(visitor.language))
    if wanted.as_csv:
        rows: list[Sequence[Cell]] = [
            (
                line.number,
                lists.written(visitor, line.opened_at),
                line.state,
                *(line.counts.get(state, 0) for state in ITEM_STATES),
                line.document or "",
            )
            for line in lines
        ]
        return lists.csv_answer(visitor, "disposals", ("number", "listed", "state", *ITEM_STATES, "document"), rows)
    return visitor.page("storage/disposals.html", states=ITEM_STATES, **wanted.shown(lines))


@router.get("/disposals/{matter_id}")
async def read_disposal(
    matter_id: Identifier, visitor: Visiting, database: GivenDatabase, wanted: Annotated[ItemQuery, Query()]
) -> Response:
    """Show one batch of disposal with its items."""
    return await _batch(visitor, database, matter_id, wanted)


@router.post("/disposals/{matter_id}/items/{disposal_item_id}")
async def mark_disposal_item(
    matter_id: Identifier, disposal_item_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Leave an item out of a batch with a reason; or list it again, where the form has no field for one."""
    try:
        because = _reason(typed)
        await database.run(visitor.actor, disposals.mark, matter_id, disposal_item_id, because)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _batch(visitor, database, matter_id, ItemQuery(), refusal=refusal, typed=typed)
    return visitor.redirect(f"/storage/disposals/{matter_id}?place={typed.text('place')}", SAVED)


def _reason(typed: TypedForm) -> str:
    because = typed.body(MarkBody).because
    if "because" in typed and not because.strip():
        message = Message("Enter a reason for leaving the recordings out.")
        raise Refused("reason-missing", message, status=422, field="because")
    return because


async def _batch(
    visitor: Visitor,
    database: Database,
    matter_id: str,
    wanted: ItemQuery,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        listing = wanted.listing(visitor.language)
        found = disposals.read_items(uow, matter_id, listing, state=wanted.state)
        return {"view": disposals.get(uow, matter_id), **wanted.shown_page(found)}

    shown = await database.read(visitor.actor, read)
    if wanted.as_csv:
        names = ("position", "number", "camera", "from", "to", "sha256", "state", "because")
        rows = [
            (
                line.position,
                line.number,
                lists.named(visitor, line, "camera"),
                line.start.isoformat(),
                line.end.isoformat(),
                line.sha256,
                line.state,
                line.because or "",
            )
            for line in shown["lines"]
        ]
        return lists.csv_answer(visitor, "disposal", names, rows)
    status = refusal.status if refusal else 200
    return visitor.page("storage/disposal.html", status, **shown, refusal=refusal, typed=typed, states=ITEM_STATES)
