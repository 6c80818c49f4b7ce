"""The register by camera, time of the footage, incident and document: found in SQL, page by page, as before."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from portal_client import Portal
from pydantic.alias_generators import to_camel
from review_desk import NOON, ReviewDesk
from statements import statements

from services.database.tables.applications import Item
from services.database.tables.cameras import Camera
from services.database.tables.documents import Document
from services.database.unit_of_work import UnitOfWork
from services.domain.applications.forms import ItemAsked
from services.domain.cases.register import Search, list_cases, read_page

pytestmark = [pytest.mark.both_databases, pytest.mark.requirement("R20", verb="recorded")]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    desk.add_north_gate()
    yield desk
    desk.close()


def asked(camera: str, days: int, length: timedelta = HOUR) -> ItemAsked:
    """One item, so many days ago."""
    return ItemAsked(camera, NOON - days * DAY, NOON - days * DAY + length, "UTC")


def found(desk: ReviewDesk, by: str = "reviewer", **wanted: Any) -> set[str]:
    cases = {line.id for line in desk.run(list_cases, Search(**wanted), limit=50, by=by)}
    page = desk.run(read_page, Search(**wanted), limit=50, by=by)
    assert {line.id for line in page.lines} == cases
    return cases


def test_a_case_is_found_by_camera_and_time_of_one_of_its_items(desk: ReviewDesk) -> None:
    old = desk.submitted(items=(asked("camera", 20),))
    both = desk.submitted(items=(asked("camera", 10), asked("north", 2)))
    long = desk.submitted(items=(asked("north", 12, 4 * DAY),))

    assert found(desk, camera_id="north") == {both, long}
    assert found(desk, footage_since=NOON - 11 * DAY, footage_until=NOON - 9 * DAY) == {both, long}
    assert found(desk, camera_id="camera", footage_since=NOON - 11 * DAY) == {both}
    # of that camera and in that time is one item, not two
    assert found(desk, camera_id="north", footage_since=NOON - 11 * DAY, footage_until=NOON - 9 * DAY) == {long}
    assert found(desk, footage_until=NOON - 15 * DAY) == {old}
    assert found(desk, footage_since=NOON - 20 * DAY + HOUR, footage_until=NOON - 12 * DAY) == set()
    assert found(desk, camera_id="no such camera") == set()


def test_what_a_correction_has_dropped_is_asked_for_no_more(desk: ReviewDesk) -> None:
    case = desk.submitted(items=(asked("camera", 2), asked("north", 2)))

    def drop(uow: UnitOfWork) -> None:
        for item in uow.session.query(Item).filter_by(camera_id="north"):
            item.dropped_in_round = 1

    desk.run(drop)
    assert (found(desk, camera_id="north"), found(desk, camera_id="camera")) == (set(), {case})


def test_a_case_is_found_by_its_incident_and_by_the_number_of_a_document(desk: ReviewDesk) -> None:
    one = desk.submitted(incident_reference="Sj-77 甲")
    other = desk.submitted(incident_reference="SJ-7")
    documents = (("JL-2031-000004", one), ("BJ-2031-000001", None))

    def file(uow: UnitOfWork) -> None:
        for number, case in documents:
            written = {"content": "{}", "sha256": "0" * 64, "made_at": NOON, "demo": False}
            kind = "retrieval-record" if case else "confidentiality-agreement"
            uow.session.add(Document(number=number, kind=kind, application_id=case, subject_id=number, **written))

    desk.run(file)
    assert found(desk, incident=" sJ-77 甲 ") == {one}
    assert found(desk, incident="SJ-7") == {other}
    assert found(desk, document=" jl-2031-000004 ") == found(desk, text="jl-2031-000004") == {one}
    assert found(desk, document="BJ-2031-000001") == found(desk, document="JL-2031") == set()
    assert found(desk, by="office-head", document="JL-2031-000004") == set()  # who may not see the case


@pytest.mark.requirement("R62", refuses=True)
def test_no_case_is_found_by_a_sheet_that_is_hidden_from_the_reader(desk: ReviewDesk) -> None:
    """Else whoever sees the case could find out by numbers that there is a violation, a hold or a work order."""
    case = desk.submitted()
    of_reviewer = desk.submitted(by="reviewer", subject_ids=("reviewer",))
    sheets = {"violation": "WG", "referral": "WG", "hold-notice": "BL", "hold": "BQ", "corrective-action": "ZG"}

    def file(uow: UnitOfWork) -> None:
        for place, application_id in enumerate((case, of_reviewer)):
            for number, kind in enumerate(sheets, place * len(sheets)):
                numbered = f"{sheets[kind]}-2031-00000{number}"
                written = {"content": "{}", "sha256": "0" * 64, "made_at": NOON, "demo": False}
                uow.session.add(Document(number=numbered, kind=kind, application_id=application_id, **written))

    desk.run(file)
    for number, prefix in enumerate(sheets.values()):
        asked, own = (f"{prefix}-2031-00000{place}" for place in (number, number + len(sheets)))
        for by, cases in (("drafter", set()), ("head", set()), ("reviewer", {case}), ("supervisor", {case})):
            assert found(desk, by=by, document=asked) == found(desk, by=by, text=asked) == cases, (by, asked)
        # who has drafted a case about themselves sees it, and none of these sheets
        assert found(desk, by="reviewer", document=own) == found(desk, by="reviewer", text=own) == set(), own
        assert found(desk, by="reviewer2", document=own) == {of_reviewer}, own
    assert found(desk, by="drafter") == {case}
    assert found(desk, by="reviewer") == {case, of_reviewer}


def test_pages_of_a_filtered_list_show_each_case_once_and_lead_back(desk: ReviewDesk) -> None:
    cases = [desk.submitted(items=(asked("north" if number % 3 else "camera", 5),)) for number in range(9)]
    wanted = Search(camera_id="north", footage_since=NOON - 6 * DAY, footage_until=NOON - 4 * DAY)
    pages, place = [], ""
    while not pages or place:
        with statements(desk.database.engine) as told:
            page = desk.run(read_page, wanted, limit=2, place=place, by="reviewer")
        assert len(told) < 25
        pages.append([line.id for line in page.lines])
        place = page.next
    assert [len(page) for page in pages] == [2, 2, 2]
    assert {case for page in pages for case in page} == {case for place, case in enumerate(cases) if place % 3}
    back = desk.run(read_page, wanted, limit=2, place=page.previous, by="reviewer")
    assert [line.id for line in back.lines] == pages[-2]
    assert all(not set(one) & set(next_one) for one, next_one in pairwise(pages))


async def test_days_of_the_footage_are_those_of_the_organisation(desk: ReviewDesk) -> None:
    midnight = ItemAsked("north", NOON + 4 * HOUR, NOON + 5 * HOUR, "UTC")  # begins as the next day does in Shanghai
    desk.clock.turn(2 * DAY)
    case = desk.submitted(items=(midnight,))
    day = date(2031, 3, 5)
    async with Portal(desk) as portal:
        browser = await portal.signed_in("reviewer")
        for since, until, cases in ((day, day, [case]), (day - DAY, day - DAY, []), (day + DAY, day + DAY, [])):
            api = {"cameraId": "north", "footageSince": str(since), "footageUntil": str(until)}
            assert [line["id"] for line in (await browser.get("/api/register", params=api)).json()] == cases
            page = {"camera": "north", "footage_since": str(since), "footage_until": str(until)}
            answer = await browser.get("/register", params=page)
            assert (f"/cases/{case}" in answer.text, answer.status_code) == (bool(cases), 200)
            rows = (await browser.get("/register", params={**page, "form": "csv"})).text.splitlines()
            assert len(rows) == 1 + len(cases)
        wrong = await browser.get("/register", params={"footage_since": "gestern", "camera": "north"})
        assert (wrong.status_code, "2026-01-31" in wrong.text, f"/cases/{case}" in wrong.text) == (422, True, True)


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ({"footage_since": "9999-12-31"}, False),
        ({"footage_until": "0001-01-01"}, False),
        ({"since": "9999-12-31"}, False),
        ({"until": "0202-03-04"}, False),
        ({"footage_since": "0001-01-01", "footage_until": "9999-12-31"}, True),
        ({"since": "0202-03-04", "until": "9999-12-31"}, True),
    ],
)
async def test_a_day_that_no_case_has_still_filters(desk: ReviewDesk, days: dict[str, str], *, found: bool) -> None:
    case = desk.submitted()
    async with Portal(desk) as portal:
        browser = await portal.signed_in("reviewer")
        page = await browser.get("/register", params=days)
        api = await browser.get("/api/register", params={to_camel(name): day for name, day in days.items()})
    assert (page.status_code, f"/cases/{case}" in page.text) == (200, found)
    assert [line["id"] for line in api.json()] == [case] * found


async def test_a_camera_is_chosen_by_a_search_as_on_the_form(desk: ReviewDesk) -> None:
    north, other = (desk.submitted(items=(asked(camera, 5),)) for camera in ("north", "camera"))

    def retire(uow: UnitOfWork) -> None:
        uow.session.get_one(Camera, "north").active = False

    desk.run(retire)
    async with Portal(desk) as portal:
        browser = await portal.signed_in("reviewer")
        part = (await browser.get("/register/cameras", params={"camera_search": "北区"})).text
        assert 'name="pick" value="north"' in part
        assert 'value="camera"' not in part
        assert "<html" not in part
        # without a script the page itself shows what is found, and keeps what is chosen besides
        page = (await browser.get("/register", params={"camera_search": "北区", "state": "approval"})).text
        assert ('name="pick" value="north"' in page, "<html" in page) == (True, True)
        chosen = (await browser.get("/register", params={"pick": "north", "camera": "camera"})).text
        assert ("北门" in chosen, f"/cases/{north}" in chosen, f"/cases/{other}" in chosen) == (True, True, False)
