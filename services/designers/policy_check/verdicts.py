"""Make what is told of the walk of a process: a verdict for each rule, what it did not see, what happens no more."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.designers.policy_check import beginnings, report, routes, stage_demands, unvaried
from services.designers.policy_check.decision_inputs import decided_by_tables
from services.designers.policy_check.explorer import Broken, Walk
from services.designers.policy_check.files import Folder, facts_before
from services.designers.policy_check.in_memory import Simulation
from services.designers.policy_check.monitors import Balance, Precedence, Response
from services.designers.policy_check.replay import replay, scenario
from services.designers.policy_check.report import Counterexample, Sentence, Step, Verdict
from services.designers.policy_check.root_processes import Rivals
from services.designers.policy_check.rules import Rule, Rules
from services.designers.policy_check.unvaried import Unvaried, find_unvaried, find_unvaried_in_tables
from services.designers.policy_check.unvaried import Values as SeenValues
from services.designers.policy_check.words import Words
from services.designers.policy_check.world import World
from services.engine.model.bpmn import ElementType, Process
from services.engine.model.decisions import DecisionTable
from services.engine.model.dmn import parse_dmn

BUILT_IN: dict[str, tuple[str, Sentence]] = {
    "incident": ("R2", ("流程不会因模型本身而停住", "The process stops nowhere because of the model itself")),
    "refused": ("R2", ("引擎不拒绝任何一步", "The engine refuses no step")),
    "missing": ("R2", ("每项工作都拿得到它需要的变量", "Each worker gets the variables that it needs")),
    "of-another": (
        "R2",
        (
            "每项工作处理的都是本案的申请、移交和审核",
            "Each worker is told of the application, the hand-over and the review of its own case",
        ),
    ),
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
    "begun-twice": ("R2", ("同一件事不由两个流程办理", "No two processes do the same work for the same message")),
    "stages": ("R22 R24 R27", ("审核环节符合制度", "The review stages are those of the policy")),
}

_MOST_NAMED = 3  # job types in one sentence


@dataclass(frozen=True)
class Walked:
    """A process with its walk; ``process`` is None for the case of an application."""

    process: str | None
    world: World
    rules: Rules
    simulation: Simulation
    walk: Walk
    found: Sequence[Broken] = ()
    merged_numbers: bool = False

    @property
    def tried(self) -> set[str]:
        """The rules of which everything happened that they speak of."""
        untried = {rule.id for rule, _ in self.rules.never_tried()}
        return {rule.id for rule in self.rules.rules} - untried


class Verdicts:
    """Makes the verdicts of one process."""

    def __init__(self, files: Folder, walked: Walked) -> None:
        self._files = files
        self._walked = walked
        self._walk = walked.walk
        self._process = walked.process or ""
        self._words = Words(files.diagrams, files.stage_file, walked.world)
        self._before = facts_before(files.path, walked.process)

    def all(self) -> list[Verdict]:
        """Return a verdict for each rule, and for each built-in rule that is broken."""
        rules = self._walked.rules.rules
        verdicts = [self._broken(broken) for broken in self._walked.found]
        verdicts += self._stages()
        verdicts += self._seldom()
        verdicts += self._lost()
        told, tried = {verdict.rule for verdict in verdicts}, self._walked.tried
        verdicts += [self._unbroken(rule, is_tried=rule.id in tried) for rule in rules if rule.id not in told]
        return verdicts

    def ambiguous(self) -> Iterator[Verdict]:
        """Yield what is broken where the flows of ambiguous gateways are drawn in the other order."""
        names = [self._words.anywhere(element) for _, element in sorted(self._walked.simulation.overlapping)]
        zh, en = "、".join(f"“{name}”" for name, _ in names), ", ".join(name for _, name in names)
        for broken in self._walked.found:
            verdict = self._broken(broken)
            if verdict.result == report.BROKEN:
                of_zh, of_en = verdict.why
                why = (
                    f"{zh} 有多条分支同时成立，走哪一条只取决于绘制的先后" + (f"；{of_zh}" if of_zh else ""),
                    f"more than one flow is true at once at {en}, and nothing but the order of drawing decides"
                    + (f"; {of_en}" if of_en else ""),
                )
                yield replace(verdict, why=why)

    def _broken(self, broken: Broken) -> Verdict:
        simulation, rules = self._walked.simulation, self._walked.rules
        start, path = self._walk.way_to(broken)
        beginning = simulation.beginnings[self._walk.beginnings[start]]
        replayed = replay(simulation, rules, path, broken, beginning=beginning)
        rule, finding = broken.rule, broken.finding
        if rule is not None:
            name, requirements, zh, en, floor = rule.id, rule.requirements, rule.zh, rule.en, rule.floor
            why = self._told(rule, broken)
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
            return Verdict(name, requirements, zh, en, report.UNDECIDED, why, floor, process=self._process)
        entered: dict[int, list[tuple[str, str]]] = {}
        for number, process, element in replayed.elements:
            entered.setdefault(number, []).append((process, element))
        steps = [Step(0, *self._words.beginning(beginning.message, beginning.timer), "", "", tuple(entered.get(0, [])))]
        for number, move in enumerate(path, 1):
            zh_step, en_step = self._words.step(move)
            steps.append(
                Step(number, zh_step, en_step, move.process_id, move.element_id, tuple(entered.get(number, [])))
            )
        names = [resource.name for resource in self._files.resources]
        in_calls = scenario(replayed, names, en, key=simulation.key_of(beginning.message))
        shown = Counterexample(tuple(steps), self._expected(rule), in_calls)
        return Verdict(name, requirements, zh, en, report.BROKEN, why, floor, shown, process=self._process)

    def _expected(self, rule: Rule | None) -> Sentence:
        if rule is None or not rule.asks:
            return "", ""
        words = [self._words.pattern(pattern) for pattern in rule.asks]
        if isinstance(rule.monitor, Precedence) and rule.monitor.all_of:
            return "，并且 ".join(zh for zh, _ in words), ", and ".join(en for _, en in words)
        return "，或 ".join(zh for zh, _ in words), ", or ".join(en for _, en in words)

    def _told(self, rule: Rule, broken: Broken) -> Sentence:
        """Return what was found; without a note, what happened at the end of the path and should not have."""
        if broken.note[0] or broken.fact is None or isinstance(rule.monitor, Response | Balance):
            return broken.note
        compared = {
            name
            for pattern in rule.patterns
            if pattern.could_fit(broken.fact.kind, broken.fact.name, broken.fact.what)
            for name in pattern.variables
            if name in broken.fact.values
        }
        zh, en = self._words.fact(broken.fact, compared)
        return f"最后一步之后不应发生：{zh}", f"after the last step this happens, and should not: {en}"

    def _stages(self) -> Iterator[Verdict]:
        for rule, why in stage_demands.find_unmet(self._walked.rules.rules, self._files):
            yield _of_rule(rule, report.BROKEN, why, self._process)

    def _seldom(self) -> Iterator[Verdict]:
        process = self._walked.simulation.by_id.get(self._process)
        for rule, why in beginnings.find_seldom(self._walked.rules.rules, process):
            yield _of_rule(rule, report.BROKEN, why, self._process)

    def _lost(self) -> Iterator[Verdict]:
        """Tell each event that could happen before the edit, and cannot any more."""
        if not self._walk.is_complete:
            return
        meant = set(self._walked.world.meant.get("no longer happens", []))
        for fact in self._before.happened:
            if fact not in self._walk.happened and fact not in meant:
                numbers, (zh, en) = BUILT_IN["lost"]
                why = (f"不再发生：{fact}", f"it can no longer happen: {fact}")
                yield Verdict("lost", tuple(numbers.split()), zh, en, report.BROKEN, why, process=self._process)

    def _unbroken(self, rule: Rule, *, is_tried: bool) -> Verdict:
        result, why = report.HOLDS, ("", "")
        if not self._walk.is_complete and rule.stage is None:
            result, why = report.UNDECIDED, report.NOT_WALKED
        elif not is_tried:
            group = next(g for of, g in self._walked.rules.never_tried() if of is rule)
            words = list(dict.fromkeys(self._words.pattern(pattern) for pattern in group))
            why = (
                "从未发生：" + "，或 ".join(zh for zh, _ in words),
                "this happens on no path: " + ", or ".join(en for _, en in words),
            )
            # what the models tried before the edit, and no longer do, the edit has applied away
            was_tried = rule.id in self._before.tried
            result = report.BROKEN if was_tried else report.NEVER_TRIED
        return _of_rule(rule, result, why, self._process)


def _of_rule(rule: Rule, result: str, why: Sentence, process: str) -> Verdict:
    return Verdict(rule.id, rule.requirements, rule.zh, rule.en, result, why, rule.floor, process=process)


def not_there(rule: Rule) -> Verdict:
    """Return the verdict on a rule about a process that the folder does not have."""
    name = rule.process or ""
    why = (
        f"此文件夹中没有由消息启动的流程 {name}",
        f"the folder has no process {name} that a message or a timer begins",
    )
    return _of_rule(rule, report.BROKEN, why, name)


def begun_twice(rivals: Rivals) -> Verdict:
    """Return the verdict on two processes of the folder that do the same work for the same message."""
    zh, en = _shared(rivals)
    why = (
        f"消息 {rivals.message} 同时启动流程 {rivals.first} 和 {rivals.second}，{zh}：请删去其中一个",
        f"the message {rivals.message} begins both {rivals.first} and {rivals.second}, {en}: remove one of the two",
    )
    return _of_rivals(why)


def begun_beside(rivals: Rivals) -> Verdict:
    """Return the verdict on a process that stays deployed beside the folder's that does the same; it has another id."""
    zh, en = _shared(rivals)
    why = (
        f"引擎中仍有流程 {rivals.second}，而此文件夹没有它；消息 {rivals.message} 会同时启动它和 {rivals.first}，{zh}："
        f"请把流程 {rivals.first} 的标识改回 {rivals.second}",
        f"the engine keeps the process {rivals.second}, which this folder lacks: the message {rivals.message} would "
        f"begin both it and {rivals.first}, {en}: give {rivals.first} the id {rivals.second} again",
    )
    return _of_rivals(why)


def _shared(rivals: Rivals) -> Sentence:
    named, more = rivals.job_types[:_MOST_NAMED], len(rivals.job_types) - _MOST_NAMED
    return (
        f"两者都执行 {'、'.join(named)}{'等' if more > 0 else ''}",
        f"and both do {', '.join(named)}{f' and {more} more' if more > 0 else ''}",
    )


def _of_rivals(why: Sentence) -> Verdict:
    numbers, (zh, en) = BUILT_IN["begun-twice"]
    return Verdict("begun-twice", tuple(numbers.split()), zh, en, report.BROKEN, why)


@dataclass
class Unseen:
    """Collects what the walks of all processes have seen; what is called by several is seen once."""

    files: Folder
    _processes: dict[str, Process] = field(default_factory=dict)
    _visited: set[tuple[str, str]] = field(default_factory=set)
    _meant: set[str] = field(default_factory=set)
    _unused: dict[str, Sentence] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _unhit: dict[str, Sentence] = field(default_factory=dict)
    _words: Words | None = None
    _by_tables: set[tuple[str, str]] = field(default_factory=set)
    _seen_values: SeenValues = field(default_factory=dict)
    _brought: dict[str, frozenset[str]] = field(default_factory=dict)
    _counters: set[str] = field(default_factory=set)
    _several: set[str] = field(default_factory=set)
    _meant_unvaried: set[str] = field(default_factory=set)

    def add(self, walked: Walked) -> None:
        """Add the walk of a process."""
        self._processes |= walked.simulation.by_id
        self._visited |= walked.simulation.visited
        self._meant |= set(walked.world.meant.get("never visited", []))
        self._meant_unvaried |= set(walked.world.meant.get("not varied", []))
        for variable, kinds in walked.simulation.seen_values.items():
            self._seen_values.setdefault(variable, set()).update(kinds)
        brought = walked.world.brought(beginning.values for beginning in walked.simulation.beginnings)
        for process_id in walked.simulation.by_id:
            self._brought[process_id] = self._brought.get(process_id, frozenset()) | brought
        self._counters |= walked.world.counters.keys()
        known = walked.world.known_values()
        self._by_tables |= {
            (process.id, flow)
            for process in walked.simulation.by_id.values()
            for flow in decided_by_tables(process, known)
        }
        self._several |= {name for name, values in known.items() if len(values) > 1}
        self._words = self._words or Words(self.files.diagrams, self.files.stage_file, walked.world)
        job_types = {
            element.job.type.text
            for process in walked.simulation.processes.values()
            for element in process.elements.values()
            if element.job is not None and element.job.type.compiled is None
        }
        for job_type in sorted(job_types & walked.world.workers.keys()):
            used = {choice for _, name, choice in walked.simulation.used if name == job_type}
            for choice, values in enumerate(walked.world.outcomes(job_type)):
                key = f"{job_type} {json.dumps(values, ensure_ascii=False)}"
                if choice in used:
                    self._used.add(key)
                else:
                    self._unused[key] = _no_use(job_type, values)
        for decision_id, number, row in _rows_of_routes(walked.simulation, self.files):
            if (decision_id, number) not in walked.simulation.matched:
                self._unhit[row] = (
                    f"没有走到：表 {decision_id} 的第 {number} 行（{row}），没有案件问到它所列的环节",
                    f"no walk came to row {number} of the table {decision_id} ({row}): nobody is asked by it",
                )

    def sentences(self) -> Iterator[Sentence]:
        """Say which elements, flows and outcomes no walk has seen, but for flows that the tables decide away."""
        for process_id, element_id in self._not_visited():
            if self._words and (process_id, element_id) not in self._by_tables:
                zh, en = self._words.element(process_id, element_id)
                yield (f"没有走到：“{zh}”（{element_id}）", f"no walk came to {en} ({element_id})")
        yield from (sentence for key, sentence in self._unused.items() if key not in self._used)
        yield from (sentence for row, sentence in self._unhit.items() if row not in self._meant)
        for found in self._unvaried():
            if self._words and f"{found.place.element} {found.name}" not in self._meant_unvaried:
                yield unvaried.sentence(found, self._words.element)

    def _unvaried(self) -> Iterator[Unvaried]:
        """Yield what the models compute with though no walk has varied it."""
        seen, counters = self._seen_values, self._counters
        for process in self._processes.values():
            yield from find_unvaried(process, seen, self._brought[process.id], counters)
        everywhere = frozenset[str]().union(*self._brought.values())
        for resource in self.files.resources:
            if resource.name.endswith(".dmn"):
                yield from find_unvaried_in_tables(resource.content, seen, everywhere, counters, self._several)

    def decided_away(self) -> Iterator[Sentence]:
        """Say which flows no case takes any more, because no row of a table says so: the rules judge what that does."""
        for process_id, element_id in self._not_visited():
            if self._words and (process_id, element_id) in self._by_tables:
                zh, en = self._words.element(process_id, element_id)
                yield (
                    f"决策表的任何一行都不再走“{zh}”（{element_id}）",
                    f"by the decision tables no case takes {en} ({element_id}) any more",
                )

    def _not_visited(self) -> Iterator[tuple[str, str]]:
        for process in self._processes.values():
            for element_id in drawn(process):
                if (process.id, element_id) not in self._visited and element_id not in self._meant:
                    yield process.id, element_id


def _rows_of_routes(simulation: Simulation, files: Folder) -> Iterator[tuple[str, int, str]]:
    """Yield the rows of the tables that say the stage of a review: decision, number from 1, id."""
    asked = {
        source.decision_id
        for process in simulation.by_id.values()
        for element in process.elements.values()
        if element.element_type == ElementType.CALL_ACTIVITY
        for source in routes.sources(process, element)
    }
    if not asked:
        return
    for resource in files.resources:
        if resource.name.endswith(".dmn"):
            for decision in parse_dmn(resource.content, deployed=True).decisions.values():
                if decision.id in asked and isinstance(decision.logic, DecisionTable):
                    for number, rule in enumerate(decision.logic.rules, 1):
                        yield decision.id, number, rule.id


def _no_use(job_type: str, values: Mapping[str, Any]) -> Sentence:
    return (
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
