"""What the layouts of a folder have in common: files whose names say when they start, and how far they reach."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from services.recorders.folder.mp4_extents import Extent, read_extent
from services.recorders.folder.stream_extents import read_stream_extent
from services.recorders.whole_seconds import runs_of
from services.runtime.spans import Span

USUAL = timedelta(seconds=60)  # the assumed length of a file that cannot be measured
LONGEST = timedelta(hours=2)  # of a file beside which others begin
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "mkv", ".ts": "ts", ".mpg": "ps", ".ps": "ps"}
BOXES = ("mp4", "mov")

Dated = tuple[datetime, Path]


@dataclass(frozen=True)
class File:
    """A segment on disk. ``pieces`` is where it has pictures; ``span`` also counts what a damaged file should hold."""

    path: Path
    size: int
    span: Span
    pieces: tuple[Span, ...]
    container: str
    fault: str | None


class Layout(Protocol):
    """Where files lie below the root. Every method raises OSError; links that lead out of the root are not seen."""

    def has(self, root: Path, channel: str) -> bool:
        """Whether the folder has that channel."""
        ...

    def files(self, root: Path, channel: str, span: Span) -> list[File]:
        """The channel's files that can hold something of ``span``, in order of time."""
        ...

    def oldest(self, root: Path) -> dict[str, datetime]:
        """The first moment that has a picture, by channel. No more files are measured than needed."""
        ...


def channel_folder(root: Path, channel: str) -> Path | None:
    """The folder of that name below the root, or None where there is none, or it lies elsewhere."""
    inside = root.resolve()
    folder = (inside / channel).resolve()
    return folder if folder != inside and folder.is_relative_to(inside) and folder.is_dir() else None


def listed(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder; raises OSError. A folder that may not be read is not an empty one."""
    with os.scandir(folder) as entries:
        return list(entries)


def leads_out(path: Path, inside: Path) -> bool:
    """Whether what lies in a folder is a link out of it; the folder must be resolved."""
    return path.is_symlink() and not path.resolve().is_relative_to(inside)


def in_zone(local: datetime, zone: ZoneInfo, path: Path) -> datetime:
    """The moment that a naive time in a file's name is; the name of an aware one says its zone itself."""
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    here = local.replace(tzinfo=zone)
    first, second = here.astimezone(UTC), here.replace(fold=1).astimezone(UTC)
    if second > first:
        # In an hour that the clock repeats: the file was closed soon after the start that is right.
        closed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if second <= closed < second + timedelta(hours=1):
            return second
    return first


def within_reach(
    dated: Iterable[Dated], span: Span, *, overlap: timedelta = USUAL
) -> Iterator[tuple[datetime, Path, datetime | None]]:
    """Start, file and the next file's start of all that can hold something of the span, in order of time.

    ``overlap`` is how long a file may overlap those that begin after it.
    """
    starts = sorted(dated)
    for index, (start, path) in enumerate(starts):
        following = starts[index + 1][0] if index + 1 < len(starts) else None
        if start < span.end and (following is None or max(following, start + overlap) >= span.start - USUAL):
            yield start, path, following


def first_picture(dated: Iterable[Dated]) -> datetime | None:
    """The first moment that has a picture, measuring no more files than needed."""
    for start, path in sorted(dated):
        for piece in measured(path, start, None).pieces:
            return piece.start
    return None


def measured(path: Path, start: datetime, following: datetime | None) -> File:
    """A file with its reach: read from its boxes, or from its time stamps where it has no boxes."""
    facts = path.stat()
    extent = _extent(str(path), facts.st_size, facts.st_mtime_ns)
    pieces = tuple(
        Span(start + timedelta(seconds=begin), start + timedelta(seconds=end)) for begin, end in extent.pieces
    )
    end = max((piece.end for piece in pieces), default=start)
    if extent.fault is not None:
        end = max(end, start + USUAL if following is None else min(following, start + USUAL))
    container = CONTAINERS[path.suffix.lower()]
    kind = "fmp4" if extent.fragmented and container == "mp4" else container
    return File(path, facts.st_size, Span(start, end), pieces, kind, extent.fault)


def aligned(files: Sequence[File]) -> list[File]:
    """Files whose names have whole seconds, moved by less than one to where one follows another (``whole_seconds``).

    Nothing follows a damaged file by nearness: where its pictures would have ended is not known.
    """
    placed: list[File] = []
    group: list[File] = []
    for file in files:
        group.append(file)
        if file.fault is not None or file is files[-1]:
            spans = chain.from_iterable(runs_of([one.span for one in group]))
            placed += [_moved(one, span.start - one.span.start) for one, span in zip(group, spans, strict=True)]
            group = []
    return placed


def _moved(file: File, by: timedelta) -> File:
    pieces = tuple(Span(piece.start + by, piece.end + by) for piece in file.pieces)
    return replace(file, span=Span(file.span.start + by, file.span.end + by), pieces=pieces)


@lru_cache(maxsize=50_000)
def _extent(path: str, size: int, modified: int) -> Extent:
    # Size and time are part of the key: a segment that grows is measured anew.
    container = CONTAINERS[Path(path).suffix.lower()]
    return read_extent(Path(path)) if container in BOXES else read_stream_extent(Path(path), container)
