"""What storage adds to work orders: the sites and devices that their schedules are about, and those in bad health."""

from dataclasses import replace

from sqlalchemy import select

from services.database.tables.devices import Device
from services.database.tables.sites import Site, SiteKeeper
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.storage import keeper_refusal
from services.domain.storage import difference_orders, health
from services.domain.work_orders import schedules
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import Role
from services.domain.work_orders.sources import ScheduleSubject


def register() -> None:
    """Register the subjects, and what follows a work order about differences; again is no error."""
    schedules.SUBJECTS["site"] = list_sites
    schedules.SUBJECTS["device"] = list_devices
    difference_orders.register()
    schedules.SUBJECTS["unhealthy-device"] = health.list_unhealthy


def list_sites(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the sites in use, each checked by its keeper, or by the keeper's deputy where that one may not (R11, R12).

    Without either by who the schedule names.
    """
    query = (
        select(Site.id, Site.name, SiteKeeper.person_id)
        .outerjoin(SiteKeeper, (SiteKeeper.site_id == Site.id) & SiteKeeper.until.is_(None))
        .where(Site.closed_at.is_(None))
        .order_by(Site.id, SiteKeeper.part.desc(), SiteKeeper.id)
    )
    directory = access_queries.load_directory(uow)
    found: dict[str, ScheduleSubject] = {}
    for row in uow.session.execute(query):
        named = found.setdefault(row.id, ScheduleSubject(Subject("site", row.id, row.name)))
        if named.doer is None and row.person_id and keeper_refusal(directory, row.person_id) is None:
            found[row.id] = replace(named, doer=Role(person_id=row.person_id))
    return list(found.values())


def list_devices(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the devices in use but for media, and for those that stand in the list of recorders already (R53)."""
    query = (
        select(Device.id, Device.number)
        .where(Device.retired_at.is_(None), Device.recorder_id.is_(None), Device.kind != "medium")
        .order_by(Device.id)
    )
    return [ScheduleSubject(Subject("device", row.id, row.number)) for row in uow.session.execute(query)]
