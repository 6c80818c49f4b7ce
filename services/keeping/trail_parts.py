"""A part of the audit trail recomputed by itself: it needs nothing of the parts before, and any process can do it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection

from services.keeping import trail_rows

GONE = bytes(32)  # stands for an event that is not there

_sha256 = hashlib.sha256


@dataclass(frozen=True)
class Task:
    """The events ``start + 1`` to ``end``; ``start`` is a multiple of a power of two that is not below their number.

    ``sizes``: of the trees, ending within the part, whose edges are wanted. ``most``: how many faults are told.
    """

    start: int
    end: int
    sizes: list[int]
    most: int


@dataclass(kw_only=True)
class Faults:
    """Sentences; more than ``most`` are only counted."""

    most: int
    faults: list[str] = field(default_factory=list)
    more_faults: int = 0

    def tell(self, fault: str) -> None:
        if len(self.faults) < self.most:
            self.faults.append(fault)
        else:
            self.more_faults += 1


@dataclass(kw_only=True)
class Part(Faults):
    """What a task gives. ``edges``: for each size, the complete subtrees within the part, the largest first.

    ``spoiled``: the node over the whole part is not as it should be.
    """

    edges: dict[int, list[bytes]] = field(default_factory=dict)
    spoiled: bool = False

    def to_json(self) -> str:
        edges = {size: [node.hex() for node in edge] for size, edge in self.edges.items()}
        return json.dumps({**asdict(self), "edges": edges})

    @classmethod
    def from_json(cls, text: str) -> "Part":
        told: dict[str, Any] = json.loads(text)
        edges = {int(size): [bytes.fromhex(node) for node in edge] for size, edge in told.pop("edges").items()}
        return cls(**told, edges=edges)


def recompute_part(connection: Connection, task: Task) -> Part:
    """Every entry, column, hash and node of the part."""
    return _Recomputation(connection, task).done


class _Recomputation:
    def __init__(self, connection: Connection, task: Task) -> None:
        self._connection = connection
        self.done = Part(most=task.most)
        self._nodes = Comparison(connection, self.done)
        levels = [self._leaves(task.start, task.end)]
        while len(levels[-1]) > 1:
            levels.append(joined(levels[-1]))
        for level, nodes in enumerate(levels[1:], 1):
            self._nodes.compare(level, task.start >> level, nodes)
        top = len(levels) - 1
        self.done.spoiled = (top, task.start >> top) in self._nodes.spoiled
        self.done.edges = {size: _edge_within(levels, size - task.start) for size in task.sizes}

    def _leaves(self, start: int, end: int) -> list[bytes]:
        """The leaf hashes that the entries give."""
        rows = trail_rows.events(self._connection, start, end)
        leaves = [_sha256(b"\x00" + entry).digest() for entry in rows.entry]
        if tuple(map(bytes.hex, leaves)) != rows.leaf_sha256 or not all(rows.agree):
            for row, leaf in zip(zip(*rows, strict=True), leaves, strict=True):
                self._check_row(*row, leaf)
        if len(leaves) == end - start:  # the numbers are different ones, so none is missing
            return leaves
        there = dict(zip(rows.seq, leaves, strict=True))
        for seq in range(start + 1, end + 1):
            if seq not in there:
                self.done.tell(f"event {seq} is missing")
                self._nodes.spoiled.add((0, seq - 1))
        return [there.get(seq, GONE) for seq in range(start + 1, end + 1)]

    def _check_row(self, seq: int, entry: bytes, kept: str, agrees: bool, leaf: bytes) -> None:
        if leaf.hex() != kept:
            self.done.tell(f"event {seq}: its entry does not have the hash that stands beside it")
            self._nodes.spoiled.add((0, seq - 1))
        if not agrees:
            for fault in trail_rows.disagreements(self._connection, seq, entry):
                self.done.tell(f"event {seq}: {fault}")


class Comparison:
    """Nodes compared with those in the books. What is wrong below a node is not told of it again."""

    def __init__(self, connection: Connection, told: Faults) -> None:
        self._connection = connection
        self._told = told
        self.spoiled: set[tuple[int, int]] = set()  # nodes (level, position) that are not as they should be

    def compare(self, level: int, first: int, nodes: Sequence[bytes]) -> None:
        """The nodes of a level, from the position ``first`` on."""
        found = trail_rows.nodes(self._connection, level, first, first + len(nodes))
        if found == list(enumerate(nodes, first)):
            return
        kept = dict(found)
        for position, node in enumerate(nodes, first):
            if kept.get(position) == node:
                continue
            if not {(level - 1, 2 * position), (level - 1, 2 * position + 1)} & self.spoiled:
                what = "is not what they give" if position in kept else "is missing"
                span = f"events {(position << level) + 1} to {(position + 1) << level}"
                self._told.tell(f"node {position} of level {level}, over the {span}, {what}")
            self.spoiled.add((level, position))


def joined(nodes: Sequence[bytes]) -> list[bytes]:
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
