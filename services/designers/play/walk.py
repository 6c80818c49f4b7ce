"""One walk through a case: what was chosen, what came of it, and the way back.

Each step keeps the case before and after it; the engine's state forks, so that a step back costs nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.designers.play.fields import LATEST, shown
from services.designers.play.models import Models
from services.designers.policy_check.case import Case
from services.designers.policy_check.facts import Fact
from services.designers.policy_check.in_memory import Applied
from services.designers.policy_check.jobs_apart import told_apart
from services.designers.policy_check.moves import DECISION, ERROR, JOB, TIMER, Move
from services.designers.policy_check.replay import client_steps
from services.designers.policy_check.rules import Rule
from services.designers.policy_check.step_findings import Finding
from services.designers.policy_check.world import NEW_ID
from services.engine.clock import MAX_MILLIS, from_millis, to_millis
from services.engine.state.timers import Timer
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual, Message, Text

MOST_FIRINGS = 1000
"""Timers that one turn of the clock lets fire; a cycle of seconds over a year would fire for hours."""
Passed = tuple[str, str]
"""A process, and an element or flow of it."""


@dataclass(frozen=True)
class Step:
    """One step. ``entered`` are the elements that it came to, in order; ``passed`` those with the flows.

    ``calls`` are the calls of a client of the engine that take it, each with what started then.
    """

    said: Text
    before: Case
    after: Case
    monitors: tuple[int, ...]
    entered: Sequence[Passed] = ()
    passed: Sequence[Passed] = ()
    findings: Sequence[Finding] = ()
    broken: Sequence[Rule] = ()
    calls: Sequence[dict[str, Any]] = ()

    @property
    def at(self) -> datetime:
        return self.after.now


@dataclass
class _Happened:
    """What came of a step so far."""

    monitors: tuple[int, ...]
    entered: list[Passed] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    broken: list[Rule] = field(default_factory=list)


class Walk:
    """A case from its beginning on; ``steps`` are never empty, the first is the beginning."""

    def __init__(self, models: Models) -> None:
        self.models = models
        simulation = models.simulation
        first = simulation.start()
        happened = _Happened(models.prepared.rules.initial)
        self._note(happened, first)
        beginning = models.beginning
        variables = dict(beginning.variables)
        if beginning.kind == "create":
            call = {"do": "create", "as": "case", "processId": beginning.name}
            said = Message("The process {name} begins", name=models.process_name(beginning.name))
        else:
            call = {"do": "publish", "name": beginning.name, "correlationKey": models.key}
            # what it brings where nobody says it: the first of what the world knows
            variables = dict(first.facts[0].values)
            said = Message("The message {name} arrives", name=beginning.name)
        if beginning.is_submission:
            said = Message("The application is submitted")
        calls = [{**call, "variables": variables, "then": started(first.facts)}]
        self.steps = [self._step(said, simulation.empty, first.case, happened, calls)]

    @property
    def case(self) -> Case:
        return self.steps[-1].after

    def choose(self, move: Move) -> Step:
        """Take a step that was chosen; raises Refused where the engine refuses it, and nothing has changed."""
        before = self.case
        if move.kind in (JOB, ERROR):
            move = told_apart(before, move)
        applied = self._apply(before, move)
        happened = _Happened(self.steps[-1].monitors)
        self._note(happened, applied)
        calls = client_steps(move, before, applied.case)
        calls[-1] = {**calls[-1], "then": started(applied.facts)}
        step = self._step(
            Bilingual(*self.models.words.step(self._as_offered(before, move))), before, applied.case, happened, calls
        )
        self.steps.append(step)
        return step

    def turn(self, to: datetime) -> Step:
        """Turn the clock to a moment; all timers on the way fire, each at its time. Raises Refused.

        After ``MOST_FIRINGS`` the clock stands at the last timer that fired; turn on from there.
        """
        before = case = self.case
        if to <= before.now:
            raise Refused("clock-back", "The clock can only be turned forward.", status=422)
        if to > LATEST:
            raise Refused("clock-far", "The clock ends with the year 2399: turn it by less.", status=422)
        happened = _Happened(self.steps[-1].monitors)
        calls: list[dict[str, Any]] = []
        clock, names = before.now, list[Text]()
        firings = 0
        while firings < MOST_FIRINGS and (due := next_due(case)) is not None and due <= to:
            facts: list[Fact] = []
            while firings < MOST_FIRINGS and (timer := _due_at(case, due)) is not None:
                process_id = case.state.instances[timer.process_instance_key].bpmn_process_id
                move = Move(TIMER, timer.key, process_id, timer.element_id, timer.element_id, due=timer.due_date)
                applied = self._apply(case, move)
                self._note(happened, applied)
                facts += applied.facts
                case = applied.case
                names.append(self.models.element_name(move.process_id, move.element_id))
                firings += 1
            calls.append(_advance(clock, case.now, facts))
            clock = case.now
        if firings < MOST_FIRINGS and case.now < to:
            case = replace(case, now=to)
            calls.append(_advance(clock, to, ()))
        calls[1:] = [{**call, "continues": True} for call in calls[1:]]
        step = self._step(_said_of_turn(names, firings), before, case, happened, calls)
        self.steps.append(step)
        return step

    def back(self) -> bool:
        """Take the last step back; return whether there was one after the beginning."""
        if len(self.steps) == 1:
            return False
        self.steps.pop()
        return True

    def back_to(self, number: int) -> None:
        """Take back all steps after this one; the beginning is 0."""
        del self.steps[max(1, number + 1) :]

    def copy(self) -> "Walk":
        """Return a walk of the same steps, which goes on apart from this one."""
        other = copy(self)
        other.steps = list(self.steps)
        return other

    def calls(self) -> Iterator[dict[str, Any]]:
        """Yield the calls of all steps."""
        for step in self.steps:
            yield from step.calls

    def passed(self) -> set[Passed]:
        """Return the elements and flows that the walk visited."""
        return {passed for step in self.steps for passed in step.passed}

    def _apply(self, case: Case, move: Move) -> Applied:
        applied = self.models.simulation.apply(case, move)
        refused = next((finding for finding in applied.findings if finding.kind == "refused"), None)
        if refused is not None:
            raise Refused("engine-refuses", Bilingual(*refused.text), status=409)
        return applied

    def _step(
        self, said: Text, before: Case, after: Case, happened: _Happened, calls: Sequence[dict[str, Any]]
    ) -> Step:
        return Step(
            said, before, after, happened.monitors,
            tuple(happened.entered), tuple(happened.passed), tuple(dict.fromkeys(happened.findings)),
            tuple({rule.id: rule for rule in happened.broken}.values()), tuple(calls),
        )  # fmt: skip

    def _note(self, happened: _Happened, applied: Applied) -> None:
        rules = self.models.prepared.rules
        happened.monitors, broken = rules.step(happened.monitors, applied.facts)
        happened.broken += [rule for rule, _ in broken]
        happened.findings += applied.findings
        for record in applied.records:
            if record.value_type == "PROCESS_INSTANCE" and record.intent in (
                "ELEMENT_ACTIVATED",
                "SEQUENCE_FLOW_TAKEN",
            ):
                passed = (record.value["bpmnProcessId"], record.value["elementId"])
                happened.passed.append(passed)
                if record.intent == "ELEMENT_ACTIVATED":
                    happened.entered.append(passed)

    def _as_offered(self, before: Case, move: Move) -> Move:
        """Return the move with ids and moments as the world writes them, where they are those that it would make."""
        world = self.models.world
        offered: list[Mapping[str, Any]] = []
        if move.kind == JOB:
            offered = list(world.outcomes(move.name))
        elif move.kind == DECISION:
            offered = [values for code, values in world.decisions(move.name, None) if code == move.what]
        values = dict(move.values)
        for outcome in offered[:1]:
            made = self.models.simulation.filled(outcome, before.now, before)
            for name, value in outcome.items():
                is_id = value == NEW_ID and str(values.get(name)).startswith(f"{name}~")
                if name in values and (is_id or made.get(name) == values[name]):
                    values[name] = value
        return replace(move, values=values)


def timers(case: Case) -> list[Timer]:
    """Return the timers of the case, the next first."""
    found = [t for t in case.state.timers.values() if t.process_instance_key and t.due_date < MAX_MILLIS]
    return sorted(found, key=lambda timer: (timer.due_date, timer.key))


def next_due(case: Case) -> datetime | None:
    """Return when the next timer fires, None without one."""
    found = timers(case)
    return max(case.now, from_millis(found[0].due_date)) if found else None


def started(facts: Sequence[Fact]) -> list[str]:
    """Return what came of a step, as rules name it: the jobs that start and how the case ends; in any order."""
    found = []
    for fact in facts:
        if fact.kind == "case" and fact.name == "ends":
            values = " and ".join(f"{name} = {shown(value)}" for name, value in sorted(fact.values.items()))
            found.append(f"{fact} where {values}" if values else str(fact))
        elif fact.kind == "job" and fact.what == "starts":
            found.append(str(fact))
    return sorted(found)


def _due_at(case: Case, moment: datetime) -> Timer | None:
    found = timers(case)
    return found[0] if found and found[0].due_date <= to_millis(moment) else None


def _advance(clock: datetime, to: datetime, facts: Sequence[Fact]) -> dict[str, Any]:
    return {"do": "advanceClock", "ms": to_millis(to) - to_millis(clock), "then": started(facts)}


def _said_of_turn(names: Sequence[Text], firings: int) -> Text:
    if not names:
        return Message("The clock is turned; no timer was due")
    if firings >= MOST_FIRINGS:
        return Message("The clock is turned; {count} timers fired: turn it again to continue", count=firings)
    each = {name: sum(name == other for other in names) for name in names}
    zh = "、".join(f"“{name.zh}”" + (f" ×{count}" if count > 1 else "") for name, count in each.items())
    en = ", ".join(name.en + (f" ×{count}" if count > 1 else "") for name, count in each.items())
    return Message("Time passes: {timers}", timers=Bilingual(zh, en))
