"""Who leaves with copies out is kept until they are transferred: by page, API and list (R46, R47)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from portal_client import Portal, problem
from review_desk import ReviewDesk
from second_person import confirmed, newest

from services.database.tables.change_requests import ChangeRequest
from services.database.tables.custody import HandOver
from services.database.tables.notices import Notice
from services.database.tables.people import Department, Person, Post
from services.database.tables.staffing import Leaving
from services.database.tables.suspensions import Suspension
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.accounts import posts, staff
from services.domain.change_requests import service as change_requests
from services.domain.custody import suspensions
from services.domain.staffing import leaving
from services.domain.work_orders import requested_acts
from services.runtime.errors import Refused

pytestmark = pytest.mark.requirement("R46")


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def lent(desk: ReviewDesk) -> str:
    application_id = desk.submitted()
    desk.offered(application_id, accepted_at=desk.clock.now())
    return application_id


def given_away(desk: ReviewDesk, to: str = "drafter") -> None:
    """Another person holds the copies, as a transfer leaves them."""

    def act(uow: UnitOfWork) -> None:
        uow.session.get_one(HandOver, hand_over.id).custodian_id = to

    [hand_over] = desk.all(HandOver)
    desk.run(act)


def open_causes(desk: ReviewDesk, person_id: str) -> list[str]:
    return [row.cause for row in desk.run(suspensions.of_person, person_id)]


@pytest.mark.requirement("R46", "R47", refuses=True)
def test_the_account_is_kept_without_power_until_the_copies_are_transferred(desk: ReviewDesk) -> None:
    desk.post("keeper", "return-inspector", "security")
    application_id = lent(desk)
    desk.run(leaving.leave, "keeper", by="admin")
    assert desk.the(Person, id="keeper").active
    assert all(post.until is not None for post in desk.all(Post, person_id="keeper"))
    assert open_causes(desk, "keeper") == ["custodian-left"]
    # whoever may transfer the copies is asked to
    assert {row.person_id for row in desk.all(Notice, code="custodian-leaves")} == {"head"}
    assert {row.application_id for row in desk.all(Notice, code="custodian-leaves")} == {application_id}
    with pytest.raises(Refused, match="leaves"):
        desk.run(posts.assign, "keeper", posts.PostRequest("deputy", "works"), by="admin")
    # again changes nothing, and nothing ends while copies are held
    desk.run(leaving.leave, "keeper", by="admin")
    assert not desk.run(leaving.settle)
    assert len(desk.all(Leaving)) == 1
    assert desk.the(Person, id="keeper").active

    given_away(desk)
    assert desk.run(leaving.settle)
    assert not desk.the(Person, id="keeper").active
    assert desk.the(Leaving).outcome == "left"
    assert open_causes(desk, "keeper") == []


def test_without_copies_the_account_ends_at_once(desk: ReviewDesk) -> None:
    desk.run(leaving.leave, "keeper", by="admin")
    assert not desk.the(Person, id="keeper").active
    assert desk.all(Leaving) == []


def test_who_stays_opens_the_copies_again_and_gets_no_post_back(desk: ReviewDesk) -> None:
    lent(desk)
    with pytest.raises(Refused) as refused:
        desk.run(leaving.stay, "keeper", by="admin")
    assert refused.value.code == "not-leaving"
    desk.run(leaving.leave, "keeper", by="admin")
    assert [row.done_at for row in desk.all(Notice, code="custodian-leaves")] == [None]
    confirmed(desk, leaving.stay, "keeper")
    assert None not in [row.done_at for row in desk.all(Notice, code="custodian-leaves")]
    assert open_causes(desk, "keeper") == []
    assert len(desk.all(Suspension)) == 1
    assert all(post.until is not None for post in desk.all(Post, person_id="keeper"))
    given_away(desk)
    assert not desk.run(leaving.settle)
    assert desk.the(Person, id="keeper").active


@pytest.mark.requirement("R2", "R46", refuses=True)
async def test_no_administrator_alone_becomes_somebody_who_has_gone_or_opens_their_copies(desk: ReviewDesk) -> None:
    lent(desk)
    desk.run(leaving.leave, "keeper", by="admin")
    admin = Actor("person", "admin")
    with pytest.raises(Refused) as refused:
        desk.run(leaving.stay, "keeper", by="admin")
    assert refused.value.code == "second-person-needed"
    with pytest.raises(Refused, match="leaves and may not hear of it"):
        await staff.reset_password(desk.database, admin, "keeper")
    requests = [row.id for row in desk.all(ChangeRequest)]
    desk.clock.turn(timedelta(hours=25))  # in which somebody who has gone objects to nothing
    for request in requests:
        with pytest.raises(Refused) as refused:
            await requested_acts.carry_out(desk.database, admin, request)
        assert refused.value.code == "second-person-awaited"
    assert (len(requests), open_causes(desk, "keeper")) == (2, ["custodian-left"])


@pytest.mark.requirement("R46", refuses=True)
def test_nobody_leaves_who_is_needed_or_by_the_word_of_others(desk: ReviewDesk) -> None:
    for person, code in (("admin", "not-oneself"), ("keeper", "administrators-only")):
        with pytest.raises(Refused) as refused:
            desk.run(leaving.leave, person, by="admin" if person == "admin" else "security-head")
        assert refused.value.code == code
    assert desk.the(Person, id="keeper").active


@pytest.mark.requirement("R46", refuses=True)
async def test_page_api_and_list_keep_alike(desk: ReviewDesk) -> None:
    lent(desk)
    place = desk.the(Department, id=desk.the(Person, id="keeper").department_id).name_zh
    rows = f"login,name,department,email,language,leaves\nkeeper,保管,{place},,,yes\ndeputy,x,{place},,,是\n"
    async with Portal(desk) as portal:
        admin = await portal.signed_in("admin")
        form = {"csrf_token": admin.headers["X-CSRF-Token"]}
        answer = await admin.post("/api/people/keeper/deactivate")
        assert problem(answer)[:2] == (409, "holds-copies")
        page = await admin.get("/admin/people/keeper")
        assert "/admin/people/keeper/leave" in page.text
        planned = (await admin.post("/api/people/list", content=rows.encode())).json()
        assert (planned["leaving"], planned["wrong"], planned["done"]) == (2, [], False)
        assert desk.all(Leaving) == []
        wrong = rows.replace("yes", "perhaps").encode()
        assert len((await admin.post("/api/people/list?dry_run=false", content=wrong)).json()["wrong"]) == 1
        assert (await admin.post("/api/people/list?dry_run=false", content=rows.encode())).json()["done"]
        assert not desk.the(Person, id="deputy").active
        assert desk.the(Leaving, person_id="keeper").source == "list"
        page = await admin.get("/admin/people/keeper")
        assert "/admin/people/keeper/stay" in page.text
        assert (await admin.get("/admin/people?state=leaving")).text.count('href="/admin/people/keeper"') == 1
        answer = await admin.post("/admin/people/keeper/stay", data=form)
        assert answer.status_code == 409
        request = newest(desk)
        desk.run(change_requests.confirm, request, by="security-head")
        assert (await admin.post(f"/api/change-requests/{request}/carry-out")).status_code == 200
        assert desk.the(Leaving, person_id="keeper").outcome == "stays"
        person: dict[str, Any] = (await admin.post("/api/people/keeper/leave")).json()
        assert (person["person"]["leaving"], person["person"]["active"], len(person["holds"])) == (True, True, 1)
