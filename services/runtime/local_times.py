"""Parse local times in a zone, of which some were shown twice or never (R20), and format the offset."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from services.runtime.errors import Refused


def candidates(local: datetime, zone: str) -> list[datetime]:
    """Return the moments (UTC) at which a clock in ``zone`` showed this time: none to two.

    None where the clock was put forward over it, two where it was put back.
    """
    if local.tzinfo is not None or not 1970 <= local.year < 2200:  # beyond them a zone may leave the calendar
        return []
    zone_info = ZoneInfo(zone)
    moments = {local.replace(tzinfo=zone_info, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(moment for moment in moments if moment.astimezone(zone_info).replace(tzinfo=None, fold=0) == local)


def moment(text: str, zone: str, *, which: str = "") -> datetime:
    """Parse a local ``text`` (ISO 8601, without offset) in ``zone`` into a moment.

    ``which`` is ``first`` or ``second`` where the clock showed the time twice. Refused, each with a code of its own:
    ``time-unreadable``, ``time-skipped``, ``time-twice``.
    """
    try:
        local = datetime.fromisoformat(text)
    except ValueError as error:
        raise _unreadable() from error
    if local.tzinfo is not None or not 1970 <= local.year < 2200:
        raise _unreadable()
    matches = candidates(local, zone)
    shown = local.isoformat(sep=" ")
    if not matches:
        raise Refused(
            "time-skipped",
            "{shown} does not exist in {zone}, because the clock was set forward. Choose another time.",
            status=422,
            zone=zone,
            shown=shown,
        )
    if len(matches) > 1 and which not in ("first", "second"):
        raise Refused(
            "time-twice",
            "{shown} occurred twice in {zone}, because the clock was set back: choose one.",
            status=422,
            zone=zone,
            shown=shown,
        )
    return matches[-1] if which == "second" else matches[0]


def twice(text: str, zone: str) -> bool:
    """Return whether a clock in ``zone`` showed this time twice; False for a text that is no time."""
    try:
        return len(candidates(datetime.fromisoformat(text), zone)) > 1
    except ValueError:
        return False


def local_text(when: datetime, zone: str) -> tuple[str, str]:
    """Format a moment as local time; also return which of two it is, or an empty text."""
    local = when.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    both = candidates(local, zone)
    which = "" if len(both) < 2 else "first" if both[0] == when else "second"
    return local.isoformat(timespec="seconds"), which


def _unreadable() -> Refused:
    return Refused(
        "time-unreadable",
        "Not a valid time: enter it like 2026-01-31 09:30:00.",
        status=422,
    )


def offset(local: datetime) -> str:
    """Format the offset, such as ``UTC+8`` or ``UTC+5:30``."""
    minutes = int((local.utcoffset() or timedelta()).total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")
