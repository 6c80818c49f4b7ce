"""The format of a backup: an encrypted archive with these members, and a manifest with their hashes.

    manifest.json            facts about the backup, and size and SHA-256 of every other member
    database/<table>.jsonl   a table: its columns in the first line, then one row a line
    objects.jsonl            the inventory of the object stores, one object a line
    engine/engine.sqlite3    the embedded engine's state, if it was included
    clock.json               by how much a demo has turned its clock

From format 2 on the archive is a .zip inside an age file: ``age --decrypt`` opens it, and one in clear is refused.
Format 1 was a folder or a .zip in clear, and is read where its SHA-256 is named. No other member than these is read,
and nothing outside the folder. Members are written once and in order; the backup gets its name when all of it is on
the disk.
"""

import hashlib
import io
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from services.runtime.errors import Fatal
from services.vault.age import AgeError, Encryptor, Reader
from services.vault.keys.vault_keys import FileIdentity
from services.vault.store.folder_files import sync_folder

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it from Python 3.12 on

FORMAT = 2
CLEAR = 1  # the format that was not encrypted
READABLE = (CLEAR, FORMAT)
AGE = b"age-encryption.org/v1\n"  # how such a file begins
MANIFEST = "manifest.json"
NEEDED = {"members", "schema", "tables", "engine", "madeAt"}
UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, AgeError)
LARGEST_MANIFEST = 16 << 20  # bytes
_NAMES = re.compile(r"objects\.jsonl|clock\.json|engine/engine\.sqlite3|database/[a-z][a-z0-9_]*\.jsonl")
_BLOCK = 1 << 20


class _Hashed:
    """Count and hash what is written."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._out.write(data)
        self._digest.update(data)
        self.size += len(data)

    @property
    def facts(self) -> dict[str, Any]:
        return {"bytes": self.size, "sha256": self._digest.hexdigest()}


class _Encrypted(io.RawIOBase):
    """Encrypt what is written, and write it on; ends with ``finish``."""

    def __init__(self, out: IO[bytes], recipients: Sequence[str]) -> None:
        super().__init__()
        self._out = out
        self._encryptor = Encryptor(recipients)
        out.write(self._encryptor.header)

    def writable(self) -> bool:
        return True

    def write(self, data: "Buffer", /) -> int:
        view = memoryview(data).cast("B")
        self._out.write(self._encryptor.update(view))
        return len(view)

    def finish(self) -> None:
        self._out.write(self._encryptor.finish())


class _Compared(io.RawIOBase):
    """Hash what is read of a member; at its end, or beyond its size, ``changed`` is raised if it is another."""

    def __init__(self, file: IO[bytes], facts: dict[str, Any], changed: Fatal) -> None:
        super().__init__()
        self._file, self._facts, self._changed = file, facts, changed
        self._digest = hashlib.sha256()
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        block = self._file.read(memoryview(buffer).nbytes)
        self._digest.update(block)
        self._size += len(block)
        ended = not block and (self._size, self._digest.hexdigest()) != (self._facts["bytes"], self._facts["sha256"])
        if ended or self._size > self._facts["bytes"]:
            raise self._changed
        memoryview(buffer).cast("B")[: len(block)] = block
        return len(block)


class BundleWriter:
    """Writes the members; made by ``new_bundle``. ``members`` has those that were written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.members: dict[str, dict[str, Any]] = {}

    @contextmanager
    def member(self, name: str) -> Iterator[_Hashed]:
        """Open a new member to write to; one at a time."""
        with self._archive.open(name, "w", force_zip64=True) as out:
            hashed = _Hashed(out)
            yield hashed
        self.members[name] = hashed.facts

    def finish(self, facts: dict[str, Any]) -> str:
        """Write the manifest; return its SHA-256, which identifies the whole backup."""
        manifest = {"format": FORMAT, **facts, "members": dict(self.members)}
        text = json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n"
        with self.member(MANIFEST) as out:
            out.write(text)
        return hashlib.sha256(text).hexdigest()


@contextmanager
def new_bundle(target: Path, recipients: Sequence[str]) -> Iterator[BundleWriter]:
    """Write a backup to the file ``target``, mode 0600, encrypted to ``recipients`` (``age1…``).

    It gets its name when the block succeeds; otherwise nothing remains. Raises Fatal if ``target`` exists.
    """
    partial = target.with_name(f".{target.name}.partial")
    for path in (target, partial):
        if path.exists():
            raise Fatal(
                f"no backup was made | {path} | it exists, and a backup is never overwritten | "
                "name another target, or move that one away"
            )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _private(partial) as file:
            encrypted = _Encrypted(file, recipients)
            with zipfile.ZipFile(cast("IO[bytes]", encrypted), "w", zipfile.ZIP_DEFLATED) as archive:
                yield BundleWriter(archive)
            encrypted.finish()
            file.flush()
            os.fsync(file.fileno())
        partial.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise Fatal(
            f"no backup was made | {target} | {error.strerror or error} | make room there, or name another target"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


class Bundle:
    """An existing backup; ``identity``: the file of the age identity that opens it. Raises Fatal if it is none."""

    def __init__(self, place: Path, identity: Path | None = None) -> None:
        self.place = place
        self.encrypted = False
        try:
            self._archive = zipfile.ZipFile(self._opened(identity)) if place.is_file() else None
            with self._raw(MANIFEST) as file:
                text = file.read(LARGEST_MANIFEST + 1)
            if len(text) > LARGEST_MANIFEST:
                raise ValueError("the manifest is too large")  # noqa: TRY301 - as one that is no JSON
            self.manifest: dict[str, Any] = json.loads(text)
            written_format = self.manifest["format"]
        except AgeError as error:
            raise Fatal(
                f"nothing was restored | {place} | {error} | name the identity of its recipient with --identity"
            ) from error
        except (*UNREADABLE, KeyError, ValueError, TypeError) as error:
            raise Fatal(
                f"nothing was restored | {place} | it has no readable {MANIFEST}, so it is not a complete "
                "backup | name what footage-desk backup made"
            ) from error
        if written_format not in READABLE:
            raise Fatal(
                f"nothing was restored | {place} | it has format {written_format}, and this version reads "
                f"{' and '.join(map(str, READABLE))} | restore it with the version that made it"
            )
        if written_format != CLEAR and not self.encrypted:
            raise Fatal(
                f"nothing was restored | {place} | it is in clear, and a backup of format {written_format} is "
                "encrypted: somebody has opened it, or made it | name the encrypted file that footage-desk backup made"
            )
        if lacking := NEEDED - set(self.manifest):
            raise self._damaged(MANIFEST, f"it lacks {', '.join(sorted(lacking))}")
        self._check_names()
        self.sha256 = hashlib.sha256(text).hexdigest()

    def _check_names(self) -> None:
        """Raise Fatal for a member or table that no backup has: a name may lead out of the backup."""
        members, tables = self.manifest["members"], self.manifest["tables"]
        if not isinstance(members, dict) or not isinstance(tables, dict):
            raise self._damaged(MANIFEST, "its members or tables are no list of names")
        for name in (*members, *(f"database/{table}.jsonl" for table in tables)):
            if _NAMES.fullmatch(name) is None:
                raise self._damaged(repr(name), "no backup has a member of this name")
        for name, facts in members.items():
            if not isinstance(facts, dict) or not {"bytes", "sha256"} <= set(facts):
                raise self._damaged(name, "the manifest does not say its size and SHA-256")

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a member to read; raises Fatal if the manifest does not name it, or it is missing.

        What is read is compared with the manifest at its end, each time: whoever can write where the backup is could
        exchange a member after `verify`. So nothing that was read counts before the block has ended.
        """
        if name not in self.manifest["members"]:
            raise self._damaged(name, "the manifest does not name it")
        try:
            file = self._raw(name)
        except (OSError, KeyError) as error:
            raise self._damaged(name, "it is missing") from error
        with file:
            compared = _Compared(file, self.manifest["members"][name], self._damaged(name, "it has changed"))
            reader = io.BufferedReader(compared, _BLOCK)
            yield reader
            while reader.read(_BLOCK):
                pass  # to the end, where it is compared

    def verify(self) -> int:
        """Read every member; return their number. Raises Fatal for the first that has changed."""
        for name in self.manifest["members"]:
            try:
                with self.open(name) as file:
                    while file.read(_BLOCK):
                        pass
            except UNREADABLE as error:
                raise self._damaged(name, "it cannot be read") from error
        return len(self.manifest["members"])

    def _opened(self, identity: Path | None) -> IO[bytes]:
        """Open the archive, decrypted if it is encrypted."""
        file = self.place.open("rb")
        start = os.pread(file.fileno(), len(AGE), 0)
        if start != AGE:
            return file
        self.encrypted = True
        if identity is None:
            raise Fatal(
                f"nothing was restored | {self.place} | it is encrypted | name the file of its recipient's identity "
                "with --identity: the escrow identity from the safe, unless the backup was made with --recipient"
            )
        size = os.fstat(file.fileno()).st_size
        reader = Reader(lambda offset, length: os.pread(file.fileno(), length, offset), size, FileIdentity(identity))
        return io.BufferedReader(reader, _BLOCK)

    def _raw(self, name: str) -> IO[bytes]:
        if self._archive is not None:
            return self._archive.open(name)
        path = self.place / name
        if path.is_file() and path.resolve() != self.place.resolve() / name:
            raise OSError(f"{path} is a link")
        return path.open("rb")

    def _damaged(self, name: str, why: str) -> Fatal:
        return Fatal(f"nothing was restored | {self.place}, {name} | {why} | take another backup")


def _private(path: Path) -> IO[bytes]:
    """Create a file that only this account can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
