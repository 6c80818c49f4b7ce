"""The clip's way out: fragmented MP4 on standard output, each fragment's time and place reported as it is written.

MOV, which has the same boxes, is written where the sound has no place in MP4 (G.711).
A *part* is a whole fragmented MP4 of its own; another begins where the parameter sets, the picture size or the sound
change. A *run* is what lies between two gaps: each run has a muxer of its own, so that the last frame before a gap
keeps its own duration; the runs of a part share its first boxes (ftyp, moov), which are written once.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from services.runtime.boxes import BoxWalk
from services.vault.clip.source import Damaged
from services.vault.clip.tracks import Tracks, described_sound

BUFFER = 1 << 20  # of the muxer: a fragment leaves in few pieces
# No edit list, no trailing index; every track's time starts where its packets say (frag_discont).
_OPTIONS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont+skip_trailer",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
}
_FARTHEST = (1 << 31) - 1  # ticks from one picture to the next
SHORTEST_US = 1_000_000  # of a fragment, where every picture is a key frame


class Out(Protocol):
    """Where the clip is written to."""

    def write(self, data: bytes, /) -> object: ...


@dataclass
class Part:
    """Where a part lies in the clip; ``init`` is the length of its first boxes, ``container`` mp4 or mov."""

    offset: int
    init: int
    length: int
    fingerprint: str
    codecs: list[str]
    first_ns: int
    last_ns: int  # its last picture
    container: str


class _Sink:
    """Receives the muxer's bytes, leaves out the first boxes of a continued part, and notes each fragment."""

    def __init__(self, pipe: Out, start: int, *, continued: bool, times: deque[int]) -> None:
        self._pipe = pipe
        self._walk = BoxWalk()
        self._shift = start  # what to add to an offset in the run to have it in the clip
        self._held: bytearray | None = bytearray()  # until the first boxes are whole
        self._continued = continued
        self._times = times
        self._moof: tuple[int, int] | None = None
        self.init = 0
        self.written = 0
        self.fragments: list[tuple[int, int, int]] = []

    def write(self, data: bytes) -> int:
        self._walk.feed(data)
        if self._held is not None:
            self._held += data
        else:
            self._out(data)
        for kind, offset, size, _ in self._walk.found:
            self._note(kind, offset, size)
        self._walk.found.clear()
        return len(data)

    def _note(self, kind: str, offset: int, size: int) -> None:
        if kind == "moov" and self._held is not None:
            self.init = offset + size
            held, self._held = bytes(self._held), None
            if self._continued:
                self._shift -= self.init
                held = held[self.init :]
            self._out(held)
        elif kind == "moof":
            self._moof = (offset, size)
        elif kind == "mdat" and self._moof is not None:
            start, head = self._moof
            self.fragments.append((self._times.popleft(), start + self._shift, head + size))
            self._moof = None

    def _out(self, data: bytes) -> None:
        self._pipe.write(data)
        self.written += len(data)


@dataclass
class _Run:
    container: OutputContainer
    sink: _Sink
    streams: dict[str, Stream]
    bases: dict[str, Fraction]  # time bases of the packets to write
    shortest_us: int  # a key frame begins a fragment once the one before has lasted so long
    last_dts: dict[str, int] = field(default_factory=dict)
    fragment_dts: int | None = None  # of the first picture of the open fragment

    def mux(self, packet: "Packet[Stream]", kind: str, dts: int, pts: int) -> None:
        """Write one packet at these ticks."""
        packet.dts, packet.pts = dts, pts
        packet.time_base = self.bases[kind]
        packet.stream = self.streams[kind]
        self.container.mux_one(packet)

    def begins_fragment(self, dts: int) -> bool:
        """Whether the muxer begins one with this key frame: counted as it counts."""
        if self.fragment_dts is not None:
            lasted = (dts - self.fragment_dts) * 1_000_000 * self.bases["video"]
            if lasted + Fraction(1, 2) < self.shortest_us:
                return False
        self.fragment_dts = dts
        return True


class Muxer:
    """Writes runs and parts in order; ``emit`` is called with every fragment."""

    def __init__(self, pipe: Out, emit: Callable[[dict[str, object]], None]) -> None:
        self.parts: list[Part] = []
        self.packets = 0
        self.zero_ns = 0  # wall-clock time of the clip's media time 0; 0 before the first run
        self.first_ns = 0  # of its first picture
        self._pipe = pipe
        self._emit = emit
        self._offset = 0
        self._fragments = 0
        self._key: tuple[object, ...] | None = None
        self._times: deque[int] = deque()
        self._run: _Run | None = None

    def accepts(self, tracks: Tracks) -> bool:
        """Return whether the open run accepts packets of these streams."""
        return self._run is not None and self._key == tracks.key

    def begin(self, tracks: Tracks, first_dts_ns: int, first_pts_ns: int) -> None:
        """Start a run, and a part where the streams have changed; the first packet must be a key frame."""
        self.end_run()
        if not self.parts:
            self.zero_ns, self.first_ns = first_dts_ns, first_pts_ns
        continued = self._key == tracks.key
        if not continued:
            self._key = tracks.key
            extent, described = (self._offset, 0, 0), (tracks.fingerprint, tracks.codecs)
            self.parts.append(Part(*extent, *described, first_pts_ns, first_pts_ns, tracks.container))
        sink = _Sink(self._pipe, self._offset, continued=continued, times=self._times)
        shortest = SHORTEST_US if tracks.codec == "mjpeg" else 0
        options = _OPTIONS | {"fragment_index": str(self._fragments + 1), "min_frag_duration": str(shortest)}
        container = av.open(sink, "w", format=tracks.container, options=options, buffer_size=BUFFER)
        video = container.add_stream_from_template(tracks.video, opaque=True)
        video.codec_context.extradata = tracks.record or None
        video.codec_context.width, video.codec_context.height = tracks.width, tracks.height
        streams: dict[str, Stream] = {"video": video}
        bases = {"video": tracks.video.time_base or Fraction(1, 90_000)}
        sound = described_sound(tracks)
        if tracks.audio is not None and sound is not None:
            audio = container.add_stream_from_template(sound, opaque=True)
            audio.codec_context.extradata = tracks.sound or None
            streams["audio"] = audio
            bases["audio"] = tracks.audio.time_base or Fraction(1, 90_000)
        self._run = _Run(container, sink, streams, bases, shortest)

    def write(self, packet: "Packet[Stream]", kind: str, dts_ns: int, pts_ns: int) -> None:
        """Copy one packet, bytes untouched, to its place on the wall clock."""
        run = self._run
        if run is None:
            raise RuntimeError("a packet came before its run was begun")
        base = run.bases[kind]
        dts = _ticks(dts_ns - self.zero_ns, base)
        pts = dts if pts_ns == dts_ns else _ticks(pts_ns - self.zero_ns, base)
        last = run.last_dts.get(kind, dts - 1)
        if not 0 <= (packet.duration or 0) <= _FARTHEST or max(pts - dts, dts - last) > _FARTHEST:
            raise Damaged("its times are further apart than MP4 can say")
        # Rounding at a join may put two packets on one tick; a muxer wants them to rise.
        dts = max(dts, last + 1)
        run.last_dts[kind] = dts
        if kind == "video":
            self.parts[-1].last_ns = max(self.parts[-1].last_ns, pts_ns)
            if packet.is_keyframe and run.begins_fragment(dts):
                self._times.append((pts_ns - self.first_ns) // 1_000_000)
        run.mux(packet, kind, dts, max(pts, dts))
        self.packets += 1
        if run.sink.fragments:
            self._report(run)

    def end_run(self) -> None:
        """Close the muxer, if one is open, and account for what it wrote."""
        run, self._run = self._run, None
        if run is None:
            return
        run.container.close()
        self._report(run)
        part = self.parts[-1]
        part.init = part.init or run.sink.init
        self._offset += run.sink.written
        part.length = self._offset - part.offset
        self._times.clear()

    def _report(self, run: _Run) -> None:
        for time_ms, offset, length in run.sink.fragments:
            self._fragments += 1
            self._emit({"fragment": [time_ms, offset, length]})
        run.sink.fragments.clear()


def _ticks(ns: int, base: Fraction) -> int:
    scale = 1_000_000_000 * base.numerator
    return (ns * base.denominator + scale // 2) // scale
