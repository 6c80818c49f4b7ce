"""Which moments of a recorder a sealed copy has pictures of, and which of them were read (F20)."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.runtime.spans import Span, merge
from services.vault.coverage import fragments_from_json

PICTURE = timedelta(milliseconds=1)  # the least that a picture lasts: the last one has no other behind it
# A player reads whole fragments, so parts that lie closer together were watched in one go.
JOIN = timedelta(seconds=1)


def shows(sealed: Mapping[str, Any], wanted: Span) -> bool:
    """Return whether it has a picture of the span."""
    first, last = _ends(sealed)
    inside = Span(first, last + PICTURE).intersect(wanted)
    if inside is None:
        return False
    gaps = [
        Span(datetime.fromisoformat(start), datetime.fromisoformat(end))
        for start, end in sealed["coverage"].get("gaps", ())
    ]
    return not any(gap.start <= inside.start and inside.end <= gap.end for gap in merge(gaps))


def read_spans(sealed: Mapping[str, Any], ranges: Iterable[list[int]]) -> list[Span]:
    """Return the times of the fragments of which bytes were read; all of it where no fragments are known."""
    first, last = _ends(sealed)
    read = [(start, end) for start, end in ranges if end > start]
    fragments = fragments_from_json(sealed.get("fragments") or [])
    if not fragments:
        return [Span(first, last + PICTURE)] if read else []
    found = []
    for fragment, following in zip(fragments, [*fragments[1:], None], strict=True):
        if any(start < fragment.offset + fragment.length and fragment.offset < end for start, end in read):
            begin = first + timedelta(milliseconds=fragment.time_ms)
            end = last if following is None else first + timedelta(milliseconds=following.time_ms)
            found.append(Span(begin, max(end, begin + PICTURE)))
    return merge(found, tolerance=JOIN)


def _ends(sealed: Mapping[str, Any]) -> tuple[datetime, datetime]:
    coverage = sealed["coverage"]
    return datetime.fromisoformat(coverage["firstFrame"]), datetime.fromisoformat(coverage["lastFrame"])
