"""The Range header of a read (RFC 9110, section 14): one range of bytes, or none."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=([0-9]{0,100})-([0-9]{0,100})", re.IGNORECASE)


@dataclass(frozen=True)
class ByteRange:
    """From ``start`` up to, not including, ``end``."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


class Unsatisfiable(Exception):
    """The range lies outside the content: answered with 416."""


def parse(header: str | None, size: int) -> ByteRange | None:
    """The range that is asked for, cut to ``size``; None where the header asks for none that is understood, which
    means the whole. Several ranges at once are not understood. Raises Unsatisfiable."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), size if not last else int(last) + 1
        if last and end <= start:
            return None  # a range that ends before it begins is no range at all, and is ignored
    if start >= size or not min(end, size) - start:
        raise Unsatisfiable
    return ByteRange(start, min(end, size))
