"""The files of a folder as lint reads them: what is drawn, with its lines, and what the engine makes of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lxml import etree

from services.designers import own_workers
from services.designers.lint.engine_words import told
from services.designers.lint.findings import Finding, Level
from services.designers.own_workers import OwnWorker
from services.domain.stages import file as stage_file
from services.domain.stages.schema import Stage
from services.domain.supervision import checklists
from services.engine.errors import InvalidModel
from services.engine.model.bpmn import ElementType, Process
from services.engine.model.dmn import parse_dmn
from services.engine.model.parse import parse_bpmn
from services.runtime import models
from services.runtime.json_lines import Problem, line_positions
from services.runtime.models import Element, Model
from services.runtime.translations import Bilingual, Message, Text

_ELEMENT = re.compile(r"Element '([^']*)'[^:]*: ")
# What a Camunda cluster runs and the embedded engine does not (services/engine/model/parse.py).
_OF_A_CLUSTER = ("Camunda user tasks need REST", "execution listeners are not supported", "task listeners are not supp")


@dataclass(frozen=True)
class Diagram:
    """One BPMN file. ``processes`` are those in which tokens can be followed; of others the engine says why not."""

    name: str
    root: etree._Element
    models: Mapping[str, Model]
    processes: Sequence[Process]
    lines: Mapping[str, int]

    def elements(self) -> Iterator[Element]:
        for model in self.models.values():
            yield from model.elements.values()

    @cached_property
    def reached(self) -> frozenset[str]:
        """Return the elements that a token can come to; conditions are not looked at."""
        return frozenset(name for process in self.processes for name in _reached(process))

    def finding(self, level: Level, rule: str, element: str, text: Text) -> Finding:
        """Return a finding of one element, with its line."""
        return Finding(level, rule, self.name, self.lines.get(element), element, text)


@dataclass(frozen=True)
class Folder:
    """A folder that was read; ``findings`` are those of its files as such."""

    path: Path
    diagrams: Sequence[Diagram] = ()
    stages: Mapping[str, Stage] | None = None
    stage_lines: Mapping[str, int] = field(default_factory=dict)
    declared: Mapping[str, OwnWorker] = field(default_factory=dict)
    declaration_is_read: bool = True
    findings: Sequence[Finding] = ()


def _reached(process: Process) -> set[str]:
    inside: dict[str, list[str]] = {}
    for element in process.elements.values():
        if element.element_type in (ElementType.START_EVENT, ElementType.EVENT_SUB_PROCESS):
            inside.setdefault(element.scope, []).append(element.id)
    found: set[str] = set()
    queue = [process.id]
    while queue:
        name = queue.pop()
        if name in found or name not in process.elements:
            continue
        found.add(name)
        element = process.elements[name]
        queue += [flow.target for flow in element.outgoing]
        queue += [*element.boundaries, *process.links.get(name, ()), *inside.get(name, ())]
        if element.handler is not None:
            queue.append(element.handler)
    return found


def read(path: Path, shipped: frozenset[str]) -> Folder:
    """Read the models, stages and declared workers of a folder; ``shipped`` are the product's job types."""
    findings: list[Finding] = []
    diagrams = [found for file in sorted(path.glob("*.bpmn")) if (found := _diagram(file, findings)) is not None]
    for file in sorted(path.glob("*.dmn")):
        _check_table(file, findings)
    stages, problems = stage_file.check(path / stage_file.NAME)
    findings += _problems(stage_file.NAME, "review-stages", problems)
    if (path / checklists.NAME).exists():
        findings += _problems(checklists.NAME, "checklists", checklists.check(path / checklists.NAME)[1])
    declared, problems = None, []
    if (path / own_workers.NAME).exists():
        declared, problems = own_workers.check(path / own_workers.NAME, shipped)
        findings += _problems(own_workers.NAME, "own-workers", problems)
    return Folder(
        path,
        diagrams,
        None if stages is None else stages.stages,
        {} if stages is None else _stage_lines(path / stage_file.NAME),
        {} if declared is None else declared.workers,
        declared is not None or not problems,
        findings,
    )


def _diagram(file: Path, findings: list[Finding]) -> Diagram | None:
    content = file.read_bytes()
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
        read_models = models.parse(content)
    except etree.XMLSyntaxError as error:
        findings.append(_no_xml(file, error))
        return None
    lines = {node.get("id", ""): node.sourceline or 1 for node in reversed(list(root.iter("*"))) if node.get("id")}
    findings += _engine_findings(file.name, content, lines)
    try:
        processes = [process for process in parse_bpmn(content, deployed=True) if _is_whole(process)]
    except (InvalidModel, LookupError):
        processes = []  # the engine's findings say why
    return Diagram(file.name, root, read_models, processes, lines)


def _is_whole(process: Process) -> bool:
    """Return whether all flows and boundary events stay in their scope, so that tokens can be followed."""
    elements = process.elements
    for element in elements.values():
        ends = [flow.target for flow in element.outgoing] + ([element.attached_to] if element.attached_to else [])
        if any(end not in elements or elements[end].scope != element.scope for end in ends):
            return False
    return True


def _engine_findings(name: str, content: bytes, lines: Mapping[str, int]) -> Iterator[Finding]:
    """Yield what the engine refuses at the deployment."""
    try:
        parse_bpmn(content)
    except InvalidModel as error:
        for problem in error.problems:
            match = _ELEMENT.match(problem)
            element = match[1] if match else ""
            cause = problem.removeprefix(match[0]) if match else problem
            if any(text in cause for text in _OF_A_CLUSTER):
                text = Message(
                    "A Camunda cluster runs this, the embedded engine refuses it: {cause}.", cause=told(cause)
                )
                yield Finding(Level.ADVICE, "cluster-only", name, lines.get(element), element, text)
            else:
                text = Message("The engine refuses the model: {cause}.", cause=told(cause))
                yield Finding(Level.ERROR, "engine", name, lines.get(element), element, text)


def _check_table(file: Path, findings: list[Finding]) -> None:
    content = file.read_bytes()
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
        parse_dmn(content)
    except etree.XMLSyntaxError as error:
        findings.append(_no_xml(file, error))
    except InvalidModel as error:
        lines = {node.get("id", ""): node.sourceline or 1 for node in reversed(list(root.iter("*")))}
        for problem in error.problems:
            match = re.search(r"'([^']*)'", problem)
            element = match[1] if match and match[1] in lines else ""
            text = Message("The engine refuses the model: {cause}.", cause=told(problem))
            findings.append(Finding(Level.ERROR, "engine", file.name, lines.get(element), element, text))


def _no_xml(file: Path, error: etree.XMLSyntaxError) -> Finding:
    text = Message(
        "It is no XML ({cause}): correct that line, or save the model in Camunda Modeler once more.", cause=error.msg
    )
    return Finding(Level.ERROR, "xml", file.name, error.lineno or 1, "", text)


def _problems(name: str, rule: str, problems: Sequence[Problem]) -> Iterator[Finding]:
    for problem in problems:
        text = Bilingual(f"{problem.sentence}。", f"{problem.sentence}.")
        yield Finding(Level.ERROR, rule, name, problem.line, problem.key, text)


def _stage_lines(path: Path) -> dict[str, int]:
    positions = line_positions(path.read_text(encoding="utf-8"))
    return {str(key[1]): line for key, line in positions.items() if len(key) == 2 and key[0] == "stages"}
