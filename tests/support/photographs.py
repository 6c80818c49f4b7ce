"""Photographs that a person may bring, and what only looks like one."""

import io
import struct
import zipfile
import zlib
from fractions import Fraction

import av

RED, BLUE = (200, 30, 30), (30, 30, 200)


def halves(width: int, height: int) -> av.VideoFrame:
    """Red on the left, blue on the right."""
    frame = av.VideoFrame(width, height, "rgb24")
    [plane] = frame.planes
    row = bytes(RED) * (width // 2) + bytes(BLUE) * (width - width // 2)
    plane.update(row.ljust(plane.line_size, b"\0") * height)
    return frame


def encoded(codec: str, width: int, height: int) -> bytes:
    """The halves as this codec has them: png or mjpeg."""
    return encoded_frame(codec, halves(width, height))


def encoded_frame(codec: str, picture: av.VideoFrame) -> bytes:
    """A picture as this codec has it."""
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height = picture.width, picture.height
    encoder.pix_fmt = "rgb24" if codec == "png" else "yuvj444p"
    encoder.time_base = Fraction(1, 25)
    frame = picture.reformat(format=encoder.pix_fmt)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def jpeg(width: int = 800, height: int = 600) -> bytes:
    return encoded("mjpeg", width, height)


def png(width: int = 800, height: int = 600) -> bytes:
    return encoded("png", width, height)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def told_png(width: int, height: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG whose header tells this size, whatever its rows hold."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def with_exif(picture: bytes, orientation: int, note: bytes) -> bytes:
    """A JPEG that tells how to turn it, and a note of its camera."""
    note = note.ljust(5, b"\0")
    entries = struct.pack(">HHIHH", 0x112, 3, 1, orientation, 0) + struct.pack(">HHII", 0x010F, 2, len(note), 38)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 2) + entries + b"\0\0\0\0" + note
    return picture[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + picture[2:]


def zipped_behind(picture: bytes) -> bytes:
    """A picture that an unpacker takes for an archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("payload.js", "alert(1)")
    return picture + out.getvalue()


def colours(content: bytes) -> tuple[int, int, dict[str, tuple[int, ...]]]:
    """Width and height of a JPEG, and the colour in the middle of each edge."""
    decoder = av.CodecContext.create("mjpeg", "r")
    [frame] = [*decoder.decode(av.Packet(content)), *decoder.decode(None)]
    [plane] = frame.reformat(format="rgb24").planes
    pixels, line = bytes(plane), plane.line_size
    width, height = frame.width, frame.height
    spots = {
        "left": (2, height // 2), "right": (width - 3, height // 2), "top": (width // 2, 2),
        "bottom": (width // 2, height - 3),
    }  # fmt: skip
    return width, height, {name: tuple(pixels[y * line + x * 3 :][:3]) for name, (x, y) in spots.items()}


def near(colour: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return all(abs(one - other) < 30 for one, other in zip(colour, wanted, strict=True))
