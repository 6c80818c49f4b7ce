"""How often a schedule is due: whole days, weeks, months or years on the clock of the organisation."""

import calendar
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

PATTERN = re.compile(r"P(?P<number>[1-9][0-9]{0,2})(?P<unit>[DWMY])")
LONGEST_DAYS = 366 * 3


def parse(text: str) -> tuple[int, int]:
    """Return months and days; ValueError for anything but such as ``P7D``, ``P2W``, ``P3M`` or ``P1Y``."""
    found = PATTERN.fullmatch(text)
    if found is None:
        raise ValueError(f"not a period: {text}")
    number, unit = int(found["number"]), found["unit"]
    months, days = {"D": (0, number), "W": (0, 7 * number), "M": (number, 0), "Y": (12 * number, 0)}[unit]
    if months * 31 + days > LONGEST_DAYS:
        raise ValueError(f"longer than three years: {text}")
    return months, days


def after(moment: datetime, text: str, zone: str) -> datetime:
    """Return the moment one period later, at the same time of the local day; the last day of a shorter month."""
    months, days = parse(text)
    local = moment.astimezone(ZoneInfo(zone))
    if months:
        month = local.month - 1 + months
        year, month = local.year + month // 12, month % 12 + 1
        local = local.replace(year=year, month=month, day=min(local.day, calendar.monthrange(year, month)[1]))
    return (local + timedelta(days=days)).astimezone(moment.tzinfo)


def next_after(moment: datetime, text: str, zone: str, now: datetime) -> datetime:
    """Return the first moment of the series that is later than ``now``: what an outage has left out is not made up."""
    following = after(moment, text, zone)
    while following <= now:
        following = after(following, text, zone)
    return following
