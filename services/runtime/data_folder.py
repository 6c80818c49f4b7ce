"""The data folder: who may read it, its lock, since SQLite allows one process, and its clock."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from services.runtime.clock import Clock, SystemClock, TurnedClock
from services.runtime.errors import Fatal
from services.runtime.logs import get_logger
from services.runtime.settings import Settings

log = get_logger(__name__)

OTHERS = 0o077  # the bits of a mode that let anybody but the owner in


def prepare(folder: Path) -> None:
    """Make the folder if it is missing; raises Fatal if this account may not write there.

    What this process writes from then on has mode 0600 in 0700: SQLite, for one, asks for 0644.
    """
    os.umask(OTHERS)
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


def check_modes(folder: Path) -> None:
    """Raise Fatal if others may read or enter anything in the folder; writes nothing."""
    for path in _open_to_others(folder):
        mode = stat.S_IMODE(path.lstat().st_mode)
        raise _open_to_others_error(path, folder, f"it has mode {mode:04o}, and others than its owner can reach it")


def narrow_modes(folder: Path) -> None:
    """Take all rights of others from what lies in the folder, and log it once.

    For an installation from before modes were checked. Raises Fatal for what this account cannot narrow.
    """
    paths = list(_open_to_others(folder))
    for path in paths:
        try:
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)
        except OSError as error:
            cause = f"its mode cannot be narrowed ({error.strerror or type(error).__name__})"
            raise _open_to_others_error(path, folder, cause) from error
    if paths:
        check_modes(folder)  # a file system without modes accepts the call and changes nothing
        log.warning("took the rights of others from the data folder", folder=str(folder.absolute()), paths=len(paths))


def _open_to_others(folder: Path) -> Iterator[Path]:
    """Yield the folder and what lies below it, if anybody but the owner has a right to it. Follows no link."""
    if stat.S_IMODE(folder.stat().st_mode) & OTHERS:
        yield folder
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:  # another process has removed it
                continue
            if stat.S_IMODE(mode) & OTHERS and not stat.S_ISLNK(mode):
                yield path


def _open_to_others_error(path: Path, folder: Path, cause: str) -> Fatal:
    return Fatal(
        f"the data folder is open to others | {path.absolute()} | {cause} | run `chmod -R go= {folder.absolute()}` as "
        "the owner of all of it"
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
