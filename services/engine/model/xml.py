"""Reading BPMN's XML: names, safe parsing and the order that the schema asks for."""

import re
from collections.abc import Iterator

from lxml import etree

from services.engine.errors import InvalidModel

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
ZEEBE = "{http://camunda.org/schema/zeebe/1.0}"

_NCNAME = re.compile(r"[^\W\d][\w.\-]*")
_ORDER = {
    name: rank
    for rank, names in enumerate(
        [
            "documentation",
            "extensionElements",
            "auditing monitoring categoryValueRef incoming",
            "outgoing",
            "ioSpecification property dataInputAssociation dataOutputAssociation",
            "standardLoopCharacteristics multiInstanceLoopCharacteristics laneSet",
        ]
    )
    for name in names.split()
}
_FLOW_ELEMENT, _ARTIFACT = 10, 11
_ARTIFACTS = {"association", "group", "textAnnotation"}


def parse_definitions(content: bytes) -> etree._Element:
    """The ``definitions`` element of a BPMN file; raises InvalidModel. Nothing outside the file is read."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidModel([f"The file is not XML: {error}"]) from error
    if root.tag != BPMN + "definitions":
        raise InvalidModel([f"The file is not BPMN: its outermost element is '{root.tag}', not 'definitions'."])
    problems = list(_schema_problems(root))
    if problems:
        raise InvalidModel(problems)
    return root


def local(element: etree._Element) -> str:
    """The tag without its namespace."""
    return str(etree.QName(element).localname)


def bpmn_children(element: etree._Element) -> Iterator[etree._Element]:
    return (c for c in element if isinstance(c.tag, str) and c.tag.startswith(BPMN))


def extension(element: etree._Element, name: str) -> etree._Element | None:
    """The Zeebe extension element ``name``."""
    return element.find(f"{BPMN}extensionElements/{ZEEBE}{name}")


def _schema_problems(root: etree._Element) -> Iterator[str]:
    if not root.get("targetNamespace"):
        yield "The definitions need a targetNamespace."
    seen: set[str] = set()
    for element in root.iter(BPMN + "*"):
        identity = element.get("id")
        if identity is not None:
            if not _NCNAME.fullmatch(identity):
                yield f"Element '{identity}': the id is not a valid XML name."
            if identity in seen:
                yield f"Element '{identity}': the id is used twice."
            seen.add(identity)
        yield from _order_problems(element)


def _order_problems(element: etree._Element) -> Iterator[str]:
    rank = -1
    for child in bpmn_children(element):
        name = local(child)
        place = _ARTIFACT if name in _ARTIFACTS else _ORDER.get(name, _FLOW_ELEMENT)
        if place < rank:
            yield f"Element '{element.get('id')}': '{name}' stands too late; the BPMN schema wants it earlier."
            return
        rank = place
