"""Check that the models, review stages, workers and element templates of one folder are consistent."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lxml import etree

from services.designers import element_templates, required_steps
from services.designers.inclusive_joins import uneven_joins
from services.domain.stages import file as stage_file
from services.domain.stages.schema import StageFile
from services.runtime.errors import Fatal
from services.runtime.jobs.worker import Worker
from services.runtime.labels import WORDS
from services.runtime.models import BPMN, ZEEBE, Model
from services.runtime.models import read as read_models

RECEIVED = "decision"


def find_problems(folder: Path, workers: Iterable[Worker]) -> list[str]:
    """Return a sentence for each inconsistency in a folder of models."""
    paths = sorted(folder.glob("*.bpmn"))
    if not paths:
        return [f"{folder} has no BPMN files: name the folder of the models"]
    try:
        models = read_models(paths)
    except Fatal as error:
        return [str(error)]
    trees = {path.name: etree.parse(path) for path in paths}
    file, problems = stage_file.check(folder / stage_file.NAME)
    sentences = [f"{stage_file.NAME}, {problem}" for problem in problems]
    sentences += _unknown_jobs(models.values(), {worker.job_type for worker in workers})
    sentences += required_steps.unmet(models.values())
    sentences += [f"{name}, {uneven}" for name, tree in trees.items() for uneven in uneven_joins(tree)]
    sentences += _applied_templates(trees, folder / element_templates.FOLDER)
    if file is not None:
        sentences += _stages(models.values(), file)
        sentences += _returns(trees, file)
    return sentences


def _unknown_jobs(models: Iterable[Model], known: set[str]) -> Iterator[str]:
    for model in models:
        for element in model.elements.values():
            if element.job_type and element.job_type not in known:
                yield (
                    f"{model.process_id}, {element.id}: no worker does {element.job_type}, so the process would "
                    f"wait for ever: choose one of {', '.join(sorted(known))}"
                )


def _stages(models: Iterable[Model], file: StageFile) -> Iterator[str]:
    called: set[str] = set()
    for model in models:
        for element in model.elements.values():
            if element.called != element_templates.REVIEW:
                continue
            called.add(element.stage or "")
            if element.stage not in file.stages:
                stage_name = element.stage or "of this call"
                yield (
                    f"{model.process_id}, {element.id}: {stage_file.NAME} has no stage {stage_name}: add it there, or "
                    "correct the input stage"
                )
            elif file.stages[element.stage].retired:
                yield f"{model.process_id}, {element.id}: the stage {element.stage} is retired, but called here"
    for code, stage in file.stages.items():
        if code not in called and not stage.retired and code not in required_steps.STAGES:
            yield (
                f"{stage_file.NAME}: no model calls the stage {code}: draw its review, or mark the stage as retired so "
                "that old cases keep its labels"
            )
        if code in WORDS:
            yield f"{stage_file.NAME}: {code} means something else on the pages already: give the stage another code"


def _returns(trees: Mapping[str, etree._ElementTree], file: StageFile) -> Iterator[str]:
    """Check that every variable that a review returns starts as null and is mapped, and no other one."""
    for name, tree in trees.items():
        for call in tree.iter(BPMN + "callActivity"):
            inputs = {mapping.get("target", ""): mapping.get("source", "") for mapping in call.iter(ZEEBE + "input")}
            outputs = {mapping.get("target", "") for mapping in call.iter(ZEEBE + "output")}
            stage = file.stages.get(inputs.get("stage", "").strip('="'))
            if stage is None:
                continue
            expected = {RECEIVED, *stage.returns}
            location = f"{name}, {call.get('id')}"
            for variable in sorted(expected - outputs):
                yield f"{location}: {variable} of the review is not mapped: add it to the outputs"
            for variable in sorted(outputs - expected):
                yield f"{location}: the stage {stage.code} returns no {variable}: leave it out of the outputs"
            for variable in sorted(expected):
                if inputs.get(variable) != "=null":
                    yield f"{location}: {variable} has to start as =null, else an earlier answer would count"
            if stage.needs_hand_over and "handOverId" not in inputs:
                yield f"{location}: the stage {stage.code} is about copies: give it handOverId"


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
