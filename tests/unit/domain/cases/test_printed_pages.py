"""The printed pages say what the documents' data say, in the zone in which people asked."""

from typing import Any

import pytest

from services.domain.cases.document_layouts import render_page
from services.rendering.formatting import moment
from services.vault.labels import EXAMINED

SPAN = {"start": "2031-03-04T01:00:02+00:00", "end": "2031-03-04T01:00:20+00:00", "zone": "Asia/Shanghai"}


def record(**changes: Any) -> dict[str, Any]:
    """A retrieval record's data."""
    recorder = {"name": "一号录像机", "kind": "folder", "make": None, "model": None, "identity": None}
    camera = {"id": "c", "nameZh": "北门", "nameEn": "North gate", "channel": "gate"}
    gap = ["2031-03-04T01:00:08+00:00", "2031-03-04T01:00:16.250000+00:00"]
    obtained = {"covered": [], "gaps": [gap], "leadInMs": 750, "tailMs": 0, "codecs": ["h264"], "sources": []}
    return {
        "title": "视频录像调取记录",
        "organisation": "本单位",
        "policyVersion": "2026-01",
        "demo": False,
        "form": {"number": "SQ-2031-000001", "sha256": "f" * 64},
        "operator": {"id": "o", "name": "胡涛"},
        "secondPersons": [],
        "source": {"site": "厂区", "recorder": recorder, "camera": camera, "origin": "recorder"},
        "recorderClock": {"zone": "UTC", "offsetMs": 1500, "method": "ntp", "uncertaintyMs": None},
        "asked": SPAN,
        "outcome": "partial",
        "coverage": 0.541667,
        "obtained": obtained,
        "files": [],
        "tools": {"footage-desk": "0.1.0"},
        "startedAt": "2031-03-04T04:00:00+00:00",
        "finishedAt": "2031-03-04T04:00:01+00:00",
        "difficulties": ["<script>"],
        **changes,
    }


def test_a_moment_is_told_in_the_zone_that_was_asked_in() -> None:
    assert moment("2031-03-04T23:30:00+00:00", "Asia/Shanghai") == "2031-03-05 07:30:00"
    assert moment("2031-03-04T23:30:00.125000Z", "UTC", exact=True) == "2031-03-04 23:30:00.125"


@pytest.mark.parametrize(
    ("told", "zone", "printed"),
    [
        ("2031-10-26T00:30:00Z", "Europe/Berlin", "2031-10-26 02:30:00 (+02:00)"),
        ("2031-10-26T01:30:00Z", "Europe/Berlin", "2031-10-26 02:30:00 (+01:00)"),
        ("2031-10-25T23:59:59Z", "Europe/Berlin", "2031-10-26 01:59:59"),
        ("2031-10-26T02:00:00Z", "Europe/Berlin", "2031-10-26 03:00:00"),
        ("2031-03-30T00:59:59Z", "Europe/Berlin", "2031-03-30 01:59:59"),
        ("2031-03-30T01:00:00Z", "Europe/Berlin", "2031-03-30 03:00:00"),
        ("2031-10-26T00:30:00Z", "Asia/Shanghai", "2031-10-26 08:30:00"),
    ],
)
def test_a_printed_time_is_never_two_times(told: str, zone: str, printed: str) -> None:
    assert moment(told, zone) == printed


@pytest.mark.requirement("R34", "R35")
def test_the_record_prints_both_times_and_where_it_was_searched() -> None:
    obtained = record()["obtained"] | {
        **{"firstFrame": "2031-03-04T01:00:01+00:00", "lastFrame": "2031-03-04T01:00:23.900000+00:00"},
        **{"trimmedBeforeMs": 4000, "trimmedAfterMs": 2500},
    }
    printed = render_page(
        "retrieval-record",
        "DQ-2031-000001",
        "a" * 64,
        record(
            obtained=obtained,
            searched={"start": "2031-03-04T01:00:01+00:00", "end": "2031-03-04T01:00:24+00:00"},
            trueTime={"firstFrame": "2031-03-04T00:59:58+00:00", "lastFrame": "2031-03-04T01:00:20.900000+00:00"},
            recorderClock={
                **{"zone": "UTC", "offsetMs": 3000, "method": "picture", "uncertaintyMs": 1000},
                "measuredAt": "2031-03-04T03:00:00+00:00",
            },
            reported={"submitted": None, "retrieved": [SPAN]},
            recorderProtection=["protected", None],
            recorderChanges=[
                {"at": "2031-03-04T02:00:00+00:00", "by": {"id": "a", "name": "罗欣"}, "fields": ["address", "zone"]}
            ],
            difficulties=["promised and not given: 2031-03-04T01:00:08+00:00 to 2031-03-04T01:00:16+00:00"],
        ),
    )

    assert "检索时间段" in printed
    assert "2031-03-04 09:00:01.000 至 2031-03-04 09:00:24.000（录像机时间" in printed
    assert "录像机时间 2031-03-04 09:00:01.000 至 2031-03-04 09:00:23.900" in printed
    assert "标准时间 2031-03-04 08:59:58.000 至 2031-03-04 09:00:20.900" in printed
    assert "偏差 3000 毫秒（与画面上的时钟核对，不确定度 1000 毫秒，测于 2031-03-04 11:00:00）" in printed
    assert "另取后裁去 4000 毫秒／2500 毫秒" in printed
    assert "提交时 未答复" in printed
    assert "已在录像机上锁定；锁定失败" in printed
    assert "2031-03-04 10:00:00，罗欣（address、zone）" in printed
    assert "录像机报有而未给出" in printed


@pytest.mark.requirement("R35")
def test_the_record_tells_what_is_missing_and_in_which_zone() -> None:
    printed = render_page("retrieval-record", "DQ-2031-000001", "a" * 64, record())

    assert "2031-03-04 09:00:08.000 至 2031-03-04 09:00:16.250" in printed
    assert "均为 Asia/Shanghai 时间" in printed
    assert "54.17 %" in printed
    assert "偏差 1500 毫秒（ntp）" in printed
    assert "DEMO" not in printed


def test_a_record_of_nothing_is_printed_too() -> None:
    printed = render_page(
        "retrieval-record", "DQ-2031-000002", "a" * 64, record(outcome="missing", obtained=None, coverage=0)
    )

    assert "无录像" in printed
    assert "实得时间段" not in printed


def test_what_was_made_under_a_turned_clock_says_so() -> None:
    assert "DEMO" in render_page("retrieval-record", "DQ-2031-000001", "a" * 64, record(demo=True))


def test_nothing_that_people_wrote_becomes_markup() -> None:
    assert "<script>" not in render_page("retrieval-record", "DQ-2031-000001", "a" * 64, record())


def test_what_the_outcome_rests_on_is_printed_in_chinese() -> None:
    printed = render_page("retrieval-record", "DQ-2031-000001", "a" * 64, record(examined=list(EXAMINED)))

    assert "解码每一部分的第一个关键帧" in printed
    assert not [what for what in EXAMINED if what in printed]
