"""Open and close subscriptions of active elements to messages, timers and signals."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.engine.clock import from_millis, to_millis
from services.engine.errors import ErrorType, Failure
from services.engine.model.bpmn import Element, ElementType, Event, EventType, Process, TimerType, required
from services.engine.model.expression import Expression, type_name
from services.engine.model.timers import parse_cycle, parse_date, parse_duration
from services.engine.processing.execution import CorrelateBufferedMessage, ElementContext, Execution
from services.engine.processing.variables import evaluate
from services.engine.state.messages import MessageSubscription
from services.engine.state.signals import SignalSubscription
from services.engine.state.timers import Timer


@dataclass(frozen=True, slots=True)
class _Subscription:
    """An evaluated subscription; none is opened before all are evaluated."""

    catch_event: Element
    name: str = ""
    key: str = ""
    due: int = 0
    cycle: str | None = None
    repetitions: int = 0


def catch_events(context: ElementContext) -> Iterator[Element]:
    """List the catch events that an active element hosts, the nearest first.

    Boundary events belong to the body of a multi-instance, all others to its inner instances.
    """
    return events_of(
        context.process,
        context.element,
        is_body=context.is_multi_instance_body,
        is_inner=context.is_inner_instance,
    )


def events_of(process: Process, element: Element, *, is_body: bool, is_inner: bool) -> Iterator[Element]:
    """List the catch events that an element hosts once it is active, as ``catch_events`` does."""
    elements = process.elements
    if not is_body:
        if element.catches:
            yield element
        if element.element_type == ElementType.EVENT_BASED_GATEWAY:
            yield from (elements[f.target] for f in element.outgoing)
        yield from (elements[s] for e in element.event_subprocesses for s in elements[e].event_starts)
    if not is_inner:
        yield from (elements[b] for b in element.boundaries)


def subscribe_to_events(
    execution: Execution, context: ElementContext, matches: Callable[[str], bool] = lambda element_id: True
) -> list[tuple[str, str]]:
    """Open the subscriptions of an element to the catch events that ``matches`` accepts.

    Raises Failure, and then opens none. Returns the name and the catch event of each message subscription.
    """
    accepted = [event for event in catch_events(context) if matches(event.id)]
    subscriptions = [s for e in accepted if (s := _evaluate(execution, context, e)) is not None]
    for subscription in subscriptions:
        _open(execution, context, subscription)
    return [(s.name, s.catch_event.id) for s in subscriptions if s.catch_event.event_type == EventType.MESSAGE]


def unsubscribe_from_events(
    execution: Execution, context: ElementContext, matches: Callable[[str], bool] = lambda element_id: True
) -> None:
    """Close the subscriptions of the catch events that ``matches`` accepts."""
    store, element_instance = execution.store, context.element_instance
    for key in list(element_instance.timers):
        timer = store.timers.get(key)
        if timer is not None and matches(timer.element_id):
            element_instance.timers.remove(key)
            store.timers.remove(key)
            record_timer(execution, timer, "CANCELED")
    for key in list(element_instance.message_subscriptions):
        message = store.messages.subscription(key)
        if message is not None and matches(message.element_id):
            element_instance.message_subscriptions.remove(key)
            store.messages.unsubscribe(key)
            record_message(execution, context, message, "DELETED")
    for key in list(element_instance.signal_subscriptions):
        signal = store.signals.subscription(key)
        if signal is not None and matches(signal.element_id):
            element_instance.signal_subscriptions.remove(key)
            store.signals.unsubscribe(key)
            record_signal(execution, signal, "DELETED")


def unsubscribe_from_event_subprocesses(execution: Execution, context: ElementContext) -> None:
    """Close the event subprocesses' subscriptions; those of boundary events stay."""
    starts = {s for e in context.element.event_subprocesses for s in context.process.elements[e].event_starts}
    unsubscribe_from_events(execution, context, starts.__contains__)


def _evaluate(execution: Execution, context: ElementContext, catch_event: Element) -> _Subscription | None:
    event = required(catch_event.event)
    if event.event_type == EventType.MESSAGE:
        visible_from = (
            context.scope if catch_event.element_type == ElementType.BOUNDARY_EVENT else context.element_instance
        )
        name = _text(evaluate(execution, context, required(event.name)), required(event.name), "message name")
        key = evaluate(execution, context, required(event.key), element_instance=visible_from)
        return _Subscription(catch_event, name, _correlation_key(key, required(event.key)))
    if event.event_type == EventType.SIGNAL:
        return _Subscription(
            catch_event, _text(evaluate(execution, context, required(event.name)), required(event.name), "signal name")
        )
    if event.event_type == EventType.TIMER:
        due, cycle, repetitions = evaluate_timer(
            event, evaluate(execution, context, required(event.timer)), execution.now_millis()
        )
        return None if due is None else _Subscription(catch_event, due=due, cycle=cycle, repetitions=repetitions)
    return None


def evaluate_timer(event: Event, value: object, now: int) -> tuple[int | None, str | None, int]:
    """Return due time (ms), cycle text and repetitions of an evaluated timer.

    Raises Failure.
    """
    expression = required(event.timer)
    text = _text(value, expression, f"timer {event.timer_type}")
    try:
        match event.timer_type:
            case TimerType.DATE:
                return to_millis(parse_date(text)), None, 1
            case TimerType.DURATION:
                return to_millis(parse_duration(text).after(from_millis(now))), None, 1
        cycle = parse_cycle(text)
        due = cycle.due_after(from_millis(now))
    except (ValueError, OverflowError) as error:
        raise Failure(ErrorType.EXTRACT_VALUE, f"Invalid timer expression '{expression.text}': {error}") from error
    return (None if due is None else to_millis(due)), text, cycle.repetitions


def _text(value: object, expression: Expression, what: str) -> str:
    if not isinstance(value, str):
        raise Failure(
            ErrorType.EXTRACT_VALUE,
            f"Expected the {what} '{expression.text.removeprefix('=')}' to be a STRING, but it was {type_name(value)}.",
        )
    return value


def _correlation_key(value: object, expression: Expression) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Failure(
            ErrorType.EXTRACT_VALUE,
            f"Failed to extract the correlation key for '{expression.text.removeprefix('=')}': "
            f"the value must be either a string or a number, but was {type_name(value)}.",
        )
    return str(int(value))


def _open(execution: Execution, context: ElementContext, evaluated: _Subscription) -> None:
    key = execution.store.next_key()
    instance, element_instance, catch_event = context.process_instance, context.element_instance, evaluated.catch_event
    match required(catch_event.event).event_type:
        case EventType.MESSAGE:
            subscription = MessageSubscription(
                key,
                evaluated.name,
                evaluated.key,
                instance.key,
                element_instance.key,
                catch_event.id,
                instance.bpmn_process_id,
                catch_event.interrupting,
            )
            execution.store.messages.subscribe(subscription)
            element_instance.message_subscriptions.append(key)
            record_message(execution, context, subscription, "CREATED")
            execution.steps.append(CorrelateBufferedMessage(key))
        case EventType.SIGNAL:
            signal = SignalSubscription(key, evaluated.name, instance.key, element_instance.key, catch_event.id)
            execution.store.signals.subscribe(signal)
            element_instance.signal_subscriptions.append(key)
            record_signal(execution, signal, "CREATED")
        case _:
            timer = Timer(
                key,
                evaluated.due,
                instance.key,
                element_instance.key,
                catch_event.id,
                instance.process_definition_key,
                evaluated.cycle,
                evaluated.repetitions,
            )
            add_timer(execution, timer)
            element_instance.timers.append(key)


def add_timer(execution: Execution, timer: Timer) -> None:
    execution.store.timers.add(timer)
    record_timer(execution, timer, "CREATED")


def record_timer(execution: Execution, timer: Timer, intent: str) -> None:
    value = {
        "elementInstanceKey": timer.element_instance_key or -1,
        "processInstanceKey": timer.process_instance_key or -1,
        "processDefinitionKey": timer.process_definition_key,
        "targetElementId": timer.element_id,
        "dueDate": timer.due_date,
        "repetitions": timer.repetitions,
    }
    execution.record(timer.key, "TIMER", intent, value)


def record_message(
    execution: Execution, context: ElementContext, subscription: MessageSubscription, intent: str, message_key: int = -1
) -> None:
    value = {
        **execution.instance_fields(context.process_instance),
        "elementInstanceKey": subscription.element_instance_key,
        "elementId": subscription.element_id,
        "messageName": subscription.name,
        "messageKey": message_key,
        "correlationKey": subscription.correlation_key,
        "interrupting": subscription.interrupting,
    }
    execution.record(subscription.key, "PROCESS_MESSAGE_SUBSCRIPTION", intent, value)


def record_signal(execution: Execution, subscription: SignalSubscription, intent: str) -> None:
    value = {
        "signalName": subscription.name,
        "catchEventId": subscription.element_id,
        "catchEventInstanceKey": subscription.element_instance_key,
        "processInstanceKey": subscription.process_instance_key,
    }
    execution.record(subscription.key, "SIGNAL_SUBSCRIPTION", intent, value)
