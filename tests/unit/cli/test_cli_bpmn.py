"""``footage-desk bpmn``: what a newcomer gets wrong is a sentence, and no other folder is touched instead."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.app.container import MODELS
from services.cli import main as cli_main
from services.designers import node_tools


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tools that were run; none is."""
    names: list[str] = []

    def run(tool: node_tools.Tool, *arguments: str | Path) -> int:
        names.append(tool)
        return 0

    monkeypatch.setattr(node_tools, "run", run)
    return names


def bpmn(*words: str | Path) -> Result:
    return CliRunner().invoke(cli_main.app, ["bpmn", *map(str, words)])


@pytest.mark.parametrize("command", ["lint", "format", "render", "templates"])
def test_a_folder_without_models_is_told_and_nothing_is_done(tmp_path: Path, ran: list[str], command: str) -> None:
    ended = bpmn(command, tmp_path)

    assert ended.exit_code == 1
    assert f"could not read the models | {tmp_path} | it has no BPMN files | name the folder" in ended.stderr
    assert ran == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["lint", "format", "render", "templates"])
def test_a_folder_that_is_not_there_is_told(tmp_path: Path, command: str) -> None:
    ended = bpmn(command, tmp_path / "gone")

    assert ended.exit_code == 1
    assert f"{tmp_path / 'gone'} | there is no such folder | name the folder of the models" in ended.stderr
    (tmp_path / "gone").touch()
    assert f"{tmp_path / 'gone'} | it is not a folder | name" in bpmn(command, tmp_path / "gone").stderr


def test_pictures_need_a_folder_to_go_to(tmp_path: Path, ran: list[str]) -> None:
    taken = tmp_path / "taken"
    taken.touch()

    ended = bpmn("render", MODELS, "--to", taken)

    assert (ended.exit_code, ran) == (1, [])
    assert f"could not draw the models | {taken} | File exists | name a folder" in ended.stderr
    assert bpmn("render", MODELS, "--to", tmp_path / "new" / "pictures").exit_code == 0


def test_the_exit_code_of_lint_tells_whether_anything_was_found(tmp_path: Path, ran: list[str]) -> None:
    shutil.copytree(MODELS, tmp_path / "models")
    assert bpmn("lint", tmp_path / "models").exit_code == 0
    assert ran == ["lint", "templates"]
    (tmp_path / "models" / "review-stages.json").unlink()

    ended = bpmn("lint", tmp_path / "models")

    assert ended.exit_code == 1
    assert ended.stderr == "review-stages.json, line 1: the file cannot be read: No such file or directory\n"
