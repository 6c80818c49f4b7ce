"""Films for the clip's tests: a shot in a container, given as a segment, and what a sealed clip holds of it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import av
from footage_formats import FPS, Shot, boxed, dav, lengths_to_units, matroska, packed, ts_units
from vault_bench import NOON, Bench, Given, at, span

from services.vault.coverage import Part
from services.vault.packets import part_of
from services.vault.sealing import Sealed


@dataclass(frozen=True)
class Film:
    """What a recorder gives, and the units of each picture in it."""

    body: bytes
    container: str
    pictures: list[list[bytes]]

    def given(self, start: float = 0, seconds: float = 4, **changes: Any) -> Given:
        """A segment that begins that many seconds after noon."""
        given = {"body": self.body, "container": self.container, **changes}
        return Given(f"{self.container}-{start}", "cam1", span(start, start + seconds), **given)


def film(shot: Shot, kind: str, **changes: Any) -> Film:
    """The shot as ``ps``, ``dav`` or ``matroska``, written by the tests, or as what ``boxed`` knows."""
    if kind == "ps":
        return Film(packed(shot, **changes), "ps", shot.units)
    if kind == "dav":
        return Film(dav(shot, **{"start": NOON, **changes}), "dav", shot.units)
    if kind == "matroska":
        return Film(matroska(shot, **changes), "mkv", shot.units)
    body = boxed(shot, kind, **changes)
    return Film(body, "mp4" if kind == "faststart" else kind, ts_units(body) if kind == "ts" else shot.units)


def _packets(bench: Bench, sealed: Sealed, part: Part, kind: str) -> list[bytes]:
    with av.open(part_of(bench.reader(sealed.location), part), "r", format="mov") as container:
        stream = container.streams.get({kind: 0})[0]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def pictures(bench: Bench, sealed: Sealed) -> list[list[bytes]]:
    found = []
    for part in sealed.coverage.parts:
        for packet in _packets(bench, sealed, part, "video"):
            found.append([packet] if "mjpeg" in part.codecs else lengths_to_units(packet))
    return found


def heard(bench: Bench, sealed: Sealed) -> list[bytes]:
    return [packet for part in sealed.coverage.parts for packet in _packets(bench, sealed, part, "audio")]


def assert_heard(bench: Bench, sealed: Sealed, shot: Shot) -> None:
    """The sounds are a run of the truth, from the first picture on. How much G.711 makes one packet is the muxer's
    choice; the samples are not."""
    got = b"".join(heard(bench, sealed))
    assert got in b"".join(one.body for one in shot.sounds)
    assert len(got) > sum(len(one.body) for one in shot.sounds[3:-3])


def assert_honest(bench: Bench, sealed: Sealed, made: Film, start: float = 0) -> None:
    """Each picture of the film that the clip lacks, or has otherwise, lies in a gap that is named.

    For films whose pictures are shown in decoding order.
    """
    got = pictures(bench, sealed)
    asked = sealed.coverage.asked
    rough = timedelta(milliseconds=1)
    for number, picture in enumerate(made.pictures):
        moment = at(start + number / FPS)
        if picture in got or not asked.start <= moment < asked.end:
            continue
        holes = [hole for hole in sealed.coverage.gaps if hole.start - rough <= moment < hole.end + rough]
        assert holes, f"picture {number} lacks and no gap says so"
