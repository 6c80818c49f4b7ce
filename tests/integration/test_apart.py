"""The production shape: engine, portal and workers as processes of their own, on PostgreSQL and S3."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from house_process import Running, environment, once, running
from pydantic import SecretStr

from services.demo import organisation
from services.demo.people import People
from services.demo.steps import Case
from services.recorders.layout import redate
from services.register.audit import AuditEvent
from services.register.masters import Master
from services.register.rules import Rules
from services.register.unit import Actor, Register, Unit
from services.runtime.clock import SystemClock
from services.runtime.worker import discover

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

CLERK = Actor("system", "test")
FOOTAGE = ("preserve-footage", "back-up-footage", "encrypt-copy", "inspect-return")


@dataclass(frozen=True)
class Apart:
    """The processes, by what they do, and where they write."""

    portal: str
    env: dict[str, str]
    root: Path
    processes: dict[str, Running]
    deployed: tuple[str, str]


@pytest.fixture
def apart(postgres_database: Callable[[], str], s3_server: Any, key: str, tmp_path: Path) -> Iterator[Apart]:
    url, name = postgres_database(), key.partition("/")[0]
    with ExitStack() as stack:

        def start(*arguments: str, env: dict[str, str]) -> Running:
            return stack.enter_context(running(*arguments, env=env, cwd=tmp_path))

        engine = start("engine", "--address", "127.0.0.1:0", "--data", str(tmp_path / "engine"), env=environment())
        env = environment(
            data_dir=tmp_path / "var",
            zeebe_address=engine.printed(r"listens on (\S+)\.\n"),
            database_url=url,
            max_use_days=30,
            recorder_roots=tmp_path / "recordings",
            store_prefix=f"apart-{name}",
            replica_prefix=f"replica-{name}",
            poll_seconds=2,
            second_factor="nobody",
            **_s3(s3_server.place(""), "store"),
            **_s3(s3_server.place(""), "replica"),
        )
        assert "run footage-desk migrate" in once("portal", env=env).stderr
        migrated = once("migrate", env=env)
        assert migrated.returncode == 0, migrated.stderr
        recordings = tmp_path / "recordings"
        redate(organisation.RECORDINGS, recordings, (datetime.now(UTC) - timedelta(days=1)).date())
        _register(url, lambda unit: organisation.seed_demo(unit, recordings, zone=organisation.ZONE))
        deployed = once("deploy", env=env).stdout, once("deploy", env=env).stdout
        light = [one.job_type for one in discover() if one.job_type not in (*FOOTAGE, "retrieve-footage")]
        processes = {
            "engine": engine,
            "portal": start("portal", env=env),
            "retrieving": start("worker", "retrieve-footage", env=env),
            "footage": start("worker", *FOOTAGE, env=env),
            "light": start("worker", *light, env=env),
        }
        for part in ("portal", "retrieving", "footage", "light"):
            assert _get(processes[part].printed(r"metrics are at (http://\S+);") + "/readyz") == 200
        yield Apart(processes["portal"].printed(r"answers at (http://\S+);"), env, tmp_path, processes, deployed)


@pytest.mark.requirement("R16", "R35", "R40")
async def test_a_case_goes_from_the_form_to_the_archive_with_every_part_in_a_process_of_its_own(apart: Apart) -> None:
    passwords = {account.login: account.password for account in organisation.accounts()}
    async with People(apart.portal, passwords) as people:
        case = Case(people, lambda *_: None)
        await case.apply((datetime.now(UTC) - timedelta(days=1)).date())
        await case.approve()
        await case.release()
        await case.retrieved()
        hand_over = await case.accept()
        await case.view(hand_over)
        await case.give_back(hand_over)
        closed = await case.close()

    assert closed["stateDetail"] == "footage-re-archived"
    masters, events = _register(apart.env["FOOTAGE_DESK_DATABASE_URL"], _what_is_left)
    assert masters == 2
    assert "loan-key-destroyed" in events
    assert "review 1" in apart.deployed[0].replace("version ", "")
    assert apart.deployed[0] == apart.deployed[1]
    healthy = once("doctor", env=apart.env)
    assert healthy.returncode == 0, healthy.stdout
    assert {name: one.end() for name, one in apart.processes.items()} == dict.fromkeys(apart.processes, 0)


@pytest.mark.parametrize("command", [("portal",), ("worker", "open-case")])
def test_a_part_does_not_start_without_an_engine_or_with_a_demos_clock(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    alone = once(*command, env=environment(data_dir=tmp_path))
    assert alone.returncode == 2
    assert "ZEEBE_ADDRESS is not set" in alone.stderr

    demo = once(*command, env=environment(data_dir=tmp_path, zeebe_address="127.0.0.1:1", demo="true"))
    assert demo.returncode == 2
    assert "FOOTAGE_DESK_DEMO is set" in demo.stderr
    assert list(tmp_path.iterdir()) == []


def _what_is_left(unit: Unit) -> tuple[int, set[str]]:
    return unit.session.query(Master).count(), {event.action for event in unit.session.query(AuditEvent)}


def _register(url: str, act: Callable[[Unit], Any]) -> Any:
    register = Register(url, SystemClock(), Rules(max_use_days=30))
    try:
        return register.run_now(CLERK, act)
    finally:
        register.close()


def _s3(place: Any, group: str) -> dict[str, object]:
    secret: SecretStr = place.secret_key
    return {
        f"{group}_endpoint": place.endpoint,
        f"{group}_access_key": place.access_key,
        f"{group}_secret_key": secret.get_secret_value(),
        f"{group}_secure": "false",
    }


def _get(address: str) -> int:
    return httpx.get(address, timeout=30).status_code
