"""Which flows gateways take, and in which order."""

import pytest
from bpmn_makers import diagram, job, start
from engine_harness import EngineHarness

_CONDITION = "<bpmn:conditionExpression>={}</bpmn:conditionExpression>"


def _flow(source: str, target: str, condition: str = "") -> str:
    inside = _CONDITION.format(condition) if condition else ""
    ends = f'id="{source}_{target}" sourceRef="{source}" targetRef="{target}"'
    return f"<bpmn:sequenceFlow {ends}>{inside}</bpmn:sequenceFlow>"


def _script(identity: str) -> str:
    script = f'<zeebe:script expression="=&quot;{identity}&quot;" resultVariable="last" />'
    return (
        f'<bpmn:scriptTask id="{identity}"><bpmn:extensionElements>{script}</bpmn:extensionElements></bpmn:scriptTask>'
    )


@pytest.mark.parametrize("kind", ["exclusiveGateway", "inclusiveGateway"])
@pytest.mark.parametrize("default", ["true", "missing > 0"])
@pytest.mark.parametrize(("n", "taken"), [(1, "one"), (2, "other")])
def test_the_condition_of_a_default_flow_is_ignored(kind: str, default: str, n: int, taken: str) -> None:
    gateway = f'<bpmn:{kind} id="g" default="g_other" />'
    flows = _flow("s", "g") + _flow("g", "one", "n = 1") + _flow("g", "other", default)
    harness = EngineHarness()
    harness.deploy(diagram(start() + gateway + job("one") + job("other") + flows))
    harness.create("p", n=n)

    assert [name for name in ("one", "other") if harness.fetch(name)] == [taken]


def test_the_flow_written_last_is_taken_first() -> None:
    harness = EngineHarness()
    inside = start() + '<bpmn:parallelGateway id="g" />' + _script("one") + _script("two")
    harness.deploy(
        diagram(inside + '<bpmn:parallelGateway id="j" />' + job("after"), "s>g g>one g>two one>j two>j j>after")
    )
    harness.create("p")

    assert harness.fetch("after")[0].variables == {"last": "one"}
