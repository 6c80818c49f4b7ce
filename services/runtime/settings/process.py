"""How one process runs: embedded engine, workers, recorder monitor, health and logs."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from services.runtime.settings.kinds import Days, Part, Port


class EngineSettings(Part):
    """The embedded engine, on a socket in the data folder; a cluster is named by ``ZEEBE_ADDRESS``."""

    host: str | None = Field(
        default=None,
        description="an address of this machine alone, such as 127.0.0.1, on which the embedded engine listens beside "
        "its socket",
    )
    port: Port | None = Field(
        default=None,
        description="a port from 0 to 65535 (0 takes a free one) on which the embedded engine listens beside its "
        "socket, for clients with its token",
    )
    token_file: Path | None = Field(
        default=None,
        description="a file, readable by this account alone, with the token of the embedded engine, or of a "
        "footage-desk engine at ZEEBE_ADDRESS",
    )
    records_days: Days = Field(default=30, description="for how many days the embedded engine keeps its records")

    @property
    def tcp_address(self) -> str | None:
        """Where the embedded engine listens beside its socket, if one of the two is set."""
        if self.host is None and self.port is None:
            return None
        host = self.host or "127.0.0.1"
        return f"{f'[{host}]' if ':' in host else host}:{26500 if self.port is None else self.port}"


class HealthSettings(Part):
    """Liveness, readiness and metrics."""

    host: str = Field(default="127.0.0.1", description="the address for /livez, /readyz and /metrics")
    port: Port = Field(default=9600, description="a port from 0 to 65535 (0 takes a free one)")


class LogSettings(Part):
    """Level and format of the log."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error"
    )
    format: Literal["auto", "json", "console"] = Field(default="auto", description="auto, json or console")


class TracingSettings(Part):
    """Traces by OpenTelemetry; none by default."""

    endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        description="the address that traces are sent to by OTLP over HTTP, such as http://collector:4318/v1/traces",
    )
    sampled: float = Field(default=1.0, ge=0, le=1, description="the share of requests that is traced, from 0 to 1")


class RecorderSettings(Part):
    """Which folders may be recorders, and how often recorders are probed."""

    roots: str | None = Field(
        default=None,
        description="the folders that may contain recorders' folders, with colons between: /mnt/recorders:/srv/cctv",
    )
    probe_interval: timedelta = Field(
        default=timedelta(minutes=5),
        ge=timedelta(seconds=10),
        le=timedelta(minutes=30),
        description="how often each recorder is probed: an ISO 8601 duration up to PT30M, such as PT5M",
    )

    @field_validator("roots")
    @classmethod
    def _roots_are_absolute(cls, roots: str | None) -> str | None:
        if roots is not None and not all(Path(root).is_absolute() for root in roots.split(":")):
            raise ValueError("each folder is written from / on")
        return roots


class ConfinementSettings(Part):
    """The processes that read footage and pictures from outside (``services.runtime.confine``)."""

    required: bool = Field(
        default=False,
        description="true to read no footage and no picture where this machine cannot confine the process that does, "
        "or false for a warning",
    )


class WorkerSettings(Part):
    """How workers poll and run jobs."""

    concurrency: int = Field(default=8, ge=1, description="how many jobs of one type may run at once")
    heavy_concurrency: int = Field(
        default=2,
        ge=1,
        description="how many footage jobs of one type may run at once; of those that ask recorders as many for one "
        "recorder, and one more for another",
    )
    job_timeout: timedelta = Field(
        default=timedelta(seconds=30), ge=timedelta(seconds=1), description="an ISO 8601 duration, such as PT30S"
    )
    poll_seconds: float = Field(
        default=10, gt=0, le=60, description="seconds that one poll for jobs may wait, such as 10"
    )
    wait_limit: timedelta = Field(
        default=timedelta(hours=24),
        ge=timedelta(minutes=10),
        le=timedelta(days=30),
        description="how long a job waits for a recorder, a store or the database that is away before it becomes an "
        "incident: an ISO 8601 duration from PT10M to P30D, such as PT24H",
    )
    drain_seconds: float = Field(default=20, ge=0, description="seconds that running jobs get at shutdown, such as 20")
