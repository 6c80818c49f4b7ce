"""The working calendar is imported by an administrator and confirmed by a second person, and its history stays."""

import json
from collections.abc import Callable, Iterator

import pytest
from review_desk import ReviewDesk
from second_person import asked, confirmed, newest
from sqlalchemy import select
from working_stages import day, table

from services.database.tables.audit import AuditEvent
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.working_calendar import CalendarYear
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.accounts import requested_acts
from services.domain.change_requests import queries as request_queries
from services.domain.change_requests import service as change_requests
from services.domain.working_calendar import queries, service, tables
from services.runtime.errors import NotFound, Refused

HEADER = "date,kind,name_zh,name_en\n"
ARBOUR = table(day("2031-03-12"), day("2031-03-15", "working"))
LONGER = table(day("2031-03-12"), day("2031-03-13"), day("2031-03-15", "working"))
WHY = "as the State Council has published"


@pytest.fixture
def any_desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refusal:
        act()
    assert refusal.value.zh
    return refusal.value.code


@pytest.mark.both_databases
@pytest.mark.requirement("R2", refuses=True)
def test_a_year_counts_when_a_second_person_has_confirmed_it(any_desk: ReviewDesk) -> None:
    desk = any_desk
    request = asked(desk, service.import_year, ARBOUR, WHY, was=None)
    assert desk.all(CalendarYear) == []
    assert desk.run(queries.load).years == frozenset()
    assert refused(lambda: desk.run(service.import_year, ARBOUR, WHY, was=None, by="admin")) == "second-person-awaited"
    assert refused(lambda: desk.run(service.import_year, LONGER, WHY, was=None, by="admin")) == "asked-otherwise"

    desk.run(change_requests.confirm, request, by="security-head")
    desk.run(service.import_year, ARBOUR, WHY, was=None, by="admin")

    calendar = desk.run(queries.load)
    assert calendar.years == {2031}
    assert [calendar.works_on(one.date) for one in ARBOUR.days] == [False, True]
    imported = desk.the(CalendarYear)
    assert (imported.imported_by, imported.reason, imported.year) == ("admin", WHY, 2031)
    assert desk.the(ChangeRequest).outcome == "carried-out"
    entry = json.loads(desk.the(AuditEvent, action="calendar-imported").entry)
    assert entry["subject"] == {"id": "2031", "kind": "calendar"}
    assert entry["detail"]["days"] == [one.as_json() for one in ARBOUR.days]


async def test_what_was_asked_for_is_shown_with_its_days_and_carried_out_from_the_list(desk: ReviewDesk) -> None:
    request = asked(desk, service.import_year, LONGER, WHY, was=None)
    [shown] = desk.run(request_queries.list_open, by="security-head").requests
    assert shown.what_en == (
        f"Import the working calendar of 2031 ({WHY}): March 12 to March 13 are days off (Arbour Day); "
        "March 15 is a working day (Arbour Day)"
    )
    assert "3月12日至3月13日放假（植树节）" in shown.what_zh

    desk.run(change_requests.confirm, request, by="security-head")
    await requested_acts.carry_out(desk.database, Actor("person", "admin"), request)

    assert desk.the(CalendarYear).days == [one.as_json() for one in LONGER.days]


def test_the_newest_import_counts_and_the_history_stays(desk: ReviewDesk) -> None:
    confirmed(desk, service.import_year, ARBOUR, WHY, was=None)
    first = desk.the(CalendarYear).seq
    confirmed(desk, service.import_year, LONGER, "a day more", was=first)

    assert not desk.run(queries.load).works_on(LONGER.days[1].date)
    imports = desk.run(queries.list_imports, 2031, by="supervisor")
    assert [(one.row.reason, one.by, one.count("off")) for one in imports] == [
        ("a day more", "admin", 2), (WHY, "admin", 1),
    ]  # fmt: skip
    assert [one.row.seq for one in desk.run(queries.list_years, by="security-head")] == [imports[0].row.seq]

    def rewrite(uow: UnitOfWork) -> None:
        uow.session.scalars(select(CalendarYear)).first().reason = "another"  # type: ignore[union-attr]  # there are two

    def erase(uow: UnitOfWork) -> None:
        uow.session.delete(uow.session.scalars(select(CalendarYear)).first())

    for act in (rewrite, erase):
        with pytest.raises(TypeError, match="history"):
            desk.run(act)


def test_nobody_overwrites_what_somebody_else_has_just_imported(desk: ReviewDesk) -> None:
    confirmed(desk, service.import_year, ARBOUR, WHY, was=None)
    seen = desk.the(CalendarYear).seq

    assert refused(lambda: desk.run(service.import_year, LONGER, WHY, was=None, by="admin")) == "calendar-changed"
    assert refused(lambda: desk.run(service.import_year, LONGER, WHY, was=seen + 1, by="admin")) == "calendar-changed"
    assert refused(lambda: desk.run(service.import_year, ARBOUR, WHY, was=seen, by="admin")) == "calendar-same"
    assert newest(desk) == ""


@pytest.mark.requirement("R2", refuses=True)
def test_administrators_import_and_only_a_few_read(desk: ReviewDesk) -> None:
    confirmed(desk, service.import_year, ARBOUR, WHY, was=None)
    for person in ("drafter", "head", "reviewer", "manager", "security-head", "supervisor"):
        act = lambda by=person: desk.run(service.import_year, LONGER, WHY, was=1, by=by)  # noqa: E731
        assert refused(act) == "administrators-only"
        assert refused(lambda by=person: desk.run(queries.compare, LONGER, by=by)) == "administrators-only"  # type: ignore[misc]
    for person in ("admin", "supervisor", "security-head", "security-deputy"):
        assert len(desk.run(queries.list_years, by=person)) == 1
    for person in ("drafter", "head", "reviewer", "manager", "office-head"):
        assert refused(lambda by=person: desk.run(queries.list_imports, 2031, by=by)) == "readers-only"  # type: ignore[misc]
    with pytest.raises(NotFound):
        desk.run(queries.list_imports, 2030, by="admin")


def test_a_preview_says_what_would_change_and_changes_nothing(desk: ReviewDesk) -> None:
    confirmed(desk, service.import_year, LONGER, WHY, was=None)
    renamed = table(day("2031-03-12"), day("2031-03-14", "working"))

    changes = desk.run(queries.compare, renamed, by="admin")

    assert changes.version == desk.the(CalendarYear).seq
    assert [one.date.day for one in changes.added] == [14]
    assert [one.date.day for one in changes.removed] == [13, 15]


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        ("2031-02-30,off,某日,a day", ["2031-02-30 is not a date such as 2026-10-01"]),
        ("20310312,off,某日,a day", ["20310312 is not a date such as 2026-10-01"]),
        ("1999-03-12,off,某日,a day", ["1999-03-12 is not a date such as 2026-10-01"]),
        (",off,某日,a day", ["— is not a date such as 2026-10-01"]),
        ("2031-03-12,holiday,某日,a day", ["kind must be off or working"]),
        ("2031-03-12,off,,a day", ["name_zh is missing"]),
        (f"2031-03-12,off,某日,{'x' * 61}", ["name_en is too long or has control characters"]),
        ("2031-03-12,off,某日,a day\n2031-03-12,working,某日,a day", ["2031-03-12 occurs twice in the table"]),
        ("2031-03-12,off\n2031-03-13,away,某日,a day", ["name_zh is missing", "kind must be off or working"]),
    ],
)
def test_every_wrong_line_is_named(lines: str, problems: list[str]) -> None:
    found, wrong = tables.read(f"{HEADER}{lines}\n".encode())

    assert found is None
    assert [one.en for one in wrong] == [f"{problem}: correct the line." for problem in problems]
    assert all(one.line >= 2 and one.zh for one in wrong)


ALL_YEAR = "".join(f"2031-{month:02}-{number:02},off,某日,a day\n" for month in range(1, 13) for number in range(1, 32))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "The first line must name the columns: date, kind, name_zh, name_en."),
        (b"date,kind,name\n", "The first line must name the columns: date, kind, name_zh, name_en."),
        (HEADER.encode(), "A table has the days of exactly one year: import the years one by one."),
        (
            f"{HEADER}2031-03-12,off,某日,a day\n2032-03-12,off,某日,a day\n".encode(),
            "A table has the days of exactly one year: import the years one by one.",
        ),
        (b"\xff\xfe\x00\x00", "The file is not a text file: save it as CSV (UTF-8)."),
        (f'{HEADER}"2031'.encode(), "The file is not a valid CSV file: export it again."),
        (b"x" * (tables.MAX_BYTES + 1), "The file is too large for the table of a year."),
        (f"{HEADER}{ALL_YEAR}".encode(), "A year has at most 366 days: import the years one by one."),
    ],
)
def test_what_is_no_table_of_a_year_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(Refused) as refusal:
        tables.read(content)
    assert refusal.value.message.en == problem
    assert refusal.value.zh != problem


def test_a_year_without_a_working_day_is_refused() -> None:
    lines = [line for line in ALL_YEAR.splitlines() if _is_date(line[:10])]
    with pytest.raises(Refused, match="time limits would never end"):
        tables.read((HEADER + "\n".join(lines)).encode())
    assert tables.read((HEADER + "\n".join(lines[1:])).encode())[0] is not None


def _is_date(text: str) -> bool:
    try:
        return bool(day(text))
    except ValueError:
        return False


def test_a_file_of_excel_on_a_chinese_windows_is_read() -> None:
    found, wrong = tables.read(f"{HEADER}2031-10-01,off,国庆节,National Day\n".encode("gb18030"))

    assert found is not None, wrong
    assert found.days[0].zh == "国庆节"
