"""Walk through every combination of outcomes, decisions, errors, messages and timers, breadth first.

States that go on alike are one (``case.Canonicalizer``), so that the walk ends; the first path to each is the shortest.
What makes it small, and why nothing is lost by it:

* Variables that nothing reads any more leave the state: no condition, mapping, table, job or rule can tell them apart.
  Of what a decision table reads, only that is kept on which a result depends for some values of the others.
* Marks of importance that leave the same signatures open, with the same effect on tables and rules, are one
  (``alike_marks``).
* Outcomes that differ only in what nothing reads are one, for the same reason.
* Keys and ids are renamed, and moments reduced to their order: the engine compares nothing else of them.
* A job that has one way to end, that no rule sees and of which nothing reads a variable is run at once: what else
  can happen can happen after it as well, and comes out alike.
* A job that failed and was resolved equals one that is not done yet: a failure alone changes nothing.
* A message that nobody awaits is not published: the relay sends it again until the process has applied it, so that it
  comes once it is awaited. That it is awaited in time is what the rules ``can come`` are for.
* The states are those of the models alone: each rule's monitor goes through their graph by itself (``rule_states``), as
  no rule depends on what another one has seen.
* What a timer began beside the way has ended before it begins the same again. This is the one approximation: two
  reminders of one timer at the same time are not tried.
"""

import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from services.designers.policy_check.case import Canonical, Canonicalizer, Case
from services.designers.policy_check.facts import Fact
from services.designers.policy_check.in_memory import Applied, Simulation
from services.designers.policy_check.live_variables import ALL, all_names
from services.designers.policy_check.moves import DECISION, ERROR, JOB, SILENT, Move
from services.designers.policy_check.rule_states import Effect, Places, RuleStates
from services.designers.policy_check.rules import Rule, Rules
from services.designers.policy_check.step_findings import NO_ANSWER, STOPS, Finding

MOST_STATES = 500_000
ANYTHING = "*"
"""Stands for every rule and finding."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from a state to another: the moves, of which the first was chosen and the others were run at once."""

    target: int
    moves: tuple[Move, ...]
    effect: Effect
    """What its facts do to the rules."""

    @property
    def is_silent(self) -> bool:
        """Whether it needs nobody: workers work, time passes."""
        return self.moves[0].kind in SILENT

    @property
    def is_of_workers(self) -> bool:
        return self.moves[0].kind in (JOB, ERROR)


@dataclass(frozen=True, slots=True)
class Begun:
    """A case in which the time of a rule began, by which fact, and what else happened in that step after it.

    ``state`` is the one before the step, ``moves`` are those of the step.
    """

    state: int
    moves: tuple[Move, ...]
    case: Case
    by: Fact
    at_once: tuple[Fact, ...]


@dataclass(slots=True)
class Broken:
    """A rule or a built-in rule that is broken, with the way there: the state before, and the last moves.

    ``way`` says how that state is reached so that the rule is broken there, where not every way does: the number of the
    start, and the moves.
    """

    rule: Rule | None
    finding: Finding | None
    state: int
    moves: tuple[Move, ...]
    fact: Fact | None = None
    note: tuple[str, str] = ("", "")
    way: tuple[int, list[Move]] | None = None


@dataclass(slots=True)
class Walk:
    """What the walk found: a graph of numbered states, 0 being the first."""

    rule_states: RuleStates
    parents: list[tuple[int, tuple[Move, ...]]] = field(default_factory=list)
    """Of each state, the one that it was first reached from, -1 for none, and the moves from there."""
    edges: list[list[Edge]] = field(default_factory=list)
    places: list[Places] = field(default_factory=list)
    """The states in which the monitors can be there."""
    awaited: list[frozenset[str]] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    stopped: set[int] = field(default_factory=set)
    """The states in which an incident stands."""
    stuck: set[int] = field(default_factory=set)
    """Those of them in which no job, decision or timer is under way beside the incident."""
    comes: dict[str, set[int]] = field(default_factory=dict)
    """By rule, the states from which what it awaits comes with the next silent step."""
    begun: dict[str, list[Begun]] = field(default_factory=dict)
    """By timed rule, the different cases in which its time began."""
    broken: dict[tuple[str, str, str], Broken] = field(default_factory=dict)
    happened: set[str] = field(default_factory=set)
    is_complete: bool = False
    why_incomplete: str = ""
    moves_made: int = 0

    starts: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    """The numbers of the states that the walk began in, each with the states of the monitors."""
    began: list[Case] = field(default_factory=list)
    """Of each start, the case."""
    beginnings: list[int] = field(default_factory=list)
    """Of each start, the number of what began it, where a message did."""

    @property
    def started(self) -> set[str]:
        """The types of the jobs that came."""
        return {fact.split()[1] for fact in self.happened if fact.startswith("job ")}

    def way_to(self, broken: Broken) -> tuple[int, list[Move]]:
        """Return the number of the start, and the moves from there to where something is broken, its own among them."""
        start, moves = broken.way or self.path_from_start(broken.state)
        return start, [*moves, *broken.moves]

    def path_from_start(self, state: int) -> tuple[int, list[Move]]:
        """Return the number of a start, and the moves from there to this state."""
        found: list[tuple[Move, ...]] = []
        while self.parents[state][0] >= 0:
            state, moves = self.parents[state]
            found.append(moves)
        start = next(number for number, (first, _) in enumerate(self.starts) if first == state)
        return start, [move for moves in reversed(found) for move in moves]

    def add(self, broken: Broken) -> None:
        """Keep the first, and so the shortest, of each rule or finding."""
        if broken.rule is not None:
            key = ("rule", broken.rule.id, "")
        elif broken.finding is not None:
            key = (broken.finding.kind, broken.finding.element_id, broken.finding.detail)
        else:
            key = ("", "", "")
        self.broken.setdefault(key, broken)


Place = tuple[int, int]
"""A state of the walk, and one of a monitor."""


class OneRule:
    """The graph of a walk with the states of one monitor, breadth first."""

    def __init__(self, walk: Walk, number: int) -> None:
        self._walk = walk
        self._number = number
        self._from: dict[Place, tuple[Place | int, tuple[Move, ...]]] = {}
        self.places: list[Place] = []
        """All of them, the nearest first."""
        for start, (state, monitors) in enumerate(walk.starts):
            self._reach((state, monitors[number]), start, ())
        for place in self.places:
            for edge, target in self.following(place):
                self._reach(target, place, edge.moves)

    def _reach(self, place: Place, origin: Place | int, moves: tuple[Move, ...]) -> None:
        if place not in self._from:
            self._from[place] = (origin, moves)
            self.places.append(place)

    def following(self, place: Place) -> Iterator[tuple[Edge, Place]]:
        """Yield the edges from a place, with where they lead."""
        step = self._walk.rule_states.step
        for edge in self._walk.edges[place[0]]:
            yield edge, (edge.target, step(self._number, place[1], edge.effect)[0])

    def breaking(self, place: Place) -> Iterator[tuple[Edge, Fact]]:
        """Yield the edges from a place that break the rule, by which fact."""
        for edge in self._walk.edges[place[0]]:
            fact = self._walk.rule_states.step(self._number, place[1], edge.effect)[1]
            if fact is not None:
                yield edge, fact

    def way(self, place: Place) -> tuple[int, list[Move]]:
        """Return the number of the start, and the moves from there to a place."""
        found: list[tuple[Move, ...]] = []
        origin, moves = self._from[place]
        while not isinstance(origin, int):
            found.append(moves)
            origin, moves = self._from[origin]
        return origin, [move for moves in reversed(found) for move in moves]


class Explorer:
    """Walks the models of a simulation under its rules."""

    def __init__(
        self,
        simulation: Simulation,
        rules: Rules,
        *,
        reduces: bool = True,
        seconds: float = 300,
        most_states: int = MOST_STATES,
        until: str | None = None,
        enough: float | None = None,
    ) -> None:
        """Without ``reduces``, no variable is dropped, no job is run at once, and the rules belong to the states.

        ``until`` ends the walk once this rule is broken; ``ANYTHING``, once one is. ``enough`` are the seconds after
        which a walk that has found something broken looks for nothing else.
        """
        self._until = until
        self._enough = enough
        self._simulation = simulation
        self._rules = rules
        self._reduces = reduces
        self._seconds = seconds
        self._most_states = most_states
        self.canonicalizer = Canonicalizer(
            simulation.world,
            simulation.live,
            simulation.numbers,
            drops=reduces,
            alike_marks=simulation.alike_marks if reduces else {},
        )
        self._timed = [rule for rule in rules.rules if rule.timing is not None]
        self._timed_by_head: dict[tuple[str, str, str], list[Rule]] = {}
        compared = frozenset(name for rule in rules.rules for pattern in rule.patterns for name in pattern.variables)
        self._read = all_names(simulation.processes.values()) | compared
        self._seen: dict[tuple[Canonical, tuple[int, ...]], int] = {}
        self._joint: list[tuple[int, ...]] = []
        """Of each state, the states of all monitors, where they belong to it."""
        self._begun: set[tuple[str, Canonical, tuple[str, ...]]] = set()
        self._rule_states = RuleStates(rules)
        self.walk = Walk(self._rule_states)

    def explore(self) -> Walk:
        """Walk until all has been seen, or time or states are over."""
        frontier: deque[tuple[int, Case]] = deque()
        for number, beginning in enumerate(self._simulation.beginnings):
            first = self._simulation.start(beginning=beginning)
            monitors, broken = self._rules.step(self._rules.initial, first.facts)
            state, is_new = self._begin(first.case, monitors)
            self.walk.beginnings.append(number)
            self._note(first.facts)
            for finding in first.findings:
                self.walk.add(Broken(None, finding, state, ()))
            for rule, fact in broken:
                self.walk.add(Broken(rule, None, state, (), fact))
            for timed in self._timed_by_any(first.facts):
                self._note_begun(timed, state, (), first.facts, first.case)
            if is_new and not _has_incident(first):
                frontier.append((state, first.case))
        return self._walk_on(frontier)

    def explore_from(self, starts: Sequence[tuple[Case, tuple[int, ...]]]) -> Walk:
        """Walk from these cases, each with the states of the monitors there."""
        frontier: deque[tuple[int, Case]] = deque()
        for case, monitors in starts:
            start, is_new = self._begin(case, monitors)
            if is_new:
                frontier.append((start, case))
        return self._walk_on(frontier)

    def _begin(self, case: Case, monitors: tuple[int, ...]) -> tuple[int, bool]:
        """Enter a state that the walk begins in."""
        state, is_new = self._number(case, monitors, -1, ())
        self.walk.starts.append((state, monitors))
        self.walk.began.append(case)
        self.walk.places[state] |= self._rule_states.places(monitors)
        return state, is_new

    def _walk_on(self, frontier: deque[tuple[int, Case]]) -> Walk:
        # the clock of the process: another process must not make a check that ends look as if it did not
        begun, walk = time.process_time(), self.walk
        end = begun + self._seconds
        while frontier:
            if len(walk.parents) > self._most_states or time.process_time() > end:
                over = "states" if len(walk.parents) > self._most_states else "seconds"
                walk.why_incomplete = f"the limit of {over} was reached"
                break
            if self._until is not None and any(self._until in (ANYTHING, *key[:2]) for key in walk.broken):
                walk.why_incomplete = f"{self._until} is broken"
                break
            if self._enough is not None and walk.broken and time.process_time() > begun + self._enough:
                walk.why_incomplete = "something is broken already, and to look for all else takes long"
                break
            state, case = frontier.popleft()
            frontier.extend(self._expand(state, case))
        self._show_ways()
        walk.is_complete = not walk.why_incomplete
        walk.moves_made = self._simulation.moves_made
        return walk

    def _expand(self, state: int, case: Case) -> Iterator[tuple[int, Case]]:
        """Take each move of a state; yield the states that are new."""
        walk = self.walk
        if case.has_ended:
            walk.ended.add(state)
            return
        moves = self._simulation.moves(case)
        if not moves:
            stands = ", ".join(sorted(_standing(case)))
            walk.add(Broken(None, _dead_end(stands), state, ()))
            return
        joint = self._rules.initial if self._reduces else self._joint[state]
        for move in moves:
            applied = self._simulation.apply(case, move)
            facts = list(applied.facts)
            followed: list[Move] = [move]
            is_stopped = any(finding.kind in STOPS for finding in applied.findings)
            if any(finding.kind == NO_ANSWER for finding in applied.findings):
                # a review without an answer has to stop the case: that no way is for it is as it should be
                applied = replace(applied, findings=tuple(f for f in applied.findings if f.kind != NO_ANSWER))
            if self._reduces and not applied.findings:
                applied = self._run_on(applied, facts, followed)
            self._note(facts)
            for finding in applied.findings:
                walk.add(Broken(None, finding, state, (move,)))
            if any(finding.kind == "refused" for finding in applied.findings):
                continue
            monitors = joint if self._reduces else self._rules.step(joint, facts)[0]
            target, is_new = self._number(applied.case, monitors, state, tuple(followed))
            edge = Edge(target, tuple(followed), self._rule_states.effect(facts))
            walk.edges[state].append(edge)
            self._note_timed(state, edge, facts, applied.case)
            if is_stopped:
                walk.stopped.add(target)
                if _has_incident(applied) and not self._is_under_way(applied.case):
                    walk.stuck.add(target)
            elif is_new:
                yield target, applied.case
        self._spread(state)

    def _is_under_way(self, case: Case) -> bool:
        """Return whether anything can happen that nobody has to send."""
        return any(move.kind in SILENT or move.kind == DECISION for move in self._simulation.moves(case))

    def _spread(self, state: int) -> None:
        """Take the states of the monitors along the edges, as far as there are new ones."""
        walk, after = self.walk, self._rule_states.after
        todo, waiting = deque([state]), {state}
        while todo:
            state = todo.popleft()
            waiting.discard(state)
            for edge in walk.edges[state]:
                places, broken = after(walk.places[state], edge.effect)
                for number, fact in broken:
                    walk.add(Broken(self._rules.rule_of(number), None, state, edge.moves[:1], fact))
                known = walk.places[edge.target]
                if places | known != known:
                    walk.places[edge.target] = places | known
                    if edge.target not in waiting:
                        waiting.add(edge.target)
                        todo.append(edge.target)

    def _show_ways(self) -> None:
        """Find the shortest way to each rule that is broken, now that all edges are known."""
        for key, broken in self.walk.broken.items():
            if broken.rule is not None and broken.moves:
                self.walk.broken[key] = self._shortest(broken.rule) or broken

    def _shortest(self, rule: Rule) -> Broken | None:
        found: list[Broken] = []
        for number in self._rules.pending(rule):
            of_rule = OneRule(self.walk, number)
            for place in of_rule.places:
                edge, fact = next(of_rule.breaking(place), (None, None))
                if edge is not None:
                    found.append(Broken(rule, None, place[0], edge.moves[:1], fact, way=of_rule.way(place)))
                    break
        return min(found, key=lambda broken: len(self.walk.way_to(broken)[1]), default=None)

    def _number(self, case: Case, monitors: tuple[int, ...], parent: int, moves: tuple[Move, ...]) -> tuple[int, bool]:
        """Return the number of a state, and whether it is new."""
        if self._reduces:
            monitors = ()
        key = (self.canonicalizer.canonical(case), monitors)
        known = self._seen.get(key)
        if known is not None:
            return known, False
        walk = self.walk
        number = self._seen[key] = len(walk.parents)
        walk.parents.append((parent, moves))
        walk.edges.append([])
        walk.places.append(0)
        self._joint.append(monitors)
        walk.awaited.append(self._simulation.awaited(case))
        return number, True

    def _note(self, facts: Sequence[Fact]) -> None:
        self.walk.happened.update(str(fact) for fact in facts if fact.kind in ("job", "stage", "message"))

    def _note_timed(self, state: int, edge: Edge, facts: Sequence[Fact], case: Case) -> None:
        for rule in self._timed_by_any(facts):
            comes = () if rule.timing is None else rule.timing.comes
            if edge.is_silent and any(pattern.fits(fact) for pattern in comes for fact in facts):
                self.walk.comes.setdefault(rule.id, set()).add(state)
            self._note_begun(rule, state, edge.moves, facts, case)

    def _note_begun(self, rule: Rule, state: int, moves: tuple[Move, ...], facts: Sequence[Fact], case: Case) -> None:
        """Keep a case in which the time of a rule begins; without moves it is the start of a walk."""
        timing = rule.timing
        if timing is None or timing.within is timing.at is timing.not_before is timing.every is None:
            return
        at = next((n for n, f in enumerate(facts) if any(pattern.fits(f) for pattern in rule.begins)), None)
        if at is None:
            return
        begun = Begun(state, moves, case, facts[at], tuple(facts[at + 1 :]))
        # a length that no model reads is in no state, and the time that is to be kept is another by it
        lengths = (str(facts[at].values.get(name)) for name in sorted(timing.names))
        told = (*map(str, begun.at_once), *(length for length in lengths if length.startswith("P")))
        key = (rule.id, self.canonicalizer.canonical(case), told)
        if key not in self._begun:
            self._begun.add(key)
            self.walk.begun.setdefault(rule.id, []).append(begun)

    def _timed_by_any(self, facts: Sequence[Fact]) -> Collection[Rule]:
        return {rule.id: rule for fact in facts for rule in self._timed_by(fact)}.values()

    def _timed_by(self, fact: Fact) -> Sequence[Rule]:
        """Return the timed rules whose time such a fact may begin, or that await it."""
        head = (fact.kind, fact.name, fact.what)
        if head not in self._timed_by_head:
            self._timed_by_head[head] = [
                rule
                for rule in self._timed
                if rule.timing is not None
                and any(pattern.could_fit(*head) for pattern in (*rule.begins, *rule.timing.comes))
            ]
        return self._timed_by_head[head]

    def _run_on(self, applied: Applied, facts: list[Fact], followed: list[Move]) -> Applied:
        """Run the jobs at once that need not be weighed against anything else; the states between are not kept."""
        while applied.case.open_jobs():
            following = self._independent(applied.case)
            if following is None:
                break
            move, applied = following
            followed.append(move)
            facts += applied.facts
        return applied

    def _independent(self, case: Case) -> tuple[Move, Applied] | None:
        """Return a job that can go first whatever else happens, with what comes of it."""
        moves = self._simulation.moves(case)
        ways: dict[int, list[Move]] = {}
        for move in moves:
            if move.kind in (JOB, ERROR):
                ways.setdefault(move.key, []).append(move)
        others = {move.identity for move in moves}
        for of_job in ways.values():
            if len(of_job) != 1 or self._rules.could_see("job", of_job[0].name, "done"):
                continue
            applied = self._simulation.apply(case, of_job[0])
            if applied.findings or any(self._rules.sees(fact) or fact.kind == "case" for fact in applied.facts):
                continue
            if self._sets_what_is_read(applied):
                continue
            still = {move.identity for move in self._simulation.moves(applied.case)}
            if others - {of_job[0].identity} <= still:
                return of_job[0], applied
        return None

    def _sets_what_is_read(self, applied: Applied) -> bool:
        if ALL in self._read:
            return True
        return any(r.value_type == "VARIABLE" and r.value["name"] in self._read for r in applied.records)


def _has_incident(applied: Applied) -> bool:
    return any(finding.kind == "incident" for finding in applied.findings)


def _standing(case: Case) -> Iterator[str]:
    for instance in case.state.instances.values():
        for element in instance.element_instances.values():
            if not element.children and element.element_id != instance.bpmn_process_id:
                yield element.element_id


def _dead_end(stands: str) -> Finding:
    return Finding(
        "dead-end",
        stands.partition(",")[0],
        (
            f"此后什么都不会再发生，而案件没有结束；停在：{stands}",
            f"nothing can happen any more, and the case has not ended: {stands}",
        ),
    )
