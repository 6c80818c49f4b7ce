"""The failure that is reported to the engine (docs/zeebe.md)."""

import random
import traceback
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.runtime.errors import Fatal, Refused, Retryable
from services.runtime.jobs.commands import JobFacts

MESSAGE_LIMIT = 500
RUNBOOKS = "docs/runbooks"
APPLICATION_ID, APPLICATION_NUMBER = "applicationId", "applicationNumber"


@dataclass(frozen=True)
class Backoff:
    """Delays that grow by ``factor`` from ``first`` to ``longest``, each varied by ``jitter``."""

    first: timedelta = timedelta(seconds=1)
    factor: float = 4
    longest: timedelta = timedelta(minutes=5)
    jitter: float = 0.2
    chance: random.Random = field(default_factory=random.Random, compare=False)

    def delay(self, attempt: int) -> timedelta:
        """Return how long to wait after the failure of ``attempt``, the first being 0."""
        # After 64 steps every wait is the longest; the power itself must not overflow.
        return self._varied(self.first * min(self.factor ** min(attempt, 64), self.longest / self.first))

    def delay_after(self, waited: timedelta) -> timedelta:
        """Return how long to wait for what has been away for ``waited``: as long again, within the limits.

        It needs no count of the tries, so that it goes on in another process.
        """
        return self._varied(min(max(waited, self.first), self.longest))

    def _varied(self, wait: timedelta) -> timedelta:
        return wait * (1 + self.chance.uniform(-self.jitter, self.jitter))


class Attempts:
    """Count the failures of a job: the engine sends only the retries that are left."""

    def __init__(self, keep: int = 4096) -> None:
        self._first_seen: OrderedDict[int, int] = OrderedDict()
        self._keep = keep

    def made(self, job_key: int, retries: int) -> int:
        """Return the failures before this one. Retries that were raised start a new count."""
        first = max(self._first_seen.pop(job_key, retries), retries)
        self._first_seen[job_key] = first
        if len(self._first_seen) > self._keep:
            self._first_seen.popitem(last=False)
        return first - retries

    def forget(self, job_key: int) -> None:
        self._first_seen.pop(job_key, None)


class Waits:
    """Since when jobs wait for a part that is away, as far as this process knows.

    The journal knows it across restarts, but not while the database is away, nor of jobs that it does not record. What
    was noted longer ago than ``STALE`` counts no more: another process had the job, or a try ran for so long.
    """

    STALE = timedelta(minutes=15)

    def __init__(self, keep: int = 4096) -> None:
        self._noted: OrderedDict[int, tuple[datetime, datetime]] = OrderedDict()
        self._keep = keep

    def __contains__(self, job_key: int) -> bool:
        return job_key in self._noted

    def note(self, job_key: int, since: datetime, now: datetime) -> None:
        self._noted[job_key] = since, now
        self._noted.move_to_end(job_key)
        if len(self._noted) > self._keep:
            self._noted.popitem(last=False)

    def since(self, job_key: int, now: datetime) -> datetime:
        """Return since when the job waits: ``now`` for one that has not waited yet."""
        since, noted = self._noted.get(job_key, (now, now))
        since = since if now - noted <= self.STALE else now
        self.note(job_key, since, now)
        return since

    def forget(self, job_key: int) -> None:
        self._noted.pop(job_key, None)


def runbook_of(error: BaseException) -> str:
    """Return the page of docs/runbooks for this kind of failure; an unexpected one is a failing job."""
    if isinstance(error, Retryable | Fatal):
        return error.runbook
    return Fatal.runbook if isinstance(error, Refused) else Retryable.runbook


def failure_message(job: JobFacts, cause: str, next_step: str, runbook: str | None = None) -> str:
    """Write ``<what failed> | <object> | <cause> | <next step>`` for the reader of an incident.

    At most 500 characters: a text that is too long loses the ends of its longest parts, and never the name of the
    ``runbook``, which ends it. A cause of this form is unchanged; a missing part is added. The case is named, by its
    number if the process knows it.
    """
    case = _case(job)
    thing = f"application {case}, job {job.key}" if case else f"job {job.key}"
    if (application_id := job.variables.get(APPLICATION_ID)) and case:
        cause = cause.replace(str(application_id), case)
    parts = [" ".join(part.split()) for part in _four(cause.split(" | "), f"{job.type} failed", thing, next_step)]
    if case and case not in parts[0] + parts[1]:
        parts[1] = f"application {case}, {parts[1]}"
    page, _, section = (runbook or "").partition("#")
    closing = f" ({RUNBOOKS}/{page}.md{'#' + section if section else ''})" if page else ""
    while (excess := len(" | ".join(parts)) + len(closing) - MESSAGE_LIMIT) > 0:
        longest = max(range(len(parts)), key=lambda index: len(parts[index]))
        length = max(len(parts[longest]) - excess - 1, MESSAGE_LIMIT // (len(parts) * 2))
        parts[longest] = parts[longest][:length] + "…"
    return " | ".join(parts) + closing


def waiting_message(job: JobFacts, cause: str, next_step: str, waited: str = "", runbook: str | None = None) -> str:
    """Write ``failure_message`` of a part that is away: ``next_step`` comes after the cause's own, if it has one."""
    parts = cause.split(" | ")
    own = parts[3:] if len(parts) == 4 else parts[2:]
    head = parts[: len(parts) - len(own)]
    if waited:
        head[-1] = f"{head[-1]} / {waited}"
    return failure_message(job, " | ".join([*head, "; ".join([*own, next_step])] if own else head), next_step, runbook)


def _case(job: JobFacts) -> str:
    """Return the case's number, or else its id."""
    return str(job.variables.get(APPLICATION_NUMBER) or job.variables.get(APPLICATION_ID) or "")


def _four(parts: list[str], what: str, thing: str, next_step: str) -> list[str]:
    """Return what failed, the object, the cause and the next step; defaults for missing parts."""
    match parts:
        case [cause]:
            return [what, thing, cause, next_step]
        case [failed, cause]:
            return [failed, thing, cause, next_step]
        case [failed, cause, step]:
            return [failed, thing, cause, step]
        case [failed, named, *causes, step]:
            return [failed, named, " / ".join(causes), step]
    return [what, thing, " / ".join(parts), next_step]


def stack(error: BaseException) -> str:
    """Return the stack of an error and its causes, with types and without texts, which may contain values."""
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        lines.append(f"{type(cause).__module__}.{type(cause).__qualname__}")
        lines.extend(entry.rstrip() for entry in traceback.format_tb(cause.__traceback__))
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(lines)
