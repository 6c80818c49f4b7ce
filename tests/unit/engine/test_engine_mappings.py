"""Input and output mappings: what each sees, how nested targets meet, and what a mapping cannot be put into."""

from typing import Any

import pytest
from bpmn_makers import diagram, job, start
from engine_harness import EngineHarness

INPUTS: list[tuple[list[tuple[str, str]], dict[str, Any]]] = [
    ([("=1", "a"), ("=a + 1", "b")], {"a": 1, "b": 2}),
    ([("=1", "n.a"), ("=n.a", "b"), ("=a + 1", "n.c")], {"n": {"a": 1, "c": 2}, "b": 1}),
    ([("=1", "n"), ("=2", "n.a")], {"n": {"a": 2}}),
    ([('=date("2026-03-02")', "d"), ('=d + duration("P1D")', "e")], {"d": "2026-03-02", "e": "2026-03-03"}),
    ([("5", "a"), ('say "hi"', "b")], {"a": "5", "b": 'say "hi"'}),
]
OUTPUTS: list[tuple[list[tuple[str, str]], dict[str, Any]]] = [
    ([("=1", "box.b")], {"box": {"a": {"z": 0}, "b": 1}}),
    ([("=1", "box.a.b"), ("=2", "box.a.c")], {"box": {"a": {"z": 0, "b": 1, "c": 2}}}),
    ([("=1", "other.b")], {"other": {"b": 1}}),
    ([("=1", "in.or.b"), ("=2", "in.c")], {"in": {"or": {"b": 1}, "c": 2}}),
    ([("=5", "box"), ("=1", "box.b")], {"box": {"a": {"z": 0}, "b": 1}}),
]


def _mapped(which: str, pairs: list[tuple[str, str]]) -> str:
    mappings = "".join(f"<zeebe:{which} source='{source}' target='{target}' />" for source, target in pairs)
    return f"<zeebe:ioMapping>{mappings}</zeebe:ioMapping>"


@pytest.mark.parametrize(("pairs", "local"), INPUTS)
def test_an_input_sees_those_before_it_and_nested_ones_their_neighbours(
    pairs: list[tuple[str, str]], local: dict[str, Any]
) -> None:
    harness = EngineHarness()
    harness.deploy(diagram(start() + job("work", more=_mapped("input", pairs)), "s>work"))
    harness.create("p")

    assert harness.fetch("work")[0].variables == local


@pytest.mark.parametrize(("pairs", "changed"), OUTPUTS)
def test_an_output_with_a_nested_target_is_merged_into_the_variable(
    pairs: list[tuple[str, str]], changed: dict[str, Any]
) -> None:
    variables = {"box": {"a": {"z": 0}}}
    harness = EngineHarness()
    harness.deploy(diagram(start() + job("work", more=_mapped("output", pairs)) + job("after"), "s>work work>after"))
    harness.create("p", **variables)

    harness.complete(harness.fetch("work")[0].job.key)

    assert harness.fetch("after")[0].variables == variables | changed


def test_an_output_into_what_is_no_context_makes_it_null() -> None:
    """The merge of a number and a context is null in Camunda's FEEL, and no incident."""
    harness = EngineHarness()
    mapped = _mapped("output", [("=1", "box.b")])
    harness.deploy(diagram(start() + job("work", more=mapped) + job("after"), "s>work work>after"))
    harness.create("p", box=5)

    harness.complete(harness.fetch("work")[0].job.key)

    assert harness.open_incidents() == []
    assert harness.fetch("after")[0].variables == {"box": None}


def test_a_link_maps_what_leaves_it() -> None:
    mapped = f"<bpmn:extensionElements>{_mapped('output', [('=x + 1', 'y')])}</bpmn:extensionElements>"
    link = '<bpmn:linkEventDefinition id="{}" name="there" />'
    thrown = f'<bpmn:intermediateThrowEvent id="t">{mapped}{link.format("lt")}</bpmn:intermediateThrowEvent>'
    caught = f'<bpmn:intermediateCatchEvent id="c">{link.format("lc")}</bpmn:intermediateCatchEvent>'
    harness = EngineHarness()
    harness.deploy(diagram(start() + thrown + caught + job("work"), "s>t c>work"))
    harness.create("p", x=1)

    assert harness.fetch("work")[0].variables == {"x": 1, "y": 2}
