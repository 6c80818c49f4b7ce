"""The rules of a folder's ``policy-rules.yaml``: what each says, of which requirements, and how it is followed."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.designers.policy_check import facts, yaml_lines
from services.designers.policy_check.facts import Fact, Pattern, PatternError
from services.designers.policy_check.monitors import Absence, Balance, EachOf, Monitor, Pending, Precedence, Response
from services.designers.policy_check.yaml_lines import Entry, UnreadableFile

NAME = "policy-rules.yaml"
_REQUIREMENT = re.compile(r"^R([1-9]\d?)$")
_LAST_REQUIREMENT = 67
_VARIABLE = re.compile(r"\b[a-z]\w*")
_WORDS = {"id", "requirements", "process", "zh", "en", "for each", "floor"}
_PATTERN_KEYS = (
    "never", "before", "when", "after", "until", "comes", "by", "opens", "closes", "clears", "comes by itself",
    "keeps coming", "from", "afresh",
)  # fmt: skip
_TIMES = ("within", "at", "not before", "at least every")
_BEGINS_EVERY = "begins at least every"
_OTHER_KEYS = {*_TIMES, "all of", "before each of", "can come", "stage", "has", _BEGINS_EVERY}
FLOORS = ("holds", "refuses", "follows")


@dataclass(frozen=True)
class Timing:
    """When what comes by itself has to be there; ``at`` and ``not_before`` are sums of variables and durations."""

    comes: Sequence[Pattern]
    within: str | None = None
    at: str | None = None
    not_before: str | None = None
    every: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """The variables of its sums."""
        return frozenset(_VARIABLE.findall(" ".join(text for text in (self.at, self.not_before) if text is not None)))


@dataclass(frozen=True)
class StageDemand:
    """What a review stage has to have, and with which stage."""

    code: str
    has: Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """One rule. ``tried_by`` are groups of facts that have to happen on some path, else the rule was never tried.

    ``process`` is the id of the process that it is about; None is the case of an application.

    ``floor`` says what the register does where a model breaks the rule: it holds the stricter value, refuses the job
    (an incident, late), or follows the model blindly.
    """

    id: str
    requirements: tuple[str, ...]
    zh: str
    en: str
    line: int
    process: str | None = None
    patterns: tuple[Pattern, ...] = ()
    tried_by: tuple[Sequence[Pattern], ...] = ()
    monitor: Monitor | None = None
    for_each: str | None = None
    each_of: str | None = None
    """The variable that lists what has to have come before."""
    timing: Timing | None = None
    can_come: str | None = None
    stage: StageDemand | None = None
    begins_every: str | None = None
    """How often a timer has to begin the process."""
    floor: str | None = None
    begins: Sequence[Pattern] = ()
    """What a timed rule counts from."""
    ends: Sequence[Pattern] = ()
    """What ends the time of a timed rule."""
    asks: Sequence[Pattern] = ()
    """What should have come before, or come at all."""
    nevers: Sequence[Pattern] = ()
    """What may not be, or not yet."""


class Rules:
    """All rules of a file, and their states as one tuple."""

    def __init__(self, rules: Sequence[Rule], items: Sequence[str]) -> None:
        self.rules = tuple(rules)
        # A rule for each item has one monitor for every item.
        self._copies = [
            (rule.monitor, rule, item)
            for rule in self.rules
            if rule.monitor is not None
            for item in (items if rule.for_each else (None,))
        ]
        self.each: frozenset[str] = frozenset(rule.for_each for rule in self.rules if rule.for_each)
        """The variables that name what rules are followed for, each by itself."""
        self._compared: dict[tuple[str, str, str | None], frozenset[str]] = {}
        self._could_see: dict[tuple[str, str, str], bool] = {}
        self._in_order: dict[tuple[str, str], tuple[str, ...]] = {}
        self._relevant: dict[tuple[str, ...], list[tuple[int, Fact]]] = {}
        self.met: set[Pattern] = set()
        """The patterns that a fact has fitted so far."""

    @property
    def monitors(self) -> list[Monitor]:
        return [monitor for monitor, _, _ in self._copies]

    def rule_of(self, number: int) -> Rule:
        """Return the rule that the monitor of this number follows."""
        return self._copies[number][1]

    @property
    def initial(self) -> tuple[int, ...]:
        return tuple(monitor.initial for monitor, _, _ in self._copies)

    def compared(self, kind: str, name: str, what: str | None = None) -> frozenset[str]:
        """Return the variables that rules compare where such a fact happens."""
        found = self._compared.get((kind, name, what))
        if found is None:
            of_fact = [
                (rule, pattern)
                for rule in self.rules
                for pattern in rule.patterns
                if pattern.could_fit(kind, name, what)
            ]
            names = {variable for _, pattern in of_fact for variable in pattern.variables}
            names |= {rule.for_each for rule, _ in of_fact if rule.for_each}
            names |= {rule.each_of for rule, pattern in of_fact if rule.each_of and pattern.kind == "job"}
            found = self._compared[kind, name, what] = frozenset(names)
        return found

    def timed_by(self, job_type: str) -> frozenset[str]:
        """Return the variables that say how long something may take that the end of such a job begins."""
        return frozenset(
            name
            for rule in self.rules
            if rule.timing is not None and any(p.could_fit("job", job_type, "done") for p in rule.begins)
            for name in rule.timing.names
        )

    def step(
        self, states: tuple[int, ...], happened: Iterable[Fact]
    ) -> tuple[tuple[int, ...], list[tuple[Rule, Fact]]]:
        """Return the states after these facts, and the rules that one of them breaks."""
        after, broken = list(states), []
        for fact in happened:
            for number, seen in self.relevant(fact):
                monitor, rule, _ = self._copies[number]
                after[number], is_broken = monitor.step(after[number], seen)
                if is_broken:
                    broken.append((rule, fact))
        return tuple(after), broken

    def sees(self, fact: Fact) -> bool:
        """Return whether any rule takes notice of the fact."""
        return bool(self.relevant(fact))

    def could_see(self, kind: str, name: str, what: str) -> bool:
        """Return whether a rule takes notice of such a fact with some values."""
        head = (kind, name, what)
        if head not in self._could_see:
            self._could_see[head] = any(pattern.could_fit(*head) for rule in self.rules for pattern in rule.patterns)
        return self._could_see[head]

    def relevant(self, fact: Fact) -> list[tuple[int, Fact]]:
        """Return the monitors that the fact concerns, each with the fact as it sees it."""
        head = (fact.kind, fact.name)
        compared = self._in_order.get(head)
        if compared is None:
            compared = self._in_order[head] = tuple(sorted(self.compared(*head)))
        signature = (fact.kind, fact.name, fact.what, *(repr(fact.values.get(name)) for name in compared))
        found = self._relevant.get(signature)
        if found is None:
            found = self._relevant[signature] = list(self._concerned(fact))
        return found

    def _concerned(self, fact: Fact) -> Iterator[tuple[int, Fact]]:
        for number, (_, rule, item) in enumerate(self._copies):
            if rule.for_each and item is not None and fact.values.get(rule.for_each, item) != item:
                continue
            seen = fact if item is None else _of_item(fact, rule.for_each or "", item)
            fitting = [pattern for pattern in rule.patterns if pattern.fits(seen)]
            if fitting:
                self.met.update(fitting)
                yield number, seen

    def groups_that_fit(self, number: int, fact: Fact) -> list[bool]:
        """Return which groups of patterns fit a fact, of those that the rule of a monitor counts as one."""
        monitor, rule, _ = self._copies[number]
        groups = [*monitor.groups_of_patterns(), *rule.tried_by, rule.begins, rule.ends]
        groups += [rule.timing.comes] if rule.timing is not None else []
        return [any(pattern.fits(fact) for pattern in group) for group in groups]

    def pending(self, rule: Rule) -> list[int]:
        """Return the places of a rule's monitors in the states."""
        return [number for number, (_, of, _) in enumerate(self._copies) if of is rule]

    def never_tried(self) -> Iterator[tuple[Rule, Sequence[Pattern]]]:
        """Yield each rule of which a group of facts happened on no path."""
        for rule in self.rules:
            group = next((g for g in rule.tried_by if g and not any(pattern in self.met for pattern in g)), None)
            if group is not None:
                yield rule, group


def _of_item(fact: Fact, variable: str, item: str) -> Fact:
    """Return the fact as the monitor of one item sees it: a fact of all items is also one of this item."""
    return Fact(fact.kind, fact.name, fact.what, {**fact.values, variable: item}, fact.element_id)


def read(path: Path) -> list[Rule]:
    """Read the rules of a file; raises UnreadableFile with file and line.

    A rule about several processes is one for each of them.
    """
    head = yaml_lines.read(path)
    afresh = _patterns(path, head, "afresh")
    rules: list[Rule] = []
    seen: dict[str, int] = {}
    for entry in yaml_lines.entries(path, "rules"):
        of_entry = [_rule(path, one, afresh) for one in _of_each_process(path, entry)]
        name, line = of_entry[0].id, of_entry[0].line
        if name in seen:
            raise UnreadableFile(path, line, f"the rule {name} is there already, in line {seen[name]}")
        seen[name] = line
        rules += of_entry
    return rules


def _of_each_process(path: Path, entry: Entry) -> list[Entry]:
    """Return the entry of a rule, once for each process that it names."""
    named = entry.values.get("process")
    if not isinstance(named, list):
        return [entry]
    if not named or len(set(map(str, named))) < len(named):
        raise UnreadableFile(path, entry.lines["process"], "process: has to be the ids of different processes")
    return [replace(entry, values={**entry.values, "process": one}) for one in named]


def _rule(path: Path, entry: Entry, afresh: Sequence[Pattern]) -> Rule:
    values = entry.values
    for key in ("id", "requirements", "zh", "en"):
        if not isinstance(values.get(key), str) or not values[key].strip():
            raise UnreadableFile(path, entry.line, f"the rule {values.get('id', '')} needs {key}: with a text")
    if "process" in values and not isinstance(values["process"], str):
        raise UnreadableFile(path, entry.lines["process"], "process: has to be the id of a process, or a list of them")
    for key in values:
        if key not in _WORDS and key not in _PATTERN_KEYS and key not in _OTHER_KEYS:
            raise UnreadableFile(path, entry.lines[key], f"{key} is no word of a rule")
    requirements = tuple(values["requirements"].split())
    for number in requirements:
        match = _REQUIREMENT.match(number)
        if match is None or int(match[1]) > _LAST_REQUIREMENT:
            raise UnreadableFile(path, entry.lines["requirements"], f"{number} is no requirement: R1 to R67")
    floor = values.get("floor")
    if floor is not None and floor not in FLOORS:
        raise UnreadableFile(path, entry.lines["floor"], f"floor is one of {', '.join(FLOORS)}")
    found: dict[str, Sequence[Pattern]] = {key: _patterns(path, entry, key) for key in _PATTERN_KEYS if key != "when"}
    groups = _groups(path, entry)
    all_patterns = (*(p for patterns in found.values() for p in patterns), *(p for group in groups for p in group))
    rule = Rule(
        values["id"],
        requirements,
        values["zh"].strip(),
        values["en"].strip(),
        entry.line,
        process=values.get("process"),
        for_each=values.get("for each"),
        floor=floor,
    )
    if "afresh" not in values:
        # what makes the decisions of an application worthless says nothing of other processes
        found["afresh"] = afresh if rule.process is None else []
    return _followed(path, entry, rule, found, groups, all_patterns)


def _followed(  # noqa: PLR0911, PLR0917 - one for each operator, of one entry
    path: Path,
    entry: Entry,
    rule: Rule,
    found: Mapping[str, Sequence[Pattern]],
    groups: Sequence[Sequence[Pattern]],
    patterns: tuple[Pattern, ...],
) -> Rule:
    """Return the rule with what follows it: its monitor, and what has to happen for it to be tried."""
    values = entry.values
    ends = [facts.parse("case ends")]
    with_ends = patterns if found["by"] else (*patterns, *ends)
    if "stage" in values:
        if not isinstance(values.get("has"), dict):
            raise UnreadableFile(path, entry.line, f"{rule.id}: what has the stage to have? Add has:")
        return replace(rule, stage=StageDemand(str(values["stage"]), values["has"]))
    if _BEGINS_EVERY in values:
        _need(path, entry, rule, "process")
        return replace(rule, begins_every=str(values[_BEGINS_EVERY]))
    if "can come" in values:
        message = str(values["can come"]).removeprefix("message ").strip()
        comes = [facts.parse(f"message {message}")]
        _need(path, entry, rule, "from", "until")
        return replace(
            rule,
            patterns=(*patterns, *comes),
            tried_by=(found["from"], comes),
            monitor=Pending(found["from"], found["until"]),
            can_come=message,
            asks=comes,
        )
    if "comes by itself" in values or "keeps coming" in values:
        return _timed(path, entry, replace(rule, patterns=patterns), found)
    if found["opens"]:
        _need(path, entry, rule, "closes")
        balance = Balance(found["opens"], found["closes"], found["clears"], found["by"] or ends)
        tried = (found["opens"], found["closes"])
        return replace(rule, patterns=with_ends, tried_by=tried, monitor=balance, asks=found["closes"])
    if "before each of" in values:
        _need(path, entry, rule, "never", "before")
        variable = str(values["before each of"])
        return replace(
            rule,
            patterns=(*patterns, *found["afresh"]),
            tried_by=(found["never"], found["before"]),
            monitor=EachOf(found["never"], variable, found["before"], found["afresh"]),
            each_of=variable,
            asks=found["before"],
            nevers=found["never"],
        )
    if found["before"] or groups:
        _need(path, entry, rule, "never")
        all_of = bool(values.get("all of", False))
        precedence = Precedence(found["never"], found["before"], groups, found["afresh"], all_of)
        # that what may not be did not happen is no lack: the job or stage has to have happened, with whatever values
        bare = [replace(pattern, conditions=()) for pattern in found["never"]]
        patterns = (*patterns, *bare)
        tried_by = (bare, *groups)
        seen = (*patterns, *found["afresh"])
        asks, nevers = found["before"], found["never"]
        return replace(rule, patterns=seen, tried_by=tried_by, monitor=precedence, asks=asks, nevers=nevers)
    if found["never"]:
        absence = Absence(found["never"], found["after"], found["until"])
        return replace(rule, patterns=patterns, tried_by=(found["after"],), monitor=absence, nevers=found["never"])
    if found["comes"]:
        _need(path, entry, rule, "after")
        response = Response(found["after"], found["comes"], found["by"] or ends, found["until"])
        tried = (found["after"], found["comes"])
        return replace(rule, patterns=with_ends, tried_by=tried, monitor=response, asks=found["comes"])
    raise UnreadableFile(path, entry.line, f"{rule.id} says nothing: write never, comes, opens, can come or stage")


def _timed(path: Path, entry: Entry, rule: Rule, found: Mapping[str, Sequence[Pattern]]) -> Rule:
    """Return a rule about what comes by itself, with its times."""
    values = entry.values
    _need(path, entry, rule, "after", "until")
    keeps = "keeps coming" in values
    comes = found["keeps coming" if keeps else "comes by itself"]
    times = {key: None if values.get(key) is None else str(values[key]) for key in _TIMES}
    timing = Timing(comes, times["within"], times["at"], times["not before"], times["at least every"])
    if keeps and timing.every is None:
        raise UnreadableFile(path, entry.line, f"{rule.id}: how often? Add at least every: P1D")
    return replace(
        rule,
        tried_by=(found["after"], comes),
        monitor=Pending(found["after"], found["until"], () if keeps else comes),
        timing=timing,
        begins=found["after"],
        ends=found["until"],
        asks=comes,
    )


def _need(path: Path, entry: Entry, rule: Rule, *keys: str) -> None:
    for key in keys:
        if key not in entry.values:
            raise UnreadableFile(path, entry.line, f"{rule.id} needs {key}:")


def _groups(path: Path, entry: Entry) -> list[list[Pattern]]:
    """Return the groups of ``when``: one of each group has to have happened."""
    given = entry.values.get("when")
    if given is None:
        return []
    nested = isinstance(given, list) and all(isinstance(group, list) for group in given)
    return [_parsed(path, entry, "when", group) for group in (given if nested else [given])]


def _patterns(path: Path, entry: Entry, key: str) -> list[Pattern]:
    given = entry.values.get(key)
    return [] if given is None else _parsed(path, entry, key, given)


def _parsed(path: Path, entry: Entry, key: str, given: object) -> list[Pattern]:
    texts = given if isinstance(given, list) else [given]
    try:
        return [facts.parse(str(text)) for text in texts]
    except (PatternError, ValueError) as error:
        raise UnreadableFile(path, entry.lines[key], str(error)) from error


def unknown_names(rules: Sequence[Rule], known: Mapping[str, set[str]]) -> Iterator[tuple[Rule, Pattern, str]]:
    """Yield each job type, stage and message of a rule that neither a model nor the product has."""
    for rule in rules:
        for pattern in rule.patterns:
            for name in sorted(pattern.names):
                if pattern.kind in known and name not in known[pattern.kind]:
                    yield rule, pattern, name
