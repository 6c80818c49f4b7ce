"""Numbered media on which footage leaves the vault: where each is, who holds it, the scan when it is back (R39).

A download and a disclosure name the medium by its number; so the register counts what was written to each.
"""

from collections.abc import Collection

from sqlalchemy import func, select, union_all

from services.database.base import new_id
from services.database.keyset import Page, Section, page_of
from services.database.listing import EVERYTHING, Listing
from services.database.tables.copies import Download
from services.database.tables.devices import IN, OUT, Medium
from services.database.tables.disclosures import DisclosureDownload
from services.database.tables.people import Person
from services.database.tables.sites import Site
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import numbered_media
from services.domain.custody.numbered_media import HANDED_OUT
from services.domain.storage import rights
from services.domain.storage.schemas import HandOutBody, MediumBody, MediumEndBody, MediumLine, ScanBody
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

REGISTERED, RETURNED = "registered", "returned"


def add(uow: UnitOfWork, body: MediumBody) -> Medium:
    """Register a medium, which lies at its site; Refused for a number that there is already."""
    rights.require_change(uow)
    if uow.session.scalar(select(Medium.id).where(Medium.number == body.number)) is not None:
        raise Refused("medium-number", "There is a medium with this number already.", status=409, field="number")
    _require_site(uow, body.site_id)
    medium = Medium(
        id=new_id(),
        number=body.number,
        kind=body.kind,
        serial=body.serial or None,
        site_id=body.site_id,
        state=IN,
        entered_by=uow.actor.id,
        entered_at=uow.now,
    )
    uow.session.add(medium)
    uow.session.flush()
    numbered_media.enter(uow, medium, REGISTERED)
    return medium


def hand_out(uow: UnitOfWork, medium_id: str, body: HandOutBody) -> Medium:
    """Hand a medium to somebody of the organisation; Refused unless it lies at its site."""
    medium = _lock(uow, medium_id)
    if medium.state != IN:
        raise Refused("medium-not-in", "This medium is not at its site: scan it when it is back.")
    holder = uow.session.get(Person, body.person_id)
    if holder is None or not holder.active:
        raise Refused("medium-holder", "Choose a person who works here.", status=422, field="personId")
    medium.state, medium.holder_id, medium.out_since = OUT, holder.id, uow.now
    numbered_media.enter(uow, medium, HANDED_OUT, note=body.note)
    return medium


def scan(uow: UnitOfWork, body: ScanBody) -> Medium:
    """Record that a medium is back, by the number on it; Refused where it was not out, or its site is closed."""
    rights.require_change(uow)
    found = uow.session.scalar(select(Medium.id).where(Medium.number == body.number))
    if found is None:
        raise Refused(
            "medium-unknown",
            "No medium has the number {number}: read it again, or register the medium.",
            status=422,
            field="number",
            number=body.number,
        )
    medium = _lock(uow, found)
    if medium.state != OUT:
        raise Refused(
            "medium-not-out",
            "The medium {number} is not handed out: check the number that you have read.",
            field="number",
            number=medium.number,
        )
    site_id = body.site_id or medium.site_id
    _require_site(uow, site_id)
    medium.site_id = site_id
    holder, medium.state, medium.holder_id, medium.out_since = medium.holder_id, IN, None, None
    numbered_media.enter(uow, medium, RETURNED, holder_id=holder)
    return medium


def end(uow: UnitOfWork, medium_id: str, body: MediumEndBody) -> Medium:
    """Take a medium out of the register for good: provided to people outside, destroyed, or lost."""
    medium = _lock(uow, medium_id)
    if medium.state not in (IN, OUT):
        raise Refused("medium-ended", "This medium is out of the register already.")
    if medium.state == OUT and body.state == "destroyed":
        raise Refused("medium-not-in", "This medium is not at its site: scan it when it is back.")
    holder, medium.state, medium.holder_id, medium.out_since = medium.holder_id, body.state, None, None
    numbered_media.enter(uow, medium, body.state, note=body.note, holder_id=holder)
    return medium


def read(uow: UnitOfWork, listing: Listing = EVERYTHING, *, state: str = "") -> Page[MediumLine]:
    """Read a page of the media by number, or those that are out, the longest first; searched in numbers and holders."""
    rights.require_read(uow)
    columns = (Medium.number, Medium.serial, Site.name, Person.name)
    query = (
        select(Medium, Site.name, Person.name)
        .join(Site, Site.id == Medium.site_id)
        .outerjoin(Person, Person.id == Medium.holder_id)
        .where(listing.mentioned(*columns))
    )
    if state:
        query = query.where(Medium.state == state)
    section = Section((Medium.number.expression, Medium.id.expression))
    if listing.sort == "out":
        section = Section((Medium.out_since.expression, Medium.id.expression), Medium.state == OUT)
    page = page_of(uow.session, query, (section,), listing)
    uses = _count_uses(uow, [row[0].number for row in page.lines])
    return page.showing(
        [
            MediumLine(
                id=medium.id,
                number=medium.number,
                kind=medium.kind,
                serial=medium.serial,
                state=medium.state,
                site_id=medium.site_id,
                site=site,
                holder=holder,
                out_since=medium.out_since,
                uses=uses.get(medium.number, 0),
            )
            for medium, site, holder, *_ in page.lines
        ]
    )


def _count_uses(uow: UnitOfWork, numbers: Collection[str]) -> dict[str, int]:
    """Count the downloads and disclosures that name each of these media."""
    if not numbers:
        return {}
    named = union_all(
        select(Download.medium).where(Download.medium.in_(numbers)),
        select(DisclosureDownload.medium).where(DisclosureDownload.medium.in_(numbers)),
    ).subquery()
    counted = select(named.c.medium, func.count()).group_by(named.c.medium)
    return {str(number): int(count) for number, count in uow.session.execute(counted)}


def _lock(uow: UnitOfWork, medium_id: str) -> Medium:
    rights.require_change(uow)
    medium = uow.session.get(Medium, medium_id, with_for_update=True, populate_existing=True)
    if medium is None:
        raise NotFound(Message("medium"), medium_id)
    return medium


def _require_site(uow: UnitOfWork, site_id: str) -> None:
    site = uow.session.get(Site, site_id)
    if site is None or site.closed_at is not None:
        raise Refused("medium-site", "Choose a site that is in use.", status=422, field="siteId")
