"""When each person is away in the simulated time."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from services.designers.simulation.draws import Draws
from services.designers.simulation.profile import YEAR, Profile

Away = tuple[datetime, datetime]


class AbsenceCalendar:
    """The absences of people, drawn for each when first asked for, over the year and as long again."""

    def __init__(self, profile: Profile, draws: Draws) -> None:
        self._profile, self._draws = profile, draws
        self._known: dict[str, list[Away]] = {}

    def of(self, person: str) -> list[Away]:
        """List the person's absences, the earliest first."""
        if person not in self._known:
            self._known[person] = sorted(self._drawn(person))
        return self._known[person]

    def until(self, person: str, at: datetime) -> datetime | None:
        """Return when the absence ends that the person has at this moment; None for one who is there."""
        return next((end for begin, end in self.of(person) if begin <= at < end), None)

    def _drawn(self, person: str) -> Iterator[Away]:
        absences = self._profile.absences
        per_year = absences.per_year.get(person, absences.others)
        for year in (0, 1):
            whole, rest = divmod(per_year, 1)
            count = int(whole) + (self._draws.share("absences", person, year) < rest)
            for number in range(count):
                start = self._profile.begins + (year + self._draws.share("absence", person, year, number)) * YEAR
                length = timedelta(days=absences.days.at(self._draws.share("absence", person, year, number, "length")))
                yield start, start + length
