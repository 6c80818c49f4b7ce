"""A job that rules restrict is told where it is drawn into a process of which they say nothing."""

import shutil
from collections.abc import Callable, Container
from pathlib import Path

import pytest
from edited_models import Model, task
from further_edits_redrawn import the_freeze_ends_after_a_day_in_another_process

from services.designers.policy_check import rules
from services.designers.policy_check.not_watched import not_watched
from services.designers.policy_check.root_processes import find_roots
from services.engine.processing.deployments import Resource
from services.runtime.places import BPMN


def _told(folder: Path, meant: Container[str] = ()) -> list[str]:
    resources = [Resource(path.name, path.read_bytes()) for path in sorted(folder.glob("*.*mn"))]
    found = not_watched(rules.read(folder / "policy-rules.yaml"), find_roots(resources), {}, meant)
    return [en for _, en in found]


def _hands_over_before_the_approval(folder: Path) -> None:
    model = Model(folder, "urgent-retrieval.bpmn")
    model.insert("Flow_EmergencyViewOpen", task("Task_HandNow", "hand-over"), "Flow_HandedOver")
    model.save()


def _has_a_way_of_its_own_for_the_police(folder: Path) -> None:
    (folder / "police.bpmn").write_text(
        '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"'
        ' xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="Definitions_Police" targetNamespace="urn:police">'
        '<bpmn:process id="police-copy" isExecutable="true">'
        '<bpmn:startEvent id="Event_Asked"><bpmn:outgoing>Flow_Asked</bpmn:outgoing></bpmn:startEvent>'
        '<bpmn:serviceTask id="Task_Copy"><bpmn:extensionElements><zeebe:taskDefinition type="encrypt-copy" />'
        "</bpmn:extensionElements><bpmn:incoming>Flow_Asked</bpmn:incoming></bpmn:serviceTask>"
        '<bpmn:sequenceFlow id="Flow_Asked" sourceRef="Event_Asked" targetRef="Task_Copy" />'
        "</bpmn:process></bpmn:definitions>",
        encoding="utf-8",
    )


def _lifts_the_freeze_of_a_violation(folder: Path) -> None:
    model = Model(folder, "violation.bpmn")
    model.insert("Flow_ViolationCleared", task("Task_LiftToo", "lift-freeze"), "Flow_LiftedToo")
    model.save()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BPMN, tmp_path / "models"))


@pytest.mark.requirement("R2", "R29")
@pytest.mark.parametrize(
    ("edit", "process", "job_type"),
    [
        (_hands_over_before_the_approval, "urgent-retrieval", "hand-over"),
        (_has_a_way_of_its_own_for_the_police, "police-copy", "encrypt-copy"),
        (_lifts_the_freeze_of_a_violation, "violation", "lift-freeze"),
        (the_freeze_ends_after_a_day_in_another_process, "lift-soon", "lift-freeze"),
    ],
)
def test_a_job_that_is_restricted_elsewhere_alone_is_told_unless_it_is_meant(
    edit: Callable[[Path], None], process: str, job_type: str, models: Path
) -> None:
    assert _told(models) == []
    edit(models)
    assert _told(models) == [f"no rule says when {job_type} may come in the process {process}"]
    assert _told(models, [f"{process} {job_type}"]) == []
