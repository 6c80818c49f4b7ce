"""Build the inspector's lists from the state."""

from collections.abc import Mapping
from datetime import datetime

from services.engine.clock import from_millis
from services.engine.inspection.instance_details import active_elements, element_visits
from services.engine.inspection.views import (
    ElementStatistics,
    IncidentSummary,
    InstanceDetails,
    InstanceSummary,
    JobSummary,
    ProcessSummary,
)
from services.engine.state.incidents import Incident
from services.engine.state.jobs import Job
from services.engine.state.overview import EndedInstance, ListFilter, Version
from services.engine.state.store import Store

MAX_DETAIL_ROWS = 500


def processes(store: Store) -> list[ProcessSummary]:
    """List latest versions, and all versions with running instances.

    Ordered by process id, newest version first.
    """
    versions = store.overview.versions()
    latest_keys = {v.process_id: key for key, v in versions.items() if not v.deleted}
    running = store.overview.counts()
    with_incident = _instances_with_incident(store)
    return [
        ProcessSummary(
            definition_key=key,
            process_id=version.process_id,
            version=version.version,
            resource_name=version.resource_name,
            active=max(0, running.get(key, 0) - with_incident.get(key, 0)),
            incidents=with_incident.get(key, 0),
            latest=latest_keys.get(version.process_id) == key,
        )
        for key, version in sorted(versions.items(), key=lambda item: (item[1].process_id, -item[1].version))
        if key in running or latest_keys.get(version.process_id) == key
    ]


def elements(store: Store, definition_key: int) -> list[ElementStatistics]:
    """Count the active instances of a version's elements, without the process."""
    return [
        ElementStatistics(count.element_id, count.total - count.with_incident, count.with_incident)
        for count in store.overview.element_counts(definition_key)
    ]


def model(store: Store, definition_key: int) -> tuple[str, bytes] | None:
    """Return the process id and the BPMN file of one version."""
    definition = store.definitions.get(definition_key)
    return None if definition is None else (definition.process_id, definition.content)


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
    visits, complete = element_visits(store, key)
    return InstanceDetails(
        line=summary,
        places=[] if running is None else active_elements(store, running),
        incidents=incidents(store, list_filter),
        jobs=jobs(store, list_filter),
        passages=visits,
        whole=complete,
    )


def incidents(store: Store, list_filter: ListFilter) -> list[IncidentSummary]:
    """List open incidents."""
    versions = store.overview.versions()
    return [_incident(store, versions, incident, key) for incident, key in store.overview.incidents(list_filter)]


def jobs(store: Store, list_filter: ListFilter) -> list[JobSummary]:
    """List jobs that are not completed or canceled."""
    versions = store.overview.versions()
    return [_job(versions, job) for job in store.overview.jobs(list_filter)]


def _instances_with_incident(store: Store) -> Mapping[int, int]:
    """Count the instances of each version that have an incident."""
    instance_keys: dict[int, set[int]] = {}
    for incident, definition_key in store.overview.incidents(ListFilter(limit=-1)):
        instance_keys.setdefault(definition_key, set()).add(incident.instance_key)
    return {definition_key: len(keys) for definition_key, keys in instance_keys.items()}


def _running(store: Store, key: int) -> InstanceSummary | None:
    instance = store.instances.get(key)
    if instance is None:
        return None
    incident_count = sum(len(element_instance.incidents) for element_instance in instance.element_instances.values())
    return InstanceSummary(
        key=key,
        definition_key=instance.definition_key,
        process_id=instance.process_id,
        version=instance.version,
        state="incident" if incident_count else "active",
        began=_started_at(store, key),
        ended=None,
        incidents=incident_count,
        parent_key=instance.parent[0] if instance.parent is not None else 0,
    )


def _ended(store: Store, ended: EndedInstance) -> InstanceSummary:
    return InstanceSummary(
        key=ended.key,
        definition_key=ended.definition_key,
        process_id=ended.process_id,
        version=ended.version,
        state="completed" if ended.completed else "terminated",
        began=_started_at(store, ended.key),
        ended=from_millis(ended.ended_at),
        incidents=0,
        parent_key=ended.parent_key,
    )


def _started_at(store: Store, key: int) -> datetime | None:
    millis = store.overview.first_timestamp(key, key, ("ELEMENT_ACTIVATING",))
    return None if millis is None else from_millis(millis)


def _incident(
    store: Store, versions: Mapping[int, Version], incident: Incident, definition_key: int
) -> IncidentSummary:
    created = store.overview.first_timestamp(incident.instance_key, incident.key, ("CREATED",))
    job = store.jobs.get(incident.job_key) if incident.job_key else None
    version = versions[definition_key]
    return IncidentSummary(
        key=incident.key,
        instance_key=incident.instance_key,
        definition_key=definition_key,
        process_id=version.process_id,
        version=version.version,
        element_id=job.element_id if job is not None else incident.element_id,
        error_type=incident.error_type,
        message=incident.text,
        since=None if created is None else from_millis(created),
        job_key=incident.job_key,
        job_type=job.type if job is not None else "",
        retries=job.retries if job is not None else None,
    )


def _job(versions: Mapping[int, Version], job: Job) -> JobSummary:
    version = versions[job.definition_key]
    return JobSummary(
        key=job.key,
        type=job.type,
        state=job.state,
        retries=job.retries,
        worker=job.worker,
        due=None if job.due is None else from_millis(job.due),
        error=job.error,
        instance_key=job.instance_key,
        definition_key=job.definition_key,
        process_id=version.process_id,
        version=version.version,
        element_id=job.element_id,
    )
