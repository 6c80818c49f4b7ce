"""What may be wrong with a recording, done to each container, and the verdict on it: the table of docs/recorders.md."""

import asyncio
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from films import Film, film
from footage_formats import FPS, Shot, shoot
from thinned import leaned_on_by_none, thinned
from vault_bench import Bench, span

from services.runtime.boxes import boxes
from services.runtime.places import ROOT
from services.vault.clip.client import UnsupportedFootage
from services.vault.coverage import FootageMissing, FootageUnreadable

DOCUMENT = ROOT / "docs" / "recorders.md"
BEGIN, END = "<!-- begin: damage, by make recorder-docs -->", "<!-- end of damage -->"
CONTAINERS = ("fmp4", "mp4", "mov", "mkv", "ts", "ps", "dav")
SECONDS, LONG_SECONDS = 20, 150
SECTOR = 512

Harm = Callable[[str], Film | None]


@dataclass(frozen=True)
class Damage:
    """What was done, in English and Chinese; ``harm`` gives the film in a container, None where it cannot be done.

    ``allowed`` says why complete is right where something lacks or was changed. ``edge`` are the seconds at both ends
    that are not asked for.
    """

    en: str
    zh: str
    harm: Harm
    allowed: str = ""
    edge: float = 0


def made(shot: Shot, container: str) -> Film:
    """The film in a container; ``mp4`` has its index first."""
    kind = {"mp4": "faststart", "mkv": "matroska"}.get(container, container)
    return film(shot, kind)


def _whole(container: str) -> Film:
    return made(shoot("h264", seconds=SECONDS), container)


def _changed(change: Callable[[bytes, str], bytes | None]) -> Harm:
    def harm(container: str) -> Film | None:
        whole = _whole(container)
        body = change(whole.body, container)
        return None if body is None else replace(whole, body=body)

    return harm


def _kept(keep: Callable[[int], bool], seconds: int = SECONDS, video: str = "h264") -> Harm:
    """Pictures left out, the others at their own times."""

    def harm(container: str) -> Film | None:
        return thinned(shoot(video, seconds=seconds), container, keep)

    return harm


def _b_pictures(video: str, gone: Callable[[list[int]], list[int]]) -> Harm:
    """Of each two pictures one is a B picture; ``gone`` of them are left out."""

    def harm(container: str) -> Film | None:
        shot = shoot(video, seconds=SECONDS, reorder=1)
        left_out = set(gone(leaned_on_by_none(shot)))
        return thinned(shot, container, lambda number: number not in left_out)

    return harm


def _of_b_pictures(en: str, zh: str, gone: Callable[[list[int]], list[int]]) -> tuple[Damage, ...]:
    """The same done to both codecs; pictures are shown later than they are decoded, so the ends are not asked for."""
    return tuple(
        Damage(en.format(codec), zh.format(codec), _b_pictures(video, gone), edge=1)
        for codec, video in (("H.264", "h264"), ("H.265", "hevc"))
    )


def _some(every: list[int]) -> list[int]:
    return random.Random(1).sample(every, len(every) // 4)  # noqa: S311 - no secret


def _inside(body: bytes) -> int:
    """A place in the pictures' own bytes, in the middle."""
    return int(len(body) * 0.55) // SECTOR * SECTOR


def _sector(filled: bytes) -> Callable[[bytes, str], bytes]:
    return lambda body, _: body[: _inside(body)] + filled + body[_inside(body) + SECTOR :]


def _a_whole_one_lost(body: bytes, container: str, *, times: int = 0) -> bytes | None:
    """A fragment, a cluster or a pack is left out, or comes ``times`` times."""
    first, end = _piece(body, container)
    return None if end == 0 else body[:first] + body[first:end] * times + body[end:]


def _piece(body: bytes, container: str) -> tuple[int, int]:
    mark = {"mkv": b"\x1f\x43\xb6\x75", "ps": b"\0\0\1\xba", "dav": b"DHAV"}.get(container)
    if mark is not None:
        first = body.index(mark, len(body) // 2)
        return first, body.index(mark, first + 4)
    if container in ("fmp4", "mov"):
        parts = [box for box in boxes(body) if box.kind in ("moof", "mdat")]
        return parts[20].start, parts[21].end
    return 0, 0


def _burst(body: bytes, container: str) -> bytes | None:
    place = len(body) // 2 // 188 * 188
    return body[:place] + body[place + 16 * 188 :] if container == "ts" else None


def _other_codec(container: str) -> Film | None:
    """Pictures of H.265 behind those of H.264, in the same track."""
    own, other = shoot("h264", seconds=10), shoot("hevc", seconds=10)
    later = tuple(replace(one, pts=one.pts + 10 * FPS, dts=one.dts + 10 * FPS) for one in other.pictures)
    mixed = replace(own, pictures=(*own.pictures, *later))
    if container in ("ps", "dav"):
        return film(mixed, container)
    if container == "ts":
        return None  # its stream says of which codec it is, and the library's muxer writes no other
    if container == "mkv":
        return made(mixed, "mkv")
    return thinned(mixed, container, lambda _: True)


def _tfdt(body: bytes, container: str) -> bytes | None:
    if container not in ("fmp4", "mov"):
        return None
    moof = [box for box in boxes(body) if box.kind == "moof"][10]
    place = body.index(b"tfdt", moof.start) + 8
    return body[:place] + b"\x7f" * 8 + body[place + 8 :]


def _bit(body: bytes, _: str) -> bytes:
    place = _inside(body) + 7
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


PAGE = b"<!DOCTYPE html><html><body>Please sign in</body></html>" * 60
GARBAGE = random.Random(5).randbytes(SECTOR)  # noqa: S311 - no secret
WHOLE = "nothing"
NOT_OPENED = "of each part the first key frame is decoded, and in MPEG-TS every picture"

DAMAGES = (
    Damage(WHOLE, "无", _whole),
    *_of_b_pictures(f"{WHOLE}, {{}} with B pictures", "无，{} 带 B 帧", lambda _: []),
    Damage("cut off at six tenths", "在六成处截断", _changed(lambda body, _: body[: len(body) * 6 // 10])),
    Damage("a login page in its place", "换成登录页面", _changed(lambda body, _: PAGE)),
    Damage("a sector of zeros", "一个扇区变成零", _changed(_sector(bytes(SECTOR)))),
    Damage("a sector of other bytes", "一个扇区变成别的内容", _changed(_sector(GARBAGE)), NOT_OPENED),
    Damage("a sector lost", "丢失一个扇区", _changed(_sector(b""))),
    Damage("a whole fragment, cluster or pack lost", "丢失一整个分片、簇或包", _changed(_a_whole_one_lost)),
    Damage(
        "a fragment, cluster or pack twice",
        "一个分片、簇或包出现两次",
        _changed(lambda body, container: _a_whole_one_lost(body, container, times=2)),
        "each picture is copied once",
    ),
    Damage("sixteen packets of 188 bytes lost", "连续丢失十六个 188 字节分组", _changed(_burst)),
    Damage("a fragment's time garbled", "一个分片的时间损坏", _changed(_tfdt)),
    Damage("H.265 behind H.264 in one track", "同一轨道中 H.264 之后是 H.265", _other_codec),
    Damage("nine pictures of ten left out", "十帧缺九帧", _kept(lambda number: number % 10 == 0)),
    Damage("every second picture left out", "每两帧缺一帧", _kept(lambda number: number % 2 == 0)),
    Damage("0.9 seconds of each ten left out", "每十秒缺 0.9 秒", _kept(lambda number: not 52 <= number % 100 < 61)),
    Damage("one picture of a hundred left out", "一百帧缺一帧", _kept(lambda number: number % 100 != 55)),
    Damage(
        "one picture of fifteen hundred left out",
        "一千五百帧缺一帧",
        _kept(lambda number: number != 705, LONG_SECONDS),
        "99.9 % of the pictures are there (`least_share`); label and record count the one",
    ),
    *_of_b_pictures("every B picture of {} left out", "{} 的 B 帧全部缺失", lambda every: every),
    *_of_b_pictures("some B pictures of {} left out", "{} 缺部分 B 帧", _some),
    *_of_b_pictures("one B picture of {} left out", "{} 缺一个 B 帧", lambda every: [every[len(every) // 2]]),
    Damage("one bit inside a picture changed", "一帧内部改变一位", _changed(_bit), NOT_OPENED),
)


async def verdict(film: Film, seconds: float, edge: float = 0) -> str:
    """What sealing says of it, in one word."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench.in_folder(Path(folder))
        try:
            asked = span(edge, seconds - edge)
            return (await bench.seal(asked, [film.given(seconds=seconds)])).outcome
        except FootageUnreadable:
            return "unreadable"
        except FootageMissing:
            return "missing"
        except UnsupportedFootage:
            return "refused"


def length_of(damage: Damage) -> int:
    return LONG_SECONDS if "fifteen hundred" in damage.en else SECONDS


@cache
def judged(damage: Damage, container: str) -> str:
    """The verdict, a dash where the damage cannot be done to that container."""
    harmed = damage.harm(container)
    return "—" if harmed is None else asyncio.run(verdict(harmed, length_of(damage), damage.edge))


def row(damage: Damage) -> str:
    """One line of the table, as the tests find it."""
    cells = [judged(damage, container) for container in CONTAINERS]
    return f"| {damage.en} | {' | '.join(cells)} | {damage.allowed or '—'} | {damage.zh} |"


def table() -> str:
    """The part of the document between its marks."""
    head = f"| done to a recording | {' | '.join(f'`{one}`' for one in CONTAINERS)} | why complete | 损坏 |"
    lines = [BEGIN, "", head, "|" + "---|" * (len(CONTAINERS) + 3), *map(row, DAMAGES), "", END]
    return "\n".join(lines)


def document() -> str:
    """The document as it should be."""
    before, found, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"{DOCUMENT.name} has lost its marks {BEGIN} and {END}")
    return before + table() + after


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
