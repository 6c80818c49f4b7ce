"""Timers that are due: they reach their element, or start a process, and cycles are set anew."""

from services.engine.clock import MAX_MILLIS, from_millis, to_millis
from services.engine.model.bpmn import given
from services.engine.model.timers import parse_cycle
from services.engine.processing.catching import add_timer, record_timer
from services.engine.processing.starting import start_by_event
from services.engine.processing.triggering import can_trigger, trigger
from services.engine.processing.variables import evaluate_text
from services.engine.processing.work import At, Work
from services.engine.state.instances import Trigger
from services.engine.state.timers import Timer


def fire(work: Work, key: int) -> None:
    """Never early: nothing happens before it is due."""
    timer = work.store.timers.get(key)
    if timer is None or timer.due > work.millis():
        return
    at = work.find(timer.instance_key, timer.node_key) if timer.instance_key else None
    if at is not None and not can_trigger(at, at.process.elements[timer.element_id]):
        work.store.timers.put_off(key, MAX_MILLIS)  # it stays until its element, which does not come back, is gone
        return
    work.store.timers.remove(key)
    record_timer(work, timer, "TRIGGERED")
    if at is None:
        start_by_event(work, timer.definition_key, timer.element_id, {})
        _again(work, timer, timer.cycle)
        return
    at.node.timers.remove(key)
    trigger(work, at, Trigger(timer.element_id, {}))
    following = _again(work, timer, _cycle_now(work, at, timer))
    if following is not None:
        at.node.timers.append(following)


def _cycle_now(work: Work, at: At, timer: Timer) -> str | None:
    """The cycle as its expression gives it after each firing; how often it still fires was fixed at the first."""
    if timer.cycle is None:
        return None
    return evaluate_text(work, at, given(given(at.process.elements[timer.element_id].event).timer))


def _again(work: Work, timer: Timer, cycle: str | None) -> int | None:
    """The next firing of a cycle: a period after it was due, or after now where that has passed; none is caught up."""
    if cycle is None or timer.repetitions in (0, 1):
        return None
    rest = timer.repetitions - 1 if timer.repetitions > 0 else -1
    due = parse_cycle(cycle).due_again(from_millis(timer.due), work.now())
    if due is None:
        return None
    key = work.store.next_key()
    following = Timer(
        key,
        to_millis(due),
        timer.instance_key,
        timer.node_key,
        timer.element_id,
        timer.definition_key,
        cycle,
        rest,
    )
    add_timer(work, following)
    return key
