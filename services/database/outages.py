"""Tell a database that is away, and is waited for, from one that refuses what the settings say."""

import sqlite3

from services.database.engine import sqlite_code
from services.runtime.errors import Away
from services.runtime.settings import variable
from services.runtime.translations import Message, Text

# Of what fails while it connects libpq passes on no SQLSTATE (psycopg's is None), and a client cannot choose the words:
# lc_messages is the superuser's, and read after the login. So they are read; a server may be set to speak Chinese.
_REFUSALS = (
    "authentication failed",
    "no password supplied",
    "does not exist",
    "no such database",  # PgBouncer's words
    "no such user",
    "no pg_hba.conf entry",
    "not permitted to log",
    "certificate",
    "does not support SSL",
    "认证失败",
    "不存在",
)
# PgBouncer's words.
_REFUSED_OPTION = "unsupported startup parameter"
_STATEMENT_MODE = "transaction blocks not allowed"
# PostgreSQL's codes where the pooler gave another of its connections, which lacks what was prepared, or has another's.
_PREPARED_ELSEWHERE = ("26000", "42P05")
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def away(error: BaseException | None) -> Away | None:
    """Return ``database`` where a wait may mend what the driver raised.

    None for a wrong password, account, database or certificate, for a pooler that the settings do not know of, and for
    a damaged file: somebody has to act.
    """
    if isinstance(error, sqlite3.Error):
        return "database" if sqlite_code(error) in _BUSY else None
    if refused_by_pooler(error) is not None:
        return None
    return None if any(word in str(error) for word in _REFUSALS) else "database"


def refused_by_pooler(error: BaseException | None) -> Text | None:
    """Return why a pooler before PostgreSQL cannot be worked with, and what to do; None for any other error."""
    said = str(error)
    if _STATEMENT_MODE in said:
        return Message(
            "a pooler in statement mode stands before it, which knows no transactions | set its pool_mode to "
            "transaction, or give the address of PostgreSQL itself"
        )
    if _REFUSED_OPTION in said or getattr(error, "sqlstate", None) in _PREPARED_ELSEWHERE:
        return Message(
            "a pooler of connections stands before it ({error}) | set {variable}=true, or give the address of "
            "PostgreSQL itself",
            error=said.strip().splitlines()[0],
            variable=variable("database.pooler"),
        )
    return None
