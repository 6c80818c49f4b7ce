"""Kinds of recorder that other packages bring, by the entry points of one group.

Whatever is wrong with one of them is said, and stops nothing else: neither the start, nor another kind, nor a process
that asks its recorder. It cannot take the name of a kind of our own.
"""

import re
import traceback
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from services.recorders.configuration_schema import ConfigurationSchema
from services.recorders.kinds import Kind, Places
from services.recorders.protocol import (
    ListedCamera,
    NothingRecorded,
    Recorder,
    RecorderDown,
    RecorderExport,
    RecorderFacts,
    Segment,
    TellsCameras,
    TellsDisks,
    TellsExports,
)
from services.runtime.errors import Fatal, Retryable
from services.runtime.iterators import closing
from services.runtime.logs import get_logger
from services.runtime.spans import Span
from services.runtime.storage_health import Disk
from services.runtime.translations import Message, Text, Worded

log = get_logger(__name__)

GROUP = "footage_desk.recorders"
CONTAINERS = frozenset({"mp4", "fmp4", "mov", "mkv", "ts", "ps", "dav"})
_NAME = re.compile(r"[a-z][a-z0-9-]{1,39}")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FIELD_KINDS = frozenset({"text", "secret", "whole", "zone", "folder", "address", "choice", "pattern"})


@dataclass(frozen=True)
class Broken(Worded):
    """A kind that is installed and cannot be used; ``message`` says why, and what to do."""

    code: str
    package: str
    message: Text


@dataclass(frozen=True)
class Outside:
    """What was found: kinds by their names, and those that are broken."""

    kinds: dict[str, Kind] = field(default_factory=dict)
    broken: tuple[Broken, ...] = ()


def find_outside(taken: Collection[str]) -> Outside:
    """Load every kind that is installed; ``taken`` are the names that none may have. Raises nothing."""
    kinds: dict[str, Kind] = {}
    broken: list[Broken] = []
    for point in sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value)):
        package = _package(point)
        try:
            kinds[point.name] = replace(_loaded(point, {*taken, *kinds}), package=package)
        except Unusable as error:
            broken.append(Broken(point.name[:100], package, error.message))
            log.warning("recorder-kind-broken", kind=point.name, package=package, cause=str(error.message))
    return Outside(kinds, tuple(broken))


class Unusable(Exception):
    """A kind cannot be used."""

    def __init__(self, message: Message) -> None:
        super().__init__(str(message))
        self.message = message


def _loaded(point: EntryPoint, taken: Collection[str]) -> Kind:
    if point.name in taken:
        raise Unusable(Message("Its name is that of another type: give it a name of its own in its entry point."))
    try:
        kind = point.load()
    except (Exception, SystemExit) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise Unusable(
            Message("It cannot be loaded ({error}): install a release of it that fits this one.", error=said)
        ) from error
    if not isinstance(kind, Kind) or not isinstance(kind.schema, ConfigurationSchema) or not callable(kind.make):
        raise Unusable(Message("What its entry point names is no Kind: correct the entry point."))
    _check(point.name, kind.schema)
    return kind


def _check(name: str, schema: ConfigurationSchema) -> None:
    """Raises Unusable where a form or a database could not hold it."""
    if not _NAME.fullmatch(name):
        raise Unusable(Message("Its name must be lower-case letters, digits and hyphens, such as acme-nvr."))
    if schema.code != name:
        raise Unusable(
            Message("Its schema has another name ({code}) than its entry point.", code=str(schema.code)[:40])
        )
    names = [one.name for one in schema.fields]
    if len(set(names)) != len(names) or not all(map(_FIELD.fullmatch, names)):
        raise Unusable(Message("A field of its configuration has no usable name, or one that comes twice."))
    unknown = next((one.kind for one in schema.fields if one.kind not in _FIELD_KINDS), None)
    if unknown is not None:
        raise Unusable(Message("A field of its configuration is of an unknown sort ({kind}).", kind=str(unknown)[:40]))
    texts = [schema.message, *(text for one in schema.fields for text in (one.message, one.hint) if text is not None)]
    if not all(isinstance(text, Text) and text.zh.strip() and text.en.strip() for text in texts):
        raise Unusable(Message("A text of its form lacks Chinese or English: give both with Bilingual."))


def _place_of(error: Exception) -> str:
    """What was raised and where; not its text, which may have an address with a password in it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
    return f"{type(error).__name__}{where}"


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "?"


class Contained:
    """A recorder of another package's kind: what it raises beside the errors of the protocol is told as its fault."""

    def __init__(self, recorder: Recorder, code: str, package: str) -> None:
        self.contained = recorder
        self._code = code
        self._package = package

    @classmethod
    def make(cls, code: str, kind: Kind, configuration: Mapping[str, str], places: Places) -> "Contained":
        """Make one; raises Fatal where that fails."""
        try:
            return cls(kind.make(configuration, places), code, kind.package or "?")
        except (Fatal, Retryable):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a package does
            log.warning("recorder-kind-failed", kind=code, package=kind.package, where="make", error=_place_of(error))
            raise Fatal(
                f"The recorder type {code} of {kind.package} cannot make a recorder of this configuration "
                f"({type(error).__name__}): correct it, or give the log to whoever wrote the type."
            ) from None

    async def probe(self) -> RecorderFacts:
        with self._failures("probe"):
            facts = await self.contained.probe()
            if not isinstance(facts, RecorderFacts):
                raise TypeError("probe gave no RecorderFacts")
            return facts

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        with self._failures("coverage"):
            covered = await self.contained.coverage(channel, span)
            if not all(isinstance(one, Span) for one in covered):
                raise TypeError("coverage gave something that is no Span")
            return list(covered)

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        with self._failures("fetch"):
            async with closing(self.contained.fetch(channel, span)) as segments:
                async for segment in segments:
                    if not isinstance(segment, Segment) or segment.container not in CONTAINERS:
                        raise TypeError("fetch gave something that is no Segment of a known container")
                    yield replace(segment, open=_Opened(self, segment))

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        with self._failures("snapshot"):
            return bytes(await self.contained.snapshot(channel, at))

    async def protect(self, channel: str, span: Span) -> bool:
        with self._failures("protect"):
            return bool(await self.contained.protect(channel, span))

    async def release(self, channel: str, span: Span) -> None:
        with self._failures("release"):
            await self.contained.release(channel, span)

    def exports(self) -> TellsExports | None:
        """It, as one that tells its exports; None where it does not."""
        return _Exports(self, self.contained) if isinstance(self.contained, TellsExports) else None

    def disks(self) -> TellsDisks | None:
        """It, as one that tells of its disks; None where it does not."""
        return _Disks(self, self.contained) if isinstance(self.contained, TellsDisks) else None

    def cameras(self) -> TellsCameras | None:
        """It, as one that lists its cameras; None where it does not."""
        return _Cameras(self, self.contained) if isinstance(self.contained, TellsCameras) else None

    async def bytes_of(self, segment: Segment) -> AsyncIterator[bytes]:
        """What a segment holds."""
        with self._failures("open"):
            async with closing(segment.open()) as chunks:
                async for chunk in chunks:
                    yield bytes(chunk)

    @contextmanager
    def _failures(self, where: str) -> Iterator[None]:
        try:
            yield
        except (Fatal, Retryable, NothingRecorded):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a package does
            at = _place_of(error)
            log.warning("recorder-kind-failed", kind=self._code, package=self._package, where=where, error=at)
            raise RecorderDown(
                f"The recorder type {self._code} of {self._package} failed in {where} ({type(error).__name__}): give "
                "the log to whoever wrote it, or install a release that does not.",
                "kind-failed",
            ) from None


@dataclass(frozen=True)
class _Opened:
    contained: Contained
    segment: Segment

    def __call__(self) -> AsyncIterator[bytes]:
        return self.contained.bytes_of(self.segment)


@dataclass(frozen=True)
class _Exports:
    contained: Contained
    teller: TellsExports

    async def list_exports(self) -> list[RecorderExport]:
        with self.contained._failures("list_exports"):
            return list(await self.teller.list_exports())


@dataclass(frozen=True)
class _Disks:
    contained: Contained
    teller: TellsDisks

    async def list_disks(self) -> list[Disk]:
        with self.contained._failures("list_disks"):
            return list(await self.teller.list_disks())


@dataclass(frozen=True)
class _Cameras:
    contained: Contained
    teller: TellsCameras

    async def list_cameras(self) -> list[ListedCamera]:
        with self.contained._failures("list_cameras"):
            return list(await self.teller.list_cameras())
