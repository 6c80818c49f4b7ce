"""Trigger due timers, and schedule the next one of a cycle."""

import logging
from datetime import datetime

from services.engine.clock import MAX_MILLIS, from_millis, to_millis
from services.engine.errors import Failure
from services.engine.model.bpmn import required
from services.engine.model.timers import parse_cycle
from services.engine.processing.event_subscriptions import add_timer, record_timer
from services.engine.processing.event_triggers import can_trigger, trigger_event
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.instance_creation import create_instance_by_event
from services.engine.processing.variables import evaluate_text
from services.engine.state.instances import Trigger
from services.engine.state.timers import Timer

_log = logging.getLogger(__name__)


def trigger_timer(execution: Execution, key: int) -> None:
    """Trigger a timer unless it is not due yet."""
    timer = execution.store.timers.get(key)
    if timer is None or timer.due_date > execution.now_millis():
        return
    context = (
        execution.find(timer.process_instance_key, timer.element_instance_key) if timer.process_instance_key else None
    )
    if context is not None and not can_trigger(context, context.process.elements[timer.element_id]):
        # kept until its element ends, which cannot be triggered any more
        execution.store.timers.postpone(key, MAX_MILLIS)
        return
    execution.store.timers.remove(key)
    record_timer(execution, timer, "TRIGGERED")
    if context is None:
        create_instance_by_event(execution, timer.process_definition_key, timer.element_id, {})
        _schedule_next(execution, timer)
        return
    context.element_instance.timers.remove(key)
    trigger_event(execution, context, Trigger(timer.element_id, {}))
    next_key = _schedule_next(execution, timer, context)
    if next_key is not None:
        context.element_instance.timers.append(next_key)


def _schedule_next(execution: Execution, timer: Timer, context: ElementContext | None = None) -> int | None:
    """Schedule the next firing of a cycle; that of an element in an instance follows its expression anew.

    Its repetitions stay as first evaluated. Missed firings are not caught up. An expression that yields no cycle any
    more must not take back the firing that was due: the cycle goes on as it was.
    """
    if timer.cycle is None or timer.repetitions in (0, 1):
        return None
    remaining = timer.repetitions - 1 if timer.repetitions > 0 else -1
    cycle = timer.cycle
    try:
        if context is not None:
            cycle = _evaluate_cycle(execution, context, timer)
        due = _due_again(execution, timer, cycle)
    except (Failure, ValueError, OverflowError) as error:
        _log.warning(  # without its text, which may quote a variable
            "the repeating timer %s of process instance %d finds no next moment (%s): its cycle of before holds",
            timer.element_id,
            timer.process_instance_key,
            type(error).__name__,
        )
        cycle = timer.cycle
        due = _due_as_before(execution, timer, cycle)
    if due is None:
        return None
    key = execution.store.next_key()
    next_timer = Timer(
        key,
        to_millis(due),
        timer.process_instance_key,
        timer.element_instance_key,
        timer.element_id,
        timer.process_definition_key,
        cycle,
        remaining,
    )
    add_timer(execution, next_timer)
    return key


def _evaluate_cycle(execution: Execution, context: ElementContext, timer: Timer) -> str:
    return evaluate_text(execution, context, required(required(context.process.elements[timer.element_id].event).timer))


def _due_again(execution: Execution, timer: Timer, cycle: str) -> datetime | None:
    return parse_cycle(cycle).due_again(from_millis(timer.due_date), execution.now())


def _due_as_before(execution: Execution, timer: Timer, cycle: str) -> datetime | None:
    """Return None where the next firing is beyond the calendar."""
    try:
        return _due_again(execution, timer, cycle)
    except (ValueError, OverflowError):
        return None
