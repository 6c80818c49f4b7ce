"""Assemble writer, gateway, management port and inspection to one server."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from services.engine.clock import ControlledClock, EngineClock
from services.engine.gateway import start_gateway
from services.engine.inspection.inspector import Inspector
from services.engine.inspection.socket_server import InspectionServer
from services.engine.management import Management
from services.engine.metrics import EngineMetrics
from services.engine.state.records import Record
from services.engine.writer import Writer

DEFAULT_RETENTION = timedelta(days=30)
_GRACE_SECONDS = 2.0
_log = logging.getLogger(__name__)


class EngineServer:
    """The embedded engine behind Zeebe's gateway protocol."""

    def __init__(
        self,
        data: Path | None,
        clock: EngineClock,
        address: str = "127.0.0.1:26500",
        *,
        records: Path | None = None,
        management: str | None = None,
        controlled_clock: bool = False,
        retention: timedelta = DEFAULT_RETENTION,
    ) -> None:
        """Configure the server; without ``data`` the state is in memory.

        Port 0 chooses a free one; ``records`` gets one JSON object a line.

        ``management`` (host:port) answers /livez, /readyz, /metrics and /incidents, and /actuator/clock with
        ``controlled_clock``; ``retention`` is how long records are kept.
        """
        self._controlled = ControlledClock(clock) if controlled_clock else None
        self._address = address
        self._management_address = management
        self._management: Management | None = None
        self.writer = Writer(data, self._controlled or clock, records, retention)
        self.inspector = Inspector(self.writer)
        self._inspection_server = InspectionServer(self.inspector, data) if data is not None else None
        self.metrics = EngineMetrics(data, lambda: self.writer.write_failures)
        self.writer.add_exporter(self.metrics.count)
        self.writer.add_exporter(_log_incidents)

    async def start(self) -> str:
        """Start and return the bound address.

        Raises DataFileError, or RuntimeError if the port is in use.
        """
        await self.writer.start()
        try:
            self.metrics.set_pending_incidents(await self.writer.read(lambda store: len(store.incidents.all_open())))
            self._gateway, bound = await start_gateway(self.writer, self._address)
        except BaseException:
            await self.writer.stop()
            raise
        if self._management_address is not None:
            self._management = Management(self.writer, self.metrics, self._controlled)
            await self._management.start(self._management_address)
        if self._inspection_server is not None:
            await self._inspection_server.start()
        return bound

    async def stop(self) -> None:
        """End long polls, finish accepted commands and close the file."""
        self.writer.end_long_polls()
        await self._gateway.stop(grace=_GRACE_SECONDS)
        if self._management is not None:
            await self._management.stop()
        if self._inspection_server is not None:
            await self._inspection_server.stop()
        await self.writer.stop()

    @property
    def management_address(self) -> str | None:
        """Return the address of the management port, once started."""
        return self._management.address if self._management is not None else None

    def on_clock_changed(self) -> None:
        """Trigger what is due after the clock was changed from outside."""
        self.writer.wake()


def _log_incidents(records: Iterable[Record]) -> None:
    """Log the keys for resolving incidents, for sites without Operate."""
    for record in records:
        if record.value_type == "INCIDENT" and record.intent == "CREATED":
            value = record.value
            _log.warning(
                "incident %d, job %d, at %s: %s", record.key, value["jobKey"], value["elementId"], value["errorMessage"]
            )
