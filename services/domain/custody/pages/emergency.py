"""Seeing the footage of an urgent retrieval before its approval: the purpose is confirmed first, each time (R41)."""

from fastapi import APIRouter, Request, Response

from services.domain.custody import emergency, emergency_views, grants
from services.domain.custody.api.emergency import run_allowed
from services.domain.custody.api.footage import address, playlist_of
from services.domain.custody.pages.loan_view import copy_times
from services.domain.custody.schemas import EmergencyCopyView
from services.runtime.errors import NotFound, Refused
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/emergency-copies")


@router.get("/{copy_id}/watch")
async def ask_purpose(copy_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return what the footage may be used for, to be confirmed before it opens; or why it does not open now."""
    copy, purpose, refusal = await database.read(visitor.actor, emergency_views.get_opening, copy_id)
    if refusal is not None:
        await database.run(visitor.actor, grants.record_denial, emergency.SUBJECT, copy_id, "view", refusal.code)
    return _purpose_page(visitor, (copy, purpose), refusal, barred=refusal is not None)


@router.post("/{copy_id}/watch")
async def show_player(
    copy_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase, typed: Typed
) -> Response:
    """Begin a look and show the player. To load the page again is to confirm the purpose again."""
    try:
        opened = await run_allowed(
            database,
            visitor.actor,
            copy_id,
            lambda: database.run(
                visitor.actor,
                emergency.open_viewing,
                copy_id,
                purpose_confirmed=typed.text("purposeConfirmed") == "true",
                address=address(request),
            ),
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _refused_page(visitor, database, copy_id, refusal, typed, barred=refusal.status == 403)
    copy, purpose = await database.read(visitor.actor, emergency_views.get_shown, copy_id)
    return visitor.page(
        "custody/emergency_watch.html",
        copy=copy,
        purpose=purpose,
        times=copy_times(copy),
        playlist=playlist_of(emergency.SUBJECT, copy_id, opened.viewing_id),
    )


async def _refused_page(
    visitor: Visitor,
    database: GivenDatabase,
    copy_id: str,
    refusal: Refused,
    typed: TypedForm | None = None,
    *,
    barred: bool,
) -> Response:
    shown = await database.read(visitor.actor, emergency_views.get_shown, copy_id)
    return _purpose_page(visitor, shown, refusal, typed, barred=barred)


def _purpose_page(
    visitor: Visitor,
    shown: tuple[EmergencyCopyView, str],
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    barred: bool = False,
) -> Response:
    copy, purpose = shown
    return visitor.page(
        "custody/emergency_purpose.html",
        refusal.status if refusal else 200,
        copy=copy,
        purpose=purpose,
        refusal=refusal,
        typed=typed,
        barred=barred,
    )
