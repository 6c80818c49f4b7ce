"""Publish, correlate, buffer and expire messages."""

import json
from typing import Any

from services.engine.clock import clamp_millis
from services.engine.errors import Rejection, RejectionType
from services.engine.processing.event_subscriptions import record_message
from services.engine.processing.event_triggers import can_trigger, trigger_event
from services.engine.processing.execution import CorrelateBufferedMessage, CorrelateMessage, Execution
from services.engine.processing.instance_creation import create_instance_by_event
from services.engine.state.instances import Trigger
from services.engine.state.messages import Message, MessageSubscription


def publish(execution: Execution, name: str, key: str, *, ttl: int, message_id: str, variables: dict[str, Any]) -> int:
    """Publish a message for ``ttl`` ms; return its key.

    Raises Rejection while one with the same id is buffered.
    """
    if message_id and execution.store.messages.is_published(name, key, message_id):
        raise Rejection(
            RejectionType.ALREADY_EXISTS,
            f"Expected to publish a new message with id '{message_id}', "
            "but a message with that id was already published",
        )
    message = Message(
        execution.store.next_key(),
        name,
        key,
        message_id,
        clamp_millis(execution.now_millis() + ttl),
        json.dumps(variables, ensure_ascii=False),
    )
    execution.store.messages.add(message)
    _record(execution, message, "PUBLISHED")
    by_process = _subscriptions(execution, message)
    _start_instances(execution, message, set(by_process))
    execution.steps.extend(CorrelateMessage(subscription, message) for subscription in by_process.values())
    if ttl <= 0:
        _expire(execution, message)
    return message.key


def expire(execution: Execution, key: int) -> None:
    """Expire a message whose time to live is over."""
    message = execution.store.messages.get(key)
    if message is not None and message.deadline <= execution.now_millis():
        _expire(execution, message)


def _expire(execution: Execution, message: Message) -> None:
    execution.store.messages.remove(message.key)
    _record(execution, message, "EXPIRED")


def _subscriptions(execution: Execution, message: Message) -> dict[str, MessageSubscription]:
    """Choose the subscription to correlate to, one for each process id."""
    chosen: dict[str, MessageSubscription] = {}
    for subscription in execution.store.messages.subscribers(message.name, message.correlation_key):
        if subscription.bpmn_process_id not in chosen:
            chosen[subscription.bpmn_process_id] = subscription
            execution.store.messages.mark_correlated(message.key, subscription.bpmn_process_id)
    return chosen


def _start_instances(execution: Execution, message: Message, correlated_processes: set[str]) -> None:
    for start in execution.store.start_event_subscriptions.by_name("MESSAGE", message.name):
        locked = bool(message.correlation_key) and execution.store.messages.is_locked(
            start.bpmn_process_id, message.correlation_key
        )
        if start.bpmn_process_id not in correlated_processes and not locked:
            correlated_processes.add(start.bpmn_process_id)
            _start(execution, message, start.bpmn_process_id, start.process_definition_key, start.element_id)


def _start(
    execution: Execution, message: Message, bpmn_process_id: str, process_definition_key: int, element_id: str
) -> None:
    execution.store.messages.mark_correlated(message.key, bpmn_process_id)
    create_instance_by_event(
        execution, process_definition_key, element_id, json.loads(message.variables), message.correlation_key or None
    )


def correlate(execution: Execution, subscription: MessageSubscription, message: Message) -> None:
    """Correlate a message to its element, or forward it."""
    is_open = execution.store.messages.subscription(subscription.key) is not None
    context = execution.find(subscription.process_instance_key, subscription.element_instance_key) if is_open else None
    if context is None or not can_trigger(context, context.process.elements[subscription.element_id]):
        _forward(execution, subscription, message)
        return
    record_message(execution, context, subscription, "CORRELATED", message.key)
    if subscription.interrupting:
        execution.store.messages.unsubscribe(subscription.key)
        context.element_instance.message_subscriptions.remove(subscription.key)
    else:
        execution.steps.append(CorrelateBufferedMessage(subscription.key))
    trigger_event(execution, context, Trigger(subscription.element_id, json.loads(message.variables)))


def _forward(execution: Execution, subscription: MessageSubscription, message: Message) -> None:
    """Correlate a buffered message to the process's next subscription, or release it."""
    if execution.store.messages.get(message.key) is None:
        return
    others = execution.store.messages.subscribers(message.name, message.correlation_key)
    later = [s for s in others if s.bpmn_process_id == subscription.bpmn_process_id and s.key > subscription.key]
    if later:
        execution.steps.append(CorrelateMessage(later[0], message))
    else:
        execution.store.messages.unmark_correlated(message.key, subscription.bpmn_process_id)


def correlate_buffered_message(execution: Execution, subscription_key: int) -> None:
    """Correlate the oldest buffered message to an open subscription."""
    subscription = execution.store.messages.subscription(subscription_key)
    if subscription is None:
        return
    buffered = execution.store.messages.oldest_buffered(
        subscription.name, subscription.correlation_key, subscription.bpmn_process_id, execution.now_millis()
    )
    if buffered is not None:
        execution.store.messages.mark_correlated(buffered.key, subscription.bpmn_process_id)
        execution.steps.append(CorrelateMessage(subscription, buffered))


def start_from_buffered_message(execution: Execution, bpmn_process_id: str, correlation_key: str) -> None:
    """Start an instance by the oldest buffered message of a key."""
    if execution.store.messages.is_locked(bpmn_process_id, correlation_key):
        return
    candidates = [
        (buffered, start)
        for start in execution.store.start_event_subscriptions.of_process(bpmn_process_id)
        if start.event_type == "MESSAGE"
        and (
            buffered := execution.store.messages.oldest_buffered(
                start.name, correlation_key, bpmn_process_id, execution.now_millis()
            )
        )
        is not None
    ]
    if candidates:
        message, start = min(candidates, key=lambda c: c[0].key)
        _start(execution, message, bpmn_process_id, start.process_definition_key, start.element_id)


def _record(execution: Execution, message: Message, intent: str) -> None:
    value = {
        "name": message.name,
        "correlationKey": message.correlation_key,
        "messageId": message.message_id,
        "deadline": message.deadline,
        "variables": json.loads(message.variables),
    }
    execution.record(message.key, "MESSAGE", intent, value)
