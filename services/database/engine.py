"""The engine and its two dialects: how a connection is opened, and how a transaction of SQLite begins."""

import sqlite3
import ssl
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError

from services.runtime.errors import Fatal
from services.runtime.settings.database import DatabaseSettings

RUNBOOK_DB_DOWN = "database-unavailable"
BEGIN = "BEGIN IMMEDIATE"
READING = "reading"  # the execution option of transactions that only read
LOCK_TIMEOUT_SECONDS = 10.0  # how long a transaction waits to begin while another process writes
BUSY_TIMEOUT_MS = 10  # milliseconds, in which SQLite itself polls five times
READ_ONLY = "25006"  # PostgreSQL's code where a server takes no changes
UNLIMITED = DatabaseSettings().without_limits
# A server that is gone without a word is noticed within half a minute: by the first where a connection is idle, by the
# last, in milliseconds, where it waits for what was sent.
KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
# Of a solid-state disk, whose pages are mostly in memory, beside 1 for the next one. PostgreSQL's own 4 is that of a
# turning disk: for the facts of a thousand open cases it reads whole tables of a year (1.3 instead of 0.2 s).
RANDOM_PAGE_COST = 1.1
SYSTEM = "system"  # libpq's word for the authorities that the machine trusts
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def connect(url: str, settings: DatabaseSettings = UNLIMITED) -> Engine:
    """Create the engine; for SQLite with WAL, full sync, foreign keys and immediate transactions.

    An address of ``reading.unchanged`` gets transactions that only read.
    """
    address = make_url(url)
    engine = create_engine(
        url,
        # None beyond the size, and all of them kept: each is a process of PostgreSQL's, which takes long to start.
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.wait_seconds,
        pool_pre_ping=address.get_backend_name() != "sqlite",
        connect_args=connect_arguments(address, settings),
        # The text of an error is logged, so it must not have people's texts and the hashes of their passwords.
        hide_parameters=True,
    )
    if engine.dialect.name == "postgresql":
        event.listen(engine, "checkin", _leave_mode_to_server)
        event.listen(engine, "handle_error", _leave_read_only)
        lift_limits(engine, settings)
    elif engine.url.query.get("mode") == "ro":
        event.listen(engine, "connect", _begin_by_ourselves)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        event.listen(engine, "handle_error", _refuse_damaged)
    else:
        event.listen(engine, "connect", partial(_prepare_sqlite, path=engine.url.database or ""))
        event.listen(engine, "begin", _begin)
        event.listen(engine, "handle_error", _invalidate_lost_transaction)
        event.listen(engine, "handle_error", _refuse_damaged)
    return engine


def connect_arguments(address: URL, settings: DatabaseSettings = UNLIMITED) -> dict[str, Any]:
    """Return what psycopg is told beside the address, whose own parameters win; nothing for SQLite.

    Raises Fatal for ``sslrootcert=system`` with a weaker ``sslmode`` than verify-full, or where there are none.
    """
    if address.get_backend_name() != "postgresql":
        return {}
    arguments: dict[str, Any] = {
        "application_name": "footage-desk",
        "connect_timeout": settings.connect_seconds,
        **KEEPALIVE,
    }
    if settings.pooler:
        # Each transaction may get another of the server's connections: nothing is prepared or set for the next one.
        arguments["prepare_threshold"] = None
    else:
        arguments["target_session_attrs"] = "read-write"  # of several hosts the one that is no standby
    given = {name: value for name, value in arguments.items() if name not in address.query}
    if address.query.get("sslrootcert") == SYSTEM:
        given |= {"sslrootcert": _system_authorities(address), "sslmode": "verify-full"}
    if not settings.pooler:
        ends = " ".join(f"-c {name}={seconds}s" for name, seconds in limits(settings).items())
        given["options"] = f"{ends} -c random_page_cost={RANDOM_PAGE_COST} {address.query.get('options', '')}".rstrip()
    return given


def limits(settings: DatabaseSettings) -> dict[str, int]:
    """Return after how many seconds PostgreSQL ends what, by its own names; 0 is never."""
    return {
        "statement_timeout": settings.statement_seconds,
        "idle_in_transaction_session_timeout": settings.idle_seconds,
    }


def lift_limits(engine: Engine, settings: DatabaseSettings) -> None:
    """Let transactions take as long as they need, where the settings have no limit and a pooler's account has one."""
    lifted = "; ".join(f"SET LOCAL {name} = 0" for name, seconds in limits(settings).items() if not seconds)
    if settings.pooler and lifted:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(lifted))


def _system_authorities(address: URL) -> str:
    """Return the file of the authorities that this machine trusts.

    psycopg's own OpenSSL looks for them in a folder that no machine has.
    """
    where = address.render_as_string()
    if (mode := address.query.get("sslmode", "verify-full")) != "verify-full":
        raise Fatal(
            f"could not open the database | {where} | any public authority could vouch for any server with sslmode="
            f"{mode} | set sslmode=verify-full, or sslrootcert to a file with your own authority"
        )
    for file in (ssl.get_default_verify_paths().cafile, *BUNDLES):
        if file is not None and Path(file).is_file():
            return file
    raise Fatal(
        f"could not open the database | {where} | this machine has no file with the authorities that it trusts | "
        "install ca-certificates, or set sslrootcert to a file"
    )


def one_writer(engine: Engine) -> AbstractContextManager[object]:
    """Return a lock that lets one thread of this process write at a time; none for PostgreSQL.

    SQLite has one writer, and the threads that wait for it poll, in no order. Measured with 32 threads that write
    without a break: the longest wait was at most 1 s with the lock, and 3 of 3 s without it.
    """
    return threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()


def _begin(connection: Connection) -> None:
    """Begin a transaction of SQLite: to read, a deferred one, which neither waits for the writer nor keeps it off."""
    reads = bool(connection.get_execution_options().get(READING))
    if connection.info.get(READING, False) != reads:
        connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reads else 'OFF'}")
        connection.info[READING] = reads
    if reads:
        connection.exec_driver_sql("BEGIN DEFERRED")
    else:
        _begin_as_writer(connection)


def _begin_as_writer(connection: Connection) -> None:
    """Begin a writing transaction as soon as that of another process has ended.

    Polls often: a process that writes without a break frees the lock for a fraction of a millisecond between two
    commits, and SQLite by itself soon polls ten times a second only.
    """
    until = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while True:
        try:
            connection.exec_driver_sql(BEGIN)
        except OperationalError as error:
            if not _is_locked(error) or time.monotonic() >= until:
                raise
        else:
            return


def _is_locked(error: OperationalError) -> bool:
    return sqlite_code(error.orig) == sqlite3.SQLITE_BUSY


def sqlite_code(error: BaseException | None) -> int:
    """Return SQLite's primary code of an error, whatever its extended one; 0 for another database's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _leave_mode_to_server(connection: Any, _record: object) -> None:
    """Undo how SQLAlchemy ends a transaction that only read: all further ones would begin READ WRITE.

    That overrules a server that was made read-only.
    """
    if connection is not None and not connection.closed and connection.read_only is not None:
        connection.read_only = None


def _leave_read_only(context: ExceptionContext) -> None:
    """Give up the pool's connections to a server that takes no changes any more: another one may do by now."""
    connection = context.connection
    reads = connection is not None and bool(connection.get_execution_options().get(READING))
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY and not reads:
        context.is_disconnect = True


def _refuse_damaged(context: ExceptionContext) -> None:
    """Raise Fatal where the file is damaged or no database."""
    engine = context.engine
    if engine is not None and _is_damaged(context.original_exception):
        raise _damaged(engine.url.database or "", context.original_exception) from context.original_exception


def _is_damaged(error: BaseException) -> bool:
    return sqlite_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _damaged(path: str, error: BaseException) -> Fatal:
    return Fatal(
        f"could not read the database | {path} | the file is damaged, or no database ({error}) | stop the product, "
        "move the file and its -wal and -shm away, and restore the newest backup with footage-desk restore",
        runbook=RUNBOOK_DB_DOWN,
    )


def _invalidate_lost_transaction(context: ExceptionContext) -> None:
    """Invalidate a connection whose transaction SQLite has ended by itself.

    SQLite does so when the disk is full or fails, and would commit each later statement at once. The same holds if a
    savepoint could not be rolled back.
    """
    connection = context.connection
    if connection is None or connection.invalidated or not connection.in_transaction():
        return
    driver: Any = connection.connection.dbapi_connection
    if not driver.in_transaction or (context.statement or "").startswith("ROLLBACK TO"):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


def _begin_by_ourselves(connection: Any, _record: object) -> None:
    connection.isolation_level = None


def _prepare_sqlite(connection: Any, record: object, *, path: str) -> None:
    _begin_by_ourselves(connection, record)
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
    except sqlite3.DatabaseError as error:
        if _is_damaged(error):
            raise _damaged(path, error) from error
        raise
    cursor.close()
