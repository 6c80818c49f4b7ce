"""Segments that overlap and are named roughly: joined by their pictures, they are neither torn nor doubled."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from footage_maker import Camera
from vault_bench import NOON, Bench, given, span, wanted

from services.runtime.spans import Span


@pytest.mark.parametrize("off", [-0.6, -0.4, 0.4, 0.6])
async def test_what_follows_an_overlap_is_covered_to_its_end(tmp_path: Path, off: float) -> None:
    bench = Bench.in_folder(tmp_path)
    filmed = Camera(bench.root, "cam1", marked=False).record(NOON, 32, segment=8, overlap=2)
    segments = [given(one) for one in filmed]
    for index, by in ((1, off), (2, off), (3, off / 2)):
        moved = segments[index].span
        by_seconds = timedelta(seconds=by)
        segments[index] = replace(segments[index], span=Span(moved.start + by_seconds, moved.end + by_seconds))

    sealed = await bench.seal(span(1, 30), segments)

    assert sealed.outcome == "complete"
    pictures = {one.sha256: one for written in filmed for one in written.pictures}
    assert bench.hashes(sealed) == [one.sha256 for one in wanted(filmed, span(1, 30)) if pictures.pop(one.sha256, None)]
