"""Lists whose pages begin behind a line: together they are the list, none is empty, and each leads back."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise, product
from typing import Any, get_args

import pytest
from prepared_desk import prepared_desk
from review_desk import NOON, ReviewDesk

from services.database.keyset import Page
from services.database.listing import Listing
from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.custody import HandOver
from services.database.tables.drafts import Draft
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import directory
from services.domain.cases import inbox, own_applications, register
from services.domain.cases.schemas.lists import OwnApplication
from services.domain.cases.states import STATES
from services.domain.custody import log as custody_log
from services.domain.custody import queries as custody_queries
from services.domain.custody.schemas import LoanSort, LogSort
from services.domain.retrieval import preservations
from services.domain.reviews.schemas import InboxSort

pytestmark = pytest.mark.both_databases
CASES, WIDTH = 20, 5
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Read = Callable[[UnitOfWork, Listing], Page[Any]]


def _department(uow: UnitOfWork, listing: Listing) -> Page[OwnApplication]:
    return own_applications.read_own(uow, listing, department=True)


def _log(uow: UnitOfWork, listing: Listing) -> Page[Any]:
    return custody_queries.get_log(uow, "loan-0", listing).found


# who reads, in which orders, and how many lines there are; the number is a multiple of the width where it can be
LISTS: dict[str, tuple[str, tuple[str, ...], Read, int]] = {
    "own applications": ("drafter", own_applications.SORTS, own_applications.read_own, CASES),
    "the department's": ("head", own_applications.SORTS, _department, CASES - 4 + 10),
    "inbox": ("head", get_args(InboxSort), inbox.read_waiting, 10),
    "barred": ("head", ("",), inbox.read_barred, 10),
    "copies on loan": ("reviewer", get_args(register.OutSort), register.read_copies_out, 5),
    "next overwritten": ("reviewer", get_args(register.RiskSort), register.read_next_overwritten, 25),
    "loans": ("keeper", get_args(LoanSort), custody_queries.read_mine, 10),
    "custody log": ("keeper", get_args(LogSort), _log, 25),
    "people": ("drafter", ("",), directory.page_of_people, 17),
    "cameras": ("drafter", ("",), directory.page_of_cameras, 10),
}


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk, _ = prepared_desk(any_database_url, _lay_out)
    yield desk
    desk.close()


def _lay_out(desk: ReviewDesk) -> None:
    desk.run(_add_cameras)
    cases = [desk.submitted() for _ in range(CASES)]
    own = [desk.submitted(by="head") for _ in range(10)]
    desk.run(_spread, cases, own)
    for application_id in (*cases[:10], *own):
        desk.opened(application_id, "preliminary")
    desk.run(_append)


def _add_cameras(uow: UnitOfWork) -> None:
    for number in range(9):
        names = {"name_zh": f"像{number // 2}", "name_en": f"c{number // 2}", "place_zh": "p", "place_en": "p"}
        uow.session.add(
            Camera(id=f"c{number}", recorder_id="recorder", channel=f"{number}", retention_days=30, **names)
        )


def _spread(uow: UnitOfWork, cases: list[str], own: list[str]) -> None:
    """Several states, of which some moments are alike and some are missing; the first ten cases are being approved."""
    for place, case in enumerate((*cases, *own)):
        row = uow.session.get_one(Application, case)
        row.created_at = NOON + (place // 3) * HOUR
        row.submitted_at = row.created_at if place % 4 else NOON
        [item] = uow.session.query(Item).filter_by(application_id=case)
        item.asked_start -= (place // 2) * HOUR
    for place, case in enumerate(cases[10:]):
        row = uow.session.get_one(Application, case)
        if place < 4:  # drafts, two of them saved
            row.submitted_at = row.number = None
            if place < 2:
                uow.session.add(Draft(application_id=case, round=0, version=1, saved_at=NOON + DAY, typed={}))
        elif place == 4:
            row.correction_until = NOON + DAY
        elif place == 5:
            row.closed_at, row.closed_as = NOON, "rejected"
    uow.session.flush()
    for place, case in enumerate((*cases[16:], *own[:6])):  # five of them are held, the others not yet or no more
        uow.session.add(
            HandOver(
                **{"id": f"loan-{place}", "application_id": case, "custodian_id": "keeper", "use_days": 5},
                **{"offered_at": NOON - place * DAY, "take_up_until": NOON + DAY},
                accepted_at=NOON - (place % 2) * DAY if place < 7 else None,
                due_at=NOON + (place % 3 - 1) * DAY if place < 7 else None,
                returned_at=NOON if place in (5, 6) else None,
                declined_at=NOON if place == 9 else None,
            )
        )


def _append(uow: UnitOfWork) -> None:
    loan = uow.session.get_one(HandOver, "loan-0")
    for number in range(25):
        event = ("viewed", "reminded", "downloaded")[number % 3]
        custody_log.append(uow, loan, event, person_id="keeper" if number % 3 != 1 else None)


def key_of(line: Any) -> object:
    return line.model_dump_json() if not hasattr(line, "seq") else line.seq


@pytest.mark.slow
@pytest.mark.requirement("R16", "R20", "R47", verb="recorded")
@pytest.mark.parametrize("name", LISTS)
def test_the_pages_together_are_the_list_and_none_is_empty(desk: ReviewDesk, name: str) -> None:
    by, sorts, read, number = LISTS[name]
    for sort, falling in product(sorts, (False, True)):

        def page(place: str = "", limit: int | None = WIDTH, sort: str = sort, falling: bool = falling) -> Page[Any]:
            return desk.run(read, Listing(sort=sort, descending=falling, limit=limit, place=place), by=by)

        whole = list(map(key_of, page(limit=None).lines))
        pages = [page()]
        while pages[-1].next:
            pages.append(page(pages[-1].next))

        assert len(whole) == number == len(set(whole)), sort
        assert [key_of(line) for one in pages for line in one.lines] == whole, sort
        assert [len(one.lines) for one in pages] == [min(WIDTH, number - at) for at in range(0, number, WIDTH)], sort
        assert pages[0].previous == ""
        for earlier, later in pairwise(pages):
            back = page(later.previous)
            assert (back.lines, back.next != "") == (earlier.lines, True), sort
            assert (back.previous == "") == (earlier is pages[0]), sort


def test_a_place_that_is_none_is_the_first_page(desk: ReviewDesk) -> None:
    for by, sorts, read, _ in LISTS.values():
        first = desk.run(read, Listing(sort=sorts[0], limit=WIDTH), by=by)
        for place in ("x", "W10", "WyJ4IiwgMCwgZmFsc2UsIDEsIDJd", "9" * 5000):
            assert desk.run(read, Listing(sort=sorts[0], limit=WIDTH, place=place), by=by) == first


@pytest.mark.requirement("R16", verb="recorded")
def test_own_applications_are_sorted_by_what_they_show(desk: ReviewDesk) -> None:
    shown: dict[str, Callable[[OwnApplication], Any]] = {
        **{"changed": lambda line: line.changed_at, "overwrite": lambda line: line.overwrite_at},
        **{"due": lambda line: line.due_at, "number": lambda line: line.number},
        "state": lambda line: STATES.index(line.state),
    }
    for sort, falling in product(own_applications.SORTS, (False, True)):
        listing = Listing(sort=sort, descending=falling)
        values = list(map(shown[sort], desk.run(own_applications.read_own, listing, by="drafter").lines))
        there = [value for value in values if value is not None]
        assert there == sorted(there, reverse=falling), sort
        assert values == there + [None] * (len(values) - len(there)), sort


@pytest.mark.requirement("R16", verb="recorded")
def test_own_applications_are_searched_and_filtered_in_the_database(desk: ReviewDesk) -> None:
    def numbers(text: str = "", state: str | None = None, by: str = "drafter", **named: Any) -> int:
        return len(desk.run(own_applications.read_own, Listing(text), state=state, by=by, **named).lines)

    first = desk.run(own_applications.read_own, Listing(sort="number"), by="drafter").lines[0].number or ""
    assert [numbers(text) for text in (first, "大门", "GATE", "货物", "no such % thing")] == [1, CASES, CASES, CASES, 0]
    assert [numbers(state=state) for state in ("draft", "correction", "closed", "open", "x")] == [4, 1, 1, 15, 0]
    assert sum(numbers(state=state) for state in STATES) == CASES
    assert numbers(by="keeper") == 0
    desk.run(lambda uow: setattr(uow.session.get_one(Application, _one_of(uow)), "subject_ids", ["head"]))
    assert numbers(by="head", department=True) == CASES - 4 + 10 - 1  # nobody reads of a case that concerns them (T8)


def _one_of(uow: UnitOfWork) -> str:
    return str(
        uow.session.query(Application.id)
        .filter(Application.number.is_not(None))
        .filter_by(drafter_id="drafter")
        .order_by(Application.number)
        .first()[0]
    )


@pytest.mark.requirement("R23", verb="recorded")
def test_the_order_of_what_is_overwritten_believes_a_recorder_once_it_has_moved(desk: ReviewDesk) -> None:
    def measure(uow: UnitOfWork, moved: datetime | None) -> None:
        """Camera c0 has kept four days; whether that is a limit is known once its oldest picture has moved."""
        for number, camera_id in enumerate(("c0", "c1")):
            item = uow.session.query(Item).order_by(Item.id).offset(number).first()
            item.camera_id, item.asked_start = camera_id, NOON - DAY * (1 + number)
        camera = uow.session.get_one(Camera, "c0")
        camera.oldest_measured_at, camera.oldest_frame_at, camera.oldest_moved_at = NOON, NOON - 4 * DAY, moved

    for moved in (None, NOON):
        desk.run(measure, moved)
        found = desk.run(_moments)
        assert found == sorted(found)


def _moments(uow: UnitOfWork) -> list[datetime]:
    rows = uow.session.query(Item, Camera).join(Camera, Camera.id == Item.camera_id)
    moments = [
        preservations.overwrite_moment(camera, item.asked_start)
        for item, camera in rows.order_by(preservations.overwrite_order())
    ]
    return [moment for moment in moments if moment is not None]
