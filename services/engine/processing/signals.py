"""Signals reach everything that waits for them at the moment, and are not kept."""

from typing import Any

from services.engine.processing.starting import start_by_event
from services.engine.processing.triggering import trigger
from services.engine.processing.work import Work
from services.engine.state.instances import Trigger


def broadcast(work: Work, name: str, variables: dict[str, Any]) -> int:
    """Returns the signal's key."""
    key = work.store.next_key()
    work.record(key, "SIGNAL", "BROADCASTED", {"signalName": name, "variables": variables})
    for start in work.store.starts.by_name("SIGNAL", name):
        start_by_event(work, start.definition_key, start.element_id, variables)
    for subscription in work.store.signals.subscribers(name):
        at = work.find(subscription.instance_key, subscription.node_key)
        if at is not None:
            trigger(work, at, Trigger(subscription.element_id, variables))
    return key
