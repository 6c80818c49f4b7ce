"""The content of a document, part by part, before it is rendered as PDF or HTML."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Style = Literal["", "signed", "hash", "note"]


@dataclass(frozen=True)
class Line:
    """One line of a cell; its text may have line breaks."""

    text: str
    style: Style = ""


Cell = tuple[Line, ...]
Pairs = list[list[tuple[str, Cell]]]
NOTHING = "—"


def cell(*lines: str | Line | None) -> Cell:
    """Return a cell of these lines; a dash if there is none."""
    shown = tuple(line if isinstance(line, Line) else Line(line) for line in lines if line not in (None, ""))
    return shown or (Line(NOTHING),)


def joined(texts: Iterable[str], otherwise: str = NOTHING) -> Cell:
    """Join the texts into one line, as lists are written in Chinese."""
    return cell("、".join(texts) or otherwise)


def hashes(*texts: str) -> Cell:
    """Return hashes and keys, each on its own line."""
    return tuple(Line(text, "hash") for text in texts) or (Line(NOTHING),)


def short(sha256: str) -> Line:
    """Return the short form of a hash."""
    return Line(f"{sha256[:24]}…", "hash")


@dataclass(frozen=True)
class Facts:
    """Names and values, one or two pairs to a row."""

    title: str
    rows: Sequence[Sequence[tuple[str, Cell]]]
    part: Literal["facts"] = "facts"


@dataclass(frozen=True)
class Listing:
    """A table whose heading is repeated on every page; ``widths`` are shares of the line."""

    title: str
    heads: Sequence[str]
    widths: Sequence[float]
    rows: Sequence[Sequence[Cell]]
    part: Literal["listing"] = "listing"


@dataclass(frozen=True)
class Prose:
    """Running text; each line is a paragraph."""

    title: str
    text: str
    part: Literal["prose"] = "prose"


@dataclass(frozen=True)
class Signature:
    """Who signed, in which role, how and when; ``sha256`` is of the signed statement."""

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


@dataclass(frozen=True)
class Drawing:
    """A signature drawn on a screen: strokes of points, 600 wide and 200 high."""

    name: str
    strokes: Sequence[Sequence[Sequence[int]]]


@dataclass(frozen=True)
class Drawings:
    title: str
    blocks: Sequence[Drawing]
    part: Literal["drawings"] = "drawings"


@dataclass(frozen=True)
class Columns:
    """A chart of columns side by side; ``labels`` stand below, and a listing beside it has the same numbers."""

    title: str
    labels: Sequence[str]
    values: Sequence[int]
    part: Literal["columns"] = "columns"


Part = Facts | Listing | Prose | Signatures | Drawings | Columns


@dataclass(frozen=True)
class Sheet:
    """A whole document; ``sha256`` is of its data, in canonical JSON.

    ``verifier`` and ``verifier_page`` are the SHA-256 of this release's ``verify.pyz`` and ``verify.html``.
    """

    title: str
    organisation: str
    number: str
    sha256: str
    zone: str
    policy_version: str
    demo: bool
    verifier: str
    verifier_page: str
    parts: Sequence[Part] = field(default_factory=tuple)
