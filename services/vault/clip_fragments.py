"""The pictures of fragmented MP4, found by the fragments' own tables: no packet is made of them, no byte is copied.

Only where the layout is the plainest (``clip_tables``), and each picture is what its fragment says. From a fragment on
that is otherwise, the media library reads the rest of the segment.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import av
from av.container import InputContainer

from services.runtime.boxes import LARGEST_INDEX
from services.vault.clip_packets import Boxed, Followers, Read, Unpacked
from services.vault.clip_sample import Sample
from services.vault.clip_source import BOXED, Damaged, Once, Source
from services.vault.clip_streams import Scale, Tracks
from services.vault.clip_tables import Row, table
from services.vault.clip_units import complete, is_whole, leads

LARGEST = 16 << 20  # bytes of a fragment whose pictures are looked at before any is passed on
_PROVEN: set[tuple[str, bytes]] = set()  # records with which the library finds what the tables say
_BETWEEN = {b"ftyp", b"styp", b"moov", b"free", b"skip", b"mfra"}  # boxes that say nothing of the pictures behind them


def reader(container: InputContainer, tracks: Tracks, source: Source) -> "Fragmented | Boxed | Unpacked":
    """Reads what the source's container holds; raises Damaged."""
    if source.plain is not None:
        return Fragmented(container, tracks, source)
    return Unpacked(container, tracks, source) if source.boxes is None else Boxed(container, tracks)


class _Stretch:
    """The source's bytes in order, in the pieces they came in."""

    def __init__(self, source: Source) -> None:
        self.lengths: list[int] = []  # of the pieces
        self._source = source
        self._piece = memoryview(b"")
        self._at = 0

    def _next(self) -> memoryview:
        piece = memoryview(self._source.piece())
        self.lengths.append(len(piece))
        return piece

    def take(self, size: int) -> tuple[memoryview, int] | None:
        """So many bytes: a piece, and where they begin in it; None where fewer are left, which stay."""
        piece, at = self._piece, self._at
        if len(piece) - at < size:
            if at == len(piece):
                piece, at = self._next(), 0
            if len(piece) - at < size:
                return self._across(piece[at:], size)
        self._piece, self._at = piece, at + size
        return piece, at

    def _across(self, begun: memoryview, size: int) -> tuple[memoryview, int] | None:
        parts, missing = [begun], size - len(begun)
        while missing > 0:
            piece = self._next()
            if not piece:
                self._piece, self._at = memoryview(b"".join(parts)), 0
                return None
            parts.append(piece[:missing])
            self._piece, self._at = piece, min(missing, len(piece))
            missing -= len(piece)
        return memoryview(b"".join(parts)), 0

    def copied(self, size: int) -> bytes | None:
        got = self.take(size)
        return None if got is None else bytes(got[0][got[1] : got[1] + size])

    def rest(self) -> memoryview:
        """What is left of the piece that was begun."""
        left, self._piece, self._at = self._piece[self._at :], memoryview(b""), 0
        return left


class _Again:
    """Reads like a file: the segment from its beginning, but for pictures that were passed on, of which there are
    zeros.

    It comes in the pieces that it came in, of ``lengths``: how far the library can go back hangs on how much it read at
    once.
    """

    def __init__(self, parts: Sequence[bytes | memoryview | int], lengths: Iterable[int], source: Source) -> None:
        self._parts = deque(parts)  # a number is that of zeros
        self._lengths = deque(lengths)
        self._source = source

    def read(self, size: int) -> bytes:
        while self._lengths and not self._lengths[0]:
            self._lengths.popleft()
        if not self._lengths:
            return self._source.read(size)
        wanted = min(size, self._lengths[0])
        self._lengths[0] -= wanted
        got: list[bytes] = []
        while wanted:
            part = self._parts.popleft()
            rest: int | memoryview
            if isinstance(part, int):
                taken, rest = bytes(min(part, wanted)), max(0, part - wanted)
            else:
                taken, rest = bytes(part[:wanted]), memoryview(part)[wanted:]
            if rest:
                self._parts.appendleft(rest)
            wanted -= len(taken)
            got.append(taken)
        return b"".join(got)


class Fragmented(Boxed):
    """As ``Boxed``; the library is asked only for what is laid out otherwise, or holds pictures that are not as their
    fragment says."""

    def __init__(self, container: InputContainer, tracks: Tracks, source: Source) -> None:
        super().__init__(container, tracks)
        self._source = source
        self._stretch = _Stretch(source)
        self._past: list[bytes | int] = []  # the boxes that were read, and how many bytes of pictures lay between
        self._held = 0  # bytes of these boxes
        self._given = 0  # pictures
        self._end = 0  # decoding time at which they end
        self._scale = Scale.of(tracks.video)
        self._latest = tracks  # with what key frames have changed

    def packets(self) -> Iterator[Read]:
        """In the order of the segment; raises Damaged."""
        codec, record = self.tracks.codec, self.tracks.record
        if not (complete(codec, self.tracks.sets) and is_whole(codec, record)):
            yield from self._otherwise([])
            return
        while (head := self._stretch.copied(8)) is not None:
            size, kind = int.from_bytes(head[:4], "big"), head[4:]
            fits = 8 <= size <= LARGEST_INDEX and (kind == b"moof" or kind in _BETWEEN)
            body = self._stretch.copied(size - 8) if fits else None
            if body is None or self._held > LARGEST_INDEX:
                yield from self._otherwise([head] if body is None else [head, body])
                return
            box = head + body
            if kind != b"moof":
                self._keep(box)
                continue
            taken: list[bytes | memoryview] = [box]
            pictures = self._pictures(box, taken)
            if pictures is None:
                yield from self._otherwise(taken)
                return
            number = self.tracks.video.id
            self.counted[number] = self.counted.get(number, 0) + len(pictures)
            first = self._read(*pictures[0])
            first.followers = self._followers(pictures)
            yield first
            if first.followers is None:
                for row, sample in pictures[1:]:
                    yield self._read(row, sample)

    def _pictures(  # noqa: PLR0911 - each is a way to be laid out otherwise
        self, box: bytes, taken: list[bytes | memoryview]
    ) -> list[tuple[Row, Sample]] | None:
        """The pictures of a whole fragment; None where it is not the plainest. What was read of it is in ``taken``."""
        rows = None if self._source.plain is None else table(box, self._source.plain)
        if rows is None or self._end > rows[0].dts:
            return None
        whole = sum(row.size for row in rows)
        head = self._stretch.copied(8) if whole <= LARGEST else None
        if head is None:
            return None
        taken.append(head)
        if head != (8 + whole).to_bytes(4, "big") + b"mdat":
            return None
        pictures = []
        codec, width = self._latest.codec, self._latest.length_width
        for row in rows:
            got = self._stretch.take(row.size)
            if got is None:
                return None
            sample = Sample(*got, row.size, row.duration, key=row.key)
            taken.append(sample.view)
            if leads(codec, sample.view, width) is not row.key:
                return None
            pictures.append((row, sample))
        if not (self._given or self._proven(rows, taken)):
            return None
        self._keep(box, head, whole)
        self._given += len(rows)
        self._end = rows[-1].dts + rows[-1].duration
        return pictures

    def _proven(self, rows: list[Row], taken: list[bytes | memoryview]) -> bool:
        """Whether the library finds the same in the first fragment; asked once for each record of the pictures."""
        key = self.tracks.codec, self.tracks.record
        if key in _PROVEN:
            return True
        parts = [bytes(one) for one in (*self._past, *taken)]
        try:
            with self._source.opened(Once(b"".join(parts)), BOXED) as container:
                packets = [one for one in container.demux(*container.streams.video) if one.size]
                found = [(one.size, one.dts, one.pts, one.duration, one.is_keyframe) for one in packets]
        except (av.FFmpegError, ValueError):
            return False
        if found == [(row.size, row.dts, row.pts, row.duration, row.key) for row in rows]:
            _PROVEN.add(key)
        return key in _PROVEN

    def _keep(self, *read: bytes | int) -> None:
        self._past += read
        self._held += sum(len(one) for one in read if not isinstance(one, int))

    def _read(self, row: Row, sample: Sample) -> Read:
        scale = self._scale
        if row.key:
            self._latest = self._follow(self._latest, sample.view)
        dts = scale.ns(row.dts)
        pts = dts if row.pts == row.dts else scale.ns(row.pts)
        return Read(sample, dts, pts, scale.ns(row.duration), tracks=self._latest if row.key else None)

    def _followers(self, pictures: list[tuple[Row, Sample]]) -> Followers | None:
        """All but the first; None where they are not as such pictures are."""
        rows = [row for row, _ in pictures[1:]]
        if not rows or any(row.key or row.pts != row.dts or row.duration != rows[0].duration for row in rows):
            return None
        ns = self._scale.ns
        samples = [sample for _, sample in pictures[1:]]
        return Followers(samples, [ns(row.dts) for row in rows], ns(rows[0].duration))

    def _otherwise(self, taken: list[bytes | memoryview]) -> Iterator[Read]:
        """The rest of the segment, read by the library.

        It goes through the fragments before once more, and so knows all that it would know: what it makes of a damaged
        one hangs on those.
        """
        parts = [*self._past, *taken, self._stretch.rest()]
        container = self._source.continued(_Again(parts, self._stretch.lengths, self._source))
        if not container.streams.video:
            raise Damaged("the segment has no picture track")
        read = Boxed(container, replace(self._latest, video=container.streams.video[0]))
        number = self.tracks.video.id
        self.counted[number] = self.counted.get(number, 0) - self._given
        read.counted = self.counted
        yield from islice(read.packets(), self._given, None)
