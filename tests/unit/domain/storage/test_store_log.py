"""A store's access log: sent event by event under a token, or imported from a file (R13, R53)."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import amount
import httpx
import pytest
from built_portal import portal_over
from click.testing import Result
from lent_case import lend
from portal_client import problem
from prepared_desk import prepared_desk
from review_desk import ReviewDesk
from statements import statements
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.database.tables.audit import AuditEvent
from services.database.tables.maintenance import StoreAccess, StoreLogFeed
from services.database.unit_of_work import Database
from services.domain.cases import metrics as case_metrics
from services.domain.storage import store_accesses, store_log_receiver, told_texts
from services.runtime import metrics
from services.runtime.settings import Settings, SettingsError

TOKEN = "t" * 32
HERE = "/api/storage/access-log/primary"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk: ReviewDesk = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lend)[0]
    yield desk
    desk.close()


@pytest.fixture
async def store(desk: ReviewDesk) -> AsyncIterator[httpx.AsyncClient]:
    """The store, as it calls the portal: without a session."""
    settings = Settings.load(maintenance={"store_log_token": TOKEN})
    app = portal_over({"database": desk.database, "settings": settings})
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.example") as client:
        client.headers["Authorization"] = TOKEN
        yield client


def event(number: int, key: str = "masters/one", **changed: Any) -> dict[str, Any]:
    bucket = f"{Settings.load().store_place.prefix}-masters"
    api = {"name": "GetObject", "bucket": bucket, "object": key, "statusCode": 200}
    entry = {"api": api, "time": "2031-03-04T10:00:00.5Z", "accessKey": "stranger", "requestID": f"R{number}"}
    return {**entry, **changed}


@pytest.mark.requirement("R13", "R53")
async def test_only_who_has_the_token_of_the_place_feeds_its_log(desk: ReviewDesk, store: httpx.AsyncClient) -> None:
    for given in ("", "x" * 32, f"Bearer {TOKEN}x", "é", TOKEN[:-1]):
        answer = await store.post(HERE, json=event(1), headers={b"Authorization": given.encode()})
        assert problem(answer)[:2] == (401, "access-log-token"), given
    assert problem(await store.post(HERE.replace("primary", "replica"), json=event(1)))[:2] == (404, "access-log-off")
    assert (await store.post(HERE.replace("primary", "other"), json=event(1))).status_code == 422
    assert desk.all(StoreAccess) == []
    assert (await store.post(HERE, json=event(1), headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
    for short in ("short", "x" * 600, "two words" * 6, "中文" * 20):
        with pytest.raises(SettingsError, match="STORE_LOG_TOKEN"):
            Settings.load(maintenance={"store_log_token": short})


@pytest.mark.requirement("R53")
async def test_an_event_that_is_sent_twice_counts_once_and_the_rest_of_a_call_counts(
    desk: ReviewDesk, store: httpx.AsyncClient
) -> None:
    assert (await store.post(HERE, json={})).json() == {"events": 0, "new": 0, "unread": 0}
    assert desk.all(StoreLogFeed) == [], "MinIO asks whether somebody is there: no event"
    assert (await store.post(HERE, json=event(1))).json()["new"] == 1
    again = {**event(1), "trigger": "incoming"}  # the same request, written otherwise
    assert (await store.post(HERE, json=again)).json()["new"] == 0
    lines = [json.dumps(event(2)), "no event", json.dumps(event(3, api={"name": "ListObjects"}))]
    assert (await store.post(HERE, content="\n".join(lines))).json() == {"events": 3, "new": 1, "unread": 1}
    assert (await store.post(HERE, json=[event(4), event(4)])).json() == {"events": 2, "new": 1, "unread": 0}
    kept = desk.all(StoreAccess)
    assert sorted(one.act for one in kept) == ["get", "get", "get", "unread"]
    [begun] = desk.all(AuditEvent, action="access-log-begun")
    assert begun.actor_kind == "system"


@pytest.mark.requirement("R53")
async def test_hostile_events_are_refused_with_a_sentence(desk: ReviewDesk, store: httpx.AsyncClient) -> None:
    hostile = (b"\xff\xfe", b"no event", b"[1]", b"null", b'{"api":' * 50_000, b'{"api":1}', b'"\\ud800"', b"9" * 5000)
    for body in hostile:
        assert problem(await store.post(HERE, content=body))[:2] == (422, "access-log-unreadable"), body[:20]
    many = b"\n".join([b'{"api":{}}'] * (store_log_receiver.MOST_EVENTS + 1))
    assert problem(await store.post(HERE, content=many))[:2] == (413, "access-log-many")
    odd = event(1, key="\ud800\0" + "k" * 5000)
    assert (await store.post(HERE, content=json.dumps(odd))).json()["new"] == 1
    [kept] = desk.all(StoreAccess)
    assert len(kept.key) == told_texts.LONGEST


@pytest.mark.requirement("R53")
async def test_nobody_hides_a_read_by_an_event_that_is_hard_to_read(desk: ReviewDesk, store: httpx.AsyncClient) -> None:
    """What a client writes into its request is in the event of it: characters that end a line elsewhere, or very much.

    What cannot be read is on record, and asked about by the next reconciliation.
    """
    agents = "\x85", "\u2028"
    lines = [
        json.dumps(event(number, requestHeader={"User-Agent": f"a{agent}b"}), ensure_ascii=False)
        for number, agent in enumerate(agents)
    ]
    assert (await store.post(HERE, content="\n".join(lines).encode())).json() == {"events": 2, "new": 2, "unread": 0}
    long = json.dumps(event(10, requestQuery={"x": "<" * (1 << 20)}))
    assert (await store.post(HERE, content=long)).json() == {"events": 1, "new": 1, "unread": 0}
    longer = json.dumps(event(11, requestQuery={"x": "<" * (3 << 20)}))
    for _ in range(2):  # the store sends it again
        assert (await store.post(HERE, content=longer)).json() == {"events": 1, "new": 0, "unread": 1}
    with patch.object(store_log_receiver, "MOST_BYTES", 4 << 20):
        answer = await store.post(HERE, content=b"x" * (5 << 20))
    assert problem(answer)[:2] == (413, "access-log-many")
    assert (await store.post(HERE, content=longer, headers={"Authorization": "x" * 32})).status_code == 401
    judged, found = desk.run(store_accesses.judge_next, ["desk"], 100)
    assert (judged, sorted(one.kind for one in found)) == (4, [*["foreign-read"] * 3, "log-unread"])


@pytest.mark.slow
@pytest.mark.requirement("R53")
async def test_many_calls_at_once_are_few_transactions_and_too_many_are_told_to_come_again(
    desk: ReviewDesk, store: httpx.AsyncClient
) -> None:
    many = amount.examples(sample=2_000, full=100_000)
    with statements(desk.database.engine) as made:
        for start in range(0, many, 20 * 50):
            calls = [
                [event(number) for number in range(first, first + 50)] for first in range(start, start + 20 * 50, 50)
            ]
            answers = await asyncio.gather(*(store.post(HERE, json=call) for call in calls))
            assert {answer.status_code for answer in answers} == {200}
    assert len(desk.all(StoreAccess)) == many
    assert len(made) < many / 10
    release = asyncio.Event()
    run = Database.run

    async def slow(self: Database, *given: Any, **named: Any) -> Any:
        await release.wait()
        return await run(self, *given, **named)

    with patch.object(Database, "run", slow), patch.object(store_log_receiver, "MOST_WAITING", 2):
        waiting = [asyncio.create_task(store.post(HERE, json=event(-1)))]
        while len(waiting) < 10:
            answer = asyncio.create_task(store.post(HERE, json=event(-2 - len(waiting))))
            done, _ = await asyncio.wait({answer}, timeout=0.2)
            if done:
                break
            waiting.append(answer)
        assert problem(answer.result())[:2] == (429, "access-log-busy")
        release.set()
        assert {(await one).status_code for one in waiting} == {200}


@pytest.mark.requirement("R53")
async def test_a_store_that_falls_silent_is_seen_until_somebody_says_that_it_is_to_be(
    desk: ReviewDesk, store: httpx.AsyncClient
) -> None:
    desk.run(case_metrics.update_gauges)
    assert metrics.STORE_LOG_AGE._value.get() == 0
    await store.post(HERE, json=event(1, api={"name": "ListObjects"}))
    desk.clock.turn(timedelta(hours=27))
    desk.run(case_metrics.update_gauges)
    assert metrics.STORE_LOG_AGE._value.get() == timedelta(hours=27).total_seconds()
    assert desk.run(store_accesses.list_silent) == ["primary"]
    assert desk.run(store_accesses.end_feed, "primary")
    assert not desk.run(store_accesses.end_feed, "primary")
    assert desk.run(store_accesses.list_silent) == []


@pytest.mark.requirement("R13", "R53")
def test_an_import_names_the_lines_that_cannot_be_read_and_imports_the_rest(
    desk: ReviewDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_DATABASE_URL", f"sqlite:///{tmp_path / 'books.db'}")
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "var"))
    log = tmp_path / "audit.log"
    lines = [json.dumps(event(1)), '{"api": ', json.dumps(event(2)), "x" * (3 << 20), json.dumps(event(3))]
    log.write_text("\n".join(lines), encoding="utf-8")

    def imported() -> Result:
        return CliRunner().invoke(cli_main.app, ["storage", "import-log", str(log)])

    first = imported()
    assert first.exit_code == 1
    assert "line 2 is neither" in first.output
    assert "line 4 is neither" in first.output
    assert "2 lines could not be read" in first.output
    assert "5 lines were read, 3 accesses are new" in first.output
    assert len(desk.all(StoreAccess)) == 3
    [event_] = desk.all(AuditEvent, action="access-log-imported")
    assert json.loads(event_.entry)["detail"]["unread"] == 2
    log.write_text("\n".join([lines[0], lines[2]]), encoding="utf-8")
    again = imported()
    assert (again.exit_code, "0 accesses are new" in again.output) == (0, True)
