"""Serve the registers of storage as JSON: sites, devices, media, and the batches of disposal."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.database.unit_of_work import UnitOfWork
from services.domain.storage import csv_import, devices, disposals, health, media, places, sites
from services.domain.storage.schemas import (
    BatchesQuestion,
    BatchLine,
    BatchView,
    DeviceBody,
    DeviceImportAnswer,
    DeviceLine,
    DevicesQuestion,
    DisposalLine,
    HandOutBody,
    HealthView,
    ItemsQuestion,
    KeeperBody,
    MarkBody,
    MediaQuestion,
    MediumBody,
    MediumEndBody,
    MediumLine,
    PlacesBody,
    PlacesView,
    RecorderSiteBody,
    RetireBody,
    ScanBody,
    SiteBody,
    SiteLine,
    SitesQuestion,
    SiteView,
)
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.paging import Paged
from services.web.schemas import Done, Identifier

router = APIRouter(prefix="/api", tags=["storage"])

ACTS = problems(401, 403, 404, 409, 422)
CSV_BODY = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}


@router.get("/sites", responses=problems(401, 403, 422))
async def list_sites(
    actor: Acting, database: GivenDatabase, asked: Annotated[SitesQuestion, Query()], paged: Paged
) -> list[SiteLine]:
    """List the sites by name, with those who keep them."""
    return paged.lines(await database.read(actor, sites.read, asked.listing()))


@router.post("/sites", status_code=201, responses=ACTS)
async def add_site(body: SiteBody, actor: Acting, database: GivenDatabase) -> SiteView:
    """Enter a site."""
    return await database.run(actor, lambda uow: sites.get(uow, sites.add(uow, body).id))


@router.get("/sites/{site_id}", responses=problems(401, 403, 404))
async def read_site(site_id: Identifier, actor: Acting, database: GivenDatabase) -> SiteView:
    """Return one site with its keepers, before too, and what stands there."""
    return await database.read(actor, sites.get, site_id)


@router.put("/sites/{site_id}", responses=ACTS)
async def change_site(site_id: Identifier, body: SiteBody, actor: Acting, database: GivenDatabase) -> SiteView:
    """Change what is known of a site from now on."""
    return await database.run(actor, lambda uow: sites.get(uow, sites.change(uow, site_id, body).id))


@router.post("/sites/{site_id}/close", responses=problems(401, 403, 404, 409))
async def close_site(site_id: Identifier, actor: Acting, database: GivenDatabase) -> SiteView:
    """Close a site at which nothing stands any more."""
    return await database.run(actor, lambda uow: sites.get(uow, sites.close(uow, site_id).id))


@router.post("/sites/{site_id}/keepers", responses=ACTS)
async def set_keeper(site_id: Identifier, body: KeeperBody, actor: Acting, database: GivenDatabase) -> SiteView:
    """Put somebody of the storage office in charge of a site; who was before ends."""

    def run(uow: UnitOfWork) -> SiteView:
        sites.set_keeper(uow, site_id, body.person_id, body.part)
        return sites.get(uow, site_id)

    return await database.run(actor, run)


@router.delete("/sites/{site_id}/keepers/{keeper_id}", status_code=204, responses=problems(401, 403, 404))
async def end_keeper(site_id: Identifier, keeper_id: Identifier, actor: Acting, database: GivenDatabase) -> None:
    """End somebody's charge of a site."""
    await database.run(actor, sites.end_keeper, site_id, keeper_id)


@router.post("/sites/{site_id}/recorders", responses=ACTS)
async def set_recorder_site(
    site_id: Identifier, body: RecorderSiteBody, actor: Acting, database: GivenDatabase
) -> SiteView:
    """Tell that a recorder of the catalogue stands at this site."""

    def run(uow: UnitOfWork) -> SiteView:
        sites.set_recorder(uow, site_id, body.recorder_id)
        uow.session.flush()
        return sites.get(uow, site_id)

    return await database.run(actor, run)


@router.get("/storage-places", responses=problems(401, 403))
async def read_places(actor: Acting, database: GivenDatabase) -> PlacesView:
    """Return at which sites vault and replica stand, and what is wrong about it."""
    return await database.read(actor, places.read)


@router.put("/storage-places", responses=ACTS)
async def set_places(body: PlacesBody, actor: Acting, database: GivenDatabase) -> PlacesView:
    """Tell at which sites vault and replica stand."""

    def run(uow: UnitOfWork) -> PlacesView:
        places.set_places(uow, body)
        return places.read(uow)

    return await database.run(actor, run)


@router.get("/devices", responses=problems(401, 403, 422))
async def list_devices(
    actor: Acting, database: GivenDatabase, asked: Annotated[DevicesQuestion, Query()], paged: Paged
) -> list[DeviceLine]:
    """List the devices by number."""
    listing = asked.listing()
    return paged.lines(await database.read(actor, devices.read, listing, kind=asked.kind, retired=asked.retired))


@router.post("/devices", status_code=201, responses=ACTS)
async def add_device(body: DeviceBody, actor: Acting, database: GivenDatabase) -> DeviceLine:
    """Enter a device."""
    return await database.run(actor, lambda uow: devices.get(uow, devices.add(uow, body).id))


@router.post("/devices/list", responses=problems(401, 403, 422), openapi_extra=CSV_BODY)
async def import_devices(
    request: Request, actor: Acting, database: GivenDatabase, dry_run: bool = True
) -> DeviceImportAnswer:
    """Import devices from the CSV file in the body; a dry run names every wrong line and changes nothing."""
    content = await request.body()
    return await database.run(actor, lambda uow: csv_import.import_devices(uow, content, dry_run=dry_run))


@router.get("/stores/health", responses=problems(401, 403))
async def list_store_health(actor: Acting, database: GivenDatabase) -> list[HealthView]:
    """List the health of vault and replica as it was last read."""
    return await database.read(actor, health.list_stores)


@router.get("/devices/{device_id}", responses=problems(401, 403, 404))
async def read_device(device_id: Identifier, actor: Acting, database: GivenDatabase) -> DeviceLine:
    """Return one device."""
    return await database.read(actor, devices.get, device_id)


@router.put("/devices/{device_id}", responses=ACTS)
async def change_device(device_id: Identifier, body: DeviceBody, actor: Acting, database: GivenDatabase) -> DeviceLine:
    """Change what is known of a device from now on."""
    return await database.run(actor, lambda uow: devices.get(uow, devices.change(uow, device_id, body).id))


@router.post("/devices/{device_id}/retire", responses=ACTS)
async def retire_device(device_id: Identifier, body: RetireBody, actor: Acting, database: GivenDatabase) -> DeviceLine:
    """Take a device out of service; it stays on record."""
    return await database.run(actor, lambda uow: devices.get(uow, devices.retire(uow, device_id, body.because).id))


@router.get("/media", responses=problems(401, 403, 422))
async def list_media(
    actor: Acting, database: GivenDatabase, asked: Annotated[MediaQuestion, Query()], paged: Paged
) -> list[MediumLine]:
    """List the numbered media by number, or with ``sort=out`` those that are out, the longest first."""
    return paged.lines(await database.read(actor, media.read, asked.listing(), state=asked.state))


@router.post("/media", status_code=201, responses=ACTS)
async def add_medium(body: MediumBody, actor: Acting, database: GivenDatabase) -> Done:
    """Register a medium."""
    return await database.run(actor, lambda uow: _done(uow, media.add(uow, body)))


@router.post("/media/scan", responses=ACTS)
async def scan_medium(body: ScanBody, actor: Acting, database: GivenDatabase) -> Done:
    """Record that a medium is back, by the number on it."""
    return await database.run(actor, lambda uow: _done(uow, media.scan(uow, body)))


@router.post("/media/{medium_id}/hand-out", responses=ACTS)
async def hand_out_medium(medium_id: Identifier, body: HandOutBody, actor: Acting, database: GivenDatabase) -> Done:
    """Hand a medium to somebody of the organisation."""
    return await database.run(actor, lambda uow: _done(uow, media.hand_out(uow, medium_id, body)))


@router.post("/media/{medium_id}/end", responses=ACTS)
async def end_medium(medium_id: Identifier, body: MediumEndBody, actor: Acting, database: GivenDatabase) -> Done:
    """Take a medium out of the register for good: provided, destroyed or lost."""
    return await database.run(actor, lambda uow: _done(uow, media.end(uow, medium_id, body)))


@router.get("/disposals", responses=problems(401, 403, 422))
async def list_disposals(
    actor: Acting, database: GivenDatabase, asked: Annotated[BatchesQuestion, Query()]
) -> list[BatchLine]:
    """List the batches of disposal, the newest first."""
    return await database.read(actor, disposals.read, asked.listing())


@router.get("/disposals/{matter_id}", responses=problems(401, 404))
async def read_disposal(matter_id: Identifier, actor: Acting, database: GivenDatabase) -> BatchView:
    """Return one batch of disposal."""
    return await database.read(actor, disposals.get, matter_id)


@router.get("/disposals/{matter_id}/items", responses=problems(401, 404, 422))
async def list_disposal_items(
    matter_id: Identifier,
    actor: Acting,
    database: GivenDatabase,
    asked: Annotated[ItemsQuestion, Query()],
    paged: Paged,
) -> list[DisposalLine]:
    """List the items of a batch, with what became of each."""
    return paged.lines(await database.read(actor, disposals.read_items, matter_id, asked.listing(), state=asked.state))


@router.post("/disposals/{matter_id}/items/{disposal_item_id}", responses=ACTS)
async def mark_disposal_item(
    matter_id: Identifier, disposal_item_id: Identifier, body: MarkBody, actor: Acting, database: GivenDatabase
) -> BatchView:
    """Leave an item out of a batch, with a reason; an empty one lists it again."""

    def run(uow: UnitOfWork) -> BatchView:
        disposals.mark(uow, matter_id, disposal_item_id, body.because)
        uow.session.flush()
        return disposals.get(uow, matter_id)

    return await database.run(actor, run)


def _done(uow: UnitOfWork, _medium: object) -> Done:
    return Done(at=uow.now)
