"""The command line: help that helps, settings that are wrong in one sentence each, and workers by name."""

import re
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from services.cli import context, demonstration, processes
from services.cli import main as cli_main
from services.demo import walk
from services.runtime.data_folder import only_process
from services.runtime.errors import Fatal
from services.runtime.jobs.worker import discover
from services.runtime.logs import get_logger
from services.runtime.places import ROOT
from services.runtime.settings import Settings, all_settings, variable

COMMANDS = (
    "run", "portal", "worker", "engine", "deploy", "migrate", "administrator", "backup", "restore", "demo", "doctor",
    "policy", "simulate", "events",
)  # fmt: skip
WRONG = {
    "FOOTAGE_DESK_PORTAL__PORT": "eighty",
    "FOOTAGE_DESK_HEALTH__PORT": "70000",
    "FOOTAGE_DESK_ZONE": "Mars/Olympus",
    "FOOTAGE_DESK_RULES__REVIEW_LIMIT": "soon",
    "FOOTAGE_DESK_RULES__PRESERVATION": "perhaps",
    "FOOTAGE_DESK_RULES__MAX_USE_DAYS": "0",
    "FOOTAGE_DESK_DEMO": "maybe",
    "FOOTAGE_DESK_STORE__ENDPOINT": "https://store:9000",
    "FOOTAGE_DESK_STORE__CA_FILE": "/nowhere/ca.pem",
    "FOOTAGE_DESK_DATABASE_URL": "mysql://somebody:secret@database/desk",
    "FOOTAGE_DESK_NOTICES__WEBHOOK__SECRET": "c2hvcnQ",
    "FOOTAGE_DESK_LOG__LEVEL": "loud",
    "CAMUNDA_CLIENT_ID": "alone",
}


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("ZEEBE_ADDRESS", raising=False)
    return CliRunner()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command: str, runner: CliRunner) -> None:
    whole = runner.invoke(cli_main.app, ["--help"]).output
    alone = runner.invoke(cli_main.app, [command, "--help"])
    assert command in whole
    assert alone.exit_code == 0
    assert "." in alone.output


def test_books_on_sqlite_are_not_migrated_while_a_process_is_in_them(runner: CliRunner, tmp_path: Path) -> None:
    with only_process(tmp_path / "data"):
        ended = runner.invoke(cli_main.app, ["migrate"])
    assert ended.exit_code == 1
    assert "another process uses this folder" in ended.stderr
    assert runner.invoke(cli_main.app, ["migrate"]).exit_code == 0


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_one_sentence_that_names_its_variable(
    name: str, runner: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, WRONG[name])
    ended = runner.invoke(cli_main.app, ["run"])
    assert ended.exit_code == 2
    # a half-set OAuth names what is missing
    assert (name if name != "CAMUNDA_CLIENT_ID" else "CAMUNDA_OAUTH_URL") in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert name == "CAMUNDA_CLIENT_ID" or WRONG[name] not in ended.stderr.replace(name, "")
    assert not (tmp_path / "data").exists()


def test_s3_without_its_keys_and_without_a_replica_is_named(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_STORE__ENDPOINT", "127.0.0.1:1")
    ended = runner.invoke(cli_main.app, ["run"])
    assert ended.exit_code == 2
    assert "FOOTAGE_DESK_STORE__ACCESS_KEY is not set" in ended.stderr

    monkeypatch.setenv("FOOTAGE_DESK_STORE__ACCESS_KEY", "key")
    monkeypatch.setenv("FOOTAGE_DESK_STORE__SECRET_KEY", "secret")
    ended = runner.invoke(cli_main.app, ["run"])
    assert ended.exit_code == 2
    assert "FOOTAGE_DESK_REPLICA__ENDPOINT is not set" in ended.stderr


def test_a_job_type_that_nobody_does_gets_the_list_of_those_there_are(runner: CliRunner) -> None:
    ended = runner.invoke(cli_main.app, ["worker", "no-such-type"])
    assert ended.exit_code == 2
    assert "no-such-type" in ended.stderr
    for worker in discover():
        assert worker.job_type in ended.stderr


def test_the_demonstration_empties_no_folder_that_is_not_its_own(runner: CliRunner, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("keep")
    ended = runner.invoke(cli_main.app, ["demo", "--data", str(tmp_path)])
    assert ended.exit_code == 1
    assert precious.read_text() == "keep"


def test_the_settings_are_all_in_their_document() -> None:
    told = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    missing = [
        variable(name)
        for name, field in all_settings().items()
        if f"| `{variable(name)}` | {field.description} |" not in told
    ]
    assert missing == []


@pytest.mark.requirement("R2", "R52", refuses=True)
def test_the_first_administrator_is_entered_once_and_told_a_password_once(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_DATABASE_URL", f"sqlite:///{tmp_path / 'books.db'}")
    monkeypatch.setenv("FOOTAGE_DESK_KEYS_DIR", str(tmp_path / "keys"))

    malformed = runner.invoke(cli_main.app, ["administrator", "Root!", "罗欣"])
    entered = runner.invoke(cli_main.app, ["administrator", "luo.xin", "罗欣"])
    again = runner.invoke(cli_main.app, ["administrator", "second", "梁红"])

    assert malformed.exit_code == 1
    assert malformed.stderr.startswith("The username needs 2 to 40 lowercase letters")
    assert entered.exit_code == 0, entered.stderr
    assert re.search(r"luo\.xin signs in once with the password \S{12,} and chooses a new one", entered.stdout)
    assert again.exit_code == 1
    assert "an administrator adds more" in again.stderr

    for nothing in (["luo.xin"], ["luo.xin", "罗欣", "--reset"]):
        assert runner.invoke(cli_main.app, ["administrator", *nothing]).exit_code == 2
    nobody = runner.invoke(cli_main.app, ["administrator", "second", "--reset"])
    assert (nobody.exit_code, nobody.stderr[:25]) == (1, "Only an administrator's a")
    reset = runner.invoke(cli_main.app, ["administrator", "luo.xin", "--reset"])
    assert re.search(r"luo\.xin signs in once with the password \S{12,} and chooses a new one", reset.stdout)
    assert reset.stdout != entered.stdout


@pytest.mark.parametrize(("options", "endpoint"), [([], None), (["--store"], "127.0.0.1:9")])
def test_the_demonstration_uses_the_settings_store_where_it_is_told_to(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], endpoint: str | None
) -> None:
    for name, value in {"ENDPOINT": "127.0.0.1:9", "ACCESS_KEY": "key", "SECRET_KEY": "secret"}.items():
        monkeypatch.setenv(f"FOOTAGE_DESK_STORE__{name}", value)
        monkeypatch.setenv(f"FOOTAGE_DESK_REPLICA__{name}", value)
    seen: list[Settings] = []

    def stop(settings: Settings) -> None:
        seen.append(settings)
        raise Fatal("far enough")

    monkeypatch.setattr(walk, "running", stop)
    ended = runner.invoke(cli_main.app, ["demo", "--data", str(tmp_path / "demo"), *options])

    assert "far enough" in ended.output
    assert seen[0].store.endpoint == endpoint


@pytest.mark.parametrize(("address", "can"), [(None, True), ("zeebe:26500", False)])
def test_the_demos_cases_need_an_engine_whose_clock_is_turned_with_ours(
    monkeypatch: pytest.MonkeyPatch, address: str | None, can: bool
) -> None:
    written = StringIO()
    monkeypatch.setattr(demonstration, "error_console", Console(file=written))
    settings = Settings.load(zeebe_address=address)

    assert demonstration.can_lay_out(settings) is can

    said = written.getvalue()
    assert (said == "") is can
    assert can or "the engine at zeebe:26500 has a clock of its own, which this program does not turn" in said


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_logs_leave_a_terminal_for_a_file_and_stay_where_they_are_read_by_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load(data_dir=tmp_path / "data")
    monkeypatch.setattr("sys.stderr", StringIO())
    assert context.log_to_file(settings) is None
    assert not (tmp_path / "data").exists()

    monkeypatch.setattr("sys.stderr", Terminal())
    path = context.log_to_file(settings)
    get_logger("somebody").info("something happened")
    assert path == tmp_path / "data" / "footage-desk.log"
    assert '"something happened"' in path.read_text()
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined] - the terminal above


@pytest.mark.parametrize(("options", "moved"), [((), True), (("--log-to-terminal",), False)])
def test_the_demo_moves_its_logs_unless_they_are_wanted_on_the_terminal(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], moved: bool
) -> None:
    asked: list[Settings] = []
    monkeypatch.setattr(processes, "log_to_file", asked.append)
    monkeypatch.setattr(processes, "_opened", lambda _: processes.fail("far enough", 1))
    for demo in (("--demo",), ()):
        runner.invoke(cli_main.app, ["run", *demo, *options], env={"FOOTAGE_DESK_RULES__MAX_USE_DAYS": "30"})
    assert [one.demo for one in asked] == ([True] if moved else [])
