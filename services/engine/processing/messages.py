"""Messages: correlated to what waits for them, else kept until their time to live is over."""

import json
from typing import Any

from services.engine.clock import clamp_millis
from services.engine.errors import Rejection, RejectionType
from services.engine.processing.catching import record_message
from services.engine.processing.starting import start_by_event
from services.engine.processing.triggering import can_trigger, trigger
from services.engine.processing.work import Correlate, LookForMessage, Work
from services.engine.state.instances import Trigger
from services.engine.state.messages import Message, MessageSubscription


def publish(work: Work, name: str, key: str, *, ttl: int, message_id: str, variables: dict[str, Any]) -> int:
    """``ttl`` in ms. Returns the message's key; raises Rejection while one with the same id is kept."""
    if message_id and work.store.messages.is_known(name, key, message_id):
        raise Rejection(
            RejectionType.ALREADY_EXISTS,
            f"Expected to publish a new message with id '{message_id}', "
            "but a message with that id was already published",
        )
    message = Message(
        work.store.next_key(),
        name,
        key,
        message_id,
        clamp_millis(work.millis() + ttl),
        json.dumps(variables, ensure_ascii=False),
    )
    work.store.messages.add(message)
    _record(work, message, "PUBLISHED")
    chosen = _subscriptions(work, message)
    _to_starts(work, message, set(chosen))
    work.steps.extend(Correlate(subscription, message) for subscription in chosen.values())
    if ttl <= 0:
        _expire(work, message)
    return message.key


def expire(work: Work, key: int) -> None:
    """Its time to live is over."""
    message = work.store.messages.get(key)
    if message is not None and message.deadline <= work.millis():
        _expire(work, message)


def _expire(work: Work, message: Message) -> None:
    work.store.messages.remove(message.key)
    _record(work, message, "EXPIRED")


def _subscriptions(work: Work, message: Message) -> dict[str, MessageSubscription]:
    """The subscription that gets it, one for each process id."""
    chosen: dict[str, MessageSubscription] = {}
    for subscription in work.store.messages.subscribers(message.name, message.correlation_key):
        if subscription.process_id not in chosen:
            chosen[subscription.process_id] = subscription
            work.store.messages.correlated(message.key, subscription.process_id)
    return chosen


def _to_starts(work: Work, message: Message, had: set[str]) -> None:
    for start in work.store.starts.by_name("MESSAGE", message.name):
        locked = bool(message.correlation_key) and work.store.messages.is_locked(
            start.process_id, message.correlation_key
        )
        if start.process_id not in had and not locked:
            had.add(start.process_id)
            _start(work, message, start.process_id, start.definition_key, start.element_id)


def _start(work: Work, message: Message, process_id: str, definition_key: int, element_id: str) -> None:
    work.store.messages.correlated(message.key, process_id)
    start_by_event(work, definition_key, element_id, json.loads(message.variables), message.correlation_key or None)


def correlate(work: Work, subscription: MessageSubscription, message: Message) -> None:
    """The message reaches its element; one that does not wait any more leaves it to the next subscription."""
    is_open = work.store.messages.subscription(subscription.key) is not None
    at = work.find(subscription.instance_key, subscription.node_key) if is_open else None
    if at is None or not can_trigger(at, at.process.elements[subscription.element_id]):
        _pass_on(work, subscription, message)
        return
    record_message(work, at, subscription, "CORRELATED", message.key)
    if subscription.interrupting:
        work.store.messages.unsubscribe(subscription.key)
        at.node.messages.remove(subscription.key)
    else:
        work.steps.append(LookForMessage(subscription.key))
    trigger(work, at, Trigger(subscription.element_id, json.loads(message.variables)))


def _pass_on(work: Work, subscription: MessageSubscription, message: Message) -> None:
    """A message that is kept goes on to the next subscription of the process, or waits for one."""
    if work.store.messages.get(message.key) is None:
        return
    others = work.store.messages.subscribers(message.name, message.correlation_key)
    following = [s for s in others if s.process_id == subscription.process_id and s.key > subscription.key]
    if following:
        work.steps.append(Correlate(following[0], message))
    else:
        work.store.messages.uncorrelated(message.key, subscription.process_id)


def look_for_message(work: Work, subscription_key: int) -> None:
    """A subscription was opened, or has got a message and stays: the oldest message that waits for it is next."""
    subscription = work.store.messages.subscription(subscription_key)
    if subscription is None:
        return
    waiting = work.store.messages.waiting(
        subscription.name, subscription.correlation_key, subscription.process_id, work.millis()
    )
    if waiting is not None:
        work.store.messages.correlated(waiting.key, subscription.process_id)
        work.steps.append(Correlate(subscription, waiting))


def look_for_start(work: Work, process_id: str, correlation_key: str) -> None:
    """The instance with this key has ended: the oldest message that waits starts the next."""
    if work.store.messages.is_locked(process_id, correlation_key):
        return
    candidates = [
        (waiting, start)
        for start in work.store.starts.of_process(process_id)
        if start.kind == "MESSAGE"
        and (waiting := work.store.messages.waiting(start.name, correlation_key, process_id, work.millis())) is not None
    ]
    if candidates:
        message, start = min(candidates, key=lambda c: c[0].key)
        _start(work, message, process_id, start.definition_key, start.element_id)


def _record(work: Work, message: Message, intent: str) -> None:
    value = {
        "name": message.name,
        "correlationKey": message.correlation_key,
        "messageId": message.message_id,
        "deadline": message.deadline,
        "variables": json.loads(message.variables),
    }
    work.record(message.key, "MESSAGE", intent, value)
