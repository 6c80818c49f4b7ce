"""Write the ZIP of a package, member by member, in the structure that ``services.verifier.members`` reads."""

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
    """Writes members; made by ``new_archive``. ``written`` has each with the SHA-256 of its bytes, in order."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.written: list[tuple[Member, str]] = []

    def add(self, name: str, data: bytes) -> str:
        """Add a member with these bytes; return its SHA-256."""
        return self.stream(name, len(data), [data])

    def stream(self, name: str, size: int, chunks: Iterable[bytes]) -> str:
        """Add a member of ``size`` bytes from chunks; return its SHA-256. Fatal if the size differs."""
        members.check_name(name)
        offset = self._out.tell()
        self._out.write(members.local(name, size, 0))
        digest, crc, received = hashlib.sha256(), 0, 0
        for chunk in chunks:
            digest.update(chunk)
            crc = zlib.crc32(chunk, crc)
            received += len(chunk)
            self._out.write(chunk)
        if received != size:
            raise Fatal(
                f"no package was made | {name} | it has {received} bytes instead of {size} | "
                "run the vault's integrity check of this object"
            )
        position = self._out.tell()
        self._out.seek(offset)
        self._out.write(members.local(name, size, crc))
        self._out.seek(position)
        self.written.append((Member(name, size, crc, offset), digest.hexdigest()))
        return digest.hexdigest()

    def finish(self) -> None:
        """Write the central directory; nothing can be added afterwards."""
        offset = self._out.tell()
        directory = members.directory([member for member, _ in self.written])
        self._out.write(directory)
        self._out.write(members.end(len(self.written), len(directory), offset))
        self._out.flush()


def partial_of(target: Path) -> Path:
    """Return the temporary path of a package that is being written."""
    return target.with_name(f".{target.name}.partial")


@contextmanager
def new_archive(target: Path) -> Iterator[ArchiveWriter]:
    """Write a package to ``target``, mode 0600; it gets its name when the block succeeds, else nothing remains.

    Raises Fatal if ``target`` exists or cannot be written.
    """
    partial = partial_of(target)
    if target.exists():
        raise Fatal(
            f"no package was made | {target} | it exists, and a package is never overwritten | "
            "name another file with --out, or move that one away"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)  # left by a run that was killed
        with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            writer = ArchiveWriter(file)
            yield writer
            file.flush()
            os.fsync(file.fileno())
        partial.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise Fatal(
            f"no package was made | {target} | {error.strerror or error} | make room there, or name another file"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
