"""Commits of PostgreSQL that do not wait for the disk, and the wait for it before anything is answered.

The audit trail's lock ends with the commit. A commit that waits for the disk would keep the next one waiting as long,
so no more transactions could append than the disk syncs, whoever commits. So a transaction that appends commits
without that wait, and its connection waits afterwards, when the lock is free: several then share one sync.

PostgreSQL writes its log in the order of the commits. After a crash the last ones may be missing, never one before
another that is there: the trail has no hole. What a transaction of another connection has seen in the meantime is not
on the disk yet, so who only read waits too, before what was read leaves. SQLite has one writer, and syncs as it
commits.
"""

from sqlalchemy import Connection

from services.database.driver import open_driver

# Ends with the transaction, as a pooler of connections demands.
WITHOUT_WAITING = "set_config('synchronous_commit', 'off', true)"
# A message that nobody reads, because a transaction without any entry in the log waits for nothing. Its commit waits as
# the server is told to: for a synchronous standby too, whose log may be behind the one of this disk.
WAIT = (
    "SELECT CASE WHEN pg_is_in_recovery() THEN NULL "  # a standby has no log of its own
    "WHEN pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn() "
    "OR current_setting('synchronous_standby_names') <> '' "
    "THEN pg_logical_emit_message(true, 'footage-desk', '') END"
)


def wait_for_disk(connection: Connection) -> None:
    """Return once everything that is committed is on the disk; call it between two transactions."""
    if connection.dialect.name != "postgresql":
        return
    with open_driver(connection, "wait for the disk") as driver:
        driver.rows_alone(WAIT)
