"""Days as people type them, converted to moments in a zone."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.runtime.errors import Refused


def span(since: str, until: str, zone: str) -> tuple[datetime, datetime]:
    """Return the start of the first day and the end of the last; Refused for an invalid day."""
    return beginning(since, zone, "since"), end(until, zone, "until")


def beginning(text: str, zone: str, field: str) -> datetime:
    """Return the moment at which the day begins."""
    return datetime.combine(_day(text, field), time(), ZoneInfo(zone))


def end(text: str, zone: str, field: str) -> datetime:
    """Return the moment at which the day ends and the next one begins."""
    return datetime.combine(_day(text, field) + timedelta(days=1), time(), ZoneInfo(zone))


def optional(text: str, zone: str, field: str, *, last: bool = False) -> datetime | None:
    """Return ``beginning`` (or ``end``), or None for an empty text."""
    if not text:
        return None
    return end(text, zone, field) if last else beginning(text, zone, field)


def _day(text: str, field: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not date(1970, 1, 1) <= day < date(2200, 1, 1):
        raise Refused("day", "Enter a date such as 2026-01-31.", status=422, field=field)
    return day
