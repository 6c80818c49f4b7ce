"""One application over the JSON API, from the coverage that is asked before it to the release, as people do it."""

import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from portal_client import portal_over
from sqlalchemy import select

from services.database import schema as database_schema
from services.database.tables.audit import AuditEvent
from services.database.tables.outbox import OutboxMessage
from services.database.unit_of_work import Actor
from services.demo.organisation import demo_id, seed_demo
from services.domain.wiring import open_database
from services.recorders.protocol import NothingRecorded
from services.runtime.clock import FixedClock
from services.runtime.jobs.worker import describe_module
from services.runtime.rules import Rules
from services.runtime.settings import Settings
from services.runtime.spans import Span
from services.workers import (
    escalate_to_management,
    file_application,
    notify_storage,
    open_case,
    open_review,
    preliminary_review,
    security_review,
)

pytestmark = pytest.mark.both_databases

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
START, END = NOON - timedelta(hours=3), NOON - timedelta(hours=2)
CLASSIFICATION = {
    "importance": "important",
    "management_needed": True,
    "second_person": True,
    "backup_needed": True,
    "max_use_days": 15,
}


class Recorder:
    """Holds all but the first ten minutes of the hour, and one picture."""

    async def coverage(self, _channel: str, span: Span) -> list[Span]:
        return [Span(span.start + timedelta(minutes=10), span.end)]

    async def snapshot(self, _channel: str, at: datetime) -> bytes:
        if at < START + timedelta(minutes=10):
            raise NothingRecorded("nothing")
        return b"\xff\xd8 a picture"


class Office:
    """Everybody of the demo organisation at a browser of their own, and the engine's hand on the workers."""

    def __init__(self, url: str, folder: Path) -> None:
        self.database = open_database(url, FixedClock(NOON), Rules(max_use_days=30))
        database_schema.migrate(self.database.engine)
        self.database.run_now(Actor("system", "test"), seed_demo, folder)
        self.app = portal_over(
            {
                "database": self.database,
                "settings": Settings.load(data_dir=folder),
                "recorders": lambda _kind, _configuration: Recorder(),
            }
        )
        self.browsers: dict[str, httpx.AsyncClient] = {}
        self.job_keys = itertools.count(1)

    async def at(self, login: str) -> httpx.AsyncClient:
        """The person's browser, signed in."""
        if login not in self.browsers:
            browser = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://portal")
            answer = await browser.post("/api/login", json={"login": login, "password": f"demo-{login}"})
            assert answer.status_code == 200, answer.text
            browser.headers["X-CSRF-Token"] = answer.json()["csrfToken"]
            self.browsers[login] = browser
        return self.browsers[login]

    async def get(self, login: str, path: str, **parameters: str) -> httpx.Response:
        return await (await self.at(login)).get(path, params=parameters)

    async def post(self, login: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        return await (await self.at(login)).post(path, json=body)

    async def work(self, module: ModuleType, **variables: Any) -> Any:
        """Run a worker twice, as after a lost answer; both answers are the same."""
        worker = describe_module(module)
        assert worker is not None
        wanted = {field.name for field in fields(worker.command)}
        process = {"bpmn_process_id": "video-retrieval", "process_definition_version": 1, "process_definition_key": 1}
        given = {"job_key": next(self.job_keys), "process_instance_key": 4711, **process, **variables}
        command = worker.command(**{name: value for name, value in given.items() if name in wanted})
        first = await worker.handle(command, database=self.database)
        assert await worker.handle(command, database=self.database) == first
        return first

    async def review(self, application_id: str, stage: str) -> str:
        """Open a review as the process does; its id."""
        opened = await self.work(open_review, application_id=application_id, stage=stage)
        return str(opened.review_id)

    async def decide(self, login: str, review_id: str, outcome: str, **more: Any) -> httpx.Response:
        """Answer every question with yes and sign what the review shows."""
        seen = (await self.get(login, f"/api/reviews/{review_id}")).json()
        body = {
            "outcome": outcome,
            "formSha256": seen["formSha256"],
            "password": f"demo-{login}",
            "answers": {question["code"]: True for question in seen["questions"]},
            **more,
        }
        return await self.post(login, f"/api/reviews/{review_id}/decide", body)

    def messages(self) -> list[OutboxMessage]:
        def read(uow: Any) -> list[OutboxMessage]:
            return list(uow.session.scalars(select(OutboxMessage).order_by(OutboxMessage.created_at)))

        return self.database.run_now(Actor("system", "test"), read)


BEFORE_A_SESSION = ("/api/login", "/api/storage/access-log/{place}")  # the second has a token of its own


@pytest.fixture
async def office(any_database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(any_database_url, tmp_path)
    yield office
    for browser in office.browsers.values():
        await browser.aclose()
    office.database.close()


def form(**changes: Any) -> dict[str, Any]:
    span = {"start": START.isoformat(), "end": END.isoformat(), "zone": "Asia/Shanghai"}
    return {
        "reason": "三号门货物丢失，需要确认经过",
        "purpose": "核对出入库人员与时间的记录",
        "purposeCategory": "security-incident",
        "legalBasis": "internal-management",
        "wayOfUse": "download",
        "wayOfUseBecause": "须逐帧放大核对，在线查看不够。",
        "placeOfUse": "安全保卫部办公室",
        "requestedUseDays": 20,
        "custodianId": demo_id("liuyang"),
        "items": [{"cameraId": demo_id("cam1"), **span}, {"cameraId": demo_id("cam2"), **span}],
        **changes,
    }


async def apply(office: Office, login: str = "lina", **changes: Any) -> str:
    answer = await office.post(login, "/api/applications", {**form(**changes), "submit": True})
    assert answer.status_code == 201, answer.text
    application_id = str(answer.json()["id"])
    await office.work(open_case, application_id=application_id)
    return application_id


async def approved(office: Office) -> str:
    """An application that everybody has approved, and that is filed and told to the storage office."""
    application_id = await apply(office)
    assert (await office.work(preliminary_review, application_id=application_id)).application_complete
    for stage, login, outcome, more in (
        ("preliminary", "zhangwei", "approved", {}),
        ("security", "wulei", "approved", {"sensitiveEvent": True, "wayOfUse": "download"}),
        ("security-signature", "zhaoqiang", "signed", {}),
        ("management", "gaofeng", "approved", {"opinion": "同意，限于本案使用。"}),
    ):
        if stage == "security":
            await office.work(security_review, application_id=application_id)
        if stage == "management":
            await office.work(escalate_to_management, application_id=application_id, decided_by="management")
        review_id = await office.review(application_id, stage)
        decided = await office.decide(login, review_id, outcome, **more)
        assert decided.status_code == 200, (stage, decided.text)
    await office.work(file_application, application_id=application_id, **CLASSIFICATION)
    await office.work(notify_storage, application_id=application_id)
    return application_id


@pytest.mark.requirement("R20", "R31")
async def test_whoever_applies_first_sees_what_the_recorder_holds(office: Office) -> None:
    answer = await office.get(
        "lina", "/api/coverage", cameraId=demo_id("cam1"), start=START.isoformat(), end=END.isoformat()
    )

    held = answer.json()
    assert answer.status_code == 200, answer.text
    assert len(held["gaps"]) == 1
    assert held["share"] == pytest.approx(50 / 60)
    assert datetime.fromisoformat(held["overwriteAt"]) == START + timedelta(days=30)


@pytest.mark.requirement("R16", "R22", "R24", "R25", "R26", "R27", "R28", "R29", "R30")
async def test_an_important_application_is_decided_by_everyone_it_must_be_and_filed(office: Office) -> None:
    application_id = await approved(office)

    case = (await office.get("lina", f"/api/cases/{application_id}")).json()
    assert case["number"] == "SQ-2031-000001"
    assert case["state"] == "retrieval"
    assert [review["outcome"] for review in case["reviews"]] == ["approved", "approved", "signed", "approved"]
    document = (await office.get("lina", f"/api/documents/{case['number']}")).json()
    assert document["kind"] == "application-form"
    assert document["demo"] is True
    assert document["content"]["granted"]["useDays"] == 15
    page = await office.get("lina", f"/api/documents/{case['number']}/print")
    assert page.headers["content-type"].startswith("text/html")
    assert "视频录像调取申请表" in page.text
    assert "DEMO" in page.text
    decided = [message for message in office.messages() if message.name == "review-decided"]
    assert [message.variables["decision"] for message in decided] == ["approved", "approved", "signed", "approved"]
    assert decided[1].variables["sensitiveEvent"] is True
    assert decided[1].variables["wayOfUse"] == "download"
    assert all(value is not None for message in decided for value in message.variables.values())


@pytest.mark.requirement("R31", "R33", "R34", refuses=True)
async def test_a_release_shows_the_picture_and_takes_a_second_person(office: Office) -> None:
    application_id = await approved(office)
    review_id = await office.review(application_id, "storage-release")
    item = (await office.get("hutao", f"/api/cases/{application_id}")).json()["items"][0]
    picture = f"/api/reviews/{review_id}/items/{item['id']}/picture"
    moment = (START + timedelta(minutes=30)).isoformat()

    assert (await office.get("hutao", picture, at=moment)).headers["content-type"] == "image/jpeg"
    assert (await office.get("hutao", picture)).json()["code"] == "no-picture"
    assert (await office.get("hutao", picture, at=NOON.isoformat())).json()["code"] == "outside-scope"
    assert (await office.get("lina", picture, at=moment)).status_code == 403
    assert (await office.get("luoxin", picture, at=moment)).status_code == 404

    first = await office.decide("hutao", review_id, "approved")
    assert first.json()["published"] is False
    seen = (await office.get("linlin", f"/api/reviews/{review_id}")).json()
    proof = {"agrees": True, "formSha256": seen["formSha256"]}
    own = await office.post("hutao", f"/api/reviews/{review_id}/confirm", {**proof, "password": "demo-hutao"})
    assert own.status_code == 403
    second = await office.post("linlin", f"/api/reviews/{review_id}/confirm", {**proof, "password": "demo-linlin"})
    assert second.json()["published"] is True
    assert office.messages()[-1].variables == {"decision": "approved"}

    def pictures_seen(uow: Any) -> int:
        return len(list(uow.session.scalars(select(AuditEvent).where(AuditEvent.action == "picture-read"))))

    # the look outside recorded footage was a look as well; the refused ones were none
    assert office.database.run_now(Actor("system", "test"), pictures_seen) == 2


@pytest.mark.slow
@pytest.mark.requirement("R22", "R24", refuses=True)
@pytest.mark.parametrize(
    ("login", "status", "code"),
    [
        ("lina", 403, "was-applicant"),
        ("zhangwei", 403, "was-preliminary"),
        ("liuyang", 404, "not-found"),  # named as custodian, and has nothing to do with it yet
        ("zhaoqiang", 403, "not-yet"),
        ("luoxin", 404, "not-found"),  # administrators see no case
    ],
)
async def test_who_has_another_part_in_the_case_does_not_decide_for_security(
    office: Office, login: str, status: int, code: str
) -> None:
    application_id = await apply(office)
    await office.decide("zhangwei", await office.review(application_id, "preliminary"), "approved")
    review_id = await office.review(application_id, "security")
    sha256 = (await office.get("wulei", f"/api/reviews/{review_id}")).json()["formSha256"]

    body = {"outcome": "approved", "formSha256": sha256, "password": f"demo-{login}", "answers": {}}
    answer = await office.post(login, f"/api/reviews/{review_id}/decide", body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not [message for message in office.messages() if message.correlation_key == review_id]


@pytest.mark.requirement("R22")
async def test_a_returned_application_is_corrected_into_a_new_round_with_new_decisions(office: Office) -> None:
    application_id = await apply(office)
    first = await office.review(application_id, "preliminary")
    returned = await office.decide("zhangwei", first, "returned", reason="请缩短时间段。")
    assert returned.status_code == 200, returned.text
    assert (await office.get("lina", f"/api/cases/{application_id}")).json()["state"] == "correction"

    half = {"start": START.isoformat(), "end": (START + timedelta(minutes=30)).isoformat(), "zone": "Asia/Shanghai"}
    corrected = await office.post(
        "lina",
        f"/api/applications/{application_id}/correct",
        form(items=[{"cameraId": demo_id("cam1"), **half}]),
    )
    assert corrected.status_code == 200, corrected.text

    message = office.messages()[-1]
    assert (message.name, message.correlation_key) == ("application-corrected", f"{application_id}:1")
    assert len(message.variables["itemIds"]) == 1
    late = await office.decide("zhangwei", first, "approved")
    assert late.json()["code"] == "review-closed"


@pytest.mark.requirement("R25", refuses=True)
async def test_nothing_is_signed_over_a_form_that_was_not_read_or_with_a_wrong_password(office: Office) -> None:
    application_id = await apply(office)
    review_id = await office.review(application_id, "preliminary")

    unread = await office.decide("zhangwei", review_id, "approved", formSha256="0" * 64)
    mistyped = await office.decide("zhangwei", review_id, "approved", password="something else")

    assert unread.json()["code"] == "form-changed"
    assert mistyped.json()["code"] == "password-wrong"
    assert [message.name for message in office.messages()] == ["application-submitted"]


async def test_every_route_tells_in_the_description_how_it_may_refuse(office: Office) -> None:
    description = (await office.get("lina", "/api/openapi.json")).json()

    for path, methods in description["paths"].items():
        for method, route in methods.items():
            refusals = {status for status in route["responses"] if status >= "400"}
            assert {"401", "422", "503"} <= refusals, (method, path, refusals)
            if method != "get" and path not in BEFORE_A_SESSION:
                assert "403" in refusals, (method, path, refusals)
