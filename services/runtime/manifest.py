"""The manifest of a data folder: what belongs to it, by which a start sees what is missing."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services.runtime.errors import Fatal
from services.runtime.translations import Message, Text

FILE_NAME = "installation.json"
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """What an installation has made in its data folder or beside it; what was never made is None, or not named.

    ``database`` is the hash of the first event of the audit trail, ``engine`` the identity in the engine's file,
    ``keys`` has the public fingerprint of each key, ``stores`` names the stores whose buckets were made.
    """

    database: str | None = None
    engine: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    stores: tuple[str, ...] = ()


def read_manifest(folder: Path) -> Manifest | None:
    """Read the folder's manifest; None if it has none. Raises Fatal for one that cannot be read."""
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, Message("it cannot be read ({error})", error=type(error).__name__)) from error
    written_format = content.pop("format", None) if isinstance(content, dict) else None
    if written_format != FORMAT:
        raise _unreadable(
            path,
            Message("it has format {format}, and this version reads {known}", format=str(written_format), known=FORMAT),
        )
    try:
        return Manifest(**{**content, "stores": tuple(content["stores"])})
    except (KeyError, TypeError) as error:
        raise _unreadable(path, Message("it is not what this version writes")) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the folder's manifest atomically, mode 0600; one that says the same stays as it is."""
    if read_manifest(folder) == manifest:
        return
    path = folder / FILE_NAME
    temporary = path.with_name(f".{FILE_NAME}.{os.getpid()}.new")  # processes that share the folder start at once
    with open(temporary, "w", encoding="utf-8", opener=_private) as file:
        json.dump({"format": FORMAT, **asdict(manifest)}, file, indent=1, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _unreadable(path: Path, why: Text) -> Fatal:
    return Fatal(
        Message(
            "could not read what belongs to the data folder | {file} | {why} | start the version that wrote it, or "
            "move this file away: the next start writes it again if the database agrees with what is there",
            file=str(path.absolute()),
            why=why,
        )
    )
