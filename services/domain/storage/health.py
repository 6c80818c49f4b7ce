"""The health of stores and devices as it was last read, and what is serviced because of it (R10, R53)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, or_, select

from services.database.tables.cameras import Recorder
from services.database.tables.devices import STORES, Device, DeviceHealth
from services.database.unit_of_work import UnitOfWork
from services.domain.cameras import device_health
from services.domain.storage import rights
from services.domain.storage.schemas import DiskView, HealthView, Sentence
from services.domain.work_orders.kinds import get_label
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.sources import ScheduleSubject
from services.runtime.storage_health import BAD, StorageHealth

STORE = "store"
SETTLED = timedelta(minutes=15)  # bad health that has lasted for this long is no restart
RECORDER = "recorder"


def keep_stores(uow: UnitOfWork, read: Sequence[tuple[str, StorageHealth]]) -> None:
    """Keep what was read of the stores, by their names of ``STORES``."""
    for store, health in read:
        device_health.keep(uow, store, health)


def list_stores(uow: UnitOfWork) -> list[HealthView]:
    """List the health of vault and replica; one that was never read is left out."""
    rights.require_read(uow)
    query = select(DeviceHealth).where(DeviceHealth.source.in_(STORES)).order_by(DeviceHealth.source.desc())
    return [view_of(row) for row in uow.session.scalars(query)]


def source_of(device: Device) -> str | None:
    """Return where the health of a device is read; None for one of which nothing is read."""
    return device.store or device.recorder_id


def read_of(uow: UnitOfWork, devices: Sequence[Device]) -> dict[str, HealthView]:
    """Read the health of devices, by their ids; one statement."""
    sources = {device.id: source for device in devices if (source := source_of(device)) is not None}
    if not sources:
        return {}
    query = select(DeviceHealth).where(DeviceHealth.source.in_(set(sources.values())))
    views = {row.source: view_of(row) for row in uow.session.scalars(query)}
    return {device_id: views[source] for device_id, source in sources.items() if source in views}


def view_of(row: DeviceHealth) -> HealthView:
    failure = row.failure or {}
    return HealthView(
        source=row.source,
        state=row.state,
        since=row.since,
        told_at=row.told_at,
        asked_at=row.asked_at,
        findings=[Sentence(**finding) for finding in row.findings],
        figures=row.figures,
        disks=[DiskView.model_validate(disk) for disk in row.disks],
        failure_zh=failure.get("zh"),
        failure_en=failure.get("en"),
    )


def list_unhealthy(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the recorders and stores in bad health for ``SETTLED``, which are to be mended (R53).

    A store is named by the one device that carries it; one that none or several carry by itself.
    """
    query = (
        select(DeviceHealth, Recorder.name)
        .outerjoin(Recorder, Recorder.id == DeviceHealth.recorder_id)
        .where(DeviceHealth.state == BAD, DeviceHealth.since <= uow.now - SETTLED, _counts())
        .order_by(DeviceHealth.source)
    )
    found = uow.session.execute(query).all()
    carriers = defaultdict[str, list[tuple[str, str]]](list)
    carrying = select(Device.store, Device.id, Device.number).where(
        Device.store.is_not(None), Device.retired_at.is_(None)
    )
    for store, device_id, number in uow.session.execute(carrying.order_by(Device.number)) if found else ():
        carriers[str(store)].append((device_id, number))
    return [_subject(row, name, carriers[row.source]) for row, name in found]


def count_unhealthy(uow: UnitOfWork) -> dict[str, int]:
    """Count what is in bad health: by vault, replica, and recorder."""
    counts = dict.fromkeys((*STORES, RECORDER), 0)
    query = (
        select(DeviceHealth.source, DeviceHealth.recorder_id)
        .outerjoin(Recorder, Recorder.id == DeviceHealth.recorder_id)
        .where(DeviceHealth.state == BAD, _counts())
    )
    for source, recorder_id in uow.session.execute(query):
        counts[RECORDER if recorder_id is not None else source] += 1
    return counts


def _counts() -> ColumnElement[bool]:
    """Select the stores and the recorders in use: one that was retired is not looked at any more."""
    return or_(DeviceHealth.recorder_id.is_(None), Recorder.active)


def _subject(row: DeviceHealth, recorder: str | None, carriers: Sequence[tuple[str, str]]) -> ScheduleSubject:
    if row.recorder_id is not None:
        subject = Subject(RECORDER, row.recorder_id, recorder or "")
    elif len(carriers) == 1:
        subject = Subject("device", *carriers[0])
    else:
        named = get_label(row.source)
        subject = Subject(STORE, row.source, f"{named.zh} {named.en}")
    return ScheduleSubject(
        subject,
        facts={
            "healthSince": row.since.isoformat(),
            "health": row.findings,
            **({"devices": [number for _, number in carriers]} if len(carriers) > 1 else {}),
        },
    )
