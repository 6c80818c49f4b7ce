"""What the runner tells whoever keeps account of the steps that jobs are."""

from typing import Protocol

from services.runtime.jobs.commands import JobFacts


class JournalledJob(JobFacts, Protocol):
    """A job with the model it belongs to; pyzeebe's ``Job`` is one."""

    @property
    def bpmn_process_id(self) -> str: ...


class Journal(Protocol):
    """Told of every job, perhaps more than once for one job. May raise Retryable: then the job is tried again."""

    async def began(self, job: JournalledJob, /) -> None:
        """A handler is about to run for the job."""
        ...

    async def ended(self, job: JournalledJob, outcome: str, /) -> None:
        """The job is done: ``completed``, the code of the BPMN error it ends with, or ``cancelled`` by the engine."""
        ...

    async def stuck(self, job: JournalledJob, /) -> None:
        """The job goes on only when a person has removed the cause."""
        ...


class NoJournal:
    """Keeps no account."""

    async def began(self, job: JournalledJob, /) -> None:
        pass

    async def ended(self, job: JournalledJob, outcome: str, /) -> None:
        pass

    async def stuck(self, job: JournalledJob, /) -> None:
        pass
