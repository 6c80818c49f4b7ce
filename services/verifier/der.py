"""The part of DER that a time stamp needs (ITU-T X.690): elements of definite, minimal length.

The order of a SET OF is not asked for: OpenSSL 3.0 writes certificates in the order in which it was given them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from services.verifier.invalid import Invalid

BOOLEAN, INTEGER, BIT_STRING, OCTETS, OID, TIME = 0x01, 0x02, 0x03, 0x04, 0x06, 0x18
NULL, SEQUENCE, SET = 0x05, 0x30, 0x31
DEEPEST_LENGTH = 4


@dataclass(frozen=True)
class Element:
    """``tag`` is the first byte, ``raw`` the whole element, ``content`` its content."""

    tag: int
    raw: bytes
    content: bytes

    def parts(self) -> "Parts":
        """Return a reader of the elements inside."""
        return Parts(self.content)

    def number(self) -> int:
        if not self.content:
            raise Invalid("the time stamp is not in DER: a number is empty.")
        return int.from_bytes(self.content, "big", signed=True)

    def oid(self) -> str:
        """Return the object identifier in dotted form."""
        numbers, value, open_ = [], 0, False
        for byte in self.content:
            value, open_ = value << 7 | byte & 0x7F, bool(byte & 0x80)
            if not open_:
                numbers.append(value)
                value = 0
        if open_ or not numbers:
            raise Invalid("the time stamp is not in DER: an identifier is cut off.")
        first = min(numbers[0] // 40, 2)
        return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:]))


class Parts:
    """Reads elements one after another."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __iter__(self) -> Iterator[Element]:
        while self._position < len(self._data):
            yield self._next()

    def require(self, *tags: int) -> Element:
        """Return the next element, which must have one of these tags."""
        element = self.optional(*tags)
        if element is None:
            raise Invalid("the time stamp is not built as one: something is missing, or in another place.")
        return element

    def optional(self, *tags: int) -> Element | None:
        """Return the next element if it has one of these tags, else None."""
        if self._position >= len(self._data) or self._data[self._position] not in tags:
            return None
        return self._next()

    def end(self) -> None:
        if self._position != len(self._data):
            raise Invalid("the time stamp has more in it than one has.")

    def _next(self) -> Element:
        start, data = self._position, self._data
        cut_off = Invalid("the time stamp is cut off, or not in DER.")
        if start + 2 > len(data) or data[start] & 0x1F == 0x1F:
            raise cut_off
        length, at = data[start + 1], start + 2
        if length & 0x80:
            width = length & 0x7F
            length = int.from_bytes(data[at : at + width], "big")
            if not 0 < width <= DEEPEST_LENGTH or length < 0x80 or data[at] == 0:
                raise cut_off
            at += width
        if at + length > len(data):
            raise cut_off
        self._position = at + length
        return Element(data[start], data[start : self._position], data[at : self._position])


def only(data: bytes, tag: int) -> Element:
    """Parse data that is exactly one element."""
    parts = Parts(data)
    element = parts.require(tag)
    parts.end()
    return element
