"""Key files: readable by this account alone, written atomically, and overwritten when destroyed."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from services.runtime.errors import Fatal
from services.runtime.translations import Message
from services.vault.store.folder_files import sync_folder

_MODE = 0o600
_FOLDER_MODE = 0o700


class KeyUnusable(Fatal):
    """A key is missing, broken, or open to others."""

    runbook = "incidents-pending#keys"


def make_key_folder(folder: Path) -> None:
    """Create a folder with mode 0700; raises Fatal if an existing one is open to others."""
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    check_key_folder(folder)


def check_key_folder(folder: Path) -> None:
    """Raise Fatal if an existing folder is open to others."""
    if not folder.exists():
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        raise KeyUnusable(
            Message(
                "the key folder {folder} has mode {mode}, others can enter it: run `chmod 700 {folder}`.",
                folder=str(folder),
                mode=f"{mode:04o}",
            )
        )


def read_key_file(path: Path) -> str:
    """Read the file's text; raises Fatal if it is missing or open to others."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise KeyUnusable(
            Message(
                "the key file {file} cannot be read ({error}): restore it or name another.",
                file=str(path),
                error=error.strerror,
            )
        ) from error
    with os.fdopen(descriptor) as file:
        # The mode of the open file, so that it cannot be replaced between the check and the read.
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if mode & ~_MODE:
            raise KeyUnusable(
                Message(
                    "the key file {file} has mode {mode}, more than its owner's 0600: run `chmod 600 {file}`.",
                    file=str(path),
                    mode=f"{mode:04o}",
                )
            )
        return file.read()


def write_key_file(path: Path, text: str, *, mode: int = _MODE) -> bool:
    """Write a new file, synced before it gets its name; return False if it exists already."""
    try:
        with _on_disk(path, text, mode) as temporary:
            path.hardlink_to(temporary)
    except FileExistsError:
        return False
    sync_folder(path.parent)
    return True


def replace_key_file(path: Path, text: str, *, mode: int = _MODE) -> None:
    """Replace the file atomically."""
    with _on_disk(path, text, mode) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


@contextmanager
def _on_disk(path: Path, text: str, mode: int) -> Iterator[Path]:
    """Write the text to a temporary file beside ``path``, synced; remove it afterwards."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def shred(path: Path) -> bool:
    """Overwrite and remove the file, syncing each step; return False if there was none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        os.write(descriptor, secrets.token_bytes(os.fstat(descriptor).st_size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def leftovers(path: Path) -> list[Path]:
    """List the temporary files that interrupted writers of this file have left."""
    return sorted(path.parent.glob(f".{path.name}.*"))


def remove_second_names(path: Path) -> None:
    """Remove other hard links to this file, which an interrupted writer has left."""
    for leftover in leftovers(path):
        with suppress(FileNotFoundError):
            if leftover.samefile(path):
                leftover.unlink()
