"""The register as Security reads it: search, counts, who holds copies, what is overwritten next."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from review_desk import NOON, ReviewDesk

from services.database.listing import Listing
from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.custody import HandOver
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import register as case_register
from services.domain.cases import states as case_states
from services.domain.cases.register import Search

pytestmark = pytest.mark.both_databases


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def find(desk: ReviewDesk, by: str = "reviewer", **wanted: Any) -> list[str]:
    return [line.id for line in desk.run(case_register.list_cases, Search(**wanted), limit=50, by=by)]


def agree(uow: UnitOfWork) -> list[tuple[str, str]]:
    """Where the list and the case itself say something else of a case."""
    state = case_states.code(uow.now)
    rows = uow.session.query(Application, state).all()
    derived = case_states.states_of(uow, [row for row, _ in rows])
    return [(told, derived[row.id].code) for row, told in rows if told != derived[row.id].code]


def test_the_list_says_of_each_case_what_the_case_itself_says(desk: ReviewDesk) -> None:
    first = desk.submitted()
    assert desk.run(agree) == []
    desk.approved(first)
    desk.filed(first)
    assert desk.run(agree) == []
    second = desk.submitted()
    desk.decide(desk.opened(second, "preliminary"), "head", "returned")
    assert desk.run(agree) == []
    assert desk.run(case_register.count_by_state, by="reviewer")["correction"] == 1


@pytest.mark.parametrize("text", ["三号门", "大门", "GATE", "drafter", "keeper", "works"])
def test_a_search_finds_a_case_by_its_words_people_and_places(desk: ReviewDesk, text: str) -> None:
    found = desk.submitted()
    assert find(desk, text=text) == [found]


@pytest.mark.parametrize("text", ["%", "_", "no such words", "'; drop table applications; --"])
def test_a_search_takes_signs_as_they_are(desk: ReviewDesk, text: str) -> None:
    desk.submitted()
    assert find(desk, text=text) == []


def test_a_search_keeps_to_state_department_purpose_and_time(desk: ReviewDesk) -> None:
    found = desk.submitted()
    assert find(desk, state="approval", department_id="works", purpose_category="security-incident") == [found]
    assert find(desk, since=NOON, until=NOON + timedelta(days=1)) == [found]
    for other in ({"state": "closed"}, {"department_id": "storage"}, {"since": NOON + timedelta(days=1)}):
        assert find(desk, **other) == []


@pytest.mark.parametrize("sort", case_register.SORTS)
def test_each_order_can_be_turned_round(desk: ReviewDesk, sort: case_register.Sort) -> None:
    both = {desk.submitted(), desk.submitted(by="head")}
    forth, back = find(desk, sort=sort, descending=True), find(desk, sort=sort, descending=False)
    assert set(forth) == set(back) == both


def test_numbers_are_in_their_order(desk: ReviewDesk) -> None:
    first, second = desk.submitted(), desk.submitted()
    assert find(desk, sort="number", descending=False) == [first, second]
    assert find(desk, sort="number", descending=True) == [second, first]


def test_nobody_finds_what_is_not_theirs_to_see(desk: ReviewDesk) -> None:
    found = desk.submitted(subject_ids=("reviewer2",))
    assert find(desk, by="supervisor") == [found]
    assert find(desk, by="reviewer2") == find(desk, by="office-head") == find(desk, by="admin") == []
    assert desk.run(case_register.read_next_overwritten, by="office-head").lines == []


@pytest.mark.requirement("R20", verb="recorded")
def test_what_is_overwritten_next_comes_first(desk: ReviewDesk) -> None:
    item = desk.submitted()
    [risk] = desk.run(case_register.read_next_overwritten, by="reviewer").lines
    assert risk.application_id == item
    assert risk.overwrite_at == risk.start + timedelta(days=30)
    for text, found in ((risk.camera.name_en.upper(), 1), (risk.number or "", 1), ("no such camera", 0)):
        assert len(desk.run(case_register.read_next_overwritten, Listing(text), by="reviewer").lines) == found


@pytest.mark.requirement("R47", verb="recorded")
def test_a_look_into_the_register_is_on_the_trail(desk: ReviewDesk) -> None:
    find(desk)
    assert [event.actor_id for event in desk.all(AuditEvent, action="register-read")] == ["reviewer"]


@pytest.mark.requirement("R50", verb="recorded")
def test_copies_out_say_who_holds_them_and_what_is_overdue(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    offer = HandOver(
        application_id=application_id, custodian_id="keeper", offered_at=NOON, take_up_until=NOON, use_days=5
    )
    desk.run(lambda uow: uow.session.add(offer))
    assert desk.run(case_register.read_copies_out, by="reviewer").lines == []
    assert desk.run(agree) == []

    def accept(uow: UnitOfWork) -> None:
        row = uow.session.get_one(HandOver, offer.id)
        row.accepted_at, row.due_at = NOON, NOON + timedelta(days=5)

    desk.run(accept)
    [out] = desk.run(case_register.read_copies_out, by="reviewer").lines
    assert (out.custodian, out.overdue) == ("keeper", False)
    assert desk.run(case_register.read_copies_out, by="office-head").lines == []
    assert desk.run(agree) == []
    desk.clock.turn(timedelta(days=6))
    assert [late.overdue for late in desk.run(case_register.read_copies_out, overdue=True, by="reviewer").lines] == [
        True
    ]
    for text, found in (("KEEPER", 1), ("nobody", 0), ("%", 0)):
        assert len(desk.run(case_register.read_copies_out, Listing(text), by="reviewer").lines) == found
    for department_id, found in (("works", 1), ("office", 0)):
        assert len(desk.run(case_register.read_copies_out, department_id=department_id, by="reviewer").lines) == found
    assert desk.run(agree) == []
