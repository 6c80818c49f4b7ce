"""Read the working calendar."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select

from services.database.tables.people import Person
from services.database.tables.working_calendar import CalendarYear
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.stages.catalogue import STAGES, StageCatalogue
from services.domain.working_calendar.tables import YearTable
from services.domain.working_calendar.working_time import WorkingCalendar
from services.runtime import working_hours
from services.runtime.calendar_days import CalendarDay
from services.runtime.errors import NotFound
from services.runtime.translations import Message

LOADED = "working_calendar"  # in the session's info: the calendar of this unit
WARNED_BEFORE = timedelta(days=31)  # the end of a year: the days of the next one are published in November


@dataclass(frozen=True)
class ImportedYear:
    """The table of one year that counts, or one that counted before, with who imported it."""

    row: CalendarYear
    by: str

    @property
    def days(self) -> list[CalendarDay]:
        return [CalendarDay.from_json(stored) for stored in self.row.days]

    def count(self, kind: str) -> int:
        return sum(day.kind == kind for day in self.days)


@dataclass(frozen=True)
class Coverage:
    """Which years lack a table now, the stages that count working time, and whether any year was ever imported."""

    missing: tuple[int, ...]
    stages: tuple[str, ...]
    imported: bool

    @property
    def used(self) -> bool:
        """Whether the organisation keeps a calendar, or a stage needs one."""
        return self.imported or bool(self.stages)


@dataclass(frozen=True)
class Overview:
    """What the page of the calendar shows."""

    years: list[ImportedYear]
    coverage: Coverage
    hours: str
    zone: str


@dataclass(frozen=True)
class Changes:
    """What a table changes of the one that counts, whose ``seq`` is ``version``; None where there is none."""

    version: int | None
    added: list[CalendarDay]
    removed: list[CalendarDay]


def load(uow: UnitOfWork) -> WorkingCalendar:
    """Return the calendar that counts now; read once in a unit of work."""
    info = uow.session.info
    if LOADED not in info:
        tables = uow.session.scalars(select(CalendarYear).where(CalendarYear.seq.in_(_newest()))).all()
        days = [CalendarDay.from_json(stored) for row in tables for stored in row.days]
        info[LOADED] = WorkingCalendar(
            zone=ZoneInfo(uow.rules.zone),
            hours=working_hours.parse(uow.rules.working_hours),
            days={day.date: day for day in days},
            years=frozenset(row.year for row in tables),
        )
    calendar: WorkingCalendar = info[LOADED]
    return calendar


def discard_loaded(uow: UnitOfWork) -> None:
    """Have the calendar read anew, after a change."""
    uow.session.info.pop(LOADED, None)


def list_years(uow: UnitOfWork) -> list[ImportedYear]:
    """List the tables that count, the latest year first; for administrators, Security's head and supervisors."""
    administrators.require_reader(uow)
    query = select(CalendarYear, Person.name).join(Person, Person.id == CalendarYear.imported_by)
    rows = uow.session.execute(query.where(CalendarYear.seq.in_(_newest())).order_by(CalendarYear.year.desc()))
    return [ImportedYear(row, by) for row, by in rows]


def list_imports(uow: UnitOfWork, year: int) -> list[ImportedYear]:
    """List every import of a year, the one that counts first; NotFound if there is none."""
    administrators.require_reader(uow)
    query = select(CalendarYear, Person.name).join(Person, Person.id == CalendarYear.imported_by)
    rows = uow.session.execute(query.where(CalendarYear.year == year).order_by(CalendarYear.seq.desc()))
    imports = [ImportedYear(row, by) for row, by in rows]
    if not imports:
        raise NotFound(Message("working calendar of the year"), str(year))
    return imports


def get_newest(uow: UnitOfWork, year: int) -> CalendarYear | None:
    """Return the table of the year that counts, or None."""
    query = select(CalendarYear).where(CalendarYear.year == year).order_by(CalendarYear.seq.desc())
    return uow.session.scalar(query.limit(1))


def read_coverage(uow: UnitOfWork, stages: StageCatalogue = STAGES) -> Coverage:
    """Say which years lack their table: this one, and in its last month the next one."""
    years, now = load(uow).years, load(uow).local_day(uow.now)
    wanted = sorted({now.year, (now + WARNED_BEFORE).year})
    counting = (stage.code for stage in stages.values() if stage.limit_counts == "working-time" and not stage.retired)
    return Coverage(tuple(year for year in wanted if year not in years), tuple(counting), bool(years))


def read_overview(uow: UnitOfWork) -> Overview:
    """Return the tables that count and what they lack; for administrators, Security's head and supervisors."""
    return Overview(list_years(uow), read_coverage(uow), uow.rules.working_hours, uow.rules.zone)


def compare(uow: UnitOfWork, table: YearTable) -> Changes:
    """Say what the table would change, for administrators."""
    administrators.require_administrator(uow)
    newest = get_newest(uow, table.year)
    old = [] if newest is None else [CalendarDay.from_json(stored) for stored in newest.days]
    dates = {day.date for day in table.days}
    return Changes(
        version=None if newest is None else newest.seq,
        added=[day for day in table.days if day not in old],
        removed=[day for day in old if day.date not in dates],
    )


def _newest() -> Select[int]:
    return select(func.max(CalendarYear.seq)).group_by(CalendarYear.year)
