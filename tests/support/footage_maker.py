"""Makes footage with a known truth: cameras whose every picture carries its number, in the layout that MediaMTX writes.

The truth (which picture at which moment, the bytes of each packet) is taken from the encoder, before any file is
written, and never from the code under test.
"""

import hashlib
import io
import random
import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path

import av

NAME = "%Y-%m-%d_%H-%M-%S-%f"
BITS = 16
SEGMENT = {
    "movflags": "empty_moov+default_base_moof+frag_discont+skip_trailer",
    "frag_duration": "1000000",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
}


@dataclass(frozen=True)
class Picture:
    """One packet of pictures as the encoder gave it: shown at ``at``, hash of the bytes that an MP4 holds."""

    number: int
    at: datetime
    sha256: str
    key: bool


@dataclass(frozen=True)
class Written:
    """One segment on disk and what is truly in it, in decoding order."""

    path: Path
    start: datetime
    end: datetime
    pictures: tuple[Picture, ...]
    sounds: tuple[str, ...]

    @property
    def hashes(self) -> list[str]:
        return [picture.sha256 for picture in self.pictures]


@dataclass
class Camera:
    """A camera on a recorder. ``stream`` is the identity that MediaMTX writes into its segments; None leaves it out."""

    root: Path
    channel: str
    size: tuple[int, int] = (160, 96)
    fps: int = 10
    group: int = 10  # pictures from key frame to key frame
    codec: str = "libx264"
    reorder: int = 0  # B-frames
    sound: bool = False
    tint: int = 0
    marked: bool = True
    _number: int = field(default=0, init=False)

    def record(self, start: datetime, seconds: int, *, segment: int = 4, overlap: int = 0) -> list[Written]:
        """Record without a break from ``start``, in segments of ``segment`` seconds; a new run of the stream. Each
        segment but the first repeats the last ``overlap`` seconds of the one before."""
        run = uuid.uuid4().hex
        whole, coded = self._encode(seconds)
        per_segment = segment * self.fps
        written = []
        for index, first in enumerate(range(0, len(coded), per_segment)):
            again = overlap if index else 0
            begins = start + timedelta(seconds=index * segment - again)
            place = first - again * self.fps
            part = coded[place : first + per_segment]
            path = self._write(begins, whole, place, part)
            if self.marked:
                mark(path, run, index, index * segment * 10**9)
            written.append(self._told(path, begins, part))
        return written

    def _told(self, path: Path, begins: datetime, part: list["Coded"]) -> Written:
        base = part[0].dts
        pictures = tuple(
            Picture(one.number, begins + timedelta(seconds=(one.pts - base) / self.fps), one.sha256, one.key)
            for one in part
        )
        seconds = len(part) / self.fps
        sounds = _sounds(seconds) if self.sound else ()
        return Written(path, begins, begins + timedelta(seconds=seconds), pictures, sounds)

    def _encode(self, seconds: int) -> tuple[bytes, list["Coded"]]:
        """The whole recording as one MP4, and its packets as the encoder gave them."""
        target = io.BytesIO()
        first = self._number
        coded = []
        with av.open(target, "w", format="mp4") as container:
            encoder = container.add_stream(self.codec, rate=self.fps)
            encoder.width, encoder.height = self.size
            encoder.pix_fmt = "yuv420p"
            encoder.gop_size = self.group
            encoder.max_b_frames = self.reorder
            encoder.options = self._options()
            for frame in [*(self._frame(first + index, index) for index in range(seconds * self.fps)), None]:
                for packet in encoder.encode(frame):
                    ticks = packet.time_base * self.fps
                    pts, dts = int(packet.pts * ticks), int(packet.dts * ticks)
                    coded.append(Coded(with_lengths(bytes(packet)), pts, dts, packet.is_keyframe, first + pts))
                    container.mux(packet)
        self._number += seconds * self.fps
        return target.getvalue(), coded

    def _options(self) -> dict[str, str]:
        if self.codec == "libx264":
            return {"preset": "ultrafast", "sc_threshold": "0", "threads": "1", "bf": str(self.reorder)}
        keys = f"keyint={self.group}:min-keyint={self.group}:scenecut=0:open-gop=0:bframes={self.reorder}"
        return {"preset": "ultrafast", "x265-params": f"log-level=none:pools=1:frame-threads=1:{keys}"}

    def _frame(self, number: int, pts: int) -> "av.VideoFrame":
        width, height = self.size
        frame = av.VideoFrame(width, height, "yuv420p")
        frame.pts = pts
        frame.time_base = Fraction(1, self.fps)
        step = width // BITS
        row = b"".join((b"\xeb" if number >> bit & 1 else b"\x10") * step for bit in range(BITS))
        row = row.ljust(frame.planes[0].line_size, b"\x80")
        # Noise below the number, so that no two packets are alike.
        noise = random.Random(number * 64 + self.tint).randbytes(len(row))  # noqa: S311 - a picture, no secret
        frame.planes[0].update(row * (height - 16) + noise * 16)
        for plane, level in ((1, 128 + self.tint % 64), (2, 128)):
            frame.planes[plane].update(bytes([level]) * frame.planes[plane].buffer_size)
        return frame

    def _write(self, begins: datetime, whole: bytes, first: int, part: list["Coded"]) -> Path:
        path = self.root / self.channel / f"{begins.strftime(NAME)}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            av.open(io.BytesIO(whole)) as source,
            av.open(str(path), "w", format="mp4", options=SEGMENT) as container,
        ):
            stream = container.add_stream_from_template(source.streams.video[0], opaque=True)
            sounds = Sounds(len(part) / self.fps) if self.sound else None
            audio = None if sounds is None else container.add_stream_from_template(sounds.stream, opaque=True)
            packets = [packet for packet in source.demux(video=0) if packet.size][first : first + len(part)]
            for packet, told in zip(packets, part, strict=True):
                if bytes(packet) != told.body:
                    raise AssertionError("the muxer has changed a packet: the truth would be wrong")
                packet.time_base = Fraction(1, self.fps)
                packet.pts, packet.dts, packet.duration = told.pts - part[0].dts, told.dts - part[0].dts, 1
                packet.stream = stream
                container.mux_one(packet)
            for packet in () if sounds is None else sounds.packets():
                packet.stream = audio
                container.mux_one(packet)
        return path


@dataclass(frozen=True)
class Coded:
    """A packet as it lies in an MP4; pts and dts in pictures."""

    body: bytes
    pts: int
    dts: int
    key: bool
    number: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


class Sounds:
    """AAC at 16 kHz, as the encoder gave it: ``hashes`` of its packets, and a stream to copy them from."""

    def __init__(self, seconds: float) -> None:
        target = io.BytesIO()
        hashes = []
        with av.open(target, "w", format="mp4") as container:
            encoder = container.add_stream("aac", rate=16000, layout="mono")
            for index in range(int(seconds * 16000) // 1024):
                frame = av.AudioFrame("fltp", "mono", 1024)
                frame.sample_rate, frame.pts, frame.time_base = 16000, index * 1024, Fraction(1, 16000)
                frame.planes[0].update(struct.pack("<f", (index % 7) / 50) * 1024)
                for packet in encoder.encode(frame):
                    hashes.append(hashlib.sha256(bytes(packet)).hexdigest())
                    container.mux(packet)
            for packet in encoder.encode(None):
                hashes.append(hashlib.sha256(bytes(packet)).hexdigest())
                container.mux(packet)
        self.hashes = tuple(hashes)
        self._source = av.open(io.BytesIO(target.getvalue()))
        self.stream = self._source.streams.audio[0]

    def packets(self) -> "Iterable[av.Packet]":
        for index, packet in enumerate(one for one in self._source.demux(self.stream) if one.size):
            packet.pts = packet.dts = index * 1024
            yield packet


@cache
def _sounds(seconds: float) -> tuple[str, ...]:
    return Sounds(seconds).hashes


def with_lengths(annex_b: bytes) -> bytes:
    """Start codes turned into four-byte lengths, as MP4 stores H.264 and H.265 (ISO/IEC 14496-15)."""
    units = []
    place = annex_b.find(b"\0\0\1")
    while place >= 0:
        following = annex_b.find(b"\0\0\1", place + 3)
        unit = annex_b[place + 3 : following if following >= 0 else len(annex_b)]
        units.append(unit.rstrip(b"\0") if following >= 0 else unit)
        place = following
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in units)


def mark(path: Path, stream: str, number: int, decode_ns: int) -> None:
    """Write MediaMTX's box into a segment: its run, its number in the run, its time since the run's start."""
    data = path.read_bytes()
    start = data.index(b"moov") - 4
    size = struct.unpack_from(">I", data, start)[0]
    body = bytes(4) + bytes.fromhex(stream) + struct.pack(">QQQ", number, decode_ns, 0)
    mtxi = struct.pack(">I4s", 8 + len(body), b"mtxi") + body
    udta = struct.pack(">I4s", 8 + len(mtxi), b"udta") + mtxi
    moov = struct.pack(">I", size + len(udta)) + data[start + 4 : start + size] + udta
    path.write_bytes(data[:start] + moov + data[start + size :])


def truncate(path: Path, share: float) -> int:
    """Cut a file off at that share of its length; gives the bytes that are left."""
    left = int(path.stat().st_size * share)
    with path.open("r+b") as file:
        file.truncate(left)
    return left


def numbers_in(frames: Iterable["av.VideoFrame"]) -> list[int]:
    """The numbers that the pictures carry, read from decoded frames."""
    found = []
    for frame in frames:
        plane = frame.planes[0]
        row = bytes(plane)[: frame.width]
        step = frame.width // BITS
        found.append(sum(1 << bit for bit in range(BITS) if row[bit * step + step // 2] > 128))
    return found
