"""What changed between two folders of models: elements, conditions, timers, table rows, review stages.

Elements are known by their ids; how a diagram is drawn is no change. Each fact of an element has a path of what it is
nested in, so that whatever BPMN, DMN or Camunda's extensions hold is compared, known by a word or not.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lxml import etree

from services.designers.drawing import draw
from services.domain.stages import file as stage_file
from services.runtime.errors import Fatal
from services.runtime.models import BPMN, ZEEBE, read

Kind = Literal["added", "removed", "changed"]
DMN = "{https://www.omg.org/spec/DMN/20191111/MODEL/}"
# What a diagram is drawn from, and what Modeler notes for itself.
_DRAWN = ("dmndi", "bpmndi", "dmndi:DMNDI", "BPMNDiagram", "DMNDI")
_LINKS = ("incoming", "outgoing")  # told by the flows
_OF_MODELER = ("id", "modelerTemplate", "modelerTemplateVersion", "modelerTemplateIcon")
_REFERENCES = ("messageRef", "errorRef", "signalRef", "escalationRef")
_NAMES = {
    "name": ("名称", "name"),
    "documentation": ("说明", "documentation"),
    "sourceRef": ("来自", "from"),
    "targetRef": ("去向", "to"),
    "conditionExpression": ("条件", "condition"),
    "default": ("默认流向", "default flow"),
    "attachedToRef": ("附着于", "attached to"),
    "cancelActivity": ("是否中断", "interrupts"),
    "timeDuration": ("时长", "duration"),
    "timeCycle": ("周期", "cycle"),
    "timeDate": ("时刻", "moment"),
    "scope": ("所属阶段", "phase"),
    "kind": ("类型", "kind"),
    "taskDefinition.type": ("工作类型", "job type"),
    "taskDefinition.retries": ("重试次数", "retries"),
    "hitPolicy": ("命中规则", "hit policy"),
    "correlationKey": ("消息的键", "message key"),
    "messageRef.name": ("消息", "message"),
    "errorCode": ("错误代码", "error code"),
    "processId": ("所调用的流程", "called process"),
}


@dataclass(frozen=True)
class Change:
    """One element that was added or removed, or one fact of it that is another now; ``fact`` is in zh and en."""

    kind: Kind
    file: str
    element: str
    name: str
    fact: tuple[str, str] = ("", "")
    before: str = ""
    after: str = ""

    def sentence(self, language: str) -> str:
        """Return the change in one line."""
        zh = language == "zh"
        named = f"“{self.name}”（{self.element}）" if zh else f"{self.name} ({self.element})"
        words = {"added": ("新增", "added"), "removed": ("删除", "removed"), "changed": ("", "")}[self.kind]
        if self.kind != "changed":
            return f"{self.file} {words[0]}{named}" if zh else f"{self.file}: {words[1]} {named}"
        fact = self.fact[0 if zh else 1]
        nothing = "无" if zh else "nothing"
        was, now = self.before or nothing, self.after or nothing
        return f"{self.file} {named} {fact}：{was} → {now}" if zh else f"{self.file}: {named}, {fact}: {was} → {now}"

    def as_json(self) -> dict[str, Any]:
        """Return the change for ``--json``."""
        return {**asdict(self), "fact": {"zh": self.fact[0], "en": self.fact[1]}}


@dataclass(frozen=True)
class _Thing:
    """An element, a decision, a row or a stage: its name, and its facts by their path."""

    name: str
    facts: Mapping[str, str]


def diff(before: Path, after: Path) -> list[Change]:
    """Return the changes from one folder of models to another, by file and element; raises Fatal for no XML or JSON."""
    changes: list[Change] = []
    for name in sorted(_names(before) | _names(after)):
        old, new = _things(before / name), _things(after / name)
        for key in sorted(old.keys() | new.keys()):
            changes += _changes(name, key, old.get(key), new.get(key))
    return changes


def draw_changes(changes: Sequence[Change], before: Path, after: Path, to: Path, language: str) -> list[Path]:
    """Draw each diagram that has changes, marked with their numbers in the list: the new one, and what was taken away.

    A flow is marked at the element that it leaves. Return the pictures.
    """
    pictures = []
    for folder, kinds, label in ((after, ("added", "changed"), "after"), (before, ("removed",), "before")):
        for process_id, model in read(sorted(folder.glob("*.bpmn"))).items():
            sources = {
                str(flow.get("id")): str(flow.get("sourceRef"))
                for flow in etree.fromstring(model.content).iter(BPMN + "sequenceFlow")
            }
            numbers: dict[str, list[int]] = {}
            for number, change in enumerate(changes, 1):
                element = sources.get(change.element, change.element)
                if change.kind in kinds and element in model.elements:
                    numbers.setdefault(element, []).append(number)
            for plane, svg in draw(model, language, numbers, 0):
                to.mkdir(parents=True, exist_ok=True)
                picture = to / f"{process_id}-{plane}-{label}.svg"
                picture.write_text(svg, encoding="utf-8")
                pictures.append(picture)
    return pictures


def _names(folder: Path) -> set[str]:
    names = {path.name for path in folder.glob("*") if path.suffix in (".bpmn", ".dmn") or path.name == stage_file.NAME}
    if not names:
        raise Fatal(
            f"could not compare the models | {folder} | there are no models | name two folders of models, such as "
            "bpmn my-models"
        )
    return names


def _changes(file: str, key: str, old: _Thing | None, new: _Thing | None) -> Iterator[Change]:
    if old is None or new is None:
        there = new or old
        yield Change("added" if old is None else "removed", file, key, there.name if there else key)
        return
    for path in sorted(old.facts.keys() | new.facts.keys()):
        was, now = old.facts.get(path, ""), new.facts.get(path, "")
        if was != now:
            yield Change("changed", file, key, new.name, _fact(path), was, now)


def _fact(path: str) -> tuple[str, str]:
    """Return the words of a fact: what its path ends with, or the path itself."""
    for ending, words in _NAMES.items():
        if path == ending or path.endswith("." + ending):
            return words
    return path, path


def _things(path: Path) -> dict[str, _Thing]:
    """Return what a file holds, by id; raises Fatal for no XML or JSON."""
    if not path.exists():
        return {}
    try:
        if path.suffix == ".json":
            return dict(_of_stages(json.loads(path.read_text(encoding="utf-8"))))
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_blank_text=True)
        root = etree.fromstring(path.read_bytes(), parser)
    except (ValueError, etree.XMLSyntaxError) as error:
        raise Fatal(
            f"could not compare the models | {path} | it cannot be read: {error} | correct that line"
        ) from error
    return dict(_of_model(root))


def _of_stages(content: Mapping[str, Any]) -> Iterator[tuple[str, _Thing]]:
    for part, entries in content.items():
        if not isinstance(entries, dict):
            yield part, _Thing(part, {"": json.dumps(entries, ensure_ascii=False)})
            continue
        for key, entry in entries.items():
            name = str(entry.get("zh", key)) if isinstance(entry, dict) else key
            yield f"{part}.{key}", _Thing(name, dict(_flat(entry)))


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}".removeprefix("."))
    else:
        yield path, json.dumps(value, ensure_ascii=False)


def _of_model(root: etree._Element) -> Iterator[tuple[str, _Thing]]:
    meant = {node.get("id", ""): node for node in root}
    named = {str(node.get("id")): str(node.get("name") or node.get("id")) for node in root.iter() if node.get("id")}
    for node in root.iter():
        if not isinstance(node.tag, str) or not node.get("id") or not _stands_alone(node):
            continue
        facts = dict(_facts(node, meant))
        for end in ("sourceRef", "targetRef", "attachedToRef", "default"):
            if facts.get(end) in named:
                facts[end] = f"{named[facts[end]]} ({facts[end]})"
        parent = node.getparent()
        facts["kind"] = etree.QName(node).localname
        facts["scope"] = "" if parent is None or node.tag == BPMN + "process" else parent.get("id", "")
        yield str(node.get("id")), _Thing(_name(node, named), facts)


def _name(node: etree._Element, named: Mapping[str, str]) -> str:
    """Return the name of an element; of a flow what it connects, of a table's row its number."""
    parent = node.getparent()
    if node.tag == BPMN + "sequenceFlow":
        ends = " → ".join(named.get(node.get(end, ""), "") for end in ("sourceRef", "targetRef"))
        return f"{node.get('name')}: {ends}" if node.get("name") else ends
    if node.tag == DMN + "rule" and parent is not None:
        table = parent.getparent()
        number = list(parent.iterfind(DMN + "rule")).index(node) + 1
        return f"{'' if table is None else table.get('name', '')} {number}".strip()
    return node.get("name") or node.get("label") or str(node.get("id"))


def _columns(rule: etree._Element) -> dict[str, str]:
    """Return the label of each cell of a table's row, by its path."""
    table = rule.getparent()
    if table is None or rule.tag != DMN + "rule":
        return {}
    return {
        f"{kind}Entry[{number}]": str(column.get("label") or column.get("name") or number)
        for kind in ("input", "output")
        for number, column in enumerate(table.iterfind(DMN + kind), 1)
    }


def _stands_alone(node: etree._Element) -> bool:
    """Return whether it is something by itself, and no part of an element."""
    if node.tag in (BPMN + "process", BPMN + "subProcess", BPMN + "transaction"):
        return True
    parent = node.getparent()
    name = etree.QName(node).localname
    if node.tag.startswith(DMN):
        return name in ("decision", "inputData", "decisionTable", "rule", "input", "output", "businessKnowledgeModel")
    if not node.tag.startswith(BPMN) or parent is None:
        return False
    inside = parent.tag in (BPMN + "process", BPMN + "subProcess", BPMN + "transaction")
    return inside and name not in ("extensionElements", "documentation", *_LINKS)


def _facts(node: etree._Element, meant: Mapping[str, etree._Element], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in node.attrib.items():
        local = etree.QName(name).localname
        if local == "id" or (
            not path and local in ("modelerTemplate", "modelerTemplateVersion", "modelerTemplateIcon")
        ):
            continue
        if local in _REFERENCES and value in meant:
            yield from _facts(meant[str(value)], meant, f"{path}.{local}".removeprefix("."))
        else:
            yield f"{path}.{local}".removeprefix("."), str(value)
    if node.text and node.text.strip():
        yield path or "text", node.text.strip()
    seen: dict[str, int] = {}
    columns = _columns(node)
    for child in node:
        if not isinstance(child.tag, str) or (child.get("id") and _stands_alone(child)):
            continue
        local = etree.QName(child).localname
        if local in _LINKS or local in _DRAWN:
            continue
        step = "" if local in ("extensionElements", "text", "ioMapping") else local
        if child.tag in (ZEEBE + "input", ZEEBE + "output"):
            # A mapping is known by its target, and is one fact.
            yield f"{path}.{local} {child.get('target')}".removeprefix("."), str(child.get("source"))
            continue
        seen[local] = seen.get(local, 0) + 1
        number = f"[{seen[local]}]" if seen[local] > 1 or local in ("inputEntry", "outputEntry") else ""
        step = columns.get(step + number, step + number) if step else ""
        yield from _facts(child, meant, ".".join(part for part in (path, step) if part))
