"""Parse and format calendar values in Camunda's forms of ISO 8601.

Every `parse_…` returns None for other text.
"""

import re

from services.engine.feel.temporal import (
    DAY,
    MAX_OFFSET,
    NANOS,
    Date,
    DateTime,
    DayTime,
    Time,
    YearMonths,
    Zone,
    region_zone,
    zoned_date_time,
)

_DATE = r"(?P<year>-?(?:[1-9]\d{4,8}|\d{4}))-(?P<month>\d{2})-(?P<day>\d{2})"
_TIME = r"(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
_ZONE = r"(?:(?P<offset>[+-]\d{2}:\d{2}|Z)|@(?P<region>.+))?"
_DATE_TEXT = re.compile(_DATE, re.ASCII)
_TIME_TEXT = re.compile("T?" + _TIME + _ZONE, re.ASCII)
_DATE_TIME_TEXT = re.compile(_DATE + "T" + _TIME + _ZONE, re.ASCII)
_YEAR_MONTHS_TEXT = re.compile(r"(-?)P(?:(-?\d+)Y)?(?:(-?\d+)M)?", re.ASCII)
_DAY_TIME_TEXT = re.compile(
    r"(-?)P(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d{0,9}))?S)?)?", re.ASCII
)
_MAX_MONTHS = 12 * 2**31
_LAST_PLAIN_YEAR = 9999  # a day behind it is written with a plus, as java.time.LocalDate does

Temporal = Date | Time | DateTime | YearMonths | DayTime


def parse_date(text: str) -> Date | None:
    match = _DATE_TEXT.fullmatch(text)
    return _date(match) if match else None


def parse_time(text: str) -> Time | None:
    match = _TIME_TEXT.fullmatch(text)
    if match is None:
        return None
    nanos = _nanos(match)
    if match["second"] is None and (match["offset"] or match["region"]):
        return None  # as in Camunda, a time with a zone has seconds
    try:
        return None if nanos is None else Time(nanos, _zone(match))
    except ValueError:
        return None


def parse_date_time(text: str) -> DateTime | None:
    """Parse a date and time; a date alone is that day's midnight."""
    match = _DATE_TIME_TEXT.fullmatch(text)
    if match is None:
        date = parse_date(text)
        return DateTime(date, 0) if date else None
    date, nanos = _date(match), _nanos(match)
    if date is None or nanos is None:
        return None
    try:
        zone = _zone(match)
    except ValueError:
        return None
    return zoned_date_time(date, nanos, zone)


def parse_duration(text: str) -> YearMonths | DayTime | None:
    match = _YEAR_MONTHS_TEXT.fullmatch(text)
    if match and (match[2] or match[3]):
        months = int(match[2] or 0) * 12 + int(match[3] or 0)
        return YearMonths(-months if match[1] else months) if abs(months) < _MAX_MONTHS else None
    match = _DAY_TIME_TEXT.fullmatch(text)
    if match is None or text.endswith(("P", "T")):
        return None
    seconds = int(match[2] or 0) * 86_400 + int(match[3] or 0) * 3600 + int(match[4] or 0) * 60
    part = int(match[6] or 0) * NANOS + int((match[7] or "").ljust(9, "0"))
    nanos = seconds * NANOS + (-part if match[5] else part)
    return DayTime(-nanos if match[1] else nanos)


def parse_temporal(text: str) -> Temporal | None:
    """Parse any kind of calendar value (the literal `@"…"`)."""
    return parse_date(text) or parse_time(text) or parse_date_time(text) or parse_duration(text)


def parse_zone(text: str) -> Zone | None:
    """Parse `Z`, `+02:00` or a region."""
    try:
        if text == "Z" or re.fullmatch(r"[+-]\d{2}:\d{2}(:\d{2})?", text, re.ASCII):
            return Zone(offset=_offset_seconds(text))
        region_zone(text)
    except ValueError:
        return None
    return Zone(region=text)


def format_temporal(value: Temporal) -> str:
    """Return the text of `string()`; as in Camunda, a duration's fraction of a second is left out."""
    if isinstance(value, Date):
        return ("+" if value.year > _LAST_PLAIN_YEAR else "") + _format_date(value)
    if isinstance(value, Time):
        return _format_nanos(value.nanos) + _format_zone(value.zone)
    if isinstance(value, DateTime):
        return f"{_format_date(value.date)}T{_format_nanos(value.nanos)}{_format_zone(value.zone)}"
    if isinstance(value, YearMonths):
        return _format_year_months(value)
    return _format_day_time(value.in_whole_seconds())


def format_for_json(value: Temporal) -> str:
    """Return the text that Zeebe stores.

    A date and time has offset and region; a local time without seconds omits them.
    """
    if isinstance(value, DateTime) and value.zone is not None and value.zone.region is not None:
        local = format_temporal(DateTime(value.date, value.nanos, Zone(offset=value.offset)))
        return f"{local}[{value.zone.region}]"
    if isinstance(value, Time) and value.zone is None and value.nanos % (60 * NANOS) == 0:
        return _format_nanos(value.nanos).removesuffix(":00")
    return _format_day_time(value) if isinstance(value, DayTime) else format_temporal(value)


def format_offset(seconds: int) -> str:
    """Return an offset from UTC as text: `Z`, `+02:00`, `-01:30:15`."""
    if seconds == 0:
        return "Z"
    size = abs(seconds)
    tail = f":{size % 60:02d}" if size % 60 else ""
    return f"{'-' if seconds < 0 else '+'}{size // 3600:02d}:{size // 60 % 60:02d}{tail}"


def _date(match: re.Match[str]) -> Date | None:
    try:
        return Date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None


def _nanos(match: re.Match[str]) -> int | None:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if minute > 59 or second > 59 or hour > 23:
        return None
    return (hour * 3600 + minute * 60 + second) * NANOS + int((match["fraction"] or "").ljust(9, "0"))


def _offset_seconds(text: str) -> int:
    if text == "Z":
        return 0
    hours, minutes, *rest = (int(part) for part in text[1:].split(":"))
    seconds = hours * 3600 + minutes * 60 + sum(rest)
    if minutes > 59 or seconds > MAX_OFFSET:
        raise ValueError(f"'{text}' is not an offset.")
    return -seconds if text[0] == "-" else seconds


def _zone(match: re.Match[str]) -> Zone | None:
    region = match["region"]
    if region is not None:
        region_zone(region)
        return Zone(region=region)
    return Zone(offset=_offset_seconds(match["offset"])) if match["offset"] else None


def _format_date(date: Date) -> str:
    sign = "-" if date.year < 0 else ""
    return f"{sign}{abs(date.year):04d}-{date.month:02d}-{date.day:02d}"


def _fraction(nanos: int) -> str:
    return f".{nanos:09d}".rstrip("0") if nanos else ""


def _format_nanos(nanos: int) -> str:
    seconds, rest = divmod(nanos % DAY, NANOS)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{_fraction(rest)}"


def _format_zone(zone: Zone | None) -> str:
    if zone is None:
        return ""
    if zone.region is not None:
        return "@" + zone.region
    return format_offset(zone.offset or 0)


def _format_year_months(value: YearMonths) -> str:
    if value.months == 0:
        return "P0Y"
    years, months = divmod(abs(value.months), 12)
    return ("-P" if value.months < 0 else "P") + (f"{years}Y" if years else "") + (f"{months}M" if months else "")


def _format_day_time(value: DayTime) -> str:
    if value.nanos == 0:
        return "P0D"
    days, hours, minutes, seconds, nanos = (abs(part) for part in value.parts())
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if seconds or nanos:
        clock += f"{seconds}{_fraction(nanos)}S"
    return ("-P" if value.nanos < 0 else "P") + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
