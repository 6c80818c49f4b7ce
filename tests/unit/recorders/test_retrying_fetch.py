"""A fetch that breaks off is taken up again: what came is not thrown away, and nothing is healed that was lost."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from footage_maker import Camera, Written
from vault_bench import NOON, Bench, at, span

from services.recorders import retrying_fetch
from services.recorders.folder.recorder import FolderRecorder
from services.recorders.protocol import RecorderDown, Segment
from services.runtime.metrics import REGISTRY
from services.runtime.spans import Span
from services.vault.sealing import Sealed

Break = Callable[[int, str], int | None]
"""For a try (from 1) and a segment's name: the bytes after which its stream breaks off; None for the whole."""


@dataclass
class Breaking:
    """A folder recorder whose streams break off, and whose list does after ``lists`` segments."""

    recorder: FolderRecorder
    breaks: Break = lambda number, name: None
    fault: RecorderDown | None = None
    lists: Sequence[int] = ()
    opened: list[str] = field(default_factory=list)
    asked: list[Span] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    open_now: int = 0
    away: bool = False  # it answers no question

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        if self.away:
            raise RecorderDown("it is away")
        return await self.recorder.coverage(channel, span)

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        self.asked.append(span)
        number = 0
        async for segment in self.recorder.fetch(channel, span):
            if len(self.asked) <= len(self.lists) and number == self.lists[len(self.asked) - 1]:
                raise RecorderDown("its list broke off")
            number += 1
            yield Segment(
                *(segment.name, segment.channel, segment.span, segment.size, segment.container),
                partial(self._bytes, segment),
            )

    async def _bytes(self, segment: Segment) -> AsyncIterator[bytes]:
        self.opened.append(segment.name)
        self.open_now += 1
        try:
            whole = b"".join([chunk async for chunk in segment.open()])
            end = self.breaks(self.opened.count(segment.name), segment.name)
            for start in range(0, len(whole) if end is None else end, 10_000):
                yield whole[start : min(start + 10_000, len(whole) if end is None else end)]
            if end is not None:
                raise self.fault or RecorderDown("the connection broke")
        finally:
            self.open_now -= 1

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def again(self, asked: Span) -> AsyncIterator[Segment]:
        return retrying_fetch.fetch(self, "cam1", asked, kind="folder", sleep=self.sleep)  # type: ignore[arg-type]  # all of it


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


@pytest.fixture
def written(bench: Bench) -> list[Written]:
    return Camera(bench.root, "cam1").record(NOON, 12)


ASKED = span(1, 11)


async def sealed(bench: Bench, breaking: Breaking, asked: Span = ASKED) -> Sealed:
    return await bench.seal(asked, breaking.again(asked), promised=[asked])


def once(name: str, share: float, written: Sequence[Written]) -> Break:
    size = next(one.path.stat().st_size for one in written if one.path.name == name)
    return lambda number, asked: round(size * share) if (number, asked) == (1, name) else None


@pytest.mark.requirement("R32", "R35")
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("which", [0, 1, 2])
async def test_a_segment_that_breaks_off_is_given_again_and_the_whole_is_complete(
    bench: Bench, written: list[Written], which: int, share: float
) -> None:
    name = written[which].path.name
    breaking = Breaking(bench.recorder, once(name, share, written))
    before = REGISTRY.get_sample_value("footage_desk_fetch_retries_total", {"kind": "folder"}) or 0.0

    got = await sealed(bench, breaking)

    assert (got.outcome, got.coverage.gaps, got.coverage.problems, got.coverage.lost) == ("complete", (), (), ())
    assert bench.hashes(got) == bench.hashes(await bench.seal(span(1, 11), key="masters/item/2"))
    assert breaking.opened.count(name) == 2
    assert breaking.pauses == [retrying_fetch.PAUSES[0]]
    assert REGISTRY.get_sample_value("footage_desk_fetch_retries_total", {"kind": "folder"}) == before + 1
    tries = [one for one in got.coverage.sources if one.name == name]
    assert len(tries) == 2, "both tries are on the record"
    assert tries[0].size < tries[1].size
    assert tries[1].problem is None


@pytest.mark.parametrize("kind", [{"reorder": 2}, {"sound": True}, {"codec": "libx265", "reorder": 2}])
async def test_other_codings_are_joined_without_a_seam(bench: Bench, kind: dict[str, Any]) -> None:
    written = Camera(bench.root, "cam1", **kind).record(NOON, 12)
    asked = span(1.5, 10.5)
    breaking = Breaking(bench.recorder, once(written[1].path.name, 0.6, written))

    got = await sealed(bench, breaking, asked)

    whole = await bench.seal(asked, key="masters/item/2")
    assert (got.outcome, got.coverage.gaps, got.coverage.covered) == ("complete", (), whole.coverage.covered)
    for sort in ("video", "audio") if kind.get("sound") else ("video",):
        assert bench.hashes(got, sort) == bench.hashes(whole, sort)


async def test_a_segment_that_always_breaks_off_is_partial_and_named(bench: Bench, written: list[Written]) -> None:
    name = written[1].path.name
    breaking = Breaking(bench.recorder, lambda number, asked: 30_000 if asked == name else None)

    got = await sealed(bench, breaking)

    assert breaking.opened.count(name) == 3
    assert got.outcome == "partial"
    assert [gap.end for gap in got.coverage.gaps] == [at(8)]
    assert got.coverage.lost == got.coverage.gaps
    assert [name in problem for problem in got.coverage.problems].count(True) >= 1


async def test_what_came_before_stands_when_the_recorder_is_gone_afterwards(
    bench: Bench, written: list[Written]
) -> None:
    name = written[2].path.name
    breaking = Breaking(bench.recorder, lambda n, asked: (30_000 if n == 1 else 0) if asked == name else None)

    got = await sealed(bench, breaking)

    assert got.outcome == "partial"
    assert len([one for one in got.coverage.sources if one.name == name]) == 1, "a try without a byte is no segment"
    assert got.coverage.covered[0].end > at(8)


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("which", [0, 1, 2])
async def test_a_segment_without_a_byte_is_lost_and_the_others_are_sealed(
    bench: Bench, written: list[Written], which: int
) -> None:
    name = written[which].path.name
    breaking = Breaking(bench.recorder, lambda _, asked: 0 if asked == name else None)

    got = await sealed(bench, breaking)

    assert breaking.opened.count(name) == 3
    assert (got.outcome, breaking.open_now) == ("partial", 0)
    assert sum((gap.duration for gap in got.coverage.gaps), timedelta()) >= timedelta(seconds=2.9)


@pytest.mark.parametrize("silent", [[0, 1, 2], [1, 2], [0, 1]])
async def test_where_no_byte_of_several_segments_comes_the_job_is_tried_again(
    bench: Bench, written: list[Written], silent: list[int]
) -> None:
    names = {written[which].path.name for which in silent}
    breaking = Breaking(bench.recorder, lambda _, asked: 0 if asked in names else None)

    with pytest.raises(RecorderDown, match="the connection broke"):
        await sealed(bench, breaking)

    assert (bench.objects(), breaking.open_now) == ([], 0)


async def test_where_the_only_segment_has_no_byte_the_job_is_tried_again(bench: Bench, written: list[Written]) -> None:
    breaking = Breaking(bench.recorder, lambda _, asked: 0)

    with pytest.raises(RecorderDown, match="the connection broke"):
        await sealed(bench, breaking, span(1, 2))


async def test_where_the_recorder_is_away_after_a_segment_without_a_byte_the_job_is_tried_again(
    bench: Bench, written: list[Written]
) -> None:
    name = written[2].path.name
    breaking = Breaking(bench.recorder, lambda _, asked: 0 if asked == name else None, away=True)

    with pytest.raises(RecorderDown):
        await sealed(bench, breaking)


async def test_a_segment_that_begins_late_is_waited_for(bench: Bench, written: list[Written]) -> None:
    name = written[1].path.name
    breaking = Breaking(bench.recorder, lambda n, asked: 0 if (asked == name and n < 3) else None)

    assert (await sealed(bench, breaking)).outcome == "complete"
    assert breaking.pauses == list(retrying_fetch.PAUSES)


async def test_a_list_that_breaks_off_is_asked_for_the_rest_alone(bench: Bench, written: list[Written]) -> None:
    breaking = Breaking(bench.recorder, lists=[2])

    assert (await sealed(bench, breaking)).outcome == "complete"
    assert breaking.opened == [one.path.name for one in written]
    assert breaking.asked == [span(1, 11), Span(written[1].end, at(11))]


async def test_a_list_that_gives_nothing_is_not_waited_for(bench: Bench, written: list[Written]) -> None:
    breaking = Breaking(bench.recorder, lists=[0])

    with pytest.raises(RecorderDown):
        await sealed(bench, breaking)
    assert breaking.pauses == []


async def test_every_stream_is_closed_when_the_fetch_is_given_up(bench: Bench, written: list[Written]) -> None:
    breaking = Breaking(bench.recorder, once(written[0].path.name, 0.5, written))
    segments = breaking.again(Span(NOON, NOON + timedelta(seconds=12)))
    first = await anext(segments)
    async for _ in first.open():
        pass
    await anext(segments)
    assert breaking.open_now == 1

    await segments.aclose()  # type: ignore[attr-defined]  # a generator

    assert breaking.open_now == 0


HANGS = RecorderDown("nothing came for 30 s", "broken-off", hangs=True)


async def test_a_recorder_that_hangs_in_one_segment_after_another_is_away(bench: Bench, written: list[Written]) -> None:
    breaking = Breaking(bench.recorder, lambda number, asked: 30_000, fault=HANGS)

    with pytest.raises(RecorderDown) as down:
        await sealed(bench, breaking)

    assert down.value.away == "recorder"
    assert [breaking.opened.count(one.path.name) for one in written] == [2, 2, 0]
    assert (breaking.pauses, len(breaking.asked)) == ([retrying_fetch.PAUSES[-1]] * 2, 1)
    assert (bench.objects(), breaking.open_now) == ([], 0)


async def test_a_recorder_that_hangs_in_one_damaged_segment_gives_the_rest(
    bench: Bench, written: list[Written]
) -> None:
    name = written[1].path.name
    breaking = Breaking(bench.recorder, lambda number, asked: 30_000 if asked == name else None, fault=HANGS)

    got = await sealed(bench, breaking)

    assert got.outcome == "partial"
    assert [breaking.opened.count(one.path.name) for one in written] == [1, 2, 1]


async def test_a_recorder_that_hangs_before_the_first_byte_is_away(bench: Bench, written: list[Written]) -> None:
    breaking = Breaking(bench.recorder, lambda number, asked: 0, fault=HANGS)

    with pytest.raises(RecorderDown) as down:
        await sealed(bench, breaking)

    assert (down.value.away, len(breaking.opened)) == ("recorder", 2)
