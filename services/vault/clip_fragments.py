"""The pictures of fragmented MP4, found by the fragments' own tables: no packet is made of them, no byte is copied.

Only where the layout is the plainest (``clip_tables``), and each picture is what its fragment says. From a fragment on
that is otherwise, the media library reads the rest of the segment.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from av.container import InputContainer

from services.runtime.boxes import LARGEST_INDEX
from services.vault.clip_packets import Boxed, Read, Unpacked
from services.vault.clip_sample import Sample
from services.vault.clip_source import Damaged, Source
from services.vault.clip_streams import Scale, Tracks
from services.vault.clip_tables import Row, table
from services.vault.clip_units import complete, leads

LARGEST = 16 << 20  # bytes of a fragment whose pictures are looked at before any is passed on
_BETWEEN = {b"ftyp", b"styp", b"moov", b"free", b"skip"}  # boxes that say nothing of the pictures behind them


def reader(container: InputContainer, tracks: Tracks, source: Source) -> "Fragmented | Boxed | Unpacked":
    """Reads what the source's container holds; raises Damaged."""
    if source.plain is not None:
        return Fragmented(container, tracks, source)
    return Unpacked(container, tracks, source) if source.boxes is None else Boxed(container, tracks)


class _Stretch:
    """The source's bytes in order, in the pieces they came in."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._piece = b""
        self._at = 0

    def take(self, size: int) -> tuple[bytes, int] | None:
        """So many bytes: a piece, and where they begin in it; None where fewer are left, which stay."""
        piece, at = self._piece, self._at
        if len(piece) - at < size:
            if at == len(piece):
                piece, at = self._source.piece(), 0
            if len(piece) - at < size:
                return self._across(piece[at:], size)
        self._piece, self._at = piece, at + size
        return piece, at

    def _across(self, begun: bytes, size: int) -> tuple[bytes, int] | None:
        parts, missing = [begun], size - len(begun)
        while missing > 0:
            piece = self._source.piece()
            if not piece:
                self._piece, self._at = b"".join(parts), 0
                return None
            parts.append(piece[:missing])
            self._piece, self._at = piece, min(missing, len(piece))
            missing -= len(piece)
        return b"".join(parts), 0

    def copied(self, size: int) -> bytes | None:
        got = self.take(size)
        return None if got is None else got[0][got[1] : got[1] + size]

    def rest(self) -> bytes:
        """What is left of the piece that was begun."""
        left, self._piece, self._at = self._piece[self._at :], b"", 0
        return left


class _Remainder:
    """Reads like a file: bytes that were taken, then what the source has left."""

    def __init__(self, taken: bytes, source: Source) -> None:
        self._taken = taken
        self._at = 0
        self._source = source

    def read(self, size: int) -> bytes:
        if self._at == len(self._taken):
            return self._source.read(size)
        part = self._taken[self._at : self._at + size]
        self._at += len(part)
        return part


class Fragmented(Boxed):
    """As ``Boxed``; the library is asked only for what is laid out otherwise, or holds pictures that are not as their
    fragment says."""

    def __init__(self, container: InputContainer, tracks: Tracks, source: Source) -> None:
        super().__init__(container, tracks)
        self._source = source
        self._stretch = _Stretch(source)
        self._index = b""  # the boxes before the first fragment
        self._before = b""  # the moof of the last fragment
        self._whole: list[Row] = []  # its pictures
        self._end: int | None = None  # decoding time at which they end
        self._scale = Scale.of(tracks.video)
        self._latest = tracks  # with what key frames have changed

    def packets(self) -> Iterator[Read]:
        """In the order of the segment; raises Damaged."""
        if not complete(self.tracks.codec, self.tracks.sets):
            yield from self._otherwise([])
            return
        while (head := self._stretch.copied(8)) is not None:
            size, kind = int.from_bytes(head[:4], "big"), head[4:]
            fits = 8 <= size <= LARGEST_INDEX and (kind == b"moof" or kind in _BETWEEN)
            body = self._stretch.copied(size - 8) if fits else None
            if body is None:
                yield from self._otherwise([head])
                return
            box = head + body
            if kind != b"moof":
                self._index += box if self._end is None else b""
                continue
            taken: list[bytes | memoryview] = [box]
            pictures = self._pictures(box, taken)
            if pictures is None:
                yield from self._otherwise(taken)
                return
            for row, sample in pictures:
                yield self._read(row, sample)

    def _pictures(self, box: bytes, taken: list[bytes | memoryview]) -> list[tuple[Row, Sample]] | None:
        """The pictures of a whole fragment; None where it is not the plainest. What was read of it is in ``taken``."""
        rows = None if self._source.plain is None else table(box, self._source.plain)
        if rows is None or (self._end or 0) > rows[0].dts:
            return None
        whole = sum(row.size for row in rows)
        head = self._stretch.copied(8) if whole <= LARGEST else None
        if head is None:
            return None
        taken.append(head)
        if head != (8 + whole).to_bytes(4, "big") + b"mdat":
            return None
        pictures = []
        for row in rows:
            got = self._stretch.take(row.size)
            if got is None:
                return None
            sample = Sample(*got, row.size, row.duration, key=row.key)
            view = sample.view
            taken.append(view)
            if leads(self._latest.codec, view, self._latest.length_width) is not row.key:
                return None
            pictures.append((row, sample))
        self._before, self._whole, self._end = box, rows, rows[-1].dts + rows[-1].duration
        return pictures

    def _read(self, row: Row, sample: Sample) -> Read:
        number, scale = self.tracks.video.id, self._scale
        self.counted[number] = self.counted.get(number, 0) + 1
        if row.key:
            self._latest = self._follow(self._latest, sample.view)
        dts = scale.ns(row.dts)
        pts = dts if row.pts == row.dts else scale.ns(row.pts)
        return Read(sample, dts, pts, scale.ns(row.duration), tracks=self._latest if row.key else None)

    def _otherwise(self, taken: list[bytes | memoryview]) -> Iterator[Read]:
        """The rest of the segment, read by the library.

        It is given the boxes before the first fragment, the fragment before without its pictures' bytes, since a
        damaged one may have to go on where that ended, and what follows.
        """
        empty = sum(row.size for row in self._whole)
        head = (8 + empty).to_bytes(4, "big") + b"mdat" if self._before else b""
        rest = b"".join((self._index, self._before, head, bytes(empty), *taken, self._stretch.rest()))
        container = self._source.continued(_Remainder(rest, self._source))
        if not container.streams.video:
            raise Damaged("the segment has no picture track")
        read = Boxed(container, replace(self._latest, video=container.streams.video[0]))
        number = self.tracks.video.id
        self.counted[number] = self.counted.get(number, 0) - len(self._whole)
        read.counted = self.counted
        yield from islice(read.packets(), len(self._whole), None)
