"""What DMN's schema asks of a file: the attributes and children of an element, their order and number.

A broker checks each file against the XML schema of its DMN version and refuses it as a whole. What is outside DMN's
namespace is free as attribute, and as element inside ``extensionElements``.
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
# the children of an element in their order; those joined by `|` share a place, `+` marks those that must be there
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
# the children that can stand in an element more than once
_MANY = frozenset([
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
    """A sentence for each thing that a broker's reading of the XML would refuse."""
    if not root.get("namespace"):
        yield "The definitions need a namespace."
    seen: set[str] = set()
    for element in _elements(root, prefix):
        identity = element.get("id")
        if identity is not None:
            if not _NCNAME.fullmatch(identity):
                yield (
                    f"The id '{identity}' is no valid XML name; begin with a letter or '_', go on with letters,"
                    " digits, '.', '-' and '_'."
                )
            if identity in seen:
                yield f"The id '{identity}' is used twice; give each element its own."
            seen.add(identity)
        yield from _attribute_problems(element)
        yield from _child_problems(element, prefix)


def _elements(element: etree._Element, prefix: str) -> Iterator[etree._Element]:
    """The elements of DMN, without what extensions hold."""
    if isinstance(element.tag, str) and element.tag.startswith(prefix):
        yield element
        if element.tag != prefix + "extensionElements":
            for child in element:
                yield from _elements(child, prefix)


def _tag(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _named(element: etree._Element) -> str:
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
        yield f"{_named(element)}: an 'inputData' needs a name."
    orientation = element.get("preferredOrientation")
    if orientation is not None and orientation not in _ORIENTATIONS:
        yield f"{_named(element)}: 'preferredOrientation' is one of {', '.join(_ORIENTATIONS)}."
    if tag not in _ATTRIBUTES:
        return
    allowed = {"id", "label", *_ATTRIBUTES[tag].split()}
    for name in (str(name) for name in element.attrib):
        if not name.startswith("{") and name not in allowed:
            yield f"{_named(element)}: a '{tag}' has no attribute '{name}'; take it out."


def _child_problems(element: etree._Element, prefix: str) -> Iterator[str]:
    tag = _tag(element)
    if tag not in _CHILDREN:
        return
    places = {"description": -2, "extensionElements": -1}
    for place, choices in enumerate(_CHILDREN[tag].split()):
        places.update(dict.fromkeys(choices.rstrip("+").split("|"), place))
    children = [child for child in element if isinstance(child.tag, str)]
    names = [_tag(child) for child in children if child.tag.startswith(prefix)]
    last = -2
    for name in names:
        if name not in places:
            yield f"{_named(element)}: a '{tag}' cannot hold '{name}'; take it out."
        elif places[name] < last:
            yield f"{_named(element)}: '{name}' stands too late; the DMN schema wants it earlier."
            break
        else:
            last = places[name]
    yield from _number_problems(element, tag, [name for name in names if name in places], places)
    if tag != "definitions" and len(names) < len(children):
        foreign = next(child for child in children if not child.tag.startswith(prefix))
        yield f"{_named(element)}: '{_tag(foreign)}' belongs inside 'extensionElements'."
    text = next((t.strip() for t in [element.text, *(child.tail for child in element)] if t and t.strip()), "")
    if text:
        yield f"{_named(element)}: the text '{text[:40]}' stands between its elements; take it out."


def _number_problems(element: etree._Element, tag: str, names: list[str], places: dict[str, int]) -> Iterator[str]:
    many = _EXPRESSIONS if tag in ("list", "row") else _MANY
    groups: Counter[int] = Counter()
    for name in names:
        if name not in many:
            groups[places[name] if tag != "businessKnowledgeModel" else len(groups)] += 1
    for place, count in groups.items():
        if count > 1:
            found = next(name for name in names if places[name] == place)
            yield f"{_named(element)}: only one '{found}' can stand in it, or another in its place; keep one."
    needed = [part.rstrip("+").split("|") for part in _CHILDREN[tag].split() if part.endswith("+")]
    for choices in needed:
        if not any(name in choices for name in names):
            yield f"{_named(element)}: a '{tag}' needs '{choices[0]}'."
