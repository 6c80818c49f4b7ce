"""What a page shows of a walk: where it is, its variables, its clock and what happened so far."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.designers.play.coverage import Coverage
from services.designers.play.diagram import Mark
from services.designers.play.models import Models
from services.designers.play.walk import Step, Walk, timers
from services.designers.policy_check.case import Case
from services.engine.clock import from_millis
from services.engine.model.bpmn import ElementType, Process
from services.engine.state.instances import ElementInstance, ProcessInstance
from services.runtime.translations import Message, Text

_SCOPES = (ElementType.PROCESS, ElementType.SUB_PROCESS, ElementType.EVENT_SUB_PROCESS, ElementType.MULTI_INSTANCE_BODY)


@dataclass(frozen=True)
class Position:
    """A place where the case is, with what it waits for; ``phases`` are around it, the outermost first."""

    process_id: str
    element_id: str
    name: Text
    phases: Sequence[Text]
    waits: Sequence[Text]
    is_stuck: bool


@dataclass(frozen=True)
class Variable:
    name: str
    value: str
    is_new: bool


@dataclass(frozen=True)
class Scope:
    """The variables of a process or of an element in it."""

    name: Text
    variables: Sequence[Variable]


@dataclass(frozen=True)
class Due:
    name: Text
    at: datetime


@dataclass(frozen=True)
class Tab:
    """A plane that can be shown: ``id`` names it, ``count`` is how often the case is on it."""

    id: str
    name: Text
    count: int


def positions(models: Models, case: Case) -> list[Position]:
    """Return where the case is."""
    return [
        _position(models, case, instance, element)
        for instance in case.state.instances.values()
        for element in instance.element_instances.values()
        if not element.children and element.key != instance.key
    ]


def _position(models: Models, case: Case, instance: ProcessInstance, element: ElementInstance) -> Position:
    process_id = instance.bpmn_process_id
    model = models.diagrams[process_id]
    phases = [models.process_name(process_id)]
    if element.element_id in model.elements:
        inside = [models.element_name(process_id, scope) for scope in model.scopes(element.element_id)]
        phases += reversed(inside)
    return Position(
        process_id,
        element.element_id,
        models.element_name(process_id, element.element_id),
        phases,
        list(_waits(models, case, process_id, element)),
        any(key in case.state.incidents for key in element.incidents),
    )


def _waits(models: Models, case: Case, process_id: str, element: ElementInstance) -> Iterator[Text]:
    state = case.state
    for key in element.jobs:
        if key in state.jobs:
            yield Message("waits for the worker {type}", type=state.jobs[key].type)
    for key in element.message_subscriptions:
        if key in state.message_subscriptions:
            yield Message("waits for the message {name}", name=state.message_subscriptions[key].name)
    for key in element.signal_subscriptions:
        if key in state.signal_subscriptions:
            yield Message("waits for the signal {name}", name=state.signal_subscriptions[key].name)
    if element.called_child_instance_key in state.instances:
        called = state.instances[element.called_child_instance_key].bpmn_process_id
        yield Message("waits for the process {name}", name=models.process_name(called))
    for key in element.timers:
        if key in state.timers and state.timers[key].element_id == element.element_id:
            yield Message("waits for its time")
    for key in element.incidents:
        if key in state.incidents:
            yield Message("stopped by an incident")


def scopes(models: Models, step: Step) -> list[Scope]:
    """Return the variables of the case after a step; what the step changed is marked."""
    found = []
    for instance in step.after.state.instances.values():
        before = step.before.state.instances.get(instance.key)
        for element in instance.element_instances.values():
            if not element.variables:
                continue
            old = None if before is None else before.element_instances.get(element.key)
            known: Mapping[str, Any] = {} if old is None else old.variables
            rows = [
                Variable(name, json.dumps(value, ensure_ascii=False), name not in known or known[name] != value)
                for name, value in sorted(element.variables.items())
            ]
            found.append(Scope(models.element_name(instance.bpmn_process_id, element.element_id), rows))
    return found


def dues(models: Models, case: Case) -> list[Due]:
    """Return the timers of the case, the next first."""
    found = []
    for timer in timers(case):
        process_id = case.state.instances[timer.process_instance_key].bpmn_process_id
        name = models.element_name(process_id, timer.element_id)
        found.append(Due(name, max(case.now, from_millis(timer.due_date))))
    return found


def came_to(models: Models, step: Step) -> list[Text]:
    """Return the names of the elements that a step came to, those of phases and processes left out."""
    return [
        models.element_name(process_id, element_id)
        for process_id, element_id in step.entered
        if (element := models.simulation.by_id[process_id].elements.get(element_id)) is not None
        and element.element_type not in _SCOPES
    ]


def counts(models: Models, positions: Iterable[Position]) -> Counter[str]:
    """Return how often the case is on each plane."""
    return Counter(plane_of(models, place.process_id, place.element_id) for place in positions)


def first_plane(models: Models, positions: Sequence[Position]) -> str | None:
    """Return the plane on which the case is first: that of the process that called others."""
    return plane_of(models, positions[0].process_id, positions[0].element_id) if positions else None


def tabs(models: Models, count: Mapping[str, int]) -> list[Tab]:
    """Return the planes of all processes, called ones last, each with its number of ``count``."""
    called = {e.called for model in models.diagrams.values() for e in model.elements.values() if e.called}
    found = []
    for process_id in sorted(models.diagrams, key=lambda process_id: process_id in called):
        model = models.diagrams[process_id]
        for plane in models.planes(process_id):
            # the outermost plane may be that of a collaboration, which has no name
            inside = plane.element_id if plane.element_id in model.elements else process_id
            name = models.element_name(process_id, inside)
            place = plane_id(process_id, plane.element_id)
            found.append(Tab(place, name, count.get(place, 0)))
    return found


def plane_id(process_id: str, element_id: str) -> str:
    """Return the id of a plane; an element of another process may have the same id."""
    return f"{process_id}:{element_id}"


def plane_of(models: Models, process_id: str, element_id: str) -> str:
    """Return the plane on which an element or flow is drawn."""
    drawn = models.planes(process_id)
    here = (
        plane.element_id
        for plane in drawn
        if element_id in {*(shape.element_id for shape in plane.shapes), *(line.element_id for line in plane.lines)}
    )
    return plane_id(process_id, next(here, process_id))


def links(models: Models, plane: str, address: str) -> dict[str, str]:
    """Return for each element of a plane the address of what lies in it: a phase, or a called process."""
    process_id = plane.partition(":")[0]
    model = models.diagrams[process_id]
    inner = {drawn.element_id for drawn in models.planes(process_id)}
    found = {
        element_id: address + plane_id(process_id, element_id) for element_id in inner if element_id in model.elements
    }
    for element in model.elements.values():
        if element.called is not None and element.called in models.diagrams:
            drawn = models.planes(element.called)
            if drawn:
                found[element.id] = address + plane_id(element.called, drawn[0].element_id)
    return found


def walk_marks(walk: Walk, positions: Iterable[Position], process_id: str, language: str) -> dict[str, Mark]:
    """Return the marks of a process: where the case is, is inside of, is stopped, and has passed."""
    marks = {element_id: Mark("passed") for process, element_id in walk.passed() if process == process_id}
    for instance in walk.case.state.instances.values():
        if instance.bpmn_process_id == process_id:
            for element in instance.element_instances.values():
                marks[element.element_id] = Mark("inside")
    places: dict[str, list[Position]] = {}
    for place in positions:
        if place.process_id == process_id:
            places.setdefault(place.element_id, []).append(place)
    for element_id, here in places.items():
        kind = "stuck" if any(place.is_stuck for place in here) else "here"
        said = [text.translate(language) for place in here for text in (place.name, *place.waits)]
        marks[element_id] = Mark(kind, len(here) if len(here) > 1 else 0, " · ".join(dict.fromkeys(said)))
    return marks


def coverage_marks(found: Coverage, process: Process | None) -> dict[str, Mark]:
    """Return the marks of a process: how many walks visited each element, and which none did.

    What is meant to be visited by none has no mark, nor has a process that is only drawn beside the others (None).
    """
    if process is None:
        return {}
    # a number at each flow as well would hide the diagram
    marks = {
        element_id: Mark("passed", count if element_id in process.elements else 0)
        for (process_id, element_id), count in found.times.items()
        if process_id == process.id
    }
    marks |= {one.element_id: Mark("missed") for one in found.unvisited if one.process_id == process.id}
    return marks
