"""Frigate: what it has recorded, file by file or by exports, and what becomes of its wrong answers."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from footage_maker import Camera, Written
from recorders.behaviours import Behaviour, cannot_happen
from recorders.frigate_server import PAGE, PASSWORD, USER, FrigateServer, Recording, answer, recording
from recorders.judged import assert_login_refused, judged
from recorders.raw_server import Reply, Request
from structlog.testing import capture_logs
from vault_bench import NOON, Bench, assert_honest, at, span

from services.recorders.frigate.exports import UNSEEN
from services.recorders.frigate.recorder import FrigateRecorder
from services.recorders.protocol import RecorderDown, Segment, WrongChannel
from services.recorders.registry import Places, open_recorder
from services.runtime.addresses import Guard, parse_networks
from services.runtime.errors import Fatal
from services.runtime.spans import Span
from services.vault.coverage import FootageUnreadable, WrongFootage

LOOPBACK = Guard(parse_networks("127.0.0.0/8"), ("http", "https"))
ASKED = span(2, 14)

cannot_happen(
    "frigate",
    Behaviour.LOCAL_TIME,
    "所有时间都是 UNIX 秒数，文件夹按 UTC 命名。",
    "All its times are seconds of UNIX, and its folders are named in UTC.",
)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> list[Written]:
    """Four files of four seconds, without a gap."""
    return Camera(tmp_path_factory.mktemp("frigate"), "gate").record(NOON, 16)


@pytest.fixture
def server(filmed: list[Written]) -> FrigateServer:
    return FrigateServer({"gate": [recording(one) for one in filmed], "hall": []})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


@asynccontextmanager
async def opened(server: FrigateServer, *, patience: float = 20, **told: str) -> AsyncIterator[FrigateRecorder]:
    async with server.running() as address:
        configuration = {"address": address, "user": USER, "password": PASSWORD, "identity": "NVR-3"} | told
        yield FrigateRecorder.from_configuration(configuration, LOOPBACK, patience=patience, poll=0)


async def body(segment: Segment) -> bytes:
    return b"".join([chunk async for chunk in segment.open()])


async def fetched(recorder: FrigateRecorder, asked: Span = ASKED) -> list[Segment]:
    return [segment async for segment in recorder.fetch("gate", asked)]


def on(prefix: str, reply: Reply | Callable[[Request], Reply | None], times: int = 1000) -> Callable[..., Reply | None]:
    """The wrong answer to what begins so, as often as that."""
    left = [times]

    def wrong(asked: Request) -> Reply | None:
        if not asked.path.startswith(prefix) or not left[0]:
            return None
        left[0] -= 1
        return reply if isinstance(reply, Reply) else reply(asked)

    return wrong


def path(server: FrigateServer, number: int) -> str:
    return f"/recordings/{server.cameras['gate'][number].path.format('gate')}"


@pytest.mark.requirement("R34")
async def test_a_probe_tells_version_oldest_footage_and_clock(server: FrigateServer) -> None:
    async with opened(server, zone="Asia/Shanghai") as recorder:
        facts = await recorder.probe()
    assert (facts.make, facts.model, facts.identity) == ("Frigate", server.version, "NVR-3")
    assert facts.reachable
    assert facts.oldest_frame == {"gate": NOON}
    assert (facts.clock_method, facts.zone) == ("http-date", "Asia/Shanghai")
    assert facts.clock_offset_ms is not None
    assert abs(facts.clock_offset_ms) <= 5000


async def test_every_file_is_a_segment_with_its_own_bytes(server: FrigateServer) -> None:
    async with opened(server) as recorder:
        assert await recorder.coverage("gate", ASKED) == [ASKED]
        segments = await fetched(recorder, span(5, 11))
        assert [one.name for one in segments] == ["2026-03-01/12/00.04.mp4", "2026-03-01/12/00.08.mp4"]
        assert [(one.span, one.channel, one.container) for one in segments] == [
            (span(4, 8), "gate", "mp4"),
            (span(8, 12), "gate", "mp4"),
        ]
        assert await body(segments[0]) == server.cameras["gate"][1].body
    assert server.logins == 1


@pytest.mark.requirement("R35")
@pytest.mark.parametrize(("way", "version"), [("files", "0.18.0"), ("export", "0.18.0"), ("export", "0.17.1")])
async def test_whole_footage_is_complete(
    server: FrigateServer, bench: Bench, filmed: list[Written], way: str, version: str
) -> None:
    server.version = version
    async with opened(server, fetch=way) as recorder:
        sealed = await judged(bench, recorder, ASKED, "gate")
    assert sealed.outcome == "complete"
    assert_honest(bench, sealed, filmed)


async def test_no_login_is_made_where_no_user_is_given(server: FrigateServer) -> None:
    server.login = False
    async with opened(server, user="", password="") as recorder:
        assert await recorder.coverage("gate", ASKED) == [ASKED]
    assert server.logins == 0


async def test_names_that_are_whole_seconds_tear_nothing(bench: Bench, tmp_path: Path) -> None:
    """The camera begins at .7 of a second and its files last 4, 3 and 2 seconds; their names lose the .7."""
    camera = Camera(tmp_path / "camera", "gate")
    written = camera.record(NOON + timedelta(seconds=0.7), 12)
    server = FrigateServer({"gate": [recording(one) for one in written]})
    async with opened(server) as recorder:
        [covered] = await recorder.coverage("gate", span(0, 20))
        segments = await fetched(recorder, span(0, 20))
        sealed = await judged(bench, recorder, span(2, 11), "gate")
    assert covered.duration == timedelta(seconds=12)
    assert timedelta(0) <= written[0].start - covered.start < timedelta(seconds=1)
    assert all(one.span.end == two.span.start for one, two in pairwise(segments))
    assert sealed.outcome == "complete"


@pytest.mark.recorder_answer(
    "frigate", Behaviour.ACROSS_GAP, "逐个文件取回，缺口如实列出。", "It is fetched file by file; the gap is named."
)
async def test_a_gap_inside_the_span_is_named(server: FrigateServer, bench: Bench, filmed: list[Written]) -> None:
    del server.cameras["gate"][1]
    async with opened(server) as recorder:
        assert await recorder.coverage("gate", ASKED) == [span(2, 4), span(8, 14)]
        sealed = await judged(bench, recorder, ASKED, "gate")
    assert sealed.outcome == "partial"
    [gap] = sealed.coverage.gaps
    assert abs(gap.start - at(4)) <= timedelta(seconds=0.1)
    assert abs(gap.end - at(8)) <= timedelta(seconds=0.1)
    assert_honest(bench, sealed, filmed)


@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.GAP_CLOSED,
    "导出只在没有缺口的时段内申请；导出仍短于列出的时长时为部分。",
    "An export is asked for within a gap-free run only; one that is shorter than its rows is partial.",
)
async def test_an_export_never_crosses_a_gap(server: FrigateServer, bench: Bench, filmed: list[Written]) -> None:
    del server.cameras["gate"][1]
    async with opened(server, fetch="export") as recorder:
        segments = await fetched(recorder)
        sealed = await judged(bench, recorder, ASKED, "gate")
    assert [one.span for one in segments] == [span(0, 4), span(8, 16)]
    assert sealed.outcome == "partial"
    assert [(one.start, one.end) for one in sealed.coverage.gaps] == [(at(4), at(8))]
    assert_honest(bench, sealed, filmed)


@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.GAP_CLOSED,
    "导出只在没有缺口的时段内申请；导出仍短于列出的时长时为部分。",
    "An export is asked for within a gap-free run only; one that is shorter than its rows is partial.",
)
async def test_an_export_that_lacks_a_file_is_partial(server: FrigateServer, bench: Bench) -> None:
    def without_the_third(asked: Request) -> None:
        server.cameras["gate"] = [one for one in server.cameras["gate"] if one.start != at(8)]

    server.wrong.append(on("/api/export/", without_the_third))
    async with opened(server, fetch="export") as recorder:
        sealed = await judged(bench, recorder, ASKED, "gate")
    assert sealed.outcome == "partial"


@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.LOGIN_PAGE,
    "重新登录一次；仍是页面则报登录失败，没有设置用户时报“不是录像机”。",
    "It logs in again once; another page is a failed login, or no recorder where no user is set.",
)
@pytest.mark.parametrize(("times", "logins"), [(1, 2), (2, 2)])
@pytest.mark.parametrize("prefix", ["/api/gate/recordings", "/recordings/"])
async def test_a_login_page_is_answered_by_one_login(
    server: FrigateServer, prefix: str, times: int, logins: int
) -> None:
    server.wrong.append(on(prefix, PAGE, times))
    async with opened(server) as recorder:
        if times == 1:
            [segment] = await fetched(recorder, span(5, 7))
            assert await body(segment) == server.cameras["gate"][1].body
        else:
            with pytest.raises(RecorderDown) as down:
                [await body(segment) for segment in await fetched(recorder, span(5, 7))]
            assert down.value.code == "login"
    assert server.logins == logins


async def test_a_page_where_no_user_is_set_is_no_recorder(server: FrigateServer) -> None:
    server.login = False
    server.wrong.append(on("/api/", PAGE))
    async with opened(server, user="", password="") as recorder:
        with pytest.raises(RecorderDown) as down:
            await recorder.coverage("gate", ASKED)
    assert down.value.code == "not-a-recorder"


@pytest.mark.parametrize("reply", [PAGE, answer({})])
async def test_a_login_that_gives_no_token_is_a_failed_login(server: FrigateServer, reply: Reply) -> None:
    def without_token(asked: Request) -> Reply:
        return reply if asked.path == "/api/login" else server_answer(asked)

    server_answer = server.answer
    server.answer = without_token  # type: ignore[method-assign]  # a proxy in front of it
    async with opened(server) as recorder:
        with pytest.raises(RecorderDown) as down:
            await recorder.coverage("gate", ASKED)
        assert not (await recorder.probe()).reachable
    assert down.value.code == "login"


@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.WRONG_PASSWORD,
    "报登录失败；密码不出现在任何文字里。",
    "A failed login; the password is in no text.",
)
async def test_a_wrong_password_is_told_without_it(server: FrigateServer) -> None:
    async with opened(server, password="gu3ssed") as recorder:
        await assert_login_refused(recorder, "-", ASKED, "gu3ssed")


@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.EXPIRED,
    "重新登录，从中断的字节继续取。",
    "It logs in again and goes on from the byte where it ended.",
)
async def test_a_token_that_expires_in_mid_transfer_is_renewed(server: FrigateServer, bench: Bench) -> None:
    def expire(asked: Request) -> Reply:
        server.tokens.clear()
        whole = server.cameras["gate"][1].body
        return Reply(whole, kind="video/mp4", cut=len(whole) // 2)

    server.wrong.append(on(path(server, 1), expire, 1))
    async with opened(server) as recorder:
        sealed = await judged(bench, recorder, ASKED, "gate")
    assert server.logins == 2
    assert [one.headers["range"].startswith("bytes=") for one in server.asked if "range" in one.headers] == [True, True]
    assert sealed.outcome == "complete"


@pytest.mark.recorder_answer(
    "frigate", Behaviour.EMPTY, "该文件的时段列为缺口，结果为部分。", "The file's time is a gap: partial."
)
@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.MISSING_FILE,
    "该文件的时段列为缺口，其余照常取回。",
    "The file's time is a gap; the rest is fetched as ever.",
)
@pytest.mark.recorder_answer(
    "frigate", Behaviour.TRUNCATED, "缺少的部分列为缺口，结果为部分。", "What is missing is a gap: partial."
)
@pytest.mark.parametrize("share", [None, 0.0, 0.6, 0.97])
async def test_a_file_that_is_not_whole_is_partial(
    server: FrigateServer, bench: Bench, filmed: list[Written], share: float | None
) -> None:
    right = server.cameras["gate"][2].body
    reply = answer({}, 404) if share is None else Reply(right[: int(len(right) * share)], kind="video/mp4")
    server.wrong.append(on(path(server, 2), reply))
    async with opened(server) as recorder:
        sealed = await judged(bench, recorder, ASKED, "gate")
    assert sealed.outcome == "partial"
    assert_honest(bench, sealed, filmed)


async def test_files_that_are_all_empty_are_unreadable(server: FrigateServer, bench: Bench) -> None:
    server.wrong.append(on("/recordings/", Reply(b"", kind="video/mp4")))
    async with opened(server) as recorder:
        with pytest.raises(FootageUnreadable):
            await judged(bench, recorder, ASKED, "gate")


@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.BROKEN_OFF,
    "从中断的字节继续取，最多三次，再重试。",
    "It goes on from the byte where it ended, three times at most, and is tried again then.",
)
@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.WRONG_LENGTH,
    "少于所说的字节数按传输中断处理：续传三次，再重试。",
    "Fewer bytes than told are a transfer that broke off: resumed three times, then tried again.",
)
async def test_fewer_bytes_than_told_are_never_taken_for_a_file(server: FrigateServer) -> None:
    right = server.cameras["gate"][1].body
    server.wrong.append(on(path(server, 1), lambda asked: _told_longer(asked, right)))
    async with opened(server) as recorder:
        [segment] = await fetched(recorder, span(5, 7))
        with pytest.raises(RecorderDown) as down:
            await body(segment)
    assert down.value.code == "broken-off"


def _told_longer(asked: Request, right: bytes) -> Reply:
    begin = int(asked.headers.get("range", "bytes=0-")[6:-1])
    headers = {"Content-Range": f"bytes {begin}-{len(right) + 4095}/{len(right) + 4096}"} if begin else {}
    status = 206 if begin else 200
    return Reply(right[begin:], status, "video/mp4", headers, length=len(right) + 4096 - begin)


@pytest.mark.recorder_answer(
    "frigate", Behaviour.NEGATIVE_LENGTH, "报“不是录像机”，不保留任何内容。", "No recorder; nothing is kept."
)
async def test_a_negative_length_is_no_answer(server: FrigateServer) -> None:
    server.wrong.append(on(path(server, 1), Reply(b"", 206, "video/mp4", length=-1096)))
    async with opened(server) as recorder:
        [segment] = await fetched(recorder, span(5, 7))
        with pytest.raises(RecorderDown) as down:
            await body(segment)
    assert down.value.code == "not-a-recorder"


@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.OTHER_CHANNEL,
    "画面指纹与该摄像头不符，拒绝，不保留任何内容。",
    "The picture's fingerprint is not the camera's: refused, nothing is kept.",
)
async def test_another_cameras_footage_is_refused(server: FrigateServer, bench: Bench, tmp_path: Path) -> None:
    async with opened(server) as recorder:
        known = await judged(bench, recorder, ASKED, "gate")
        other = Camera(tmp_path / "other", "hall", size=(192, 112)).record(NOON, 16)
        bodies = [recording(one).body for one in other]
        server.cameras["gate"] = [
            replace(one, body=body) for one, body in zip(server.cameras["gate"], bodies, strict=True)
        ]
        fingerprint = known.coverage.fingerprint
        with pytest.raises(WrongFootage):
            await judged(bench, recorder, ASKED, "gate", expected_fingerprint=fingerprint, key="masters/item/2")


@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.REPEATED_PAGES,
    "列表不分页；重复的行只算一次。",
    "Its list has no pages; rows that come twice count once.",
)
async def test_rows_that_come_twice_count_once(server: FrigateServer) -> None:
    server.cameras["gate"] += server.cameras["gate"][1:]
    async with opened(server) as recorder:
        assert await recorder.coverage("gate", ASKED) == [ASKED]
        assert len(await fetched(recorder)) == 4


@pytest.mark.recorder_answer(
    "frigate", Behaviour.BUSY, "报忙，稍后重试；导出队列已满也一样。", "Busy, tried again; a full queue of exports too."
)
@pytest.mark.parametrize(("prefix", "way"), [("/api/gate/recordings", "files"), ("/api/export/", "export")])
async def test_a_recorder_that_is_busy_is_tried_again(server: FrigateServer, prefix: str, way: str) -> None:
    full = answer({"success": False, "message": "Export queue is full. Try again once current exports finish."}, 503)
    server.wrong.append(on(prefix, full))
    async with opened(server, fetch=way) as recorder:
        with pytest.raises(RecorderDown) as down:
            [await body(segment) for segment in await fetched(recorder)]
    assert down.value.code == "busy"


@pytest.mark.recorder_answer(
    "frigate", Behaviour.HANG, "超过等待时间即中断，稍后重试。", "It is waited for no longer than set, and tried again."
)
@pytest.mark.parametrize("prefix", ["/api/gate", "/recordings/"])
async def test_a_recorder_that_hangs_is_not_waited_for(server: FrigateServer, prefix: str) -> None:
    server.wrong.append(on(prefix, Reply(b"", length=4096, hangs=True)))
    async with opened(server, patience=3) as recorder:
        with pytest.raises(RecorderDown) as down:
            [await body(segment) for segment in await fetched(recorder, span(5, 7))]
    assert down.value.code == "broken-off"


@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.UNKNOWN_CHANNEL,
    "报没有这个通道，请改正登记。",
    "It has no such camera: the register is to be corrected.",
)
@pytest.mark.parametrize("channel", ["porch", "", "../stats", "gate/recordings", "gate?after=0", "a" * 200])
async def test_a_camera_that_it_does_not_have_is_told(server: FrigateServer, channel: str) -> None:
    async with opened(server) as recorder:
        assert await recorder.coverage("hall", ASKED) == []
        with pytest.raises(WrongChannel):
            await recorder.coverage(channel, ASKED)


@pytest.mark.recorder_answer(
    "frigate",
    Behaviour.NOT_UNDERSTOOD,
    "报“不是录像机”，什么也不猜。",
    "No recorder; nothing is guessed.",
)
@pytest.mark.parametrize(
    "told",
    [
        {"recordings": []},
        [17],
        [{"start_time": "noon", "end_time": 4}],
        [{"start_time": 1e300, "end_time": 1e300}],
        [{"start_time": 20, "end_time": 10}],
        [{"start_time": 0, "end_time": 1e9}],
        [{"start_time": True, "end_time": False}],
    ],
)
async def test_rows_that_are_not_understood_are_not_guessed(server: FrigateServer, told: object) -> None:
    server.wrong.append(on("/api/gate/recordings", answer(told)))
    async with opened(server) as recorder:
        with pytest.raises(RecorderDown) as down:
            await recorder.coverage("gate", ASKED)
    assert down.value.code == "not-a-recorder"


async def test_a_recorder_that_is_away_is_not_reachable(server: FrigateServer) -> None:
    async with opened(server) as recorder:
        pass
    facts = await recorder.probe()
    assert (facts.reachable, facts.oldest_frame, facts.clock_offset_ms) == (False, {}, None)


async def test_a_picture_is_taken_at_the_moment(server: FrigateServer) -> None:
    async with opened(server) as recorder:
        assert (await recorder.snapshot("gate", at(5.5))).startswith(b"\xff\xd8\xff")


async def test_it_cannot_lock_footage_and_says_so(server: FrigateServer) -> None:
    async with opened(server) as recorder:
        assert await recorder.protect("gate", ASKED) is False


@pytest.mark.parametrize("version", ["0.18.0", "0.17.1"])
async def test_an_export_is_deleted_whatever_becomes_of_it(server: FrigateServer, version: str) -> None:
    server.version = version
    async with opened(server, fetch="export") as recorder:
        [segment] = await fetched(recorder)
        assert server.exports == {}, "nothing is exported before its bytes are asked for"
        assert len(await body(segment)) > 1000
        async with aclosing(segment.open()) as chunks:  # type: ignore[type-var]  # a generator, as it is made
            await anext(chunks)
        server.wrong.append(on("/exports/", Reply(b"", 500)))
        with pytest.raises(RecorderDown):
            await body(segment)
    assert len(server.deleted) == 3
    assert server.exports == {}


@pytest.mark.parametrize("refused", [answer({"message": "admin only"}, 403), Reply(b"", 500)])
async def test_an_export_that_cannot_be_deleted_spoils_no_footage(server: FrigateServer, refused: Reply) -> None:
    server.wrong.append(lambda asked: refused if asked.method == "DELETE" else None)
    async with opened(server, fetch="export") as recorder:
        [segment] = await fetched(recorder)
        with capture_logs() as logs:
            assert len(await body(segment)) > 1000
    assert [(one["event"], one["recorder"]) for one in logs] == [("export-left-behind", "NVR-3")]


@pytest.mark.parametrize(
    ("job", "code"),
    [
        (answer({"status": "failed", "error_message": "Export failed"}), "broken-off"),
        (answer({"status": "cancelled"}), "broken-off"),
        (answer({}, 404), "broken-off"),
        (answer({"status": "success"}), "broken-off"),
    ],
)
async def test_an_export_that_fails_or_is_lost_is_tried_again(server: FrigateServer, job: Reply, code: str) -> None:
    server.wrong += [on("/api/jobs/", job), on("/api/exports/gate", answer({}, 404))]
    async with opened(server, fetch="export") as recorder:
        [segment] = await fetched(recorder)
        with pytest.raises(RecorderDown) as down:
            await body(segment)
    assert down.value.code == code
    assert len(server.paths("/api/jobs/")) <= UNSEEN


@pytest.mark.recorder_answer(
    "frigate", Behaviour.IN_PROGRESS, "导出没有完成就不取。", "An export that is not through is not fetched."
)
async def test_an_export_without_end_is_given_up(server: FrigateServer) -> None:
    server.polls = 10**9
    async with opened(server, fetch="export") as recorder:
        recorder._exports._bound = 0.1
        [segment] = await fetched(recorder)
        with pytest.raises(RecorderDown) as down:
            await body(segment)
    assert down.value.code == "busy"
    assert server.paths("/exports/") == []


@pytest.mark.parametrize("video", ["/media/frigate/exports/", "../../etc/passwd", "x\n.mp4", None, 7])
async def test_only_a_file_of_the_exports_is_fetched(server: FrigateServer, video: object) -> None:
    server.polls = 0
    server.wrong.append(on("/api/exports/gate", answer({"in_progress": False, "video_path": video})))
    async with opened(server, fetch="export") as recorder:
        [segment] = await fetched(recorder)
        with pytest.raises(RecorderDown) as down:
            await body(segment)
    assert down.value.code == "not-a-recorder"


async def test_a_long_run_is_exported_in_pieces_of_ten_minutes() -> None:
    minute = timedelta(minutes=1)
    recordings = [Recording(NOON + number * minute, minute, b"") for number in range(25)]
    server = FrigateServer({"gate": recordings})
    async with opened(server, fetch="export") as recorder:
        segments = await fetched(recorder, Span(NOON, NOON + 25 * minute))
    assert [one.span.duration for one in segments] == [10 * minute, 10 * minute, 5 * minute]
    assert len({one.name for one in segments}) == 3


async def test_rows_are_asked_for_with_both_times_a_day_at_most(server: FrigateServer) -> None:
    start = datetime(2026, 10, 24, tzinfo=UTC)
    async with opened(server) as recorder:
        await recorder.coverage("gate", Span(start, start + timedelta(days=3)))
    queries = [one.query for one in server.asked if one.path == "/api/gate/recordings"]
    assert len(queries) == 4
    assert all(0 < float(one["before"]) - float(one["after"]) <= 86_400 for one in queries)


@pytest.mark.parametrize("told", [{}, {"address": "http://127.0.0.1", "fetch": "clip"}])
def test_a_configuration_that_is_not_understood_says_what_to_set(told: dict[str, str]) -> None:
    with pytest.raises(Fatal, match="set"):
        open_recorder("frigate", told, Places(guard=LOOPBACK))


@pytest.mark.requirement("R10")
async def test_it_tells_the_space_of_its_media_and_not_whether_a_disk_fails(server: FrigateServer) -> None:
    def stats(storage: object) -> Reply:
        return answer({"cameras": {}, "service": {"version": "0.18", "storage": storage}})

    media = {"total": 1000.0, "used": 400.5, "free": 599.5, "mount_type": "ext4"}
    odd = {"total": "much", "free": True}
    told = {"/media/frigate/recordings": media, "/cache": media, "/media/frigate/clips": odd, "/media/x": 7}
    server.wrong = [lambda asked: stats(told) if asked.path == "/api/stats" else None]
    async with opened(server) as recorder:
        disks = await recorder.list_disks()
        server.wrong = [lambda asked: stats([1]) if asked.path == "/api/stats" else None]
        with pytest.raises(RecorderDown):
            await recorder.list_disks()
    assert [(one.name, one.failed, one.total_bytes, one.free_bytes) for one in disks] == [
        ("/media/frigate/recordings", None, 1000 << 20, int(599.5 * (1 << 20))),
        ("/media/frigate/clips", None, None, None),
    ]
