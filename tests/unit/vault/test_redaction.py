"""Redaction: what is under a box is replaced on each picture of its time and on no other, and nothing else is kept."""

import io
import random
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from footage_maker import Camera, Sounds
from vault_bench import NOON, Bench, span

from services.vault.age import X25519Identity
from services.vault.redaction import client, recipe
from services.vault.redaction.client import Redaction, RedactionRefused
from services.vault.redaction.detection import Detection
from services.vault.redaction.recipe import RecipeInvalid
from services.vault.sealing import MasterSource, derive, scan
from services.vault.store.protocol import Target

SIZE = (192, 128)
BASE = Fraction(1, 90_000)
STEPS = (1500, 3003, 4500, 9001, 18_000)  # ticks between two pictures: no rate is kept
FRAGMENTED = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
}
ONE = 65536
# The display matrices of a picture that is turned clockwise, upside down, and the other way (ISO/IEC 14496-12).
MATRICES = {90: (0, ONE, -ONE, 0), 180: (-ONE, 0, 0, -ONE), 270: (0, -ONE, ONE, 0)}
SECRET = b"a note in the metadata"


def film(*, count: int = 36, turn: int = 0, sound: bool = False, reorder: int = 2) -> bytes:
    """Footage whose every picture is one level of grey, which rises; its bytes are fragmented MP4."""
    target, rng, pts = io.BytesIO(), random.Random(7), 900  # noqa: S311 - times, no secret
    with av.open(target, "w", format="mp4", options=FRAGMENTED) as container:
        container.metadata["comment"] = SECRET.decode()
        encoder = container.add_stream("libx264", rate=25)
        encoder.width, encoder.height = SIZE
        encoder.pix_fmt = "yuv420p"
        encoder.options = {"preset": "ultrafast", "bf": str(reorder)}
        encoder.codec_context.gop_size = 10
        encoder.codec_context.time_base = encoder.time_base = BASE
        sounds = Sounds(2) if sound else None
        audio = None if sounds is None else container.add_stream_from_template(sounds.stream, opaque=True)
        for packet in () if sounds is None else sounds.packets():
            packet.stream = audio
            container.mux_one(packet)
        for number in range(count):
            frame = av.VideoFrame(*SIZE, "yuv420p")
            frame.pts, frame.time_base = pts, BASE
            pts += rng.choice(STEPS)
            for plane, level in zip(frame.planes, (level_of(number), 110, 150), strict=True):
                plane.update(bytes([level]) * plane.buffer_size)
            for packet in encoder.encode(frame):
                container.mux(packet)
        for packet in encoder.encode(None):
            container.mux(packet)
    return turned(target.getvalue(), turn) if turn else target.getvalue()


def level_of(number: int) -> int:
    return 80 + 4 * (number % 36)


def turned(data: bytes, turn: int) -> bytes:
    """The same footage with another display matrix in its track's header."""
    place = data.index(b"tkhd") + 8 + (32 if data[data.index(b"tkhd") + 4] else 20) + 16
    a, b, c, d = MATRICES[turn]
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    return data[:place] + matrix + data[place + len(matrix) :]


@dataclass
class Shown:
    """One picture: its time in the file's ticks and in milliseconds, its side, and levels of grey by place."""

    pts: int
    at: int
    width: int
    height: int
    plane: bytes
    stride: int

    def level(self, x: int, y: int) -> int:
        return self.plane[y * self.stride + x]


def pictures(data: bytes) -> list[Shown]:
    with av.open(io.BytesIO(data)) as container:
        shown = [
            (int(Fraction(frame.pts) * frame.time_base / BASE), frame.width, frame.height, frame.planes[0])
            for frame in container.decode(video=0)
        ]
        first = shown[0][0]
        return [
            Shown(pts, (pts - first) * 1000 // 90_000, width, height, bytes(plane), plane.line_size)
            for pts, width, height, plane in shown
        ]


def box(start: int, end: int, *places: tuple[int, ...]) -> dict[str, Any]:
    """A region whose keyframes are (at, x, y, width, height)."""
    names = ("at", "x", "y", "width", "height")
    return {"start": start, "end": end, "keyframes": [dict(zip(names, place, strict=True)) for place in places]}


def made(*regions: dict[str, Any], size: tuple[int, int] = SIZE, **changes: Any) -> dict[str, Any]:
    given = {"mode": "blur-these", "picture": {"width": size[0], "height": size[1]}, "regions": list(regions)}
    return recipe.read({**given, **changes}).to_json()


async def redacted(source: bytes, given: dict[str, Any]) -> tuple[bytes, client.Redacted]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(source), 5000):
            yield source[start : start + 5000]

    redaction = Redaction(given)
    first = pictures(source)[0].pts * 1_000_000_000 // 90_000
    data = b"".join([piece async for piece in redaction.redact(pieces(), -first // 1000 * 1000)])
    [result] = redaction.results
    return data, result


def inside(place: dict[str, int], margin: int = 6) -> Iterator[tuple[int, int]]:
    """Places under a box, away from its edges, which the encoder blends."""
    xs = (place["x"] + margin, place["x"] + place["width"] // 2, place["x"] + place["width"] - margin)
    ys = (place["y"] + margin, place["y"] + place["height"] // 2, place["y"] + place["height"] - margin)
    yield from ((x, y) for x in xs for y in ys)


@pytest.mark.requirement("R6", "R58")
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
async def test_t5_a_box_hides_each_picture_of_its_time_and_no_other(turn: int) -> None:
    source = film(turn=turn, sound=True)
    size = SIZE if turn in (0, 180) else SIZE[::-1]
    whole = pictures(source)
    # from the very moment of one picture to that of another: an index, or a rounded time, would miss one of them
    start, end = whole[5].at, whole[17].at
    region = box(start, end, (start, 16, 24, 48, 40), (end, 64, 56, 48, 40))

    data, result = await redacted(source, made(region, size=size))

    after = pictures(data)
    assert [one.pts for one in after] == [one.pts for one in whole]
    assert {(one.width, one.height) for one in after} == {size}
    hidden = [number for number, one in enumerate(after) if one.level(*_middle(region, one.at)) < 40]
    assert hidden == list(range(5, 18))
    assert (result.pictures, result.drawn, result.turned) == (36, 13, bool(turn))
    for number, one in enumerate(after):
        far = one.level(size[0] - 6, size[1] - 6)
        assert abs(far - level_of(number)) <= 6, number
        if number in hidden:
            left, top = _corner(region, one.at)
            place = {"x": left, "y": top, "width": 48, "height": 40}
            assert all(one.level(x, y) < 40 for x, y in inside(place)), number


def _corner(region: dict[str, Any], at: int) -> tuple[int, int]:
    first, last = region["keyframes"][0], region["keyframes"][-1]
    share = (min(max(at, first["at"]), last["at"]) - first["at"]) / (last["at"] - first["at"])
    return tuple(round(first[side] + (last[side] - first[side]) * share) for side in ("x", "y"))  # type: ignore[return-value]


def _middle(region: dict[str, Any], at: int) -> tuple[int, int]:
    x, y = _corner(region, at)
    return x + 24, y + 20


@pytest.mark.requirement("R6", "R58", refuses=True)
async def test_t5_nothing_of_the_source_but_its_pictures_is_in_the_file() -> None:
    source = film(sound=True)
    data, result = await redacted(source, made(box(0, 10_000, (0, 0, 0, 96, 64))))

    with av.open(io.BytesIO(data)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert "comment" not in container.metadata
    assert SECRET in source
    assert SECRET not in data
    assert not result.sound
    with av.open(io.BytesIO(source)) as container:
        given = [bytes(packet) for packet in container.demux() if packet.size > 24]
    assert not any(packet[8:] in data for packet in given)

    heard, result = await redacted(source, made(box(0, 10_000, (0, 0, 0, 96, 64)), sound=True))
    assert result.sound
    with av.open(io.BytesIO(heard)) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio"}


@pytest.mark.requirement("R58")
@pytest.mark.parametrize("style", ["solid", "pixelate"])
async def test_one_is_kept_and_everything_else_is_hidden(style: str) -> None:
    source = striped()
    place = {"x": 64, "y": 32, "width": 64, "height": 64}
    data, _ = await redacted(source, made(box(0, 600, (0, *place.values())), mode="keep-one", style=style))
    for one in pictures(data):
        row = [one.level(x, 64) for x in range(SIZE[0])]
        kept, outside = row[72:120], row[:56] + row[136:]
        # stripes of four pixels survive where somebody is kept, and nowhere else
        assert (max(kept) - min(kept) > 100) == (one.at <= 600), one.at
        assert max(outside) - min(outside) < 40


async def test_a_mosaic_keeps_no_detail_of_what_is_under_it() -> None:
    data, _ = await redacted(striped(), made(box(0, 10_000, (0, 32, 32, 96, 64)), style="pixelate"))
    for one in pictures(data):
        row = [one.level(x, 64) for x in range(40, 120)]
        assert max(row) - min(row) < 40
        assert max(one.level(x, 64) for x in range(140, 190)) > 180


def striped() -> bytes:
    """A second of stripes four pixels wide, which a cell of a mosaic averages."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4", options=FRAGMENTED) as container:
        encoder = container.add_stream("libx264", rate=10)
        encoder.width, encoder.height = SIZE
        encoder.pix_fmt = "yuv420p"
        encoder.options = {"preset": "ultrafast", "crf": "10", "bf": "0"}
        for number in range(10):
            frame = av.VideoFrame(*SIZE, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            row = (b"\x20" * 4 + b"\xe0" * 4) * (SIZE[0] // 8)
            frame.planes[0].update(row.ljust(frame.planes[0].line_size, b"\x80") * SIZE[1])
            for plane in frame.planes[1:]:
                plane.update(bytes([128]) * plane.buffer_size)
            for packet in encoder.encode(frame):
                container.mux(packet)
        for packet in encoder.encode(None):
            container.mux(packet)
    return target.getvalue()


async def test_footage_that_cannot_be_read_is_refused_with_a_sentence() -> None:
    redaction = Redaction(made(box(0, 100, (0, 0, 0, 32, 32))))

    async def pieces() -> AsyncIterator[bytes]:
        yield b"\0\0\0\x18ftypisom" + b"\0" * 5000

    with pytest.raises(RedactionRefused, match="cannot be read"):
        [piece async for piece in redaction.redact(pieces(), 0)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"regions": []}, "There is no box yet"),
        ({"regions": [box(500, 100, (300, 0, 0, 32, 32))]}, "Box 1 ends before it starts"),
        ({"regions": [box(0, 100, (50, 0, 0, 32, 32), (50, 8, 8, 32, 32))]}, "two positions at one moment"),
        ({"regions": [box(0, 100, (0, 0, 0, 32, 32), (200, 8, 8, 32, 32))]}, "a position outside its time"),
        ({"regions": [box(0, 100, (0, 170, 0, 32, 32))]}, "reaches beyond the image"),
        ({"regions": [box(0, 100, (0, 0, 0, 3, 32))]}, "regions.0.keyframes.0.width"),
        ({"mode": "hide-some"}, "mode"),
        ({"detector": "faces"}, "detector"),
    ],
)
def test_a_recipe_that_cannot_be_used_says_what_to_do(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeInvalid, match=sentence) as caught:
        recipe.read({"mode": "blur-these", "picture": {"width": 192, "height": 128}, "regions": [], **changes})
    assert caught.value.message.zh


class WithLeadingPictures(Camera):
    """Its groups are closed, and two pictures of each are shown before their key frame and follow it in the file."""

    def _options(self) -> dict[str, str]:
        options = super()._options()
        return {**options, "x265-params": f"{options['x265-params']}:radl=2"}


@pytest.fixture
async def leading(tmp_path: Path) -> tuple[Bench, MasterSource]:
    """A clip that begins at the second key frame, two pictures of which are shown before it."""
    bench = Bench.in_folder(tmp_path)
    WithLeadingPictures(bench.root, "cam1", size=SIZE, codec="libx265", reorder=2).record(NOON, 4)
    sealed = await bench.seal(span(1.5, 4))
    return bench, MasterSource(bench.store, sealed, "cam1", X25519Identity(bench.identity))


@pytest.mark.requirement("R6", "R58")
async def test_pictures_that_are_shown_before_the_first_key_frame_are_hidden_too(
    leading: tuple[Bench, MasterSource],
) -> None:
    bench, source = leading
    with av.open(bench.reader(source.sealed.location)) as container:
        given = list(container.decode(video=0))
    assert [frame.key_frame for frame in given[:3]] == [False, False, True]

    copy = await derive(
        source,
        Redaction(made(box(0, 60_000, (0, 0, 0, *SIZE)))),
        Target(bench.store, "copies", "copies/copy/1", {"copy": "copy"}),
        recipients=[bench.recipient],
    )

    shown = pictures(bench.reader(copy.location).read() or b"")
    assert len(shown) == len(given)
    assert [one.at for one in shown if max(one.plane) > 40] == []


@pytest.mark.tool("face-detector")
async def test_faces_are_looked_for_where_pictures_are_shown_before_the_first_key_frame(
    leading: tuple[Bench, MasterSource],
) -> None:
    bench, source = leading
    with av.open(bench.reader(source.sealed.location)) as container:
        given = len(list(container.decode(video=0)))
    search = Detection()
    await scan(source, search.search)
    assert search.pictures == given
