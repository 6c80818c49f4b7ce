"""People outside on the pages: entered before the form, shown to those who decide, provided and signed for."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from behalf_case import DRAFTER, drafted
from lent_case import Away
from portal_client import Portal
from prepared_desk import prepared_desk
from provided_case import ProvidingDesk, lent_to_security, with_medium

from services.database.tables.applications import Application
from services.database.tables.matters import Matter
from services.database.tables.outsiders import Outsider

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[ProvidingDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent_to_security)
    yield ProvidingDesk(desk, ids)
    desk.close()


@pytest.fixture
async def portal(loan: ProvidingDesk) -> AsyncIterator[Portal]:
    async with Portal(loan.desk, store=Away(), loan_keys=Away()) as portal:
        yield portal


async def send(client: httpx.AsyncClient, page: str, address: str, **typed: object) -> httpx.Response:
    """Send a form of a page, with the page's token."""
    shown = await client.get(page)
    assert shown.status_code == 200, shown.text[:500]
    token = re.search(r'name="csrf_token" value="([^"]+)"', shown.text)
    assert token is not None
    return await client.post(address, data={"csrf_token": token[1], **typed}, headers=FORM)


@pytest.mark.requirement("R21", "R58")
async def test_letter_and_people_are_entered_on_a_page_of_the_form(portal: Portal, loan: ProvidingDesk) -> None:
    application_id = drafted(loan.desk, people=())
    page = f"/applications/{application_id}/on-behalf"
    client = await portal.signed_in(DRAFTER)
    form = await client.get(f"/applications/{application_id}/edit")
    assert 'value="behalf"' in form.text
    assert "An authority sends at least two officers" in form.text or "执法机关须有两人以上" in form.text

    letter = {"letterTitle": "协助查询通知书", "letterNumber": "9号", "letterDate": "2031-03-01", "kind": "authority"}
    answer = await send(client, page, page, **letter, letterSealChecked="true")
    assert answer.status_code == 303
    row = loan.desk.the(Application, id=application_id)
    assert (row.letter_number, row.letter_date, row.letter_seal_checked) == ("9号", "2031-03-01", True)

    person = {"name": "吴警官", "unit": "市公安局", "cardKind": "police-card", "contact": "110"}
    wrong = await send(client, page, f"/applications/{application_id}/outsiders", **person, cardNumber="1")
    assert wrong.status_code == 422
    assert "吴警官" in wrong.text  # what was typed stays
    answer = await send(client, page, f"/applications/{application_id}/outsiders", **person, cardNumber="100998")
    assert answer.status_code == 303
    shown = (await client.get(page)).text
    assert "0998" in shown
    assert "100998" not in shown
    [added] = loan.desk.all(Outsider, application_id=application_id)
    assert (await send(client, page, f"/outsiders/{added.id}/remove")).status_code == 303
    assert not loan.desk.all(Outsider, application_id=application_id)

    # a department outside Security is not offered it
    other = await portal.signed_in("drafter")
    assert 'value="behalf"' not in (await other.get("/apply")).text


@pytest.mark.requirement("R58")
async def test_the_whole_numbers_are_on_a_page_of_their_own(portal: Portal, loan: ProvidingDesk) -> None:
    page = f"/applications/{loan.application_id}/card-numbers"
    reviewer = await portal.signed_in("reviewer2")
    shown = await reviewer.get(page)
    assert "067890" in shown.text
    assert "067890" not in (await reviewer.get(f"/cases/{loan.application_id}")).text
    drafter = await portal.signed_in("drafter")
    assert (await drafter.get(page)).status_code == 404


@pytest.mark.requirement("R57", "R58")
async def test_a_disclosure_is_asked_and_signed_for_on_pages(portal: Portal, loan: ProvidingDesk) -> None:
    client = await portal.signed_in(DRAFTER)
    new = f"/matters/new/disclosure?case={loan.application_id}"
    typed = {"outsiderIds": loan.officers, "opensWith": "medium", "endsLoan": "true", "reason": "依函提供。"}
    why = {"notOriginalBecause": "原始介质须继续录像。"}
    refused = await send(client, new, new, **typed, **why)
    assert refused.status_code == 409
    with_medium(loan.desk, "JZ-007")
    assert "JZ-007 · " in (await client.get(new)).text
    answer = await send(client, new, new, **typed, **why, medium="JZ-007", seal="0033")
    assert answer.status_code == 303, answer.text[:800]
    [matter] = loan.desk.all(Matter)
    assert matter.facts["asked"]["outsiderIds"] == loan.officers
    assert "李警官" in (await client.get(f"/matters/{matter.id}")).text
    assert (await client.get(f"/disclosures/{matter.id}")).status_code == 404  # nothing is allowed yet

    loan.agreed(matter.id, ("security", "reviewer"), ("legal", "counsel"), ("security-signature", "security-head"))
    assert loan.apply(matter.id)
    holder = (await client.get(f"/disclosures/{matter.id}")).text
    assert "/receipt" not in holder  # who asked and holds is not who hands out
    office = await portal.signed_in("reviewer2")
    page = f"/disclosures/{matter.id}"
    assert f'href="{page}"' in (await office.get(f"/matters/{matter.id}")).text
    early = await send(office, page, f"{page}/receipt", outsiderIds=loan.officers)
    assert early.status_code == 409
    given = await send(office, page, f"{page}/files/{loan.ids['copy_id']}")
    assert given.status_code == 200
    assert "/api/disclosure-files/" in given.text
    assert (await office.get(f"/api/disclosures/{matter.id}")).json()["mayHandOut"]
