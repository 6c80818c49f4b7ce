"""An operator lists the versions of models that are on no record, and accepts one by its key, with a reason."""

import os
import pwd
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.app import server
from services.cli import context, model_deployment
from services.cli import main as cli_main
from services.cli.context import operator
from services.domain.deployments import versions
from services.domain.deployments.versions import Definition
from services.runtime.engine_client import DeployedProcess, Deployment
from services.runtime.settings import Settings

KEY = 2**61 + 7


def cli(*arguments: str) -> tuple[int, str]:
    ended = CliRunner().invoke(cli_main.app, arguments)
    return ended.exit_code, " ".join((ended.stdout + ended.stderr).split())


@pytest.mark.requirement("R2", "R52", refuses=True)
def test_what_is_on_no_record_is_listed_and_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", "30")
    monkeypatch.setenv("ZEEBE_ADDRESS", "127.0.0.1:9")
    monkeypatch.setattr(context.console, "width", 200)

    async def deploy(_client: object, _folder: Path | None = None) -> Deployment:
        return Deployment(1, {"review": 3}, [DeployedProcess("review", 3, KEY - 1, "review.bpmn")])

    monkeypatch.setattr(server, "deploy", deploy)
    assert cli("deploy")[0] == 2, "a deployment that nothing keeps on record would stand still"
    assert cli("migrate")[0] == 0
    assert cli("deploy") == (0, "review version 3")
    assert cli("models", "list")[0] == 0

    with model_deployment.opened_database(Settings.load()) as database:
        database.run_now(model_deployment.ACTOR, versions.note_unrecorded, Definition("hostile", 1, KEY))
    code, listed = cli("models", "list")
    assert (code, str(KEY) in listed, "hostile" in listed) == (1, True, True)
    for key, reason, says in (
        (str(KEY), "x", "say in a few words"),
        ("12", "an exercise of ours", "no worker has met"),
    ):
        code, sentence = cli("models", "accept", key, "--reason", reason)
        assert (code, says in sentence) == (1, True)
    code, sentence = cli("models", "accept", str(KEY), "--reason", "an exercise of ours")
    assert (code, "hostile version 1 is accepted" in sentence) == (0, True)
    assert cli("models", "list")[0] == 0


def test_an_account_without_a_name_is_told_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless(uid: int) -> object:
        raise KeyError(uid)

    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nameless)
    assert operator() == f"uid {os.getuid()}"
