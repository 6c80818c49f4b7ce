"""The register page by page: each page begins behind a line, so no line is shown twice or left out."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import pairwise

import pytest
from prepared_desk import prepared_desk
from review_desk import NOON, ReviewDesk
from statements import statements

from services.database.keyset import Page
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.people import Department
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import register as case_register
from services.domain.cases.register import Search
from services.domain.cases.schemas.lists import CaseLine

pytestmark = pytest.mark.both_databases
CASES = 17
WIDTH = 5
PAGED = re.compile(r"LIMIT \S+( OFFSET \S+)?\s*$")  # by its last clause: a page, not a value of it
# In one test: what takes the time is to make the cases.
ORDERS = [Search(sort=sort, descending=falling) for sort in case_register.SORTS for falling in (False, True)]


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk, _ = prepared_desk(any_database_url, _lay_out)
    yield desk
    desk.close()


def _lay_out(desk: ReviewDesk) -> None:
    """Seventeen cases of two departments of the same name; some are due, some at the same moment, two are drafts."""
    cases = [desk.submitted() for _ in range(CASES)]

    def spread(uow: UnitOfWork) -> None:
        works = uow.session.get_one(Department, "works")
        uow.session.add(Department(id="works-2", name_zh=works.name_zh, name_en="Other", kind="business"))
        uow.session.flush()
        for place, application_id in enumerate(cases):
            row = uow.session.get_one(Application, application_id)
            row.department_id = ("works", "works-2", "storage")[place % 3]
            row.listed_at = NOON + timedelta(minutes=place // 3)
            if place in (3, 11):
                row.number = None
            if place % 2:
                due = NOON + timedelta(days=place // 4) if place != 5 else None
                uow.session.add(
                    HandOver(
                        application_id=application_id,
                        custodian_id="keeper",
                        offered_at=NOON,
                        take_up_until=NOON,
                        use_days=5,
                        due_at=due,
                    )
                )

    desk.run(spread)


def page(desk: ReviewDesk, wanted: Search, place: str = "", by: str = "reviewer") -> Page[CaseLine]:
    return desk.run(case_register.read_page, wanted, limit=WIDTH, place=place, by=by)


def ids(page: Page[CaseLine]) -> list[str]:
    return [line.id for line in page.lines]


def walk(read: Callable[[str], Page[CaseLine]], place: str = "") -> list[Page[CaseLine]]:
    pages = [read(place)]
    while pages[-1].next:
        pages.append(read(pages[-1].next))
    return pages


@pytest.mark.slow
def test_the_pages_together_are_the_list_and_lead_back(desk: ReviewDesk) -> None:
    for wanted in ORDERS:
        whole = [line.id for line in desk.run(case_register.list_cases, wanted, limit=CASES + 1, by="reviewer")]
        pages = walk(partial(page, desk, wanted))

        assert [id_ for one in pages for id_ in ids(one)] == whole, wanted
        assert len(set(whole)) == CASES, wanted
        assert [len(one.lines) for one in pages] == [WIDTH, WIDTH, WIDTH, CASES % WIDTH], wanted
        assert pages[0].previous == "", wanted
        for earlier, later in pairwise(pages):
            assert ids(page(desk, wanted, later.previous)) == ids(earlier), wanted


@pytest.mark.slow
def test_an_offset_counts_on_through_what_has_no_value(desk: ReviewDesk) -> None:
    def part(wanted: Search, limit: int, offset: int) -> list[str]:
        lines = desk.run(case_register.list_cases, wanted, limit=limit, offset=offset, by="reviewer")
        return [line.id for line in lines]

    for wanted in ORDERS:
        whole = part(wanted, CASES, 0)
        for offset in range(CASES + 2):
            assert part(wanted, 4, offset) == whole[offset : offset + 4], (wanted, offset)


def test_what_is_handed_in_meanwhile_moves_no_page(desk: ReviewDesk) -> None:
    wanted = Search()
    before = [id_ for one in walk(lambda place: page(desk, wanted, place)) for id_ in ids(one)]
    first = page(desk, wanted)
    added = desk.submitted()
    desk.run(lambda uow: setattr(uow.session.get_one(Application, added), "listed_at", NOON + timedelta(days=1)))

    assert ids(page(desk, wanted, first.next)) == before[WIDTH : 2 * WIDTH]
    back = page(desk, wanted, page(desk, wanted, first.next).previous)
    assert ids(back) == before[:WIDTH]
    assert ids(page(desk, wanted, back.previous)) == [added]


@pytest.mark.requirement("R2", refuses=True)
def test_a_place_shows_nobody_what_is_not_theirs_to_see(desk: ReviewDesk) -> None:
    place = page(desk, Search()).next
    assert place
    assert ids(page(desk, Search(), place, by="office-head")) == []


@pytest.mark.parametrize(
    "place", ["x", "e30", "bnVsbA", "WzFd", "%", "é", "9" * 5000, "WyJzdWJtaXR0ZWQtZGVzYyIsIDAsIGZhbHNlLCAxLCAyXQ"]
)
def test_a_place_that_is_none_is_the_first_page(desk: ReviewDesk, place: str) -> None:
    assert ids(page(desk, Search(), place)) == ids(page(desk, Search()))


def test_a_place_counts_in_its_own_order_only(desk: ReviewDesk) -> None:
    place = page(desk, Search(sort="due")).next
    assert ids(page(desk, Search(sort="number"), place)) == ids(page(desk, Search(sort="number")))


def test_a_later_page_takes_no_more_statements_than_the_sections_of_its_order(desk: ReviewDesk) -> None:
    for wanted in ORDERS:
        first = page(desk, wanted)
        with statements(desk.database.engine) as sent:
            page(desk, wanted, first.next)
        assert sum(PAGED.search(one) is not None and "FROM applications" in one for one in sent) <= 2, wanted
