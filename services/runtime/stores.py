"""What the settings say about a place where footage is kept: a folder, or an S3 server with object lock."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr


@dataclass(frozen=True)
class FolderStore:
    """A folder that keeps the same rules as an S3 store with object lock."""

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


StoreSettings = FolderStore | S3Store


def same_place(one: StoreSettings, other: StoreSettings) -> bool:
    """Whether two stores share their objects: the same buckets of one server, or folders that lie in each other."""
    if isinstance(one, FolderStore) and isinstance(other, FolderStore):
        first, second = one.path.resolve(), other.path.resolve()
        return first.is_relative_to(second) or second.is_relative_to(first)
    if isinstance(one, S3Store) and isinstance(other, S3Store):
        return (one.endpoint.lower(), one.prefix) == (other.endpoint.lower(), other.prefix)
    return False
