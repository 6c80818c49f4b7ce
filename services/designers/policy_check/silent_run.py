"""Let time pass while nobody does anything, and see when what has to come by itself comes.

Workers work at once, and the clock goes from timer to timer, as the engine fires them: all that are due, in their
order. A run ends when nothing is left to happen, or when it repeats itself: then it does so for ever.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from services.designers.policy_check.case import Canonicalizer, Case
from services.designers.policy_check.explorer import Begun, Broken, Walk
from services.designers.policy_check.facts import Fact
from services.designers.policy_check.in_memory import Simulation
from services.designers.policy_check.monitors import fits
from services.designers.policy_check.moves import JOB, TIMER, Move
from services.designers.policy_check.rules import Rule, Rules, Timing
from services.designers.policy_check.step_findings import STOPS
from services.engine.clock import to_millis
from services.engine.model.timers import parse_date, parse_duration

_MOST_STEPS = 400
_TERM = re.compile(r"\s*([+-])?\s*(\w+)")
Happening = tuple[datetime, Fact]


@dataclass(frozen=True)
class Run:
    """What happened after ``begun``; what happened from ``repeats`` on does so for ever, at the same distances."""

    begun: datetime
    happened: Sequence[Happening]
    repeats: datetime | None
    is_over: bool


class SilentRuns:
    """Runs of a simulation, kept by where they begin."""

    def __init__(self, simulation: Simulation, canonicalizer: Canonicalizer) -> None:
        self._simulation = simulation
        self._canonicalizer = canonicalizer
        self._known: dict[object, Run] = {}

    def find_broken(self, walk: Walk, rules: Rules) -> list[Broken]:
        """Return the timed rules of which the time is not kept."""
        found: list[Broken] = []
        for rule in rules.rules:
            for begun in walk.begun.get(rule.id, []):
                note = self._late(rule, begun)
                if note is not None:
                    start, path = walk.path_from_start(begun.state)
                    way = start, [*path, *begun.moves]
                    found.append(Broken(rule, None, begun.state, (), begun.by, note, way))
                    break
        return found

    def _late(self, rule: Rule, begun: Begun) -> tuple[str, str] | None:
        timing = rule.timing
        if timing is None:
            return None
        run = self._run(begun.case)
        until = rule.ends
        times: list[datetime] = []
        ended: datetime | None = None
        is_alone = _has_no_twin(begun.case)
        for moment, fact in [*((run.begun, fact) for fact in begun.at_once), *run.happened]:
            if fits(timing.comes, fact):
                times.append(moment)
            elif not times and fits(rule.begins, fact):
                is_alone = False
            if fits(until, fact):
                ended = moment
                break
        if not is_alone:  # what comes first may be the other one's
            timing = replace(timing, not_before=None)
        return self._judge(timing, run, times, ended, begun.by.values)

    def _judge(
        self, timing: Timing, run: Run, times: list[datetime], ended: datetime | None, values: Any
    ) -> tuple[str, str] | None:
        moment = self._moments(run.begun, values)
        first = times[0] if times else None
        if timing.not_before is not None and first is not None and first < moment(timing.not_before):
            return (f"它来得太早：{_when(first, run)}", f"it comes too early, after {_when(first, run)}")
        for text, latest in (
            (timing.within, None if timing.within is None else run.begun + _length(timing.within, run.begun)),
            (timing.at, None if timing.at is None else moment(timing.at)),
        ):
            if latest is None or (ended is not None and ended <= latest):
                continue
            if first is None:
                return (f"它不会来（应在 {text} 之内）", f"it does not come at all, though it has to by {text}")
            if first > latest:
                return (
                    f"它在 {_when(first, run)} 之后才来，不在 {text} 之内",
                    f"it comes after {_when(first, run)} only, not by {text}",
                )
        if timing.every is not None:
            return self._gap(timing.every, run, times, ended)
        return None

    def _gap(self, every: str, run: Run, times: list[datetime], ended: datetime | None) -> tuple[str, str] | None:
        step = _length(every, run.begun)
        if not times:
            return ("它一次都不会来", "it never comes")
        until = [run.happened[-1][0]] if ended is None and not run.is_over else []  # what the run saw of a long wait
        for one, next_one in pairwise([*times, *until]):
            if next_one - one > step:
                gap = _span(next_one - one)
                return (
                    f"两次之间相隔 {gap} 或更久，超过 {every}",
                    f"{gap} or more pass between two of them, more than {every}",
                )
        if ended is None and run.is_over and (run.repeats is None or times[-1] < run.repeats):
            en = (
                "it comes once, and then no more"
                if len(times) == 1
                else f"it comes {len(times)} times, and then no more"
            )
            return (f"它来了 {len(times)} 次之后就不再来", en)
        return None

    def _moments(self, begun: datetime, values: Any) -> Callable[[str], datetime]:
        def moment(text: str) -> datetime:
            """Return the moment of a sum such as ``dueAt + gracePeriod - P1D``, from the beginning."""
            total, sign = begun, 1
            for match in _TERM.finditer(text):
                sign = -1 if match[1] == "-" else 1
                word = match[2]
                value = values.get(word) if word[0].islower() else word
                value = self._simulation.world.constant(word) if value is None else value
                if value is None:
                    raise LookupError(f"{word} of {text!r} has no one value in the world")
                if str(value).startswith("P"):
                    length = parse_duration(str(value)).after(total) - total
                    total = total + length if sign > 0 else total - length
                else:
                    total = parse_date(str(value))
            return total

        return moment

    def _run(self, case: Case) -> Run:
        key = (self._canonicalizer.canonical(case), self._clocks(case))
        if key not in self._known:
            self._known[key] = self._walk(case)
        return self._known[key]

    def _clocks(self, case: Case) -> tuple[tuple[str, int], ...]:
        now = to_millis(case.now)
        return tuple(
            sorted((t.element_id, t.due_date - now) for t in case.state.timers.values() if t.process_instance_key)
        )

    def _walk(self, case: Case) -> Run:
        begun, happened = case.now, list[Happening]()
        passed: dict[object, tuple[datetime, int]] = {}
        for _ in range(_MOST_STEPS):
            move = self._next(case)
            if move is None:
                self._keep(passed, happened)
                return Run(begun, happened, repeats=None, is_over=True)
            if move.kind == TIMER:
                here = (self._canonicalizer.canonical(case), self._clocks(case))
                if here in passed:
                    places = list(passed)
                    before = places[: places.index(here) + 1]  # a later one has only a part of the circle behind it
                    moment, number = passed[here]
                    # once more round, so that the end of the circle and its beginning stand side by side
                    happened += [(at + (case.now - moment), fact) for at, fact in happened[number:]]
                    self._keep({place: passed[place] for place in before}, happened, case.now)
                    return Run(begun, happened, case.now, is_over=True)
                known = self._known.get(here)
                if known is not None and known.is_over:
                    later = case.now - known.begun
                    happened += [(moment + later, fact) for moment, fact in known.happened]
                    repeats = None if known.repeats is None else known.repeats + later
                    self._keep(passed, happened, repeats)
                    return Run(begun, happened, repeats, is_over=True)
                passed[here] = (case.now, len(happened))
            applied = self._simulation.apply(case, move)
            if any(finding.kind in STOPS for finding in applied.findings):
                return Run(begun, happened, repeats=None, is_over=False)
            case = applied.case
            happened += [(case.now, fact) for fact in applied.facts]
        return Run(begun, happened, repeats=None, is_over=False)

    def _keep(
        self, passed: Mapping[object, tuple[datetime, int]], happened: list[Happening], repeats: datetime | None = None
    ) -> None:
        """Keep the rest of a run for each place that it passed: other runs come there too."""
        for place, (moment, number) in passed.items():
            self._known.setdefault(place, Run(moment, happened[number:], repeats, is_over=True))

    def _next(self, case: Case) -> Move | None:
        """Return an open job as it ends when nothing has happened meanwhile, else the timer that is due first."""
        moves = [move for move in self._simulation.moves(case) if move.kind in (JOB, TIMER)]
        job = next((move for move in moves if move.kind == JOB), None)
        if job is not None:
            return job
        return min((move for move in moves if move.kind == TIMER), key=lambda move: (move.due, move.key), default=None)


def _has_no_twin(case: Case) -> bool:
    """Return whether no timer runs twice at once, as those of two reviews do."""
    running = [timer.element_id for timer in case.state.timers.values() if timer.process_instance_key]
    return len(running) == len(set(running))


def _length(text: str, begun: datetime) -> timedelta:
    return parse_duration(text).after(begun) - begun


def _when(moment: datetime, run: Run) -> str:
    return _span(moment - run.begun)


def _span(length: timedelta) -> str:
    """Return a span in days and hours."""
    hours = length // timedelta(hours=1)
    days, rest = divmod(hours, 24)
    return f"P{days}D" + (f"T{rest}H" if rest else "")
