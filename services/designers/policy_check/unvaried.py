"""Find what the models compute with that no walk has varied: a variable of one value, an id, the present moment.

A rule that holds for the one value that was tried may be broken by the others. What a model only hands on can be of one
value: what comes of it is judged where something is computed with it.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal

from services.designers.policy_check.report import Sentence
from services.engine.feel.calls import Call
from services.engine.feel.iteration import Filter, For, Quantified
from services.engine.feel.names import called_functions, children
from services.engine.feel.nodes import (
    Arithmetic,
    Comparison,
    ContextNode,
    FunctionDefinition,
    If,
    In,
    Inequality,
    InputComparison,
    ListNode,
    Literal,
    Name,
    Negation,
    Path,
    RangeNode,
    UnaryTest,
    UnaryTestList,
)
from services.engine.model.bpmn import Element, Process
from services.engine.model.decisions import DecisionTable
from services.engine.model.dmn import parse_dmn
from services.engine.model.expression import Expression
from services.engine.model.parse import parse_bpmn
from services.engine.processing.deployments import Resource

PASSED, NULL_TEST, COMPARED, COMPUTED = "passed", "null test", "compared", "computed"
"""How an expression uses a name: as it is, asking whether it is null, comparing it with numbers, or otherwise."""
CLOCK = ("now", "today")
LOOP_COUNTS = frozenset(
    {
        "loopCounter",
        "numberOfInstances",
        "numberOfActiveInstances",
        "numberOfCompletedInstances",
        "numberOfTerminatedInstances",
    }
)
"""What the engine counts in a loop: as high as the longest list that was tried."""
Values = dict[tuple[str, str], set[str]]
"""By process and variable, the kinds of values that a walk saw, of which two are enough; of a list also its lengths."""
_ID, _MOMENT = "<id>", "<moment>"
# where an expression stands that sets no variable; with a space, which no variable's name has
CONDITION, LOOP, TIMER, EVENT = "its condition", "its loop", "its time", "its event"
JOB_TYPE, CALLED = "its job type", "its called process"
_LOOKS_LIKE_MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT")
_CONVERTS = frozenset({"string", "date and time", "date", "time", "duration"})
_NONE: frozenset[str] = frozenset()
_OF_ALL_ENTRIES = frozenset({"count", "sum", "mean", "median"})
_LENGTH = "length of "


def note_value(seen: Values, process: str, name: str, text: str, items: Container[str]) -> None:
    """Keep the kind of a variable's value, which is JSON: moments are one kind, and so are ids; and a list's length."""
    if text.startswith("["):
        seen.setdefault((process, _LENGTH + name), set()).add(str(len(json.loads(text))))
    of_variable = seen.setdefault((process, name), set())
    if len(of_variable) < 2 and text != "null":
        of_variable.add(_kind(text, items))


def _kind(text: str, items: Container[str]) -> str:
    if not text.startswith('"'):
        return text
    value = json.loads(text)
    if _LOOKS_LIKE_MOMENT.match(value):
        return _MOMENT
    return _ID if "~" in value or value in items else text


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression stands: an element, flow or decision, and what of it."""

    process: str
    element: str
    part: str
    """One of ``_PARTS``, ``table``, or the variable that it sets."""


@dataclass(frozen=True, slots=True)
class Unvaried:
    """A variable that an expression computes with, or the clock, and why that was not tried out."""

    place: Place
    name: str
    why: Sentence


_ONE_VALUE: Sentence = ("而只试过它的一个值", "of which only one value was tried")
_OF_IDS: Sentence = ("它是编号，而编号只试过一个", "an id, of which one was tried for all")
_NOT_TURNED: Sentence = ("而没有试过其他时刻", "and no other moment was tried")
_LONGER: Sentence = ("而没有试过这么长的列表", "a list, of which none so long was tried")
_FEW: Sentence = ("它的项数参与计算，而至多试过两项", "whose entries it computes with, of which at most two were tried")
_MORE_TURNS: Sentence = ("而没有试过这么多次循环", "and no loop of so many turns was tried")
_COUNTED: Sentence = (
    "它不断增加，而只有与数字的比较才会逐一试过",
    "a count, of which only comparisons with numbers are tried",
)


def find_unvaried(
    process: Process, seen: Values, outside: Container[str], counters: Container[str]
) -> Iterator[Unvaried]:
    """Yield what the expressions of a process compute with that was not varied.

    ``outside`` are the names that workers, reviews and messages bring; ``counters`` those that count without an end.
    """
    places = list(_expressions(process))
    brought = _handed_on(places, outside)
    lengths = _lengths(seen, process.id)
    lengths |= dict.fromkeys(LOOP_COUNTS, max(lengths.values(), default=0))
    for place, node in places:
        yield from _of_one(place, node, lambda name: seen.get((process.id, name), set()), brought, counters)
        yield from _of_lists(place, node, lambda name: lengths.get(name, 0))


def find_unvaried_in_tables(
    content: bytes, seen: Values, outside: Container[str], counters: Container[str], known: Container[str]
) -> Iterator[Unvaried]:
    """Yield what the decisions of a DMN file compute with that was not varied.

    ``known`` are the names of which the world knows several values: where a walk saw one, all give the same result
    (``decision_inputs``).
    """
    by_name: dict[str, set[str]] = defaultdict(set)
    for (_, name), values in seen.items():
        by_name[name] |= values
    lengths = _lengths(seen)
    for decision in parse_dmn(content, deployed=True).decisions.values():
        place = Place("", decision.id, "table")
        nodes: list[object] = list(_nodes(decision.logic))
        if isinstance(decision.logic, DecisionTable):
            nodes = [
                In(column.expression.node, rule.tests[number].node)
                for number, column in enumerate(decision.logic.inputs)
                for rule in decision.logic.rules
                if rule.tests[number].node.tests
            ]
            nodes += [output.node for rule in decision.logic.rules for output in rule.outputs]
        told: set[str] = set()
        for node in nodes:
            for found in _of_one(place, node, lambda name: by_name.get(name, set()), outside, counters):
                if found.name not in told and found.name not in known:
                    told.add(found.name)
                    yield found
            for found in _of_lists(place, node, lambda name: lengths.get(name, 0)):
                if found.name not in told:
                    told.add(found.name)
                    yield found


def _lengths(seen: Values, process: str = "") -> dict[str, int]:
    """Return how long the longest list of each name was that a walk saw, in this process, or in any."""
    found: dict[str, int] = {}
    for (of, name), values in seen.items():
        if name.startswith(_LENGTH) and process in ("", of):
            found[name.removeprefix(_LENGTH)] = max(found.get(name.removeprefix(_LENGTH), 0), *map(int, values))
    return found


def _of_one(
    place: Place,
    node: object,
    values: Callable[[str], set[str]],
    brought: Container[str],
    counters: Container[str],
) -> Iterator[Unvaried]:
    """Yield what one expression computes with, each name once."""
    told: set[str] = set()
    for name, use in uses(node):
        if use in (PASSED, NULL_TEST) or name in told:
            continue
        why: Sentence | None = None
        if name in counters:
            is_next = use == COMPUTED and place.part == name
            why = None if use == COMPARED or is_next else _COUNTED
        elif name in brought:
            of_name = values(name)
            why = _OF_IDS if of_name == {_ID} else _ONE_VALUE if len(of_name) == 1 else None
        if why is not None:
            told.add(name)
            yield Unvaried(place, name, why)
    read = set(_clocks(node) if place.part == TIMER else called_functions(node))
    for function in CLOCK:
        if function in read:
            yield Unvaried(place, f"{function}()", _NOT_TURNED)


def _clocks(node: object, *, moved_only: bool = True) -> Iterator[str]:
    """Yield the clocks of which a timer asks which moment it is; what it takes, or moves by a duration, is as tried."""
    if isinstance(node, Call) and node.name in CLOCK:
        if not moved_only:
            yield node.name
        return
    keeps = isinstance(node, Arithmetic) or (isinstance(node, Call) and node.name in _CONVERTS)
    parts = [(part, moved_only and keeps) for part in children(node)]
    if isinstance(node, If):
        parts = [(node.condition, False), (node.then, moved_only), (node.otherwise, moved_only)]
    for part, still in parts:
        yield from _clocks(part, moved_only=still)


def _of_lists(place: Place, node: object, longest: Callable[[str], int]) -> Iterator[Unvaried]:
    """Yield the lists that an expression measures by a length that was not tried; ``longest``: of each that was."""
    longer = {
        name
        for name, number, decides_beyond in _measured(node)
        if 0 < longest(name) < number or (decides_beyond and 1 < longest(name) == number)
    }
    shared = {name for name in _shares(node) if longest(name)} - longer
    for name in sorted(longer):
        yield Unvaried(place, name, _MORE_TURNS if name in LOOP_COUNTS else _LONGER)
    yield from (Unvaried(place, name, _FEW) for name in sorted(shared))


def _shares(node: object) -> Iterator[str]:
    """Yield the names whose number of entries, or sum, an expression computes with: with more of them it is another."""
    if isinstance(node, Arithmetic):
        for part in _operands(node):
            if isinstance(part, Call) and part.name in _OF_ALL_ENTRIES:
                yield from (name for name, _ in uses(part))
    for child in children(node):
        yield from _shares(child)


def _measured(node: object) -> Iterator[tuple[str, float, bool]]:
    """Yield each name with the numbers that stand with it in one call, filter, loop or comparison.

    And whether a list that is longer than the number is another case than one as long: ``>= 2`` is one for both.
    """
    if isinstance(node, Call | Filter | For | Quantified | Comparison | Inequality | In):
        for number, is_least in _numbers(node):
            yield from ((name, number, not is_least) for name, how in uses(node) if how != NULL_TEST)
    for child in children(node):
        yield from _measured(child)


def _numbers(node: object, *, is_least: bool = False) -> Iterator[tuple[float, bool]]:
    """Yield each number of an expression, and whether a comparison asks if something has reached it."""
    if isinstance(node, Literal) and isinstance(node.value, Decimal | int | float) and _is_number(node):
        yield float(node.value), is_least
    leasts: tuple[object, ...] = ()
    if isinstance(node, Comparison):
        leasts = {">=": (node.right,), "<": (node.right,), "<=": (node.left,), ">": (node.left,)}.get(node.operator, ())
    elif isinstance(node, InputComparison) and node.operator in (">=", "<"):
        leasts = (node.bound,)
    counts_some = isinstance(node, Comparison) and any(map(_counts_some, (node.left, node.right)))
    for child in children(node):
        reached = any(child is least for least in leasts)
        for number, is_reached in _numbers(child, is_least=reached):
            if counts_some and isinstance(child, Literal):
                # where so many of those that were tried fit, all of them do; of a longer list others may not
                yield number + (not reached), False
            else:
                yield number, is_reached


def _counts_some(node: object) -> bool:
    """Return whether a node counts those entries of a list that fit a condition."""
    return isinstance(node, Call) and node.name == "count" and _has_filter(node)


def _has_filter(node: object) -> bool:
    return isinstance(node, Filter) or any(map(_has_filter, children(node)))


def uses(node: object) -> Iterator[tuple[str, str]]:
    """Yield each free name of an expression with how it is used."""
    yield from ((name, how) for name, how, is_key in _uses(node, PASSED, _NONE) if not is_key)


def computed_names(resources: Iterable[Resource]) -> frozenset[str]:
    """Return the variables, and the entries of contexts, that models compute with otherwise than by comparing them.

    A variable that is handed on by another name is computed with where that one is.
    """
    nodes: list[tuple[str, object]] = []
    for resource in resources:
        if resource.name.endswith(".bpmn"):
            for process in parse_bpmn(resource.content, deployed=True):
                nodes += [(place.part, node) for place, node in _expressions(process)]
        elif resource.name.endswith(".dmn"):
            for decision in parse_dmn(resource.content, deployed=True).decisions.values():
                nodes += [("table", node) for node in _nodes(decision.logic)]
    found = {name for _, node in nodes for name, how, _ in _uses(node, PASSED, _NONE) if how == COMPUTED}
    other_names = [(to, node) for part, whole in nodes for to, node in [(part, whole), *_entries(whole)]]
    handed = [(to, name) for to, node in other_names if isinstance(node, Name | Path) for name in _last(node)]
    changed = True
    while changed:
        more = {name for to, name in handed if to in found} - found
        found |= more
        changed = bool(more)
    return frozenset(found)


def _entries(node: object) -> Iterator[tuple[str, object]]:
    """Yield the entries of all contexts in an expression."""
    if isinstance(node, ContextNode):
        yield from node.entries
        for _, value in node.entries:
            yield from _entries(value)
    else:
        for child in children(node):
            yield from _entries(child)


def _last(node: Name | Path) -> Iterator[str]:
    yield node.name if isinstance(node, Name) else node.key


def _uses(  # noqa: PLR0912 - one for each kind of node
    node: object, how: str, bound: frozenset[str]
) -> Iterator[tuple[str, str, bool]]:
    """Yield the names of a part, and of entries of contexts; ``how`` its value is used by what is around it."""
    match node:
        case Name():
            if node.name not in bound:
                yield node.name, how, False
        case Path():
            yield node.key, how, True
            yield from _uses(node.source, how, bound)
        case ListNode():
            yield from _uses_of_all(node.items, how, bound)
        case ContextNode():
            for key, value in node.entries:
                yield from _uses(value, how, bound)
                bound |= {key}
        case If():
            yield from _uses(node.condition, COMPUTED, bound)
            yield from _uses_of_all((node.then, node.otherwise), how, bound)
        case Comparison() | Inequality():
            sides = (node.left, node.right)
            yield from _uses_of_all(sides, _compared(sides, node), bound)
        case In():
            is_number = all(map(_is_number_test, node.tests.tests)) and not node.tests.negated
            yield from _uses(node.value, COMPARED if is_number else COMPUTED, bound)
            yield from _uses(node.tests, COMPUTED, bound)
        case Arithmetic():
            yield from _uses_of_all((node.left, node.right), how if _keeps_the_kind(node) else COMPUTED, bound)
        case Call():
            yield from _uses_of_all(node.arguments.values, how if node.name in _CONVERTS else COMPUTED, bound)
        case Filter():
            yield from _uses(node.source, how, bound)
            yield from _uses(node.condition, COMPUTED, bound | {"item"})
        case For() | Quantified():
            for iterator in node.iterators:
                yield from _uses(iterator.source, COMPUTED, bound)
                bound |= {iterator.name}
            of_each = node.body if isinstance(node, For) else node.condition
            yield from _uses(of_each, COMPUTED, bound | ({"partial"} if isinstance(node, For) else _NONE))
        case FunctionDefinition():
            yield from _uses(node.body, COMPUTED, bound | set(node.params))
        case _:
            yield from _uses_of_all(children(node), COMPUTED, bound)


def _uses_of_all(nodes: Iterable[object], how: str, bound: frozenset[str]) -> Iterator[tuple[str, str, bool]]:
    for node in nodes:
        yield from _uses(node, how, bound)


def _compared(sides: tuple[object, object], node: Comparison | Inequality) -> str:
    if any(isinstance(side, Literal) and side.value is None for side in sides):
        is_equality = isinstance(node, Inequality) or node.operator == "="
        return NULL_TEST if is_equality else COMPUTED
    is_of_number = any(map(_is_number, sides)) and any(isinstance(side, Name | Path) for side in sides)
    return COMPARED if is_of_number else COMPUTED


def _is_number(node: object) -> bool:
    if isinstance(node, Negation):
        return _is_number(node.value)
    return isinstance(node, Literal) and not isinstance(node.value, bool | str) and node.value is not None


def _is_number_test(node: object) -> bool:
    """Return whether a unary test is of numbers alone, so that it is among the compared ones."""
    parts = list(children(node))
    if isinstance(node, UnaryTest | RangeNode | UnaryTestList) or (parts and not isinstance(node, Name | Call)):
        return all(map(_is_number_test, parts))
    return _is_number(node)


def _keeps_the_kind(node: Arithmetic) -> bool:
    """Return whether texts are joined, or a moment is moved by a duration: a value as single as it was before."""
    return any(
        (isinstance(part, Literal) and isinstance(part.value, str))
        or (isinstance(part, Call) and part.name in _CONVERTS)
        for part in _operands(node)
    )


def _operands(node: object) -> Iterator[object]:
    if isinstance(node, Arithmetic):
        yield from _operands(node.left)
        yield from _operands(node.right)
    else:
        yield node


def _handed_on(places: Iterable[tuple[Place, object]], outside: Container[str]) -> "_Names":
    """Return the names that come from outside, and those that they are handed on by."""
    handed: dict[str, set[str]] = {}
    for place, node in places:
        if place.part not in _PARTS:
            handed.setdefault(place.part, set()).update(name for name, use in uses(node) if use == PASSED)
    found: set[str] = set()
    changed = True
    while changed:
        more = {to for to, names in handed.items() if any(name in outside or name in found for name in names)} - found
        found |= more
        changed = bool(more)
    return _Names(outside, frozenset(found))


@dataclass(frozen=True)
class _Names:
    outside: Container[str]
    more: frozenset[str]

    def __contains__(self, name: object) -> bool:
        return name in self.outside or name in self.more


def _expressions(process: Process) -> Iterator[tuple[Place, object]]:
    for element in process.elements.values():
        for flow in element.outgoing:
            yield from _compiled(Place(process.id, flow.id, CONDITION), flow.condition)
        yield from _of_element(process.id, element)


def _of_element(process: str, element: Element) -> Iterator[tuple[Place, object]]:
    for mapping in (element.inputs, element.outputs):
        if mapping is not None and mapping.compiled is not None and isinstance(mapping.compiled.node, ContextNode):
            for name, node in mapping.compiled.node.entries:
                yield Place(process, element.id, name), node
    if element.event is not None:
        yield from _compiled(Place(process, element.id, TIMER), element.event.timer)
        for part in (element.event.name, element.event.key, element.event.code):
            yield from _compiled(Place(process, element.id, EVENT), part)
    if element.job is not None:
        yield from _compiled(Place(process, element.id, JOB_TYPE), element.job.type)
    if element.called is not None:
        yield from _compiled(Place(process, element.id, CALLED), element.called.id)
    if element.loop is not None:
        for part in (element.loop.collection, element.loop.condition):
            yield from _compiled(Place(process, element.id, LOOP), part)
        name = element.loop.output_collection or LOOP
        yield from _compiled(Place(process, element.id, name), element.loop.output_element)
    if element.script is not None:
        yield from _compiled(Place(process, element.id, element.script.result_variable), element.script.expression)


def _compiled(place: Place, part: Expression | None) -> Iterator[tuple[Place, object]]:
    if part is not None and part.compiled is not None:
        yield place, part.compiled.node


def _nodes(logic: object) -> Iterator[object]:
    """Yield the syntax trees in the logic of a decision."""
    node = getattr(logic, "node", None)
    if node is not None:
        yield node
    elif isinstance(logic, tuple):
        for part in logic:
            yield from _nodes(part)
    elif is_dataclass(logic):
        for field in fields(logic):
            yield from _nodes(getattr(logic, field.name))


def sentence(found: Unvaried, name_of: Callable[[str, str], Sentence]) -> Sentence:
    """Say what depends on what; ``name_of`` gives the names of an element of a process."""
    place = found.place
    if place.part == "table":
        zh, en = f"决策表 {place.element}", f"the decision {place.element}"
    else:
        of_zh, of_en = name_of(place.process, place.element)
        zh, en = _PARTS.get(place.part, (f"“{{}}”给出的 {place.part}", f"{place.part} as {{}} sets it"))
        by_id = "" if of_en == place.element else place.element
        zh, en = (
            zh.format(of_zh) + (f"（{by_id}）" if by_id else ""),
            en.format(of_en) + (f" ({by_id})" if by_id else ""),
        )
    why_zh, why_en = found.why
    return f"{zh}取决于 {found.name}，{why_zh}", f"{en} depends on {found.name}, {why_en}"


_PARTS: Mapping[str, Sentence] = {
    CONDITION: ("“{}”的条件", "the condition of {}"),
    LOOP: ("“{}”的循环", "the loop of {}"),
    TIMER: ("“{}”的时间", "the time of {}"),
    EVENT: ("“{}”等待的事件", "the event of {}"),
    JOB_TYPE: ("“{}”的作业类型", "the job type of {}"),
    CALLED: ("“{}”所调用的流程", "what {} calls"),
}
