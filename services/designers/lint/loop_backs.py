"""Find jobs in a loop whose output mapping leaves out what they give anew: the value of the round before stays."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from services.designers.lint.findings import Finding, Level
from services.designers.lint.folder import Folder
from services.designers.lint.variables import names_read
from services.engine.feel.names import free_names
from services.engine.feel.nodes import ContextNode
from services.engine.model.bpmn import Element, Process
from services.runtime.jobs.commands import camel
from services.runtime.jobs.worker import Worker
from services.runtime.translations import Joined, Message


def find(folder: Folder, workers: Sequence[Worker]) -> Iterator[Finding]:
    """Yield each job that its own process comes back to, and that drops what the process reads of it."""
    gives = {job_type: set(worker.outputs) for job_type, worker in folder.declared.items()} | {
        worker.job_type: {camel(field.name) for field in dataclasses.fields(worker.result)}
        for worker in workers
        if dataclasses.is_dataclass(worker.result)
    }
    for diagram in folder.diagrams:
        for process in diagram.processes:
            for element in process.elements.values():
                dropped = _dropped(process, element, gives)
                if not dropped:
                    continue
                text = Message(
                    "The process comes back to “{name}”, whose worker gives {variables} again, and its outputs leave "
                    "that out: the value of the round before stays. Add an output for each.",
                    name=element.name or element.id,
                    variables=Joined(", ", dropped),
                )
                yield diagram.finding(Level.ADVICE, "dropped-output", element.id, text)


def _dropped(process: Process, element: Element, gives: Mapping[str, set[str]]) -> list[str]:
    given = gives.get(element.job.type.text, set()) if element.job is not None else set()
    node = element.outputs.compiled.node if element.outputs is not None and element.outputs.compiled else None
    if not given or not isinstance(node, ContextNode) or not _comes_back(process, element):
        return []
    taken = {name for _, source in node.entries for name in free_names(source)}
    read = {name for other in process.elements.values() if other is not element for name in names_read(other)}
    return sorted((given - taken) & read)


def _comes_back(process: Process, element: Element) -> bool:
    """Return whether flows lead from an element back to it."""
    seen: set[str] = set()
    ahead = [flow.target for flow in element.outgoing]
    while ahead:
        current = ahead.pop()
        if current == element.id:
            return True
        if current not in seen:
            seen.add(current)
            after = process.elements[current]
            ahead += [flow.target for flow in after.outgoing]
            ahead += [flow.target for name in after.boundaries for flow in process.elements[name].outgoing]
    return False
