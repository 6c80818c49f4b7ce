"""Inclusive joins that a token can miss, where a Camunda cluster waits for ever."""

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from written_logs import written_logs

from services.app import server
from services.designers.inclusive_joins import UnevenJoin, uneven_joins
from services.designers.lint import check as lint_check

BPMN = 'xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"'
TAGS = {
    "start": "startEvent", "fork": "inclusiveGateway", "split": "parallelGateway", "join": "inclusiveGateway",
    "choice": "exclusiveGateway", "wait": "eventBasedGateway", "end": "endEvent", "gone": "endEvent",
}  # fmt: skip


def model(flows: str, more: str = "") -> bytes:
    """Return a diagram with `a>b` flows; names that are no kind of element are tasks."""
    pairs = [flow.split(">") for flow in flows.split()]
    names = dict.fromkeys(name for pair in pairs for name in pair if f'id="{name}"' not in more)
    elements = "".join(f'<bpmn:{TAGS.get(name, "task")} id="{name}" />' for name in names)
    drawn = "".join(
        f'<bpmn:sequenceFlow id="f{n}" sourceRef="{a}" targetRef="{b}" />' for n, (a, b) in enumerate(pairs)
    )
    process = f'<bpmn:process id="p">{elements}{more}{drawn}</bpmn:process>'
    return f"<bpmn:definitions {BPMN}>{process}</bpmn:definitions>".encode()


def found(content: bytes) -> list[UnevenJoin]:
    return uneven_joins(etree.parse(BytesIO(content)))


TERMINATE = '<bpmn:endEvent id="gone"><bpmn:terminateEventDefinition /></bpmn:endEvent>'
INTERRUPTING = '<bpmn:boundaryEvent id="late" attachedToRef="a" />'
BESIDE = '<bpmn:boundaryEvent id="late" attachedToRef="a" cancelActivity="false" />'


@pytest.mark.parametrize(
    ("content", "leaves"),
    [
        (model("start>fork fork>a fork>b a>choice choice>join choice>gone b>join join>end"), "choice"),
        (model("start>split split>a split>b a>wait wait>join wait>gone b>join join>end"), "wait"),
        (model("start>x x>a x>b a>choice choice>join choice>gone b>join join>end"), "choice"),
        (model("start>fork fork>a fork>b a>join late>gone b>join join>end", INTERRUPTING), "a"),
        (model("start>a a>choice late>join choice>join choice>gone join>end", BESIDE), "choice"),
        (model("start>fork fork>choice fork>join choice>join choice>start join>end"), None),
        (model("start>fork fork>a fork>b a>choice choice>join choice>c c>join b>join join>end"), None),
        (model("start>fork fork>a fork>b fork>gone a>join b>join join>end"), None),
        (model("start>choice choice>a choice>b choice>gone a>join b>join join>end"), None),
        (model("start>fork fork>a fork>b a>choice choice>join choice>gone b>join join>end", TERMINATE), None),
        (model("start>split split>a split>b a>choice choice>b choice>gone b>end"), None),
    ],
)
def test_a_join_that_a_token_can_miss_is_named_with_where_it_leaves(content: bytes, leaves: str | None) -> None:
    assert found(content) == ([] if leaves is None else [UnevenJoin("join", leaves)])


UNEVEN = model("start>fork fork>a fork>b a>choice choice>join choice>gone b>join join>end")


def test_lint_names_it(tmp_path: Path) -> None:
    (tmp_path / "p.bpmn").write_bytes(UNEVEN)

    [found] = [finding for finding in lint_check.find(tmp_path, []) if finding.rule == "inclusive-join"]

    assert (found.level, found.file, found.element) == ("error", "p.bpmn", "join")
    assert found.text.en.startswith("A token that leaves at choice never comes to this inclusive join")


def test_a_deployment_warns_of_it_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "p.bpmn").write_bytes(UNEVEN)

    class Client:
        async def deploy(self, paths: Any) -> Any:
            return type("Deployed", (), {"versions": {"p": 1}})

    with written_logs() as log:
        deployed = asyncio.run(server.deploy(Client(), tmp_path))  # type: ignore[arg-type]  # what is used of it

    assert deployed.versions == {"p": 1}
    assert "a token that leaves at choice never comes to this inclusive join" in log.getvalue()
