"""Frigate's layout: ``<root>/YYYY-MM-DD/HH/<camera>/MM.SS.mp4``, in UTC; files of ten seconds, so very many."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.recorders.folder.layout import (
    USUAL,
    Dated,
    File,
    aligned,
    channel_folder,
    first_picture,
    in_reach,
    leads_out,
    listed,
)
from services.runtime.spans import Span

HOUR = timedelta(hours=1)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_HOUR = re.compile(r"\d{2}", re.ASCII)
_NAME = re.compile(r"(\d{2})\.(\d{2})\.mp4", re.ASCII)


class FrigateLayout:
    """Files in Frigate's layout; the root is its ``recordings``, or the folder that this lies in."""

    def has(self, root: Path, channel: str) -> bool:
        plain = channel not in ("", ".", "..") and "/" not in channel
        return plain and any(channel_folder(folder, channel) is not None for _, folder in _hours(root))

    def files(self, root: Path, channel: str, span: Span) -> list[File]:
        """Only the hours of the span are listed."""
        base = _recordings(root)
        first = (span.start - USUAL).replace(minute=0, second=0, microsecond=0)
        dated: list[Dated] = []
        for number in range((span.end - first) // HOUR + 1):
            hour = first + number * HOUR
            folder = channel_folder(base / hour.strftime("%Y-%m-%d") / hour.strftime("%H"), channel)
            if folder is not None and folder.is_relative_to(base.resolve()):
                dated += _dated(folder, hour)
        return aligned(in_reach(dated, span))

    def channels(self, root: Path) -> list[str]:
        named = {entry.name for _, folder in _hours(root) for entry in listed(folder)}
        return sorted(name for name in named if self.has(root, name))

    def oldest(self, root: Path) -> dict[str, datetime]:
        oldest: dict[str, datetime] = {}
        for hour, folder in _hours(root):
            for entry in listed(folder):
                camera = channel_folder(folder, entry.name) if entry.name not in oldest else None
                first = first_picture(_dated(camera, hour)) if camera is not None else None
                if first is not None:
                    oldest[entry.name] = first
        return oldest


def _recordings(root: Path) -> Path:
    below = root / "recordings"
    return below if below.is_dir() else root


def _hours(root: Path) -> Iterator[tuple[datetime, Path]]:
    """The folders of hours, oldest first."""
    base = _recordings(root)
    inside = base.resolve()
    for day in sorted(entry for entry in base.iterdir() if _DAY.fullmatch(entry.name) and entry.is_dir()):
        if leads_out(day, inside):
            continue
        for hour in sorted(entry for entry in day.iterdir() if _HOUR.fullmatch(entry.name) and entry.is_dir()):
            try:
                moment = datetime.strptime(f"{day.name} {hour.name}", "%Y-%m-%d %H").replace(tzinfo=UTC)
            except ValueError:
                continue
            if not leads_out(hour, inside):
                yield moment, hour


def _dated(folder: Path, hour: datetime) -> Iterator[Dated]:
    inside = folder.resolve()
    for entry in listed(folder):
        name, path = _NAME.fullmatch(entry.name), Path(entry.path)
        if name is None or int(name[1]) > 59 or int(name[2]) > 59 or leads_out(path, inside):
            continue
        yield hour + timedelta(minutes=int(name[1]), seconds=int(name[2])), path
