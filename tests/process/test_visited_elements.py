"""Every element of both models is visited by the process tests. Runs after all of them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_trace import VISITED
from lxml import etree

from services.house import models

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
NODES = ("startEvent", "endEvent", "boundaryEvent", "intermediateCatchEvent", "intermediateThrowEvent")
KINDS = ("Task", "Gateway", "callActivity", "subProcess", "task")


def elements_of(path: Path) -> Iterator[tuple[str, str]]:
    """Flow nodes and sequence flows as (process id, element id)."""
    for process in etree.parse(path).getroot().iter(f"{BPMN}process"):
        for element in process.iter():
            name = str(element.tag).removeprefix(BPMN)
            if name in NODES or name.endswith(KINDS) or name == "sequenceFlow":
                yield process.get("id"), element.get("id")


@pytest.mark.usefixtures("all_ran")
def test_every_element_of_both_models_was_visited(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = [one for path in models() if path.suffix == ".bpmn" for one in elements_of(path)]
    with capsys.disabled():
        sys.stdout.write("\nvisited elements:\n")
        for process in dict.fromkeys(process for process, _ in drawn):
            ids = [element for of, element in drawn if of == process]
            seen = [f"{element} {VISITED[process, element]}" for element in ids if VISITED[process, element]]
            sys.stdout.write(f"  {process}.bpmn, {len(seen)} of {len(ids)}: {', '.join(seen)}\n")

    assert len(drawn) > 150
    assert [one for one in drawn if not VISITED[one]] == []
