"""Timers that are due: they reach their element, or start a process, and cycles are set anew."""

from services.engine.clock import MAX_MILLIS, from_millis, to_millis
from services.engine.model.bpmn import required
from services.engine.model.timers import parse_cycle
from services.engine.processing.event_subscriptions import add_timer, record_timer
from services.engine.processing.event_triggers import can_trigger, trigger_event
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.instance_creation import create_instance_by_event
from services.engine.processing.variables import evaluate_text
from services.engine.state.instances import Trigger
from services.engine.state.timers import Timer


def fire(execution: Execution, key: int) -> None:
    """Never early: nothing happens before it is due."""
    timer = execution.store.timers.get(key)
    if timer is None or timer.due > execution.now_millis():
        return
    context = execution.find(timer.instance_key, timer.element_instance_key) if timer.instance_key else None
    if context is not None and not can_trigger(context, context.process.elements[timer.element_id]):
        execution.store.timers.postpone(
            key, MAX_MILLIS
        )  # it stays until its element, which does not come back, is gone
        return
    execution.store.timers.remove(key)
    record_timer(execution, timer, "TRIGGERED")
    if context is None:
        create_instance_by_event(execution, timer.definition_key, timer.element_id, {})
        _schedule_next(execution, timer, timer.cycle)
        return
    context.element_instance.timers.remove(key)
    trigger_event(execution, context, Trigger(timer.element_id, {}))
    following = _schedule_next(execution, timer, _evaluate_cycle(execution, context, timer))
    if following is not None:
        context.element_instance.timers.append(following)


def _evaluate_cycle(execution: Execution, context: ElementContext, timer: Timer) -> str | None:
    """The cycle as its expression gives it after each firing; how often it still fires was fixed at the first."""
    if timer.cycle is None:
        return None
    return evaluate_text(execution, context, required(required(context.process.elements[timer.element_id].event).timer))


def _schedule_next(execution: Execution, timer: Timer, cycle: str | None) -> int | None:
    """The next firing of a cycle: a period after it was due, or after now where that has passed; none is caught up."""
    if cycle is None or timer.repetitions in (0, 1):
        return None
    rest = timer.repetitions - 1 if timer.repetitions > 0 else -1
    due = parse_cycle(cycle).due_again(from_millis(timer.due), execution.now())
    if due is None:
        return None
    key = execution.store.next_key()
    following = Timer(
        key,
        to_millis(due),
        timer.instance_key,
        timer.element_instance_key,
        timer.element_id,
        timer.definition_key,
        cycle,
        rest,
    )
    add_timer(execution, following)
    return key
