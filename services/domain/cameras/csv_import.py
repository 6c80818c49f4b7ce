"""Import cameras from a CSV file: all lines or none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from services.database.tables.cameras import Camera, Recorder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.cameras import service
from services.domain.change_requests import deciders
from services.runtime.csv_rows import plain, read_rows
from services.runtime.errors import Refused
from services.runtime.translations import Message, Text, Worded

COLUMNS = ("recorder", "channel", "name_zh", "name_en", "place_zh", "place_en", "class", "retention_days")
MAX_CELL_LENGTH = 200


@dataclass(frozen=True)
class LineError(Worded):
    """A wrong line, counted from 1 with the header, and its error."""

    line: int
    message: Text


@dataclass(frozen=True)
class ImportResult:
    """Counts of new, changed and unchanged cameras, and every wrong line."""

    new: int
    changed: int
    unchanged: int
    wrong: tuple[LineError, ...]
    done: bool = False


def import_cameras(uow: UnitOfWork, content: bytes, *, dry_run: bool) -> ImportResult:
    """Import the cameras of a CSV file.

    A camera is identified by its recorder's name and its channel. A dry run, or a file with a wrong line, changes
    nothing; a line is wrong too where its change needs a second person. Raises Refused where the file is no such list.
    """
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)  # before the rows of cameras, as a change of one of them does
    counts = {"new": 0, "changed": 0, "unchanged": 0}
    wrong: list[LineError] = []
    seen: set[tuple[str, str]] = set()
    recorders = {row.name: row for row in uow.session.scalars(select(Recorder).where(Recorder.active))}
    with uow.savepoint() as nested:
        for line, cells in read_rows(content, COLUMNS, code="camera-file"):
            try:
                entry = _entry(cells, recorders)
                if (entry.recorder_id, entry.channel) in seen:
                    raise _line_refused(Message("channel {channel} occurs twice in the file", channel=entry.channel))
                seen.add((entry.recorder_id, entry.channel))
                counts[_apply(uow, entry)] += 1
            except Refused as refusal:
                wrong.append(LineError(line, refusal.message))
        if dry_run or wrong:
            nested.rollback()
    return ImportResult(**counts, wrong=tuple(wrong), done=not dry_run and not wrong)


def _apply(uow: UnitOfWork, entry: service.CameraEntry) -> str:
    query = select(Camera).where(
        Camera.recorder_id == entry.recorder_id, Camera.channel == entry.channel, Camera.active
    )
    row = uow.session.scalar(query)
    if row is None:
        service.add(uow, entry)
        return "new"
    entry = replace(entry, site_id=row.site_id)  # the file says nothing of it
    if all(getattr(row, name) == getattr(entry, name) for name in entry.__dataclass_fields__):
        return "unchanged"
    if service.weakens(row, entry) and deciders.is_set_up(uow):
        raise Refused(
            "camera-line",
            "A lower class, or more days of retention, needs a second person: change this camera on its own page, and "
            "leave the line as the camera is.",
            status=422,
        )
    service.change_camera(uow, row.id, entry)
    return "changed"


def _entry(cells: dict[str, str], recorders: dict[str, Recorder]) -> service.CameraEntry:
    values = {name: plain(cell) for name, cell in cells.items()}
    for name in COLUMNS:
        if not values[name]:
            raise _line_refused(Message("{name} is missing", name=name))
        if len(values[name]) > MAX_CELL_LENGTH or not values[name].isprintable():
            raise _line_refused(Message("{name} is too long or has control characters", name=name))
    recorder = recorders.get(values["recorder"])
    if recorder is None:
        raise _line_refused(Message("there is no recorder in use with the name {told}", told=values["recorder"]))
    if not (
        values["retention_days"].isascii()
        and values["retention_days"].isdecimal()
        and len(values["retention_days"]) < 6
    ):
        raise _line_refused(Message("retention_days must be a whole number of days"))
    return service.CameraEntry(
        recorder_id=recorder.id,
        channel=values["channel"],
        name_zh=values["name_zh"],
        name_en=values["name_en"],
        place_zh=values["place_zh"],
        place_en=values["place_en"],
        camera_class=values["class"],
        retention_days=int(values["retention_days"]),
    )


def _line_refused(message: Text) -> Refused:
    return Refused("camera-line", "{problem}: correct the line.", status=422, problem=message)


def rows_of(lines: Sequence[service.CameraLine]) -> list[tuple[str | int, ...]]:
    """Return cameras in the columns of ``COLUMNS``, ready to be imported."""
    return [
        (
            *(line.recorder.name, line.row.channel, line.row.name_zh, line.row.name_en),
            *(line.row.place_zh, line.row.place_en, line.row.camera_class, line.row.retention_days),
        )
        for line in lines
    ]
