"""How far the pictures in an MP4 file on disk reach: read from its boxes, whatever the file's name says."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from services.runtime.boxes import MAX_INDEX_BYTES, BoxError, Movie, Track, header, read_fragment, read_movie

LONGEST_HOURS = 26  # of one file; what claims to reach further is garbled


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
        self._fault: str | None = None  # the first one behind which the file goes on

    def extent(self) -> Extent:
        try:
            self._walk()
        except BoxError as error:
            self._fault = self._fault or str(error)
        fault = self._fault
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
                    self._add(self._pending)
                    self._pending = None
            offset += length
        track = self._track()
        if media and track is not None and self._movie is not None and not self._movie.fragmented:
            self._add(piece_of(track, 0, track.duration))

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
                self._pending = piece_of(track, run.decode_time, run.duration)

    def _add(self, piece: tuple[float, float]) -> None:
        if piece[1] < LONGEST_HOURS * 3600:
            self._pieces.append(piece)
        else:
            self._fault = self._fault or f"its pictures would end {round(piece[1])} seconds behind its start"

    def _track(self) -> Track | None:
        return self._movie.first("vide") if self._movie is not None else None


def piece_of(track: Track, begin: int, duration: int) -> tuple[float, float]:
    """Where pictures begin and end, in seconds; both arguments in the track's ticks."""
    return begin / track.timescale, (begin + duration) / track.timescale
