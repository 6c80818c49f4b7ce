"""One segment on its way through the clip process: opened, its packets timed, and what was found written down."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from services.vault.clip_cutter import Cutter, Timed
from services.vault.clip_place import Placement
from services.vault.clip_source import Damaged, Source, Unsupported
from services.vault.clip_track import SECOND, Extent
from services.vault.clip_writer import Tracks

VIDEO, AUDIO = {"h264", "hevc"}, {"aac"}


@dataclass
class SourceReport:
    """What came of one segment; moments are nanoseconds, ``lost_from_ns`` is the end of its last good picture."""

    name: str
    problem: str | None = None
    first_ns: int | None = None
    lost_from_ns: int | None = None
    garbled: int = 0  # pictures whose bytes do not fit their own headers
    pictures: list[list[int]] = field(default_factory=list)  # covered spans
    left_out: list[str] = field(default_factory=list)  # streams that are not copied


def choose_tracks(container: InputContainer, report: SourceReport) -> Tracks:
    """The first picture track and the first sound track; raises Damaged and Unsupported."""
    if not container.streams.video:
        raise Damaged("the segment has no picture track")
    video = container.streams.video[0]
    audio = next(iter(container.streams.audio), None)
    for stream, known in ((video, VIDEO), (audio, AUDIO)):
        # Where the codec is unknown there is no context at all.
        name = getattr(stream.codec_context, "name", "an unknown codec") if stream is not None else None
        if name is not None and name not in known:
            raise Unsupported(
                f"Segment {report.name} holds {name}, and only H.264 or H.265 with AAC in MP4 is copied: "
                "set the camera to one of these."
            )
    if not video.codec_context.extradata:
        raise Damaged("the picture track has no parameter sets")
    report.left_out = [f"{one.type} {one.index}" for one in container.streams if one not in (video, audio)]
    return Tracks(video, audio)


@dataclass(frozen=True)
class Scale:
    """A stream's time base, asked for once: the library makes a new fraction each time."""

    numerator: int
    denominator: int

    @classmethod
    def of(cls, stream: Stream) -> "Scale":
        if stream.time_base is None:
            raise Damaged(f"track {stream.id} has no time base")
        return cls(stream.time_base.numerator, stream.time_base.denominator)

    def ns(self, ticks: int | None) -> int:
        return ((ticks or 0) * self.numerator * SECOND + self.denominator // 2) // self.denominator


class Segment:
    """Carries one source's packets into the cutter."""

    def __init__(self, source: Source, cutter: Cutter, placement: Placement) -> None:
        self._source = source
        self._cutter = cutter
        self._placement = placement
        self._extent = Extent()
        self._report = SourceReport(source.heading.name)
        self._counted: dict[int, int] = {}
        self._delay: int | None = None  # between decoding and showing
        self._hangs = False  # on a garbled picture, until the next key frame

    def copy(self) -> SourceReport:
        """Read the segment to its end, and say what was found; raises Unsupported and Foreign."""
        report = self._report
        try:
            with self._source.open() as container:
                tracks = choose_tracks(container, report)
                try:
                    whole = self._copy(container, tracks)
                finally:
                    decodes = self._cutter.end_segment()
            self._check_pictures(decodes)
            self._source.drain()
            if whole:
                self._check_counts()
        except (Damaged, av.FFmpegError) as error:
            report.problem = str(error)
            self._source.drain()
            self._trim()
        # The box walk names the cause where the demuxer saw the effect only.
        if self._source.movie is not None:
            report.problem = self._source.walk.problem or report.problem
        if report.garbled and report.problem is None:
            report.problem = f"{report.garbled} pictures are garbled"
        if report.lost_from_ns is None:
            report.lost_from_ns = self._source.heading.zero_ns
        self._placement.torn = report.problem is not None
        report.pictures = self._extent.spans
        return report

    def _copy(self, container: InputContainer, tracks: Tracks) -> bool:
        """Whether the segment was read to its end, not only to the asked one."""
        packets = self._packets(container, tracks)
        waiting: list[Packet[Stream]] = []
        for packet in packets:
            waiting.append(packet)
            if packet.stream_index == tracks.video.index:
                break
        else:
            raise Damaged("the segment has no pictures")
        nominal = self._source.heading.zero_ns
        mark = self._source.movie.mark if self._source.movie is not None else None
        picture, sound = Scale.of(tracks.video), Scale.of(tracks.audio or tracks.video)
        first = picture.ns(waiting[-1].dts)
        zero, relation = self._placement.place(self._report.name, nominal, mark, first)
        self._cutter.begin_segment(tracks, relation, self._extent)
        wanted = {"video"} if tracks.audio is None else {"video", "audio"}
        for packet in chain(waiting, packets):
            if packet.stream_index == tracks.video.index:
                self._picture(packet, tracks, zero, picture)
            else:
                dts = zero + sound.ns(packet.dts)
                self._cutter.sound(Timed(packet, dts, dts, sound.ns(packet.duration)))
            if self._cutter.done >= wanted:
                return False
        return True

    def _packets(self, container: InputContainer, tracks: Tracks) -> "Iterator[Packet[Stream]]":
        streams = [tracks.video] if tracks.audio is None else [tracks.video, tracks.audio]
        for packet in container.demux(*streams):
            if packet.dts is None:
                continue  # the demuxer's mark of the end
            if packet.is_corrupt:
                raise Damaged("the segment ends inside a picture")
            number = packet.stream.id
            self._counted[number] = self._counted.get(number, 0) + 1
            yield packet

    def _picture(self, packet: "Packet[Stream]", tracks: Tracks, zero: int, scale: Scale) -> None:
        dts = zero + scale.ns(packet.dts)
        pts = dts if packet.pts is None else zero + scale.ns(packet.pts)
        length = self._extent.usual(scale.ns(packet.duration))
        if self._delay is None:
            self._delay = pts - dts
        report = self._report
        report.first_ns = pts if report.first_ns is None else min(pts, report.first_ns)
        good = tracks.fits(memoryview(packet))
        self._hangs = not good or (self._hangs and not packet.is_keyframe)
        report.garbled += not good
        if not report.garbled:
            report.lost_from_ns = dts + length
        self._placement.end = dts + length
        self._cutter.picture(Timed(packet, dts, pts, length, None if self._hangs else dts + self._delay))

    def _trim(self) -> None:
        """Where pictures are reordered, those behind the last good decoding time may lack others before them."""
        end = self._report.lost_from_ns or 0
        kept = [[start, min(stop, end)] for start, stop in self._extent.spans if start < end]
        self._extent.spans[:] = kept

    def _check_pictures(self, decodes: bool | None) -> None:
        if decodes is False:
            self._extent.spans.clear()
            raise Damaged("its pictures do not decode")

    def _check_counts(self) -> None:
        for number, counted in self._counted.items():
            declared = self._source.declared_samples.get(number, counted)
            if counted < declared:
                raise Damaged(f"track {number} promises {declared} packets and {counted} are there")
