"""Inspect the engine from the process that runs it."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from services.engine.errors import Rejection
from services.engine.inspection import active, queries
from services.engine.inspection.active import ActiveInstance, Running
from services.engine.inspection.views import (
    ElementStatistics,
    IncidentSummary,
    InstanceDetails,
    InstanceSummary,
    JobSummary,
    ProcessSummary,
    Variable,
)
from services.engine.processing import jobs
from services.engine.processing.command_processor import Command
from services.engine.processing.execution import Execution
from services.engine.processing.incidents import resolve
from services.engine.state.overview import ListFilter
from services.engine.state.records import Record
from services.engine.writer import Writer

_log = logging.getLogger(__name__)


class Inspector:
    """Queries run between two batches, so that they see whole commands only.

    ``filters`` are the fields of ``state.overview.ListFilter``.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def follow_ends(self, listener: Callable[[set[int]], None]) -> None:
        """Call ``listener`` on the event loop with the keys of process instances that were ended from outside."""

        def export(records: list[Record]) -> None:
            ended = {record.key for record in records if queries.cuts_instance(record)}
            if ended:
                listener(ended)

        self._writer.add_exporter(export)

    async def processes(self) -> Sequence[ProcessSummary]:
        """List the versions that are the latest or have running instances."""
        summaries: list[ProcessSummary] = await self._writer.read(queries.processes)
        return summaries

    async def elements(self, process_definition_key: int) -> Sequence[ElementStatistics]:
        """Count the active instances of each element of one version."""
        statistics: list[ElementStatistics] = await self._writer.read(
            lambda store: queries.elements(store, process_definition_key)
        )
        return statistics

    async def model(self, process_definition_key: int) -> tuple[str, bytes] | None:
        """Return the process id and the BPMN file of one version."""
        model: tuple[str, bytes] | None = await self._writer.read(
            lambda store: queries.model(store, process_definition_key)
        )
        return model

    async def instances(self, **filters: Any) -> Sequence[InstanceSummary]:
        """List running process instances, or ended ones with ``state`` ended."""
        list_filter = ListFilter(**filters)
        summaries: list[InstanceSummary] = await self._writer.read(lambda store: queries.instances(store, list_filter))
        return summaries

    async def instance(self, key: int) -> InstanceDetails | None:
        """Return one instance.

        None if it never existed or its records are deleted.
        """
        details: InstanceDetails | None = await self._writer.read(lambda store: queries.instance(store, key))
        return details

    async def active(self, key: int) -> Sequence[ActiveInstance]:
        """Return where an instance and those that it has called stand; none once it has ended."""
        found: list[ActiveInstance] = await self._writer.read(
            lambda store: active.instances(store, key, self._writer.is_asked_for)
        )
        return found

    async def running(self, keys: list[int]) -> Sequence[Running]:
        """Return the versions on which these instances run; those that have ended are left out."""
        found: list[Running] = await self._writer.read(lambda store: active.running(store, keys))
        return found

    async def variables(self, process_instance_key: int) -> Sequence[Variable]:
        """List the variables of one instance."""
        variables: list[Variable] = await self._writer.read(
            lambda store: queries.variables(store, process_instance_key)
        )
        return variables

    async def incidents(self, **filters: Any) -> Sequence[IncidentSummary]:
        """List open incidents."""
        list_filter = ListFilter(**filters)
        summaries: list[IncidentSummary] = await self._writer.read(lambda store: queries.incidents(store, list_filter))
        return summaries

    async def jobs(self, **filters: Any) -> Sequence[JobSummary]:
        """List jobs that are not completed or canceled."""
        list_filter = ListFilter(**filters)
        summaries: list[JobSummary] = await self._writer.read(lambda store: queries.jobs(store, list_filter))
        return summaries

    async def retry(self, incident_key: int, retries: int) -> str | None:
        """Resolve an incident; return the rejection, or None once it is resolved."""
        rejection = await self._submit(lambda execution: retry_incident(execution, incident_key, retries))
        if rejection is None:
            _log.info("incident %d was resolved by an operator", incident_key)
        return rejection

    async def update_job_retries(self, job_key: int, retries: int) -> str | None:
        """Update a job's retries.

        Return the rejection, or None once they are updated.
        """
        return await self._submit(lambda execution: jobs.update_retries(execution, job_key, retries))

    async def _submit(self, command: Command) -> str | None:
        try:
            await self._writer.submit(command)
        except Rejection as rejection:
            return str(rejection)
        return None


def retry_incident(execution: Execution, incident_key: int, retries: int) -> None:
    """Resolve an incident as Operate's Retry does: set its job's retries first.

    Raises Rejection.
    """
    incident = execution.store.incidents.get(incident_key)
    if incident is not None and incident.job_key:
        jobs.update_retries(execution, incident.job_key, retries)
    resolve(execution, incident_key)
