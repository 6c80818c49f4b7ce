"""The overview: numbers are of all, lists of the first few; what a custodian is to sign leads to where it is signed."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from custody_browser import Browser
from custody_desk import Desk

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.process_steps import ProcessStep
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork


@pytest.fixture
def desk(tmp_path: Path, filmed: Path) -> Desk:
    return Desk(tmp_path, filmed)


async def overview(desk: Desk, login: str) -> str:
    browser = await Browser.of(desk, login)
    browser.client.cookies.set("footage_desk_language", "en")
    page = (await browser.get("/")).text
    await browser.client.aclose()
    return page


def tile(page: str, label: str) -> str | None:
    """The number of the tile with this label; None where there is no such tile."""
    found = re.search(rf"<b>(\d+)</b>{label}", page)
    return found and found.group(1)


async def test_more_applications_than_are_listed_are_counted_whole_and_lead_to_the_list(desk: Desk) -> None:
    for _ in range(7):
        desk.case("yard")
    page = await overview(desk, "drafter")
    assert tile(page, "my applications in progress") == "7"
    assert page.count('<li><a href="/cases/') == 5
    assert '<a href="/applications">Show all</a>' in page


async def test_a_receipt_is_asked_of_the_custodian_once_with_the_time_that_is_left(desk: Desk) -> None:
    hand_over_id = await desk.case("yard").offer()
    page = await overview(desk, "custodian")
    assert tile(page, "loan in my custody") == "1"
    assert f'<a href="/hand-overs/{hand_over_id}#accept">Accept or decline</a>' in page
    assert "data-until" in page.split("In my custody</h2>")[1].split("</section>")[0]
    assert tile(page, "waiting for my decision") is None


async def test_who_decides_by_post_sees_that_nothing_waits(desk: Desk) -> None:
    assert tile(await overview(desk, "security"), "waiting for my decision") == "0"


async def test_who_has_not_signed_the_agreement_is_led_to_it(desk: Desk) -> None:
    assert "/account/agreement" not in await overview(desk, "drafter")
    desk.change(Agreement, "agreement-drafter", expires_at=desk.clock.now())
    page = await overview(desk, "drafter")
    assert "no valid confidentiality agreement" in page
    assert 'href="/account/agreement"' in page


async def test_security_sees_violations_and_stopped_steps_of_what_is_under_way_and_others_do_not(desk: Desk) -> None:
    violated, stopped, closed = desk.case("yard"), desk.case("yard"), desk.case("yard")
    hand_over_id = await violated.offer()

    def write(uow: UnitOfWork) -> None:
        now = uow.now
        uow.session.add(
            Violation(
                application_id=violated.id,
                hand_over_id=hand_over_id,
                kind="overdue",
                opened_at=now - timedelta(hours=1),
                facts={},
            )
        )
        for key, case, ended in ((1, stopped, None), (2, violated, now), (3, closed, None)):
            step = ProcessStep(
                element_instance_key=key,
                application_id=case.id,
                process_id="video-retrieval",
                process_instance_key=key,
                element_id="Task_Retrieve",
                began_at=now,
                ended_at=ended,
                attempts=1,
                stuck_since=now,
            )
            uow.session.add(step)
        uow.session.get_one(Application, closed.id).closed_at = now

    desk.do(write)
    page = await overview(desk, "security")
    card = page.split("Violations and stopped steps</h2>")[1].split("</section>")[0]
    assert re.findall(r'href="/cases/([^"]+)"', card) == [stopped.id, violated.id]
    assert "a step has stopped and needs an administrator" in card
    assert "Violation: overdue" in card
    assert "Violations and stopped steps" not in await overview(desk, "drafter")
