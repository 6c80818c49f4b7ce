"""Letting what has stopped go on, as Operate's Retry does: the job gets its retries back, the incident is resolved."""

from services.engine.processing.incidents import resolve
from services.engine.processing.jobs import update_retries
from services.engine.processing.work import Work


def retry(work: Work, incident_key: int, retries: int) -> None:
    """Resolve an incident; its job, where it has one, may be tried ``retries`` times. Raises Rejection."""
    incident = work.store.incidents.get(incident_key)
    if incident is not None and incident.job_key:
        update_retries(work, incident.job_key, retries)
    resolve(work, incident_key)
