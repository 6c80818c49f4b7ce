"""Check whether a case that runs may go on in other models: every rule has to hold from where it stands."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.designers.policy_check import check, files
from services.designers.policy_check.case import Canonicalizer, Case
from services.designers.policy_check.explorer import Broken, Explorer, Walk
from services.designers.policy_check.in_memory import Simulation
from services.designers.policy_check.past import (
    Follower,
    NotFollowed,
    Position,
    Record,
    Unmigratable,
    newest_version,
    root_of,
)
from services.designers.policy_check.replay import replay
from services.designers.policy_check.report import Sentence, Step
from services.designers.policy_check.root_processes import find_roots, job_types_elsewhere, main_resources
from services.designers.policy_check.rules import Rules
from services.designers.policy_check.silent_run import SilentRuns
from services.designers.policy_check.verdicts import BUILT_IN
from services.designers.policy_check.version_mapping import Difference, difference, map_elements
from services.designers.policy_check.whole_walk import find_broken
from services.designers.policy_check.words import Words
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.stages.schema import Stage
from services.engine.model.bpmn import Process
from services.engine.processing.deployments import Resource
from services.runtime import models as diagrams
from services.runtime.jobs.worker import Worker

ALLOWED, BROKEN, UNDECIDED, UNMAPPED = "allowed", "broken", "not-decided", "unmapped"
_SHOWN_STEPS = 12


@dataclass(frozen=True)
class OlderModels:
    """Models that were deployed before, with their review stages."""

    resources: Sequence[Resource]
    stages: Mapping[str, Stage]


@dataclass(frozen=True)
class Verdict:
    """Whether a case may be moved; ``why`` says what stands in the way, ``rule`` is the one that would be broken."""

    result: str
    why: Sentence = ("", "")
    rule: str = ""
    steps: tuple[Step, ...] = ()
    rules: int = 0
    states: int = 0

    @property
    def is_allowed(self) -> bool:
        return self.result == ALLOWED


class Onward:
    """Checks cases that have run on ``older`` models, oldest first, against the models of a folder.

    Cases that stand alike are checked once.
    """

    def __init__(
        self, folder: Path, older: Sequence[OlderModels], workers: Iterable[Worker], *, items: int, seconds: float
    ) -> None:
        """Raise UnreadableFile for the folder, NotDeployed for models that the engine does not take."""
        self._files = files.read(folder)
        shipped = list(workers)
        items = max(items, 1)
        self._seconds = seconds
        # a case meets the other processes by messages alone: their files are no part of its walk
        self._older = [list(main_resources(models.resources)) for models in older]
        resources, roots = main_resources(self._files.resources), find_roots(self._files.resources)
        stages = self._files.stage_file.stages
        past_stages = dict(stages)
        for models in older:
            past_stages |= models.stages
        of_older = [resource for resources in self._older for resource in resources]
        past, future = (
            check.world_of(
                self._files,
                shipped,
                items,
                stages=of,
                resources=[*resources, *of_older],
                elsewhere=job_types_elsewhere(roots, next((root for root in roots if root.is_main), None)),
            )
            for of in (past_stages, stages)
        )
        self._rules = Rules(check.rules_of(self._files, None), future.items)
        # both give the same keys to the same models, so a case of one goes on in the other
        self._past = Simulation(resources, past, self._rules, earlier=self._older)
        self._future = self._past
        if past_stages != stages:
            self._future = Simulation(resources, future, self._rules, earlier=self._older)
        check.check_names(self._files, future, self._future.processes.values())
        canonicalizer = Canonicalizer(self._past.world, self._past.live, self._past.numbers)
        self._follower = Follower(self._past, self._rules, canonicalizer)
        self._canonicalizer = canonicalizer
        self._words = Words(self._files.diagrams, self._files.stage_file, self._future.world)
        self._known: dict[object, Verdict] = {}

    def mapping(self, process_id: str, number: int) -> dict[str, str]:
        """Return the element ids of the models of this number in the folder's, by their own."""
        return map_elements(self._process(process_id, number), self._process(process_id, len(self._older)))

    def difference(self, process_id: str, number: int) -> Difference:
        """Return what that mapping changes."""
        return difference(self._process(process_id, number), self.mapping(process_id, number))

    def check(self, record: Record, process_id: str, number: int, active: frozenset[str] | None = None) -> Verdict:
        """Return whether a case with this past, on the models of this number now, may go on in those of the folder.

        ``active`` are the elements at which the engine says that it is; None where the engine cannot be asked.
        """
        mapping = self.mapping(process_id, number)
        ids = list(mapping.items())
        try:
            positions = self._positions(record, active, mapping)
        except NotFollowed as error:
            text = str(error)
            return Verdict(
                UNDECIDED, (f"无法由登记推知案件所在之处：{text}", f"where the case stands is not known: {text}")
            )
        starts: dict[object, Position] = {}
        refused: list[Sentence] = []
        for case, monitors in positions:
            here = self._follower.redeployed(case, len(self._older))
            try:
                moved = self._follower.migrated(here, ids)
            except Unmigratable as error:
                refused.append(self._unmapped(case, mapping) or (str(error), str(error)))
                continue
            starts[self._canonicalizer.canonical(moved), monitors] = (moved, monitors)
        if refused and not starts:
            zh, en = refused[0]
            return Verdict(
                UNMAPPED, (f"案件所在之处在新模型中没有对应：{zh}", f"where it stands has no place there: {en}")
            )
        key = frozenset(starts)
        if key not in self._known:
            self._known[key] = self._walked(list(starts.values()))
        return self._known[key]

    def _positions(self, record: Record, active: frozenset[str] | None, ids: Mapping[str, str]) -> Sequence[Position]:
        """Return where the case can be, also once its open jobs have ended; raises NotFollowed."""
        positions = self._follower.settle(self._follower.follow(record))
        if active is None:
            return positions
        there = []
        for position in positions:
            here = _active(position[0])
            # a call that was killed may have moved it, and not have entered it
            if active in (here, frozenset(ids.get(element, element) for element in here)):
                there.append(position)
        if not there:
            raise NotFollowed(f"the engine has it at {', '.join(sorted(active))}, its past leads elsewhere")
        return self._follower.settle(there)

    def _unmapped(self, case: Case, ids: Mapping[str, str]) -> Sentence | None:
        """Return the active elements of the case that the folder has no more, in words; None where it has them all."""
        root = root_of(case)
        left = _active(case) - ids.keys()
        if not left:
            return None
        content = case.state.definitions[root.process_definition_key].content
        elements = diagrams.parse(content)[root.bpmn_process_id].elements
        named = [(elements[one].zh, elements[one].en) if one in elements else (one, one) for one in sorted(left)]
        return "、".join(zh or en for zh, en in named), ", ".join(en or zh for zh, en in named)

    def _walked(self, starts: Sequence[Position]) -> Verdict:
        explorer = Explorer(self._future, self._rules, seconds=self._seconds)
        walk = explorer.explore_from(starts)
        found = list(walk.broken.values())
        if walk.is_complete:
            found += find_broken(walk, self._rules)
            try:
                found += SilentRuns(self._future, explorer.canonicalizer).find_broken(walk, self._rules)
            except LookupError as error:
                raise UnreadableFile(self._files.rules_path, 0, str(error)) from error
        states, rules = len(walk.parents), len(self._rules.rules)
        if found:
            return self._broken(found[0], walk, states)
        if not walk.is_complete:
            text = (f"走过 {states} 个状态仍未走完", f"not decided after {states} states: {walk.why_incomplete}")
            return Verdict(UNDECIDED, text, rules=rules, states=states)
        return Verdict(ALLOWED, rules=rules, states=states)

    def _broken(self, broken: Broken, walk: Walk, states: int) -> Verdict:
        start, path = walk.way_to(broken)
        begun = walk.began[start], walk.starts[start][1]
        rules = len(self._rules.rules)
        if not replay(self._future, self._rules, path, broken, begun).holds:
            text = (
                "找到的路径在引擎上无法重演，因此未作判断",
                "the path that was found does not replay, so nothing is said",
            )
            return Verdict(UNDECIDED, text, rules=rules, states=states)
        steps = []
        for number, move in enumerate(path, 1):
            zh, en = self._words.step(move)
            steps.append(Step(number, zh, en, move.process_id, move.element_id))
        if broken.rule is not None:
            name, sentence = broken.rule.id, (broken.rule.zh, broken.rule.en)
        else:
            name = broken.finding.kind if broken.finding is not None else ""
            sentence = BUILT_IN[name][1]
        zh, en = _path(steps)
        return Verdict(
            BROKEN,
            (f"违反规则“{sentence[0]}”（{name}）：{zh}", f"it would break {name}, {sentence[1]}: {en}"),
            name,
            tuple(steps),
            rules,
            states,
        )

    def _process(self, process_id: str, number: int) -> Process:
        return self._past.processes[newest_version(self._past.deployments[number], process_id).key]


def _active(case: Case) -> frozenset[str]:
    """Return the elements at which the case's own process is."""
    root = root_of(case)
    return frozenset(e.element_id for e in root.element_instances.values() if e.key != root.key)


def _path(steps: Sequence[Step]) -> Sentence:
    """Return the steps in one line, the last ones where there are many."""
    if not steps:
        return "就在此处", "at once, where it stands"
    shown = list(steps[-_SHOWN_STEPS:])
    more_zh, more_en = ("…… → ", "… → ") if len(shown) < len(steps) else ("", "")
    return more_zh + " → ".join(step.zh for step in shown), more_en + " → ".join(step.en for step in shown)
