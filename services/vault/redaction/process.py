"""The process that redacts: ``python -m services.vault.redaction.process <report> <memory> <cpu seconds>``.

Standard input is the job, a length (32 bit, big-endian) and that many bytes of JSON, and then one fragmented MP4;
standard output is the redacted one, and ``report`` the number of a pipe for one JSON object a line. The last is
{"report": …}, or {"refused": sentence} for footage that cannot be redacted. Each picture keeps its own time; nothing of
the source's metadata is written, and its sound only where the recipe says so.
"""

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic
from typing import BinaryIO, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from services.runtime.confine import Limits, confine
from services.vault.redaction.drawing import Plan
from services.vault.redaction.pictures import BUFFER, Input, Moment, Source, Unsupported, open_footage
from services.vault.redaction.protocol import HEAD, LARGEST_JOB, lines_to

NICE = 5
REPORT_SECONDS = 0.5
KEY_EVERY_NS = 2_000_000_000  # at most so far apart are key frames, which a player seeks by
JUMP_NS = 900_000_000  # behind a gap a picture stands by itself, as the vault wants it
IN_MOV = ("pcm_alaw", "pcm_mulaw")  # sound that has no place in MP4
# As the clip's: no edit list, no trailing index; each track's time starts where its packets say.
OPTIONS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont+skip_trailer",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
    "fflags": "+bitexact",
}
# No picture is encoded by a later one (``bf``), so that what is decoded first is shown first. Captions and other data
# of the source's pictures are not taken over.
ENCODER = {
    "preset": "veryfast",
    "crf": "20",
    "bf": "0",
    "rc-lookahead": "10",
    "forced-idr": "1",
    "a53cc": "0",
    "udu_sei": "0",
}


@dataclass
class Job:
    """``offset_ns``: how long after the first picture of all the footage the source's media time 0 is."""

    recipe: dict[str, object]
    offset_ns: int
    threads: int


@dataclass
class Result:
    """What was done: pictures that came and that were changed, and packets that no picture could be made of."""

    pictures: int = 0
    drawn: int = 0
    undecodable: int = 0
    width: int = 0
    height: int = 0
    turned: bool = False
    sound: bool = False
    last_ms: int = 0


class Redactor:
    """Writes the redacted copy of one source to ``out``; ``emit`` is called with progress."""

    def __init__(self, job: Job, out: object, emit: Callable[[dict[str, object]], None]) -> None:
        self.result = Result()
        self.offset_ns = job.offset_ns
        self._job = job
        self._plan = Plan(job.recipe)
        self._out = out
        self._emit = emit
        self._container: OutputContainer | None = None
        self._video: VideoStream | None = None
        self._audio: AudioStream | None = None
        self._waiting: list[Packet[AudioStream]] = []  # sound that came before the first picture
        self._key_at: int | None = None
        self._last_ns: int | None = None
        self._told = monotonic()

    def redact(self, source: Source) -> None:
        """Read the source to its end; raises Unsupported."""
        audio = next(iter(source.container.streams.audio), None) if self._plan.sound else None
        self.result.turned = bool(source.turn)
        streams: list[Stream] = [source.video] if audio is None else [source.video, audio]
        for packet in source.container.demux(*streams):
            if packet.stream_index != source.video.index:
                self._sound(cast("Packet[AudioStream]", packet), audio)
                continue
            for moment, frame in source.pictures(cast("Packet[VideoStream]", packet)):
                self._picture(moment, frame, source, audio)
        self.result.undecodable = source.undecodable
        if self._container is None or self._video is None:
            raise Unsupported("no picture of it can be decoded")
        self._write(self._video.encode(None))
        self._container.close()

    def _picture(self, moment: Moment, frame: VideoFrame, source: Source, audio: AudioStream | None) -> None:
        at, ns = moment.at, moment.ns
        length, interlaced = frame.duration, frame.interlaced_frame
        shown = source.shown(frame)
        rectangles = self._plan.rectangles(at, shown.width, shown.height, interlaced=interlaced)
        drawn = self._plan.draw(shown, rectangles)
        self.result.pictures += 1
        if self._plan.keeps or rectangles:
            self.result.drawn += 1
        if self._video is None:
            self._begin(drawn, source, audio)
        if (drawn.width, drawn.height) != (self.result.width, self.result.height):
            raise Unsupported("the size of its picture changes inside a part")
        drawn.pts, drawn.time_base, drawn.duration = moment.pts, source.base, length
        jumps = self._last_ns is not None and ns - self._last_ns > JUMP_NS
        if self._key_at is None or jumps or ns - self._key_at >= KEY_EVERY_NS:
            drawn.pict_type, self._key_at = PictureType.I, ns
        else:
            drawn.pict_type = PictureType.NONE
        self._last_ns = ns
        self.result.last_ms = at
        assert self._video is not None  # noqa: S101 - begun above
        self._write(self._video.encode(drawn))
        if monotonic() - self._told > REPORT_SECONDS:
            self._told = monotonic()
            self._emit({"pictures": self.result.pictures, "at": at})

    def _begin(self, first: VideoFrame, source: Source, audio: AudioStream | None) -> None:
        video = source.video
        kind = "mov" if audio is not None and audio.codec_context.name in IN_MOV else "mp4"
        container = av.open(self._out, "w", format=kind, options=OPTIONS, buffer_size=BUFFER)
        rate = video.average_rate or Fraction(25)
        encoder = container.add_stream("libx264", rate=rate if 1 <= rate <= 240 else Fraction(25))
        context = encoder.codec_context
        context.width, context.height = first.width, first.height
        context.pix_fmt = first.format.name
        context.time_base = encoder.time_base = source.base
        context.thread_count = self._job.threads
        context.options = dict(ENCODER)
        for name in ("color_range", "color_primaries", "color_trc", "colorspace"):
            setattr(context, name, getattr(video.codec_context, name))
        aspect = video.codec_context.sample_aspect_ratio
        if aspect:
            context.sample_aspect_ratio = 1 / aspect if any(name == "transpose" for name, _ in source.turn) else aspect
        if audio is not None:
            self._audio = container.add_stream_from_template(audio, opaque=True)
            self.result.sound = True
        self._container, self._video = container, encoder
        self.result.width, self.result.height = first.width, first.height
        for packet in self._waiting:
            self._copy_sound(packet)
        self._waiting.clear()

    def _sound(self, packet: "Packet[AudioStream]", audio: AudioStream | None) -> None:
        if audio is None or not packet.size:
            return
        if self._container is None:
            self._waiting.append(packet)
        else:
            self._copy_sound(packet)

    def _copy_sound(self, packet: "Packet[AudioStream]") -> None:
        if self._container is not None and self._audio is not None:
            packet.stream = self._audio
            self._container.mux(packet)

    def _write(self, packets: "list[Packet[VideoStream]]") -> None:
        if self._container is not None:
            for packet in packets:
                self._container.mux(packet)


def run(given: BinaryIO, out: object, emit: Callable[[dict[str, object]], None]) -> None:
    """Read the job and its source, and write the redacted copy and the report."""
    [length] = HEAD.unpack(given.read(HEAD.size))
    if length > LARGEST_JOB:
        raise EOFError(f"a job of {length} bytes is longer than {LARGEST_JOB}")
    redactor = Redactor(Job(**json.loads(given.read(length))), out, emit)
    footage = Input(given)
    try:
        with open_footage(footage) as container:
            redactor.redact(Source(container, footage, redactor.offset_ns))
    except Unsupported as refusal:
        emit({"refused": str(refusal)})
        return
    except (av.FFmpegError, ValueError) as error:
        emit({"refused": f"it cannot be read or encoded ({error})"})
        return
    emit({"report": redactor.result.__dict__})


class _Output:
    """What is written to a pipe, which cannot be sought."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe

    def write(self, data: bytes) -> int:
        """Write all of it."""
        self._pipe.write(data)
        return len(data)


def main() -> None:
    """Confine the process, then redact."""
    descriptor, memory, cpu_seconds = (int(argument) for argument in sys.argv[1:])
    os.nice(NICE)  # who watches and reviews comes first
    confine(Limits(memory=memory, cpu_seconds=cpu_seconds))
    gc.freeze()  # what was loaded is never collected
    av.logging.set_level(None)
    try:
        with os.fdopen(descriptor, "wb") as report:
            run(sys.stdin.buffer, _Output(sys.stdout.buffer), lines_to(report))
            sys.stdout.buffer.flush()
    except BaseException:  # noqa: BLE001 - reported as Python would
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # a thread of the encoder may still wait


if __name__ == "__main__":
    main()
