"""Find tasks that mean a person, and that nobody would be asked by."""

import re
from collections.abc import Iterator, Mapping

from lxml import etree

from services.designers import own_workers
from services.designers.lint.findings import Finding, Level
from services.designers.lint.folder import Diagram, Folder
from services.domain.stages.schema import Stage
from services.runtime.models import BPMN
from services.runtime.translations import Message

# What people do, in the names of tasks; not what machines count, label or signal with the same letters.
_CHINESE = re.compile(
    "审(?!计日志)|批(?!量|次|处理)|(?<!标)(?<!书)签(?!名验证)|核(?!心|算)|会商|同意|意见|确认|表决|复查|检查|查验|查看|评估|鉴定|把关|盖章|用印|授权|许可"
    "|准予|答复|填写|填报|讨论|约谈|征求|询问|人工|商议|决定"
)
_ENGLISH = re.compile(
    r"\b(?:review(?:s|ed|er|ers|ing)?|approv(?:e|es|ed|al|als|ing)|sign(?:s|ed|ing|ature|atures|-off|off)?"
    r"|decid(?:e|es|ed|ing)|decisions?|confirm(?:s|ed|ing|ation)?|verif(?:y|ies|ied|ication)|check(?:s|ed|ing)?"
    r"|inspect(?:s|ed|ing|ion)?|consent(?:s|ed)?|assess(?:es|ed|ing|ment)?|examin(?:e|es|ed|ation)"
    r"|authori[sz](?:e|es|ed|ation)|opinions?|agree(?:s|d|ment)?|acknowledg(?:e|es|ed|ement)|vet(?:s|ted|ting)?|ask(?:s|ed|ing)?"
    r"|interview(?:s|ed|ing)?|endors(?:e|es|ed|ement)|certif(?:y|ies|ied|ication)|discuss(?:es|ed|ion)?"
    r"|consult(?:s|ed|ation)?|vot(?:e|es|ed|ing)|judg(?:e|es|ed|ement|ment)|evaluat(?:e|es|ed|ion)|permission"
    r"|manual(?:ly)?|attest(?:s|ed|ation)?|accept(?:s|ed|ance)?|reject(?:s|ed|ion)?|refus(?:e|es|ed|al)"
    r"|fill(?:s|ed)? in)\b",
    re.IGNORECASE,
)


def find(folder: Folder) -> Iterator[Finding]:
    """Yield undefined, manual and user tasks that nobody does."""
    for diagram in folder.diagrams:
        for task in diagram.root.iter(BPMN + "task", BPMN + "manualTask"):
            yield _undefined(diagram, task, folder.stages or {})
        yield from _user_tasks(diagram, folder)


def _undefined(diagram: Diagram, task: etree._Element, stages: Mapping[str, Stage]) -> Finding:
    element = task.get("id", "")
    name = task.get("name") or element
    # the English name is the first line of the documentation
    english = (task.findtext(BPMN + "documentation") or "").strip().partition("\n")[0]
    if task.tag == BPMN + "manualTask" or _is_human(f"{name} {english}", stages):
        text = Message(
            "“{name}” is a task without a type: the engine passes it at once, and nobody is asked. Draw this instead: "
            "the template 人工审核 · Review with its stage, and behind it a gateway that reads the answer.",
            name=name,
        )
        return diagram.finding(Level.ERROR, "undefined-human-task", element, text)
    text = Message(
        "“{name}” is a task without a type: the engine passes it at once, and nothing is done. Choose a template for "
        "it, or draw an annotation if it only explains.",
        name=name,
    )
    return diagram.finding(Level.ADVICE, "undefined-task", element, text)


def _is_human(text: str, stages: Mapping[str, Stage]) -> bool:
    if _CHINESE.search(text) or _ENGLISH.search(text):
        return True
    lower = text.lower()
    return any(stage.zh in text or stage.en.lower() in lower for stage in stages.values())


def _user_tasks(diagram: Diagram, folder: Folder) -> Iterator[Finding]:
    if own_workers.HUMAN_STEP in folder.declared:
        return
    for task in diagram.root.iter(BPMN + "userTask"):
        element = task.get("id", "")
        if _is_ended_by_a_message(diagram.root, element):
            continue
        text = Message(
            "Nobody serves the user task “{name}”: it is in no inbox, and the process waits here for ever. Draw this "
            "instead: the template 人工审核 · Review with its stage. If a task list of yours serves it, declare "
            "{job_type} in {file}.",
            name=task.get("name") or element,
            job_type=own_workers.HUMAN_STEP,
            file=own_workers.NAME,
        )
        yield diagram.finding(Level.ERROR, "unserved-user-task", element, text)


def _is_ended_by_a_message(root: etree._Element, task: str) -> bool:
    """Return whether a message takes the task away, so that its answer comes from elsewhere."""
    return any(
        event.get("attachedToRef") == task
        and event.get("cancelActivity") != "false"
        and event.find(BPMN + "messageEventDefinition") is not None
        for event in root.iter(BPMN + "boundaryEvent")
    )
