"""Calendar values: dates, times, zones and durations beyond Python's limits.

Python's own types end at year 9999 and at microseconds; FEEL's do not (DMN 1.3, 10.3.2.3), so the values are small
immutable classes and the calendar counts days from 1970-01-01 (proleptic Gregorian).
"""

from calendar import isleap
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

NANOS = 1_000_000_000
DAY = 86_400 * NANOS
MAX_YEAR = 999_999_999
MAX_OFFSET = 18 * 3600  # seconds from UTC
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTHS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_EPOCH = 719_162  # days from 0001-01-01 to 1970-01-01
_DAYS_IN_400_YEARS = 146_097


def month_length(year: int, month: int) -> int:
    return 29 if month == 2 and isleap(year) else _MONTH_DAYS[month - 1]


def day_number(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01."""
    before = year - 1
    leap_day = 1 if month > 2 and isleap(year) else 0
    year_days = before * 365 + before // 4 - before // 100 + before // 400
    return year_days + _MONTHS_BEFORE[month - 1] + leap_day + day - 1 - _EPOCH


def calendar_date(number: int) -> tuple[int, int, int]:
    """Return year, month and day of a day number."""
    cycles, rest = divmod(number + _EPOCH, _DAYS_IN_400_YEARS)
    python_date = datetime(1, 1, 1, tzinfo=UTC) + timedelta(days=rest)
    return python_date.year + 400 * cycles, python_date.month, python_date.day


@dataclass(frozen=True, slots=True)
class YearMonths:
    """A years and months duration."""

    months: int

    @property
    def years_part(self) -> int:
        return int(self.months / 12)

    @property
    def months_part(self) -> int:
        return self.months - 12 * self.years_part


@dataclass(frozen=True, slots=True)
class DayTime:
    """A days and time duration, in nanoseconds."""

    nanos: int

    def parts(self) -> tuple[int, int, int, int, int]:
        """Return days, hours, minutes, seconds and nanoseconds, all with the sign."""
        sign = -1 if self.nanos < 0 else 1
        seconds, nanos = divmod(abs(self.nanos), NANOS)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        return sign * days, sign * hours, sign * minutes, sign * seconds, sign * nanos

    def in_whole_seconds(self) -> "DayTime":
        """Return the duration without its fraction, rounded down: what Camunda's FEEL shows of it."""
        return DayTime(self.nanos // NANOS * NANOS)


@dataclass(frozen=True, slots=True)
class Date:
    """A day; raises ValueError for a day that does not exist."""

    year: int
    month: int
    day: int

    def __post_init__(self) -> None:
        if abs(self.year) > MAX_YEAR:
            raise ValueError(f"The year {self.year} is out of range.")
        if not 1 <= self.month <= 12 or not 1 <= self.day <= month_length(self.year, self.month):
            raise ValueError(f"The calendar has no day {self.year}-{self.month}-{self.day}.")

    @property
    def number(self) -> int:
        return day_number(self.year, self.month, self.day)

    @property
    def weekday(self) -> int:
        """Return 1 for Monday to 7 for Sunday."""
        return (self.number + 3) % 7 + 1

    def plus_days(self, days: int) -> "Date":
        return Date(*calendar_date(self.number + days))

    def plus_months(self, months: int) -> "Date":
        """Return the same day of another month, or that month's last day."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Date(year, month + 1, min(self.day, month_length(year, month + 1)))


@dataclass(frozen=True, slots=True)
class Zone:
    """An offset from UTC in seconds, or a region without offset."""

    offset: int | None = None
    region: str | None = None

    def seconds_at(self, local_seconds: int) -> int:
        """Return the offset at a local time.

        The time is in seconds since 1970-01-01T00:00 of that zone.
        """
        if self.region is None:
            return self.offset or 0
        year = min(max(calendar_date(local_seconds // 86_400)[0], 2), 9998)
        shift = year - calendar_date(local_seconds // 86_400)[0]
        moved = local_seconds if shift == 0 else 0
        local = datetime(1970, 1, 1) + timedelta(seconds=moved)  # noqa: DTZ001 - a wall clock reading, zone follows
        offset = region_zone(self.region).utcoffset(local)
        return int(offset.total_seconds()) if offset is not None else 0

    def seconds_at_instant(self, instant_seconds: int) -> int:
        """Return the offset at an instant, in seconds since 1970-01-01T00:00Z."""
        if self.region is None:
            return self.offset or 0
        if not -62_000_000_000 < instant_seconds < 253_000_000_000:
            return self.seconds_at(instant_seconds)
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant_seconds)
        offset = moment.astimezone(region_zone(self.region)).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0

    def standard_seconds(self) -> int:
        """Return the offset without summer time, that of 2024 for a region."""
        if self.region is None:
            return self.offset or 0
        zone, moment = region_zone(self.region), datetime(2024, 1, 1)  # noqa: DTZ001 - a wall clock reading, zone follows
        offset, summer = zone.utcoffset(moment), zone.dst(moment)
        return int((offset - summer).total_seconds()) if offset is not None and summer is not None else 0


@lru_cache(maxsize=512)
def region_zone(region: str) -> ZoneInfo:
    """Return a region's zone; raises ValueError for an unknown region."""
    try:
        return ZoneInfo(region)
    except (OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError; a folder's name an OSError
        raise ValueError(f"The zone database has no region '{region}'.") from error


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day in nanoseconds, with or without a zone."""

    nanos: int
    zone: Zone | None = None

    @property
    def offset(self) -> int:
        """Return the seconds from UTC; a region has its offset without summer time."""
        return self.zone.standard_seconds() if self.zone else 0

    def plus_nanos(self, nanos: int) -> "Time":
        return Time((self.nanos + nanos) % DAY, self.zone)


@dataclass(frozen=True, slots=True)
class DateTime:
    """A day and a time in nanoseconds, with or without zone.

    `seconds` is the offset from UTC at that time; it is only needed for an hour that the clocks repeat.
    """

    date: Date
    nanos: int
    zone: Zone | None = None
    seconds: int | None = None

    @property
    def local_nanos(self) -> int:
        return self.date.number * DAY + self.nanos

    @property
    def offset(self) -> int:
        if self.zone is None:
            return 0
        return self.seconds if self.seconds is not None else self.zone.seconds_at(self.local_nanos // NANOS)

    @property
    def instant_nanos(self) -> int:
        """Return the nanoseconds since 1970-01-01T00:00Z; without a zone as UTC."""
        return self.local_nanos - self.offset * NANOS

    def plus_nanos(self, nanos: int) -> "DateTime":
        if self.zone is None:
            return local_date_time(self.local_nanos + nanos)
        return date_time_at(self.instant_nanos + nanos, self.zone)

    def plus_months(self, months: int) -> "DateTime":
        return zoned_date_time(self.date.plus_months(months), self.nanos, self.zone)


def zoned_date_time(date: Date, nanos: int, zone: Zone | None) -> DateTime:
    """Return a local time in a zone; one that the clocks leave out is moved on by what they leave out."""
    value = DateTime(date, nanos, zone)
    return date_time_at(value.instant_nanos, zone) if zone is not None and zone.region is not None else value


def day_of(value: Date | DateTime) -> Date:
    return value.date if isinstance(value, DateTime) else value


def local_date_time(local_nanos: int) -> DateTime:
    days, nanos = divmod(local_nanos, DAY)
    return DateTime(Date(*calendar_date(days)), nanos)


def date_time_at(instant_nanos: int, zone: Zone) -> DateTime:
    """Return a zone's local time at an instant, in nanoseconds since 1970-01-01T00:00Z."""
    seconds = zone.seconds_at_instant(instant_nanos // NANOS)
    days, nanos = divmod(instant_nanos + seconds * NANOS, DAY)
    return DateTime(Date(*calendar_date(days)), nanos, zone, seconds if zone.region else None)


def date_time_from_python(moment: datetime) -> DateTime:
    """Convert a datetime; naive ones stay local, a ZoneInfo keeps its region."""
    nanos = ((moment.hour * 60 + moment.minute) * 60 + moment.second) * NANOS + moment.microsecond * 1000
    date = Date(moment.year, moment.month, moment.day)
    offset = moment.utcoffset()
    if offset is None:
        return DateTime(date, nanos)
    region = moment.tzinfo.key if isinstance(moment.tzinfo, ZoneInfo) else None
    if region is None or region == "UTC":
        return DateTime(date, nanos, Zone(offset=int(offset.total_seconds())))
    return DateTime(date, nanos, Zone(region=region), int(offset.total_seconds()))
