"""Check the attributes and children that DMN's XML schema allows.

A broker validates each file against the XML schema of its DMN version and rejects it as a whole. Other namespaces are
allowed for attributes, and for elements inside ``extensionElements``.
"""

import re
from collections import Counter
from collections.abc import Iterator

from lxml import etree

_NCNAME = re.compile(r"[^\W\d][\w.\-]*")
_EXPRESSION = (
    "decisionTable|literalExpression|context|list|relation|invocation|functionDefinition|conditional|filter|for|every"
    "|some"
)
_EXPRESSIONS = frozenset(_EXPRESSION.split("|"))
_REQUIREMENTS = "informationRequirement knowledgeRequirement authorityRequirement"
# the children of an element in their order; `|` joins alternatives, `+` marks required ones
_CHILDREN = {
    "definitions": "import itemDefinition"
    " decision|businessKnowledgeModel|inputData|knowledgeSource|decisionService|drgElement|invocable"
    " textAnnotation|association|group|artifact elementCollection"
    " performanceIndicator|organizationUnit|organisationalUnit|businessContextElement",
    "decision": f"question allowedAnswers variable {_REQUIREMENTS} supportedObjective impactedPerformanceIndicator"
    f" decisionMaker decisionOwner usingProcess usingTask {_EXPRESSION}",
    "businessKnowledgeModel": "variable|encapsulatedLogic knowledgeRequirement authorityRequirement",
    "informationRequirement": "requiredDecision|requiredInput+",
    "knowledgeRequirement": "requiredKnowledge+",
    "literalExpression": "text|importedValues",
    "decisionTable": "input output annotation rule",
    "input": "inputExpression inputValues",
    "inputExpression": "text|importedValues",
    "output": "outputValues defaultOutputEntry",
    "rule": "inputEntry outputEntry annotationEntry",
    "inputEntry": "text+",
    "outputEntry": "text|importedValues",
    "context": "contextEntry",
    "contextEntry": f"variable {_EXPRESSION}",
    "relation": "column row",
    "list": _EXPRESSION,
    "row": _EXPRESSION,
    "invocation": f"{_EXPRESSION} binding",
    "binding": f"parameter {_EXPRESSION}",
    "functionDefinition": f"formalParameter {_EXPRESSION}",
    "encapsulatedLogic": f"formalParameter {_EXPRESSION}",
}
# the children that an element may have more than once
_REPEATABLE = frozenset([
    "import", "itemDefinition", "decision", "businessKnowledgeModel", "inputData", "knowledgeSource",
    "decisionService", "textAnnotation", "association", "group", "elementCollection", "performanceIndicator",
    "organizationUnit", "organisationalUnit", "informationRequirement", "knowledgeRequirement",
    "authorityRequirement", "supportedObjective", "impactedPerformanceIndicator", "decisionMaker", "decisionOwner",
    "usingProcess", "usingTask", "input", "output", "annotation", "rule", "inputEntry", "outputEntry",
    "annotationEntry", "contextEntry", "column", "row", "binding", "formalParameter",
])  # fmt: skip
_ATTRIBUTES = {
    "definitions": "name expressionLanguage typeLanguage namespace exporter exporterVersion",
    "decision": "name",
    "businessKnowledgeModel": "name",
    "inputData": "name",
    "literalExpression": "typeRef expressionLanguage",
    "decisionTable": "typeRef hitPolicy aggregation preferredOrientation outputLabel",
    "input": "",
    "output": "name typeRef",
    "rule": "",
    "inputEntry": "typeRef expressionLanguage",
    "outputEntry": "typeRef expressionLanguage",
}
_ORIENTATIONS = ("Rule-as-Row", "Rule-as-Column", "CrossTable")


def schema_problems(root: etree._Element, prefix: str) -> Iterator[str]:
    """Report what a broker's schema validation would reject."""
    if not root.get("namespace"):
        yield "The definitions need a namespace."
    seen: set[str] = set()
    for element in _elements(root, prefix):
        identity = element.get("id")
        if identity is not None:
            if not _NCNAME.fullmatch(identity):
                yield (
                    f"The id '{identity}' is no valid XML name; use a letter or '_' first, then letters,"
                    " digits, '.', '-' and '_'."
                )
            if identity in seen:
                yield f"The id '{identity}' is used twice; give each element its own."
            seen.add(identity)
        yield from _attribute_problems(element)
        yield from _child_problems(element, prefix)


def _elements(element: etree._Element, prefix: str) -> Iterator[etree._Element]:
    """List the DMN elements outside extensions."""
    if isinstance(element.tag, str) and element.tag.startswith(prefix):
        yield element
        if element.tag != prefix + "extensionElements":
            for child in element:
                yield from _elements(child, prefix)


def _tag(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _describe(element: etree._Element) -> str:
    owner: etree._Element | None = element
    while owner is not None and not owner.get("id"):
        owner = owner.getparent()
    tag = _tag(element)
    if owner is None:
        return f"A '{tag}'"
    return f"Element '{owner.get('id')}'" + ("" if owner is element else f", '{tag}'")


def _attribute_problems(element: etree._Element) -> Iterator[str]:
    tag = _tag(element)
    if tag == "inputData" and not element.get("name"):
        yield f"{_describe(element)}: an 'inputData' needs a name."
    orientation = element.get("preferredOrientation")
    if orientation is not None and orientation not in _ORIENTATIONS:
        yield f"{_describe(element)}: 'preferredOrientation' is one of {', '.join(_ORIENTATIONS)}."
    if tag not in _ATTRIBUTES:
        return
    allowed = {"id", "label", *_ATTRIBUTES[tag].split()}
    for name in (str(name) for name in element.attrib):
        if not name.startswith("{") and name not in allowed:
            yield f"{_describe(element)}: a '{tag}' has no attribute '{name}'; take it out."


def _child_problems(element: etree._Element, prefix: str) -> Iterator[str]:
    tag = _tag(element)
    if tag not in _CHILDREN:
        return
    positions = {"description": -2, "extensionElements": -1}
    for position, choices in enumerate(_CHILDREN[tag].split()):
        positions.update(dict.fromkeys(choices.rstrip("+").split("|"), position))
    children = [child for child in element if isinstance(child.tag, str)]
    names = [_tag(child) for child in children if child.tag.startswith(prefix)]
    last = -2
    for name in names:
        if name not in positions:
            yield f"{_describe(element)}: a '{tag}' cannot hold '{name}'; take it out."
        elif positions[name] < last:
            yield f"{_describe(element)}: '{name}' is too late; the DMN schema requires it earlier."
            break
        else:
            last = positions[name]
    yield from _number_problems(element, tag, [name for name in names if name in positions], positions)
    if tag != "definitions" and len(names) < len(children):
        foreign = next(child for child in children if not child.tag.startswith(prefix))
        yield f"{_describe(element)}: '{_tag(foreign)}' belongs inside 'extensionElements'."
    text = next((t.strip() for t in [element.text, *(child.tail for child in element)] if t and t.strip()), "")
    if text:
        yield f"{_describe(element)}: the text '{text[:40]}' is between its elements; remove it."


def _number_problems(element: etree._Element, tag: str, names: list[str], positions: dict[str, int]) -> Iterator[str]:
    repeatable = _EXPRESSIONS if tag in ("list", "row") else _REPEATABLE
    groups: Counter[int] = Counter()
    for name in names:
        if name not in repeatable:
            groups[positions[name] if tag != "businessKnowledgeModel" else len(groups)] += 1
    for position, count in groups.items():
        if count > 1:
            repeated = next(name for name in names if positions[name] == position)
            yield f"{_describe(element)}: it can contain only one '{repeated}', or an alternative to it; keep one."
    needed = [part.rstrip("+").split("|") for part in _CHILDREN[tag].split() if part.endswith("+")]
    for choices in needed:
        if not any(name in choices for name in names):
            yield f"{_describe(element)}: a '{tag}' needs '{choices[0]}'."
