"""What a PromQL expression names: metrics, the labels that it matches on, and those that it groups by.

Not a parser of the language: promtool is that. Strings and durations are taken out, what is left is told by its place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"\b([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"((?:[^\"\\]|\\.)*)\"")
AGGREGATIONS = {"sum", "max", "min", "count", "avg", "by", "on"}
FUNCTIONS = {
    "abs",
    "absent",
    "time",
    "rate",
    "increase",
    "histogram_quantile",
    "vector",
    "max_over_time",
    "sort_desc",
    "topk",
}
WORDS = frozenset({"and", "or", "unless", "offset"} | AGGREGATIONS | FUNCTIONS)
RANGE = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")


@dataclass(frozen=True)
class Match:
    """A selector's matcher. ``values`` are the alternatives of a regular expression without other signs."""

    metric: str
    label: str
    values: tuple[str, ...]
    plain: bool


@dataclass(frozen=True)
class Named:
    metrics: frozenset[str]
    matches: tuple[Match, ...]
    grouped: frozenset[str]


def names_in(expression: str) -> Named:
    """Raises ValueError for a word that is neither a metric's nor one of the language that is known here."""
    matches = tuple(_matches(expression))
    rest = re.sub(r"\"(?:[^\"\\]|\\.)*\"", "", RANGE.sub("", expression))
    grouped = {label.strip() for found in GROUPING.findall(rest) for label in found.split(",") if label.strip()}
    rest = re.sub(r"\{[^}]*\}", "", GROUPING.sub("", rest))
    words = {word for word in re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*", rest) if word not in WORDS}
    metrics = frozenset(word for word in words if word == "up" or "_" in word)
    if words - metrics:
        raise ValueError(f"{sorted(words - metrics)} in {expression}")
    return Named(metrics, matches, frozenset(grouped))


def _matches(expression: str) -> Iterator[Match]:
    for metric, inside in SELECTOR.findall(expression):
        for label, sign, value in MATCHER.findall(inside):
            values = tuple(value.split("|")) if "~" in sign else (value,)
            yield Match(metric, label, values, all(re.fullmatch(r"[\w\- ]+", one) for one in values))
