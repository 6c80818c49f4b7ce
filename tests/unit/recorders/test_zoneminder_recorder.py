"""ZoneMinder: events become spans, files lie where their pictures were shown, and wrong answers are never complete."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from footage_maker import Camera, Written
from recorders.behaviours import Behaviour
from recorders.judged import assert_login_refused, judged
from recorders.raw_server import Reply, Request
from recorders.zoneminder_server import LOGIN_PAGE, Event, ZoneMinderServer, filmed_as
from vault_bench import NOON, Bench, at, span

from services.recorders import http_client
from services.recorders.protocol import RecorderDown, WrongChannel
from services.recorders.registry import open_recorder
from services.recorders.zoneminder.events import Row, placed, rows_of
from services.recorders.zoneminder.media_length import measure
from services.recorders.zoneminder.recorder import ZoneMinderRecorder
from services.runtime.addresses import Guard, parse_networks
from services.runtime.errors import Fatal
from services.runtime.places import ROOT
from services.runtime.spans import Span
from services.vault.coverage import FootageUnreadable, WrongFootage
from services.vault.sealing import Sealed

LOOPBACK = Guard(parse_networks("127.0.0.0/8"), ("http", "https"))
DATA = ROOT / "tests" / "data" / "zoneminder"
HALF = timedelta(milliseconds=500)
OFF = 0.37  # seconds behind the whole second at which the camera begins
PAGE = Reply(LOGIN_PAGE, 200, "text/html; charset=UTF-8")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> list[Written]:
    return Camera(tmp_path_factory.mktemp("filmed"), "cam1").record(at(OFF), 32, segment=8)


@pytest.fixture
def events(filmed: list[Written]) -> list[Event]:
    """Three events: the first with three seconds of lead, the others overlapping the one before."""
    return [
        filmed_as(1, filmed, at(OFF + 3), at(OFF + 13), lead=3),
        filmed_as(4, filmed, at(OFF + 12.5), at(OFF + 23), lead=0.5),
        filmed_as(6, filmed, at(OFF + 22.5), at(OFF + 32), lead=0.5),
    ]


@asynccontextmanager
async def asked_of(server: ZoneMinderServer, patience: float = 10, **more: str) -> AsyncIterator[ZoneMinderRecorder]:
    async with server.running() as address:
        told = {"address": address, "user": "archivist", "password": "arc-pass", "zone": "UTC"} | more
        yield ZoneMinderRecorder.from_configuration(told, LOOPBACK, patience=patience)


def always(reply: Reply) -> Callable[[Request, Reply], Reply]:
    return lambda _request, _right: reply


def downloads(change: Callable[[Reply], Reply], *, times: int = 10**6) -> Callable[[Request, Reply], Reply]:
    """The first so many answers to whoever asks for the second event's whole file are changed."""
    seen: list[Request] = []

    def changed(request: Request, right: Reply) -> Reply:
        measuring = "-" in request.headers.get("range", "").rstrip("-").removeprefix("bytes=")
        if request.query["eid"] != "4" or measuring:
            return right
        seen.append(request)
        return change(right) if len(seen) <= times else right

    return changed


def stops(right: Reply) -> Reply:
    return replace(right, cut=1000, hangs=True)


def assert_joined(bench: Bench, sealed: Sealed, filmed: list[Written]) -> None:
    """The pictures are those of the camera, each once, in their order and without one left out between."""
    got = bench.hashes(sealed)
    truth = [picture.sha256 for written in filmed for picture in written.pictures]
    first = truth.index(got[0])
    assert got == truth[first : first + len(got)]


async def test_events_are_joined_by_their_pictures(bench: Bench, filmed: list[Written], events: list[Event]) -> None:
    async with asked_of(ZoneMinderServer(events)) as zoneminder:
        segments = [segment async for segment in zoneminder.fetch("1", span(0, 40))]
        sealed = await judged(bench, zoneminder, span(5, 30), "1")
    for segment, event in zip(segments, events, strict=True):
        assert abs(segment.span.start - event.begins) <= HALF
        assert segment.size == len(event.body or b"")
    assert sealed.outcome == "complete"
    assert len(bench.hashes(sealed)) >= 250
    assert_joined(bench, sealed, filmed)


async def test_a_real_file_lies_where_the_clock_in_its_pictures_says() -> None:
    """Event 2 of the recorded answers begins at 22:58:43, and its first picture shows 22:58:40."""
    told = json.loads((DATA / "events-list.json").read_text())
    event = next(one for one in placed(rows_of(told, "2"), ZoneInfo("UTC")) if one.row.number == 2)
    head, tail, size = (DATA / "2-video-head.bin").read_bytes(), (DATA / "2-video-tail.bin").read_bytes(), 1_153_488

    async def read(first: int, length: int) -> bytes:
        sparse = head.ljust(size - len(tail), b"\0") + tail
        return sparse[first : first + length]

    lengths = await measure(read, size)
    assert lengths is not None
    zero = event.span.end - lengths.last
    assert datetime(2026, 11, 24, 22, 58, 40, tzinfo=UTC) <= zero < datetime(2026, 11, 24, 22, 58, 41, tzinfo=UTC)


async def test_coverage_of_the_recorded_answers_shows_the_gap_where_the_camera_was_lost() -> None:
    told = Reply((DATA / "events-list.json").read_bytes())
    server = ZoneMinderServer([], change={"events": always(told)})
    evening = datetime(2026, 11, 24, 22, 58, tzinfo=UTC)
    async with asked_of(server) as zoneminder:
        found = await zoneminder.coverage("2", Span(evening, evening + timedelta(minutes=10)))
    assert [f"{one.start:%H:%M:%S} {one.end:%H:%M:%S}" for one in found] == ["22:58:43 23:01:52", "23:02:24 23:02:41"]


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.ACROSS_GAP,
    "按事件起止列出覆盖，缺口列明。",
    "Coverage follows the events' own times; the gap is named.",
)
async def test_a_gap_between_events_is_named(bench: Bench, filmed: list[Written], events: list[Event]) -> None:
    async with asked_of(ZoneMinderServer([events[0], events[2]])) as zoneminder:
        covered = await zoneminder.coverage("1", span(5, 30))
        sealed = await judged(bench, zoneminder, span(5, 30), "1")
    assert len(covered) == 2
    assert sealed.outcome == "partial"
    (gap,) = sealed.coverage.gaps
    assert abs(gap.start - at(OFF + 13)) <= HALF
    assert abs(gap.end - at(OFF + 22)) <= HALF


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.GAP_CLOSED,
    "画面短于事件的时长：缺少的时间算作缺口，结果为部分。",
    "The pictures are shorter than the event's length: what lacks is a gap, partial.",
)
async def test_a_gap_closed_up_in_a_file_is_seen_by_its_length(bench: Bench, filmed: list[Written]) -> None:
    shift = timedelta(seconds=8)
    closed = [
        *filmed[:1],
        *(
            replace(one, pictures=tuple(replace(picture, at=picture.at - shift) for picture in one.pictures))
            for one in filmed[2:]
        ),
    ]
    event = replace(filmed_as(1, closed, at(OFF), at(OFF + 24)), end=at(OFF + 31.9))
    async with asked_of(ZoneMinderServer([event])) as zoneminder:
        sealed = await judged(bench, zoneminder, span(2, 31), "1")
    assert sealed.outcome == "partial"


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.LOGIN_PAGE,
    "重新登录一次后再取；仍是登录页则为登录失败。",
    "It logs in again once and asks again; where the page stays, the login failed.",
)
@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.REDIRECT,
    "与登录页相同：重新登录一次。",
    "As the login page: one more login.",
)
@pytest.mark.parametrize("wrong", [PAGE, Reply(b"", 302, "text/html", {"Location": "/zm/index.php?view=login"})])
async def test_a_login_page_for_footage_is_answered_by_one_more_login(
    bench: Bench, filmed: list[Written], events: list[Event], wrong: Reply
) -> None:
    server = ZoneMinderServer(events, change={"index": downloads(lambda _: wrong, times=1)})
    async with asked_of(server) as zoneminder:
        sealed = await judged(bench, zoneminder, span(5, 30), "1")
        assert sealed.outcome == "complete"
        assert server.logins == 2
        server.change = {"index": downloads(lambda _: wrong)}
        with pytest.raises(RecorderDown) as down:
            await judged(bench, zoneminder, span(5, 30), "1", key="masters/item/2")
    assert down.value.code == "login"
    assert "t0ken" not in str(down.value)


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.EXPIRED,
    "换新令牌，从断处续传；接口的 401 也只重新登录一次。",
    "A new token, and the transfer goes on where it broke; a 401 of its API is answered by one login too.",
)
async def test_a_token_that_ends_in_mid_transfer_is_replaced_and_the_transfer_goes_on(
    bench: Bench, filmed: list[Written], events: list[Event]
) -> None:
    server = ZoneMinderServer(events)

    def lapses(right: Reply) -> Reply:
        server.lapse()
        return replace(right, cut=20_000)

    server.change = {"index": downloads(lapses, times=1)}
    async with asked_of(server) as zoneminder:
        sealed = await judged(bench, zoneminder, span(5, 30), "1")
        assert sealed.outcome == "complete"
        assert server.logins == 2
        assert any(one.headers.get("range") == "bytes=20000-" for one in server.asked)
        server.lapse()
        assert await zoneminder.coverage("1", span(5, 30)) == [span(5, 30)]
        server.password = "another"
        server.lapse()
        with pytest.raises(RecorderDown) as down:
            await zoneminder.coverage("1", span(5, 30))
    assert down.value.code == "login"
    assert_joined(bench, sealed, filmed)


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.EMPTY,
    "文件不在时该段注明为空，结果为部分；空的列表不是录像机。",
    "Where the file is not there the segment is named as empty: partial. An empty list is none of a recorder.",
)
@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.MISSING_FILE,
    "404，或事件只有单张图片：该段注明为空，结果为部分。",
    "404, or an event of single pictures: the segment is named as empty; partial.",
)
@pytest.mark.parametrize("stills", [False, True])
async def test_an_event_without_its_file_is_partial_and_alone_unreadable(
    bench: Bench, events: list[Event], stills: bool
) -> None:
    events[1].body, events[1].stills = None, stills
    server = ZoneMinderServer(events)
    async with asked_of(server) as zoneminder:
        sealed = await judged(bench, zoneminder, span(5, 30), "1")
        assert sealed.outcome == "partial"
        assert any("empty body" in problem for problem in sealed.coverage.problems)
        with pytest.raises(FootageUnreadable, match="empty body"):
            await judged(bench, zoneminder, span(15, 20), "1", key="masters/item/2")
        server.change = {"events": always(Reply())}
        with pytest.raises(RecorderDown) as down:
            await zoneminder.coverage("1", span(5, 30))
    assert down.value.code == "not-a-recorder"


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.WRONG_LENGTH,
    "续传三次；仍不足则为传输中断，什么也不保留。其 4096 字节的空回答也是如此。",
    "Resumed three times, then a broken transfer; nothing is kept. Its empty answer of 4096 bytes is one, too.",
)
@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.NEGATIVE_LENGTH,
    "不是录像机，什么也不保留；从不索取文件末尾之后的字节。",
    "Not a recorder, nothing is kept; nothing behind a file's end is ever asked for.",
)
@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.HANG,
    "等待至限时，续传三次，然后为传输中断；列表处为没有应答。",
    "After the time-out resumed three times, then broken off; silent, for a list.",
)
@pytest.mark.recorder_answer("zoneminder", Behaviour.BUSY, "录像机忙，稍后再试。", "The recorder is busy; tried again.")
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda right: replace(right, length=len(right.body) + 1000), "not-a-recorder"),
        (lambda _: Reply(b"", 200, "video/mp4", length=4096), "broken-off"),
        (lambda right: replace(right, length=-500), "not-a-recorder"),
        (stops, "broken-off"),
        (lambda _: Reply(b"busy", 503), "busy"),
    ],
)
async def test_a_download_that_goes_wrong_for_good_leaves_nothing(
    bench: Bench, events: list[Event], wrong: Callable[[Reply], Reply], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wrong is stops:
        monkeypatch.setattr(http_client, "RESUMES", 1)  # each waits as long
    server = ZoneMinderServer(events, change={"index": downloads(wrong)})
    async with asked_of(server, patience=2 if wrong is stops else 10) as zoneminder:
        with pytest.raises(RecorderDown) as down:
            await judged(bench, zoneminder, span(14, 20), "1")
    assert down.value.code == code
    assert bench.objects() == []


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.BROKEN_OFF,
    "从断处续传。",
    "It goes on where it broke.",
)
async def test_a_download_that_breaks_off_goes_on_where_it_broke(
    bench: Bench, filmed: list[Written], events: list[Event]
) -> None:
    server = ZoneMinderServer(events, change={"index": downloads(lambda right: replace(right, cut=9000), times=3)})
    async with asked_of(server) as zoneminder:
        sealed = await judged(bench, zoneminder, span(5, 30), "1")
    assert sealed.outcome == "complete"
    assert_joined(bench, sealed, filmed)


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.TRUNCATED,
    "缺少的字节被数出，该段注明，结果为部分。",
    "The missing bytes are counted and the segment is named: partial.",
)
async def test_a_file_cut_off_on_its_disk_is_partial(bench: Bench, events: list[Event]) -> None:
    body = events[1].body or b""
    events[1].body = body[: len(body) // 2]
    async with asked_of(ZoneMinderServer(events)) as zoneminder:
        sealed = await judged(bench, zoneminder, span(5, 30), "1")
    assert sealed.outcome == "partial"
    assert any("missing" in problem or "ends inside" in problem for problem in sealed.coverage.problems)


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.OTHER_CHANNEL,
    "别的监视器的事件不予理会；画面特征不符的录像不予保留。",
    "Events of another monitor are passed over; footage that is not of the known camera is not kept.",
)
async def test_another_monitors_events_and_footage_are_not_taken(
    bench: Bench, filmed: list[Written], events: list[Event]
) -> None:
    other = Camera(bench.root, "cam2", size=(192, 96)).record(at(OFF), 32, segment=8)
    foreign = filmed_as(9, other, at(OFF + 13), at(OFF + 23), monitor=2)
    rows = [{"Event": one.row(ZoneInfo("UTC"))} for one in (events[0], foreign)]
    mixing = ZoneMinderServer(
        [*events, foreign], change={"events": always(Reply(json.dumps({"events": rows}).encode()))}
    )
    async with asked_of(mixing) as zoneminder:
        (covered,) = await zoneminder.coverage("1", span(5, 30))
    assert covered.end < at(OFF + 14)
    async with asked_of(ZoneMinderServer(events)) as zoneminder:
        known = (await judged(bench, zoneminder, span(5, 12), "1")).coverage.fingerprint
    kept = bench.objects()
    async with asked_of(ZoneMinderServer([replace(foreign, monitor=1)])) as zoneminder:
        with pytest.raises(WrongFootage):
            await judged(bench, zoneminder, span(15, 20), "1", key="masters/item/2", expected_fingerprint=known)
    assert bench.objects() == kept


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.REPEATED_PAGES,
    "按开始时间逐页推进：重复的事件略去，没有新事件即止。",
    "Pages follow the last start: events that repeat are left out, a page with nothing new is the last.",
)
async def test_pages_that_repeat_are_the_end_and_many_are_all_read(bench: Bench, events: list[Event]) -> None:
    rows = Reply(json.dumps({"events": [{"Event": one.row(ZoneInfo("UTC"))} for one in events]}).encode())
    repeating = ZoneMinderServer(events, change={"events": always(rows)})
    async with asked_of(repeating) as zoneminder:
        assert await zoneminder.coverage("1", span(5, 30)) == [span(5, 30)]
    assert len(repeating.asked) < 10
    many = [Event(number, 1, at(10 * number), at(10 * number), at(10 * number + 9.9), None) for number in range(1, 451)]
    async with asked_of(ZoneMinderServer(many)) as zoneminder:
        found = await zoneminder.coverage("1", span(0, 5000))
    assert len(found) >= 1
    assert found[-1].end >= at(4508)


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.IN_PROGRESS,
    "没有结束时间的事件也在内，取到此刻为止。",
    "An event without an end is among them, as far as it is there.",
)
async def test_an_event_that_goes_on_is_fetched_as_far_as_it_is_there(bench: Bench, events: list[Event]) -> None:
    events[2].going_on = True
    async with asked_of(ZoneMinderServer(events)) as zoneminder:
        names = [(one.name, one.size is None) async for one in zoneminder.fetch("1", span(25, 60))]
        sealed = await judged(bench, zoneminder, span(25, 40), "1")
        later = [segment async for segment in zoneminder.fetch("1", span(86_400, 90_000))]
    assert names == [("6-20260301T120022", True)]
    assert later == []
    assert sealed.outcome == "partial"
    assert abs(sealed.coverage.gaps[-1].start - at(OFF + 32)) <= timedelta(seconds=1)


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.LOCAL_TIME,
    "它的时间没有时区：按登记的时区理解，从不按本服务器的时区。",
    "Its times have no zone: they are read in the one that is entered, never in this server's.",
)
@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.OTHER_ZONE,
    "它自报的时区与登记的不同时，什么也不取，并说明。",
    "Where the zone that it tells differs from the one entered, nothing is fetched, and it is said.",
)
async def test_times_are_read_in_the_zone_that_is_entered_and_agrees(events: list[Event]) -> None:
    server = ZoneMinderServer(events, zone=ZoneInfo("Asia/Shanghai"), told_zone="Asia/Shanghai")
    async with asked_of(server, zone="Asia/Shanghai") as zoneminder:
        assert await zoneminder.coverage("1", span(5, 30)) == [span(5, 30)]
    async with asked_of(server, zone="PRC") as zoneminder:  # another name of the same
        assert await zoneminder.coverage("1", span(5, 30)) == [span(5, 30)]
    async with asked_of(server, zone="UTC") as zoneminder:
        assert (await zoneminder.probe()).reachable is False
        with pytest.raises(RecorderDown, match="Asia/Shanghai") as down:
            await zoneminder.coverage("1", span(5, 30))
    assert down.value.code == "zone"


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.CLOCK_CHANGE,
    "重复的一小时按事件编号和时长分辨，跳过的一小时不留缺口。",
    "The hour that comes twice is told apart by the events' numbers and lengths; a skipped one leaves no gap.",
)
@pytest.mark.parametrize(
    "change", [datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)], ids=["back", "forward"]
)
async def test_events_across_a_change_of_the_clock_are_each_at_their_time(change: datetime) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begin = change - timedelta(hours=2)
    tens = timedelta(minutes=10)
    events = [Event(index, 1, begin, begin + index * tens, begin + (index + 1) * tens, None) for index in range(1, 24)]
    server = ZoneMinderServer(events, zone=berlin, told_zone="Europe/Berlin")
    async with asked_of(server, zone="Europe/Berlin") as zoneminder:
        whole = Span(begin + 2 * tens, begin + 23 * tens)
        assert await zoneminder.coverage("1", whole) == [whole]
        for quarter in range(10, 22):  # asked for by itself, with the hour that comes twice at its edge
            short = Span(begin + quarter * tens, begin + (quarter + 1) * tens)
            assert await zoneminder.coverage("1", short) == [short]
        del server.events[11:14]
        before, _ = await zoneminder.coverage("1", whole)
    assert abs(before.end - (begin + 12 * tens)) <= timedelta(seconds=1)


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.UNKNOWN_CHANNEL,
    "通道有误，请填写监视器编号。",
    "Wrong channel: give the monitor's number.",
)
@pytest.mark.parametrize("channel", ["7", "front", "1/../2", "", "١"])
async def test_a_monitor_that_is_not_there_is_a_wrong_channel(events: list[Event], channel: str) -> None:
    async with asked_of(ZoneMinderServer(events)) as zoneminder:
        with pytest.raises(WrongChannel):
            await zoneminder.coverage(channel, span(5, 30))


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.WRONG_PASSWORD,
    "登录失败：请核对用户名和密码。",
    "The login failed: correct user and password.",
)
async def test_a_wrong_password_is_told(events: list[Event]) -> None:
    async with asked_of(ZoneMinderServer(events), password="gue55") as zoneminder:
        await assert_login_refused(zoneminder, "-", span(5, 30), "gue55")


@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.FORBIDDEN,
    "没有使用接口的权限：请在录像机上开启。",
    "No right to use its API: give it on the recorder.",
)
@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.NOT_UNDERSTOOD,
    "不是录像机。",
    "Not a recorder.",
)
@pytest.mark.recorder_answer(
    "zoneminder",
    Behaviour.SECRET_ECHOED,
    "它的错误回显令牌：从不写入我们的错误和日志。",
    "Its errors echo the token: none of its text goes into ours.",
)
@pytest.mark.parametrize(
    ("room", "reply", "code"),
    [
        ("login", Reply(b'{"data":{"name":"API disabled for: archivist"}}', 401), "forbidden"),
        ("login", Reply(b'{"version":"1.36.33"}'), "not-a-recorder"),
        ("login", Reply('{"access_token":"\u4ee4","access_token_expires":9}'.encode()), "not-a-recorder"),
        ("login", PAGE, "not-a-recorder"),
        ("login", Reply(b"[]"), "not-a-recorder"),
        ("login", Reply(b"no", 404), "not-a-recorder"),
        ("login", Reply(length=9, hangs=True), "broken-off"),
        ("events", Reply(b'{"data":{"name":"Insufficient Privileges","url":"/zm?token=eyJ.t0ken"}}', 401), "forbidden"),
        ("events", Reply(b'{"success":false,"data":{"url":"/zm?token=eyJ.t0ken"}}', 500), "busy"),
        ("events", Reply(b'{"events":[{"Event":{"Id":1,"MonitorId":1}}]}'), "not-a-recorder"),
        ("events", Reply(b'{"events":[{"Event":{"Id":1,"MonitorId":1,"StartTime":"now"}}]}'), "not-a-recorder"),
        ("events", Reply(b'{"events":7}'), "not-a-recorder"),
        ("events", Reply(b"[]"), "not-a-recorder"),
        ("events", PAGE, "login"),
        ("host", Reply(b"busy", 503), "busy"),
    ],
)
async def test_an_answer_that_is_none_is_named_and_holds_no_secret(
    events: list[Event], room: str, reply: Reply, code: str
) -> None:
    patience = 3 if reply.hangs else 10
    async with asked_of(ZoneMinderServer(events, change={room: always(reply)}), patience) as zoneminder:
        with pytest.raises(RecorderDown) as down:
            await zoneminder.coverage("1", span(5, 30))
    assert down.value.code == code
    assert not any(secret in str(down.value) for secret in ("t0ken", "arc-pass"))


async def test_a_probe_measures_clock_version_and_oldest_frames(events: list[Event]) -> None:
    events.append(replace(events[0], number=7, monitor=3, start=at(100), end=at(109)))
    server = ZoneMinderServer(events, now=datetime.now(UTC) - timedelta(minutes=3))
    async with asked_of(server) as zoneminder:
        facts = await zoneminder.probe()
    assert (facts.make, facts.model, facts.reachable, facts.zone) == ("ZoneMinder", "1.36.33", True, "UTC")
    assert abs(facts.oldest_frame["1"] - at(OFF + 3)) <= HALF
    assert abs(facts.oldest_frame["3"] - at(100)) <= HALF
    assert facts.clock_method == "http-date"
    assert abs((facts.clock_offset_ms or 0) + 180_000) <= 5000
    assert len([one for one in server.asked if one.path.startswith("/zm/api/events")]) == 2


async def test_one_without_signing_in_is_asked_without(events: list[Event]) -> None:
    server = ZoneMinderServer(events, signs_in=False)
    async with asked_of(server, user="", password="") as zoneminder:
        assert await zoneminder.coverage("1", span(5, 30)) == [span(5, 30)]
    async with asked_of(server) as zoneminder:
        assert await zoneminder.coverage("1", span(5, 30)) == [span(5, 30)]


async def test_only_what_was_archived_from_here_is_let_go(events: list[Event]) -> None:
    events[0].archived, events[0].notes = 1, "kept by the guard"
    events[1].notes = "Motion: All"
    async with asked_of(ZoneMinderServer(events)) as zoneminder:
        assert await zoneminder.protect("1", span(5, 30)) is True
        assert await zoneminder.protect("1", span(5, 30)) is True
        assert [one.archived for one in events] == [1, 1, 1]
        await zoneminder.release("1", span(5, 30))
    assert [one.archived for one in events] == [1, 0, 0]
    assert [one.notes for one in events] == ["kept by the guard", "Motion: All", ""]


async def test_a_release_that_it_does_not_save_is_no_release_and_stops_no_other(events: list[Event]) -> None:
    server = ZoneMinderServer(events)
    async with asked_of(server) as zoneminder:
        assert await zoneminder.protect("1", span(5, 30)) is True
        server.does_not_save = frozenset({events[0].number})
        with pytest.raises(RecorderDown) as down:
            await zoneminder.release("1", span(5, 30))
        assert down.value.code == "busy"
        assert [one.archived for one in events] == [1, 0, 0]
        server.does_not_save = frozenset()
        await zoneminder.release("1", span(5, 30))
    assert [one.archived for one in events] == [0, 0, 0]


async def test_whoever_may_not_edit_events_cannot_protect_them(events: list[Event]) -> None:
    async with asked_of(ZoneMinderServer(events, may_edit=False)) as zoneminder:
        assert await zoneminder.protect("1", span(5, 30)) is False
        assert await zoneminder.protect("1", span(500, 600)) is False


async def test_a_snapshot_is_a_picture(events: list[Event]) -> None:
    async with asked_of(ZoneMinderServer(events)) as zoneminder:
        assert (await zoneminder.snapshot("1", at(15)))[:2] == b"\xff\xd8"


def test_an_end_before_its_start_or_a_length_that_lies_does_not_place_an_event_elsewhere() -> None:
    local = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - as its rows are
    odd = Row(1, local, local - timedelta(seconds=5), timedelta(seconds=3), "", archived=False, notes="")
    long = Row(2, local, local + timedelta(seconds=5), timedelta(days=3), "", archived=False, notes="")
    first, second = placed([odd, long], ZoneInfo("UTC"))
    assert first.span.start == second.span.start == NOON + HALF
    assert second.span.end == at(5) + HALF


@pytest.mark.parametrize("phase", [0.0, 0.2, 0.5, 0.9])
def test_the_places_of_events_do_not_step_with_the_seconds_of_their_rows(phase: float) -> None:
    """Events of 59.43 s that overlap by 0.4 s: told by whole seconds, their phase goes round once in half an hour."""
    rows = []
    for number in range(40):
        start = NOON.replace(tzinfo=None) + timedelta(seconds=phase + number * 59.03)
        end, length = start + timedelta(seconds=59.43), timedelta(seconds=59.43)
        rows.append(Row(number, start.replace(microsecond=0), end.replace(microsecond=0), length, "", False, ""))
    events = placed(rows, ZoneInfo("UTC"))
    errors = [(event.span.start - at(phase + event.row.number * 59.03)) / timedelta(seconds=1) for event in events]
    assert max(map(abs, errors)) <= 0.1
    assert max(abs(later - sooner) for sooner, later in pairwise(errors)) <= 0.05


async def test_it_is_a_kind_of_the_registry_and_says_what_it_lacks() -> None:
    told = {"address": "http://192.0.2.1/zm", "zone": "UTC"}
    assert open_recorder("zoneminder", told) is not None
    for wrong in ({}, told | {"zone": "Peking"}):
        with pytest.raises(Fatal, match="ZoneMinder"):
            open_recorder("zoneminder", wrong)


PRIVACY_PAGE = Reply(b'<html><body><div id="page"><form id="privacyForm"></form></div></body></html>', 200, "text/html")


@pytest.mark.parametrize(
    "wrong", [PRIVACY_PAGE, Reply(b"", 302, "text/html", {"Location": "/zm/index.php?view=privacy"})]
)
async def test_the_privacy_page_is_told_apart_from_the_login_page(
    bench: Bench, events: list[Event], wrong: Reply
) -> None:
    server = ZoneMinderServer(events, change={"index": downloads(lambda _: wrong)})
    async with asked_of(server) as zoneminder:
        with pytest.raises(RecorderDown, match="privacy page") as down:
            await judged(bench, zoneminder, span(2, 20), "1")
    assert down.value.code == "privacy"
