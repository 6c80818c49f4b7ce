"""Recompute the audit trail from its rows: every entry, column, hash and node, and every signed head.

A fault names its row. A fault in a row also spoils the nodes above it in the tree; that is not reported again. The
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
MISSING_LEAF = bytes(32)  # stands for an event that is not there

_sha256 = hashlib.sha256


@dataclass(frozen=True)
class SignedHead:
    """A head that was signed, and what people call it."""

    what: str
    checkpoint: Checkpoint


@dataclass
class TrailReport:
    """What the rows give. ``complete_up_to`` is the moment of the last event."""

    size: int = 0
    root: bytes = EMPTY
    complete_up_to: datetime | None = None
    agreeing: int = 0  # heads that have the root of the events that are here
    faults: list[str] = field(default_factory=list)
    more_faults: int = 0  # those beyond ``MAX_FAULTS``

    def tell(self, fault: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(fault)
        else:
            self.more_faults += 1


def verify_trail(connection: Connection, heads: Sequence[SignedHead] = ()) -> TrailReport:
    """Go through the whole trail, and compare each head with the root over as many events."""
    return _Verification(connection, heads).done


class _Verification:
    def __init__(self, connection: Connection, heads: Sequence[SignedHead]) -> None:
        self._connection = connection
        self._heads = sorted(heads, key=lambda head: head.checkpoint.size, reverse=True)
        self._edge: list[bytes] = []  # the complete subtrees of whole parts, the largest first
        self._parts: list[bytes] = []  # the root of each whole part
        self._spoiled_parts: set[int] = set()
        self._sound = 0  # the largest head that agrees
        self._wrong: list[SignedHead] = []
        size = connection.execute(select(func.coalesce(func.max(AuditEvent.seq), 0))).scalar_one()
        self.done = TrailReport(size=size)
        if connection.execute(select(func.count()).where(AuditEvent.seq < 1)).scalar_one():
            self.done.tell("there are events before the first one, which has the number 1")
        self._compare_heads(0, 0, [])
        for start in range(0, size, WIDTH):
            self._part(start, min(start + WIDTH, size))
        self._upper_levels()
        self._left_over()
        self._tell_heads()
        last = select(AuditEvent.at).where(AuditEvent.seq == size)
        self.done.complete_up_to = connection.execute(last).scalar_one_or_none()

    def _part(self, start: int, end: int) -> None:
        """Check the events ``start + 1`` to ``end``, and take their nodes into the tree."""
        leaves, spoiled = self._leaves(start, end)
        levels = [leaves]
        while len(levels[-1]) > 1:
            levels.append(_joined(levels[-1]))
            level = len(levels) - 1
            spoiled = self._compare(level, start >> level, levels[-1], spoiled)
        self._compare_heads(start, end, levels)
        self.done.root = root_of_edge([*self._edge, *_edge_within(levels, end - start)])
        if end - start == WIDTH:
            [node], number = levels[LEVELS], len(self._parts)
            self._spoiled_parts |= spoiled
            self._parts.append(node)
            while number & 1:
                node, number = node_hash(self._edge.pop(), node), number >> 1
            self._edge.append(node)

    def _leaves(self, start: int, end: int) -> tuple[list[bytes], set[int]]:
        """The leaf hashes that the entries give, and the positions of those that are not as they should be."""
        rows = audit_rows.read_events(self._connection, start, end)
        leaves, spoiled = [_sha256(b"\x00" + entry).digest() for entry in rows.entry], set[int]()
        if tuple(map(bytes.hex, leaves)) != rows.leaf_sha256 or not all(rows.agree):
            for seq, entry, kept, agrees, leaf in zip(*rows, leaves, strict=True):
                if leaf.hex() != kept:
                    self.done.tell(f"event {seq}: its entry does not have the hash that stands beside it")
                    spoiled.add(seq - 1)
                if not agrees:
                    for fault in audit_rows.find_disagreements(self._connection, seq, entry):
                        self.done.tell(f"event {seq}: {fault}")
        if len(leaves) == end - start:  # the numbers are different ones, so none is missing
            return leaves, spoiled
        there = dict(zip(rows.seq, leaves, strict=True))
        for seq in range(start + 1, end + 1):
            if seq not in there:
                self.done.tell(f"event {seq} is missing")
                spoiled.add(seq - 1)
        return [there.get(seq, MISSING_LEAF) for seq in range(start + 1, end + 1)], spoiled

    def _compare(self, level: int, first: int, nodes: Sequence[bytes], spoiled_below: set[int]) -> set[int]:
        """Compare the nodes of a level, from the position ``first`` on, with those in the database.

        Returns the positions of those that are not as they should be. A node over one of ``spoiled_below``, the same
        of the level below, is not reported.
        """
        found = audit_rows.read_nodes(self._connection, level, first, first + len(nodes))
        if found == list(enumerate(nodes, first)):
            return set()
        kept, spoiled = dict(found), set()
        for position, node in enumerate(nodes, first):
            if kept.get(position) == node:
                continue
            spoiled.add(position)
            if spoiled_below.isdisjoint((2 * position, 2 * position + 1)):
                what = "is not what they give" if position in kept else "is missing"
                span = f"events {(position << level) + 1} to {(position + 1) << level}"
                self.done.tell(f"node {position} of level {level}, over the {span}, {what}")
        return spoiled

    def _upper_levels(self) -> None:
        level, nodes, spoiled = LEVELS, self._parts, self._spoiled_parts
        while len(nodes) > 1:
            level, nodes = level + 1, _joined(nodes)
            spoiled = self._compare(level, 0, nodes, spoiled)

    def _left_over(self) -> None:
        """Nodes over events that are not there: the newest rows were taken away."""
        wanted = sum(self.done.size >> level for level in range(1, self.done.size.bit_length()))
        if self._connection.execute(select(func.count()).select_from(AuditNode)).scalar_one() <= wanted:
            return
        query = select(AuditNode.level, AuditNode.position).order_by(AuditNode.level, AuditNode.position)
        for level, position in self._connection.execute(query):
            if (position + 1) << level > self.done.size:
                self.done.tell(
                    f"node {position} of level {level} is over the events {(position << level) + 1} to "
                    f"{(position + 1) << level}, and the last event is {self.done.size}"
                )

    def _compare_heads(self, start: int, end: int, levels: Sequence[Sequence[bytes]]) -> None:
        """Those up to ``end``; ``levels`` are the nodes of the part from ``start`` on, the leaves first."""
        while self._heads and self._heads[-1].checkpoint.size <= end:
            head = self._heads.pop()
            size = head.checkpoint.size
            if root_of_edge([*self._edge, *_edge_within(levels, size - start)]) == head.checkpoint.root:
                self.done.agreeing += 1
                self._sound = size
            else:
                self._wrong.append(head)

    def _tell_heads(self) -> None:
        if self._wrong:
            first = self._wrong[0].checkpoint.size
            since = f"events {self._sound + 1} to {first} have been changed since, or some of them"
            for head in self._wrong:
                self.done.tell(
                    f"{head.what} of {head.checkpoint.size} events has another root: {since}"
                    if head is self._wrong[0]
                    else f"{head.what} of {head.checkpoint.size} events has another root"
                )
        for head in reversed(self._heads):
            self.done.tell(
                f"{head.what} is of {head.checkpoint.size} events, and there are {self.done.size}: the newest were "
                "taken away, or the books are older ones"
            )


def _joined(nodes: Sequence[bytes]) -> list[bytes]:
    """The level above, from the pairs that are whole."""
    return [_sha256(b"\x01" + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=False)]


def _edge_within(levels: Sequence[Sequence[bytes]], count: int) -> list[bytes]:
    """The complete subtrees of the first ``count`` leaves of a part, the largest first."""
    edge, position = [], 0
    for level in range(len(levels) - 1, -1, -1):
        if count >> level & 1:
            edge.append(levels[level][position >> level])
            position += 1 << level
    return edge
