"""Opening and closing what a running element waits for: messages, timers and signals."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.engine.clock import from_millis, to_millis
from services.engine.errors import ErrorType, Trouble
from services.engine.model.bpmn import Element, Event, EventKind, Kind, TimerKind, given
from services.engine.model.expression import Expression, type_name
from services.engine.model.timers import parse_cycle, parse_date, parse_duration
from services.engine.processing.variables import evaluate
from services.engine.processing.work import At, LookForMessage, Work
from services.engine.state.messages import MessageSubscription
from services.engine.state.signals import SignalSubscription
from services.engine.state.timers import Timer


@dataclass(frozen=True, slots=True)
class _Wait:
    """One evaluated subscription: nothing is opened before all of them could be evaluated."""

    catching: Element
    name: str = ""
    key: str = ""
    due: int = 0
    cycle: str | None = None
    repetitions: int = 0


def hosted_events(at: At) -> Iterator[Element]:
    """The elements that catch events on behalf of a running element, the nearest first.

    Boundary events belong to the body of a multi-instance, everything else to its inner instances.
    """
    elements = at.process.elements
    if not at.is_body:
        if at.element.catches:
            yield at.element
        if at.element.kind == Kind.EVENT_BASED_GATEWAY:
            yield from (elements[f.target] for f in at.element.outgoing)
        yield from (elements[s] for e in at.element.event_subprocesses for s in elements[e].event_starts)
    if not at.is_inner:
        yield from (elements[b] for b in at.element.boundaries)


def open_catches(work: Work, at: At) -> None:
    """Open everything the element waits for; raises Trouble with nothing opened."""
    waits = [w for e in hosted_events(at) if (w := _evaluate(work, at, e)) is not None]
    for wait in waits:
        _open(work, at, wait)


def close_catches(work: Work, at: At, which: Callable[[str], bool] = lambda element_id: True) -> None:
    """Close what is open (of the elements for which ``which`` holds)."""
    store, node = work.store, at.node
    for key in list(node.timers):
        timer = store.timers.get(key)
        if timer is not None and which(timer.element_id):
            node.timers.remove(key)
            store.timers.remove(key)
            record_timer(work, timer, "CANCELED")
    for key in list(node.messages):
        message = store.messages.subscription(key)
        if message is not None and which(message.element_id):
            node.messages.remove(key)
            store.messages.unsubscribe(key)
            record_message(work, at, message, "DELETED")
    for key in list(node.signals):
        signal = store.signals.subscription(key)
        if signal is not None and which(signal.element_id):
            node.signals.remove(key)
            store.signals.unsubscribe(key)
            record_signal(work, signal, "DELETED")


def close_event_subprocesses(work: Work, at: At) -> None:
    """After an interrupting event subprocess began; boundary events stay."""
    starts = {s for e in at.element.event_subprocesses for s in at.process.elements[e].event_starts}
    close_catches(work, at, starts.__contains__)


def _evaluate(work: Work, at: At, catching: Element) -> _Wait | None:
    event = given(catching.event)
    if event.kind == EventKind.MESSAGE:
        around = at.scope if catching.kind == Kind.BOUNDARY_EVENT else at.node
        name = _text(evaluate(work, at, given(event.name)), given(event.name), "message name")
        key = evaluate(work, at, given(event.key), node=around)
        return _Wait(catching, name, _correlation_key(key, given(event.key)))
    if event.kind == EventKind.SIGNAL:
        return _Wait(catching, _text(evaluate(work, at, given(event.name)), given(event.name), "signal name"))
    if event.kind == EventKind.TIMER:
        due, cycle, repetitions = due_of(event, evaluate(work, at, given(event.timer)), work.millis())
        return None if due is None else _Wait(catching, due=due, cycle=cycle, repetitions=repetitions)
    return None


def due_of(event: Event, value: object, now: int) -> tuple[int | None, str | None, int]:
    """When a timer with the evaluated ``value`` is due (ms), its cycle and how often it fires; raises Trouble."""
    expression = given(event.timer)
    text = _text(value, expression, f"timer {event.timer_kind}")
    try:
        match event.timer_kind:
            case TimerKind.DATE:
                return to_millis(parse_date(text)), None, 1
            case TimerKind.DURATION:
                return to_millis(parse_duration(text).after(from_millis(now))), None, 1
        cycle = parse_cycle(text)
        due = cycle.due_after(from_millis(now))
    except (ValueError, OverflowError) as error:
        raise Trouble(ErrorType.EXTRACT_VALUE, f"Invalid timer expression '{expression.text}': {error}") from error
    return (None if due is None else to_millis(due)), text, cycle.repetitions


def _text(value: object, expression: Expression, what: str) -> str:
    if not isinstance(value, str):
        raise Trouble(
            ErrorType.EXTRACT_VALUE,
            f"Expected the {what} '{expression.text.removeprefix('=')}' to be a STRING, but it was {type_name(value)}.",
        )
    return value


def _correlation_key(value: object, expression: Expression) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Trouble(
            ErrorType.EXTRACT_VALUE,
            f"Failed to extract the correlation key for '{expression.text.removeprefix('=')}': "
            f"the value must be either a string or a number, but was {type_name(value)}.",
        )
    return str(int(value))


def _open(work: Work, at: At, wait: _Wait) -> None:
    key = work.store.next_key()
    instance, node, catching = at.instance, at.node, wait.catching
    match given(catching.event).kind:
        case EventKind.MESSAGE:
            subscription = MessageSubscription(
                key,
                wait.name,
                wait.key,
                instance.key,
                node.key,
                catching.id,
                instance.process_id,
                catching.interrupting,
            )
            work.store.messages.subscribe(subscription)
            node.messages.append(key)
            record_message(work, at, subscription, "CREATED")
            work.steps.append(LookForMessage(key))
        case EventKind.SIGNAL:
            signal = SignalSubscription(key, wait.name, instance.key, node.key, catching.id)
            work.store.signals.subscribe(signal)
            node.signals.append(key)
            record_signal(work, signal, "CREATED")
        case _:
            timer = Timer(
                key,
                wait.due,
                instance.key,
                node.key,
                catching.id,
                instance.definition_key,
                wait.cycle,
                wait.repetitions,
            )
            add_timer(work, timer)
            node.timers.append(key)


def add_timer(work: Work, timer: Timer) -> None:
    work.store.timers.add(timer)
    record_timer(work, timer, "CREATED")


def record_timer(work: Work, timer: Timer, intent: str) -> None:
    value = {
        "elementInstanceKey": timer.node_key or -1,
        "processInstanceKey": timer.instance_key or -1,
        "processDefinitionKey": timer.definition_key,
        "targetElementId": timer.element_id,
        "dueDate": timer.due,
        "repetitions": timer.repetitions,
    }
    work.record(timer.key, "TIMER", intent, value)


def record_message(work: Work, at: At, subscription: MessageSubscription, intent: str, message_key: int = -1) -> None:
    value = {
        **work.origin(at.instance),
        "elementInstanceKey": subscription.node_key,
        "elementId": subscription.element_id,
        "messageName": subscription.name,
        "messageKey": message_key,
        "correlationKey": subscription.correlation_key,
        "interrupting": subscription.interrupting,
    }
    work.record(subscription.key, "PROCESS_MESSAGE_SUBSCRIPTION", intent, value)


def record_signal(work: Work, subscription: SignalSubscription, intent: str) -> None:
    value = {
        "signalName": subscription.name,
        "catchEventId": subscription.element_id,
        "catchEventInstanceKey": subscription.node_key,
        "processInstanceKey": subscription.instance_key,
    }
    work.record(subscription.key, "SIGNAL_SUBSCRIPTION", intent, value)
