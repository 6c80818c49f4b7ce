"""The clip's way out: fragmented MP4 on standard output, each fragment's time and place reported as it is written.

MOV, which has the same boxes, is written where the sound has no place in MP4 (G.711).
A *part* is a whole fragmented MP4 of its own; another begins where the parameter sets, the picture size or the sound
change. A *run* is what lies between two gaps: each run has a muxer of its own, so that the last frame before a gap
keeps its own duration; the runs of a part share its first boxes (ftyp, moov), which are written once.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

import av
from av.container import OutputContainer
from av.stream import Stream

from services.runtime.boxes import BoxWalk
from services.vault.clip_moof import Entry, Pieces, moof
from services.vault.clip_sample import Held, Sample, packet_of
from services.vault.clip_source import Damaged
from services.vault.clip_streams import Tracks, described_sound

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
    """Where the clip goes; what it is given may not change any more."""

    def writelines(self, parts: Iterable[bytes | memoryview], /) -> None: ...


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
    """Takes the muxer's bytes, leaves out the first boxes of a continued part, and notes each fragment."""

    def __init__(self, pipe: Out, start: int, *, continued: bool, times: deque[int]) -> None:
        self._pipe = pipe
        self._walk = BoxWalk()
        self._start = start
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

    def fragment(self, head: bytes, size: int, pieces: Iterable[memoryview]) -> None:
        """Write a whole fragment past the muxer: its ``moof``, and the pictures behind it."""
        self.fragments.append((self._times.popleft(), self._start + self.written, len(head) + 8 + size))
        head += (8 + size).to_bytes(4, "big") + b"mdat"
        self._pipe.writelines((head, *pieces))
        self.written += len(head) + size

    def _out(self, data: bytes) -> None:
        self._pipe.writelines((data,))
        self.written += len(data)


@dataclass
class _Run:
    container: OutputContainer
    sink: _Sink
    streams: dict[str, Stream]
    bases: dict[str, Fraction]  # time bases of the packets that come
    shortest_us: int  # a key frame begins a fragment once the one before has lasted so long
    number: int  # of the first fragment in the clip
    last_dts: dict[str, int] = field(default_factory=dict)
    fragment_dts: int | None = None  # of the first picture of the open fragment

    def put(self, held: Held, kind: str, dts: int, pts: int, *, begins: bool) -> None:
        """Write one packet at these ticks; ``begins``: a fragment begins with it."""
        packet = packet_of(held)
        packet.dts, packet.pts = dts, pts
        packet.time_base = self.bases[kind]
        packet.stream = self.streams[kind]
        self.container.mux_one(packet)

    def close(self) -> None:
        self.container.close()

    def begins_fragment(self, dts: int) -> bool:
        """Whether the muxer begins one with this key frame: counted as it counts."""
        if self.fragment_dts is not None:
            lasted = (dts - self.fragment_dts) * 1_000_000 * self.bases["video"]
            if lasted + Fraction(1, 2) < self.shortest_us:
                return False
        self.fragment_dts = dts
        return True


@dataclass
class _PlainRun(_Run):
    """A run of pictures only, whose fragments are put together here: what the muxer writes are its first boxes."""

    def __post_init__(self) -> None:
        self._entries: list[Entry] = []
        self._pieces = Pieces()
        self._offsets = False

    def put(self, held: Held, kind: str, dts: int, pts: int, *, begins: bool) -> None:
        if self._entries:
            last = self._entries[-1]
            if dts - last.dts >= _FARTHEST:
                dts = pts = last.dts + 1  # as the muxer has it
            last.duration = dts - last.dts
        if begins:
            self._flush()
        self._offsets |= pts != dts
        self._entries.append(Entry(held.size, dts, pts - dts, bool(held.is_keyframe), held.duration or 0))
        self._pieces.add(held)

    def follow(self, samples: list[Sample], ticks: list[int]) -> None:
        """As ``put``, for many that begin no fragment, one right behind the other."""
        self._entries[-1].duration = ticks[0] - self._entries[-1].dts
        durations = [after - dts for dts, after in pairwise(ticks)]
        self._entries += [
            Entry(sample.size, dts, 0, False, duration)
            for sample, dts, duration in zip(samples, ticks, [*durations, samples[-1].duration], strict=True)
        ]
        self._pieces.extend(samples)

    def close(self) -> None:
        self._flush()
        self.container.close()

    def _flush(self) -> None:
        if self._entries:
            size = self._pieces.size
            self.sink.fragment(moof(self.number, self._entries, offsets=self._offsets), size, self._pieces.take())
            self.number += 1
            self._entries.clear()


class Writer:
    """Writes runs and parts one after another; ``emit`` is told of every fragment."""

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
        """Whether the open run can take these streams' packets."""
        return self._run is not None and self._key == tracks.key

    def begin(self, tracks: Tracks, first_dts_ns: int, first_pts_ns: int, *, plain: bool = False) -> None:
        """Start a run, and a part where the streams have changed; the first packet must be a key frame.

        ``plain``: its pictures are where they came, and shall not be copied if that can be.
        """
        self.end_run()
        if not self.parts:
            self.zero_ns, self.first_ns = first_dts_ns, first_pts_ns
        continued = self._key == tracks.key
        if not continued:
            self._key = tracks.key
            place, told = (self._offset, 0, 0), (tracks.fingerprint, tracks.codecs)
            self.parts.append(Part(*place, *told, first_pts_ns, first_pts_ns, tracks.container))
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
        kind = _PlainRun if plain and tracks.audio is None and kept(bases["video"]) else _Run
        self._run = kind(container, sink, streams, bases, shortest, self._fragments + 1)
        if kind is _PlainRun:
            container.start_encoding()

    def write(self, packet: Held, kind: str, dts_ns: int, pts_ns: int) -> None:
        """Copy one packet, bytes untouched, to its place on the wall clock."""
        run = self._run
        if run is None:
            raise RuntimeError("a packet came before its run was begun")
        base = run.bases[kind]
        dts = _ticks(dts_ns - self.zero_ns, base)
        pts = dts if pts_ns == dts_ns else _ticks(pts_ns - self.zero_ns, base)
        if not 0 <= (packet.duration or 0) <= _FARTHEST or pts - dts > _FARTHEST:
            raise Damaged("its times are further apart than MP4 can say")
        # Rounding at a join may put two packets on one tick; a muxer wants them to rise.
        dts = max(dts, run.last_dts.get(kind, dts - 1) + 1)
        run.last_dts[kind] = dts
        begins = False
        if kind == "video":
            self.parts[-1].last_ns = max(self.parts[-1].last_ns, pts_ns)
            begins = bool(packet.is_keyframe) and run.begins_fragment(dts)
            if begins:
                self._times.append((pts_ns - self.first_ns) // 1_000_000)
        run.put(packet, kind, dts, max(pts, dts), begins=begins)
        self.packets += 1
        if run.sink.fragments:
            self._report(run)

    def follow(self, samples: list[Sample], times: list[int]) -> bool:
        """As ``write``, for pictures of one length right behind the last one, none of them a key frame or shown later
        than it is decoded. False where they have to be written one by one, and none of them was."""
        run = self._run
        if not isinstance(run, _PlainRun):
            return False
        last, ticks = run.last_dts["video"], _all_ticks(times, self.zero_ns, run.bases["video"])
        if ticks[0] <= last or any(after <= before for before, after in pairwise(ticks)):
            ticks = [last := max(tick, last + 1) for tick in ticks]
        last = ticks[-1]
        if samples[0].duration > _FARTHEST or ticks[-1] - run.last_dts["video"] >= _FARTHEST:
            return False
        run.last_dts["video"] = last
        run.follow(samples, ticks)
        self.parts[-1].last_ns = max(self.parts[-1].last_ns, times[-1])
        self.packets += len(samples)
        return True

    def end_run(self) -> None:
        """Close the muxer, if one is open, and account for what it wrote."""
        run, self._run = self._run, None
        if run is None:
            return
        run.close()
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
    return _all_ticks([ns], 0, base)[0]


def _all_ticks(times: Iterable[int], zero_ns: int, base: Fraction) -> list[int]:
    scale, rate = 1_000_000_000 * base.numerator, base.denominator
    half = scale // 2 - zero_ns * rate
    return [(ns * rate + half) // scale for ns in times]


def kept(base: Fraction) -> bool:
    """Whether the library's muxer counts pictures in the same ticks; it doubles those longer than a ten-thousandth."""
    return base.numerator == 1 and 10_000 <= base.denominator < 1 << 31
