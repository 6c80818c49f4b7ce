"""Watching a copy in the browser, and asking for a download: the purpose is confirmed first, each time (R41)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.database.unit_of_work import UnitOfWork
from services.domain.custody import grants, queries, sitting_queries, viewings
from services.domain.custody.api.downloads import DownloadBody, list_download
from services.domain.custody.api.footage import Vault, address, playlist_of, run_allowed
from services.domain.custody.pages.loan_view import clarify, copy_times, read_copy
from services.domain.custody.schemas import HandOverView, IssuedCopy
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter()


@router.get("/copies/{copy_id}/watch")
async def ask_purpose(copy_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return what the footage may be used for, to be confirmed before it opens; or why it does not open now."""
    try:
        await run_allowed(
            database,
            visitor.actor,
            copy_id,
            "view",
            lambda: database.read(visitor.actor, grants.check, copy_id, "view", address=address(request)),
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _purpose_page(visitor, database, copy_id, refusal, barred=True)
    return await _purpose_page(visitor, database, copy_id)


@router.post("/copies/{copy_id}/watch")
async def show_player(
    copy_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase, typed: Typed
) -> Response:
    """Open a viewing and show the player. To load the page again is to confirm the purpose again."""
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
        return await _purpose_page(visitor, database, copy_id, refusal, typed, barred=refusal.status == 403)
    view, copy = await database.read(visitor.actor, read_copy, copy_id)
    sitting = None
    if opened.sitting_id is not None:
        sitting = await database.read(visitor.actor, sitting_queries.get, opened.sitting_id)
    return visitor.page(
        "custody/watch.html",
        view=view,
        copy=copy,
        own=isinstance(view, HandOverView),
        times=copy_times(copy),
        sitting=sitting,
        playlist=playlist_of("copy", copy_id, opened.viewing_id),
    )


@router.get("/copies/{copy_id}/download")
async def explain_download(copy_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return how a download works, and its form; or why there is none."""
    try:
        await run_allowed(
            database,
            visitor.actor,
            copy_id,
            "download",
            lambda: database.read(visitor.actor, grants.check, copy_id, "download"),
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _download_page(visitor, database, copy_id, refusal, barred=True)
    return await _download_page(visitor, database, copy_id)


@router.post("/copies/{copy_id}/download")
async def ask_download(
    copy_id: Identifier,
    request: Request,
    visitor: Visiting,
    *,
    database: GivenDatabase,
    vault: Annotated[Vault, Depends()],
    typed: Typed,
) -> Response:
    """List a download for the attestation (T2, T9); show its password, which no other page has."""
    try:
        wish = typed.body(DownloadBody)
        row, password = await list_download(database, vault, visitor.actor, copy_id, wish, caller=address(request))
    except NotFound:
        raise
    except Refused as refusal:
        return await _download_page(visitor, database, copy_id, refusal, typed, barred=refusal.status == 403)
    if password is None:
        return visitor.redirect(
            f"/hand-overs/{row.hand_over_id}#downloads",
            Message("Download registered: get the file from the list of downloads. On return you must account for it."),
        )
    view, copy = await database.read(visitor.actor, queries.get_copy, copy_id)
    return visitor.page("custody/download_listed.html", view=view, copy=copy, download=row, password=password)


def _read_own(uow: UnitOfWork, copy_id: str, refusal: Refused | None) -> tuple[HandOverView, IssuedCopy]:
    """Return the copy to its custodian; a recipient, who downloads nothing, is told ``refusal``."""
    try:
        return queries.get_copy(uow, copy_id)
    except NotFound:
        if refusal is not None:
            raise refusal from None
        raise


async def _purpose_page(
    visitor: Visitor,
    database: GivenDatabase,
    copy_id: str,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    barred: bool = False,
) -> Response:
    view, copy = await database.read(visitor.actor, read_copy, copy_id, refusal if barred else None)
    return visitor.page(
        "custody/purpose.html",
        refusal.status if refusal else 200,
        view=view,
        copy=copy,
        own=isinstance(view, HandOverView),
        refusal=refusal,
        typed=typed,
        barred=barred,
    )


async def _download_page(
    visitor: Visitor,
    database: GivenDatabase,
    copy_id: str,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    barred: bool = False,
) -> Response:
    view, copy = await database.read(visitor.actor, _read_own, copy_id, refusal if barred else None)
    return visitor.page(
        "custody/download.html",
        refusal.status if refusal else 200,
        view=view,
        copy=copy,
        refusal=clarify(refusal) if refusal else None,
        typed=typed,
        barred=barred,
    )
