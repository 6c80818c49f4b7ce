"""The folder of the models: whoever starts or deploys with a wrong one is told file, stage and key, and what to do."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.app import model_examination, server
from services.app.container import MODELS
from services.cli import context
from services.cli import main as cli_main
from services.designers.policy_check.report import PartOfReport, Report
from services.domain.stages import file as stage_file
from services.domain.stages.catalogue import STAGES
from services.runtime.engine_client import Deployment

STARTS = (("run",), ("portal",), ("worker", "open-review"), ("deploy",))
SPOILT = {
    "limit": (
        stage_file.NAME,
        '"limit": "take-up"',
        '"limit": "soon"',
        r"review-stages.json | line 231, stages.receipt.limit: is review, release, take-up or a duration such as PT8H",
    ),
    "key": (stage_file.NAME, '"mayLower"', '"mayLowr"', "line 147, stages.security.mayLowr: is no key that is known"),
    "json": (stage_file.NAME, '"posts": {},', '"posts": {', "no JSON: "),
    "stage": (
        "video-retrieval.bpmn",
        "&#34;security&#34;",
        "&#34;guard&#34;",
        "video-retrieval.bpmn, Call_SecurityDecides | it asks the stage guard, which review-stages.json does not have",
    ),
    "xml": ("review.bpmn", "<bpmn:process ", "<<", "review.bpmn | it is no XML: "),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the models that the settings name, and no books yet."""
    folder = tmp_path / "models"
    shutil.copytree(MODELS, folder)
    monkeypatch.setenv("FOOTAGE_DESK_MODELS_DIR", str(folder))
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", "30")
    return folder


def start(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> str:
    """The one line with which the command leaves, without a trace of Python."""
    if command == ("run",):
        monkeypatch.delenv("ZEEBE_ADDRESS", raising=False)
    else:
        monkeypatch.setenv("ZEEBE_ADDRESS", "127.0.0.1:9")
    ended = CliRunner().invoke(cli_main.app, command)
    assert ended.exit_code == 1, ended.output
    (line,) = [one for one in ended.stderr.splitlines() if not one.startswith("{")]
    return line


@pytest.mark.parametrize("command", STARTS, ids=lambda command: command[0])
@pytest.mark.parametrize("name", SPOILT)
def test_wrong_models_are_refused_at_the_start_in_one_sentence(
    folder: Path, command: tuple[str, ...], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, old, new, sentence = SPOILT[name]
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    said = start(command, monkeypatch)

    assert str(folder / file) in said
    assert sentence in said
    assert said.rpartition(" | ")[2].startswith(("correct the file", "correct that line", "add the stage there"))
    assert not (folder.parent / "data" / "database.sqlite3").exists()  # nothing was begun
    assert STAGES.file == stage_file.read(MODELS / stage_file.NAME)


@pytest.mark.parametrize("command", STARTS, ids=lambda command: command[0])
def test_a_folder_that_is_not_there_or_has_no_models_is_told(
    folder: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "review.bpmn").unlink()
    assert "it has no review.bpmn | put it there, or let FOOTAGE_DESK_MODELS_DIR name" in start(command, monkeypatch)
    shutil.rmtree(folder)
    assert "review-stages.json | line 1: the file cannot be read: No such file" in start(command, monkeypatch)


def test_deploy_stops_at_errors_and_goes_on_with_advice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEEBE_ADDRESS", "127.0.0.1:9")
    reached: list[Path | None] = []

    async def deploy(client: object, models: Path | None = None) -> Deployment:
        reached.append(models)
        return Deployment(1, {"review": 7})

    monkeypatch.setattr(server, "deploy", deploy)
    clean = Report((), (), (), (PartOfReport("", states=1, moves=1, is_complete=True),))
    monkeypatch.setattr(model_examination, "check", lambda *_models, **_options: clean)
    assert CliRunner().invoke(cli_main.app, ["migrate"]).exit_code == 0
    path = folder / "video-retrieval.bpmn"
    text = path.read_text(encoding="utf-8")
    end = '<bpmn:endEvent id="Event_FootagePreserved"'
    path.write_text(text.replace(end, f'<bpmn:task id="Task_Own" name="统计" />{end}'), encoding="utf-8")
    advised = CliRunner().invoke(cli_main.app, ["deploy"])
    path.write_text(text.replace(end, f'<bpmn:task id="Task_Own" name="翻译审核" />{end}'), encoding="utf-8")
    stopped = CliRunner().invoke(cli_main.app, ["deploy"])
    monkeypatch.delenv("FOOTAGE_DESK_MODELS_DIR")
    named = CliRunner().invoke(cli_main.app, ["deploy", str(folder)])
    shipped = CliRunner().invoke(cli_main.app, ["deploy"])

    assert advised.exit_code == 0, advised.stderr
    assert advised.stdout.splitlines()[-1] == "review version 7"
    assert "advice: video-retrieval.bpmn:" in advised.stderr
    for refused in (stopped, named):
        assert refused.exit_code == 1
        assert "error: video-retrieval.bpmn:" in refused.stderr
        assert "Nothing was deployed: correct the errors above" in refused.stderr
    assert (shipped.exit_code, shipped.stderr) == (0, "")
    assert reached == [folder, None]


def test_doctor_says_whether_the_models_fit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZEEBE_ADDRESS", raising=False)
    monkeypatch.setattr(context.console, "width", 1000)
    assert "models those shipped; they and their review stages fit together" in _doctor(folder)
    model = folder / "review.bpmn"
    model.write_text(model.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert f"those of {folder}; they and their review stages fit together; footage-desk deploy checks" in _doctor(
        folder
    )

    (folder / stage_file.NAME).write_text("{}", encoding="utf-8")
    assert "stages: is missing" in _doctor(folder)


def _doctor(folder: Path) -> str:
    return " ".join(CliRunner().invoke(cli_main.app, ["doctor"]).output.split())


def test_models_of_ones_own_are_not_deployed_where_nothing_keeps_the_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEEBE_ADDRESS", "127.0.0.1:9")
    model = folder / "review.bpmn"
    model.write_text(model.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    refused = CliRunner().invoke(cli_main.app, ["deploy", "--unchecked", "an exercise of ours"])
    assert refused.exit_code == 2
    assert "are deployed on record: set FOOTAGE_DESK_DATA_DIR" in refused.stderr


def test_a_reason_that_says_nothing_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEEBE_ADDRESS", "127.0.0.1:9")
    model = folder / "review.bpmn"
    model.write_text(model.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert CliRunner().invoke(cli_main.app, ["migrate"]).exit_code == 0
    refused = CliRunner().invoke(cli_main.app, ["deploy", "--unchecked", "x"])
    assert (refused.exit_code, "say in a few words why" in refused.stderr) == (2, True)
