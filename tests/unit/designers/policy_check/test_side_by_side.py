"""Which elements can be active at once, by small diagrams."""

import pytest
from bpmn_makers import diagram, end, job, start

from services.designers.policy_check.side_by_side import SideBySide
from services.engine.model.parse import parse_bpmn

TERMINATE = '<bpmn:endEvent id="t"><bpmn:terminateEventDefinition /></bpmn:endEvent>'
JOBS = "".join(map(job, "abcd"))


def gateway(name: str, kind: str) -> str:
    return f'<bpmn:{kind}Gateway id="{name}" />'


def timer(name: str, host: str, cancel: str) -> str:
    return (
        f'<bpmn:boundaryEvent id="{name}" attachedToRef="{host}" cancelActivity="{cancel}"><bpmn:timerEventDefinition>'
        "<bpmn:timeDuration>PT1H</bpmn:timeDuration></bpmn:timerEventDefinition></bpmn:boundaryEvent>"
    )


def sub(name: str, inside: str, flows: str) -> str:
    drawn = "".join(
        f'<bpmn:sequenceFlow id="{name}_{pair.replace(">", "_")}" sourceRef="{pair.split(">")[0]}" '
        f'targetRef="{pair.split(">")[1]}" />'
        for pair in flows.split()
    )
    return f'<bpmn:subProcess id="{name}">{inside}{drawn}</bpmn:subProcess>'


def read(inside: str, flows: str) -> SideBySide:
    [process] = parse_bpmn(diagram(start() + inside + end(), flows), deployed=True)
    return SideBySide(process)


PARALLEL = gateway("f", "parallel") + gateway("j", "parallel")
INCLUSIVE = gateway("f", "inclusive") + gateway("j", "inclusive")
CHOICE = gateway("f", "exclusive") + gateway("j", "exclusive")
SPLIT = "s>f f>a f>b a>j b>j j>c c>e"
NESTED = PARALLEL + gateway("g", "parallel") + gateway("k", "parallel")
THREE = PARALLEL + gateway("k", "parallel")


@pytest.mark.parametrize(
    ("inside", "flows", "expected"),
    [
        (JOBS, "s>a a>b b>c c>d d>e", set()),
        (JOBS + PARALLEL, SPLIT, {"ab"}),
        (JOBS + INCLUSIVE, SPLIT, {"ab"}),
        (JOBS + CHOICE, SPLIT, set()),
        (JOBS, "s>a a>b a>c b>e c>e", {"bc"}),
        (JOBS + PARALLEL + gateway("x", "exclusive"), "s>f f>a f>b a>x b>x x>c c>e", {"ab", "ac", "bc", "cc"}),
        (JOBS + timer("l", "a", "false"), "s>a a>b l>c b>e c>e", {"ac", "bc", "cc"}),
        (JOBS + timer("l", "a", "true"), "s>a a>b l>c b>e c>e", set()),
        (JOBS + gateway("f", "parallel") + TERMINATE, "s>f f>a f>b a>t b>c c>e", {"ab", "ac"}),
        (JOBS + gateway("x", "exclusive"), "s>x x>a a>b b>x x>e", set()),
        (JOBS + INCLUSIVE, "s>f f>a f>b a>c c>j b>j j>d d>e", {"ab", "bc"}),
        (JOBS + PARALLEL + gateway("k", "exclusive"), "s>f f>a f>b a>k k>j k>c c>e b>j j>d d>e", {"ab", "bc"}),
        # an inclusive join does not wait for what passes it by, and a parallel one never goes on without it
        (JOBS + INCLUSIVE + gateway("k", "exclusive"), "s>f f>a f>b a>k k>j k>c c>e b>j j>d d>e", {"ab", "bc", "cd"}),
        (JOBS + NESTED, "s>f f>a f>b b>g g>c g>d a>j c>k d>k k>j j>e", {"ab", "ac", "ad", "cd"}),
        (JOBS + THREE, "s>f f>a f>b f>c a>k b>k k>j c>j j>d d>e", {"ab", "ac", "bc"}),
        (JOBS + PARALLEL, "s>f f>a f>j a>b b>j j>c c>e", set()),
        (
            JOBS + PARALLEL + timer("l", "a", "false"),
            "s>f f>a f>b l>c c>j a>j b>j j>d d>e",
            {"ab", "ac", "bc", "cc", "cd"},
        ),
    ],
)
def test_the_pairs_that_can_be_active_at_once(inside: str, flows: str, expected: set[str]) -> None:
    found = read(inside, flows)

    pairs = {one + other for one in "abcd" for other in "abcd" if one < other and found.can_be_at_once(one, other)}
    assert pairs | {name * 2 for name in "abcd" if found.repeats(name)} == expected


def test_what_is_inside_of_subprocesses_is_at_once_where_they_are() -> None:
    one = sub("S", start("s1") + job("a") + end("e1"), "s1>a a>e1")
    other = sub("T", start("s2") + job("b") + end("e2"), "s2>b b>e2")

    beside = read(one + other + PARALLEL, "s>f f>S f>T S>j T>j j>e")
    behind = read(one + other, "s>S S>T T>e")

    assert (beside.can_be_at_once("a", "b"), behind.can_be_at_once("a", "b")) == (True, False)
    assert not beside.can_be_at_once("S", "a")


@pytest.mark.parametrize(("interrupting", "at_once"), [("false", True), ("true", False)])
def test_an_event_subprocess_that_does_not_interrupt_is_beside_everything(interrupting: str, at_once: bool) -> None:
    begins = (
        f'<bpmn:startEvent id="s1" isInterrupting="{interrupting}"><bpmn:timerEventDefinition><bpmn:timeDuration>PT1H'
        "</bpmn:timeDuration></bpmn:timerEventDefinition></bpmn:startEvent>"
    )
    inside = sub("S", begins + job("b") + end("e1"), "s1>b b>e1").replace('id="S"', 'id="S" triggeredByEvent="true"')

    assert read(job("a") + inside, "s>a a>e").can_be_at_once("a", "b") is at_once
