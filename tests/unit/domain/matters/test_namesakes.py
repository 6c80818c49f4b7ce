"""Two people of one name in one department: wherever one is chosen they are told apart, and the chosen one is meant."""

import html
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from apply_browser import filled, saved
from loan_matter import LoanDesk, lent
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import NOON, PASSWORD, ReviewDesk
from review_pages import text_of

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.devices import Medium
from services.database.tables.matters import Matter
from services.database.tables.people import Person, Post
from services.database.tables.violations import Hearing
from services.database.unit_of_work import UnitOfWork
from services.domain.holds import queries as holds
from services.domain.reviews import tasks
from services.domain.storage import media, sites
from services.domain.storage.schemas import MediumBody, SiteBody

NAME = "王伟"
TWINS = {"wangwei": f"{NAME} (wangwei)", "wangwei2": f"{NAME} (wangwei2)"}


def add(desk: ReviewDesk, person_id: str, department: str, *, kind: str = "member", active: bool = True) -> None:
    def act(uow: UnitOfWork) -> None:
        uow.session.add(
            Person(id=person_id, login=person_id, name=NAME, department_id=department, password_hash="", active=active)
        )
        uow.session.flush()
        since = NOON - timedelta(days=9)
        uow.session.add(Post(person_id=person_id, department_id=department, kind=kind, since=since))
        version, until = uow.rules.agreement_version, NOON + timedelta(days=365)
        uow.session.add(Agreement(person_id=person_id, version=version, signed_at=since, expires_at=until))

    desk.run(act)


def with_namesakes(desk: ReviewDesk) -> dict[str, str]:
    ids = lent(desk)
    for person_id in TWINS:
        add(desk, person_id, "works")
    return ids


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", with_namesakes)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.fixture
async def portal(loan: LoanDesk) -> AsyncIterator[Portal]:
    async with Portal(loan.desk) as portal:
        yield portal


def labels(page: str, field: str) -> dict[str, str]:
    """The text of each choice of a field that is one of the namesakes, without the department; by id."""
    found = re.findall(rf'<input type="radio" name="{field}" value="(wangwei2?)"[^>]*> <span>(.*?)</span>', page)
    return {person_id: html.unescape(text).partition(" · ")[0] for person_id, text in found}


@pytest.mark.requirement("R21", "R2")
async def test_the_form_names_whom_of_two_of_one_name_it_means(portal: Portal, loan: LoanDesk) -> None:
    browser = await portal.signed_in("drafter")
    for field in ("custodianId", "recipientIds", "subjectIds"):
        answer = (await browser.get("/apply/people", params={"field": field, f"{field}Search": NAME})).text
        found = dict(re.findall(rf'value="person-{field}-(\w+)"><b>(.*?)</b>', answer))
        assert found == TWINS, field

    application_id = await saved(browser, filled(custodianId="wangwei", subjectIds=["wangwei2", ""]))

    assert loan.desk.the(Application, id=application_id).subject_ids == ["wangwei2"]
    form = (await browser.get(f"/applications/{application_id}/edit")).text
    read = text_of(await browser.get(f"/applications/{application_id}/summary"))
    for page in (form, read):
        assert all(label in page for label in TWINS.values())
    people = (await browser.get("/api/directory", params={"text": NAME})).json()["people"]
    assert {one["id"]: one["username"] for one in people} == {person_id: person_id for person_id in TWINS}


@pytest.mark.requirement("R65")
async def test_of_two_of_one_name_the_chosen_one_is_accused(portal: Portal, loan: LoanDesk) -> None:
    security = await portal.signed_in("reviewer2")
    new = f"/matters/new/violation?case={loan.application_id}"
    assert (
        labels((await security.get(new, params={"person": NAME, "case": loan.application_id})).text, "accusedId")
        == TWINS
    )
    typed = {"violationKind": "breach", "accusedId": "wangwei2", "reason": "外借他人。"}
    recorded = await security.post(new, data={**typed, "csrf_token": security.headers["X-CSRF-Token"]})
    assert recorded.status_code == 303, recorded.text
    [heard] = loan.desk.all(Hearing)
    assert heard.person_id == "wangwei2"


@pytest.mark.requirement("R46")
async def test_of_two_of_one_name_the_chosen_one_is_offered_the_copies(portal: Portal, loan: LoanDesk) -> None:
    keeper = await portal.signed_in("keeper")
    form = f"/matters/new/custody-transfer?case={loan.application_id}&person={NAME}"
    assert labels((await keeper.get(form)).text, "toPersonId") == TWINS
    typed = {"reason": "r", "toPersonId": "wangwei2", "password": PASSWORD}
    answer = await keeper.post(form, data={**typed, "csrf_token": keeper.headers["X-CSRF-Token"]})
    assert answer.status_code == 303, answer.text
    assert loan.desk.the(Matter).counterpart_id == "wangwei2"


@pytest.mark.requirement("R39")
async def test_of_two_of_one_name_the_chosen_one_gets_the_medium(portal: Portal, loan: LoanDesk) -> None:
    body = SiteBody(name="主机房", address="厂区东路1号", uses=["primary"], area="二层机柜")
    site_id = loan.desk.run(lambda uow: sites.add(uow, body).id, by="operator")
    medium = MediumBody(number="U-1", kind="usb-stick", site_id=site_id)
    medium_id = loan.desk.run(lambda uow: media.add(uow, medium).id, by="operator")
    operator = await portal.signed_in("operator")

    page = (await operator.get("/storage/media", params={"person": NAME})).text

    shown = re.findall(r'<option value="(wangwei2?)">(.*?)</option>', page)
    assert {person_id: text.partition(" · ")[0] for person_id, text in shown} == TWINS
    data = {"personId": "wangwei2", "csrf_token": operator.headers["X-CSRF-Token"]}
    assert (await operator.post(f"/storage/media/{medium_id}/hand-out", data=data)).status_code == 303
    assert loan.desk.the(Medium).holder_id == "wangwei2"


@pytest.mark.requirement("R17", "R63")
async def test_lists_without_departments_tell_namesakes_of_different_ones_apart(portal: Portal, loan: LoanDesk) -> None:
    """Who takes over a review and who owns a hold is chosen by the name alone."""
    add(loan.desk, "wei1", "security", kind="security-reviewer")
    add(loan.desk, "wei2", "security", kind="security-reviewer")
    owners = dict(loan.desk.run(holds.list_people, by="security-head"))
    assert (owners["wei1"], owners["wei2"]) == (f"{NAME} (wei1)", f"{NAME} (wei2)")
    assert owners["reviewer"] == "reviewer"

    application_id = loan.desk.submitted()
    loan.desk.decide(loan.desk.opened(application_id, "preliminary"), "head")
    review_id = loan.desk.opened(application_id, "security")
    loan.desk.run(tasks.claim, review_id, by="reviewer")
    page = (await (await portal.signed_in("security-head")).get(f"/reviews/{review_id}")).text
    shown = dict(re.findall(r'<option value="(wei\d)">(.*?)</option>', page))
    assert shown == {"wei1": f"{NAME} (wei1)", "wei2": f"{NAME} (wei2)"}


async def test_no_username_is_shown_where_nobody_else_has_the_name(portal: Portal, loan: LoanDesk) -> None:
    """A namesake of another department, or one who has left, is no reason beside the department."""
    add(loan.desk, "wei3", "office")
    add(loan.desk, "left", "office", active=False)
    browser = await portal.signed_in("drafter")
    people = (await browser.get("/api/directory")).json()["people"]
    assert {one["id"] for one in people if one["username"]} == set(TWINS)
