"""What an error of the database means to who asked: to try again, or that a value cannot be stored.

Nothing but these leaves a unit of work for a fault of the database, its server or the way to it: a job is retried, a
page says to try again, and no background task ends.
"""

import sqlite3

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.database.engine import READ_ONLY, RUNBOOK_DB_DOWN, sqlite_code
from services.database.outages import away, refused_by_pooler
from services.runtime import metrics
from services.runtime.errors import Away, Busy, Refused, Retryable
from services.runtime.jobs.failures import stack
from services.runtime.logs import get_logger
from services.runtime.translations import Message, Text

log = get_logger(__name__)

DISK_FULL = "53100"  # PostgreSQL's code
CANCELLED = "57014"  # PostgreSQL's code of a statement that took too long
CONFLICTS = ("40001", "40P01")  # PostgreSQL's codes of a serialization failure and of a deadlock
# A value that lacks or that no row may have: no other act can be the cause. PostgreSQL's codes and SQLite's.
WRONG_ROWS = ("23502", "23514")
SQLITE_WRONG_ROWS = (sqlite3.SQLITE_CONSTRAINT_NOTNULL, sqlite3.SQLITE_CONSTRAINT_CHECK)


def explain(error: Exception, engine: Engine) -> Exception | None:
    """Return the Retryable or Refused for an error of the database; None for one that is none, but a defect of ours.

    ``error`` is SQLAlchemy's, or the driver's own.
    """
    driver = engine.dialect.loaded_dbapi
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, PoolTimeout):
        return busy(engine)
    if isinstance(original, driver.Error):
        failure = _of_driver(original, error, engine)
    elif isinstance(error, PendingRollbackError):  # an act went on after its connection was lost
        failure = _unavailable(
            Message(
                "the connection to the database broke | {address} | the act was not ended", address=_address(engine)
            ),
            "database",
        )
    else:
        return None
    return failure


def busy(engine: Engine) -> Busy:
    """Return the error of a unit that found no free connection in time, and count it."""
    metrics.TRANSACTION_FAILURES.labels("busy").inc()
    return Busy(
        Message(
            "the database did not answer in time | {address} | every connection of this process was in use | try "
            "again; where it persists, look for slow statements",
            address=_address(engine),
        ),
        runbook=RUNBOOK_DB_DOWN,
        away="database",
    )


def _of_driver(original: BaseException, error: Exception, engine: Engine) -> Exception:
    driver, code = engine.dialect.loaded_dbapi, _code(original)
    if code in CONFLICTS or (isinstance(original, driver.IntegrityError) and not _is_wrong_row(original)):
        metrics.TRANSACTION_FAILURES.labels("conflict").inc()
        how = "the database ended this one in its favour" if code in CONFLICTS else "its row is in the database already"
        return Retryable(f"another act came first | {how} | try again")
    if isinstance(original, driver.DataError):
        return Refused(
            "not-storable", "The database cannot store one of the values: shorten or correct it.", status=422
        )
    return _unavailable(_sentence(original, error, engine), _waited_for(original, error, engine))


def _sentence(original: BaseException, error: Exception, engine: Engine) -> Text:
    code, where = _code(original), _address(engine)
    if _is_full(original):
        return Message(
            "the disk is full | {address} | nothing was written | make room on it; what failed is retried",
            address=where,
        )
    if code == READ_ONLY:
        return Message(
            "the database takes no changes | {address} | it is read-only: a standby, or made so | fail over to the "
            "primary, or let it be changed again; what failed is retried",
            address=where,
        )
    if code == CANCELLED:
        return Message(
            "the database did not answer in time | {address} | it ended a statement that took too long | try again; "
            "where it persists, look for locks and slow statements",
            address=where,
        )
    if refused_by_pooler(original) is not None or isinstance(original, engine.dialect.loaded_dbapi.OperationalError):
        return _unanswered(original, where)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Message("the connection to the database broke | {error}", error=str(original))
    # The text may quote values. Most often its tables are another version's, or the account lacks a right.
    kind = f"{type(original).__name__} {code}".rstrip()
    log.error("the database refused a statement", cause=kind, stack=stack(error))
    return Message(
        "the database refused a statement | {address} | {error} | see the log; run footage-desk migrate of this "
        "version if its tables are another's, and check the rights of the account",
        address=where,
        error=kind,
    )


def _unanswered(original: BaseException, where: str) -> Text:
    pooled = refused_by_pooler(original)
    if pooled is not None:
        return Message("the database cannot be used | {address} | {why}", address=where, why=pooled)
    return Message(
        "the database did not answer | {address} | {error} | check that the database runs and is reachable",
        address=where,
        error=str(original),
    )


def _waited_for(original: BaseException, error: Exception, engine: Engine) -> Away | None:
    """Return ``database`` where a wait may mend it; a full disk or a refused statement wants somebody."""
    if _is_full(original):
        return None
    if _code(original) in (READ_ONLY, CANCELLED):
        return "database"
    if isinstance(original, engine.dialect.loaded_dbapi.OperationalError):
        return away(original)
    return "database" if isinstance(error, DBAPIError) and error.connection_invalidated else None


def _is_wrong_row(original: BaseException) -> bool:
    return _code(original) in WRONG_ROWS or getattr(original, "sqlite_errorcode", 0) in SQLITE_WRONG_ROWS


def _is_full(original: BaseException) -> bool:
    return sqlite_code(original) == sqlite3.SQLITE_FULL or _code(original) == DISK_FULL


def _code(original: BaseException) -> str:
    """Return PostgreSQL's code of an error; empty for what the driver itself raises."""
    return getattr(original, "sqlstate", None) or ""


def _unavailable(message: Text, waited_for: Away | None) -> Retryable:
    metrics.TRANSACTION_FAILURES.labels("unavailable").inc()
    return Retryable(message, runbook=RUNBOOK_DB_DOWN, away=waited_for)


def _address(engine: Engine) -> str:
    return engine.url.render_as_string()
