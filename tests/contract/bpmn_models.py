"""The models as trees, and the questions that the contract tests ask them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from services.runtime.places import ROOT

MODELS = ROOT / "bpmn"
PICTURES = ROOT / "docs"

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
DMN = "https://www.omg.org/spec/DMN/20191111/MODEL/"
NS = {
    "bpmn": BPMN,
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "dc": "http://www.omg.org/spec/DD/20100524/DC",
    "di": "http://www.omg.org/spec/DD/20100524/DI",
    "zeebe": "http://camunda.org/schema/zeebe/1.0",
    "modeler": "http://camunda.org/schema/modeler/1.0",
    "dmn": DMN,
    "dmndi": "https://www.omg.org/spec/DMN/20191111/DMNDI/",
}

TASKS = ("serviceTask", "receiveTask", "businessRuleTask")
EVENTS = ("startEvent", "endEvent", "boundaryEvent", "intermediateCatchEvent")
GATEWAYS = ("exclusiveGateway", "parallelGateway")
NODES = (*TASKS, *EVENTS, *GATEWAYS, "eventBasedGateway", "subProcess", "callActivity")

PROCESS_FILES = sorted(MODELS.glob("*.bpmn"))
DECISION_FILES = sorted(MODELS.glob("*.dmn"))


def tree(path: Path) -> Any:
    return etree.parse(path).getroot()


def local(element: Any) -> str:
    return str(etree.QName(element).localname)


def find(element: Any, path: str) -> list[Any]:
    """XPath with the prefixes of NS."""
    return list(element.xpath(path, namespaces=NS))


def elements(root: Any, *kinds: str) -> list[Any]:
    """The BPMN elements of these kinds, all the way down."""
    return list(root.iter(*(f"{{{BPMN}}}{kind}" for kind in kinds)))


def process(name: str) -> Any:
    return tree(MODELS / f"{name}.bpmn")


def documentation(element: Any) -> str:
    return "".join(find(element, "bpmn:documentation/text() | dmn:description/text()"))


def documented(element: Any, field: str) -> str | None:
    """What stands after ``field:`` in the documentation of an element."""
    match = re.search(rf"^{field}: (.+)$", documentation(element), re.MULTILINE)
    return match[1] if match else None


def splits(root: Any) -> list[Any]:
    """Exclusive gateways that ask a question."""
    return [gateway for gateway in elements(root, "exclusiveGateway") if len(find(gateway, "bpmn:outgoing")) > 1]


def outgoing(root: Any, node: Any) -> list[Any]:
    return find(root, f'.//bpmn:sequenceFlow[@sourceRef="{node.get("id")}"]')


def job_types(root: Any) -> dict[str, list[Any]]:
    """Each job type with the service tasks that ask for it."""
    found: dict[str, list[Any]] = {}
    for task in elements(root, "serviceTask"):
        (definition,) = find(task, "bpmn:extensionElements/zeebe:taskDefinition")
        found.setdefault(definition.get("type"), []).append(task)
    return found


def mapping(element: Any, direction: str) -> dict[str, str]:
    """The input or output mappings of one element: target to source."""
    found = find(element, f"bpmn:extensionElements/zeebe:ioMapping/zeebe:{direction}")
    return {entry.get("target"): entry.get("source") for entry in found}


def expressions(root: Any) -> Iterator[tuple[str, str]]:
    """Every FEEL expression of a process: the id of the nearest element that has one, and the text without ``=``."""
    for element in root.iter():
        if not isinstance(element.tag, str) or find(element, "self::bpmn:documentation"):
            continue
        for text in (element.text or "", *element.attrib.values()):
            if text.startswith("="):
                owner = next(e for e in (element, *element.iterancestors()) if e.get("id"))
                yield owner.get("id"), text[1:]
