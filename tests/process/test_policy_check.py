"""`footage-desk policy check`: the shipped models are clean, and edits of them are told apart by what they do."""

import json
import shutil
from functools import cache
from pathlib import Path

import amount
import pytest
from edit_lists import Edit
from edited_models import with_one_mark
from further_policy_edits import BREAKING, BREAKING_BESIDE, HARMLESS, HARMLESS_BESIDE, REFUSED
from golden_scenario import Scenario
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.designers.lint.check import find
from services.designers.lint.findings import Level
from services.designers.policy_check import listing
from services.designers.policy_check.check import check
from services.designers.policy_check.files import FACTS
from services.designers.policy_check.report import ExitCode, Report
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

_SAMPLE = 2
_HARMLESS_SAMPLE = 1  # nothing ends such a walk early
_BESIDE_SAMPLE = 4  # each is walked in a second


@cache
def _shipped() -> Report:
    return check(BPMN, discover())


def _some(edits: list[Edit], sample: int = _SAMPLE) -> list[Edit]:
    return edits if amount.all_of_it() else edits[:: max(1, len(edits) // sample)][:sample]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A copy of the models; in a sample with one mark of importance, because the three are alike to the edits."""
    folder = Path(shutil.copytree(BPMN, tmp_path / "models"))
    if not amount.all_of_it():
        with_one_mark(folder)
    return folder


@pytest.mark.requirement("R2", "R22", "R24", "R25", "R27", "R38", "R51")
def test_the_shipped_models_are_clean() -> None:
    report = _shipped()

    assert [(v.rule, v.why[1]) for v in report.broken + report.undecided] == []
    assert report.unseen == ()
    assert report.exit_code == ExitCode.CLEAN


def test_what_can_happen_in_the_shipped_models_is_what_is_written_down() -> None:
    written = json.loads((BPMN / FACTS).read_text(encoding="utf-8"))

    parts = {part.process: {"facts": list(part.happened), "tried": list(part.tried)} for part in _shipped().parts}
    assert written == {**parts.pop(""), "processes": parts}


@pytest.mark.parametrize("edit", _some(BREAKING), ids=str)
def test_an_edit_that_breaks_the_policy_is_found_by_its_rule(edit: Edit, models: Path) -> None:
    edit.apply(models)

    report = check(models, discover(), until=edit.found_by)

    assert edit.found_by in {verdict.rule for verdict in report.broken}
    assert report.exit_code == ExitCode.BROKEN


@pytest.mark.requirement("R41", "R46", "R52", "R61", "R63", "R64", "R65", "R67")
@pytest.mark.parametrize("edit", _some(BREAKING_BESIDE, sample=_BESIDE_SAMPLE), ids=str)
def test_an_edit_beside_the_application_is_found_by_its_rule(edit: Edit, tmp_path: Path) -> None:
    folder = _beside(tmp_path)
    edit.apply(folder)

    report = check(folder, discover(), until=edit.found_by)

    assert edit.found_by in {verdict.rule for verdict in report.broken}


def test_harmless_edits_beside_the_application_are_clean(tmp_path: Path) -> None:
    """All at once, because they are of different processes."""
    folder = _beside(tmp_path)
    for edit in HARMLESS_BESIDE:
        edit.apply(folder)

    report = check(folder, discover())

    beside = [verdict for verdict in report.broken + report.undecided if verdict.process]
    assert [(verdict.rule, verdict.why[1]) for verdict in beside] == []
    assert len(report.parts) > 1


def _beside(tmp_path: Path) -> Path:
    """A copy of the models without the case of an application, which takes most of the time and is not edited."""
    folder = Path(shutil.copytree(BPMN, tmp_path / "models"))
    (folder / "video-retrieval.bpmn").unlink()
    return folder


@pytest.mark.parametrize("edit", REFUSED, ids=str)
def test_an_edit_that_lint_refuses_is_not_walked(edit: Edit, models: Path) -> None:
    edit.apply(models)

    refusals = {finding.rule for finding in find(models, discover()) if finding.level is Level.ERROR}

    assert edit.found_by in refusals
    with pytest.raises(UnreadableFile, match="the engine does not deploy these models"):
        check(models, discover())


@pytest.mark.slow
@pytest.mark.parametrize("edit", _some(HARMLESS, _HARMLESS_SAMPLE), ids=str)
def test_a_harmless_edit_is_clean(edit: Edit, models: Path) -> None:
    edit.apply(models)

    report = check(models, discover())

    assert [(v.rule, v.why[1]) for v in report.broken + report.undecided] == []
    assert report.exit_code == ExitCode.CLEAN


def _edited(models: Path, name: str) -> Path:
    next(edit for edit in BREAKING if edit.name == name).apply(models)
    return models


def test_a_path_is_told_in_the_names_of_the_elements_with_what_should_have_come(models: Path) -> None:
    models = _edited(models, "the_department_is_skipped")

    report = check(models, discover(), items=1, until="department-first")

    [verdict] = [v for v in report.broken if v.rule == "department-first"]
    assert verdict.counterexample is not None
    shown = [step.zh for step in verdict.counterexample.steps]
    assert any("核对申请材料" in step for step in shown)
    assert verdict.counterexample.expected == (
        "部门初审：同意，或 证件核对：同意",
        "preliminary review: approved, or credentials check: approved",
    )


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize(
    ("name", "timer", "job_type"),
    [
        ("each_night_what_was_preserved_is_released", "Event_Nightly", "release-preservation"),
        ("a_case_is_opened_each_week_without_an_application", "Event_Weekly", "open-case"),
    ],
)
def test_a_timer_that_begins_the_case_of_an_application_is_walked_without_one(
    name: str, timer: str, job_type: str, models: Path, tmp_path: Path
) -> None:
    models = _edited(models, name)

    report = check(models, discover(), items=1, until="missing")

    lacking = f"{job_type} needs the variable applicationId"
    verdict = next(v for v in report.broken if v.rule == "missing" and lacking in v.why[1])
    assert verdict.counterexample is not None
    assert [step.en for step in verdict.counterexample.steps] == [f"the timer {timer} starts it"]
    listing.write_paths(report, models, tmp_path / "paths", "en")
    assert job_type in _jobs_of(tmp_path / "paths" / "missing")


@pytest.mark.slow
def test_a_check_that_has_to_stop_or_tries_one_item_says_so_and_is_never_clean() -> None:
    report = check(BPMN, discover(), items=1, seconds=0.001)

    assert report.exit_code == ExitCode.UNDECIDED
    assert any("not decided after" in english for _, english in report.notes)
    assert any("two items" in english for _, english in report.notes)


def _invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli_main.app, ["policy", "check", *arguments])
    return result.exit_code, result.output


@pytest.mark.slow
def test_the_paths_are_written_as_pictures_and_as_scenarios_that_the_engine_runs(models: Path, tmp_path: Path) -> None:
    code, output = _invoke(
        str(_edited(models, "silence_is_consent")), "--items", "1", "--json", "--paths", str(tmp_path / "paths")
    )

    assert code == ExitCode.BROKEN
    assert "sign-off-first" in {verdict["rule"] for verdict in json.loads(output)["verdicts"]}
    folder = tmp_path / "paths" / "sign-off-first"
    assert {"scenario.json", "video-retrieval.bpmn", "review.bpmn", "classification.dmn", "review-stages.json"} <= {
        path.name for path in folder.iterdir()
    }
    assert "<svg" in (folder / "Phase_Approval.svg").read_text(encoding="utf-8")
    assert _jobs_of(folder)[-1] == "file-application"


@pytest.mark.requirement("R63")
def test_a_path_says_which_of_the_open_jobs_of_an_element_it_means(tmp_path: Path) -> None:
    models = _beside(tmp_path)
    next(edit for edit in BREAKING_BESIDE if edit.name == "an_inspection_ends_with_the_first_case").apply(models)

    listing.write_paths(check(models, discover(), until="every-case-is-answered"), models, tmp_path / "paths", "en")

    # each of the cases has a review of its own, of which the path ends the one and then the other
    assert _jobs_of(tmp_path / "paths" / "every-case-is-answered")[-1] == "write-inspection-report"


def _jobs_of(folder: Path) -> list[str]:
    """Run the scenario, of which each step is answered; the types of the jobs that come, in their order."""
    steps = json.loads((folder / "scenario.json").read_text(encoding="utf-8"))["steps"]
    (folder / "golden.json").write_text(json.dumps({"order": "set", "steps": [{}] * len(steps)}), encoding="utf-8")
    scenario = Scenario(folder)

    answers = scenario.run()["steps"]

    assert [answer["status"] for answer in answers] == ["OK"] * len(steps)
    return [r.value["type"] for _, r in scenario.records or [] if (r.value_type, r.intent) == ("JOB", "CREATED")]


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("policy-rules.yaml", "never: job notify-storage starts", "never: job tell-storage starts", "tell-storage"),
        ("policy-rules.yaml", "requirements: R30", "requirements: R68", "R68 is no requirement"),
        ("policy-rules.yaml", "rules:", "rules: [", "no YAML"),
        ("policy-world.yaml", "  cameraClass:", "  cameraKind:", "gives cameraKind"),
        ("policy-world.yaml", "  hand-over:", "  hand-back:", "hand-back"),
        ("video-retrieval.bpmn", "<bpmn:process", "<bpmn:process <", "no XML"),
        ("review-stages.json", '"posts": {},', '"posts": {', "no JSON"),
        ("checklists.json", '"return": {', '"returned": {', "return: is missing"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(
    models: Path, file: str, old: str, new: str, sentence: str
) -> None:
    path = models / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")

    code, output = _invoke(str(models))

    assert code == ExitCode.UNREADABLE
    assert f"{file}, line " in output.replace("\n", "")
    assert sentence in output.replace("\n", " ")


def test_a_folder_without_models_is_named(tmp_path: Path) -> None:
    code, output = _invoke(str(tmp_path / "nowhere"))

    assert code == ExitCode.UNREADABLE
    assert "there are no models" in output.replace("\n", " ")


def test_the_list_names_every_requirement_and_its_rules() -> None:
    code, output = _invoke("--list")

    lines = output.splitlines()
    assert code == 0
    assert [line.split("\t")[0] for line in lines] == [f"R{number}" for number in range(1, 68)]
    assert "sign-off-first" in next(line for line in lines if line.startswith("R25\t"))
