"""One segment on its way through the clip process: opened, its packets timed, and what was found written down."""

from dataclasses import dataclass, field
from itertools import chain

import av
from av.container import InputContainer

from services.vault.clip.covered_time import Extent
from services.vault.clip.cutter import Cutter, Timed
from services.vault.clip.demuxer import DemuxedPacket, Mp4Demuxer, StreamDemuxer
from services.vault.clip.placement import Placement
from services.vault.clip.source import Damaged, Source, Unsupported
from services.vault.clip.tracks import Tracks, choose_tracks


@dataclass
class SourceReport:
    """The result of one segment; moments are nanoseconds, ``lost_from_ns`` is the end of its last good picture."""

    name: str
    problem: str | None = None
    lost_from_ns: int | None = None
    garbled: int = 0  # pictures whose bytes do not fit their own headers
    pictures: list[list[int]] = field(default_factory=list)  # covered spans
    left_out: list[str] = field(default_factory=list)  # streams that are not copied


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
        self._first: tuple[int, int] | None = None  # picture: decoded, shown
        self._undecodable = False  # on a garbled picture, until the next key frame
        self._end = 0  # of what is shown

    def copy(self) -> SourceReport:
        """Read the segment to its end, and say what was found; raises Unsupported and Foreign."""
        report = self._report
        try:
            with self._source.open() as container:
                if kind := self._source.announced():
                    raise Unsupported(
                        f"Segment {report.name} holds {kind} in MPEG-PS, which is not copied: have the recorder export "
                        "MP4 or MPEG-TS, or set the camera to AAC or G.711 A-law."
                    )
                tracks = choose_tracks(container, report.name)
                chosen = (tracks.video, tracks.audio)
                report.left_out = [f"{one.type} {one.index}" for one in container.streams if one not in chosen]
                try:
                    whole = self._copy(container, tracks)
                finally:
                    closed_from = self._cutter.end_segment()
                    report.garbled += self._cutter.backwards
                self._trim(self._end)
            self._check_pictures(closed_from)
            self._source.drain()
            if whole:
                self._check_counts()
        except (Damaged, av.FFmpegError) as error:
            report.problem = str(error)
            self._source.drain()
            self._trim(report.lost_from_ns or 0)
        # The walk names the cause where the demuxer saw the effect only.
        if self._source.recognised:
            report.problem = self._source.walk.problem or report.problem
        if report.garbled and report.problem is None:
            report.problem = f"{report.garbled} pictures are garbled"
        if report.lost_from_ns is None:
            report.lost_from_ns = self._source.heading.zero_ns
        self._placement.broken_off = report.problem is not None
        report.pictures = self._extent.spans
        return report

    def _copy(self, container: InputContainer, tracks: Tracks) -> bool:
        """Whether the segment was read to its end, not only to the asked one."""
        source = self._source
        demuxer = StreamDemuxer(container, tracks, source) if source.boxes is None else Mp4Demuxer(container, tracks)
        self._counted = demuxer.counted
        packets = demuxer.packets()
        waiting: list[DemuxedPacket] = []
        for one in packets:
            waiting.append(one)
            if not one.sound:
                break
        else:
            raise Damaged("the segment has no pictures")
        # Media time 0 on the wall clock, by the segment's name.
        nominal = source.heading.zero_ns - demuxer.origin
        mark = source.movie.mark if source.movie is not None else None
        zero, relation = self._placement.place(
            self._report.name, nominal, mark, waiting[-1].dts, self._source.heading.step_ns
        )
        self._cutter.begin_segment(demuxer.tracks, relation, self._extent)
        before = self._placement.reorder
        if relation == "follows" and before is not None and before[0] == demuxer.tracks.key:
            self._delay = before[1]  # what leads to an open group's first pictures is there
        if demuxer.tracks.audio is None and tracks.audio is not None:
            self._report.left_out.append(f"audio {tracks.audio.index}")
        wanted = {"video"} if demuxer.tracks.audio is None else {"video", "audio"}
        for one in chain(waiting, packets):
            if one.sound:
                self._cutter.sound(Timed(one.packet, zero + one.dts, zero + one.pts, one.length))
            else:
                self._picture(one, zero)
            if self._cutter.done >= wanted and not self._cutter.whole:
                return False
        self._placement.moved(self._cutter.moved)
        self._placement.reorder = (demuxer.tracks.key, self._delay or 0)
        return True

    def _picture(self, one: DemuxedPacket, zero: int) -> None:
        dts, pts = zero + one.dts, zero + one.pts
        length = self._cutter.continuity.rhythm.usual(one.length)
        if self._first is None:
            self._first = (dts, pts)
            self._delay = min(pts - dts, pts - dts if self._delay is None else self._delay)
        elif pts < self._first[1]:  # an open group: its first pictures are shown before its key frame
            self._delay = min(self._delay or 0, pts - self._first[0])
        report = self._report
        if self._cutter.whole and dts >= self._cutter.end_ns:
            one.good = False
        self._undecodable = not one.good or (self._undecodable and one.tracks is None)
        report.garbled += not one.good
        shown = None if self._undecodable else dts + (self._delay or 0)
        timed = Timed(one.packet, dts, pts, length, shown, one.tracks)
        if not self._cutter.picture(timed):  # which may move it, to where what it repeats lies
            return
        if not report.garbled:
            # Times that are garbled may be none that a clock can show.
            report.lost_from_ns = min(max(0, timed.dts + length), self._cutter.end_ns)
        if "video" not in self._cutter.done:
            self._placement.end = timed.dts + length
        self._end = max(self._end, timed.pts + length)

    def _trim(self, end: int) -> None:
        """Nothing is covered behind ``end``.

        Where pictures are reordered, those behind the last good decoding time may lack others before them; and an open
        group shows its first pictures before its key frame, so that the delay of the first picture is too long.
        """
        trimmed = [[start, min(stop, end)] for start, stop in self._extent.spans if start < end]
        self._extent.spans[:] = trimmed

    def _check_pictures(self, closed_from: int | None) -> None:
        """``closed_from``: the moment from which on they do not decode."""
        if closed_from is not None:
            self._trim(closed_from)
            self._report.lost_from_ns = min(self._report.lost_from_ns or closed_from, closed_from)
            raise Damaged("its pictures do not decode")

    def _check_counts(self) -> None:
        for number, counted in self._counted.items():
            declared = self._source.declared(number, counted)
            if counted < declared:
                raise Damaged(f"track {number} promises {declared} packets and {counted} are there")
