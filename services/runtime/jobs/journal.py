"""The journal of process steps, to which the runner reports every job."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.runtime.errors import Away
from services.runtime.jobs.commands import JobFacts


@dataclass(frozen=True)
class Wait:
    """A job waits for a part that is away, since ``since``; after ``until`` it becomes an incident."""

    part: Away
    since: datetime
    next_try_at: datetime
    until: datetime


class JournalledJob(JobFacts, Protocol):
    """A job with the model it belongs to; pyzeebe's ``Job`` is one."""

    @property
    def bpmn_process_id(self) -> str: ...
    @property
    def process_definition_key(self) -> int: ...
    @property
    def process_definition_version(self) -> int: ...


@dataclass(frozen=True)
class Begun:
    """What is known of a job as it begins.

    ``waiting_since``: since when it has waited for a part that was away. ``recorded``: the journal keeps the job, so
    that one without ``waiting_since`` waits no more, whatever process saw the end of it. The request is the one that
    the process was last told of; ``trace_parent`` (W3C Trace Context) names its trace.
    """

    waiting_since: datetime | None = None
    request_id: str | None = None
    trace_parent: str | None = None
    recorded: bool = False


class Journal(Protocol):
    """Record every job, perhaps more than once. May raise Retryable: then the job is retried."""

    async def began(self, job: JournalledJob, /) -> Begun:
        """A handler is about to run for the job."""
        ...

    async def waits(self, job: JournalledJob, wait: Wait | None, /) -> None:
        """The job is tried again because a part is away; None: it has failed otherwise, and waits no more."""
        ...

    async def ended(self, job: JournalledJob, outcome: str, /) -> None:
        """The job is done: ``completed``, the code of the BPMN error it ends with, or ``cancelled`` by the engine."""
        ...

    async def stuck(self, job: JournalledJob, /) -> None:
        """The job continues only when a person has removed the cause."""
        ...

    async def refused(self, job: JournalledJob, sentence: str, /) -> None:
        """The job asked for what the database does not allow now, as the sentence says; it is stuck too."""
        ...


class NoJournal:
    """Record nothing."""

    async def began(self, job: JournalledJob, /) -> Begun:
        return Begun()

    async def waits(self, job: JournalledJob, wait: Wait | None, /) -> None:
        pass

    async def ended(self, job: JournalledJob, outcome: str, /) -> None:
        pass

    async def stuck(self, job: JournalledJob, /) -> None:
        pass

    async def refused(self, job: JournalledJob, sentence: str, /) -> None:
        pass
