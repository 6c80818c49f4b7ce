"""The embedded engine's own file. It is open in one process only, so it is copied while the engine stands still."""

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
def standing_still(folder: Path) -> Iterator[Path | None]:
    """The engine's file, which no engine opens while the block runs; None where none was ever written.

    Raises Fatal while an engine has it open.
    """
    path = folder / FILE_NAME
    if not path.exists():
        yield None
        return
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM counters").fetchone()  # from here on it is held
        except sqlite3.OperationalError as error:
            raise Fatal(
                f"no backup was made | {path} | the engine runs and has it open ({error}) | stop the engine first, it "
                "goes on where it stopped; or take the books without it: --without-engine"
            ) from error
        yield path


def dump(path: Path, out: BundleWriter) -> None:
    """Copy the file, with what its write-ahead log holds, into the backup."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / FILE_NAME
        with closing(sqlite3.connect(path, timeout=0)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, whole by itself
        with out.member(MEMBER) as member, copy.open("rb") as file:
            while block := file.read(_BLOCK):
                member.write(block)


def check_absent(folder: Path) -> None:
    """Raises Fatal where an engine has written already."""
    if (folder / FILE_NAME).exists():
        raise Fatal(
            f"nothing was restored | {folder / FILE_NAME} | an engine has written there, and it is never replaced | "
            "restore into another FOOTAGE_DESK_DATA_DIR, or move that folder away first"
        )


@contextmanager
def staged(bundle: Bundle, folder: Path) -> Iterator[None]:
    """The engine's file beside its place while the block runs, and in its place once that has ended well."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting = folder / f"{FILE_NAME}.restoring"
    try:
        with bundle.open(MEMBER) as file, waiting.open("wb") as out:
            while block := file.read(_BLOCK):
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        yield
        waiting.rename(folder / FILE_NAME)
    finally:
        waiting.unlink(missing_ok=True)
