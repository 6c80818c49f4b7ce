"""What a reader of the models meets: ids, names, documentation."""

import re
from pathlib import Path
from typing import Any

import bpmn_models as bpmn
import pytest
from bpmn_models import DECISION_FILES, PROCESS_FILES

PREFIXES = {
    "serviceTask": "Task",
    "receiveTask": "Task",
    "businessRuleTask": "Task",
    "callActivity": "Call",
    "subProcess": "Phase",
    "startEvent": "Event",
    "endEvent": "Event",
    "boundaryEvent": "Event",
    "exclusiveGateway": "Gateway",
    "parallelGateway": "Gateway",
    "sequenceFlow": "Flow",
    "message": "Message",
    "error": "Error",
}
CHINESE = re.compile(r"^[\u4e00-\u9fff]+？?$")
REQUIREMENTS = re.compile(r"^R([1-9]|[1-5]\d|6[0-7])( R([1-9]|[1-5]\d|6[0-7]))*$")

every_process = pytest.mark.parametrize("path", PROCESS_FILES, ids=lambda path: path.name)


def readable(root: Any) -> list[Any]:
    return bpmn.elements(root, *bpmn.NODES, "process")


@every_process
def test_a_process_is_called_as_its_file(path: Path) -> None:
    (process,) = bpmn.elements(bpmn.tree(path), "process")
    assert process.get("id") == path.stem
    assert process.get("isExecutable") == "true"


@every_process
def test_ids_say_what_kind_of_thing_they_name(path: Path) -> None:
    root = bpmn.tree(path)
    wrong = [
        element.get("id")
        for kind, prefix in PREFIXES.items()
        for element in bpmn.elements(root, kind)
        if not re.fullmatch(rf"{prefix}_([A-Z][a-z]+)+", element.get("id"))
    ]
    assert wrong == []


def test_a_task_is_called_as_its_job_or_more_exactly() -> None:
    violations = {
        "Task_OpenOverdueViolation",
        "Task_OpenLossViolation",
        "Task_OpenBreachViolation",
        "Task_OpenUrgentViolation",
        "Task_CloseViolation",
        "Task_RemindReferral",
        "Task_RemindSettlement",
    }
    moot = {
        "Task_CloseMootMatter",
        "Task_CloseCancelledWorkOrder",
        "Task_CloseMootReport",
        "Task_CloseMootCall",
        "Task_CloseUnreleased",
        "Task_PreserveAtOnce",
        "Task_CloseInspectionWithoutCases",
    }
    defects = {
        "Task_ReverifyFootageDefect",
        "Task_ReconcileDefect",
        "Task_OpenDueWorkOrdersDefect",
        "Task_ListDisposalsDefect",
    }
    exact = violations | moot | defects | {"Task_ReleaseNotTakenUp", "Task_ArchiveProvided"}
    for path in PROCESS_FILES:
        for job_type, tasks in bpmn.job_types(bpmn.tree(path)).items():
            name = "Task_" + "".join(word.capitalize() for word in job_type.split("-"))
            assert {task.get("id") for task in tasks} - exact <= {name}


@every_process
def test_names_are_chinese_and_gateways_that_split_ask(path: Path) -> None:
    root = bpmn.tree(path)
    asking = bpmn.splits(root)
    silent = [gateway for gateway in bpmn.elements(root, *bpmn.GATEWAYS) if gateway not in asking]
    named = [node for node in bpmn.elements(root, *bpmn.NODES) if node not in silent]
    assert [node.get("id") for node in named if not CHINESE.match(node.get("name") or "")] == []
    assert [node.get("id") for node in named if node.get("name").endswith("？") != (node in asking)] == []
    assert [gateway.get("id") for gateway in silent if gateway.get("name")] == []


@every_process
def test_the_answers_stand_on_the_flows_of_a_question(path: Path) -> None:
    root = bpmn.tree(path)
    for gateway in bpmn.splits(root):
        answers = [flow.get("name") for flow in bpmn.outgoing(root, gateway)]
        assert all(answers), gateway.get("id")
        assert len(set(answers)) == len(answers), gateway.get("id")


@every_process
def test_every_element_is_documented_in_english(path: Path) -> None:
    for element in readable(bpmn.tree(path)):
        title, *rest = bpmn.documentation(element).splitlines()
        assert re.fullmatch(r"[A-Z][ -~]+[.?]\.?", title), element.get("id")
        assert rest, element.get("id")
        assert all(line.isascii() for line in rest), element.get("id")


@every_process
def test_work_names_its_worker_and_what_to_do_on_an_incident(path: Path) -> None:
    for element in bpmn.elements(bpmn.tree(path), "serviceTask", "businessRuleTask", "callActivity"):
        worker = bpmn.documented(element, "Worker")
        assert bpmn.documented(element, "Incident"), element.get("id")
        if bpmn.local(element) == "serviceTask":
            (definition,) = bpmn.find(element, "bpmn:extensionElements/zeebe:taskDefinition")
            assert worker == definition.get("type")
        elif bpmn.local(element) == "callActivity":
            stage = bpmn.mapping(element, "input")["stage"].strip('="')
            named = "from the route" if stage == "stage" else stage
            assert worker == f"review (called process), stage {named}"
        else:
            (called,) = bpmn.find(element, "bpmn:extensionElements/zeebe:calledDecision")
            assert worker == f"{called.get('decisionId')} (decision)"


@every_process
def test_what_can_stop_says_what_to_do(path: Path) -> None:
    root = bpmn.tree(path)
    timers = [event for event in bpmn.elements(root, "boundaryEvent") if bpmn.find(event, "bpmn:timerEventDefinition")]
    for element in (*bpmn.splits(root), *bpmn.elements(root, "receiveTask"), *timers):
        assert bpmn.documented(element, "Incident"), element.get("id")


@every_process
def test_work_and_phases_name_the_requirements_they_satisfy(path: Path) -> None:
    root = bpmn.tree(path)
    for element in bpmn.elements(root, *bpmn.TASKS, "subProcess", "callActivity", "process"):
        assert bpmn.documented(element, "Requirements"), element.get("id")
    for element in readable(root):
        numbers = bpmn.documented(element, "Requirements")
        assert numbers is None or REQUIREMENTS.match(numbers), element.get("id")


@pytest.mark.parametrize("path", DECISION_FILES, ids=lambda path: path.name)
def test_decisions_and_their_rules_are_documented(path: Path) -> None:
    root = bpmn.tree(path)
    decisions = bpmn.find(root, "dmn:decision")
    assert path.stem in {decision.get("id") for decision in decisions}
    for decision in decisions:
        assert CHINESE.match(decision.get("name")), decision.get("id")
        assert bpmn.documented(decision, "Requirements"), decision.get("id")
    for rule in bpmn.find(root, ".//dmn:rule"):
        assert re.search(r"[\u4e00-\u9fff].*[A-Z][a-z ]+", bpmn.documentation(rule)), rule.get("id")
