"""Hikvision's ISAPI: search, whole recordings, its clock, and what becomes of its wrong answers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from films import Film, assert_honest, film
from footage_formats import shoot
from recorders.behaviours import Behaviour
from recorders.hikvision_server import PAGE, PASSWORD, USER, HikvisionServer, Recording, refusal, xml
from recorders.judged import assert_login_refused, judged
from recorders.raw_server import Reply, Request
from vault_bench import NOON, Bench, at, span

from services.recorders import retrying_fetch
from services.recorders.hikvision.recorder import HikvisionRecorder
from services.recorders.protocol import RecorderDown, Segment, WrongChannel
from services.recorders.registry import Places, open_recorder
from services.runtime.addresses import Guard, parse_networks
from services.runtime.errors import Fatal
from services.runtime.spans import Span
from services.vault.coverage import FootageUnreadable, WrongFootage

LOOPBACK = Guard(parse_networks("127.0.0.0/8"), ("http", "https"))
ASKED = span(1, 7)
SEARCH, DOWNLOAD = "/ISAPI/ContentMgmt/search", "/ISAPI/ContentMgmt/download"
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def films() -> list[Film]:
    """Two films of four seconds, of one camera, with sound."""
    return [film(shoot("h264", "pcm_alaw", tint=tint), "ps", brand=True) for tint in (0, 1)]


@pytest.fixture
def server(films: list[Film]) -> HikvisionServer:
    bodies = [one.body for one in films]
    return HikvisionServer([Recording(at(4 * n), at(4 * n + 4), body, f"ch01_{n}") for n, body in enumerate(bodies)])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


def listed(count: int) -> list[Recording]:
    """So many recordings of a minute, without a gap."""
    return [Recording(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, b"", f"ch01_{n:04}") for n in range(count)]


@asynccontextmanager
async def opened(server: HikvisionServer, *, patience: float = 20, **told: str) -> AsyncIterator[HikvisionRecorder]:
    async with server.running() as address:
        known = {"address": address, "user": USER, "password": PASSWORD, "identity": "NVR-9", "zone": "Asia/Shanghai"}
        yield HikvisionRecorder.from_configuration(known | told, LOOPBACK, patience=patience)


async def body(segment: Segment) -> bytes:
    return b"".join([chunk async for chunk in segment.open()])


async def fetched(recorder: HikvisionRecorder, asked: Span = ASKED, channel: str = "1") -> list[Segment]:
    return [segment async for segment in recorder.fetch(channel, asked)]


def on(path: str, reply: Reply | Callable[[Request], Reply | None], times: int = 1000) -> Callable[..., Reply | None]:
    """The wrong answer to a path, as often as that."""
    left = [times]

    def wrong(asked: Request) -> Reply | None:
        if asked.path != path or not left[0]:
            return None
        left[0] -= 1
        return reply if isinstance(reply, Reply) else reply(asked)

    return wrong


@pytest.mark.requirement("R34")
async def test_a_probe_tells_model_serial_number_oldest_footage_and_clock(server: HikvisionServer) -> None:
    server.clock = timedelta(seconds=-90)
    async with opened(server, identity="") as recorder:
        facts = await recorder.probe()
    assert (facts.make, facts.model) == ("Hikvision", "DS-7608NI-K2 V4.30.005")
    assert facts.identity == "DS-7608NI-K20820200101AAWR123456789"
    assert facts.reachable
    assert facts.oldest_frame == {"1": NOON, "101": NOON}
    assert (facts.clock_method, facts.zone) == ("api-time", "Asia/Shanghai")
    assert facts.clock_offset_ms is not None
    assert abs(facts.clock_offset_ms + 90_000) <= 3000
    assert facts.clock_uncertainty_ms is not None
    assert facts.clock_uncertainty_ms >= 500


@pytest.mark.requirement("R35")
@pytest.mark.parametrize("methods", [("POST", "GET"), ("GET",)])
async def test_whole_footage_is_complete(
    server: HikvisionServer, bench: Bench, films: list[Film], methods: tuple[str, ...]
) -> None:
    server.methods = methods
    async with opened(server) as recorder:
        sealed = await judged(bench, recorder, ASKED, "1")
    assert sealed.outcome == "complete"
    assert_honest(bench, sealed, films[0])
    assert_honest(bench, sealed, films[1], 4)


async def test_a_recording_is_a_segment_with_its_promised_size(server: HikvisionServer, films: list[Film]) -> None:
    async with opened(server) as recorder:
        assert await recorder.coverage("1", ASKED) == [ASKED]
        first, second = await fetched(recorder)
        assert (first.name, first.channel, first.container) == ("ch01_0", "1", "ps")
        assert (first.span, second.span) == (span(0, 4), span(4, 8))
        assert first.size == len(films[0].body)
        assert await body(first) == films[0].body


@pytest.mark.parametrize(("channel", "track"), [("1", "101"), ("101", "101"), ("102", "102"), ("2", "201")])
async def test_a_channel_is_its_main_stream_or_a_track(server: HikvisionServer, channel: str, track: str) -> None:
    async with opened(server) as recorder:
        await recorder.coverage(channel, ASKED)
    assert server.searches()[0]["trackID"] == track


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.ACROSS_GAP,
    "逐段取回，缺口如实列出。",
    "It is fetched recording by recording; the gap is named.",
)
async def test_a_gap_inside_the_span_is_named(server: HikvisionServer, bench: Bench, films: list[Film]) -> None:
    server.recordings[1].start, server.recordings[1].end = at(9), at(13)
    async with opened(server) as recorder:
        assert await recorder.coverage("1", span(1, 12)) == [span(1, 4), span(9, 12)]
        sealed = await judged(bench, recorder, span(1, 12), "1")
    assert sealed.outcome == "partial"
    [gap] = sealed.coverage.gaps
    assert abs(gap.start - at(4)) <= timedelta(seconds=0.2)
    assert abs(gap.end - at(9)) <= timedelta(seconds=0.2)
    assert_honest(bench, sealed, films[1], 9)


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.GAP_CLOSED,
    "画面短于列出的时长，结果为部分。",
    "The pictures are shorter than what was listed: partial.",
)
async def test_a_recording_that_holds_less_than_it_lists_is_partial(server: HikvisionServer, bench: Bench) -> None:
    server.recordings[1].end = at(20)
    async with opened(server) as recorder:
        sealed = await judged(bench, recorder, span(1, 18), "1")
    assert sealed.outcome == "partial"
    [gap] = sealed.coverage.gaps
    assert abs(gap.start - at(8)) <= timedelta(seconds=0.2)


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.OTHER_CHANNEL,
    "列表中别的通道不取；画面指纹不符则拒绝，不保留任何内容。",
    "Rows of other tracks are left out; where the pictures are not the camera's, nothing is kept.",
)
async def test_footage_of_another_channel_is_not_taken(server: HikvisionServer, bench: Bench) -> None:
    server.recordings[1].track = 999  # it adds what it was not asked for
    async with opened(server) as recorder:
        assert [one.name for one in await fetched(recorder)] == ["ch01_0"]
        known = await judged(bench, recorder, span(1, 3), "1")
        server.recordings[0].body = film(shoot("h264", size=(192, 112)), "ps", brand=True).body
        with pytest.raises(WrongFootage):
            await judged(
                bench, recorder, span(1, 3), "1", expected_fingerprint=known.coverage.fingerprint, key="masters/item/2"
            )


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.LOCAL_TIME,
    "默认按录像机登记的时区理解；可设为真正的 UTC。",
    "They are read in the recorder's configured zone, unless it is set that they are UTC.",
)
@pytest.mark.parametrize(("utc", "times"), [(False, "device"), (True, "utc")])
async def test_times_marked_z_are_read_as_configured(server: HikvisionServer, utc: bool, times: str) -> None:
    server.utc = utc
    async with opened(server, times=times) as recorder:
        assert await recorder.coverage("1", span(-10, 20)) == [span(0, 8)]
    start = "2026-03-01T11:59:50Z" if utc else "2026-03-01T19:59:50Z"
    assert server.searches()[0]["startTime"] == start


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.CLOCK_CHANGE,
    "同名的两个小时都查询，按先后次序区分。",
    "Both hours of one name are searched, and told apart by their order.",
)
@pytest.mark.parametrize("minutes", [10, 70])
async def test_the_hour_that_comes_twice_is_told_apart(minutes: int) -> None:
    start = datetime(2026, 10, 24, 23, 50, tzinfo=UTC)  # 1:50 in Berlin; at 3:00 it is 2:00 again
    parts = [(start + n * 10 * MINUTE, start + (n + 1) * 10 * MINUTE) for n in range(16)]
    server = HikvisionServer(
        [Recording(*part, b"", f"ch01_{n}") for n, part in enumerate(parts)], zone=ZoneInfo("Europe/Berlin"), per_page=5
    )
    asked = Span(start + minutes * MINUTE, start + (minutes + 20) * MINUTE)
    async with opened(server, zone="Europe/Berlin") as recorder:
        segments = await fetched(recorder, asked)
    assert [one.span for one in segments] == [Span(*part) for part in parts[minutes // 10 : minutes // 10 + 2]]


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.OTHER_ZONE,
    "时钟显示相差数小时，测试时即可看出；录像按同一读法仍能找到。",
    "Its clock shows as hours off, which a test tells; footage is still found, for both are read alike.",
)
@pytest.mark.parametrize("offset", [None, "Z", "", "-05:00"])
async def test_a_zone_that_is_not_the_devices_shows_in_its_clock(server: HikvisionServer, offset: str | None) -> None:
    server.shown_offset = offset
    async with opened(server, zone="Asia/Tokyo") as recorder:
        facts = await recorder.probe()
    assert facts.clock_offset_ms is not None
    assert abs(facts.clock_offset_ms + 3_600_000) <= 3000


async def test_a_device_that_tells_no_time_is_measured_by_its_date(server: HikvisionServer) -> None:
    server.wrong.append(on("/ISAPI/System/time", refusal(403, 4, "lowPrivilege")))
    async with opened(server) as recorder:
        facts = await recorder.probe()
    assert (facts.reachable, facts.clock_method) == (True, "http-date")


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.REPEATED_PAGES,
    "从最后一段的开始时间重新查询，去掉重复；没有新内容即止。",
    "It is searched again from the last start, what comes twice is dropped, and nothing new is the end.",
)
@pytest.mark.parametrize("ignores_position", [False, True])
@pytest.mark.parametrize("always_more", [False, True])
async def test_pages_are_read_to_their_end(*, ignores_position: bool, always_more: bool) -> None:
    server = HikvisionServer(listed(95), ignores_position=ignores_position, always_more=always_more)
    async with opened(server) as recorder:
        segments = await fetched(recorder, Span(NOON, NOON + 95 * MINUTE))
        assert await recorder.coverage("1", Span(NOON, NOON + 95 * MINUTE)) == [Span(NOON, NOON + 95 * MINUTE)]
    assert [one.name for one in segments] == [f"ch01_{n:04}" for n in range(95)]
    assert len(server.searches()) <= 20


async def test_an_empty_page_that_promises_more_ends_the_search() -> None:
    server = HikvisionServer(listed(3))
    more = "<CMSearchResult><responseStatusStrg>MORE</responseStatusStrg><matchList/></CMSearchResult>"
    server.wrong.append(on(SEARCH, xml(more)))
    async with opened(server) as recorder:
        assert await recorder.coverage("1", ASKED) == []
    assert len(server.searches()) == 1


@pytest.mark.parametrize("position", ["searchResultPostion", "searchResultPosition"])
async def test_either_spelling_of_the_position_is_used(position: str) -> None:
    server = HikvisionServer(listed(50), position=position)
    async with opened(server) as recorder:
        assert len(await fetched(recorder, Span(NOON, NOON + 50 * MINUTE))) == 50
        asked = len(server.searches())
        await recorder.coverage("1", ASKED)
    assert len(server.searches()) == asked + 1, "what it knows is asked at once"


async def test_times_that_are_cut_to_the_search_are_not_taken_for_the_footages(server: HikvisionServer) -> None:
    server.cuts_times = True
    async with opened(server) as recorder:
        segments = await fetched(recorder, span(2, 3))
    assert [one.span for one in segments] == [span(0, 4)]


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.LOGIN_PAGE,
    "重新登录一次；仍是页面则报“不是录像机”。",
    "It logs in again once; another page is no recorder.",
)
@pytest.mark.parametrize("path", [SEARCH, DOWNLOAD])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_login_page_is_answered_by_one_login(
    server: HikvisionServer, films: list[Film], path: str, times: int
) -> None:
    server.wrong.append(on(path, PAGE, times))
    async with opened(server) as recorder:
        if times == 1:
            [segment] = await fetched(recorder, span(1, 3))
            assert await body(segment) == films[0].body
        else:
            with pytest.raises(RecorderDown) as down:
                [await body(segment) for segment in await fetched(recorder, span(1, 3))]
            assert down.value.code == "not-a-recorder"
    assert server.nonces == 2


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.WRONG_PASSWORD,
    "报登录失败；密码不出现在任何文字里。",
    "A failed login; the password is in no text.",
)
async def test_a_wrong_password_is_told_without_it(server: HikvisionServer) -> None:
    async with opened(server, password="gu3ssed") as recorder:
        await assert_login_refused(recorder, "1", ASKED, "gu3ssed")


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.FORBIDDEN,
    "报没有权限，并给出录像机所说的原因。",
    "Forbidden, with the reason that it gives.",
)
@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.BUSY,
    "报忙，稍后重试；用 XML 说忙也一样。",
    "Busy, tried again; where it says so in XML too.",
)
@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.SECRET_ECHOED,
    "原因只取一个简单的词，地址和密码不出现在任何文字里。",
    "Of its reason one plain word is taken; neither address nor password is in any text.",
)
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(b"", 503), "busy"),
        (refusal(200, 2, "deviceBusy"), "busy"),
        (refusal(403, 4, "lowPrivilege"), "forbidden"),
        (Reply(b"<html>no</html>", 403, "text/html"), "forbidden"),
        (refusal(200, 4, "notSupport"), "not-a-recorder"),
        (refusal(400, 6, "badXmlContent"), "not-a-recorder"),
        (refusal(405, 4, f"admin:{PASSWORD}@10.14.97.40"), "not-a-recorder"),
    ],
)
@pytest.mark.parametrize("path", [SEARCH, DOWNLOAD])
async def test_a_refusal_has_a_name_and_no_secret(server: HikvisionServer, path: str, reply: Reply, code: str) -> None:
    server.wrong.append(on(path, reply))
    async with opened(server) as recorder:
        with pytest.raises(RecorderDown) as down:
            [await body(segment) for segment in await fetched(recorder, span(1, 3))]
    assert down.value.code == code
    assert PASSWORD not in str(down.value)
    assert "rtsp" not in str(down.value)


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.NOT_UNDERSTOOD,
    "报“不是录像机”；文档类型和实体一概拒绝。",
    "No recorder; document types and entities are refused.",
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"<CMSearchResult>",
        b"<CMSearchResult/>",
        b"<Other><responseStatusStrg>OK</responseStatusStrg></Other>",
        b'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><CMSearchResult>&y;</CMSearchResult>',
        b"<CMSearchResult><responseStatusStrg>OK</responseStatusStrg><matchList><searchMatchItem><trackID>101</trackID>"
        b"</searchMatchItem></matchList></CMSearchResult>",
        b"<CMSearchResult><responseStatusStrg>OK</responseStatusStrg><matchList><searchMatchItem><trackID>101</trackID>"
        b"<timeSpan><startTime>2026-03-01T20:00:00Z</startTime><endTime>2026-02-01T20:00:00Z</endTime></timeSpan>"
        b"</searchMatchItem></matchList></CMSearchResult>",
    ],
)
async def test_what_is_not_understood_is_not_guessed(server: HikvisionServer, content: bytes) -> None:
    server.wrong.append(on(SEARCH, Reply(content, kind="application/xml")))
    async with opened(server) as recorder:
        with pytest.raises(RecorderDown) as down:
            await recorder.coverage("1", ASKED)
    assert down.value.code == "not-a-recorder"


@pytest.mark.recorder_answer(
    "hikvision", Behaviour.EMPTY, "该段的时间列为缺口，结果为部分。", "Its time is a gap: partial."
)
@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.MISSING_FILE,
    "该段的时间列为缺口，其余照常取回。",
    "Its time is a gap; the rest is fetched as ever.",
)
@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.TRUNCATED,
    "PS 没有 mdat；截断的数据包和缺少的字节被数出，结果为部分。",
    "PS has no mdat; the cut packet and the missing bytes are counted: partial.",
)
@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.WRONG_LENGTH,
    "少于列表所说的字节数：注明并列为部分；少于头部所说的：传输中断。",
    "Fewer bytes than listed: named, and partial; fewer than its header says: broken off.",
)
@pytest.mark.parametrize("share", [None, 0.0, 0.3, 0.7])
async def test_a_recording_that_is_not_whole_is_partial(
    server: HikvisionServer, bench: Bench, films: list[Film], share: float | None
) -> None:
    right = films[1].body
    gone = refusal(404, 4, "fileNotExist")
    cut = gone if share is None else Reply(right[: int(len(right) * share)], kind="video/mp4")
    server.wrong.append(on(DOWNLOAD, lambda asked: cut if b"ch01_1" in asked.body else None))
    async with opened(server) as recorder:
        sealed = await judged(bench, recorder, ASKED, "1")
    assert sealed.outcome == "partial"
    assert_honest(bench, sealed, films[0])
    assert_honest(bench, sealed, films[1], 4)


async def test_bytes_that_lack_where_no_picture_does_are_named(server: HikvisionServer, bench: Bench) -> None:
    server.recordings[1].size = len(server.recordings[1].body) + 100
    async with opened(server) as recorder:
        sealed = await judged(bench, recorder, ASKED, "1")
    [problem] = [one.problem for one in sealed.coverage.sources if one.problem]
    assert "promised" in problem


async def test_nothing_but_empty_answers_is_unreadable(server: HikvisionServer, bench: Bench) -> None:
    server.wrong.append(on(DOWNLOAD, Reply(b"", kind="video/mp4")))
    async with opened(server) as recorder:
        with pytest.raises(FootageUnreadable):
            await judged(bench, recorder, ASKED, "1")


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.EXPIRED,
    "重新登录，再取该段一次；已有的不重复，接不上的列为缺口。",
    "It logs in again and fetches the recording once more; nothing is doubled, and what cannot be joined is a gap.",
)
@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.BROKEN_OFF,
    "该段再取；始终不全则为部分。",
    "The recording is fetched once more, and again; if it is never whole, partial.",
)
async def test_a_transfer_that_ends_with_the_session_is_taken_up_again(
    server: HikvisionServer, bench: Bench, films: list[Film]
) -> None:
    def expire(asked: Request) -> Reply:
        server.nonces += 1
        whole = server.recordings[0].body
        return Reply(whole, kind="video/mp4", cut=len(whole) // 2)

    async def at_once(_: float) -> None:
        pass

    server.wrong.append(on(DOWNLOAD, expire, 1))
    async with opened(server) as recorder:
        promised = await recorder.coverage("1", ASKED)
        segments = retrying_fetch.fetch(recorder, "1", ASKED, kind="hikvision", sleep=at_once)
        sealed = await bench.seal(ASKED, segments, promised=promised, channel="1")
    assert server.nonces == 3
    cut, whole, _ = sealed.coverage.sources
    assert (cut.name, cut.size < whole.size, whole.problem) == (whole.name, True, None)
    # A picture that was cut leads to none after it: what lacks up to the next key frame is named.
    assert sealed.coverage.share >= 0.8
    assert_honest(bench, sealed, films[0])
    assert_honest(bench, sealed, films[1], 4)


@pytest.mark.recorder_answer(
    "hikvision", Behaviour.NEGATIVE_LENGTH, "报“不是录像机”，不保留任何内容。", "No recorder; nothing is kept."
)
@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.HANG,
    "超过等待时间即中断，稍后重试。",
    "It is waited for no longer than set, and tried again.",
)
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(b"", length=-5), "not-a-recorder"),
        (Reply(b"some", length=4096), "broken-off"),
        (Reply(b"some", length=4096, hangs=True), "broken-off"),
    ],
)
@pytest.mark.parametrize("path", [SEARCH, DOWNLOAD])
async def test_lengths_that_lie_and_silence_are_told(
    server: HikvisionServer, path: str, reply: Reply, code: str
) -> None:
    server.wrong.append(on(path, reply))
    async with opened(server, patience=3 if reply.hangs else 20) as recorder:
        with pytest.raises(RecorderDown) as down:
            [await body(segment) for segment in await fetched(recorder, span(1, 3))]
    assert down.value.code == code


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.IN_PROGRESS,
    "列出多少取多少，不以列表中的字节数为准。",
    "As much as is listed is fetched; the listed size is not held against it.",
)
async def test_a_recording_in_progress_has_no_size_to_keep() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    growing = Recording(now - 5 * MINUTE, now, b"", "ch01_1", size=7)
    server = HikvisionServer([replace(growing, start=now - 9 * MINUTE, end=now - 5 * MINUTE, name="ch01_0"), growing])
    async with opened(server) as recorder:
        first, last = await fetched(recorder, Span(now - 6 * MINUTE, now))
    assert (first.size, last.size) == (7, None)


@pytest.mark.recorder_answer(
    "hikvision",
    Behaviour.UNKNOWN_CHANNEL,
    "报没有这个通道，请改正登记。",
    "It has no such channel: the register is to be corrected.",
)
@pytest.mark.parametrize("channel", ["3", "301", "-", "", "0", "1/../2", "１", "9" * 9])
async def test_a_channel_that_it_does_not_have_is_told(server: HikvisionServer, channel: str) -> None:
    async with opened(server) as recorder:
        assert await recorder.coverage("2", ASKED) == []
        with pytest.raises(WrongChannel):
            await recorder.coverage(channel, ASKED)


async def test_a_device_that_does_not_list_its_tracks_holds_nothing(server: HikvisionServer) -> None:
    server.wrong.append(on("/ISAPI/ContentMgmt/record/tracks", refusal(403, 4, "notSupport")))
    async with opened(server) as recorder:
        assert await recorder.coverage("3", ASKED) == []
        facts = await recorder.probe()
    assert (facts.reachable, facts.oldest_frame) == (True, {})


async def test_a_recorder_that_is_away_is_not_reachable(server: HikvisionServer) -> None:
    async with opened(server) as recorder:
        pass
    facts = await recorder.probe()
    assert (facts.reachable, facts.clock_offset_ms) == (False, None)


async def test_a_picture_is_taken_at_the_moment(server: HikvisionServer) -> None:
    async with opened(server) as recorder:
        assert (await recorder.snapshot("1", at(5.5))).startswith(b"\xff\xd8\xff")


async def test_it_cannot_lock_footage_and_says_so(server: HikvisionServer) -> None:
    async with opened(server) as recorder:
        assert await recorder.protect("1", ASKED) is False


@pytest.mark.parametrize(
    "told",
    [
        {"zone": "Asia/Shanghai"},
        {"address": "http://127.0.0.1"},
        {"address": "http://127.0.0.1", "zone": "Peking"},
        {"address": "http://127.0.0.1", "zone": "Asia/Shanghai", "times": "local"},
    ],
)
def test_a_configuration_that_is_not_understood_says_what_to_set(told: dict[str, str]) -> None:
    with pytest.raises(Fatal, match="set"):
        open_recorder("hikvision", told, Places(guard=LOOPBACK))


STORAGE = "/ISAPI/ContentMgmt/Storage"


def disk(number: str, status: str, capacity: str = "3815447", free: str = "1024") -> str:
    return (
        f"<hdd><id>{number}</id><hddName>hdd{number}</hddName><hddType>SATA</hddType><status>{status}</status>"
        f"<capacity>{capacity}</capacity><freeSpace>{free}</freeSpace><property>RW</property></hdd>"
    )


@pytest.mark.requirement("R10")
async def test_it_tells_of_its_disks_and_believes_no_number_that_is_none(server: HikvisionServer) -> None:
    rows = "".join(
        (disk("1", "ok"), disk("2", "smartFailed"), disk("3", "humming", "-5", "1e9"), disk("4", "OK", "9" * 40))
    )
    nas = "<nasList><nas><id>1</id><status>offline</status></nas></nasList>"
    server.wrong = [on(STORAGE, xml(f'<storage version="1.0"><hddList>{rows}</hddList>{nas}</storage>'))]
    async with opened(server) as recorder:
        disks = await recorder.list_disks()
    assert [(one.name, one.failed) for one in disks] == [
        *(("hdd1", False), ("hdd2", True), ("hdd3", None), ("hdd4", False)),
        ("nas 1", True),
    ]
    assert (disks[0].total_bytes, disks[0].free_bytes) == (3815447 << 20, 1 << 30)
    assert [(one.total_bytes, one.free_bytes) for one in disks[2:4]] == [(None, None), (None, 1 << 30)]


@pytest.mark.requirement("R10")
@pytest.mark.parametrize("wrong", [PAGE, refusal(404, 4, "notSupport"), xml("<other/>"), Reply(b"\x00")])
async def test_a_wrong_answer_about_disks_is_no_disk(server: HikvisionServer, wrong: Reply) -> None:
    server.wrong = [on(STORAGE, wrong)]
    async with opened(server) as recorder:
        with pytest.raises(RecorderDown):
            await recorder.list_disks()
