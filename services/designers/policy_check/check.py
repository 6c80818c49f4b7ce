"""Check the models of a folder against the policy's rules."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from services.designers import own_workers
from services.designers.own_workers import OwnWorker
from services.designers.policy_check import report, rules, stage_demands
from services.designers.policy_check.compared_numbers import compared_numbers
from services.designers.policy_check.explorer import Broken, Explorer, Walk
from services.designers.policy_check.in_memory import NotDeployed, Simulation
from services.designers.policy_check.replay import replay, scenario
from services.designers.policy_check.report import Counterexample, Report, Sentence, Step, Verdict
from services.designers.policy_check.rules import Rule, Rules
from services.designers.policy_check.silent_run import SilentRuns
from services.designers.policy_check.whole_walk import find_broken
from services.designers.policy_check.words import SUBMITTED, Words
from services.designers.policy_check.world import NAME as WORLD
from services.designers.policy_check.world import World
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.process.messages import SENT
from services.domain.stages import file as stage_file
from services.domain.stages.schema import Stage, StageFile
from services.engine.model.bpmn import ElementType, Process
from services.engine.processing.command_processor import Command
from services.engine.processing.deployments import Resource
from services.runtime import models as diagrams
from services.runtime.jobs.worker import Worker
from services.runtime.places import own_or_shipped

FACTS = "policy-facts.json"
"""What can happen in the models as they are: an edit after which it cannot is told."""

BUILT_IN: dict[str, tuple[str, Sentence]] = {
    "incident": ("R2", ("流程不会因模型本身而停住", "The process stops nowhere because of the model itself")),
    "refused": ("R2", ("引擎不拒绝任何一步", "The engine refuses no step")),
    "missing": ("R2", ("每项工作都拿得到它需要的变量", "Each worker gets the variables that it needs")),
    "key": (
        "R2",
        ("模型按门户发送时的键等待消息", "A model waits for a message by the key that the portal sends it with"),
    ),
    "unchecked-timer": (
        "R22 R46",
        ("定时结束等待之前，先核对登记", "A timer that ends a wait first looks into the register"),
    ),
    "dead-end": ("R2", ("没有死路", "There is no dead end")),
    "never-ends": ("R2", ("每个案件都能结束", "Every case can end")),
    "endless-loop": ("R2", ("没有无止境的循环", "Nothing goes in circles without an end")),
    "lost": ("R2", ("先前会发生的事，改动之后仍会发生", "What could happen before an edit can still happen after it")),
    "stages": ("R22 R24 R27", ("审核环节符合制度", "The review stages are those of the policy")),
}


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
        raise UnreadableFile(stages_path, problems[0].line, "; ".join(problem.sentence for problem in problems))
    rules_path = own_or_shipped(folder, rules.NAME)
    return Folder(
        folder,
        resources,
        read_models,
        stages,
        [str(problem) for problem in problems],
        rules.read(rules_path),
        rules_path,
    )


def declared_workers(folder: Path, shipped: frozenset[str]) -> Mapping[str, OwnWorker]:
    """Read the workers that the folder declares; raises UnreadableFile."""
    path = folder / own_workers.NAME
    if not path.exists():
        return {}
    content, problems = own_workers.check(path, shipped)
    for problem in problems:
        raise UnreadableFile(
            path, problem.line, f"{problem.key}: {problem.sentence}" if problem.key else problem.sentence
        )
    return {} if content is None else content.workers


def world_of(
    files: Folder,
    workers: Sequence[Worker],
    items: int,
    *,
    stages: Mapping[str, Stage] | None = None,
    older: Sequence[Resource] = (),
) -> World:
    """Return what comes to the models of the folder from outside; raises UnreadableFile.

    ``stages`` and ``older`` are those of models that were deployed before, where a walk begins in them.
    """
    declared = declared_workers(files.path, frozenset(worker.job_type for worker in workers))
    return World(
        own_or_shipped(files.path, WORLD).parent,
        workers,
        files.stage_file.stages if stages is None else stages,
        items,
        compared=compared_numbers([*files.resources, *older]),
        declared=declared,
    )


@dataclass(frozen=True)
class Prepared:
    """The models of a folder, deployed in memory, with the world and the rules around them."""

    files: Folder
    world: World
    rules: Rules
    simulation: Simulation


def prepare(
    folder: Path,
    workers: Iterable[Worker],
    *,
    items: int,
    reduces: bool = True,
    begins: Command | None = None,
) -> Prepared:
    """Read a folder and deploy its models in memory; raises UnreadableFile. ``begins`` as Simulation's."""
    files = read(folder)
    world = world_of(files, list(workers), items)
    watched = Rules(files.rules, world.items)
    try:
        simulation = Simulation(files.resources, world, watched, reduces=reduces, begins=begins)
    except NotDeployed as error:
        raise UnreadableFile(folder, 0, f"the engine does not deploy these models: {error}") from error
    check_names(files, world, simulation)
    return Prepared(files, world, watched, simulation)


def check(
    folder: Path,
    workers: Iterable[Worker],
    *,
    items: int = 2,
    seconds: float = 300,
    reduces: bool = True,
    until: str | None = None,
) -> Report:
    """Walk the models of the folder through everything; raises UnreadableFile.

    ``until`` ends the walk once this rule is broken; ``explorer.ANYTHING``, once one is.
    """
    prepared = prepare(folder, workers, items=items, reduces=reduces)
    files, world, watched, simulation = prepared.files, prepared.world, prepared.rules, prepared.simulation
    explorer = Explorer(simulation, watched, reduces=reduces, seconds=seconds, until=until)
    walk = explorer.explore()
    found = list(walk.broken.values())
    if walk.is_complete:
        found += find_broken(walk, watched)
        try:
            found += SilentRuns(simulation, explorer.canonicalizer).find_broken(walk, watched)
        except LookupError as error:
            raise UnreadableFile(files.rules_path, 0, str(error)) from error
    check_of = _Check(files, world, watched, simulation, walk)
    return check_of.report(found, merged_numbers=explorer.canonicalizer.merged_numbers)


class _Check:
    """Makes the report of a walk."""

    def __init__(self, files: Folder, world: World, watched: Rules, simulation: Simulation, walk: Walk) -> None:
        self._files = files
        self._world = world
        self._rules = watched
        self._simulation = simulation
        self._walk = walk
        self._words = Words(files.diagrams, files.stage_file, world)
        self._before = _facts_before(files.path)

    def report(self, found: Sequence[Broken], *, merged_numbers: bool) -> Report:
        walk = self._walk
        verdicts = [self._broken(broken) for broken in found]
        verdicts += self._stages()
        verdicts += self._lost()
        told = {verdict.rule for verdict in verdicts}
        tried = self._tried()
        for rule in self._rules.rules:
            if rule.id not in told:
                verdicts.append(self._unbroken(rule, is_tried=rule.id in tried))
        notes: list[Sentence] = []
        if self._files.rules_path.parent != self._files.path:
            notes.append(
                ("此文件夹没有规则：用的是随版本发布的规则", "this folder has no rules: it is held to the shipped ones")
            )
        if len(self._world.items) >= 2:
            notes.append(
                ("试了两个申请项：第三个起没有试过", "two items were tried: what happens from a third one on was not")
            )
        else:
            notes.append(
                (
                    "只试了一个申请项：多个申请项的不同结果没有试过",
                    "one item was tried: different outcomes of two items were not",
                )
            )
        if not walk.is_complete:
            states = len(walk.parents)
            notes.append((f"走过 {states} 个状态仍未走完", f"not decided after {states} states: {walk.why_incomplete}"))
        if merged_numbers:
            notes.append(
                ("模型算出的大于 12 的数被当作同一个", "numbers above 12 that the models compute were applied as one")
            )
        return Report(
            tuple(sorted(verdicts, key=lambda verdict: verdict.result != report.BROKEN)),
            tuple(self._unseen()),
            tuple(notes),
            len(walk.parents),
            walk.moves_made,
            walk.is_complete,
            tuple(sorted(walk.happened)),
            tuple(sorted(tried)),
        )

    def _broken(self, broken: Broken) -> Verdict:
        path = [*self._walk.path(broken.state), *broken.moves]
        replayed = replay(self._simulation, self._rules, path, broken)
        rule, finding = broken.rule, broken.finding
        if rule is not None:
            name, requirements, zh, en, floor = rule.id, rule.requirements, rule.zh, rule.en, rule.floor
            why = broken.note
        elif finding is not None:
            name, floor = finding.kind, None
            numbers, (zh, en) = BUILT_IN[finding.kind]
            requirements = tuple(numbers.split())
            of_zh, of_en = self._words.anywhere(finding.element_id)
            why = (
                (f"“{of_zh}”：{finding.text[0]}", f"{of_en}: {finding.text[1]}") if finding.element_id else finding.text
            )
        else:
            raise LookupError("what is broken is a rule or a finding")
        if not replayed.holds:
            why = (
                "找到的路径在引擎上无法重演，因此未作判断",
                "the path that was found does not replay on the engine, so nothing is said",
            )
            return Verdict(name, requirements, zh, en, report.UNDECIDED, why, floor)
        entered: dict[int, list[tuple[str, str]]] = {}
        for number, process, element in replayed.elements:
            entered.setdefault(number, []).append((process, element))
        steps = [Step(0, *SUBMITTED, "", "", tuple(entered.get(0, [])))]
        for number, move in enumerate(path, 1):
            zh_step, en_step = self._words.step(move)
            steps.append(
                Step(number, zh_step, en_step, move.process_id, move.element_id, tuple(entered.get(number, [])))
            )
        names = [resource.name for resource in self._files.resources]
        shown = Counterexample(tuple(steps), self._expected(rule), scenario(replayed, names, en))
        return Verdict(name, requirements, zh, en, report.BROKEN, why, floor, shown)

    def _expected(self, rule: Rule | None) -> Sentence:
        if rule is None or not rule.asks:
            return "", ""
        words = [self._words.pattern(pattern) for pattern in rule.asks]
        return "，或 ".join(zh for zh, _ in words), ", or ".join(en for _, en in words)

    def _stages(self) -> Iterator[Verdict]:
        stages = self._files.stage_file.stages
        for rule, why in stage_demands.find_unmet(self._rules.rules, stages, self._files.rules_path):
            yield Verdict(rule.id, rule.requirements, rule.zh, rule.en, report.BROKEN, why, rule.floor)
        for problem in self._files.stage_problems:
            numbers, (zh, en) = BUILT_IN["stages"]
            sentence = f"{stage_file.NAME}, {problem}"
            yield Verdict("stages", tuple(numbers.split()), zh, en, report.BROKEN, (sentence, sentence))

    def _lost(self) -> Iterator[Verdict]:
        """Tell each event that could happen before the edit, and cannot any more."""
        if not self._walk.is_complete:
            return
        meant = set(self._world.meant.get("no longer happens", []))
        for fact in self._before.get("facts", []):
            if fact not in self._walk.happened and fact not in meant:
                numbers, (zh, en) = BUILT_IN["lost"]
                why = (f"不再发生：{fact}", f"it can no longer happen: {fact}")
                yield Verdict("lost", tuple(numbers.split()), zh, en, report.BROKEN, why)

    def _tried(self) -> set[str]:
        untried = {rule.id for rule, _ in self._rules.never_tried()}
        return {rule.id for rule in self._rules.rules} - untried

    def _unbroken(self, rule: Rule, *, is_tried: bool) -> Verdict:
        result, why = report.HOLDS, ("", "")
        if not self._walk.is_complete and rule.stage is None:
            result, why = report.UNDECIDED, report.NOT_WALKED
        elif not is_tried:
            group = next(g for of, g in self._rules.never_tried() if of is rule)
            words = [self._words.pattern(pattern) for pattern in group]
            why = (
                "从未发生：" + "，或 ".join(zh for zh, _ in words),
                "this happens on no path: " + ", or ".join(en for _, en in words),
            )
            # what the models tried before the edit, and no longer do, the edit has applied away
            was_tried = rule.id in self._before.get("tried", [])
            result = report.BROKEN if was_tried else report.NEVER_TRIED
        return Verdict(rule.id, rule.requirements, rule.zh, rule.en, result, why, rule.floor)

    def _unseen(self) -> Iterator[Sentence]:
        """Say which elements, flows and outcomes no walk has seen."""
        if not self._walk.is_complete:
            return
        meant = set(self._world.meant.get("never visited", []))
        for process in self._simulation.processes.values():
            for element_id in drawn(process):
                if (process.id, element_id) not in self._simulation.visited and element_id not in meant:
                    zh, en = self._words.element(process.id, element_id)
                    yield (f"没有走到：“{zh}”（{element_id}）", f"no walk came to {en} ({element_id})")
        yield from self._unused()

    def _unused(self) -> Iterator[Sentence]:
        job_types = {
            element.job.type.text
            for process in self._simulation.processes.values()
            for element in process.elements.values()
            if element.job is not None and element.job.type.compiled is None
        }
        for job_type in sorted(job_types & self._world.workers.keys()):
            used = {choice for kind, name, choice in self._simulation.used if name == job_type}
            for choice, values in enumerate(self._world.outcomes(job_type)):
                if choice not in used:
                    yield (
                        f"没有用到 {job_type} 的结果 {json.dumps(values, ensure_ascii=False)}",
                        f"no walk used this outcome of {job_type}: {json.dumps(values)}",
                    )


def drawn(process: Process) -> Iterator[str]:
    """Yield the elements and flows of a process that a case can pass.

    The engine takes no flow out of an event-based gateway: the event that came is next.
    """
    for element in process.elements.values():
        if element.element_type != ElementType.PROCESS and not element.for_compensation:
            yield element.id
        if element.element_type != ElementType.EVENT_BASED_GATEWAY:
            yield from (flow.id for flow in element.outgoing)


def _facts_before(folder: Path) -> dict[str, list[str]]:
    path = own_or_shipped(folder, FACTS)
    try:
        content: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UnreadableFile(path, getattr(error, "lineno", 1), f"it cannot be read: {error}") from error
    return content


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, 1, f"the file cannot be read: {error.strerror}") from error


def check_names(files: Folder, world: World, simulation: Simulation) -> None:
    """Raise UnreadableFile for a name in the rules or the world that nobody has, so that no rule sleeps unseen."""
    elements = [e for process in simulation.processes.values() for e in process.elements.values()]
    job_types = {e.job.type.text for e in elements if e.job is not None} | set(world.workers)
    drawn = {e.event.name.text for e in elements if e.event is not None and e.event.name is not None}
    known = {
        "job": job_types,
        "stage": set(files.stage_file.stages),
        "message": set(SENT) | drawn,
        "timer": {e.id for e in elements},
        "signal": drawn,
    }
    for rule, pattern, name in rules.unknown_names(files.rules, known):
        raise UnreadableFile(
            files.rules_path, rule.line, f"{rule.id}: no model and no worker has the {pattern.kind} {name}"
        )
    world.check_names(job_types)
