"""What stands beside a review on the picture: who decides, within which time, and how it is signed.

``footage-desk bpmn annotate`` writes it from ``review-stages.json``, and lint finds a note that differs from the file.
The Chinese is the annotation's text, the English its documentation, as for names. A review also gets the icon of a
person, which Modeler shows on it (``zeebe:modelerTemplateIcon``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from lxml import etree

from services.designers.element_templates import ICON, REVIEW
from services.domain.stages.schema import LIMITS, Stage, duration
from services.runtime.diagram_labels import BPMNDI, DC, DI
from services.runtime.labels import word
from services.runtime.models import BPMN, ZEEBE
from services.runtime.rules import Rules

ICON_ATTRIBUTE = f"{ZEEBE}modelerTemplateIcon"
WIDTH, HEIGHT, GAP = 186, 66, 24
DEPARTMENTS: Mapping[str, tuple[str, str]] = {
    "own": ("本部门", "own department"),
    "any": ("各部门", "any department"),
    "business": ("业务部门", "business"),
    "administration": ("行政部门", "Administration"),
    "legal": ("法务部门", "Legal"),
    "security": ("安全保卫部门", "Security"),
    "storage": ("存储部门", "storage office"),
    "management": ("管理层", "management"),
}
# Who decides where a rule of the policy says so (domain/access/policy.py).
RULES: Mapping[str, tuple[str, str]] = {
    "department": ("部门负责人", "head of the department"),
    "sign-off": ("安全保卫部门负责人", "head of Security"),
    "management": ("管理层", "management"),
    "custodian": ("指定的保管人", "named custodian"),
    "supervision": ("监督小组成员", "members of the supervision group"),
    "return-office": ("接收归还的部门", "office that takes the return"),
    "verifier": ("事务指定的复核人", "verifier whom the work order names"),
}
SIGNATURES: Mapping[str, tuple[str, str]] = {
    "password": ("密码签字", "signed with the password"),
    "password+totp": ("密码和验证码签字", "signed with password and code"),
}


@dataclass(frozen=True)
class Note:
    """The text of a note in both languages."""

    zh: str
    en: str


def of_stage(stage: Stage) -> Note:
    """Return what the note of a stage says; a limit of the organisation by its default."""
    sides = []
    for side, language, between, colon in ((0, "zh", "、", "：\n"), (1, "en", ", ", ": ")):
        if isinstance(stage.candidates, str):
            who = RULES[stage.candidates][side]
        else:
            posts: dict[str, list[str]] = {}
            for group in stage.groups:
                posts.setdefault(DEPARTMENTS[group.departments][side], []).extend(
                    word(language, p) for p in group.posts
                )
            who = "; ".join(f"{place}{colon}{between.join(dict.fromkeys(held))}" for place, held in posts.items())
        sides.append((who, _limit(stage)[side], SIGNATURES[stage.level][side]))
    (who, limit, signed), (who_en, limit_en, signed_en) = sides
    return Note(f"{who}\n{limit}\n{signed}", f"{who_en[:1].upper()}{who_en[1:]}; {limit_en}; {signed_en}.")


def _limit(stage: Stage) -> tuple[str, str]:
    known = LIMITS.get(stage.limit_of)
    length = known(Rules(max_use_days=None)) if known else duration(stage.limit_of)
    working = stage.limit_counts == "working-time"
    zh = f"时限：{_length(length)[0]}" + ("（工作时间）" if working else "") + ("（默认）" if known else "")
    en = f"limit {_length(length)[1]}" + (" of working time" if working else "") + (" (default)" if known else "")
    return zh, en


def _length(length: timedelta) -> tuple[str, str]:
    if length > timedelta(days=1) and length % timedelta(days=1) == timedelta():
        return f"{length.days}天", f"{length.days} days"
    hours = length / timedelta(hours=1)
    return f"{hours:g}小时", f"{hours:g} hours"


def annotate(content: bytes, stages: Mapping[str, Stage]) -> bytes:
    """Return a BPMN file whose reviews have their icon and their note; the same bytes where they have.

    A note that is there keeps its place.
    """
    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    before = etree.tostring(root, method="c14n")
    for call, stage in _calls(root, stages):
        call.set(ICON_ATTRIBUTE, ICON)
        note = _note_of(root, call.get("id", ""))
        if note is None:
            note = _draw(root, call)
        text = of_stage(stage)
        _child(note, "documentation").text = text.en
        _child(note, "text").text = text.zh
    if etree.tostring(root, method="c14n") == before:
        return content
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def stale(root: etree._Element, stages: Mapping[str, Stage]) -> Iterator[tuple[str, Note]]:
    """Yield the reviews whose note says something else than the stage, with what it has to say."""
    for call, stage in _calls(root, stages):
        note, text = _note_of(root, call.get("id", "")), of_stage(stage)
        if note is None:
            continue
        if (note.findtext(BPMN + "text"), note.findtext(BPMN + "documentation")) != (text.zh, text.en):
            yield call.get("id", ""), text


def _calls(root: etree._Element, stages: Mapping[str, Stage]) -> Iterator[tuple[etree._Element, Stage]]:
    for call in root.iter(BPMN + "callActivity"):
        called = call.find(f"{BPMN}extensionElements/{ZEEBE}calledElement")
        if called is None or called.get("processId") != REVIEW:
            continue
        sources = (entry.get("source", "") for entry in call.iter(ZEEBE + "input") if entry.get("target") == "stage")
        stage = stages.get(next(sources, "").removeprefix("=").strip().strip('"'))
        if stage is not None:
            yield call, stage


def _note_of(root: etree._Element, call: str) -> etree._Element | None:
    """Return the note of a review; what a designer has written beside it himself is none."""
    notes = (note for note in root.iter(BPMN + "textAnnotation") if note.get("id") == f"Note_{_name(call)}")
    return next(notes, None)


def _name(call: str) -> str:
    return call.partition("_")[2] or call


def _draw(root: etree._Element, call: etree._Element) -> etree._Element:
    """Draw a new note above its review."""
    scope, call_id = call.getparent(), call.get("id", "")
    assert scope is not None  # noqa: S101  a call lies in a process
    name = _name(call_id)
    note = etree.SubElement(scope, BPMN + "textAnnotation", id=f"Note_{name}")
    etree.SubElement(scope, BPMN + "association", id=f"Link_{name}", sourceRef=call_id, targetRef=f"Note_{name}")
    for shape in root.iter(BPMNDI + "BPMNShape"):
        bounds, plane = shape.find(DC + "Bounds"), shape.getparent()
        if shape.get("bpmnElement") != call_id or bounds is None or plane is None:
            continue
        x, y, width = (float(bounds.get(side, 0)) for side in ("x", "y", "width"))
        top = y - GAP - HEIGHT
        drawn = etree.SubElement(plane, BPMNDI + "BPMNShape", id=f"Note_{name}_di", bpmnElement=f"Note_{name}")
        place = {"x": x + (width - WIDTH) / 2, "y": top, "width": WIDTH, "height": HEIGHT}
        etree.SubElement(drawn, DC + "Bounds", {side: f"{value:g}" for side, value in place.items()})
        line = etree.SubElement(plane, BPMNDI + "BPMNEdge", id=f"Link_{name}_di", bpmnElement=f"Link_{name}")
        for end in (y, top + HEIGHT):
            etree.SubElement(line, DI + "waypoint", x=f"{x + width / 2:g}", y=f"{end:g}")
    return note


def _child(note: etree._Element, name: str) -> etree._Element:
    found = note.find(BPMN + name)
    if found is not None:
        return found
    new = etree.Element(BPMN + name)
    note.insert(0 if name == "documentation" else len(note), new)
    return new
