"""Drawing the boxes of a redacted copy, and watching one: the purpose is confirmed first, each time (R6, R41, R58)."""

import json
from typing import Any

from fastapi import APIRouter, Request, Response

from services.database.unit_of_work import UnitOfWork
from services.domain.custody import (
    derivative_queries,
    derivative_viewings,
    detections,
    moments,
    sitting_queries,
    viewings,
)
from services.domain.custody.api import derivatives as derivatives_api
from services.domain.custody.api.footage import address, playlist_of, run_allowed
from services.domain.custody.pages.loan_view import Shown, copy_times, moment_data, open_copy, read_barred, read_copy
from services.domain.custody.schemas import DerivativeView, ShownLoan
from services.runtime.errors import NotFound, Refused
from services.vault.redaction import detector
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter()

NOTHING = {"recipe": "", "reason": ""}


@router.get("/copies/{copy_id}/redact")
async def ask_purpose_to_redact(
    copy_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase, like: str = ""
) -> Response:
    """Return what the footage may be used for, before the boxes are drawn. ``like``: begin with that one's boxes."""
    given = await database.read(visitor.actor, _boxes_of, like) if like else NOTHING
    try:
        shown = await run_allowed(
            database,
            visitor.actor,
            copy_id,
            "view",
            lambda: database.read(visitor.actor, open_copy, copy_id, "view", address=address(request)),
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _redact_refused(visitor, database, copy_id, refusal, given=given, barred=True)
    return _redact_purpose(visitor, shown, given=given)


@router.post("/copies/{copy_id}/redact")
async def show_editor(
    copy_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase, typed: Typed
) -> Response:
    """Open a viewing, and show the player with the boxes; what was drawn before is there again."""
    given = {name: typed.text(name) for name in NOTHING}
    try:
        opened = await run_allowed(
            database,
            visitor.actor,
            copy_id,
            "view",
            lambda: database.run(
                visitor.actor,
                viewings.open_viewing,
                copy_id,
                purpose_confirmed=typed.text("purposeConfirmed") == "true",
                address=address(request),
            ),
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _redact_refused(
            visitor, database, copy_id, refusal, typed, given=given, barred=refusal.status == 403
        )
    view, copy = await database.read(visitor.actor, read_copy, copy_id)
    running = await database.read(visitor.actor, detections.running, copy_id)
    sitting = None
    if opened.sitting_id is not None:
        sitting = await database.read(visitor.actor, sitting_queries.get, opened.sitting_id)
    return visitor.page(
        "custody/redact.html",
        view=view,
        copy=copy,
        times=copy_times(copy),
        sitting=sitting,
        recipe=_parsed(given["recipe"]),
        reason=given["reason"],
        detector=detector.is_installed(),
        detection=running,
        playlist=playlist_of("copy", copy_id, opened.viewing_id),
    )


@router.get("/derivatives/{derivative_id}/watch")
async def ask_purpose(
    derivative_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase
) -> Response:
    """Return what the redacted copy may be watched for, or why it does not open now."""
    view, refusal = await database.read(
        visitor.actor, derivative_queries.get_opening, derivative_id, address=address(request)
    )
    if refusal is not None:
        await derivatives_api.record_denial(database, visitor.actor, derivative_id, refusal)
    return _purpose_page(visitor, view, refusal, barred=refusal is not None)


@router.post("/derivatives/{derivative_id}/watch")
async def show_player(
    derivative_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase, typed: Typed
) -> Response:
    """Begin a viewing, and show the player with what is left to watch."""
    try:
        opened = await derivatives_api.run_allowed(
            database,
            visitor.actor,
            derivative_id,
            lambda: database.run(
                visitor.actor,
                derivative_viewings.open_viewing,
                derivative_id,
                purpose_confirmed=typed.text("purposeConfirmed") == "true",
                address=address(request),
            ),
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _refused_page(visitor, database, derivative_id, refusal, typed, barred=refusal.status == 403)
    view = await database.read(visitor.actor, derivative_queries.get, derivative_id)
    watched = await database.read(visitor.actor, derivative_queries.get_watched, derivative_id)
    marked = await database.read(
        visitor.actor, moments.get_list, "derivative", derivative_id, opened.viewing_id, address=address(request)
    )
    return visitor.page(
        "custody/derivative_watch.html",
        copy=view,
        purpose=opened.derivative.purpose,
        until=opened.derivative.until,
        times=copy_times(view),
        viewing_id=opened.viewing_id,
        watched=watched.model_dump(mode="json", by_alias=True),
        moments=moment_data(marked),
        playlist=playlist_of("derivative", derivative_id, opened.viewing_id),
    )


def _boxes_of(uow: UnitOfWork, derivative_id: str) -> dict[str, str]:
    view = derivative_queries.get(uow, derivative_id)
    return {"recipe": json.dumps(view.recipe), "reason": ""}


def _parsed(recipe: str) -> Any:
    """Return the boxes that were drawn before; None where there are none, or what came is no recipe."""
    try:
        given = json.loads(recipe or "null")
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) and isinstance(given.get("regions"), list) else None


async def _redact_refused(
    visitor: Visitor,
    database: GivenDatabase,
    copy_id: str,
    refusal: Refused,
    typed: TypedForm | None = None,
    *,
    given: dict[str, str],
    barred: bool,
) -> Response:
    shown: Shown
    if barred:
        shown = await database.read(visitor.actor, read_barred, copy_id, refusal)
    else:
        shown = await database.read(visitor.actor, read_copy, copy_id)
    return _redact_purpose(visitor, shown, refusal, typed, given=given, barred=barred)


def _redact_purpose(
    visitor: Visitor,
    shown: Shown,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    given: dict[str, str],
    barred: bool = False,
) -> Response:
    view, copy = shown
    return visitor.page(
        "custody/redact_purpose.html",
        refusal.status if refusal else 200,
        view=view,
        copy=copy,
        own=not isinstance(view, ShownLoan),
        given=given,
        refusal=refusal,
        typed=typed,
        barred=barred,
    )


async def _refused_page(
    visitor: Visitor,
    database: GivenDatabase,
    derivative_id: str,
    refusal: Refused,
    typed: TypedForm | None = None,
    *,
    barred: bool,
) -> Response:
    view = await database.read(visitor.actor, derivative_queries.get_closed, derivative_id)
    return _purpose_page(visitor, view, refusal, typed, barred=barred)


def _purpose_page(
    visitor: Visitor,
    view: DerivativeView,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    barred: bool = False,
) -> Response:
    return visitor.page(
        "custody/derivative_purpose.html",
        refusal.status if refusal else 200,
        view=view,
        refusal=refusal,
        typed=typed,
        barred=barred,
    )
