"""The protocol of recorders: what they hold, and how it is fetched, segment by segment."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from services.runtime.errors import Fatal, Retryable
from services.runtime.spans import Span
from services.runtime.storage_health import Disk

# Neighbours this close are one recording; the names of MediaMTX's files are inexact by 0.05 s.
JOIN_TOLERANCE = timedelta(milliseconds=200)


# Codes of what a wait does not mend. The rest may be a recorder that restarts: one that boots may answer with a page.
REFUSALS = frozenset(
    {
        "denied",
        "tls",
        "login",
        "privacy",
        "forbidden",
        "zone",
        "broken-off",
        "damaged-files",
        "too-large",
        "kind-failed",
    }
)


class RecorderDown(Retryable):
    """The recorder cannot be reached, or its storage is not there.

    ``code`` is missing, empty, denied or unreadable for a folder, one of those that ``HttpClient`` names for what
    answers over HTTP, zone where its own time zone is not the one entered, kind-failed where another package's kind
    has a defect, damaged-files where these hide what it has beside them, or down where nothing more is known. It is
    away unless the code is one of ``REFUSALS``; one that ``hangs`` is away too: it has begun an answer, of which
    nothing more comes, or next to nothing.
    """

    runbook = "recorder-down"

    def __init__(self, message: str, code: str = "down", *, hangs: bool = False, awaits: str | None = None) -> None:
        super().__init__(message, away="recorder" if hangs or code not in REFUSALS else None, awaits=awaits)
        self.code = code
        self.hangs = hangs or code == "silent"


class OutsideRoots(Fatal):
    """The recorder's address or folder is not one that the settings allow."""

    runbook = "recorder-down"


class WrongChannel(Fatal):
    """The recorder has no such channel."""

    runbook = "recorder-down"


class ReplayUnsupported(Fatal):
    """The recorder can be queried and not fetched from: a person exports the footage and uploads it."""

    runbook = "recorder-down"
    code = "replay-unsupported"


class NothingRecorded(Exception):
    """The recorder works and holds nothing at that moment."""


class OutOfReach(NothingRecorded):
    """The recorder has something at that moment, in a recording too large to be read for one picture."""


@dataclass(frozen=True)
class Segment:
    """A piece of footage as the recorder stores it.

    ``span`` starts at the wall-clock time of the segment's media time 0; in mkv, ts, ps and dav, whose times begin
    anywhere, at that of its first picture. ``size`` in bytes, where it is known before reading; ``container`` is one of
    mp4, fmp4, mov, mkv, ts, ps, dav; ``open`` begins a new stream of its bytes. ``step`` is the resolution of its
    times: neighbours that lie no further apart may be contiguous.
    """

    name: str
    channel: str
    span: Span
    size: int | None
    container: str
    open: Callable[[], AsyncIterator[bytes]]
    step: timedelta = timedelta(0)


@dataclass(frozen=True)
class RecorderFacts:
    """What a recorder reports about itself.

    ``clock_offset_ms`` is its clock minus true time, None where it was not measured; ``oldest_frame`` is by channel.
    """

    make: str
    model: str
    identity: str
    reachable: bool
    oldest_frame: dict[str, datetime]
    clock_offset_ms: int | None
    clock_method: str
    clock_uncertainty_ms: int | None
    zone: str


class Recorder(Protocol):
    """One recorder. Every method raises RecorderDown and WrongChannel."""

    async def probe(self) -> RecorderFacts:
        """Read make, clock and oldest frames; one that is down is reported by ``reachable``, not raised."""
        ...

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        """List what exists of the span, without its gaps and without fetching it."""
        ...

    def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        """Yield the segments that hold something of the span, in order of time."""
        ...

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        """Return the picture shown at that moment, as JPEG; raises NothingRecorded."""
        ...

    async def protect(self, channel: str, span: Span) -> bool:
        """Protect the span from being overwritten; False where the recorder cannot."""
        ...

    async def release(self, channel: str, span: Span) -> None:
        """Undo ``protect``."""
        ...


@dataclass(frozen=True)
class RecorderExport:
    """One export that a recorder knows: footage that was taken from it, by this program or by somebody else.

    ``start`` is the first moment of what it holds, None where the recorder does not say it. ``own``: it bears the name
    that this program gives to its exports, which others can give too.
    """

    id: str
    channel: str
    name: str
    start: datetime | None
    own: bool
    finished: bool


@runtime_checkable
class TellsExports(Protocol):
    """A recorder that tells which exports it has made. Those of the other drivers do not tell."""

    async def list_exports(self) -> list[RecorderExport]:
        """List the exports that the recorder has; raises RecorderDown."""
        ...


@runtime_checkable
class TellsDisks(Protocol):
    """A recorder that tells of its disks. Those of the other drivers do not tell."""

    async def list_disks(self) -> list[Disk]:
        """List the disks on which the recorder records; raises RecorderDown."""
        ...


@dataclass(frozen=True)
class ListedCamera:
    """A camera as a recorder lists it.

    ``channel`` is what the register names it by, ``also`` what else names the same footage, ``name`` the one that
    somebody gave it on the recorder, empty where there is none.
    """

    channel: str
    name: str = ""
    also: frozenset[str] = frozenset()


@runtime_checkable
class TellsUnread(Protocol):
    """A recorder that tells which files of a span lie there and are not read. Those of the other drivers do not."""

    async def list_unread(self, channel: str, span: Span) -> list[str]:
        """Name the files that can hold something of the span and tell nothing; raises RecorderDown and WrongChannel."""
        ...


@runtime_checkable
class TellsCameras(Protocol):
    """A recorder that lists its cameras. Those of the other drivers do not."""

    async def list_cameras(self) -> list[ListedCamera]:
        """List all cameras that the recorder has, whether it records them or not; raises RecorderDown."""
        ...
