"""Devices of storage by their inventory numbers: recorders, arrays, nodes, tapes, viewing stations (R10, R53)."""

from sqlalchemy import select

from services.database.base import new_id
from services.database.keyset import Page, Section, page_of
from services.database.listing import EVERYTHING, Listing
from services.database.tables.cameras import Recorder
from services.database.tables.devices import Device
from services.database.tables.sites import Site
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.storage import health, rights
from services.domain.storage.schemas import DeviceBody, DeviceLine, HealthView
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

TOLD = ("number", "kind", "make", "model", "site_id", "recorder_id")
OPTIONAL = ("serial", "capacity", "redundancy", "store")


def add(uow: UnitOfWork, body: DeviceBody) -> Device:
    """Enter a device; Refused for a number that there is already, and for a site that is closed."""
    rights.require_change(uow)
    _check(uow, body, None)
    device = Device(id=new_id(), entered_by=uow.actor.id, entered_at=uow.now, **values_of(body))
    uow.session.add(device)
    uow.session.flush()
    _record(uow, "device-added", device)
    return device


def change(uow: UnitOfWork, device_id: str, body: DeviceBody) -> Device:
    """Change what is known of a device from now on; where it was before is in the audit trail."""
    device = _lock(uow, device_id)
    if device.retired_at is not None:
        raise Refused("device-retired", "This device is retired: enter the one that replaces it.")
    _check(uow, body, device.id)
    for name, value in values_of(body).items():
        setattr(device, name, value)
    _record(uow, "device-changed", device)
    return device


def retire(uow: UnitOfWork, device_id: str, because: str) -> Device:
    """Take a device out of service; it stays on record."""
    device = _lock(uow, device_id)
    if device.retired_at is None:
        device.retired_at, device.retired_because = uow.now, because
        _record(uow, "device-retired", device)
    return device


def read(
    uow: UnitOfWork, listing: Listing = EVERYTHING, *, kind: str = "", retired: bool = False, site_id: str = ""
) -> Page[DeviceLine]:
    """Read a page of the devices by number; searched in numbers, makes, models, serials and sites."""
    rights.require_read(uow)
    columns = (Device.number, Device.make, Device.model, Device.serial, Site.name)
    query = (
        select(Device, Site.name, Recorder.name)
        .join(Site, Site.id == Device.site_id)
        .outerjoin(Recorder, Recorder.id == Device.recorder_id)
        .where(Device.retired_at.is_not(None) if retired else Device.retired_at.is_(None), listing.mentioned(*columns))
    )
    if kind:
        query = query.where(Device.kind == kind)
    if site_id:
        query = query.where(Device.site_id == site_id)
    section = Section((Device.number.expression, Device.id.expression))
    page = page_of(uow.session, query, (section,), listing)
    read = health.read_of(uow, [device for device, *_ in page.lines])
    return page.showing(
        [_line(device, site, recorder, read.get(device.id)) for device, site, recorder, *_ in page.lines]
    )


def get(uow: UnitOfWork, device_id: str) -> DeviceLine:
    rights.require_read(uow)
    device = uow.session.get(Device, device_id)
    if device is None:
        raise NotFound(Message("device"), device_id)
    site = uow.session.get_one(Site, device.site_id)
    recorder = uow.session.get(Recorder, device.recorder_id) if device.recorder_id else None
    read = health.read_of(uow, [device]).get(device.id)
    return _line(device, site.name, recorder.name if recorder else None, read)


def values_of(body: DeviceBody) -> dict[str, object]:
    """Return what a body says of a device, by the names of the table; what is left empty is not known."""
    told = body.model_dump(mode="python")
    return {name: (value or None) if name in OPTIONAL else value for name, value in told.items()}


def list_recorders(uow: UnitOfWork) -> list[tuple[str, str]]:
    """List the recorders of the catalogue that are in use, by id, with their names."""
    query = select(Recorder.id, Recorder.name).where(Recorder.active).order_by(Recorder.name, Recorder.id)
    return [(row.id, row.name) for row in uow.session.execute(query)]


def _line(device: Device, site: str, recorder: str | None, read: HealthView | None) -> DeviceLine:
    names = (*TOLD, *OPTIONAL, "id", "in_service_since", "retired_at", "retired_because")
    return DeviceLine(**{name: getattr(device, name) for name in names}, site=site, recorder=recorder, health=read)


def _check(uow: UnitOfWork, body: DeviceBody, own_id: str | None) -> None:
    known = uow.session.scalar(select(Device.id).where(Device.number == body.number))
    if known not in (None, own_id):
        raise Refused("device-number", "There is a device with this number already.", status=409, field="number")
    site = uow.session.get(Site, body.site_id)
    if site is None or site.closed_at is not None:
        raise Refused("device-site", "Choose a site that is in use.", status=422, field="siteId")
    if body.recorder_id is not None and body.store is not None:
        raise Refused(
            "device-twice",
            "A device is a recorder, or carries a store of footage: choose one.",
            status=422,
            field="store",
        )
    if body.recorder_id is not None and uow.session.get(Recorder, body.recorder_id) is None:
        raise Refused("device-recorder", "Choose a recorder of the catalogue.", status=422, field="recorderId")


def _lock(uow: UnitOfWork, device_id: str) -> Device:
    rights.require_change(uow)
    device = uow.session.get(Device, device_id, with_for_update=True, populate_existing=True)
    if device is None:
        raise NotFound(Message("device"), device_id)
    return device


def _record(uow: UnitOfWork, action: str, device: Device) -> None:
    told = {name: getattr(device, name) for name in (*TOLD, *OPTIONAL, "retired_because")}
    audit_trail.record(uow, action, "device", device.id, **{name: value for name, value in told.items() if value})
