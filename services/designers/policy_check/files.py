"""The files of a folder of models as the policy check reads them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from services.designers import own_workers
from services.designers.own_workers import OwnWorker
from services.designers.policy_check import rules, yaml_lines
from services.designers.policy_check.rules import Rule
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.stages import file as stage_file
from services.domain.stages.schema import StageFile
from services.domain.supervision import checklists
from services.domain.supervision.checklists import ChecklistFile
from services.engine.processing.deployments import Resource
from services.runtime import models as diagrams
from services.runtime.places import BPMN, own_or_shipped

FACTS = "policy-facts.json"
"""What can happen in the models as they are: an edit after which it cannot is told."""


@dataclass(frozen=True)
class Folder:
    """The files of a folder, read."""

    path: Path
    resources: Sequence[Resource]
    diagrams: dict[str, diagrams.Model]
    stage_file: StageFile
    stage_problems: Sequence[str]
    rules: Sequence[Rule]
    rules_path: Path
    checklists: ChecklistFile
    unlike_shipped: int = 0
    """How many of the shipped rules the folder's own lack, or say otherwise."""


def read(folder: Path) -> Folder:
    """Read a folder's models, stages and rules; raises UnreadableFile.

    A folder without rules of its own is held to the shipped ones.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix in (".bpmn", ".dmn")) if folder.is_dir() else []
    if not any(path.suffix == ".bpmn" for path in paths):
        raise UnreadableFile(folder, 0, "there are no models (*.bpmn): name the folder of the models")
    read_models: dict[str, diagrams.Model] = {}
    resources = []
    for path in paths:
        content = _content(path)
        resources.append(Resource(path.name, content))
        try:
            if path.suffix == ".bpmn":
                read_models |= diagrams.parse(content)
            else:
                etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError as error:
            raise UnreadableFile(path, error.lineno or 1, f"no XML: {error.msg}") from error
    stages_path = folder / stage_file.NAME
    stages, problems = stage_file.check(stages_path)
    if stages is None:
        raise UnreadableFile(stages_path, problems[0].line, "; ".join(problem.without_line for problem in problems))
    checklists_path = own_or_shipped(folder, checklists.NAME)
    asked, asked_problems = checklists.check(checklists_path)
    if asked is None:
        sentences = "; ".join(problem.without_line for problem in asked_problems)
        raise UnreadableFile(checklists_path, asked_problems[0].line, sentences)
    rules_path = own_or_shipped(folder, rules.NAME)
    return Folder(
        folder,
        resources,
        read_models,
        stages,
        [str(problem) for problem in problems],
        rules.read(rules_path),
        rules_path,
        asked,
        _count_unlike_shipped(rules_path),
    )


def _count_unlike_shipped(path: Path) -> int:
    """Count the shipped rules that a file lacks or says otherwise; its words for people may be others."""
    shipped_path = BPMN / rules.NAME
    if path == shipped_path or not shipped_path.exists():
        return 0
    own, shipped = _conditions(path), _conditions(shipped_path)
    return sum(own.get(name) != rule for name, rule in shipped.items())


def _conditions(path: Path) -> dict[str, dict[str, Any]]:
    """Return what each rule of a readable file asks, by its id."""
    content = yaml_lines.read(path).values
    afresh = {"afresh": content.get("afresh")}
    return {
        rule["id"]: afresh | {key: value for key, value in rule.items() if key not in ("zh", "en")}
        for rule in content["rules"]
    }


def declared_workers(folder: Path, shipped: frozenset[str]) -> Mapping[str, OwnWorker]:
    """Read the workers that the folder declares; raises UnreadableFile."""
    path = folder / own_workers.NAME
    if not path.exists():
        return {}
    content, problems = own_workers.check(path, shipped)
    for problem in problems:
        raise UnreadableFile(path, problem.line, problem.without_line)
    return {} if content is None else content.workers


@dataclass(frozen=True)
class KnownFacts:
    """What happened in a process before an edit, and the rules that were tried in it."""

    happened: Sequence[str] = ()
    tried: Sequence[str] = ()


def facts_before(folder: Path, process: str | None) -> KnownFacts:
    """Read what could happen in a process, None for the case of an application; raises UnreadableFile."""
    path = own_or_shipped(folder, FACTS)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return KnownFacts()
    except (OSError, ValueError) as error:
        raise UnreadableFile(path, getattr(error, "lineno", 1), f"it cannot be read: {error}") from error
    of_process = content if process is None else content.get("processes", {}).get(process, {})
    return KnownFacts(of_process.get("facts", ()), of_process.get("tried", ()))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, 1, f"the file cannot be read: {error.strerror}") from error
