"""Writes the ZIP of a package, member by member, in the structure that ``services.verifier.members`` reads again."""

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from services.runtime.errors import Fatal
from services.vault.store.folder_files import sync_folder
from services.verifier import members
from services.verifier.members import Member


class ArchiveWriter:
    """Use ``new_archive``. ``written`` has each member and the SHA-256 of its bytes, in order."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.written: list[tuple[Member, str]] = []

    def add(self, name: str, data: bytes) -> str:
        """A member whose bytes are here; its SHA-256."""
        return self.stream(name, len(data), [data])

    def stream(self, name: str, size: int, chunks: Iterable[bytes]) -> str:
        """A member of ``size`` bytes that come one after another; its SHA-256. Fatal where other bytes come."""
        members.check_name(name)
        offset = self._out.tell()
        self._out.write(members.local(name, size, 0))
        digest, crc, got = hashlib.sha256(), 0, 0
        for chunk in chunks:
            digest.update(chunk)
            crc = zlib.crc32(chunk, crc)
            got += len(chunk)
            self._out.write(chunk)
        if got != size:
            raise Fatal(
                f"no package was made | {name} | {got} bytes came, and {size} were to come | "
                "look at the vault's integrity check of this object"
            )
        place = self._out.tell()
        self._out.seek(offset)
        self._out.write(members.local(name, size, crc))
        self._out.seek(place)
        self.written.append((Member(name, size, crc, offset), digest.hexdigest()))
        return digest.hexdigest()

    def finish(self) -> None:
        """Write the directory; nothing can be added afterwards."""
        offset = self._out.tell()
        directory = members.directory([member for member, _ in self.written])
        self._out.write(directory)
        self._out.write(members.end(len(self.written), len(directory), offset))
        self._out.flush()


def partial_of(target: Path) -> Path:
    """Where a package lies until it has its name."""
    return target.with_name(f".{target.name}.partial")


@contextmanager
def new_archive(target: Path) -> Iterator[ArchiveWriter]:
    """A package on its way to ``target``, mode 0600; it has its name when the block has ended well, else nothing stays.

    Raises Fatal where something is there, or where it cannot be written.
    """
    partial = partial_of(target)
    if target.exists():
        raise Fatal(
            f"no package was made | {target} | something is there, and a package is never overwritten | "
            "name another place with --out, or move that one away"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)  # of a run that was killed
        with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            writer = ArchiveWriter(file)
            yield writer
            file.flush()
            os.fsync(file.fileno())
        partial.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise Fatal(
            f"no package was made | {target} | {error.strerror or error} | make room there, or name another place"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
