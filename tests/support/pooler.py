"""A PgBouncer before a PostgreSQL server of the tests, which a test stops and starts again."""

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import tools
from broken_gateways import free_port
from fixtures_absent import start_or_fail
from sqlalchemy import make_url

CONNECTIONS = 2  # of the server, however many are made to the pooler
READY_SECONDS = 30.0
READY = "process up"
ADMIN = "pgbouncer"  # its own database, which has its figures
SETTINGS = {
    "pool_mode": "transaction",
    "default_pool_size": CONNECTIONS,
    "auth_type": "trust",
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    "admin_users": "postgres",
    # How long it has a client wait for a server that is away, and when it tries the server again; as
    # docs/operations.md says, only shorter.
    "query_wait_timeout": 2,
    "server_login_retry": 1,
    "log_connections": 0,
    "log_disconnections": 0,
}


class Pooler:
    """Listens on a free loopback port; ``url`` is the address of a database of ``server_url`` by way of it."""

    def __init__(self, program: str, folder: Path, server_url: str, **settings: object) -> None:
        self._program, self._folder = program, folder
        self._port = free_port()
        self._socket = str(make_url(server_url).query["host"])
        self._process: subprocess.Popen[str] | None = None
        self._write({**SETTINGS, "listen_port": self._port, "auth_file": folder / "users.txt", **settings})

    def url(self, of: str) -> str:
        address = make_url(of).set(host="127.0.0.1", port=self._port).difference_update_query(["host"])
        return address.render_as_string(hide_password=False)

    def start(self) -> None:
        """Return once it listens. Raises RuntimeError with what it said."""
        # root may not run it: it becomes the server's account, who may enter the socket's folder
        user = [] if os.geteuid() else ["-u", pwd.getpwuid(Path(self._socket).stat().st_uid).pw_name]
        command = [self._program, *user, self._folder / "pgbouncer.ini"]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        ready, said = threading.Event(), list[str]()

        def listen(lines: Any) -> None:
            for line in lines:
                said.append(line)
                if READY in line:
                    ready.set()
            ready.set()

        threading.Thread(target=listen, args=[self._process.stderr], daemon=True).start()
        if not ready.wait(READY_SECONDS) or not any(READY in line for line in said):
            raise RuntimeError("".join(said))

    def stop(self) -> None:
        """Stop it at once, as an operator does: open transactions and all connections end."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(READY_SECONDS)
            if self._process.stderr is not None:
                self._process.stderr.close()
            self._process = None

    def figures(self, database: str) -> dict[str, int]:
        """Return the figures of its pools of a database, such as its clients (``cl_…``) and servers (``sv_…``)."""
        address = f"postgresql://postgres@127.0.0.1:{self._port}/{ADMIN}"
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute("SHOW POOLS")
            names = [column.name for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
        return {
            name: sum(row[name] for row in rows if row["database"] == database)
            for name in names
            if name.startswith(("cl_", "sv_"))
        }

    def _write(self, settings: dict[str, object]) -> None:
        lines = [f"[databases]\n* = host={self._socket}\n[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        (self._folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        (self._folder / "users.txt").write_text('"postgres" ""\n')
        self._folder.chmod(0o711)


@contextmanager
def started_pooler(server_url: str, **settings: object) -> Iterator[Pooler]:
    """Start one in transaction mode, unless ``settings``, in PgBouncer's words, say otherwise."""
    folder = Path(tempfile.mkdtemp(prefix="footage-desk-pgbouncer-"))
    try:
        with start_or_fail("PgBouncer (Debian's package pgbouncer)"):
            pooler = Pooler(tools.pgbouncer() or "pgbouncer", folder, server_url, **settings)
            pooler.start()
        try:
            yield pooler
        finally:
            pooler.stop()
    finally:
        shutil.rmtree(folder)
