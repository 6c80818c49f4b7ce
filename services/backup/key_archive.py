"""Keys apart from the books: one age file for the keys that last, another for the loan keys that live now.

Both hold a JSON object, ``age -d`` opens them. Neither holds what belongs offline: escrow identity, root of the seal.
A file of loan keys is only as good as the newest one: it is replaced by the next, and a key that was destroyed does not
come back from an old one, because the restored books, the marks in the folder and the hold on the copy's object are
asked first.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.backup.bundle import FORMAT
from services.runtime.errors import Fatal
from services.vault.age import AgeError, Encryptor, KeyInvalid, Reader
from services.vault.keys.key_files import make_key_folder, read_key_file, shred, write_key_file
from services.vault.keys.signing_key import ROOT_FILE
from services.vault.keys.vault_keys import ESCROW_FILE, FileIdentity, LoanKeys

LOANS = "loans"
OFFLINE = (ESCROW_FILE, ROOT_FILE)
LASTING, LIVING = "keys", "loan-keys"
_KEY = ".key"


@dataclass(frozen=True)
class Archived:
    """The files of an archive: text and mode by their place under the keys folder."""

    made_at: str
    files: Mapping[str, tuple[str, int]]


def lasting(keys: Path) -> dict[str, tuple[str, int]]:
    """Every key file but loan keys and what belongs offline."""
    found = {}
    for path in sorted(keys.rglob("*")):
        name = path.relative_to(keys)
        if path.is_file() and name.parts[0] != LOANS and path.name not in OFFLINE and not path.name.startswith("."):
            found[name.as_posix()] = (_text(path), path.stat().st_mode & 0o777)
    return found


def living(keys: Path) -> dict[str, tuple[str, int]]:
    """The loan keys that were not destroyed."""
    paths = sorted((keys / LOANS).glob(f"*{_KEY}"))
    return {f"{LOANS}/{path.name}": (_text(path), 0o600) for path in paths if not path.name.startswith(".")}


def still_here(keys: Path) -> list[Path]:
    """The files that belong offline and lie there yet."""
    return sorted(path for name in OFFLINE for path in keys.rglob(name))


def check_recipients(recipients: Sequence[str]) -> None:
    """Raises Fatal for what is no age recipient."""
    try:
        Encryptor(recipients)
    except (KeyInvalid, ValueError) as error:
        raise Fatal(
            f"no backup was made | the recipient of the keys | {error} | name an age1… recipient whose identity lies "
            "offline, such as one that age-keygen has made"
        ) from error


def write(path: Path, kind: str, files: Mapping[str, tuple[str, int]], recipients: Sequence[str], made_at: str) -> None:
    """Write the archive, mode 0600. The living replaces the one before, which is overwritten; the lasting never."""
    told = {
        "format": FORMAT,
        "kind": kind,
        "madeAt": made_at,
        "files": {name: list(one) for name, one in files.items()},
    }
    sealer = Encryptor(recipients)
    sealed = sealer.header + sealer.update(json.dumps(told).encode()) + sealer.finish()
    waiting = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(descriptor)
        if kind == LIVING:
            shred(path)
        waiting.rename(path)
    except OSError as error:
        raise Fatal(
            f"the keys were not backed up | {path} | {error.strerror or error} | make room there, or name another file"
        ) from error
    finally:
        waiting.unlink(missing_ok=True)


def read(path: Path, kind: str, identity: Path) -> Archived:
    """Open an archive with the identity in a file of mode 0600; raises Fatal."""
    try:
        sealed = path.read_bytes()
        opened = Reader(lambda offset, length: sealed[offset : offset + length], len(sealed), FileIdentity(identity))
        told: dict[str, Any] = json.loads(opened.read())
        files = {name: (str(text), int(mode)) for name, (text, mode) in told["files"].items()}
    except OSError as error:
        raise _unreadable(path, f"it cannot be read ({error.strerror or error})") from error
    except AgeError as error:
        raise _unreadable(path, str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, "it holds no keys of Footage Desk") from error
    if told.get("kind") != kind or told.get("format") != FORMAT:
        raise _unreadable(path, f"it holds {told.get('kind')} of format {told.get('format')}, and {kind} are wanted")
    for name in files:
        if not _is_inside(name):
            raise _unreadable(path, f"{name!r} would lie outside the keys folder")
    return Archived(str(told["madeAt"]), files)


def check_fits(keys: Path, archived: Archived) -> None:
    """Raises Fatal where another key lies in the place of one of these: none is ever replaced."""
    for name, (text, _) in archived.files.items():
        path = keys / name
        if path.exists() and _text(path) != text:
            raise Fatal(
                f"nothing was restored | {path} | another key lies there, and none is ever replaced | set "
                "FOOTAGE_DESK_KEYS_DIR to an empty folder, or move that one away"
            )


def put_back(keys: Path, archived: Archived) -> int:
    """Write the lasting keys that are not there yet; how many."""
    make_key_folder(keys)
    written = 0
    for name, (text, mode) in archived.files.items():
        for folder in reversed((keys / name).relative_to(keys).parents):
            make_key_folder(keys / folder)
        written += write_key_file(keys / name, text, mode=mode)
    return written


def put_back_loans(keys: Path, archived: Archived, ended_because: Callable[[str], str | None]) -> dict[str, str]:
    """Write the loan keys whose loans still run; why the others were not, by copy. Those are marked as destroyed."""
    left_out = {}
    loans = LoanKeys(keys / LOANS)
    for name, (text, mode) in archived.files.items():
        copy_id = Path(name).name.removesuffix(_KEY)
        make_key_folder(keys / LOANS)
        reason = "it was destroyed here" if (keys / LOANS / f"{copy_id}.destroyed").exists() else ended_because(copy_id)
        if reason is None:
            write_key_file(keys / name, text, mode=mode)
        else:
            loans.destroy(copy_id)
            left_out[copy_id] = reason
    return left_out


def _is_inside(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def _text(path: Path) -> str:
    """Public recipients may be readable to all; a key that others can read is refused where it is used."""
    return read_key_file(path) if path.stat().st_mode & 0o077 == 0 else path.read_text()


def _unreadable(path: Path, why: str) -> Fatal:
    return Fatal(
        f"nothing was restored | the keys in {path} | {why} | name the file that footage-desk backup has made, and the "
        "identity that belongs to its recipient"
    )
