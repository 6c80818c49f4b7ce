"""The typed views of the working calendar, and the body of an import."""

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import Field

from services.domain.working_calendar.deadlines import Deadline, describe
from services.domain.working_calendar.queries import Coverage, ImportedYear
from services.domain.working_calendar.tables import LONGEST_NAME, MOST_DAYS, YearTable, check_day, check_table
from services.runtime.calendar_days import CalendarDay, Kind
from services.web.schemas import Answer, Body, Line

Name = Annotated[Line, Field(max_length=LONGEST_NAME)]


class DayBody(Body):
    """A day that differs from the week: ``off``, or ``working`` in exchange for one."""

    date: date
    kind: Kind
    zh: Name
    en: Name


class ImportBody(Body):
    """The days of exactly one year; they replace those that count now.

    ``was`` is the ``version`` that was seen, null where the year had none: nobody overwrites what somebody else has
    just imported. ``dryRun`` says what would change, and changes nothing.
    """

    days: Annotated[list[DayBody], Field(min_length=1, max_length=MOST_DAYS)]
    reason: Annotated[Line, Field(min_length=4)]
    was: Annotated[int, Field(ge=1, le=2**53)] | None = None
    dry_run: bool = False

    def table(self) -> YearTable:
        """Return the table; Refused unless it is one."""
        return check_table([check_day(day.date.isoformat(), day.kind, day.zh, day.en) for day in self.days])


class DayAnswer(Answer):
    date: date
    kind: Kind
    zh: str
    en: str


class YearAnswer(Answer):
    """The table of a year that counts. ``version`` rises with each import; ``off`` and ``working`` count its days."""

    year: int
    version: int
    off: int
    working: int
    imported_at: datetime
    imported_by: str
    reason: str

    @classmethod
    def of(cls, imported: ImportedYear) -> Self:
        row = imported.row
        return cls(
            year=row.year,
            version=row.seq,
            off=imported.count("off"),
            working=imported.count("working"),
            imported_at=row.imported_at,
            imported_by=imported.by,
            reason=row.reason,
        )


class DaysAnswer(Answer):
    """A year with its days, and every import of it, the one that counts first."""

    year: int
    version: int
    days: list[DayAnswer]
    imports: list[YearAnswer]


class CalendarAnswer(Answer):
    """The years that have a table. ``missing``: those that lack one now and are needed soon.

    ``shipped`` are the years whose table comes with this release; ``hours`` is the rule ``working_hours``.
    """

    years: list[YearAnswer]
    missing: list[int]
    shipped: list[int]
    hours: str
    zone: str
    counts_working_time: list[str]

    @classmethod
    def of(cls, years: list[ImportedYear], coverage: Coverage, shipped: list[int], *, hours: str, zone: str) -> Self:
        return cls(
            years=[YearAnswer.of(year) for year in years],
            missing=list(coverage.missing),
            shipped=shipped,
            hours=hours,
            zone=zone,
            counts_working_time=list(coverage.stages),
        )


class ChangesAnswer(Answer):
    """What an import changes, or has changed where it is ``done``; ``added`` has changed days too."""

    year: int
    version: int | None
    added: list[DayAnswer]
    removed: list[DayAnswer]
    done: bool


class DeadlineAnswer(Answer):
    """When a limit that counts working time ends, and why."""

    due_at: datetime
    why_zh: str
    why_en: str

    @classmethod
    def of(cls, deadline: Deadline) -> Self:
        why = describe(deadline.reason)
        return cls(due_at=deadline.due_at, why_zh=why.zh if why else "", why_en=why.en if why else "")


def days_answer(days: list[CalendarDay]) -> list[DayAnswer]:
    return [DayAnswer.model_validate(day) for day in days]
