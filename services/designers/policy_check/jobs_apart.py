"""The open jobs of a case, and what tells one from others of its element for a client of the engine."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.designers.policy_check.case import Case, is_open
from services.designers.policy_check.moves import Move
from services.engine.processing.variables import visible_variables
from services.engine.state.jobs import Job


def open_jobs(case: Case, job_type: str, element_id: str | None = None) -> list[Job]:
    """Return the open jobs of a type, and of an element, in the order they began."""
    jobs = case.state.jobs
    found = [jobs[key] for key in sorted(jobs) if jobs[key].type == job_type and is_open(jobs[key].state)]
    return [job for job in found if element_id is None or job.element_id == element_id]


def seen_by(case: Case, job: Job) -> dict[str, Any]:
    """Return the variables that a job sees."""
    instance = case.state.instances[job.process_instance_key]
    return visible_variables(instance, instance.element_instances[job.element_instance_key])


def fits(case: Case, job: Job, where: Mapping[str, Any]) -> bool:
    """Return whether a job sees these variables with these values."""
    seen = seen_by(case, job) if where else {}
    return all(name in seen and seen[name] == value for name, value in where.items())


def told_apart(case: Case, move: Move) -> Move:
    """Return what ends a job with a variable that tells it from other open ones of its element, where there is one."""
    job = case.state.jobs[move.key]
    others = [other for other in open_jobs(case, job.type, job.element_id) if other.key != job.key]
    others = [other for other in others if fits(case, other, dict(move.of))]
    if not others:
        return move
    own = seen_by(case, job)
    seen = [seen_by(case, other) for other in others]
    for name in sorted(own):
        value = own[name]
        if isinstance(value, str | int) and all(one.get(name) != value for one in seen):
            return replace(move, of=(*move.of, (name, value)))
    return move
