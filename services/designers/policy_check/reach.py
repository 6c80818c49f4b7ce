"""Find which facts can still happen where a case stands, so that rules which none of them could break are left out.

It errs towards what can happen: conditions are not looked at, and everything behind an element can be reached.
"""

from collections.abc import Iterable, Mapping

from services.designers.policy_check.case import Case
from services.designers.policy_check.facts import Pattern
from services.designers.policy_check.monitors import Absence, EachOf, Precedence
from services.designers.policy_check.rules import Rules
from services.designers.policy_check.world import World
from services.domain.process.messages import REVIEW_DECIDED
from services.engine.feel.nodes import ContextNode, Literal
from services.engine.model.bpmn import Element, ElementType, Process
from services.engine.state.instances import ProcessInstance

Head = tuple[str, str, str]
"""Kind, name and part of a fact: ``starts`` or ``ends`` of a job. The name ``*`` stands for every one."""

OPENS_REVIEW = "open-review"
STAGE = "stage"


class Reach:
    """Knows the monitors that nothing can break any more, by where a case stands."""

    def __init__(self, processes: Mapping[int, Process], world: World, rules: Rules) -> None:
        self._processes = processes
        self._by_id = {process.id: process for process in processes.values()}
        self._world = world
        self._breaking = {
            number: monitor.never
            for number, monitor in enumerate(rules.monitors)
            if isinstance(monitor, Precedence | EachOf | Absence)
        }
        self._initial = rules.initial
        self._ahead: dict[tuple[int, str], frozenset[Head]] = {}
        self._whole: dict[str, frozenset[Head]] = {}
        self._dead: dict[object, tuple[int, ...]] = {}

    def without_dead(self, case: Case, states: tuple[int, ...]) -> tuple[int, ...]:
        """Return the states of the monitors, those that nothing can break any more as they began."""
        stands = frozenset(self._stands(case))
        dead = self._dead.get(stands)
        if dead is None:
            dead = self._dead[stands] = self._compute_dead(case)
        if not any(states[number] != self._initial[number] for number in dead):
            return states
        left = list(states)
        for number in dead:
            left[number] = self._initial[number]
        return tuple(left)

    def _stands(self, case: Case) -> Iterable[object]:
        for instance in case.state.instances.values():
            stage = instance.root.variables.get(STAGE)
            for active in instance.element_instances.values():
                yield instance.process_definition_key, active.element_id, tuple(sorted(active.tokens)), str(stage)

    def _compute_dead(self, case: Case) -> tuple[int, ...]:
        heads: set[Head] = set()
        for instance in case.state.instances.values():
            heads |= self._of_instance(instance)
        if case.state.instances:
            heads.add(("case", "ends", ""))
        return tuple(
            number
            for number, patterns in self._breaking.items()
            if not any(_matches(pattern, head) for pattern in patterns for head in heads)
        )

    def _of_instance(self, instance: ProcessInstance) -> set[Head]:
        process = self._processes[instance.process_definition_key]
        heads: set[Head] = set()
        stage = instance.root.variables.get(STAGE)
        targets = {flow.id: flow.target for element in process.elements.values() for flow in element.outgoing}
        for active in instance.element_instances.values():
            element = process.elements[active.element_id]
            heads |= self._ends(element, process)
            for following in self._following(process, element):
                heads |= self._from(process, following)
            if active.state == "ACTIVATING" or element.loop is not None:
                heads |= self._from(process, element.id)
            for token in active.tokens:
                if token in targets:
                    heads |= self._from(process, targets[token])
        if isinstance(stage, str):
            heads = {("stage", stage, "") if head == ("stage", "?", "") else head for head in heads}
        return {("stage", "*", "") if head == ("stage", "?", "") else head for head in heads}

    def _from(self, process: Process, element_id: str) -> frozenset[Head]:
        """Return what can happen from entering an element on."""
        key = (id(process), element_id)  # of this version
        if key not in self._ahead:
            found: set[Head] = set()
            seen: set[str] = set()
            todo = [element_id]
            while todo:
                current = todo.pop()
                if current in seen:
                    continue
                seen.add(current)
                element = process.elements[current]
                found |= self._starts(element) | self._ends(element, process)
                todo += self._following(process, element)
                todo += [e.id for e in process.elements.values() if e.scope == current]
            self._ahead[key] = frozenset(found)
        return self._ahead[key]

    def _following(self, process: Process, element: Element) -> list[str]:
        """List what can be entered from an active element: its targets, its events, and what is behind its scope."""
        found = [flow.target for flow in element.outgoing] + list(process.links.get(element.id, []))
        current: Element | None = element
        while current is not None:
            found += current.boundaries
            found += current.event_subprocesses
            current = None if current.element_type == ElementType.PROCESS else process.elements[current.scope]
            if current is not None and current.element_type != ElementType.PROCESS:
                found += [flow.target for flow in current.outgoing]
        return found

    def _starts(self, element: Element) -> set[Head]:
        if element.job is None:
            return set()
        name = "*" if element.job.type.compiled is not None else element.job.type.text
        return {("job", name, "starts")}

    def _ends(self, element: Element, process: Process) -> set[Head]:
        """Return what the end of an element, once it is active, can tell."""
        found: set[Head] = set()
        if element.job is not None:
            name = "*" if element.job.type.compiled is not None else element.job.type.text
            found.add(("job", name, "ends"))
            for meaning in self._world.meanings:
                if name == "*" or name in meaning.of.names:
                    found.add((meaning.is_also.kind, meaning.is_also.name, ""))
        if element.event is not None:
            name = "*"
            if element.event.name is not None and element.event.name.compiled is None:
                name = element.event.name.text
            kind = {"MESSAGE": "message", "SIGNAL": "signal", "TIMER": "timer"}.get(element.event.event_type.value)
            if kind == "timer":
                found.add(("timer", element.id, ""))
            elif kind is not None:
                found.add((kind, name, ""))
            if kind == "message" and name in ("*", REVIEW_DECIDED):
                found.add(("stage", "?", ""))
        if element.element_type == ElementType.CALL_ACTIVITY and element.called is not None:
            found |= self._called(element)
        return found

    def _called(self, element: Element) -> frozenset[Head]:
        """Return what a called process can tell; a review its stage, where the call says which."""
        target = element.called.id if element.called is not None else None
        if target is None or target.compiled is not None or target.text not in self._by_id:
            everything = frozenset[Head]().union(*(self._all_of(process) for process in self._by_id.values()))
            return frozenset(("stage", "*", "") if head == ("stage", "?", "") else head for head in everything)
        stage = literal_input(element, STAGE)
        heads = self._all_of(self._by_id[target.text])
        named: Head = ("stage", "*" if stage is None else stage, "")
        return frozenset(named if head == ("stage", "?", "") else head for head in heads)

    def _all_of(self, process: Process) -> frozenset[Head]:
        if process.id not in self._whole:
            self._whole[process.id] = frozenset()  # a process that calls itself
            found: set[Head] = set()
            for element in process.elements.values():
                found |= self._starts(element) | self._ends(element, process)
            self._whole[process.id] = frozenset(found)
        return self._whole[process.id]


def literal_input(element: Element, name: str) -> str | None:
    """Return the text that an input mapping sets a variable to; None where it is computed."""
    if element.inputs is None or element.inputs.compiled is None:
        return None
    node = element.inputs.compiled.node
    if not isinstance(node, ContextNode):
        return None
    value = dict(node.entries).get(name)
    return value.value if isinstance(value, Literal) and isinstance(value.value, str) else None


def _matches(pattern: Pattern, head: Head) -> bool:
    kind, name, part = head
    if pattern.kind != kind or (pattern.names and name != "*" and name not in pattern.names):
        return False
    if kind != "job" or not pattern.whats:
        return True
    return part == "starts" if "starts" in pattern.whats else part == "ends"
