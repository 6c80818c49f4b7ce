"""List the rules by requirement, and write the paths that break one: scenario files and pictures."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from services.designers import own_workers
from services.designers.drawing import draw
from services.designers.policy_check import rules, world
from services.designers.policy_check.files import FACTS
from services.designers.policy_check.report import Report, Sentence
from services.domain.stages import file as stage_file
from services.runtime.models import read as read_models
from services.runtime.places import own_or_shipped

LAST_REQUIREMENT = 67
# What the models are read with, so that a path runs where it was written.
_BESIDE_MODELS = (stage_file.NAME, own_workers.NAME, rules.NAME, world.NAME)


@dataclass(frozen=True)
class Watched:
    """A requirement of the policy with the rules that watch it, each with its sentence."""

    requirement: str
    rules: tuple[tuple[str, Sentence], ...]


def rules_by_requirement(folder: Path) -> Iterator[Watched]:
    """Yield R1 to R67; raises UnreadableFile."""
    path = own_or_shipped(folder, rules.NAME)
    found = rules.read(path)
    for number in range(1, LAST_REQUIREMENT + 1):
        requirement = f"R{number}"
        watching = ((r.id, (r.zh, r.en)) for r in found if requirement in r.requirements)
        yield Watched(requirement, tuple(dict.fromkeys(watching)))  # one about several processes is told once


def write_facts(found: Report, models: Path) -> None:
    """Write down what can happen in the models, so that an edit after which it cannot is told."""
    content: dict[str, Any] = {"facts": list(found.happened), "tried": list(found.tried)}
    others = {part.process: part for part in found.parts if part.process}
    if others:
        content["processes"] = {
            process: {"facts": list(part.happened), "tried": list(part.tried)} for process, part in others.items()
        }
    (models / FACTS).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def write_paths(found: Report, models: Path, to: Path, language: str) -> None:
    """Write a folder for each path that breaks a rule: the scenario, the models that it deploys, and its pictures.

    It is named after the rule; a further path of the same rule gets a number: ``missing``, ``missing-2``.
    """
    names: set[str] = set()
    diagrams = read_models(sorted(models.glob("*.bpmn")))
    for verdict in found.broken:
        shown = verdict.counterexample
        if shown is None:
            continue
        folder = to / _name_beside(names, verdict.rule)
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(shown.scenario, ensure_ascii=False, indent=2)
        (folder / "scenario.json").write_text(content + "\n", encoding="utf-8")
        for path in sorted(models.glob("*")):
            if path.suffix in (".bpmn", ".dmn") or path.name in _BESIDE_MODELS:
                shutil.copyfile(path, folder / path.name)
        for process_id, model in diagrams.items():
            numbers: dict[str, list[int]] = {}
            for step in shown.steps:
                for process, element in step.elements:
                    if process == process_id:
                        numbers.setdefault(element, []).append(step.number)
            for plane, svg in draw(model, language, numbers, shown.steps[-1].number):
                (folder / f"{plane}.svg").write_text(svg, encoding="utf-8")


def _name_beside(names: set[str], rule: str) -> str:
    """Add to the names one of this rule that is not among them, and return it."""
    found = rule
    for number in count(2):
        if found not in names:
            break
        found = f"{rule}-{number}"
    names.add(found)
    return found
