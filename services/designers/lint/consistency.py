"""Check that models, review stages, workers and element templates of a folder fit together."""

from collections import Counter
from collections.abc import Collection, Iterator
from difflib import get_close_matches

from lxml import etree

from services.designers import element_templates, inclusive_joins, own_workers, required_steps, stage_notes
from services.designers.lint import routes
from services.designers.lint.findings import Finding, Level
from services.designers.lint.folder import Diagram, Folder
from services.designers.lint.reviews import DECISION, Call, calls
from services.designers.policy_check.root_processes import main_resources
from services.domain.stages import file as stage_file
from services.domain.stages.schema import Returned
from services.engine.processing.deployments import Resource
from services.runtime import places
from services.runtime.labels import WORDS
from services.runtime.models import BPMN, ZEEBE
from services.runtime.translations import Bilingual, Message, Text

_ALL_RETURNED: tuple[str, ...] = Returned.__args__  # type: ignore[attr-defined]  # a Literal's values


def find(folder: Folder, shipped: Collection[str], *, templates: bool) -> Iterator[Finding]:
    """Yield what does not fit; ``templates``: also the elements' templates, which matter to Modeler alone."""
    yield from _required(folder)
    tag = _usual_tag(folder)
    for diagram in folder.diagrams:
        yield from _unknown_jobs(diagram, folder, shipped)
        yield from _untagged(diagram, tag)
        for uneven in inclusive_joins.uneven_joins(etree.ElementTree(diagram.root)):
            yield diagram.finding(
                Level.ERROR,
                "inclusive-join",
                uneven.join,
                Message(
                    "A token that leaves at {leaves} never comes to this inclusive join, and a Camunda cluster then "
                    "waits there for ever. Draw this instead: lead that way into the join too, or end it with a "
                    "terminate end event.",
                    leaves=uneven.leaves,
                ),
            )
        if templates:
            yield from _applied_templates(diagram, folder)
        if folder.stages is not None:
            yield from _calls(diagram, folder)
            yield from _notes(diagram, folder)
    yield from _stages(folder)


def _required(folder: Folder) -> Iterator[Finding]:
    # what other root processes ask and do satisfies nothing of the case of an application
    elements = [(diagram, element) for diagram in _of_main(folder) for element in diagram.elements()]
    reached = [element for diagram, element in elements if not diagram.processes or element.id in diagram.reached]
    name = next((diagram.name for diagram in folder.diagrams if "video-retrieval" in diagram.models), "")
    for step in required_steps.unmet(reached):
        drawn = next(((d, e) for d, e in elements if step.name == (e.stage if step.is_stage else e.job_type)), None)
        values = {"name": step.name, "requirements": step.requirements}
        if drawn is not None:
            diagram, element = drawn
            text = Message(
                "No flow leads to {name}, which the policy requires ({requirements}): draw the flow again.", **values
            )
            yield diagram.finding(Level.ERROR, "required-step", element.id, text)
            continue
        if step.is_stage:
            text = Message(
                "No model calls the stage {name}, which the policy requires ({requirements}): draw its review again.",
                **values,
            )
        else:
            text = Message(
                "No model does {name}, which the policy requires ({requirements}): draw its task again.", **values
            )
        yield Finding(Level.ERROR, "required-step", name or "video-retrieval.bpmn", None, step.name, text)


def _of_main(folder: Folder) -> list[Diagram]:
    """Return the diagrams of the case of an application, with what it calls; all where none is that case."""
    resources = [Resource(diagram.name, etree.tostring(diagram.root)) for diagram in folder.diagrams]
    names = {resource.name for resource in main_resources(resources)}
    return [diagram for diagram in folder.diagrams if diagram.name in names]


def _unknown_jobs(diagram: Diagram, folder: Folder, shipped: Collection[str]) -> Iterator[Finding]:
    known = {*shipped, *folder.declared}
    for element in diagram.elements():
        job_type = element.job_type
        if not job_type or job_type in known or job_type.startswith("="):
            continue
        close = get_close_matches(job_type, known, n=1)
        text: Text = Message(
            "No worker of the product does {job_type}. If one of yours does, declare it in {file}; if not, the process "
            "waits here for ever.",
            job_type=job_type,
            file=own_workers.NAME,
        )
        if close:
            text = Message(
                "No worker does {job_type}: is {close} meant? If one of yours does it, declare it in {file}; if not, "
                "the process waits here for ever.",
                job_type=job_type,
                close=close[0],
                file=own_workers.NAME,
            )
        yield diagram.finding(Level.ADVICE, "undeclared-job", element.id, text)


def _usual_tag(folder: Folder) -> str:
    """Return the version tag that most processes of a folder carry; where none has one, that of the shipped models."""
    tags = Counter(tag for diagram in folder.diagrams for _, tag in _tags(diagram.root) if tag)
    if tags:
        return tags.most_common(1)[0][0]
    shipped = etree.parse(places.BPMN / "video-retrieval.bpmn").getroot()
    return next(tag for _, tag in _tags(shipped))


def _tags(root: etree._Element) -> Iterator[tuple[str, str]]:
    """Yield the id of each process that is deployed, with its version tag, "" for none."""
    for process in root.iter(f"{BPMN}process"):
        if process.get("isExecutable") == "true":
            tag = process.find(f"{BPMN}extensionElements/{ZEEBE}versionTag")
            yield process.get("id", ""), "" if tag is None else tag.get("value", "")


def _untagged(diagram: Diagram, usual: str) -> Iterator[Finding]:
    for process, tag in _tags(diagram.root):
        if not tag:
            text = Message(
                "It has no version tag, so nothing shows under which version of the policy its cases ran. Click on "
                "the empty canvas in Modeler and write {tag} under Version tag.",
                tag=usual,
            )
            yield diagram.finding(Level.ADVICE, "version-tag", process, text)


def _stages(folder: Folder) -> Iterator[Finding]:
    called = {element.stage for diagram in folder.diagrams for element in diagram.elements()} | routes.asked(folder)
    for code, stage in (folder.stages or {}).items():
        place = (stage_file.NAME, folder.stage_lines.get(code), f"stages.{code}")
        if code not in called and not stage.retired and code not in required_steps.STAGES:
            text = Message(
                "No model calls the stage {stage}: draw its review, or mark the stage as retired so that old cases "
                "keep its words.",
                stage=code,
            )
            yield Finding(Level.ADVICE, "uncalled-stage", *place, text)
        if code in WORDS:
            text = Message("{stage} means something else on the pages: give the stage another code.", stage=code)
            yield Finding(Level.ADVICE, "stage-code", *place, text)


def _notes(diagram: Diagram, folder: Folder) -> Iterator[Finding]:
    for call, note in stage_notes.stale(diagram.root, folder.stages or {}):
        text = Message(
            "The note beside this review differs from {file}: run footage-desk bpmn annotate, which writes “{note}”.",
            file=stage_file.NAME,
            note=Bilingual(note.zh.replace("：\n", "：").replace("\n", "，"), note.en),
        )
        yield diagram.finding(Level.ADVICE, "stage-note", call, text)


def _calls(diagram: Diagram, folder: Folder) -> Iterator[Finding]:
    stages = folder.stages or {}
    for call in calls(diagram, stages):
        stage = call.stage
        if stage is not None and not stage.retired:
            for rule, text in _returns(call):
                yield diagram.finding(Level.ERROR, rule, call.id, text)
            continue
        if call.code is None and not call.is_fixed:
            continue  # computed by an expression
        values = {"file": stage_file.NAME, "stage": call.code or "—"}
        if stage is not None:
            text = Message("The stage {stage} is retired, but called here: call one that is in use.", stage=stage.code)
        elif close := get_close_matches(call.code or "", stages, n=1):
            text = Message("{file} has no stage {stage}: is {close} meant?", close=close[0], **values)
        elif call.code:
            text = Message("{file} has no stage {stage}: add it there, or choose another stage here.", **values)
        else:
            text = Message("The review does not say which stage it asks: choose one in its template.")
        yield diagram.finding(Level.ERROR, "stage", call.id, text)


def _returns(call: Call) -> Iterator[tuple[str, Message]]:
    """Check that what a review returns is taken over, and begins as null; under which name is the designer's choice."""
    stage = call.stage
    if stage is None:
        return
    returned = (DECISION, *stage.returns)
    for name in returned:
        if not call.takes_over(name):
            yield (
                "review-outputs",
                Message(
                    "{variable} of the review is not taken over. Add an output with the source ={variable}, under a "
                    "name of your choice.",
                    variable=name,
                ),
            )
        elif call.inputs.get(name) != "=null" and not call.takes_all:
            yield (
                "review-inputs",
                Message(
                    "{variable} has to start as =null, else an earlier answer would count: add the input.",
                    variable=name,
                ),
            )
    for name in _ALL_RETURNED:
        if name not in returned and name in call.sources.values():
            yield (
                "review-outputs",
                Message(
                    "The stage {stage} returns no {variable}: leave it out of the outputs.",
                    stage=stage.code,
                    variable=name,
                ),
            )
    if stage.needs_hand_over and "handOverId" not in call.inputs:
        yield (
            "review-inputs",
            Message("The stage {stage} is about copies: give it the input handOverId.", stage=stage.code),
        )


def _applied_templates(diagram: Diagram, folder: Folder) -> Iterator[Finding]:
    versions = dict(element_templates.versions(folder.path / element_templates.FOLDER))
    for node in diagram.root.iter("*"):
        applied, version = node.get(ZEEBE + "modelerTemplate"), node.get(ZEEBE + "modelerTemplateVersion")
        if applied is None or not applied.startswith(element_templates.PREFIX):
            continue
        if applied not in versions:
            text = Message("There is no element template {template}: unlink it in Modeler.", template=applied)
        elif version != versions[applied]:
            text = Message(
                "Its template {template} is at version {newest}, the element at {version}: update it in Modeler.",
                template=applied,
                newest=versions[applied],
                version=version,
            )
        else:
            continue
        yield diagram.finding(Level.ADVICE, "template", node.get("id", ""), text)
