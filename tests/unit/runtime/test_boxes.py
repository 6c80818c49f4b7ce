"""The box walk tells whole files from cut ones, however the bytes arrive, and never trips over garbage."""

import struct
from pathlib import Path

import pytest
from footage_maker import Camera
from hypothesis import given
from hypothesis import strategies as st
from vault_bench import NOON

from services.runtime.boxes import BoxError, BoxWalk, boxes, read_fragment, read_movie


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return Camera(tmp_path_factory.mktemp("made"), "cam1", sound=True).record(NOON, 4)[0].path.read_bytes()


def walk(data: bytes, step: int = 1 << 20) -> BoxWalk:
    seen = BoxWalk()
    for start in range(0, len(data), step):
        seen.feed(data[start : start + step])
    seen.finish()
    return seen


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_boxes_are_the_same_however_the_bytes_arrive(segment: bytes, step: int) -> None:
    assert walk(segment, step).found == walk(segment).found
    assert walk(segment, step).problem is None


def test_movie_and_fragments_tell_tracks_run_and_durations(segment: bytes) -> None:
    found = walk(segment).found
    movie = read_movie(next(contents for kind, _, _, contents in found if kind == "moov" and contents))
    assert movie.fragmented
    assert movie.mark is not None
    assert (movie.mark.number, movie.mark.decode_ns) == (0, 0)
    track = movie.first("vide")
    assert track is not None
    runs = [
        run for kind, _, _, contents in found if kind == "moof" and contents for run in read_fragment(contents, movie)
    ]
    pictures = [run for run in runs if run.track == track.number]
    assert sum(run.samples for run in pictures) == 40
    assert sum(run.duration for run in pictures) == 4 * track.timescale


@given(st.data())
def test_every_cut_inside_a_box_is_seen_with_the_bytes_that_lack(segment: bytes, data: st.DataObject) -> None:
    whole = {start for _, start, _, _ in walk(segment).found} | {len(segment)}
    cut = data.draw(st.integers(1, len(segment) - 1).filter(lambda place: place not in whole))
    seen = walk(segment[:cut])
    assert seen.problem is not None
    following = min(place for place in whole if place > cut)
    assert seen.missing == following - cut or "header" in seen.problem


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_garbage_is_a_problem_or_a_walk_and_never_a_crash(garbage: bytes, tail: bytes) -> None:
    walk(garbage + tail, 5)
    try:
        list(boxes(garbage))
    except BoxError:
        return


@given(st.data())
def test_damaged_index_is_a_box_error_or_another_index(segment: bytes, data: st.DataObject) -> None:
    for kind, _, _, contents in walk(segment).found:
        if kind != "moov" or contents is None:
            continue
        place = data.draw(st.integers(8, len(contents) - 1))
        broken = contents[:place] + bytes([data.draw(st.integers(0, 255))]) + contents[place + 1 :]
        try:
            read_movie(broken)
        except BoxError:
            return


def test_large_sizes_and_open_ends_are_understood() -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 5) + b"12345"
    last = struct.pack(">I4s", 0, b"mdat") + b"up to the end"
    seen = walk(large + last, 3)
    assert seen.problem is None
    assert [(kind, size) for kind, _, size, _ in seen.found] == [("mdat", 21), ("mdat", 21)]


def test_index_beyond_the_limit_is_refused_and_not_kept(tmp_path: Path) -> None:
    seen = BoxWalk()
    seen.feed(struct.pack(">I4s", 0x7FFFFFFF, b"moov"))
    assert seen.problem is not None
    assert "larger than" in seen.problem
