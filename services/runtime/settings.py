"""Every setting of Footage Desk in one typed class, read from the environment (docs/architecture.md, "How it runs").

Names have the prefix ``FOOTAGE_DESK_``; the engine's are the ones that Camunda's clients know. Durations are ISO 8601
(``PT24H``). An empty variable counts as not set. What has no safe default is ``None``; ``needed`` demands it.
"""

import difflib
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from services.runtime.addresses import parse_networks
from services.runtime.ca_file import CaFile
from services.runtime.evidence_settings import EvidenceSettings
from services.runtime.notice_settings import NoticeSettings
from services.runtime.provider_settings import ProviderSettings
from services.runtime.stores import FolderStore, S3Store, StoreSettings, same_place

PREFIX = "FOOTAGE_DESK_"

Port = Annotated[int, Field(ge=0, le=65535)]
LONGEST = timedelta(days=36_500)  # what is reckoned with it stays inside the calendar
Duration = Annotated[timedelta, Field(gt=timedelta(), le=LONGEST)]
Lead = Annotated[timedelta, Field(ge=timedelta(), le=LONGEST)]
Days = Annotated[int, Field(ge=1, le=LONGEST.days)]


class SettingsError(ValueError):
    """The set-up is wrong; the text has one sentence for each variable, saying what to set. Never shows a value."""


def _camunda(*names: str, **arguments: Any) -> Any:
    """A field that is read from the names of Camunda's clients; code and tests pass it by its own name."""
    return Field(default=None, validation_alias=AliasChoices(*names), **arguments)


class Settings(NoticeSettings, ProviderSettings, EvidenceSettings):
    """All settings; ``Settings.load()`` is the way to read them, with errors as sentences."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", populate_by_name=True, frozen=True
    )

    data_dir: Path = Field(Path("var"), description="a folder for everything that is written")
    database_url: SecretStr | None = Field(
        None, description="an SQLAlchemy address, such as postgresql+psycopg://user:password@host/footage_desk"
    )
    keys_dir: Path | None = Field(None, description="a folder for keys, readable by this account alone")
    models_dir: Path | None = Field(None, description="a folder of models and review stages, instead of those shipped")
    demo: bool = Field(False, description="true for demo data and a clock that can be turned, or false")
    organisation: str = Field("本单位", min_length=1, description="the organisation's name as documents show it")
    zone: str = Field("Asia/Shanghai", description="a time zone's name, such as Asia/Shanghai")

    # The engine: a cluster's address, or none for the embedded engine on this host and port.
    zeebe_address: str | None = _camunda("ZEEBE_ADDRESS", description="the gateway's address, such as zeebe:26500")
    zeebe_insecure: bool | None = _camunda(
        "ZEEBE_INSECURE_CONNECTION", description="true for a gateway without TLS, or false"
    )
    zeebe_ca_file: Path | None = _camunda(
        "ZEEBE_CA_CERTIFICATE_PATH", description="a PEM file with the authority of the gateway and the token address"
    )
    mtls_certificate: Path | None = _camunda("CAMUNDA_MTLS_CERT_PATH", description="a PEM file with our certificate")
    mtls_key: Path | None = _camunda("CAMUNDA_MTLS_KEY_PATH", description="a PEM file with the key to our certificate")
    camunda_client_id: str | None = _camunda("CAMUNDA_CLIENT_ID", description="the OAuth client's id")
    camunda_client_secret: SecretStr | None = _camunda("CAMUNDA_CLIENT_SECRET", description="the OAuth client's secret")
    camunda_oauth_url: str | None = _camunda("CAMUNDA_OAUTH_URL", description="the OAuth token address")
    camunda_token_audience: str | None = _camunda("CAMUNDA_TOKEN_AUDIENCE", description="the OAuth audience")
    camunda_token_scope: str | None = _camunda("CAMUNDA_TOKEN_SCOPE", description="the OAuth scope, where one is asked")
    engine_host: str = Field("127.0.0.1", description="the address on which the embedded engine listens")
    engine_port: Port = Field(26500, description="a port from 0 to 65535 (0 takes a free one)")
    engine_records_days: Days = Field(30, description="for how many days the embedded engine keeps its records")

    store_folder: Path | None = Field(None, description="a folder for footage")
    store_endpoint: str | None = Field(None, description="host and port of an S3 server, without https://")
    store_access_key: str | None = Field(None, description="the S3 access key")
    store_secret_key: SecretStr | None = Field(None, description="the S3 secret key")
    store_secure: bool = Field(True, description="true for TLS, or false")
    store_region: str | None = Field(None, description="the S3 region, such as us-east-1")
    store_prefix: str = Field("footage-desk", description="the beginning of every bucket's name")
    store_ca_file: CaFile | None = Field(None, description="a PEM file with the S3 server's certificate authority")
    replica_folder: Path | None = Field(None, description="a folder for backups, on another disk than the store")
    replica_endpoint: str | None = Field(None, description="host and port of another S3 server, without https://")
    replica_access_key: str | None = Field(None, description="the S3 access key")
    replica_secret_key: SecretStr | None = Field(None, description="the S3 secret key")
    replica_secure: bool = Field(True, description="true for TLS, or false")
    replica_region: str | None = Field(None, description="the S3 region, such as us-east-1")
    replica_prefix: str = Field("footage-desk-replica", description="the beginning of every bucket's name")
    replica_ca_file: CaFile | None = Field(None, description="a PEM file with the S3 server's certificate authority")

    portal_host: str = Field("127.0.0.1", description="the address on which the portal listens")
    portal_port: Port = Field(8080, description="a port from 0 to 65535 (0 takes a free one)")
    public_url: str | None = Field(None, description="the address that people type, such as https://footage.example")
    operate_url: str | None = Field(
        None,
        pattern="^https?://[^ ]+$",
        description="Camunda Operate's address, such as https://operate.example; case pages then lead there",
    )
    trusted_proxies: str | None = Field(
        None, description="the addresses of the proxies that tell the true client's, with commas between: 10.0.0.0/24"
    )
    second_factor: Literal["signers", "everyone", "nobody"] | None = Field(
        None,
        description="who must sign in with a one-time code: signers (Security's head and deputy, management, the "
        "storage office), everyone or nobody; without it signers, in a demo nobody",
    )
    health_host: str = Field("127.0.0.1", description="the address for /livez, /readyz and /metrics")
    health_port: Port = Field(9600, description="a port from 0 to 65535 (0 takes a free one)")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto, json or console")

    # What administrators may have this house open: folders under these roots, addresses beyond the guarded ones.
    recorder_roots: str | None = Field(
        None, description="the folders that recorders' folders lie under, with colons between: /mnt/recorders:/srv/cctv"
    )
    allowed_networks: str | None = Field(
        None,
        description="networks of this machine or its link that recorders and webhooks may be in all the same, "
        "with commas between: 127.0.0.0/8",
    )

    ask_recorders_every: timedelta = Field(
        timedelta(minutes=5),
        ge=timedelta(seconds=10),
        le=timedelta(minutes=30),
        description="an ISO 8601 duration up to PT30M, such as PT5M: each recorder is then asked whether it answers",
    )

    # The limits of T11 in policy.md.
    review_limit: Duration = Field(timedelta(hours=24), description="an ISO 8601 duration, such as PT24H")
    notify_limit: Duration = Field(timedelta(hours=1), description="an ISO 8601 duration, such as PT1H")
    release_limit: Duration = Field(timedelta(hours=24), description="an ISO 8601 duration, such as PT24H")
    reminder_lead: Lead = Field(timedelta(days=3), description="an ISO 8601 duration, such as P3D")
    grace_period: Lead = Field(timedelta(days=3), description="an ISO 8601 duration, such as P3D")
    correction_period: Duration = Field(timedelta(days=7), description="an ISO 8601 duration, such as P7D")
    take_up_period: Duration = Field(timedelta(days=7), description="an ISO 8601 duration, such as P7D")

    preservation: Literal["always", "at-risk", "never"] = Field("at-risk", description="always, at-risk or never (T4)")
    max_use_days: Days | None = Field(
        None, description="the longest use period in whole days that the organisation allows (T3)"
    )
    largest_upload_mib: int = Field(8192, ge=1, description="the largest file that a person may bring, in whole MiB")
    max_span_hours: int = Field(24, ge=1, le=8760, description="the longest span of one item in whole hours")
    max_items: int = Field(20, ge=1, le=200, description="how many items one application may have")
    first_reminder_after: Duration = Field(timedelta(hours=12), description="an ISO 8601 duration, such as PT12H")
    ordinary_retention_days: Days = Field(365, description="for how many days ordinary footage is kept in the archive")
    important_retention_days: Days = Field(
        730, description="for how many days important footage is kept in the archive"
    )
    agreement_version: str = Field(
        "2026", min_length=1, max_length=40, description="the version of the confidentiality agreement"
    )

    worker_concurrency: int = Field(8, ge=1, description="how many jobs of one type may run at once")
    heavy_concurrency: int = Field(2, ge=1, description="how many footage jobs of one type may run at once")
    threads: int = Field(8, ge=1, description="how many blocking calls may run at once")
    job_timeout: timedelta = Field(
        timedelta(seconds=30), ge=timedelta(seconds=1), description="an ISO 8601 duration, such as PT30S"
    )
    poll_seconds: float = Field(10, gt=0, le=60, description="seconds that one poll for jobs may wait, such as 10")
    drain_seconds: float = Field(20, ge=0, description="seconds that running jobs get at shutdown, such as 20")

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment; ``overrides`` win. Raises SettingsError with a sentence for each wrong variable."""
        try:
            return cls(**overrides)
        except ValidationError as error:
            raise SettingsError("\n".join(_sentence(cls, dict(problem)) for problem in error.errors())) from None

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("there is no such time zone") from error
        return name

    @field_validator("database_url")
    @classmethod
    def _database_is_known(cls, url: SecretStr | None) -> SecretStr | None:
        try:
            known = url is None or make_url(url.get_secret_value()).drivername in ("sqlite", "postgresql+psycopg")
        except (ArgumentError, ValueError) as error:
            raise ValueError("it is not an address of a database") from error
        if not known:
            raise ValueError("the databases known are postgresql+psycopg and sqlite")
        return url

    @field_validator("store_endpoint", "replica_endpoint")
    @classmethod
    def _endpoint_is_bare(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and "/" in endpoint:
            raise ValueError("an endpoint has no scheme and no path")
        return endpoint

    @field_validator("recorder_roots")
    @classmethod
    def _roots_are_absolute(cls, roots: str | None) -> str | None:
        if roots is not None and not all(Path(root).is_absolute() for root in roots.split(":")):
            raise ValueError("each folder is written from / on")
        return roots

    @field_validator("allowed_networks")
    @classmethod
    def _networks_are_known(cls, networks: str | None) -> str | None:
        parse_networks(networks)
        return networks

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for group in ("store", "replica"):
            if getattr(self, f"{group}_folder") and getattr(self, f"{group}_endpoint"):
                folder, endpoint = variable(f"{group}_folder"), variable(f"{group}_endpoint")
                raise ValueError(f"{folder} and {endpoint} are both set: keep one of them.")
        oauth = ("camunda_client_id", "camunda_client_secret", "camunda_oauth_url")
        missing = [variable(name) for name in oauth if getattr(self, name) is None]
        if 0 < len(missing) < len(oauth):
            raise ValueError(f"OAuth is half set: set {' and '.join(missing)} too, or none of the three.")
        if self._replica_is_known() and same_place(self.store, self.replica):
            raise ValueError(
                "the replica store is the primary store: set FOOTAGE_DESK_REPLICA_FOLDER or "
                "FOOTAGE_DESK_REPLICA_ENDPOINT to another place, a backup beside the original is none."
            )
        return self

    def _replica_is_known(self) -> bool:
        return self.store_endpoint is None or self.replica_endpoint is not None or self.replica_folder is not None

    @property
    def embedded(self) -> bool:
        """Whether the engine runs inside this process."""
        return self.zeebe_address is None

    @property
    def gateway_address(self) -> str:
        """Where the engine's gateway listens, as ``host:port``."""
        return self.zeebe_address or f"{self.engine_host}:{self.engine_port}"

    @property
    def database(self) -> str:
        """The database's address for SQLAlchemy; it may hold a password, so it is never logged."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'register.db').absolute()}"

    @property
    def keys(self) -> Path:
        return self.keys_dir or self.data_dir / "keys"

    @property
    def portal_url(self) -> str:
        """The portal's address as people see it, without a slash at the end."""
        return (self.public_url or f"http://{self.portal_host}:{self.portal_port}").rstrip("/")

    @property
    def recorder_folders(self) -> tuple[Path, ...]:
        """The roots that a folder recorder may lie under: those set, the demo's own in a demo, or none."""
        if self.recorder_roots is not None:
            return tuple(Path(root) for root in self.recorder_roots.split(":"))
        return ((self.data_dir / "recordings").absolute(),) if self.demo else ()

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def store(self) -> StoreSettings:
        """Where masters, copies and quarantine are kept; raises SettingsError when S3 lacks its keys."""
        return self._store("store", self.data_dir / "store")

    @property
    def replica(self) -> StoreSettings:
        """Where backups are kept, never the primary; raises SettingsError when it is not known."""
        if not self._replica_is_known():
            raise SettingsError(
                f"{variable('replica_endpoint')} is not set: set it, or {variable('replica_folder')}, "
                "to a place for backups that is not the primary store."
            )
        return self._store("replica", self.data_dir / "replica")

    def _store(self, group: str, folder: Path) -> StoreSettings:
        prefix: str = getattr(self, f"{group}_prefix")
        if getattr(self, f"{group}_endpoint") is None:
            return FolderStore(path=getattr(self, f"{group}_folder") or folder, prefix=prefix)
        return S3Store(
            endpoint=self.needed(f"{group}_endpoint"),
            access_key=self.needed(f"{group}_access_key"),
            secret_key=self.needed(f"{group}_secret_key"),
            secure=getattr(self, f"{group}_secure"),
            region=getattr(self, f"{group}_region"),
            prefix=prefix,
            ca_file=getattr(self, f"{group}_ca_file"),
        )

    def needed(self, name: str) -> Any:
        """The setting ``name``; raises SettingsError, naming its variable and what to set, when it is not set."""
        value = getattr(self, name)
        if value is None:
            described = type(self).model_fields[name].description
            raise SettingsError(f"{variable(name)} is not set: set it to {described}.")
        return value


def variable(name: str) -> str:
    """The environment variable of the setting ``name``."""
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else PREFIX + name.upper()


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """A sentence for each ``FOOTAGE_DESK_`` variable that is no setting, with the name that was perhaps meant."""
    known = {variable(name) for name in Settings.model_fields}
    names = sorted(os.environ if environment is None else environment)
    sentences = []
    for name in names:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "remove it."
            sentences.append(f"{name} is not a setting: {hint}")
    return sentences


def _sentence(cls: type[Settings], problem: Mapping[str, Any]) -> str:
    """One problem of pydantic's as a sentence; the value stays out, it may be a secret."""
    cause = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return cause
    place = str(problem["loc"][0])
    for name, field in cls.model_fields.items():
        if place in (name, variable(name)):
            return f"{variable(name)} cannot be used ({cause}): set it to {field.description}."
    return f"{place} cannot be used: {cause}"
