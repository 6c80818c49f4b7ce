"""The Range header of a read (RFC 9110, section 14): one range of bytes, or none."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=([0-9]{0,100})-([0-9]{0,100})", re.IGNORECASE)


@dataclass(frozen=True)
class ByteRange:
    """Bytes from ``start`` to ``end``, without ``end``."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


class Unsatisfiable(Exception):
    """The range lies outside the content: answered with 416."""


def parse(header: str | None, size: int) -> ByteRange | None:
    """Return the requested range, cut to ``size`` bytes; None means the whole content.

    None also for what is not supported, such as several ranges (RFC 9110 allows to ignore it). Raises Unsatisfiable.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), size if not last else int(last) + 1
        if last and end <= start:
            return None  # invalid (ends before it begins), so it is ignored
    if start >= size or not min(end, size) - start:
        raise Unsatisfiable
    return ByteRange(start, min(end, size))
