"""The tree of RFC 6962 against its own definition, and checks that take nothing but the right proof."""

import hashlib
from collections.abc import Sequence

import pytest

from services.verifier import merkle
from services.verifier.invalid import Invalid

LEAVES = [merkle.leaf_hash(str(number).encode()) for number in range(40)]
# the RFC's own test data, as Certificate Transparency's implementations have it
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOT_OF_ENTRIES = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def root(leaves: Sequence[bytes]) -> bytes:
    """As RFC 6962, 2.1 defines it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return merkle.node_hash(root(leaves[:split]), root(leaves[split:]))


def inclusion(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """As RFC 6962, 2.1.1 defines it."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*inclusion(index, leaves[:split]), root(leaves[split:])]
    return [*inclusion(index - split, leaves[split:]), root(leaves[:split])]


def consistency(old: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """As RFC 6962, 2.1.2 defines it."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= split:
        return [*consistency(old, leaves[:split], whole=whole), root(leaves[split:])]
    return [*consistency(old - split, leaves[split:], whole=False), root(leaves[:split])]


def test_the_root_of_the_known_entries_is_the_known_one() -> None:
    assert merkle.root(merkle.leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES).hex() == ROOT_OF_ENTRIES
    assert merkle.root([]) == merkle.EMPTY


@pytest.mark.parametrize("size", range(1, len(LEAVES) + 1))
def test_each_right_proof_is_taken_and_no_other(size: int) -> None:
    leaves = LEAVES[:size]
    whole = merkle.root(leaves)
    assert whole == root(leaves)
    for index, leaf in enumerate(leaves):
        proof = inclusion(index, leaves)
        merkle.verify_inclusion(leaf, index, size, proof, whole)
        for wrong in wrongly(proof):
            with pytest.raises(Invalid):
                merkle.verify_inclusion(leaf, index, size, wrong, whole)
        for place in {index - 1, index + 1, size}:
            with pytest.raises(Invalid):
                merkle.verify_inclusion(leaf, place, size, proof, whole)
    for old in range(size + 1):
        before = merkle.root(leaves[:old])
        path = consistency(old, leaves) if old else []
        merkle.verify_consistency(old, size, path, before, whole)
        for wrong in wrongly(path):
            with pytest.raises(Invalid):
                merkle.verify_consistency(old, size, wrong, before, whole)
        with pytest.raises(Invalid):
            merkle.verify_consistency(old, size, path, LEAVES[-1], whole)
        if old:
            with pytest.raises(Invalid):
                merkle.verify_consistency(old, size, path, before, merkle.EMPTY)


def wrongly(proof: list[bytes]) -> list[list[bytes]]:
    """The proof with one hash more, one less, one that is another, and one that is cut short."""
    other = merkle.leaf_hash(b"another")
    shorter = [[*proof[:-1]], [other, *proof[1:]], [*proof[:-1], other], [*proof[:-1], proof[-1][:-1]]] if proof else []
    return [[*proof, other], *shorter]


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_a_tree_does_not_go_on_from_a_larger_one(old: int, new: int) -> None:
    with pytest.raises(Invalid, match="does not extend"):
        merkle.verify_consistency(old, new, [], LEAVES[0], LEAVES[1])


def test_one_size_has_one_root() -> None:
    with pytest.raises(Invalid, match="two roots"):
        merkle.verify_consistency(3, 3, [], LEAVES[0], LEAVES[1])
