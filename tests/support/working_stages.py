"""Review stages that count working time, and years of the working calendar, for tests."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from services.database.tables.working_calendar import CalendarYear
from services.database.unit_of_work import UnitOfWork
from services.domain.stages import file as stage_file
from services.domain.stages.catalogue import DEFAULT_FOLDER, STAGES
from services.domain.working_calendar.tables import YearTable
from services.runtime.calendar_days import CalendarDay, Kind


@contextmanager
def working_stages(folder: Path, *codes: str) -> Iterator[None]:
    """Work by a file in ``folder`` whose stages ``codes`` count working time; afterwards by the shipped one again."""
    content = json.loads((DEFAULT_FOLDER / stage_file.NAME).read_text(encoding="utf-8"))
    for code in codes:
        content["stages"][code]["limitCounts"] = "working-time"
    (folder / stage_file.NAME).write_text(json.dumps(content), encoding="utf-8")
    STAGES.use(folder)
    try:
        yield
    finally:
        STAGES.use(DEFAULT_FOLDER)


def day(text: str, kind: Kind = "off") -> CalendarDay:
    return CalendarDay(date.fromisoformat(text), kind, "植树节", "Arbour Day")


def table(*days: CalendarDay) -> YearTable:
    return YearTable(days[0].date.year, tuple(days))


def write_year(uow: UnitOfWork, days: Sequence[CalendarDay]) -> None:
    """Import a year without a second person."""
    stored = [one.as_json() for one in days]
    uow.session.add(
        CalendarYear(
            year=days[0].date.year, days=stored, imported_at=uow.now, imported_by="admin", reason="the State Council"
        )
    )
