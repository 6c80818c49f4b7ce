"""What an operator meets in Operate: phases, flat variables, the case's number, incidents that say what to do.

Names and documentation are in test_bpmn_words.py.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import bpmn_models as bpmn
import pytest
from bpmn_contract import JOBS, KEYS, MESSAGES, OUTCOMES
from bpmn_models import PROCESS_FILES

from services.runtime.errors import Fatal, Outcome, Refused, Retryable
from services.runtime.jobs.commands import camel
from services.runtime.jobs.failures import MESSAGE_LIMIT, failure_message, runbook_of
from services.runtime.jobs.worker import discover

WORKERS = {worker.job_type: worker for worker in discover()}
FLAT = {"str", "int", "float", "bool", "datetime", "timedelta", "str | None", "date"}
# The one list that the loops go over, what they collect, and the decision's answer before it is taken apart.
LISTS = {"itemIds": "list[str]", "deciders": "list[str]", "sampledCases": "list[int]"}
NESTED = {"retrieved", "classification", "route", "assessment"}
COLLECTED = {"backups", "copyIds", "decisions"}
# In a relational secondary storage of 8.9 a name may have 256 characters.
LONGEST = 64

every_process = pytest.mark.parametrize("path", PROCESS_FILES, ids=lambda path: path.name)


def named(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint)) if not hasattr(hint, "__args__") else str(hint).replace("typing.", "")


def test_what_workers_answer_is_flat_but_for_the_lists_of_ids() -> None:
    nested = {
        camel(name): named(hint)
        for worker in WORKERS.values()
        if worker.result is not type(None)
        for name, hint in get_type_hints(worker.result).items()
        if named(hint) not in FLAT
    }
    assert nested == {name: hint for name, hint in LISTS.items() if name in nested}
    assert "itemIds" in nested


@every_process
def test_only_loops_and_the_decision_make_what_is_nested(path: Path) -> None:
    root = bpmn.tree(path)
    loops = bpmn.find(root, ".//zeebe:loopCharacteristics")
    flat = {loop.get("outputCollection") for loop in loops if "{" not in (loop.get("outputElement") or "")} - {None}
    assert flat <= COLLECTED
    made = {loop.get("outputCollection") for loop in loops} - {None} - flat
    made |= {called.get("resultVariable") for called in bpmn.find(root, ".//zeebe:calledDecision")}
    made |= {
        target
        for element in root.iter(f"{{{bpmn.BPMN}}}*")
        for direction in ("input", "output")
        for target, source in bpmn.mapping(element, direction).items()
        if source.lstrip("= ").startswith(("{", "["))
    }
    assert made <= NESTED


def test_names_and_keys_are_short_enough_for_every_storage() -> None:
    variables = {name for reads, gives in JOBS.values() for name in reads | gives}
    variables |= {name for carried in MESSAGES.values() for name in carried}
    for path in PROCESS_FILES:
        for element in bpmn.tree(path).iter(f"{{{bpmn.BPMN}}}*"):
            variables |= bpmn.mapping(element, "input").keys() | bpmn.mapping(element, "output").keys()
    assert [name for name in (*variables, *MESSAGES, *JOBS, *OUTCOMES) if len(name) > LONGEST] == []
    # An id has 36 characters; two keys have a number behind it.
    assert set(KEYS.values()) <= {
        None,
        "=applicationId",
        "=reviewId",
        "=handOverId",
        "=matterId",
        "=workOrderId",
        '=applicationId + ":" + string(round)',
        '=workOrderId + ":" + string(attempt)',
    }


def test_the_first_step_gives_the_cases_number_and_so_does_every_review() -> None:
    (start,) = [event for event in bpmn.elements(bpmn.process("video-retrieval"), "startEvent") if _top(event)]
    (flow,) = bpmn.outgoing(bpmn.process("video-retrieval"), start)
    assert flow.get("targetRef") == "Task_OpenCase"
    assert "applicationNumber" in JOBS["open-case"][1]
    assert "applicationNumber" in JOBS["open-review"][1]
    assert "applicationId" in MESSAGES["application-submitted"]


def _top(element: Any) -> bool:
    return bpmn.local(element.getparent()) == "process"


def test_phases_are_subprocesses_with_planes_of_their_own() -> None:
    root = bpmn.process("video-retrieval")
    phases = {phase.get("id") for phase in bpmn.elements(root, "subProcess")}
    planes = {plane.get("bpmnElement") for plane in bpmn.find(root, "bpmndi:BPMNDiagram/bpmndi:BPMNPlane")}
    top = {one.get("id") for one in bpmn.elements(root, "subProcess") if _top(one)}

    assert phases <= planes
    assert top == {"Phase_BeforeHandOver", "Phase_Custody", "Phase_Return", "Phase_DuplicateStart"}


@pytest.mark.parametrize("job_type", JOBS)
@pytest.mark.parametrize(
    "error",
    [
        Retryable("the recorder gate-1 does not answer " * 30),
        Fatal("could not do it | item I7 | why | mend it"),
        Fatal(" | ".join(word * 200 for word in ("what ", "object ", "why ", "next "))),
        Refused("not-allowed", "It is not allowed."),
        Outcome("NOBODY_DRAWS_IT", "the footage of item I7 is missing"),
    ],
    ids=["retryable", "fatal", "long", "refused", "outcome"],
)
def test_every_incident_names_the_case_what_to_do_and_the_page(job_type: str, error: Exception) -> None:
    job = SimpleNamespace(
        key=2251799813685300,
        type=job_type,
        element_id="Task_X",
        element_instance_key=1,
        process_instance_key=2,
        variables={"applicationId": "0" * 36, "applicationNumber": "SQ-2026-000123"},
    )
    text = failure_message(job, str(error), "remove the cause", runbook_of(error))

    assert len(text) <= MESSAGE_LIMIT
    assert len(text.split(" | ")) == 4
    assert "SQ-2026-000123" in text
    assert text.endswith(".md)")
    assert "(docs/runbooks/" in text
    assert "\n" not in text
