"""Assemble writer, gateway, management port and inspection to one server."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path

import grpc

from services.engine.access import (
    TOKEN_FILE,
    Credentials,
    TokenCheck,
    ensure_token,
    is_loopback,
    is_socket,
    require_tls,
)
from services.engine.clock import ControlledClock, EngineClock
from services.engine.gateway import Gateway, start_gateway
from services.engine.inspection.inspector import Inspector
from services.engine.inspection.socket_server import InspectionServer
from services.engine.management import Management
from services.engine.metrics import EngineMetrics
from services.engine.socket_file import SocketFile
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
        address: str,
        *others: str,
        credentials: Credentials | None = None,
        records: Path | None = None,
        management: str | None = None,
        controlled_clock: bool = False,
        retention: timedelta = DEFAULT_RETENTION,
    ) -> None:
        """Configure the server; without ``data`` the state is in memory.

        Each address is ``unix:PATH``, a socket for this account alone, or ``host:port``, where clients need the token
        of ``credentials`` (by default ``gateway.token`` in ``data``), and TLS if other machines reach it. Port 0
        chooses a free one. With ``controlled_clock``, for tests, a port of this machine needs no token.
        ``management`` (host:port) answers /livez, /readyz, /metrics and /incidents, and /actuator/clock with
        ``controlled_clock``; ``records`` gets one JSON object a line; ``retention`` is how long records are kept.
        """
        self._controlled = ControlledClock(clock) if controlled_clock else None
        self._addresses = (address, *others)
        self._credentials = credentials or Credentials()
        self._token_file = self._credentials.token or (data / TOKEN_FILE if data is not None else None)
        self._token: TokenCheck | None = None
        self._gateways: list[grpc.aio.Server] = []
        self._sockets: list[SocketFile] = []
        self._management_address = f"127.0.0.1{management}" if (management or "").startswith(":") else management
        self._management: Management | None = None
        self.writer = Writer(data, self._controlled or clock, records, retention)
        self.inspector = Inspector(self.writer)
        self._inspection_server = InspectionServer(self.inspector, data) if data is not None else None
        self.metrics = EngineMetrics(
            data, lambda: self.writer.write_failures, lambda: self._token.refusals if self._token is not None else 0
        )
        self.writer.add_exporter(self.metrics.count)
        self.writer.add_exporter(_log_incidents)

    async def start(self) -> str:
        """Start and return the first address as it was bound.

        Raises DataFileError, GatewayError, or RuntimeError if the port is in use.
        """
        tls = self._credentials.tls()
        ports = [
            address for address in (*self._addresses, self._management_address) if address and not is_socket(address)
        ]
        for address in ports:
            require_tls(address, tls)
        await self.writer.start()
        try:
            self.metrics.set_pending_incidents(await self.writer.read(lambda store: len(store.incidents.all_open())))
            if any(self._needs_token(address) for address in ports):
                self._token = TokenCheck(ensure_token(self._token_file))
            bound = [await self._listen(address) for address in self._addresses]
            if self._management_address is not None:
                self._management = Management(
                    self.writer, self.metrics, self._controlled, self._check_for(self._management_address)
                )
                await self._management.start(self._management_address, tls)
        except BaseException:
            await self._close_gateways()
            await self.writer.stop()
            raise
        if self._inspection_server is not None:
            await self._inspection_server.start()
        return bound[0]

    async def _listen(self, address: str) -> str:
        bound = ""
        gateway = Gateway(self.writer, lambda: bound)
        if is_socket(address):
            place = SocketFile(Path(address.removeprefix("unix:").removeprefix("//")))

            def add_socket(server: grpc.aio.Server) -> None:
                nonlocal bound
                bound = place.bind(server.add_insecure_port)
                self._sockets.append(place)

            self._gateways.append(await start_gateway(gateway, add_socket))
            return bound

        def add_port(server: grpc.aio.Server) -> None:
            nonlocal bound
            tls = self._credentials.for_grpc()
            add = server.add_insecure_port if tls is None else partial(server.add_secure_port, server_credentials=tls)
            bound = f"{address.rpartition(':')[0]}:{add(address)}"

        self._gateways.append(await start_gateway(gateway, add_port, self._check_for(address)))
        return bound

    def _check_for(self, address: str) -> TokenCheck | None:
        return self._token if self._needs_token(address) else None

    def _needs_token(self, address: str) -> bool:
        return self._controlled is None or not is_loopback(address)

    async def _close_gateways(self) -> None:
        for gateway in self._gateways:
            await gateway.stop(grace=_GRACE_SECONDS)
        for place in self._sockets:
            place.remove()
        self._gateways, self._sockets = [], []

    async def stop(self) -> None:
        """End long polls, finish accepted commands and close the file."""
        self.writer.end_long_polls()
        await self._close_gateways()
        if self._management is not None:
            await self._management.stop()
        if self._inspection_server is not None:
            await self._inspection_server.stop()
        await self.writer.stop()

    @property
    def token_file(self) -> Path | None:
        """Return the file whose token clients need, once started."""
        return self._token_file if self._token is not None else None

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
