"""MediaMTX's layout: ``<root>/<channel>/YYYY-MM-DD_HH-MM-SS-ffffff.mp4``, the start in the recorder's zone."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from services.recorders.folder.layout import (
    Dated,
    File,
    channel_folder,
    first_picture,
    in_reach,
    in_zone,
    leads_out,
    listed,
)
from services.runtime.spans import Span

NAME = "%Y-%m-%d_%H-%M-%S-%f"
_DEPTH = 3  # folders of a channel: MediaMTX's paths may have slashes


@dataclass(frozen=True)
class MediaMtxLayout:
    """Files in MediaMTX's layout, named by times of ``zone``."""

    zone: ZoneInfo

    def has(self, root: Path, channel: str) -> bool:
        return channel_folder(root, channel) is not None

    def files(self, root: Path, channel: str, span: Span) -> list[File]:
        return in_reach(self._dated(root, channel), span)

    def channels(self, root: Path) -> list[str]:
        return channels_of(root)

    def oldest(self, root: Path) -> dict[str, datetime]:
        oldest = {channel: first_picture(self._dated(root, channel)) for channel in channels_of(root)}
        return {channel: first for channel, first in oldest.items() if first is not None}

    def _dated(self, root: Path, channel: str) -> Iterator[Dated]:
        folder = channel_folder(root, channel)
        for path in _named(folder) if folder is not None else ():
            start = in_zone(_moment(path), self.zone, path)
            if start is not None:
                yield start, path


def channels_of(root: Path) -> list[str]:
    """The folders below the root that hold segments, by their path."""
    return sorted(str(folder.relative_to(root)) for folder in _folders(root, _DEPTH) if any(_named(folder)))


def _folders(root: Path, depth: int) -> Iterator[Path]:
    """The folders below the root; those that may not be read, such as lost+found, are no channels."""
    for entry in sorted(root.iterdir()):
        if not entry.is_dir() or leads_out(entry, root.resolve()):
            continue
        with suppress(PermissionError):
            listed(entry)
            yield entry
            if depth > 1:
                yield from _folders(entry, depth - 1)


def _named(folder: Path) -> Iterator[Path]:
    inside = folder.resolve()
    for entry in listed(folder):
        path = Path(entry.path)
        try:
            _moment(path)
        except ValueError:
            continue
        if entry.is_file() and not leads_out(path, inside):
            yield path


def _moment(path: Path) -> datetime:
    return datetime.strptime(path.stem, NAME)  # noqa: DTZ007 - of the recorder's zone, whichever that is
