"""Watching a copy in the browser, and asking for a download: the purpose is confirmed first, each time (R41)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.database.tables.copies import Copy
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.custody import grants, moments, numbered_media, queries, sitting_queries, viewings
from services.domain.custody.api.downloads import DownloadBody, list_download
from services.domain.custody.api.footage import Vault, address, playlist_of, run_allowed
from services.domain.custody.pages.loan_view import (
    CopyTimes,
    Shown,
    clarify,
    copy_times,
    moment_data,
    open_copy,
    read_barred,
    read_copy,
)
from services.domain.custody.queries import NamedCopy, NamedLoan
from services.domain.custody.schemas import HandOverView, IssuedCopy, MarkedMoment, ShownLoan, SittingView
from services.domain.custody.viewings import OpenedViewing
from services.runtime.errors import NotFound, Refused
from services.runtime.spans import Span
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter()


@dataclass(frozen=True)
class _Half:
    """One of two copies that are played in step: ``playlist`` and ``moments`` are those of its own viewing."""

    copy: IssuedCopy
    times: CopyTimes
    playlist: str
    viewing_id: str
    moments: list[dict[str, Any]]


@router.get("/copies/{copy_id}/watch")
async def ask_purpose(copy_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return what the footage may be used for, to be confirmed before it opens; or why it does not open now."""
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
        return await _refused_page(visitor, database, copy_id, refusal, barred=True)
    return _purpose_page(visitor, shown)


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
        return await _refused_page(visitor, database, copy_id, refusal, typed, barred=refusal.status == 403)
    view, copy = await database.read(visitor.actor, read_copy, copy_id)
    marked = await database.read(
        visitor.actor, moments.get_list, "copy", copy_id, opened.viewing_id, address=address(request)
    )
    return visitor.page(
        "custody/watch.html",
        view=view,
        copy=copy,
        own=isinstance(view, HandOverView),
        times=copy_times(copy),
        sitting=await _sitting(visitor, database, opened.sitting_id),
        playlist=playlist_of("copy", copy_id, opened.viewing_id),
        viewing_id=opened.viewing_id,
        moments=moment_data(marked),
        others=[other for other in view.copies if other.id != copy_id and "view" in other.actions],
    )


@router.get("/copies/{copy_id}/beside/{other_id}")
async def ask_purpose_of_two(
    copy_id: Identifier, other_id: Identifier, request: Request, visitor: Visiting, database: GivenDatabase
) -> Response:
    """Return what two copies of one loan may be used for, before both open beside each other."""
    try:
        await _check_two(visitor, database, (copy_id, other_id), address(request))
    except NotFound:
        raise
    except Refused as refusal:
        return await _pair_purpose(visitor, database, (copy_id, other_id), refusal, barred=True)
    return await _pair_purpose(visitor, database, (copy_id, other_id))


@router.post("/copies/{copy_id}/beside/{other_id}")
async def show_two(
    copy_id: Identifier,
    other_id: Identifier,
    request: Request,
    visitor: Visiting,
    *,
    database: GivenDatabase,
    typed: Typed,
) -> Response:
    """Open a viewing of each of two copies of one loan, or of none, and show both at one recorder time."""
    both, where = (copy_id, other_id), address(request)
    try:
        await _check_two(visitor, database, both, where)
        opened = await database.run(
            visitor.actor, _open_two, both, confirmed=typed.text("purposeConfirmed") == "true", where=where
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _pair_purpose(visitor, database, both, refusal, typed, barred=refusal.status == 403)
    view, copies = await database.read(visitor.actor, _read_two, both)
    marked = await database.read(visitor.actor, _marked_in_two, opened, where=where)
    halves = [
        _Half(
            copy, copy_times(copy), playlist_of("copy", copy.id, one.viewing_id), one.viewing_id, moment_data(of_copy)
        )
        for copy, one, of_copy in zip(copies, opened, marked, strict=True)
    ]
    times = [copy_times(copy).whole for copy in copies]
    return visitor.page(
        "custody/pair.html",
        view=view,
        own=isinstance(view, HandOverView),
        halves=halves,
        whole=Span(min(one.start for one in times), max(one.end for one in times)),
        shift_ms=_clock_difference(*copies),
        sitting=await _sitting(visitor, database, opened[0].sitting_id),
    )


async def _check_two(visitor: Visitor, database: Database, both: tuple[str, str], where: str) -> None:
    """Raise NotFound unless these are two copies of one loan, and Refused where either does not open now."""
    for copy_id in both:
        await run_allowed(
            database,
            visitor.actor,
            copy_id,
            "view",
            partial(database.read, visitor.actor, grants.check, copy_id, "view", address=where),
        )
    await database.read(visitor.actor, _require_one_loan, both)


def _require_one_loan(uow: UnitOfWork, both: tuple[str, str]) -> None:
    first, second = (uow.session.get_one(Copy, copy_id) for copy_id in both)
    if first.id == second.id or first.hand_over_id != second.hand_over_id:
        raise NotFound(Message("copy"), second.id)


def _open_two(uow: UnitOfWork, both: tuple[str, str], *, confirmed: bool, where: str) -> list[OpenedViewing]:
    _require_one_loan(uow, both)
    return [viewings.open_viewing(uow, copy_id, purpose_confirmed=confirmed, address=where) for copy_id in both]


def _read_two(uow: UnitOfWork, both: tuple[str, str]) -> tuple[HandOverView | ShownLoan, list[IssuedCopy]]:
    view, first = read_copy(uow, both[0])
    found = [copy for copy in view.copies if copy.id == both[1]]
    if not found:
        raise NotFound(Message("copy"), both[1])
    return view, [first, found[0]]


def _read_barred_two(uow: UnitOfWork, both: tuple[str, str], refusal: Refused) -> tuple[NamedLoan, list[NamedCopy]]:
    view, first = read_barred(uow, both[0], refusal)
    of_second, second = queries.get_barred_copy(uow, both[1])
    if of_second != view:
        raise NotFound(Message("copy"), both[1])
    return view, [first, second]


def _marked_in_two(uow: UnitOfWork, opened: list[OpenedViewing], *, where: str) -> list[list[MarkedMoment]]:
    return [moments.get_list(uow, "copy", one.copy_id, one.viewing_id, address=where) for one in opened]


def _clock_difference(first: IssuedCopy, second: IssuedCopy) -> int | None:
    """Return by how many milliseconds the second recorder's clock was ahead of the first one's; None if unknown."""
    offsets = [copy.recorder_clock.offset_ms if copy.recorder_clock else None for copy in (first, second)]
    return None if None in offsets else (offsets[1] or 0) - (offsets[0] or 0)


async def _sitting(visitor: Visitor, database: Database, sitting_id: str | None) -> SittingView | None:
    return None if sitting_id is None else await database.read(visitor.actor, sitting_queries.get, sitting_id)


async def _pair_purpose(
    visitor: Visitor,
    database: Database,
    both: tuple[str, str],
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    barred: bool = False,
) -> Response:
    view: HandOverView | ShownLoan | NamedLoan
    copies: Sequence[IssuedCopy | NamedCopy]
    if refusal is not None and barred:
        view, copies = await database.read(visitor.actor, _read_barred_two, both, refusal)
    else:
        view, copies = await database.read(visitor.actor, _read_two, both)
    return visitor.page(
        "custody/pair_purpose.html",
        refusal.status if refusal else 200,
        view=view,
        copies=copies,
        own=not isinstance(view, ShownLoan),
        refusal=refusal,
        typed=typed,
        barred=barred,
    )


@router.get("/copies/{copy_id}/download")
async def explain_download(copy_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return how a download works, and its form; or why there is none."""
    try:
        shown = await run_allowed(
            database,
            visitor.actor,
            copy_id,
            "download",
            lambda: database.read(visitor.actor, _open_own, copy_id),
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _no_download_page(visitor, database, copy_id, refusal, barred=True)
    return _download_page(visitor, shown)


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
        return await _no_download_page(visitor, database, copy_id, refusal, typed, barred=refusal.status == 403)
    if password is None:
        return visitor.redirect(
            f"/hand-overs/{row.hand_over_id}#downloads",
            Message("Download registered: get the file from the list of downloads. On return you must account for it."),
        )
    view, copy = await database.read(visitor.actor, queries.get_copy, copy_id)
    return visitor.page("custody/download_listed.html", view=view, copy=copy, download=row, password=password)


Offered = tuple[HandOverView | NamedLoan, IssuedCopy | NamedCopy, list[tuple[str, str]]]
"""A copy to download, and the numbered media that its custodian can take; none where it does not open."""


def _open_own(uow: UnitOfWork, copy_id: str) -> Offered:
    """Return the copy to its custodian, who may download it now; Refused as ``grants.check``."""
    grants.check(uow, copy_id, "download")
    return *queries.get_copy(uow, copy_id), numbered_media.list_offered(uow)


def _read_own(uow: UnitOfWork, copy_id: str, barred_by: Refused | None) -> Offered:
    """Return the copy to its custodian; a recipient, who downloads nothing, is told what bars them."""
    if barred_by is not None:
        return *read_barred(uow, copy_id, barred_by), []
    return *queries.get_copy(uow, copy_id), numbered_media.list_offered(uow)


async def _refused_page(
    visitor: Visitor,
    database: GivenDatabase,
    copy_id: str,
    refusal: Refused,
    typed: TypedForm | None = None,
    *,
    barred: bool,
) -> Response:
    shown: Shown
    if barred:
        shown = await database.read(visitor.actor, read_barred, copy_id, refusal)
    else:
        shown = await database.read(visitor.actor, read_copy, copy_id)
    return _purpose_page(visitor, shown, refusal, typed, barred=barred)


def _purpose_page(
    visitor: Visitor,
    shown: Shown,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    barred: bool = False,
) -> Response:
    view, copy = shown
    return visitor.page(
        "custody/purpose.html",
        refusal.status if refusal else 200,
        view=view,
        copy=copy,
        own=not isinstance(view, ShownLoan),
        refusal=refusal,
        typed=typed,
        barred=barred,
    )


async def _no_download_page(
    visitor: Visitor,
    database: GivenDatabase,
    copy_id: str,
    refusal: Refused,
    typed: TypedForm | None = None,
    *,
    barred: bool,
) -> Response:
    shown = await database.read(visitor.actor, _read_own, copy_id, refusal if barred else None)
    return _download_page(visitor, shown, refusal, typed, barred=barred)


def _download_page(
    visitor: Visitor,
    shown: Offered,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    barred: bool = False,
) -> Response:
    view, copy, media = shown
    return visitor.page(
        "custody/download.html",
        refusal.status if refusal else 200,
        view=view,
        copy=copy,
        media=media,
        refusal=clarify(refusal) if refusal else None,
        typed=typed,
        barred=barred,
    )
