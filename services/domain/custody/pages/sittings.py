"""Viewings on site: begin with who is present, confirm being there by one click, sign the end (R41, R56, R58)."""

import json
from typing import Any

from fastapi import APIRouter, Request, Response

from services.database.unit_of_work import Database
from services.domain.custody import sitting_queries, sittings
from services.domain.custody.api.footage import address
from services.domain.custody.api.sittings import leaves_of, present_of
from services.domain.custody.pages.loan_view import clarify
from services.domain.custody.schemas import EndBody, SittingBody, SittingView
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter()

MOST_VISITORS = 200


@router.get("/hand-overs/{hand_over_id}/sittings/new")
async def ask_present(
    hand_over_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase
) -> Response:
    """Return the form that asks who is present."""
    return await _offer(visitor, database, hand_over_id, request)


@router.post("/hand-overs/{hand_over_id}/sittings/new")
async def begin(
    hand_over_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase, typed: Typed
) -> Response:
    """Begin a viewing on site."""
    try:
        body = typed.body(SittingBody, purposeConfirmed=typed.text("purposeConfirmed") == "true")
        sitting = await database.run(
            visitor.actor,
            sittings.begin,
            hand_over_id,
            present=present_of(body),
            purpose_confirmed=body.purpose_confirmed,
            address=address(request),
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _offer(visitor, database, hand_over_id, request, typed=typed, refusal=refusal)
    return visitor.redirect(
        f"/sittings/{sitting.id}",
        Message("Begun: stay with the visitors until they have left, and confirm being present when asked."),
    )


@router.get("/sittings/{sitting_id}")
async def show(sitting_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return a viewing on site: who is present, the copies to show, and its end."""
    return await _page(visitor, database, sitting_id)


@router.post("/sittings/{sitting_id}/presence")
async def confirm(
    sitting_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase, typed: Typed
) -> Response:
    """Confirm that the companion is present; beside the player this is a part of the page."""
    del typed  # the form has its token alone
    try:
        await database.run(visitor.actor, sittings.confirm, sitting_id, address=address(request))
    except NotFound:
        raise
    except Refused as refusal:
        if visitor.is_htmx:
            view = await database.read(visitor.actor, sitting_queries.get, sitting_id)
            return visitor.part("custody/_presence.html", view=view, refusal=refusal)
        return await _page(visitor, database, sitting_id, refusal=refusal)
    if visitor.is_htmx:
        view = await database.read(visitor.actor, sitting_queries.get, sitting_id)
        return visitor.part("custody/_presence.html", view=view, refusal=None)
    return visitor.redirect(f"/sittings/{sitting_id}", Message("Confirmed: you are present."))


@router.post("/sittings/{sitting_id}/end")
async def end(sitting_id: Identifier, visitor: Visiting, database: GivenDatabase, typed: Typed) -> Response:
    """Everybody has left: sign the end."""
    try:
        body = typed.body(EndBody, leaves=_leaves(typed))
        await database.run(
            visitor.actor, sittings.end, sitting_id, leaves=leaves_of(body), note=body.note, proof=body.proof()
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _page(visitor, database, sitting_id, typed=typed, refusal=clarify(refusal))
    return visitor.redirect(f"/sittings/{sitting_id}", Message("Ended and signed: the sheet is written."))


def _leaves(typed: TypedForm) -> list[dict[str, Any]]:
    """Return how each visitor has signed, as the form has it; strokes are JSON."""
    found = []
    for number in range(MOST_VISITORS):
        name = f"leaves-{number}"
        if f"{name}-visitorId" not in typed:
            break
        leave = {"visitorId": typed.text(f"{name}-visitorId"), "how": typed.text(f"{name}-how") or "sheet"}
        found.append({**leave, "strokes": _strokes(typed.text(f"{name}-strokes"))})
    return found


def _strokes(text: str) -> Any:
    try:
        return json.loads(text) if text else []
    except (ValueError, RecursionError):
        return []


async def _offer(
    visitor: Visitor,
    database: Database,
    hand_over_id: str,
    request: Request,
    *,
    typed: TypedForm | None = None,
    refusal: Refused | None = None,
) -> Response:
    try:
        view = await database.read(visitor.actor, sitting_queries.get_offer, hand_over_id, address=address(request))
    except NotFound:
        raise
    except Refused:
        if refusal is not None:
            raise refusal from None
        raise
    return visitor.page(
        "custody/sitting_new.html", refusal.status if refusal else 200, view=view, typed=typed, refusal=refusal
    )


async def _page(
    visitor: Visitor,
    database: Database,
    sitting_id: str,
    *,
    typed: TypedForm | None = None,
    refusal: Refused | None = None,
) -> Response:
    view: SittingView = await database.read(visitor.actor, sitting_queries.get, sitting_id)
    return visitor.page(
        "custody/sitting.html", refusal.status if refusal else 200, view=view, typed=typed, refusal=refusal
    )
