"""The models and the services agree: every job has a worker, every message a publisher, every variable a producer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpmn_models as bpmn
import pytest
from bpmn_contract import (
    DECISION,
    JOBS,
    KEYS,
    MESSAGES,
    OF_ROUTES,
    OPTIONAL,
    OUTCOMES,
    STAGES,
    STORAGE_JOBS,
)
from bpmn_models import PROCESS_FILES, ROOT

from services.domain.process import messages
from services.engine.feel import names
from services.runtime.jobs.commands import camel, variables_to_fetch
from services.runtime.jobs.worker import discover
from services.runtime.rules import Rules
from services.workers.open_case import DUPLICATE

WORKERS = ROOT / "services" / "workers"

every_process = pytest.mark.parametrize("path", PROCESS_FILES, ids=lambda path: path.name)


def all_job_types() -> set[str]:
    return {job_type for path in PROCESS_FILES for job_type in bpmn.job_types(bpmn.tree(path))}


def calls() -> list[Any]:
    """The calls that name their stage; that of a matter takes it from the route."""
    found = [call for path in PROCESS_FILES for call in bpmn.elements(bpmn.tree(path), "callActivity")]
    return [call for call in found if stage(call) in STAGES]


def stage(call: Any) -> str:
    return bpmn.mapping(call, "input")["stage"].strip('="')


def loops(root: Any) -> list[Any]:
    return bpmn.find(root, ".//zeebe:loopCharacteristics")


def produced(root: Any) -> Iterator[str]:
    """Every variable that somebody makes in a process: messages, jobs, mappings, loops, decisions, its caller."""
    for message in bpmn.elements(root, "message"):
        yield from MESSAGES[message.get("name")]
    for job_type in bpmn.job_types(root):
        yield from JOBS[job_type][1]
    for element in bpmn.elements(root, *bpmn.NODES):
        yield from bpmn.mapping(element, "input")
        yield from bpmn.mapping(element, "output")
    for loop in loops(root):
        yield from (loop.get(name) for name in ("inputElement", "outputCollection") if loop.get(name))
    for decision in bpmn.find(root, ".//zeebe:calledDecision"):
        yield decision.get("resultVariable")
    if bpmn.find(root, 'bpmn:process[@id="review"]'):
        for call in calls():
            yield from bpmn.mapping(call, "input")
        yield from ("matterId", "workOrderId")
    for call in bpmn.elements(root, "callActivity"):
        yield from STAGES.get(stage(call), (set(), set()))[1]


def test_the_models_have_exactly_the_agreed_jobs() -> None:
    assert all_job_types() == set(JOBS)


def test_every_job_has_a_worker_and_every_worker_a_job() -> None:
    modules = {path.stem.replace("_", "-") for path in WORKERS.glob("*.py")}
    missing = {job_type for job_type in all_job_types() if job_type not in modules}
    assert missing == set(), "A job without a worker waits for ever: write services/workers/<job_type>.py."
    assert {worker.job_type for worker in discover()} == all_job_types()


def test_workers_read_and_answer_what_is_agreed() -> None:
    for worker in discover():
        reads, answers = JOBS[worker.job_type]
        assert set(variables_to_fetch(worker.command)) <= reads, worker.job_type
        result = getattr(worker.result, "__dataclass_fields__", {})
        assert answers <= {camel(name) for name in result}, worker.job_type


@every_process
def test_storage_work_is_tried_five_times_other_work_three_times(path: Path) -> None:
    for job_type, tasks in bpmn.job_types(bpmn.tree(path)).items():
        for task in tasks:
            (definition,) = bpmn.find(task, "bpmn:extensionElements/zeebe:taskDefinition")
            assert definition.get("retries") == ("5" if job_type in STORAGE_JOBS else "3"), task.get("id")


def test_every_message_has_a_publisher_and_the_reverse() -> None:
    published = set(messages.SENT) - messages.OLDER
    awaited = {message.get("name") for path in PROCESS_FILES for message in bpmn.elements(bpmn.tree(path), "message")}
    assert awaited == published == set(MESSAGES)


@every_process
def test_messages_are_awaited_under_the_agreed_key(path: Path) -> None:
    for message in bpmn.elements(bpmn.tree(path), "message"):
        keys = bpmn.find(message, "bpmn:extensionElements/zeebe:subscription/@correlationKey")
        assert (keys or [None]) == [KEYS[message.get("name")]]


@every_process
def test_every_message_and_error_is_used(path: Path) -> None:
    root = bpmn.tree(path)
    for kind, reference in (("message", "messageRef"), ("error", "errorRef")):
        declared = {element.get("id") for element in bpmn.elements(root, kind)}
        assert set(bpmn.find(root, f".//@{reference}")) == declared


def test_errors_are_caught_around_the_retrieval_of_one_item() -> None:
    root = bpmn.process("video-retrieval")
    codes = {error.get("id"): error.get("errorCode") for error in bpmn.elements(root, "error")}
    caught = bpmn.find(root, './/bpmn:boundaryEvent[@attachedToRef="Task_RetrieveFootage"]//@errorRef')
    assert {codes[reference] for reference in caught} == {"FOOTAGE_MISSING", "FOOTAGE_UNREADABLE"}
    (phase,) = bpmn.find(root, './/bpmn:subProcess[@id="Phase_RetrieveItem"]')
    assert bpmn.find(phase, 'bpmn:serviceTask[@id="Task_RetrieveFootage"]')
    assert bpmn.mapping(phase, "input")["coverage"] == "=0"


@every_process
def test_every_variable_that_is_read_is_made_somewhere(path: Path) -> None:
    root = bpmn.tree(path)
    made = set(produced(root))
    for owner, text in bpmn.expressions(root):
        assert names(text) <= made, f"{owner}: {text}"
    for job_type in bpmn.job_types(root):
        assert JOBS[job_type][0] - OPTIONAL.get(job_type, set()) <= made, job_type


def test_the_decision_reads_what_the_process_makes_and_gives_what_it_takes() -> None:
    root = bpmn.tree(bpmn.MODELS / "classification.dmn")
    made = set(produced(bpmn.process("video-retrieval")))
    read = {name for text in bpmn.find(root, ".//dmn:inputExpression/dmn:text/text()") for name in names(text)}
    assert read <= made
    outputs = bpmn.find(root, './/dmn:decision[@id="classification"]/dmn:decisionTable/dmn:output/@name')
    assert set(outputs) == DECISION
    (task,) = bpmn.elements(bpmn.process("video-retrieval"), "businessRuleTask")
    assert bpmn.mapping(task, "output") == {name: f"=classification.{name}" for name in DECISION}


OF_NO_CASE = {
    "work-order-verification": "workOrderId",
    "supervision": "inspectionId",
    "inspection-signature": "inspectionId",
}


def test_every_review_is_called_with_its_stage_and_starts_without_an_answer() -> None:
    assert sorted(stage(call) for call in calls()) == sorted(set(STAGES) - OF_ROUTES)
    for call in calls():
        returned = {"decision", *STAGES[stage(call)][1]}
        inputs = bpmn.mapping(call, "input")
        assert {name for name, source in inputs.items() if source == "=null"} == returned, call.get("id")
        assert bpmn.mapping(call, "output") == {name: f"={name}" for name in returned}, call.get("id")
        of = OF_NO_CASE.get(stage(call), "applicationId")
        assert inputs[of] == f"={of}"


def test_the_reviews_of_custody_know_their_hand_over() -> None:
    custody = {stage(call) for call in calls() if "handOverId" in bpmn.mapping(call, "input")}
    assert custody == {"receipt", "return-inspection"}


def test_what_is_called_is_what_was_deployed_with_it_and_sees_only_what_it_is_given() -> None:
    for call in calls():
        (called,) = bpmn.find(call, "bpmn:extensionElements/zeebe:calledElement")
        assert dict(called.attrib) == {
            "processId": "review",
            "propagateAllChildVariables": "false",
            "propagateAllParentVariables": "false",
            "bindingType": "deployment",
        }
    for decision in bpmn.find(bpmn.process("video-retrieval"), ".//zeebe:calledDecision"):
        assert decision.get("bindingType") == "deployment"


@every_process
def test_an_outcome_is_never_set_by_a_terminate_end(path: Path) -> None:
    root = bpmn.tree(path)
    ends = bpmn.find(root, ".//bpmn:endEvent[bpmn:terminateEventDefinition]")
    assert [end.get("id") for end in ends if bpmn.mapping(end, "output")] == []


def test_each_end_of_the_process_has_an_outcome_of_its_own_save_the_duplicate() -> None:
    (process,) = bpmn.elements(bpmn.process("video-retrieval"), "process")
    outcomes = [bpmn.mapping(end, "output")["applicationOutcome"] for end in bpmn.find(process, "bpmn:endEvent")]
    assert sorted(outcomes) == sorted(f'="{outcome}"' for outcome in OUTCOMES)


def test_a_second_start_ends_by_an_error_of_its_first_job() -> None:
    root = bpmn.process("video-retrieval")
    (caught,) = bpmn.find(root, './/bpmn:subProcess[@triggeredByEvent="true"]/bpmn:startEvent')
    (reference,) = bpmn.find(caught, "bpmn:errorEventDefinition/@errorRef")
    (error,) = bpmn.find(root, f'bpmn:error[@id="{reference}"]')
    assert error.get("errorCode") == DUPLICATE
    (task,) = bpmn.job_types(root)["open-case"]
    assert bpmn.mapping(task, "input") == {"duplicateIsError": "=true"}


def test_the_models_are_tagged_with_the_version_of_the_policy() -> None:
    for path in PROCESS_FILES:
        tags = bpmn.find(bpmn.tree(path), "bpmn:process/bpmn:extensionElements/zeebe:versionTag/@value")
        assert tags == [Rules(max_use_days=None).policy_version], path.name


@pytest.mark.requirement("R5", "R52")
def test_every_exit_without_a_hand_over_releases_what_was_preserved() -> None:
    root = bpmn.process("video-retrieval")
    closing = {}
    for task in bpmn.job_types(root)["release-preservation"]:
        (flow,) = bpmn.outgoing(root, task)
        reason, target = bpmn.mapping(task, "input")["closingOutcome"], flow.get("targetRef")
        ways = bpmn.find(root, f'.//bpmn:sequenceFlow[@sourceRef="{target}"]')
        told = {way.get("targetRef"): bpmn.find(way, "bpmn:conditionExpression/text()")[0] for way in ways}
        closing |= {end: text.removeprefix(f"{reason} = ") for end, text in told.items()} or {target: reason[1:]}
    for end in closing:
        assert len(bpmn.find(root, f'.//bpmn:endEvent[@id="{end}"]/bpmn:incoming')) == 1
    assert closing == {
        "Event_ApplicationRejected": '"rejected"',
        "Event_ApplicationExpired": '"expired"',
        "Event_FootageUnavailable": '"unavailable"',
        "Event_CopyNotTakenUp": '"not-taken-up"',
        "Event_ApplicationWithdrawn": '"withdrawn"',
    }


def test_an_application_can_be_withdrawn_until_somebody_holds_a_copy() -> None:
    root = bpmn.process("video-retrieval")
    catching = bpmn.find(
        root, './/bpmn:boundaryEvent[bpmn:messageEventDefinition/@messageRef="Message_ApplicationWithdrawn"]'
    )
    assert [event.get("attachedToRef") for event in catching] == ["Phase_BeforeHandOver"]
    inside = {phase.get("id") for phase in bpmn.find(root, './/*[@id="Phase_BeforeHandOver"]/bpmn:subProcess')}
    assert inside == {"Phase_Approval", "Phase_Correction", "Phase_Retrieval"}
    assert all(event.get("cancelActivity") != "false" for event in catching)


@pytest.mark.requirement("R48", "R51")
def test_a_violation_says_of_which_kind_it_is() -> None:
    tasks = bpmn.job_types(bpmn.process("video-retrieval"))["open-violation"]
    kinds = {task.get("id"): bpmn.mapping(task, "input")["violationKind"] for task in tasks}
    assert kinds == {"Task_OpenOverdueViolation": '="overdue"', "Task_OpenLossViolation": '="loss"'}


@pytest.mark.requirement("R51")
def test_reminders_and_the_due_date_sit_inside_the_use_period_grace_and_messages_on_it() -> None:
    root = bpmn.process("video-retrieval")
    placed = {
        event.get("id"): (event.get("attachedToRef"), event.get("cancelActivity") != "false")
        for event in bpmn.elements(root, "boundaryEvent")
    }
    assert placed["Event_ReminderDue"] == ("Task_AwaitReturn", False)
    assert placed["Event_DueDateReached"] == ("Task_AwaitReturn", False)
    assert placed["Event_GraceOver"] == ("Phase_UsePeriod", False)
    assert placed["Event_UsePeriodChanged"] == ("Phase_UsePeriod", True)
    assert placed["Event_LoanClosed"] == ("Phase_UsePeriod", True)


@pytest.mark.requirement("R48")
def test_a_loan_that_is_closed_anew_starts_without_an_answer() -> None:
    """The outcome of an issue before is not taken for that of this one."""
    root = bpmn.process("video-retrieval")
    for phase, cleared in (
        ("Phase_BeforeHandOver", {"preparationOutcome"}),
        ("Phase_Custody", {"custodyOutcome", "loanOutcome"}),
    ):
        (found,) = bpmn.find(root, f'.//bpmn:subProcess[@id="{phase}"]')
        assert {name for name, source in bpmn.mapping(found, "input").items() if source == "=null"} == cleared
