"""The journal of process steps, to which the runner reports every job."""

from dataclasses import dataclass
from typing import Protocol

from services.runtime.jobs.commands import JobFacts


class JournalledJob(JobFacts, Protocol):
    """A job with the model it belongs to; pyzeebe's ``Job`` is one."""

    @property
    def bpmn_process_id(self) -> str: ...


@dataclass(frozen=True)
class Cause:
    """The request that the process was last told of before a job, and its trace."""

    request_id: str | None
    trace_parent: str | None


class Journal(Protocol):
    """Record every job, perhaps more than once. May raise Retryable: then the job is retried."""

    async def began(self, job: JournalledJob, /) -> Cause | None:
        """A handler is about to run for the job; return what led to it, if that is known."""
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

    async def began(self, job: JournalledJob, /) -> Cause | None:
        return None

    async def ended(self, job: JournalledJob, outcome: str, /) -> None:
        pass

    async def stuck(self, job: JournalledJob, /) -> None:
        pass

    async def refused(self, job: JournalledJob, sentence: str, /) -> None:
        pass
