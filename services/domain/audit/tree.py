"""The Merkle tree over the audit trail (RFC 6962), in SQL: one row for each complete subtree.

Events are numbered and added to the tree just before their unit of work commits, under a lock that ends with the
commit: the numbers have no holes, and no unit waits for the lock while another waits for its rows, or for the disk
(``database.group_commit``).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from services.database.driver import Driver, open_driver
from services.database.group_commit import WITHOUT_WAITING
from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import UnitOfWork
from services.runtime.errors import Fatal
from services.verifier.merkle import EMPTY, node_hash, root_of_edge

RUNBOOK = "audit-trail-stalled"
PURPOSE = "read the audit tree"
LOCK = 0x666F_6F74_6167_6501  # of PostgreSQL's advisory locks; SQLite has one writer anyway
LAST = "SELECT seq, leaf_sha256 FROM audit_events ORDER BY seq DESC LIMIT 1"
LEAF = "SELECT seq, leaf_sha256 FROM audit_events WHERE seq = ?"
NODE = "SELECT level, position, sha256 FROM audit_nodes WHERE level = ? AND position = ?"
INSERT_EVENT = (
    "INSERT INTO audit_events (seq, at, actor_kind, actor_id, action, subject_kind, subject_id, application_id, entry, "
    "leaf_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
INSERT_NODE = "INSERT INTO audit_nodes (level, position, sha256) VALUES (?, ?, ?)"


def append(session: Session, events: Sequence[AuditEvent]) -> None:
    """Number the events, and write them and their nodes; the caller commits at once, and waits for the disk then."""
    if not events:
        return
    session.flush()  # statements that wait for another unit of work do so before the trail is locked
    append_in(session.connection(), events)


def append_in(connection: Connection, events: Sequence[AuditEvent]) -> None:
    """Append as ``append``, with nothing left to flush."""
    with open_driver(connection, "append to the audit trail") as driver:
        if driver.postgres:
            driver.rows(f"SELECT {WITHOUT_WAITING}, pg_advisory_xact_lock(?)", (LOCK,))
        size, last = _last(driver)
        for seq, event in enumerate(events, size + 1):
            event.seq = seq
        driver.insert(INSERT_EVENT, [_row(event, driver.postgres) for event in events])
        leaves = [bytes.fromhex(event.leaf_sha256) for event in events]
        if nodes := completed_nodes(size, leaves, _edge(driver, size, last, len(leaves))):
            driver.insert(INSERT_NODE, nodes)


def completed_nodes(size: int, leaves: Iterable[bytes], edge: Mapping[int, bytes]) -> list[tuple[int, int, bytes]]:
    """Compute the nodes (level, position, hash) that new leaves complete.

    ``edge`` has, by level, the old subtrees that they need.
    """
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


def size(uow: UnitOfWork) -> int:
    """Count the events of the trail."""
    return size_in(uow.session.connection())


def root(uow: UnitOfWork, of: int) -> bytes:
    """Compute the root over the first ``of`` events."""
    return root_in(uow.session.connection(), of)


def inclusion(uow: UnitOfWork, index: int, of: int) -> dict[str, Any]:
    """Prove that the event ``index`` (``seq`` - 1) is among the first ``of``; hashes in hex."""
    hashes = inclusion_in(uow.session.connection(), index, of)
    return {"index": index, "size": of, "hashes": [node.hex() for node in hashes]}


def consistency(uow: UnitOfWork, old: int, new: int) -> dict[str, Any]:
    """Prove that the first ``new`` events begin with the first ``old``; hashes in hex."""
    hashes = consistency_in(uow.session.connection(), old, new)
    return {"old": old, "new": new, "hashes": [node.hex() for node in hashes]}


def size_in(connection: Connection) -> int:
    with open_driver(connection, PURPOSE) as driver:
        return _last(driver)[0]


def root_in(connection: Connection, of: int) -> bytes:
    return _hashes(connection, [(0, of)])[0] if of else EMPTY


def inclusion_in(connection: Connection, index: int, of: int) -> list[bytes]:
    """Compute the path of RFC 6962, 2.1.1. Raises ValueError for an event that is not among them."""
    if not 0 <= index < of:
        raise ValueError(f"no tree of {of} events has an event {index}")
    start, end, beside = 0, of, list[tuple[int, int]]()
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            beside.append((split, end))
            end = split
        else:
            beside.append((start, split))
            start = split
    return _hashes(connection, beside[::-1])


def consistency_in(connection: Connection, old: int, new: int) -> list[bytes]:
    """Compute the proof of RFC 6962, 2.1.2. Raises ValueError unless ``new`` is at least ``old``."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} events does not go on from one of {old}")
    if old in (0, new):
        return []
    start, end, beside = 0, new, list[tuple[int, int]]()
    while end != old:
        split = start + _split(end - start)
        if old <= split:
            beside.append((split, end))
            end = split
        else:
            beside.append((start, split))
            start = split
    if start:  # otherwise the old tree is complete, and the verifier has its root
        beside.append((start, end))
    return _hashes(connection, beside[::-1])


def _split(width: int) -> int:
    """Return the largest power of two below ``width``."""
    return 1 << (width - 1).bit_length() - 1


def _hashes(connection: Connection, spans: Sequence[tuple[int, int]]) -> list[bytes]:
    """Compute the root over each span of events from its complete subtrees, read at once."""
    subtrees = [_complete(start, end) for start, end in spans]
    with open_driver(connection, PURPOSE) as driver:
        hashes = _read(driver, [node for parts in subtrees for node in parts])
    return [root_of_edge([hashes[node] for node in parts]) for parts in subtrees]


def _complete(start: int, end: int) -> list[tuple[int, int]]:
    """List the complete subtrees (level, position) of a span that starts at such a boundary, largest first."""
    parts = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append((level, start >> level))
        start += 1 << level
    return parts


def _read(driver: Driver, nodes_and_leaves: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """Read the hashes of these nodes and leaves (level 0). Raises Fatal if one is missing."""
    hashes: dict[tuple[int, int], bytes] = {}
    nodes = [node for node in nodes_and_leaves if node[0]]
    leaves = [position for level, position in nodes_and_leaves if not level]
    if nodes:
        values = tuple(number for node in nodes for number in node)
        for level, position, node in driver.rows(" UNION ALL ".join([NODE] * len(nodes)), values):
            hashes[level, position] = bytes(node)
    if leaves:
        values = tuple(position + 1 for position in leaves)
        for seq, leaf in driver.rows(" UNION ALL ".join([LEAF] * len(leaves)), values):
            hashes[0, seq - 1] = bytes.fromhex(leaf)
    for level, position in nodes_and_leaves:
        if (level, position) not in hashes:
            what = f"node {position} of level {level}" if level else f"event {position + 1}"
            raise Fatal(
                f"the audit trail is broken | {what} | the database does not have it | run footage-desk audit verify",
                runbook=RUNBOOK,
            )
    return hashes


def _last(driver: Driver) -> tuple[int, bytes]:
    """Return the number of events and the last leaf; 0 and empty without events."""
    for size, leaf in driver.rows(LAST):
        return size, bytes.fromhex(leaf)
    return 0, b""


def _edge(driver: Driver, size: int, last: bytes, more: int) -> dict[int, bytes]:
    """Read, by level, the complete subtrees at the right edge that ``more`` events will extend."""
    edge = {0: last} if size & 1 else {}
    needed, level = [], 1
    while size >> level and size % (1 << level) + more >= 1 << level:  # else nothing is completed that joins there
        if size >> level & 1 and size % (2 << level) + more >= 2 << level:
            needed.append((level, (size >> level) - 1))
        level += 1
    if needed:
        edge |= {level: node for (level, _), node in _read(driver, needed).items()}
    return edge


def _row(event: "AuditEvent", postgres: bool) -> tuple[Any, ...]:
    at = event.at.astimezone(UTC)
    return (
        event.seq,
        at if postgres else at.isoformat(" ", "microseconds")[:26],  # as SQLAlchemy does
        event.actor_kind,
        event.actor_id,
        event.action,
        event.subject_kind,
        event.subject_id,
        event.application_id,
        event.entry,
        event.leaf_sha256,
    )
