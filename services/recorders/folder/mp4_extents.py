"""How far the pictures in an MP4 file on disk reach: read from its boxes, whatever the file's name says."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from services.runtime.boxes import MAX_INDEX_BYTES, BoxError, Movie, Track, header, read_fragment, read_movie


@dataclass(frozen=True)
class Extent:
    """Media times of the pictures, in seconds from the file's start; ``fault`` is None where the file is whole."""

    pieces: tuple[tuple[float, float], ...]
    fragmented: bool
    fault: str | None


def read_extent(path: Path) -> Extent:
    """Walk the file's boxes; what is cut off or garbled counts for nothing. Raises OSError only."""
    size = path.stat().st_size
    with path.open("rb") as file:
        return _Walk(file, size).extent()


class _Walk:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._movie: Movie | None = None
        self._pending: tuple[float, float] | None = None  # of a fragment whose data has not been seen whole
        self._pieces: list[tuple[float, float]] = []

    def extent(self) -> Extent:
        fault: str | None = None
        try:
            self._walk()
        except BoxError as error:
            fault = str(error)
        if self._movie is None:
            fault = fault or "the file has no index (moov box)"
        fragmented = self._movie is not None and self._movie.fragmented
        return Extent(tuple(self._pieces), fragmented, fault)

    def _walk(self) -> None:
        offset = 0
        media = False
        while offset < self._size:
            self._file.seek(offset)
            kind, _, length = header(self._file.read(16), 0)
            length = length or self._size - offset
            if offset + length > self._size:
                raise BoxError(f"box {kind} declares {length} bytes and {offset + length - self._size} are missing")
            if kind in ("moov", "moof"):
                self._index(kind, offset, length)
            elif kind == "mdat":
                media = True
                if self._pending is not None:
                    self._pieces.append(self._pending)
                    self._pending = None
            offset += length
        track = self._track()
        if media and track is not None and self._movie is not None and not self._movie.fragmented:
            self._pieces.append((0.0, track.duration / track.timescale))

    def _index(self, kind: str, offset: int, length: int) -> None:
        if length > MAX_INDEX_BYTES:
            raise BoxError(f"box {kind} of {length} bytes is larger than the {MAX_INDEX_BYTES} that are read")
        self._file.seek(offset)
        contents = self._file.read(length)
        if kind == "moov":
            self._movie = self._movie or read_movie(contents)
            return
        track = self._track()
        if self._movie is None or track is None:
            return
        for run in read_fragment(contents, self._movie):
            if run.track == track.number and run.samples:
                begin = run.decode_time / track.timescale
                self._pending = (begin, begin + run.duration / track.timescale)

    def _track(self) -> Track | None:
        return self._movie.first("vide") if self._movie is not None else None
