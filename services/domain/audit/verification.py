"""Recompute the audit trail from its rows: every entry, column, hash and node, and every signed head.

A fault names its row. A fault in a row also makes the nodes above it in the tree wrong; these are not reported. The
trail is read in parts of ``WIDTH`` events, so that memory does not grow with it, and in one process: helper processes
on idle processors saved 1.4 s of a million events.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, func, select

from services.database.tables.audit import AuditEvent, AuditNode
from services.domain.audit import rows as audit_rows
from services.verifier.merkle import EMPTY, node_hash, root_of_edge
from services.verifier.notes import Checkpoint

LEVELS = 13
WIDTH = 1 << LEVELS
MAX_FAULTS = 50  # faults that are named one by one: a thousand changed rows are found by the first
MISSING_LEAF = bytes(32)  # in the place of a missing event

_sha256 = hashlib.sha256


@dataclass(frozen=True)
class SignedHead:
    """A signed head; ``what`` names it in a fault."""

    what: str
    checkpoint: Checkpoint


@dataclass
class TrailReport:
    """The result of a verification. ``complete_up_to`` is the moment of the last event."""

    size: int = 0
    root: bytes = EMPTY
    complete_up_to: datetime | None = None
    agreeing: int = 0  # heads that have the root of these events
    faults: list[str] = field(default_factory=list)
    more_faults: int = 0  # those beyond ``MAX_FAULTS``

    def add_fault(self, fault: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(fault)
        else:
            self.more_faults += 1


def verify_trail(connection: Connection, heads: Sequence[SignedHead] = ()) -> TrailReport:
    """Verify the whole trail, and compare each head with the root over as many events."""
    return _Verification(connection, heads).report


class _Verification:
    def __init__(self, connection: Connection, heads: Sequence[SignedHead]) -> None:
        self._connection = connection
        self._heads = sorted(heads, key=lambda head: head.checkpoint.size, reverse=True)
        self._edge: list[bytes] = []  # the complete subtrees of whole parts, the largest first
        self._parts: list[bytes] = []  # the root of each whole part
        self._wrong_parts: set[int] = set()
        self._sound = 0  # the largest head that agrees
        self._wrong_heads: list[SignedHead] = []
        size = connection.execute(select(func.coalesce(func.max(AuditEvent.seq), 0))).scalar_one()
        self.report = TrailReport(size=size)
        if connection.execute(select(func.count()).where(AuditEvent.seq < 1)).scalar_one():
            self.report.add_fault("there are events before the first one, which has the number 1")
        self._compare_heads(0, 0, [])
        for start in range(0, size, WIDTH):
            self._part(start, min(start + WIDTH, size))
        self._upper_levels()
        self._surplus_nodes()
        self._report_heads()
        last = select(AuditEvent.at).where(AuditEvent.seq == size)
        self.report.complete_up_to = connection.execute(last).scalar_one_or_none()

    def _part(self, start: int, end: int) -> None:
        """Check the events ``start + 1`` to ``end`` and the nodes over them."""
        leaves, wrong = self._leaves(start, end)
        levels = [leaves]
        while len(levels[-1]) > 1:
            levels.append(_joined(levels[-1]))
            level = len(levels) - 1
            wrong = self._compare(level, start >> level, levels[-1], wrong)
        self._compare_heads(start, end, levels)
        self.report.root = root_of_edge([*self._edge, *_edge_within(levels, end - start)])
        if end - start == WIDTH:
            [node], number = levels[LEVELS], len(self._parts)
            self._wrong_parts |= wrong
            self._parts.append(node)
            while number & 1:
                node, number = node_hash(self._edge.pop(), node), number >> 1
            self._edge.append(node)

    def _leaves(self, start: int, end: int) -> tuple[list[bytes], set[int]]:
        """Compute the leaf hashes of the entries; also return the positions of the wrong ones."""
        rows = audit_rows.read_events(self._connection, start, end)
        leaves, wrong = [_sha256(b"\x00" + entry).digest() for entry in rows.entry], set[int]()
        if tuple(map(bytes.hex, leaves)) != rows.leaf_sha256 or not all(rows.agree):
            for seq, entry, stored, agrees, leaf in zip(*rows, leaves, strict=True):
                if leaf.hex() != stored:
                    self.report.add_fault(f"event {seq}: its entry does not have the hash beside it")
                    wrong.add(seq - 1)
                if not agrees:
                    for fault in audit_rows.find_disagreements(self._connection, seq, entry):
                        self.report.add_fault(f"event {seq}: {fault}")
        if len(leaves) == end - start:  # the numbers are unique, so none is missing
            return leaves, wrong
        leaf_by_seq = dict(zip(rows.seq, leaves, strict=True))
        for seq in range(start + 1, end + 1):
            if seq not in leaf_by_seq:
                self.report.add_fault(f"event {seq} is missing")
                wrong.add(seq - 1)
        return [leaf_by_seq.get(seq, MISSING_LEAF) for seq in range(start + 1, end + 1)], wrong

    def _compare(self, level: int, first: int, nodes: Sequence[bytes], wrong_below: set[int]) -> set[int]:
        """Compare the nodes of a level, from the position ``first`` on, with the database.

        Returns the positions of the wrong ones. A node over one of ``wrong_below``, the wrong positions of the level
        below, is not reported.
        """
        rows = audit_rows.read_nodes(self._connection, level, first, first + len(nodes))
        if rows == list(enumerate(nodes, first)):
            return set()
        stored, wrong = dict(rows), set()
        for position, node in enumerate(nodes, first):
            if stored.get(position) == node:
                continue
            wrong.add(position)
            if wrong_below.isdisjoint((2 * position, 2 * position + 1)):
                what = "is not what they give" if position in stored else "is missing"
                span = f"events {(position << level) + 1} to {(position + 1) << level}"
                self.report.add_fault(f"node {position} of level {level}, over the {span}, {what}")
        return wrong

    def _upper_levels(self) -> None:
        level, nodes, wrong = LEVELS, self._parts, self._wrong_parts
        while len(nodes) > 1:
            level, nodes = level + 1, _joined(nodes)
            wrong = self._compare(level, 0, nodes, wrong)

    def _surplus_nodes(self) -> None:
        """Report nodes over missing events: the newest rows were deleted."""
        expected = sum(self.report.size >> level for level in range(1, self.report.size.bit_length()))
        if self._connection.execute(select(func.count()).select_from(AuditNode)).scalar_one() <= expected:
            return
        query = select(AuditNode.level, AuditNode.position).order_by(AuditNode.level, AuditNode.position)
        for level, position in self._connection.execute(query):
            if (position + 1) << level > self.report.size:
                self.report.add_fault(
                    f"node {position} of level {level} is over the events {(position << level) + 1} to "
                    f"{(position + 1) << level}, and the last event is {self.report.size}"
                )

    def _compare_heads(self, start: int, end: int, levels: Sequence[Sequence[bytes]]) -> None:
        """Compare the heads up to ``end``; ``levels`` are the part's nodes, the leaves first."""
        while self._heads and self._heads[-1].checkpoint.size <= end:
            head = self._heads.pop()
            size = head.checkpoint.size
            if root_of_edge([*self._edge, *_edge_within(levels, size - start)]) == head.checkpoint.root:
                self.report.agreeing += 1
                self._sound = size
            else:
                self._wrong_heads.append(head)

    def _report_heads(self) -> None:
        if self._wrong_heads:
            first = self._wrong_heads[0].checkpoint.size
            since = f"events {self._sound + 1} to {first} have been changed since, or some of them"
            for head in self._wrong_heads:
                self.report.add_fault(
                    f"{head.what} of {head.checkpoint.size} events has another root: {since}"
                    if head is self._wrong_heads[0]
                    else f"{head.what} of {head.checkpoint.size} events has another root"
                )
        for head in reversed(self._heads):
            self.report.add_fault(
                f"{head.what} is of {head.checkpoint.size} events, and there are {self.report.size}: the newest were "
                "deleted, or the database is an older one"
            )


def _joined(nodes: Sequence[bytes]) -> list[bytes]:
    """Compute the level above, from the complete pairs."""
    return [_sha256(b"\x01" + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=False)]


def _edge_within(levels: Sequence[Sequence[bytes]], count: int) -> list[bytes]:
    """List the complete subtrees of the first ``count`` leaves of a part, the largest first."""
    edge, position = [], 0
    for level in range(len(levels) - 1, -1, -1):
        if count >> level & 1:
            edge.append(levels[level][position >> level])
            position += 1 << level
    return edge
