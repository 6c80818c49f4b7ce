"""The files behind the folder store: written whole and synced, or not there; and what their errors mean."""

import errno
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from services.vault.store import HashedSource, Source, StoreDown, StoreRefused

DATA = "data"
FACTS = "facts.json"
BLOCK = 1 << 20

_LATER = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ENOTCONN, errno.EINTR}


@dataclass(frozen=True)
class Facts:
    """What the store knows of one object besides its bytes."""

    version_id: str
    size: int
    etag: str
    content_type: str
    metadata: dict[str, str]
    tags: dict[str, str]
    legal_hold: bool
    retain_until: datetime | None
    created: datetime

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The facts in ``folder``, None when there is no object."""
        try:
            fields = json.loads((folder / FACTS).read_bytes())
        except FileNotFoundError:
            return None
        until = fields["retain_until"]
        fields["retain_until"] = None if until is None else datetime.fromisoformat(until)
        fields["created"] = datetime.fromisoformat(fields["created"])
        return cls(**fields)

    def write(self, folder: Path) -> None:
        """Replace the facts in ``folder``, atomically."""
        fields = asdict(self)
        fields["retain_until"] = None if self.retain_until is None else self.retain_until.isoformat()
        fields["created"] = self.created.isoformat()
        write_file(folder / FACTS, json.dumps(fields, ensure_ascii=True, indent=1).encode())


def write_file(path: Path, content: bytes) -> None:
    """A small file, whole and on the disk, in place of what was there; mode 0600."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb", opener=_private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_object(path: Path, source: Source, what: str) -> tuple[int, str]:
    """Copy ``source`` to a new file that nobody may write to afterwards; its size and SHA-256.

    What ``source`` raises passes through as it is; what the disk says is translated.
    """
    size, digest = 0, hashlib.sha256()
    hashed = isinstance(source, HashedSource)
    with on_disk(f"write {what}"):
        file = open(path, "xb", opener=_private)  # noqa: SIM115 - closed below; source errors must not be translated
    try:
        while block := source.read(2 * BLOCK):
            with on_disk(f"write {what}"):
                file.write(block)
            if not hashed:
                digest.update(block)
            size += len(block)
        with on_disk(f"write {what}"):
            file.flush()
            os.fchmod(file.fileno(), 0o400)
            os.fsync(file.fileno())
    finally:
        with on_disk(f"write {what}"):
            file.close()
    return size, source.sha256 if isinstance(source, HashedSource) else digest.hexdigest()


def blocks(path: Path, offset: int, length: int | None, what: str) -> Iterator[bytes]:
    """The bytes of a file from ``offset`` on, at most ``length``."""
    left = length
    with on_disk(f"read {what}"), path.open("rb") as file:
        file.seek(offset)
        while block := file.read(BLOCK if left is None else min(BLOCK, left)):
            if left is not None:
                left -= len(block)
            yield block


def sync_folder(folder: Path) -> None:
    """Put the names in ``folder`` on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def bucket_lock(bucket: Path) -> Iterator[None]:
    """One change of facts at a time, across threads and processes."""
    with on_disk(f"lock {bucket}"):
        file = (bucket / ".lock").open("ab")
    with file:
        with on_disk(f"lock {bucket}"):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def on_disk(act: str) -> Iterator[None]:
    """The disk's errors as the store's; ``act`` says what was tried, as in "write masters/1/1"."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if error.errno in _LATER:
            raise StoreDown(f"the store could not {act} ({reason}): free space or mend the disk.") from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise StoreRefused(
                f"the store could not {act} ({reason}): let this account write to {error.filename or 'the folder'}."
            ) from error
        raise StoreRefused(
            f"the store could not {act} ({reason}, {error.filename}): check the store's folder."
        ) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
