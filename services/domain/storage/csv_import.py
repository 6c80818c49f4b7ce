"""Import devices from a CSV file: all lines or none."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select

from services.database.tables.cameras import Recorder
from services.database.tables.devices import Device
from services.database.tables.sites import Site
from services.database.unit_of_work import UnitOfWork
from services.domain.storage import devices, rights
from services.domain.storage.schemas import DeviceBody, DeviceImportAnswer, DeviceLine
from services.runtime.csv_rows import plain, read_rows
from services.runtime.errors import Refused
from services.runtime.translations import Message, Text
from services.web.schemas import WrongLine

COLUMNS = (
    "number", "kind", "make", "model", "serial", "site", "in_service_since", "capacity", "redundancy", "recorder",
)  # fmt: skip
REQUIRED = ("number", "kind", "make", "model", "site")


def import_devices(uow: UnitOfWork, content: bytes, *, dry_run: bool) -> DeviceImportAnswer:
    """Import the devices of a CSV file; a device is known by its number, site and recorder by their names.

    A dry run, or a file with a wrong line, changes nothing. Raises Refused where the file is no such list.
    """
    rights.require_change(uow)
    counts = {"new": 0, "changed": 0, "unchanged": 0}
    wrong: list[WrongLine] = []
    rows = list(read_rows(content, COLUMNS, code="device-file"))
    sites = {row.name: row.id for row in uow.session.scalars(select(Site).where(Site.closed_at.is_(None)))}
    recorders = {row.name: row.id for row in uow.session.scalars(select(Recorder).where(Recorder.active))}
    numbers = {plain(cells["number"]) for _, cells in rows}
    known = {row.number: row for row in uow.session.scalars(select(Device).where(Device.number.in_(numbers)))}
    seen: set[str] = set()
    with uow.savepoint() as nested:
        for line, cells in rows:
            try:
                body = _body(cells, sites, recorders)
                if body.number in seen:
                    raise _line_refused(Message("number {number} occurs twice in the file", number=body.number))
                seen.add(body.number)
                counts[_apply(uow, body, known.get(body.number))] += 1
            except Refused as refusal:
                wrong.append(WrongLine(line=line, zh=refusal.message.zh, en=refusal.message.en))
        if dry_run or wrong:
            nested.rollback()
    return DeviceImportAnswer(**counts, wrong=wrong, done=not dry_run and not wrong)


def rows_of(lines: Sequence[DeviceLine]) -> list[tuple[str, ...]]:
    """Return devices in the columns of ``COLUMNS``, ready to be imported."""
    return [
        tuple(str(value or "") for value in (
            line.number, line.kind, line.make, line.model, line.serial, line.site, line.in_service_since,
            line.capacity, line.redundancy, line.recorder,
        ))
        for line in lines
    ]  # fmt: skip


def _apply(uow: UnitOfWork, body: DeviceBody, row: Device | None) -> str:
    if row is None:
        devices.add(uow, body)
        return "new"
    kept = row.store if body.recorder_id is None else None  # not in the list
    body = DeviceBody.model_validate({**body.model_dump(), "store": kept})
    if row.retired_at is None and all(getattr(row, name) == value for name, value in devices.values_of(body).items()):
        return "unchanged"
    devices.change(uow, row.id, body)
    return "changed"


def _body(cells: Mapping[str, str], sites: Mapping[str, str], recorders: Mapping[str, str]) -> DeviceBody:
    values: dict[str, Any] = {name: plain(cell) for name, cell in cells.items()}
    for name in REQUIRED:
        if not values[name]:
            raise _line_refused(Message("{name} is missing", name=name))
    site, recorder = values.pop("site"), values.pop("recorder")
    if site not in sites:
        raise _line_refused(Message("there is no site in use with the name {told}", told=site))
    if recorder and recorder not in recorders:
        raise _line_refused(Message("there is no recorder in use with the name {told}", told=recorder))
    values["in_service_since"] = values["in_service_since"] or None
    try:
        return DeviceBody(**values, site_id=sites[site], recorder_id=recorders[recorder] if recorder else None)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise _line_refused(Message("{name} is not valid", name=name)) from None


def _line_refused(message: Text) -> Refused:
    return Refused("device-line", "{problem}: correct the line.", status=422, problem=message)
