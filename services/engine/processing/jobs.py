"""Jobs: made by tasks and message throw events, worked on by workers."""

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any

from services.engine.clock import clamp_millis
from services.engine.errors import ErrorType, Rejection, RejectionType, Trouble
from services.engine.model.bpmn import EventKind, given
from services.engine.model.expression import Expression, type_name
from services.engine.processing.lifecycle import complete
from services.engine.processing.throwing import find_catch
from services.engine.processing.triggering import trigger
from services.engine.processing.variables import evaluate, set_local, visible_document
from services.engine.processing.work import At, Work
from services.engine.state import jobs as states
from services.engine.state.instances import Trigger
from services.engine.state.jobs import Job

NO_CATCH = "NO_CATCH_EVENT_FOUND"
_MOST_BYTES = 4 * 1024 * 1024 - 64 * 1024  # of one job: gRPC takes messages of 4 MiB
_MOST_RETRIES = 2**31 - 1  # that a message to a worker can hold
_NUMBERS_BYTES = 128  # of a job's keys and counts in an answer


@dataclass(frozen=True, slots=True)
class JobSpec:
    """The evaluated properties of a job that is about to be made."""

    type: str
    retries: int
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class ActivatedJob:
    """A job as a worker gets it."""

    job: Job
    process_id: str
    version: int
    variables: dict[str, Any]


def evaluate_job(work: Work, at: At) -> JobSpec:
    """Raises Trouble where type, retries or a header has no usable value."""
    definition = given(at.element.job)
    job_type = _typed(definition.type, evaluate(work, at, definition.type))
    if not isinstance(job_type, str):
        raise _unusable(definition.type, "STRING", job_type)
    if not job_type:
        text = definition.type.text.removeprefix("=")
        raise Trouble(
            ErrorType.EXTRACT_VALUE,
            f"Expected result of the expression '{text}' to be a not-empty string, but was an empty string.",
        )
    retries = _typed(definition.retries, evaluate(work, at, definition.retries))
    if isinstance(retries, bool) or not isinstance(retries, int | float):
        raise _unusable(definition.retries, "NUMBER", retries)
    headers = {key: _header(work, at, key, value) for key, value in definition.headers}
    return JobSpec(job_type, _narrowed(int(retries)), {key: text for key, text in headers.items() if text})


def _narrowed(number: int) -> int:
    """The lowest 32 bits, as Zeebe keeps retries."""
    return (number + 2**31) % 2**32 - 2**31


def _typed(expression: Expression, value: Any) -> Any:
    """Plain text that is a number counts as one, as in Zeebe."""
    if expression.compiled is not None:
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return number if isfinite(number) else value


def _header(work: Work, at: At, key: str, expression: Expression) -> str:
    """The text of a header; candidates are a list of texts, dates may be left open. Raises Trouble."""
    value = evaluate(work, at, expression)
    if expression.compiled is None:
        return str(value)
    if value is None and key.endswith("Date"):
        return ""
    if "candidate" not in key:
        if not isinstance(value, str):
            raise _unusable(expression, "STRING", value)
        return value
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _unusable(expression, "ARRAY", value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _unusable(expression: Expression, wanted: str, value: object) -> Trouble:
    text = expression.text.removeprefix("=")
    return Trouble(
        ErrorType.EXTRACT_VALUE,
        f"Expected result of the expression '{text}' to be '{wanted}', but was '{type_name(value)}'.",
    )


def create_job(work: Work, at: At, spec: JobSpec) -> None:
    job = Job(
        work.store.next_key(),
        spec.type,
        states.ACTIVATABLE,
        spec.retries,
        "",
        None,
        at.instance.key,
        at.node.key,
        at.element.id,
        at.instance.definition_key,
        json.dumps(spec.headers, ensure_ascii=False),
        "",
    )
    work.store.jobs.add(job)
    at.node.jobs.append(job.key)
    work.available.add(job.type)
    _record(work, job, "CREATED")


def cancel_jobs(work: Work, at: At) -> None:
    for key in at.node.jobs:
        job = work.store.jobs.get(key)
        if job is not None:
            work.store.jobs.remove(key)
            _record(work, job, "CANCELED")
    at.node.jobs.clear()


def activate_jobs(
    work: Work, job_type: str, *, worker: str, timeout: int, most: int, names: list[str], budget: int
) -> list[ActivatedJob]:
    """Hand out the oldest jobs of a type for ``timeout`` ms, as many as fit into ``budget`` bytes.

    One that no message could hold becomes an incident; with less variables to fetch it can be resolved.
    """
    activated: list[ActivatedJob] = []
    used = 0
    for job in work.store.jobs.activatable(job_type, most):
        instance = given(work.store.instances.look(job.instance_key))
        variables = visible_document(instance, instance.nodes[job.node_key], names)
        size = len(json.dumps(variables, ensure_ascii=False).encode()) + len(job.headers.encode())
        used += size + len(job_type) + len(worker) + len(job.element_id) + _NUMBERS_BYTES
        if activated and used > budget:
            work.available.add(job_type)
            break
        if size > _MOST_BYTES:
            _refuse_too_large(work, given(work.find(job.instance_key, job.node_key)), job)
            continue
        job.state, job.worker, job.due = states.ACTIVATED, worker, clamp_millis(work.millis() + timeout)
        work.store.jobs.save(job)
        activated.append(ActivatedJob(job, instance.process_id, instance.version, variables))
    if activated:
        value = {
            "type": job_type,
            "worker": worker,
            "timeout": timeout,
            "maxJobsToActivate": most,
            "jobKeys": [h.job.key for h in activated],
            "jobs": [{**_value(work, h.job), "deadline": h.job.due} for h in activated],
            "truncated": False,
        }
        work.record(work.store.next_key(), "JOB_BATCH", "ACTIVATED", value)
    return activated


def _refuse_too_large(work: Work, at: At, job: Job) -> None:
    job.state = states.FAILED
    work.store.jobs.save(job)
    work.available.add(job.type)  # those behind it
    trouble = Trouble(
        ErrorType.MESSAGE_SIZE_EXCEEDED,
        f"The job with key '{job.key}' cannot be activated, because it is larger than the message size that workers "
        "can take (4 MB). Fetch fewer variables, or make their values smaller.",
    )
    work.incident(at, trouble, job_key=job.key)


def complete_job(work: Work, key: int, variables: dict[str, Any]) -> None:
    job, at = _running(work, key, "complete job")
    work.store.jobs.remove(key)
    at.node.jobs.remove(key)
    _record(work, job, "COMPLETED", variables=variables)
    at.node.trigger = Trigger(at.element.id, variables)
    complete(work, at)


def fail_job(work: Work, key: int, *, retries: int, backoff: int, text: str, variables: dict[str, Any]) -> None:
    """Without retries left it becomes an incident; a ``backoff`` (ms) keeps it from being fetched for a while."""
    job, at = _running(work, key, "fail job")
    job.retries, job.error, job.due = retries, text, None
    if retries <= 0:
        job.state = states.FAILED
    elif backoff > 0:
        job.state, job.due = states.BACKING_OFF, clamp_millis(work.millis() + backoff)
    else:
        job.state = states.ACTIVATABLE
        work.available.add(job.type)
    work.store.jobs.save(job)
    _record(work, job, "FAILED", retryBackoff=backoff, recurringTime=job.due or -1)
    set_local(work, at.instance, at.node, variables)
    if retries <= 0:
        trouble = Trouble(ErrorType.JOB_NO_RETRIES, text or "No more retries left.")
        work.incident(at, trouble, job_key=job.key)


def throw_job_error(work: Work, key: int, code: str, text: str, variables: dict[str, Any]) -> None:
    """A BPMN error from a worker; nobody catches it: an incident."""
    job, at = _running(work, key, "throw an error for job")
    catch = find_catch(work, at, EventKind.ERROR, code)
    if catch is None:
        job.state, job.error, job.due = states.ERROR_THROWN, text, None
        work.store.jobs.save(job)
        _record(work, job, "ERROR_THROWN", elementId=NO_CATCH, errorCode=code)
        trouble = Trouble(
            ErrorType.UNHANDLED_ERROR_EVENT,
            f"Expected to throw an error event with the code '{code}'"
            + (f" with message '{text}'" if text else "")
            + ", but it was not caught.",
        )
        work.incident(at, trouble, job_key=job.key, element_id=NO_CATCH)
        return
    work.store.jobs.remove(key)
    at.node.jobs.remove(key)
    _record(work, job, "ERROR_THROWN", errorCode=code)
    trigger(work, catch.host, Trigger(catch.catching.id, variables, is_error=True))


def update_retries(work: Work, key: int, retries: int) -> None:
    job = _existing(work, key, "update retries for job")
    if retries < 1:
        raise Rejection(
            RejectionType.INVALID_ARGUMENT,
            f"Expected to update retries for job with key '{key}' with a positive amount of retries, "
            f"but the amount given was '{retries}'",
        )
    if retries > _MOST_RETRIES:
        raise Rejection(
            RejectionType.INVALID_ARGUMENT,
            f"Expected to update retries for job with key '{key}' to at most {_MOST_RETRIES}, "
            f"but the amount given was '{retries}'",
        )
    job.retries = retries
    work.store.jobs.save(job)
    _record(work, job, "RETRIES_UPDATED")


def update_timeout(work: Work, key: int, timeout: int) -> None:
    """The job times out ``timeout`` ms from now."""
    job = _existing(work, key, "update the timeout of job")
    if job.state != states.ACTIVATED:
        raise Rejection(
            RejectionType.INVALID_STATE,
            f"Expected to update the timeout of job with key '{key}', but it is not active",
        )
    job.due = clamp_millis(work.millis() + timeout)
    work.store.jobs.save(job)
    _record(work, job, "TIMEOUT_UPDATED")


def yield_jobs(work: Work, keys: list[int]) -> None:
    """Activated jobs that did not reach their worker may be fetched again at once, with the same retries."""
    for key in keys:
        job = work.store.jobs.get(key)
        if job is not None and job.state == states.ACTIVATED:
            _release(work, job, "YIELDED")


def due_again(work: Work, key: int) -> None:
    """An activated job has timed out, or a job's back-off is over: it may be fetched again, with the same retries."""
    job = work.store.jobs.get(key)
    if job is None or job.due is None or job.due > work.millis():
        return
    intent = "TIMED_OUT" if job.state == states.ACTIVATED else "RECURRED_AFTER_BACKOFF"
    _release(work, job, intent)


def release_after_incident(work: Work, key: int) -> None:
    job = work.store.jobs.get(key)
    if job is not None and job.state in (states.FAILED, states.ERROR_THROWN):
        job.state, job.due = states.ACTIVATABLE, None
        work.store.jobs.save(job)
        work.available.add(job.type)


def _release(work: Work, job: Job, intent: str) -> None:
    job.state, job.due, job.worker = states.ACTIVATABLE, None, ""
    work.store.jobs.save(job)
    work.available.add(job.type)
    _record(work, job, intent)


def _existing(work: Work, key: int, what: str) -> Job:
    job = work.store.jobs.get(key)
    if job is None:
        raise Rejection(RejectionType.NOT_FOUND, f"Expected to {what} with key '{key}', but no such job was found")
    return job


def _running(work: Work, key: int, what: str) -> tuple[Job, At]:
    """A job that may be completed, failed or thrown from, activated or not; one that backs off has FAILED."""
    job = _existing(work, key, what)
    if job.state not in (states.ACTIVATABLE, states.ACTIVATED):
        state = states.FAILED if job.state == states.BACKING_OFF else job.state
        raise Rejection(
            RejectionType.INVALID_STATE, f"Expected to {what} with key '{key}', but it is in state '{state}'"
        )
    return job, given(work.find(job.instance_key, job.node_key))


def _value(work: Work, job: Job) -> dict[str, Any]:
    instance = work.store.instances.look(job.instance_key)
    return {
        **(work.origin(instance) if instance is not None else {"processInstanceKey": job.instance_key}),
        "type": job.type,
        "worker": job.worker,
        "retries": job.retries,
        "deadline": job.due or -1,
        "elementId": job.element_id,
        "elementInstanceKey": job.node_key,
        "customHeaders": json.loads(job.headers),
        "errorMessage": job.error,
    }


def _record(work: Work, job: Job, intent: str, **more: Any) -> None:
    work.record(job.key, "JOB", intent, {**_value(work, job), **more})
