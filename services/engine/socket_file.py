"""The gateway's Unix socket, which only its user may open.

gRPC listens as soon as it binds, and would replace the socket of a process that lives (tried with 1.85).
"""

import hashlib
import os
import socket
import stat
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from services.engine.errors import GatewayError

LONGEST_PATH = 107  # bytes: what the address of a socket holds (unix(7))
_PROBE_SECONDS = 1


class SocketFile:
    """A socket's place; where its path is too long, a link leads to a short one."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.bound = self.path if _fits(self.path) else _short_place(self.path)

    def bind(self, add_port: Callable[[str], object]) -> str:
        """Bind with ``add_port``, in place of a dead process's socket; return the address.

        Raises GatewayError.
        """
        try:
            self._prepare()
            return self._bind(add_port)
        except (OSError, RuntimeError) as error:
            cause = getattr(error, "strerror", None) or error
            raise GatewayError(
                f"no socket can be made at {self.bound} ({cause}); name a path on a local disk, in a folder that this "
                "account may write to"
            ) from error

    def _prepare(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_folder(self.path.parent)
        if self.bound != self.path:
            self._link_short_place()
        _remove_dead(self.bound)

    def _bind(self, add_port: Callable[[str], object]) -> str:
        address = f"unix:{self.bound}"
        # Of all threads for a moment: what another one makes meanwhile is narrower than asked, never wider.
        mask = os.umask(0o077)
        try:
            add_port(address)
        finally:
            os.umask(mask)
        self.bound.chmod(0o600)
        return address

    def remove(self) -> None:
        """Remove the socket; a link and its folder stay.

        Clients reach the next engine by the same name, which no other account takes meanwhile.
        """
        self.bound.unlink(missing_ok=True)

    def _link_short_place(self) -> None:
        if not _fits(self.bound):
            raise GatewayError(f"the path {self.path} is too long for a socket; name a shorter one")
        folder = self.bound.parent
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        info = folder.lstat()
        if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or stat.S_IMODE(info.st_mode) != 0o700:
            raise GatewayError(f"{folder} is not this account's alone; remove it, or name a shorter path")
        if self.path.is_symlink():
            self.path.unlink()
        try:
            self.path.symlink_to(self.bound)
        except FileExistsError:
            raise GatewayError(f"{self.path} is no socket; name another path") from None


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_PATH


def _short_place(path: Path) -> Path:
    """Return the same place for the same path, so that clients which wait find the next engine."""
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"footage-desk-{digest}" / "gateway.socket"


def _check_folder(folder: Path) -> None:
    """Raise GatewayError if others could replace the socket by one of their own."""
    info = folder.stat()
    mode = stat.S_IMODE(info.st_mode)
    if mode & 0o022:
        raise GatewayError(
            f"{folder} has mode {mode:04o}, so others could replace the socket; run chmod go-w on it, or name a path "
            "in a folder of this account"
        )
    if info.st_uid not in (0, os.geteuid()):
        raise GatewayError(f"{folder} belongs to another account; name a path in a folder of this one")


def _remove_dead(path: Path) -> None:
    """Remove the socket of a process that has died; raises GatewayError if something else is there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise GatewayError(f"{path} is no socket; name another path")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass  # it lives, and is busy or belongs to another account
    raise GatewayError(f"another process listens on {path}; stop it, or name another path")
