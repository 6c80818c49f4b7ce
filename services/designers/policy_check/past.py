"""Follow what the database says of a case through its models, to where the case stands now.

The engine cannot be asked where a case stands, and what its jobs brought is not kept. So the case is begun anew in
memory and goes the way that its past went: each job ends as it ended, each decision and message is the one on record.
What the record does not say is tried in every way that the world knows, and the ways that do not fit what came later
are dropped. What is left are all the places, and all the states of the rules' monitors, in which the case can be.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.designers.policy_check.case import Canonical, Canonicalizer, Case
from services.designers.policy_check.in_memory import Simulation
from services.designers.policy_check.moves import DECISION, ERROR, JOB, MESSAGE, SIGNAL, TIMER, Move
from services.designers.policy_check.rules import Rules
from services.designers.policy_check.version_mapping import Difference, pairs
from services.engine.processing.migration import migrate
from services.engine.state.instances import ProcessInstance
from services.engine.state.memory import State
from services.engine.state.process_definitions import ProcessDefinition

Position = tuple[Case, tuple[int, ...]]
"""A case with the states of the rules' monitors."""

_AHEAD = 8  # how many later events may come before one that is not possible yet: clocks and rows are not that exact
_TIMERS = 12  # how many times time passes between two events
MOST_PLACES = 4000


@dataclass(frozen=True)
class Event:
    """One thing of a case's past. ``optional``: it is not known whether the engine has it yet."""

    optional: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Deployed(Event):
    """Other models were deployed, by their number in the simulation; what is called from then on is of them."""

    number: int


@dataclass(frozen=True)
class Migrated(Event):
    """The case was moved to the newest models of that time, with such a mapping of its elements."""

    ids: Difference


@dataclass(frozen=True)
class JobEnded(Event):
    """A job ended; ``error`` is the code of the BPMN error that it ended with, ``item`` the item that it was for."""

    process_id: str
    element_id: str
    item: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Decided(Event):
    """A review was decided; ``values`` are the variables that its message brought."""

    stage: str
    outcome: str
    values: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)


@dataclass(frozen=True)
class Received(Event):
    """A message of the portal came to the case."""

    name: str


@dataclass(frozen=True)
class Record:
    """What the database says of one case, oldest event first; ``first`` is the number of the models it began on."""

    first: int
    events: Sequence[Event]


class NotFollowed(Exception):
    """The models do not lead to where the record says that the case is; the message says how far they did."""


class Unmigratable(Exception):
    """The engine rejects the migration; the message is its sentence."""


@dataclass(frozen=True)
class _Place:
    """A case on its way: which events have come, and how much time has passed since the last one."""

    case: Case
    monitors: tuple[int, ...]
    done: frozenset[int] = frozenset()
    timers: int = 0


def root_of(case: Case) -> ProcessInstance:
    """Return the process instance that no other has called."""
    [root] = [instance for instance in case.state.instances.values() if instance.parent is None]
    return root


def newest_version(state: State, process_id: str) -> ProcessDefinition:
    """Return the newest version of a process that this engine has."""
    of_process = (version for version in state.definitions.values() if version.bpmn_process_id == process_id)
    return max(of_process, key=lambda definition: definition.version)


class Follower:
    """Follows the records of cases through a simulation of all models that they have run on."""

    def __init__(self, simulation: Simulation, rules: Rules, canonicalizer: Canonicalizer) -> None:
        self._simulation = simulation
        self._rules = rules
        self._canonicalizer = canonicalizer

    def follow(self, record: Record) -> list[Position]:
        """Return where the case can stand; raises NotFollowed."""
        begun = self._simulation.start(replace(self._simulation.empty, state=self._state(record.first)))
        monitors, _ = self._rules.step(self._rules.initial, begun.facts)
        todo = [_Place(begun.case, monitors)]
        seen: set[tuple[Canonical, tuple[int, ...], frozenset[int], int]] = set()
        ends: dict[tuple[Canonical, tuple[int, ...]], Position] = {}
        furthest = 0
        while todo:
            place = todo.pop()
            key = (self._canonicalizer.canonical(place.case), place.monitors, place.done, place.timers)
            if key in seen:
                continue
            seen.add(key)
            if len(seen) > MOST_PLACES:
                raise NotFollowed(f"its past allows more than {MOST_PLACES} ways")
            furthest = max(furthest, len(place.done))
            if len(place.done) == len(record.events):
                if not place.case.has_ended:
                    ends[key[:2]] = (place.case, place.monitors)
                continue
            todo += self._next(place, record.events)
        if not ends:
            missing = record.events[min(furthest, len(record.events) - 1)] if record.events else None
            raise NotFollowed(
                f"of {len(record.events)} events of its past, {furthest} were followed"
                + (f"; not {_named(missing)}" if missing is not None and furthest < len(record.events) else "")
            )
        return list(ends.values())

    def settle(self, positions: Sequence[Position]) -> list[Position]:
        """Return these, and all that the open jobs can make of them before anybody does anything."""
        found: dict[tuple[Canonical, tuple[int, ...]], Position] = {}
        todo = list(positions)
        while todo:
            case, monitors = todo.pop()
            key = (self._canonicalizer.canonical(case), monitors)
            if key in found or case.has_ended:
                continue
            if len(found) > MOST_PLACES:
                raise NotFollowed(f"its open jobs can end in more than {MOST_PLACES} ways")
            found[key] = (case, monitors)
            for move in self._simulation.moves(case):
                if move.kind in (JOB, ERROR):
                    applied = self._simulation.apply(case, move)
                    after, _ = self._rules.step(monitors, applied.facts)
                    todo.append((applied.case, after))
        return list(found.values())

    def migrated(self, case: Case, ids: Sequence[tuple[str, str]]) -> Case:
        """Return the case on the newest version of its process; raises Unmigratable."""
        root = root_of(case)
        newest = newest_version(case.state, root.bpmn_process_id)
        applied = self._simulation.run(case, lambda execution: migrate(execution, root.key, newest.key, list(ids)))
        if any(finding.kind == "refused" for finding in applied.findings):
            raise Unmigratable("; ".join(finding.text[1] for finding in applied.findings))
        return applied.case

    def redeployed(self, case: Case, number: int) -> Case:
        """Return the case in an engine that has the models of this number as its newest."""
        of = self._simulation.deployments[number]
        state = case.state.fork()
        state.definitions, state.decisions = of.definitions, of.decisions
        state.requirements, state.start_event_subscriptions = of.requirements, of.start_event_subscriptions
        return replace(case, state=state)

    def _state(self, number: int) -> State:
        """Return an engine with the models of this number, whose keys are none of those of later models."""
        state = self._simulation.deployments[number].fork()
        last = self._simulation.deployments[-1]
        state.key, state.position = last.key, last.position
        return state

    def _next(self, place: _Place, events: Sequence[Event]) -> Iterator[_Place]:
        """Yield what the place can be next: with the first event that has not come, or with what makes it possible."""
        waiting = [number for number in range(len(events)) if number not in place.done]
        first = events[waiting[0]]
        came = list(self._with(place, waiting[0], first))
        yield from came
        if first.optional:
            yield replace(place, done=place.done | {waiting[0]})
        if came:
            return
        yield from self._unrecorded(place)
        for number in waiting[1 : 1 + _AHEAD]:
            if isinstance(events[number], Deployed | Migrated):
                break
            yield from self._with(place, number, events[number])

    def _with(self, place: _Place, number: int, event: Event) -> Iterator[_Place]:
        done = place.done | {number}
        if isinstance(event, Deployed):
            yield _Place(self.redeployed(place.case, event.number), place.monitors, done)
        elif isinstance(event, Migrated):
            try:
                process = self._simulation.processes[root_of(place.case).process_definition_key]
                ids = pairs(process, event.ids)
                yield _Place(self.migrated(place.case, ids), place.monitors, done)
            except Unmigratable:
                return
        else:
            for move in self._simulation.moves(place.case):
                if _fits(move, event):
                    yield self._moved(place, move, done, timers=0)

    def _moved(self, place: _Place, move: Move, done: frozenset[int], timers: int) -> _Place:
        applied = self._simulation.apply(place.case, move)
        monitors, _ = self._rules.step(place.monitors, applied.facts)
        return _Place(applied.case, monitors, done, timers)

    def _unrecorded(self, place: _Place) -> Iterator[_Place]:
        """Yield what may have happened without a record: time, signals, the work of an organisation's own workers."""
        if place.timers >= _TIMERS:
            return
        for move in self._simulation.moves(place.case):
            own = move.kind in (JOB, ERROR) and move.name not in self._simulation.world.workers
            if move.kind in (TIMER, SIGNAL) or own:
                yield self._moved(place, move, place.done, place.timers + 1)


def _fits(move: Move, event: Event) -> bool:
    match event:
        case JobEnded():
            kind = JOB if event.error is None else ERROR
            ended = (kind, event.error or "", event.process_id, event.element_id)
            of_item = event.item is None or not move.of or event.item in [value for _, value in move.of]
            return (move.kind, move.what, move.process_id, move.element_id) == ended and of_item
        case Decided():
            if move.kind != DECISION or (move.name, move.what) != (event.stage, event.outcome):
                return False
            marks = {name: value for name, value in event.values.items() if isinstance(value, bool)}
            return all(move.values.get(name, value) == value for name, value in marks.items())
        case Received():
            return move.kind == MESSAGE and move.name == event.name
    return False


def _named(event: Event) -> str:
    match event:
        case JobEnded():
            return f"the end of the job at {event.element_id}"
        case Decided():
            return f"the decision {event.outcome} of {event.stage}"
        case Received():
            return f"the message {event.name}"
    return "the models that were deployed"
