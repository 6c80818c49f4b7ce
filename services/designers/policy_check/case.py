"""Where a walk stands: the engine's state, and what the register holds that the engine does not."""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.designers.policy_check.live_variables import ALL, LiveVariables, Uses, reads_of_caller
from services.designers.policy_check.world import CORRECTIONS, MARKS, NO_ANSWER, World
from services.domain.stages.schema import Stage
from services.engine.clock import MAX_MILLIS
from services.engine.model.bpmn import ElementType, Process
from services.engine.state.instances import ElementInstance, ProcessInstance
from services.engine.state.jobs import ACTIVATABLE, ACTIVATED
from services.engine.state.memory import State

APPLICATION = "application-1"
PERIOD = "2031-02"
MATTER = "matter-1"
WORK_ORDER = "work-order-1"
DONE_AGAIN = "again"  # the outcome after which a work order is in its next attempt
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT")
_SMALL = 12
Canonical = tuple[Any, ...]
Caller = tuple[int, int, str]
"""A definition, and the definition and call activity that call it; 0 and "" for none."""


@dataclass(frozen=True, slots=True)
class OpenReview:
    id: str
    stage: str
    instance: int


@dataclass(frozen=True, slots=True)
class Register:
    """What the database would hold: the open reviews with their stages, the hand-over, the corrections so far.

    ``hand_over`` is the newest one; ``is_lent`` is false once its loan was closed, after which nothing is sent for it.
    ``marks`` are the three marks of importance that later signers may not lower; None once nobody may set them.
    """

    reviews: tuple["OpenReview", ...] = ()
    hand_over: str | None = None
    is_lent: bool = True
    corrections: int = 0
    marks: tuple[bool, ...] | None = None
    attempt: int = 1  # of a work order
    unanswered: bool = False  # whether a review has ended without an answer
    fixed: tuple[tuple[str, Any], ...] = ()
    """What it says alike however often a job asks for it, until the application is corrected."""

    def keys(self, message: tuple[str, ...], review: str | None = None) -> str | None:
        """Return the correlation key of a message with these parts; None where the register has no such thing."""
        parts = {
            "application": APPLICATION,
            "matter": MATTER,
            "work-order": WORK_ORDER,
            "attempt": str(self.attempt),
            "round": str(self.corrections + 1),
            "hand-over": self.hand_over if self.is_lent else None,
            "review": review,
            "period": PERIOD,
        }
        found = [parts[part] for part in message]
        return None if None in found else ":".join(part for part in found if part is not None)

    def counted(self, what: str) -> int:
        """Return how often this has happened, one of ``world.COUNTED``."""
        return self.corrections if what == CORRECTIONS else self.attempt

    def opened(self, review: OpenReview) -> "Register":
        return replace(self, reviews=(*self.reviews, review))

    def decided(self, stage: Stage, outcome: str, values: Mapping[str, Any], review: str | None = None) -> "Register":
        """Return the register after a decision of a review, or of the reviews of the stage."""
        reviews = tuple(r for r in self.reviews if (r.stage != stage.code if review is None else r.id != review))
        marks = self.marks
        if outcome != stage.favourable or (all(name in values for name in MARKS) and not stage.may_lower):
            marks = None
        elif all(name in values for name in MARKS):
            # whoever signs after this may not lower what was set here
            marks = tuple(bool(values[name]) for name in MARKS)
        attempt = self.attempt + 1 if outcome == DONE_AGAIN else self.attempt
        unanswered = self.unanswered or outcome == NO_ANSWER
        return replace(self, reviews=reviews, marks=marks, attempt=attempt, unanswered=unanswered)

    def fixing(self, values: Mapping[str, Any]) -> "Register":
        """Return the register that says these values until the application is corrected."""
        return replace(self, fixed=tuple(sorted({**values, **dict(self.fixed)}.items()))) if values else self

    def says(self, values: Mapping[str, Any]) -> bool:
        """Return whether these values agree with those that are fixed."""
        return all(values.get(name, value) == value for name, value in self.fixed)

    def without_ended(self, instances: Container[int]) -> "Register":
        """Return the register without the reviews of processes that have ended."""
        open_reviews = tuple(review for review in self.reviews if review.instance in instances)
        return self if len(open_reviews) == len(self.reviews) else replace(self, reviews=open_reviews)


@dataclass(frozen=True, slots=True)
class Case:
    """A state of the walk: ``now`` the engine's moment, ``born`` the step in which each open timer was set."""

    state: State
    register: Register
    now: datetime
    born: Mapping[int, int] = field(default_factory=dict)
    step: int = 0

    @property
    def has_ended(self) -> bool:
        return not self.state.instances

    def open_jobs(self) -> bool:
        return any(is_open(job.state) for job in self.state.jobs.values())


def is_open(job_state: str) -> bool:
    return job_state in (ACTIVATABLE, ACTIVATED)


class Canonicalizer:
    """Makes one value of all cases that go on alike: keys renamed, moments by their order, dead variables left out."""

    def __init__(
        self,
        world: World,
        live: "LiveOf",
        numbers: frozenset[int],
        *,
        drops: bool = True,
        alike_marks: Mapping[tuple[bool, ...], tuple[bool, ...]] | None = None,
    ) -> None:
        """``numbers`` are those that the models name: they are kept apart, however large they are.

        ``alike_marks`` are the marks of importance that stand for others (``alike_marks.alike``).
        """
        self._alike_marks = alike_marks or {}
        self._world = world
        self._live = live
        self._drops = drops
        self._numbers = world.numbers() | numbers
        self.merged_numbers = False
        """Whether large numbers that the models computed were taken as one."""

    def canonical(self, case: Case) -> Canonical:
        return _Form(self, case).whole()

    def marks(self, register: Register) -> tuple[bool, ...] | None:
        """Return the marks that nobody may lower, or those that go on alike."""
        return None if register.marks is None else self._alike_marks.get(register.marks, register.marks)

    def names(self, instance: ProcessInstance, state: State) -> "Matters":
        """Return the variables that matter, and those of which it matters only whether they are null."""
        if not self._drops:
            return Matters(None, None, None)
        read, given = self._live(instance, state)
        return Matters(read.at(instance), given.at(instance), read)

    def number(self, value: int) -> object:
        if -_SMALL <= value <= _SMALL or value in self._numbers:
            return value
        self.merged_numbers = True
        return "<n>"

    def counter(self, name: str, value: object, register: Register) -> object:
        """Return a counter that the register counts too as the difference between both.

        Where the models compare it with numbers, its value is kept as well, up to where it is above them all.
        """
        what = self._world.counters.get(name)
        if what is None or isinstance(value, bool) or not isinstance(value, int | float):
            return value
        difference = value - register.counted(what)
        above_all = self._world.above_compared(name)
        return difference if above_all is None else [min(value, above_all), difference]


@dataclass(frozen=True, slots=True)
class Matters:
    """The names that matter in an instance, None for all; ``live`` knows those that an element reads at its end."""

    read: frozenset[str] | None
    given: frozenset[str] | None
    live: LiveVariables | None


class LiveOf:
    """The live variables of each process, by who called it: those that are read, and those asked for being null."""

    def __init__(self, processes: Mapping[int, Process], read: Uses, given: Uses) -> None:
        self._processes = processes
        self._uses = (read, given)
        self._by_id = {process.id: key for key, process in processes.items()}
        self._found: dict[Caller, tuple[LiveVariables, LiveVariables]] = {}
        for key in processes:
            self._put((key, 0, ""), (read.after_end, given.after_end))

    def _put(self, of: Caller, after_end: tuple[frozenset[str], frozenset[str]]) -> None:
        process = self._processes[of[0]]
        pair = (
            LiveVariables(process, replace(self._uses[0], after_end=after_end[0])),
            LiveVariables(process, replace(self._uses[1], after_end=after_end[1])),
        )
        self._found[of] = pair
        for element in process.elements.values():
            if element.element_type != ElementType.CALL_ACTIVITY or element.called is None:
                continue
            called = self._by_id.get(element.called.id.text)
            if called is None:
                continue  # computed as it is called: all variables are kept
            child: Caller = (called, of[0], element.id)
            read, given = (reads_of_caller(element, live) for live in pair)
            known = self._found.get(child)
            # a process may be called by one that is called in several ways: what any of them reads matters
            before = (known[0].after_end, known[1].after_end) if known is not None else (frozenset(), frozenset())
            if known is None or not (read <= before[0] and given <= before[1]):
                self._put(child, (read | before[0], given | before[1]))

    def __call__(self, instance: ProcessInstance, state: State) -> tuple[LiveVariables, LiveVariables]:
        definition = instance.process_definition_key
        of: Caller = (definition, 0, "")
        if instance.parent is not None:
            parent = state.instances[instance.parent[0]]
            element = parent.element_instances[instance.parent[1]].element_id
            of = (definition, parent.process_definition_key, element)
        if of not in self._found:
            self._put(of, (frozenset({ALL}), frozenset({ALL})))
        return self._found[of]


class _Form:
    """One case being brought into its canonical form."""

    def __init__(self, owner: Canonicalizer, case: Case) -> None:
        self._owner = owner
        self._case = case
        self._state = case.state
        self._ids: dict[str, str] = {}
        self._groups: dict[int, int] = {}
        self._called: dict[tuple[int, int], ProcessInstance] = {}
        for instance in case.state.instances.values():
            if instance.parent is not None:
                self._called[instance.parent] = instance
        self._ranks = self._timer_ranks()

    def whole(self) -> Canonical:
        roots = tuple(self._instance(i) for i in self._state.instances.values() if i.parent is None)
        kept = tuple(sorted((m.name, self._text(m.correlation_key)) for m in self._state.messages.values()))
        register = self._case.register
        reviews = tuple(sorted((review.stage, self._ids.get(review.id, "")) for review in register.reviews))
        lent = self._text(register.keys(("hand-over",)) or "")
        of_register = (lent, self._owner.marks(register), register.unanswered)
        return roots, kept, reviews, *of_register, repr(register.fixed)

    def _timer_ranks(self) -> dict[int, tuple[int, int]]:
        """Return of each timer the step in which it was set, and its order among those set in the same step."""
        groups: dict[int, list[tuple[int, int]]] = {}
        for timer in self._state.timers.values():
            if timer.process_instance_key:
                born = self._case.born.get(timer.key, 0)
                groups.setdefault(born, []).append((timer.due_date, timer.key))
        ranks = {}
        for born, members in groups.items():
            order = sorted({due for due, _ in members})
            alone = len(members) == 1
            for due, key in members:
                ranks[key] = (-1 if alone else born, order.index(due))
        return ranks

    def _instance(self, instance: ProcessInstance) -> Canonical:
        self._names = self._owner.names(instance, self._state)
        return instance.bpmn_process_id, instance.version, self._element(instance, instance.root)

    def _element(self, instance: ProcessInstance, element: ElementInstance) -> Canonical:
        state, names = self._state, self._names
        variables = self._variables(element, names)
        children = [self._element(instance, instance.element_instances[key]) for key in element.children]
        if len(children) > 1:
            children.sort(key=repr)
        called: Canonical = ()
        child = self._called.get((instance.key, element.key))
        if child is not None:
            called = self._instance(child)
            self._names = names
        return (
            element.element_id,
            element.element_type,
            element.state,
            variables,
            tuple(sorted(element.tokens.items())),
            tuple(sorted((j.type, is_open(j.state)) for key in element.jobs if (j := state.jobs.get(key)) is not None)),
            self._timers(element),
            tuple(
                self._subscription(key) for key in element.message_subscriptions if key in state.message_subscriptions
            ),
            tuple(
                sorted(
                    s.element_id for key in element.signal_subscriptions if (s := state.signal_subscriptions.get(key))
                )
            ),
            tuple(sorted(i.error_type for key in element.incidents if (i := state.incidents.get(key)) is not None)),
            (element.interrupting_element_id, element.ends_early, element.pending_trigger is None),
            element.loop_counter,
            repr(sorted(element.loop_counts.items())) if element.loop_counts else "",
            len(element.compensation_subscriptions),
            called,
            tuple(children),
        )

    def _variables(self, element: ElementInstance, matters: Matters) -> Canonical:
        read, given = matters.read, matters.given
        own = matters.live.own(element.element_id) if matters.live is not None else frozenset[str]()
        found: list[tuple[str, object]] = []
        for name in sorted(element.variables):
            value = element.variables[name]
            if read is None or name in read or name in own:
                found.append((name, self._value(self._owner.counter(name, value, self._case.register))))
            elif given is None or name in given:
                found.append((name, value is None))
        return tuple(found)

    def _timers(self, element: ElementInstance) -> Canonical:
        found = []
        for key in element.timers:
            timer = self._state.timers.get(key)
            if timer is None:
                continue
            born, rank = self._ranks[key]
            group = -1 if born == -1 else self._groups.setdefault(born, len(self._groups))
            found.append((timer.element_id, timer.repetitions, group, rank, timer.due_date >= MAX_MILLIS))
        return tuple(sorted(found))

    def _subscription(self, key: int) -> Canonical:
        subscription = self._state.message_subscriptions[key]
        return subscription.element_id, self._key(subscription.name, subscription.correlation_key)

    def _key(self, name: str, correlation_key: str) -> object:
        """Return whether the key is the one that the portal sends with, else the key itself."""
        sent = self._owner._world.sent.get(name)
        register = self._case.register
        if sent is None:
            return self._text(correlation_key)
        is_expected = "review" not in sent.key and correlation_key == register.keys(sent.key)
        return True if is_expected else self._text(correlation_key)

    def _value(self, value: object) -> object:  # noqa: PLR0911 - one for each type
        match value:
            case bool() | None:
                return value if value is None else ("yes" if value else "no")
            case str():
                return self._text(value)
            case int():
                return self._owner.number(value)
            case float():
                return self._owner.number(int(value)) if value.is_integer() else value
            case list():
                return tuple(self._value(entry) for entry in value)
            case dict():
                return tuple((key, self._value(entry)) for key, entry in sorted(value.items()))
        return repr(value)

    def _text(self, text: str) -> str:
        if _MOMENT.match(text):
            return "<moment>"
        if "~" in text:
            return self._ids.setdefault(text, f"<id {len(self._ids)}>")
        if text.startswith((f"{APPLICATION}:", f"{WORK_ORDER}:")):
            return "<key>"
        return text
