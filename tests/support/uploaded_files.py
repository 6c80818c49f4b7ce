"""Files that a person may upload: MP4s of known content, with and without a start time, and invalid ones."""

import io
import struct
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import av
from footage_maker import Camera, Written

START = datetime(2031, 3, 4, 8, 0, tzinfo=UTC)
EPOCH = datetime(1904, 1, 1, tzinfo=UTC)


def fragmented(folder: Path, seconds: int = 4, *, sound: bool = True) -> Written:
    """One fragmented MP4; its ``path`` and the truth about its pictures."""
    [written] = Camera(folder, "hall", sound=sound).record(START, seconds, segment=seconds)
    return written


def plain(written: Written, *, index_first: bool = False) -> bytes:
    """The same as the plain MP4 that a phone writes: its index at the end, or in front."""
    out = written.path.with_suffix(".plain")
    options = {"movflags": "faststart"} if index_first else {}
    with av.open(str(written.path)) as source, av.open(str(out), "w", format="mp4", options=options) as target:
        streams = {one.index: target.add_stream_from_template(one, opaque=True) for one in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            packet.stream = streams[packet.stream.index]
            target.mux_one(packet)
    return out.read_bytes()


def created(data: bytes, moment: datetime) -> bytes:
    """The file with this creation time in its movie header (version 0)."""
    place = data.index(b"mvhd") + 8
    return data[:place] + struct.pack(">I", int((moment - EPOCH).total_seconds())) + data[place + 4 :]


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("meeting.mp4", "no footage")
    return out.getvalue()


NO_FOOTAGE = {
    "zip": zipped(),
    "html": b"\xef\xbb\xbf\n<!DOCTYPE html><html><script>alert(1)</script></html>",
    "svg": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "pdf": b"%PDF-1.7\n" + bytes(100),
    "image": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "avi": b"RIFF\x00\x00\x00\x00AVI LIST" + bytes(600),
    "program": b"\x7fELF" + bytes(600),
    "text": b"nothing but words",
    "unknown": bytes(600),
    "empty": b"",
}
