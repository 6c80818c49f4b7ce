"""The engine as whoever looks on in the same process asks it. Between two batches, so that nothing is half done."""

import logging
from collections.abc import Sequence
from typing import Any

from services.engine.errors import Rejection
from services.engine.inspection import acts, looks, trails
from services.engine.inspection.shapes import (
    ElementLine,
    IncidentLine,
    InstanceLine,
    InstanceView,
    JobLine,
    ProcessLine,
    Variable,
)
from services.engine.processing import jobs
from services.engine.processing.core import Command
from services.engine.state.overview import Wanted
from services.engine.writer import Writer

_log = logging.getLogger(__name__)


class Desk:
    """Reading changes nothing. ``wanted`` of a list is what ``state.overview.Wanted`` names."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def processes(self) -> Sequence[ProcessLine]:
        """The versions that are deployed or run, with how many instances of each do."""
        found: list[ProcessLine] = await self._writer.read(looks.processes)
        return found

    async def elements(self, definition_key: int) -> Sequence[ElementLine]:
        """Where instances of one version stand."""
        found: list[ElementLine] = await self._writer.read(lambda store: looks.elements(store, definition_key))
        return found

    async def model(self, definition_key: int) -> tuple[str, bytes] | None:
        """The process id and the BPMN file of one version."""
        found: tuple[str, bytes] | None = await self._writer.read(lambda store: looks.model(store, definition_key))
        return found

    async def instances(self, **wanted: Any) -> Sequence[InstanceLine]:
        """Those that run, or with ``state`` ended those that have."""
        asked = Wanted(**wanted)
        found: list[InstanceLine] = await self._writer.read(lambda store: looks.instances(store, asked))
        return found

    async def instance(self, key: int) -> InstanceView | None:
        """One instance; None where it never was, or its records are gone."""
        found: InstanceView | None = await self._writer.read(lambda store: looks.instance(store, key))
        return found

    async def variables(self, instance_key: int) -> Sequence[Variable]:
        """The variables of one instance."""
        found: list[Variable] = await self._writer.read(lambda store: trails.variables(store, instance_key))
        return found

    async def incidents(self, **wanted: Any) -> Sequence[IncidentLine]:
        """Open incidents."""
        asked = Wanted(**wanted)
        found: list[IncidentLine] = await self._writer.read(lambda store: looks.incidents(store, asked))
        return found

    async def jobs(self, **wanted: Any) -> Sequence[JobLine]:
        """Jobs that are not done yet."""
        asked = Wanted(**wanted)
        found: list[JobLine] = await self._writer.read(lambda store: looks.jobs(store, asked))
        return found

    async def retry(self, incident_key: int, retries: int) -> str | None:
        """Resolve an incident, its job with so many retries. Returns why it was refused; None when it is done."""
        refused = await self._act(lambda work: acts.retry(work, incident_key, retries))
        if refused is None:
            _log.info("incident %d was resolved by hand", incident_key)
        return refused

    async def set_retries(self, job_key: int, retries: int) -> str | None:
        """How often a job may be tried again. Returns why it was refused; None when it is done."""
        return await self._act(lambda work: jobs.update_retries(work, job_key, retries))

    async def _act(self, command: Command) -> str | None:
        try:
            await self._writer.submit(command)
        except Rejection as refused:
            return str(refused)
        return None
