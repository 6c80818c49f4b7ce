"""Find which marks of importance go on alike: those who sign may raise a mark, and the models ask only for the result.

A case holds the marks that nobody may lower any more until the next signature. Two such sets of marks are alike where
the signatures that they leave open have the same effect: on every decision table, and on every rule. That holds only
where nothing else reads a mark alone, and where the marks are always carried together; else every set stays apart.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.designers.policy_check.facts import Fact
from services.designers.policy_check.live_variables import NONE, Names, Uses, names_in_decisions, names_of, other_parts
from services.designers.policy_check.rules import Rules
from services.designers.policy_check.world import MARKS, World
from services.domain.stages.schema import Stage
from services.engine.clock import SystemClock
from services.engine.feel.names import free_names
from services.engine.feel.nodes import ContextNode, Literal, Name
from services.engine.model.bpmn import Process
from services.engine.model.dmn import parse_dmn
from services.engine.model.expression import Expression
from services.engine.processing.decision_engine import evaluate_decision

Set = tuple[bool, ...]
_MOST_COMBINATIONS = 4096
_ALL: Names = frozenset(MARKS)


def alike(
    processes: Iterable[Process], decisions: Sequence[bytes], world: World, rules: Rules, uses: Uses
) -> Mapping[Set, Set]:
    """Return for each set of marks the first one that goes on as it does; empty where that cannot be shown."""
    sets = list(itertools.product((False, True), repeat=len(MARKS)))
    signing = [s for s in world.stages.values() if not s.may_lower and _ALL & set(s.returns)]
    if not signing or not all(map(_are_together, processes)) or not _is_read_by_none_else(world, rules, uses):
        return {}
    if any(_ALL & set(s.returns) and not set(s.returns) >= _ALL for s in world.stages.values()):
        return {}
    try:
        results = {of: list(_results(of, decisions, world)) for of in sets}
    except OverflowError:
        return {}
    effects = {of: json.dumps([results[of], [_seen(of, stage, world, rules) for stage in signing]]) for of in sets}
    first: dict[tuple[str, frozenset[str]], Set] = {}
    found: dict[Set, Set] = {}
    for of in sets:
        left = frozenset(effects[raised] for raised in sets if all(b or not a for a, b in zip(of, raised, strict=True)))
        found[of] = first.setdefault((effects[of], left), of)  # who refuses keeps the marks as they are
    return found


def _are_together(process: Process) -> bool:
    """Return whether each mapping carries all marks as they are, sets all to null, or has to do with none."""
    for element in process.elements.values():
        if not all(map(_carries_together, (element.inputs, element.outputs))):
            return False
    return not any(names_of(part) & _ALL for part in other_parts(process))


def _carries_together(mapping: Expression | None) -> bool:
    if mapping is None or mapping.compiled is None:
        return True
    node = mapping.compiled.node
    if not isinstance(node, ContextNode):
        return not names_of(mapping) & _ALL
    entries = dict(node.entries)
    of_marks = {name: entries.pop(name) for name in MARKS if name in entries}
    if _ALL & set(free_names(tuple(entries.values()), inside_filters=True)):
        return False
    if not of_marks:
        return True
    carried = all(isinstance(value, Name) and value.name == name for name, value in of_marks.items())
    emptied = all(isinstance(value, Literal) and value.value is None for value in of_marks.values())
    return len(of_marks) == len(MARKS) and (carried or emptied)


def _is_read_by_none_else(world: World, rules: Rules, uses: Uses) -> bool:
    """Return whether no job gives a mark, and no rule asks for one but where somebody signs."""
    job_types = {*world.known_job_types, "*"}
    given = {name for job_type in world.known_job_types for values in world.outcomes(job_type) for name in values}
    asked = [pattern for rule in rules.rules for pattern in rule.patterns if pattern.variables & _ALL]
    named = {name for rule in rules.rules for name in (rule.for_each, rule.each_of)}
    meant = NONE.union(*(meaning.of.variables for meaning in world.meanings))
    read = NONE.union(*map(uses.job_reads, job_types), uses.after_end)
    return not (given | named | meant | read) & _ALL and all(pattern.kind == "stage" for pattern in asked)


def _results(of: Set, decisions: Sequence[bytes], world: World) -> Iterator[str]:
    """Yield what each decision table that knows a mark says, for all values of what else it reads."""
    values = {**world.known_values(), **{name: [mark] for name, mark in zip(MARKS, of, strict=True)}}
    clock = SystemClock()
    for content in decisions:
        names = sorted(name for name in names_in_decisions(content) if values.get(name))
        if not _ALL & set(names):
            continue
        # any of them may be null as well
        choices = [values[name] if name in MARKS else [*values[name], None] for name in names]
        combinations = 1
        for of_name in choices:
            combinations *= len(of_name)
        if combinations > _MOST_COMBINATIONS:
            raise OverflowError
        model = parse_dmn(content, deployed=True)
        for chosen in itertools.product(*choices):
            variables = dict(zip(names, chosen, strict=True))
            outputs = [evaluate_decision(model, name, variables, clock.now) for name in sorted(model.decisions)]
            yield json.dumps([(one.output, one.failure_message) for one in outputs], default=str)


def _seen(of: Set, stage: Stage, world: World, rules: Rules) -> list[Any]:
    """Return what each rule sees of a signature with these marks: which of the patterns that it counts as one fit."""
    found: list[Any] = []
    for outcome in stage.outcomes:
        for values in [values for decided, values in world.decisions(stage.code, None) if decided == outcome]:
            given = {**values, **dict(zip(MARKS, of, strict=True)), "phase": stage.phase}
            fact = Fact("stage", stage.code, outcome, given)
            for number, seen in rules.relevant(fact):
                found.append([number, rules.groups_that_fit(number, seen)])
    return found
