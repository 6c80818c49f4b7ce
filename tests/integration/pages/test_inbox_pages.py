"""The inbox, as reviewers use it: what waits for them, in which order, and what a conflict keeps from them."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from portal_client import Portal
from review_desk import NOON, ReviewDesk
from review_pages import Lens, decision, text_of

from services.database.tables.applications import Application
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.applications.forms import ItemAsked


@pytest.fixture
def lens() -> Lens:
    return Lens()


@pytest.fixture
async def portal(desk: ReviewDesk, lens: Lens) -> AsyncIterator[Portal]:
    async with Portal(desk, recorders=lambda _kind, _configuration: lens) as opened:
        yield opened


def linked(page: str) -> list[str]:
    """The numbers of the listed applications, in their order."""
    return re.findall(r">(SQ-\d+-\d+)</a>", page)


@pytest.mark.requirement("R23")
async def test_the_inbox_begins_with_what_is_overwritten_first(desk: ReviewDesk, portal: Portal) -> None:
    later = desk.submitted(items=(ItemAsked("camera", NOON - timedelta(hours=1), NOON, "UTC"),))
    sooner = desk.submitted(items=(ItemAsked("camera", NOON - timedelta(days=29), NOON - timedelta(days=28), "UTC"),))
    for application_id in (later, sooner):
        desk.opened(application_id, "preliminary")
    head = await portal.signed_in("head")

    page = await head.get("/inbox")

    numbers = [desk.the(Application, id=one).number for one in (sooner, later)]
    assert linked(page.text) == numbers
    assert "<html" in page.text
    part = await head.get("/inbox", headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert linked(part.text) == numbers
    backwards = await head.get("/inbox?descending=true")
    assert linked(backwards.text) == numbers[::-1]
    one = await head.get(f"/inbox?search={numbers[1]}")
    assert linked(one.text) == numbers[1:]
    none = await head.get("/inbox?stage=management")
    assert "没有符合条件的待办" in none.text


async def test_the_inbox_is_a_table_for_a_spreadsheet_too(desk: ReviewDesk, portal: Portal) -> None:
    desk.opened(desk.submitted(), "preliminary")
    head = await portal.signed_in("head")

    table = await head.get("/inbox.csv")

    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.startswith("\ufeff编号,")
    assert desk.all(Application)[0].number in table.text
    assert "+08:00," in table.text  # moments in the organisation's zone, whole seconds


@pytest.mark.requirement("R24", "R61", refuses=True)
@pytest.mark.parametrize(
    ("stage", "person", "can"),
    [
        ("preliminary", "head", "deputy"),
        ("security", "reviewer", "reviewer2"),
        ("security-signature", "office-head", ""),
        ("management", "manager", "manager2"),
        ("storage-release", "operator", "operator2"),
        ("partial-footage", "reviewer", "reviewer2"),
    ],
)
async def test_what_a_conflict_bars_stands_apart_with_the_reason_and_who_can(
    desk: ReviewDesk, portal: Portal, stage: str, person: str, can: str
) -> None:
    if stage == "security-signature":  # T8: where Security is concerned Administration signs, here the drafter
        desk.post("office-head", "security-reviewer", "security")
        can = "office-deputy"
        desk.run(lambda uow: uow.session.add(_deputy(uow)))
    application_id = desk.submitted(by=person)
    review_id = desk.opened(application_id, stage)
    browser = await portal.signed_in(person)

    page = text_of(await browser.get("/inbox"))
    review = text_of(await browser.get(f"/reviews/{review_id}"))

    sentence = "您是本案的申请人，不能再承担此项职责，请由他人办理。"
    assert sentence in page.partition("须由他人办理的审核")[2]
    assert f"可办理人：{can}" in page or can in page.partition("可办理人：")[2]
    assert sentence in review
    assert "审核结论" not in review
    conflicts = (await browser.get("/api/reviews/conflicts")).json()
    assert [one["whyNot"]["code"] for one in conflicts] == ["was-applicant"]
    refused = await browser.post(f"/reviews/{review_id}/decide", data=decision(desk, review_id, "approved"))
    assert refused.status_code in {403, 422}
    assert desk.all(Decision) == []


def _deputy(uow: UnitOfWork) -> Any:
    from services.database.tables.agreements import Agreement  # noqa: PLC0415
    from services.database.tables.people import Person, Post  # noqa: PLC0415

    like = uow.session.get_one(Person, "office-head")
    person = Person(
        id="office-deputy", login="office-deputy", name="office-deputy", department_id="office",
        password_hash=like.password_hash,
    )  # fmt: skip
    uow.session.add(person)
    uow.session.flush()
    since, until = NOON - timedelta(days=9), NOON + timedelta(days=99)
    uow.session.add(Post(person_id=person.id, department_id="office", kind="deputy", since=since))
    return Agreement(person_id=person.id, version=uow.rules.agreement_version, signed_at=since, expires_at=until)


async def test_nobody_learns_from_the_inbox_of_a_case_that_concerns_them(desk: ReviewDesk, portal: Portal) -> None:
    desk.opened(desk.submitted(subject_ids=("deputy",)), "preliminary")
    deputy = await portal.signed_in("deputy")

    page = await deputy.get("/inbox")

    assert "SQ-" not in page.text
    assert (await deputy.get("/api/reviews/conflicts")).json() == []


@pytest.mark.requirement("R22")
async def test_a_deputy_is_told_in_whose_place_the_review_is_decided(desk: ReviewDesk, portal: Portal) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    desk.away("head")
    deputy = await portal.signed_in("deputy")

    assert "您代 head 办理。" in text_of(await deputy.get("/inbox"))
    assert "您代 head 办理。" in text_of(await deputy.get(f"/reviews/{review_id}"))
    await deputy.post(f"/reviews/{review_id}/decide", data=decision(desk, review_id, "approved"))
    assert desk.the(Decision).stands_in_for == "head"
