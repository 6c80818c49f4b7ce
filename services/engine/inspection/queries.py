"""Build the inspector's results from the state."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from services.engine.clock import from_millis
from services.engine.inspection.views import (
    ActiveElement,
    ElementInstanceSummary,
    ElementStatistics,
    IncidentSummary,
    InstanceDetails,
    InstanceSummary,
    JobSummary,
    ProcessSummary,
    Variable,
    WaitState,
)
from services.engine.state.incidents import Incident
from services.engine.state.instances import ElementInstance, ProcessInstance
from services.engine.state.jobs import Job
from services.engine.state.overview import EndedInstance, ListFilter, Version
from services.engine.state.records import Record
from services.engine.state.store import Store

MAX_DETAIL_ROWS = 500
MAX_HISTORY_RECORDS = 2000
_START = "ELEMENT_ACTIVATING"
_END_STATES = {"ELEMENT_COMPLETED": "completed", "ELEMENT_TERMINATED": "terminated"}


def processes(store: Store) -> list[ProcessSummary]:
    """List latest versions, and all versions with running instances.

    Ordered by process id, newest version first.
    """
    versions = store.overview.versions()
    latest_keys = {v.bpmn_process_id: key for key, v in versions.items() if not v.deleted}
    running = store.overview.counts()
    instance_keys: dict[int, set[int]] = {}
    for incident, definition_key in store.overview.incidents(ListFilter(limit=-1)):
        instance_keys.setdefault(definition_key, set()).add(incident.process_instance_key)
    with_incident = {definition_key: len(keys) for definition_key, keys in instance_keys.items()}
    return [
        ProcessSummary(
            process_definition_key=key,
            bpmn_process_id=version.bpmn_process_id,
            version=version.version,
            resource_name=version.resource_name,
            active=max(0, running.get(key, 0) - with_incident.get(key, 0)),
            incidents=with_incident.get(key, 0),
            latest=latest_keys.get(version.bpmn_process_id) == key,
        )
        for key, version in sorted(versions.items(), key=lambda item: (item[1].bpmn_process_id, -item[1].version))
        if key in running or latest_keys.get(version.bpmn_process_id) == key
    ]


def elements(store: Store, process_definition_key: int) -> list[ElementStatistics]:
    """Count the active instances of a version's elements, without the process."""
    return [
        ElementStatistics(count.element_id, count.total - count.with_incident, count.with_incident)
        for count in store.overview.element_counts(process_definition_key)
    ]


def model(store: Store, process_definition_key: int) -> tuple[str, bytes] | None:
    """Return the process id and the BPMN file of one version."""
    definition = store.process_definitions.get(process_definition_key)
    return None if definition is None else (definition.bpmn_process_id, definition.content)


def instances(store: Store, list_filter: ListFilter) -> list[InstanceSummary]:
    """List running instances (``state`` empty, active or incident) or ended ones."""
    if list_filter.state == "ended":
        return [_ended(store, ended) for ended in store.overview.ended(list_filter)]
    keys = store.overview.running(list_filter)
    return [summary for key in keys if (summary := _running(store, key)) is not None]


def instance(store: Store, key: int) -> InstanceDetails | None:
    """Return one instance.

    None if it never existed or its records are deleted.
    """
    running = store.instances.get(key)
    if running is None:
        ended = store.overview.end_of(key)
        summary = None if ended is None else _ended(store, ended)
    else:
        summary = _running(store, key)
    if summary is None:
        return None
    list_filter = ListFilter(instance=key, descending=False, limit=MAX_DETAIL_ROWS)
    element_instances, complete = _element_instances(store, key)
    return InstanceDetails(
        process_instance=summary,
        active_elements=[] if running is None else _active_elements(store, running),
        incidents=incidents(store, list_filter),
        jobs=jobs(store, list_filter),
        element_instances=element_instances,
        history_complete=complete,
    )


def cuts_instance(record: Record) -> bool:
    """Return whether with this record a process instance was ended from outside, and did not come to its end."""
    return (
        record.value_type == "PROCESS_INSTANCE"
        and record.intent == "ELEMENT_TERMINATED"
        and record.key == record.value["processInstanceKey"]
    )


def incidents(store: Store, list_filter: ListFilter) -> list[IncidentSummary]:
    """List open incidents."""
    versions = store.overview.versions()
    return [_incident(store, versions, incident, key) for incident, key in store.overview.incidents(list_filter)]


def jobs(store: Store, list_filter: ListFilter) -> list[JobSummary]:
    """List jobs that are not completed or canceled."""
    versions = store.overview.versions()
    return [_job(versions, job) for job in store.overview.jobs(list_filter)]


def variables(store: Store, process_instance_key: int) -> list[Variable]:
    """List the variables of each scope.

    For an ended instance, their last recorded values.
    """
    instance = store.instances.get(process_instance_key)
    if instance is not None:
        return [
            Variable(element_instance.element_id, element_instance.key, name, json.dumps(value, ensure_ascii=False))
            for element_instance in instance.element_instances.values()
            for name, value in sorted(element_instance.variables.items())
        ]
    scope_ids = {
        record.key: record.value["elementId"]
        for record in store.overview.history(process_instance_key, "PROCESS_INSTANCE", MAX_HISTORY_RECORDS)
    }
    last_values = {
        (record.value["scopeKey"], record.value["name"]): record.value["value"]
        for record in store.overview.history(process_instance_key, "VARIABLE", MAX_HISTORY_RECORDS)
    }
    return [Variable(scope_ids.get(key, ""), key, name, value) for (key, name), value in sorted(last_values.items())]


def _running(store: Store, key: int) -> InstanceSummary | None:
    instance = store.instances.get(key)
    if instance is None:
        return None
    incident_count = sum(len(element_instance.incidents) for element_instance in instance.element_instances.values())
    return InstanceSummary(
        key=key,
        process_definition_key=instance.process_definition_key,
        bpmn_process_id=instance.bpmn_process_id,
        version=instance.version,
        state="incident" if incident_count else "active",
        start_date=_recorded_at(store, key, key, _START),
        end_date=None,
        incidents=incident_count,
        parent_process_instance_key=instance.parent[0] if instance.parent is not None else 0,
    )


def _ended(store: Store, ended: EndedInstance) -> InstanceSummary:
    return InstanceSummary(
        key=ended.key,
        process_definition_key=ended.process_definition_key,
        bpmn_process_id=ended.bpmn_process_id,
        version=ended.version,
        state="completed" if ended.completed else "terminated",
        start_date=_recorded_at(store, ended.key, ended.key, _START),
        end_date=from_millis(ended.ended_at),
        incidents=0,
        parent_process_instance_key=ended.parent_process_instance_key,
    )


def _incident(
    store: Store, versions: Mapping[int, Version], incident: Incident, process_definition_key: int
) -> IncidentSummary:
    job = store.jobs.get(incident.job_key) if incident.job_key else None
    version = versions[process_definition_key]
    return IncidentSummary(
        key=incident.key,
        process_instance_key=incident.process_instance_key,
        process_definition_key=process_definition_key,
        bpmn_process_id=version.bpmn_process_id,
        version=version.version,
        element_id=job.element_id if job is not None else incident.element_id,
        error_type=incident.error_type,
        error_message=incident.error_message,
        creation_time=_recorded_at(store, incident.process_instance_key, incident.key, "CREATED"),
        job_key=incident.job_key,
        job_type=job.type if job is not None else "",
        retries=job.retries if job is not None else None,
    )


def _job(versions: Mapping[int, Version], job: Job) -> JobSummary:
    version = versions[job.process_definition_key]
    return JobSummary(
        key=job.key,
        type=job.type,
        state=job.state,
        retries=job.retries,
        worker=job.worker,
        deadline=None if job.deadline is None else from_millis(job.deadline),
        error_message=job.error_message,
        process_instance_key=job.process_instance_key,
        process_definition_key=job.process_definition_key,
        bpmn_process_id=version.bpmn_process_id,
        version=version.version,
        element_id=job.element_id,
    )


def _active_elements(store: Store, instance: ProcessInstance) -> list[ActiveElement]:
    """List an instance's active elements without the process, outermost first."""
    return [
        ActiveElement(
            element_id=element_instance.element_id,
            element_type=element_instance.element_type,
            state=element_instance.state,
            start_date=_recorded_at(store, instance.key, element_instance.key, _START),
            has_incident=bool(element_instance.incidents),
            wait_states=list(_wait_states(store, element_instance)),
        )
        for element_instance in instance.element_instances.values()
        if element_instance.key != instance.key
    ]


def _element_instances(store: Store, process_instance_key: int) -> tuple[list[ElementInstanceSummary], bool]:
    """List the entered elements in order, and whether the list is complete."""
    records = store.overview.history(process_instance_key, "PROCESS_INSTANCE", MAX_HISTORY_RECORDS)
    entered: dict[int, ElementInstanceSummary] = {}
    for record in records:
        element_id, element_type = record.value["elementId"], record.value["bpmnElementType"]
        timestamp = from_millis(record.timestamp)
        known = entered.get(record.key)
        if record.intent in _END_STATES:
            start_date = known.start_date if known is not None else timestamp
            entered[record.key] = ElementInstanceSummary(
                element_id, element_type, start_date, end_date=timestamp, state=_END_STATES[record.intent]
            )
        elif record.intent == "ELEMENT_MIGRATED" and known is not None:
            entered[record.key] = replace(known, element_id=element_id)
        elif record.intent.startswith("ELEMENT_") and known is None:
            entered[record.key] = ElementInstanceSummary(
                element_id, element_type, timestamp, end_date=None, state="active"
            )
    complete = bool(records) and records[0].key == process_instance_key and records[0].intent == _START
    return list(entered.values()), complete


def _wait_states(store: Store, element_instance: ElementInstance) -> Iterator[WaitState]:
    for job in filter(None, map(store.jobs.get, element_instance.jobs)):
        yield WaitState("job", job.type, None, job.key)
    for timer in filter(None, map(store.timers.get, element_instance.timers)):
        yield WaitState("timer", timer.element_id, from_millis(timer.due_date), timer.key)
    for message in filter(None, map(store.messages.subscription, element_instance.message_subscriptions)):
        yield WaitState("message", message.name, None, message.key)
    for signal in filter(None, map(store.signals.subscription, element_instance.signal_subscriptions)):
        yield WaitState("signal", signal.name, None, signal.key)
    if element_instance.called_child_instance_key:
        yield WaitState("call", "", None, element_instance.called_child_instance_key)


def _recorded_at(store: Store, process_instance_key: int, key: int, intent: str) -> datetime | None:
    """Return the time of the first such record; None once it is deleted."""
    millis = store.overview.first_timestamp(process_instance_key, key, intent)
    return None if millis is None else from_millis(millis)
