"""The Merkle tree of RFC 6962: hashes, roots, strict checks of inclusion and consistency (RFC 9162, 2.1.3, 2.1.4).

Proofs are lists of hashes as the RFC orders them, leaf side first. A check takes nothing that it need not: wrong sizes,
wrong lengths and left-over hashes are Invalid.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from services.verifier.invalid import Invalid

EMPTY = hashlib.sha256(b"").digest()
WIDTH = 32  # bytes of a hash


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over the leaf hashes, in memory proportional to the tree's height."""
    edge: list[bytes] = []
    for index, leaf in enumerate(leaves):
        node, position = leaf, index
        while position & 1:
            node, position = node_hash(edge.pop(), node), position >> 1
        edge.append(node)
    return root_of_edge(edge)


def root_of_edge(edge: Sequence[bytes]) -> bytes:
    """Return the root over the complete subtrees of a tree, the largest first."""
    if not edge:
        return EMPTY
    node = edge[-1]
    for left in reversed(edge[:-1]):
        node = node_hash(left, node)
    return node


def verify_inclusion(leaf: bytes, index: int, size: int, hashes: Sequence[bytes], root: bytes) -> None:
    """Raise Invalid unless ``hashes`` lead from the leaf at ``index`` to the root of ``size`` leaves."""
    _check_widths(leaf, *hashes, root)
    if not 0 <= index < size:
        raise Invalid(f"no tree of {size} entries has an entry {index}")
    node = leaf
    for sibling, on_left in _climb(index, size - 1, hashes):
        node = node_hash(sibling, node) if on_left else node_hash(node, sibling)
    if node != root:
        raise Invalid("the inclusion proof leads to another root")


def verify_consistency(old: int, new: int, hashes: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Raise Invalid unless ``hashes`` prove that the tree of ``new`` entries extends that of ``old`` ones."""
    _check_widths(*hashes, old_root, new_root)
    if not 0 <= old <= new:
        raise Invalid(f"a tree of {new} entries does not extend one of {old}")
    if old in (0, new):
        _check_nothing_to_prove(old, new, hashes, old_root, new_root)
        return
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    # An old tree that is complete is a node of the new one, and its root is not repeated in the proof.
    path = list(hashes) if position else [old_root, *hashes]
    if not path:
        raise Invalid("the consistency proof is empty")
    seen_old = seen_new = path[0]
    for sibling, on_left in _climb(position, last, path[1:]):
        if on_left:
            seen_old, seen_new = node_hash(sibling, seen_old), node_hash(sibling, seen_new)
        else:
            seen_new = node_hash(seen_new, sibling)
    if seen_old != old_root:
        raise Invalid("the consistency proof leads to another old root")
    if seen_new != new_root:
        raise Invalid("the consistency proof leads to another new root")


def _check_nothing_to_prove(old: int, new: int, hashes: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    if hashes:
        raise Invalid("there is nothing to prove, and the consistency proof has hashes")
    if old == new and old_root != new_root:
        raise Invalid(f"there are two roots for {new} entries")
    if old == 0 and old_root != EMPTY:
        raise Invalid("the root of no entries is another one")


def _climb(position: int, last: int, hashes: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each hash and whether it is on the left, from a node up to the root."""
    for sibling in hashes:
        if last == 0:
            raise Invalid("the proof has more hashes than the tree has levels")
        on_left = bool(position & 1) or position == last
        if on_left:  # the rightmost node of a level may have no neighbour there, nor further up
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        yield sibling, on_left
        position, last = position >> 1, last >> 1
    if last:
        raise Invalid("the proof has fewer hashes than the tree has levels")


def _check_widths(*hashes: bytes) -> None:
    if any(len(digest) != WIDTH for digest in hashes):
        raise Invalid(f"a hash of the tree has {WIDTH} bytes")
