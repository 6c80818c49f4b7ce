"""Small diagrams for the engine's tests, written as short as they can be."""

from lxml import etree

_BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" '
    'xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="http://example.org/test">'
)


def diagram(inside: str, flows: str = "", process_id: str = "p", before: str = "") -> bytes:
    """A process with ``inside``; ``flows`` is "a>b b>c"; ``before`` stands before the process (messages, errors)."""
    sequence = "".join(
        f'<bpmn:sequenceFlow id="f_{pair.replace(">", "_")}" sourceRef="{pair.split(">")[0]}" '
        f'targetRef="{pair.split(">")[1]}" />'
        for pair in flows.split()
    )
    text = f'{_HEAD}{before}<bpmn:process id="{process_id}" isExecutable="true">{inside}{sequence}</bpmn:process>'
    return with_ends(f"{text}</bpmn:definitions>".encode())


def with_ends(content: bytes) -> bytes:
    """The diagram with `incoming` and `outgoing` in each element, as a modeler writes them, unless there are any."""
    root = etree.fromstring(content)
    nodes = {element.get("id"): element for element in root.iter(f"{_BPMN}*") if element.tag != f"{_BPMN}sequenceFlow"}
    if any(True for _ in root.iter(f"{_BPMN}incoming", f"{_BPMN}outgoing")):
        return content
    for flow in reversed(list(root.iterfind(f".//{_BPMN}sequenceFlow[@id]"))):
        for end, reference in (("outgoing", flow.get("sourceRef")), ("incoming", flow.get("targetRef"))):
            node = nodes.get(reference)
            if node is not None and node is not root and node.tag != f"{_BPMN}process":
                before = node.findall(f"{_BPMN}documentation") + node.findall(f"{_BPMN}extensionElements")
                before += node.findall(f"{_BPMN}incoming") if end == "outgoing" else []
                named = etree.Element(f"{_BPMN}{end}")
                named.text = flow.get("id")
                node.insert(len(before), named)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def start(identity: str = "s") -> str:
    return f'<bpmn:startEvent id="{identity}" />'


def end(identity: str = "e") -> str:
    return f'<bpmn:endEvent id="{identity}" />'


def job(identity: str, job_type: str | None = None, more: str = "") -> str:
    """A service task; ``more`` are further extension elements."""
    definition = f'<zeebe:taskDefinition type="{job_type or identity}" />'
    return (
        f'<bpmn:serviceTask id="{identity}"><bpmn:extensionElements>{definition}{more}</bpmn:extensionElements>'
        "</bpmn:serviceTask>"
    )


def timer(identity: str, kind: str, text: str) -> str:
    """An intermediate timer; ``kind`` is timeDate, timeDuration or timeCycle."""
    return (
        f'<bpmn:intermediateCatchEvent id="{identity}"><bpmn:timerEventDefinition><bpmn:{kind}>{text}</bpmn:{kind}>'
        "</bpmn:timerEventDefinition></bpmn:intermediateCatchEvent>"
    )


def message(identity: str, name: str, key: str) -> str:
    """A declaration, to stand before the process."""
    return (
        f'<bpmn:message id="{identity}" name="{name}"><bpmn:extensionElements>'
        f'<zeebe:subscription correlationKey="{key}" /></bpmn:extensionElements></bpmn:message>'
    )


def message_catch(identity: str, message_id: str) -> str:
    return (
        f'<bpmn:intermediateCatchEvent id="{identity}"><bpmn:messageEventDefinition messageRef="{message_id}" />'
        "</bpmn:intermediateCatchEvent>"
    )


ONE_JOB = diagram(start() + job("work") + end(), "s>work work>e", process_id="one-job")
