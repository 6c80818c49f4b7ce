"""What is told of requests: counts and times by the template of the route, and an id that is found again."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from portal_client import Portal
from pydantic import BaseModel
from review_desk import ReviewDesk
from sqlalchemy import create_engine, text
from starlette.types import Receive, Scope, Send
from written_logs import written_logs

from services.database.tables.outbox import OutboxMessage
from services.database.tracing import LONGEST_STATEMENT, trace_statements
from services.database.unit_of_work import UnitOfWork
from services.domain.process.relay import Relay
from services.domain.process.steps import StepJournal
from services.runtime import metrics, trace_export
from services.runtime.errors import Fatal, Retryable
from services.runtime.http import address_of, listen, serve
from services.runtime.logs import log_context
from services.runtime.settings import Settings
from services.runtime.tracing import TRACE_PARENT
from services.web import errors
from services.web.observation import RequestObserver, request_id_of

FORM = {
    "reason": "三号门货物丢失，需要确认经过",
    "purpose": "核对出入库人员与时间的记录",
    "purposeCategory": "security-incident",
    "legalBasis": "internal-management",
    "placeOfUse": "办公室",
    "requestedUseDays": 5,
    "custodianId": "keeper",
    "items": [
        {
            "cameraId": "camera",
            "start": "2031-03-04T10:00:00Z",
            "end": "2031-03-04T11:00:00Z",
            "zone": "Asia/Shanghai",
        }
    ],
    "submit": True,
}
FORM_ROUTE = "/api/applications/{application_id}/form"
GIVEN = "0af7651916cd43dd8448eb211c80319c"
ID = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def said(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"footage_desk_http_{name}", labels) or 0


def counted() -> dict[tuple[str, str, str], float]:
    """The requests by method, route and status."""
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in metrics.HTTP_REQUESTS.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and sample.value
    }


async def test_a_request_is_counted_by_the_template_of_its_route_and_never_by_its_path(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    async with Portal(desk) as portal:
        drafter = await portal.signed_in("drafter")
        before = counted()
        times = said("request_duration_seconds_count", method="GET", route=FORM_ROUTE)
        await drafter.get(f"/api/applications/{application_id}/form")
        await drafter.get("/no/such/page")
        await drafter.get("/api/openapi.json")
        await drafter.get("/static/no-such-file")
        await drafter.request("BREW", "/inbox")
        after = counted()

    new = {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}
    assert new == {
        ("GET", FORM_ROUTE, "409"): 1,  # submitted, so no form any more
        ("GET", "unmatched", "404"): 1,
        ("GET", "/api/openapi.json", "200"): 1,
        ("GET", "/static", "404"): 1,
        ("other", "/inbox", "405"): 1,
    }
    assert said("request_duration_seconds_count", method="GET", route=FORM_ROUTE) == times + 1
    assert said("response_bytes_total", route=FORM_ROUTE) > 100
    assert said("requests_in_flight") == 0
    exposed = metrics.exposition().decode()
    assert application_id not in exposed
    assert "no-such-file" not in exposed
    assert f'class="5xx",method="GET",route="{FORM_ROUTE}",status="503"}} 0.0' in exposed


async def test_the_time_of_a_request_ends_where_its_answer_begins() -> None:
    now = [0.0]

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        now[0] += 0.3
        assert said("requests_in_flight") == 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        now[0] += 600  # a film goes out
        await send({"type": "http.response.body", "body": b"x" * 10})

    route = {"method": "GET", "route": "unmatched"}
    before = said("request_duration_seconds_sum", **route)
    async with over(RequestObserver(app, clock=lambda: now[0])) as client:
        await client.get("/")

    assert said("request_duration_seconds_sum", **route) - before == pytest.approx(0.3)


async def test_a_slow_page_is_named_in_the_log_by_its_template() -> None:
    now = [0.0]

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        scope["route"] = type("Route", (), {"path": "/cases/{case_id}"})
        now[0] += 3
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with written_logs() as log:
        async with over(RequestObserver(app, clock=lambda: now[0])) as client:
            await client.get("/cases/4711?q=Zhang", headers={"X-Request-ID": GIVEN})

    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["event"], line["route"], line["seconds"]) == ("a page was slow", "/cases/{case_id}", 3)
    assert line["request_id"] == GIVEN
    assert "4711" not in log.getvalue()
    assert "Zhang" not in log.getvalue()


async def test_a_request_that_ends_without_an_answer_counts_as_aborted() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise OSError("the client is gone")

    key = ("GET", "unmatched", "aborted")
    before = counted().get(key, 0)
    with pytest.raises(OSError, match="client is gone"):
        async with over(RequestObserver(app)) as client:
            await client.get("/")

    assert counted()[key] == before + 1
    assert said("requests_in_flight") == 0


def test_what_does_not_look_like_an_id_is_not_taken() -> None:
    for given in (GIVEN, GIVEN.upper(), "0af76519-16cd-43dd-8448-eb211c80319c"):
        assert request_id_of(given) == given
    for given in (None, "", "zhang-san", "11010119900307123X", GIVEN[:-1], f"{GIVEN}0", f"{GIVEN}\n", "0af76519-16cd"):
        assert ID.fullmatch(request_id_of(given))
        assert request_id_of(given) != given


async def test_every_answer_has_the_id_of_its_request_and_so_have_error_pages_and_logs(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Portal(desk) as portal:
        client = portal.anonymous()
        made = [(await client.get(path)).headers["X-Request-ID"] for path in ("/login", "/login", "/no/such/page")]
        monkeypatch.setattr(desk.database, "read", _broken)
        monkeypatch.setattr(desk.database, "run", _broken)
        with written_logs() as log:
            answer = await client.get("/login/second", headers={"X-Request-ID": GIVEN})
            page = await client.get("/", headers={"X-Request-ID": GIVEN, "Cookie": "__Host-footage_desk_session=x"})

    assert len({*made}) == 3
    assert all(ID.fullmatch(one) for one in made)
    assert answer.headers["X-Request-ID"] == GIVEN
    assert (page.status_code, page.headers["X-Request-ID"]) == (500, GIVEN)
    assert GIVEN in page.text
    assert {json.loads(line)["request_id"] for line in log.getvalue().splitlines()} == {GIVEN}


def _broken(*_: object, **__: object) -> None:
    raise RuntimeError("broken on purpose")


class Engine:
    """The publishing side of an engine client."""

    async def publish_message(self, *_: Any, **__: Any) -> None:
        pass


class Job:
    """A job of an application, as the journal sees it."""

    type, element_id, bpmn_process_id = "check-completeness", "Task_Check", "video-retrieval"
    element_instance_key, process_instance_key = 12, 4711
    process_definition_version, process_definition_key = 1, 2

    def __init__(self, application_id: str) -> None:
        self.variables = {"applicationId": application_id}


async def test_the_id_of_a_request_is_found_in_the_lines_of_what_it_led_to(desk: ReviewDesk) -> None:
    async with Portal(desk) as portal:
        drafter = await portal.signed_in("drafter")
        answer = await drafter.post("/api/applications", json=FORM, headers={"X-Request-ID": GIVEN})
        application_id = answer.json()["id"]
        with written_logs() as log:
            await Relay(desk.database, Engine()).publish_due()  # type: ignore[arg-type]
        cause = await StepJournal(desk.database).began(Job(application_id))  # type: ignore[arg-type]

    row = desk.the(OutboxMessage, application_id=application_id)
    assert row.request_id == GIVEN
    [line] = [json.loads(one) for one in log.getvalue().splitlines() if "message published" in one]
    assert (line["request_id"], line["application_id"]) == (GIVEN, application_id)
    assert cause is not None
    assert cause.request_id == GIVEN
    assert "request_id" not in json.dumps(row.variables)


class Traces:
    """The spans that ended while it was on."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def __getitem__(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    def text(self) -> str:
        return "".join(span.to_json() for span in self._exporter.get_finished_spans())


@pytest.fixture
def traces(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> Traces:
    provider, exporter = trace_export.new_provider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    trace_statements(desk.database.engine, provider)
    return Traces(exporter)


async def test_of_an_error_of_a_request_no_text_is_logged_that_may_hold_what_was_entered() -> None:
    class Entered(BaseModel):
        days: int

    entered = "张三 13800000000"
    app = FastAPI()
    errors.install(app, lambda request, refused: Response())

    @app.get("/api/broken")
    def broken() -> Entered:
        return Entered.model_validate({"days": entered})

    with written_logs() as written, listen("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(serve(app, listener))
        async with httpx.AsyncClient(base_url=address_of(listener), trust_env=False) as client:
            answer = await client.get("/api/broken")
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    assert answer.status_code == 500
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    [ours] = [line for line in lines if line["event"] == "call_failed"]
    assert ours["error"] == "ValidationError"
    assert "in broken" in ours["stack"]
    assert any(line["event"].startswith("Exception in ASGI application: ") for line in lines)
    assert entered not in written.getvalue()


def test_of_a_long_statement_the_beginning_is_traced() -> None:
    provider, exporter, engine = trace_export.new_provider(), InMemorySpanExporter(), create_engine("sqlite://")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace_statements(engine, provider)
    with engine.connect() as connection:
        connection.execute(text(f"SELECT 1 -- {'x' * LONGEST_STATEMENT}"))

    [span] = Traces(exporter)["SELECT"]
    assert len(str((span.attributes or {})["db.query.text"])) == LONGEST_STATEMENT


@pytest.mark.both_databases
async def test_a_request_is_traced_from_its_caller_to_statements_message_and_job(
    desk: ReviewDesk, traces: Traces
) -> None:
    parent = f"00-{GIVEN}-b7ad6b7169203331-01"
    async with Portal(desk) as portal:
        drafter = await portal.signed_in("drafter")
        headers = {TRACE_PARENT: parent, "X-Request-ID": GIVEN}
        answer = await drafter.post("/api/applications", json=FORM, headers=headers)
        application_id = answer.json()["id"]
        await drafter.get(f"/api/applications/{application_id}/form?q=Zhang")
        await Relay(desk.database, Engine()).publish_due()  # type: ignore[arg-type]
        cause = await StepJournal(desk.database).began(Job(application_id))  # type: ignore[arg-type]

    [request] = traces["POST /api/applications"]
    assert request.parent is not None
    assert f"{request.context.trace_id:032x}" == GIVEN
    assert (request.attributes or {})["footage_desk.request_id"] == GIVEN
    inserts = [span for span in traces["INSERT"] if span.context.trace_id == request.context.trace_id]
    assert any("INSERT INTO outbox" in str((span.attributes or {})["db.query.text"]) for span in inserts)
    [published] = traces["publish application-submitted"]
    assert published.parent is None
    assert [link.context.span_id for link in published.links] == [request.context.span_id]
    assert cause is not None
    assert cause.trace_parent == f"00-{GIVEN}-{request.context.span_id:016x}-01"
    shown = traces.text()
    for personal in ("三号门", "Zhang", "keeper", f"/api/applications/{application_id}"):
        assert personal not in shown
        assert json.dumps(personal) not in shown
    assert "(hidden)" in shown


@pytest.mark.both_databases
async def test_a_span_that_fails_says_the_kind_of_error_and_nothing_of_its_words(
    desk: ReviewDesk, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise Fatal("cannot take Zhang San")

    def conflict(uow: UnitOfWork) -> None:
        uow.session.execute(text("INSERT INTO leases VALUES (:name, 'x', 1.0)"), {"name": "Zhang San"})
        uow.session.execute(text("INSERT INTO leases VALUES (:name, 'x', 1.0)"), {"name": "Zhang San"})

    desk.submitted()
    engine = Engine()
    monkeypatch.setattr(engine, "publish_message", refuse)
    with written_logs():
        await Relay(desk.database, engine).publish_due()  # type: ignore[arg-type]
    with pytest.raises(Retryable):
        desk.run(conflict)

    failed = [span for span in traces["INSERT"] if span.status.status_code is StatusCode.ERROR]
    assert [(span.attributes or {})["error.type"] for span in failed] in (["IntegrityError"], ["UniqueViolation"])
    assert "Zhang" not in traces.text()


async def test_nothing_is_traced_by_default(desk: ReviewDesk) -> None:
    assert Settings.load().tracing.endpoint is None
    with log_context(request_id=GIVEN):
        application_id = desk.submitted()

    row = desk.the(OutboxMessage, application_id=application_id)
    assert (row.request_id, row.trace_parent) == (GIVEN, None)


def over(app: RequestObserver) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://footage.example")
