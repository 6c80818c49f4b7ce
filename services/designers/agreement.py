"""Whether models, review stages, workers and element templates of one folder fit together, as sentences."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lxml import etree

from services.designers import demands, element_templates
from services.domain.stages import file as stage_file
from services.domain.stages.schema import StageFile
from services.runtime.errors import Fatal
from services.runtime.jobs.worker import Worker
from services.runtime.labels import WORDS
from services.runtime.models import BPMN, ZEEBE, Model
from services.runtime.models import read as read_models

RECEIVED = "decision"


def disagreements(folder: Path, workers: Iterable[Worker]) -> list[str]:
    """What does not fit together in a folder of models, a sentence each; none when all does."""
    paths = sorted(folder.glob("*.bpmn"))
    if not paths:
        return [f"{folder} has no BPMN files: name the folder of the models"]
    try:
        models = read_models(paths)
    except Fatal as error:
        return [str(error)]
    trees = {path.name: etree.parse(path) for path in paths}
    file, problems = stage_file.examine(folder / stage_file.NAME)
    found = [f"{stage_file.NAME}, {problem}" for problem in problems]
    found += _unknown_jobs(models.values(), {worker.job_type for worker in workers})
    found += demands.unmet(models.values())
    found += _applied_templates(trees, folder / element_templates.FOLDER)
    if file is not None:
        found += _stages(models.values(), file)
        found += _returns(trees, file)
    return found


def _unknown_jobs(models: Iterable[Model], known: set[str]) -> Iterator[str]:
    for model in models:
        for element in model.elements.values():
            if element.job_type and element.job_type not in known:
                yield (
                    f"{model.process_id}, {element.id}: no worker does {element.job_type}, so the process would wait "
                    f"for ever there: choose one of {', '.join(sorted(known))}"
                )


def _stages(models: Iterable[Model], file: StageFile) -> Iterator[str]:
    asked: set[str] = set()
    for model in models:
        for element in model.elements.values():
            if element.called != element_templates.REVIEW:
                continue
            asked.add(element.stage or "")
            if element.stage not in file.stages:
                wanted = element.stage or "of this call"
                yield (
                    f"{model.process_id}, {element.id}: {stage_file.NAME} has no stage {wanted}: add it there, or "
                    "correct the input stage"
                )
            elif file.stages[element.stage].retired:
                yield f"{model.process_id}, {element.id}: the stage {element.stage} is retired, and is asked here"
    for code, stage in file.stages.items():
        if code not in asked and not stage.retired and code not in demands.STAGES:
            yield (
                f"{stage_file.NAME}: no model asks the stage {code}: draw its review, or mark the stage as retired so "
                "that old cases keep its words"
            )
        if code in WORDS:
            yield f"{stage_file.NAME}: {code} means something else on the pages already: give the stage another code"


def _returns(trees: Mapping[str, etree._ElementTree], file: StageFile) -> Iterator[str]:
    """Every variable that a review returns begins as null and is taken over; nothing else is."""
    for name, tree in trees.items():
        for call in tree.iter(BPMN + "callActivity"):
            inputs = {one.get("target", ""): one.get("source", "") for one in call.iter(ZEEBE + "input")}
            outputs = {one.get("target", "") for one in call.iter(ZEEBE + "output")}
            stage = file.stages.get(inputs.get("stage", "").strip('="'))
            if stage is None:
                continue
            wanted = {RECEIVED, *stage.returns}
            here = f"{name}, {call.get('id')}"
            for variable in sorted(wanted - outputs):
                yield f"{here}: {variable} of the review is not taken over: add it to the outputs"
            for variable in sorted(outputs - wanted):
                yield f"{here}: the stage {stage.code} returns no {variable}: leave it out of the outputs"
            for variable in sorted(wanted):
                if inputs.get(variable) != "=null":
                    yield f"{here}: {variable} has to begin as =null, else an earlier answer would pass for this one's"
            if stage.needs_hand_over and "handOverId" not in inputs:
                yield f"{here}: the stage {stage.code} is about copies: give it handOverId"


def _applied_templates(trees: Mapping[str, etree._ElementTree], folder: Path) -> Iterator[str]:
    versions = dict(element_templates.versions(folder))
    for name, tree in trees.items():
        for node in tree.iter():
            applied, version = node.get(ZEEBE + "modelerTemplate"), node.get(ZEEBE + "modelerTemplateVersion")
            if applied is None or not applied.startswith(element_templates.PREFIX):
                continue
            if applied not in versions:
                yield f"{name}, {node.get('id')}: there is no element template {applied}: unlink it in Modeler"
            elif version != versions[applied]:
                yield (
                    f"{name}, {node.get('id')}: its template {applied} is at version {versions[applied]}, the element "
                    f"at {version}: update it in Modeler"
                )
