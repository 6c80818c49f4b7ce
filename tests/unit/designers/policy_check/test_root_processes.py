"""The tools of designers with several processes that begin by themselves: each does what it can, and says what not."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from edited_models import Model, add_notice, timer_start
from engine_harness import EngineHarness
from other_processes import MATTER, PROBLEM, URGENT, VIOLATION, add_to_shipped, alone, make_folder
from played_case import PlayedCase, workers
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.designers.lint.check import find
from services.designers.lint.findings import Level
from services.designers.model_diff import diff
from services.designers.play.models import SUBMISSION, Beginning, load
from services.designers.policy_check.files import read
from services.designers.policy_check.root_processes import find_roots, main_resources
from services.designers.simulation.models import Models as SimulatedModels
from services.engine.processing.deployments import deploy
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

ALL = (MATTER, PROBLEM, VIOLATION, URGENT)
SHIPPED = (*ALL, "inspection", "maintenance", "work-order")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_to_shipped(tmp_path_factory.mktemp("several") / "models", *ALL)


def test_each_root_process_needs_its_own_files_alone(models: Path) -> None:
    resources = read(models).resources

    roots = {root.process_id: {resource.name for resource in root.resources} for root in find_roots(resources)}

    assert next(iter(roots)) == "video-retrieval"
    assert roots["video-retrieval"] == {"classification.dmn", "review.bpmn", "video-retrieval.bpmn"}
    assert roots[MATTER] == {"matter-route.dmn", "matter.bpmn", "review.bpmn"}
    assert {resource.name for resource in main_resources(resources)} == roots["video-retrieval"]
    assert "review" not in roots


def test_a_process_that_computes_what_it_calls_needs_all_files(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "models", PROBLEM, MATTER)
    model = Model(folder, "problem-report.bpmn")
    [called] = model.one("Call_Security").iter("{http://camunda.org/schema/zeebe/1.0}calledElement")
    called.set("processId", "=called")
    model.save()

    root = next(one for one in find_roots(read(folder).resources) if one.process_id == PROBLEM)

    assert {resource.name for resource in root.resources} >= {"matter.bpmn", "matter-route.dmn"}


def test_a_process_that_others_call_and_a_timer_begins_is_a_root_of_its_own(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "models", MATTER)
    model = Model(folder, "review.bpmn")
    model.add("review", timer_start("Event_Nightly", "R/P1D"))
    model.flow("Flow_Nightly", "Event_Nightly", "Task_OpenReview")
    model.save()

    roots = {root.process_id: root for root in find_roots(read(folder).resources)}

    assert set(roots) == {MATTER, "review"}
    assert (roots["review"].messages, roots["review"].timers) == ((), ("Event_Nightly",))


def test_the_case_of_an_application_is_the_process_that_does_what_the_policy_requires(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BPMN, tmp_path / "models"))
    add_notice(folder, "application-submitted", "a-notice")

    first, *others = find_roots(read(folder).resources)

    assert first.process_id == "video-retrieval"
    assert first.is_main
    assert not any(other.is_main for other in others)
    assert "a-notice" in {other.process_id for other in others}
    assert [one for one in find(folder, discover(), templates=False) if one.level is Level.ERROR] == []


@pytest.mark.requirement("R2")
def test_a_walk_by_hand_chooses_the_process_that_begins(models: Path) -> None:
    offered = load(models, workers(), items=1)
    assert offered.beginning == SUBMISSION
    assert {one.name for one in offered.beginnings()} >= {"application-submitted", "matter-asked", "violation-opened"}
    assert offered.begins_process(Beginning("message", "matter-asked")).zh == "一事一议"

    loaded = load(models, workers(), items=1, beginning=Beginning("message", "matter-asked"))
    case = PlayedCase(loaded)

    assert case.walk.steps[0].calls[0] | {"then": []} == {
        "do": "publish",
        "name": "matter-asked",
        "correlationKey": "matter-1",
        "variables": {"matterId": "matter-1", "applicationId": "application-1"},
        "then": [],
    }
    case.answer(
        "check-matter",
        allowed=True,
        kind="extension",
        importance="important",
        securityInvolved=False,
        managementInvolved=False,
    )
    case.answer("open-review")
    assert "extension" in case.about
    assert "matter-moot" in case.about
    # the rules are those about this process
    assert {rule.process for rule in loaded.prepared.rules.rules} == {MATTER}


def test_a_simulated_year_is_of_applications_alone_and_says_so(models: Path) -> None:
    assert set(SimulatedModels(models, workers()).others) == set(SHIPPED)
    assert set(SimulatedModels(BPMN, workers()).others) == set(SHIPPED)

    result = CliRunner().invoke(cli_main.app, ["simulate", str(models), "--cases", "3"])

    assert result.exit_code == 0
    assert "Only the case of an application is simulated, and not: inspection, maintenance, matter" in " ".join(
        result.output.split()
    )


def test_the_difference_names_the_files_of_new_processes(models: Path, tmp_path: Path) -> None:
    older = Path(shutil.copytree(BPMN, tmp_path / "older"))
    (older / "urgent-retrieval.bpmn").unlink()

    files = {change.file for change in diff(older, models)}

    assert "urgent-retrieval.bpmn" in files
    assert "video-retrieval.bpmn" not in files


@pytest.mark.requirement("R2")
def test_the_engine_deploys_them_together_each_with_a_version_of_its_own(models: Path) -> None:
    desk = EngineHarness()

    deployed = desk.do(partial(deploy, resources=list(read(models).resources)))

    assert {process.bpmn_process_id for process in deployed.processes} == {"video-retrieval", "review", *SHIPPED}


def test_the_report_of_the_command_names_the_process(tmp_path: Path) -> None:
    folder = alone(tmp_path / "models", MATTER)
    model = Model(folder, "matter.bpmn")
    model.retarget("Flow_MatterDeclined", "Task_ApplyMatter")
    model.save()

    told = CliRunner().invoke(cli_main.app, ["policy", "check", str(folder)])
    as_json = CliRunner().invoke(cli_main.app, ["policy", "check", str(folder), "--json"])

    assert "✗ matter: not-applied-after-a-no" in told.output
    content = json.loads(as_json.output)
    assert "matter" in {verdict["process"] for verdict in content["verdicts"]}
    assert [part["process"] for part in content["processes"]] == [MATTER]


def test_a_row_of_a_route_that_no_case_comes_to_is_told(tmp_path: Path) -> None:
    folder = alone(tmp_path / "models", MATTER)
    path = folder / "matter-route.dmn"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('<text>"recall"</text>', '<text>"other"</text>'), encoding="utf-8")

    result = CliRunner().invoke(cli_main.app, ["policy", "check", str(folder)])

    assert "no walk came to row 8 of the table matter-route" in " ".join(result.output.split())
