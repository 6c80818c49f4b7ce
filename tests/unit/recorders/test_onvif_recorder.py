"""An ONVIF recorder: what it holds, by the changes of its tracks; and what becomes of its wrong answers."""

from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorders.behaviours import Behaviour, cannot_happen
from recorders.judged import assert_login_refused
from recorders.onvif_server import PASSWORD, USER, Held, OnvifDevice, fault, says, serving, utc
from vault_bench import at, span

from services.domain.cameras import recorder_probe
from services.recorders.onvif.history import Change, recorded
from services.recorders.onvif.recorder import IDLE, OnvifRecorder
from services.recorders.protocol import RecorderDown, ReplayUnsupported, WrongChannel
from services.recorders.registry import KINDS, Places, open_recorder
from services.runtime.addresses import Guard, parse_networks
from services.runtime.errors import Fatal
from services.runtime.spans import Span

LOOPBACK = Guard(parse_networks("127.0.0.0/8"), ("http", "https"))
LOGIN = '<!DOCTYPE html><html><form action="/login"></form></html>'

cannot_happen(
    "onvif",
    Behaviour.EXPIRED,
    "每次调用都单独签名，且不传输录像。",
    "Each call is signed anew, and no footage is fetched.",
)
cannot_happen("onvif", Behaviour.TRUNCATED, "不取回录像。", "No footage is fetched.")


def gate() -> Held:
    return Held("REC_1", "source-1", [(at(0), at(60)), (at(90), at(200))])


def device(**more: object) -> OnvifDevice:
    return OnvifDevice([gate(), Held("REC_2", "source-2", [(at(-600), at(600))])], **more)  # type: ignore[arg-type]  # as OnvifDevice has them


def recorder(address: str, *, patience: float = 20, **more: str) -> OnvifRecorder:
    told = {"address": address, "user": USER, "password": PASSWORD, **more}
    return OnvifRecorder.from_configuration(told, LOOPBACK, patience=patience)


async def covered(device: OnvifDevice, asked: Span, channel: str = "REC_1", **more: str) -> list[Span]:
    async with serving(device) as address:
        return await recorder(address, **more).coverage(channel, asked)


async def fails(given: bytes | None, operation: str = "GetEventSearchResults", *, patience: float = 20) -> RecorderDown:
    async with serving(device(), instead={operation: given}) as address:
        with pytest.raises(RecorderDown) as caught:
            await recorder(address, patience=patience).coverage("REC_1", span(0, 60))
    assert PASSWORD not in str(caught.value)
    return caught.value


@pytest.mark.requirement("R34")
@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.ACROSS_GAP,
    "按轨道有无数据的变化，逐段列出，缺口照实显示。",
    "By the changes of its tracks it is told stretch by stretch, and gaps stay gaps.",
)
async def test_coverage_is_told_gap_by_gap_by_the_changes_of_its_tracks() -> None:
    assert await covered(device(), span(-100, 300)) == [span(0, 60), span(90, 200)]
    assert await covered(device(), span(10, 20)) == [span(10, 20)]
    assert await covered(device(), span(30, 100)) == [span(30, 60), span(90, 100)]
    assert await covered(device(), span(65, 80)) == []
    assert await covered(device(), span(1000, 2000)) == []


@given(
    lengths=st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=8),
    first=st.integers(0, 400),
    length=st.integers(1, 400),
    chance=st.randoms(),
)
def test_changes_tell_what_is_held_however_they_are_ordered_and_repeated(
    lengths: list[tuple[int, int]], first: int, length: int, chance: Random
) -> None:
    held, moment = [], 0
    for gap, there in lengths:
        held.append(span(moment + gap, moment + gap + there))
        moment += gap + there
    asked = span(first, first + length)
    told = [(one.start, True) for one in held] + [(one.end, False) for one in held]
    start = any(one.start <= asked.start < one.end for one in held)
    inside = [(asked.start, start), *(one for one in told if asked.start < one[0] < asked.end)]
    changes = [Change("R", "V", when, present) for when, present in inside * 2]
    chance.shuffle(changes)
    whole = Span(held[0].start, held[-1].end)
    expected = [part for one in held if (part := one.intersect(asked)) is not None]
    assert recorded(changes, asked, whole) == expected


async def test_channel_may_be_the_source_of_several_recordings() -> None:
    apart = OnvifDevice([Held("A", "cam", [(at(0), at(60))]), Held("B", "cam", [(at(60), at(70))]), gate()])
    assert await covered(apart, span(0, 100), "cam") == [span(0, 70)]


async def test_state_at_the_start_is_found_in_the_past_where_it_is_not_told() -> None:
    asked = span(65, 80)
    told = device(starts=False)
    assert await covered(told, asked) == []
    assert told.asked.count("FindEvents") == 2
    assert await covered(device(starts=False), span(100, 120)) == [span(100, 120)]


@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.GAP_CLOSED,
    "不报告轨道变化的录像机只知最早和最新画面，中间视为有录像；取回后才能测量。",
    "Of one that tells no changes only the oldest and newest picture are known, and what lies between counts as held, "
    "until it is measured.",
)
async def test_where_no_changes_are_told_only_the_oldest_and_newest_picture_are_known() -> None:
    assert await covered(device(events=False), span(-100, 300)) == [span(0, 200)]


@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.IN_PROGRESS,
    "算到录像机时钟的此刻。",
    "It counts up to this moment by the recorder's clock.",
)
async def test_recording_in_progress_reaches_to_now_by_the_recorders_clock() -> None:
    begun = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    running = Held("REC_1", "", [(begun, begun + timedelta(minutes=1))], status="Recording")
    ahead = OnvifDevice([running], offset=timedelta(hours=1))
    [found] = await covered(ahead, Span(begun, begun + timedelta(days=1)))
    assert found.start == begun
    assert timedelta(minutes=64) < found.duration < timedelta(minutes=66)


@pytest.mark.requirement("R34")
async def test_probe_tells_the_maker_the_clock_and_the_oldest_pictures() -> None:
    async with serving(device(offset=timedelta(seconds=-90))) as address:
        facts = await recorder(address).probe()
    assert (facts.make, facts.model, facts.identity) == ("Example", "NVR-16 4.61.025", "DS-0042")
    assert facts.reachable
    assert facts.clock_method == "api-time"
    assert facts.clock_offset_ms is not None
    assert facts.clock_uncertainty_ms is not None
    assert abs(facts.clock_offset_ms + 90_000) <= facts.clock_uncertainty_ms
    assert facts.clock_uncertainty_ms < 1500
    assert facts.oldest_frame == {"REC_1": at(0), "source-1": at(0), "REC_2": at(-600), "source-2": at(-600)}


async def test_clock_is_that_of_the_header_where_the_device_tells_none() -> None:
    empty = says("200 OK", '<s:Envelope xmlns:s="urn:s"><s:Body><GetSystemDateAndTimeResponse/></s:Body></s:Envelope>')
    dated = empty.replace(b"Connection", b"Date: Thu, 01 Jan 2026 10:00:00 GMT\r\nConnection")
    async with serving(device(), instead={"GetSystemDateAndTime": dated}) as address:
        assert (await recorder(address).soap.clock()).method == "http-date"


async def test_token_is_of_the_devices_own_time() -> None:
    # The server refuses one that is five seconds off, as devices do.
    assert await covered(device(offset=timedelta(days=-400)), span(0, 60)) == [span(0, 60)]


@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.UNKNOWN_CHANNEL,
    "报告录像机上没有这个录像或来源。",
    "It is told that the recorder has no such recording or source.",
)
@pytest.mark.parametrize("channel", ["REC_9", "", "REC"])
async def test_channel_that_it_does_not_have_is_told(channel: str) -> None:
    with pytest.raises(WrongChannel):
        await covered(device(), span(0, 60), channel)


@pytest.mark.recorder_answer(
    "onvif", Behaviour.OTHER_CHANNEL, "别的录像的变化不算。", "Changes of other recordings do not count."
)
async def test_changes_of_other_recordings_do_not_count() -> None:
    assert await covered(device(wrong="other channels"), span(-100, 300)) == [span(0, 60), span(90, 200)]


@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.REPEATED_PAGES,
    "重复的结果只算一次；没有尽头的查询放弃并重试。",
    "Results that repeat count once; a search without an end is given up and tried again.",
)
@pytest.mark.parametrize("wrong", ["never ends", "repeats for ever"])
async def test_search_that_never_ends_is_given_up(wrong: str) -> None:
    endless = device(wrong=wrong)
    async with serving(endless) as address:
        with pytest.raises(RecorderDown) as caught:
            await recorder(address).coverage("REC_1", span(0, 60))
    assert caught.value.code == "busy"
    assert endless.asked.count("GetRecordingSearchResults") <= IDLE + 2
    assert endless.asked[-1] == "EndSearch"


@pytest.mark.parametrize("wrong", ["repeats", "out of order"])
async def test_results_that_repeat_or_come_out_of_order_tell_the_same(wrong: str) -> None:
    assert await covered(device(wrong=wrong), span(-100, 300)) == [span(0, 60), span(90, 200)]


@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.LOCAL_TIME,
    "登记时间为 device 后，按录像机的时区理解；没有时区的时间同样。",
    "Where its times are entered as device they are read in the recorder's zone, and so are times without a zone.",
)
async def test_local_time_is_read_in_the_recorders_zone() -> None:
    def marked(moment: datetime) -> str:
        return f"{moment.astimezone(ZoneInfo('Asia/Shanghai')):%Y-%m-%dT%H:%M:%SZ}"

    def bare(moment: datetime) -> str:
        return marked(moment)[:-1]

    shanghai = {"zone": "Asia/Shanghai"}
    assert await covered(device(write=marked), span(-100, 300), times="device", **shanghai) == [
        span(0, 60),
        span(90, 200),
    ]
    assert await covered(device(write=bare), span(10, 50), times="device", **shanghai) == [span(10, 50)]
    assert await covered(device(write=marked), span(-100, 300), **shanghai) == []


@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.CLOCK_CHANGE,
    "重复的一小时里，开始取较早的、结束取较晚的。",
    "In the hour that comes twice a start is taken as the earlier and an end as the later.",
)
async def test_hour_that_a_clock_goes_through_twice_leaves_nothing_out() -> None:
    # In Berlin on 25 October 2026 the hour from 2:00 came at 0:00 UTC and again at 1:00 UTC.
    def local(moment: datetime) -> str:
        return f"{moment.astimezone(ZoneInfo('Europe/Berlin')):%Y-%m-%dT%H:%M:%S}"

    hour = [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]
    around = Span(hour[0] - timedelta(hours=3), hour[1] + timedelta(hours=3))
    twice = OnvifDevice([Held("REC_1", "", [(hour[0], hour[1])])], write=local)
    assert await covered(twice, around, zone="Europe/Berlin", times="device") == [Span(hour[0], hour[1])]


@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.REDIRECT,
    "服务地址指向别的主机时，仍只问登记的主机；重定向不跟随。",
    "Where it names another host for a service, the configured host is asked all the same; no redirect is followed.",
)
async def test_user_and_password_go_to_no_other_host() -> None:
    assert await covered(device(wrong="another host"), span(0, 60)) == [span(0, 60)]
    error = await fails(says("302 Found", headers="Location: http://198.51.100.7/\r\n"), "GetServices")
    assert error.code == "not-a-recorder"


@pytest.mark.recorder_answer(
    "onvif", Behaviour.WRONG_PASSWORD, "报告用户名或密码不被接受。", "It is told that user or password are refused."
)
async def test_wrong_password_is_told() -> None:
    async with serving(device()) as address:
        await assert_login_refused(recorder(address, password="gu3ssed"), "REC_1", span(0, 60), "gu3ssed")
    assert (await fails(says("401 Unauthorized", headers='WWW-Authenticate: Basic realm="x"\r\n'))).code == "login"


@pytest.mark.recorder_answer("onvif", Behaviour.FORBIDDEN, "报告没有权限。", "It is told that the user has no right.")
async def test_no_right_is_told() -> None:
    assert (await fails(says("403 Forbidden"))).code == "forbidden"


@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.BUSY,
    "视为繁忙，稍后重试；会话已满同样。",
    "Busy: tried again later, and so when it has no room.",
)
async def test_busy_recorder_is_tried_again_later() -> None:
    assert (await fails(says("503 Service Unavailable"))).code == "busy"
    full = fault("Receiver", "ResourceProblem", "no more sessions")
    assert (await fails(says("500 Internal Server Error", full), "FindEvents")).code == "busy"


@pytest.mark.recorder_answer(
    "onvif", Behaviour.HANG, "等待超时后报告没有应答。", "It is told that nothing came, after the patience."
)
@pytest.mark.parametrize("operation", ["GetSystemDateAndTime", "GetEventSearchResults"])
async def test_recorder_that_hangs_is_not_waited_for(operation: str) -> None:
    assert (await fails(None, operation, patience=0.3)).code == "silent"


@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.LOGIN_PAGE,
    "认出网页，报告不是录像机的回答。",
    "The page is seen, and told as no recorder's answer.",
)
@pytest.mark.recorder_answer("onvif", Behaviour.EMPTY, "报告看不懂的回答。", "It is told as not understood.")
@pytest.mark.recorder_answer(
    "onvif", Behaviour.NEGATIVE_LENGTH, "报告不合 HTTP 的回答。", "It is told that it does not keep to HTTP."
)
@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.NOT_UNDERSTOOD,
    "报告是哪次调用；不当作没有录像。",
    "It is told at which call, and never taken for nothing recorded.",
)
@pytest.mark.parametrize(
    "given",
    [
        says("200 OK", LOGIN),
        says("200 OK"),
        says("200 OK", length=-5),
        says("200 OK", "{}"),
        says("200 OK", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
        says("200 OK", "<Envelope><Body><OtherResponse/></Body></Envelope>"),
        says("200 OK", fault("Sender", "ActionNotSupported", "no")),
        says("404 Not Found", LOGIN),
    ],
    ids=["page", "empty", "negative", "json", "entity", "other", "fault", "404"],
)
@pytest.mark.parametrize("operation", ["GetServices", "GetEventSearchResults"])
async def test_answer_that_is_none_is_never_taken_for_nothing_recorded(given: bytes, operation: str) -> None:
    assert (await fails(given, operation)).code == "not-a-recorder"


@pytest.mark.recorder_answer("onvif", Behaviour.WRONG_LENGTH, "视为中断，重试。", "Broken off: tried again.")
async def test_short_answer_is_broken_off() -> None:
    assert (await fails(says("200 OK", "<Envelope>", length=4096))).code == "broken-off"


@pytest.mark.parametrize("wrong", ["bare tracks", "no tracks"])
async def test_bounds_of_the_whole_recording_stand_in_for_those_of_its_tracks(wrong: str) -> None:
    assert await covered(device(wrong=wrong), span(-100, 300)) == [span(0, 60), span(90, 200)]


async def test_recording_without_anything_holds_nothing() -> None:
    empty = OnvifDevice([Held("REC_1", "source-1", [])])
    assert await covered(empty, span(0, 60)) == []
    async with serving(empty) as address:
        assert (await recorder(address).probe()).oldest_frame == {}


@pytest.mark.parametrize("wrong", ["no search", "no state"])
async def test_device_that_does_not_keep_to_profile_g_is_told(wrong: str) -> None:
    async with serving(device(wrong=wrong)) as address:
        with pytest.raises(RecorderDown) as caught:
            await recorder(address).coverage("REC_1", span(0, 60))
    assert caught.value.code == "not-a-recorder"


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00Z", "2026-03-01", "", "0001-01-01T00:00:00+08:00"])
async def test_time_that_is_none_is_told(text: str) -> None:
    def write(moment: datetime) -> str:
        return text if moment == at(90) else utc(moment)

    with pytest.raises(RecorderDown, match="a time that is none"):
        await covered(device(write=write), span(0, 300))


@pytest.mark.recorder_answer(
    "onvif",
    Behaviour.SECRET_ECHOED,
    "错误只引用故障代码，不引用原文。",
    "Errors name the fault's codes alone, never its words.",
)
async def test_words_of_a_fault_reach_no_error() -> None:
    error = await fails(says("400 Bad Request", fault("Sender", "InvalidArgVal", "pa&amp;ss&lt;w0rd&gt; is wrong")))
    assert "InvalidArgVal" in str(error)
    assert "is wrong" not in str(error)


async def test_footage_is_not_fetched_and_where_it_is_replayed_is_said() -> None:
    async with serving(device()) as address:
        source = recorder(address)
        assert await source.replay_addresses("source-1") == ["rtsp://127.0.0.1:8554/replay/REC_1"]
        with pytest.raises(ReplayUnsupported, match="upload the file") as caught:
            [one async for one in source.fetch("REC_1", span(0, 60))]
        with pytest.raises(ReplayUnsupported):
            await source.snapshot("REC_1", at(1))
        assert await source.protect("REC_1", span(0, 60)) is False
    assert "rtsp://127.0.0.1:8554/replay/REC_1)" in str(caught.value)
    assert "t0ken" not in str(caught.value)
    assert ReplayUnsupported.code == "replay-unsupported"


@pytest.mark.parametrize(("wrong", "channel"), [("inside", "REC_1"), ("", "REC_9")])
async def test_footage_is_not_fetched_whatever_is_told_of_its_address(wrong: str, channel: str) -> None:
    async with serving(device(wrong=wrong)) as address:
        with pytest.raises(ReplayUnsupported) as caught:
            [one async for one in recorder(address).fetch(channel, span(0, 60))]
    assert "rtsp" not in str(caught.value)


async def test_test_button_says_that_nothing_can_be_fetched() -> None:
    row: Any = SimpleNamespace(kind="onvif", configuration={})
    camera: Any = SimpleNamespace(name_zh="大门", name_en="gate", channel="REC_1")
    async with serving(device()) as address:
        tested = await recorder_probe.probe(lambda *_: recorder(address), row, [camera], at(250))
    [found] = tested.findings
    assert (found.code, found.ok) == ("replay-unsupported", False)
    assert "upload the file" in found.en


async def test_device_service_may_lie_elsewhere() -> None:
    async with serving(device()) as address:
        assert await recorder(f"{address}/services/device").coverage("REC_1", span(0, 60)) == [span(0, 60)]


def test_kind_is_known_and_says_what_it_lacks() -> None:
    assert "no retrieval" in KINDS["onvif"].schema.en
    opened = open_recorder("onvif", {"address": "http://127.0.0.1"}, Places(guard=LOOPBACK))
    assert opened is not None
    for told in ({}, {"address": "http://127.0.0.1", "zone": "Peking"}):
        with pytest.raises(Fatal, match="set "):
            open_recorder("onvif", told)
