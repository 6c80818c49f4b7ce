"""The pages of evidence packages: ask for one, approve it, watch it being made, fetch it (R2, R28, R47, R58)."""

from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import Field

from services.database.keyset import Page
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.accounts.signatures import signing
from services.domain.custody.api.footage import address
from services.domain.packages import queries, service
from services.domain.packages.api import Desk, ask, list_fetch
from services.domain.packages.schemas import ApprovalBody, PackageBody, PackageLine, PackageView
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import lists
from services.web.dependencies import GivenDatabase, GivenLogKeys
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/packages")


class ListQuery(lists.PlacedQuery):
    """``number`` is that of a case to ask a package of."""

    SORTS: ClassVar = ("asked",)
    FALLING: ClassVar = frozenset({"asked"})

    number: Annotated[str, Field(max_length=64)] = ""


@router.get("")
async def list_packages(visitor: Visiting, database: GivenDatabase, wanted: Annotated[ListQuery, Query()]) -> Response:
    """Show a page of the packages."""
    return await _list_page(visitor, database, wanted)


@router.post("")
async def ask_for_package(visitor: Visiting, typed: Typed, database: GivenDatabase, log_keys: GivenLogKeys) -> Response:
    """Ask for a package, and show how far it is."""
    try:
        package_id = await ask(database, visitor.actor, typed.body(PackageBody), log_keys)
    except Refused as refusal:
        return await _list_page(visitor, database, ListQuery(), refusal, typed)
    return visitor.redirect(f"/packages/{package_id}", Message("Requested."))


@router.get("/{package_id}")
async def show_package(package_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show a package; while it is made, its part of the page is fetched again and again."""
    if visitor.is_htmx:
        view = await database.read(visitor.actor, queries.get, package_id)
        return visitor.part("packages/_state.html", view=view)
    return await _page(visitor, database, package_id)


@router.post("/{package_id}/approval")
async def decide_package(package_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Approve or refuse the package as its second person."""

    def act(uow: UnitOfWork) -> None:
        body = typed.body(ApprovalBody)
        service.decide(uow, package_id, body.outcome, body.reason, body.proof())

    try:
        await database.run(visitor.actor, act)
    except Refused as refusal:
        return await _again(visitor, database, package_id, refusal, typed)
    return visitor.redirect(f"/packages/{package_id}", Message("Your answer was signed."))


@router.post("/{package_id}/fetches")
async def fetch_package(
    package_id: Identifier,
    request: Request,
    visitor: Visiting,
    typed: Typed,
    *,
    database: GivenDatabase,
    desk: Annotated[Desk, Depends()],
) -> Response:
    """Put on record that the visitor fetches the package, and send it."""
    del typed  # the form has its token alone
    try:
        fetch = await list_fetch(database, desk, visitor.actor, package_id, caller=address(request))
    except Refused as refusal:
        return await _again(visitor, database, package_id, refusal)
    return visitor.redirect(f"/api/package-fetches/{fetch.id}/content")


async def _again(
    visitor: Visitor, database: Database, package_id: str, refusal: Refused, typed: TypedForm | None = None
) -> Response:
    if refusal.status == 404:
        raise refusal
    return await _page(visitor, database, package_id, refusal, typed)


async def _page(
    visitor: Visitor,
    database: Database,
    package_id: str,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> tuple[PackageView, bool]:
        return queries.get(uow, package_id), "totp" in signing.methods(uow, service.LEVEL)

    view, with_code = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page("packages/package.html", status, view=view, with_code=with_code, refusal=refusal, typed=typed)


async def _list_page(
    visitor: Visitor,
    database: Database,
    wanted: ListQuery,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> Page[PackageLine] | None:
        return queries.list_seen(uow, wanted.listing(visitor.language)) if queries.may_ask(uow) else None

    found = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page(
        "packages/packages.html",
        status,
        shown=found is not None,
        refusal=refusal,
        typed=typed,
        **wanted.shown_page(found or Page([])),
    )
