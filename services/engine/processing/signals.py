"""Signals reach everything that waits for them at the moment, and are not kept."""

from typing import Any

from services.engine.processing.catching import close_catches
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
        if at is None or not trigger(work, at, Trigger(subscription.element_id, variables)):
            continue
        if at.process.elements[subscription.element_id].interrupting:
            close_catches(work, at, subscription.element_id.__eq__)
    return key
