"""What starts the newest version of a process by itself: message, signal and timer start events."""

from services.engine.errors import Rejection, RejectionType, Trouble
from services.engine.model.bpmn import Element, Process, given
from services.engine.processing.catching import add_timer, due_of, record_timer
from services.engine.processing.work import Work
from services.engine.state.definitions import Definition
from services.engine.state.signals import StartSubscription
from services.engine.state.timers import Timer


def open_starts(work: Work, definition: Definition, process: Process) -> None:
    """Raises Rejection where a name or timer has no usable value."""
    for kind, starts in (("MESSAGE", process.message_starts()), ("SIGNAL", process.signal_starts())):
        for element in starts:
            subscription = StartSubscription(
                work.store.next_key(), kind, _value(work, element), definition.process_id, definition.key, element.id
            )
            work.store.starts.add(subscription)
    for element in process.timer_starts():
        _open_timer(work, definition, element)


def close_starts(work: Work, definition: Definition) -> None:
    for subscription in work.store.starts.of_process(definition.process_id):
        work.store.starts.remove(subscription.key)
    for timer in work.store.timers.of_definition(definition.key):
        work.store.timers.remove(timer.key)
        record_timer(work, timer, "CANCELED")


def _open_timer(work: Work, definition: Definition, element: Element) -> None:
    try:
        due, cycle, repetitions = due_of(given(element.event), _value(work, element), work.millis())
    except Trouble as trouble:
        raise Rejection(RejectionType.INVALID_ARGUMENT, f"Element '{element.id}': {trouble}") from trouble
    if due is not None:
        add_timer(work, Timer(work.store.next_key(), due, 0, 0, element.id, definition.key, cycle, repetitions))


def _value(work: Work, element: Element) -> str:
    """The name or timer of a start event: no variables exist yet."""
    event = given(element.event)
    expression = given(event.name or event.timer)
    try:
        value = expression.evaluate({}, work.now)
    except Trouble as trouble:
        raise Rejection(RejectionType.INVALID_ARGUMENT, f"Element '{element.id}': {trouble}") from trouble
    if not isinstance(value, str):
        raise Rejection(RejectionType.INVALID_ARGUMENT, f"Element '{element.id}': '{expression.text}' gives no text.")
    return value
