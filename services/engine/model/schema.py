"""Check BPMN's XML schema, and Zeebe's rules beyond it.

A broker validates each file against the XML schema of BPMN 2.0 and rejects it as a whole. The same is checked here:
ids, references, the attributes and children of elements, their order and number. Other namespaces are allowed for
attributes, and for elements inside ``extensionElements``.
"""

import re
from collections import Counter
from collections.abc import Iterator

from lxml import etree

from services.engine.model.xml import BPMN, ZEEBE, local_name

_NCNAME = re.compile(r"[^\W\d][\w.\-]*")
_BOOLEANS = {"true", "false", "1", "0"}

# children that come first, in this order; all others are flow elements, artifacts or unordered
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
_SINGLE = {
    "extensionElements", "auditing", "monitoring", "ioSpecification", "standardLoopCharacteristics",
    "multiInstanceLoopCharacteristics", "conditionExpression", "completionCondition", "timeDate", "timeDuration",
    "timeCycle", "script",
}  # fmt: skip

_ACTIVITY = "isForCompensation? startQuantity completionQuantity default"
# the attributes of an element besides id and, for most, name; `?` marks booleans
_ATTRIBUTES = {
    "definitions": "name targetNamespace expressionLanguage typeLanguage exporter exporterVersion",
    "process": "name processType isClosed? isExecutable? definitionalCollaborationRef",
    "task": _ACTIVITY,
    "manualTask": _ACTIVITY,
    "serviceTask": f"{_ACTIVITY} implementation operationRef",
    "sendTask": f"{_ACTIVITY} implementation messageRef operationRef",
    "receiveTask": f"{_ACTIVITY} implementation instantiate? messageRef operationRef",
    "userTask": f"{_ACTIVITY} implementation",
    "scriptTask": f"{_ACTIVITY} scriptFormat",
    "businessRuleTask": f"{_ACTIVITY} implementation",
    "callActivity": f"{_ACTIVITY} calledElement",
    "subProcess": f"{_ACTIVITY} triggeredByEvent?",
    "exclusiveGateway": "gatewayDirection default",
    "inclusiveGateway": "gatewayDirection default",
    "parallelGateway": "gatewayDirection",
    "eventBasedGateway": "gatewayDirection instantiate? eventGatewayType",
    "startEvent": "parallelMultiple? isInterrupting?",
    "intermediateCatchEvent": "parallelMultiple?",
    "boundaryEvent": "parallelMultiple? cancelActivity? attachedToRef",
    "intermediateThrowEvent": "",
    "endEvent": "",
    "sequenceFlow": "sourceRef targetRef isImmediate?",
    "multiInstanceLoopCharacteristics": "isSequential? behavior oneBehaviorEventRef noneBehaviorEventRef",
    "messageEventDefinition": "messageRef",
    "timerEventDefinition": "",
    "signalEventDefinition": "signalRef",
    "errorEventDefinition": "errorRef",
    "escalationEventDefinition": "escalationRef",
    "linkEventDefinition": "",
    "terminateEventDefinition": "",
    "compensateEventDefinition": "waitForCompletion? activityRef",
    "message": "itemRef",
    "signal": "structureRef",
    "error": "errorCode structureRef",
    "escalation": "escalationCode structureRef",
}
_WITHOUT_NAME = frozenset(
    name for name in _ATTRIBUTES if name.endswith("EventDefinition") and name != "linkEventDefinition"
) | {"multiInstanceLoopCharacteristics"}
_REQUIRED = {"sequenceFlow": ("sourceRef", "targetRef"), "boundaryEvent": ("attachedToRef",)}
_REFERENCES = ("default", "dataObjectRef", "dataStoreRef")
# the children of an element; a name in none of these is not a BPMN element of a process
_BASE = "documentation extensionElements"
_NODE = f"{_BASE} auditing monitoring categoryValueRef incoming outgoing"
_DEFINITIONS = (
    "cancelEventDefinition compensateEventDefinition conditionalEventDefinition errorEventDefinition"
    " escalationEventDefinition linkEventDefinition messageEventDefinition signalEventDefinition"
    " terminateEventDefinition timerEventDefinition"
)
_IN_ACTIVITY = (
    f"{_NODE} ioSpecification property dataInputAssociation dataOutputAssociation resourceRole performer humanPerformer"
    " potentialOwner standardLoopCharacteristics multiInstanceLoopCharacteristics"
)
_IN_CATCH = f"{_NODE} property dataOutput dataOutputAssociation outputSet {_DEFINITIONS} eventDefinitionRef"
_IN_THROW = f"{_NODE} property dataInput dataInputAssociation inputSet {_DEFINITIONS} eventDefinitionRef"
_CHILDREN = {
    "task manualTask serviceTask sendTask receiveTask businessRuleTask callActivity": _IN_ACTIVITY,
    "userTask": f"{_IN_ACTIVITY} rendering",
    "scriptTask": f"{_IN_ACTIVITY} script",
    "exclusiveGateway inclusiveGateway parallelGateway eventBasedGateway": _NODE,
    "startEvent intermediateCatchEvent boundaryEvent": _IN_CATCH,
    "intermediateThrowEvent endEvent": _IN_THROW,
    "sequenceFlow": f"{_BASE} auditing monitoring categoryValueRef conditionExpression",
    "message signal error escalation": _BASE,
    "definitions": "import extension message signal error escalation process collaboration category"
    " itemDefinition dataStore resource interface relationship endPoint correlationProperty partnerEntity partnerRole"
    " choreography conversation globalConversation globalChoreographyTask globalTask globalUserTask globalScriptTask"
    f" globalManualTask globalBusinessRuleTask {_DEFINITIONS}",
}
_ALLOWED_EVENTS = {name: frozenset(children.split()) for names, children in _CHILDREN.items() for name in names.split()}
_WITHOUT_TEXT = frozenset(_ALLOWED_EVENTS) | {"process", "subProcess", "extensionElements"}
# the extension elements that Zeebe allows once in an element
_SINGLE_EXTENSIONS = frozenset(
    f"{ZEEBE}{name}"
    for name in [
        "taskDefinition", "taskHeaders", "ioMapping", "calledElement", "calledDecision", "script", "subscription",
        "loopCharacteristics", "versionTag", "assignmentDefinition", "taskSchedule", "formDefinition",
        "priorityDefinition", "linkedResources",
    ]
)  # fmt: skip


def schema_problems(root: etree._Element) -> Iterator[str]:
    """Report what a broker's schema validation would reject."""
    if not root.get("targetNamespace"):
        yield "The definitions need a targetNamespace."
    kinds: dict[str, str] = {}
    elements = list(_elements(root))
    for element in elements:
        element_id = element.get("id")
        if element_id is not None:
            if not _NCNAME.fullmatch(element_id):
                yield (
                    f"Element '{element_id}': the id is not a valid XML name; use a letter or '_' first, then"
                    " letters, digits, '.', '-' and '_'."
                )
            if element_id in kinds:
                yield f"Element '{element_id}': the id is used twice; give each element its own."
            kinds[element_id] = local_name(element)
    for element in elements:
        yield from _attribute_problems(element, kinds)
        yield from _child_problems(element)
        yield from _reference_problems(element, kinds)
        if local_name(element) == "extensionElements":
            yield from _extension_problems(element)


def _elements(element: etree._Element) -> Iterator[etree._Element]:
    """List the BPMN elements outside extensions."""
    if isinstance(element.tag, str) and element.tag.startswith(BPMN):
        yield element
        if element.tag != BPMN + "extensionElements":
            for child in element:
                yield from _elements(child)


def _describe(element: etree._Element) -> str:
    """Describe an element, or the nearest with an id, for problem texts."""
    owner: etree._Element | None = element
    while owner is not None and not owner.get("id"):
        owner = owner.getparent()
    tag = local_name(element)
    if owner is None:
        return f"A '{tag}'"
    return f"Element '{owner.get('id')}'" + ("" if owner is element else f", '{tag}'")


def _attribute_problems(element: etree._Element, kinds: dict[str, str]) -> Iterator[str]:
    tag = local_name(element)
    if tag in ("process", "sequenceFlow") and not element.get("id"):
        yield f"A '{tag}' has no id; give it one."
    if tag not in _ATTRIBUTES:
        return
    names = ("id " if tag in _WITHOUT_NAME else "id name ") + _ATTRIBUTES[tag]
    allowed = {name.rstrip("?"): name.endswith("?") for name in names.split()}
    for name, value in ((str(key), str(text)) for key, text in element.attrib.items()):
        if name.startswith("{"):
            continue
        if name not in allowed:
            yield f"{_describe(element)}: a '{tag}' has no attribute '{name}'; take it out."
        elif allowed[name] and value.strip() not in _BOOLEANS:
            yield f"{_describe(element)}: the attribute '{name}' is true or false, not '{value}'."
    for name in _REQUIRED.get(tag, ()):
        if not element.get(name):
            yield f"{_describe(element)}: a '{tag}' needs the attribute '{name}'."


def _child_problems(element: etree._Element) -> Iterator[str]:
    tag = local_name(element)
    names = [local_name(child) for child in element if isinstance(child.tag, str) and child.tag.startswith(BPMN)]
    for name, count in Counter(names).items():
        if count > 1 and name in _SINGLE:
            yield f"{_describe(element)}: it can contain '{name}' once, not {count} times; keep one."
        if name not in _ALLOWED_EVENTS.get(tag, {name}):
            yield f"{_describe(element)}: a '{tag}' cannot hold '{name}'; take it out."
    yield from _order_problems(element, names)
    if tag in _WITHOUT_TEXT:
        texts = [element.text, *(child.tail for child in element)]
        text = next((text.strip() for text in texts if text and text.strip()), "")
        if text:
            yield f"{_describe(element)}: the text '{text[:40]}' is between its elements; remove it."
    if tag in _WITHOUT_TEXT - {"extensionElements", "definitions"}:
        foreign = next((c for c in element if isinstance(c.tag, str) and not c.tag.startswith(BPMN)), None)
        if foreign is not None:
            yield f"{_describe(element)}: '{local_name(foreign)}' belongs inside 'extensionElements'."


def _order_problems(element: etree._Element, names: list[str]) -> Iterator[str]:
    rank = -1
    for name in names:
        place = _ARTIFACT if name in _ARTIFACTS else _ORDER.get(name, _FLOW_ELEMENT)
        if place < rank:
            yield f"{_describe(element)}: '{name}' is too late; the BPMN schema requires it earlier."
            return
        rank = place


def _extension_problems(element: etree._Element) -> Iterator[str]:
    for tag, count in Counter(child.tag for child in element).items():
        if count > 1 and tag in _SINGLE_EXTENSIONS:
            yield f"{_describe(element)}: it has {count} elements 'zeebe:{etree.QName(tag).localname}'; keep one."
    form = element.find(ZEEBE + "formDefinition")
    if form is not None and sum(bool(form.get(name)) for name in ("formId", "formKey", "externalReference")) != 1:
        yield f"{_describe(element)}: the form definition needs either a formId or a formKey."


def _reference_problems(element: etree._Element, kinds: dict[str, str]) -> Iterator[str]:
    tag = local_name(element)
    for name in _REFERENCES:
        reference = element.get(name)
        if reference is not None and reference not in kinds:
            yield f"{_describe(element)}: '{name}' refers to '{reference}', which does not exist."
    if tag in ("outgoing", "flowNodeRef"):
        reference = (element.text or "").strip()
        if reference not in kinds:
            yield f"{_describe(element)} refers to '{reference}', which does not exist."
    outgoing = len(element.findall(BPMN + "outgoing"))
    if tag == "eventBasedGateway" and outgoing < 2:
        yield f"{_describe(element)}: an event-based gateway needs two outgoing flows, each named in an 'outgoing'."
    if tag == "boundaryEvent" and not outgoing and element.find(BPMN + "compensateEventDefinition") is None:
        yield f"{_describe(element)}: a boundary event needs an outgoing flow, named in an 'outgoing'."
