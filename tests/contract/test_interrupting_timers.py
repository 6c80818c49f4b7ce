"""What a timer interrupts may have been answered in the same minute: the register is asked before it is undone."""

from pathlib import Path

import pytest
from bpmn_contract import JOBS
from bpmn_models import PROCESS_FILES, elements, find, local, outgoing, tree

from services.runtime.jobs.worker import discover

SAYS_MEANWHILE = {
    name for name, (_, outputs) in JOBS.items() if any(output.endswith("Meanwhile") for output in outputs)
}
# of an emergency view, ``ratified`` says what came meanwhile
ASKS_FIRST = SAYS_MEANWHILE | {"end-emergency-view"}


@pytest.mark.parametrize("path", PROCESS_FILES, ids=lambda path: path.stem)
def test_p13_after_an_interrupting_timer_a_job_looks_into_the_register(path: Path) -> None:
    root = tree(path)
    timers = [event for event in elements(root, "boundaryEvent") if _interrupts(event)] + _after_event_gateways(root)

    for timer in timers:
        first = _follow(root, timer)
        assert local(first) == "serviceTask", f"{timer.get('id')} leads to {first.get('id')}, which asks nobody"
        assert _job_type(first) in ASKS_FIRST, f"{timer.get('id')}: {_job_type(first)} does not say what came meanwhile"


def test_each_such_job_declares_that_it_looks_into_the_register() -> None:
    assert {worker.job_type for worker in discover() if worker.checks_register} == ASKS_FIRST


def test_the_take_up_period_and_the_correction_period_are_such_timers() -> None:
    assert {"expire-offer", "expire-application"} <= ASKS_FIRST


def _follow(root: object, event: object) -> object:
    """What comes first after an event; a gateway that joins flows, and has one way on, is passed."""
    element = event
    while True:
        (flow,) = outgoing(root, element)
        (element,) = find(root, f'.//*[@id="{flow.get("targetRef")}"]')
        if local(element) != "exclusiveGateway" or len(outgoing(root, element)) != 1:
            return element


def _interrupts(event: object) -> bool:
    return bool(find(event, "self::*[not(@cancelActivity='false')]/bpmn:timerEventDefinition"))


def _after_event_gateways(root: object) -> list[object]:
    return find(
        root,
        ".//bpmn:intermediateCatchEvent[bpmn:timerEventDefinition]"
        "[@id = //bpmn:sequenceFlow[@sourceRef = //bpmn:eventBasedGateway/@id]/@targetRef]",
    )


def _job_type(task: object) -> str:
    return str(find(task, "bpmn:extensionElements/zeebe:taskDefinition/@type")[0])
