"""The working hours of a day as they are written: ``09:00-12:00,13:00-18:00``."""

import re
from itertools import pairwise

DEFAULT = "09:00-12:00,13:00-18:00"

Minutes = tuple[int, int]  # from and to, in minutes since midnight

_span = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")


def parse(text: str) -> tuple[Minutes, ...]:
    """Return the spans in minutes since midnight; ValueError unless each ends after it begins, and before the next."""
    spans = tuple(map(_parse_span, re.split(r"[\s,\uff0c]+", text.strip())))
    ends = [end for span in spans for end in span]
    if any(later <= earlier for earlier, later in pairwise(ends)) or ends[-1] > 24 * 60:
        raise ValueError("spans that follow each other, such as 09:00-12:00,13:00-18:00")
    return spans


def normalise(text: str) -> str:
    """Write the hours in their canonical form; ValueError."""
    return ",".join(f"{_clock(opens)}-{_clock(closes)}" for opens, closes in parse(text))


def _parse_span(text: str) -> Minutes:
    found = _span.fullmatch(text)
    if found is None:
        raise ValueError("spans of hours and minutes, such as 09:00-12:00,13:00-18:00")
    numbers = [int(part) for part in found.groups()]
    return numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
