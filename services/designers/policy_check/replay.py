"""Replay a path as it would go in time, before it is shown to anybody.

The walk lets either of two timers be first where time may have passed between their settings. A replay turns the
clock, and every timer that is due fires, as on a running engine; what else fires is applied along, and the jobs that it
begins are done before it begins them again, as in the walk. So a path that depends on an order that no clock gives does
not replay, and is no counterexample.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.designers.policy_check.case import Case
from services.designers.policy_check.explorer import Broken
from services.designers.policy_check.facts import Fact
from services.designers.policy_check.in_memory import Applied, Beginning, Simulation
from services.designers.policy_check.jobs_apart import told_apart
from services.designers.policy_check.moves import DECISION, ERROR, JOB, MESSAGE, SIGNAL, TIMER, Move
from services.designers.policy_check.rules import Rules
from services.engine.clock import to_millis

_DAY = 24 * 60 * 60 * 1000  # in ms
_MOST_JOBS = 100  # that a timer beside the way begins


@dataclass
class Replay:
    """What a path did: the moves as they were applied, and all facts; ``holds``: it ended as the walk said."""

    steps: list[tuple[Move, Case, Case]] = field(default_factory=list)
    """Each move with the case before and after it."""
    facts: list[Fact] = field(default_factory=list)
    elements: list[tuple[int, str, str]] = field(default_factory=list)
    """The number of the step, the process, and the element that was entered in it."""
    began_after: int = 0
    """How long after the deployment the case began, in ms: a timer may have begun it."""
    holds: bool = False


class NotReplayed(Exception):
    """A step of the path cannot happen any more."""


def replay(
    simulation: Simulation,
    rules: Rules,
    path: Sequence[Move],
    broken: Broken,
    start: tuple[Case, tuple[int, ...]] | None = None,
    *,
    beginning: Beginning | None = None,
) -> Replay:
    """Take the path of what was found broken again, in time.

    ``start`` is a case in the midst with the states of its monitors; without it, the path begins with a new case, by
    ``beginning`` or the first that the simulation has.
    """
    result = Replay()
    found: list[tuple[str, str]] = []
    if start is None:
        first = simulation.start(beginning=beginning)
        monitors, _ = rules.step(rules.initial, first.facts)
        found += _kinds(first)
        case = first.case
        result.began_after = to_millis(case.now) - to_millis(simulation.empty.now)
        _note(result, 0, first)
    else:
        case, monitors = start

    def take(number: int, move: Move) -> None:
        nonlocal case, monitors
        applied = simulation.apply(case, move)
        monitors, now_broken = rules.step(monitors, applied.facts)
        found.extend([*_kinds(applied), *(("rule", rule.id) for rule, _ in now_broken)])
        result.steps.append((move, case, applied.case))
        _note(result, number, applied)
        case = applied.case

    try:
        for number, move in enumerate(path, 1):
            while True:
                before, (chosen, is_the_one) = case, _next(simulation, case, move)
                take(number, chosen)
                if is_the_one:
                    break
                for _ in range(_MOST_JOBS):
                    job = _job_begun_since(simulation, before, case)
                    if job is None:
                        break
                    take(number, job)
    except NotReplayed:
        return result
    result.holds = _is_shown(broken, found)
    return result


def _job_begun_since(simulation: Simulation, before: Case, case: Case) -> Move | None:
    """Return a job that was not there before, as it ends when nothing has happened meanwhile."""
    known = before.state.jobs
    return next((move for move in simulation.moves(case) if move.kind == JOB and move.key not in known), None)


def _is_shown(broken: Broken, found: Sequence[tuple[str, str]]) -> bool:
    if broken.rule is not None and broken.fact is not None and broken.moves:
        return ("rule", broken.rule.id) in found
    if broken.finding is not None and broken.moves:
        return (broken.finding.kind, broken.finding.element_id) in found or not _is_of_step(broken.finding.kind)
    # what the whole graph shows begins where this path ends
    return True


def _is_of_step(kind: str) -> bool:
    return kind in ("incident", "missing", "key", "unchecked-timer", "refused")


def _kinds(applied: Applied) -> list[tuple[str, str]]:
    return [(finding.kind, finding.element_id) for finding in applied.findings]


def _note(result: Replay, number: int, applied: Applied) -> None:
    result.facts += applied.facts
    for record in applied.records:
        if record.value_type == "PROCESS_INSTANCE" and record.intent == "ELEMENT_ACTIVATED":
            result.elements.append((number, record.value["bpmnProcessId"], record.value["elementId"]))


def _next(simulation: Simulation, case: Case, move: Move) -> tuple[Move, bool]:
    """Return the move as it is now; before a timer, one that is due sooner. Raises NotReplayed."""
    now = [other for other in simulation.moves(case) if _is_like(other, move)]
    if not now:
        raise NotReplayed
    # two reviews that are open at once are alike but for the key, which is that of the walk where no timer came between
    like = next((other for other in now if other.key == move.key), now[0])
    chosen = replace(like, values=move.values)
    if move.kind != TIMER:
        return chosen, True
    sooner = [t for t in case.state.timers.values() if t.process_instance_key and t.due_date < chosen.due]
    if not sooner:
        return chosen, True
    timer = min(sooner, key=lambda t: (t.due_date, t.key))
    process_id = case.state.instances[timer.process_instance_key].bpmn_process_id
    return Move(TIMER, timer.key, process_id, timer.element_id, timer.element_id, due=timer.due_date), False


def _is_like(other: Move, move: Move) -> bool:
    same = (other.kind, other.process_id, other.element_id, other.name) == (
        move.kind,
        move.process_id,
        move.element_id,
        move.name,
    )
    if not same or other.of != move.of:
        return False
    return move.kind not in (ERROR, DECISION) or other.what == move.what


def scenario(replayed: Replay, files: Sequence[str], about: str, *, key: str) -> dict[str, Any]:
    """Return the path as a scenario: the steps that a client of the engine takes, for any engine.

    ``key`` is that of the message that begins the case, which is the first of the facts unless a timer is.
    """
    first = replayed.facts[0]
    steps: list[dict[str, Any]] = [{"do": "deploy", "files": list(files)}]
    if first.kind == TIMER:
        # a day at least: an engine with another clock than the walk's comes to a daily timer in it too
        steps.append({"do": "advanceClock", "ms": max(replayed.began_after, _DAY)})
    else:
        steps.append({"do": "publish", "name": first.name, "correlationKey": key, "variables": dict(first.values)})
    clock: int | None = None
    for move, before, after in replayed.steps:
        clock = to_millis(before.now) if clock is None else clock
        if move.kind == TIMER and to_millis(after.now) > clock:
            steps.append({"do": "advanceClock", "ms": to_millis(after.now) - clock})
            clock = to_millis(after.now)
        steps += client_steps(move, before, after)
    return {"about": about, "steps": steps}


def client_steps(move: Move, before: Case, after: Case) -> list[dict[str, Any]]:
    """Return a move as the calls of a client of the engine; none for a timer, which the clock fires."""
    if move.kind in (JOB, ERROR):
        reference: dict[str, Any] = {"type": move.name, "elementId": move.element_id}
        if where := told_apart(before, move).of:
            reference["where"] = dict(where)
        fetch = {"do": "activate", "type": move.name}
        if move.kind == ERROR:
            return [fetch, {"do": "throwError", "job": reference, "code": move.what}]
        return [fetch, {"do": "complete", "job": reference, "variables": _given(move, before, after)}]
    if move.kind in (DECISION, MESSAGE):
        subscription = before.state.message_subscriptions[move.key]
        step = {"do": "publish", "name": subscription.name, "correlationKey": subscription.correlation_key}
        return [{**step, "variables": _given(move, before, after)}]
    if move.kind == SIGNAL:
        return [{"do": "signal", "name": move.name}]
    return []


def _given(move: Move, before: Case, after: Case) -> dict[str, Any]:
    """Return the values as they were given, with the ids and moments that were made for them."""
    return Simulation.filled(move.values, after.now, before)
