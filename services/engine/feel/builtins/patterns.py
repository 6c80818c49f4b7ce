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
_PROPERTY = re.compile(r"[pP](?:\{(\w+)\}|(\w))")
_CLASSES = {"d": "0-9", "w": "a-zA-Z0-9_", "s": r" \t\n\x0b\f\r"}  # Java's are those of ASCII
_PROPERTIES = {
    "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9", "Punct": r"!-/:-@\[-`{-~", "Space": r" \t\n\x0b\f\r",
    "Upper": "A-Z", "Lower": "a-z", "IsBasicLatin": r"\x00-\x7f", "InBasicLatin": r"\x00-\x7f", "ASCII": r"\x00-\x7f",
}  # fmt: skip
_ANY = r"[^\n\r\u0085\u2028\u2029]"
_SET_OPERATORS = ("--", "||", "~~")  # of Python's sets; in Java's these are characters


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
    value = regex.VERSION1  # with operators inside character classes
    for letter in letters:
        value |= _FLAGS.get(letter, 0)
    if "i" in letters and _PROPERTY.search(pattern) is None:
        value |= regex.ASCII  # Java compares no other letters without their case
    try:
        return Pattern(pattern, regex.compile(_Translator(pattern, letters).translate(), value))
    except (regex.error, ValueError) as error:
        raise Unsuitable from error


class _Translator:
    """Translates a pattern from Java's syntax to Python's; raises ValueError for what Java does not have."""

    def __init__(self, pattern: str, flags: str) -> None:
        self._pattern = pattern
        self._comments = "x" in flags
        self._dot = "." if "s" in flags else _ANY
        self._depth = 0  # of character classes
        self._position = 0

    def translate(self) -> str:
        parts: list[str] = []
        while self._position < len(self._pattern):
            parts.append(self._next())
        return "".join(parts)

    def _next(self) -> str:
        start = self._position
        char = self._pattern[start]
        self._position += 1
        if char == "\\":
            return self._escape()
        if self._comments and (char.isspace() or char == "#"):
            if char == "#":
                self._position = len(self._pattern) if (end := self._pattern.find("\n", start)) < 0 else end
            return ""
        if self._depth:
            return self._inside(char)
        if char == "[":
            self._depth = 1
        elif char == "(" and _RECURSION.match(self._pattern, start):
            raise ValueError("a group calls itself")
        return self._dot if char == "." else char

    def _inside(self, char: str) -> str:
        """Translate a character of a class."""
        self._depth += (char == "[") - (char == "]")
        if self._pattern[self._position - 1 : self._position + 1] in _SET_OPERATORS:
            return f"\\{char}"
        return char

    def _escape(self) -> str:
        escaped = self._pattern[self._position : self._position + 1]
        self._position += 1
        if escaped.lower() in _CLASSES:
            return f"[{'^' if escaped.isupper() else ''}{_CLASSES[escaped.lower()]}]"
        if escaped == "Q":
            end = self._pattern.find("\\E", self._position)
            end = len(self._pattern) if end < 0 else end
            quoted = self._pattern[self._position : end]
            self._position = end + 2
            return re.escape(quoted)
        if escaped.isdigit() and self._depth:
            raise ValueError("a back reference stands inside a character class")
        match = _PROPERTY.match(self._pattern, self._position - 1) if escaped in ("p", "P") else None
        if match is None:
            return "\\Z" if escaped == "z" else f"\\{escaped}"
        self._position = match.end()
        name = match[1] or match[2]
        content = _PROPERTIES.get(name)
        if content is None:
            return f"\\{escaped}{{{name.removeprefix('Is')}}}"
        return f"[{'^' if escaped == 'P' else ''}{content}]"


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
