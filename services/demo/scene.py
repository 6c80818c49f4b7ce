"""The demo's cameras: drawn pictures in which something moves, with the camera's own clock and name burnt in.

A picture depends on the camera and the moment alone, so that the same minute is always the same film.
"""

import io
import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache
from math import sin, tau
from pathlib import Path

import av
import typst

from services.rendering import glyphs
from services.runtime.errors import Fatal

WIDTH, HEIGHT = 640, 360
FPS = 3
KEY_EVERY = 2 * FPS  # pictures
FIGURES = "0123456789-: "
FIGURE = (14, 24)  # pixels of each in the clock
CLOCK_AT = (8, 4)
DAY = range(6, 18)  # hours of daylight
SOUND_RATE, SOUND_FRAME, HUM = 16_000, 1024, 125  # Hz, samples, Hz
# As MediaMTX writes its segments, and as recorders do that write a file to its end.
FRAGMENTED = {
    "movflags": "empty_moov+default_base_moof+frag_discont+skip_trailer",
    "frag_duration": "1000000",
    "use_editlist": "0",
}
# One thread, so that every machine makes the same bytes. The demo's films are short and shown small.
ENCODER = {"preset": "ultrafast", "tune": "zerolatency", "threads": "1", "sc_threshold": "0", "crf": "27"}


@dataclass(frozen=True)
class View:
    """What a camera sees: a scene of scene.typ, and what moves in it from one point to another and back.

    ``path`` is x and y of both ends in pixels, ``seconds`` the time for one way.
    """

    scene: str
    label: str
    mover: str
    path: tuple[int, int, int, int]
    seconds: int
    outdoors: bool = False
    sound: bool = False


@dataclass(frozen=True)
class _Drawn:
    """A picture as the three planes of yuv420p."""

    planes: tuple[bytes, bytes, bytes]
    width: int


@dataclass(frozen=True)
class _Sprite:
    """For each plane the first opaque pixel of each row, and the row from there to the last one."""

    rows: tuple[tuple[tuple[int, bytes], ...], ...]


class Studio:
    """Draws the views of some cameras once, and films them."""

    def __init__(self, views: Sequence[View]) -> None:
        things = sorted({view.mover for view in views})
        pages = iter(_draw(views, things))
        self._backgrounds = {view: (_planes(next(pages)), _planes(next(pages))) for view in views}
        self.figures = _figures(next(pages))
        self._sprites = {thing: _sprite(next(pages)) for thing in things}

    def film(self, view: View, path: Path, start: datetime, seconds: int, *, fragmented: bool = False) -> None:
        """Write what the camera saw from ``start``, an aware time of the camera's zone; a file that exists stays.

        Raises Fatal if this FFmpeg cannot encode H.264.
        """
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}")  # a name that says no time
        options = FRAGMENTED if fragmented else {}
        with av.open(str(unfinished), "w", format="mp4", options=options) as container:
            try:
                pictures = container.add_stream("libx264", rate=FPS)
            except av.codec.codec.UnknownCodecError as error:
                raise Fatal(
                    f"could not draw the demo's recordings | {path} | this FFmpeg has no x264 | install PyAV's own "
                    "wheel, or leave --demo out"
                ) from error
            pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            pictures.gop_size, pictures.max_b_frames = KEY_EVERY, 0
            pictures.options = {**ENCODER}
            sounds = container.add_stream("aac", rate=SOUND_RATE, layout="mono") if view.sound else None
            heard = 0
            for number in range(seconds * FPS):
                container.mux(pictures.encode(self._frame(view, start, number)))
                while sounds is not None and heard * SOUND_FRAME * FPS < (number + 1) * SOUND_RATE:
                    container.mux(sounds.encode(_sound(heard)))
                    heard += 1
            container.mux(pictures.encode(None))
            if sounds is not None:
                container.mux(sounds.encode(None))
        unfinished.replace(path)

    def photograph(self, view: View, at: datetime) -> bytes:
        """Return what the camera saw at ``at`` without its clock, as a JPEG: what an installer would have taken."""
        frame = _frame(self._background(view, at).planes).reformat(format="yuvj420p")
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        encoder.time_base = Fraction(1, FPS)
        return b"".join(bytes(packet) for part in (frame, None) for packet in encoder.encode(part))

    def _background(self, view: View, at: datetime) -> _Drawn:
        return self._backgrounds[view][0 if at.hour in DAY else 1]

    def _frame(self, view: View, start: datetime, number: int) -> av.VideoFrame:
        at = start + timedelta(seconds=number / FPS)
        planes = [bytearray(plane) for plane in self._background(view, at).planes]
        self._move(planes, view, at)
        self._clock(planes[0], at.strftime("%Y-%m-%d %H:%M:%S"))
        frame = _frame(planes)
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        return frame

    def _move(self, planes: list[bytearray], view: View, at: datetime) -> None:
        """Put what moves where it is at that moment."""
        ways = (at.timestamp() / view.seconds) % 2
        share = ways if ways < 1 else 2 - ways
        x0, y0, x1, y1 = view.path
        x, y = (int(begin + share * (end - begin)) // 2 for begin, end in ((x0, x1), (y0, y1)))
        for plane, rows, scale in zip(planes, self._sprites[view.mover].rows, (2, 1, 1), strict=True):
            width = WIDTH * scale // 2
            for line, (first, row) in enumerate(rows, y * scale):
                place = line * width + x * scale + first
                plane[place : place + len(row)] = row

    def _clock(self, plane: bytearray, text: str) -> None:
        x, y = CLOCK_AT
        for line in range(FIGURE[1]):
            row = b"".join(self.figures[figure][line] for figure in text)
            place = (y + line) * WIDTH + x
            plane[place : place + len(row)] = row


def _draw(views: Sequence[View], things: Sequence[str]) -> Iterator[av.VideoFrame]:
    cameras = [{"scene": view.scene, "label": view.label, "outdoors": view.outdoors} for view in views]
    given = {"cameras": json.dumps(cameras), "things": json.dumps(things), "figures": FIGURES}
    return draw_pages(Path(__file__).with_name("scene.typ"), given)


def draw_pages(source: Path, given: Mapping[str, str], *, ppi: float = 72) -> Iterator[av.VideoFrame]:
    """Yield the pages of a drawing; at 72 pixels an inch a point of it is a pixel."""
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[glyphs.FONTS])
    compiler = typst.Compiler(
        source, root=source.parent, font_paths=fonts, ignore_system_fonts=True, sys_inputs=dict(given)
    )
    pages = compiler.compile(format="png", ppi=ppi)
    if not isinstance(pages, list):
        raise TypeError("typst returned no pages: install the version that requirements.lock names")
    for page in pages:
        with av.open(io.BytesIO(page), "r", format="png_pipe") as container:
            yield next(container.decode(video=0))


def _planes(picture: av.VideoFrame) -> _Drawn:
    frame = picture.reformat(format="yuv420p")
    planes = [_rows(plane, WIDTH // scale) for plane, scale in zip(frame.planes, (1, 2, 2), strict=True)]
    return _Drawn((b"".join(planes[0]), b"".join(planes[1]), b"".join(planes[2])), WIDTH)


def _rows(plane: av.video.plane.VideoPlane, width: int) -> list[bytes]:
    """Return the rows of a plane without what pads them."""
    held = bytes(plane)
    return [held[row * plane.line_size :][:width] for row in range(plane.height)]


def _figures(picture: av.VideoFrame) -> dict[str, list[bytes]]:
    rows = _rows(picture.reformat(format="gray").planes[0], len(FIGURES) * FIGURE[0])
    return {
        figure: [row[place * FIGURE[0] : (place + 1) * FIGURE[0]] for row in rows]
        for place, figure in enumerate(FIGURES)
    }


def _sprite(picture: av.VideoFrame) -> _Sprite:
    opacity = [row[3::4] for row in _rows(picture.planes[0], 4 * picture.width)]
    frame = picture.reformat(format="yuv420p")
    parts = []
    for plane, scale in zip(frame.planes, (1, 2, 2), strict=True):
        rows = []
        for row, seen in zip(_rows(plane, picture.width // scale), opacity[::scale], strict=True):
            opaque = [place // scale for place, alpha in enumerate(seen) if alpha > 127]
            first, last = (opaque[0], opaque[-1] + 1) if opaque else (0, 0)
            rows.append((first, row[first:last]))
        parts.append(tuple(rows))
    return _Sprite(tuple(parts))


def _frame(planes: Sequence[bytes | bytearray]) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane, held, scale in zip(frame.planes, planes, (1, 2, 2), strict=True):
        width = WIDTH // scale
        if plane.line_size == width:
            plane.update(bytes(held))
        else:
            pad = bytes(plane.line_size - width)
            plane.update(b"".join(held[row * width : (row + 1) * width] + pad for row in range(plane.height)))
    return frame


def _sound(number: int) -> av.AudioFrame:
    """Return a part of a quiet hum; a whole number of its waves is in each part."""
    frame = av.AudioFrame("fltp", "mono", SOUND_FRAME)
    frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, number * SOUND_FRAME, Fraction(1, SOUND_RATE)
    frame.planes[0].update(_hum())
    return frame


@cache
def _hum() -> bytes:
    return array("f", (0.02 * sin(tau * HUM * place / SOUND_RATE) for place in range(SOUND_FRAME))).tobytes()
