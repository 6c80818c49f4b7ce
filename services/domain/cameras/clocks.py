"""Compare recorders' clocks with true time, and widen searches accordingly (R34, F3).

Footage keeps the times of its recorder. Only the span that is searched is corrected.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.database.tables.cameras import UPLOADED, Recorder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.runtime import local_times
from services.runtime.errors import NotFound, Refused
from services.runtime.spans import Span
from services.runtime.translations import Message

# Beyond this a search by the clock is useless: a person has to decide which time was meant.
MAX_OFFSET = timedelta(minutes=10)
MAX_COMPARED_OFFSET = timedelta(days=3660)
MIN_UNCERTAINTY = timedelta(seconds=1)  # the clock in a picture shows whole seconds
MAX_AHEAD = timedelta(minutes=1)  # of our own clock; the true time may come from another one
# Two measurements of one clock differ a little: what was searched by the first is not held against the second.
MEASURED_APART = timedelta(seconds=2)
PICTURE = "picture"  # a person compared the clock in the picture with true time


@dataclass(frozen=True)
class Clock:
    """A recorder's clock minus true time; None where it is not known.

    ``method``: api-time, http-date, picture, configured, unknown.
    """

    offset_ms: int | None = None
    method: str = "unknown"
    uncertainty_ms: int | None = None
    measured_at: datetime | None = None

    @property
    def offset(self) -> timedelta:
        return timedelta(milliseconds=self.offset_ms or 0)

    @property
    def uncertainty(self) -> timedelta:
        return timedelta(milliseconds=self.uncertainty_ms or 0)

    @property
    def too_far(self) -> bool:
        """Return whether the clock is too far off to search by it."""
        return self.offset_ms is not None and max(abs(self.offset), self.uncertainty) > MAX_OFFSET

    def true(self, moment: datetime) -> datetime | None:
        """Return the true time of ``moment`` on this clock; None if unmeasured."""
        return None if self.offset_ms is None else moment - self.offset

    def as_json(self) -> dict[str, Any]:
        """Return the clock as records and labels hold it."""
        return {
            "offsetMs": self.offset_ms,
            "method": self.method,
            "uncertaintyMs": self.uncertainty_ms,
            "measuredAt": self.measured_at.isoformat() if self.measured_at else None,
        }


def search_span(granted: Span, clock: Clock) -> Span:
    """Return the span to search, in the recorder's own time.

    It is not known whether an applicant gave true times or times of the recorder. The span covers both, plus the
    uncertainty of the measurement; the granted span alone where the clock is too far off.
    """
    if clock.offset_ms is None or clock.too_far:
        return granted
    start = min(granted.start, granted.start + clock.offset)
    end = max(granted.end, granted.end + clock.offset)
    return Span(start, end).widen(clock.uncertainty)


def get_clock(uow: UnitOfWork, recorder_id: str) -> Clock:
    """Return a recorder's clock as last measured."""
    return clock_of(uow.session.get_one(Recorder, recorder_id))


def clock_of(row: Recorder) -> Clock:
    return Clock(row.clock_offset_ms, row.clock_method or "unknown", row.clock_uncertainty_ms, row.clock_measured_at)


def record_measured(uow: UnitOfWork, row: Recorder, clock: Clock) -> None:
    """Store a measured clock.

    One that a person compared on a picture stays until the recorder itself reports its time.
    """
    if row.clock_method == PICTURE and clock.method in ("configured", "unknown"):
        return
    row.clock_offset_ms, row.clock_method = clock.offset_ms, clock.method
    row.clock_uncertainty_ms = clock.uncertainty_ms
    row.clock_measured_at = None if clock.offset_ms is None else uow.now


def get_for_comparison(uow: UnitOfWork, recorder_id: str) -> Recorder:
    """Return a recorder whose clock a storage operator compares.

    Refused with 403 for others.
    """
    if not access_queries.load_directory(uow).holds(uow.actor.id, "storage-operator"):
        raise Refused(
            "not-operator",
            "Only storage operators can compare recorder clocks.",
            status=403,
        )
    row = uow.session.get(Recorder, recorder_id, with_for_update=True)
    if row is None or row.kind == UPLOADED:
        raise NotFound(Message("recorder"), recorder_id)
    return row


def parse_shown_time(text: str, zone: str, near: datetime) -> datetime:
    """Return the moment a clock in ``zone`` shows as local ``text``.

    Of two possible moments the one nearest to ``near``. In an hour that the zone skips, the clock is taken to have
    missed the change. Refused where the text is no time.
    """
    try:
        local = datetime.fromisoformat(text)
        if local.tzinfo is not None:
            raise _wrong()
        candidates = local_times.candidates(local, zone) or [local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)]
        return min(candidates, key=lambda moment: abs(moment - near))
    except (ValueError, OverflowError) as error:
        raise _wrong() from error


def record_comparison(
    uow: UnitOfWork, recorder_id: str, shown: datetime, true: datetime, uncertainty: timedelta
) -> Recorder:
    """Store a storage operator's comparison of a shown with a true time.

    Refused where the values are implausible.
    """
    row = get_for_comparison(uow, recorder_id)
    offset = shown - true
    if (
        true > uow.now + MAX_AHEAD
        or abs(offset) > MAX_COMPARED_OFFSET
        or not MIN_UNCERTAINTY <= uncertainty <= MAX_OFFSET
    ):
        raise _wrong()
    old = clock_of(row).as_json()
    row.clock_offset_ms, row.clock_method = round(offset / timedelta(milliseconds=1)), PICTURE
    row.clock_uncertainty_ms = round(uncertainty / timedelta(milliseconds=1))
    row.clock_measured_at = uow.now
    audit_trail.record(uow, "recorder-clock-compared", "recorder", recorder_id, old=old, new=clock_of(row).as_json())
    return row


def _wrong() -> Refused:
    return Refused(
        "clock-comparison",
        "Check both times: the true time cannot be in the future, the difference cannot exceed ten years, and "
        "the accuracy must be 1 to 600 seconds.",
        status=422,
        field="shown",
    )
