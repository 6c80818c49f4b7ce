"""Each question of whoever looks on, answered from the state as it is on disk between two batches."""

from collections.abc import Mapping
from datetime import datetime

from services.engine.clock import from_millis
from services.engine.inspection.shapes import (
    ElementLine,
    IncidentLine,
    InstanceLine,
    InstanceView,
    JobLine,
    ProcessLine,
)
from services.engine.inspection.trails import passages, places
from services.engine.state.incidents import Incident
from services.engine.state.jobs import Job
from services.engine.state.overview import Ended, Version, Wanted
from services.engine.state.store import Store

LISTED_OF_ONE = 500


def processes(store: Store) -> list[ProcessLine]:
    """The newest version of each process and every other that somebody runs, by process id, newest first."""
    versions = store.overview.versions()
    newest = {v.process_id: key for key, v in versions.items() if not v.deleted}
    counted = store.overview.counts()
    stuck = _instances_stuck(store)
    return [
        ProcessLine(
            key,
            version.process_id,
            version.version,
            version.resource_name,
            max(0, counted.get(key, 0) - stuck.get(key, 0)),
            stuck.get(key, 0),
            newest.get(version.process_id) == key,
        )
        for key, version in sorted(versions.items(), key=lambda one: (one[1].process_id, -one[1].version))
        if key in counted or newest.get(version.process_id) == key
    ]


def elements(store: Store, definition_key: int) -> list[ElementLine]:
    """The elements of one version at which something stands, the process itself not among them."""
    return [ElementLine(s.element_id, s.total - s.stuck, s.stuck) for s in store.overview.standings(definition_key)]


def model(store: Store, definition_key: int) -> tuple[str, bytes] | None:
    """The process id and the BPMN file of one version."""
    found = store.definitions.get(definition_key)
    return None if found is None else (found.process_id, found.content)


def instances(store: Store, wanted: Wanted) -> list[InstanceLine]:
    """Those that run (``state`` empty, active or incident), or have ended (ended)."""
    if wanted.state == "ended":
        return [_ended(store, one) for one in store.overview.ended(wanted)]
    return [line for key in store.overview.running(wanted) if (line := _running(store, key)) is not None]


def instance(store: Store, key: int) -> InstanceView | None:
    """One instance; None where it never was, or has ended longer ago than records are kept."""
    found = store.instances.look(key)
    if found is None:
        end = store.overview.end_of(key)
        line = None if end is None else _ended(store, end)
    else:
        line = _running(store, key)
    if line is None:
        return None
    wanted = Wanted(instance=key, descending=False, limit=LISTED_OF_ONE)
    passed, whole = passages(store, key)
    return InstanceView(
        line,
        [] if found is None else places(store, found),
        incidents(store, wanted),
        jobs(store, wanted),
        passed,
        whole,
    )


def incidents(store: Store, wanted: Wanted) -> list[IncidentLine]:
    """Open incidents."""
    versions = store.overview.versions()
    return [_incident(store, versions, found, key) for found, key in store.overview.incidents(wanted)]


def jobs(store: Store, wanted: Wanted) -> list[JobLine]:
    """Jobs that are not done yet."""
    versions = store.overview.versions()
    return [_job(versions, job) for job in store.overview.jobs(wanted)]


def _instances_stuck(store: Store) -> Mapping[int, int]:
    """How many instances of each version have an incident."""
    found: dict[int, set[int]] = {}
    for incident, definition_key in store.overview.incidents(Wanted(limit=-1)):
        found.setdefault(definition_key, set()).add(incident.instance_key)
    return {key: len(keys) for key, keys in found.items()}


def _running(store: Store, key: int) -> InstanceLine | None:
    found = store.instances.look(key)
    if found is None:
        return None
    stuck = sum(len(node.incidents) for node in found.nodes.values())
    parent = found.parent[0] if found.parent is not None else 0
    return InstanceLine(
        key,
        found.definition_key,
        found.process_id,
        found.version,
        "incident" if stuck else "active",
        _moment(store, key),
        None,
        stuck,
        parent,
    )


def _ended(store: Store, end: Ended) -> InstanceLine:
    return InstanceLine(
        end.key,
        end.definition_key,
        end.process_id,
        end.version,
        "completed" if end.completed else "terminated",
        _moment(store, end.key),
        from_millis(end.ended),
        0,
        end.parent_key,
    )


def _moment(store: Store, key: int) -> datetime | None:
    began = store.overview.moment(key, key, ("ELEMENT_ACTIVATING",))
    return None if began is None else from_millis(began)


def _incident(store: Store, versions: Mapping[int, Version], found: Incident, definition_key: int) -> IncidentLine:
    since = store.overview.moment(found.instance_key, found.key, ("CREATED",))
    job = store.jobs.get(found.job_key) if found.job_key else None
    version = versions[definition_key]
    return IncidentLine(
        found.key,
        found.instance_key,
        definition_key,
        version.process_id,
        version.version,
        job.element_id if job is not None else found.element_id,
        found.error_type,
        found.text,
        None if since is None else from_millis(since),
        found.job_key,
        job.type if job is not None else "",
        job.retries if job is not None else None,
    )


def _job(versions: Mapping[int, Version], job: Job) -> JobLine:
    version = versions[job.definition_key]
    return JobLine(
        job.key,
        job.type,
        job.state,
        job.retries,
        job.worker,
        None if job.due is None else from_millis(job.due),
        job.error,
        job.instance_key,
        job.definition_key,
        version.process_id,
        version.version,
        job.element_id,
    )
