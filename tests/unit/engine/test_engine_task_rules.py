"""Tasks that end as soon as they begin, and what headers, retries and assignments a job gets."""

import json

import pytest
from bpmn_makers import diagram, job, message, start
from engine_harness import EngineHarness

from services.engine.model.extensions import USER_TASK_JOB
from services.engine.processing import messages

_IO = (
    '<bpmn:extensionElements>{}<zeebe:ioMapping><zeebe:input source="=1" target="x" />'
    '<zeebe:output source="=2" target="y" /></zeebe:ioMapping></bpmn:extensionElements>'
)
_BOUNDARY = (
    '<bpmn:boundaryEvent id="b" attachedToRef="t"><bpmn:messageEventDefinition messageRef="M" /></bpmn:boundaryEvent>'
)
_SCRIPT = '<zeebe:script expression="=3" resultVariable="z" />'
AT_ONCE = {
    "task": ("<bpmn:task id='t'>" + _IO.format("") + "</bpmn:task>", {"k": "1"}),
    "manual task": ("<bpmn:manualTask id='t'>" + _IO.format("") + "</bpmn:manualTask>", {"k": "1"}),
    "script": ("<bpmn:scriptTask id='t'>" + _IO.format(_SCRIPT) + "</bpmn:scriptTask>", {"k": "1", "y": 2}),
}


@pytest.mark.parametrize("what", sorted(AT_ONCE))
def test_a_task_that_ends_at_once_waits_for_no_boundary_event_and_maps_only_what_it_computes(what: str) -> None:
    task, variables = AT_ONCE[what]
    harness = EngineHarness()
    harness.deploy(
        diagram(
            start() + task + _BOUNDARY + job("after") + job("beside"),
            "s>t t>after b>beside",
            before=message("M", "m", "=k"),
        )
    )
    harness.do(lambda execution: messages.publish(execution, "m", "1", ttl=60_000, message_id="", variables={}))

    harness.create("p", k="1")

    assert harness.fetch("beside") == []
    assert harness.fetch("after")[0].variables == variables


def _task(definition: str, more: str = "", kind: str = "serviceTask") -> bytes:
    task = f'<bpmn:{kind} id="t"><bpmn:extensionElements>{definition}{more}</bpmn:extensionElements></bpmn:{kind}>'
    return diagram(start() + task, "s>t")


@pytest.mark.parametrize(
    ("retries", "left"),
    [("5", 5), ("", 3), ("-1", -1), ("2.9", 2), ("=n", 7), ("=t", None), ("many", None), ("=null", None)],
)
def test_retries_are_a_number(retries: str, left: int | None) -> None:
    harness = EngineHarness()
    harness.deploy(_task(f'<zeebe:taskDefinition type="work" retries="{retries}" />'))
    harness.create("p", n=7, t="7")

    assert [h.job.retries for h in harness.fetch("work")] == ([] if left is None else [left])
    assert harness.open_incidents() == ([("t", "EXTRACT_VALUE_ERROR")] if left is None else [])


def test_a_header_without_a_value_is_left_out() -> None:
    headers = '<zeebe:header key="a" value="1" /><zeebe:header key="b" value="" /><zeebe:header key="c" />'
    harness = EngineHarness()
    harness.deploy(_task('<zeebe:taskDefinition type="work" />', f"<zeebe:taskHeaders>{headers}</zeebe:taskHeaders>"))
    harness.create("p")

    assert json.loads(harness.fetch("work")[0].job.custom_headers) == {"a": "1"}


ASSIGNMENTS = [
    (
        '<zeebe:assignmentDefinition assignee="42" candidateGroups="a, b" />',
        {"assignee": "42", "candidateGroups": '["a","b"]'},
    ),
    ('<zeebe:assignmentDefinition candidateUsers="=names" />', {"candidateUsers": '["x","y"]'}),
    (
        '<zeebe:taskSchedule dueDate="=missing" followUpDate="2026-03-02T08:00:00Z" />',
        {"followUpDate": "2026-03-02T08:00:00Z"},
    ),
    ('<zeebe:formDefinition formKey="=f" />', {"formKey": "=f"}),
    ('<zeebe:assignmentDefinition assignee="=missing" />', None),
    ('<zeebe:assignmentDefinition candidateGroups="=n" />', None),
]


@pytest.mark.parametrize(("definition", "headers"), ASSIGNMENTS)
def test_a_user_task_has_its_assignment_in_headers(definition: str, headers: dict[str, str] | None) -> None:
    harness = EngineHarness()
    harness.deploy(_task(definition, kind="userTask"))
    harness.create("p", names=["x", "y"], n=1)

    found = [json.loads(h.job.custom_headers) for h in harness.fetch(USER_TASK_JOB)]
    assert found == ([] if headers is None else [{f"io.camunda.zeebe:{k}": v for k, v in headers.items()}])
    assert harness.open_incidents() == ([("t", "EXTRACT_VALUE_ERROR")] if headers is None else [])


def test_a_job_type_written_as_a_number_is_no_text() -> None:
    harness = EngineHarness()
    harness.deploy(_task('<zeebe:taskDefinition type="42" />'))
    harness.create("p")

    assert harness.open_incidents() == [("t", "EXTRACT_VALUE_ERROR")]
