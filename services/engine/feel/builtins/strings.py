"""String functions."""

import base64
import uuid
from decimal import Decimal

from services.engine.feel.builtins.patterns import compile_pattern
from services.engine.feel.builtins.registry import builtin
from services.engine.feel.values import Value


@builtin("substring", "string: string", "start position: number", "length: number?")
def substring(string: str, start: Decimal, length: Decimal | None = None) -> Value:
    """Return a part from position 1, or from -1 backwards.

    Null outside the string.
    """
    first = int(start) - 1 if start > 0 else len(string) + int(start)
    if start == 0 or first < 0 or first > len(string):
        return None
    if length is None:
        return string[first:]
    return string[first : first + int(length)] if length >= 1 else None


@builtin("string length", "string: string")
def string_length(string: str) -> Value:
    return Decimal(len(string))


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


@builtin("replace", "input: string", "pattern: string", "replacement: string", "flags: string?")
def replace(text: str, pattern: str, replacement: str, flags: str | None = None) -> Value:
    return compile_pattern(pattern, flags).replace(text, replacement)


@builtin("matches", "input: string", "pattern: string", "flags: string?")
def matches(text: str, pattern: str, flags: str | None = None) -> Value:
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
    return not string.strip()


@builtin("uuid")
def new_uuid() -> Value:
    return str(uuid.uuid4())


@builtin("to base64", "value: string")
def to_base64(value: str) -> Value:
    return base64.b64encode(value.encode()).decode()


@builtin("string join", "list: list", "delimiter: any?", "prefix: string?", "suffix: string?")
def string_join(
    items: list[Value], delimiter: Value = None, prefix: str | None = None, suffix: str | None = None
) -> Value:
    """Join strings; nulls are skipped, other items make the result null."""
    texts = [item for item in items if item is not None]
    if not all(isinstance(item, str) for item in [*texts, delimiter or ""]):
        return None
    return (prefix or "") + str(delimiter or "").join(str(item) for item in texts) + (suffix or "")
