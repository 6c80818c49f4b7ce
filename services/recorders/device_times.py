"""The times of recorders that tell their own wall clock, with a Z behind it or nothing, or UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from services.runtime.spans import Span

WRITTEN = "%Y-%m-%dT%H:%M:%SZ"
AROUND = timedelta(hours=3)  # a clock change this near to a span counts for it
CHANGE = timedelta(hours=2)  # more than any clock is set back by


@dataclass(frozen=True)
class DeviceTimes:
    """Reads and writes times; with ``utc`` a Z is believed. ``form`` is how they are written."""

    zone: ZoneInfo
    utc: bool = False
    form: str = WRITTEN

    def written(self, span: Span) -> tuple[str, str]:
        """The span in whole seconds outward; around a clock change wide enough to hold both hours of the same name."""
        start, end = _outward(span)
        if not self.utc and self._offset(start - AROUND) != self._offset(end + AROUND):
            start, end = start - CHANGE, end + CHANGE
        return self._write(start), self._write(end)

    def exact(self, span: Span) -> tuple[str, str] | None:
        """The span in whole seconds outward, and no wider; None where the clock shows its start or its end twice."""
        written = []
        for moment in _outward(span):
            wall = moment.astimezone(self.zone).replace(tzinfo=None)
            if not self.utc and len(self._moments(wall)) > 1:
                return None
            written.append(self._write(moment))
        return written[0], written[1]

    def read(self, text: str, after: datetime | None = None) -> datetime:
        """The moment in UTC. In an hour that the wall clock repeats, it is the earlier one that is not before
        ``after``. Raises ValueError."""
        parsed = datetime.fromisoformat(text)
        try:
            if self.utc:
                return (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).astimezone(UTC)
            moments = self._moments(parsed)
        except OverflowError as error:
            raise ValueError(f"{text!r} is no time of a recording") from error
        return next((one for one in moments if after is None or one >= after), moments[-1])

    def shown(self, text: str, near: datetime) -> datetime:
        """The moment that the device's clock shows; ``near`` is the true time. Raises ValueError.

        Read as the recordings' times are: so a zone that is configured wrongly shows as a clock that is hours off,
        and what is searched for is still found. Some firmware states an offset that is not its own.
        """
        parsed = datetime.fromisoformat(text)
        try:
            if self.utc and parsed.tzinfo is not None:
                return parsed.astimezone(UTC)
            return min(self._moments(parsed), key=lambda one: abs(one - near))
        except OverflowError as error:
            raise ValueError(f"{text!r} is no time of a clock") from error

    def _write(self, moment: datetime) -> str:
        return (moment if self.utc else moment.astimezone(self.zone)).strftime(self.form)

    def _moments(self, parsed: datetime) -> list[datetime]:
        """When the zone's wall clock shows that time: once, twice, or, where it is skipped, as a clock that was not
        set forward yet."""
        wall = parsed.replace(tzinfo=None)
        early, late = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if early == late or early.astimezone(self.zone).replace(tzinfo=None) != wall:
            return [early]
        offset = parsed.utcoffset()
        meant = [one for one in (early, late) if offset and self._offset(one) == offset]
        return meant or [early, late]

    def _offset(self, moment: datetime) -> timedelta | None:
        return moment.astimezone(self.zone).utcoffset()


def _outward(span: Span) -> tuple[datetime, datetime]:
    end = span.end.replace(microsecond=0)
    return span.start.replace(microsecond=0), end + timedelta(seconds=1) if end < span.end else end
