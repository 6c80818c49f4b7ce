"""Recorders by kind, our own and those of other packages, each with a limit on its parallel fetches."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

import anyio
from anyio.lowlevel import RunVar

from services.recorders import secrets as recorder_secrets
from services.recorders.dahua.recorder import SCHEMA as DAHUA
from services.recorders.dahua.recorder import DahuaRecorder
from services.recorders.folder.recorder import SCHEMA as FOLDER
from services.recorders.folder.recorder import FolderRecorder
from services.recorders.frigate.recorder import SCHEMA as FRIGATE
from services.recorders.frigate.recorder import FrigateRecorder
from services.recorders.gb28181.recorder import SCHEMA as GB28181
from services.recorders.gb28181.recorder import Gb28181Recorder
from services.recorders.hikvision.recorder import SCHEMA as HIKVISION
from services.recorders.hikvision.recorder import HikvisionRecorder
from services.recorders.kinds import Kind, Places
from services.recorders.mediamtx.recorder import SCHEMA as MEDIAMTX
from services.recorders.mediamtx.recorder import MediamtxRecorder
from services.recorders.onvif.recorder import SCHEMA as ONVIF
from services.recorders.onvif.recorder import OnvifRecorder
from services.recorders.outside import Contained, find_outside
from services.recorders.protocol import Recorder, RecorderFacts, Segment, TellsCameras, TellsDisks, TellsExports
from services.recorders.upload.recorder import UploadRecorder
from services.recorders.zoneminder.recorder import SCHEMA as ZONEMINDER
from services.recorders.zoneminder.recorder import ZoneMinderRecorder
from services.runtime import metrics
from services.runtime.addresses import Guard, parse_networks
from services.runtime.errors import Fatal
from services.runtime.iterators import closing
from services.runtime.secret_box import NoSecretBox, SecretBox
from services.runtime.settings import Settings
from services.runtime.spans import Span

BUILT_IN = {
    "folder": Kind(
        FOLDER, lambda configuration, places: FolderRecorder.from_configuration(configuration, roots=places.roots)
    ),
    "frigate": Kind(
        FRIGATE, lambda configuration, places: FrigateRecorder.from_configuration(configuration, places.guard)
    ),
    "dahua": Kind(DAHUA, lambda configuration, places: DahuaRecorder.from_configuration(configuration, places.guard)),
    "gb28181": Kind(
        GB28181, lambda configuration, places: Gb28181Recorder.from_configuration(configuration, places.guard)
    ),
    "hikvision": Kind(
        HIKVISION, lambda configuration, places: HikvisionRecorder.from_configuration(configuration, places.guard)
    ),
    "mediamtx": Kind(
        MEDIAMTX, lambda configuration, places: MediamtxRecorder.from_configuration(configuration, places.guard)
    ),
    "onvif": Kind(ONVIF, lambda configuration, places: OnvifRecorder.from_configuration(configuration, places.guard)),
    "zoneminder": Kind(
        ZONEMINDER, lambda configuration, places: ZoneMinderRecorder.from_configuration(configuration, places.guard)
    ),
}
# Made when a person uploads a file; no form offers it.
UPLOAD = "upload"
OUTSIDE = find_outside({*BUILT_IN, UPLOAD})
KINDS = BUILT_IN | OUTSIDE.kinds
metrics.expect_recorders(KINDS)
ANYWHERE = Places()
PARALLEL_FETCHES = 2

Key = tuple[str, frozenset[tuple[str, str]]]
FETCH, PICTURE = "fetch", "picture"
# In this process: each worker process has as many.
_semaphores: RunVar[dict[tuple[str, *Key], anyio.Semaphore]] = RunVar("footage_desk_recorders")


def places_of(settings: Settings) -> Places:
    """Read from the settings where recorders may be."""
    return Places(settings.recorder_folders, Guard(parse_networks(settings.allowed_networks), ("http", "https")))


def open_recorder(
    kind: str, configuration: Mapping[str, str], places: Places = ANYWHERE, secrets: SecretBox | None = None
) -> Recorder:
    """Open a recorder of that kind, if it lies in an allowed place.

    ``parallel_fetches`` in its configuration sets how many fetches run at once (2). ``secrets`` decrypts what is
    encrypted in it. Raises Fatal where kind or configuration are not understood.
    """
    if kind == UPLOAD:
        return UploadRecorder.from_configuration(configuration)
    known = KINDS.get(kind)
    if known is None:
        raise Fatal(missing_kind(kind))
    text = configuration.get("parallel_fetches", str(PARALLEL_FETCHES))
    if not text.isdecimal() or int(text) < 1:
        raise Fatal(f"A recorder's parallel_fetches is {text!r}: set a whole number from 1 up.")
    opened = recorder_secrets.decrypt(kind, configuration, secrets or NoSecretBox(), places=known.schema.places)
    made = known.make(opened, places) if known.package is None else Contained.make(kind, known, opened, places)
    return Bounded(made, (kind, frozenset(configuration.items())), int(text))


def exports_of(recorder: Recorder) -> TellsExports | None:
    """Return the recorder as one that tells its exports; None for those of the drivers that do not."""
    inner = recorder.bounded if isinstance(recorder, Bounded) else recorder
    if isinstance(inner, Contained):
        return inner.exports()
    return inner if isinstance(inner, TellsExports) else None


def disks_of(recorder: Recorder) -> TellsDisks | None:
    """Return the recorder as one that tells of its disks; None for those of the drivers that do not."""
    inner = recorder.bounded if isinstance(recorder, Bounded) else recorder
    if isinstance(inner, Contained):
        return inner.disks()
    return inner if isinstance(inner, TellsDisks) else None


def cameras_of(recorder: Recorder) -> TellsCameras | None:
    """Return the recorder as one that lists its cameras; None for those of the drivers that do not."""
    inner = recorder.bounded if isinstance(recorder, Bounded) else recorder
    if isinstance(inner, Contained):
        return inner.cameras()
    return inner if isinstance(inner, TellsCameras) else None


def missing_kind(kind: str) -> str:
    """Say that there is no such kind, and why where a package should bring it."""
    for one in OUTSIDE.broken:
        if one.code == kind and kind not in KINDS:
            return f"The recorder type {kind!r} of {one.package} cannot be used. {one.message}"
    names = ", ".join(sorted(KINDS))
    return f"There is no recorder of the kind {kind!r}: set one of {names}, or install the package that brings it."


class Bounded:
    """A recorder behind a semaphore: a fetch holds it from its first segment until it is closed."""

    def __init__(self, recorder: Recorder, key: Key, places: int) -> None:
        self._recorder = recorder
        self._key = key
        self._places = places

    @property
    def bounded(self) -> Recorder:
        """The recorder itself."""
        return self._recorder

    async def probe(self) -> RecorderFacts:
        return await self._recorder.probe()

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        return await self._recorder.coverage(channel, span)

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        semaphore = self._semaphore(FETCH, self._places)
        with metrics.FETCHES_WAITING.labels(self._key[0]).track_inprogress():
            await semaphore.acquire()
        try:
            async with closing(self._recorder.fetch(channel, span)) as segments:
                async for segment in segments:
                    yield segment
        finally:
            semaphore.release()

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        # A semaphore of its own: fetches hold theirs for hours, and a person waits for a picture.
        async with self._semaphore(PICTURE, 1):
            return await self._recorder.snapshot(channel, at)

    async def protect(self, channel: str, span: Span) -> bool:
        return await self._recorder.protect(channel, span)

    async def release(self, channel: str, span: Span) -> None:
        await self._recorder.release(channel, span)

    def _semaphore(self, what: str, places: int) -> anyio.Semaphore:
        try:
            known = _semaphores.get()
        except LookupError:
            known = {}
            _semaphores.set(known)
        return known.setdefault((what, *self._key), anyio.Semaphore(places))
