"""Recorders of GB/T 28181 behind WVP-PRO and LiveGBS: lists, downloads in pieces, and what becomes of wrong answers."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from films import Film, assert_honest, film
from footage_formats import FPS, shoot
from recorders.behaviours import Behaviour, cannot_happen
from recorders.gb28181_server import (
    CHANNEL,
    DEVICE,
    HASHED,
    PAGE,
    PASSWORD,
    USER,
    GatewayServer,
    envelope,
    json_reply,
)
from recorders.judged import assert_login_refused, judged
from recorders.raw_server import Reply, Request
from thinned import thinned
from vault_bench import NOON, Bench, at, span

from services.recorders.gb28181.recorder import Gb28181Recorder, Waits
from services.recorders.protocol import RecorderDown, ReplayUnsupported, Segment, WrongChannel
from services.recorders.registry import Places, open_recorder
from services.runtime.addresses import Guard, parse_networks
from services.runtime.errors import Fatal
from services.runtime.spans import Span
from services.vault.coverage import FootageUnreadable, WrongFootage

LOOPBACK = Guard(parse_networks("127.0.0.0/8"), ("http", "https"))
BOTH = ("wvp", "livegbs")
CAMERA = f"{DEVICE}/{CHANNEL}"
ASKED = span(11, 29)
RECORDS = {"wvp": "/api/gb_record/query", "livegbs": "/api/v1/playback/recordlist"}
START = {"wvp": "/api/gb_record/download/start", "livegbs": "/api/v1/playback/start"}
PROGRESS = {"wvp": "/api/gb_record/download/progress", "livegbs": "/api/v1/playback/streaminfo"}
MEDIA = {"wvp": "/index/api/downloadFile", "livegbs": "/playback/"}
SECONDS = 40

cannot_happen(
    "gb28181",
    Behaviour.EXPIRED,
    "文件由媒体服务器给出，不用网关的登录；登录过期的调用重新登录一次。",
    "A file comes from the media server, without the gateway's login; a call whose login has ended logs in once more.",
)


@cache
def whole() -> Film:
    return film(shoot("h264", seconds=SECONDS), "fmp4")


@cache
def sent(start: datetime, end: datetime) -> bytes:
    """What a device sends of a stretch: from a key frame on; its index comes last, as ZLMediaKit writes it."""
    first = int((start - NOON).total_seconds()) * FPS // FPS * FPS
    last = int((end - NOON).total_seconds() * FPS)
    shot = shoot("h264", seconds=SECONDS)
    return thinned(shot, "mp4", lambda number: first <= number < last, lambda number: (number - first) / FPS).body


@pytest.fixture(params=BOTH)
def server(request: pytest.FixtureRequest) -> GatewayServer:
    return GatewayServer(request.param, sent, [(NOON, at(20)), (at(20), at(SECONDS))])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


@asynccontextmanager
async def opened(
    server: GatewayServer, *, patience: float = 20, stalled: float = 5, piece: int = 10, **told: str
) -> AsyncIterator[Gb28181Recorder]:
    async with server.running() as (address, files):
        known = {"gateway": server.kind, "address": address, "files": files, "user": USER, "password": PASSWORD}
        yield Gb28181Recorder.from_configuration(
            {**known, "identity": "GW-1", "piece": str(piece), **told},
            LOOPBACK,
            patience=patience,
            waits=Waits(0.001, stalled),
        )


async def body(segment: Segment) -> bytes:
    return b"".join([chunk async for chunk in segment.open()])


async def fetched(recorder: Gb28181Recorder, asked: Span = ASKED, channel: str = CAMERA) -> list[Segment]:
    return [segment async for segment in recorder.fetch(channel, asked)]


def on(place: str, reply: Reply | Callable[[Request], Reply | None], times: int = 1000) -> Callable[..., Reply | None]:
    """The wrong answer to what is at a path, as often as that."""
    left = [times]

    def wrong(asked: Request) -> Reply | None:
        if not asked.path.startswith(place) or not left[0]:
            return None
        left[0] -= 1
        return reply if isinstance(reply, Reply) else reply(asked)

    return wrong


def refusal(kind: str, code: int, words: str) -> Reply:
    """As each gateway refuses: WVP with 200 and a code, LiveGBS with a status and plain text."""
    return envelope(code=code, msg=words) if kind == "wvp" else Reply(words.encode(), 400, "text/plain")


async def test_a_probe_tells_the_gateway_and_claims_no_clock(server: GatewayServer) -> None:
    async with opened(server, identity="") as recorder:
        facts = await recorder.probe()
    assert (facts.make, facts.model) == ("GB/T 28181", {"wvp": "WVP-PRO", "livegbs": "LiveGBS"}[server.kind])
    assert facts.reachable
    assert (facts.clock_offset_ms, facts.clock_method, facts.zone) == (None, "unknown", "Asia/Shanghai")
    assert not (await recorder.probe()).reachable, "and one that is away is not reachable"


@pytest.mark.requirement("R35")
@pytest.mark.parametrize("early", [0, 1])
async def test_whole_footage_is_complete_and_every_session_is_given_back(
    server: GatewayServer, bench: Bench, early: int
) -> None:
    # A device begins with a key frame, which may lie before the moment that was asked for.
    server.film = lambda start, end: sent(max(start - timedelta(seconds=early), NOON), end)
    async with opened(server) as recorder:
        assert await recorder.coverage(CAMERA, ASKED) == [ASKED]
        sealed = await judged(bench, recorder, ASKED, CAMERA)
    assert sealed.outcome == "complete"
    if early:
        assert len(bench.hashes(sealed)) >= len(whole().pictures) * 18 // SECONDS
    else:
        assert_honest(bench, sealed, whole())
    assert len(bench.hashes(sealed)) == len(set(bench.hashes(sealed))), "what two pieces share comes once"
    assert len(server.downloads) == 2
    assert server.open() == []
    told = [one.headers for one in server.media_asked]
    assert all("access-token" not in one and "cookie" not in one for one in told), "the token is the gateway's alone"


async def test_pieces_overlap_and_lie_in_recordings(server: GatewayServer) -> None:
    server.records = [(NOON, at(20)), (at(30), at(40))]
    async with opened(server, device=DEVICE) as recorder:
        segments = await fetched(recorder, span(11, 35), CHANNEL)
    assert [one.span for one in segments] == [span(1, 20), span(30, 35)]
    assert {(one.container, one.size, one.channel) for one in segments} == {("mp4", None, CHANNEL)}


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.ACROSS_GAP,
    "先取列表，每段连续录像分别索取，缺口列明。",
    "The list is read first and each stretch is asked for by itself; the gap is named.",
)
@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.GAP_CLOSED,
    "画面实际长度短于列表所说，结果为部分。",
    "The pictures are shorter than the list said: partial.",
)
@pytest.mark.parametrize("server", ["wvp"], indirect=True)
@pytest.mark.parametrize("closed", [False, True])
async def test_a_gap_is_named(server: GatewayServer, bench: Bench, *, closed: bool) -> None:
    if closed:
        server.film = lambda start, end: sent(start, min(end, at(24)))
    else:
        server.records = [(NOON, at(24)), (at(34), at(40))]
    async with opened(server, piece=30) as recorder:
        sealed = await judged(bench, recorder, span(21, 36), CAMERA)
    assert sealed.outcome == "partial"
    assert abs(sealed.coverage.gaps[0].start - at(24)) <= timedelta(seconds=0.3)
    assert server.open() == []


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.OTHER_CHANNEL,
    "画面特征与该摄像头不符：不予保留。",
    "The pictures are not of the camera that is known there: nothing is kept.",
)
@pytest.mark.parametrize("server", ["wvp"], indirect=True)
async def test_footage_of_another_channel_is_not_taken(server: GatewayServer, bench: Bench) -> None:
    async with opened(server) as recorder:
        known = await judged(bench, recorder, span(11, 13), CAMERA)
        other = film(shoot("h264", seconds=20, size=(192, 112)), "fmp4").body
        server.film = lambda *_: other
        with pytest.raises(WrongFootage):
            await judged(
                bench,
                recorder,
                span(11, 13),
                CAMERA,
                expected_fingerprint=known.coverage.fingerprint,
                key="masters/item/2",
            )


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.LOCAL_TIME,
    "时间按登记的时区理解，网关附上的时差不算。",
    "Times are read in the zone that is entered, whatever a gateway puts behind them.",
)
async def test_times_are_read_in_the_zone_that_is_entered(server: GatewayServer) -> None:
    def marked(asked: Request) -> Reply:
        row = ("2026-03-01T20:00:00+08:00", "2026-03-01T20:00:40Z")
        if server.kind == "wvp":
            return envelope({"sumNum": 1, "recordList": [{"startTime": row[0], "endTime": row[1]}]})
        return json_reply({"SumNum": 1, "RecordList": [{"StartTime": row[0], "EndTime": row[1]}]})

    server.wrong.append(on(RECORDS[server.kind], marked))
    async with opened(server) as recorder:
        assert await recorder.coverage(CAMERA, span(-10, 90)) == [span(0, 40)]
    [asked] = [one for one in server.asked if one.path.startswith(RECORDS[server.kind])]
    start = asked.query.get("startTime") or asked.query["starttime"]
    assert start.replace("T", " ") == "2026-03-01 19:59:50"


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.CLOCK_CHANGE,
    "查询时前后放宽两小时，索取录像时不放宽；时钟重复显示的那一小时无法向设备说明，拒绝并写明。",
    "A search is widened by two hours, and what is fetched is not; an hour that the clock shows twice cannot be told "
    "to the device: it is refused by name.",
)
async def test_around_a_clock_change_the_hour_that_was_asked_for_is_fetched_or_none(server: GatewayServer) -> None:
    server.zone = ZoneInfo("Europe/Berlin")
    server.records = [(datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 4, tzinfo=UTC))]
    server.film = lambda *_: b""
    wanted = Span(datetime(2026, 10, 25, 2, 30, tzinfo=UTC), datetime(2026, 10, 25, 2, 32, tzinfo=UTC))
    async with opened(server, piece=120, zone="Europe/Berlin") as recorder:
        assert await recorder.coverage(CAMERA, wanted) == [wanted]
        [segment] = await fetched(recorder, wanted)
        await body(segment)
        [download] = server.downloads.values()
        shown = (download.start.strftime("%H:%M:%S"), download.end.strftime("%H:%M:%S"))
        assert shown == ("03:29:50", "03:32:00")
        assert segment.span == Span(wanted.start - timedelta(seconds=10), wanted.end)
        for hours in (1, 2):
            twice = Span(wanted.start - timedelta(hours=hours), wanted.end - timedelta(hours=hours))
            with pytest.raises(ReplayUnsupported, match=r"GW-1 is set back .* shows twice"):
                await fetched(recorder, twice)
    assert len(server.downloads) == 1


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.REPEATED_PAGES,
    "设备的列表分多条报文送达：少了任何一条即报忙并重试；网关的通道列表重复时即止。",
    "A device's list comes in several messages: where some are lost it is busy, and tried again; where a gateway's "
    "list of channels repeats, that is the end.",
)
async def test_a_list_that_came_incomplete_is_not_believed(server: GatewayServer) -> None:
    rows = [{"deviceId": DEVICE, "DeviceID": DEVICE, "ID": CHANNEL}] * 1000
    page = envelope({"list": rows}) if server.kind == "wvp" else json_reply({"ChannelCount": 9, "ChannelList": rows})
    server.counts_more = 1
    server.wrong.append(on("/api/device" if server.kind == "wvp" else "/api/v1/device", page))
    async with opened(server) as recorder:
        assert (await recorder.probe()).reachable
        with pytest.raises(RecorderDown, match="incomplete: 2 of 3") as down:
            await recorder.coverage(CAMERA, span(0, 40))
    assert down.value.code == "busy"


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.LOGIN_PAGE,
    "重新登录一次；仍是页面则报“不是录像机”。媒体服务器给出页面或 JSON 而非文件时同样。",
    "It logs in again once; another page is no recorder. So is a page or JSON of the media server in place of a file.",
)
@pytest.mark.parametrize("times", [1, 2])
async def test_a_login_page_is_answered_by_one_login(server: GatewayServer, times: int) -> None:
    server.wrong.append(on(RECORDS[server.kind], PAGE, times))
    async with opened(server) as recorder:
        if times == 1:
            assert await recorder.coverage(CAMERA, ASKED) == [ASKED]
            server.wrong.append(on(MEDIA[server.kind], json_reply({"code": -300, "msg": "can not find the file"})))
            with pytest.raises(RecorderDown, match="no footage") as down:
                await body((await fetched(recorder))[0])
        else:
            with pytest.raises(RecorderDown) as down:
                await recorder.coverage(CAMERA, ASKED)
    assert down.value.code == "not-a-recorder"
    assert server.open() == []


async def test_a_session_that_has_ended_is_begun_anew_once(server: GatewayServer) -> None:
    async with opened(server) as recorder:
        await recorder.coverage(CAMERA, ASKED)
        server.session += 1
        assert await recorder.coverage(CAMERA, ASKED) == [ASKED]
        again = envelope(code=401) if server.kind == "wvp" else Reply(b"Unauthorized", 401)
        server.wrong.append(on(RECORDS[server.kind], again))
        with pytest.raises(RecorderDown) as down:
            await recorder.coverage(CAMERA, ASKED)
    assert down.value.code == "login"


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.WRONG_PASSWORD,
    "报登录失败；密码及其摘要不出现在任何文字里。",
    "A failed login; neither the password nor its hash is in any text.",
)
async def test_a_wrong_password_is_told_without_it(server: GatewayServer) -> None:
    async with opened(server, password="gu3ssed") as recorder:
        await assert_login_refused(recorder, CAMERA, ASKED, "gu3ssed")
        with pytest.raises(RecorderDown) as down:
            await recorder.coverage("-", ASKED)
    assert down.value.code == "login", "also where no camera is entered yet"


@pytest.mark.recorder_answer("gb28181", Behaviour.FORBIDDEN, "报没有权限。", "Forbidden: the user lacks the right.")
@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.BUSY,
    "网关或设备现在拒绝、媒体服务器没有余量：报忙，稍后重试；设备没有应答网关：报没有应答。",
    "Where gateway or device refuse it now, or the media servers have no room: busy, tried again; a device that does "
    "not answer the gateway is silent.",
)
@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.SECRET_ECHOED,
    "网关的文字一概不引用，令牌和密码不出现在任何文字里。",
    "Nothing of a gateway's words is taken; neither token nor password is in any text.",
)
@pytest.mark.parametrize(
    ("wvp", "livegbs", "code"),
    [
        (Reply(b"", 503), Reply(b"", 503), "busy"),
        (envelope(code=-3, msg="资源耗尽"), Reply(f"busy {HASHED}".encode(), 400), "busy"),
        (envelope(code=-100, msg=f"录像下载失败， 错误码： 486, {HASHED}"), Reply(b"486", 400), "busy"),
        (envelope(code=100, msg="timeout"), Reply(b"device offline", 400), "silent"),
        (envelope(code=-2, msg="收流超时"), Reply(b"timeout", 408), "silent"),
        (envelope(code=403), Reply(b"", 403), "forbidden"),
        (envelope(code=400, msg=HASHED), Reply(b"", 302, headers={"Location": "/"}), "not-a-recorder"),
    ],
)
@pytest.mark.parametrize("places", [RECORDS, START, PROGRESS], ids=["records", "start", "progress"])
async def test_a_refusal_has_a_name_and_no_secret(
    server: GatewayServer, places: dict[str, str], wvp: Reply, livegbs: Reply, code: str
) -> None:
    server.wrong.append(on(places[server.kind], wvp if server.kind == "wvp" else livegbs))
    async with opened(server) as recorder:
        with pytest.raises(RecorderDown) as down:
            [await body(segment) for segment in await fetched(recorder)]
    assert down.value.code == code
    assert not any(secret in str(down.value) for secret in (PASSWORD, HASHED, "jwt.", "tok1"))
    assert server.open() == [], "what was begun is ended all the same"


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.NOT_UNDERSTOOD,
    "报“不是录像机”；不当作没有录像。",
    "No recorder; it is never taken for nothing recorded.",
)
@pytest.mark.parametrize("places", [RECORDS, START, PROGRESS], ids=["records", "start", "progress"])
@pytest.mark.parametrize(
    "payload", ["", "[]", '{"code": "0"}', '{"code": 0, "data": {"recordList": 5, "stream": "../x"}}']
)
async def test_what_is_not_understood_is_not_guessed(
    server: GatewayServer, places: dict[str, str], payload: str
) -> None:
    if server.kind == "livegbs":
        payload = {'{"code": "0"}': '{"RecordList": [{"StartTime": 5}]}'}.get(payload, payload)
        payload = payload if '"data"' not in payload else '{"RecordList": 5, "StreamID": "a b"}'
    server.wrong.append(on(places[server.kind], Reply(payload.encode())))
    async with opened(server, stalled=0.05) as recorder:
        with pytest.raises(RecorderDown) as down:
            [await body(segment) for segment in await fetched(recorder)]
    # A progress that tells nothing stands still.
    assert down.value.code in ("not-a-recorder", "broken-off" if places is PROGRESS else "not-a-recorder")


@pytest.mark.parametrize(
    "row", [("2026-03-01 20:00:00", "2026-02-01 20:00:00"), ("yesterday", "today"), ("2026-03-01 20:00:00", "")]
)
async def test_a_recording_without_times_is_none(server: GatewayServer, row: tuple[str, str]) -> None:
    names = ("startTime", "endTime") if server.kind == "wvp" else ("StartTime", "EndTime")
    rows = [dict(zip(names, row, strict=True))]
    told = envelope({"recordList": rows}) if server.kind == "wvp" else json_reply({"RecordList": rows})
    server.wrong.append(on(RECORDS[server.kind], told))
    async with opened(server) as recorder:
        with pytest.raises(RecorderDown) as down:
            await recorder.coverage(CAMERA, ASKED)
    assert down.value.code == "not-a-recorder"


@pytest.mark.recorder_answer(
    "gb28181", Behaviour.EMPTY, "该段的时间列为缺口，结果为部分。", "The piece's time is a gap: partial."
)
@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.MISSING_FILE,
    "媒体服务器答 404：该段列为缺口，其余照常取回。",
    "Where the media server answers 404 the piece is a gap; the rest is fetched as ever.",
)
@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.TRUNCATED,
    "索引在最后的 MP4 被截断时整段无法读取，列为缺口。",
    "An MP4 whose index comes last and that is cut cannot be read at all: the piece is a gap.",
)
@pytest.mark.parametrize("server", ["wvp"], indirect=True)
@pytest.mark.parametrize("wrong", ["empty", "missing", "truncated"])
async def test_a_piece_that_is_not_whole_is_a_gap(server: GatewayServer, bench: Bench, wrong: str) -> None:
    replies = {"empty": Reply(b""), "missing": Reply(b"", 404)}

    def answer(asked: Request) -> Reply | None:
        if "_1.mp4" not in asked.path + asked.query.get("file_path", ""):
            return None
        right = sent(server.downloads[f"{CHANNEL}_1"].start, server.downloads[f"{CHANNEL}_1"].end)
        return replies.get(wrong, Reply(right[: len(right) // 2]))

    server.wrong.append(on(MEDIA[server.kind], answer))
    async with opened(server) as recorder:
        sealed = await judged(bench, recorder, ASKED, CAMERA)
    assert sealed.outcome == "partial"
    assert_honest(bench, sealed, whole())


@pytest.mark.parametrize("server", ["wvp"], indirect=True)
async def test_nothing_but_empty_files_is_unreadable(server: GatewayServer, bench: Bench) -> None:
    server.film = lambda *_: b""
    async with opened(server) as recorder:
        with pytest.raises(FootageUnreadable):
            await judged(bench, recorder, ASKED, CAMERA)


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.WRONG_LENGTH,
    "从断处续传三次；仍不足则为传输中断。",
    "Resumed three times from where it broke; then broken off.",
)
@pytest.mark.recorder_answer(
    "gb28181", Behaviour.BROKEN_OFF, "从断处续传，逐字节一致。", "It goes on from the byte where it ended."
)
@pytest.mark.parametrize("times", [2, 9])
async def test_a_file_that_breaks_off_goes_on(server: GatewayServer, times: int) -> None:
    def cut(asked: Request) -> Reply:
        name = f"{CHANNEL}_{len(server.downloads) - 1}"
        whole = server.sent(asked, sent(server.downloads[name].start, server.downloads[name].end))
        return Reply(whole.body, whole.status, whole.kind, whole.headers, cut=len(whole.body) // 3)

    server.wrong.append(on(MEDIA[server.kind], cut, times))
    async with opened(server) as recorder:
        [first, *_] = await fetched(recorder)
        if times == 2:
            assert await body(first) == sent(first.span.start, first.span.end)
            assert [bool(one.headers.get("range")) for one in server.media_asked] == [False, True, True]
        else:
            with pytest.raises(RecorderDown) as down:
                await body(first)
            assert down.value.code == "broken-off"


@pytest.mark.recorder_answer(
    "gb28181", Behaviour.NEGATIVE_LENGTH, "报“不是录像机”，不保留任何内容。", "No recorder; nothing is kept."
)
async def test_a_length_that_lies_is_told(server: GatewayServer) -> None:
    server.wrong.append(on(MEDIA[server.kind], Reply(b"", length=-5)))
    async with opened(server) as recorder:
        with pytest.raises(RecorderDown) as down:
            await body((await fetched(recorder))[0])
    assert down.value.code == "not-a-recorder"


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.HANG,
    "下载停滞超过限时：结束该会话，作为传输中断重试；网关丢失的下载同样。",
    "A download that stands still is ended after the time-out and tried again as broken off; so is one that the "
    "gateway has lost.",
)
@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.IN_PROGRESS,
    "进度为 1 而文件地址未给出时不取：文件还没有写完。",
    "A progress of 1 without the address of a file is not believed: the file is not written to its end.",
)
@pytest.mark.parametrize("why", ["still", "never-written", "lost"])
async def test_a_download_that_does_not_go_on_is_ended(server: GatewayServer, why: str) -> None:
    if why == "lost":
        server.wrong.append(on(PROGRESS[server.kind], envelope(code=404) if server.kind == "wvp" else Reply(b"", 404)))
    else:
        server.steps = (0.0, 0.4) if why == "still" else (0.5, 1.0)
        server.written_late = 10**9
    async with opened(server, stalled=0.1) as recorder:
        with pytest.raises(RecorderDown, match="lost a download" if why == "lost" else "stood still") as down:
            await body((await fetched(recorder))[0])
    assert (down.value.code, down.value.hangs) == ("broken-off", why != "lost")
    assert server.open() == []
    assert server.media_asked == []


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.UNKNOWN_CHANNEL,
    "报没有这个通道，请改正登记；没有录像的通道不算。",
    "It has no such channel: the register is to be corrected; one that recorded nothing is another thing.",
)
@pytest.mark.parametrize(
    "channel", ["-", "", "1", CHANNEL, f"{DEVICE}/{DEVICE}", f"{CHANNEL}/{CHANNEL}", f"../{CHANNEL}"]
)
async def test_a_channel_that_it_does_not_have_is_told(server: GatewayServer, channel: str) -> None:
    async with opened(server) as recorder:
        assert await recorder.coverage(CAMERA, span(100, 200)) == []
        with pytest.raises(WrongChannel):
            await recorder.coverage(channel, ASKED)


@pytest.mark.recorder_answer(
    "gb28181",
    Behaviour.REDIRECT,
    "文件只从登记的媒体服务器取，不管网关给出的主机；别的协议和相对路径不取。",
    "A file is read from the media server that is entered, whatever host the gateway names; other schemes are not.",
)
@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/a.mp4", "", 5, "relative.mp4"])
async def test_an_address_that_is_none_is_not_read(server: GatewayServer, url: object) -> None:
    data = {"progress": 1.0, "downLoadFilePath": {"httpPath": url}}
    told = envelope(data) if server.kind == "wvp" else json_reply({"DownloadProgress": 1, "PlaybackFileURL": url})
    server.wrong.append(on(PROGRESS[server.kind], told))
    async with opened(server, stalled=0.05) as recorder:
        with pytest.raises(RecorderDown):
            await body((await fetched(recorder))[0])
    assert server.media_asked == []


@pytest.mark.parametrize("device", ["", DEVICE])
async def test_it_lists_the_channels_as_the_register_names_them(server: GatewayServer, device: str) -> None:
    async with opened(server, device=device) as recorder:
        [camera] = await recorder.list_cameras()
    assert camera.channel == (CHANNEL if device else CAMERA)
    assert camera.name == "大门"
    assert camera.also == (frozenset({CAMERA}) if device else frozenset())


async def test_a_picture_is_taken_at_the_moment_and_nothing_is_locked(server: GatewayServer) -> None:
    async with opened(server, piece=120, speed="8") as recorder:
        assert (await recorder.snapshot(CAMERA, at(15.5))).startswith(b"\xff\xd8\xff")
        assert await recorder.protect(CAMERA, ASKED) is False
    [start] = [one for one in server.asked if one.path.startswith(START[server.kind])]
    told = start.query or json.loads(start.body)
    assert str(told.get("downloadSpeed", told.get("download_speed"))) == "8"


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"address": "http://127.0.0.1", "gateway": "other"},
        {"address": "http://127.0.0.1", "device": "7"},
        {"address": "http://127.0.0.1", "zone": "Peking"},
        {"address": "http://127.0.0.1", "speed": "fast"},
    ],
)
def test_a_configuration_that_is_not_understood_says_what_to_set(told: dict[str, str]) -> None:
    with pytest.raises(Fatal, match="set"):
        open_recorder("gb28181", told, Places(guard=LOOPBACK))
