"""Read untrusted XML: no document types, no entities; element names without their prefix."""

from collections.abc import Iterator
from typing import Any

from lxml import etree

Node = etree._Element


def read(content: bytes) -> Node:
    """The root; raises ValueError where it is no XML, or more than data."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError("it is no XML") from error
    info: Any = root.getroottree().docinfo
    if info.doctype:
        raise ValueError("it declares a document type")
    return root


def name(node: Node) -> str:
    """The element's name without its namespace, which devices get wrong."""
    return etree.QName(node).localname


def children(node: Node, *path: str) -> Iterator[Node]:
    """All elements that are reached along the path of names."""
    for child in node.iterchildren(tag=etree.Element):
        if name(child) == path[0]:
            if len(path) == 1:
                yield child
            else:
                yield from children(child, *path[1:])


def text(node: Node, *path: str) -> str:
    """Return the text of the first element along the path, without blanks around it; empty where there is none."""
    child = next(children(node, *path), None)
    return "" if child is None else (child.text or "").strip()
