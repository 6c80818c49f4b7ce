"""Scan tokens one by one, because names depend on their context."""

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto

from services.engine.feel.errors import FeelSyntaxError


class Kind(Enum):
    WORD = auto()  # a name or a keyword
    QUOTED_NAME = auto()  # a name in backticks
    NUMBER = auto()
    STRING = auto()
    AT = auto()
    SYMBOL = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is the content: a string without quotes and with resolved escapes."""

    kind: Kind
    text: str
    start: int
    end: int


# words that cannot be variable names
RESERVED = frozenset(["null", "true", "false", "function", "in", "return", "then", "else", "satisfies", "and", "or"])

_SPACE = re.compile(r"(?:\s|[\u180e\u200b\ufeff]|//[^\n\r]*|/\*.*?\*/)+", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+", re.ASCII)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
# in the order in which Camunda replaces them; one behind a backslash is none, and unknown ones stay as they are
_ESCAPES = tuple(
    (re.compile(rf"(?<!\\)\\{letter}"), text)
    for letter, text in (("n", "\n"), ("r", "\r"), ("t", "\t"), ("b", "\b"), ("f", "\f"), ("'", "'"), ('"', '"'))
)
_SYMBOL = re.compile(r"\.\.|\*\*|<=|>=|!=|[-+*/<>=()\[\]{},:.?]")
_START_CATEGORIES = frozenset(["Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Sc", "Pc"])
_PART_CATEGORIES = _START_CATEGORIES | frozenset(["Nd", "Mn", "Mc", "Cf"])


def skip_space(text: str, position: int) -> int:
    """Return the position after blanks and comments."""
    match = _SPACE.match(text, position)
    return match.end() if match else position


def scan(text: str, position: int) -> Token:  # noqa: PLR0911 - one for each kind of token
    """Scan the next token after blanks and comments; raises FeelSyntaxError."""
    start = skip_space(text, position)
    if start >= len(text):
        return Token(Kind.END, "", len(text), len(text))
    head = text[start]
    if _starts_name(head):
        end = _name_end(text, start)
        return Token(Kind.WORD, text[start:end], start, end)
    if match := _NUMBER.match(text, start):
        return Token(Kind.NUMBER, match[0], start, match.end())
    if head == '"':
        return _string(text, start)
    if head == "`":
        end = text.find("`", start + 1)
        if end <= start + 1:
            raise FeelSyntaxError(text, start, "a name in backticks is empty or has no closing backtick")
        return Token(Kind.QUOTED_NAME, text[start + 1 : end], start, end + 1)
    if head == "@":
        return Token(Kind.AT, "@", start, start + 1)
    if match := _SYMBOL.match(text, start):
        return Token(Kind.SYMBOL, match[0], start, match.end())
    raise FeelSyntaxError(text, start, f"the character '{head}' has no meaning here")


def _starts_name(char: str) -> bool:
    return (char.isascii() and (char.isalpha() or char in "_$")) or (
        not char.isascii() and unicodedata.category(char) in _START_CATEGORIES
    )


def _name_end(text: str, start: int) -> int:
    end = start + 1
    while end < len(text) and unicodedata.category(text[end]) in _PART_CATEGORIES and text[end] not in "\u200b\ufeff":
        end += 1
    return end


def _string(text: str, start: int) -> Token:
    match = _STRING.match(text, start)
    if match is None:
        raise FeelSyntaxError(text, start, "a string has no closing quote")
    return Token(Kind.STRING, unescape(match[1]), start, match.end())


def unescape(raw: str) -> str:
    """Resolve the escape sequences of a string literal; there are none for characters by number (`\\u00e4`)."""
    if "\\" not in raw:
        return raw
    for pattern, text in _ESCAPES:
        raw = pattern.sub(text, raw)
    return raw.replace("\\\\", "\\")
