"""Run Camunda's regular expressions (java.util.regex) within a time limit."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import regex

from services.engine.feel.builtins.registry import Unsuitable
from services.engine.feel.errors import FeelEvaluationError

_MAX_SECONDS = 1.0  # of one search: a pattern such as (a|aa)+$ backtracks without end
_FLAGS = {"s": regex.DOTALL, "m": regex.MULTILINE, "i": regex.IGNORECASE}
_RECURSION = re.compile(r"\(\?(?:R|[+-]?\d|&|P>)")  # unknown to Java, and unbounded it exhausts the memory
_REFERENCE = re.compile(r"\\(.)|\$(\d)|\$\{(\w+)\}", re.DOTALL)
# character classes of XPath and Java, as the content of a Python class [...]
_PROPERTIES = {
    "L": r"^\W\d_", "Alpha": "a-zA-Z", "Lu": "A-ZÀ-ÖØ-Þ", "Ll": "a-zß-öø-ÿ", "N": r"\d", "Nd": r"\d",
    "Digit": "0-9", "Alnum": "a-zA-Z0-9", "Punct": r"!-/:-@\[-`{-~", "Space": r"\s", "Upper": "A-Z", "Lower": "a-z",
    "IsBasicLatin": r"\x00-\x7f", "ASCII": r"\x00-\x7f",
}  # fmt: skip
_PROPERTY = re.compile(r"\\(\\|[pP](?:\{(\w+)\}|(\w)))")


class Pattern:
    """A compiled pattern; searches raise FeelEvaluationError after the time limit."""

    def __init__(self, text: str, compiled: "regex.Pattern[str]") -> None:
        self._text = text
        self._compiled = compiled

    def search(self, text: str) -> bool:
        with self._bounded():
            return self._compiled.search(text, timeout=_MAX_SECONDS) is not None

    def find_all(self, text: str) -> "list[regex.Match[str]]":
        with self._bounded():
            return list(self._compiled.finditer(text, timeout=_MAX_SECONDS))

    def replace(self, text: str, replacement: str) -> str:
        """Replace matches, with ``$1`` and ``${name}``; raises Unsuitable for unknown groups."""
        try:
            with self._bounded():
                return str(
                    self._compiled.sub(lambda match: _fill_references(match, replacement), text, timeout=_MAX_SECONDS)
                )
        except ValueError as error:
            raise Unsuitable from error

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise FeelEvaluationError(
                f"The pattern '{self._text}' was given up after {_MAX_SECONDS:g} s, because it tries too many ways "
                "to match; write it with fewer repetitions inside each other."
            ) from error


@lru_cache(maxsize=512)
def compile_pattern(pattern: str, flags: str | None = None) -> Pattern:
    """Compile a pattern with flags s, m, i, x, others mean nothing; raises Unsuitable for what is no pattern."""
    letters = flags or ""
    value = 0
    for letter in letters:
        value |= _FLAGS.get(letter, 0)
    try:
        return Pattern(pattern, regex.compile(_python_pattern(pattern, letters), value))
    except (regex.error, ValueError) as error:
        raise Unsuitable from error


def _python_pattern(pattern: str, flags: str) -> str:
    if "x" in flags:
        pattern = _without_space(pattern)
    pattern = "".join(_python_parts(_PROPERTY.sub(_property, pattern), dot_all="s" in flags))
    return pattern.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!")


def _without_space(pattern: str) -> str:
    """Apply flag x: remove blanks outside character classes (XPath functions, 5.6.1.1)."""
    chars: list[str] = []
    depth = 0
    for position, char in enumerate(pattern):
        escaped = position > 0 and pattern[position - 1] == "\\"
        depth += (char == "[" and not escaped) - (char == "]" and not escaped and depth > 0)
        if depth or not char.isspace():
            chars.append(char)
    return "".join(chars)


def _python_parts(pattern: str, *, dot_all: bool) -> Iterator[str]:
    """Translate a pattern to Python's syntax, piece by piece.

    `.` matches no line end, and `[A-Z-[OI]]` is a difference. Raises ValueError for `[\\1]` and `(?R)`."""
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "\\":
            yield pattern[position : position + 2]
            position += 2
        elif char == "[":
            position, text = _class(pattern, position)
            yield text
        elif _RECURSION.match(pattern, position):
            raise ValueError(f"A group of '{pattern}' calls itself.")
        else:
            yield r"[^\n\r]" if char == "." and not dot_all else char
            position += 1


def _class(pattern: str, start: int) -> tuple[int, str]:
    """Translate the character class at `start`; return the position after it."""
    position = start + (2 if pattern.startswith("[^", start) else 1)
    first = position
    while position < len(pattern):
        if pattern[position] == "\\":
            if pattern[position + 1 : position + 2].isdigit():
                raise ValueError(f"A back reference stands inside a character class of '{pattern}'.")
            position += 2
        elif pattern.startswith("-[", position) and "]]" in pattern[position:]:
            end, excluded = _class(pattern, position + 1)
            return end + 1, f"(?:(?!{excluded}){pattern[start:position]}])"
        elif pattern[position] == "]" and position > first:
            return position + 1, pattern[start : position + 1]
        else:
            position += 1
    return position, pattern[start:position]


def _property(match: re.Match[str]) -> str:
    name = match[2] or match[3]
    if name is None:
        return match[0]
    content = _PROPERTIES.get(name)
    if content is None:
        raise ValueError(f"The character class '{match[0]}' is not supported.")
    if match[1].startswith("P"):
        return f"[{content[1:]}]" if content.startswith("^") else f"[^{content}]"
    return f"[{content}]"


def _fill_references(match: "regex.Match[str]", replacement: str) -> str:
    """Fill in references; unmatched groups are empty.

    Raises ValueError for unknown groups.
    """

    def fill(reference: re.Match[str]) -> str:
        if reference[1] is not None:
            return reference[1]
        group: str | int = int(reference[2]) if reference[2] else reference[3]
        try:
            return match[group] or ""
        except IndexError as error:
            raise ValueError(f"The pattern has no group '{group}'.") from error

    return _REFERENCE.sub(fill, replacement)
