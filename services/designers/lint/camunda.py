"""Weigh what the linters on Node find: Camunda's rules for each version, and the rules of style.

What a Camunda cluster refuses is an error where the file says that it is for such a version; bpmnlint's own rules are
of style, because what will not run is said by the engine (``folder.py``) and by Camunda's rules.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from services.designers import element_templates, node_tools
from services.designers.lint.findings import Finding, Level
from services.runtime.translations import Bilingual, Joined, Message, Text

# Camunda's rule on functions (bpmnlint-plugin-camunda-compat 2.61) finds them missing in the version that has them too.
_NEEDS = re.compile(r"requires Camunda >=(\d+)\.(\d+)")
_PROFILE = re.compile(r"Camunda (\d+)\.(\d+)")
_PLATFORM = "{http://camunda.org/schema/modeler/1.0}executionPlatformVersion"
_CONFIGURED_AS_STYLE = ("warn", "info")

# A sentence of ours for each rule of bpmnlint and dmnlint that a designer meets.
STYLE: Mapping[str, Message] = {
    "conditional-flows": Message("A flow out of this gateway has no condition and is not the default: give it one."),
    "end-event-required": Message("It has no end event: draw one where it is done."),
    "event-based-gateway": Message("An event-based gateway needs two events behind it, and no conditions."),
    "event-sub-process-typed-start-event": Message("The start event of an event subprocess needs a trigger."),
    "fake-join": Message(
        "Several flows come in here without a gateway: each token that comes runs it again. If only one can come, "
        "nothing is wrong; an exclusive gateway before it shows that."
    ),
    "global": Message("A message, signal or error has no name, is not used, or has the name of another one."),
    "label-required": Message("It has no name: write what it does, asks or means; the page of a case shows it."),
    "link-event": Message("A link needs a name, and one that throws and one that catches it."),
    "no-bpmndi": Message("It is not drawn: the diagram of the case does not show it."),
    "no-complex-gateway": Message("Complex gateways are not supported: draw exclusive, parallel or inclusive ones."),
    "no-disconnected": Message("Nothing is connected to it: draw the flows, or delete it."),
    "no-duplicate-sequence-flows": Message("Two flows lead from and to the same elements: keep one."),
    "no-gateway-join-fork": Message("This gateway joins and forks: two gateways, one behind the other, are clearer."),
    "no-implicit-end": Message("No flow leaves it: the token ends here. Draw an end event if that is meant."),
    "no-implicit-split": Message("Several flows leave it, and all are taken: a parallel gateway shows that."),
    "no-implicit-start": Message("No flow leads to it, so it never happens: draw the flow, or delete it."),
    "no-inclusive-gateway": Message(
        "Inclusive gateways are hard to read: use one only where several flows may be taken."
    ),
    "no-overlapping-elements": Message("It lies over another element, or outside of its frame: move it."),
    "single-blank-start-event": Message("It has several start events without a trigger: keep one."),
    "single-event-definition": Message("An event has one trigger: draw an event for each."),
    "start-event-required": Message("It needs a start event."),
    "sub-process-blank-start-event": Message("The start event of a subprocess has no trigger."),
    "superfluous-gateway": Message("This gateway has one flow in and one out: it can go."),
    "superfluous-label": Message("The name of a flow matters only behind a gateway that chooses: it can go."),
    "superfluous-termination": Message("The terminate end is not needed here: a plain end event does the same."),
    "ad-hoc-sub-process": Message("Ad-hoc subprocesses are not supported: draw gateways that choose among the tasks."),
    "no-duplicate-requirements": Message("Two arrows lead from and to the same elements: keep one."),
}


@dataclass(frozen=True)
class _Report:
    """What a linter says of an element; the same of several Camunda versions is one finding."""

    file: str
    rule: str
    category: str
    element: str
    message: str


def find(paths: Sequence[Path]) -> list[Finding]:
    """Return the findings of the linters in these files; Fatal if a tool is missing."""
    found: defaultdict[_Report, list[str]] = defaultdict(list)
    for one in node_tools.read("lint", "--json", *paths):
        report = _Report(one["file"], one["rule"], one["category"] or "", one["id"] or "", one["message"])
        if not _is_met(report, one["profile"]):
            found[report].append(one["profile"])
    places = {str(path): _places(path) for path in paths}
    return [_finding(report, profiles, places[report.file]) for report, profiles in found.items()]


def find_templates(folder: Path) -> list[Finding]:
    """Return which element templates of a folder Modeler cannot use; Fatal if a tool is missing."""
    place = folder / element_templates.FOLDER
    if not place.is_dir():
        return []
    return [
        Finding(
            Level.ADVICE,
            "template-schema",
            str(Path(report["file"]).relative_to(folder.absolute())),
            None,
            "",
            Message("Modeler cannot use this element template: {cause}", cause=report["message"]),
        )
        for report in node_tools.read("templates", "--json", place.absolute())
    ]


def _is_met(report: _Report, profile: str) -> bool:
    needs, version = _NEEDS.search(report.message), _PROFILE.match(profile)
    return needs is not None and version is not None and _numbers(version) >= _numbers(needs)


def _numbers(match: re.Match[str]) -> tuple[int, int]:
    return int(match[1]), int(match[2])


@dataclass(frozen=True)
class _Places:
    """The lines of a file's elements, and the version that it says it is for."""

    lines: Mapping[str, int]
    version: tuple[int, int] | None


def _places(path: Path) -> _Places:
    try:
        root = etree.parse(path, etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
    except etree.XMLSyntaxError:
        return _Places({}, None)
    lines = {node.get("id", ""): node.sourceline or 1 for node in reversed(list(root.iter("*"))) if node.get("id")}
    named = re.match(r"(\d+)\.(\d+)", root.get(_PLATFORM, ""))
    return _Places(lines, _numbers(named) if named else None)


def _finding(report: _Report, profiles: Iterable[str], places: _Places) -> Finding:
    name, cause = Path(report.file).name, report.message.removesuffix(".")
    versions = [match for profile in profiles if (match := _PROFILE.match(profile))]
    level = Level.ADVICE
    text: Text
    if report.rule == "reading":
        cause = cause.removeprefix(f"{report.file}: ")
        text = Message("Modeler would not keep all of this file: {cause}.", cause=cause)
    elif not versions:
        text = STYLE.get(report.rule, Bilingual(f"{cause}。", f"{cause}."))
    else:
        refusing = Joined(", ", [version[0].removeprefix("Camunda ") for version in versions])
        if report.category in _CONFIGURED_AS_STYLE:
            text = Message("On Camunda {versions}: {cause}.", versions=refusing, cause=cause)
        else:
            text = Message("Camunda {versions} does not run this: {cause}.", versions=refusing, cause=cause)
            meant = places.version or (0, 0)
            level = Level.ERROR if any(_numbers(version) >= meant for version in versions) else Level.ADVICE
    return Finding(level, report.rule, name, places.lines.get(report.element), report.element, text)
