"""Mutants of the models: each element, flow, condition, timer and table cell removed or bent, one at a time.

A mutant is a small wrong edit that nobody meant. What the policy check says of all of them shows what it would not see.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edited_models import BPMN, NS, Model, Table
from lxml import etree

from services.designers.lint import check as lint_check
from services.designers.lint.findings import Level
from services.designers.policy_check.check import check
from services.designers.policy_check.explorer import ANYTHING
from services.designers.policy_check.report import ExitCode, Report
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.runtime.jobs.worker import Worker

_ALONE = {"process", "startEvent", "documentation"}  # not removed: nothing would be left of what they begin
_KEPT = ("incoming", "outgoing", "documentation", "extensionElements")
_DURATIONS = {"timeDuration": "P90D", "timeCycle": "R1/P1D", "timeDate": None}
_OTHER = {"true": "false", "false": "true"}


@dataclass(frozen=True)
class Mutant:
    """``name`` says which part was bent and how; it stays the same while the models do."""

    name: str
    apply: Callable[[Path], None]

    def __str__(self) -> str:
        return self.name


def mutants(folder: Path) -> Iterator[Mutant]:
    """Yield the mutants of the models of a folder."""
    for name in sorted(file.name for file in folder.glob("*.bpmn")):
        model = Model(folder, name)
        for element in model.root.iter(f"{BPMN}*"):
            kind = etree.QName(element).localname
            if kind == "sequenceFlow":
                yield from _of_flow(model, name, element)
            elif element.get("id") and (element.find(f"{BPMN}incoming") is not None or kind == "boundaryEvent"):
                yield from _of_element(name, element, kind)
            elif kind == "subProcess" and element.get("triggeredByEvent"):
                yield _mutant(name, element.get("id"), "removed", lambda model, i: model.remove(i, bridge=False))
            yield from _of_parts(name, element, kind)
    for name in sorted(file.name for file in folder.glob("*.dmn")):
        yield from _of_table(name, Table(folder, name))


def examine(folder: Path, workers: Sequence[Worker], shipped: Callable[[], Report], *, seconds: float = 120) -> str:
    """Return what lint or the check finds in a folder; else ``equal`` (to the shipped models) or ``survived``."""
    found = lint_check.find(folder, workers, templates=False)
    if errors := [finding.rule for finding in found if finding.level is Level.ERROR]:
        return f"lint: {errors[0]}"
    try:
        report = check(folder, workers, seconds=seconds, until=ANYTHING)
    except UnreadableFile as error:
        return f"unreadable: {str(error).rpartition('/')[2]}"
    if report.exit_code != ExitCode.CLEAN:
        verdicts = report.broken or report.undecided
        return f"{report.exit_code.name.lower()}: {verdicts[0].rule if verdicts else 'not looked at'}"
    known = shipped()
    alike = (report.states, report.moves, report.happened) == (known.states, known.moves, known.happened)
    return "equal" if alike else "survived"


def _mutant(name: str, identity: str, how: str, bend: Callable[[Model, str], None]) -> Mutant:
    def apply(folder: Path) -> None:
        model = Model(folder, name)
        bend(model, identity)
        model.save()

    return Mutant(f"{identity} {how}", apply)


def _of_flow(model: Model, name: str, flow: Any) -> Iterator[Mutant]:
    identity = flow.get("id")
    siblings = [child.text for child in model.one(flow.get("sourceRef")).findall(f"{BPMN}outgoing")]
    if len(siblings) > 1:
        yield _mutant(name, identity, "removed", lambda model, i: model.remove_flow(i))
        other = siblings[(siblings.index(identity) + 1) % len(siblings)]
        aim = model.one(other).get("targetRef")
        if aim != flow.get("targetRef"):
            yield _mutant(name, identity, f"led to {aim}", lambda model, i: model.retarget(i, aim))
    if flow.find(f"{BPMN}conditionExpression") is not None:
        text = flow.find(f"{BPMN}conditionExpression").text
        yield _mutant(name, identity, "negated", lambda model, i: model.condition(i, f"=not({text[1:]})"))
        yield _mutant(name, identity, "always", lambda model, i: model.condition(i, "=true"))


def _of_element(name: str, element: Any, kind: str) -> Iterator[Mutant]:
    identity = element.get("id")
    if kind == "boundaryEvent":
        yield _mutant(name, identity, "removed", lambda model, i: model.remove_branch(i))
        if element.find(f"{BPMN}errorEventDefinition") is None:
            yield _mutant(name, identity, "interrupts the other way", _flip)
    elif kind not in _ALONE and len(element.findall(f"{BPMN}outgoing")) == 1:
        yield _mutant(name, identity, "removed", lambda model, i: model.remove(i))


def _flip(model: Model, identity: str) -> None:
    event = model.one(identity)
    event.set("cancelActivity", "true" if event.get("cancelActivity") == "false" else "false")


def _of_parts(name: str, element: Any, kind: str) -> Iterator[Mutant]:
    identity = element.get("id")
    for definition in element.findall(f"{BPMN}timerEventDefinition"):
        if (late := _DURATIONS[etree.QName(definition[0]).localname]) is not None:
            yield _mutant(name, identity, f"after {late}", lambda model, i, late=late: model.timer(i, late))
        else:
            later = f'{definition[0].text} + duration("P30D")'
            yield _mutant(name, identity, "30 days later", lambda model, i, later=later: model.timer(i, later))
    if element.find(f"{BPMN}terminateEventDefinition") is not None:
        yield _mutant(name, identity, "ends its own way alone", _without("terminateEventDefinition"))
    if element.find(f"{BPMN}multiInstanceLoopCharacteristics") is not None:
        yield _mutant(name, identity, "once", _without("multiInstanceLoopCharacteristics"))
    if kind == "startEvent" and _is_inner(element):
        yield _mutant(name, identity, "interrupts the other way", _flip_start)
    for extension in element.findall(f"{BPMN}extensionElements"):
        for mapping in extension.iter(f"{{{NS['zeebe']}}}input", f"{{{NS['zeebe']}}}output"):
            direction, target = etree.QName(mapping).localname, mapping.get("target")
            yield _mutant(
                name,
                identity,
                f"without its {direction} {target}",
                lambda model, i, d=direction, t=target: model.mapping(i, d, t, None),
            )


def _is_inner(element: Any) -> bool:
    return element.getparent().get("triggeredByEvent") == "true"


def _flip_start(model: Model, identity: str) -> None:
    event = model.one(identity)
    event.set("isInterrupting", "true" if event.get("isInterrupting") == "false" else "false")


def _without(tag: str) -> Callable[[Model, str], None]:
    def bend(model: Model, identity: str) -> None:
        element = model.one(identity)
        element.remove(element.find(f"{BPMN}{tag}"))

    return bend


def _of_table(name: str, table: Table) -> Iterator[Mutant]:
    names = {"d": table.root.nsmap[None]}
    for decision in table.root.xpath("//d:decisionTable", namespaces=names):
        for rule in decision.findall("{*}rule"):
            yield _of_rule(name, rule.get("id"), "removed", lambda table, i: table.remove_rule(i))
            for column, entry in enumerate(rule.findall("{*}outputEntry")):
                if (other := _another(decision, column, entry.findtext("{*}text"))) is not None:
                    yield _of_rule(
                        name, entry.get("id"), f"says {other}", lambda table, i, other=other: table.cell(i, other)
                    )
            for entry in rule.findall("{*}inputEntry"):
                if entry.findtext("{*}text") not in ("", "-"):
                    yield _of_rule(name, entry.get("id"), "holds for all", lambda table, i: table.cell(i, "-"))


def _of_rule(name: str, identity: str, how: str, bend: Callable[[Table, str], None]) -> Mutant:
    def apply(folder: Path) -> None:
        table = Table(folder, name)
        bend(table, identity)
        table.save()

    return Mutant(f"{identity} {how}", apply)


def _another(decision: Any, column: int, text: str) -> str | None:
    """Return another value of the column than this one."""
    if text in _OTHER:
        return _OTHER[text]
    if text.isdigit():
        return str(int(text) * 10)
    values = {rule.findall("{*}outputEntry")[column].findtext("{*}text") for rule in decision.findall("{*}rule")}
    return next(iter(sorted(values - {text})), None)
