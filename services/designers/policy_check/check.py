"""Check the models of a folder against the policy's rules: each process that begins by itself is walked alone."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from services.designers.policy_check import report, rules
from services.designers.policy_check.compared_numbers import compared_numbers
from services.designers.policy_check.explorer import ANYTHING, Explorer, Walk
from services.designers.policy_check.files import Folder, declared_workers, read
from services.designers.policy_check.in_memory import Beginning, NotDeployed, Simulation
from services.designers.policy_check.not_watched import not_watched
from services.designers.policy_check.overlapping_flows import drawn_otherwise
from services.designers.policy_check.report import PartOfReport, Report, Sentence, Verdict
from services.designers.policy_check.root_processes import Rivals, Root, find_rivals, find_roots, job_types_elsewhere
from services.designers.policy_check.rules import Rule, Rules
from services.designers.policy_check.silent_run import SilentRuns
from services.designers.policy_check.swapped_words import find_swapped
from services.designers.policy_check.unvaried import computed_names
from services.designers.policy_check.verdicts import (
    BUILT_IN,
    Unseen,
    Verdicts,
    Walked,
    begun_beside,
    begun_twice,
    not_there,
)
from services.designers.policy_check.whole_walk import find_broken, find_stopped
from services.designers.policy_check.world import NAME as WORLD
from services.designers.policy_check.world import World
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.process.messages import APPLICATION_SUBMITTED
from services.domain.stages import file as stage_file
from services.domain.stages.schema import Stage
from services.engine.clock import SystemClock
from services.engine.errors import Rejection
from services.engine.model.bpmn import Process
from services.engine.model.parse import parse_bpmn
from services.engine.processing.command_processor import Command, CommandProcessor
from services.engine.processing.deployments import Resource, deploy
from services.engine.state.memory import MemoryStore
from services.runtime.jobs.worker import Worker
from services.runtime.places import own_or_shipped

_ENOUGH = 22.0  # seconds: a designer waits no longer for all that an edit breaks, once something is found
_LEAST = 3.0


def world_of(
    files: Folder,
    workers: Sequence[Worker],
    items: int,
    *,
    stages: Mapping[str, Stage] | None = None,
    resources: Sequence[Resource] | None = None,
    root: Root | None = None,
    elsewhere: frozenset[str] = frozenset(),
) -> World:
    """Return what comes from outside to ``root``, without it to all models; raises UnreadableFile.

    ``stages`` and ``resources`` are those of the folder, where they are not given: a walk may begin in models that
    were deployed before. ``elsewhere`` are the job types that only other processes have.
    """
    declared = declared_workers(files.path, frozenset(worker.job_type for worker in workers))
    return World(
        own_or_shipped(files.path, WORLD).parent,
        workers,
        files.stage_file.stages if stages is None else stages,
        items,
        compared=compared_numbers(files.resources if resources is None else resources),
        computed=computed_names(files.resources if resources is None else resources),
        declared=declared,
        process=None if root is None else root.process_id,
        elsewhere=elsewhere,
    )


def rules_of(files: Folder, root: Root | None) -> list[Rule]:
    """Return the rules about a process; without one, or of the case of an application, those that name none."""
    main = root is None or root.is_main
    process = "" if root is None else root.process_id
    return [rule for rule in files.rules if rule.process == process or (main and rule.process is None)]


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
    begins: Command | Beginning | None = None,
) -> Prepared:
    """Read a folder and deploy all its models in memory, to be walked by hand; raises UnreadableFile.

    ``begins`` is what begins a case, without it the submission of an application. The rules are those about the
    process that it begins.
    """
    files = read(folder)
    roots = find_roots(files.resources)
    message = begins.message if isinstance(begins, Beginning) else APPLICATION_SUBMITTED if begins is None else ""
    root = next((one for one in roots if message in one.messages), None)
    world = world_of(files, list(workers), items, root=root)
    watched = Rules(rules_of(files, root), world.items)
    command, beginning = None if isinstance(begins, Beginning) else begins, Beginning()
    if isinstance(begins, Beginning):
        beginning = replace(begins, values=begins.values or world.message(begins.message)[0])
    try:
        simulation = Simulation(files.resources, world, watched, begins=command, beginnings=[beginning])
    except NotDeployed as error:
        raise _not_deployed(folder, str(error)) from error
    check_names(files, world, simulation.processes.values())
    return Prepared(files, world, watched, simulation)


def check(
    folder: Path,
    workers: Iterable[Worker],
    *,
    items: int = 2,
    seconds: float = 300,
    reduces: bool = True,
    until: str | None = None,
    deployed: Sequence[Resource] = (),
) -> Report:
    """Walk the models of the folder through everything; raises UnreadableFile.

    ``until`` ends the walk once this rule is broken; ``explorer.ANYTHING``, once one is. ``seconds`` are for all
    processes together. ``deployed`` are files that the engine has: a process that the folder lacks goes on beginning.
    """
    return _Check(read(folder), list(workers), items=items, reduces=reduces, deployed=deployed).run(seconds, until)


class _Check:
    """The check of one folder."""

    def __init__(
        self,
        files: Folder,
        workers: Sequence[Worker],
        *,
        items: int,
        reduces: bool,
        deployed: Sequence[Resource] = (),
    ) -> None:
        self._files = files
        self._workers = workers
        self._items = items
        self._reduces = reduces
        self._roots = find_roots(files.resources)
        self._of_product = {worker.job_type for worker in workers}
        self._rivals = self._find_rivals()
        self._beside = self._find_beside(deployed)
        self._otherwise: list[Walked] = []
        self._begun = time.process_time()

    def run(self, seconds: float, until: str | None) -> Report:
        """Walk each process that a timer or a message of the world begins.

        ``seconds`` and ``until`` are as those of ``check``.
        """
        self._refuse_what_is_not_deployed()
        of_all = world_of(self._files, self._workers, self._items)
        self._begun, walked = time.process_time(), list[Walked]()
        roots = [
            root for root in self._roots if root.timers or any(message in of_all.sent for message in root.messages)
        ]
        to_walk = [root for root in roots if root.process_id not in self._rivals]
        for root in self._wanted(self._main_first(to_walk), until):
            walked.append(self._walk(root, seconds - self._passed, until))
            if until is not None and _has_broken(walked[-1].walk, until):
                break
            self._walk_otherwise(walked[-1], root, seconds - self._passed)
        return self._report(walked, [root for root in self._roots if root not in roots], of_all)

    def _find_rivals(self) -> dict[str, Rivals]:
        """Return the processes that do what another one does for the same message, by id; they are not walked.

        Of two the one counts as the other's rival that no rule names.
        """
        named = {rule.process for rule in self._files.rules}
        roots = sorted(self._roots, key=lambda root: (not root.is_main, root.process_id not in named))
        found = (
            rivals
            for index, root in enumerate(roots)
            for rivals in find_rivals([root], roots[index + 1 :], self._of_product)
        )
        return {rivals.second: rivals for rivals in found}

    def _find_beside(self, deployed: Sequence[Resource]) -> list[Rivals]:
        """Return the processes that stay deployed beside one of the folder that does the same for the same message."""
        if not deployed or not self._roots:
            return []  # without a root a file of the folder is not valid, and the deployment says why
        drawn = (resource for resource in self._files.resources if resource.name.endswith(".bpmn"))
        kept = {process.id for resource in drawn for process in parse_bpmn(resource.content, deployed=True)}
        left = [root for root in find_roots(deployed) if root.process_id not in kept]
        return list(find_rivals(self._roots, left, self._of_product))

    @property
    def _passed(self) -> float:
        """The seconds of work since the check began."""
        return time.process_time() - self._begun

    def _main_first(self, roots: Sequence[Root]) -> list[Root | None]:
        """Return the processes to be walked: the case of an application too where only rules speak of it."""
        has_main = any(root.is_main for root in roots)
        return [*roots] if has_main or not rules_of(self._files, None) else [None, *roots]

    def _wanted(self, roots: Sequence[Root | None], until: str | None) -> Sequence[Root | None]:
        """Return those that a rule is about where the walk ends with it, else all."""
        named = [root for root in roots if any(rule.id == until for rule in rules_of(self._files, root))]
        return named or roots

    def _walk_otherwise(self, walked: Walked, root: Root | None, seconds: float) -> None:
        """Walk the process with the flows of its ambiguous gateways drawn the other way round, to the first finding."""
        gateways = walked.simulation.overlapping
        if not gateways or walked.found or not walked.walk.is_complete:
            return
        found = self._walk_files(drawn_otherwise(self._resources(root), gateways), root, seconds, ANYTHING)
        if found.found:
            self._otherwise.append(found)

    def _walk(self, root: Root | None, seconds: float, until: str | None) -> Walked:
        return self._walk_files(self._resources(root), root, seconds, until)

    def _resources(self, root: Root | None) -> Sequence[Resource]:
        return self._files.resources if root is None else root.resources

    def _walk_files(
        self, resources: Sequence[Resource], root: Root | None, seconds: float, until: str | None
    ) -> Walked:
        world = world_of(
            self._files,
            self._workers,
            self._items,
            resources=resources,
            root=root,
            elsewhere=job_types_elsewhere(self._roots, root),
        )
        watched = Rules(rules_of(self._files, root), world.items)
        beginnings = list(_beginnings(root, world))
        try:
            simulation = Simulation(resources, world, watched, reduces=self._reduces, beginnings=beginnings)
        except NotDeployed as error:
            raise _not_deployed(self._files.path, str(error)) from error
        check_names(self._files, world, self._all_processes(simulation))
        enough = max(_ENOUGH - self._passed, _LEAST)
        explorer = Explorer(simulation, watched, reduces=self._reduces, seconds=seconds, until=until, enough=enough)
        walk = explorer.explore()
        found = [*walk.broken.values(), *find_stopped(walk, watched)]
        if walk.is_complete:
            found += find_broken(walk, watched)
            try:
                found += SilentRuns(simulation, explorer.canonicalizer).find_broken(walk, watched)
            except LookupError as error:
                raise UnreadableFile(self._files.rules_path, 0, str(error)) from error
        process = None if root is None or root.is_main else root.process_id
        return Walked(process, world, watched, simulation, walk, found, explorer.canonicalizer.merged_numbers)

    def _all_processes(self, simulation: Simulation) -> Iterator[Process]:
        """Yield the processes of the folder: rules and world may name what is in any of them."""
        known = simulation.by_id
        yield from known.values()
        for resource in self._files.resources:
            if resource.name.endswith(".bpmn"):
                yield from (p for p in parse_bpmn(resource.content, deployed=True) if p.id not in known)

    def _refuse_what_is_not_deployed(self) -> None:
        """Raise UnreadableFile where the files cannot be deployed together, though each process alone could."""
        if len(self._roots) < 2:
            return  # its simulation deploys them
        processor = CommandProcessor(MemoryStore(), SystemClock())
        [response] = processor.apply([partial(deploy, resources=list(self._files.resources))]).responses
        if isinstance(response, Rejection):
            raise _not_deployed(self._files.path, str(response))

    def _report(self, walked: Sequence[Walked], unbegun: Sequence[Root], world: World) -> Report:
        otherwise = [verdict for one in self._otherwise for verdict in Verdicts(self._files, one).ambiguous()]
        told = {(verdict.process, verdict.rule) for verdict in otherwise}
        verdicts = [verdict for one in walked for verdict in Verdicts(self._files, one).all()]
        verdicts = [*otherwise, *(verdict for verdict in verdicts if (verdict.process, verdict.rule) not in told)]
        verdicts = [*map(begun_twice, self._rivals.values()), *map(begun_beside, self._beside), *verdicts]
        verdicts += self._of_stage_file()
        known = {root.process_id for root in self._roots if root not in unbegun}
        verdicts += [not_there(rule) for rule in self._files.rules if rule.process and rule.process not in known]
        is_complete = all(one.walk.is_complete for one in walked)
        unseen = Unseen(self._files)
        for one in walked:
            unseen.add(one)
        return Report(
            tuple(sorted(verdicts, key=lambda verdict: verdict.result != report.BROKEN)),
            tuple(self._unseen(walked, unseen, unbegun, world)) if is_complete else (),
            (*(unseen.decided_away() if is_complete else ()), *self._notes(walked, world)),
            tuple(_part(one) for one in walked),
        )

    def _unseen(
        self, walked: Sequence[Walked], unseen: Unseen, unbegun: Sequence[Root], world: World
    ) -> Iterator[Sentence]:
        yield from unseen.sentences()
        yield from _not_begun(unbegun)
        started = {one.process: one.walk.started for one in walked}
        roots = [root for root in self._roots if root.process_id not in self._rivals]
        yield from not_watched(self._files.rules, roots, started, world.meant.get("not watched", ()))

    def _of_stage_file(self) -> Iterator[Verdict]:
        numbers, (zh, en) = BUILT_IN["stages"]
        for problem in self._files.stage_problems:
            sentence = f"{stage_file.NAME}, {problem}"
            yield Verdict("stages", tuple(numbers.split()), zh, en, report.BROKEN, (sentence, sentence))
        for swapped in find_swapped(self._files):
            yield Verdict("stages", tuple(numbers.split()), zh, en, report.BROKEN, swapped)

    def _notes(self, walked: Sequence[Walked], world: World) -> Iterator[Sentence]:
        if self._files.rules_path.parent != self._files.path:
            yield (
                "此文件夹没有规则：用的是随版本发布的规则",
                "this folder has no rules: it is held to the shipped ones",
            )
        elif self._files.unlike_shipped:
            count = self._files.unlike_shipped
            yield (
                f"随版本发布的规则中，有 {count} 条在此文件夹中没有或已更改",
                f"{count} of the shipped rules are not here or changed",
            )
        if len(world.items) >= 2:
            yield ("试了两个申请项：第三个起没有试过", "two items were tried: what happens from a third one on was not")
        else:
            yield (
                "只试了一个申请项：多个申请项的不同结果没有试过",
                "one item was tried: different outcomes of two items were not",
            )
        for one in walked:
            walk, states = one.walk, len(one.walk.parents)
            zh, en = (f"流程 {one.process}：", f"{one.process}: ") if one.process else ("", "")
            if not walk.is_complete:
                yield (
                    f"{zh}走过 {states} 个状态仍未走完",
                    f"{en}not decided after {states} states: {walk.why_incomplete}",
                )
        if any(one.merged_numbers for one in walked):
            yield ("模型算出的大于 12 的数被当作同一个", "numbers above 12 that the models compute were applied as one")
        for name in sorted(world.processes - {root.process_id for root in self._roots}):
            yield (
                f"policy-world.yaml 写到流程 {name}，而此文件夹没有它",
                f"policy-world.yaml speaks of the process {name}, which this folder does not have",
            )


def _part(walked: Walked) -> PartOfReport:
    walk = walked.walk
    return PartOfReport(
        walked.process or "",
        len(walk.parents),
        walk.moves_made,
        walk.is_complete,
        tuple(sorted(walk.happened)),
        tuple(sorted(walked.tried)),
    )


def _beginnings(root: Root | None, world: World) -> Iterator[Beginning]:
    """Yield each way in which a process begins: a message with each thing that the world says it brings, or a timer.

    An application is submitted before anything else: it is what a path begins with where nothing else is said.
    """
    if root is None or APPLICATION_SUBMITTED in root.messages:
        yield Beginning()
    if root is not None:
        for message in root.messages:
            if message in world.sent and message != APPLICATION_SUBMITTED:
                yield from (Beginning(message, values) for values in world.message(message))
        yield from (Beginning("", {}, timer) for timer in root.timers)


def _has_broken(walk: Walk, until: str) -> bool:
    return any(until in (ANYTHING, *key[:2]) for key in walk.broken)


def _not_deployed(folder: Path, cause: str) -> UnreadableFile:
    return UnreadableFile(folder, 0, f"the engine does not deploy these models: {cause}")


def check_names(files: Folder, world: World, processes: Iterable[Process]) -> None:
    """Raise UnreadableFile for a name in the rules or the world that nobody has, so that no rule sleeps unseen.

    A rule about a process that the folder does not have is told of by its verdict.
    """
    present = list(processes)
    elements = [e for process in present for e in process.elements.values()]
    there = {"", None, *(process.id for process in present)}
    job_types = {e.job.type.text for e in elements if e.job is not None} | world.known_job_types
    drawn = {e.event.name.text for e in elements if e.event is not None and e.event.name is not None}
    known = {
        "job": job_types,
        "stage": set(files.stage_file.stages),
        "message": set(world.sent) | drawn,
        "timer": {e.id for e in elements},
        "signal": drawn,
    }
    for rule, pattern, name in rules.unknown_names([rule for rule in files.rules if rule.process in there], known):
        raise UnreadableFile(
            files.rules_path, rule.line, f"{rule.id}: no model and no worker has the {pattern.kind} {name}"
        )
    world.check_names(job_types)


def _not_begun(unbegun: Sequence[Root]) -> Iterator[Sentence]:
    for root in unbegun:
        name = root.process_id
        yield (
            f"没有走到：流程 {name} 由何启动，既不在门户的消息中，也不在 policy-world.yaml 的 keys 中",
            f"no walk came to the process {name}: no message of the portal begins it, and none that the keys of "
            "policy-world.yaml name",
        )
