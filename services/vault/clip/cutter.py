"""Select the packets of a clip (docs/sealing.md).

From the key frame before the asked start up to the asked end in decoding order; gaps stay gaps; what overlaps is left
out and counted; no packet is changed.
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import av
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from services.vault.clip.continuity import Continuity
from services.vault.clip.covered_time import SECOND, Extent
from services.vault.clip.muxer import Muxer
from services.vault.clip.placement import Relation
from services.vault.clip.protocol import Job
from services.vault.clip.source import Unsupported
from services.vault.clip.tracks import Tracks

REPEATED = 1500  # pictures of a segment by which a fragment that comes twice is recognised
BACK = SECOND // 2  # by which times may go back: where a container has none for decoding, they are worked out
TAIL = 16  # bytes of each by which it is
RECALLED = 16  # pictures by which a repetition is recognised
SOUND_AHEAD = 3600 * SECOND  # of what is written; no file has pictures and sound further apart
LONGEST_GROUP = 64 * 1024 * 1024  # bytes held while looking for the key frame before the asked start


@dataclass(slots=True)
class Timed:
    """A packet with its place on the wall clock, in nanoseconds; ``length`` is how long it counts for.

    Covered time goes by ``shown``: decoding time plus the reordering delay, which rises from packet to packet. It is
    None for a picture that is garbled or depends on one. Each key frame has ``tracks``: the streams may change with
    it.
    """

    packet: "Packet[Stream]"
    dts: int
    pts: int
    length: int
    shown: int | None = None
    tracks: Tracks | None = None

    @property
    def key(self) -> bool:
        return bool(self.packet.is_keyframe)


@dataclass(frozen=True)
class Opened:
    """Whether a key frame decodes to a whole picture, and how long one lasts by its parameter sets (0: unsaid)."""

    whole: bool
    interval_ns: int = 0


def open_picture(codec: str, record: bytes, picture: bytes) -> Opened:
    """Decode a key frame by itself."""
    context = av.CodecContext.create(codec, "r")
    if not isinstance(context, VideoCodecContext):
        return Opened(whole=False)
    context.extradata = record or None
    context.thread_count = 1
    context.options = {"err_detect": "explode"}
    try:
        frames = [*context.decode(Packet(picture)), *context.decode(None)]
    except av.FFmpegError:
        return Opened(whole=False)
    rate = context.framerate if codec != "mjpeg" else None
    interval = int(SECOND / rate) if rate else 0
    return Opened(bool(frames) and not any(frame.is_corrupt for frame in frames), interval)


@dataclass(frozen=True)
class _Opening:
    """The first key frame of a part, being opened; ``shown`` in nanoseconds."""

    future: "Future[Opened]"
    tracks: Tracks
    shown: int


class Cutter:
    """Passes those packets of the segments that belong in the clip to the muxer."""

    def __init__(self, job: Job, muxer: Muxer) -> None:
        self.dropped = 0
        self.last_pts: int | None = None
        self.last_end: int | None = None
        self.done: set[str] = set()  # tracks of the open segment that have passed the asked end
        self._job = job
        self._muxer = muxer
        self._tracks: Tracks | None = None  # of the segment that is open
        self._key: tuple[object, ...] | None = None
        self._extent = Extent()
        self._decoder = ThreadPoolExecutor(max_workers=1)  # decodes while the segment's other pictures are copied
        self._opened: dict[tuple[object, ...], _Opening] = {}  # of the segment's parts, by their streams
        self._begun = False  # the asked start was reached
        self._flowing = False  # the next picture follows what is written, and need not be a key frame
        self._overlapping = False
        self._refetched = False
        self._without_key = 0  # pictures of this segment that no key frame leads to
        self._shift = 0
        self._written_end = 0  # decoding time at which the written pictures end
        self._written_sound = 0
        self._written: deque[memoryview] = deque(maxlen=RECALLED)  # the last pictures
        self._repeated: deque[memoryview] = deque(maxlen=RECALLED)  # of the segment that overlaps them
        self._read: deque[tuple[int, int, bytes]] = deque(maxlen=REPEATED)  # pictures of the open segment
        self._reached: int | None = None  # the latest of their decoding times
        self.backwards = 0  # pictures of the open segment whose time goes back
        self.continuity = Continuity(job.start_ns)
        self._group: list[Timed] = []
        self._sound: deque[Timed] = deque(maxlen=2000)

    @property
    def end_ns(self) -> int:
        """The asked end."""
        return self._job.end_ns

    @property
    def whole(self) -> bool:
        """Whether what lies behind the asked end is garbled, and not left out."""
        return self._job.whole

    @property
    def moved(self) -> int:
        """How far the open segment's packets are moved from where they were placed."""
        return self._shift

    def begin_segment(self, tracks: Tracks, relation: Relation, extent: Extent) -> None:
        """Begin a segment of these tracks; its covered time is added to ``extent``."""
        # Of the segment before, only what was copied may be used: its streams are closed.
        same = self._key == tracks.key
        self._overlapping = relation in ("overlap", "refetch") and self._begun
        self._refetched = relation == "refetch"
        if relation != "follows" or not same:
            self._flowing = False
            self._group.clear()
            if not same:
                self._sound.clear()
        self._tracks, self._key, self._extent, self._shift = tracks, tracks.key, extent, 0
        self._without_key = 0
        self.continuity.begin_segment()
        self._opened.clear()
        self._read.clear()
        self._reached = None
        self.backwards = 0
        self._repeated.clear()
        self.done.clear()  # times that were garbled may have passed the asked end

    def end_segment(self) -> int | None:
        """Close the segment while its streams are open; return from which moment on it does not decode, or None."""
        if self._tracks is None:
            return None
        if not self._begun and self._reach() > self._job.start_ns:
            self._open_group()
        self._tracks = None
        if self._without_key and not self._extent.spans:
            return self._job.start_ns
        for opening in self._opened.values():
            opened = opening.future.result()
            if not opened.whole:
                return opening.shown
            self.continuity.declared(opening.tracks, opened.interval_ns)
        return None

    def picture(self, timed: Timed) -> bool:
        """Process the next picture in decoding order; False for one that the segment held already."""
        timed.dts, timed.pts = timed.dts + self._shift, timed.pts + self._shift
        if self._comes_again(timed):
            self.dropped += 1
            return False
        if timed.dts >= self._job.end_ns:
            self.done.add("video")
        elif self._overlapping and self._repeats(timed):
            self.dropped += 1
        elif not self._begun and timed.pts < self._job.start_ns + timed.key:
            self._hold(timed)
        else:
            if not self._begun:
                leads = self._reach() > self._job.start_ns or abs(timed.dts - self._held_end()) <= self._job.join_ns
                self._open_group(leads=leads)
            self._append(timed)
        return True

    def sound(self, timed: Timed) -> None:
        """Process the next packet of sound."""
        timed.dts, timed.pts = timed.dts + self._shift, timed.pts + self._shift
        if timed.dts >= self._job.end_ns:
            self.done.add("audio")
        elif self._flowing and self._begun:
            self._write_sound(timed)
        else:
            self._sound.append(timed)

    def _comes_again(self, timed: Timed) -> bool:
        """Whether the segment holds the picture twice; one whose time goes back otherwise is not vouched for."""
        decoded, packet = timed.dts - self._shift, timed.packet
        mark = decoded, packet.size, bytes(memoryview(packet)[-TAIL:])
        if self._reached is not None and decoded <= self._reached and mark in self._read:
            return True
        self._read.append(mark)
        if self._reached is not None and decoded < self._reached - BACK:
            self.backwards += 1
            timed.shown = None
        self._reached = max(decoded, self._reached or decoded)
        return False

    def _repeats(self, timed: Timed) -> bool:
        """Whether an overlapping picture is left out: it repeats what is written, or nothing leads to it."""
        if self._refetched:
            return self._is_written(timed)
        self._repeated.append(memoryview(timed.packet))
        distance = self._written_end - (timed.dts + timed.length)
        if abs(distance) <= 2 * SECOND and self._ends_alike() and self._muxer.accepts(self._current()):
            # The same pictures in both segments: what is behind them follows without a seam.
            self._overlapping, self._flowing, self._shift = False, True, self._shift + distance
            return True
        if not timed.key or timed.dts < self._written_end - self._job.join_ns:
            return True
        self._overlapping = False
        return False

    def _is_written(self, timed: Timed) -> bool:
        """As ``_repeats``, for the same segment fetched again, whose times are the same."""
        if timed.dts + timed.length // 2 < self._written_end:
            self._repeated.append(memoryview(timed.packet))
            return True
        self._overlapping = False
        same = bool(self._repeated) and bytes(self._repeated[-1]) == bytes(self._written[-1])
        self._flowing = same and self._muxer.accepts(self._current())
        if self._flowing and timed.shown is not None:
            self._extent.add(timed.dts, timed.shown - timed.dts)  # shown then are pictures that were read before
        return False

    def _ends_alike(self) -> bool:
        # One picture is not enough: where nothing moves, many are the same to the byte.
        alike = list(self._written)[-len(self._repeated) :]
        return alike == list(self._repeated)

    def _hold(self, timed: Timed) -> None:
        if timed.key:
            self._group = [timed]
            self._follow(timed)
            while self._sound and self._sound[0].dts < timed.pts:
                self._sound.popleft()
        elif self._group:
            self._group.append(timed)
            if sum(held.packet.size for held in self._group) > LONGEST_GROUP:
                raise Unsupported(
                    f"Between two key frames lie more than {LONGEST_GROUP >> 20} MiB: let the camera send key frames "
                    "more often."
                )

    def _reach(self) -> int:
        return max((held.pts + held.length for held in self._group), default=0)

    def _held_end(self) -> int:
        return self._group[-1].dts + self._group[-1].length if self._group else 0

    def _open_group(self, *, leads: bool = True) -> None:
        """The asked start is here: what was held since the key frame before it is the lead-in, if it leads here."""
        held, self._group = (self._group if leads else []), []
        self._begun = True
        for timed in held:
            self._append(timed)

    def _append(self, timed: Timed) -> None:
        self._follow(timed)
        jump = timed.dts - self._written_end
        # Within a run a long silence begins a new one, so that no frame is stretched over it.
        if self._flowing and timed.key and jump > max(SECOND, self._job.join_ns):
            self._flowing = False
        if not self._flowing:
            if not timed.key:
                self.dropped += 1
                self._without_key += 1
                return
            self._start_run(timed)
        self._write(timed)
        if self._sound:
            waiting = [sound for sound in self._sound if sound.dts >= timed.pts]
            self._sound.clear()
            for sound in waiting:
                self._write_sound(sound)

    def _follow(self, timed: Timed) -> None:
        """Switch to the streams of a key frame where they differ; those of a closed segment never do."""
        if timed.tracks is not None and timed.tracks.key != self._key:
            self._tracks, self._key, self._flowing = timed.tracks, timed.tracks.key, False

    def _start_run(self, timed: Timed) -> None:
        self.continuity.begin(self._current())
        self.continuity.jump()
        self._muxer.begin(self._current(), timed.dts, timed.pts)
        self._flowing = True

    def _current(self) -> Tracks:
        if self._tracks is None:
            raise RuntimeError("a packet came before its segment was begun")
        return self._tracks

    def _write(self, timed: Timed) -> None:
        tracks, body = self._current(), bytes(timed.packet)
        if timed.key and tracks.key not in self._opened:
            future = self._decoder.submit(open_picture, tracks.codec, tracks.record, body)
            shown = timed.dts if timed.shown is None else timed.shown + self._shift
            self._opened[tracks.key] = _Opening(future, tracks, shown)
        self._written.append(memoryview(timed.packet))
        self._written_end = timed.dts + timed.length
        if timed.shown is not None:
            self._extent.add(timed.shown + self._shift, timed.length)
            self.continuity.believed(timed.shown + self._shift, timed.length)
        self.continuity.add(timed.dts, body, tracks, key=timed.key)
        self.last_pts = max(timed.pts, self.last_pts or timed.pts)
        self.last_end = max(timed.pts + timed.length, self.last_end or 0)
        self._muxer.write(timed.packet, "video", timed.dts, timed.pts)

    def _write_sound(self, timed: Timed) -> None:
        if timed.dts < self._muxer.zero_ns:
            return  # before the first picture: an edit list may put a track's beginning there
        if timed.dts > max(self._written_end, self._written_sound) + SOUND_AHEAD:
            self._sound.append(timed)  # its pictures begin another run, if there are any
            return
        if timed.dts < self._written_sound - timed.length // 2:
            self.dropped += 1
            return
        self._written_sound = timed.dts + timed.length
        self._muxer.write(timed.packet, "audio", timed.dts, timed.pts)
