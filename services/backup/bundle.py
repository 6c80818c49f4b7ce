"""The format of a backup: a folder or a .zip with the same members, and a manifest with their hashes.

    manifest.json            facts about the backup, and size and SHA-256 of every other member
    database/<table>.jsonl   a table: its columns in the first line, then one row a line
    objects.jsonl            the inventory of the object stores, one object a line
    engine/engine.sqlite3    the embedded engine's state, if it was included
    clock.json               by how much a demo has turned its clock

Members are written once and in order; the backup gets its name when all of it is on the disk.
"""

import hashlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from services.runtime.errors import Fatal
from services.vault.store.folder_files import sync_folder

FORMAT = 1
MANIFEST = "manifest.json"
NEEDED = {"members", "schema", "tables", "engine", "madeAt"}
ZIP = ".zip"
UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error)
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


class BundleWriter:
    """Writes the members; made by ``new_bundle``. ``members`` has those that were written."""

    def __init__(self, place: Path, archive: zipfile.ZipFile | None) -> None:
        self._place = place
        self._archive = archive
        self.members: dict[str, dict[str, Any]] = {}

    @contextmanager
    def member(self, name: str) -> Iterator[_Hashed]:
        """Open a new member to write to; one at a time."""
        with ExitStack() as stack:
            if self._archive is not None:
                out = stack.enter_context(self._archive.open(name, "w", force_zip64=True))
            else:
                path = self._place / name
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                out = stack.enter_context(_private(path))
            hashed = _Hashed(out)
            yield hashed
            if self._archive is None:
                out.flush()
                os.fsync(out.fileno())
        self.members[name] = hashed.facts

    def finish(self, facts: dict[str, Any]) -> str:
        """Write the manifest; return its SHA-256, which identifies the whole backup."""
        manifest = {"format": FORMAT, **facts, "members": dict(self.members)}
        text = json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n"
        with self.member(MANIFEST) as out:
            out.write(text)
        return hashlib.sha256(text).hexdigest()


@contextmanager
def new_bundle(target: Path) -> Iterator[BundleWriter]:
    """Write a backup to ``target``, a folder or a name that ends with .zip; mode 0700 or 0600.

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
        if target.suffix == ZIP:
            with _private(partial) as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                    yield BundleWriter(partial, archive)
                file.flush()
                os.fsync(file.fileno())
        else:
            partial.mkdir(mode=0o700)
            yield BundleWriter(partial, None)
        partial.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise Fatal(
            f"no backup was made | {target} | {error.strerror or error} | make room there, or name another target"
        ) from error
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


class Bundle:
    """An existing backup. Raises Fatal if it is none, or has another format."""

    def __init__(self, place: Path) -> None:
        self.place = place
        try:
            self._archive = zipfile.ZipFile(place) if place.is_file() else None
            with self._raw(MANIFEST) as file:
                text = file.read()
            self.manifest: dict[str, Any] = json.loads(text)
            written_format = self.manifest["format"]
        except (*UNREADABLE, KeyError, ValueError, TypeError) as error:
            raise Fatal(
                f"nothing was restored | {place} | it has no readable {MANIFEST}, so it is not a complete "
                "backup | name the folder or .zip that footage-desk backup made"
            ) from error
        if written_format != FORMAT:
            raise Fatal(
                f"nothing was restored | {place} | it has format {written_format}, and this version reads {FORMAT} | "
                "restore it with the version that made it"
            )
        if lacking := NEEDED - set(self.manifest):
            raise self._damaged(MANIFEST, f"it lacks {', '.join(sorted(lacking))}")
        self.sha256 = hashlib.sha256(text).hexdigest()

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a member to read; raises Fatal if the manifest does not name it, or it is missing."""
        if name not in self.manifest["members"]:
            raise self._damaged(name, "the manifest does not name it")
        try:
            file = self._raw(name)
        except (OSError, KeyError) as error:
            raise self._damaged(name, "it is missing") from error
        with file:
            yield file

    def verify(self) -> int:
        """Read every member; return their number. Raises Fatal for the first that has changed."""
        for name, facts in self.manifest["members"].items():
            digest, size = hashlib.sha256(), 0
            try:
                with self.open(name) as file:
                    while block := file.read(_BLOCK):
                        digest.update(block)
                        size += len(block)
            except UNREADABLE as error:
                raise self._damaged(name, "it cannot be read") from error
            if (size, digest.hexdigest()) != (facts["bytes"], facts["sha256"]):
                raise self._damaged(name, "it has changed")
        return len(self.manifest["members"])

    def _raw(self, name: str) -> IO[bytes]:
        return self._archive.open(name) if self._archive is not None else (self.place / name).open("rb")

    def _damaged(self, name: str, why: str) -> Fatal:
        return Fatal(f"nothing was restored | {self.place}, {name} | {why} | take another backup")


def _private(path: Path) -> IO[bytes]:
    """Create a file that only this account can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
