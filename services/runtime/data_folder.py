"""The data folder: its lock, since SQLite allows one process, and its clock."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from services.runtime.clock import Clock, SystemClock, TurnedClock
from services.runtime.errors import Fatal
from services.runtime.settings import Settings


def prepare(folder: Path) -> None:
    """Make the folder if it is missing; raises Fatal if this account may not write there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error.strerror or type(error).__name__) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _not_writable(folder, "this account may not write there")


def _not_writable(folder: Path, cause: str) -> Fatal:
    return Fatal(
        f"could not write | {folder.absolute()} | {cause} | give the folder to the account that runs this, or set "
        "FOOTAGE_DESK_DATA_DIR to another one"
    )


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Lock ``folder`` while the block runs; raises Fatal if another process has it.

    The lock ends with the process, however it ends.
    """
    prepare(folder)
    with (folder / "process.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Fatal(
                f"could not start | {folder.absolute()} | another process uses this folder, and SQLite allows one | "
                "stop that process, set FOOTAGE_DESK_DATA_DIR to another folder, or set FOOTAGE_DESK_DATABASE_URL to a "
                "PostgreSQL database"
            ) from None
        yield


def exclusive(settings: Settings) -> AbstractContextManager[None]:
    """Lock a SQLite database against other processes; PostgreSQL needs no lock."""
    return only_process(settings.data_dir) if settings.database.startswith("sqlite") else nullcontext()


def clock_of(folder: Path, *, demo: bool) -> Clock:
    """Return a demo's clock or the machine's; Fatal if a demo has turned the clock before."""
    turned = TurnedClock(folder / "clock.json")
    if demo:
        return turned
    if turned.turned:
        ahead = turned.offset.total_seconds() / 86400
        raise Fatal(
            f"could not start | {folder.absolute()} | a demo has turned the database's clock {ahead:.1f} days ahead, "
            "the machine's clock would run behind it | start it with --demo, or set FOOTAGE_DESK_DATA_DIR to another "
            "folder"
        )
    return SystemClock()
