"""Lists of the books: what is found, in which order, of rows that are read and in the databases."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from review_desk import ReviewDesk

from services.database.keyset import Page
from services.database.listing import Listing
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import staff_queries
from services.domain.agreements import queries as agreement_queries
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras import service as camera_service
from services.domain.cases import register as case_register
from services.domain.cases import storage_office
from services.domain.cases.schemas.storage import PreservedSort, RecorderSort
from services.domain.notifications import delivery_queries
from services.domain.notifications import queries as notification_queries
from services.domain.rules import service as rule_service

pytestmark = pytest.mark.both_databases

Read = Callable[[UnitOfWork, Listing], object]


def lines_of(read: Callable[[UnitOfWork, Listing], Page[Any]]) -> Read:
    return lambda uow, listing: read(uow, listing).lines


BOOKS: dict[str, tuple[str, Any, Read]] = {
    "copies on loan": ("reviewer", case_register.OutSort, lines_of(case_register.read_copies_out)),
    "at risk": ("reviewer", case_register.RiskSort, lines_of(case_register.read_next_overwritten)),
    "notices": ("drafter", notification_queries.Sort, notification_queries.list_own),
    "deliveries": (
        "admin",
        delivery_queries.Sort,
        lambda uow, listing: delivery_queries.list_deliveries(uow, "open", listing),
    ),
    "recorders": ("admin", camera_recorders.Sort, camera_recorders.list_recorders),
    "cameras": ("admin", camera_service.Sort, camera_service.list_cameras),
    "changes of rules": (
        "admin",
        rule_service.Sort,
        lambda uow, listing: rule_service.list_changes(uow, None, listing),
    ),
    "people": (
        "admin",
        staff_queries.Sort,
        lambda uow, listing: staff_queries.list_people(uow, staff_queries.PeopleFilter(), listing).lines,
    ),
    "departments": ("admin", staff_queries.DepartmentSort, staff_queries.list_departments),
    "agreements": ("admin", agreement_queries.Sort, agreement_queries.list_signers),
    "preserved": ("operator", PreservedSort, storage_office.list_preserved),
    "watched recorders": ("operator", RecorderSort, storage_office.list_recorders),
}

ROWS: list[dict[str, Any]] = [
    {"name": "Gate", "seen": 2},
    {"name": "yard", "seen": None},
    {"name": "Hall", "seen": 1},
]
COLUMNS = {"name": lambda row: row["name"].casefold(), "seen": lambda row: row["seen"]}


def names(**wanted: Any) -> list[str]:
    found = Listing(**wanted).of(ROWS, COLUMNS, lambda row: (row["name"], None))
    return [row["name"] for row in found]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["Gate", "yard", "Hall"]),
        ({"sort": "no-such-column"}, ["Gate", "yard", "Hall"]),
        ({"sort": "name"}, ["Gate", "Hall", "yard"]),
        ({"sort": "name", "descending": True}, ["yard", "Hall", "Gate"]),
        ({"sort": "seen"}, ["Hall", "Gate", "yard"]),
        ({"sort": "seen", "descending": True}, ["Gate", "Hall", "yard"]),
        ({"text": " HA "}, ["Hall"]),
        ({"text": "%"}, []),
        ({"limit": 1, "offset": 1}, ["yard"]),
    ],
)
def test_rows_are_searched_sorted_and_cut(wanted: dict[str, Any], found: list[str]) -> None:
    assert names(**wanted) == found


def test_names_are_those_of_the_reader() -> None:
    row = type("Row", (), {"name_zh": "门", "name_en": "Gate"})

    assert (Listing().name(row), Listing(language="en").name(row)) == ("门", "Gate")


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


@pytest.mark.slow
def test_each_book_gives_its_lines_in_each_order(desk: ReviewDesk) -> None:
    desk.submitted()
    for name, (reader, sorts, read) in BOOKS.items():
        for sort in get_args(sorts):
            for descending in (False, True):
                whole = desk.run(read, Listing(sort=sort, descending=descending), by=reader)
                part = desk.run(read, Listing(sort=sort, descending=descending, limit=1), by=reader)
                assert len(part) == min(len(whole), 1), name
        assert desk.run(read, Listing("no such % thing"), by=reader) == [], name


def test_the_people_come_in_the_order_of_their_names_either_way(desk: ReviewDesk) -> None:
    def names(descending: bool) -> list[str]:
        found = desk.run(
            staff_queries.list_people,
            staff_queries.PeopleFilter(),
            Listing(sort="name", descending=descending),
            by="admin",
        )
        return [line.person.name for line in found.lines]

    assert names(True) == sorted(names(False), reverse=True) != names(False)
