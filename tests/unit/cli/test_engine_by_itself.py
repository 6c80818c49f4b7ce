"""``footage-desk engine`` starts the engine and loads nothing beside it; whatever else is said goes the usual way."""

import socket
import subprocess
import sys

import pytest
import typer

from services.cli import entry as cli_entry
from services.cli import main as cli_main

ENGINE_ALONE = """
import sys
from services.cli.entry import main
sys.argv = ["footage-desk", "engine", "--address", sys.argv[1]]
try:
    main()
finally:
    print(sorted({name.split(".")[1] for name in sys.modules if name.startswith("services.")}))
"""


def test_the_engine_by_itself_loads_nothing_of_the_rest() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = subprocess.run(
            [sys.executable, "-c", ENGINE_ALONE, address], capture_output=True, text=True, check=False
        )

    assert ended.returncode == 1
    assert f"The engine could not start at {address}" in ended.stderr
    assert ended.stdout.strip() == "['cli', 'engine']"


@pytest.mark.parametrize(
    ("arguments", "told"), [("engine --help", "incidents"), ("engine jobs --help", "--type"), ("--help", "portal")]
)
def test_help_tells_of_every_command(
    arguments: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["footage-desk", *arguments.split()])

    with pytest.raises(SystemExit) as ended:
        cli_entry.main()

    assert ended.value.code == 0
    assert told in capsys.readouterr().out


def test_every_command_that_looks_into_an_engine_goes_the_usual_way() -> None:
    engine = typer.main.get_command(cli_main.app).commands["engine"]  # type: ignore[attr-defined]  # it is a group

    assert set(engine.commands) == cli_entry.INSPECTING
