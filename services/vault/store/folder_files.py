"""The files behind the folder store: written whole and synced, or not there; and what their errors mean."""

import errno
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Self

from services.runtime.translations import Message, Text
from services.vault.store.buffers import failed, fill, new_buffer
from services.vault.store.protocol import HashedSource, Source, StoreDown, StoreRefused

DATA = "data"
FACTS = "facts.json"
BLOCK = 1 << 20
BUFFER = 2 << 20  # larger ones were no faster, and two are held

_FULL = {errno.ENOSPC, errno.EDQUOT}
_LATER = {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ENOTCONN, errno.EINTR}


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
    with on_disk(f"write {what}"):
        file = open(path, "xb", buffering=0, opener=_private)  # noqa: SIM115 - closed below; its source has own errors
    try:
        size, digest = _write_all(file, source, what)
        with on_disk(f"write {what}"):
            os.fchmod(file.fileno(), 0o400)
            os.fsync(file.fileno())
    finally:
        with on_disk(f"write {what}"):
            file.close()
    return size, digest


def _write_all(file: FileIO, source: Source, what: str) -> tuple[int, str]:
    """One buffer is filled while the other is written, past the system's cache: what is sealed nobody reads soon, and
    to copy it there would cost more of the processor than to encrypt it."""
    size, digest = 0, hashlib.sha256()
    hashed = isinstance(source, HashedSource)
    buffer = new_buffer(BUFFER)
    filled = fill(buffer, source)
    if filled == len(buffer):
        _pass_the_cache(file, on=True)
    other = new_buffer(BUFFER)
    with ThreadPoolExecutor(1, thread_name_prefix="vault-disk") as writer:
        while filled:
            writing = writer.submit(_write, file, buffer[:filled], what)
            if not hashed:
                digest.update(buffer[:filled])
            size += filled
            filled = fill(other, source, until=failed(writing)) if filled == len(buffer) else 0
            writing.result()
            buffer, other = other, buffer
    return size, source.sha256 if isinstance(source, HashedSource) else digest.hexdigest()


def _write(file: FileIO, data: memoryview, what: str) -> None:
    with on_disk(f"write {what}"):
        if len(data) % BUFFER:
            _pass_the_cache(file, on=False)  # the end of a file need not fill a block of the disk
        while data:
            try:
                data = data[file.write(data) :]
            except OSError as error:
                # A disk that wants other places, or lengths, than it was given.
                if error.errno != errno.EINVAL or not _pass_the_cache(file, on=False):
                    raise


def _pass_the_cache(file: FileIO, *, on: bool) -> bool:
    """Whether the file was switched to or fro: not every system and file system can."""
    direct = getattr(os, "O_DIRECT", 0)
    try:
        flags = fcntl.fcntl(file.fileno(), fcntl.F_GETFL)
        wanted = flags | direct if on else flags & ~direct
        if wanted != flags:
            fcntl.fcntl(file.fileno(), fcntl.F_SETFL, wanted)
    except OSError:
        return False
    return wanted != flags


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
def on_disk(act: str | Text) -> Iterator[None]:
    """The disk's errors as the store's; ``act`` says what was tried, as in "write masters/1/1"."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if error.errno in _FULL:
            message = Message(
                "the store is full and could not {act} ({reason}): free space on its disk.", act=act, reason=reason
            )
            raise StoreDown(message, full=True) from error
        if error.errno in _LATER:
            raise StoreDown(
                Message("the store could not {act} ({reason}): mend the disk or its mount.", act=act, reason=reason)
            ) from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise StoreRefused(
                Message(
                    "the store could not {act} ({reason}): let this account write to {place}.",
                    act=act,
                    reason=reason,
                    place=str(error.filename) if error.filename else Message("the folder"),
                )
            ) from error
        raise StoreRefused(
            Message(
                "the store could not {act} ({reason}, {place}): check the store's folder.",
                act=act,
                reason=reason,
                place=str(error.filename),
            )
        ) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
