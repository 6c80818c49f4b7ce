"""The audit trail recomputed from its rows: every entry, column, hash and node, and every head that was ever signed.

What is said of a fault names the row. A fault in a row also spoils what is above it in the tree; that is not said
again. The trail is read in parts of ``WIDTH`` events, so that memory does not grow with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from services.keeping.trail_helpers import recompute_parts
from services.keeping.trail_parts import Comparison, Faults, Part, Task, joined
from services.register.audit import AuditEvent
from services.register.audit_tree import AuditNode
from services.verifier.merkle import EMPTY, node_hash, root_of_edge
from services.verifier.notes import Checkpoint

LEVELS = 13
WIDTH = 1 << LEVELS
MOST = 50  # faults that are told one by one: whoever changed a thousand rows is found by the first


@dataclass(frozen=True)
class Head:
    """A head that was signed, and what people call it."""

    what: str
    checkpoint: Checkpoint


@dataclass(kw_only=True)
class Trail(Faults):
    """What the rows give. ``complete_up_to`` is the moment of the last event."""

    size: int = 0
    root: bytes = EMPTY
    complete_up_to: datetime | None = None
    agreeing: int = 0  # heads that have the root of the events that are here


def recompute(connection: Connection, heads: Sequence[Head] = ()) -> Trail:
    """Go through the whole trail, and compare each head with the root over as many events."""
    return _Recomputation(connection, heads).done


class _Recomputation:
    def __init__(self, connection: Connection, heads: Sequence[Head]) -> None:
        self._connection = connection
        self._heads = sorted(heads, key=lambda head: head.checkpoint.size, reverse=True)
        self._edge: list[bytes] = []  # the complete subtrees of whole parts, the largest first
        self._parts: list[bytes] = []  # the root of each whole part
        self._sound = 0  # the largest head that agrees
        self._wrong: list[Head] = []
        size = connection.execute(select(func.coalesce(func.max(AuditEvent.seq), 0))).scalar_one()
        self.done = Trail(most=MOST, size=size)
        self._nodes = Comparison(connection, self.done)
        if connection.execute(select(func.count()).where(AuditEvent.seq < 1)).scalar_one():
            self.done.tell("there are events before the first one, which has the number 1")
        self._compare_heads(0, {0: []})
        tasks = self._tasks()
        for task, part in zip(tasks, recompute_parts(connection, tasks), strict=True):
            self._put(task, part)
        self._upper_levels()
        self._left_over()
        self._tell_heads()
        last = select(AuditEvent.at).where(AuditEvent.seq == self.done.size)
        self.done.complete_up_to = connection.execute(last).scalar_one_or_none()

    def _tasks(self) -> list[Task]:
        sizes = [head.checkpoint.size for head in self._heads]
        ends = [min(start + WIDTH, self.done.size) for start in range(0, self.done.size, WIDTH)]
        return [
            Task(start, end, [end, *(size for size in sizes if start < size < end)], MOST)
            for start, end in zip(range(0, self.done.size, WIDTH), ends, strict=True)
        ]

    def _put(self, task: Task, part: Part) -> None:
        """Take a part into the tree, to the right of those before."""
        for fault in part.faults:
            self.done.tell(fault)
        self.done.more_faults += part.more_faults
        if part.spoiled:
            self._nodes.spoiled.add((LEVELS, len(self._parts)))
        self._compare_heads(task.end, part.edges)
        self.done.root = root_of_edge([*self._edge, *part.edges[task.end]])
        if task.end - task.start == WIDTH:
            [node], number = part.edges[task.end], len(self._parts)
            self._parts.append(node)
            while number & 1:
                node, number = node_hash(self._edge.pop(), node), number >> 1
            self._edge.append(node)

    def _upper_levels(self) -> None:
        level, nodes = LEVELS, self._parts
        while len(nodes) > 1:
            level, nodes = level + 1, joined(nodes)
            self._nodes.compare(level, 0, nodes)

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

    def _compare_heads(self, end: int, edges: Mapping[int, Sequence[bytes]]) -> None:
        """Those up to ``end``; ``edges`` are those within the part that ends there."""
        while self._heads and self._heads[-1].checkpoint.size <= end:
            head = self._heads.pop()
            if root_of_edge([*self._edge, *edges[head.checkpoint.size]]) == head.checkpoint.root:
                self.done.agreeing += 1
                self._sound = head.checkpoint.size
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
