"""Refuse the jobs of models that are on no record (R2, R52).

Whoever reaches the engine can deploy to it. What such a model may do is held by the register; that it does nothing at
all is held here, for the product's own process ids and for any other.
"""

from datetime import timedelta

from services.database.unit_of_work import Actor, Database
from services.domain.deployments import versions
from services.domain.deployments.versions import Definition, RecordStatus
from services.runtime.errors import NotPermitted, NotYet
from services.runtime.jobs.commands import JobFacts
from services.runtime.jobs.journal import Begun, Journal, Wait

ACTOR = Actor("system", "job-gate")
GRACE = timedelta(minutes=1)  # a deployment is entered when the engine has answered, and jobs may come before that
RUNBOOK = "models-unrecorded"


class RecordedModels:
    """The runner's journal, reached only by jobs whose model is known."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._known: set[int] = set()  # keys: what is on record stays there

    async def began(self, job: JobFacts, /) -> Begun:
        """Raises NotPermitted for a job of a model on no record, and NotYet while that may be about to be entered."""
        if job.process_definition_key not in self._known:
            await self._check(job)
        return await self._journal.began(job)

    async def waits(self, job: JobFacts, waited: Wait | None, /) -> None:
        await self._journal.waits(job, waited)

    async def ended(self, job: JobFacts, outcome: str, /) -> None:
        await self._journal.ended(job, outcome)

    async def stuck(self, job: JobFacts, /) -> None:
        await self._journal.stuck(job)

    async def refused(self, job: JobFacts, sentence: str, /) -> None:
        await self._journal.refused(job, sentence)

    async def _check(self, job: JobFacts) -> None:
        definition = Definition(job.bpmn_process_id, job.process_definition_version, job.process_definition_key)
        status = await self._database.read(ACTOR, versions.status_of, definition, job.process_instance_key)
        if status in (RecordStatus.RECORDED, RecordStatus.BEFORE):
            self._known.add(definition.definition_key)
        if status is not RecordStatus.UNRECORDED:
            return
        first = await self._database.run(ACTOR, versions.note_unrecorded, definition)
        key = definition.definition_key
        named = f"process {definition.process_id}, version {definition.version}, key {key}"
        if self._database.clock.now() - first < GRACE:
            raise NotYet(f"could not begin | {named} | its deployment is not on record yet")
        raise NotPermitted(
            f"could not begin | {named} | its model is on no record: it was deployed past footage-desk deploy and the "
            f"portal | unless it is yours tell Security; footage-desk models accept {key} lets it run, then "
            "resolve the incident",
            runbook=RUNBOOK,
        )
