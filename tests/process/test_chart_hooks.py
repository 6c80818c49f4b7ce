"""The chart's hooks as they would run: their rendered arguments with their rendered variables, and no other."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from image_layout import ROOT, lay_out, variables, written
from service_process import CONFINED, PROGRAM, environment, running

GOLDEN = ROOT / "charts" / "footage-desk" / "golden" / "small.yaml"
JOBS = {
    one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]
    for one in yaml.safe_load_all(GOLDEN.read_text(encoding="utf-8"))
    if one and one["kind"] == "Job"
}
SECONDS = 60


def run(job: dict[str, Any], app: Path, data: Path, addresses: dict[str, str]) -> str:
    """The job's container as a process; what it printed. A secret is not asked for by the server here."""
    given = {one["name"]: one.get("value", "a secret") for one in job["env"]}
    substitutes = addresses | {"/var/lib/footage-desk": str(data)}
    env = variables() | {name: substitutes.get(value, value) for name, value in given.items()}
    own = {"PATH": f"{PROGRAM.parent}:/usr/bin:/bin", "PYTHONPATH": str(app)}
    done = subprocess.run(
        [*CONFINED, PROGRAM, *job["args"]],
        env=env | own,
        cwd=data,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.postgres
def test_the_hooks_of_an_installation_and_of_an_upgrade_do_their_work(
    postgres_database: Callable[[], str], open_to_all: Callable[[str], str], tmp_path: Path
) -> None:
    app, data = tmp_path / "app", tmp_path / "data"
    data.mkdir(mode=0o700)
    lay_out(app)
    before = written(app)
    with running("engine", "--address", "127.0.0.1:0", "--controlled-clock", env=environment(), cwd=tmp_path) as engine:
        addresses = {
            "postgresql+psycopg://footage_desk@postgres:5432/footage_desk?sslmode=prefer": open_to_all(
                postgres_database()
            ),
            "camunda-zeebe-gateway:26500": engine.printed(r"listens on (\S+)\.\n"),
        }
        said = {
            name: [run(JOBS[name], app, data, addresses) for _installed_or_upgraded in range(2)]
            for name in sorted(JOBS, reverse=True)  # the migration comes before the deployment
        }

    assert said == {
        "footage-desk-migrate": ["The database is at the newest schema.\n"] * 2,
        "footage-desk-deploy-models": [said["footage-desk-deploy-models"][0]] * 2,
    }
    assert "video-retrieval version 1\n" in said["footage-desk-deploy-models"][0]
    assert written(app) == before
