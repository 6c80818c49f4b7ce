"""Footage in every container that the clip copies, with a known truth.

The packets come from the encoder. MPEG-PS and Matroska are written here, byte by byte, as recorders write them; MP4,
MOV and MPEG-TS by the library's muxer, whose MPEG-TS is read again here, without a demuxer.
"""

import io
import random
import struct
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path

import av

FPS = 10
TICKS = 90_000 // FPS
RATES = {"aac": 16_000, "opus": 48_000, "pcm_alaw": 8_000, "pcm_mulaw": 8_000}
SAMPLES = {"aac": 1024, "opus": 960, "pcm_alaw": 160, "pcm_mulaw": 160}
PES_TYPES = {"h264": 0x1B, "hevc": 0x24, "aac": 0x0F, "pcm_alaw": 0x90, "pcm_mulaw": 0x91}


@dataclass(frozen=True)
class Packet:
    """As the encoder gave it; times in pictures, or in samples."""

    body: bytes
    pts: int
    dts: int
    key: bool = True


@dataclass(frozen=True)
class Shot:
    """A recording before it has a container; ``movie`` and ``sound`` are the same packets in files of the library."""

    video: str
    audio: str | None
    size: tuple[int, int]
    pictures: tuple[Packet, ...]
    sounds: tuple[Packet, ...]
    movie: bytes
    sound: bytes

    @property
    def units(self) -> list[list[bytes]]:
        """The units of each picture; a JPEG is one."""
        return [[one.body] if self.video == "mjpeg" else units(one.body) for one in self.pictures]


def units(stream: bytes) -> list[bytes]:
    """What lies between start codes."""
    found = stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return [unit for unit in found if unit]


def lengths_to_units(packet: bytes) -> list[bytes]:
    """The units of a picture in MP4."""
    found, place = [], 0
    while place < len(packet):
        length = int.from_bytes(packet[place : place + 4], "big")
        found.append(packet[place + 4 : place + 4 + length])
        place += 4 + length
    return found


@cache
def shoot(
    video: str = "h264",
    audio: str | None = None,
    seconds: int = 4,
    *,
    size: tuple[int, int] = (160, 96),
    reorder: int = 0,
    open_group: bool = False,
    tint: int = 0,
) -> Shot:
    """Film something; a key frame each second."""
    movie = io.BytesIO()
    pictures = []
    with av.open(movie, "w", format="mp4") as container:
        encoder = container.add_stream({"h264": "libx264", "hevc": "libx265"}.get(video, video), rate=FPS)
        encoder.width, encoder.height = size
        encoder.pix_fmt = "yuvj420p" if video == "mjpeg" else "yuv420p"
        encoder.gop_size, encoder.max_b_frames = FPS, reorder
        encoder.options = _options(video, reorder, open_group=open_group)
        frames = [_frame(encoder, number, tint) for number in range(seconds * FPS)]
        for frame in [*frames, None]:
            for packet in encoder.encode(frame):
                scale = packet.time_base * FPS
                body = bytes(packet)
                pictures.append(Packet(body, int(packet.pts * scale), int(packet.dts * scale), packet.is_keyframe))
                container.mux(packet)
    sounds, sound = _sounds(audio, seconds) if audio else ((), b"")
    return Shot(video, audio, size, tuple(pictures), sounds, movie.getvalue(), sound)


def _options(video: str, reorder: int, *, open_group: bool) -> dict[str, str]:
    keys = f"keyint={FPS}:min-keyint={FPS}:scenecut=0:open-gop={int(open_group)}:bframes={reorder}"
    return {
        "h264": {"preset": "ultrafast", "threads": "1", "x264-params": f"{keys}:b-adapt=0:repeat-headers=1"},
        "hevc": {
            "preset": "ultrafast",
            "x265-params": f"log-level=none:pools=1:frame-threads=1:b-adapt=0:repeat-headers=1:{keys}",
        },
    }.get(video, {})


def _frame(encoder: "av.VideoCodecContext", number: int, tint: int) -> "av.VideoFrame":
    frame = av.VideoFrame(encoder.width, encoder.height, encoder.pix_fmt)
    frame.pts, frame.time_base = number, Fraction(1, FPS)
    noise = random.Random(number * 64 + tint)  # noqa: S311 - a picture, no secret
    for plane in frame.planes:
        plane.update(noise.randbytes(64) * (plane.buffer_size // 64) + bytes(plane.buffer_size % 64))
    return frame


def _sounds(audio: str, seconds: int) -> tuple[tuple[Packet, ...], bytes]:
    target = io.BytesIO()
    found = []
    rate, samples = RATES[audio], SAMPLES[audio]
    kind = "fltp" if audio == "aac" else "s16"
    with av.open(target, "w", format="mov" if audio.startswith("pcm") else "mp4") as container:
        encoder = container.add_stream("libopus" if audio == "opus" else audio, rate=rate, layout="mono")
        frames = []
        for index in range(seconds * rate // samples):
            frame = av.AudioFrame(kind, "mono", samples)
            frame.sample_rate, frame.pts, frame.time_base = rate, index * samples, Fraction(1, rate)
            wave = [(step * (index + 3)) % 200 - 100 for step in range(samples)]
            loud = struct.pack(f"<{samples}f", *(one / 200 for one in wave)) if kind == "fltp" else None
            frame.planes[0].update(loud or struct.pack(f"<{samples}h", *(one * 99 for one in wave)))
            frames.append(frame)
        for frame in [*frames, None]:
            for packet in encoder.encode(frame):
                body = bytes(packet)
                found.append(Packet(body, len(found) * samples, len(found) * samples))
                container.mux(packet)
    return tuple(found), target.getvalue()


def spliced(first: Shot, second: Shot) -> Shot:
    """One recording whose camera was set to another size in the middle: a single track, that begins as the first."""
    target = io.BytesIO()
    lasts = max(one.pts for one in first.pictures) + 1
    with av.open(target, "w", format="mp4") as out, av.open(io.BytesIO(first.movie)) as movie:
        track = out.add_stream_from_template(movie.streams.video[0], opaque=True)
        for shot, start in ((first, 0), (second, lasts)):
            with av.open(io.BytesIO(shot.movie)) as part:
                for packet in part.demux(video=0):
                    if packet.size:
                        packet.dts += int(start / FPS / packet.time_base)
                        packet.pts += int(start / FPS / packet.time_base)
                        packet.stream = track
                        out.mux_one(packet)
    return replace(first, pictures=(*first.pictures, *second.pictures), movie=target.getvalue())


def boxed(shot: Shot, kind: str, *, start: float = 0) -> bytes:
    """As ``mp4``, ``faststart`` (its index first), ``fmp4``, ``mov``, ``mkv`` or ``ts``, by the library's muxer; its
    times begin ``start`` seconds later."""
    fragmented = "empty_moov+default_base_moof+frag_keyframe"
    flags = {"fmp4": fragmented, "faststart": "faststart", "mov": fragmented}.get(kind)
    form = {"mkv": "matroska", "ts": "mpegts", "mov": "mov"}.get(kind, "mp4")
    options = {"movflags": flags} if flags else {}
    options |= {} if kind in ("mkv", "ts") else {"use_editlist": "0"}
    options |= {"output_ts_offset": str(start)} if start else {}
    with (
        tempfile.NamedTemporaryFile() as target,
        av.open(io.BytesIO(shot.movie)) as movie,
        av.open(target.name, "w", format=form, options=options) as out,
    ):
        queue = []
        video = out.add_stream_from_template(movie.streams.video[0], opaque=True)
        queue += [(one.dts * one.time_base, video, one) for one in movie.demux(video=0) if one.size]
        if shot.audio:
            sound = av.open(io.BytesIO(shot.sound))
            audio = out.add_stream_from_template(sound.streams.audio[0], opaque=True)
            queue += [(one.dts * one.time_base, audio, one) for one in sound.demux(audio=0) if one.size]
        for _, stream, packet in sorted(queue, key=lambda row: row[0]):
            packet.stream = stream
            out.mux_one(packet)
        out.close()
        return Path(target.name).read_bytes()


def ts_units(body: bytes) -> list[list[bytes]]:
    """The units of each picture in MPEG-TS: cell by cell, the payload of the packets that begin with 0xE0."""
    pictures: dict[int, list[bytearray]] = {}
    for place in range(0, len(body), 188):
        cell = body[place : place + 188]
        stream = (cell[1] & 0x1F) << 8 | cell[2]
        payload = cell[4 + (1 + cell[4] if cell[3] & 0x20 else 0) :] if cell[3] & 0x10 else b""
        if cell[1] & 0x40 and payload[:4] == b"\0\0\1\xe0":
            pictures.setdefault(stream, []).append(bytearray(payload[9 + payload[8] :]))
        elif stream in pictures:
            pictures[stream][-1] += payload
    return [units(bytes(one)) for found in pictures.values() for one in found]


def packed(shot: Shot, *, start: int = 0, brand: bool = False, largest: int = 5000, dts: bool = True) -> bytes:
    """As MPEG-PS; ``start`` in ticks of 90 kHz, ``brand`` puts Hikvision's header before it."""
    told = [(0, shot.video, 0xE0)] + ([(0, shot.audio, 0xC0)] if shot.audio else [])
    entries = b"".join(struct.pack(">BBH", PES_TYPES[codec], number, 0) for _, codec, number in told)
    stream_map = struct.pack(">BBHH", 0xE1, 0xFF, 0, len(entries)) + entries + bytes(4)
    out = [b"IMKH" + bytes(36) if brand else b"", _pack(start), b"\0\0\1\xbc", struct.pack(">H", len(stream_map))]
    out.append(stream_map)
    queue: list[tuple[float, int, Packet, int]] = [(one.dts / FPS, 0xE0, one, FPS) for one in shot.pictures]
    if shot.audio:
        rate = RATES[shot.audio]
        queue += [(one.dts / rate, 0xC0, one, rate) for one in _framed(shot)]
    for _, number, one, rate in sorted(queue, key=lambda row: row[0]):
        delay = 2 * TICKS  # decoding times may begin below zero
        times = [start + delay + time * 90_000 // rate for time in (one.pts, one.dts)]
        out.append(_pack(times[1]))
        for place in range(0, len(one.body), largest):
            out.append(_pes(number, one.body[place : place + largest], times[: 2 if dts else 1] if not place else []))
    return b"".join([*out, b"\0\0\1\xb9"])


def dav(shot: Shot, start: datetime, *, counter: int = 300) -> bytes:
    """As Dahua's DAV, of which no standard is published: what FFmpeg's reader knows of it. ``start`` is the recorder's
    own time; ``counter`` what its milliseconds begin with."""
    size = b"\x82\0\0\0" + struct.pack("<HH", *shot.size)
    seen = size + bytes([0x81, 0, {"h264": 8, "hevc": 12, "mjpeg": 3}[shot.video], FPS])
    heard = bytes([0x83, 1, {"pcm_alaw": 0x0E, "pcm_mulaw": 0x0A, "aac": 0x1A}[shot.audio or "pcm_alaw"], 2])
    queue = [(one.dts / FPS, 0xFD if one.key else 0xFC, one.body) for one in shot.pictures]
    queue += [(one.dts / RATES[shot.audio or ""], 0xF0, one.body) for one in (_framed(shot) if shot.audio else ())]
    frames = []
    for number, (seconds, kind, body) in enumerate(sorted(queue, key=lambda row: row[0])):
        at, extra = start + timedelta(seconds=seconds), heard if kind == 0xF0 else seen
        date = at.year - 2000 << 26 | at.month << 22 | at.day << 17 | at.hour << 12 | at.minute << 6 | at.second
        length = 24 + len(extra) + len(body) + 8
        stamp = (counter + round(seconds * 1000)) % 65536
        head = b"DHAV" + bytes([kind, 0, 0, 0]) + struct.pack("<IIIHB", number, length, date, stamp, len(extra))
        checksum = bytes([sum(head) % 256])
        frames.append(head + checksum + extra + body + b"dhav" + struct.pack("<I", length))
    return b"".join(frames)


def _framed(shot: Shot) -> Iterator[Packet]:
    """AAC with the header that a stream needs before each frame (ADTS)."""
    for one in shot.sounds:
        head = b"" if shot.audio != "aac" else adts(len(one.body))
        yield replace(one, body=head + one.body)


def adts(length: int) -> bytes:
    """AAC-LC, 16 kHz, mono."""
    whole = length + 7
    return bytes([0xFF, 0xF1, 0x60, 0x40 | whole >> 11, whole >> 3 & 0xFF, (whole & 7) << 5 | 0x1F, 0xFC])


def _pack(clock: int) -> bytes:
    clock &= (1 << 33) - 1
    bits = 0b01 << 46 | clock >> 30 << 43 | 1 << 42 | (clock >> 15 & 0x7FFF) << 27 | 1 << 26
    bits |= (clock & 0x7FFF) << 11 | 1 << 10 | 1
    return b"\0\0\1\xba" + bits.to_bytes(6, "big") + b"\x01\x89\xc3\xf8"


def _pes(number: int, body: bytes, times: list[int]) -> bytes:
    stamps = b"".join(_stamp(time, len(times) + 1 if not index else 1) for index, time in enumerate(times))
    head = bytes([0x80, {0: 0, 1: 0x80, 2: 0xC0}[len(times)], len(stamps)]) + stamps
    return b"\0\0\1" + bytes([number]) + struct.pack(">H", len(head) + len(body)) + head + body


def _stamp(time: int, mark: int) -> bytes:
    time &= (1 << 33) - 1
    high, middle, low = time >> 30, time >> 15 & 0x7FFF, time & 0x7FFF
    return bytes([mark << 4 | high << 1 | 1]) + struct.pack(">HH", middle << 1 | 1, low << 1 | 1)


def element(kind: int, body: bytes, *, sized: bool = True) -> bytes:
    """One element of Matroska; without a size it ends where another begins."""
    width = (kind.bit_length() + 7) // 8
    size = struct.pack(">Q", 1 << 56 | len(body)) if sized else b"\x01" + b"\xff" * 7
    return kind.to_bytes(width, "big") + size + body


def matroska(shot: Shot, *, start: int = 0, live: bool = False) -> bytes:
    """As Matroska; ``start`` in milliseconds, ``live`` leaves the sizes of its segment and clusters open."""
    with av.open(io.BytesIO(shot.movie)) as movie:
        record = movie.streams.video[0].codec_context.extradata or b""
    codec = {"h264": b"V_MPEG4/ISO/AVC", "hevc": b"V_MPEGH/ISO/HEVC", "mjpeg": b"V_MJPEG"}[shot.video]
    width, height = (one.to_bytes(2, "big") for one in shot.size)
    seen = element(0xE0, element(0xB0, width) + element(0xBA, height))
    tracks = [_track(1, 1, codec, record if shot.video != "mjpeg" else b"", seen)]
    if shot.audio:
        tracks.append(_sound_track(shot))
    rows: list[tuple[int, int, bytes, bool]] = [
        (one.pts * 1000 // FPS, 1, one.body if shot.video == "mjpeg" else _lengths(one.body), one.key)
        for one in shot.pictures
    ]
    clusters: list[tuple[int, list[bytes]]] = []
    sounds = [(one.pts * 1000 // RATES[shot.audio or "aac"], 2, one.body, True) for one in shot.sounds]
    for time, number, body, key in _interleaved(rows, sounds):
        if (number == 1 and key) or not clusters:
            clusters.append((time, []))
        flags = 0x80 if key else 0
        block = bytes([0x80 | number]) + struct.pack(">hB", time - clusters[-1][0], flags) + body
        clusters[-1][1].append(element(0xA3, block))
    body = element(0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(4, "big"))) + element(
        0x1654AE6B, b"".join(tracks)
    )
    for time, blocks in clusters:
        told = element(0xE7, (time + start).to_bytes(8, "big"))
        body += element(0x1F43B675, told + b"".join(blocks), sized=not live)
    head = element(0x1A45DFA3, element(0x4282, b"matroska") + element(0x4287, b"\4") + element(0x4285, b"\2"))
    return head + element(0x18538067, body, sized=not live)


def _interleaved(
    pictures: list[tuple[int, int, bytes, bool]], sounds: Iterable[tuple[int, int, bytes, bool]]
) -> Iterator[tuple[int, int, bytes, bool]]:
    """Pictures in decoding order; sounds no later than the picture that is shown with them."""
    waiting = list(sounds)
    for picture in pictures:
        while waiting and waiting[0][0] <= picture[0]:
            yield waiting.pop(0)
        yield picture
    yield from waiting


def _lengths(body: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in units(body))


def _track(number: int, kind: int, codec: bytes, private: bytes, rest: bytes) -> bytes:
    told = element(0xD7, bytes([number])) + element(0x73C5, bytes([number])) + element(0x83, bytes([kind]))
    told += element(0x9C, b"\0") + element(0x86, codec) + (element(0x63A2, private) if private else b"")
    return element(0xAE, told + rest)


def _sound_track(shot: Shot) -> bytes:
    audio = shot.audio or ""
    with av.open(io.BytesIO(shot.sound)) as sound:
        private = sound.streams.audio[0].codec_context.extradata or b""
    if audio.startswith("pcm"):  # WAVEFORMATEX
        private = struct.pack("<HHIIHHH", 6 if audio == "pcm_alaw" else 7, 1, 8000, 8000, 1, 8, 0)
    codec = {"aac": b"A_AAC", "opus": b"A_OPUS"}.get(audio, b"A_MS/ACM")
    heard = element(0xE1, element(0xB5, struct.pack(">d", RATES[audio])) + element(0x9F, b"\1"))
    return _track(2, 2, codec, private, heard)
