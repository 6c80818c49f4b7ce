"""Redaction of every kind of footage: without loss, each pixel is compared under the boxes and beside them."""

import io
import json
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import pytest
from av.bitstream import BitStreamFilterContext
from av.codec.context import Flags

from services.vault.redaction import process, recipe
from services.vault.redaction.protocol import HEAD

WIDTH, HEIGHT = 192, 128
BASE = Fraction(1, 90_000)
STEPS = (1500, 3003, 4500, 9001, 18_000)  # ticks between two pictures: no rate is kept
COUNT = 12
BLACK = 16
FRAGMENTED = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
}
LOSSLESS = {"preset": "ultrafast", "qp": "0", "bf": "2"}
ONE = 65536

Rows = list[bytes]


@dataclass(frozen=True)
class Kind:
    """How footage is made, and by how much a level of it may differ where no box is; None: it is scaled."""

    codec: str = "libx264"
    format: str = "yuv420p"
    size: tuple[int, int] = (WIDTH, HEIGHT)
    options: dict[str, str] = field(default_factory=lambda: dict(LOSSLESS))
    matrix: tuple[int, int, int, int] | None = None
    aspect: Fraction | None = None
    cropped: tuple[int, int, int, int] = (0, 0, 0, 0)  # left, top, right, bottom
    start: int = 900
    interlaced: bool = False
    tolerance: int | None = 0
    bsf: str = ""
    after: Callable[[bytes], bytes] = bytes

    @property
    def shown_size(self) -> tuple[int, int]:
        left, top, right, bottom = self.cropped
        width, height = self.size[0] - left - right, self.size[1] - top - bottom
        return (height, width) if self.matrix is not None and not self.matrix[0] else (width, height)

    @property
    def player_size(self) -> tuple[int, int]:
        """Return what a browser says: with square pixels."""
        width, height = self.shown_size
        return (round(width * self.aspect), height) if self.aspect else (width, height)


def level(number: int, x: int, y: int) -> int:
    """Return a level that differs from its neighbours', from the picture before, and from black."""
    return 70 + (x * 3 + y * 5 + number * 17) % 120


def rows_of(number: int, width: int, height: int) -> Rows:
    first = [70 + (x * 3) % 120 for x in range(width)]
    assert first[5] == level(0, 5, 0)
    return [bytes(70 + (one - 70 + y * 5 + number * 17) % 120 for one in first) for y in range(height)]


def footage(kind: Kind) -> bytes:
    target, rng, pts = io.BytesIO(), random.Random(3), kind.start  # noqa: S311 - times, no secret
    with av.open(target, "w", format="mp4", options=FRAGMENTED) as container:
        encoder = container.add_stream(kind.codec, rate=25)
        encoder.width, encoder.height = kind.size
        encoder.pix_fmt = kind.format
        encoder.options = kind.options
        context = encoder.codec_context
        context.gop_size = 5
        context.time_base = encoder.time_base = BASE
        if kind.interlaced:
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        if kind.aspect:
            context.sample_aspect_ratio = kind.aspect
        for number in range(COUNT):
            frame = picture(kind, number)
            frame.pts, frame.time_base = pts, BASE
            pts += rng.choice(STEPS)
            container.mux(encoder.encode(frame))
        container.mux(encoder.encode(None))
    data = filtered(target.getvalue(), kind.bsf) if kind.bsf else target.getvalue()
    return kind.after(turned(data, kind.matrix) if kind.matrix else data)


def filtered(data: bytes, name: str) -> bytes:
    target = io.BytesIO()
    with av.open(io.BytesIO(data)) as given, av.open(target, "w", format="mp4", options=FRAGMENTED) as container:
        video = given.streams.video[0]
        copied = container.add_stream_from_template(video)
        copied.time_base = BASE
        changing = BitStreamFilterContext(name, video, copied)
        for packet in given.demux(video):
            for changed in changing.filter(packet if packet.size else None):
                changed.stream = copied
                container.mux(changed)
    return target.getvalue()


def picture(kind: Kind, number: int) -> av.VideoFrame:
    frame = av.VideoFrame(*kind.size, "yuv420p" if kind.tolerance else kind.format)
    luma, *colours = frame.planes
    deep = frame.format.components[0].bits > 8
    rows = rows_of(number, *kind.size)
    if deep:
        rows = [b"".join(struct.pack("<H", one * 4) for one in row) for row in rows]
    luma.update(b"".join(row.ljust(luma.line_size, b"\0") for row in rows))
    for plane, colour in zip(colours, (100, 160), strict=False):
        plane.update((struct.pack("<H", colour * 4) if deep else bytes([colour])) * (plane.buffer_size >> deep))
    return frame.reformat(format=kind.format) if frame.format.name != kind.format else frame


def turned(data: bytes, matrix: tuple[int, int, int, int]) -> bytes:
    """The same footage with another display matrix in its track's header (ISO/IEC 14496-12)."""
    place = data.index(b"tkhd") + 8 + (32 if data[data.index(b"tkhd") + 4] else 20) + 16
    a, b, c, d = (one * ONE for one in matrix)
    given = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    return data[:place] + given + data[place + len(given) :]


def as_shown(kind: Kind, number: int) -> Rows:
    """Turn what was filmed as its matrix says, pixel by pixel."""
    left, top, right, bottom = kind.cropped
    rows = rows_of(number, *kind.size)[top : kind.size[1] - bottom]
    rows = [row[left : kind.size[0] - right] for row in rows]
    if kind.matrix is None:
        return rows
    a, b, c, d = kind.matrix
    width, height = kind.shown_size
    across, down = len(rows[0]), len(rows)
    shown = [bytearray(width) for _ in range(height)]
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            # a point (x, y) is shown at (a x + c y, b x + d y), moved into the picture
            to_x, to_y = a * x + c * y, b * x + d * y
            to_x += across - 1 if a < 0 else down - 1 if c < 0 else 0
            to_y += across - 1 if b < 0 else down - 1 if d < 0 else 0
            shown[to_y][to_x] = value
    return [bytes(row) for row in shown]


def box(start: int, end: int, *places: tuple[int, ...]) -> dict[str, Any]:
    names = ("at", "x", "y", "width", "height")
    return {"start": start, "end": end, "keyframes": [dict(zip(names, place, strict=True)) for place in places]}


def recipe_of(kind: Kind, *regions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    width, height = kind.player_size
    size = {"width": width, "height": height}
    return recipe.read({"mode": "blur-these", "picture": size, "regions": list(regions), **changes}).to_json()


class Sink(io.BytesIO):
    """A pipe: what was written cannot be sought."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: Any) -> int:
        self.data += data
        return len(data)


def redacted(source: bytes, given: dict[str, Any], start: int) -> tuple[bytes, dict[str, Any]]:
    """Redact in this process, without loss, so that each pixel can be compared."""
    offset = -start * 1_000_000_000 // 90_000 // 1000 * 1000
    job = json.dumps({"recipe": given, "offset_ns": offset, "threads": 1}).encode()
    out, lines = Sink(), []
    process.run(io.BytesIO(HEAD.pack(len(job)) + job + source), process._Output(out), lines.append)
    return bytes(out.data), lines[-1]


@pytest.fixture
def _lossless(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {name: value for name, value in process.ENCODER.items() if name != "crf"}
    monkeypatch.setattr(process, "ENCODER", {**kept, "preset": "ultrafast", "qp": "0"})


def decoded(data: bytes) -> Iterator[tuple[int, Rows, int]]:
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            raw, stride = bytes(plane), plane.line_size
            rows = [raw[y * stride : y * stride + frame.width] for y in range(frame.height)]
            colours = {bytes(one)[0] for one in frame.planes[1:]}
            yield int(Fraction(frame.pts) * frame.time_base / BASE), rows, len(colours)


def rectangle(kind: Kind, region: dict[str, Any], at: int, width: int, height: int) -> tuple[int, ...] | None:
    """Say where a box is at a moment, worked out anew: in pixels of the picture, grown to even ones."""
    if not region["start"] <= at <= region["end"]:
        return None
    places = region["keyframes"]
    before = max((one for one in places if one["at"] <= at), key=lambda one: one["at"], default=places[0])
    after = min((one for one in places if one["at"] >= at), key=lambda one: one["at"], default=places[-1])
    span = after["at"] - before["at"]
    share = Fraction(at - before["at"], span) if span > 0 else Fraction(0)

    def edge(name: str, side: str) -> Fraction:
        one, other = (place[name] + (place[side] if side else 0) for place in (before, after))
        return one + (other - one) * share

    across = Fraction(width, kind.player_size[0])
    down = Fraction(height, kind.player_size[1])
    left, top = edge("x", "") * across, edge("y", "") * down
    right, bottom = edge("x", "width") * across, edge("y", "height") * down
    grid = 4 if kind.interlaced else 2  # two lines of each field share a colour
    return (
        int(left // grid * grid),
        int(top // grid * grid),
        min(width, int(-(-right // grid) * grid)),
        min(height, int(-(-bottom // grid) * grid)),
    )


TURNED = {
    "clockwise": (0, 1, -1, 0),
    "counter-clockwise": (0, -1, 1, 0),
    "upside-down": (-1, 0, 0, -1),
    "mirrored": (-1, 0, 0, 1),
    "mirrored-down": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transposed-back": (0, -1, -1, 0),
}
KINDS = {
    "as it is": Kind(),
    **{name: Kind(matrix=matrix) for name, matrix in TURNED.items()},
    "odd": Kind(format="yuv444p", size=(191, 127), tolerance=None),
    "ten bits": Kind(format="yuv420p10le", tolerance=2),
    "4:2:2 of full range": Kind(
        codec="mjpeg", format="yuvj422p", options={"qscale": "1", "qmin": "1", "qmax": "1"}, tolerance=40
    ),
    "with alpha": Kind(codec="png", format="rgba", options={}, tolerance=12),
    "cropped": Kind(options={**LOSSLESS, "x264-params": "crop-rect=10,6,20,12"}, cropped=(10, 6, 20, 12)),
    "cropped and turned": Kind(
        options={**LOSSLESS, "x264-params": "crop-rect=10,6,20,12"}, cropped=(10, 6, 20, 12), matrix=(0, 1, -1, 0)
    ),
    "interlaced": Kind(options={**LOSSLESS, "x264-params": "interlaced=1:tff=1"}, interlaced=True),
    "narrow pixels": Kind(aspect=Fraction(12, 11)),
    "broad pixels": Kind(aspect=Fraction(64, 45)),
    "before zero": Kind(start=-27_000),
    "turned inside its pictures": Kind(bsf="h264_metadata=display_orientation=insert:rotate=90"),
}


@pytest.mark.usefixtures("_lossless")
@pytest.mark.requirement("R6", "R58", refuses=True)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_t5_each_pixel_under_a_box_is_replaced_and_none_beside_it(kind: Kind) -> None:
    source = footage(kind)
    width, height = kind.player_size
    times = [at for at, *_ in sorted(decoded(source))]
    first = times[0]
    moments = [(pts - first) * 1000 // 90_000 for pts in times]
    boxes = (
        # moves between two pictures' times, from corner to corner
        box(moments[2], moments[9], (moments[2], 0, 0, 41, 33), (moments[9] - 1, width - 41, height - 33, 41, 33)),
        # the least there is, at the edge; its time overlaps the other's
        box(moments[4], moments[4], (moments[4], width - 8, 0, 8, 8)),
        box(moments[7] + 1, moments[-1], (moments[7] + 1, 0, height - 9, 9, 9)),
    )

    data, report = redacted(source, recipe_of(kind, *boxes), first)

    assert "report" in report, report
    shown = list(decoded(data))
    assert [pts for pts, *_ in shown] == times
    for number, (at, (_, rows, _)) in enumerate(zip(moments, shown, strict=True)):
        found = [rectangle(kind, one, at, len(rows[0]), len(rows)) for one in boxes]
        rectangles = [one for one in found if one is not None]
        assert bool(rectangles) == (number >= 2), number
        compare(kind, number, rows, rectangles)


def compare(kind: Kind, number: int, rows: Rows, rectangles: list[tuple[int, ...]]) -> None:
    truth = as_shown(kind, number) if kind.tolerance is not None else rows
    assert (len(rows[0]), len(rows)) == (len(truth[0]) // 2 * 2, len(truth) // 2 * 2)
    for y, (row, wanted) in enumerate(zip(rows, truth, strict=False)):
        expected = bytearray(wanted)
        for left, top, right, bottom in rectangles:
            if top <= y < bottom:
                assert set(row[left:right]) <= {BLACK}, (number, y)
                expected[left:right] = row[left:right]
        if kind.tolerance == 0:
            assert row == expected, (number, y)
        elif kind.tolerance:
            assert max(abs(a - b) for a, b in zip(row, expected, strict=True)) <= kind.tolerance, (number, y)


NOTES = (b"a note of the file", b"a note of the track", b"a note in a picture", b"a note in a box", b"a second picture")
PICTURE_NOTE = f"h264_metadata=sei_user_data=086f3693b7b34f2c965321492feee5b8+{NOTES[2].decode()}"


def hiding() -> bytes:
    """Footage that carries more than its picture: notes everywhere, and a second picture."""
    noted, target = filtered(footage(Kind()), PICTURE_NOTE), io.BytesIO()
    with av.open(io.BytesIO(noted)) as given, av.open(target, "w", format="mp4", options=FRAGMENTED) as container:
        container.metadata["comment"] = NOTES[0].decode()
        shown = container.add_stream_from_template(given.streams.video[0])
        shown.metadata["handler_name"] = NOTES[1].decode()
        hidden = container.add_stream("mpeg4", rate=25)
        hidden.width, hidden.height, hidden.pix_fmt = 64, 48, "yuv420p"
        hidden.metadata["handler_name"] = NOTES[4].decode()
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                packet.stream = shown
                container.mux(packet)
        for number in range(COUNT):
            frame = picture(Kind(size=(64, 48)), number)
            frame.pts = number
            container.mux(hidden.encode(frame))
        container.mux(hidden.encode(None))
    return target.getvalue() + struct.pack(">I4s16s", 24 + len(NOTES[3]), b"uuid", b"n" * 16) + NOTES[3]


@pytest.mark.requirement("R6", "R58", refuses=True)
def test_t5_what_is_hidden_in_the_source_does_not_go_along() -> None:
    source = hiding()
    assert all(note in source for note in NOTES)

    data, report = redacted(source, recipe_of(Kind(), box(0, 10_000, (0, 0, 0, WIDTH, HEIGHT)), sound=True), 900)

    assert report["report"]["pictures"] == COUNT
    assert not [note for note in NOTES if note in data]
    with av.open(io.BytesIO(data)) as made, av.open(io.BytesIO(source)) as given:
        assert [(one.type, one.codec_context.name) for one in made.streams] == [("video", "h264")]
        taken = [bytes(packet)[8:] for packet in given.demux() if packet.size > 24]
        assert not any(one in data for one in taken)
        assert all(not frame.metadata for frame in made.decode(video=0))
    # all of the picture is under the box: not even a level of what was there is left
    assert {one for _, rows, _ in decoded(data) for row in rows for one in row} == {BLACK}
