"""Import devices from a CSV file: all lines or none."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select

from services.database.tables.cameras import Recorder
from services.database.tables.devices import Device
from services.database.tables.sites import Site
from services.database.unit_of_work import UnitOfWork
from services.domain.storage import devices, rights
from services.domain.storage.schemas import DeviceBody, DeviceImportAnswer, DeviceLine, WrongLine
from services.runtime.errors import Refused
from services.runtime.translations import Message, Text

COLUMNS = (
    "number", "kind", "make", "model", "serial", "site", "in_service_since", "capacity", "redundancy", "recorder",
)  # fmt: skip
REQUIRED = ("number", "kind", "make", "model", "site")
MAX_BYTES = 1 << 20
MAX_LINES = 5000


def import_devices(uow: UnitOfWork, content: bytes, *, dry_run: bool) -> DeviceImportAnswer:
    """Import the devices of a CSV file; a device is known by its number, site and recorder by their names.

    A dry run, or a file with a wrong line, changes nothing. Raises Refused where the file is no such list.
    """
    rights.require_change(uow)
    counts = {"new": 0, "changed": 0, "unchanged": 0}
    wrong: list[WrongLine] = []
    rows = list(_rows(content))
    sites = {row.name: row.id for row in uow.session.scalars(select(Site).where(Site.closed_at.is_(None)))}
    recorders = {row.name: row.id for row in uow.session.scalars(select(Recorder).where(Recorder.active))}
    numbers = {_plain(cells["number"]) for _, cells in rows}
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
    if row.retired_at is None and all(getattr(row, name) == value for name, value in devices.values_of(body).items()):
        return "unchanged"
    devices.change(uow, row.id, body)
    return "changed"


def _rows(content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    if len(content) > MAX_BYTES:
        raise _file_refused(Message("The file is too large: upload it in parts."))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("gb18030")  # what Excel writes on a Chinese Windows
        except UnicodeDecodeError as error:
            raise _file_refused(Message("The file is not a text file: save it as CSV (UTF-8).")) from error
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise _file_refused(Message("The file is not a valid CSV file: export it again.")) from error
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    if sorted(header) != sorted(COLUMNS):
        names = ", ".join(COLUMNS)
        raise _file_refused(Message("The first line must name the columns: {names}.", names=names))
    if len(rows) > MAX_LINES:
        raise _file_refused(Message("At most {most_lines} lines: upload the file in parts.", most_lines=MAX_LINES))
    for line, cells in enumerate(rows[1:], 2):
        if any(cell.strip() for cell in cells):
            yield line, dict(zip(header, (*cells, *[""] * len(header)), strict=False))


def _body(cells: Mapping[str, str], sites: Mapping[str, str], recorders: Mapping[str, str]) -> DeviceBody:
    values: dict[str, Any] = {name: _plain(cell) for name, cell in cells.items()}
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


def _plain(cell: str) -> str:
    """Remove the apostrophe with which our export disables spreadsheet formulas."""
    text = cell.strip()
    return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@") else text


def _line_refused(message: Text) -> Refused:
    return Refused("device-line", "{problem}: correct the line.", status=422, problem=message)


def _file_refused(message: Text) -> Refused:
    return Refused("device-file", message, status=422, field="file")
