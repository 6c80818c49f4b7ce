"""Read active elements, history and variables of one instance."""

import json
from collections.abc import Iterator

from services.engine.clock import from_millis
from services.engine.inspection.views import ActiveElement, ElementVisit, Variable, WaitState
from services.engine.state.instances import ElementInstance, ProcessInstance
from services.engine.state.store import Store

MAX_HISTORY_RECORDS = 2000
_ENTERED_INTENTS = ("ELEMENT_ACTIVATING",)
_END_STATES = {"ELEMENT_COMPLETED": "completed", "ELEMENT_TERMINATED": "terminated"}


def active_elements(store: Store, instance: ProcessInstance) -> list[ActiveElement]:
    """List an instance's active elements without the process, outermost first."""
    return [
        ActiveElement(
            element_id=element_instance.element_id,
            kind=element_instance.kind,
            state=element_instance.state,
            since=None
            if (since := store.overview.first_timestamp(instance.key, element_instance.key, _ENTERED_INTENTS)) is None
            else from_millis(since),
            incident=bool(element_instance.incidents),
            awaits=list(_wait_states(store, element_instance)),
        )
        for element_instance in instance.element_instances.values()
        if element_instance.key != instance.key
    ]


def element_visits(store: Store, instance_key: int) -> tuple[list[ElementVisit], bool]:
    """List the entered elements in order, and whether the list is complete."""
    records = store.overview.history(instance_key, "PROCESS_INSTANCE", MAX_HISTORY_RECORDS)
    visits: dict[int, ElementVisit] = {}
    for record in records:
        element_id, kind = record.value["elementId"], record.value["bpmnElementType"]
        timestamp = from_millis(record.timestamp)
        visit = visits.get(record.key)
        if record.intent in _END_STATES:
            began = visit.began if visit is not None else timestamp
            visits[record.key] = ElementVisit(
                element_id, kind, began=began, ended=timestamp, how=_END_STATES[record.intent]
            )
        elif record.intent.startswith("ELEMENT_") and visit is None:
            visits[record.key] = ElementVisit(element_id, kind, began=timestamp, ended=None, how="active")
    complete = bool(records) and records[0].key == instance_key and records[0].intent in _ENTERED_INTENTS
    return list(visits.values()), complete


def variables(store: Store, instance_key: int) -> list[Variable]:
    """List the variables of each scope.

    For an ended instance, their last recorded values.
    """
    instance = store.instances.get(instance_key)
    if instance is not None:
        return [
            Variable(element_instance.element_id, element_instance.key, name, json.dumps(value, ensure_ascii=False))
            for element_instance in instance.element_instances.values()
            for name, value in sorted(element_instance.variables.items())
        ]
    scope_ids = {
        record.key: record.value["elementId"]
        for record in store.overview.history(instance_key, "PROCESS_INSTANCE", MAX_HISTORY_RECORDS)
    }
    last_values = {
        (record.value["scopeKey"], record.value["name"]): record.value["value"]
        for record in store.overview.history(instance_key, "VARIABLE", MAX_HISTORY_RECORDS)
    }
    return [Variable(scope_ids.get(key, ""), key, name, value) for (key, name), value in sorted(last_values.items())]


def _wait_states(store: Store, element_instance: ElementInstance) -> Iterator[WaitState]:
    for job in filter(None, map(store.jobs.get, element_instance.jobs)):
        yield WaitState("job", job.type, None, job.key)
    for timer in filter(None, map(store.timers.get, element_instance.timers)):
        yield WaitState("timer", timer.element_id, from_millis(timer.due), timer.key)
    for message in filter(None, map(store.messages.subscription, element_instance.messages)):
        yield WaitState("message", message.name, None, message.key)
    for signal in filter(None, map(store.signals.subscription, element_instance.signals)):
        yield WaitState("signal", signal.name, None, signal.key)
    if element_instance.called:
        yield WaitState("call", "", None, element_instance.called)
