"""Find which variables can still matter where a case stands, so that the others leave the state of a walk.

A backward analysis over the elements of one process. It errs towards keeping a variable: names are not told apart by
scope, and what might be read is read.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from services.designers.policy_check.side_by_side import SideBySide
from services.engine.feel.names import free_names
from services.engine.feel.nodes import ContextNode
from services.engine.model.bpmn import SCOPES, CallTarget, Element, ElementType, Process
from services.engine.model.expression import Expression
from services.engine.state.instances import ElementInstance, ProcessInstance

Names = frozenset[str]
NONE: Names = frozenset()
ALL = "*"
"""Stands for every name: where all variables are passed on."""

_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_WORD = re.compile(r"[A-Za-z_]\w*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_TEXT = re.compile(r"<(?:\w+:)?text>(.*?)</(?:\w+:)?text>", re.DOTALL)


@dataclass(frozen=True)
class Uses:
    """What the analysis cannot see in the process: what jobs read and give, what decisions, caller and called read.

    ``job_reads("*")`` is what a job reads whose type is computed. ``called_reads`` says what a process, by its id, may
    read of the variables that it is called with.
    """

    job_reads: Callable[[str], Names]
    job_gives: Callable[[str], Names]
    decision_reads: Names
    after_end: Names = NONE
    called_reads: Callable[[str], Names] = lambda _: frozenset({ALL})


def names_of(expression: Expression | None) -> Names:
    """Return the variables that an expression may read."""
    if expression is None or expression.compiled is None:
        return NONE
    return frozenset(free_names(expression.compiled.node, inside_filters=True))


def names_in_decisions(content: bytes) -> Names:
    """Return all names in the texts of a DMN file, which are more than it reads."""
    found: set[str] = set()
    for text in _TEXT.findall(content.decode("utf-8", "replace")):
        found.update(_WORD.findall(_STRING.sub(" ", text)))
    return frozenset(found)


def numbers_in(processes: Iterable[Process], decisions: Iterable[bytes]) -> frozenset[int]:
    """Return the whole numbers that the expressions of the models name."""
    texts = [
        _STRING.sub(" ", text) for content in decisions for text in _TEXT.findall(content.decode("utf-8", "replace"))
    ]
    texts += [part.text for process in processes for part in _parts(process) if part.compiled is not None]
    return frozenset(int(number) for text in texts for number in _NUMBER.findall(text))


def _parts(process: Process) -> Iterator[Expression]:
    """Yield every expression of a process."""
    for element in process.elements.values():
        yield from (part for part in (element.inputs, element.outputs) if part is not None)
    yield from other_parts(process)


def other_parts(process: Process) -> Iterator[Expression]:
    """Yield every expression of a process but the mappings."""
    for element in process.elements.values():
        yield from _other_parts_of(element)


def _other_parts_of(element: Element) -> Iterator[Expression]:
    parts: list[Expression | None] = [flow.condition for flow in element.outgoing]
    if element.event is not None:
        parts += [element.event.name, element.event.key, element.event.timer, element.event.code]
    if element.loop is not None:
        parts += [element.loop.collection, element.loop.condition, element.loop.output_element]
    if element.job is not None:
        parts += [element.job.type, element.job.retries, *(value for _, value in element.job.headers)]
    if element.script is not None:
        parts.append(element.script.expression)
    if element.called is not None:
        parts.append(element.called.id)
    yield from (part for part in parts if part is not None)


def _targets(expression: Expression | None) -> dict[str, Names]:
    """Map what a mapping sets to the names that it reads for it."""
    if expression is None or expression.compiled is None or not isinstance(expression.compiled.node, ContextNode):
        return {}
    found: dict[str, Names] = {}
    for key, node in expression.compiled.node.entries:
        # an entry sees the entries before it under their names
        found[key] = frozenset(free_names(node, inside_filters=True)) | frozenset(
            name for other in free_names(node, inside_filters=True) for name in found.get(other, NONE)
        )
    return found


def _collected(element: Element) -> Names:
    """Return the name that a loop collects its outputs under: its own variable, which it sets outside as it completes.

    What has that name outside is read by nothing in the loop.
    """
    loop = element.loop
    return NONE if loop is None or loop.output_collection is None else frozenset({loop.output_collection})


class LiveVariables:
    """``before[e]`` are the names that matter as ``e`` is entered, ``during[e]`` while it is active."""

    def __init__(self, process: Process, uses: Uses) -> None:
        self._process = process
        self._uses = uses
        self.after_end = uses.after_end
        self._inside: dict[str, list[Element]] = {}
        for element in process.elements.values():
            self._inside.setdefault(element.scope, []).append(element)
        self._beside = self._read_beside()
        self._jumps = {element.id: self._events_around(element) for element in process.elements.values()}
        self._flow_targets = {flow.id: flow.target for e in process.elements.values() for flow in e.outgoing}
        self.before: dict[str, Names] = dict.fromkeys(process.elements, NONE)
        self.during: dict[str, Names] = dict.fromkeys(process.elements, NONE)
        self._outside: dict[str, Names] = dict.fromkeys(process.elements, NONE)
        self._at_end: dict[str, Names] = dict.fromkeys(process.elements, NONE)
        self._known: dict[frozenset[tuple[object, ...]], Names] = {}
        self._solve()
        self.is_everything = any(ALL in names for names in (*self.before.values(), *self.during.values()))

    def at(self, instance: ProcessInstance) -> Names | None:
        """Return the names that matter for an instance as it stands; None for all."""
        if self.is_everything:
            return None
        stands = frozenset(
            (active.element_id, active.state == "ACTIVATING", *sorted(active.tokens), self._own_names(active))
            for active in instance.element_instances.values()
        )
        known = self._known.get(stands)
        if known is None:
            known = self._known[stands] = self._at(instance)
        return known

    def own(self, element_id: str) -> Names:
        """Return the names that an element reads at its end, which its own variables may hold."""
        return self._at_end[element_id] | _collected(self._process.elements[element_id])

    def _own_names(self, active: ElementInstance) -> Names:
        """Return what the element reads at its end from its own variables, so that no other scope's matter for it."""
        element = self._process.elements[active.element_id]
        if element.loop is not None or element.element_type in SCOPES:
            return NONE
        return frozenset(name for name in self._at_end[element.id] if name in active.variables)

    def _at(self, instance: ProcessInstance) -> Names:
        found: set[str] = set()
        for active in instance.element_instances.values():
            if not (active.children and self._is_left_from_inside(self._process.elements[active.element_id])):
                found |= self._outside[active.element_id]
                found |= self._at_end[active.element_id] - self._own_names(active)
            if active.state == "ACTIVATING":
                found |= self.before[active.element_id]
            for token in active.tokens:
                target = self._flow_targets.get(token)
                found |= self.before[target] if target is not None else NONE
        return frozenset(found)

    def given(self, element_id: str, names: Iterable[str]) -> Names:
        """Return those of a job's or a message's variables that anything reads after the element's completion."""
        element = self._process.elements[element_id]
        after = self._after(element)
        read = self.during[element_id] | self._completion_reads(element, after)
        if element.outputs is None:
            # also what it always sets: which of its values it sets is what matters after it
            read |= after | self._beside[element_id]
        return frozenset(name for name in names if self.is_everything or name in read)

    def given_to_caller(self, caller: Element) -> Names:
        """Return what the completion of a call activity reads of the called process."""
        read = self._completion_reads(caller, self._after(caller)) | self.during[caller.id]
        return read | self._beside[caller.id] if caller.outputs is None else read

    def _read_beside(self) -> dict[str, Names]:
        """Return of each element the names that are read by what can be active beside it."""
        read = {element.id: self._reads(element) for element in self._process.elements.values()}
        beside = SideBySide(self._process).of_each()
        return {identity: NONE.union(*(read[other] for other in others)) for identity, others in beside.items()}

    def _reads(self, element: Element) -> Names:
        """Return every name that an element reads, whenever it does."""
        parts = [part for part in (element.inputs, element.outputs) if part is not None]
        return NONE.union(self._read_on_entry(element), *map(names_of, (*parts, *_other_parts_of(element))))

    def _solve(self) -> None:
        order = list(reversed(self._process.elements.values()))
        changed = True
        while changed:
            changed = False
            for element in order:
                after = self._after(element)
                self._at_end[element.id] = self._completion_reads(element, after)
                self._outside[element.id] = self._during(element, after)
                during, before = self._outside[element.id] | self._at_end[element.id], self._before(element)
                if during != self.during[element.id] or before != self.before[element.id]:
                    self.during[element.id], self.before[element.id] = during, before
                    changed = True

    def _after(self, element: Element) -> Names:
        """Return what matters once the element has been left."""
        if element.element_type == ElementType.PROCESS:
            return self._uses.after_end
        targets = [flow.target for flow in element.outgoing] + list(self._process.links.get(element.id, []))
        found = frozenset[str]().union(*(self.before[target] for target in targets))
        if not targets or element.element_type == ElementType.EVENT_SUB_PROCESS:
            found |= self._completed(self._process.elements[element.scope])
        return found

    def _completed(self, element: Element) -> Names:
        """Return what matters as an active element completes."""
        after = self._after(element)
        return self._completion_reads(element, after) | self._passed_on(element, after)

    def _passed_on(self, element: Element, after: Names) -> Names:
        """Return what is read once the element has completed, besides what its completion sets."""
        read = after - (_collected(element) if element.loop is not None else self._sets(element))
        return read.union(*(names_of(flow.condition) for flow in element.outgoing))

    @staticmethod
    def _is_left_from_inside(element: Element) -> bool:
        """Return whether what matters at the end of an element, and after it, does so where what is inside ends.

        It need not be added to the element itself then: a path inside may set it first. A loop ends in other ways too.
        """
        return element.loop is None and element.element_type in (
            ElementType.SUB_PROCESS,
            ElementType.EVENT_SUB_PROCESS,
        )

    def _sets(self, element: Element) -> Names:
        """Return what the completion of an element always sets outside it."""
        if element.outputs is not None:
            return frozenset(_targets(element.outputs))
        found: set[str] = set()
        if element.job is not None and element.job.type.compiled is None:
            found |= self._uses.job_gives(element.job.type.text)
        if element.called is not None and element.called.result_variable:
            found.add(element.called.result_variable)
        if element.script is not None:
            found.add(element.script.result_variable)
        # a local variable of the same name takes the value instead
        return frozenset(found - set(_targets(element.inputs)))

    def _completion_reads(self, element: Element, after: Names) -> Names:
        """Return what the completion of an element reads: its output mapping, the loop's output."""
        read: set[str] = set()
        for name, sources in _targets(element.outputs).items():
            if {name, ALL} & (after | self._beside[element.id]):
                read |= sources
        if element.loop is not None:
            loop = element.loop
            read |= names_of(loop.collection) | names_of(loop.condition) | names_of(loop.output_element)
            read |= frozenset[str]().union(*_targets(element.outputs).values())
            if loop.sequential:
                read |= self.before[element.id]
        return frozenset(read)

    def _during(self, element: Element, after: Names) -> Names:
        """Return what matters while an element is active, besides what it reads at its end."""
        found = set(self._passed_on(element, after))
        if element.job is not None and element.job.type.compiled is None:
            found |= self._uses.job_reads(element.job.type.text)  # the worker takes it when it gets to the job
        found |= self._of_events_around(element)
        if element.element_type == ElementType.EVENT_BASED_GATEWAY:
            for flow in element.outgoing:
                found |= self.before[flow.target]
        return frozenset(found)

    def _before(self, element: Element) -> Names:
        """Return what matters as the element is entered."""
        inner: set[str] = set()
        starts = [e for e in self._inside.get(element.id, []) if e.element_type == ElementType.START_EVENT]
        if element.element_type in SCOPES:
            inner |= frozenset[str]().union(*(self.before[start.id] for start in starts))
        if not (starts and self._is_left_from_inside(element)):
            inner |= self._outside[element.id] | self._at_end[element.id]
        inner |= self._read_on_entry(element)
        inputs = _targets(element.inputs)
        found = inner - set(inputs) if element.loop is None else set(inner)
        for name, sources in inputs.items():
            if name in inner or element.element_type == ElementType.CALL_ACTIVITY:
                found |= sources
        if element.loop is None:
            # an input is gone at the end, and what has its name outside is read again
            found |= self._passed_on(element, self._after(element)) & inputs.keys()
        found |= self._of_events_around(element)
        if element.loop is not None and element.loop.item is not None:
            found |= names_of(element.loop.collection)
        return frozenset(found)

    def _read_on_entry(self, element: Element) -> set[str]:
        read: set[str] = set()
        if element.job is not None:
            read |= names_of(element.job.type) | names_of(element.job.retries)
            read |= frozenset[str]().union(*(names_of(value) for _, value in element.job.headers))
            read |= self._uses.job_reads("*" if element.job.type.compiled is not None else element.job.type.text)
        if element.event is not None:
            event = element.event
            read |= names_of(event.name) | names_of(event.key) | names_of(event.timer) | names_of(event.code)
        if element.script is not None:
            read |= names_of(element.script.expression)
        if element.called is not None:
            read |= names_of(element.called.id)
            if element.element_type == ElementType.BUSINESS_RULE_TASK:
                read |= self._uses.decision_reads
            elif element.called.all_parent_variables:
                read |= self._uses.called_reads(element.called.id.text)
        return read

    def _events_around(self, element: Element) -> list[str]:
        """List the events that can interrupt an element, or start something beside it: its own and its scopes'."""
        found: list[str] = []
        current: Element | None = element
        while current is not None:
            found += current.boundaries
            for subprocess in current.event_subprocesses:
                found += self._process.elements[subprocess].event_starts
            current = None if current.element_type == ElementType.PROCESS else self._process.elements[current.scope]
        return found

    def _of_events_around(self, element: Element) -> Names:
        return frozenset[str]().union(*(self.before[event] for event in self._jumps[element.id]))


def reads_of_caller(caller: Element, live: LiveVariables) -> Names:
    """Return the variables of a called process that its caller reads at the end."""
    passes_all_on = caller.called is not None and caller.called.all_child_variables and caller.outputs is None
    if passes_all_on and (live.is_everything or caller.loop is not None):
        return frozenset({ALL})
    return live.given_to_caller(caller)


def all_names(processes: Collection[Process]) -> Names:
    """Return every name that an expression of these processes may read.

    That is ``ALL`` where one of them passes all its variables on to a process that is none of them.
    """
    found: set[str] = set()
    known = {process.id for process in processes}
    for process in processes:
        if any(target.all_parent_variables and target.id.text not in known for target in calls(process)):
            found.add(ALL)
        for part in _parts(process):
            found |= names_of(part)
    return frozenset(found)


def called_from(process_id: str, processes: Collection[Process]) -> list[Process]:
    """Return the processes of this id, and all that they call, and those call."""
    found: list[Process] = []
    waiting = [process_id]
    while waiting:
        called = waiting.pop()
        for process in processes:
            if process.id == called and process not in found:
                found.append(process)
                waiting += [target.id.text for target in calls(process)]
    return found


def calls(process: Process) -> Iterator[CallTarget]:
    """Yield what the call activities of a process call."""
    for element in process.elements.values():
        if element.element_type == ElementType.CALL_ACTIVITY and element.called is not None:
            yield element.called
