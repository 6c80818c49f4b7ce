"""Subscribe the latest version of a process to its start events."""

from services.engine.errors import Failure, Rejection, RejectionType
from services.engine.model.bpmn import Element, Process, required
from services.engine.processing.event_subscriptions import add_timer, evaluate_timer, record_timer
from services.engine.processing.execution import Execution
from services.engine.state.process_definitions import ProcessDefinition
from services.engine.state.signals import StartEventSubscription
from services.engine.state.timers import Timer


def subscribe_to_start_events(execution: Execution, definition: ProcessDefinition, process: Process) -> None:
    """Open the subscriptions and timers; raises Rejection for unusable values."""
    for event_type, starts in (("MESSAGE", process.message_start_events()), ("SIGNAL", process.signal_start_events())):
        for element in starts:
            subscription = StartEventSubscription(
                execution.store.next_key(),
                event_type,
                _value(execution, element),
                definition.bpmn_process_id,
                definition.key,
                element.id,
            )
            execution.store.start_event_subscriptions.add(subscription)
    for element in process.timer_start_events():
        _open_timer(execution, definition, element)


def unsubscribe_from_start_events(execution: Execution, definition: ProcessDefinition) -> None:
    for subscription in execution.store.start_event_subscriptions.of_process(definition.bpmn_process_id):
        execution.store.start_event_subscriptions.remove(subscription.key)
    for timer in execution.store.timers.of_definition(definition.key):
        execution.store.timers.remove(timer.key)
        record_timer(execution, timer, "CANCELED")


def _open_timer(execution: Execution, definition: ProcessDefinition, element: Element) -> None:
    try:
        due, cycle, repetitions = evaluate_timer(
            required(element.event), _value(execution, element), execution.now_millis()
        )
    except Failure as failure:
        raise Rejection(RejectionType.INVALID_ARGUMENT, f"Element '{element.id}': {failure}") from failure
    if due is not None:
        add_timer(
            execution, Timer(execution.store.next_key(), due, 0, 0, element.id, definition.key, cycle, repetitions)
        )


def _value(execution: Execution, element: Element) -> str:
    """Evaluate the name or timer of a start event, without variables."""
    event = required(element.event)
    expression = required(event.name or event.timer)
    try:
        value = expression.evaluate({}, execution.now)
    except Failure as failure:
        raise Rejection(RejectionType.INVALID_ARGUMENT, f"Element '{element.id}': {failure}") from failure
    if not isinstance(value, str):
        raise Rejection(
            RejectionType.INVALID_ARGUMENT,
            f"Element '{element.id}': '{expression.text}' does not evaluate to a string.",
        )
    return value
