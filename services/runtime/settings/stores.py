"""The stores of footage and backups: a folder, or an S3 server with object lock."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from services.runtime.ca_file import CaFile
from services.runtime.settings.kinds import Part


class StoreSettings(Part):
    """The store of masters, copies and quarantine."""

    folder: Path | None = Field(default=None, description="a folder for footage")
    endpoint: str | None = Field(default=None, description="host and port of an S3 server, without https://")
    access_key: str | None = Field(default=None, description="the S3 access key")
    secret_key: SecretStr | None = Field(default=None, description="the S3 secret key")
    secure: bool = Field(default=True, description="true for TLS, or false")
    region: str | None = Field(default=None, description="the S3 region, such as us-east-1")
    prefix: str = Field(default="footage-desk", description="the beginning of every bucket's name")
    ca_file: CaFile | None = Field(default=None, description="a PEM file with the S3 server's certificate authority")
    metrics_token: SecretStr | None = Field(
        default=None,
        description="the bearer token of MinIO's metrics (`mc admin prometheus generate`), by which the disks and the "
        "free space of the store are read",
    )

    @field_validator("metrics_token")
    @classmethod
    def _token_is_one_word(cls, token: SecretStr | None) -> SecretStr | None:
        text = token.get_secret_value() if token is not None else "t"
        if not (text.isascii() and text.isprintable() and " " not in text and text):
            raise ValueError("a token is one word of letters, digits and signs")
        return token

    @field_validator("endpoint")
    @classmethod
    def _endpoint_is_bare(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and "/" in endpoint:
            raise ValueError("an endpoint has no scheme and no path")
        return endpoint


class ReplicaSettings(StoreSettings):
    """The store of backups."""

    folder: Path | None = Field(default=None, description="a folder for backups, on another disk than the store")
    endpoint: str | None = Field(default=None, description="host and port of another S3 server, without https://")
    prefix: str = Field(default="footage-desk-replica", description="the beginning of every bucket's name")


@dataclass(frozen=True)
class FolderStore:
    """A folder with the rules of an S3 store with object lock."""

    path: Path
    prefix: str


@dataclass(frozen=True)
class S3Store:
    """An S3 server; ``endpoint`` is ``host:port``, ``prefix`` begins every bucket's name."""

    endpoint: str
    access_key: str
    secret_key: SecretStr
    secure: bool
    region: str | None
    prefix: str
    ca_file: Path | None
    metrics_token: SecretStr | None = None


StorePlace = FolderStore | S3Store


def same_place(left: StorePlace, right: StorePlace) -> bool:
    """Return whether two stores share their objects: the same buckets of one server, or nested folders."""
    if isinstance(left, FolderStore) and isinstance(right, FolderStore):
        first, second = left.path.resolve(), right.path.resolve()
        return first.is_relative_to(second) or second.is_relative_to(first)
    if isinstance(left, S3Store) and isinstance(right, S3Store):
        return (left.endpoint.lower(), left.prefix) == (right.endpoint.lower(), right.prefix)
    return False
