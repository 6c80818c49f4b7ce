"""Read a JSON file into its shape; report each problem with its line and key."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Read = TypeVar("Read", bound=BaseModel)
KeyPath = tuple[str | int, ...]

PYDANTIC_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is no key that is known here",
    "bool_type": "is true or false",
    "string_type": "is a text",
    "model_type": "is an object in braces",
    "dict_type": "is an object in braces",
    "tuple_type": "is a list in brackets",
}

_parts = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


@dataclass(frozen=True)
class Problem:
    """One problem, with its line (from 1) and its key."""

    line: int
    key: str
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.key}: {self.sentence}" if self.key else f"line {self.line}: {self.sentence}"

    @property
    def without_line(self) -> str:
        """The key, if there is one, and the sentence."""
        return f"{self.key}: {self.sentence}" if self.key else self.sentence


def read(
    path: Path,
    shape: type[Read],
    *,
    patterns: Mapping[str, str],
    contradictions: Callable[[Read], Iterator[tuple[KeyPath, str]]],
    prepared: Callable[[Any], Any] = lambda content: content,
) -> tuple[Read | None, list[Problem]]:
    """Parse the file; return its content, None if malformed, and its problems.

    ``patterns`` says by the last key what a text that does not match its pattern lacks ("" for all others),
    ``contradictions`` what the types do not show; ``prepared`` completes the parsed JSON.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=_reject_duplicates)
    except OSError as error:
        return None, [Problem(1, "", f"the file cannot be read: {error.strerror}")]
    except json.JSONDecodeError as error:
        return None, [Problem(error.lineno, "", f"no JSON: {error.msg}")]
    except (UnicodeDecodeError, _DuplicateKey) as error:
        return None, [Problem(1, "", f"{error}" if isinstance(error, _DuplicateKey) else "the file is not UTF-8")]
    try:
        found = shape.model_validate_json(json.dumps(prepared(content)), strict=True)
    except ValidationError as error:
        at_fault = [(tuple(fault["loc"]), _message(fault, patterns)) for fault in error.errors()]
        return None, _located(at_fault, text)
    return found, _located([*contradictions(found)], text)


def _located(faults: Sequence[tuple[KeyPath, str]], text: str) -> list[Problem]:
    """Add the lines: to look for them takes longer than to read a sound file, which is read at each start."""
    lines = line_positions(text) if faults else {}
    return [_problem(lines, path, sentence) for path, sentence in faults]


def line_positions(text: str) -> dict[KeyPath, int]:
    """Map each key and list entry of a valid JSON text to its first line."""
    lines: dict[KeyPath, int] = {(): 1}
    at: list[str | int | None] = []
    expects_key = False
    line, counted = 1, 0
    for match in _parts.finditer(text):
        part, begin = match[0], match.start()
        line, counted = line + text.count("\n", counted, begin), begin
        if part in "]}":
            at.pop()
            expects_key = False
        elif part == ",":
            expects_key = at[-1] is None or isinstance(at[-1], str)
            if isinstance(at[-1], int):
                at[-1] += 1
        elif part == ":":
            expects_key = False
        elif expects_key:
            at[-1] = json.loads(part)
            lines[_current_path(at)] = line
        else:
            lines.setdefault(_current_path(at), line)
            if part in "[{":
                at.append(0 if part == "[" else None)
                expects_key = part == "{"
    return lines


class _DuplicateKey(ValueError):
    pass


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _DuplicateKey(f"the key {twice[0]} is twice in one object: keep one of them")
    return dict(pairs)


def _current_path(at: list[str | int | None]) -> KeyPath:
    return tuple(part for part in at if part is not None)


def _message(error: ErrorDetails, patterns: Mapping[str, str]) -> str:
    if error["type"] == "string_pattern_mismatch":
        return patterns.get(str(error["loc"][-1]), patterns[""])
    return PYDANTIC_MESSAGES.get(error["type"], error["msg"][:1].lower() + error["msg"][1:])


def _problem(lines: dict[KeyPath, int], path: KeyPath, sentence: str) -> Problem:
    """Locate a problem; a missing key has the line of its object.

    The key leaves out names that only pydantic knows.
    """
    known: KeyPath = ()
    key: list[str] = []
    for part in path:
        if (*known, part) in lines:
            known = (*known, part)
            key.append(str(part))
        elif part not in ("rule", "groups", "[key]"):
            key.append(str(part))
    return Problem(lines[known], ".".join(key), sentence)
