"""Find which of the names in a DMN file its decisions depend on, by trying every value that the world knows."""

import itertools
import json
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from services.designers.policy_check.live_variables import Names, names_in_decisions, names_of
from services.engine.clock import SystemClock
from services.engine.feel.nodes import ContextNode
from services.engine.model.bpmn import ElementType, Process
from services.engine.model.dmn import parse_dmn
from services.engine.model.expression import Expression
from services.engine.processing.decision_engine import evaluate_decision

_MOST_COMBINATIONS = 4096


def names_that_matter(contents: Sequence[bytes], values: Mapping[str, Sequence[Any]]) -> Names:
    """Return the names of which another value gives another result; all where they are too many to try.

    ``values`` are those that the world knows of a name. Whether a name is null is another matter: it may always be.
    """
    found: set[str] = set()
    for content in contents:
        names = names_in_decisions(content)
        known = sorted(name for name in names if len(values.get(name, ())) > 1)
        combinations = 1
        for name in known:
            combinations *= len(values[name])
        if combinations > _MOST_COMBINATIONS:
            found |= names
            continue
        found |= {name for name in names if name not in values}
        found |= _dependent(content, known, {name: values[name] for name in names if name in values})
    return frozenset(found)


def _dependent(content: bytes, known: Sequence[str], values: Mapping[str, Sequence[Any]]) -> set[str]:
    model = parse_dmn(content, deployed=True)
    clock = SystemClock()
    fixed = {name: values[name][0] for name in values if name not in known and values[name]}
    results: dict[tuple[int, ...], str] = {}
    for chosen in itertools.product(*(range(len(values[name])) for name in known)):
        variables = {**fixed, **{name: values[name][index] for name, index in zip(known, chosen, strict=True)}}
        outputs = [evaluate_decision(model, decision, variables, clock.now) for decision in sorted(model.decisions)]
        results[chosen] = json.dumps([(result.output, result.failure_message) for result in outputs], default=str)
    found = set()
    for place, name in enumerate(known):
        others: dict[tuple[int, ...], str] = {}
        for chosen, result in results.items():
            rest = chosen[:place] + chosen[place + 1 :]
            if others.setdefault(rest, result) != result:
                found.add(name)
                break
    return found


def decided_by_tables(process: Process, given: Container[str]) -> Iterator[str]:
    """Yield the flows of exclusive gateways that nothing but decision tables decides; ``given`` comes from outside.

    Where no case takes such a flow, no row of a table says so any more: the world has kept nothing from the walk.
    """
    of_tables, of_others = set[str](), set[str]()
    for element in process.elements.values():
        is_table = element.element_type == ElementType.BUSINESS_RULE_TASK and element.job is None
        (of_tables if is_table else of_others).update(_targets(element.outputs))
        of_others.update(_targets(element.inputs))
    names = {name for name in of_tables - of_others if name not in given}
    for element in process.elements.values():
        if element.element_type == ElementType.EXCLUSIVE_GATEWAY and len(element.outgoing) > 1:
            read = frozenset[str]().union(*(names_of(flow.condition) for flow in element.outgoing))
            if read and read <= names:
                yield from (flow.id for flow in element.outgoing)


def _targets(mapping: Expression | None) -> list[str]:
    node = None if mapping is None or mapping.compiled is None else mapping.compiled.node
    return [name for name, _ in node.entries] if isinstance(node, ContextNode) else []
