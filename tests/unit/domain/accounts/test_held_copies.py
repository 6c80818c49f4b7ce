"""Nobody's account ends while the person is the custodian of copies: they would strand with it (R46)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from portal_client import Portal, problem
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.people import Person
from services.domain.accounts import held_copies, staff
from services.runtime.errors import Refused

pytestmark = pytest.mark.requirement("R46")


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def held(desk: ReviewDesk, **values: Any) -> str:
    """The number of a case whose copies are offered to the keeper, and what has become of them."""
    application_id = desk.submitted()
    desk.offered(application_id, **values)
    return str(desk.the(Application, id=application_id).number)


def deactivated(desk: ReviewDesk) -> bool:
    desk.run(staff.deactivate, "keeper", by="admin")
    return not desk.the(Person, id="keeper").active


def test_who_has_copies_on_loan_or_is_offered_some_stays(desk: ReviewDesk) -> None:
    now = desk.clock.now()
    numbers = held(desk, accepted_at=now), held(desk), held(desk, accepted_at=now, lost_at=now)

    with pytest.raises(Refused) as refused:
        deactivated(desk)

    assert refused.value.code == "holds-copies"
    assert all(number in refused.value.zh and number in refused.value.en for number in numbers)
    assert "移交" in refused.value.zh
    assert desk.the(Person, id="keeper").active


def test_who_has_given_everything_back_may_leave(desk: ReviewDesk) -> None:
    now = desk.clock.now()
    for values in (
        {"accepted_at": now, "returned_at": now},
        {"declined_at": now},
        {"accepted_at": now, "ended_at": now},
    ):
        held(desk, **values)
    assert deactivated(desk)


def test_an_offer_that_nobody_may_accept_any_more_keeps_nobody(desk: ReviewDesk) -> None:
    held(desk)
    desk.clock.turn(timedelta(days=8))
    assert deactivated(desk)


def test_somebody_elses_loan_keeps_nobody(desk: ReviewDesk) -> None:
    held(desk, accepted_at=desk.clock.now())
    desk.run(staff.deactivate, "drafter", by="admin")
    assert not desk.the(Person, id="drafter").active


def test_of_very_many_cases_the_first_are_named_and_the_rest_counted(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_copies, "MOST_NAMED", 2)
    numbers = [held(desk) for _ in range(4)]

    with pytest.raises(Refused) as refused:
        deactivated(desk)

    assert [number in refused.value.en for number in numbers].count(True) == 2
    assert "2 more" in refused.value.en


async def test_page_and_api_refuse_alike(desk: ReviewDesk) -> None:
    number = held(desk, accepted_at=desk.clock.now())
    async with Portal(desk) as portal:
        admin = await portal.signed_in("admin")
        answer = await admin.post("/api/people/keeper/deactivate")
        assert problem(answer)[:2] == (409, "holds-copies")
        page = await admin.post("/admin/people/keeper/deactivate", data={"csrf_token": admin.headers["X-CSRF-Token"]})
        assert page.status_code == 409
        assert number in page.text
    assert desk.the(Person, id="keeper").active
