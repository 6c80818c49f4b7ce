"""A bench for the sealing tests: made footage in, sealed object out, and the truth to hold against it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from footage_maker import Picture, Written

from services.recorders.folder.recorder import FolderRecorder
from services.runtime.settings.stores import FolderStore
from services.runtime.spans import Span
from services.vault.age import Reader, X25519Identity, generate_identity
from services.vault.packets import packet_hashes, part_of
from services.vault.sealing import TOLERANCE_MS, Sealed, open_sealed, seal
from services.vault.store.opening import open_store
from services.vault.store.protocol import Location, Store, Target
from services.vault.verdict import FootageSource

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """That many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def span(start: float, end: float) -> Span:
    """A span in seconds after noon."""
    return Span(at(start), at(end))


@dataclass(frozen=True)
class Given:
    """A segment as a test wants it, whatever it holds."""

    name: str
    channel: str
    span: Span
    body: bytes
    size: int | None = None
    container: str = "fmp4"
    step: timedelta = timedelta(0)

    def open(self) -> AsyncIterator[bytes]:
        return self._bytes()

    async def _bytes(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.body), 50_000):
            yield self.body[start : start + 50_000]


def given(written: Written, channel: str = "cam1", **changes: Any) -> Given:
    """A segment on disk, handed over by hand."""
    body = changes.pop("body", written.path.read_bytes())
    return Given(written.path.name, channel, Span(written.start, written.end), body, **changes)


async def stream(segments: Sequence[Any]) -> AsyncIterator[Any]:
    """Segments, one after another."""
    for segment in segments:
        yield segment


@dataclass
class Bench:
    """A store, a key, and the folder that cameras record into."""

    store: Store
    root: Path
    identity: str = field(init=False)
    recipient: str = field(init=False)

    def __post_init__(self) -> None:
        self.identity, self.recipient = generate_identity()

    @classmethod
    def in_folder(cls, folder: Path) -> "Bench":
        store = open_store(FolderStore(folder / "store", "test"))
        store.ensure()
        return cls(store, folder / "recordings")

    @property
    def recorder(self) -> FolderRecorder:
        return FolderRecorder.from_configuration({"root": str(self.root)})

    async def seal(
        self, asked: Span, segments: Sequence[Any] | AsyncIterator[Any] | None = None, **changes: Any
    ) -> Sealed:
        """Seal what the folder holds of the span, or the segments given, as channel cam1 under the key ``key``."""
        channel = changes.pop("channel", "cam1")
        source = self.recorder.fetch(channel, asked) if segments is None else segments
        if isinstance(source, Sequence):
            source = stream(source)
        promised = changes.pop("promised", None)
        if promised is None:
            promised = await self.recorder.coverage(channel, asked) if segments is None else []
        target = Target(
            changes.pop("store", self.store),
            "masters",
            changes.pop("key", "masters/item/1"),
            {"item": "item"},
            legal_hold=changes.pop("legal_hold", False),
        )
        known = changes.pop("expected_fingerprint", None)
        footage = FootageSource(source, asked, channel, promised, changes.pop("requested", None), known)
        footage = replace(footage, least_share=changes.pop("least_share", footage.least_share))
        return await seal(footage, target, recipients=changes.pop("recipients", [self.recipient]), **changes)

    def reader(self, location: Location, identity: str | None = None) -> Reader:
        return open_sealed(self.store, location, X25519Identity(identity or self.identity))

    def hashes(self, sealed: Sealed, kind: str = "video", identity: str | None = None) -> list[str]:
        """The packets of all parts."""
        reader = self.reader(sealed.location, identity)
        return [one for part in sealed.coverage.parts for one in packet_hashes(part_of(reader, part), kind)]

    def objects(self) -> list[str]:
        """Everything in the bucket of masters and of copies, and unfinished uploads of the test's key."""
        return [*self.store.list_keys("masters"), *self.store.list_keys("copies")]


def wanted(written: Sequence[Written], asked: Span) -> list[Picture]:
    """What a clip must hold, by the truth: from the key frame at or before the start up to the end. For cameras
    without B-frames, where pictures are shown in decoding order."""
    pictures = [picture for one in written for picture in one.pictures]
    keys = [index for index, picture in enumerate(pictures) if picture.key and picture.at <= asked.start]
    first = keys[-1] if keys else next(index for index, picture in enumerate(pictures) if picture.key)
    return [picture for picture in pictures[first:] if picture.at < asked.end]


def assert_honest(bench: Bench, sealed: Sealed, written: Sequence[Written]) -> None:
    """Hold the verdict against the truth: no picture is invented or changed, and each that lacks lies in a gap that is
    named; what is called complete lacks none."""
    asked = sealed.coverage.asked
    truth = [picture for one in written for picture in one.pictures]
    got = bench.hashes(sealed)
    known = {picture.sha256 for picture in truth}
    assert set(got) <= known
    assert len(got) == len(set(got))
    lacking = [picture for picture in truth if picture.sha256 not in set(got) and asked.start <= picture.at < asked.end]
    for picture in lacking:
        if min(picture.at - asked.start, asked.end - picture.at) < timedelta(milliseconds=TOLERANCE_MS):
            continue  # at the very edge: less than time stamps are good for
        moment = Span(picture.at, picture.at + timedelta(milliseconds=1))
        near = [hole.widen(timedelta(milliseconds=1)) for hole in sealed.coverage.gaps]
        assert any(moment.intersect(hole) for hole in near), f"picture {picture.number} lacks and no gap says so"
