"""``footage-desk bpmn``: what a newcomer gets wrong is a sentence, and no other folder is touched instead."""

import json
import shutil
from pathlib import Path
from typing import Any

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

    def read(tool: node_tools.Tool, *arguments: str | Path) -> list[Any]:
        names.append(tool)
        return []

    monkeypatch.setattr(node_tools, "run", run)
    monkeypatch.setattr(node_tools, "read", read)
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


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return shutil.copytree(MODELS, tmp_path / "models")


def change(models: Path, old: str, new: str) -> None:
    path = models / "video-retrieval.bpmn"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


UNDECLARED = ('<bpmn:endEvent id="Event_FootagePreserved"', '<bpmn:task id="Task_Own" name="统计" />')


def test_the_exit_code_of_lint_tells_errors_from_advice(models: Path, ran: list[str]) -> None:
    assert bpmn("lint", models).exit_code == 0
    assert ran == ["lint", "templates"]
    change(models, UNDECLARED[0], UNDECLARED[1] + UNDECLARED[0])

    advised = bpmn("lint", models)

    assert advised.exit_code == 2
    assert advised.stderr.startswith("advice: video-retrieval.bpmn:")
    assert "Task_Own: “统计” is a task without a type" in advised.stderr
    assert advised.stdout == "0 to correct, 1 advised.\n"
    (models / "review-stages.json").unlink()

    ended = bpmn("lint", models, "--lang", "zh")

    assert ended.exit_code == 1
    first, second = ended.stderr.splitlines()
    assert first.startswith("错误: review-stages.json:1: the file cannot be read: No such file or directory")
    assert second.startswith("建议: video-retrieval.bpmn:")


def test_lint_prints_one_object_for_a_machine(models: Path, ran: list[str]) -> None:
    change(models, UNDECLARED[0], UNDECLARED[1] + UNDECLARED[0])

    ended = bpmn("lint", models, "--json")

    printed = json.loads(ended.stdout)
    assert (printed["errors"], printed["advice"]) == (0, 1)
    assert set(printed["findings"][0]) == {"level", "rule", "element", "file", "line", "zh", "en"}


def test_the_templates_of_declared_workers_are_written(models: Path) -> None:
    declared = {"zh": "统计", "en": "Count statistics."}
    (models / "workers.json").write_text(json.dumps({"workers": {"count-statistics": declared}}), encoding="utf-8")

    ended = bpmn("templates", models)

    assert ended.exit_code == 0
    assert (models / ".camunda/element-templates/count-statistics.json").exists()
    (models / "workers.json").write_text('{"workers": {\n"count": 1}}', encoding="utf-8")
    assert "workers.json | line 2, workers.count: is an object in braces" in bpmn("templates", models).stderr
