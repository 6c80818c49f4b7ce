"""Decode single pictures of footage, mark and encode them (``python -m``: no arguments).

Standard input is the length of a job, the job as JSON (``protocol``), the marks as PNG and then the pieces, one after
another; standard output the length of the facts, the facts as JSON, and the picture as JPEG. What it parses comes from
recorders, so it may only read and write its pipes (``services.runtime.confine``).
"""

import gc
import hashlib
import io
import json
import os
import sys
from fractions import Fraction
from typing import Any, cast

import av
import av.filter
import av.filter.graph
import av.subtitles.codeccontext  # PyAV imports these late, which a confined process cannot
import av.subtitles.stream
import av.subtitles.subtitle
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from services.runtime.confine import Limits, confine
from services.runtime.jpeg import jpeg
from services.vault.frames.protocol import CELL, FINE, SMALL, TOLERANCE_MS
from services.vault.redaction.pictures import Input, Source, Unsupported, open_footage
from services.vault.redaction.protocol import HEAD, LARGEST_JOB

NICE = 10  # who watches comes first
MEMORY = 2 << 30  # bytes: a picture of 8K is held decoded, marked and written
CPU_SECONDS = 40
BLANK = b"\xe4\xe7\xe8"  # the colour of a place without footage
MATTE = b"\x00\x00\x00"  # beside a picture that is narrower than its cell


def main() -> int:
    """Answer with a picture, or with nothing and status 1."""
    os.nice(NICE)
    confine(Limits(memory=MEMORY, cpu_seconds=CPU_SECONDS))
    gc.freeze()
    av.logging.set_level(None)
    given = sys.stdin.buffer
    [length] = HEAD.unpack(given.read(HEAD.size))
    if length > LARGEST_JOB:
        return 1
    job = json.loads(given.read(length))
    try:
        marks = _picture(given.read(job["marks"]), "png")
        pieces = [None if size is None else given.read(size) for size in job["pieces"]]
        picture, facts = MODES[job["mode"]](pieces, job)
        written = jpeg(_marked(picture, marks), SMALL if job["mode"] == "strip" else FINE)
    except (av.FFmpegError, Unsupported, EOFError, IndexError):
        return 1
    head = json.dumps(facts).encode()
    sys.stdout.buffer.write(HEAD.pack(len(head)) + head + written)
    sys.stdout.buffer.flush()
    return 0


def _strip(pieces: list[bytes | None], _: dict[str, Any]) -> tuple[VideoFrame, dict[str, Any]]:
    """Return the first picture of each piece, side by side; a blank place where there is none."""
    width, height = CELL
    rows = [bytearray() for _ in range(height)]
    shown = 0
    for piece in pieces:
        frame = None if piece is None else _first(piece)
        shown += frame is not None
        for row, pixels in zip(rows, _cell(frame), strict=True):
            row.extend(pixels)
    strip = VideoFrame(width * len(pieces), height, "rgb24")
    plane = strip.planes[0]
    padding = bytes(plane.line_size - width * len(pieces) * 3)
    plane.update(b"".join(bytes(row) + padding for row in rows))
    return strip, {"shown": shown}


def _cell(frame: VideoFrame | None) -> list[bytes]:
    """Return the rows of one place, the picture as large as fits and in its middle."""
    width, height = CELL
    if frame is None:
        return [BLANK * width] * height
    scale = min(width / frame.width, height / frame.height)
    wide, high = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
    small = frame.reformat(min(wide, width), min(high, height), format="rgb24")
    plane = small.planes[0]
    pixels = bytes(plane)
    left = (width - small.width) // 2
    above = (height - small.height) // 2
    rows = [
        MATTE * left + pixels[start : start + small.width * 3] + MATTE * (width - small.width - left)
        for start in range(0, small.height * plane.line_size, plane.line_size)
    ]
    empty = MATTE * width
    return [empty] * above + rows + [empty] * (height - small.height - above)


def _first(piece: bytes) -> VideoFrame | None:
    """Return the first picture of a piece; None where it is cut off in it, or is not decodable."""
    given = Input(io.BytesIO(piece))
    try:
        with open_footage(given) as container:
            source = Source(container, given, 0)
            for packet in container.demux(source.video):
                if not packet.size or packet.is_corrupt:
                    return None
                frames = [*packet.decode(), *source.video.decode(None)]
                return source.shown(frames[0]) if frames else None
    except (av.FFmpegError, Unsupported, ValueError):
        return None
    return None


def _still(pieces: list[bytes | None], job: dict[str, Any]) -> tuple[VideoFrame, dict[str, Any]]:
    """Return the picture that is shown at a moment of the piece, and what it is; EOFError where there is none."""
    given = Input(io.BytesIO(pieces[0] or b""))
    found: tuple[float, VideoFrame] | None = None
    with open_footage(given) as container:
        source = Source(container, given, 0)
        begins: int | None = None
        for packet in container.demux(source.video):
            if begins is None:
                begins = packet.pts
            for moment, frame in source.pictures(packet):
                offset = float((moment.pts - (begins or 0)) * source.base * 1000)
                if offset < 0:
                    continue  # it belongs before the fragment, in the order of showing
                if found is not None and offset > job["at_ms"] + TOLERANCE_MS:
                    break
                found = offset, frame
            else:
                continue
            break
        if found is None:
            raise EOFError("no picture can be decoded")
        offset, frame = found
        facts = {"offset_ms": offset, "sha256": _hash(frame), "pixels": frame.format.name}
        shown = source.shown(frame)
    return shown, {**facts, "width": shown.width, "height": shown.height}


def _hash(frame: VideoFrame) -> str | None:
    """Return the SHA-256 of the decoded samples, plane by plane without padding, as ``ffmpeg -f rawvideo`` has them."""
    if not frame.format.is_planar or frame.format.has_palette:
        return None
    samples = (max(component.bits for component in frame.format.components) + 7) // 8
    digest = hashlib.sha256()
    for plane in frame.planes:
        content, wide = memoryview(bytes(plane)), plane.width * samples
        for row in range(plane.height):
            digest.update(content[row * plane.line_size : row * plane.line_size + wide])
    return digest.hexdigest()


def _again(pieces: list[bytes | None], _: dict[str, Any]) -> tuple[VideoFrame, dict[str, Any]]:
    """Return a picture that was written before."""
    return _picture(pieces[0] or b"", "mjpeg"), {}


def _picture(content: bytes, codec: str) -> VideoFrame:
    decoder = av.CodecContext.create(codec, "r")
    if not isinstance(decoder, VideoCodecContext):
        raise TypeError("the decoder of pictures is no video decoder")
    frames = [*decoder.decode(av.Packet(content)), *decoder.decode(None)]
    return frames[0]


def _marked(picture: VideoFrame, marks: VideoFrame) -> VideoFrame:
    """Return the picture with the marks over all of it; they keep their shape, and what is too much is cut off."""
    scale = max(picture.width / marks.width, picture.height / marks.height)
    wide, high = (-(-round(side * scale) // 2) * 2 for side in (marks.width, marks.height))
    over = marks.reformat(wide, high, format="rgba")
    under = picture.reformat(format="rgb24")
    graph = Graph()
    graph.threads = 1
    base = Fraction(1, 25)
    lower = graph.add_buffer(width=under.width, height=under.height, format=under.format, time_base=base)
    upper = graph.add_buffer(width=over.width, height=over.height, format=over.format, time_base=base)
    step = graph.add("overlay", "x=(W-w)/2:y=(H-h)/2:format=rgb")
    lower.link_to(step, 0, 0)
    upper.link_to(step, 0, 1)
    sink = graph.add("buffersink")
    step.link_to(sink)
    graph.configure()
    for frame, buffer in ((under, lower), (over, upper)):
        frame.pts, frame.time_base = 0, base
        buffer.push(frame)
        buffer.push(None)
    return cast("VideoFrame", sink.pull())


MODES = {"strip": _strip, "still": _still, "again": _again}

if __name__ == "__main__":
    sys.exit(main())
