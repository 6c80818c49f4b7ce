"""Read a segment's packets as MP4 holds them, with their times, from any container."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from services.vault.clip.bitstream import (
    MOST_FILLING,
    Description,
    describe,
    is_picture,
    is_sound,
    jpeg_size,
    parameter_sets,
    split,
    with_lengths,
    without_lengths,
)
from services.vault.clip.container_walks import DavWalk
from services.vault.clip.covered_time import SECOND
from services.vault.clip.decoding import PictureDecoder
from services.vault.clip.source import Damaged, Source
from services.vault.clip.tracks import Scale, Tracks

AHEAD = 32 << 20  # bytes that are read before the first key frame and the first sound
UNTIMED = 32  # pictures at the beginning whose decoding time the demuxer does not know
BLOCK_HEAD = 16  # bytes before a picture that belong to it
USUAL_NS = 40_000_000
BACKWARDS_NS = 1_000_000_000
MILLISECOND = 1_000_000
SOUND_JOIN_NS = 100_000_000
SAMPLES = {"aac": 1024}  # in a packet; of G.711, a byte is one


@dataclass(slots=True)
class DemuxedPacket:
    """A packet; ``dts``, ``pts`` and ``length`` in nanoseconds of the segment's own time.

    ``good``: its bytes fit their own headers. Each key frame has ``tracks``.
    """

    packet: "Packet[Stream]"
    dts: int
    pts: int
    length: int
    sound: bool = False
    good: bool = True
    tracks: Tracks | None = None


def _chosen(container: InputContainer, tracks: Tracks) -> "Iterator[Packet[Stream]]":
    streams = [tracks.video] if tracks.audio is None else [tracks.video, tracks.audio]
    return (packet for packet in container.demux(*streams) if packet.size)


def _followed(tracks: Tracks, units: list[bytes]) -> Tracks:
    """Return the streams from a key frame on: its parameter sets replace the known ones."""
    sets = parameter_sets(tracks.codec, units)
    if not sets or set(sets) <= set(tracks.sets):
        return tracks
    first = {unit[0] for unit in sets}
    others = [parameter_set for parameter_set in tracks.sets if parameter_set[0] not in first]
    description = describe(tracks.codec, [*others, *sets], units)
    return tracks if description is None else tracks.changed(description)


def _jpeg_followed(tracks: Tracks, picture: memoryview) -> Tracks:
    size = jpeg_size(picture)
    if size is None or size == (tracks.width, tracks.height):
        return tracks
    return tracks.changed(Description(tracks.record, *size))


class Mp4Demuxer:
    """The packets of MP4: they are as they shall be, and their times are known. ``counted`` by track."""

    origin: int = 0  # the media time that the segment's span begins at, in nanoseconds

    def __init__(self, container: InputContainer, tracks: Tracks) -> None:
        if not tracks.record and tracks.codec != "mjpeg":
            raise Damaged("the picture track has no parameter sets")
        self.counted: dict[int, int] = {}
        self._container = container
        self.tracks = tracks

    def packets(self) -> Iterator[DemuxedPacket]:
        """In the order of the segment; raises Damaged."""
        tracks = self.tracks
        video = tracks.video.index
        picture, sound = Scale.of(tracks.video), Scale.of(tracks.audio or tracks.video)
        counted = self.counted
        for packet in _chosen(self._container, tracks):
            if packet.is_corrupt:
                raise Damaged("the segment ends inside a picture")
            number = packet.stream.id
            counted[number] = counted.get(number, 0) + 1
            if packet.stream_index != video:
                dts = sound.ns(packet.dts)
                yield DemuxedPacket(packet, dts, dts, sound.ns(packet.duration), sound=True)
                continue
            view = memoryview(packet)
            if packet.is_keyframe:
                tracks = self._follow(tracks, view)
            dts = picture.ns(packet.dts)
            pts = dts if packet.pts is None else picture.ns(packet.pts)
            key = tracks if packet.is_keyframe else None
            yield DemuxedPacket(packet, dts, pts, picture.ns(packet.duration), good=tracks.fits(view), tracks=key)

    @staticmethod
    def _follow(tracks: Tracks, view: memoryview) -> Tracks:
        if tracks.codec == "mjpeg":
            return _jpeg_followed(tracks, view)
        return _followed(tracks, list(without_lengths(view, tracks.length_width)))


@dataclass
class _Picture:
    """A picture that waits for the time of the next one."""

    packet: "Packet[Stream]"
    dts: int | None
    pts: int | None
    good: bool
    tracks: Tracks | None
    place: int  # of its first byte in the segment


class StreamDemuxer:
    """The packets of Matroska, MPEG-TS, MPEG-PS and DAV, whose times its walk reads.

    Start codes become lengths, and AAC loses the header that MPEG-TS puts before each frame: MP4 says the same once.
    Times that the container lacks are derived from the pictures around. What a picture counts for is the
    distance to the next one, unless something lies between that does not belong there.
    """

    def __init__(self, container: InputContainer, tracks: Tracks, segment: Source) -> None:
        self.counted: dict[int, int] = {}
        self._segment = segment
        self._source = _chosen(container, tracks)
        self._dav = isinstance(segment.walk, DavWalk)
        if isinstance(segment.walk, DavWalk):
            self._source = self._stamped(self._source, segment.walk)
        self._annex_b = tracks.codec != "mjpeg" and tracks.record[:1] != b"\x01"
        self._scale = Scale.of(tracks.video)
        self._sound_scale = Scale.of(tracks.audio or tracks.video)
        self._last: int | None = None  # decoding time of the last picture whose time is known
        self._step = USUAL_NS
        self._sound_end = 0
        self._doubtful = False  # the picture before was marked
        self._decoder = PictureDecoder() if segment.heading.container == "ts" else None
        self._waiting: list[_Picture] = []
        self._ahead: list[Packet[Stream]] = []
        self.origin = 0
        mu_law = tracks.audio is not None and segment.mu_law(tracks.audio.id)
        self.tracks = self._look_ahead(replace(tracks, mu_law=mu_law))

    def _look_ahead(self, tracks: Tracks) -> Tracks:
        """Read up to the first key frame and the first sound, which say what MP4 must say before them."""
        self._framed = framed = tracks.codecs[-1] == "aac" and not tracks.sound
        video, seen, size = tracks.video.index, False, 0
        known = not self._annex_b
        for packet in self._source:
            self._ahead.append(packet)
            size += packet.size
            if packet.stream_index == video:
                if not seen:
                    seen, self.origin = True, self._scale.ns(packet.dts if packet.pts is None else packet.pts)
                    if self._dav and packet.pts is None:
                        raise Damaged("its first picture has no time")
                if not known and packet.is_keyframe:
                    units = split(bytes(packet))
                    sets = parameter_sets(tracks.codec, units) or parameter_sets(tracks.codec, split(tracks.record))
                    description = describe(tracks.codec, sets, units)
                    known = description is not None
                    tracks = tracks if description is None else tracks.changed(description)
            elif framed:
                tracks, framed = _with_sound(tracks, bytes(memoryview(packet)[:7])), False
            if (known and seen and not framed) or size > AHEAD:
                break
        if not seen:
            raise Damaged("the segment has no pictures")
        if not known:
            raise Damaged("no key frame of the segment has parameter sets")
        return replace(tracks, audio=None) if framed else tracks

    def packets(self) -> Iterator[DemuxedPacket]:
        """In the order of the segment; raises Damaged."""
        tracks = self.tracks
        video = tracks.video.index
        ahead, self._ahead = self._ahead, []
        for packets in (ahead, self._source):
            for packet in packets:
                number = packet.stream.id
                self.counted[number] = self.counted.get(number, 0) + 1
                if packet.stream_index != video:
                    if tracks.audio is not None:
                        yield self._sound(packet, tracks)
                    continue
                one = self._picture(packet, tracks)
                tracks = one.tracks or tracks
                yield from self._timed(one)
            ahead.clear()
        if self._waiting:
            self._waiting[-1].good &= not self._segment.cut_off(tracks.video.id)
            yield from self._resolved(last=True)

    @staticmethod
    def _stamped(packets: "Iterator[Packet[Stream]]", walk: DavWalk) -> "Iterator[Packet[Stream]]":
        """Packets of DAV with the times that its walk has read."""
        for packet in packets:
            packet.dts = packet.pts = walk.time_at(packet.pos)
            yield packet

    def _picture(self, packet: "Packet[Stream]", tracks: Tracks) -> _Picture:
        dts = None if packet.dts is None else self._scale.ns(packet.dts)
        pts = None if packet.pts is None else self._scale.ns(packet.pts)
        # The demuxer marks a picture where packets were lost in it or, often, in the one behind it.
        good, key, place = not (packet.is_corrupt or self._doubtful), packet.is_keyframe, packet.pos
        self._doubtful = packet.is_corrupt
        if self._annex_b:
            body = bytes(packet)
            units = split(body)
            if key:
                tracks = _followed(tracks, units)
            good &= all(is_sound(tracks.codec, unit) for unit in units) and bytes(MOST_FILLING + 1) not in body
            good &= any(is_picture(tracks.codec, unit) for unit in units)
            packet = _like(packet, with_lengths(units))
            if self._decoder is not None:
                good &= self._decoder.is_whole(packet, tracks)
        elif tracks.codec == "mjpeg":
            tracks = _jpeg_followed(tracks, memoryview(packet))
            good &= tracks.fits(memoryview(packet))
        else:
            if key:
                tracks = _followed(tracks, list(without_lengths(memoryview(packet), tracks.length_width)))
            good &= tracks.fits(memoryview(packet))
        return _Picture(packet, dts, pts, good, tracks if key else None, place or 0)

    def _timed(self, one: _Picture) -> Iterator[DemuxedPacket]:
        if self._last is None:
            self._waiting.append(one)
            if one.dts is None and len(self._waiting) < UNTIMED:
                return
            self._time_backwards()
        else:
            if one.dts is None:
                one.dts = self._last + self._step
            if one.dts < self._last - BACKWARDS_NS:
                raise Damaged("its time stamps go back")
            self._waiting.append(one)
        if one.dts is not None:
            self._last = one.dts
        yield from self._resolved()

    def _time_backwards(self) -> None:
        """Give decoding times to the pictures before the first one that has its own."""
        waiting = self._waiting
        if waiting[-1].dts is None:
            shown = sorted(one.pts or 0 for one in waiting)
            ahead = max(at - (one.pts or 0) for at, one in zip(shown, waiting, strict=True))
            for at, one in zip(shown, waiting, strict=True):
                one.dts = at - ahead
            return
        for one, after in zip(waiting[-2::-1], waiting[:0:-1], strict=True):
            length = self._scale.ns(one.packet.duration) or USUAL_NS
            one.dts = (after.dts or 0) - length

    def _resolved(self, *, last: bool = False) -> Iterator[DemuxedPacket]:
        """The pictures of which it is known how long they last; at the end the last one too."""
        if last and self._waiting[-1].dts is None:
            self._time_backwards()
        waiting = self._waiting
        for one, after in zip(waiting, [*waiting[1:], None], strict=True):
            if after is None and not last:
                break
            dts, length = one.dts or 0, self._step
            # Behind damage a demuxer may resume earlier, inside the bytes of the picture before.
            end = None if after is None else max(after.place, one.place + one.packet.size + BLOCK_HEAD)
            one.good &= not self._segment.is_damaged(one.place, end)
            if after is not None:
                step = max(0, (after.dts or 0) - dts) or length
                # What was lost before a garbled picture is not covered by the one before.
                length = step if one.good and after.good else min(length, step)
                self._step = step if one.good and after.good else self._step
            yield DemuxedPacket(
                one.packet, dts, dts if one.pts is None else one.pts, length, False, one.good, one.tracks
            )
        del waiting[: None if last else -1]

    def _sound(self, packet: "Packet[Stream]", tracks: Tracks) -> DemuxedPacket:
        dts = self._sound_end if packet.dts is None else self._sound_scale.ns(packet.dts)
        length = _lasts(packet, tracks) if self._dav else self._sound_scale.ns(packet.duration)
        if self._dav and abs(dts - self._sound_end) < SOUND_JOIN_NS:
            dts = self._sound_end  # its step is a millisecond, and a recorder's clock is no sound card's
        self._sound_end = dts + length
        if self._framed:
            body = bytes(packet)
            if _audio_config(body) != tracks.sound:
                raise Damaged("its sound changes or is garbled")
            packet = _like(packet, body[7 if body[1] & 1 else 9 :])
        return DemuxedPacket(packet, dts, dts, length, sound=True)


def _like(packet: "Packet[Stream]", body: bytes) -> "Packet[Stream]":
    """Another packet of the same time, kind and stream."""
    made: Packet[Stream] = Packet(body)
    made.time_base, made.stream = packet.time_base, packet.stream
    made.dts, made.pts, made.duration = packet.dts, packet.pts, packet.duration
    made.is_keyframe = packet.is_keyframe
    return made


def _lasts(packet: "Packet[Stream]", tracks: Tracks) -> int:
    """How long a packet of sound is heard: DAV does not say it."""
    if tracks.audio is None:
        return 0
    context = tracks.audio.codec_context
    samples = SAMPLES.get(context.name, packet.size // max(1, context.layout.nb_channels))
    return samples * SECOND // max(1, context.sample_rate)


def _with_sound(tracks: Tracks, head: bytes) -> Tracks:
    config = _audio_config(head)
    if config is None:
        raise Damaged("its sound is garbled")
    return replace(tracks, sound=config)


def _audio_config(head: bytes) -> bytes | None:
    """The configuration that MP4 holds once, from the header of one AAC frame (ADTS, ISO/IEC 13818-7)."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[6] & 3:
        return None
    kind, rate = (head[2] >> 6) + 1, head[2] >> 2 & 0xF
    channels = (head[2] & 1) << 2 | head[3] >> 6
    return (kind << 11 | rate << 7 | channels << 3).to_bytes(2, "big") if channels else None
