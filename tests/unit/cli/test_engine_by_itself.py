"""What a command loads: the engine nothing beside it, each other command its own module."""

import socket
import subprocess
import sys
from importlib import import_module

import pytest
import typer

from services.cli import entry as cli_entry
from services.cli import main as cli_main

ENGINE_ALONE = """
import sys
from services.cli.entry import main
sys.argv = ["footage-desk", "engine", "--address", sys.argv[1], "--controlled-clock"]
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


def test_a_worker_loads_neither_pages_nor_engine() -> None:
    loads = "import sys, services.cli.processes; print({'fastapi', 'services.engine.server', 'av'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "set()"


def test_each_command_is_found_in_its_module() -> None:
    found = {}
    for module in set(cli_entry.MODULES.values()):
        alone = cli_entry.make_app()
        import_module(f"services.cli.{module}").add_to(alone)
        found |= dict.fromkeys(typer.main.get_command(alone).commands, module)  # type: ignore[attr-defined]  # a group

    assert found == cli_entry.MODULES
    assert set(found) == set(typer.main.get_command(cli_main.app).commands)  # type: ignore[attr-defined]  # it is a group


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("engine --help", "incidents"),
        ("engine jobs --help", "--type"),
        ("worker --help", "retrieve-footage"),
        ("--help", "portal"),
        ("--help", "bench"),
    ],
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
