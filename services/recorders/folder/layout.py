"""What the layouts of a folder have in common: files whose names say when they start, and how far they reach."""

import errno
import os
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import suppress
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
from services.runtime.media_kinds import CONTAINERS, HEAD, UNREAD, kind_of
from services.runtime.spans import Span

USUAL = timedelta(seconds=60)  # the assumed length of a file that cannot be measured
LONGEST = timedelta(hours=2)  # of a file beside which others begin, or whose end is not known
BOXES = ("mp4", "mov")
# What a file is called counts only where its first bytes say nothing.
SUFFIXES = {
    **{".mp4": "mp4", ".m4v": "mp4", ".3gp": "mp4", ".mov": "mov", ".mkv": "mkv", ".webm": "mkv"},
    **{".ts": "ts", ".mts": "ts", ".m2ts": "ts", ".mpg": "ps", ".mpeg": "ps", ".ps": "ps", ".vob": "ps"},
}
UNREAD_SUFFIXES = {".avi", ".dav", ".flv", ".wmv", ".asf", ".264", ".h264", ".265", ".h265", ".hevc"}
# What lies beside footage and is none, though its name says a time.
_BESIDE = {"empty", "html", "image", "pdf", "program", "sound", "svg", "text"}
_UNKNOWN = {"archive", "unknown", "zip"}
# What one file may have alone: a bad sector, a damaged entry, other rights. So may each file of a disk that is gone.
_OF_FILE = {errno.EIO, errno.EACCES, errno.EPERM, errno.EBADMSG, errno.EUCLEAN}
_FEW = 3  # files by which the two are told apart
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)  # that a name may say

Dated = tuple[datetime, Path]


@dataclass(frozen=True)
class File:
    """A segment on disk. ``pieces`` is where it has pictures; ``span`` also counts what a damaged file should hold.

    ``error``: why it cannot be read at all.
    """

    path: Path
    size: int
    span: Span
    pieces: tuple[Span, ...]
    container: str
    fault: str | None
    error: OSError | None = None


class Layout(Protocol):
    """Where files lie below the root. Every method raises OSError; links that lead out of the root are not seen.

    A file that cannot be read is its own fault as long as others can. One that is deleted meanwhile is not seen.
    """

    def has(self, root: Path, channel: str) -> bool:
        """Whether the folder has that channel."""
        ...

    def files(self, root: Path, channel: str, span: Span) -> list[File]:
        """The channel's files that can hold something of ``span``, in order of time."""
        ...

    def channels(self, root: Path) -> list[str]:
        """The channels that the folder has, by name, whether their files can be read or not."""
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


def in_zone(local: datetime, zone: ZoneInfo, path: Path) -> datetime | None:
    """The moment that a naive time in a file's name is; the name of an aware one says its zone itself.

    None where no recorder can mean it.
    """
    if not EARLIEST.year <= local.year < LATEST.year:
        return None
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    here = local.replace(tzinfo=zone)
    first, second = here.astimezone(UTC), here.replace(fold=1).astimezone(UTC)
    if second > first:
        # In an hour that the clock repeats: the file was closed soon after its pictures end, counted from the start
        # that is right. What was copied long after tells nothing. A tenth of that hour is for clocks that differ.
        late = _began(path) - second + (second - first) / 10
        if timedelta() <= late < second - first:
            return second
    return first


def _began(path: Path) -> datetime:
    """When a file began, by when it was closed and how long its pictures last; later where no length can be read."""
    try:
        facts = path.stat()
        _, extent = _extent(str(path), facts.st_size, facts.st_mtime_ns)
    except OSError:
        return LATEST  # told where its time is asked for, not in every list
    length = max((end for _, end in extent.pieces), default=0.0)
    return datetime.fromtimestamp(facts.st_mtime, UTC) - timedelta(seconds=length)


def in_reach(dated: Iterable[Dated], span: Span, *, overlap: timedelta = USUAL) -> list[File]:
    """The files that can hold something of the span, measured, in order of time.

    ``overlap`` is how long a file may overlap those that begin after it.
    """
    starts = sorted(dated)
    reached = []
    for index, (start, path) in enumerate(starts):
        following = starts[index + 1][0] if index + 1 < len(starts) else None
        if start < span.end and (following is None or max(following, start + overlap) >= span.start - USUAL):
            reached.append((start, path))
    reached = _footage(reached)
    begins = [start for start, _ in reached]
    files = []
    for start, path in reached:
        after = bisect_right(begins, start)
        file = measured(path, start, begins[after] if after < len(begins) else None)
        if file is not None:
            files.append(file)
    errors = [file.error for file in files if file.error is not None]
    if errors and len(errors) == len(files):
        unread = {file.path for file in files}
        others = [path for _, path in starts if path not in unread]
        if not can_any_be_read(others):
            raise errors[0]
    return files


def is_of_file(error: OSError) -> bool:
    """Whether a single file may have the error, while others can be read."""
    return error.errno in _OF_FILE


def can_any_be_read(paths: Sequence[Path]) -> bool:
    """Whether one of the last few of these files can be read: the disk is there."""
    for path in paths[-_FEW:]:
        with suppress(OSError), path.open("rb") as file:
            if file.read(1):
                return True
    return False


def _footage(dated: Sequence[Dated]) -> list[Dated]:
    """Those that are footage, read or not, by their first bytes; the rest lies beside footage.

    What nobody knows counts as footage where it lies alone: nothing else was kept of that moment.
    """
    kinds: dict[Path, str | None] = {}
    for _, path in dated:
        try:
            kinds[path] = _kind(str(path), *_stamp(path))
        except FileNotFoundError:
            continue  # deleted since it was listed
        except OSError as error:
            if not is_of_file(error):
                raise
            kinds[path] = None
    known = {path for path, kind in kinds.items() if _named(path) or kind not in _BESIDE | _UNKNOWN}
    stems = {path.with_suffix("") for path in known}
    return [
        (start, path)
        for start, path in dated
        if path in known or (kinds.get(path) in _UNKNOWN and path.with_suffix("") not in stems)
    ]


def _named(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix in SUFFIXES or suffix in UNREAD_SUFFIXES


def first_picture(dated: Iterable[Dated]) -> datetime | None:
    """The first moment that has a picture, measuring no more files than needed.

    Raises OSError where none of the first few can be read.
    """
    errors: list[OSError] = []
    for start, path in sorted(dated):
        file = measured(path, start, None)
        if file is None or file.error is not None:
            errors += [file.error] if file is not None and file.error is not None else []
            if len(errors) == _FEW:
                break
            continue
        if file.pieces:
            return file.pieces[0].start
        errors = []
    if errors:
        raise errors[0]
    return None


def measured(path: Path, start: datetime, following: datetime | None) -> File | None:
    """A file with its reach: read from its boxes, or from its time stamps where it has no boxes.

    None where it was deleted meanwhile.
    """
    error: OSError | None = None
    try:
        facts = path.stat()
        container, extent = _extent(str(path), facts.st_size, facts.st_mtime_ns)
    except FileNotFoundError:
        return None
    except OSError as unread:
        if not is_of_file(unread):
            raise
        facts, error = path.stat(), unread
        fault = f"it cannot be read: {unread.strerror}"
        container, extent = SUFFIXES.get(path.suffix.lower(), "mp4"), Extent((), fragmented=False, fault=fault)
    pieces = tuple(
        Span(start + timedelta(seconds=begin), start + timedelta(seconds=end)) for begin, end in extent.pieces
    )
    end = max((piece.end for piece in pieces), default=start)
    if extent.fault is not None:
        end = max(end, _latest_end(start, following, datetime.fromtimestamp(facts.st_mtime, UTC)))
    kind = "fmp4" if extent.fragmented and container == "mp4" else container
    return File(path, facts.st_size, Span(start, end), pieces, kind, extent.fault, error)


def _latest_end(start: datetime, following: datetime | None, closed: datetime) -> datetime:
    """Up to where a file may reach whose length is not known: until the next one, or until it was written last."""
    end = start + LONGEST if following is None else min(following, start + LONGEST)
    # A file that was written last before it began was stamped by another clock.
    return min(end, max(closed, start + USUAL)) if closed > start else end


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


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


# Size and time are part of the key: a segment that grows is read anew.
@lru_cache(maxsize=50_000)
def _kind(path: str, size: int, modified: int) -> str | None:
    with Path(path).open("rb") as file:
        return kind_of(file.read(HEAD))


@lru_cache(maxsize=50_000)
def _extent(path: str, size: int, modified: int) -> tuple[str, Extent]:
    """The container and the extent of a file; its fault says what it is where it is not read."""
    kind, suffix = _kind(path, size, modified), Path(path).suffix.lower()
    named = SUFFIXES.get(suffix, "mp4")
    if kind in UNREAD or (kind in _UNKNOWN and suffix not in SUFFIXES):
        fault = f"it is {UNREAD.get(kind or '', 'of a kind that is not known')}, which is not read"
        return named, Extent((), fragmented=False, fault=fault)
    container = CONTAINERS.get(kind, named)
    if container == "mp4" and named == "mov":
        container = named
    read = read_extent(Path(path)) if container in BOXES else read_stream_extent(Path(path), container)
    return container, read
