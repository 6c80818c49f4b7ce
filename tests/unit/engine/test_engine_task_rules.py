"""Tasks that end as soon as they begin, and what headers, retries and assignments a job gets."""

import pytest
from bpmn_makers import diagram, job, message, start
from engine_desk import CoreDesk

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
    desk = CoreDesk()
    desk.deploy(
        diagram(
            start() + task + _BOUNDARY + job("after") + job("beside"),
            "s>t t>after b>beside",
            before=message("M", "m", "=k"),
        )
    )
    desk.do(lambda work: messages.publish(work, "m", "1", ttl=60_000, message_id="", variables={}))

    desk.create("p", k="1")

    assert desk.fetch("beside") == []
    assert desk.fetch("after")[0].variables == variables
