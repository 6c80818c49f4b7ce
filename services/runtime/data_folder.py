"""The data folder: who may read it, its lock, since SQLite allows one process, and its clock."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from services.runtime.clock import Clock, SystemClock, TurnedClock
from services.runtime.errors import Fatal
from services.runtime.logs import get_logger
from services.runtime.settings import Settings
from services.runtime.translations import Message, Text

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


def check_modes(folder: Path, shut: Iterable[Path] = ()) -> None:
    """Raise Fatal if others may read or enter anything in the folder, or what its links lead to; writes nothing.

    A file of another account is open to that account, whatever its mode. A hard link needs no check of its own: mode
    and owner are the file's, by each of its names. ``folder`` may be a single file.

    ``shut``: folders of which mode, owner and links are checked and nothing else. Where nobody else may enter one, what
    lies in it is out of reach, whatever its own mode; a store has millions of objects there.
    """
    own = {0, os.geteuid(), *([] if os.geteuid() else [folder.stat().st_uid])}  # root reads everything
    for path, facts in _entries(folder, follow=True, shut=shut):
        mode = stat.S_IMODE(facts.st_mode)
        if facts.st_uid not in own:
            cause = Message("it belongs to another account, of the number {account}", account=facts.st_uid)
            way = Message("give it to the account that runs this, with chown")
            raise _open_to_others_error(path, folder, cause, way)
        if mode & OTHERS:
            cause = Message("it has mode {mode}, and others than its owner can reach it", mode=f"{mode:04o}")
            raise _open_to_others_error(path, folder, cause)


def narrow_modes(folder: Path) -> None:
    """Take all rights of others from what lies in the folder, and log it once.

    For an installation from before modes were checked. Raises Fatal for what this account cannot narrow, and for what
    is open to others behind a link: it lies elsewhere, and is not ours to change.
    """
    paths = [path for path, facts in _entries(folder) if stat.S_IMODE(facts.st_mode) & OTHERS]
    for path in paths:
        try:
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)
        except OSError as error:
            cause = Message("its mode cannot be narrowed ({error})", error=error.strerror or type(error).__name__)
            raise _open_to_others_error(path, folder, cause) from error
    check_modes(folder)  # a file system without modes accepts the call and changes nothing
    if paths:
        log.warning("took the rights of others from the data folder", folder=str(folder.absolute()), paths=len(paths))


def _entries(folder: Path, *, follow: bool = False, shut: Iterable[Path] = ()) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the folder and all below it, with their facts; with ``follow`` also what links there lead to, once each.

    Of what lies in a folder of ``shut`` only what its links lead to is yielded: a listing tells links without asking
    for the facts of each entry.
    """
    seen = set[tuple[int, int]]()
    closed = {_identity(path) for path in shut}
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            facts = path.stat()
            if not follow and path != folder and path.is_symlink():
                continue
            if follow and (facts.st_dev, facts.st_ino) in seen:
                continue
            seen.add((facts.st_dev, facts.st_ino))
            yield path, facts
            if stat.S_ISDIR(facts.st_mode):
                links_alone = (facts.st_dev, facts.st_ino) in closed
                with os.scandir(path) as entries:
                    waiting += [Path(entry) for entry in entries if not links_alone or entry.is_symlink()]
        except OSError as error:  # another process has removed it, a link leads nowhere or where we may not go
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES):
                raise


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what is the same by each name of a file; None for what is not there, or where we may not go."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _open_to_others_error(path: Path, folder: Path, cause: Text, way: Text | None = None) -> Fatal:
    place = folder if path.is_relative_to(folder) and not _is_behind_link(path, folder) else path.resolve()
    way = way or Message("run `chmod -R go= {place}` as the owner of all of it", place=str(place.absolute()))
    values: dict[str, Text | str] = {"path": str(path.absolute()), "cause": cause, "way": way}
    if folder.is_dir():
        return Fatal(Message("the data folder is open to others | {path} | {cause} | {way}", **values))
    return Fatal(Message("the database is open to others | {path} | {cause} | {way}", **values))


def _is_behind_link(path: Path, folder: Path) -> bool:
    return not path.resolve().is_relative_to(folder.resolve())


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
    return only_process(settings.data_dir) if settings.database_address.startswith("sqlite") else nullcontext()


def clock_of(folder: Path, *, demo: bool) -> Clock:
    """Return a demo's clock or the machine's; Fatal if a demo has turned the clock before."""
    turned = TurnedClock(folder / "clock.json")
    if demo:
        return turned
    if turned.turned:
        ahead = turned.offset.total_seconds() / 86400
        raise Fatal(
            Message(
                "could not start | {folder} | a demo has turned the database's clock {days} days ahead, the machine's "
                "clock would run behind it | start it with --demo, or set FOOTAGE_DESK_DATA_DIR to another folder",
                folder=str(folder.absolute()),
                days=f"{ahead:.1f}",
            )
        )
    return SystemClock()
