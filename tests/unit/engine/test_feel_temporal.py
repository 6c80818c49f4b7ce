"""Dates, times, date-times, both kinds of duration: reading, printing, reckoning, comparing, parts."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from services.engine.feel import compile_expression
from services.engine.feel.convert import text_of


def shown(expression: str) -> str:
    return text_of(compile_expression(expression).evaluate({"dueAt": "2026-12-04T08:00:00Z", "hours": 3}))


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29",
        "0001-01-01",
        "-0044-03-15",
        "10:11:12",
        "10:11:12.123456789",
        "10:11:12Z",
        "10:11:12+02:00",
        "10:11:12-11:30",
        "10:11:12@Europe/Berlin",
        "2024-02-29T10:11:12",
        "2024-02-29T10:11:12.5",
        "2024-02-29T10:11:12Z",
        "2024-02-29T10:11:12+08:00",
        "2024-02-29T10:11:12@Asia/Shanghai",
        "P1D",
        "PT1H30M",
        "P1DT2H3M4S",
        "-PT5M",
        "P1Y",
        "P1Y2M",
        "-P3M",
    ],
)
def test_a_value_prints_as_it_is_read(text: str) -> None:
    assert shown(f'string(@"{text}")') == f'"{text}"'


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ('date and time("2024-02-29")', "2024-02-29T00:00:00"),
        ('date and time("2024-02-29T10:11")', "2024-02-29T10:11:00"),
        ('date and time("2024-02-29T10:11:12+00:00")', "2024-02-29T10:11:12Z"),
        ('time("T10:11:12")', "10:11:12"),
        ('time("10:11")', "10:11:00"),
        ('duration("PT24H")', "P1D"),
        ('duration("PT90M")', "PT1H30M"),
        ('duration("P14M")', "P1Y2M"),
        ('duration("P0D")', "P0D"),
        ('duration("PT0S")', "P0D"),
        ('duration("P0Y")', "P0Y"),
        ('duration("-P1D")', "-P1D"),
        ("date(2024, 2, 29)", "2024-02-29"),
        ("time(23, 59, 0)", "23:59:00"),
        ("time(23, 59, 1.5)", "23:59:01.5"),
        ('time(14, 30, 0, duration("PT1H"))', "14:30:00+01:00"),
        ('date(date and time("2012-12-25T11:00:00"))', "2012-12-25"),
        ('time(date and time("2012-12-25T11:00:00Z"))', "11:00:00Z"),
        ('date and time(date("2012-12-24"), time("23:59:00"))', "2012-12-24T23:59:00"),
        ('date and time(date("2012-12-24"), time("23:59:00+01:00"))', "2012-12-24T23:59:00+01:00"),
        ('date and time(@"2012-12-25T11:00:00Z", time("23:59:00"))', "2012-12-25T23:59:00"),
        (
            'date and time(@"2020-07-31T14:27:30@Europe/Berlin", "America/Los_Angeles")',
            "2020-07-31T05:27:30@America/Los_Angeles",
        ),
        ('date and time(@"2020-07-31T14:27:30", "Z")', "2020-07-31T14:27:30Z"),
        ('years and months duration(date("2011-12-22"), date("2013-08-24"))', "P1Y8M"),
        ('years and months duration(date("2013-08-24"), date("2011-12-22"))', "-P1Y8M"),
        ('years and months duration(date("2024-01-31"), date("2024-02-29"))', "P0Y"),
    ],
)
def test_made_from_parts_or_text(text: str, printed: str) -> None:
    assert shown(text) == printed


@pytest.mark.parametrize(
    "text",
    [
        'date("2023-02-29")',
        'date("2024-13-01")',
        'date("24-01-01")',
        'date("2024-01-01T10:00:00")',
        "date(2024, 2, 30)",
        'time("25:00:00")',
        'time("10:60:00")',
        'time("10:00:00+19:00")',
        'time("10:00:00@Nowhere/City")',
        'date and time("2024-01-01T24:00:00")',
        'date and time("2024-01-01 10:00:00")',
        'duration("P")',
        'duration("PT")',
        'duration("P1Y1D")',
        'duration("1D")',
        "time(24, 0, 0)",
    ],
)
def test_no_such_value_is_null(text: str) -> None:
    assert shown(text) == "null"


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ('date("2024-01-31") + duration("P1M")', "2024-02-29"),
        ('date("2024-02-29") - duration("P1Y")', "2023-02-28"),
        ('date("2024-02-28") + duration("P2D")', "2024-03-01"),
        ('date("2024-02-28") + duration("PT36H")', "2024-02-29"),
        ('duration("P1D") + date("2024-12-31")', "2025-01-01"),
        ('date("2024-03-01") - date("2024-02-01")', "P29D"),
        ('time("23:30:00") + duration("PT1H")', "00:30:00"),
        ('time("00:30:00") - duration("PT1H")', "23:30:00"),
        ('time("10:30:00") - time("09:00:00")', "PT1H30M"),
        ('date and time("2024-01-01T00:00:00") - duration("PT1S")', "2023-12-31T23:59:59"),
        ('date and time("2024-01-31T10:00:00Z") + duration("P1M")', "2024-02-29T10:00:00Z"),
        ('@"2024-03-31T01:30:00@Europe/Berlin" + @"PT1H"', "2024-03-31T03:30:00@Europe/Berlin"),
        ('@"2024-01-02T00:00:00Z" - @"2024-01-01T00:00:00+01:00"', "P1DT1H"),
        ('duration("P1D") + duration("PT12H")', "P1DT12H"),
        ('duration("P1Y") - duration("P3M")', "P9M"),
        ('duration("PT20M") * 3', "PT1H"),
        ('2 * duration("P1Y3M")', "P2Y6M"),
        ('duration("P1D") / 4', "PT6H"),
        ('duration("P1Y") / 5', "P2M"),
        ('duration("P1D") / duration("PT6H")', "4"),
        ('duration("P1Y") / duration("P6M")', "2"),
        ('duration("P1D") / 0', "null"),
        ('date("2024-01-01") + 1', "null"),
        ('duration("P1D") + duration("P1M")', "null"),
        ('time("10:00:00") + duration("P1M")', "null"),
        ('@"2024-01-01T00:00:00Z" - @"2024-01-01T00:00:00"', "null"),
    ],
)
def test_arithmetic(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ('date("2024-02-01") > date("2024-01-31")', "true"),
        ('date("2024-02-01") in [date("2024-01-01")..date("2024-12-31")]', "true"),
        ('@"10:00:00+01:00" < @"10:00:00Z"', "true"),
        ('@"2024-01-01T10:00:00" < @"2024-01-01T10:00:00Z"', "null"),
        ('duration("P1D") = duration("PT24H")', "true"),
        ('duration("P1Y") > duration("P11M")', "true"),
        ('duration("P1M") < duration("P40D")', "null"),
        ('date("2024-01-01") = "2024-01-01"', "null"),
        ('max(date("2024-01-01"), date("2025-01-01"))', "2025-01-01"),
    ],
)
def test_comparison(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ('date("2024-02-29").year', "2024"),
        ('date("2024-02-29").month', "2"),
        ('date("2024-02-29").day', "29"),
        ('date("2024-02-29").weekday', "4"),
        ('date("2024-02-29").hour', "null"),
        ('@"2024-02-29T10:11:12".hour', "10"),
        ('@"10:11:12.9".second', "12"),
        ('@"10:11:12".minute', "11"),
        ('@"10:11:12+02:30".time offset', "PT2H30M"),
        ('@"10:11:12".time offset', "null"),
        ('@"2024-07-01T10:11:12@Europe/Berlin".timezone', '"Europe/Berlin"'),
        ('@"2024-07-01T10:11:12@Europe/Berlin".time offset', "PT2H"),
        ('@"2024-07-01T10:11:12+02:00".timezone', "null"),
        ('duration("P1Y2M").years', "1"),
        ('duration("P1Y2M").months', "2"),
        ('duration("P1DT2H3M4S").days', "1"),
        ('duration("P1DT2H3M4S").hours', "2"),
        ('duration("P1DT2H3M4S").minutes', "3"),
        ('duration("P1DT2H3M4S").seconds', "4"),
        ('duration("-PT90M").minutes', "-30"),
        ('duration("P1Y").days', "null"),
        ('day of year(date("2024-03-01"))', "61"),
        ('day of week(date("2024-02-29"))', '"Thursday"'),
        ('month of year(@"2024-02-29T10:00:00Z")', '"February"'),
        ('week of year(date("2021-01-03"))', "53"),
        ('last day of month(date("2024-02-01"))', "2024-02-29"),
        ('abs(duration("-PT5H"))', "PT5H"),
        ('abs(duration("-P2M"))', "P2M"),
    ],
)
def test_parts(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ('string(date and time("2026-01-05T10:00:00Z") - duration("P3D"))', '"2026-01-02T10:00:00Z"'),
        ('"R/" + string(date and time(dueAt) - duration("P3D")) + "/P1D"', '"R/2026-12-01T08:00:00Z/P1D"'),
        ('duration("PT" + string(hours) + "H")', "PT3H"),
        ('cycle(duration("PT1H"))', '"R/PT1H"'),
        ('cycle(3, duration("P1D"))', '"R3/P1D"'),
        ('cycle(duration("PT0.5S"))', '"R/PT0.5S"'),
        ('cycle(repetitions: 3, interval: duration("P1M"))', '"R3/P1M"'),
        ('cycle(null, duration("P1D"))', '"R/P1D"'),
        ('cycle("PT1H")', "null"),
    ],
)
def test_timer_expressions(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("moment", "now", "today"),
    [
        (datetime(2026, 12, 1, 8, 30, tzinfo=UTC), "2026-12-01T08:30:00Z", "2026-12-01"),
        (datetime(2026, 12, 1, 23, 30, tzinfo=timezone(timedelta(hours=8))), "2026-12-01T23:30:00+08:00", "2026-12-01"),
        (
            datetime(2026, 12, 1, 8, 30, tzinfo=ZoneInfo("Asia/Shanghai")),
            "2026-12-01T08:30:00@Asia/Shanghai",
            "2026-12-01",
        ),
    ],
)
def test_the_clock_is_the_one_given(moment: datetime, now: str, today: str) -> None:
    expression = compile_expression("[now(), today()]")
    assert text_of(expression.evaluate({}, now=lambda: moment)) == f"[{now}, {today}]"


def test_an_hour_that_the_clocks_repeat_keeps_its_offset() -> None:
    first = '@"2024-10-27T00:30:00Z"'
    assert shown(f'string(date and time({first}, "Europe/Berlin") + @"PT1H" - {first})') == '"PT1H"'
