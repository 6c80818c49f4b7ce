"""Input and output mappings: what each sees, how nested targets meet, and what a mapping cannot be put into."""

from typing import Any

import pytest
from bpmn_makers import diagram, job, start
from engine_desk import CoreDesk

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
    desk = CoreDesk()
    desk.deploy(diagram(start() + job("work", more=_mapped("input", pairs)), "s>work"))
    desk.create("p")

    assert desk.fetch("work")[0].variables == local


@pytest.mark.parametrize(("pairs", "changed"), OUTPUTS)
def test_an_output_with_a_nested_target_goes_into_what_is_there(
    pairs: list[tuple[str, str]], changed: dict[str, Any]
) -> None:
    variables = {"box": {"a": {"z": 0}}}
    desk = CoreDesk()
    desk.deploy(diagram(start() + job("work", more=_mapped("output", pairs)) + job("after"), "s>work work>after"))
    desk.create("p", **variables)

    desk.complete(desk.fetch("work")[0].job.key)

    assert desk.fetch("after")[0].variables == variables | changed


def test_an_output_cannot_go_into_what_is_no_context() -> None:
    desk = CoreDesk()
    desk.deploy(diagram(start() + job("work", more=_mapped("output", [("=1", "box.b")])), "s>work"))
    desk.create("p", box=5)

    desk.complete(desk.fetch("work")[0].job.key)

    assert desk.open_incidents() == [("work", "IO_MAPPING_ERROR")]


def test_a_link_maps_what_leaves_it() -> None:
    mapped = f"<bpmn:extensionElements>{_mapped('output', [('=x + 1', 'y')])}</bpmn:extensionElements>"
    link = '<bpmn:linkEventDefinition id="{}" name="there" />'
    thrown = f'<bpmn:intermediateThrowEvent id="t">{mapped}{link.format("lt")}</bpmn:intermediateThrowEvent>'
    caught = f'<bpmn:intermediateCatchEvent id="c">{link.format("lc")}</bpmn:intermediateCatchEvent>'
    desk = CoreDesk()
    desk.deploy(diagram(start() + thrown + caught + job("work"), "s>t c>work"))
    desk.create("p", x=1)

    assert desk.fetch("work")[0].variables == {"x": 1, "y": 2}
