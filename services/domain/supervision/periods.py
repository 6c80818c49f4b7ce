"""The periods that are inspected and reported on: months, quarters, years: 2026-10, 2026-Q4, 2026 (R1, R63)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from services.runtime.errors import Refused

MONTH, QUARTER, YEAR = "month", "quarter", "year"
_written = re.compile(r"(?P<year>(?:19|2[0-9])[0-9]{2})-(?:(?P<month>0[1-9]|1[0-2])|Q(?P<quarter>[1-4]))")
_year = re.compile(r"(?:19|2[0-9])[0-9]{2}")


@dataclass(frozen=True)
class Period:
    """A period by its name, with its moments ``[start, end)``."""

    name: str
    start: datetime
    end: datetime


def parse(name: str, zone: str) -> Period:
    """Return the period of this name in ``zone``; Refused for what is none."""
    match = _written.fullmatch(name.strip().upper())
    if match is None:
        raise Refused(
            "period", "Enter a month such as 2026-10, or a quarter such as 2026-Q4.", status=422, field="period"
        )
    year = int(match["year"])
    if match["month"]:
        return _of(name.strip().upper(), year, int(match["month"]), 1, zone)
    return _of(name.strip().upper(), year, 3 * int(match["quarter"]) - 2, 3, zone)


def parse_reported(name: str, zone: str) -> Period:
    """Return the month, quarter or year of this name in ``zone``; Refused for what is none."""
    written = name.strip().upper()
    if _year.fullmatch(written):
        return _of(written, int(written), 1, 12, zone)
    try:
        return parse(written, zone)
    except Refused as refused:
        raise Refused(
            "period",
            "Enter a month such as 2026-10, a quarter such as 2026-Q4, or a year such as 2026.",
            status=422,
            field="period",
        ) from refused


def before(period: Period, zone: str) -> Period:
    """Return the period of the same length that ends where this one begins."""
    number = int(period.name[:4])
    if length_of(period) == YEAR:
        return parse_reported(str(number - 1), zone)
    return last_complete(period.start, length_of(period), zone)


def last_year(now: datetime, zone: str) -> Period:
    """Return the year that has ended last."""
    return parse_reported(str(now.astimezone(ZoneInfo(zone)).year - 1), zone)


def last_complete(now: datetime, length: str, zone: str) -> Period:
    """Return the month or quarter that has ended last."""
    local = now.astimezone(ZoneInfo(zone))
    if length == MONTH:
        before = local.year * 12 + local.month - 2
        return parse(f"{before // 12}-{before % 12 + 1:02d}", zone)
    before = local.year * 4 + (local.month - 1) // 3 - 1
    return parse(f"{before // 4}-Q{before % 4 + 1}", zone)


def length_of(period: Period) -> str:
    """Return whether it is a month, a quarter or a year."""
    if "-" not in period.name:
        return YEAR
    return QUARTER if "Q" in period.name else MONTH


def length_in_months(period: Period) -> int:
    """Return how many months it has."""
    return {MONTH: 1, QUARTER: 3, YEAR: 12}[length_of(period)]


def quarter_of(month: Period, zone: str) -> Period:
    """Return the quarter in which a month lies."""
    year, number = month.name.split("-")
    return parse(f"{year}-Q{(int(number) + 2) // 3}", zone)


def months_of(quarter: Period, zone: str) -> list[Period]:
    """Return the three months of a quarter."""
    year, number = quarter.name.split("-Q")
    return [parse(f"{year}-{3 * int(number) - 2 + month:02d}", zone) for month in range(3)]


def containing(moment: datetime, length: str, zone: str) -> Period:
    """Return the month or quarter that a moment is in."""
    local = moment.astimezone(ZoneInfo(zone))
    name = f"{local.year}-{local.month:02d}" if length == MONTH else f"{local.year}-Q{(local.month + 2) // 3}"
    return parse(name, zone)


def _of(name: str, year: int, month: int, months: int, zone: str) -> Period:
    after = year * 12 + month - 1 + months
    return Period(name, _begin(year, month, zone), _begin(after // 12, after % 12 + 1, zone))


def _begin(year: int, month: int, zone: str) -> datetime:
    return datetime(year, month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
