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
