"""The official test vectors of the age format (tests/data/age-vectors): each outcome, and each payload."""

import hashlib
import zlib
from dataclasses import dataclass

import pytest

from services.runtime.places import ROOT
from services.vault.age import (
    Corrupt,
    HeaderInvalid,
    MacMismatch,
    NotARecipient,
    PassphraseIdentity,
    Reader,
    Stanza,
    X25519Identity,
    generate_identity,
)

VECTORS = ROOT / "tests" / "data" / "age-vectors"
NAMES = sorted(path.name for path in VECTORS.iterdir() if path.name != "README.md")
# A reader that goes from front to back gives out the first "last" chunk before it sees that more follows; ours, which
# has seen the end, refuses that chunk too.
STRICTER = {"stream_two_final_chunks", "stream_two_final_chunks_full", "stream_two_final_chunks_second"}


@dataclass(frozen=True)
class Vector:
    expect: str
    payload: str | None
    identities: list[X25519Identity | PassphraseIdentity]
    file: bytes


class AnyOf:
    """Tries each identity on the header, as the vectors mean it."""

    def __init__(self, identities: list[X25519Identity | PassphraseIdentity]) -> None:
        self._identities = identities

    def unwrap(self, stanzas: list[Stanza]) -> bytes:
        for identity in self._identities:
            try:
                return identity.unwrap(stanzas)
            except NotARecipient as error:
                last = error
        raise last


def load(name: str) -> Vector:
    head, _, file = (VECTORS / name).read_bytes().partition(b"\n\n")
    pairs = [line.split(": ", 1) for line in head.decode().splitlines()]
    values = dict(pairs)
    assert set(values) <= {"expect", "payload", "identity", "passphrase", "file key", "comment", "compressed"}
    identities: list[X25519Identity | PassphraseIdentity] = [X25519Identity(v) for k, v in pairs if k == "identity"]
    identities += [PassphraseIdentity(v) for k, v in pairs if k == "passphrase"]
    return Vector(
        values["expect"],
        values.get("payload"),
        identities or [X25519Identity(generate_identity()[0])],
        zlib.decompress(file) if values.get("compressed") == "zlib" else file,
    )


def test_all_vectors_for_keys_and_passphrases_are_there() -> None:
    assert len(NAMES) == 92


@pytest.mark.parametrize("name", NAMES)
def test_vector(name: str) -> None:
    vector = load(name)
    released = bytearray()
    outcome = "success"
    opened = False
    try:
        reader = Reader(lambda at, length: vector.file[at : at + length], len(vector.file), AnyOf(vector.identities))
        opened = True
        while piece := reader.read(65536):
            released += piece
    except HeaderInvalid:
        outcome = "header failure"
    except NotARecipient:
        outcome = "no match"
    except MacMismatch:
        outcome = "HMAC failure"
    except Corrupt:
        outcome = "payload failure"
    assert outcome == vector.expect
    if name in STRICTER:
        assert len(released) < len(vector.file) - 65536
    elif outcome == "success" or (outcome == "payload failure" and opened):
        assert hashlib.sha256(released).hexdigest() == vector.payload
    else:
        assert not released
