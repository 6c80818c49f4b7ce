"""Resolve incidents by repeating the step that failed."""

from services.engine.errors import Rejection, RejectionType
from services.engine.model.bpmn import required
from services.engine.processing.execution import Activate, Complete, Execution
from services.engine.processing.jobs import reactivate_after_incident
from services.engine.state.instances import ACTIVATING, COMPLETING


def resolve(execution: Execution, key: int) -> None:
    """Resolve an incident and repeat its step.

    Raises Rejection: no such incident (NOT_FOUND), or a job without retries (INVALID_STATE).
    """
    incident = execution.store.incidents.get(key)
    if incident is None:
        raise Rejection(
            RejectionType.NOT_FOUND, f"Expected to resolve incident with key '{key}', but no such incident was found"
        )
    job = execution.store.jobs.get(incident.job_key) if incident.job_key else None
    if job is not None and job.retries <= 0:
        raise Rejection(
            RejectionType.INVALID_STATE,
            f"Expected to resolve incident with key '{key}', but job with key '{job.key}' has no retries left. "
            "Please update the job retries and retry resolving the incident",
        )
    context = required(execution.find(incident.process_instance_key, incident.element_instance_key))
    execution.store.incidents.remove(key)
    context.element_instance.incidents.remove(key)
    execution.record_incident(context, incident, "RESOLVED")
    if incident.job_key:
        reactivate_after_incident(execution, incident.job_key)
    elif context.element_instance.state == ACTIVATING:
        execution.steps.append(Activate(context.process_instance.key, context.element_instance.key))
    elif context.element_instance.state == COMPLETING:
        execution.steps.append(Complete(context.process_instance.key, context.element_instance.key))
