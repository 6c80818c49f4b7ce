"""Models, review stages, workers and templates that do not fit together, each named with its place."""

import json
import shutil
from pathlib import Path

import pytest

from services.designers import element_templates
from services.designers.lint import check as lint_check
from services.designers.lint.findings import ExitCode, Finding, Level, exit_code
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

WORKERS = discover()
MODEL = "video-retrieval.bpmn"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for path in (*BPMN.glob("*.bpmn"), *BPMN.glob("*.dmn"), BPMN / "review-stages.json"):
        shutil.copy(path, tmp_path)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def find(models: Path) -> list[Finding]:
    return lint_check.find(models, WORKERS)


def test_the_shipped_models_are_clean() -> None:
    assert find(BPMN) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"notify-storage"', '"notify-everybody"', ("advice", "undeclared-job", "declare it in workers.json")),
        ('"notify-storage"', '"notify-storag"', ("advice", "undeclared-job", "is notify-storage meant?")),
        ('"back-up-footage"', '"my-back-up"', ("error", "required-step", "No model does back-up-footage")),
        ("&#34;management&#34;", "&#34;board&#34;", ("error", "stage", "review-stages.json has no stage board")),
        ("&#34;management&#34;", "&#34;managment&#34;", ("error", "stage", "is management meant?")),
        ("&#34;management&#34;", "", ("error", "stage", "does not say which stage it asks")),
        (
            "&#34;return-inspection&#34;",
            "&#34;board&#34;",
            (
                "error",
                "required-step",
                "No model calls the stage return-inspection, which the policy requires (R39): draw its review again.",
            ),
        ),
        (
            '<zeebe:input source="=null" target="wayOfUse" />',
            "",
            ("error", "review-inputs", "wayOfUse has to start as =null"),
        ),
        (
            '<zeebe:output source="=highImpact" target="highImpact" />',
            "",
            ("error", "review-outputs", "highImpact of the review is not taken over"),
        ),
        (
            '<zeebe:output source="=decision" target="decision" />',
            '<zeebe:output source="=decision" target="decision" /><zeebe:output source="=dueAt" target="dueAt" />',
            ("error", "review-outputs", "The stage preliminary returns no dueAt"),
        ),
        (
            '<zeebe:input source="=handOverId" target="handOverId" />',
            "",
            ("error", "review-inputs", "is about copies: give it the input handOverId"),
        ),
        (
            '<bpmn:serviceTask id="Task_NotifyStorage"',
            '<bpmn:serviceTask id="Task_NotifyStorage" zeebe:modelerTemplate="footage-desk.gone"',
            ("advice", "template", "There is no element template footage-desk.gone"),
        ),
        ("<bpmn:process ", "<<", ("error", "xml", "It is no XML")),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(
    models: Path, old: str, new: str, expected: tuple[str, str, str]
) -> None:
    level, rule, sentence = expected
    change(models / MODEL, old, new)

    found = [one for one in find(models) if one.rule == rule and sentence in one.text.en]

    assert [(one.level, one.file) for one in found] == [(Level(level), MODEL)]
    assert all(one.text.zh != one.text.en for one in found)


def test_a_finding_has_the_line_of_its_element_and_both_languages(models: Path) -> None:
    change(models / MODEL, '"notify-storage"', '"notify-everybody"')

    [found] = [one for one in find(models) if one.rule == "undeclared-job"]

    line = (models / MODEL).read_text(encoding="utf-8").splitlines()[(found.line or 0) - 1]
    assert 'id="Task_NotifyStorage"' in line
    assert found.as_json() == {
        "level": "advice",
        "rule": "undeclared-job",
        "file": MODEL,
        "line": found.line,
        "element": "Task_NotifyStorage",
        "zh": found.text.zh,
        "en": found.text.en,
    }
    assert found.text.zh.startswith("本产品没有办理 notify-everybody 的工作程序。")
    assert found.text.en.startswith("No worker of the product does notify-everybody.")


def test_what_the_engine_refuses_is_an_error_and_what_only_a_cluster_runs_is_advice(models: Path) -> None:
    change(models / MODEL, 'type="open-case"', "")
    listener = (
        '<zeebe:executionListeners><zeebe:executionListener eventType="end" type="x" /></zeebe:executionListeners>'
    )
    change(
        models / MODEL,
        '<zeebe:taskDefinition type="file-application"',
        f'{listener}<zeebe:taskDefinition type="file-application"',
    )

    found = {one.rule: one for one in find(models)}

    assert (found["engine"].level, found["engine"].element) == (Level.ERROR, "Task_OpenCase")
    assert found["engine"].text.en == "The engine refuses the model: the task definition needs a type."
    assert (found["cluster-only"].level, found["cluster-only"].element) == (Level.ADVICE, "Task_FileApplication")


def test_a_table_that_the_engine_refuses_is_named(models: Path) -> None:
    change(models / "classification.dmn", '<text>"ordinary"</text>', '<text>"ordinary" +</text>')

    [found] = find(models)

    assert (found.level, found.rule, found.file) == (Level.ERROR, "engine", "classification.dmn")


def test_an_element_behind_its_template_and_a_retired_stage_that_is_asked_are_told(models: Path) -> None:
    made = models / element_templates.FOLDER
    made.mkdir(parents=True)
    (made / "a.json").write_text('{"id": "footage-desk.notify-storage", "version": 3}', encoding="utf-8")
    old = '<bpmn:serviceTask id="Task_NotifyStorage"'
    marks = 'zeebe:modelerTemplate="footage-desk.notify-storage" zeebe:modelerTemplateVersion="2"'
    change(models / MODEL, old, f"{old} {marks}")
    stages = json.loads((models / "review-stages.json").read_text(encoding="utf-8"))
    stages["stages"]["other"] = {**stages["stages"]["partial-footage"], "retired": True}
    (models / "review-stages.json").write_text(json.dumps(stages), encoding="utf-8")
    change(models / MODEL, "&#34;partial-footage&#34;", "&#34;other&#34;")

    found = {one.rule: (one.level, one.text.en) for one in find(models)}

    assert found["template"][0] is Level.ADVICE
    assert "is at version 3, the element at 2: update it in Modeler" in found["template"][1]
    assert found["stage"] == (Level.ERROR, "The stage other is retired, but called here: call one that is in use.")
    assert "template" not in {one.rule for one in lint_check.find(models, WORKERS, templates=False)}


def test_a_stage_that_no_model_calls_is_advice_with_its_line(models: Path) -> None:
    stages = json.loads((models / "review-stages.json").read_text(encoding="utf-8"))
    stages["stages"]["translation"] = {**stages["stages"]["partial-footage"]}
    (models / "review-stages.json").write_text(json.dumps(stages, indent=1), encoding="utf-8")

    [found] = find(models)

    line = (models / "review-stages.json").read_text(encoding="utf-8").splitlines()[(found.line or 0) - 1]
    assert (found.rule, found.element, line.strip()) == (
        "uncalled-stage",
        "stages.translation",
        '"translation": {',
    )
    assert exit_code([found]) is ExitCode.ADVICE


@pytest.mark.requirement("R1")
def test_a_process_without_a_version_tag_is_advice_with_the_tag_of_the_others(models: Path) -> None:
    change(models / "matter.bpmn", '<zeebe:versionTag value="2026-01" />', "")
    own = '<bpmn:process id="digest" name="周报" isExecutable="true" />'
    sketch = '<bpmn:process id="sketch" name="草图" isExecutable="false" />'
    change(models / "inspection.bpmn", "</bpmn:definitions>", f"{own}{sketch}</bpmn:definitions>")

    found = [one for one in find(models) if one.rule == "version-tag"]

    assert [(one.level, one.file, one.element) for one in found] == [
        (Level.ADVICE, "inspection.bpmn", "digest"),
        (Level.ADVICE, "matter.bpmn", "matter"),
    ]
    assert all("write 2026-01 under Version tag" in one.text.en for one in found)
    # where the organisation has a version of its own, that is what to write; where no process has one, ours
    for path in models.glob("*.bpmn"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('versionTag value="2026-01"', 'versionTag value="2027-03"'), encoding="utf-8")
    assert "write 2027-03 under" in next(one.text.en for one in find(models) if one.rule == "version-tag")
    for path in models.glob("*.bpmn"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('<zeebe:versionTag value="2027-03" />', ""), encoding="utf-8")
    assert {one.text.en[-26:] for one in find(models) if one.rule == "version-tag"} == {"2026-01 under Version tag."}


def test_the_exit_code_tells_errors_from_advice(models: Path) -> None:
    assert exit_code([]) is ExitCode.CLEAN
    change(models / MODEL, '"notify-storage"', '"notify-everybody"')  # advice, and a required job that is gone
    found = find(models)

    assert [one.level for one in found] == [Level.ERROR, Level.ADVICE]
    assert exit_code(found) is ExitCode.ERRORS
