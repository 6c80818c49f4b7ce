"""The files of a channel in MediaMTX's layout: when each starts by its name, and how far its pictures reach."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from services.recorders.extents import Extent, read_extent
from services.runtime.spans import Span

NAME = "%Y-%m-%d_%H-%M-%S-%f"
USUAL = timedelta(seconds=60)  # what a segment that cannot be measured is taken to be long
_DEPTH = 3  # folders of a channel: MediaMTX's paths may have slashes


@dataclass(frozen=True)
class File:
    """A segment on disk. ``pieces`` is where it has pictures; ``span`` also counts what a damaged file should hold."""

    path: Path
    size: int
    span: Span
    pieces: tuple[Span, ...]
    fragmented: bool
    fault: str | None


def channels_of(root: Path) -> list[str]:
    """The folders below the root that hold segments, by their path."""
    return sorted(str(folder.relative_to(root)) for folder in _folders(root, _DEPTH) if any(_named(folder)))


def files_of(folder: Path, zone: ZoneInfo, span: Span) -> list[File]:
    """The channel's files that can hold something of ``span``, in order of time. Raises OSError."""
    starts = sorted((_start(path, zone), path) for path in _named(folder))
    files = []
    for index, (start, path) in enumerate(starts):
        following = starts[index + 1][0] if index + 1 < len(starts) else None
        if start >= span.end or (following is not None and following < span.start - USUAL):
            continue
        files.append(_file(path, start, following))
    return files


def oldest_of(folder: Path, zone: ZoneInfo) -> datetime | None:
    """The channel's first moment that has a picture. No more files are measured than it takes. Raises OSError."""
    for start, path in sorted((_start(path, zone), path) for path in _named(folder)):
        for piece in _file(path, start, None).pieces:
            return piece.start
    return None


def redate(source: Path, target: Path, day: date) -> list[Path]:
    """Copy recordings so that their first day becomes ``day``; the time of day stays.

    A file that is there already is left alone, so it may run again. Gives the paths in the target.
    """
    files = [path for channel in channels_of(source) for path in _named(source / channel)]
    if not files:
        raise FileNotFoundError(f"There are no recordings in {source} to be copied.")
    shift = day - min(_moment(path) for path in files).date()
    written = []
    for path in sorted(files):
        name = (_moment(path) + shift).strftime(NAME) + path.suffix
        copy = target / path.parent.relative_to(source) / name
        written.append(copy)
        if copy.exists():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        unfinished = copy.with_suffix(".copying")
        shutil.copyfile(path, unfinished)
        unfinished.replace(copy)
    return written


def _folders(root: Path, depth: int) -> Iterator[Path]:
    for entry in root.iterdir():
        if entry.is_dir() and entry.resolve().is_relative_to(root.resolve()):
            yield entry
            if depth > 1:
                yield from _folders(entry, depth - 1)


def _named(folder: Path) -> Iterator[Path]:
    inside = folder.resolve()
    for path in folder.glob("*.mp4"):
        try:
            _moment(path)
        except ValueError:
            continue
        if path.resolve().is_relative_to(inside):
            yield path


def _moment(path: Path) -> datetime:
    return datetime.strptime(path.stem, NAME).replace(tzinfo=UTC)


def _start(path: Path, zone: ZoneInfo) -> datetime:
    local = _moment(path).replace(tzinfo=zone)
    first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if second > first:
        # The hour that the clock goes through twice: the file was closed soon after the start that is right.
        closed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if second <= closed < second + timedelta(hours=1):
            return second
    return first


def _file(path: Path, start: datetime, following: datetime | None) -> File:
    facts = path.stat()
    extent = _extent(str(path), facts.st_size, facts.st_mtime_ns)
    pieces = tuple(
        Span(start + timedelta(seconds=begin), start + timedelta(seconds=end)) for begin, end in extent.pieces
    )
    end = max((piece.end for piece in pieces), default=start)
    if extent.fault is not None:
        should = start + USUAL if following is None else min(following, start + USUAL)
        end = max(end, should)
    return File(path, facts.st_size, Span(start, end), pieces, extent.fragmented, extent.fault)


@lru_cache(maxsize=50_000)
def _extent(path: str, size: int, modified: int) -> Extent:
    # Size and time are part of the key: a segment that grows is measured anew.
    return read_extent(Path(path))
