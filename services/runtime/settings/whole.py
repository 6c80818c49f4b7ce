"""Every setting of Footage Desk in one typed class, read from the environment (docs/architecture.md, "How it runs").

Names have the prefix ``FOOTAGE_DESK_`` and two underscores between a part and what is in it: ``store.endpoint`` is
``FOOTAGE_DESK_STORE__ENDPOINT``. The engine's are the ones that Camunda's clients know. Durations are ISO 8601
(``PT24H``). An empty variable counts as not set. What has no safe default is ``None``; ``needed`` demands it.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from functools import cache, reduce
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AliasChoices, BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.addresses import parse_networks
from services.runtime.settings.database import DatabaseSettings
from services.runtime.settings.directory import DirectorySettings
from services.runtime.settings.evidence import AuditSettings, TimeStampSettings
from services.runtime.settings.kinds import Part
from services.runtime.settings.maintenance import MaintenanceSettings
from services.runtime.settings.names import RENAMED
from services.runtime.settings.notices import NoticeSettings
from services.runtime.settings.portal import PortalSettings, ProviderSettings
from services.runtime.settings.process import (
    ConfinementSettings,
    EngineSettings,
    HealthSettings,
    LogSettings,
    RecorderSettings,
    TracingSettings,
    WorkerSettings,
)
from services.runtime.settings.rules import RuleSettings
from services.runtime.settings.stores import (
    FolderStore,
    ReplicaSettings,
    S3Store,
    StorePlace,
    StoreSettings,
    same_place,
)
from services.runtime.translations import Message, Text, Verbatim

PREFIX = "FOOTAGE_DESK_"
DELIMITER = "__"


class SettingsError(ValueError):
    """The settings are invalid; the text has a sentence for each variable, and never a value."""

    def __init__(self, message: str | Text) -> None:
        super().__init__(str(message))
        self.message = Verbatim(message) if isinstance(message, str) else message


def _camunda(*names: str, **arguments: Any) -> Any:
    """A field that is read from the names of Camunda's clients; code and tests pass it by its own name."""
    return Field(default=None, validation_alias=AliasChoices(*names), **arguments)


class Settings(BaseSettings):
    """All settings; ``Settings.load()`` is the way to read them, with errors as sentences."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        frozen=True,
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
    threads: int = Field(8, ge=1, description="how many blocking calls may run at once")
    allowed_networks: str | None = Field(
        None,
        description="networks of this machine or its link in which recorders and webhooks are allowed, "
        "with commas between: 127.0.0.0/8",
    )

    # The engine of a cluster; without an address the embedded one runs, on a socket in the data folder.
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
    camunda_token_scope: str | None = _camunda(
        "CAMUNDA_TOKEN_SCOPE", description="the OAuth scope, if the provider requires one"
    )

    database: DatabaseSettings = DatabaseSettings()
    engine: EngineSettings = EngineSettings()
    store: StoreSettings = StoreSettings()
    replica: ReplicaSettings = ReplicaSettings()
    portal: PortalSettings = PortalSettings()
    oidc: ProviderSettings = ProviderSettings()
    directory: DirectorySettings = DirectorySettings()
    notices: NoticeSettings = NoticeSettings()
    health: HealthSettings = HealthSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    recorders: RecorderSettings = RecorderSettings()
    confinement: ConfinementSettings = ConfinementSettings()
    audit: AuditSettings = AuditSettings()
    time_stamp: TimeStampSettings = TimeStampSettings()
    rules: RuleSettings = RuleSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    workers: WorkerSettings = WorkerSettings()

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment; ``overrides`` win: ``rules={"max_items": 5}``, or with dots ``{"rules.max_items": 5}``.

        Raises SettingsError with a sentence for each wrong variable.
        """
        given = _nested(overrides)
        sentences = _refused_variables(os.environ)
        if not sentences:
            try:
                return cls(**given)
            except ValidationError as error:
                sentences = [_sentence(dict(problem)) for problem in error.errors()]
        raise SettingsError("\n".join(sentences)) from None

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
        if url is None:
            return None
        from sqlalchemy import make_url  # noqa: PLC0415 - 0.3 s of the processor in a command that opens no database
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - as above

        try:
            known = make_url(url.get_secret_value()).drivername in ("sqlite", "postgresql+psycopg")
        except (ArgumentError, ValueError) as error:
            raise ValueError("it is not an address of a database") from error
        if not known:
            raise ValueError("the databases known are postgresql+psycopg and sqlite")
        return url

    @field_validator("allowed_networks")
    @classmethod
    def _networks_are_known(cls, networks: str | None) -> str | None:
        parse_networks(networks)
        return networks

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for group, part in (("store", self.store), ("replica", self.replica)):
            if part.folder and part.endpoint:
                folder, endpoint = variable(f"{group}.folder"), variable(f"{group}.endpoint")
                raise ValueError(f"{folder} and {endpoint} are both set: keep one of them.")
        oauth = ("camunda_client_id", "camunda_client_secret", "camunda_oauth_url")
        missing = [variable(name) for name in oauth if getattr(self, name) is None]
        if 0 < len(missing) < len(oauth):
            raise ValueError(f"OAuth is half set: set {' and '.join(missing)} too, or none of the three.")
        if self._replica_is_known() and same_place(self.store_place, self.replica_place):
            raise ValueError(
                f"the replica store is the primary store: set {variable('replica.folder')} or "
                f"{variable('replica.endpoint')} to another place, a backup beside the original is none."
            )
        if self.oidc.issuer is not None:
            # It leads people back to the public address.
            needed = ("oidc.client_id", "oidc.client_secret", "portal.public_url")
            missing = [variable(name) for name in needed if self._value(name) is None]
            if missing:
                raise ValueError(f"{variable('oidc.issuer')} is set: set {' and '.join(missing)} too.")
        return self

    def _replica_is_known(self) -> bool:
        return self.store.endpoint is None or self.replica.endpoint is not None or self.replica.folder is not None

    @property
    def embedded(self) -> bool:
        """Whether the engine runs inside this process."""
        return self.zeebe_address is None

    @property
    def gateway_address(self) -> str:
        """The address of the engine's gateway, as ``host:port`` or ``unix:PATH``."""
        return self.zeebe_address or f"unix:{(self.data_dir / 'engine' / 'gateway.socket').absolute()}"

    @property
    def engine_token_file(self) -> Path:
        """The file with the token of an engine that runs apart; by default where it makes its own."""
        return self.engine.token_file or self.data_dir / "engine" / "gateway.token"

    @property
    def database_address(self) -> str:
        """The database's address for SQLAlchemy; it may hold a password, so it is never logged."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'database.sqlite3').absolute()}"

    @property
    def keys(self) -> Path:
        return self.keys_dir or self.data_dir / "keys"

    @property
    def recorder_folders(self) -> tuple[Path, ...]:
        """The roots that a folder recorder may lie under: those set, the demo's own in a demo, or none."""
        if self.recorders.roots is not None:
            return tuple(Path(root) for root in self.recorders.roots.split(":"))
        data = self.data_dir.absolute()
        return (data / "recordings", data / "recorders") if self.demo else ()

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def store_place(self) -> StorePlace:
        """Return the store of masters, copies and quarantine; raises SettingsError if S3 lacks its keys."""
        return self._place("store", self.store, self.data_dir / "store")

    @property
    def replica_place(self) -> StorePlace:
        """Return the store of backups, never the primary; raises SettingsError if it is not set."""
        if not self._replica_is_known():
            raise SettingsError(
                Message(
                    "{endpoint} is not set: set it, or {folder}, to a place for backups that is not the primary store.",
                    endpoint=variable("replica.endpoint"),
                    folder=variable("replica.folder"),
                )
            )
        return self._place("replica", self.replica, self.data_dir / "replica")

    def _place(self, group: Literal["store", "replica"], part: StoreSettings, folder: Path) -> StorePlace:
        if part.endpoint is None:
            return FolderStore(path=part.folder or folder, prefix=part.prefix)
        return S3Store(
            endpoint=part.endpoint,
            access_key=self.needed(f"{group}.access_key"),
            secret_key=self.needed(f"{group}.secret_key"),
            secure=part.secure,
            region=part.region,
            prefix=part.prefix,
            ca_file=part.ca_file,
            metrics_token=part.metrics_token,
        )

    def needed(self, path: str) -> Any:
        """Return the setting at ``path``; raises SettingsError, with its variable, if not set."""
        value = self._value(path)
        if value is None:
            raise SettingsError(
                Message(
                    "{variable} is not set: set it to {description}.",
                    variable=variable(path),
                    description=str(all_settings()[path].description),
                )
            )
        return value

    def is_given(self, path: str) -> bool:
        """Whether the setting at ``path`` was set, be it to its default."""
        *parts, name = path.split(".")
        part: BaseModel = reduce(getattr, parts, self)
        return name in part.model_fields_set

    def _value(self, path: str) -> Any:
        return reduce(getattr, path.split("."), self)


@cache
def all_settings() -> Mapping[str, FieldInfo]:
    """Every setting by its path, such as ``store.endpoint``, in the order of docs/settings.md."""
    return dict(_leaves(Settings, ""))


@cache
def _parts() -> frozenset[str]:
    """The paths of the parts: ``store``, ``notices``, ``notices.mail`` …"""
    return frozenset(path[:at] for path in all_settings() for at, sign in enumerate(path) if sign == ".")


def _leaves(model: type[BaseModel], path: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Part):
            yield from _leaves(field.annotation, f"{path}{name}.")
        else:
            yield path + name, field


def variable(path: str) -> str:
    """Return the environment variable of the setting at ``path``; KeyError."""
    alias = all_settings()[path].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else _prefixed(path)


def _prefixed(path: str) -> str:
    return PREFIX + path.upper().replace(".", DELIMITER)


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[Text]:
    """Return a sentence for each unknown ``FOOTAGE_DESK_`` variable, with a similar name."""
    known = {variable(path) for path in all_settings()}
    names = sorted(os.environ if environment is None else environment)
    sentences: list[Text] = []
    for name in names:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            sentences.append(
                Message("{name} is not a setting: did you mean {near}?", name=name, near=near[0])
                if near
                else Message("{name} is not a setting: remove it.", name=name)
            )
    return sentences


def _refused_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable with a former name, or the name of a part."""
    former = {_prefixed(old): variable(new) for old, new in RENAMED.items()}
    parts = {_prefixed(path): path for path in _parts()}
    sentences = []
    for name in sorted(name for name, value in environment.items() if value):
        if name in former:
            sentences.append(f"{name} has a new name: set {former[name]} instead.")
        elif name in parts:
            first = next(variable(path) for path in all_settings() if path.startswith(f"{parts[name]}."))
            sentences.append(f"{name} is a part with settings of its own: set each by itself, such as {first}.")
    return sentences


def _nested(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Nest overrides with dots; TypeError for an unknown setting."""
    nested: dict[str, Any] = {}
    for path, value in overrides.items():
        *parts, name = path.split(".")
        place = nested
        for part in parts:
            place = place.setdefault(part, {})
        if isinstance(value, dict):
            place.setdefault(name, {}).update(value)
        else:
            place[name] = value
    unknown = set(_paths(nested, "")) - all_settings().keys() - _parts()
    if unknown:
        raise TypeError(f"no such settings: {', '.join(sorted(unknown))}")
    return nested


def _paths(nested: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, value in nested.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{path}{name}.")
        else:
            yield path + name


def _sentence(problem: Mapping[str, Any]) -> str:
    """Turn a problem of pydantic's into a sentence, without the value, which may be a secret."""
    cause = str(problem["msg"]).removeprefix("Value error, ")
    place = ".".join(str(name) for name in problem["loc"])
    if not place or place in _parts():
        return cause
    for path, field in all_settings().items():
        if place in (path, variable(path)):
            return f"{variable(path)} cannot be used ({cause}): set it to {field.description}."
    return f"{place} cannot be used: {cause}"
