"""A saved walk is a scenario: any engine replays it, and on an edited model it says where it departs."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from edited_models import Model, change_stage
from golden_scenario import Scenario
from played_case import PlayedCase, shipped, workers
from typer.testing import CliRunner, Result

from services.cli import main as cli_main
from services.designers.play import coverage, saved
from services.designers.play.models import Models, load
from services.designers.play.walk import Walk
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.runtime.errors import Refused
from services.runtime.places import BPMN


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A copy of the models that the test edits."""
    return Path(shutil.copytree(BPMN, tmp_path / "models"))


@pytest.fixture(scope="module")
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return load(Path(shutil.copytree(BPMN, tmp_path_factory.mktemp("walks") / "shipped")), workers(), items=1)


@pytest.fixture
def loaded(_loaded: Models) -> Iterator[Models]:
    """Another copy, as it was shipped; its walks are for one test."""
    yield _loaded
    shutil.rmtree(_loaded.folder / saved.FOLDER, ignore_errors=True)


def walked(loaded: Models) -> Walk:
    """Return a walk with a review, a turn of the clock with two stops, and a second review."""
    case = PlayedCase(loaded).until("preliminary")
    case.walk.turn(case.walk.case.now + timedelta(days=2))
    case.answer("remind-reviewer")
    case.answer("preliminary", "approved")
    case.until("security")
    return case.walk


def departures(models: Path, file: Path) -> list[str]:
    found = saved.read(file)
    run = saved.run(load(models, workers(), items=1), found.first, found.acts)
    return [departure.sentence.en for departure in run.departures]


def test_a_saved_walk_goes_the_same_way_again(loaded: Models) -> None:
    walk = walked(loaded)

    file = saved.save(walk, "reminded 提醒")

    assert file == loaded.folder / "walks" / "reminded 提醒.json"
    found = saved.read(file)
    assert (found.folder.resolve(), len(found.acts)) == (loaded.folder.resolve(), len(walk.steps) - 1)
    run = saved.run(loaded, found.first, found.acts)
    assert (run.is_same, len(run.walk.steps), run.walk.case.now) == (True, len(walk.steps), walk.case.now)
    assert [step.entered for step in run.walk.steps] == [step.entered for step in walk.steps]
    assert [step.said.zh for step in run.walk.steps] == [step.said.zh for step in walk.steps]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_any_engine_replays_it(loaded: Models, tmp_path: Path) -> None:
    walk = walked(loaded)
    folder = Path(shutil.copytree(loaded.folder, tmp_path / "scenario"))
    content = saved.scenario(walk, "reminded", loaded.files)
    (folder / "scenario.json").write_text(json.dumps(content), encoding="utf-8")
    golden = {"order": "set", "steps": [{}] * len(content["steps"])}
    (folder / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
    scenario = Scenario(folder)

    answers = scenario.run()["steps"]

    assert [answer["status"] for answer in answers] == ["OK"] * len(content["steps"])
    jobs = [r.value for _, r in scenario.records or [] if (r.value_type, r.intent) == ("JOB", "CREATED")]
    # What timers begin on the way is no part of this case.
    created = [job["type"] for job in jobs if job["bpmnProcessId"] in ("video-retrieval", "review")]
    then = [name for step in content["steps"] for name in step.get("then", [])]
    assert sorted(f"job {job_type} starts" for job_type in created) == sorted(then)


def test_a_job_that_lacks_departs_where_it_was(models: Path, loaded: Models) -> None:
    file = saved.save(walked(loaded), "one")
    model = Model(models)
    model.remove("Task_SecurityReview")
    model.save()

    first, *_ = departures(models, file)

    assert first.startswith("Step ")
    assert "no longer: “security-review” " not in first
    assert "security-review" in first
    assert "no longer:" in first


def test_a_reminder_that_comes_later_departs_where_the_clock_was_turned(models: Path, loaded: Models) -> None:
    case = PlayedCase(loaded).until("preliminary")
    case.walk.turn(case.walk.case.now + timedelta(hours=9))
    case.answer("remind-reviewer")
    file = saved.save(case.walk, "reminded")
    model = Model(models, "review.bpmn")
    model.timer("Event_ReviewReminderDue", '=cycle(duration("P1D"))')
    model.save()

    found = departures(models, file)

    steps = len(case.walk.steps) - 1
    assert found == [
        f"Step {steps - 1}: no longer: “Remind reviewer” (remind-reviewer) starts.",
        f"Step {steps}: “Remind reviewer” (remind-reviewer) is not open here.",
    ]


def test_an_outcome_that_a_stage_no_longer_has_departs(models: Path, loaded: Models) -> None:
    case = PlayedCase(loaded).until("preliminary")
    case.answer("preliminary", "returned")
    file = saved.save(case.walk, "returned")
    change_stage(models, "preliminary", outcomes=["approved", "rejected"])
    change_stage(models, "preliminary", reasonFor=["rejected"])

    [sentence] = departures(models, file)

    assert sentence.endswith("preliminary review no longer has the outcome returned.")


def test_an_element_with_another_id_goes_the_same_way(models: Path, loaded: Models) -> None:
    file = saved.save(walked(loaded), "one")
    path = models / "video-retrieval.bpmn"
    path.write_text(path.read_text("utf-8").replace("Task_SecurityReview", "Task_Renamed"), encoding="utf-8")

    assert departures(models, file) == []


def test_a_path_of_the_policy_check_runs_without_saying_what_starts(loaded: Models, tmp_path: Path) -> None:
    content = saved.scenario(walked(loaded), "as the check writes it", loaded.files)
    steps = [{key: value for key, value in step.items() if key != "then"} for step in content["steps"]]
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps({"about": content["about"], "steps": steps}), encoding="utf-8")

    found = saved.read(file)

    assert found.folder == tmp_path
    assert saved.run(loaded, found.first, found.acts).is_same


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a" * 81, "tab\tbed", "x\x00y"])
def test_a_name_that_is_none_is_refused(loaded: Models, name: str) -> None:
    with pytest.raises(Refused, match="Give the walk a name"):
        saved.save(Walk(loaded), name)

    assert not (loaded.folder / saved.FOLDER).exists()


def test_a_walk_is_replaced_only_when_that_is_asked(loaded: Models) -> None:
    file = saved.save(Walk(loaded), "one")
    before = file.read_bytes()
    walk = walked(loaded)

    with pytest.raises(Refused, match="There is a walk one already"):
        saved.save(walk, "one")

    assert file.read_bytes() == before
    saved.save(walk, "one", replaces=True)
    assert file.read_bytes() != before


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "line 1: no JSON"),
        ('{"steps": ' + "9" * 5000 + "}", "it cannot be read"),
        ("[" * 100_000, "it cannot be read"),
        ('{"version": 2, "steps": []}', "version"),
        ('{"steps": [\n{"do": "deploy", "files": []},\n{"do": "dance"}]}', "line 3"),
        ('{"steps": [{"do": "signal", "name": "x"}]}', "the first step has to publish"),
        ('{"steps": [{"do": "publish", "name": "a"},\n{"do": "advanceClock", "ms": -1}]}', "line 2"),
    ],
)
def test_a_file_that_is_no_walk_is_named_with_its_line(tmp_path: Path, content: str, sentence: str) -> None:
    file = tmp_path / "walk.json"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(UnreadableFile) as unreadable:
        saved.read(file)

    assert sentence in str(unreadable.value)
    assert str(file) in str(unreadable.value)


def test_coverage_counts_the_walks_and_lists_what_none_visited() -> None:
    near, far = PlayedCase().until("preliminary"), PlayedCase().until("security")
    result = coverage.WalkResult("far", Path("far.json"), passed=frozenset(far.walk.passed()))

    found = coverage.coverage(shipped(), [result], near.walk)

    assert found.times["video-retrieval", "Task_PreliminaryReview"] == 2
    assert found.times["video-retrieval", "Task_SecurityReview"] == 1
    assert found.visited + len(found.unvisited) + found.meant == found.total
    ids = {one.element_id: one for one in found.unvisited}
    assert "Task_SecurityReview" not in ids
    assert (ids["Event_ReviewLimitReached"].phase.zh, ids["Event_ReviewLimitReached"].is_flow) == ("审核任务", False)
    assert ids["Flow_SecurityRejected"].name.en == "What does Security say? → Rejected by Security"


def play(*words: Any) -> Result:
    return CliRunner().invoke(cli_main.app, ["play", *map(str, words)])


@pytest.mark.slow
def test_the_command_runs_saved_walks_and_its_exit_code_says_whether_one_departs(models: Path, loaded: Models) -> None:
    saved.save(walked(loaded), "one")
    ran = play("--run", loaded.folder)
    assert (ran.exit_code, ran.stdout.count("✓")) == (0, 1)
    shutil.copytree(loaded.folder / "walks", models / "walks")
    model = Model(models)
    model.remove("Task_SecurityReview")
    model.save()

    ran = play("--run", models / "walks" / "one.json", "--lang", "zh")

    assert ran.exit_code == 1
    assert "走法不同" in ran.stdout
    assert "不再发生" in ran.stdout
    printed = json.loads(play("--run", "--json", models).stdout)
    assert (printed[0]["result"], printed[0]["departures"][0]["en"].startswith("Step")) == ("departs", True)
    assert play("--run", models, "--models", loaded.folder).exit_code == 0


def test_the_command_names_what_it_cannot_read(models: Path) -> None:
    assert "there are no saved walks" in play("--run", models).stderr
    nowhere = play(models / "nowhere")
    assert (nowhere.exit_code, "there are no models" in nowhere.stderr) == (3, True)
    (models / "walks").mkdir()
    (models / "walks" / "bad.json").write_text("[]", encoding="utf-8")

    ran = play("--run", models)

    assert (ran.exit_code, "bad.json" in ran.stdout) == (3, True)
    path = models / "review.bpmn"
    path.write_text(path.read_text("utf-8").replace("<bpmn:process", "<bpmn:process <"), encoding="utf-8")
    broken = play(models)
    assert broken.exit_code == 3
    assert broken.stderr.startswith("error: review.bpmn:3: It is no XML")
