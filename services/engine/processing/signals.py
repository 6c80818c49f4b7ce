"""Broadcast signals to all current subscriptions; signals are not buffered."""

from typing import Any

from services.engine.processing.event_triggers import trigger_event
from services.engine.processing.execution import Execution
from services.engine.processing.instance_creation import create_instance_by_event
from services.engine.state.instances import Trigger


def broadcast(execution: Execution, name: str, variables: dict[str, Any]) -> int:
    """Broadcast a signal and return its key."""
    key = execution.store.next_key()
    execution.record(key, "SIGNAL", "BROADCASTED", {"signalName": name, "variables": variables})
    for start in execution.store.start_event_subscriptions.by_name("SIGNAL", name):
        create_instance_by_event(execution, start.process_definition_key, start.element_id, variables)
    for subscription in execution.store.signals.subscribers(name):
        context = execution.find(subscription.process_instance_key, subscription.element_instance_key)
        if context is not None:
            trigger_event(execution, context, Trigger(subscription.element_id, variables))
    return key
