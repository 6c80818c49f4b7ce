"""Serve the pages of storage sites: who keeps each, what stands there, where vault and replica stand (R13, R15)."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query, Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.storage import devices, places, rights, sites
from services.domain.storage.pages.answers import SAVED, raise_unless_shown
from services.domain.storage.schemas import (
    KeeperBody,
    PlacesBody,
    RecorderSiteBody,
    SiteBody,
    SiteSort,
    SiteUse,
)
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/storage")


class SiteQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(SiteSort)


@router.get("/sites")
async def list_sites(visitor: Visiting, database: GivenDatabase, wanted: Annotated[SiteQuery, Query()]) -> Response:
    """Show the sites, who keeps each, and where vault and replica stand."""
    return await _sites(visitor, database, wanted)


@router.post("/sites")
async def add_site(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Enter a site."""
    try:
        site = await database.run(visitor.actor, sites.add, typed.body(SiteBody, uses=typed.all("uses")))
    except Refused as refusal:
        return await _sites(visitor, database, SiteQuery(), refusal, typed)
    return visitor.redirect(f"/storage/sites/{site.id}", Message("The site was entered: put a person in charge of it."))


@router.post("/places")
async def set_places(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Tell at which sites vault and replica stand."""
    try:
        told = {store: typed.text(store) or None for store in ("vault", "replica")}
        await database.run(visitor.actor, places.set_places, typed.body(PlacesBody, **told))
    except Refused as refusal:
        return await _sites(visitor, database, SiteQuery(), refusal, typed)
    return visitor.redirect("/storage/sites", SAVED)


@router.get("/sites/{site_id}")
async def read_site(site_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one site."""
    return await _site(visitor, database, site_id)


@router.post("/sites/{site_id}")
async def change_site(site_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Change a site."""
    body = _body(typed, SiteBody, uses=typed.all("uses"))
    return await _act_on_site(visitor, database, typed, site_id, lambda uow: sites.change(uow, site_id, body()))


@router.post("/sites/{site_id}/close")
async def close_site(site_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Close a site at which nothing stands any more."""
    return await _act_on_site(visitor, database, typed, site_id, lambda uow: sites.close(uow, site_id))


@router.post("/sites/{site_id}/keepers")
async def set_keeper(site_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Put somebody in charge of a site."""

    def act(uow: UnitOfWork) -> object:
        body = typed.body(KeeperBody)
        return sites.set_keeper(uow, site_id, body.person_id, body.part)

    return await _act_on_site(visitor, database, typed, site_id, act)


@router.post("/sites/{site_id}/keepers/{keeper_id}/end")
async def end_keeper(
    site_id: Identifier, keeper_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """End somebody's charge of a site."""
    return await _act_on_site(visitor, database, typed, site_id, lambda uow: sites.end_keeper(uow, site_id, keeper_id))


@router.post("/sites/{site_id}/recorders")
async def set_recorder_site(site_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Tell that a recorder stands at this site."""

    def act(uow: UnitOfWork) -> None:
        sites.set_recorder(uow, site_id, typed.body(RecorderSiteBody).recorder_id)

    return await _act_on_site(visitor, database, typed, site_id, act)


def _body(typed: TypedForm, model: type[SiteBody], **more: Any) -> Callable[[], SiteBody]:
    return lambda: typed.body(model, **more)


async def _sites(
    visitor: Visitor,
    database: Database,
    wanted: SiteQuery,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    raise_unless_shown(refusal)

    def read(uow: UnitOfWork) -> dict[str, Any]:
        return {
            **wanted.shown_page(sites.read(uow, wanted.listing(visitor.language))),
            "places": places.read(uow),
            "may_change": rights.may_change(uow),
            "choices": sites.list_open(uow),
        }

    shown = await database.read(visitor.actor, read)
    if wanted.as_csv:
        rows = [(line.name, line.address, ",".join(line.uses), line.area or "") for line in shown["lines"]]
        return lists.csv_answer(visitor, "sites", ("name", "address", "uses", "area"), rows)
    status = refusal.status if refusal else 200
    return visitor.page("storage/sites.html", status, **shown, refusal=refusal, typed=typed, uses=get_args(SiteUse))


async def _site(
    visitor: Visitor,
    database: Database,
    site_id: str,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        view = sites.get(uow, site_id)
        return {"view": view, "people": sites.list_fit(uow), "recorders": devices.list_recorders(uow)}

    shown = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page("storage/site.html", status, **shown, refusal=refusal, typed=typed, uses=get_args(SiteUse))


async def _act_on_site(
    visitor: Visitor, database: Database, typed: TypedForm, site_id: str, act: Callable[[UnitOfWork], object]
) -> Response:
    try:
        await database.run(visitor.actor, act)
    except Refused as refusal:
        raise_unless_shown(refusal)
        return await _site(visitor, database, site_id, refusal, typed)
    return visitor.redirect(f"/storage/sites/{site_id}", SAVED)
