"""A photograph is made anew from what it shows; what is none, or too much, is refused before it is decoded."""

import struct
import zlib

import pytest
from photographs import (
    BLUE,
    RED,
    chunk,
    colours,
    halves,
    jpeg,
    near,
    png,
    told_png,
    with_exif,
    zipped_behind,
)
from uploaded_files import NO_FOOTAGE

from services.domain.cameras import photograph_process, photographs
from services.runtime.errors import Refused


async def refused(content: bytes) -> Refused:
    with pytest.raises(Refused) as refusal:
        await photographs.make_thumbnail(content)
    assert refusal.value.zh.endswith("。")
    assert refusal.value.en.endswith(".")
    assert refusal.value.field == "file"
    return refusal.value


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (jpeg(1920, 1080), (640, 360)),
        (jpeg(800, 600), (480, 360)),
        (png(600, 900), (240, 360)),
        (png(160, 90), (160, 90)),
        (png(3001, 161), (640, 34)),
    ],
    ids=["wide", "as a phone", "upright", "small already", "a strip"],
)
async def test_it_fits_whole_and_is_never_enlarged(content: bytes, size: tuple[int, int]) -> None:
    width, height, spots = colours(await photographs.make_thumbnail(content))

    assert (width, height) == size
    assert near(spots["left"], RED)
    assert near(spots["right"], BLUE)


@pytest.mark.parametrize(
    ("orientation", "red", "blue", "size"),
    [
        (1, "left", "right", (480, 360)),
        (3, "right", "left", (480, 360)),
        (6, "top", "bottom", (270, 360)),
        (8, "bottom", "top", (270, 360)),
    ],
)
async def test_it_stands_upright_as_its_camera_told(
    orientation: int, red: str, blue: str, size: tuple[int, int]
) -> None:
    width, height, spots = colours(await photographs.make_thumbnail(with_exif(jpeg(), orientation, b"camera")))

    assert (width, height) == size
    assert near(spots[red], RED)
    assert near(spots[blue], BLUE)


async def test_nothing_but_the_picture_is_kept() -> None:
    told = with_exif(jpeg(), 1, b"31.2304N 121.4737E of somebody")
    for content in (
        told,
        zipped_behind(jpeg()),
        jpeg() + b"<script>alert(1)</script>",
        told_png(200, 200, bytes(201 * 200), chunk(b"tEXt", b"Comment\0<script>alert(1)</script>")),
        told_png(200, 200, bytes(201 * 200)) + b"<?php system($_GET['x']);",
    ):
        kept = await photographs.make_thumbnail(content)

        assert kept.startswith(b"\xff\xd8\xff")
        assert kept.endswith(b"\xff\xd9")
        for foreign in (b"Exif", b"somebody", b"PK\x03\x04", b"alert", b"Comment", b"php"):
            assert foreign not in kept


@pytest.mark.parametrize("kind", [kind for kind in NO_FOOTAGE if kind != "image"])
async def test_only_jpeg_and_png_are_taken_and_told_by_what_they_hold(kind: str) -> None:
    assert (await refused(NO_FOOTAGE[kind])).code == "picture-kind"


@pytest.mark.parametrize(
    "content",
    [b"GIF89a" + bytes(100), b"RIFF\0\0\0\0WEBP" + bytes(100), b"\0\0\0\x18ftypheic" + bytes(100), b"BM" + bytes(99)],
    ids=["gif", "webp", "heic", "bmp"],
)
async def test_other_kinds_of_picture_are_refused(content: bytes) -> None:
    assert (await refused(content)).code == "picture-kind"


@pytest.mark.parametrize(
    ("width", "height"), [(65_535, 65_535), (2**31, 2**31), (40_001, 1_000), (159, 90), (200, 89), (0, 0)]
)
async def test_a_size_that_is_too_much_or_too_little_is_refused_undecoded(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "_decode", None)

    assert (await refused(told_png(width, height, bytes(1000)))).code == "picture-size"


async def test_a_jpeg_that_tells_too_much_is_refused_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "_decode", None)
    content = jpeg()
    place = content.index(b"\xff\xc0") + 5

    huge = content[:place] + struct.pack(">HH", 65_535, 65_535) + content[place + 4 :]
    assert (await refused(huge)).code == "picture-size"


async def test_a_jpeg_of_padding_alone_is_not_searched_to_its_end() -> None:
    content = jpeg()

    padded = content[:2] + b"\xff" * photographs.MOST_PARTS + content[2:]
    assert (await refused(padded)).code == "picture-damaged"


async def test_a_second_header_does_not_get_past_the_first() -> None:
    content = jpeg()
    start = content.index(b"\xff\xc0")
    frame = content[start : start + 2 + struct.unpack_from(">H", content, start + 2)[0]]
    other = frame[:5] + struct.pack(">HH", 65_000, 65_000) + frame[9:]

    assert (await refused(content[:start] + frame + other + content[start + len(frame) :])).code == "picture-damaged"


async def test_what_is_squeezed_in_beside_the_picture_is_never_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    async def decoded(content: bytes, _codec: str, _form: object) -> bytes:
        given.append(content)
        return b""

    monkeypatch.setattr(photographs, "_decode", decoded)
    bombs = [chunk(kind, b"note\0\0" + zlib.compress(bytes(1 << 20))) for kind in (b"zTXt", b"iCCP", b"iTXt", b"fdAT")]
    plain = told_png(200, 200, bytes(201 * 200))
    await photographs.make_thumbnail(told_png(200, 200, bytes(201 * 200), *bombs) + b"behind it")

    assert given == [plain]


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["png", "mjpeg"])
async def test_the_largest_that_is_taken_fits_its_process(codec: str) -> None:
    if codec == "mjpeg":
        content = jpeg(8000, 5000)
    else:  # sixteen bits for each of four colours
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8000, 5000, 16, 6, 0, 0, 0))
        rows = chunk(b"IDAT", zlib.compress(bytes(5000 * (8000 * 8 + 1)), 1)) + chunk(b"IEND", b"")
        content = b"\x89PNG\r\n\x1a\n" + header + rows

    assert colours(await photographs.make_thumbnail(content))[:2] == (576, 360)


@pytest.mark.parametrize(
    "content",
    [
        jpeg()[:3000],
        jpeg()[: jpeg().index(b"\xff\xda")],
        b"\xff\xd8\xff" + b"x" * 2000,
        b"\xff\xd8\xff\xe0\xff",
        b"\xff\xd8" + b"\xff" * 5000,
        png()[:1000],
        b"\x89PNG\r\n\x1a\n",
        told_png(200, 200, b"\0" * 50),
        told_png(200, 200, bytes(201 * 200)).replace(b"IDAT", b"iDAT"),
    ],
    ids=["cut", "no scan", "noise", "end", "padding", "cut png", "no header", "too few rows", "no rows"],
)
async def test_what_is_damaged_is_refused(content: bytes) -> None:
    assert (await refused(content)).code == "picture-damaged"


def test_the_decoder_itself_is_bounded() -> None:
    with pytest.raises(ValueError, match="avcodec_send_packet"):
        photograph_process.decode(png(400, 400), "png", 100_000)


def test_the_process_makes_what_the_portal_promises() -> None:
    assert (
        photograph_process.scale_down(halves(4000, 3000), 640, 360).width,
        photograph_process.scale_down(halves(4000, 3000), 640, 360).height,
    ) == (480, 360)
