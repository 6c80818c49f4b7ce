"""The pages of supervision in both languages, and a case with the requirements that it has met."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from lent_case import lend
from loan_matter import LoanDesk
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import FORM, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.process_steps import ProcessStep
from services.database.tables.stage_visits import StageVisit
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.supervision import coverage

LOOKS = "/supervision/footage-viewers?camera=camera&at=2031-03-04T18:00&until=2031-03-04T19:00"
PAGES = ("/supervision", "/supervision/requirements/R41", "/supervision/audit", "/supervision/statistics")


@pytest.fixture
async def portal(tmp_path: object) -> AsyncIterator[tuple[ReviewDesk, Portal, str]]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path}/books.db", lend)
    async with Portal(desk) as portal:
        yield desk, portal, ids["application_id"]
    desk.close()


async def _page(client: httpx.AsyncClient, address: str, language: str = "zh") -> str:
    client.cookies.set("footage_desk_language", language, domain="footage.example", path="/")
    answer = await client.get(address)
    assert answer.status_code == 200, (address, answer.text[:2000])
    return answer.text


async def test_stages_are_shown_as_a_case_meets_them(portal: tuple[ReviewDesk, Portal, str]) -> None:
    desk, over, case = portal

    def fill(uow: UnitOfWork) -> None:
        ended = uow.session.get_one(Application, case)
        ended.closed_at, ended.closed_as = uow.now, "re-archived"
        for place, stage in enumerate(("in-use", "correction", "security", "preservation", "preliminary")):
            visit = StageVisit(application_id=case, place=100 + place, stage=stage, since=uow.now, seconds=60.0)
            uow.session.add(visit)

    desk.run(fill)
    page = await _page(await over.signed_in("supervisor"), "/supervision/statistics", "en")
    shown = page[page.index('id="stages"') :]
    places = [
        shown.index(f">{words}<")
        for words in ("preservation", "preliminary review", "security review", "to be corrected", "in use")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_each_action_to_choose_from_has_words_of_its_own(
    portal: tuple[ReviewDesk, Portal, str], language: str
) -> None:
    _, over, _ = portal
    page = await _page(await over.signed_in("supervisor"), "/supervision/audit", language)
    choices = re.findall(
        r"<option value=\"([^\"]+)\"[^>]*>([^<]*)<", page[page.index('id="f-action"') :].partition("</select>")[0]
    )
    assert len(choices) > 100
    words = [words for _, words in choices]
    assert len(set(words)) == len(words), sorted(words)
    assert not [words for words in words if not words[:1].isalnum() or words[:1].islower()]


async def test_the_details_of_each_event_are_in_words_and_its_keys_stay_beside_them(
    portal: tuple[ReviewDesk, Portal, str],
) -> None:
    desk, over, case = portal
    nested = {"since": "2031-03-04T18:00:00+00:00", "until": None, "unheard_of": [1, True]}
    desk.run(
        lambda uow: audit_trail.record(
            uow, "case-closed", "application", case, application_id=case, closed_as="withdrawn", new=nested
        )
    )
    client = await over.signed_in("supervisor")
    events = [
        event
        for event in desk.all(AuditEvent)
        if (await client.get(f"/supervision/audit/{event.seq}")).status_code == 200  # the others are hidden from it
    ]
    assert len(events) > 10
    for language in ("zh", "en"):
        for event in events:
            page = await _page(client, f"/supervision/audit/{event.seq}", language)
            facts = page.partition('id="details"')[2].partition("<details>")[0]
            detail = json.loads(event.entry)["detail"].keys() - {"bucket", "key", "version"}
            assert all(f'<dt title="{key}">' in facts for key in detail), event.action
            assert re.findall(r"<dt[^>]*><code>(\w+)", facts) == (["unheard_of"] if "new" in detail else [])
            assert not detail or "<summary>" in page.partition('id="details"')[2].partition("</section>")[0]
    made = next(event for event in events if event.action == "case-closed" and "new" in event.entry)
    shown = await _page(client, f"/supervision/audit/{made.seq}")
    assert '<dt title="closed_as">结案结果</dt><dd>已撤回</dd>' in shown
    assert "2031-03-05 02:00" in shown
    assert "&#34;closed_as&#34;: &#34;withdrawn&#34;" in shown


@pytest.mark.requirement("R62", verb="recorded")
async def test_the_pages_of_supervision_say_it_in_both_languages(portal: tuple[ReviewDesk, Portal, str]) -> None:
    desk, over, case = portal
    client = await over.signed_in("supervisor")
    for address in (*PAGES, f"{LOOKS}&purpose=review", "/supervision/audit/3", f"/cases/{case}/requirements"):
        assert 'href="/supervision"' in await _page(client, address)
        assert ">Supervision</a>" in await _page(client, address, "en") or "Supervision" in await _page(
            client, address, "en"
        )
    everything = await _page(client, "/supervision")
    assert all(f'href="/supervision/requirements/R{number}"' in everything for number in range(1, 68))
    one = await _page(client, "/supervision/requirements/R41", "en")
    assert "tests/unit/" in one
    for login in ("reviewer", "admin", "head"):
        assert 'href="/supervision"' not in await _page(await over.signed_in(login), "/")
    assert 'href="/supervision"' in await _page(await over.signed_in("security-head"), "/")
    assert desk.all(AuditEvent, action="statistics-read")


@pytest.mark.requirement("R62", refuses=True)
async def test_a_search_without_a_purpose_or_with_a_wrong_moment_says_what_to_do(
    portal: tuple[ReviewDesk, Portal, str],
) -> None:
    desk, over, _ = portal
    client = await over.signed_in("security-head")
    assert "<form" in await _page(client, "/supervision/footage-viewers")
    for address, sentence in (
        (LOOKS, "请简要说明为何查询"),
        ("/supervision/footage-viewers?camera=camera&at=yesterday&purpose=review", "请填写日期和时间"),
        (LOOKS.replace("T19:00", "T17:00") + "&purpose=review", "结束时间须晚于开始时间"),
    ):
        answer = await client.get(address)
        assert answer.status_code == 422, address
        assert sentence in answer.text
    wrong_day = await client.get("/supervision/audit?since=yesterday")
    assert wrong_day.status_code == 422
    assert "2026-01-31" in wrong_day.text
    assert desk.all(AuditEvent, action="viewers-read") == []
    assert "keeper" in await _page(client, f"{LOOKS}&purpose=review")
    assert len(desk.all(AuditEvent, action="viewers-read")) == 1
    saved = await client.get(f"{LOOKS}&purpose=review&form=csv")
    rows = list(csv.DictReader(io.StringIO(saved.text.lstrip("\ufeff"))))
    assert {"keeper"} <= {row["person"] for row in rows}
    assert {(row["redacted"], row["case"][:3], row["purpose"]) for row in rows} == {("False", "SQ-", FORM.purpose)}
    assert len(desk.all(AuditEvent, action="viewers-read")) == 2
    refused = await client.get(f"{LOOKS}&form=csv")
    assert refused.status_code == 422
    chosen = await _page(client, "/supervision/footage-viewers?camera_search=gate")
    assert 'name="pick"' in chosen


async def test_the_figures_are_saved_as_csv(portal: tuple[ReviewDesk, Portal, str]) -> None:
    _, over, _ = portal
    client = await over.signed_in("supervisor")
    answer = await client.get("/supervision/statistics?months=3&form=csv")
    rows = list(csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert rows[0] == ["类别", "名称", "指标", "月份", "数值"]
    of_march = [row for row in rows if row[2:4] == ["申请", "2031-03"]]
    [whole] = [int(row[4]) for row in of_march if row[0] == "月份"]
    assert whole == sum(int(row[4]) for row in of_march if row[0] == "部门") > 0


@pytest.mark.requirement("R62", verb="recorded")
async def test_a_case_shows_which_requirement_was_met_where_by_whom_and_when(
    portal: tuple[ReviewDesk, Portal, str],
) -> None:
    desk, over, case = portal

    def work(uow: UnitOfWork) -> None:
        step = {"application_id": case, "process_id": "video-retrieval", "process_instance_key": 7, "attempts": 1}
        done = {"ended_at": uow.now, "outcome": "completed", "began_at": uow.now - timedelta(minutes=1)}
        uow.session.add(ProcessStep(element_instance_key=1, element_id="Task_FileApplication", **step, **done))

    desk.run(work)
    client = await over.signed_in("supervisor")
    found = (await client.get(f"/api/cases/{case}/requirements")).json()
    numbers = [one["number"] for one in coverage.shipped()]
    assert sorted(one["number"] for one in (*found["met"], *found["other"])) == sorted(numbers)
    met = {one["number"]: one["met"] for one in found["met"]}

    signed = [line for line in met["R25"] if line["how"] == "review"]
    assert [(line["person"], line["model"]) for line in signed] == [("security-head", "video-retrieval")]
    assert any(line["how"] == "document" and line["code"] == "retrieval-record" for line in met["R35"])
    received = [line for line in met["R46"] if line["how"] == "custody"]
    assert [(line["code"], line["person"]) for line in received] == [("custody-received", "keeper")]
    assert [event.application_id for event in desk.all(AuditEvent, action="case-requirements-read")] == [case]

    reader = await over.signed_in("keeper")
    assert all(one["broken"] == [] for one in (await reader.get(f"/api/cases/{case}/requirements")).json()["met"])
    stranger = await over.signed_in("manager")
    assert (await stranger.get(f"/api/cases/{case}/requirements")).status_code == 404


@pytest.mark.requirement("R62", verb="recorded")
async def test_recalled_copies_were_not_returned_by_the_department_but_recalled_by_who_has_signed_it(
    tmp_path: object,
) -> None:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path}/books.db", lend)
    loan = LoanDesk(desk, ids)
    recall = loan.ask("recall", "reviewer", ground="leak")
    loan.agreed(recall, ("recall", "security-head"))
    loan.apply(recall)
    async with Portal(desk) as over:
        client = await over.signed_in("supervisor")
        met = (await client.get(f"/api/cases/{loan.application_id}/requirements")).json()["met"]
    desk.close()

    lines = {one["number"]: one["met"] for one in met}
    assert not {"R38", "R51"} & {number for number, own in lines.items() if own}
    for number in ("R42", "R57"):
        recalled = [line["person"] for line in lines[number] if line["code"] == "custody-recalled"]
        assert recalled == ["security-head"]
