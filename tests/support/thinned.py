"""Films of which pictures were left out, the others at their own times, in any container."""

import io
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import av
from films import Film, film
from footage_formats import FPS, Shot, units
from footage_maker import with_lengths

CLOCK = 90_000
FORMS = {"fmp4": "mp4", "mp4": "mp4", "mov": "mov", "ts": "mpegts", "mkv": "matroska"}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "use_editlist": "0"}


def leaned_on_by_none(shot: Shot) -> list[int]:
    """The pictures that no other leans on, by their number: B pictures, where the shot has some."""
    return [number for number, one in enumerate(shot.pictures) if not _is_leaned_on(shot.video, units(one.body))]


def _is_leaned_on(video: str, found: list[bytes]) -> bool:
    if video == "h264":
        return any(unit[0] & 0x1F in (1, 5) and unit[0] & 0x60 for unit in found)
    kinds = [unit[0] >> 1 & 0x3F for unit in found]
    return any(kind % 2 or 16 <= kind < 32 for kind in kinds if kind < 32)


def layered(shot: Shot) -> Shot:
    """H.264 of which every second picture between key frames is of an upper layer, that none leans on.

    The numbers of x264's pictures (frame_num, 4 bits) are written anew. Its pictures have no order of their own.
    """
    pictures, behind = [], 0
    for one in shot.pictures:
        behind = 0 if one.key else behind + 1
        found = units(one.body)
        if behind:
            found = [_numbered(unit, (behind + 1) // 2, leaned_on=behind % 2 == 0) for unit in found]
        pictures.append(replace(one, body=b"".join(b"\0\0\0\1" + unit for unit in found)))
    return replace(shot, pictures=tuple(pictures))


def _numbered(unit: bytes, number: int, *, leaned_on: bool) -> bytes:
    """A slice whose picture has the number; its kind (a P, in 5 bits), and both numbers before are of one bit."""
    if unit[0] & 0x1F != 1:
        return unit
    head = int.from_bytes(unit[1:4], "big")
    place = 24 - 1 - 5 - 1 - 4
    head = head & ~(15 << place) | number << place
    return bytes([unit[0] & 0x1F | 0x60 * leaned_on]) + head.to_bytes(3, "big") + unit[4:]


def thinned(
    shot: Shot, container: str, keep: Callable[[int], bool], at: Callable[[int], float] = lambda number: number / FPS
) -> Film:
    """The pictures to be kept by their number; ``at`` says when each is decoded, in seconds."""
    if container in ("ps", "dav"):
        kept = tuple(one for number, one in enumerate(shot.pictures) if keep(number))
        return film(replace(shot, pictures=kept), container)
    target = io.BytesIO()
    options = {"mov": FRAGMENTED, "fmp4": FRAGMENTED, "mp4": {"use_editlist": "0"}}.get(container, {})
    with av.open(io.BytesIO(shot.movie)) as source, av.open(target, "w", FORMS[container], options=options) as out:
        track = out.add_stream_from_template(source.streams.video[0], opaque=True)
        for number, one in enumerate(shot.pictures):
            if not keep(number):
                continue
            body = one.body if shot.video == "mjpeg" else with_lengths(one.body)
            packet = av.Packet(body)
            packet.time_base, packet.duration = Fraction(1, CLOCK), CLOCK // FPS
            packet.dts = round(at(number) * CLOCK)
            packet.pts = packet.dts + (one.pts - one.dts) * CLOCK // FPS
            packet.is_keyframe, packet.stream = one.key, track
            out.mux_one(packet)
    kind = {"matroska": "mkv"}.get(container, container)
    pictures = [
        [one.body] if shot.video == "mjpeg" else units(one.body) for n, one in enumerate(shot.pictures) if keep(n)
    ]
    return Film(target.getvalue(), kind, pictures)
