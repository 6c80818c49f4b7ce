"""The table of one year as a CSV file: read it with every wrong line, write it, and those that are shipped."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from services.runtime.calendar_days import CalendarDay
from services.runtime.errors import Refused
from services.runtime.translations import Message, Text, Worded

COLUMNS = ("date", "kind", "name_zh", "name_en")
FIRST_YEAR, LAST_YEAR = 2000, 2199
LONGEST_NAME = 60
MAX_BYTES = 1 << 17
MOST_DAYS = 366
SHIPPED = Path(__file__).with_name("years")


@dataclass(frozen=True)
class LineError(Worded):
    """A wrong line, counted from 1 with the header, and its error."""

    line: int
    message: Text


@dataclass(frozen=True)
class YearTable:
    """The days of one year, in order."""

    year: int
    days: tuple[CalendarDay, ...]


def list_shipped() -> list[int]:
    """List the years whose public holidays in China come with this release, the latest first."""
    return sorted((int(file.stem) for file in SHIPPED.glob("*.csv")), reverse=True)


def read_shipped(year: str) -> bytes:
    """Return the table of a year that comes with this release; Refused where there is none."""
    if year not in map(str, list_shipped()):
        raise _refused(Message("This release has no table of that year: choose a CSV file."))
    return (SHIPPED / f"{year}.csv").read_bytes()


def read(content: bytes) -> tuple[YearTable | None, list[LineError]]:
    """Read the table of a CSV file, or its wrong lines. Refused where the file is no such table."""
    days: dict[date, CalendarDay] = {}
    wrong: list[LineError] = []
    for line, cells in _rows(content):
        try:
            day = check_day(*(cells[name] for name in COLUMNS))
            if day.date in days:
                raise _line_refused(Message("{date} occurs twice in the table", date=day.date.isoformat()))
            days[day.date] = day
        except Refused as refusal:
            wrong.append(LineError(line, refusal.message))
    return (None, wrong) if wrong else (check_table(list(days.values())), [])


def check_day(day: str, kind: str, zh: str, en: str) -> CalendarDay:
    """Return a day of these texts; Refused with what is wrong of it."""
    try:
        parsed = date.fromisoformat(day) if len(day) == len("2026-10-01") else None
    except ValueError:
        parsed = None
    if parsed is None or not FIRST_YEAR <= parsed.year <= LAST_YEAR:
        raise _line_refused(Message("{given} is not a date such as 2026-10-01", given=day or "—"))
    if kind not in ("off", "working"):
        raise _line_refused(Message("kind must be off or working"))
    for name, value in (("name_zh", zh), ("name_en", en)):
        if not value:
            raise _line_refused(Message("{name} is missing", name=name))
        if len(value) > LONGEST_NAME or not value.isprintable():
            raise _line_refused(Message("{name} is too long or has control characters", name=name))
    return CalendarDay(parsed, "off" if kind == "off" else "working", zh, en)


def check_table(days: Sequence[CalendarDay]) -> YearTable:
    """Return the table of these days in order; Refused unless they are days of one year, each once."""
    years = {day.date.year for day in days}
    if len(years) != 1:
        raise _refused(Message("A table has the days of exactly one year: import the years one by one."))
    if len({day.date for day in days}) != len(days):
        raise _refused(Message("A day occurs twice in the table: remove one of the two."))
    if all(day.kind == "off" for day in days) and len(days) == _length(*years):
        raise _refused(Message("The table makes the whole year a day off: time limits would never end."))
    return YearTable(years.pop(), tuple(sorted(days, key=lambda day: day.date)))


def write(days: Sequence[CalendarDay]) -> str:
    """Write the days as ``read`` reads them."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows_of(days))
    return buffer.getvalue()


def rows_of(days: Sequence[CalendarDay]) -> list[tuple[str, ...]]:
    return [(day.date.isoformat(), day.kind, day.zh, day.en) for day in days]


def _rows(content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    if len(content) > MAX_BYTES:
        raise _refused(Message("The file is too large for the table of a year."))
    rows = _parse(_decode(content))
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    if sorted(header) != sorted(COLUMNS):
        raise _refused(Message("The first line must name the columns: {names}.", names=", ".join(COLUMNS)))
    if len(rows) > MOST_DAYS + 1:
        raise _refused(Message("A year has at most {most} days: import the years one by one.", most=MOST_DAYS))
    for line, cells in enumerate(rows[1:], 2):
        if any(cell.strip() for cell in cells):
            yield line, dict(zip(header, (*map(_plain, cells), *[""] * len(header)), strict=False))


def _decode(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):  # the second is what Excel writes on a Chinese Windows
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _refused(Message("The file is not a text file: save it as CSV (UTF-8)."))


def _parse(text: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise _refused(Message("The file is not a valid CSV file: export it again.")) from error


def _plain(cell: str) -> str:
    """Remove the apostrophe with which our export disables spreadsheet formulas."""
    text = cell.strip()
    return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@") else text


def _length(year: int) -> int:
    return (date(year + 1, 1, 1) - date(year, 1, 1)).days


def _line_refused(message: Text) -> Refused:
    return Refused("calendar-line", "{problem}: correct the line.", status=422, problem=message)


def _refused(message: Text) -> Refused:
    return Refused("calendar-file", message, status=422, field="file")
