"""The Merkle tree over the audit trail (RFC 6962), kept in SQL: one row for each complete subtree.

Events are numbered and put into the tree just before their unit commits, under a lock that ends with the commit: the
numbers have no holes, a unit that fails leaves none, and no unit waits for the lock while another waits for its rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, CursorResult
from sqlalchemy.orm import Mapped, Session, mapped_column

from services.register.base import Base
from services.verifier.merkle import node_hash

if TYPE_CHECKING:
    from services.register.audit import AuditEvent

LOCK = 0x666F_6F74_6167_6501  # of PostgreSQL's advisory locks; SQLite has one writer anyway
SIZE = "SELECT coalesce(max(seq), 0) FROM audit_events"
LEAF = "SELECT leaf_sha256 FROM audit_events WHERE seq = ?"
NODE = "SELECT level, sha256 FROM audit_nodes WHERE level = ? AND position = ?"
SQLITE_MOMENT = "%Y-%m-%d %H:%M:%S.%f"  # as SQLAlchemy keeps one
INSERT_EVENT = (
    "INSERT INTO audit_events (seq, at, actor_kind, actor_id, action, subject_kind, subject_id, application_id, entry, "
    "leaf_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
INSERT_NODE = "INSERT INTO audit_nodes (level, position, sha256) VALUES (?, ?, ?)"


class AuditNode(Base):
    """The root of the complete subtree over the events ``position << level`` and on; leaves are in the events."""

    __tablename__ = "audit_nodes"
    __table_args__ = ({"sqlite_with_rowid": False},)

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sha256: Mapped[bytes]


def append(session: Session, events: "Sequence[AuditEvent]") -> None:
    """Number the events, and write them and their nodes. The caller commits next and does nothing else before."""
    if not events:
        return
    session.flush()  # whatever may have to wait for another unit does so before the trail is locked
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        _do(connection, "SELECT pg_advisory_xact_lock(?)", (LOCK,))
    size = int(_do(connection, SIZE).scalar_one())
    for seq, event in enumerate(events, size + 1):
        event.seq = seq
    _do(connection, INSERT_EVENT, [_row(connection, event) for event in events])
    leaves = [bytes.fromhex(event.leaf_sha256) for event in events]
    if nodes := grown(size, leaves, _edge(connection, size, len(leaves))):
        _do(connection, INSERT_NODE, nodes)


def grown(size: int, leaves: Iterable[bytes], edge: Mapping[int, bytes]) -> list[tuple[int, int, bytes]]:
    """The nodes (level, position, hash) that new leaves complete; ``edge`` has the old subtrees that they need."""
    waiting = dict(edge)
    nodes = []
    for index, leaf in enumerate(leaves, size):
        level, position, node = 0, index, leaf
        while position & 1:
            node = node_hash(waiting.pop(level), node)
            level, position = level + 1, position >> 1
            nodes.append((level, position, node))
        waiting[level] = node
    return nodes


def _edge(connection: Connection, size: int, more: int) -> dict[int, bytes]:
    """By level, the complete subtrees at the right edge that ``more`` events will join with their own."""
    levels = [
        level for level in range(size.bit_length()) if size >> level & 1 and size % (2 << level) + more >= 2 << level
    ]
    edge = {}
    if levels and levels[0] == 0:
        edge[0] = bytes.fromhex(_do(connection, LEAF, (size,)).scalar_one())
    if upper := [level for level in levels if level]:
        wanted = tuple(number for level in upper for number in (level, (size >> level) - 1))
        found = _do(connection, " UNION ALL ".join([NODE] * len(upper)), wanted)
        edge |= {row.level: bytes(row.sha256) for row in found}
    return edge


def _row(connection: Connection, event: "AuditEvent") -> tuple[Any, ...]:
    at = event.at.astimezone(UTC)
    return (
        event.seq,
        at.strftime(SQLITE_MOMENT) if connection.dialect.name == "sqlite" else at,
        event.actor_kind,
        event.actor_id,
        event.action,
        event.subject_kind,
        event.subject_id,
        event.application_id,
        event.entry,
        event.leaf_sha256,
    )


def _do(connection: Connection, statement: str, values: Any = None) -> CursorResult[Any]:
    """Straight to the driver: each unit appends, and SQLAlchemy's own statements cost several times as much."""
    if connection.dialect.name == "postgresql":
        statement = statement.replace("?", "%s")
    return connection.exec_driver_sql(statement, values)
