"""Signed notes and checkpoints as transparency logs write them (C2SP signed-note and tlog-checkpoint), Ed25519 only."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.verifier.invalid import Invalid
from services.verifier.merkle import WIDTH

ED25519 = b"\x01"
MOST_BYTES = 64 * 1024
MOST_SIGNATURES = 16
_NAME = re.compile(r"[^\s+]{1,200}")
_SIGNATURE = re.compile(r"— (?P<name>[^\s+]{1,200}) (?P<signature>[A-Za-z0-9+/]+={0,2})")
_VKEY = re.compile(r"(?P<name>[^\s+]{1,200})\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/]+={0,2})")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class VerifierKey:
    """The public half of a log key. ``public`` has 32 bytes; ``id`` are 4 bytes over name and key."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint."""
        return f"sha256:{hashlib.sha256(self.public).hexdigest()}"

    @property
    def vkey(self) -> str:
        """Return ``name+id+key``, the format of other tools."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"


@dataclass(frozen=True)
class Checkpoint:
    """The head of a log: its first ``size`` entries have this root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def root_base64(self) -> str:
        return base64.b64encode(self.root).decode()

    @property
    def body(self) -> str:
        """Return the signed body."""
        return f"{self.origin}\n{self.size}\n{self.root_base64}\n"


def key_of(vkey: str) -> VerifierKey:
    """Parse a line of ``log-vkeys.txt``; raises Invalid."""
    match = _VKEY.fullmatch(vkey)
    if match is None:
        raise Invalid("a log's key is written name+id+key")
    data = _decoded(match["key"], "the log's key")
    if len(data) != 1 + WIDTH or data[:1] != ED25519:
        raise Invalid("the log's key is no Ed25519 key")
    key = VerifierKey(match["name"], data[1:])
    if key.id.hex() != match["id"]:
        raise Invalid("the log's key has another id than its name and bytes give")
    return key


def keys_of(text: str) -> list[VerifierKey]:
    """Parse ``log-vkeys.txt``, newest key first; raises Invalid."""
    return [key_of(line) for line in text.splitlines() if line]


def signed(body: str, key: VerifierKey, signature: bytes) -> str:
    """Return the note of a body, which ends with a line break, and one Ed25519 signature (64 bytes) over it."""
    return f"{body}\n— {key.name} {base64.b64encode(key.id + signature).decode()}\n"


def open_note(note: str, keys: Iterable[VerifierKey]) -> tuple[str, VerifierKey]:
    """Return the body and its signer's key; raises Invalid if none of ``keys`` has signed, or one's signature is bad.

    Signatures of keys that are not known are passed over, as the format wants it.
    """
    body, signatures = _split_note(note)
    known = {(key.name, key.id): key for key in keys}
    signers = []
    for name, data in signatures:
        key = known.get((name, data[:4]))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(data[4:], body.encode())
        except (InvalidSignature, ValueError) as error:
            raise Invalid(f"the signature of {name} is not over this note") from error
        signers.append(key)
    if not signers:
        raise Invalid("no known key has signed this note")
    return body, signers[0]


def open_checkpoint(note: str, keys: Iterable[VerifierKey]) -> tuple[Checkpoint, VerifierKey]:
    """Return the checkpoint, signed by the key with its origin's name; raises Invalid."""
    checkpoint = read_checkpoint(note)
    _, key = open_note(note, [key for key in keys if key.name == checkpoint.origin])
    return checkpoint, key


def read_checkpoint(note: str) -> Checkpoint:
    """Parse the note without checking signatures; raises Invalid."""
    lines = _split_note(note)[0][:-1].split("\n")
    if len(lines) != 3:  # what a log adds to a checkpoint, ours does not
        raise Invalid("a checkpoint has the lines origin, size and root")
    origin, size, root = lines
    if not _NAME.fullmatch(origin) or not _SIZE.fullmatch(size):
        raise Invalid("the checkpoint's origin or size is not written as it should be")
    data = _decoded(root, "the checkpoint's root")
    if len(data) != WIDTH:
        raise Invalid(f"the checkpoint's root has {len(data)} bytes and not {WIDTH}")
    return Checkpoint(origin, int(size), data)


def _split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    if len(note) > MOST_BYTES or any(character < " " and character != "\n" for character in note):
        raise Invalid("the note is too long, or has control characters")
    body, separator, tail = note.rpartition("\n\n")
    if not separator or not body or not tail.endswith("\n"):
        raise Invalid("a note is a text, an empty line and signatures")
    lines = tail[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise Invalid("the note has too many signatures")
    signatures = []
    for line in lines:
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise Invalid("a signature of the note is not written as it should be")
        data = _decoded(match["signature"], "a signature of the note")
        if len(data) < 5:
            raise Invalid("a signature of the note is too short")
        signatures.append((match["name"], data))
    return body + "\n", signatures


def _decoded(text: str, what: str) -> bytes:
    """Decode base64; only the canonical spelling is accepted."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(f"{what} is no base64") from error
    if base64.b64encode(data).decode() != text:
        raise Invalid(f"{what} is written in another way than base64 is")
    return data
