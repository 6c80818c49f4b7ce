"""The command: its sentences, pictures and logs, and what it refuses."""

import json
from pathlib import Path

import pytest
from edited_models import change_stage
from event_logs import read_ocel, read_xes
from simulated_year import INTERPRETING, with_one_more_review
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.designers.policy_check.report import ExitCode

FEW = 4


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "data"))
    return CliRunner()


@pytest.mark.slow
def test_both_formats_have_the_same_events_of_the_same_cases(runner: CliRunner, tmp_path: Path) -> None:
    for name in ("log.json", "log.xes"):
        ended = runner.invoke(cli_main.app, ["simulate", f"--cases={FEW}", "--log", str(tmp_path / name)])
        assert ended.exit_code == 0, ended.output
    log, traces = read_ocel(tmp_path / "log.json"), read_xes(tmp_path / "log.xes")
    assert len(traces) == FEW == sum(thing["type"] == "case" for thing in log["objects"])
    assert sum(map(len, traces)) == len(log["events"])
    assert {thing["type"] for thing in log["objects"]} >= {"case", "item", "review", "hand-over", "person"}
    for trace in traces:
        assert [trace[0]["concept:name"], trace[-1]["concept:name"]] == ["application submitted", "case closed"]
    opened = [event for trace in traces for event in trace if event["lifecycle:transition"] == "schedule"]
    assert {"preliminary review", "security review"} <= {event["concept:name"] for event in opened}
    again = runner.invoke(cli_main.app, ["simulate", f"--cases={FEW}", "--log", str(tmp_path / "log.json")])
    assert again.exit_code == 1
    assert "it exists" in again.stderr


def test_an_edit_beside_what_was_says_what_it_changes(runner: CliRunner, tmp_path: Path) -> None:
    after = with_one_more_review(tmp_path / "after")
    change_stage(after, INTERPRETING, limit="PT4H")
    options = ["--beside", str(cli_main.simulation.BPMN), f"--cases={FEW}", "--to", str(tmp_path / "pictures")]
    ended = runner.invoke(cli_main.app, ["simulate", str(after), *options, "--json"])
    assert ended.exit_code == 0, ended.output
    content = json.loads(ended.stdout)
    assert content["difference"]["en"].startswith("After the edit a case takes")
    assert content["before"]["cases"] == content["cases"] == FEW
    assert any(stage["name"] == f"stage {INTERPRETING}" for stage in content["stages"])
    assert content["cases_per_cpu_second"] > 0
    assert (tmp_path / "pictures" / "Phase_Approval.svg").read_text(encoding="utf-8").startswith("<svg")


def test_sentences_and_table_are_chinese_where_asked(runner: CliRunner) -> None:
    ended = runner.invoke(cli_main.app, ["simulate", f"--cases={FEW}", "--lang=zh"])
    assert ended.exit_code == 0
    assert f"{FEW} 个案件（演示数据，种子 1）" in ended.output
    assert "环节" in ended.output


def test_a_folder_without_models_is_a_sentence(runner: CliRunner, tmp_path: Path) -> None:
    ended = runner.invoke(cli_main.app, ["simulate", str(tmp_path)])
    assert ended.exit_code == ExitCode.UNREADABLE
    assert "there are no models" in ended.stderr


def test_a_history_of_nothing_is_a_sentence(runner: CliRunner) -> None:
    assert runner.invoke(cli_main.app, ["migrate"]).exit_code == 0
    ended = runner.invoke(cli_main.app, ["simulate", "--history"])
    assert ended.exit_code == 1
    assert "too few to draw from" in ended.stderr
