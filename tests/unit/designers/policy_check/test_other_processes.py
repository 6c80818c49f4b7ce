"""Root processes besides the case of an application: each is walked by itself, under the rules about it."""

import json
import shutil
from functools import cache
from pathlib import Path

import pytest
from edit_lists import Edit
from edited_models import add_copy, add_notice
from other_process_edits import BREAKING, HARMLESS, process_of
from other_processes import MATTER, PROBLEM, URGENT, VIOLATION, alone, make_folder, workers_beside

from services.designers.policy_check import listing
from services.designers.policy_check.check import check
from services.designers.policy_check.files import FACTS
from services.designers.policy_check.report import ExitCode, Report
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.engine.processing.deployments import Resource
from services.runtime.jobs.worker import Worker, discover

ALL = (MATTER, PROBLEM, VIOLATION, URGENT)


@cache
def _workers() -> tuple[Worker, ...]:
    return workers_beside()


def _told(report: Report) -> list[tuple[str, str]]:
    return [(v.rule, v.why[1]) for v in report.broken + report.undecided] + [("", en) for _, en in report.unseen]


@pytest.mark.requirement("R21", "R44", "R50", "R65", "R66", "R67")
def test_each_process_is_walked_by_itself_and_is_clean(tmp_path: Path) -> None:
    report = check(make_folder(tmp_path / "models", *ALL), _workers())

    assert _told(report) == []
    assert report.exit_code == ExitCode.CLEAN
    assert [part.process for part in report.parts] == sorted(ALL)
    assert {v.process for v in report.verdicts} == set(ALL)
    # alone each has the states that it has beside the others
    by_itself = check(make_folder(tmp_path / "alone", MATTER), _workers())
    assert by_itself.states == next(part.states for part in report.parts if part.process == MATTER)


@pytest.mark.requirement("R44", "R50", "R65", "R66", "R67")
@pytest.mark.parametrize("edit", BREAKING, ids=str)
def test_an_edit_of_another_process_is_found_by_its_rule(edit: Edit, tmp_path: Path) -> None:
    models = make_folder(tmp_path / "models", process_of(edit.name))
    edit.apply(models)

    report = check(models, _workers(), until=edit.found_by)

    found = {verdict.rule: verdict for verdict in report.broken}
    assert edit.found_by in found, _told(report)
    shown = found[edit.found_by]
    assert shown.process == process_of(edit.name)
    if shown.counterexample is not None:
        assert shown.counterexample.steps[0].en.startswith("the message ")


@pytest.mark.parametrize("edit", HARMLESS, ids=str)
def test_a_harmless_edit_of_another_process_is_clean(edit: Edit, tmp_path: Path) -> None:
    models = make_folder(tmp_path / "models", process_of(edit.name))
    edit.apply(models)

    report = check(models, _workers())

    assert _told(report) == []


def test_what_happens_in_another_process_is_written_down_beside_that_of_an_application(tmp_path: Path) -> None:
    models = make_folder(tmp_path / "models", MATTER)
    listing.write_facts(check(models, _workers()), models)
    written = json.loads((models / FACTS).read_text(encoding="utf-8"))
    assert "stage extension approved" in written["processes"][MATTER]["facts"]
    assert (written["facts"], written["tried"]) == ([], [])
    path = models / "matter-route.dmn"
    path.write_text(path.read_text(encoding="utf-8").replace('"lift-hold"', '"no-kind"'), encoding="utf-8")

    report = check(models, _workers())

    assert ("lost", "it can no longer happen: stage legal approved") in _told(report)


def test_rules_about_a_process_that_is_gone_are_broken(tmp_path: Path) -> None:
    models = make_folder(tmp_path / "models", MATTER, PROBLEM)
    (models / "matter.bpmn").unlink()

    report = check(models, _workers())

    assert ("moot-means-stop", "the folder has no process matter that a message or a timer begins") in _told(report)
    assert report.exit_code == ExitCode.BROKEN


@pytest.mark.requirement("R2")
def test_a_copy_of_a_process_that_begins_by_the_same_message_is_broken(tmp_path: Path) -> None:
    models = alone(tmp_path / "models", VIOLATION)
    add_copy(models, VIOLATION, "a-second")

    report = check(models, discover())

    [(rule, why)] = _told(report)
    assert rule == "begun-twice"
    assert why.startswith("the message violation-opened begins both violation and a-second, and both do ")
    assert why.endswith(": remove one of the two")


@pytest.mark.requirement("R2")
def test_a_process_under_another_id_stands_beside_the_one_that_the_engine_keeps(tmp_path: Path) -> None:
    models = alone(tmp_path / "models", VIOLATION)
    former = Path(shutil.copytree(models, tmp_path / "former"))
    add_copy(former, VIOLATION, "the-former")
    kept = [Resource("former.bpmn", (former / "the-former.bpmn").read_bytes())]

    [(rule, why)] = _told(check(models, discover(), deployed=kept))

    assert rule == "begun-twice"
    assert why.startswith("the engine keeps the process the-former, which this folder lacks: the message violation-ope")
    assert why.endswith(": give violation the id the-former again")
    same = [Resource(path.name, path.read_bytes()) for path in models.glob("*.bpmn")]
    assert _told(check(models, discover(), deployed=same)) == []


def test_what_the_engine_refuses_is_said_also_where_it_has_other_models(tmp_path: Path) -> None:
    models = alone(tmp_path / "models", VIOLATION)
    kept = [Resource("former.bpmn", (models / "violation.bpmn").read_bytes())]
    path = models / "violation.bpmn"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("=legalNeeded = true", "=legalNeeded = ("), encoding="utf-8")

    with pytest.raises(UnreadableFile, match="the engine does not deploy these models"):
        check(models, discover(), deployed=kept)


def test_a_process_beside_another_that_begins_by_the_same_message_is_one_of_its_own(tmp_path: Path) -> None:
    models = make_folder(tmp_path / "models", VIOLATION)
    add_notice(models, "violation-opened", "a-notice")

    report = check(models, _workers())

    assert _told(report) == []
    assert {part.process for part in report.parts} == {VIOLATION, "a-notice"}


def test_a_process_whose_message_nobody_sends_is_not_clean(tmp_path: Path) -> None:
    models = make_folder(tmp_path / "models", MATTER, URGENT)
    path = models / "policy-world.yaml"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("  urgent-called:")), encoding="utf-8")
    model = models / "urgent-retrieval.bpmn"
    model.write_text(model.read_text(encoding="utf-8").replace("urgent-called", "called-by-nobody"), encoding="utf-8")

    report = check(models, _workers())

    assert any("no walk came to the process urgent-retrieval" in en for _, en in _told(report))
    assert report.exit_code != ExitCode.CLEAN


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("  matter-asked: [matter]", "  matter-asked: [mater]", "the key of matter-asked has to be a list of some of"),
        ("  matter-asked: [matter]", "  application-submitted: [matter]", "sends application-submitted with another"),
        ("    unanswered: [extension]", "    unanswerd: [extension]", "matter: unanswerd is no part of its world"),
        ("    unanswered: [extension]", "    unanswered: [extention]", "there is no stage extention"),
        ("  matter-asked: [{matterId", "  matter-taken: [{matterId", "the portal sends no message matter-taken"),
    ],
)
def test_a_world_that_cannot_be_read_is_named(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    models = make_folder(tmp_path / "models", MATTER)
    path = models / "policy-world.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(UnreadableFile, match=r"policy-world\.yaml, line \d+") as error:
        check(models, _workers())

    assert sentence in str(error.value)
