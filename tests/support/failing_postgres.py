"""A PostgreSQL server of the test's own, which it stops, starts again, freezes and makes read-only."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from own_postgres import OwnServer, started_postgres
from sqlalchemy import make_url


class FailingServer(OwnServer):
    """One that a test stops, starts again, freezes and makes read-only."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.execute(*(f"ALTER SYSTEM SET {name} = off" for name in ("fsync", "full_page_writes")))

    @property
    def socket(self) -> str:
        """The folder of its socket, which is its host."""
        return str(make_url(self.url).query["host"])

    def stop(self) -> None:
        """Stop it as an operator does: open transactions are rolled back, their connections closed."""
        self._server.stop()

    def start(self) -> None:
        """Start it on the same socket."""
        self._server.ensure_postgres_running()

    def take_changes(self, takes: bool) -> None:
        """Let it take changes or refuse them, those of open connections too."""
        self.set(default_transaction_read_only="off" if takes else "on")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop its processes for the block, as a machine that hangs: connections stay, and nothing is answered."""
        stopped: list[int] = []
        try:
            # the first of them starts no other from then on
            for pid in (leader := self._server.get_pid(), *_children(leader)):
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
            yield
        finally:
            for pid in reversed(stopped):
                os.kill(pid, signal.SIGCONT)


def _children(pid: int) -> Iterator[int]:
    """Read when the one before was stopped, and not at once."""
    yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


@contextmanager
def failing_server() -> Iterator[FailingServer]:
    with started_postgres("footage-desk-failing-") as server:
        yield FailingServer(server)
