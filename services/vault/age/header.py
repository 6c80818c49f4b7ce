"""The header of an age v1 file: its lines, its stanzas and its MAC (age-encryption.org/v1, C2SP age)."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.vault.age.errors import HeaderInvalid, MacMismatch

VERSION_LINE = b"age-encryption.org/v1"
FILE_KEY_BYTES = 16
HEADER_LIMIT = 1 << 20  # ours: a header of a thousand recipients has a tenth of it
_COLUMNS = 64
_BODY_LINE = 48  # bytes that fill 64 columns
_ARGUMENT = re.compile(rb"[\x21-\x7e]+")
_STEP = 4096


@dataclass(frozen=True)
class Stanza:
    """One recipient's part of the header: the kind, its arguments, and the wrapped file key."""

    kind: str
    arguments: tuple[str, ...]
    body: bytes

    def encode(self) -> bytes:
        lines = [" ".join(("->", self.kind, *self.arguments)).encode("ascii")]
        lines += [encode64(self.body[start : start + _BODY_LINE]) for start in range(0, len(self.body), _BODY_LINE)]
        if len(self.body) % _BODY_LINE == 0:
            lines.append(b"")  # the last line is always short, so that its end is seen
        return b"".join(line + b"\n" for line in lines)


@dataclass(frozen=True)
class Header:
    """The stanzas, and the MAC over everything that comes before it; ``length`` counts the bytes in the file."""

    stanzas: tuple[Stanza, ...]
    mac: bytes
    covered: bytes

    @classmethod
    def make(cls, stanzas: Sequence[Stanza], file_key: bytes) -> "Header":
        covered = VERSION_LINE + b"\n" + b"".join(stanza.encode() for stanza in stanzas) + b"---"
        return cls(tuple(stanzas), _mac(file_key, covered).finalize(), covered)

    def encode(self) -> bytes:
        return self.covered + b" " + encode64(self.mac) + b"\n"

    @property
    def length(self) -> int:
        return len(self.encode())

    def check(self, file_key: bytes) -> None:
        """Raises MacMismatch unless this header was made with ``file_key``."""
        try:
            _mac(file_key, self.covered).verify(self.mac)
        except InvalidSignature as error:
            raise MacMismatch("the age header was changed after it was written: take another copy.") from error


def derive(secret: bytes, salt: bytes | None, info: bytes) -> bytes:
    """32 bytes by HKDF-SHA-256."""
    return HKDF(SHA256(), 32, salt, info).derive(secret)


def encode64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def decode64(text: bytes) -> bytes:
    """Canonical Base64 without padding; raises HeaderInvalid."""
    if b"=" in text:
        raise HeaderInvalid("the age header holds padded Base64, which the format forbids.")
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise HeaderInvalid("the age header holds text that is not Base64.") from error
    if encode64(data) != text:
        raise HeaderInvalid("the age header holds Base64 that is not canonical.")
    return data


def read_header(read_at: Callable[[int, int], bytes], size: int) -> Header:
    """The header at the start of a file of ``size`` bytes; raises HeaderInvalid where it breaks the format."""
    lines = _Lines(read_at, size)
    if lines.next_line() != VERSION_LINE:
        raise HeaderInvalid("this is not an age v1 file: its first line is not age-encryption.org/v1.")
    stanzas = []
    while (line := lines.next_line()).startswith(b"-> "):
        stanzas.append(_stanza(line, lines))
    if not line.startswith(b"--- "):
        raise HeaderInvalid("the age header holds a line that is neither a stanza nor its end.")
    mac = decode64(line.removeprefix(b"--- "))
    if len(mac) != 32:
        raise HeaderInvalid(f"the age header's MAC has {len(mac)} bytes, not 32.")
    if not stanzas:
        raise HeaderInvalid("the age header names no recipient.")
    if len(stanzas) > 1 and any(stanza.kind == "scrypt" for stanza in stanzas):
        raise HeaderInvalid("the age header has a passphrase beside other recipients, which the format forbids.")
    return Header(tuple(stanzas), mac, lines.seen[: -len(line) - 1] + b"---")


def _stanza(first: bytes, lines: "_Lines") -> Stanza:
    words = first.removeprefix(b"-> ").split(b" ")
    if not all(_ARGUMENT.fullmatch(word) for word in words):
        raise HeaderInvalid("the age header has a stanza with an empty or unprintable argument.")
    body = b""
    while len(line := lines.next_line()) == _COLUMNS:
        body += decode64(line)
    if len(line) > _COLUMNS:
        raise HeaderInvalid("the age header has a stanza line of more than 64 columns.")
    kind, *arguments = (word.decode("ascii") for word in words)
    return Stanza(kind, tuple(arguments), body + decode64(line))


def _mac(file_key: bytes, covered: bytes) -> HMAC:
    mac = HMAC(derive(file_key, None, b"header"), SHA256())
    mac.update(covered)
    return mac


class _Lines:
    """Lines from the start of a file, read in small steps."""

    def __init__(self, read_at: Callable[[int, int], bytes], size: int) -> None:
        self._read_at = read_at
        self._size = min(size, HEADER_LIMIT)
        self._buffer = b""
        self._offset = 0

    @property
    def seen(self) -> bytes:
        return self._buffer[: self._offset]

    def next_line(self) -> bytes:
        """The next line without its end; raises HeaderInvalid where there is none."""
        while (end := self._buffer.find(b"\n", self._offset)) < 0:
            missing = min(_STEP, self._size - len(self._buffer))
            more = self._read_at(len(self._buffer), missing) if missing > 0 else b""
            if not more:
                raise HeaderInvalid("the age header has no end: the file was cut off or is no age file.")
            self._buffer += more
        line = self._buffer[self._offset : end]
        self._offset = end + 1
        return line
