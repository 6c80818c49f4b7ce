"""The clip process behind its walls writes the same bytes as without any, whatever it reads."""

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from films import Film, film
from footage_formats import shoot
from test_clip_formats import CASES
from vault_bench import span, stream

from services.vault.byte_stream import in_own_thread
from services.vault.clip.client import Clip
from services.vault.clip.process import cut
from services.vault.clip.protocol import Heading, Job, frame, nanoseconds, pack, read_frames

pytestmark = pytest.mark.tool("libseccomp")


def free(films: Sequence[Film]) -> tuple[bytes, Any]:
    """The clip of these films, one after another, and its report, cut in this process."""
    pipe, out, report = io.BytesIO(), io.BytesIO(), io.BytesIO()
    asked = span(0, 4 * len(films))
    pipe.write(pack(b"J", Job(nanoseconds(asked.start), nanoseconds(asked.end), 200_000_000, 96 << 20)))
    for number, made in enumerate(films):
        given = made.given(4 * number)
        pipe.write(pack(b"S", Heading(given.name, nanoseconds(given.span.start), given.container, given.size)))
        for place in range(0, len(made.body), 50_000):
            pipe.write(frame(b"D", made.body[place : place + 50_000]))
        pipe.write(frame(b"E"))
    pipe.seek(0)
    cut(read_frames(pipe), out, report)
    return out.getvalue(), json.loads(report.getvalue().splitlines()[-1])


async def confined(films: Sequence[Film]) -> tuple[bytes, Any]:
    """The same by the clip process."""
    segments = stream([made.given(4 * number) for number, made in enumerate(films)])
    async with Clip(segments, span(0, 4 * len(films)), "cam1") as clip:
        body = await in_own_thread(lambda: b"".join(bytes(piece) for piece in iter(clip.read, b"")))
        await clip.conclude()
    return body, clip._last


@pytest.mark.requirement("R32", "R36")
async def test_every_container_and_coding_comes_out_the_same() -> None:
    films = [film(shoot(video, audio), kind) for kind, video, audio in CASES]
    assert await confined(films) == free(films)


async def test_a_track_of_subtitles_is_left_out_as_without_walls() -> None:
    made = film(shoot("h264", "aac"), "fmp4")
    films = [replace(made, body=made.body.replace(b"soun", b"sbtl").replace(b"mp4a", b"tx3g"))]
    body, report = await confined(films)
    assert (body, report) == free(films)
    [source] = report["report"]["sources"]
    assert source["left_out"] == ["subtitle 1"]


@pytest.mark.parametrize("module", ["services.vault.clip.process", "services.recorders.snapshot_process"])
def test_nothing_of_pyav_is_left_to_be_imported_late(module: str) -> None:
    code = (
        f"import pkgutil, sys, av, {module}\n"
        "known = {one.name for one in pkgutil.walk_packages(av.__path__, 'av.')} - {'av.__main__', 'av.datasets'}\n"
        "print(sorted(known - set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
