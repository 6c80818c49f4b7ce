"""Hold what models read against what anybody gives: the declared workers' inputs and outputs, and every other name."""

import dataclasses
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from services.designers.lint.findings import Finding, Level
from services.designers.lint.folder import Diagram, Folder
from services.designers.lint.reviews import DECISION
from services.designers.own_workers import OwnWorker
from services.designers.policy_check.unvaried import LOOP_COUNTS
from services.domain.stages.schema import Returned
from services.engine.feel.names import free_names
from services.engine.feel.nodes import ContextNode
from services.engine.model.bpmn import Element, ElementType, Process
from services.engine.model.expression import Expression
from services.runtime.jobs.commands import camel
from services.runtime.jobs.worker import Worker
from services.runtime.models import BPMN
from services.runtime.translations import Message

_GIVEN_BY_ENGINE = (*LOOP_COUNTS, "error", "camunda")
_NONE: frozenset[str] = frozenset()


def find(
    folder: Folder, workers: Iterable[Worker], messages: Iterable[str], brought: frozenset[str] = _NONE
) -> Iterator[Finding]:
    """Yield names that nobody gives; ``messages`` are those that the portal sends, ``brought`` what messages bring."""
    shipped = list(workers)
    given = _given(folder, shipped) | brought
    certain = _is_known(folder, {worker.job_type for worker in shipped}, set(messages))
    for diagram in folder.diagrams:
        for process in diagram.processes:
            for element in process.elements.values():
                worker = folder.declared.get(element.job.type.text) if element.job is not None else None
                if worker is not None:
                    yield from _declared(diagram, element, worker, given, certain=certain)
                yield from _unknown(diagram, process, element, given)


def _declared(
    diagram: Diagram, element: Element, worker: OwnWorker, given: frozenset[str], *, certain: bool
) -> Iterator[Finding]:
    job_type = element.job.type.text if element.job is not None else ""
    mapped = dict(_entries(element.inputs))
    for name in worker.inputs:
        if name in mapped or name in given:
            continue
        text = Message(
            "The worker of {job_type} needs {variable}, and nobody gives it{hint}. Draw this instead: an input "
            "{variable} of this task, with what it is made of.",
            job_type=job_type,
            variable=name,
            hint=_hint(name, given),
        )
        yield diagram.finding(Level.ERROR if certain else Level.ADVICE, "worker-inputs", element.id, text)
    for name in mapped:
        if worker.variables and name not in worker.variables and name not in _read_by_outputs(element):
            text = Message(
                "The worker of {job_type} reads no {variable}{hint}: correct the input, or the worker's declaration.",
                job_type=job_type,
                variable=name,
                hint=_hint(name, worker.variables),
            )
            yield diagram.finding(Level.ADVICE, "worker-inputs", element.id, text)
    for name in sorted(_read_by_outputs(element)):
        is_given = name in given
        if name in worker.outputs or name in mapped or (is_given and not _is_only_copied(element, name)):
            continue
        text = Message(
            "The worker of {job_type} gives no {variable}{hint}: correct the output, or the worker's declaration.",
            job_type=job_type,
            variable=name,
            hint=_hint(name, worker.outputs),
        )
        level = Level.ERROR if certain and not is_given else Level.ADVICE
        yield diagram.finding(level, "worker-outputs", element.id, text)
    caught = {
        event.event.code.text
        for name in element.boundaries
        if (event := _boundary(diagram, name)) is not None and event.event is not None and event.event.code is not None
    }
    for code in sorted(caught - set(worker.errors)):
        text = Message(
            "The worker of {job_type} throws no error {code}{hint}: correct the event, or the worker's declaration.",
            job_type=job_type,
            code=code,
            hint=_hint(code, worker.errors),
        )
        yield diagram.finding(Level.ADVICE, "worker-errors", element.id, text)


def _boundary(diagram: Diagram, name: str) -> Element | None:
    return next((process.elements[name] for process in diagram.processes if name in process.elements), None)


def _is_only_copied(element: Element, name: str) -> bool:
    """Return whether an output takes the variable as it is, as one does with what a worker gives."""
    return any(names == frozenset({name}) for _, names in _entries(element.outputs))


def names_read(element: Element) -> set[str]:
    """Return the names that an element and the conditions behind it read."""
    found = {name for expression in _expressions(element) for name in _names(expression)}
    return found | {name for flow in element.outgoing for name in _names(flow.condition)}


def _unknown(diagram: Diagram, process: Process, element: Element, given: frozenset[str]) -> Iterator[Finding]:
    read: dict[str, set[str]] = {element.id: set()}
    for expression in _expressions(element):
        read[element.id] |= _names(expression)
    for flow in element.outgoing:
        read[flow.id] = set(_names(flow.condition))
    own = _NONE
    if element.element_type == ElementType.CALL_ACTIVITY and element.called is not None:
        own = frozenset(("*",))  # what the called process gives, its outputs may read
    for place, names in read.items():
        for name in sorted(names - given):
            if own and name in _read_by_outputs(element):
                continue
            text = Message(
                "Nobody gives {variable}{hint}: it is null here. Correct the name, or give the variable before.",
                variable=name,
                hint=_hint(name, given),
            )
            yield diagram.finding(Level.ADVICE, "unknown-variable", place, text)


def _hint(name: str, known: Iterable[str]) -> Message | str:
    close = get_close_matches(name, known, n=1, cutoff=0.75)
    return Message(" (is {close} meant?)", close=close[0]) if close else ""


def _given(folder: Folder, workers: Iterable[Worker]) -> frozenset[str]:
    """Return every name that a worker reads or gives, a review returns, or a model sets."""
    names = {DECISION, "stage", *_GIVEN_BY_ENGINE, *Returned.__args__}  # type: ignore[attr-defined]  # a Literal's values
    for worker in workers:
        names |= set(worker.variables)
        if dataclasses.is_dataclass(worker.result):
            names |= {camel(field.name) for field in dataclasses.fields(worker.result)}
    for declared in folder.declared.values():
        names |= set(declared.outputs)
    for diagram in folder.diagrams:
        for process in diagram.processes:
            for element in process.elements.values():
                names |= _sets(element)
    return frozenset(names)


def _sets(element: Element) -> set[str]:
    names = {name for mapping in (element.inputs, element.outputs) for name, _ in _entries(mapping)}
    if element.loop is not None:
        names |= {name for name in (element.loop.item, element.loop.output_collection) if name}
    if element.script is not None:
        names.add(element.script.result_variable)
    if element.called is not None and element.called.result_variable:
        names.add(element.called.result_variable)
    return names


def _is_known(folder: Folder, shipped: set[str], messages: set[str]) -> bool:
    """Return whether everything that can give a variable is known: no undeclared worker, no message of others."""
    for diagram in folder.diagrams:
        names = {message.get("name") for message in diagram.root.iter(BPMN + "message")}
        if not names <= messages or not diagram.processes:
            return False
        job_types = {
            element.job.type.text
            for process in diagram.processes
            for element in process.elements.values()
            if element.job is not None
        }
        if not job_types <= {*shipped, *folder.declared}:
            return False
    return True


def _expressions(element: Element) -> Iterator[Expression]:
    parts: list[Expression | None] = [element.inputs, element.outputs]
    if element.event is not None:
        parts += [element.event.name, element.event.key, element.event.timer, element.event.code]
    if element.loop is not None:
        parts += [element.loop.collection, element.loop.output_element, element.loop.condition]
    if element.job is not None:
        parts += [element.job.type, element.job.retries, *(value for _, value in element.job.headers)]
    if element.script is not None:
        parts.append(element.script.expression)
    yield from (part for part in parts if part is not None)


def _names(expression: Expression | None) -> frozenset[str]:
    if expression is None or expression.compiled is None:
        return _NONE
    return frozenset(free_names(expression.compiled.node))


def _entries(mapping: Expression | None) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each target of mappings with the names that its source reads."""
    node = mapping.compiled.node if mapping is not None and mapping.compiled is not None else None
    if isinstance(node, ContextNode):
        for target, source in node.entries:
            yield target, frozenset(free_names(source))


def _read_by_outputs(element: Element) -> frozenset[str]:
    return _names(element.outputs)
