"""MediaMTX: what it lists is fetched stretch by stretch, and what it answers wrongly is never called complete."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from footage_maker import Camera, Written, truncate
from recorders.behaviours import Behaviour, cannot_happen
from recorders.judged import assert_login_refused, judged
from recorders.mediamtx_server import MediamtxServer, muxed
from recorders.raw_server import Reply, Request
from vault_bench import NOON, Bench, at, span, wanted

from services.recorders import http_client
from services.recorders.http_client import BrokenOff
from services.recorders.mediamtx import recorder as mediamtx
from services.recorders.mediamtx.recorder import MediamtxRecorder
from services.recorders.protocol import RecorderDown, WrongChannel
from services.recorders.registry import open_recorder
from services.runtime.addresses import Guard, parse_networks
from services.runtime.errors import Fatal
from services.runtime.places import ROOT
from services.runtime.spans import Span
from services.vault.coverage import FootageUnreadable, WrongFootage

LOOPBACK = Guard(parse_networks("127.0.0.0/8"), ("http", "https"))
TRUNCATED = ROOT / "tests" / "data" / "mediamtx" / "get-answer-with-truncated-segment.mp4"
PAGE = Reply(b"<!DOCTYPE html><html><body>Sign in</body></html>" * 100, kind="text/html")
ASKED = span(2, 22)

cannot_happen(
    "mediamtx",
    Behaviour.LOCAL_TIME,
    "它的时间都带有自己的时差。",
    "all its times carry their own offset.",
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


@pytest.fixture
def filmed(bench: Bench) -> list[Written]:
    return Camera(bench.root, "cam1").record(NOON, 24)


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediamtx, "PIECE", timedelta(seconds=8))
    monkeypatch.setattr(mediamtx, "OVERLAP", timedelta(seconds=3))
    monkeypatch.setattr(mediamtx, "LEAD", timedelta(seconds=5))


def recorder(address: str, patience: float = 10, **more: str) -> MediamtxRecorder:
    told = {"address": address, "user": "archivist", "password": "arc-pass", "channels": "cam1"} | more
    return MediamtxRecorder.from_configuration(told, LOOPBACK, patience=patience)


def always(reply: Reply) -> Callable[[Request, Reply], Reply]:
    return lambda _request, _right: reply


def second_get(reply: Callable[[Reply], Reply]) -> Callable[[Request, Reply], Reply]:
    """Only the answer to the second /get is wrong."""
    seen: list[Request] = []

    def change(request: Request, right: Reply) -> Reply:
        seen.append(request)
        return reply(right) if len(seen) == 2 else right

    return change


async def test_every_picture_of_the_span_comes_once_however_it_is_cut_in_pieces(
    bench: Bench, filmed: list[Written]
) -> None:
    server = MediamtxServer({"cam1": [filmed]})
    async with server.running() as address:
        sealed = await judged(bench, recorder(address), span(7.35, 23))
    assert sealed.outcome == "complete"
    assert bench.hashes(sealed) == [picture.sha256 for picture in wanted(filmed, span(7.35, 23))]
    assert len([one for one in server.asked if one.path == "/get"]) == 2


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.ACROSS_GAP,
    "先取列表，每段连续录像分别索取，缺口列明。",
    "The list is read first and each stretch is asked for by itself; the gap is named.",
)
async def test_both_sides_of_a_gap_are_fetched_and_the_gap_is_named(bench: Bench, filmed: list[Written]) -> None:
    server = MediamtxServer({"cam1": [filmed[:2], filmed[4:]]})
    async with server.running() as address:
        assert await recorder(address).coverage("cam1", ASKED) == [span(2, 8), span(16, 22)]
        sealed = await judged(bench, recorder(address), ASKED)
    assert sealed.outcome == "partial"
    assert sealed.coverage.gaps == (span(8, 16),)
    assert bench.hashes(sealed) == [one.sha256 for one in wanted([*filmed[:2], *filmed[4:]], ASKED)]


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.GAP_CLOSED,
    "画面实际长度短于列表所说，结果为部分。",
    "The pictures are shorter than the list said: partial.",
)
async def test_a_gap_that_is_closed_up_is_seen_by_the_missing_time(bench: Bench, filmed: list[Written]) -> None:
    shift = timedelta(seconds=4)
    closed = [*filmed[:2], *(replace(one, start=one.start - shift, end=one.end - shift) for one in filmed[3:])]

    def close_up(request: Request, _: Reply) -> Reply:
        start = datetime.fromisoformat(request.query["start"])
        return Reply(muxed(closed, start, start + timedelta(seconds=float(request.query["duration"]))))

    server = MediamtxServer({"cam1": [filmed]}, change={"/get": close_up})
    async with server.running() as address:
        sealed = await judged(bench, recorder(address), ASKED)
    assert sealed.outcome == "partial"
    assert sum((gap.duration for gap in sealed.coverage.gaps), timedelta()) > timedelta(seconds=1)


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.LOGIN_PAGE,
    "列表处：不是录像机；录像处：该段注明为网页，结果为部分或无法读取。",
    "For the list: not a recorder. For footage: the piece is named as a page; partial, or unreadable.",
)
async def test_a_page_instead_of_footage_is_named(bench: Bench, filmed: list[Written]) -> None:
    server = MediamtxServer({"cam1": [filmed]}, change={"/get": second_get(lambda _: PAGE)})
    async with server.running() as address:
        sealed = await judged(bench, recorder(address), ASKED)
        assert sealed.outcome == "partial"
        assert any("HTML page" in problem for problem in sealed.coverage.problems)
        server.change = {"/get": always(PAGE)}
        with pytest.raises(FootageUnreadable, match="HTML page"):
            await judged(bench, recorder(address), ASKED, key="masters/item/2")
        server.change = {"/list": always(PAGE)}
        with pytest.raises(RecorderDown) as down:
            await recorder(address).coverage("cam1", ASKED)
    assert down.value.code == "not-a-recorder"


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.EMPTY,
    "列表处：不是录像机；录像处：该段注明为空，结果为部分或无法读取。",
    "For the list: not a recorder. For footage: the piece is named as empty; partial, or unreadable.",
)
async def test_an_empty_answer_is_named(bench: Bench, filmed: list[Written]) -> None:
    server = MediamtxServer({"cam1": [filmed]}, change={"/get": second_get(lambda _: Reply())})
    async with server.running() as address:
        sealed = await judged(bench, recorder(address), ASKED)
        assert sealed.outcome == "partial"
        assert any("empty body" in problem for problem in sealed.coverage.problems)
        server.change = {"/list": always(Reply())}
        with pytest.raises(RecorderDown) as down:
            await recorder(address).coverage("cam1", ASKED)
    assert down.value.code == "not-a-recorder"


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.MISSING_FILE,
    "已列出却取不到的一段注明为空，结果为部分。",
    "A piece that was listed and is gone is named as empty: partial.",
)
async def test_footage_that_is_gone_since_it_was_listed_is_partial(bench: Bench, filmed: list[Written]) -> None:
    gone = Reply(b'{"status":"error","error":"no recording segments found"}', 404)
    server = MediamtxServer({"cam1": [filmed]}, change={"/get": second_get(lambda _: gone)})
    async with server.running() as address:
        sealed = await judged(bench, recorder(address), ASKED)
    assert sealed.outcome == "partial"


def cut(right: Reply) -> Reply:
    return replace(right, length=len(right.body) + 1000)


def below_zero(right: Reply) -> Reply:
    return replace(right, length=-500)


def stops(right: Reply) -> Reply:
    return replace(right, cut=len(right.body) // 2, hangs=True)


def breaks(right: Reply) -> Reply:
    return replace(right, cut=len(right.body) // 2)


def refuses(_: Reply) -> Reply:
    return Reply(b'{"status":"error","error":"authentication error"}', 401)


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.WRONG_LENGTH,
    "作为传输中断，什么也不保留，重新索取。",
    "A broken transfer: nothing is kept, it is asked for again.",
)
@pytest.mark.recorder_answer(
    "mediamtx", Behaviour.NEGATIVE_LENGTH, "不是录像机，什么也不保留。", "Not a recorder; nothing is kept."
)
@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.EXPIRED,
    "它每次请求都核对密码：登录失败，什么也不保留。",
    "It checks the password at each request: the login failed, nothing is kept.",
)
@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.BROKEN_OFF,
    "它不支持续传：重新索取该段。",
    "It resumes nothing: the piece is asked for again.",
)
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (cut, "broken-off"),
        (below_zero, "not-a-recorder"),
        (stops, "broken-off"),
        (breaks, "broken-off"),
        (refuses, "login"),
    ],
)
async def test_a_transfer_that_goes_wrong_leaves_nothing(
    bench: Bench, filmed: list[Written], wrong: Callable[[Reply], Reply], code: str
) -> None:
    server = MediamtxServer({"cam1": [filmed]}, change={"/get": second_get(wrong)})
    async with server.running() as address:
        with pytest.raises(RecorderDown) as down:
            await judged(bench, recorder(address, 2 if wrong is stops else 10), ASKED)
    assert down.value.code == code
    assert isinstance(down.value, BrokenOff) == (code == "broken-off")
    assert bench.objects() == []


@pytest.mark.recorder_answer("mediamtx", Behaviour.BUSY, "录像机忙，稍后再试。", "The recorder is busy; tried again.")
@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.HANG,
    "等待至限时后：没有应答或传输中断，稍后再试。",
    "After the time-out: silent, or broken off; tried again.",
)
@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.NOT_UNDERSTOOD,
    "不是录像机。",
    "Not a recorder.",
)
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(b"busy", 503), "busy"),
        (Reply(length=40, hangs=True), "broken-off"),
        (Reply(b'[{"start":"today","duration":3}]'), "not-a-recorder"),
        (Reply(b'[{"start":"2026-03-01T12:00:00Z"}]'), "not-a-recorder"),
        (Reply(b"7"), "not-a-recorder"),
        (Reply(b"moved", 302), "not-a-recorder"),
        (Reply(b'{"error":"broken"}', 500), "busy"),
    ],
)
async def test_a_list_that_is_none_is_named_and_the_recorder_told_as_down(
    filmed: list[Written], reply: Reply, code: str
) -> None:
    server = MediamtxServer({"cam1": [filmed]}, change={"/list": always(reply)})
    async with server.running() as address:
        with pytest.raises(RecorderDown) as down:
            await recorder(address, 3 if reply.hangs else 10).coverage("cam1", ASKED)
    assert down.value.code == code
    assert "arc-pass" not in str(down.value)


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.OTHER_CHANNEL,
    "画面特征与该摄像头不符：不予保留。",
    "The pictures are not of the camera that is known there: nothing is kept.",
)
async def test_another_cameras_footage_is_never_kept(bench: Bench, filmed: list[Written]) -> None:
    other = Camera(bench.root, "cam2", size=(192, 96)).record(NOON, 24)
    async with MediamtxServer({"cam1": [filmed]}).running() as address:
        known = (await judged(bench, recorder(address), ASKED)).coverage.fingerprint
    kept = bench.objects()
    async with MediamtxServer({"cam1": [other]}).running() as address:
        with pytest.raises(WrongFootage):
            await judged(bench, recorder(address), ASKED, key="masters/item/2", expected_fingerprint=known)
    assert bench.objects() == kept


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.TRUNCATED,
    "缺少的字节被数出，该段注明，结果为部分。",
    "The missing bytes are counted and the segment is named: partial.",
)
async def test_the_real_answer_with_a_truncated_segment_is_partial(
    bench: Bench, filmed: list[Written], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mediamtx, "PIECE", timedelta(minutes=10))
    listed = Reply(b'[{"start":"2026-03-01T12:00:00Z","duration":150.062467}]')
    server = MediamtxServer(
        {"cam1": [filmed]}, change={"/list": always(listed), "/get": always(Reply(TRUNCATED.read_bytes()))}
    )
    async with server.running() as address:
        sealed = await judged(bench, recorder(address), span(0, 150))
    assert sealed.outcome == "partial"
    assert any("1154039 of them are missing" in problem for problem in sealed.coverage.problems)


async def test_a_truncated_file_on_its_disk_is_partial(bench: Bench, filmed: list[Written]) -> None:
    truncate(filmed[2].path, 0.5)
    async with MediamtxServer({"cam1": [filmed]}).running() as address:
        sealed = await judged(bench, recorder(address), ASKED)
    assert sealed.outcome == "partial"


async def test_a_garbled_file_does_not_hide_what_is_next_to_it(
    filmed: list[Written], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mediamtx, "NARROWEST", timedelta(seconds=2))
    filmed[3].path.write_bytes(b"nothing that is an MP4")
    async with MediamtxServer({"cam1": [filmed]}).running() as address:
        found = await recorder(address).coverage("cam1", ASKED)
    assert found[0].start == ASKED.start
    assert found[-1].end == ASKED.end
    assert found[0].end > at(9)
    assert found[-1].start < at(19)
    assert not any(one.intersect(span(12, 16)) for one in found)


DAY = Span(NOON, NOON + timedelta(days=1))


def garbled_at(*hours: float, length: timedelta) -> Callable[[Request, Reply], Reply]:
    """A list of a day without a gap, which fails wherever it touches one of the files that begin at these hours."""
    bad = [Span(start, start + length) for start in (NOON + timedelta(hours=hour) for hour in hours)]

    def listed(request: Request, _: Reply) -> Reply:
        asked = Span(*(datetime.fromisoformat(request.query[name]) for name in ("start", "end")))
        if any(asked.intersect(file) for file in bad):
            return Reply(b'{"status":"error","error":"ftyp box not found"}', 500)
        whole = asked.intersect(DAY)
        if whole is None:
            return Reply(b'{"status":"error","error":"no recording segments found"}', 404)
        entry = {"start": whole.start.isoformat(), "duration": whole.duration.total_seconds()}
        return Reply(json.dumps([entry]).encode())

    return listed


@pytest.mark.parametrize("length", [timedelta(minutes=1), timedelta(minutes=15)])
async def test_many_garbled_files_hide_nothing_of_what_lies_between_them(
    filmed: list[Written], length: timedelta
) -> None:
    hours = [0, 2.5, 5, 8.7, 11, 14, 17, 20.3]
    server = MediamtxServer({"cam1": [filmed]}, change={"/list": garbled_at(*hours, length=length)})
    async with server.running() as address:
        found = await recorder(address).coverage("cam1", DAY)
        facts = await recorder(address).probe()
    narrow = timedelta(seconds=30)
    for hour in hours:
        file = Span(NOON + timedelta(hours=hour), NOON + timedelta(hours=hour) + length)
        assert not any(one.intersect(file) for one in found)
        assert any(timedelta() <= one.start - file.end <= narrow for one in found), hour
        assert hour == 0 or any(timedelta() <= file.start - one.end <= narrow for one in found), hour
    assert length <= facts.oldest_frame["cam1"] - NOON <= length + narrow


@pytest.mark.requirement("R32", refuses=True)
async def test_a_list_of_which_not_all_could_be_asked_for_is_never_taken_for_all(
    filmed: list[Written], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mediamtx, "MOST_ASKS", 20)
    wrong = garbled_at(1, 5, 9, length=timedelta(minutes=1))
    async with MediamtxServer({"cam1": [filmed]}, change={"/list": wrong}).running() as address:
        with pytest.raises(RecorderDown, match="garbled files") as down:
            await recorder(address).coverage("cam1", DAY)
    assert down.value.code == "damaged-files"


async def test_garbled_files_at_the_beginning_are_no_reason_to_call_it_down(
    filmed: list[Written], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mediamtx, "MOST_ASKS", 60)
    wrong = garbled_at(0, length=timedelta(hours=2))
    async with MediamtxServer({"cam1": [filmed]}, change={"/list": wrong}).running() as address:
        facts = await recorder(address).probe()
    assert facts.reachable
    assert facts.oldest_frame == {}


async def test_a_recorder_that_lists_nothing_at_all_is_soon_left_alone(filmed: list[Written]) -> None:
    server = MediamtxServer({"cam1": [filmed]}, change={"/list": always(Reply(b'{"error":"broken"}', 500))})
    async with server.running() as address:
        with pytest.raises(RecorderDown) as down:
            await recorder(address).coverage("cam1", DAY)
        assert down.value.code == "busy"  # it may be for a while only: nobody is told to remove files
        assert len(server.asked) < 100
        assert not (await recorder(address).probe()).reachable
    assert len(server.asked) < 200


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.REPEATED_PAGES,
    "录像列表不分页；管理接口的分页重复时即止。",
    "Its list has no pages; where the API's pages repeat, that is the end.",
)
async def test_an_api_whose_pages_repeat_is_not_asked_for_ever(filmed: list[Written]) -> None:
    repeating = Reply(
        b'{"itemCount":9,"pageCount":99999,"items":[{"name":"cam1","segments":[{"start":"2026-03-01T12:00:00Z"}]}]}'
    )
    server = MediamtxServer({"cam1": [filmed]}, change={"/v3/recordings/list": always(repeating)})
    async with server.running() as address:
        facts = await recorder(address, api_address=address).probe()
    assert facts.oldest_frame == {"cam1": NOON}
    assert len(server.asked) < 10


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.UNKNOWN_CHANNEL,
    "通道有误，请在登记中改正；没有文件夹的通道视为没有录像。",
    "Wrong channel: correct it in the register. A channel without a folder has no recordings.",
)
async def test_a_path_that_is_not_configured_is_a_wrong_channel(filmed: list[Written]) -> None:
    async with MediamtxServer({"cam1": [filmed], "cam3": []}).running() as address:
        with pytest.raises(WrongChannel, match="cam9"):
            await recorder(address).coverage("cam9", ASKED)
        assert await recorder(address).coverage("cam3", ASKED) == []


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.IN_PROGRESS,
    "列出多少取多少。",
    "As much as is listed is fetched.",
)
async def test_a_recording_in_progress_counts_up_to_now(bench: Bench, filmed: list[Written]) -> None:
    async with MediamtxServer({"cam1": [filmed[:3]]}).running() as address:
        sealed = await judged(bench, recorder(address), ASKED)
    assert sealed.outcome == "partial"
    assert sealed.coverage.gaps == (span(12, 22),)


@pytest.mark.recorder_answer(
    "mediamtx",
    Behaviour.WRONG_PASSWORD,
    "登录失败：请核对用户名和密码。",
    "The login failed: correct user and password.",
)
async def test_a_wrong_password_is_told(filmed: list[Written]) -> None:
    async with MediamtxServer({"cam1": [filmed]}).running() as address:
        await assert_login_refused(recorder(address, password="gu3ssed"), "-", ASKED, "gu3ssed")


async def test_a_probe_measures_clock_and_oldest_frames(bench: Bench, filmed: list[Written]) -> None:
    hall = Camera(bench.root, "hall").record(at(100), 4)
    server = MediamtxServer({"cam1": [filmed], "hall": [hall]}, now=datetime.now(UTC) + timedelta(minutes=2))
    async with server.running() as address:
        by_list = await recorder(address, channels="cam1, hall").probe()
        by_api = await recorder(address, channels="", api_address=address).probe()
    assert by_list.oldest_frame == by_api.oldest_frame == {"cam1": NOON, "hall": at(100)}
    assert (by_list.make, by_api.model, by_list.reachable) == ("MediaMTX", "v1.15.0", True)
    for facts in (by_list, by_api):
        assert facts.clock_offset_ms is not None
        assert facts.clock_method == "http-date"
        assert 0 < (facts.clock_uncertainty_ms or 0) < 5000
        assert abs(facts.clock_offset_ms - 120_000) <= 5000


@pytest.mark.parametrize("named", ["", "cam1,gate,hall"])
async def test_many_short_files_are_no_reason_to_call_it_down(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    films = {
        name: [Camera(bench.root, name).record(at(start), seconds, segment=1)]
        for name, start, seconds in (("cam1", 0, 24), ("gate", 50, 4), ("hall", 100, 4))
    }
    server = MediamtxServer({**films, "empty": []})
    async with server.running() as address:
        source = recorder(address, channels=named, api_address=address)
        for largest, asked in ((100_000, 1), (600, 4)):  # bytes: of all together, and of one of them
            monkeypatch.setattr(http_client, "LARGEST_ANSWER", largest)
            server.asked.clear()
            facts = await source.probe()
            assert facts.reachable
            assert facts.oldest_frame == {"cam1": NOON, "gate": at(50), "hall": at(100)}
            assert len([one for one in server.asked if one.path == "/v3/recordings/list"]) == asked
            assert [one.channel for one in await source.list_cameras()] == ["cam1", "gate", "hall"]


async def test_a_list_that_lacks_a_channel_is_none(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    films = Camera(bench.root, "cam1").record(NOON, 24, segment=1)
    nothing = always(Reply(b'{"itemCount":0,"pageCount":0,"items":[]}'))
    server = MediamtxServer({"cam1": [films]}, change={"/v3/paths/list": nothing})
    monkeypatch.setattr(http_client, "LARGEST_ANSWER", 600)
    async with server.running() as address:
        source = recorder(address, channels="", api_address=address)
        assert (await source.probe()).reachable
        with pytest.raises(RecorderDown) as down:
            await source.list_cameras()
    assert down.value.code == "too-large"


async def test_times_without_a_zone_are_of_the_zone_that_is_configured(filmed: list[Written]) -> None:
    listed = Reply(b'[{"start":"2026-03-01T20:00:00","duration":24}]')
    async with MediamtxServer({"cam1": [filmed]}, change={"/list": always(listed)}).running() as address:
        assert await recorder(address, zone="Asia/Shanghai").coverage("cam1", ASKED) == [ASKED]


async def test_a_snapshot_is_a_picture_and_nothing_is_locked(filmed: list[Written]) -> None:
    async with MediamtxServer({"cam1": [filmed]}).running() as address:
        assert (await recorder(address).snapshot("cam1", at(9.5)))[:2] == b"\xff\xd8"
        assert await recorder(address).protect("cam1", ASKED) is False


async def test_it_is_a_kind_of_the_registry_and_says_what_it_lacks() -> None:
    told: dict[str, Any] = {"address": "http://192.0.2.1:9996"}
    assert open_recorder("mediamtx", told) is not None
    for wrong in ({}, told | {"zone": "Peking"}):
        with pytest.raises(Fatal, match="MediaMTX"):
            open_recorder("mediamtx", wrong)


async def test_nothing_is_asked_of_it_outside_the_networks_that_are_allowed() -> None:
    closed = MediamtxRecorder.from_configuration({"address": "http://127.0.0.1:9"}, Guard((), ("http",)))
    with pytest.raises(Fatal, match="where the settings let none be"):
        await closed.coverage("cam1", Span(NOON, at(1)))
