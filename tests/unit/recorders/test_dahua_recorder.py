"""Dahua's CGI: search, whole files in DAV, its clock, and what becomes of its wrong answers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from films import Film, assert_honest, film
from footage_formats import shoot
from recorders.behaviours import Behaviour
from recorders.dahua_server import PAGE, PASSWORD, REFUSED, USER, DahuaServer, File, text
from recorders.judged import assert_login_refused, judged
from recorders.raw_server import Reply, Request
from vault_bench import NOON, Bench, at, span

from services.recorders import retrying_fetch
from services.recorders.dahua.recorder import DahuaRecorder
from services.recorders.protocol import ListedCamera, RecorderDown, Segment, WrongChannel
from services.recorders.registry import Places, open_recorder
from services.runtime.addresses import Guard, parse_networks
from services.runtime.errors import Fatal
from services.runtime.spans import Span
from services.vault.coverage import FootageUnreadable, WrongFootage

LOOPBACK = Guard(parse_networks("127.0.0.0/8"), ("http", "https"))
ASKED = span(1, 7)
FIND, LOAD = "/cgi-bin/mediaFileFind.cgi", "/cgi-bin/RPC_Loadfile"
MINUTE = timedelta(minutes=1)
LOCAL = timedelta(hours=8)


def path(number: int, suffix: str = "dav") -> str:
    return f"/mnt/dvr/2026-03-01/0/dav/20/20.00.{number:02}-20.00.{number + 4:02}[R][0@0][{number}].{suffix}"


@pytest.fixture(scope="module")
def films() -> list[Film]:
    """Two films of four seconds, of one camera, with sound; their frames have the recorder's own time."""
    starts = (NOON + LOCAL, NOON + LOCAL + timedelta(seconds=4))
    return [film(shoot("h264", "pcm_alaw", tint=n), "dav", start=start) for n, start in enumerate(starts)]


@pytest.fixture
def server(films: list[Film]) -> DahuaServer:
    return DahuaServer([File(at(4 * n), at(4 * n + 4), one.body, path(4 * n)) for n, one in enumerate(films)])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


def listed(count: int) -> list[File]:
    """So many files of a minute, without a gap."""
    return [File(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, b"", f"/mnt/{n:04}.dav") for n in range(count)]


@asynccontextmanager
async def opened(server: DahuaServer, *, patience: float = 20, **told: str) -> AsyncIterator[DahuaRecorder]:
    async with server.running() as address:
        known = {"address": address, "user": USER, "password": PASSWORD, "identity": "NVR-4", "zone": "Asia/Shanghai"}
        yield DahuaRecorder.from_configuration(known | told, LOOPBACK, patience=patience)


async def body(segment: Segment) -> bytes:
    return b"".join([chunk async for chunk in segment.open()])


async def fetched(recorder: DahuaRecorder, asked: Span = ASKED, channel: str = "1") -> list[Segment]:
    return [segment async for segment in recorder.fetch(channel, asked)]


def on(place: str, reply: Reply | Callable[[Request], Reply | None], times: int = 1000) -> Callable[..., Reply | None]:
    """The wrong answer to what is at a path, or to an action, as often as that."""
    left = [times]

    def wrong(asked: Request) -> Reply | None:
        if not (asked.path.startswith(place) or asked.query.get("action") == place) or not left[0]:
            return None
        left[0] -= 1
        return reply if isinstance(reply, Reply) else reply(asked)

    return wrong


@pytest.mark.requirement("R34")
async def test_a_probe_tells_model_serial_number_oldest_footage_and_clock(server: DahuaServer) -> None:
    server.clock, server.padded = timedelta(seconds=-90), False
    async with opened(server, identity="") as recorder:
        facts = await recorder.probe()
    assert (facts.make, facts.model) == ("Dahua", "DHI-NVR4216 4.001.0000001.0,build:2023-02-14")
    assert (facts.identity, facts.reachable, facts.zone) == ("4C00A2BPAZ3E5D6", True, "Asia/Shanghai")
    assert facts.oldest_frame == {"1": NOON}
    assert facts.clock_method == "api-time"
    assert facts.clock_offset_ms is not None
    assert abs(facts.clock_offset_ms + 90_000) <= 3000
    assert server.objects == {}, "each search was given back"


@pytest.mark.requirement("R35")
@pytest.mark.parametrize("padded", [True, False])
async def test_whole_footage_is_complete(server: DahuaServer, bench: Bench, films: list[Film], *, padded: bool) -> None:
    server.padded = padded
    async with opened(server) as recorder:
        sealed = await judged(bench, recorder, ASKED, "1")
    assert sealed.outcome == "complete"
    assert_honest(bench, sealed, films[0])
    assert_honest(bench, sealed, films[1], 4)
    assert server.objects == {}


async def test_a_file_is_a_segment_with_its_promised_size(server: DahuaServer, films: list[Film]) -> None:
    server.files.append(File(at(8), at(9), b"\xff\xd8\xff", path(8, "jpg")))
    async with opened(server) as recorder:
        assert await recorder.coverage("1", span(1, 9)) == [span(1, 8)]
        first, second = await fetched(recorder, span(1, 9))
        assert (first.name, first.channel, first.container) == (path(0), "1", "dav")
        assert (first.span, second.span, first.size) == (span(0, 4), span(4, 8), len(films[0].body))
        assert await body(first) == films[0].body


async def test_a_camera_that_records_mp4_is_read_as_it_is(server: DahuaServer, bench: Bench) -> None:
    made = film(shoot("h264"), "fmp4")
    server.files = [File(NOON, at(4), made.body, path(0, "mp4"))]
    async with opened(server) as recorder:
        assert (await judged(bench, recorder, span(0, 4), "1")).outcome == "complete"


@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.ACROSS_GAP,
    "逐个文件取回，缺口如实列出。",
    "It is fetched file by file; the gap is named.",
)
async def test_a_gap_inside_the_span_is_named(server: DahuaServer, bench: Bench, films: list[Film]) -> None:
    server.files[1].start, server.files[1].end = at(9), at(13)
    async with opened(server) as recorder:
        assert await recorder.coverage("1", span(1, 12)) == [span(1, 4), span(9, 12)]
        sealed = await judged(bench, recorder, span(1, 12), "1")
    assert sealed.outcome == "partial"
    [gap] = sealed.coverage.gaps
    assert abs(gap.start - at(4)) <= timedelta(seconds=0.2)
    assert abs(gap.end - at(9)) <= timedelta(seconds=0.2)
    assert_honest(bench, sealed, films[1], 9)


@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.GAP_CLOSED,
    "每帧带有录像机的时间：画面少于列出的时长时为部分。",
    "Each frame has the recorder's time: less than what was listed is partial.",
)
async def test_a_file_that_holds_less_than_it_lists_is_partial(server: DahuaServer, bench: Bench) -> None:
    server.files[1].end = at(20)
    async with opened(server) as recorder:
        sealed = await judged(bench, recorder, span(1, 18), "1")
    assert sealed.outcome == "partial"
    [gap] = sealed.coverage.gaps
    assert abs(gap.start - at(8)) <= timedelta(seconds=0.2)


@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.OTHER_CHANNEL,
    "列表中别的通道和码流不取；画面指纹不符则拒绝，不保留任何内容。",
    "Rows of other channels and streams are left out; where the pictures are not the camera's, nothing is kept.",
)
async def test_footage_of_another_channel_is_not_taken(server: DahuaServer, bench: Bench) -> None:
    server.files[1].shown = 7  # it adds what it was not asked for
    server.files.append(File(at(4), at(8), b"", path(99), stream="Extra1"))
    async with opened(server) as recorder:
        assert [one.name for one in await fetched(recorder)] == [path(0)]
        assert [one.name for one in await fetched(recorder, channel="1/Extra1")] == [path(99)]
        known = await judged(bench, recorder, span(1, 3), "1")
        server.files[0].body = film(shoot("h264", size=(192, 112)), "dav").body
        with pytest.raises(WrongFootage):
            await judged(
                bench, recorder, span(1, 3), "1", expected_fingerprint=known.coverage.fingerprint, key="masters/item/2"
            )


@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.LOCAL_TIME,
    "它的时间没有时区标记，按登记的时区理解。",
    "Its times have no mark of a zone: they are read in the one that is entered.",
)
@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.OTHER_ZONE,
    "时钟显示相差数小时，测试时即可看出；录像按同一读法仍能找到。",
    "Its clock shows as hours off, which a test tells; footage is still found, for both are read alike.",
)
async def test_times_are_read_in_the_zone_that_is_entered(server: DahuaServer) -> None:
    async with opened(server, zone="Asia/Tokyo") as recorder:
        facts = await recorder.probe()
        hour = timedelta(hours=1)
        assert await recorder.coverage("1", Span(NOON - hour, at(20) - hour)) == [Span(NOON - hour, at(8) - hour)]
    assert facts.clock_offset_ms is not None
    assert abs(facts.clock_offset_ms + 3_600_000) <= 3000
    assert server.searches()[-1]["condition.EndTime"] == "2026-03-01 20:00:20"


@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.CLOCK_CHANGE,
    "同名的两个小时都查询，按先后次序区分。",
    "Both hours of one name are searched, and told apart by their order.",
)
@pytest.mark.parametrize("minutes", [10, 70])
async def test_the_hour_that_comes_twice_is_told_apart(minutes: int) -> None:
    start = datetime(2026, 10, 24, 23, 50, tzinfo=UTC)  # 1:50 in Berlin; at 3:00 it is 2:00 again
    parts = [(start + n * 10 * MINUTE, start + (n + 1) * 10 * MINUTE) for n in range(16)]
    files = [File(*part, b"", f"/mnt/{n:02}.dav") for n, part in enumerate(parts)]
    server = DahuaServer(files, zone=ZoneInfo("Europe/Berlin"), per_page=5)
    asked = Span(start + minutes * MINUTE, start + (minutes + 20) * MINUTE)
    async with opened(server, zone="Europe/Berlin") as recorder:
        segments = await fetched(recorder, asked)
    assert [one.span for one in segments] == [Span(*part) for part in parts[minutes // 10 : minutes // 10 + 2]]


@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.REPEATED_PAGES,
    "一页没有新内容即止；重复的文件只算一次。",
    "A page with nothing new is the end; files that come twice count once.",
)
@pytest.mark.parametrize("repeats", [False, True])
async def test_pages_are_read_to_their_end(*, repeats: bool) -> None:
    server = DahuaServer(listed(95), per_page=20, repeats=repeats)
    async with opened(server) as recorder:
        segments = await fetched(recorder, Span(NOON, NOON + 95 * MINUTE))
        assert await recorder.coverage("1", Span(NOON, NOON + 95 * MINUTE)) == [Span(NOON, NOON + 95 * MINUTE)]
    assert [one.name for one in segments] == [f"/mnt/{n:04}.dav" for n in range(95)]
    assert server.objects == {}


@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.LOGIN_PAGE,
    "重新登录一次；仍是页面则报“不是录像机”。",
    "It logs in again once; another page is no recorder.",
)
@pytest.mark.parametrize("place", [FIND, LOAD])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_login_page_is_answered_by_one_login(
    server: DahuaServer, films: list[Film], place: str, times: int
) -> None:
    server.wrong.append(on(place, PAGE, times))
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
    "dahua",
    Behaviour.WRONG_PASSWORD,
    "报登录失败；密码不出现在任何文字里。",
    "A failed login; the password is in no text.",
)
async def test_a_wrong_password_is_told_without_it(server: DahuaServer) -> None:
    async with opened(server, password="gu3ssed") as recorder:
        await assert_login_refused(recorder, "1", ASKED, "gu3ssed")


@pytest.mark.recorder_answer("dahua", Behaviour.FORBIDDEN, "报没有权限。", "Forbidden: the user lacks the right.")
@pytest.mark.recorder_answer("dahua", Behaviour.BUSY, "报忙，稍后重试。", "Busy, tried again.")
@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.SECRET_ECHOED,
    "它的文字一概不引用，地址和密码不出现在任何文字里。",
    "Nothing of its words is taken; neither address nor password is in any text.",
)
@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.REDIRECT,
    "重定向不跟随，报“不是录像机”。",
    "No redirect is followed: no recorder.",
)
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(b"", 503), "busy"),
        (Reply(b"Error\r\nForbidden!\r\n", 403, "text/plain"), "forbidden"),
        (Reply(f"user admin:{PASSWORD} is locked".encode(), 418, "text/plain"), "not-a-recorder"),
        (Reply(b"", 302, headers={"Location": "http://192.0.2.1/"}), "not-a-recorder"),
    ],
)
@pytest.mark.parametrize("place", ["findFile", "findNextFile", LOAD])
async def test_a_refusal_has_a_name_and_no_secret(server: DahuaServer, place: str, reply: Reply, code: str) -> None:
    server.wrong.append(on(place, reply))
    async with opened(server) as recorder:
        with pytest.raises(RecorderDown) as down:
            [await body(segment) for segment in await fetched(recorder, span(1, 3))]
    assert down.value.code == code
    assert PASSWORD not in str(down.value)
    assert "condition" not in str(down.value)
    assert server.objects == {}, "the search was given back all the same"


@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.NOT_UNDERSTOOD,
    "报“不是录像机”，什么也不猜，也不当作没有录像。",
    "No recorder; nothing is guessed, and it is never taken for nothing recorded.",
)
@pytest.mark.parametrize(
    "reply",
    [
        text(),
        text("{}"),
        text("found=2", "items[0].FilePath=/a.dav"),
        text("found=x"),
        text("found=1", "items[0].FilePath=/a.dav", "items[0].StartTime=2026-03-01 20:00:00"),
        text(
            "found=1",
            "items[0].FilePath=/a.dav",
            "items[0].StartTime=2026-03-01 20:00:00",
            "items[0].EndTime=2026-02-01 20:00:00",
        ),
        text(
            "found=1",
            "items[0].FilePath=../../etc/a.dav",
            "items[0].StartTime=2026-03-01 20:00:00",
            "items[0].EndTime=2026-03-01 20:00:04",
        ),
    ],
)
async def test_what_is_not_understood_is_not_guessed(server: DahuaServer, reply: Reply) -> None:
    server.wrong.append(on("findNextFile", reply))
    async with opened(server) as recorder:
        with pytest.raises(RecorderDown) as down:
            await recorder.coverage("1", ASKED)
    assert down.value.code == "not-a-recorder"
    assert server.objects == {}


async def test_a_search_without_an_object_is_no_recorder(server: DahuaServer) -> None:
    server.wrong.append(on("factory.create", text("result=../x")))
    async with opened(server) as recorder:
        with pytest.raises(RecorderDown, match="names no search"):
            await recorder.coverage("1", ASKED)


@pytest.mark.recorder_answer(
    "dahua", Behaviour.EMPTY, "该文件的时间列为缺口，结果为部分。", "The file's time is a gap: partial."
)
@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.MISSING_FILE,
    "拒绝（400、404 或以 Error 开头的 200）视为文件不在：该段列为缺口，其余照常取回。",
    "A refusal (400, 404, or a 200 that begins with Error) is a file that is gone: a gap; the rest is fetched as ever.",
)
@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.TRUNCATED,
    "DAV 没有 mdat；截断的帧和缺少的字节被数出，结果为部分。",
    "DAV has no mdat; the cut frame and the missing bytes are counted: partial.",
)
@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.WRONG_LENGTH,
    "少于列表所说的字节数：注明并列为部分；少于头部所说的：传输中断。",
    "Fewer bytes than listed: named, and partial; fewer than its header says: broken off.",
)
@pytest.mark.parametrize("share", [None, "error", 0.0, 0.3, 0.7])
async def test_a_file_that_is_not_whole_is_partial(
    server: DahuaServer, bench: Bench, films: list[Film], share: float | str | None
) -> None:
    right = films[1].body
    gone = REFUSED if share is None else text("Error: no such file")
    cut = gone if not isinstance(share, float) else Reply(right[: int(len(right) * share)])
    server.wrong.append(on(LOAD, lambda asked: cut if asked.path.endswith(path(4)) else None))
    async with opened(server) as recorder:
        sealed = await judged(bench, recorder, ASKED, "1")
    assert sealed.outcome == "partial"
    assert_honest(bench, sealed, films[0])
    assert_honest(bench, sealed, films[1], 4)


async def test_nothing_but_empty_answers_is_unreadable(server: DahuaServer, bench: Bench) -> None:
    server.wrong.append(on(LOAD, Reply(b"")))
    async with opened(server) as recorder:
        with pytest.raises(FootageUnreadable):
            await judged(bench, recorder, ASKED, "1")


@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.EXPIRED,
    "重新登录，再取该文件一次；已有的不重复，接不上的列为缺口。",
    "It logs in again and fetches the file once more; nothing is doubled, and what cannot be joined is a gap.",
)
@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.BROKEN_OFF,
    "该文件再取；始终不全则为部分。",
    "The file is fetched once more, and again; if it is never whole, partial.",
)
async def test_a_transfer_that_ends_with_the_session_is_taken_up_again(
    server: DahuaServer, bench: Bench, films: list[Film]
) -> None:
    def expire(asked: Request) -> Reply:
        server.nonces += 1
        return Reply(server.files[0].body, cut=len(server.files[0].body) // 2)

    async def at_once(_: float) -> None:
        pass

    server.wrong.append(on(LOAD, expire, 1))
    async with opened(server) as recorder:
        promised = await recorder.coverage("1", ASKED)
        segments = retrying_fetch.fetch(recorder, "1", ASKED, kind="dahua", sleep=at_once)
        sealed = await bench.seal(ASKED, segments, promised=promised, channel="1")
    cut, whole, _ = sealed.coverage.sources
    assert (cut.name, cut.size < whole.size, whole.problem) == (whole.name, True, None)
    assert sealed.coverage.share >= 0.8
    assert_honest(bench, sealed, films[0])
    assert_honest(bench, sealed, films[1], 4)


@pytest.mark.recorder_answer(
    "dahua", Behaviour.NEGATIVE_LENGTH, "报“不是录像机”，不保留任何内容。", "No recorder; nothing is kept."
)
@pytest.mark.recorder_answer(
    "dahua", Behaviour.HANG, "超过等待时间即中断，稍后重试。", "It is waited for no longer than set, and tried again."
)
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(b"", length=-5), "not-a-recorder"),
        (Reply(b"some", length=4096), "broken-off"),
        (Reply(b"some", length=4096, hangs=True), "broken-off"),
    ],
)
@pytest.mark.parametrize("place", ["findFile", LOAD])
async def test_lengths_that_lie_and_silence_are_told(server: DahuaServer, place: str, reply: Reply, code: str) -> None:
    server.wrong.append(on(place, reply))
    async with opened(server, patience=1 if reply.hangs else 20) as recorder:
        with pytest.raises(RecorderDown) as down:
            [await body(segment) for segment in await fetched(recorder, span(1, 3))]
    assert down.value.code == code


@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.IN_PROGRESS,
    "列出多少取多少，不以列表中的字节数为准。",
    "As much as is listed is fetched; the listed size is not held against it.",
)
async def test_a_file_in_progress_has_no_size_to_keep() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    before = File(now - 9 * MINUTE, now - 5 * MINUTE, b"", "/mnt/0.dav", size=7)
    server = DahuaServer([before, File(now - 5 * MINUTE, now, b"", "/mnt/1.dav", size=7)])
    async with opened(server) as recorder:
        first, last = await fetched(recorder, Span(now - 6 * MINUTE, now))
    assert (first.size, last.size) == (7, None)


@pytest.mark.recorder_answer(
    "dahua",
    Behaviour.UNKNOWN_CHANNEL,
    "查询被拒绝时再查全部时间：仍被拒绝则报没有这个通道，请改正登记。",
    "Where a search is refused all times are searched: refused again, it has no such channel; correct the register.",
)
@pytest.mark.parametrize("channel", ["5", "-", "", "0", "1/../2", "１", "1/extra1", "99999"])
@pytest.mark.parametrize("refuses_empty", [False, True])
async def test_a_channel_that_it_does_not_have_is_told(
    server: DahuaServer, channel: str, *, refuses_empty: bool
) -> None:
    server.refuses_empty = refuses_empty
    async with opened(server) as recorder:
        assert await recorder.coverage("1", span(100, 200)) == [], "nothing recorded then is no wrong channel"
        with pytest.raises(WrongChannel):
            await recorder.coverage(channel, ASKED)


async def test_a_device_that_tells_no_time_is_measured_by_its_date(server: DahuaServer) -> None:
    server.wrong.append(on("getCurrentTime", REFUSED))
    async with opened(server) as recorder:
        facts = await recorder.probe()
    assert (facts.reachable, facts.clock_method) == (True, "http-date")
    assert not (await recorder.probe()).reachable, "and one that is away is not reachable"


async def test_it_lists_its_channels_by_their_titles(server: DahuaServer) -> None:
    server.channels = 2
    async with opened(server) as recorder:
        assert await recorder.list_cameras() == [
            ListedCamera("1", "CH1", frozenset({"1/Main"})),
            ListedCamera("2", "CH2", frozenset({"2/Main"})),
        ]
        server.wrong.append(on("getConfig", REFUSED))
        with pytest.raises(RecorderDown):
            await recorder.list_cameras()


async def test_a_picture_is_taken_at_the_moment_and_nothing_is_locked(server: DahuaServer) -> None:
    async with opened(server) as recorder:
        assert (await recorder.snapshot("1", at(5.5))).startswith(b"\xff\xd8\xff")
        assert await recorder.protect("1", ASKED) is False


@pytest.mark.parametrize("told", [{"zone": "Asia/Shanghai"}, {"address": "http://127.0.0.1", "zone": "Peking"}])
def test_a_configuration_that_is_not_understood_says_what_to_set(told: dict[str, str]) -> None:
    with pytest.raises(Fatal, match="set"):
        open_recorder("dahua", told, Places(guard=LOOPBACK))


@pytest.mark.requirement("R10")
async def test_it_tells_of_its_disks_and_believes_no_number_that_is_none(server: DahuaServer) -> None:
    told = text(
        *("list.info[0].Name=/dev/sda", "list.info[0].State=Success", "list.info[0].Detail[0].IsError=false"),
        *("list.info[0].Detail[0].TotalBytes=2000.000000", "list.info[0].Detail[1].TotalBytes=48"),
        *("list.info[1].Name=/dev/sdb", "list.info[1].State=Success", "list.info[1].Detail[0].IsError=true"),
        *("list.info[2].Name=/dev/sdc", "list.info[2].State=humming", "list.info[2].Detail[0].TotalBytes=-5"),
    )
    server.wrong = [on("getDeviceAllInfo", told)]
    async with opened(server) as recorder:
        disks = await recorder.list_disks()
        assert [(one.name, one.failed, one.total_bytes) for one in disks] == [
            *(("/dev/sda", False, 2048), ("/dev/sdb", True, None)),
            ("/dev/sdc", None, None),
        ]
        for wrong in (PAGE, REFUSED, text("other=1"), Reply(b"\x00")):
            server.wrong = [on("getDeviceAllInfo", wrong)]
            with pytest.raises(RecorderDown):
                await recorder.list_disks()
