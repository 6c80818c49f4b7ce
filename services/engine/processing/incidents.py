"""Resolving incidents: what failed is tried again where it stopped."""

from services.engine.errors import Rejection, RejectionType
from services.engine.model.bpmn import given
from services.engine.processing.jobs import release_after_incident
from services.engine.processing.work import Activate, Complete, Work
from services.engine.state.instances import ACTIVATING, COMPLETING


def resolve(work: Work, key: int) -> None:
    """Raises Rejection: no such incident (NOT_FOUND), or its job has no retries yet (INVALID_STATE)."""
    incident = work.store.incidents.get(key)
    if incident is None:
        raise Rejection(
            RejectionType.NOT_FOUND, f"Expected to resolve incident with key '{key}', but no such incident was found"
        )
    job = work.store.jobs.get(incident.job_key) if incident.job_key else None
    if job is not None and job.retries <= 0:
        raise Rejection(
            RejectionType.INVALID_STATE,
            f"Expected to resolve incident with key '{key}', but job with key '{job.key}' has no retries left. "
            "Please update the job retries and retry resolving the incident",
        )
    at = given(work.find(incident.instance_key, incident.node_key))
    work.store.incidents.remove(key)
    at.node.incidents.remove(key)
    work.record_incident(at, incident, "RESOLVED")
    if incident.job_key:
        release_after_incident(work, incident.job_key)
    elif at.node.state == ACTIVATING:
        work.steps.append(Activate(at.instance.key, at.node.key))
    elif at.node.state == COMPLETING:
        work.steps.append(Complete(at.instance.key, at.node.key))
