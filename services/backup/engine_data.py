"""The embedded engine's data file. Only one process may open it, so the engine is stopped for a copy."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from services.backup.bundle import Bundle, BundleWriter
from services.engine.state.store import FILE_NAME
from services.runtime.errors import Fatal

MEMBER = f"engine/{FILE_NAME}"
_BLOCK = 1 << 20


@contextmanager
def locked(folder: Path) -> Iterator[Path | None]:
    """Lock the engine's file against engines while the block runs; None if there is no file.

    Raises Fatal while an engine has it open.
    """
    path = folder / FILE_NAME
    if not path.exists():
        yield None
        return
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM counters").fetchone()  # takes the lock
        except sqlite3.OperationalError as error:
            raise Fatal(
                f"no backup was made | {path} | the engine runs and has it open ({error}) | stop the engine first, it "
                "continues where it stopped; or back up without it: --without-engine"
            ) from error
        yield path


def dump(path: Path, out: BundleWriter) -> None:
    """Copy the file, with the content of its write-ahead log, into the backup."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / FILE_NAME
        with closing(sqlite3.connect(path, timeout=0)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # a single file, complete without a log
        with out.member(MEMBER) as member, copy.open("rb") as file:
            while block := file.read(_BLOCK):
                member.write(block)


def check_absent(folder: Path) -> None:
    """Raise Fatal if an engine has written there."""
    if (folder / FILE_NAME).exists():
        raise Fatal(
            f"nothing was restored | {folder / FILE_NAME} | an engine has data there, which is never replaced | "
            "restore into another FOOTAGE_DESK_DATA_DIR, or move that folder away first"
        )


@contextmanager
def staged(bundle: Bundle, folder: Path) -> Iterator[None]:
    """Write the engine's file under a temporary name; rename it when the block has succeeded."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{FILE_NAME}.restoring"
    try:
        with bundle.open(MEMBER) as file, temporary.open("wb") as out:
            while block := file.read(_BLOCK):
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        yield
        temporary.rename(folder / FILE_NAME)
    finally:
        temporary.unlink(missing_ok=True)
