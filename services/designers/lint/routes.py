"""Check the routes of reviews: the stages that a decision table lists, and the gateway behind their answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from lxml import etree

from services.designers.lint.findings import Finding, Level
from services.designers.lint.folder import Diagram, Folder
from services.designers.lint.reviews import Call, calls
from services.designers.policy_check import routes
from services.designers.policy_check.routes import Row, Source
from services.domain.stages import file as stage_file
from services.domain.stages.schema import Stage
from services.engine.errors import InvalidModel
from services.engine.feel import FeelEvaluationError
from services.engine.feel.names import free_names
from services.engine.model.bpmn import Element, ElementType, Flow, Process
from services.engine.model.decisions import DecisionTable
from services.engine.model.dmn import parse_dmn
from services.runtime.translations import Message, Text


@dataclass(frozen=True)
class Table:
    """A decision table of the folder, with the lines of what has an id."""

    file: str
    lines: Mapping[str, int]
    table: DecisionTable

    def finding(self, rule: str, element: str, text: Text) -> Finding:
        return Finding(Level.ERROR, rule, self.file, self.lines.get(element), element, text)


@dataclass(frozen=True)
class Route:
    """What a call of a review takes its stage from, with what the table's rows say."""

    call: Call
    source: Source
    table: Table
    rows: Sequence[Row]

    def stages(self, known: Mapping[str, Stage]) -> list[Stage]:
        """Return the stages that it can ask."""
        codes = dict.fromkeys(code for row in self.rows for code in row.stages or ())
        return [known[code] for code in codes if code in known]


def find_routes(folder: Folder, diagram: Diagram, process: Process) -> list[Route]:
    """Return the routes by which calls of a process get their stages."""
    found = []
    tables: Mapping[str, Table] | None = None
    for call in calls(diagram, folder.stages or {}):
        element = process.elements.get(call.id)
        if element is None or call.is_fixed:
            continue
        for source in routes.sources(process, element):
            tables = _tables(folder.path) if tables is None else tables
            table = tables.get(source.decision_id)
            if table is not None:
                rows = routes.rows(table.table, source.column, is_list=source.loop is not None)
                found.append(Route(call, source, table, tuple(rows)))
    return found


def asked(folder: Folder) -> frozenset[str]:
    """Return the codes of all stages that routes name."""
    return frozenset(
        code
        for diagram in folder.diagrams
        for process in diagram.processes
        for route in find_routes(folder, diagram, process)
        for row in route.rows
        for code in row.stages or ()
    )


def find(folder: Folder) -> Iterator[Finding]:
    """Yield what is wrong with routes: rows that name nobody, and approvals that nobody has given."""
    if folder.stages is None:
        return
    for diagram in folder.diagrams:
        for process in diagram.processes:
            for route in find_routes(folder, diagram, process):
                for row in route.rows:
                    yield from _row(route, row, folder.stages)
                yield from _gateways(diagram, process, route, folder.stages)


def _tables(folder: Path) -> dict[str, Table]:
    found: dict[str, Table] = {}
    for file in sorted(folder.glob("*.dmn")):
        found |= _tables_of(file.name, file.read_bytes())
    return found


@lru_cache(maxsize=32)
def _tables_of(name: str, content: bytes) -> Mapping[str, Table]:
    """Read the tables of one file, which several rules of lint ask for."""
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
        requirements = parse_dmn(content, deployed=True)
    except (etree.XMLSyntaxError, InvalidModel):
        return {}  # the folder's findings say why
    lines = {node.get("id", ""): node.sourceline or 1 for node in reversed(list(root.iter("*")))}
    tables = {one.id: one.logic for one in requirements.decisions.values() if isinstance(one.logic, DecisionTable)}
    return {identity: Table(name, lines, table) for identity, table in tables.items()}


def _row(route: Route, row: Row, stages: Mapping[str, Stage]) -> Iterator[Finding]:
    table, call = route.table, route.call
    if row.stages is None:
        text = Message(
            "“{name}” takes its stage from this table, and {text} names none. Write a list of codes of {file} here, "
            "such as {example}.",
            name=call.name,
            text=row.text or "—",
            file=stage_file.NAME,
            example=_example(list(stages), is_list=route.source.loop is not None),
        )
        yield table.finding("route", row.id, text)
        return
    if not row.stages:
        text = Message(
            "By this row nobody is asked, and what nobody has refused may count as approved: name at least one stage, "
            "or leave the row out, so that the case stops with an incident."
        )
        yield table.finding("empty-route", row.id, text)
    for code in row.stages:
        stage = stages.get(code)
        if stage is not None and not stage.retired:
            continue
        if stage is not None:
            text = Message("The stage {stage} is retired, but named here: name one that is in use.", stage=code)
        elif close := get_close_matches(code, stages, n=1):
            text = Message(
                "{file} has no stage {stage}: is {close} meant?", file=stage_file.NAME, stage=code, close=close[0]
            )
        else:
            text = Message(
                "{file} has no stage {stage}: add it there, or choose another stage here.",
                file=stage_file.NAME,
                stage=code,
            )
        yield table.finding("stage", row.id, text)


def _example(codes: Sequence[str], *, is_list: bool) -> str:
    quoted = [f'"{code}"' for code in codes[:2]]
    return f"[{', '.join(quoted)}]" if is_list else quoted[0] if quoted else '"security"'


def _gateways(diagram: Diagram, process: Process, route: Route, known: Mapping[str, Stage]) -> Iterator[Finding]:
    """Hold the gateways that read the answers of a route against all that the answers can be."""
    loop = route.source.loop
    stages = route.stages(known)
    if loop is None or loop.output_collection is None or not stages:
        return
    collection = loop.collection.text.removeprefix("=").strip()
    for gateway in process.elements.values():
        conditions = [flow for flow in gateway.outgoing if flow.condition is not None]
        if gateway.element_type != ElementType.EXCLUSIVE_GATEWAY or len(gateway.outgoing) < 2:
            continue
        read = {name for flow in conditions for name in _names(flow)}
        if loop.output_collection in read and read <= {collection, loop.output_collection}:
            yield from _Answers(diagram, gateway, collection, loop.output_collection, stages).find()


class _Answers:
    """The gateway behind a route, with what the reviews can have answered."""

    def __init__(
        self, diagram: Diagram, gateway: Element, collection: str, output: str, stages: Sequence[Stage]
    ) -> None:
        self._diagram = diagram
        self._gateway = gateway
        self._names = (collection, output)
        self._stages = stages

    def find(self) -> Iterator[Finding]:
        """Yield approvals that are none, and answers that no flow is for."""
        one, other = self._stages[0], self._stages[-1]
        approving = {flow for stage in self._stages for flow in self._taken([stage], [stage.favourable])}
        for flow in self._taken([], []):
            if flow in approving:
                text = Message(
                    "Where the route is empty, nobody is asked, and this flow is taken as if all had approved. Draw "
                    "this instead: a condition that begins with count({route}) > 0 and.",
                    route=self._names[0],
                )
                yield self._diagram.finding(Level.ERROR, "vacuous-approval", flow, text)
        no, yes = one.outcomes[-1], other.favourable
        for answers in ([yes], [yes, None], [no, None], [no, yes], [yes, no], [None, None]):
            wrong = [flow for flow in self._taken([one, other], answers) if flow in approving]
            if wrong:
                text = Message(
                    "Of the stages {stages} the answers are {answers}, and this flow is taken as if all had approved: "
                    "a loop that ends early leaves nulls. Draw this instead: {condition}.",
                    stages=_feel([one.code, other.code]),
                    answers=_feel(answers),
                    condition=self._example(),
                )
                yield self._diagram.finding(Level.ERROR, "incomplete-approval", wrong[0], text)
                break
        yield from self._without_way()

    def _without_way(self) -> Iterator[Finding]:
        for stage in self._stages:
            for outcome in stage.outcomes:
                if not self._taken([stage], [outcome]):
                    text = Message(
                        "The stage {stage} can end with {outcome}, and no flow of this gateway is for that: the case "
                        "stops here with an incident. Draw this instead: a flow with that condition.",
                        stage=stage.code,
                        outcome=outcome,
                    )
                    yield self._diagram.finding(Level.ERROR, "no-way-out", self._gateway.id, text)

    def _taken(self, stages: Sequence[Stage], answers: Sequence[str | None]) -> list[str]:
        """Return the flows that are taken: those whose condition holds, else the default flow."""
        route, output = self._names
        variables = {route: [stage.code for stage in stages], output: list(answers)}
        taken = [flow.id for flow in self._gateway.outgoing if _holds(flow, variables)]
        default = self._gateway.default_flow
        return taken or ([default] if default is not None else [])

    def _example(self) -> str:
        route, output = self._names
        favourable = _feel(list(dict.fromkeys(stage.favourable for stage in self._stages)))
        return (
            f"count({route}) > 0 and count({output}) = count({route}) and "
            f"(every d in {output} satisfies list contains({favourable}, d))"
        )


def _feel(values: Sequence[str | None]) -> str:
    texts = ["null" if value is None else f'"{value}"' for value in values]
    return f"[{', '.join(texts)}]"


def _names(flow: Flow) -> frozenset[str]:
    compiled = flow.condition.compiled if flow.condition is not None else None
    return frozenset(free_names(compiled.node, inside_filters=True)) if compiled is not None else frozenset()


def _holds(flow: Flow, variables: Mapping[str, Any]) -> bool:
    compiled = flow.condition.compiled if flow.condition is not None else None
    if compiled is None:
        return False
    try:
        return compiled.evaluate(variables) is True
    except FeelEvaluationError:
        return False
