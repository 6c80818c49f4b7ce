"""Parse BPMN's XML safely."""

from collections.abc import Iterator

from lxml import etree

from services.engine.errors import InvalidModel

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
ZEEBE = "{http://camunda.org/schema/zeebe/1.0}"


def parse_definitions(content: bytes) -> etree._Element:
    """Return the ``definitions`` element of a BPMN file, or raise InvalidModel."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidModel([f"The file is not XML: {error}"]) from error
    if root.tag != BPMN + "definitions":
        raise InvalidModel([f"The file is not BPMN: its outermost element is '{root.tag}', not 'definitions'."])
    return root


def local_name(element: etree._Element) -> str:
    """Return the tag without its namespace."""
    return str(etree.QName(element).localname)


def bpmn_children(element: etree._Element) -> Iterator[etree._Element]:
    return (c for c in element if isinstance(c.tag, str) and c.tag.startswith(BPMN))


def extension(element: etree._Element, name: str) -> etree._Element | None:
    """Return the Zeebe extension element ``name``."""
    return element.find(f"{BPMN}extensionElements/{ZEEBE}{name}")
