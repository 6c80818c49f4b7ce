"""The pages of group and inspections in both languages, and ten cases inspected one after another."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from portal_client import Portal
from review_desk import PASSWORD, ReviewDesk
from supervision_desk import PERIOD, Supervised

from services.database.tables.inspections import GroupInspection, InspectedCase, InspectionFinding
from services.domain.supervision import reports, service, signing
from services.runtime.rules import Rules


@pytest.fixture
async def supervised(tmp_path: object) -> AsyncIterator[tuple[Supervised, Portal]]:
    desk = ReviewDesk(f"sqlite:///{tmp_path}/books.db", Rules(max_use_days=30, inspection_period="month"))
    made = Supervised(desk)
    made.prepare()
    async with Portal(desk) as portal:
        yield made, portal
    desk.close()


async def page(client: httpx.AsyncClient, address: str, *, language: str = "zh") -> str:
    client.cookies.set("footage_desk_language", language, domain="footage.example", path="/")
    answer = await client.get(address)
    assert answer.status_code == 200, (address, answer.text[:2000])
    return answer.text


async def post(client: httpx.AsyncClient, address: str, body: dict[str, Any]) -> httpx.Response:
    return await client.post(address, data={**body, "csrf_token": client.headers["X-CSRF-Token"]})


@pytest.mark.requirement("R60", "R63", "R64")
async def test_an_inspection_on_its_pages_from_the_group_to_the_last_signature(
    supervised: tuple[Supervised, Portal],
) -> None:
    made, portal = supervised
    manager, second = await portal.signed_in("manager"), await portal.signed_in("manager2")
    assert "of-legal" in await page(manager, "/supervision/group")
    body = {
        "leaderId": "supervisor",
        "memberIds": ["of-security", "of-legal", "of-storage"],
        "untilDay": "2031-12-31",
        "basis": "总经理办公会纪要第3号",
        "password": PASSWORD,
    }
    answer = await post(manager, "/supervision/group", body)
    assert answer.status_code == 303, answer.text[:3000]
    waiting = await page(second, "/supervision/group", language="en")
    assert "Confirm the group and sign" in waiting
    group_id = waiting.partition("/supervision/group/")[2].partition("/confirm")[0]
    answer = await post(second, f"/supervision/group/{group_id}/confirm", {"password": PASSWORD})
    assert answer.status_code == 303, answer.text[:3000]

    leader = await portal.signed_in("supervisor")
    assert 'value="2031-02"' in await page(leader, "/supervision/inspections")
    answer = await post(leader, "/supervision/inspections", {"period": PERIOD})
    assert answer.status_code == 303, answer.text[:3000]
    inspection_id = made.desk.the(GroupInspection).id
    made.desk.run(service.draw, inspection_id, 1)
    made.asked(inspection_id)
    shown = await page(leader, f"/supervision/inspections/{inspection_id}", language="en")
    assert "footage-desk inspection reproduce JC-" in shown

    for row in made.cases(inspection_id):
        client = await portal.signed_in(str(row.assigned_to))
        sheet = await page(client, f"/supervision/cases/{row.id}")
        given, sha256 = made.answers(row.id)
        fields = {f"answer.{code}": one.answer for code, one in given.items()}
        body = {**fields, "sheetSha256": sha256, "password": PASSWORD}
        assert sha256 in sheet
        in_english = await page(client, f"/supervision/cases/{row.id}", language="en")
        assert "letters of reason and purpose: 14, 13 " in in_english
        assert not re.findall(r": [0-9a-f]{8}-[0-9a-f]{4}-", in_english), "a row's id says nothing to a reader"
        if row.position == 1:
            refused = await post(client, f"/supervision/cases/{row.id}", {**body, "answer.use-6": "no"})
            assert refused.status_code == 422
            body |= {"answer.use-6": "no", "word.use-6": "用于获准用途之外"}
        answer = await post(client, f"/supervision/cases/{row.id}", body)
        assert answer.status_code == 303, answer.text[:3000]
        own = [one for one in made.cases(inspection_id) if one.assigned_to == row.assigned_to and not one.decided_at]
        following = f"/supervision/cases/{own[0].id}" if own else f"/supervision/inspections/{inspection_id}"
        assert answer.headers["location"] == following
    assert [one.question for one in made.desk.all(InspectionFinding)] == ["use-6"]

    made.desk.run(reports.write, inspection_id)
    made.desk.run(signing.open_review, inspection_id, job_key=990)
    report = str(made.inspection(inspection_id).report_sha256)
    for person in ("supervisor", "of-legal", "of-security", "of-storage"):
        client = await portal.signed_in(person)
        address = f"/supervision/inspections/{inspection_id}"
        assert report in await page(client, address)
        answer = await post(
            client, f"{address}/signature", {"reportSha256": report, "outcome": "signed", "password": PASSWORD}
        )
        assert answer.status_code == 303, answer.text[:3000]
    number = made.inspection(inspection_id).number
    assert number in await page(manager, f"/supervision/inspections/{inspection_id}")
    printed = await manager.get(f"/api/documents/{number}/print")
    assert "监督检查报告" in printed.text
    done = made.cases(inspection_id)[0]
    for language in ("zh", "en"):
        assert done.number in await page(leader, f"/supervision/cases/{done.id}", language=language)
        assert number in await page(leader, "/supervision/inspections", language=language)
    answer = await leader.get("/api/inspections")
    assert [one["state"] for one in answer.json()] == ["signed"]
    assert (await leader.get(f"/api/inspections/{inspection_id}")).json()["line"]["findings"] == 1
    sheet = (await leader.get(f"/api/inspected-cases/{done.id}")).json()
    assert len(sheet["questions"]) == 25
    assert len(made.desk.all(InspectedCase)) == sheet["sampled"] == sheet["inspected"]
