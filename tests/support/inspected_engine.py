"""An engine without a loop of its own, for pages that inspect it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from engine_harness import EngineHarness, ManualClock

from services.app.container import models
from services.engine.errors import Rejection
from services.engine.inspection import active, inspector, queries
from services.engine.processing import deployments, jobs, messages
from services.engine.processing.command_processor import Command
from services.engine.processing.execution import Execution
from services.engine.state.overview import ListFilter

STUCK = "the store is full | 门 | <b>no space</b> | make space, then retry"


class InspectedEngine:
    """Answer as ``services.engine.inspection.inspector.Inspector`` does."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        self.core = EngineHarness(clock=clock)
        self.asked_for: set[str] = set()

    def follow_ends(self, listener: Callable[[set[int]], None]) -> None:
        pass

    async def processes(self) -> Sequence[object]:
        return queries.processes(self.core.store)

    async def elements(self, process_definition_key: int) -> Sequence[object]:
        return queries.elements(self.core.store, process_definition_key)

    async def model(self, process_definition_key: int) -> tuple[str, bytes] | None:
        return queries.model(self.core.store, process_definition_key)

    async def instances(self, **wanted: Any) -> Sequence[object]:
        return queries.instances(self.core.store, ListFilter(**wanted))

    async def instance(self, key: int) -> object | None:
        return queries.instance(self.core.store, key)

    async def active(self, key: int) -> Sequence[object]:
        return active.instances(self.core.store, key, lambda job_type: job_type in self.asked_for)

    async def running(self, keys: list[int]) -> Sequence[object]:
        return active.running(self.core.store, keys)

    async def variables(self, process_instance_key: int) -> Sequence[object]:
        return queries.variables(self.core.store, process_instance_key)

    async def incidents(self, **wanted: Any) -> Sequence[object]:
        return queries.incidents(self.core.store, ListFilter(**wanted))

    async def jobs(self, **wanted: Any) -> Sequence[object]:
        return queries.jobs(self.core.store, ListFilter(**wanted))

    async def retry(self, incident_key: int, retries: int) -> str | None:
        return self._act(lambda execution: inspector.retry_incident(execution, incident_key, retries))

    async def update_job_retries(self, job_key: int, retries: int) -> str | None:
        return self._act(lambda execution: jobs.update_retries(execution, job_key, retries))

    def _act(self, command: Command) -> str | None:
        try:
            self.core.do(command)
        except Rejection as refused:
            return str(refused)
        return None


def with_one_stuck() -> tuple[InspectedEngine, dict[str, str]]:
    """An engine with two cases, one of which has stopped, and the keys in it by the names of routes' parameters."""
    desk = InspectedEngine()
    files = [deployments.Resource(path.name, path.read_bytes()) for path in models()]
    desk.core.do(lambda execution: deployments.deploy(execution, files))
    for application_id in ("A1", "A2"):
        desk.core.do(partial(_handed_in, application_id=application_id))
    newest = queries.instances(desk.core.store, ListFilter())[0]
    keys = {"instance_key": str(newest.key), "definition_key": str(newest.process_definition_key)}
    [waiting] = queries.jobs(desk.core.store, ListFilter(instance=newest.key, limit=1))
    [given] = [one for one in desk.core.fetch(waiting.type) if one.job.process_instance_key == newest.key]
    desk.core.do(
        lambda execution: jobs.fail_job(execution, given.job.key, retries=0, backoff=0, text=STUCK, variables={})
    )
    keys["job_key"] = str(given.job.key)
    keys["incident_key"] = str(queries.incidents(desk.core.store, ListFilter())[0].key)
    return desk, keys


def _handed_in(execution: Execution, application_id: str) -> None:
    messages.publish(
        execution,
        "application-submitted",
        application_id,
        ttl=60_000,
        message_id=application_id,
        variables={"applicationId": application_id},
    )
