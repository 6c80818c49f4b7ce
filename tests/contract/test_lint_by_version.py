"""What the linters on Node find is weighed: Camunda's refusals by the version that the file is for, style as advice."""

import shutil
from pathlib import Path

import pytest

from services.designers.lint import camunda
from services.designers.lint.findings import Finding, Level
from services.runtime.places import BPMN, ROOT


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copy(BPMN / "video-retrieval.bpmn", tmp_path))


def change(path: Path, *changes: tuple[str, str]) -> dict[str, Finding]:
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    return {finding.rule: finding for finding in camunda.find([path])}


LATER = ('"8.6.0"', '"8.8.0"')


@pytest.mark.parametrize(("changes", "level"), [((), Level.ERROR), ((LATER,), Level.ADVICE)])
def test_what_an_older_camunda_refuses_is_an_error_where_the_file_is_for_it(
    model: Path, changes: tuple[tuple[str, str], ...], level: Level
) -> None:
    old = '">=managementNeeded<'

    found = change(model, (old, '">=is blank(importance)<'), *changes)["camunda-compat/feel-compatibility"]

    assert (found.level, found.element) == (level, "Flow_ManagementNeeded")
    assert found.text.en.startswith("Camunda 8.6, 8.7 does not run this: FEEL function <is blank> requires Camunda")
    assert found.text.zh.startswith("Camunda 8.6、8.7 不能运行：")


def test_rules_of_style_are_advice_with_a_sentence_of_ours(model: Path) -> None:
    found = change(
        model,
        (' name="部门初审"', ""),
        ("<bpmn:incoming>Flow_DepartmentReturned</bpmn:incoming>", ""),
        ("<bpmn:outgoing>Flow_DepartmentReturned</bpmn:outgoing>", ""),
        ('targetRef="Event_DepartmentReturned"', 'targetRef="Event_DepartmentRejected"'),
    )

    assert {finding.level for finding in found.values()} == {Level.ADVICE}
    assert found["label-required"].element == "Call_DepartmentDecides"
    assert found["label-required"].text.zh == "没有名称：请写明它做什么、问什么或表示什么，案件页面会显示。"
    assert found["no-implicit-start"].element == "Event_DepartmentReturned"


def test_what_modeler_would_lose_is_advice(model: Path) -> None:
    found = change(model, ('name="部门初审"', 'name="部门初审" colour="red" foo:bar="x"'))

    assert found["reading"].level is Level.ADVICE


def test_every_rule_of_style_that_is_used_has_a_sentence() -> None:
    modules = ROOT / "deploy" / "bpmn" / "node_modules"
    recommended = (modules / "bpmnlint/config/recommended.js", modules / "dmnlint/config/recommended.js")
    rules = {
        line.split("'")[1]
        for path in recommended
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith("'")
    }

    assert rules <= set(camunda.STYLE)
