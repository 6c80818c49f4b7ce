"""Keys apart from the backup: one age file for the lasting keys, another for the current loan keys.

Each is a JSON object; ``age -d`` opens it. Neither contains what belongs offline: escrow identity, root key.
Only the newest file of loan keys counts, and each replaces the one before. A destroyed key is not restored from an old
file: the restored database, the marks in the folder and the hold on the copy's object are checked first.
"""

import json
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.runtime.errors import Fatal
from services.vault.age import AgeError, Encryptor, KeyInvalid, Reader
from services.vault.keys.fingerprints import LOAN_FOLDER
from services.vault.keys.key_files import make_key_folder, read_key_file, shred, write_key_file
from services.vault.keys.signing_key import ROOT_FILE
from services.vault.keys.vault_keys import ESCROW_FILE, FileIdentity, LoanKeys

FORMAT = 1
OFFLINE = (ESCROW_FILE, ROOT_FILE)
LASTING, LOANS = "keys", "loan-keys"
_KEY = ".key"
_LOAN_KEY = re.compile(rf"{LOAN_FOLDER}/[^/]+{re.escape(_KEY)}")


@dataclass(frozen=True)
class KeyArchive:
    """The files of an archive: text and mode by their path below the keys folder."""

    made_at: str
    files: Mapping[str, tuple[str, int]]


def lasting_keys(keys: Path) -> dict[str, tuple[str, int]]:
    """Return every key file except loan keys and what belongs offline."""
    files = {}
    for path in sorted(keys.rglob("*")):
        name = path.relative_to(keys)
        if (
            path.is_file()
            and name.parts[0] != LOAN_FOLDER
            and path.name not in OFFLINE
            and not path.name.startswith(".")
        ):
            files[name.as_posix()] = (_text(path), path.stat().st_mode & 0o777)
    return files


def loan_keys(keys: Path) -> dict[str, tuple[str, int]]:
    """Return the loan keys that were not destroyed."""
    paths = sorted((keys / LOAN_FOLDER).glob(f"*{_KEY}"))
    return {f"{LOAN_FOLDER}/{path.name}": (_text(path), 0o600) for path in paths if not path.name.startswith(".")}


def offline_files(keys: Path) -> list[Path]:
    """Return the files in the folder that belong offline."""
    return sorted(path for name in OFFLINE for path in keys.rglob(name))


def check_recipients(recipients: Sequence[str]) -> None:
    """Raise Fatal for an invalid age recipient."""
    try:
        Encryptor(recipients)
    except (KeyInvalid, ValueError) as error:
        raise Fatal(
            f"no backup was made | its recipient | {error} | name an age1… recipient whose identity is "
            "kept offline, such as one made by age-keygen"
        ) from error


def write(path: Path, kind: str, files: Mapping[str, tuple[str, int]], recipients: Sequence[str], made_at: str) -> None:
    """Write the archive, mode 0600. One of loan keys overwrites the file before it; one of lasting keys never does."""
    content = {
        "format": FORMAT,
        "kind": kind,
        "madeAt": made_at,
        "files": {name: list(entry) for name, entry in files.items()},
    }
    encryptor = Encryptor(recipients)
    sealed = encryptor.header + encryptor.update(json.dumps(content).encode()) + encryptor.finish()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(descriptor)
        if kind == LOANS:
            shred(path)
        temporary.rename(path)
    except OSError as error:
        raise Fatal(
            f"the keys were not backed up | {path} | {error.strerror or error} | make room there, or name another file"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path, kind: str, identity: Path) -> KeyArchive:
    """Open an archive with the identity in a file of mode 0600; raises Fatal."""
    try:
        sealed = path.read_bytes()
        opened = Reader(lambda offset, length: sealed[offset : offset + length], len(sealed), FileIdentity(identity))
        content: dict[str, Any] = json.loads(opened.read())
        files = {name: (str(text), int(mode) & 0o644) for name, (text, mode) in content["files"].items()}
    except OSError as error:
        raise _unreadable(path, f"it cannot be read ({error.strerror or error})") from error
    except AgeError as error:
        raise _unreadable(path, str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, "it contains no keys of Footage Desk") from error
    if content.get("kind") != kind or content.get("format") != FORMAT:
        raise _unreadable(
            path, f"it holds {content.get('kind')} of format {content.get('format')}, and {kind} are wanted"
        )
    for name in files:
        if not _is_inside(name):
            raise _unreadable(path, f"{name!r} would lie outside the keys folder")
        if (kind == LOANS) != (_LOAN_KEY.fullmatch(name) is not None) or name.rpartition("/")[2] in OFFLINE:
            raise _unreadable(path, f"{name!r} is none of the {kind}")
    return KeyArchive(str(content["madeAt"]), files)


def check_no_conflict(keys: Path, archived: KeyArchive) -> None:
    """Raise Fatal if a different key exists under the same name: a key is never replaced."""
    for name, (text, _) in archived.files.items():
        path = keys / name
        if path.exists() and _text(path) != text:
            raise Fatal(
                f"nothing was restored | {path} | another key is there, and a key is never replaced | set "
                "FOOTAGE_DESK_KEYS_DIR to an empty folder, or move that one away"
            )


def restore_lasting_keys(keys: Path, archived: KeyArchive) -> int:
    """Write the missing lasting keys; return their number."""
    make_key_folder(keys)
    written = 0
    for name, (text, mode) in archived.files.items():
        for folder in reversed((keys / name).relative_to(keys).parents):
            make_key_folder(keys / folder)
        written += write_key_file(keys / name, text, mode=mode)
    return written


def restore_loan_keys(keys: Path, archived: KeyArchive, ended_because: Callable[[str], str | None]) -> dict[str, str]:
    """Write the loan keys whose loans still run; mark the others as destroyed, and return why, by copy."""
    left_out = {}
    loans = LoanKeys(keys / LOAN_FOLDER)
    for name, (text, mode) in archived.files.items():
        copy_id = Path(name).name.removesuffix(_KEY)
        make_key_folder(keys / LOAN_FOLDER)
        reason = (
            "it was destroyed here"
            if (keys / LOAN_FOLDER / f"{copy_id}.destroyed").exists()
            else ended_because(copy_id)
        )
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
    """Read a key file; only public recipients may be readable by others, which is checked on use."""
    return read_key_file(path) if path.stat().st_mode & 0o077 == 0 else path.read_text()


def _unreadable(path: Path, why: str) -> Fatal:
    return Fatal(
        f"nothing was restored | the keys in {path} | {why} | name the file that footage-desk backup made, and the "
        "identity of its recipient"
    )
