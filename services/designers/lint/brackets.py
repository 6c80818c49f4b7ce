"""Find quantifiers behind ``and`` or ``or`` without brackets: FEEL does not read them, here and on a cluster."""

import re
from collections.abc import Iterator

from lxml import etree

from services.designers.lint.findings import Finding, Level
from services.designers.lint.folder import Diagram, Folder
from services.engine.feel import FeelSyntaxError, compile_expression
from services.runtime.translations import Message

_BARE = re.compile(r"\b(?:and|or)\s+(?P<quantifier>(?:every|some)\s+\w+\s+in\b)")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


def find(folder: Folder) -> Iterator[Finding]:
    """Yield each expression that cannot be read because a quantifier in it has no brackets."""
    for diagram in folder.diagrams:
        for node in diagram.root.iter("*"):
            for text in (node.text or "", *map(str, node.attrib.values())):
                match = _BARE.search(_TEXT.sub('""', text)) if text.strip().startswith("=") else None
                if match is not None and not _is_readable(text):
                    yield _finding(diagram, node, match["quantifier"])


def _is_readable(text: str) -> bool:
    try:
        compile_expression(text.strip()[1:])
    except FeelSyntaxError:
        return False
    return True


def _finding(diagram: Diagram, node: etree._Element, quantifier: str) -> Finding:
    named = next((one for one in (node, *node.iterancestors()) if one.get("id")), node)
    text = Message(
        "FEEL does not read “{quantifier} …” behind and or or: put the quantifier in brackets, as in {example}.",
        quantifier=quantifier,
        example="a and (every d in x satisfies d > 0)",
    )
    return diagram.finding(Level.ERROR, "quantifier-brackets", named.get("id", ""), text)
