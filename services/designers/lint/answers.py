"""Find answers that get lost: two reviews at once with one variable, and gateways that do not fit the answer."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.designers.lint import routes
from services.designers.lint.findings import Finding, Level
from services.designers.lint.folder import Diagram, Folder
from services.designers.lint.reviews import DECISION, Call, calls
from services.designers.own_workers import Value
from services.designers.policy_check.side_by_side import SideBySide
from services.domain.stages.schema import Stage
from services.engine.feel import Expression, FeelEvaluationError, to_json
from services.engine.feel.names import free_names
from services.engine.feel.nodes import ContextNode, Node
from services.engine.model.bpmn import Element, ElementType, Flow, Process
from services.runtime.translations import Joined, Message

_MOST_COMBINATIONS = 500


def find(folder: Folder) -> Iterator[Finding]:
    """Yield what becomes of answers: of reviews, and of the declared workers."""
    stages = folder.stages or {}
    for diagram in folder.diagrams:
        found = {call.id: call for call in calls(diagram, stages)}
        for process in diagram.processes:
            ours = {name: found[name] for name in process.elements if name in found}
            yield from _lost(diagram, process, ours)
            by_route: dict[str, list[Stage]] = {}
            for route in routes.find_routes(folder, diagram, process):
                by_route.setdefault(route.call.id, []).extend(route.stages(stages))
            yield from _gateways(diagram, process, _answers(process, ours, folder, by_route))


def _lost(diagram: Diagram, process: Process, found: Mapping[str, Call]) -> Iterator[Finding]:
    """Yield reviews that can be open at once and write one variable: the answer that comes last counts."""
    beside = SideBySide(process)
    for one, other in itertools.combinations(found.values(), 2):
        shared = sorted(
            name
            for name in one.written().keys() & other.written().keys()
            if _owner(process, one.id, name) == _owner(process, other.id, name)
        )
        if shared and beside.can_be_at_once(one.id, other.id):
            text = Message(
                "“{one}” and “{other}” can be open at once, and both write {variables}: the answer that comes last "
                "counts, whatever the other one was. Draw this instead: an output of its own for each, such as "
                "={source} to {example}, and behind the join a gateway that reads both.",
                one=one.name,
                other=other.name,
                variables=Joined(", ", shared),
                source=other.written()[shared[0]],
                example=_example(other, shared[0]),
            )
            yield diagram.finding(Level.ERROR, "reviews-at-once", other.id, text)
    for call in found.values():
        shared = sorted(name for name in call.written() if _repeats(process, beside, call.id, name))
        if shared:
            text = Message(
                "“{one}” can be open several times at once, and all of them write {variables}: the answer that comes "
                "last counts. Draw this instead: a subprocess that has {example} as an input, and that collects the "
                "answers in an output collection.",
                one=call.name,
                variables=Joined(", ", shared),
                example=shared[0],
            )
            yield diagram.finding(Level.ERROR, "reviews-at-once", call.id, text)


def _example(call: Call, name: str) -> str:
    stage = call.code or "second"
    first, *others = stage.split("-")
    return "".join([first, *map(str.capitalize, others)]) + name[:1].upper() + name[1:]


def _local(element: Element, name: str) -> bool:
    """Return whether a variable is the element's own, so that what is inside does not write it further out."""
    loop = element.loop
    return name in _targets(element) or (loop is not None and name == loop.item)


def _targets(element: Element) -> frozenset[str]:
    compiled = element.inputs.compiled if element.inputs is not None else None
    return frozenset(key for key, _ in getattr(compiled.node, "entries", ())) if compiled is not None else frozenset()


def _owner(process: Process, element: str, name: str) -> str:
    """Return the scope that a variable belongs to, as an element writes it."""
    current = process.elements[process.elements[element].scope]
    while current.element_type != ElementType.PROCESS and not _local(current, name):
        current = process.elements[current.scope]
    return current.id


def _repeats(process: Process, beside: SideBySide, element: str, name: str) -> bool:
    """Return whether the variable is written by two runs of one element at once."""
    loop = process.elements[element].loop
    if loop is not None and not loop.sequential:
        return loop.output_collection is None
    if beside.repeats(element):
        return True
    for scope in beside.scopes(element):
        around = process.elements[scope]
        if around.element_type == ElementType.PROCESS or _local(around, name):
            return False
        if beside.repeats(scope) or (around.loop is not None and not around.loop.sequential):
            return True
    return False


@dataclass(frozen=True)
class Answer:
    """What a review or a declared worker gives: each way to end, with the variables as the caller has them.

    ``open`` are variables that it writes and whose values are not known.
    """

    name: str
    outcomes: Sequence[Mapping[str, Any]]
    open: frozenset[str]
    is_review: bool


def _answers(
    process: Process, found: Mapping[str, Call], folder: Folder, by_route: Mapping[str, Sequence[Stage]]
) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for element in process.elements.values():
        if element.loop is not None:
            continue
        name = element.name or element.id
        call = found.get(element.id)
        worker = folder.declared.get(element.job.type.text) if element.job is not None else None
        if call is not None and call.stage is not None:
            decisions = [{DECISION: outcome} for outcome in call.stage.outcomes]
            if call.takes_all:
                answers[element.id] = Answer(name, decisions, frozenset(call.stage.returns), is_review=True)
            else:
                answers[element.id] = _mapped(element, name, decisions, is_review=True)
        elif call is not None and (stages := by_route.get(element.id)) and not call.takes_all:
            outcomes = dict.fromkeys(outcome for stage in stages for outcome in stage.outcomes)
            answers[element.id] = _mapped(element, name, [{DECISION: outcome} for outcome in outcomes], is_review=True)
        elif worker is not None and worker.outputs:
            given = list(itertools.islice(worker.outcomes(), _MOST_COMBINATIONS + 1))
            if len(given) <= _MOST_COMBINATIONS:
                answers[element.id] = _mapped(element, name, given, is_review=False)
    return answers


def _mapped(element: Element, name: str, given: Sequence[Mapping[str, Value]], *, is_review: bool) -> Answer:
    """Return the answer as the element's outputs hand it on; without outputs a job's variables are the answer."""
    if element.outputs is None:
        # a local variable of the same name takes the value instead
        local = _targets(element)
        left = [{key: value for key, value in one.items() if key not in local} for one in given]
        return Answer(name, left if not is_review else [{} for _ in given], local, is_review)
    node = element.outputs.compiled.node if element.outputs.compiled is not None else None
    entries = node.entries if isinstance(node, ContextNode) else ()
    known = {target: source for target, source in entries if set(free_names(source)) <= given[0].keys()}
    return Answer(
        name,
        [{target: _evaluated(source, one) for target, source in known.items()} for one in given],
        frozenset(target for target, _ in entries) - known.keys(),
        is_review,
    )


def _evaluated(source: Node, variables: Mapping[str, Value]) -> Any:
    try:
        return to_json(Expression("", source).evaluate(variables))
    except FeelEvaluationError:
        return None


def _gateways(diagram: Diagram, process: Process, answers: Mapping[str, Answer]) -> Iterator[Finding]:
    """Hold the exclusive gateways directly behind an answer against the ways in which it can end."""
    for gateway in process.elements.values():
        sources = {flow.source for flow in gateway.incoming}
        if gateway.element_type != ElementType.EXCLUSIVE_GATEWAY or len(sources) != 1 or len(gateway.outgoing) < 2:
            continue
        answer = answers.get(next(iter(sources)))
        if answer is None:
            continue
        read = frozenset(name for flow in gateway.outgoing for name in _names(flow))
        known = frozenset(name for outcome in answer.outcomes for name in outcome)
        if answer.is_review and not read & (known | answer.open):
            text = Message(
                "The gateway behind “{name}” does not read its answer ({variables}): whatever is answered, it chooses "
                "the same way.",
                name=answer.name,
                variables=Joined(", ", sorted(known)),
            )
            yield diagram.finding(Level.ADVICE, "unread-answer", gateway.id, text)
        elif read and read <= known:
            yield from _ways(diagram, gateway, answer)


def _ways(diagram: Diagram, gateway: Element, answer: Answer) -> Iterator[Finding]:
    """Evaluate every condition with every outcome; nothing else is read."""
    unused = {flow.id: flow for flow in gateway.outgoing if flow.condition is not None}
    told = set[str]()
    for outcome in answer.outcomes:
        taken = [flow for flow in gateway.outgoing if _holds(flow, outcome)]
        for flow in taken:
            unused.pop(flow.id, None)
        if not taken and gateway.default_flow is None:
            text = Message(
                "“{name}” can end with {values}, and no flow of this gateway is for that: the case stops here with an "
                "incident. Draw this instead: a flow with that condition, or a default flow.",
                name=answer.name,
                values=_told(outcome),
            )
            yield diagram.finding(Level.ERROR, "no-way-out", gateway.id, text)
        if len(taken) > 1 and taken[0].id not in told:
            told.add(taken[0].id)
            text = Message(
                "“{name}” can end with {values}. This flow is for that, and so is the one with the condition {other}: "
                "which of them is taken depends on their order in the file. Draw this instead: conditions that exclude "
                "each other.",
                name=answer.name,
                values=_told(outcome),
                other=_condition(taken[-1]),
            )
            yield diagram.finding(Level.ADVICE, "two-ways", taken[0].id, text)
    for flow in unused.values():
        text = Message(
            "This flow is never taken: “{name}” never ends so that {condition}. It ends with {values}.",
            name=answer.name,
            condition=_condition(flow),
            values=Joined("; ", [_told(outcome) for outcome in answer.outcomes]),
        )
        yield diagram.finding(Level.ADVICE, "never-taken", flow.id, text)


def _told(outcome: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in outcome.items())


def _condition(flow: Flow) -> str:
    return flow.condition.text.removeprefix("=") if flow.condition is not None else ""


def _names(flow: Flow) -> frozenset[str]:
    compiled = flow.condition.compiled if flow.condition is not None else None
    return frozenset(free_names(compiled.node, inside_filters=True)) if compiled is not None else frozenset()


def _holds(flow: Flow, outcome: Mapping[str, Any]) -> bool:
    compiled = flow.condition.compiled if flow.condition is not None else None
    if compiled is None:
        return False
    try:
        return compiled.evaluate(outcome) is True
    except FeelEvaluationError:
        return False
