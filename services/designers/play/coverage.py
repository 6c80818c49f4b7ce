"""Which elements and flows the saved walks visited, and which none did."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.designers.play import saved
from services.designers.play.models import Beginning, Models, UnreadableModels
from services.designers.play.saved import Departure
from services.designers.play.walk import Passed, Walk
from services.designers.policy_check.verdicts import drawn
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.engine.model.bpmn import Element, Process
from services.runtime.translations import Bilingual, Counted, Message, Text


@dataclass(frozen=True)
class WalkResult:
    """A saved walk on the models as they are: where it departs, and what it visited; ``unreadable`` says why not."""

    name: str
    path: Path
    steps: int = 0
    departures: Sequence[Departure] = ()
    passed: frozenset[Passed] = frozenset()
    unreadable: str = ""

    @property
    def sentence(self) -> Text:
        """Say whether it goes the same way."""
        if self.departures:
            return Message("it departs")
        return Counted("the same way, {count} step", "the same way, {count} steps", self.steps)


@dataclass(frozen=True)
class Unvisited:
    """An element or flow that no walk visited; ``phase`` is the subprocess or process that it lies in."""

    process_id: str
    element_id: str
    name: Text
    phase: Text
    is_flow: bool


@dataclass(frozen=True)
class Coverage:
    """``times`` is how many walks visited each element and flow; ``total`` how many there are."""

    times: Mapping[Passed, int]
    total: int
    unvisited: Sequence[Unvisited]
    meant: int
    """How many of the unvisited are meant to be, as ``policy-world.yaml`` says; they are not listed."""

    @property
    def visited(self) -> int:
        return self.total - len(self.unvisited) - self.meant


def run_saved(path: Path, models_of: Callable[[Beginning], Models]) -> WalkResult:
    """Run a saved walk on models that begin as it does."""
    try:
        found = saved.read(path)
        run = saved.run(models_of(found.beginning), found.first, found.acts)
    except (UnreadableFile, UnreadableModels) as error:
        return WalkResult(path.stem, path, unreadable=str(error))
    return WalkResult(found.name, path, run.steps, run.departures, frozenset(run.walk.passed()))


def coverage(models: Models, results: Sequence[WalkResult], present: Walk | None = None) -> Coverage:
    """Return what the walks visited of these models; the ``present`` one counts as well."""
    times: Counter[Passed] = Counter()
    for passed in [*(result.passed for result in results), *([present.passed()] if present is not None else [])]:
        times.update(passed)
    meant = set(models.world.meant.get("never visited", []))
    unvisited: list[Unvisited] = []
    total = left_out = 0
    for process in models.simulation.processes.values():
        for element_id in drawn(process):
            total += 1
            if (process.id, element_id) in times:
                continue
            if element_id in meant:
                left_out += 1
            else:
                unvisited.append(_unvisited(models, process, element_id))
    return Coverage(times, total, unvisited, left_out)


def _unvisited(models: Models, process: Process, element_id: str) -> Unvisited:
    element = process.elements.get(element_id)
    scope = element.scope if element is not None else _source(process, element_id).scope
    phase = models.element_name(process.id, scope)
    return Unvisited(process.id, element_id, _name(models, process, element_id), phase, is_flow=element is None)


def _name(models: Models, process: Process, element_id: str) -> Text:
    """Return the name of an element; of a flow the names of what it leads from and to."""
    if element_id in process.elements:
        return models.element_name(process.id, element_id)
    source = _source(process, element_id)
    flow = next(flow for flow in source.outgoing if flow.id == element_id)
    ends = [models.words.element(process.id, end) for end in (flow.source, flow.target)]
    return Bilingual(*(" → ".join(names) for names in zip(*ends, strict=True)))


def _source(process: Process, flow_id: str) -> Element:
    return next(e for e in process.elements.values() if any(flow.id == flow_id for flow in e.outgoing))
