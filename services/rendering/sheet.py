"""What a document shows, part by part, before it is set on pages or printed by a browser."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Style = Literal["", "signed", "hash", "note"]


@dataclass(frozen=True)
class Line:
    """One line of a cell; a text of many lines keeps them."""

    text: str
    style: Style = ""


Cell = tuple[Line, ...]
Pairs = list[list[tuple[str, Cell]]]
NOTHING = "—"


def cell(*lines: str | Line | None) -> Cell:
    """A cell of these lines; a dash where there is none."""
    told = tuple(line if isinstance(line, Line) else Line(line) for line in lines if line not in (None, ""))
    return told or (Line(NOTHING),)


def joined(texts: Iterable[str], otherwise: str = NOTHING) -> Cell:
    """The texts in one line, as a list is written in Chinese."""
    return cell("、".join(texts) or otherwise)


def mark(*texts: str) -> Cell:
    """Hashes and keys, each on a line of its own."""
    return tuple(Line(text, "hash") for text in texts) or (Line(NOTHING),)


def short(sha256: str) -> Line:
    """A hash in its short form."""
    return Line(f"{sha256[:24]}…", "hash")


@dataclass(frozen=True)
class Facts:
    """Names and what they stand for, one or two pairs to a row."""

    title: str
    rows: Sequence[Sequence[tuple[str, Cell]]]
    part: Literal["facts"] = "facts"


@dataclass(frozen=True)
class Listing:
    """A ruled list with heads, which stand on every page it goes over; ``widths`` are shares of the line."""

    title: str
    heads: Sequence[str]
    widths: Sequence[float]
    rows: Sequence[Sequence[Cell]]
    part: Literal["listing"] = "listing"


@dataclass(frozen=True)
class Prose:
    """Text that is read from top to bottom; a paragraph for each line."""

    title: str
    text: str
    part: Literal["prose"] = "prose"


@dataclass(frozen=True)
class Signature:
    """Who signed, as what, how and when; ``sha256`` is of what was signed."""

    role: str
    name: str
    method: str
    at: str
    sha256: str
    note: str = ""


@dataclass(frozen=True)
class Signatures:
    title: str
    blocks: Sequence[Signature]
    part: Literal["signatures"] = "signatures"


Part = Facts | Listing | Prose | Signatures


@dataclass(frozen=True)
class Sheet:
    """A whole document; ``sha256`` is of its data, in canonical JSON."""

    title: str
    organisation: str
    number: str
    sha256: str
    zone: str
    policy_version: str
    demo: bool
    parts: Sequence[Part] = field(default_factory=tuple)
