"""What only the graph of a walk shows: that every case can end, nothing goes in circles, what comes or can come."""

from collections.abc import Callable, Iterable, Iterator

from services.designers.policy_check.explorer import Broken, Edge, OneRule, Place, Walk
from services.designers.policy_check.monitors import Response
from services.designers.policy_check.moves import MESSAGE
from services.designers.policy_check.rules import Rule, Rules
from services.designers.policy_check.step_findings import Finding


def find_broken(walk: Walk, rules: Rules) -> Iterator[Broken]:
    """Yield what is wrong with the graph of a complete walk."""
    before = _reversed(walk)
    yield from _never_ends(walk, before)
    yield from _endless(walk)
    for rule in rules.rules:
        if rule.timing is not None and rule.timing.comes:
            yield from _never_comes(walk, before, rule, rules)
        if rule.can_come is not None:
            yield from _cannot_come(walk, rule, rules)


def find_stopped(walk: Walk, rules: Rules) -> Iterator[Broken]:
    """Yield each rule of which something has to come, and a case stops with an incident before it does."""
    if not walk.stuck:
        return
    for rule in rules.rules:
        if isinstance(rule.monitor, Response) and ("rule", rule.id, "") not in walk.broken:
            yield from _stops_before(walk, rule, rules)


def _stops_before(walk: Walk, rule: Rule, rules: Rules) -> Iterator[Broken]:
    note = ("流程因模型本身停住，它不会再发生", "the process stops with an incident before it comes")
    messages = frozenset[str]().union(*(pattern.names for pattern in rule.asks if pattern.kind == MESSAGE))
    for number in rules.pending(rule):
        of_rule = OneRule(walk, number)
        for place in of_rule.places:
            state, is_pending = place
            if is_pending and state in walk.stuck and not messages & walk.awaited[state]:
                yield Broken(rule, None, state, (), note=note, way=of_rule.way(place))
                return


def _reversed(walk: Walk) -> list[list[tuple[int, Edge]]]:
    before: list[list[tuple[int, Edge]]] = [[] for _ in walk.edges]
    for state, edges in enumerate(walk.edges):
        for edge in edges:
            before[edge.target].append((state, edge))
    return before


def _backwards(before: list[list[tuple[int, Edge]]], goals: Iterable[int], follows: Callable[[Edge], bool]) -> set[int]:
    """Return the states from which a goal can be reached by edges that ``follows`` accepts."""
    found = set(goals)
    todo = list(found)
    while todo:
        for state, edge in before[todo.pop()]:
            if state not in found and follows(edge):
                found.add(state)
                todo.append(state)
    return found


def _never_ends(walk: Walk, before: list[list[tuple[int, Edge]]]) -> Iterator[Broken]:
    ending = _backwards(before, walk.ended | walk.stopped, lambda edge: True)
    # a dead end has its own finding, and so what leads nowhere but there
    dead = _backwards(before, (state for state, edges in enumerate(walk.edges) if not edges), lambda edge: True)
    for state in range(len(walk.edges)):
        if state not in ending and state not in dead:
            text = ("从这里起，案件再也无法结束", "from here the case can never end")
            yield Broken(None, Finding("never-ends", "", text), state, ())
            return


def _endless(walk: Walk) -> Iterator[Broken]:
    """Find a circle of workers alone: nobody decides, no message comes, no time passes."""
    colour = [0] * len(walk.edges)
    for root in range(len(walk.edges)):
        if colour[root]:
            continue
        stack: list[tuple[int, Iterator[Edge]]] = [(root, iter(walk.edges[root]))]
        colour[root] = 1
        while stack:
            state, edges = stack[-1]
            edge = next((e for e in edges if e.is_of_workers), None)
            if edge is None:
                colour[state] = 2
                stack.pop()
            elif colour[edge.target] == 1:
                text = (
                    "只有程序在原地循环：没有人决定，没有消息，也没有时间经过",
                    "workers alone go in a circle here: nobody decides, no message comes and no time passes",
                )
                yield Broken(None, Finding("endless-loop", edge.moves[0].element_id, text), state, edge.moves)
                return
            elif not colour[edge.target]:
                colour[edge.target] = 1
                stack.append((edge.target, iter(walk.edges[edge.target])))


def _never_comes(walk: Walk, before: list[list[tuple[int, Edge]]], rule: Rule, rules: Rules) -> Iterator[Broken]:
    """Find a state in which something is awaited that does not come if nobody does anything."""
    coming = _backwards(before, walk.comes.get(rule.id, set()), lambda edge: edge.is_silent)
    note = ("从这里起，如果没有人做任何事，它不会发生", "from here it does not come if nobody does anything")
    for number in rules.pending(rule):
        of_rule = OneRule(walk, number)
        for place in of_rule.places:
            state, is_pending = place
            if is_pending and walk.edges[state] and state not in coming and state not in walk.stopped:
                yield Broken(rule, None, state, (), note=note, way=of_rule.way(place))
                return


def _cannot_come(walk: Walk, rule: Rule, rules: Rules) -> Iterator[Broken]:
    """Find a state in which a message should be applied and is not, now or once the open jobs are done.

    The relay keeps a message meanwhile, so a state with open jobs is as good as those that its jobs lead to.
    """
    message = rule.can_come or ""
    note = (f"这里收不到消息 {message}", f"the message {message} is not applied here")
    for number in rules.pending(rule):
        of_rule = OneRule(walk, number)
        bad = _without(walk, of_rule, message)
        if bad:
            place = next(place for place in of_rule.places if place in bad)
            yield Broken(rule, None, place[0], (), note=note, way=of_rule.way(place))
            return


def _without(walk: Walk, of_rule: OneRule, message: str) -> set[Place]:
    """Return the places in which the message is pending, and is not applied there or once the open jobs are done."""
    bad: set[Place] = set()
    waiting: list[tuple[Place, list[Place]]] = []
    for place in of_rule.places:
        state, is_pending = place
        if not is_pending or state in walk.stopped or state in walk.ended or message in walk.awaited[state]:
            continue
        targets = [target for edge, target in of_rule.following(place) if edge.is_of_workers]
        if not targets or any(not is_pending for _, is_pending in targets):
            bad.add(place)
        else:
            waiting.append((place, targets))
    changed = True
    while changed:
        changed = False
        for place, targets in waiting:
            if place not in bad and any(target in bad for target in targets):
                bad.add(place)
                changed = True
    return bad
