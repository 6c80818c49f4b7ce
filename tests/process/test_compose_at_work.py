"""deploy/compose.yaml as it would run: each service's own command, with the variables, volumes and rights it gives.

Containers are processes here: what the image holds lies in a folder to which nobody may write, no capability is left,
and PostgreSQL, the S3 server and the embedded engine stand for the services of others.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import compose_file
import httpx
import pytest
from compose_database import compose_database
from image_layout import lay_out, variables, written
from redated import redate
from service_process import CONFINED, PROGRAM, Running, environment, running

from services.database.unit_of_work import Actor, UnitOfWork
from services.demo import organisation
from services.demo.people import People
from services.demo.steps import Case
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.rules import Rules

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.s3]

SECONDS = 60


@dataclass
class Machine:
    """Stands for the one that runs containers: lays out volumes, starts services, substitutes addresses and paths."""

    root: Path
    services: dict[str, dict[str, Any]]
    addresses: dict[str, str]
    stack: ExitStack
    running: dict[str, Running] = field(default_factory=dict)

    @property
    def app(self) -> Path:
        return self.root / "app"

    def env(self, name: str) -> dict[str, str]:
        """The image's variables and the service's own, and no other; every port is free."""
        told = variables() | self.services[name].get("environment", {})
        places = {"/var/lib/footage-desk": str(self.root / name / "data"), "/keys": str(self.root / name / "keys")}
        substitutes = self.addresses | places | {"/mnt/recorders": str(self.root / "recordings")}
        return {
            **{variable: substitutes.get(value, value) for variable, value in told.items()},
            "PATH": f"{PROGRAM.parent}:/usr/bin:/bin",
            "PYTHONPATH": str(self.app),
            "FOOTAGE_DESK_PORTAL__PORT": "0",
            "FOOTAGE_DESK_HEALTH__PORT": "0",
            "FOOTAGE_DESK_PORTAL__SECOND_FACTOR": "nobody",  # the demo's people have no telephones
        }

    def mount(self, name: str) -> None:
        """The service's volumes where it looks for them; what is mounted read-only is a copy that is."""
        (self.root / name / "data").mkdir(parents=True, mode=0o700)
        (self.root / name / "keys").mkdir(mode=0o700)
        for one in self.services[name].get("volumes", []):
            source, target, *how = one.split(":")
            if not target.startswith("/keys/"):
                continue
            volume, place = self.root / "volumes" / source, self.root / name / target[1:]
            volume.mkdir(parents=True, mode=0o700, exist_ok=True)
            if how == ["ro"]:
                shutil.copytree(volume, place)
                for path in (*place.iterdir(), place):
                    path.chmod(path.stat().st_mode & ~0o222)
            else:
                place.symlink_to(volume)

    def once(self, name: str) -> str:
        """Run a service that ends; what it printed."""
        self.mount(name)
        command = self.services[name].get("command", [])
        if "entrypoint" in self.services[name]:
            keys = self.root / name / "keys"
            script = compose_file.DEPLOY / "compose" / "make_keys.py"
            whole = [sys.executable, str(script), str(keys)]
        else:
            whole = [str(PROGRAM), *command]
        done = subprocess.run(
            [*CONFINED, *whole],
            env=self.env(name),
            cwd=self.root / name / "data",
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"
        return done.stdout + done.stderr

    def start(self, name: str) -> None:
        self.mount(name)
        one = running(
            *self.services[name]["command"], env=self.env(name), cwd=self.root / name / "data", before=CONFINED
        )
        self.running[name] = self.stack.enter_context(one)

    def ask(self, name: str, path: str) -> httpx.Response:
        """What a service answers on the port for health and metrics; it is waited for until it has started."""
        return httpx.get(self.running[name].printed(r"metrics are at (http://\S+);") + path, timeout=SECONDS)


@pytest.fixture
def databases(open_to_all: Callable[[str], str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """PostgreSQL as the file sets its volume up: the address of each account, by the one that the file has."""
    with compose_database(tmp_path / "postgresql") as server:
        server.set_up()
        yield {
            f"postgresql+psycopg://{account}@postgres:5432/footage_desk": open_to_all(server.url(account))
            for account in ("desk_owner", "desk_parts")
        }


@pytest.fixture
def machine(databases: dict[str, str], s3_server: Any, tmp_path: Path) -> Iterator[Machine]:
    """Every service of ours runs, begun in the order that the file has."""
    recordings = tmp_path / "recordings"
    redate(recordings, (datetime.now(UTC) - timedelta(days=1)).date())
    secrets = dict.fromkeys(compose_file.demanded(), s3_server.secret_key)
    services = compose_file.services(compose_file.offered() | secrets)
    with ExitStack() as stack:
        engine = stack.enter_context(
            running("engine", "--address", "127.0.0.1:0", "--controlled-clock", env=environment(), cwd=tmp_path)
        )
        addresses = databases | {
            "store:9000": s3_server.endpoint,
            "replica:9000": s3_server.endpoint,
            **dict.fromkeys(("portal", "workers", "replica-workers"), s3_server.access_key),
            "camunda:26500": engine.printed(r"listens on (\S+)\.\n"),
        }
        one = Machine(tmp_path, services, addresses, stack)
        lay_out(one.app)
        done: set[str] = {"postgres", "store", "store-accounts", "replica", "replica-accounts", "camunda"}
        ours = {name for name, service in services.items() if service["image"].startswith("footage-desk:")}
        while left := ours - done:
            ready = sorted(name for name in left if set(services[name].get("depends_on", {})) <= done)
            assert ready, f"these wait for each other: {left}"
            for name in ready:
                one.once(name) if services[name].get("restart") != "unless-stopped" else one.start(name)
            done |= set(ready)
        yield one


@pytest.mark.requirement("R16")
@pytest.mark.timeout(900)  # it starts every part, and takes a case through
async def test_what_compose_starts_gets_ready_and_takes_an_application_to_the_custodian(machine: Machine) -> None:
    before = written(machine.app)

    unready = {name: machine.ask(name, "/readyz").json()["unready"] for name in machine.running}
    assert {name: why for name, why in unready.items() if why} == {}
    _in_the_books(machine, lambda uow: organisation.seed_demo(uow, machine.root / "recordings", zone=organisation.ZONE))
    address = machine.running["portal"].printed(r"answers at (http://\S+);")
    async with People(address, {one.login: one.password for one in organisation.accounts()}) as people:
        case = Case(people, lambda *_: None)
        await case.apply((datetime.now(UTC) - timedelta(days=1)).date())
        await case.approve()
        await case.release()
        await case.retrieved()
        await case.view(await case.accept())

    assert "footage_desk_database_metrics_updated_timestamp_seconds" in machine.ask("portal", "/metrics").text
    for name in machine.running:
        told = machine.ask(name, "/metrics").text
        done_by = machine.services[name]["command"][1:]
        assert all(f'camunda_client_worker_job_handled_total{{type="{job_type}"}}' in told for job_type in done_by)
    assert {name: one.end() for name, one in machine.running.items()} == dict.fromkeys(machine.running, 0)
    assert written(machine.app) == before


def _in_the_books(machine: Machine, act: Callable[[UnitOfWork], Any]) -> None:
    database = open_database(machine.env("portal")["FOOTAGE_DESK_DATABASE_URL"], SystemClock(), Rules(max_use_days=30))
    try:
        database.run_now(Actor("system", "test"), act)
    finally:
        database.close()
