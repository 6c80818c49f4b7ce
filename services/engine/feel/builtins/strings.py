"""String functions.

Positions and lengths count UTF-16 units as Java does: a character beyond 16 bits has two.
"""

import base64
import uuid
from decimal import Decimal

from services.engine.feel.arithmetic import whole_part
from services.engine.feel.builtins.patterns import compile_pattern
from services.engine.feel.builtins.registry import builtin
from services.engine.feel.values import Value

# java.lang.Character.isWhitespace, where it differs from str.isspace
_NO_WHITESPACE = "\u0085\u00a0\u2007\u202f"


def _units(string: str) -> bytes:
    return string.encode("utf-16-le", "surrogatepass")


def _part(string: str, start: Decimal, length: int | None) -> str:
    """Return a part from position 1, or from -1 backwards; raises ValueError outside the string.

    Half of a character is "?", which is what a cluster stores of it.
    """
    units = _units(string)
    size, position = len(units) // 2, whole_part(start)
    first = position - 1 if position > 0 else size + position
    end = size if length is None else min(first + length, size)
    if not 0 <= first <= end:
        raise ValueError(f"the string has {size} characters")
    part = units[2 * first : 2 * end].decode("utf-16-le", "surrogatepass")
    return part.encode("utf-8", "replace").decode()


@builtin("substring", "string: string", "start position: number")
def substring(string: str, start: Decimal) -> Value:
    return _part(string, start, None)


@builtin("substring", "string: string", "start position: number", "length: number")
def substring_of_length(string: str, start: Decimal, length: Decimal) -> Value:
    return _part(string, start, whole_part(length))


@builtin("string length", "string: string")
def string_length(string: str) -> Value:
    return Decimal(len(_units(string)) // 2)


@builtin("upper case", "string: string")
def upper_case(string: str) -> Value:
    return string.upper()


@builtin("lower case", "string: string")
def lower_case(string: str) -> Value:
    return string.lower()


@builtin("substring before", "string: string", "match: string")
def substring_before(string: str, match: str) -> Value:
    index = string.find(match)
    return string[:index] if index > 0 else ""


@builtin("substring after", "string: string", "match: string")
def substring_after(string: str, match: str) -> Value:
    index = string.find(match)
    return string[index + len(match) :] if index >= 0 else ""


@builtin("contains", "string: string", "match: string")
def contains(string: str, match: str) -> Value:
    return match in string


@builtin("starts with", "string: string", "match: string")
def starts_with(string: str, match: str) -> Value:
    return string.startswith(match)


@builtin("ends with", "string: string", "match: string")
def ends_with(string: str, match: str) -> Value:
    return string.endswith(match)


@builtin("replace", "input: string", "pattern: string", "replacement: string")
def replace(text: str, pattern: str, replacement: str) -> Value:
    return compile_pattern(pattern).replace(text, replacement)


@builtin("replace", "input: string", "pattern: string", "replacement: string", "flags: string")
def replace_with_flags(text: str, pattern: str, replacement: str, flags: str) -> Value:
    return compile_pattern(pattern, flags).replace(text, replacement)


@builtin("matches", "input: string", "pattern: string")
def matches(text: str, pattern: str) -> Value:
    return compile_pattern(pattern).search(text)


@builtin("matches", "input: string", "pattern: string", "flags: string")
def matches_with_flags(text: str, pattern: str, flags: str) -> Value:
    return compile_pattern(pattern, flags).search(text)


@builtin("split", "string: string", "delimiter: string")
def split(string: str, delimiter: str) -> Value:
    parts: list[Value] = []
    position = 0
    for match in compile_pattern(delimiter).find_all(string):
        if match.end() == 0:
            continue
        parts.append(string[position : match.start()])
        position = match.end()
    return [*parts, string[position:]]


@builtin("extract", "input: string", "pattern: string")
def extract(text: str, pattern: str) -> Value:
    return [match[0] for match in compile_pattern(pattern).find_all(text)]


@builtin("trim", "string: string")
def trim(string: str) -> Value:
    return string.strip("".join(map(chr, range(33))))


@builtin("is blank", "string: string")
def is_blank(string: str) -> Value:
    return all(char.isspace() and char not in _NO_WHITESPACE for char in string)


@builtin("uuid")
def new_uuid() -> Value:
    return str(uuid.uuid4())


@builtin("to base64", "value: string")
def to_base64(value: str) -> Value:
    return base64.b64encode(value.encode()).decode()


@builtin("string join", "list: list")
def string_join(items: list[Value]) -> Value:
    return string_join_with_ends(items, None, None, None)


@builtin("string join", "list: list", "delimiter: string?")
def string_join_with_delimiter(items: list[Value], delimiter: str | None) -> Value:
    return string_join_with_ends(items, delimiter, None, None)


@builtin("string join", "list: list", "delimiter: string?", "prefix: string?", "suffix: string?")
def string_join_with_ends(items: list[Value], delimiter: str | None, prefix: str | None, suffix: str | None) -> Value:
    """Join strings; nulls are skipped, other items make the result null, and so does a prefix without a suffix."""
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) + items.count(None) < len(items) or (prefix is None) != (suffix is None):
        return None
    return (prefix or "") + (delimiter or "").join(texts) + (suffix or "")
