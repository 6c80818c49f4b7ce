"""Tell a database that is away, and is waited for, from one that refuses what the settings say."""

import sqlite3

from services.database.engine import sqlite_code
from services.runtime.errors import Away

# Of what fails while it connects libpq passes on no SQLSTATE (psycopg's is None), and a client cannot choose the words:
# lc_messages is the superuser's, and read after the login. So they are read; a server may be set to speak Chinese.
_REFUSALS = (
    "authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "not permitted to log",
    "certificate",
    "does not support SSL",
    "认证失败",
    "不存在",
)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def away(error: BaseException | None) -> Away | None:
    """Return ``database`` where a wait may mend what the driver raised.

    None for a wrong password, account, database or certificate, and for a damaged file: somebody has to act.
    """
    if isinstance(error, sqlite3.Error):
        return "database" if sqlite_code(error) in _BUSY else None
    return None if any(word in str(error) for word in _REFUSALS) else "database"
