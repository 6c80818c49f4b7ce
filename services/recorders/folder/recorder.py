"""A recorder that is a folder: segments on a disk or a mount, in the layout of MediaMTX, of Frigate, or plain files.

Names are believed for the start only: how far a segment reaches is measured in the file, where it is MP4.
"""

import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from services.recorders.clock import Clock
from services.recorders.configuration_schema import IDENTITY, PARALLEL, ConfigurationSchema, Field, zone_of
from services.recorders.folder.frigate_layout import FrigateLayout
from services.recorders.folder.layout import BOXES, File, Layout, can_any_be_read, is_of_file, listed
from services.recorders.folder.mediamtx_layout import MediaMtxLayout
from services.recorders.folder.plain_layout import PatternError, PlainLayout
from services.recorders.protocol import (
    JOIN_TOLERANCE,
    ListedCamera,
    NothingRecorded,
    OutsideRoots,
    RecorderDown,
    RecorderFacts,
    Segment,
    WrongChannel,
)
from services.recorders.snapshot import picture, picture_in
from services.runtime.errors import Fatal
from services.runtime.spans import Span, merge_within
from services.runtime.storage_health import Disk
from services.runtime.threads import run_in_thread
from services.runtime.translations import Message

R = TypeVar("R")
READ = 1 << 20
LAYOUTS = ("mediamtx", "frigate", "plain")

SCHEMA = ConfigurationSchema(
    "folder",
    Message("folder recorder"),
    (
        Field(
            *("root", "folder", Message("folder")),
            Message("Folder of the recordings, with one subfolder for each channel."),
            required=True,
        ),
        Field(
            *("layout", "choice", Message("layout")),
            Message(
                "File layout: as MediaMTX or Frigate writes them, or plain, with the start time in each file name."
            ),
            default="mediamtx",
            choices=LAYOUTS,
        ),
        Field(
            *("pattern", "pattern", Message("file name pattern")),
            Message(
                "For plain only: pattern of the start time in file names, such as %Y%m%d_%H%M%S; leave empty for "
                "common patterns."
            ),
        ),
        Field(
            *("zone", "zone", Message("time zone of the file names")),
            Message("Time zone of the times in the file names; Frigate always uses UTC."),
            default="UTC",
        ),
        IDENTITY,
        Field(
            *("clock_offset_ms", "whole", Message("clock offset (milliseconds)")),
            Message("Recorder clock minus true time; leave empty if not measured."),
            least=-10 * 366 * 86_400_000,
            most=10 * 366 * 86_400_000,
        ),
        Field(*("clock_method", "text", Message("clock measurement method"))),
        Field(
            *("clock_uncertainty_ms", "whole", Message("uncertainty (milliseconds)")),
            least=0,
            most=86_400_000,
        ),
        PARALLEL,
    ),
)


class FolderRecorder:
    """Reads a folder; never writes to it, never leaves it."""

    def __init__(
        self,
        root: Path,
        zone: ZoneInfo,
        clock: Clock,
        identity: str,
        roots: tuple[Path, ...] | None = None,
        *,
        layout: str = "mediamtx",
        pattern: str = "",
    ) -> None:
        self._root = root
        self._layout_name = layout
        self._layout = _layout(layout, zone, pattern)
        self._roots = roots
        self._zone = zone
        self._clock = clock
        self._identity = identity

    @classmethod
    def from_configuration(
        cls, configuration: Mapping[str, str], *, roots: tuple[Path, ...] | None = None
    ) -> "FolderRecorder":
        """Keys: ``root`` (required), ``layout`` (mediamtx, frigate, plain), ``pattern`` (of the plain layout's names,
        as ``strptime`` reads them), ``zone`` (IANA name, UTC), ``identity``, ``clock_offset_ms``, ``clock_method``,
        ``clock_uncertainty_ms``. ``roots`` are the folders that recorders may lie under, None: anywhere. Raises Fatal
        with what to correct."""
        if not configuration.get("root"):
            raise Fatal("A folder recorder has no root: set the folder that holds its channels.")
        root = Path(configuration["root"])
        offset = _number(configuration, "clock_offset_ms")
        method = configuration.get("clock_method", "unknown" if offset is None else "configured")
        # Set by whoever measured it: a folder cannot be asked.
        clock = Clock(offset, method, _number(configuration, "clock_uncertainty_ms"))
        zone = zone_of(configuration, "folder")
        identity = configuration.get("identity", str(root))
        layout, pattern = configuration.get("layout", "mediamtx"), configuration.get("pattern", "")
        return cls(root, zone, clock, identity, roots, layout=layout, pattern=pattern)

    async def probe(self) -> RecorderFacts:
        try:
            oldest, reachable = await self._in_thread(lambda: self._layout.oldest(self._checked_root())), True
        except RecorderDown:
            oldest, reachable = {}, False
        return RecorderFacts(
            make="folder",
            model=self._layout_name,
            identity=self._identity,
            reachable=reachable,
            oldest_frame=oldest,
            clock_offset_ms=self._clock.offset_ms,
            clock_method=self._clock.method,
            clock_uncertainty_ms=self._clock.uncertainty_ms,
            zone=self._zone.key,
        )

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        files = await self._in_thread(partial(self._files, channel, span))
        pieces = [piece for file in files for piece in file.pieces]
        return merge_within(span, pieces, tolerance=JOIN_TOLERANCE)

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        for file in await self._in_thread(partial(self._files, channel, span)):
            if file.span.intersect(span) is None:
                continue
            yield self._segment(channel, file)

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        moment = Span(at, at + timedelta(milliseconds=1))
        for file in await self._in_thread(partial(self._files, channel, moment)):
            if not any(piece.intersect(moment) for piece in file.pieces):
                continue
            if file.container in (*BOXES, "fmp4"):
                return await picture(file.path, at - file.span.start)
            return await picture_in(_only(self._segment(channel, file)), at)
        raise NothingRecorded(f"Channel {channel} of recorder {self._identity} holds no picture at {at.isoformat()}.")

    async def protect(self, channel: str, span: Span) -> bool:
        return False  # whoever deletes old files here does not ask us

    async def release(self, channel: str, span: Span) -> None:
        return None

    async def list_disks(self) -> list[Disk]:
        """See ``protocol.TellsDisks``: the room where the folder lies, and not whether a disk fails."""
        usage = await self._in_thread(lambda: shutil.disk_usage(self._checked_root()))
        return [Disk("", total_bytes=usage.total, free_bytes=usage.free)]

    async def list_unread(self, channel: str, span: Span) -> list[str]:
        """See ``protocol.TellsUnread``: damaged ones, and those of a kind that is not read."""
        files = await self._in_thread(partial(self._files, channel, span))
        return [
            file.path.name for file in files if file.fault is not None and not file.pieces and file.span.intersect(span)
        ]

    async def list_cameras(self) -> list[ListedCamera]:
        """See ``protocol.TellsCameras``: the channels that have files."""
        channels = await self._in_thread(lambda: self._layout.channels(self._checked_root()))
        return [ListedCamera(channel) for channel in channels]

    def _files(self, channel: str, span: Span) -> list[File]:
        root = self._checked_root()
        if not self._layout.has(root, channel):
            raise WrongChannel(
                f"Recorder {self._identity} has no channel {channel!r}: correct the camera's channel in the register, "
                "then retry."
            )
        return self._layout.files(root, channel, span)

    def _segment(self, channel: str, file: File) -> Segment:
        return Segment(
            name=file.path.name,
            channel=channel,
            span=file.span,
            size=file.size,
            container=file.container,
            open=partial(self._bytes, file),
        )

    def _checked_root(self) -> Path:
        root = self._root.resolve()
        self._check_place(root)
        if not root.is_dir():
            raise RecorderDown(
                f"Recorder {self._identity} is down: its folder {root} is not there. Mount it.",
                "missing",
            )
        if next(root.iterdir(), None) is None:
            raise RecorderDown(
                f"Recorder {self._identity} is down: its folder {root} is empty, as a mount point is without its disk. "
                "Mount it.",
                "empty",
            )
        return root

    def _check_place(self, root: Path) -> None:
        """Looked at each time: a link may lead somewhere else since."""
        if self._roots is None:
            return
        if not self._roots:
            raise OutsideRoots(
                f"Recorder {self._identity} is a folder, and no folder is allowed: set FOOTAGE_DESK_RECORDERS__ROOTS "
                "to the folders that recorders lie under, then start again."
            )
        if not any(root.is_relative_to(allowed.resolve()) for allowed in self._roots):
            raise OutsideRoots(
                f"Recorder {self._identity} lies outside the folders that FOOTAGE_DESK_RECORDERS__ROOTS allows: move "
                "it under one of them, or add its folder there."
            )

    async def _in_thread(self, read: Callable[[], R]) -> R:
        try:
            return await run_in_thread(read)
        except OSError as error:
            raise self._down(error) from error

    def _down(self, error: OSError) -> RecorderDown:
        return RecorderDown(
            f"Recorder {self._identity} could not be read: {error.strerror or error}. Look at its disk or mount.",
            "denied" if isinstance(error, PermissionError) else "unreadable",
        )

    async def _bytes(self, file: File) -> AsyncIterator[bytes]:
        # No further than it was when it was measured: the newest segment is still being written.
        left = file.size
        try:
            with await run_in_thread(file.path.open, "rb") as stream:
                while left and (chunk := await run_in_thread(stream.read, min(READ, left))):
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            if not (is_of_file(error) and await run_in_thread(_others_can_be_read, file.path)):
                raise self._down(error) from error
            # what came is passed on, and the clip tells what lacks


def _others_can_be_read(path: Path) -> bool:
    with suppress(OSError):
        return can_any_be_read(
            [Path(one.path) for one in listed(path.parent) if one.is_file() and one.name != path.name]
        )
    return False


def _layout(name: str, zone: ZoneInfo, pattern: str) -> Layout:
    if name == "mediamtx":
        return MediaMtxLayout(zone)
    if name == "frigate":
        return FrigateLayout()
    if name != "plain":
        raise Fatal(f"A folder recorder has the layout {name!r}: set one of {', '.join(LAYOUTS)}.")
    try:
        return PlainLayout(zone, pattern)
    except PatternError as error:
        raise Fatal(
            f"A folder recorder's pattern is {pattern!r}: set one that holds day, hour, minute and second once each, "
            "such as %Y%m%d_%H%M%S."
        ) from error


async def _only(segment: Segment) -> AsyncIterator[Segment]:
    yield segment


def _number(configuration: Mapping[str, str], name: str) -> int | None:
    text = configuration.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise Fatal(f"A folder recorder's {name} is {text!r}: set a whole number of milliseconds.") from error
