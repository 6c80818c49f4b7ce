"""The production shape: engine, portal and workers as processes of their own, on PostgreSQL and S3."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redated import redate
from service_process import Running, environment, once, refused, running

from services.database.tables.audit import AuditEvent
from services.database.tables.masters import Master
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo import organisation
from services.demo.people import People
from services.demo.steps import Case
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.jobs.worker import discover
from services.runtime.rules import Rules
from services.runtime.settings import Settings, variable
from services.vault.store.opening import open_store

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

CLERK = Actor("system", "test")
HELD = (sys.executable, str(Path(__file__).parents[1] / "support" / "held_worker.py"))
FOOTAGE = ("preserve-footage", "back-up-footage", "encrypt-copy", "inspect-return")


@dataclass(frozen=True)
class Apart:
    """The processes, by what they do, and where they write; ``start`` starts another. None retrieves yet."""

    portal: str
    env: dict[str, str]
    root: Path
    processes: dict[str, Running]
    deployed: str
    start: Callable[..., Running]


@pytest.fixture
def apart(postgres_database: Callable[[], str], s3_server: Any, key: str, tmp_path: Path) -> Iterator[Apart]:
    url, name = postgres_database(), key.partition("/")[0]
    with ExitStack() as stack:

        def start(*arguments: str, env: dict[str, str]) -> Running:
            return stack.enter_context(running(*arguments, env=env, cwd=tmp_path))

        data = ("--data", str(tmp_path / "engine"), "--records", str(tmp_path / "records.jsonl"))
        engine = start("engine", "--address", "127.0.0.1:0", *data, env=environment())
        env = environment(
            data_dir=tmp_path / "var",
            zeebe_address=engine.printed(r"listens on (\S+)\.\n"),
            database_url=url,
            **{
                "engine.token_file": engine.printed(r"the token in (\S+)\.\n"),
                "rules.max_use_days": 30,
                "recorders.roots": tmp_path / "recordings",
                "store.prefix": f"apart-{name}",
                "replica.prefix": f"replica-{name}",
                "workers.poll_seconds": 2,
                "portal.second_factor": "nobody",
            },
            **_s3(s3_server.place(""), "store"),
            **_s3(s3_server.place(""), "replica"),
        )
        assert "run footage-desk migrate" in refused("portal", env=env).stderr
        migrated = once("migrate", env=env)
        assert migrated.returncode == 0, migrated.stderr
        recordings = tmp_path / "recordings"
        redate(recordings, (datetime.now(UTC) - timedelta(days=1)).date())
        _register(url, lambda uow: organisation.seed_demo(uow, recordings, zone=organisation.ZONE))
        deployed = once("deploy", env=env).stdout
        light = [one.job_type for one in discover() if one.job_type not in (*FOOTAGE, "retrieve-footage")]
        processes = {
            "engine": engine,
            "portal": start("portal", env=env),
            "footage": start("worker", *FOOTAGE, env=env),
            "light": start("worker", *light, env=env),
        }
        for part in ("portal", "footage", "light"):
            assert _get(processes[part].printed(r"metrics are at (http://\S+);") + "/readyz") == 200
        yield Apart(processes["portal"].printed(r"answers at (http://\S+);"), env, tmp_path, processes, deployed, start)


@pytest.mark.slow
@pytest.mark.requirement("R16", "R35", "R40")
async def test_a_case_goes_from_the_form_to_the_archive_while_a_worker_is_stopped_in_the_middle_of_a_fetch(
    apart: Apart,
) -> None:
    passwords = {account.login: account.password for account in organisation.accounts()}
    # What is not handed back would come again after ten minutes.
    slow = apart.env | {"FOOTAGE_DESK_WORKERS__JOB_TIMEOUT": "PT10M", "FOOTAGE_DESK_WORKERS__DRAIN_SECONDS": "0.5"}
    async with People(apart.portal, passwords) as people:
        case = Case(people, lambda *_: None)
        await case.apply((datetime.now(UTC) - timedelta(days=1)).date())
        await case.approve()
        await case.release()
        with running("worker", "retrieve-footage", env=slow, cwd=apart.root, before=HELD) as stopped:
            await asyncio.to_thread(stopped.printed, r"(?s)(fetching .*fetching) ")
            apart.processes["retrieving"] = apart.start("worker", "retrieve-footage", env=apart.env)
            assert await asyncio.to_thread(stopped.end) == 0
        await case.retrieved()
        hand_over = await case.accept()
        await case.view(hand_over)
        await case.give_back(hand_over)
        closed = await case.close()

    assert closed["stateDetail"] == "footage-re-archived"
    masters, events = _register(apart.env["FOOTAGE_DESK_DATABASE_URL"], _what_is_left)
    assert masters == 2
    assert "loan-key-destroyed" in events
    assert "review version 1" in apart.deployed
    unfinished, wanted = _register(apart.env["FOOTAGE_DESK_DATABASE_URL"], _what_was_uploaded)
    assert unfinished == 0
    store = open_store(Settings.load(**_place(apart.env)).store_place)
    assert {key for key in store.list_keys("masters") if not key.endswith(".label.json")} == wanted
    jobs = [job for job in _jobs(apart.root / "records.jsonl") if job["value"]["type"] == "retrieve-footage"]
    assert [job["intent"] for job in jobs].count("FAILED") == 2  # that is how a job is handed back
    assert {job["value"]["retries"] for job in jobs} == {5}
    assert not {job["intent"] for job in jobs} & {"TIMED_OUT", "CANCELED", "ERROR_THROWN"}
    healthy = once("doctor", env=apart.env)
    assert healthy.returncode == 0, healthy.stdout
    assert {name: one.end() for name, one in apart.processes.items()} == dict.fromkeys(apart.processes, 0)


@pytest.mark.parametrize("command", [("portal",), ("worker", "open-case")])
def test_a_part_does_not_start_without_an_engine_or_with_a_demos_clock(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    alone = refused(*command, env=environment(data_dir=tmp_path))
    assert alone.exit_code == 2
    assert "ZEEBE_ADDRESS is not set" in alone.stderr

    demo = refused(*command, env=environment(data_dir=tmp_path, zeebe_address="127.0.0.1:1", demo="true"))
    assert demo.exit_code == 2
    assert "FOOTAGE_DESK_DEMO is set" in demo.stderr
    assert list(tmp_path.iterdir()) == []


def _what_is_left(uow: UnitOfWork) -> tuple[int, set[str]]:
    return uow.session.query(Master).count(), {event.action for event in uow.session.query(AuditEvent)}


def _what_was_uploaded(uow: UnitOfWork) -> tuple[int, set[str]]:
    tries = uow.session.query(UploadAttempt).filter_by(purpose="master").all()
    unfinished = [one for one in tries if one.finished_at is None and one.swept_at is None]
    return len(unfinished), {one.key for one in tries if one.finished_at}


def _jobs(records: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["valueType"] == "JOB" and line["recordType"] == "EVENT"]


def _place(env: dict[str, str]) -> dict[str, Any]:
    names = ("store.endpoint", "store.access_key", "store.secret_key", "store.secure", "store.prefix")
    return {name: env[variable(name)] for name in names}


def _register(url: str, act: Callable[[UnitOfWork], Any]) -> Any:
    database = open_database(url, SystemClock(), Rules(max_use_days=30))
    try:
        return database.run_now(CLERK, act)
    finally:
        database.close()


def _s3(place: Any, group: str) -> dict[str, object]:
    secret: SecretStr = place.secret_key
    return {
        f"{group}.endpoint": place.endpoint,
        f"{group}.access_key": place.access_key,
        f"{group}.secret_key": secret.get_secret_value(),
        f"{group}.secure": "false",
    }


def _get(address: str) -> int:
    return httpx.get(address, timeout=30).status_code
