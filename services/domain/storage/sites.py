"""Sites and who keeps them: somebody of the storage office, and the office is told when nobody does (R11 to R13)."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import joinedload

from services.database.base import new_id
from services.database.keyset import Page, Section, page_of
from services.database.leases import Lease, Leased
from services.database.listing import EVERYTHING, Listing
from services.database.tables.cameras import Recorder
from services.database.tables.devices import IN, Device, Medium
from services.database.tables.sites import Site, SiteKeeper, StoragePlace
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import namesakes
from services.domain.access import queries as access_queries
from services.domain.access import storage as policy
from services.domain.access.directory import Directory
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.storage import rights
from services.domain.storage.schemas import KeeperView, RecorderHere, SiteBody, SiteLine, SiteView
from services.runtime.errors import NotFound, Refused
from services.runtime.periodic import Periodic
from services.runtime.translations import Message

ACTOR = Actor("system", "site-keepers")
EVERY = timedelta(minutes=30)
AGAIN = timedelta(days=7)
AT_ONCE = 200
NOTICE = "site-without-keeper"


def add(uow: UnitOfWork, body: SiteBody) -> Site:
    """Enter a site; Refused for a name that there is already."""
    rights.require_change(uow)
    _require_new_name(uow, body.name, None)
    site = Site(
        id=new_id(),
        name=body.name,
        address=body.address,
        uses=list(body.uses),
        area=body.area or None,
        entered_by=uow.actor.id,
        entered_at=uow.now,
    )
    uow.session.add(site)
    uow.session.flush()
    audit_trail.record(uow, "site-added", "site", site.id, **_told(body))
    return site


def change(uow: UnitOfWork, site_id: str, body: SiteBody) -> Site:
    """Change what is known of a site from now on."""
    site = _lock(uow, site_id)
    _require_new_name(uow, body.name, site.id)
    site.name, site.address, site.uses, site.area = body.name, body.address, list(body.uses), body.area or None
    audit_trail.record(uow, "site-changed", "site", site.id, **_told(body))
    return site


def close(uow: UnitOfWork, site_id: str) -> Site:
    """Close a site that nothing stands or lies at any more; Refused while something does."""
    site = _lock(uow, site_id)
    used = [
        select(StoragePlace.store).where(StoragePlace.site_id == site.id),
        select(Device.id).where(Device.site_id == site.id, Device.retired_at.is_(None)),
        select(Recorder.id).where(Recorder.site_id == site.id, Recorder.active),
        select(Medium.id).where(Medium.site_id == site.id, Medium.state == IN),
    ]
    if any(uow.session.scalar(query.limit(1)) is not None for query in used):
        raise Refused(
            "site-in-use", "Something is still at this site: move devices, recorders, media and stores first."
        )
    if site.closed_at is None:
        site.closed_at = uow.now
        for keeper in _held(uow, [site.id]):
            _end(uow, keeper)
        audit_trail.record(uow, "site-closed", "site", site.id)
    return site


def set_keeper(uow: UnitOfWork, site_id: str, person_id: str, part: str) -> SiteKeeper:
    """Put somebody of the storage office in charge of a site, or as deputy; who was before ends (R13)."""
    site = _lock(uow, site_id)
    if site.closed_at is not None:
        raise Refused("site-closed", "This site is closed: nobody has to keep it.")
    obstacle = policy.keeper_refusal(access_queries.load_directory(uow), person_id)
    if obstacle is not None:
        raise Refused("keeper-unfit", obstacle, status=422, field="personId")
    for keeper in _held(uow, [site.id]):
        if keeper.person_id == person_id and keeper.part == part:
            return keeper
        if keeper.person_id == person_id:
            raise Refused(
                "keeper-twice",
                "This person is keeper or stand-in of the site already: choose two people.",
                status=422,
                field="personId",
            )
        if keeper.part == part:
            _end(uow, keeper)
    uow.session.flush()  # one keeper at a time
    keeper = SiteKeeper(
        id=new_id(), site_id=site.id, person_id=person_id, part=part, since=uow.now, entered_by=uow.actor.id
    )
    uow.session.add(keeper)
    site.told_at = None
    uow.session.flush()
    audit_trail.record(uow, "site-keeper-set", "site", site.id, person=person_id, part=part)
    notification_service.mark_done(uow, "storage", subject_id=site.id)
    return keeper


def end_keeper(uow: UnitOfWork, site_id: str, keeper_id: str) -> None:
    """End somebody's charge of a site; nothing where it has ended."""
    site = _lock(uow, site_id)
    keeper = uow.session.get(SiteKeeper, keeper_id)
    if keeper is None or keeper.site_id != site.id:
        raise NotFound(Message("keeper of a site"), keeper_id)
    if keeper.until is None:
        _end(uow, keeper)


def set_recorder(uow: UnitOfWork, site_id: str, recorder_id: str) -> None:
    """Tell at which site a recorder of the catalogue stands."""
    site = _lock(uow, site_id)
    recorder = uow.session.get(Recorder, recorder_id, with_for_update=True)
    if recorder is None:
        raise NotFound(Message("recorder"), recorder_id)
    recorder.site_id = site.id
    audit_trail.record(uow, "recorder-site-set", "recorder", recorder.id, site=site.id)


def read(uow: UnitOfWork, listing: Listing = EVERYTHING) -> Page[SiteLine]:
    """Read a page of the sites by name; searched in names and addresses."""
    rights.require_read(uow)
    query = select(Site).where(listing.mentioned(Site.name, Site.address))
    section = Section((Site.name.expression, Site.id.expression))
    page = page_of(uow.session, query, (section,), listing)
    return page.showing(_lines(uow, [row[0] for row in page.lines]))


def get(uow: UnitOfWork, site_id: str) -> SiteView:
    """Return one site with its history and what stands there."""
    rights.require_read(uow)
    site = uow.session.get(Site, site_id)
    if site is None:
        raise NotFound(Message("site"), site_id)
    [line] = _lines(uow, [site])
    before = (
        select(SiteKeeper)
        .where(SiteKeeper.site_id == site.id, SiteKeeper.until.is_not(None))
        .options(joinedload(SiteKeeper.person))
        .order_by(SiteKeeper.until.desc(), SiteKeeper.id)
        .limit(AT_ONCE)
    )
    recorders = select(Recorder.id, Recorder.name).where(Recorder.site_id == site.id).order_by(Recorder.name)
    devices = select(func.count()).where(Device.site_id == site.id, Device.retired_at.is_(None))
    return SiteView(
        **line.model_dump(),
        history=[_view(None, keeper) for keeper in uow.session.scalars(before)],
        recorders=[RecorderHere(id=row.id, name=row.name) for row in uow.session.execute(recorders)],
        devices=uow.session.scalar(devices) or 0,
        may_change=rights.may_change(uow),
    )


def list_open(uow: UnitOfWork) -> list[tuple[str, str]]:
    """List the sites that are in use, by id, with their names, to choose one."""
    query = select(Site.id, Site.name).where(Site.closed_at.is_(None)).order_by(Site.name, Site.id)
    return [(row.id, row.name) for row in uow.session.execute(query)]


def list_fit(uow: UnitOfWork) -> list[tuple[str, str]]:
    """List who may keep a site, by id, with their names, which are all different."""
    directory = access_queries.load_directory(uow)
    fit = [person_id for person_id in directory.people if policy.keeper_refusal(directory, person_id) is None]
    usernames = namesakes.get_usernames(uow, fit)
    labels = ((one, namesakes.label(directory.people[one].name, usernames.get(one))) for one in fit)
    return sorted(labels, key=lambda one: (one[1], one[0]))


def list_vacant(uow: UnitOfWork) -> list[str]:
    """List the names of the sites that nobody fit keeps, for those who look after the installation."""
    sites = uow.session.execute(select(Site.id, Site.name).where(Site.closed_at.is_(None)).order_by(Site.name)).all()
    kept = _kept(access_queries.load_directory(uow), _held(uow, [site.id for site in sites])) if sites else set()
    return [site.name for site in sites if site.id not in kept]


def tell_vacant(uow: UnitOfWork) -> bool:
    """Tell those who lead the storage office of sites that nobody fit keeps, and again each week (R13).

    Returns whether there may be more.
    """
    due = (
        select(Site)
        .where(Site.closed_at.is_(None), or_(Site.told_at.is_(None), Site.told_at <= uow.now - AGAIN))
        .order_by(Site.id)
    )
    sites = uow.session.scalars(due).all()
    if not sites:
        return False
    directory = access_queries.load_directory(uow)
    kept = _kept(directory, _held(uow, [site.id for site in sites]))
    vacant = [site for site in sites if site.id not in kept][:AT_ONCE]
    for site in vacant:
        site.told_at = uow.now
        notification_service.mark_done(uow, "storage", subject_id=site.id)  # one open notice is enough
        for person_id in policy.leads_storage(directory):
            notification_service.notify(uow, person_id, NOTICE, application_id=None, subject_id=site.id)
        audit_trail.record(uow, "site-without-keeper", "site", site.id)
    return len(vacant) == AT_ONCE


def site_keepers(database: Database) -> Periodic:
    """Return the task that tells of sites without a keeper; one process at a time."""

    async def run() -> bool:
        return await database.run(ACTOR, tell_vacant)

    return Leased(Lease.between_runs(database, "site-keepers", EVERY), EVERY, run)


def _lines(uow: UnitOfWork, sites: Sequence[Site]) -> list[SiteLine]:
    if not sites:
        return []
    directory, ids = access_queries.load_directory(uow), [site.id for site in sites]
    held = _held(uow, ids)
    kept = _kept(directory, held)
    stores: dict[str, list[str]] = {}
    for place in uow.session.scalars(select(StoragePlace).where(StoragePlace.site_id.in_(ids))):
        stores.setdefault(place.site_id, []).append(place.store)
    return [
        SiteLine(
            id=site.id,
            name=site.name,
            address=site.address,
            uses=site.uses,
            area=site.area,
            closed_at=site.closed_at,
            kept=site.id in kept,
            keepers=[_view(directory, keeper) for keeper in held if keeper.site_id == site.id],
            stores=sorted(stores.get(site.id, ()), reverse=True),
        )
        for site in sites
    ]


def _view(directory: Directory | None, keeper: SiteKeeper) -> KeeperView:
    """Return the view of somebody's charge; with a directory it says why the person is not fit for it."""
    obstacle = policy.keeper_refusal(directory, keeper.person_id) if directory is not None else None
    return KeeperView(
        id=keeper.id,
        person_id=keeper.person_id,
        name=keeper.person.name,
        part=keeper.part,
        since=keeper.since,
        until=keeper.until,
        unfit_zh=obstacle.zh if obstacle else None,
        unfit_en=obstacle.en if obstacle else None,
    )


def _held(uow: UnitOfWork, site_ids: Collection[str]) -> list[SiteKeeper]:
    """Return who keeps these sites now, keepers before deputies."""
    query = (
        select(SiteKeeper)
        .where(SiteKeeper.site_id.in_(site_ids), SiteKeeper.until.is_(None))
        .options(joinedload(SiteKeeper.person))
        .order_by(SiteKeeper.site_id, SiteKeeper.part.desc())
    )
    return list(uow.session.scalars(query))


def _kept(directory: Directory, held: Collection[SiteKeeper]) -> set[str]:
    """Return the sites whose keeper is fit: a deputy stands in and keeps nothing for good."""
    fit = (one for one in held if one.part == "keeper" and policy.keeper_refusal(directory, one.person_id) is None)
    return {one.site_id for one in fit}


def _end(uow: UnitOfWork, keeper: SiteKeeper) -> None:
    keeper.until, keeper.ended_by = uow.now, uow.actor.id
    audit_trail.record(uow, "site-keeper-ended", "site", keeper.site_id, person=keeper.person_id, part=keeper.part)


def _lock(uow: UnitOfWork, site_id: str) -> Site:
    rights.require_change(uow)
    site = uow.session.get(Site, site_id, with_for_update=True, populate_existing=True)
    if site is None:
        raise NotFound(Message("site"), site_id)
    return site


def _require_new_name(uow: UnitOfWork, name: str, own_id: str | None) -> None:
    known = uow.session.scalar(select(Site.id).where(Site.name == name))
    if known not in (None, own_id):
        raise Refused("site-named", "There is a site with this name already: choose another name.", field="name")


def _told(body: SiteBody) -> dict[str, Any]:
    return {"name": body.name, "address": body.address, "uses": list(body.uses), "area": body.area or None}
