"""Write the ZIP of a package, member by member, in the structure that ``services.verifier.members`` reads."""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from services.runtime.errors import Fatal
from services.vault.store.folder_files import sync_folder
from services.verifier import members
from services.verifier.members import Member

PIECE = 1 << 20
Chunks = Callable[[], Iterable[bytes | memoryview]]


class Writer(Protocol):
    """What members are written to, in order."""

    written: list[tuple[Member, str]]

    def add(self, name: str, data: bytes) -> str:
        """Add a member with these bytes; return its SHA-256."""
        ...

    def stream(self, name: str, size: int, chunks: Chunks) -> str:
        """Add a member of ``size`` bytes; return its SHA-256. Fatal if the size differs.

        ``chunks`` may be called twice, and then has to give the same bytes.
        """
        ...


class ArchiveWriter:
    """Writes members to a file; made by ``new_archive``. ``written`` has each with its SHA-256, in order."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.written: list[tuple[Member, str]] = []

    def add(self, name: str, data: bytes) -> str:
        return self.stream(name, len(data), lambda: [data])

    def stream(self, name: str, size: int, chunks: Chunks) -> str:
        members.check_name(name)
        offset = self._out.tell()
        self._out.write(members.local(name, size, 0))
        sha256, crc = _copy(name, size, chunks(), self._out.write)
        position = self._out.tell()
        self._out.seek(offset)
        self._out.write(members.local(name, size, crc))
        self._out.seek(position)
        self.written.append((Member(name, size, crc, offset), sha256))
        return sha256

    def finish(self) -> None:
        """Write the central directory; nothing can be added afterwards."""
        self._out.write(_ending(self.written, self._out.tell()))
        self._out.flush()


class StreamWriter:
    """Writes members to where nobody can go back: the bytes of a member are read once before, for its header.

    So a package needs neither memory nor a file of its size, and is nowhere in clear.
    """

    def __init__(self, write: Callable[[bytes | memoryview], object]) -> None:
        self._to = write
        self._position = 0
        self.written: list[tuple[Member, str]] = []

    def add(self, name: str, data: bytes) -> str:
        return self.stream(name, len(data), lambda: _pieces(data))

    def stream(self, name: str, size: int, chunks: Chunks) -> str:
        members.check_name(name)
        before, crc = _copy(name, size, chunks(), lambda _: None)
        offset = self._position
        self._write(members.local(name, size, crc))
        sha256, _ = _copy(name, size, chunks(), self._write)
        if sha256 != before:
            raise Fatal(
                f"no package was made | {name} | its bytes changed while it was read | make the package again; run the "
                "vault's integrity check if it happens again"
            )
        self.written.append((Member(name, size, crc, offset), sha256))
        return sha256

    def finish(self) -> None:
        """Write the central directory; nothing can be added afterwards."""
        self._write(_ending(self.written, self._position))

    def _write(self, data: bytes | memoryview) -> None:
        self._to(data)
        self._position += len(data)


def _pieces(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    return (view[at : at + PIECE] for at in range(0, len(view), PIECE))


def _copy(
    name: str, size: int, chunks: Iterable[bytes | memoryview], write: Callable[[bytes | memoryview], object]
) -> tuple[str, int]:
    """Write the chunks; return SHA-256 and CRC of them all. Fatal if they are not of this size."""
    digest, crc, received = hashlib.sha256(), 0, 0
    for chunk in chunks:
        digest.update(chunk)
        crc = zlib.crc32(chunk, crc)
        received += len(chunk)
        write(chunk)
    if received != size:
        raise Fatal(
            f"no package was made | {name} | it has {received} bytes instead of {size} | "
            "run the vault's integrity check of this object"
        )
    return digest.hexdigest(), crc


def _ending(written: Sequence[tuple[Member, str]], offset: int) -> bytes:
    directory = members.directory([member for member, _ in written])
    return directory + members.end(len(written), len(directory), offset)


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
