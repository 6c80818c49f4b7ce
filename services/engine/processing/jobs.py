"""Create jobs and process the commands of their workers."""

import json
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from services.engine.clock import clamp_millis
from services.engine.errors import ErrorType, Failure, Rejection, RejectionType
from services.engine.model.bpmn import EventType, required
from services.engine.model.expression import Expression, type_name
from services.engine.processing.event_publication import find_catch_event
from services.engine.processing.event_triggers import trigger_event
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.lifecycle import schedule_completion
from services.engine.processing.variables import evaluate, set_local_variables, visible_variables
from services.engine.state import jobs as states
from services.engine.state.instances import Trigger
from services.engine.state.jobs import Job

NO_CATCH_EVENT_FOUND = "NO_CATCH_EVENT_FOUND"
_MAX_JOB_BYTES = 4 * 1024 * 1024 - 64 * 1024  # gRPC messages are limited to 4 MiB
_MAX_RETRIES = 2**31 - 1  # the protocol's int32
_FIXED_FIELDS_BYTES = 128  # of a job's keys and counters in a response


@dataclass(frozen=True, slots=True)
class JobSpec:
    """The evaluated properties of a job to be created."""

    type: str
    retries: int
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class ActivatedJob:
    """An activated job with its variables."""

    job: Job
    bpmn_process_id: str
    version: int
    variables: dict[str, Any]


def evaluate_job(execution: Execution, context: ElementContext) -> JobSpec:
    """Evaluate type, retries and headers; raises Failure for unusable values."""
    definition = required(context.element.job)
    job_type = _parse_number(definition.type, evaluate(execution, context, definition.type))
    if not isinstance(job_type, str):
        raise _type_failure(definition.type, "STRING", job_type)
    if not job_type:
        text = definition.type.text.removeprefix("=")
        raise Failure(
            ErrorType.EXTRACT_VALUE,
            f"Expected result of the expression '{text}' to be a not-empty string, but was an empty string.",
        )
    retries = _parse_number(definition.retries, evaluate(execution, context, definition.retries))
    if isinstance(retries, bool) or not isinstance(retries, int | float):
        raise _type_failure(definition.retries, "NUMBER", retries)
    headers = {key: _header(execution, context, key, value) for key, value in definition.headers}
    int32_retries = (int(retries) + 2**31) % 2**32 - 2**31  # the lowest 32 bits, as Zeebe stores them
    return JobSpec(job_type, int32_retries, {key: text for key, text in headers.items() if text})


def _parse_number(expression: Expression, value: Any) -> Any:
    """Parse static text that is a number, as Zeebe does."""
    if expression.compiled is not None:
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return number if isfinite(number) else value


def _header(execution: Execution, context: ElementContext, key: str, expression: Expression) -> str:
    """Evaluate a header: text, a list of candidates, or an optional date.

    Raises Failure.
    """
    value = evaluate(execution, context, expression)
    if expression.compiled is None:
        return str(value)
    if value is None and key.endswith("Date"):
        return ""
    if "candidate" not in key:
        if not isinstance(value, str):
            raise _type_failure(expression, "STRING", value)
        return value
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _type_failure(expression, "ARRAY", value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _type_failure(expression: Expression, expected: str, value: object) -> Failure:
    text = expression.text.removeprefix("=")
    return Failure(
        ErrorType.EXTRACT_VALUE,
        f"Expected result of the expression '{text}' to be '{expected}', but was '{type_name(value)}'.",
    )


def create_job(execution: Execution, context: ElementContext, spec: JobSpec) -> None:
    job = Job(
        execution.store.next_key(),
        spec.type,
        states.ACTIVATABLE,
        spec.retries,
        "",
        None,
        context.process_instance.key,
        context.element_instance.key,
        context.element.id,
        context.process_instance.process_definition_key,
        json.dumps(spec.headers, ensure_ascii=False),
        "",
    )
    execution.store.jobs.add(job)
    context.element_instance.jobs.append(job.key)
    execution.available_jobs.add(job.type)
    _record(execution, job, "CREATED")


def migrate_job(execution: Execution, key: int, element_id: str, process_definition_key: int) -> None:
    """Give a job to an element of another definition; its key, type, headers and worker stay."""
    job = execution.store.jobs.get(key)
    if job is None:
        return
    execution.store.jobs.remove(key)
    job = replace(job, element_id=element_id, process_definition_key=process_definition_key)
    execution.store.jobs.add(job)
    _record(execution, job, "MIGRATED")


def cancel_jobs(execution: Execution, context: ElementContext) -> None:
    for key in context.element_instance.jobs:
        job = execution.store.jobs.get(key)
        if job is not None:
            execution.store.jobs.remove(key)
            _record(execution, job, "CANCELED")
    context.element_instance.jobs.clear()


def activate_jobs(
    execution: Execution,
    job_type: str,
    *,
    worker: str,
    timeout: int,
    max_jobs: int,
    fetch_variables: list[str],
    max_bytes: int,
) -> list[ActivatedJob]:
    """Activate the oldest jobs of a type for ``timeout`` ms.

    The response has up to ``max_bytes``. A job larger than a message becomes an incident, which fetching fewer
    variables can resolve.
    """
    activated: list[ActivatedJob] = []
    total_bytes = 0
    for job in execution.store.jobs.activatable(job_type, max_jobs):
        instance = required(execution.store.instances.get(job.process_instance_key))
        variables = visible_variables(instance, instance.element_instances[job.element_instance_key], fetch_variables)
        size = len(json.dumps(variables, ensure_ascii=False).encode()) + len(job.custom_headers.encode())
        total_bytes += size + len(job_type) + len(worker) + len(job.element_id) + _FIXED_FIELDS_BYTES
        if activated and total_bytes > max_bytes:
            execution.available_jobs.add(job_type)
            break
        if size > _MAX_JOB_BYTES:
            _raise_size_incident(
                execution, required(execution.find(job.process_instance_key, job.element_instance_key)), job
            )
            continue
        job.state, job.worker, job.deadline = states.ACTIVATED, worker, clamp_millis(execution.now_millis() + timeout)
        execution.store.jobs.save(job)
        activated.append(ActivatedJob(job, instance.bpmn_process_id, instance.version, variables))
    if activated:
        value = {
            "type": job_type,
            "worker": worker,
            "timeout": timeout,
            "maxJobsToActivate": max_jobs,
            "jobKeys": [activated_job.job.key for activated_job in activated],
            "jobs": [{**_record_value(execution, a.job), "deadline": a.job.deadline} for a in activated],
            "truncated": False,
        }
        execution.record(execution.store.next_key(), "JOB_BATCH", "ACTIVATED", value)
    return activated


def _raise_size_incident(execution: Execution, context: ElementContext, job: Job) -> None:
    job.state = states.FAILED
    execution.store.jobs.save(job)
    execution.available_jobs.add(job.type)  # the jobs after it
    failure = Failure(
        ErrorType.MESSAGE_SIZE_EXCEEDED,
        f"The job with key '{job.key}' cannot be activated, because it is larger than the message size that workers "
        "can take (4 MB). Fetch fewer variables, or make their values smaller.",
    )
    execution.raise_incident(context, failure, job_key=job.key)


def complete_job(execution: Execution, key: int, variables: dict[str, Any]) -> None:
    job, context = _get_active(execution, key, "complete job")
    execution.store.jobs.remove(key)
    context.element_instance.jobs.remove(key)
    _record(execution, job, "COMPLETED", variables=variables)
    context.element_instance.trigger = Trigger(context.element.id, variables)
    schedule_completion(execution, context)


def fail_job(
    execution: Execution, key: int, *, retries: int, backoff: int, text: str, variables: dict[str, Any]
) -> None:
    """Fail a job: back off, or raise an incident without retries."""
    job, context = _get_active(execution, key, "fail job")
    job.retries, job.error_message, job.deadline = retries, text, None
    if retries <= 0:
        job.state = states.FAILED
    elif backoff > 0:
        job.state, job.deadline = states.BACKING_OFF, clamp_millis(execution.now_millis() + backoff)
    else:
        job.state = states.ACTIVATABLE
        execution.available_jobs.add(job.type)
    execution.store.jobs.save(job)
    _record(execution, job, "FAILED", retryBackoff=backoff, recurringTime=job.deadline or -1)
    set_local_variables(execution, context.process_instance, context.element_instance, variables)
    if retries <= 0:
        failure = Failure(ErrorType.JOB_NO_RETRIES, text or "No more retries left.")
        execution.raise_incident(context, failure, job_key=job.key)


def throw_job_error(execution: Execution, key: int, code: str, text: str, variables: dict[str, Any]) -> None:
    """Throw a worker's BPMN error; without a catch event raise an incident."""
    job, context = _get_active(execution, key, "throw an error for job")
    match = find_catch_event(execution, context, EventType.ERROR, code)
    if match is None:
        job.state, job.error_message, job.deadline = states.ERROR_THROWN, text, None
        execution.store.jobs.save(job)
        _record(execution, job, "ERROR_THROWN", elementId=NO_CATCH_EVENT_FOUND, errorCode=code)
        failure = Failure(
            ErrorType.UNHANDLED_ERROR_EVENT,
            f"Expected to throw an error event with the code '{code}'"
            + (f" with message '{text}'" if text else "")
            + ", but it was not caught.",
        )
        execution.raise_incident(context, failure, job_key=job.key, element_id=NO_CATCH_EVENT_FOUND)
        return
    execution.store.jobs.remove(key)
    context.element_instance.jobs.remove(key)
    _record(execution, job, "ERROR_THROWN", errorCode=code)
    trigger_event(execution, match.host, Trigger(match.catch_event.id, variables, is_error=True))


def update_retries(execution: Execution, key: int, retries: int) -> None:
    job = _get_job(execution, key, "update retries for job")
    if retries < 1:
        raise Rejection(
            RejectionType.INVALID_ARGUMENT,
            f"Expected to update retries for job with key '{key}' with a positive amount of retries, "
            f"but the amount given was '{retries}'",
        )
    if retries > _MAX_RETRIES:
        raise Rejection(
            RejectionType.INVALID_ARGUMENT,
            f"Expected to update retries for job with key '{key}' to at most {_MAX_RETRIES}, "
            f"but the amount given was '{retries}'",
        )
    job.retries = retries
    execution.store.jobs.save(job)
    _record(execution, job, "RETRIES_UPDATED")


def update_timeout(execution: Execution, key: int, timeout: int) -> None:
    """Set the deadline of an activated job to ``timeout`` ms from now."""
    job = _get_job(execution, key, "update the timeout of job")
    if job.state != states.ACTIVATED:
        raise Rejection(
            RejectionType.INVALID_STATE,
            f"Expected to update the timeout of job with key '{key}', but it is not active",
        )
    job.deadline = clamp_millis(execution.now_millis() + timeout)
    execution.store.jobs.save(job)
    _record(execution, job, "TIMEOUT_UPDATED")


def yield_jobs(execution: Execution, keys: list[int]) -> None:
    """Make undelivered jobs activatable again, with the same retries."""
    for key in keys:
        job = execution.store.jobs.get(key)
        if job is not None and job.state == states.ACTIVATED:
            _make_activatable(execution, job, "YIELDED")


def recur(execution: Execution, key: int) -> None:
    """Make a job activatable after its deadline or back-off."""
    job = execution.store.jobs.get(key)
    if job is None or job.deadline is None or job.deadline > execution.now_millis():
        return
    intent = "TIMED_OUT" if job.state == states.ACTIVATED else "RECURRED_AFTER_BACKOFF"
    _make_activatable(execution, job, intent)


def reactivate_after_incident(execution: Execution, key: int) -> None:
    job = execution.store.jobs.get(key)
    if job is not None and job.state in (states.FAILED, states.ERROR_THROWN):
        job.state, job.deadline = states.ACTIVATABLE, None
        execution.store.jobs.save(job)
        execution.available_jobs.add(job.type)


def _make_activatable(execution: Execution, job: Job, intent: str) -> None:
    job.state, job.deadline, job.worker = states.ACTIVATABLE, None, ""
    execution.store.jobs.save(job)
    execution.available_jobs.add(job.type)
    _record(execution, job, intent)


def _get_job(execution: Execution, key: int, command: str) -> Job:
    job = execution.store.jobs.get(key)
    if job is None:
        raise Rejection(RejectionType.NOT_FOUND, f"Expected to {command} with key '{key}', but no such job was found")
    return job


def _get_active(execution: Execution, key: int, command: str) -> tuple[Job, ElementContext]:
    """Return a job that accepts a worker's command; raises Rejection.

    It need not be activated; a job that backs off counts as FAILED.
    """
    job = _get_job(execution, key, command)
    if job.state not in (states.ACTIVATABLE, states.ACTIVATED):
        state = states.FAILED if job.state == states.BACKING_OFF else job.state
        raise Rejection(
            RejectionType.INVALID_STATE, f"Expected to {command} with key '{key}', but it is in state '{state}'"
        )
    return job, required(execution.find(job.process_instance_key, job.element_instance_key))


def _record_value(execution: Execution, job: Job) -> dict[str, Any]:
    instance = execution.store.instances.get(job.process_instance_key)
    return {
        **(
            execution.instance_fields(instance)
            if instance is not None
            else {"processInstanceKey": job.process_instance_key}
        ),
        "type": job.type,
        "worker": job.worker,
        "retries": job.retries,
        "deadline": job.deadline or -1,
        "elementId": job.element_id,
        "elementInstanceKey": job.element_instance_key,
        "customHeaders": json.loads(job.custom_headers),
        "errorMessage": job.error_message,
    }


def _record(execution: Execution, job: Job, intent: str, **extra: Any) -> None:
    execution.record(job.key, "JOB", intent, {**_record_value(execution, job), **extra})
