"""The engine's pages for administrators: what runs, what has stopped, and who read or ordered what."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from inspected_engine import STUCK, InspectedEngine, with_one_stuck
from portal_client import Portal, problem
from review_desk import ReviewDesk
from review_pages import text_of

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.runtime.settings import Settings


@pytest.fixture
def engine() -> tuple[InspectedEngine, dict[str, str]]:
    return with_one_stuck()


@pytest.fixture
async def portal(desk: ReviewDesk, engine: tuple[InspectedEngine, dict[str, str]]) -> AsyncIterator[Portal]:
    async with Portal(desk, engine=engine[0]) as opened:
        yield opened


def trail(desk: ReviewDesk, action: str) -> list[dict[str, Any]]:
    return [json.loads(event.entry) for event in desk.all(AuditEvent, action=action)]


async def test_what_runs_is_seen_on_the_diagram_in_lists_and_alone(
    desk: ReviewDesk, portal: Portal, engine: tuple[InspectedEngine, dict[str, str]]
) -> None:
    browser, keys = await portal.signed_in("admin"), engine[1]
    one = f"/admin/engine/instances/{keys['instance_key']}"

    overview = await browser.get("/admin/engine")
    found = await browser.get("/admin/engine/instances?state=incident")
    instance = await browser.get(one)
    browser.cookies.set("footage_desk_language", "en")
    english = text_of(await browser.get(one))
    jobs = text_of(await browser.get("/admin/engine/jobs?state=FAILED"))
    counts = (await browser.get(f"/api/admin/engine/processes/{keys['definition_key']}/elements")).json()
    model = await browser.get(f"/api/admin/engine/processes/{keys['definition_key']}/model?language=en")

    assert "登记案件" in text_of(overview)
    assert "element=Task_OpenCase" in overview.text
    assert keys["instance_key"] in found.text
    assert STUCK not in instance.text, "what workers write is shown as text"
    assert "the store is full | 门 |" in instance.text
    assert "因故障停止" in text_of(instance)
    assert "Open case" in english
    assert "waiting for the job open-case" in english
    assert "open-case" in jobs
    assert counts == [{"elementId": "Task_OpenCase", "active": 1, "incidents": 1}]
    assert 'name="Open case"' in model.text
    assert trail(desk, "process-variables-read") == []


async def test_who_reads_variables_is_in_the_trail_of_the_case(
    desk: ReviewDesk, portal: Portal, engine: tuple[InspectedEngine, dict[str, str]]
) -> None:
    browser, keys = await portal.signed_in("admin"), engine[1]
    application_id = desk.submitted()
    desk.run(lambda uow: _began(uow, application_id, int(keys["instance_key"])))
    path = f"/admin/engine/instances/{keys['instance_key']}/variables"

    part = await browser.get(path, headers={"HX-Request": "true"})
    whole = await browser.get(path)
    refused = await (await portal.signed_in("supervisor")).get(f"/api{path}")

    assert "&#34;A2&#34;" in part.text
    assert "<html" not in part.text
    assert "applicationId" in whole.text
    assert problem(refused)[:2] == (403, "administrators-only")
    assert [
        (event["subject"]["id"], event["application"], event["actor"]["id"])
        for event in trail(desk, "process-variables-read")
    ] == [(keys["instance_key"], application_id, "admin")] * 2


async def test_an_incident_is_retried_by_an_administrator_and_the_trail_says_so(
    desk: ReviewDesk, portal: Portal, engine: tuple[InspectedEngine, dict[str, str]]
) -> None:
    browser, (looked_at, keys) = await portal.signed_in("admin"), engine
    path = f"/admin/engine/incidents/{keys['incident_key']}/retry"

    token = {"csrf_token": browser.headers.pop("X-CSRF-Token")}  # as a form carries it
    bare = await browser.post(path, data={"retries": "2"})
    wrong = await browser.post(path, data={"retries": "0", **token})
    done = await browser.post(path, data={"retries": "2", **token})
    again = await browser.post(path, data={"retries": "2", **token})
    [job] = await looked_at.jobs(text=keys["job_key"])
    more = await browser.post(f"/admin/engine/jobs/{keys['job_key']}/retries", data={"retries": "9", **token})
    [after] = (await browser.get(f"/api/admin/engine/jobs?text={keys['job_key']}")).json()

    assert bare.status_code == 403
    assert (wrong.status_code, done.status_code, again.status_code, more.status_code) == (422, 303, 404, 303)
    assert done.headers["location"] == f"/admin/engine/instances/{keys['instance_key']}"
    assert (job.state, job.retries) == ("ACTIVATABLE", 2)  # type: ignore[attr-defined]  # a line of a job
    assert after["retries"] == 9
    assert await looked_at.incidents() == []
    [event] = trail(desk, "incident-retry-ordered")
    assert (event["subject"]["id"], event["detail"]) == (
        keys["incident_key"],
        {"element": "Task_OpenCase", "retries": 2},
    )
    assert len(trail(desk, "job-retries-set")) == 1


async def test_where_camunda_runs_the_processes_the_page_leads_to_operate(desk: ReviewDesk) -> None:
    settings = Settings.load(
        portal={"public_url": "https://footage.example", "operate_url": "https://operate.example/"},
        zeebe_address="zeebe:26500",
    )
    async with Portal(desk, settings=settings) as portal:
        browser = await portal.signed_in("admin")
        page = await browser.get("/admin/engine")
        listed = await browser.get("/api/admin/engine/instances")
        hidden = await (await portal.signed_in("drafter")).get("/admin/engine")
    async with Portal(desk) as portal:
        unset = await (await portal.signed_in("admin")).get("/admin/engine")

    assert 'href="https://operate.example/processes"' in page.text
    assert "zeebe:26500" in page.text
    assert problem(listed)[:2] == (404, "no-engine")
    assert hidden.status_code == 403
    assert "FOOTAGE_DESK_PORTAL__OPERATE_URL" in unset.text


@pytest.mark.parametrize("key", ["0", "no", "1", "9" * 30, "٣"])
async def test_a_key_of_nothing_finds_nothing(portal: Portal, key: str) -> None:
    browser = await portal.signed_in("admin")

    for path in ("instances/{}", "instances/{}/variables", "processes/{}/model"):
        assert (await browser.get("/api/admin/engine/" + path.format(key))).status_code == 404
    for path in ("incidents/{}/retry", "jobs/{}/retries"):
        assert (await browser.post("/api/admin/engine/" + path.format(key), json={})).status_code == 404


def _began(uow: Any, application_id: str, instance_key: int) -> None:
    uow.session.get_one(Application, application_id).process_instance_key = instance_key
