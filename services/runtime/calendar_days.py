"""Days that differ from the week, as the working calendar stores them and as people read them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, Self

from babel.dates import format_skeleton

from services.runtime.translations import Bilingual, Message, Text

DAY = timedelta(days=1)

Kind = Literal["off", "working"]

ONE_DAY = {
    "off": Message("{first} is a day off ({name})"),
    "working": Message("{first} is a working day ({name})"),
}
MORE_DAYS = {
    "off": Message("{first} to {last} are days off ({name})"),
    "working": Message("{first} to {last} are working days ({name})"),
}


@dataclass(frozen=True)
class CalendarDay:
    """A holiday, or a day of a weekend on which people work in exchange."""

    date: date
    kind: Kind
    zh: str
    en: str

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        return cls(date.fromisoformat(stored["date"]), stored["kind"], stored["zh"], stored["en"])

    def as_json(self) -> dict[str, str]:
        return {"date": self.date.isoformat(), "kind": self.kind, "zh": self.zh, "en": self.en}


@dataclass(frozen=True)
class Run:
    """Days that follow each other with one kind and one name."""

    first: CalendarDay
    last: CalendarDay

    def as_json(self) -> dict[str, Any]:
        return {**self.first.as_json(), "last": self.last.date.isoformat()}


def runs_of(days: Iterable[CalendarDay]) -> list[Run]:
    """Group days that follow each other with one kind and one name; in order."""
    runs: list[Run] = []
    for day in sorted(days, key=lambda day: day.date):
        last = runs[-1].last if runs else None
        if last is not None and day.date - last.date == DAY and (day.kind, day.zh) == (last.kind, last.zh):
            runs[-1] = Run(runs[-1].first, day)
        else:
            runs.append(Run(day, day))
    return runs


def describe(runs: Sequence[dict[str, Any]]) -> list[Text]:
    """Say each run, as ``Run.as_json`` writes it, in a clause of its own."""
    return [_describe(run) for run in runs]


def _describe(run: dict[str, Any]) -> Text:
    clauses = ONE_DAY if run["date"] == run["last"] else MORE_DAYS
    return clauses[run["kind"]].with_values(
        first=DayText(date.fromisoformat(run["date"])),
        last=DayText(date.fromisoformat(run["last"])),
        name=Bilingual(run["zh"], run["en"]),
    )


class DayText(Text):
    """A day without its year, as each language writes it."""

    def __init__(self, day: date) -> None:
        self._day = day

    def translate(self, language: str) -> str:
        return str(format_skeleton("MMMMd", self._day, locale=language))
