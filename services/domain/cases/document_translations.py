"""A document in the reader's language, for reading beside the Chinese original, which alone is signed.

Nothing of it is stored or signed: it is made anew from the original's data and names the original with its fingerprint.
The names of its fields come from ``document_words.<language>.json``, codes from the catalogues, and what has both
languages in the data (cameras, places, departments) is said in the reader's. What people typed stays as they wrote it.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from services.domain.cases import document_layouts
from services.domain.stages.catalogue import STAGES
from services.domain.supervision import checklists
from services.domain.work_orders.kinds import KINDS as WORK_ORDERS
from services.rendering.sheet import (
    Cell,
    Columns,
    Drawing,
    Drawings,
    Facts,
    Line,
    Listing,
    Part,
    Prose,
    Sheet,
    Signature,
    Signatures,
)
from services.runtime import labels
from services.runtime.errors import NotFound
from services.runtime.translations import Message, catalogue

ORIGINAL = "zh"
FOLDER = Path(__file__).parent
PLACE = "{}"
LONGEST_INSERTED = 60  # characters in the place of a template: a longer text is somebody's own
MOST_PARTS = 64  # of one text that are tried: the texts of the documents have far fewer
_chinese = re.compile(r"[\u3400-\u9fff]")
_sentence = re.compile("[，。；！？]")
PUNCTUATION = str.maketrans({"（": "(", "）": ")", "：": ": ", "，": ", ", "；": "; ", "、": ", "})


@cache
def languages() -> tuple[str, ...]:
    """List the languages into which documents are translated."""
    return tuple(sorted(file.name.split(".")[1] for file in FOLDER.glob("document_words.*.json")))


def translate(kind: str, number: str, sha256: str, content: Mapping[str, Any], language: str) -> Sheet:
    """Return a document as it reads in another language; NotFound for one into which none is translated."""
    if language not in languages():
        raise NotFound(Message("translation"), language)
    with labels.documents_in(language):
        sheet = document_layouts.sheet_of(kind, number, sha256, content)
    words = _words(language)
    return replace(sheet, title=words.say(sheet.title), parts=[_part(part, words.say) for part in sheet.parts])


@dataclass(frozen=True)
class _Template:
    """A text with places: ``around`` them, how it is said, and whether it has words of its own."""

    around: tuple[str, ...]
    said: str
    worded: bool

    def inserted(self, text: str) -> list[str] | None:
        """Return what a text has in the places, each as short as it can be but the last; None where it is another.

        It takes one pass, whatever people typed: a pattern would try the places in all their combinations.
        """
        first, *others = self.around
        if not text.startswith(first):
            return None
        values, position = [], len(first)
        for literal in others[:-1]:
            found = text.find(literal, position)
            if found < 0:
                return None
            values.append(text[position:found])
            position = found + len(literal)
        end = len(text) - len(others[-1])
        if end < position or not text.endswith(others[-1]):
            return None
        return [*values, text[position:end]]


class _TooMuch(Exception):
    """A text has more in it than any of ours: somebody has written it."""


@dataclass(frozen=True)
class _Words:
    """``known``: whole texts; ``templates``: texts with something in their places, the most exact first."""

    known: Mapping[str, str]
    templates: tuple[_Template, ...]

    def say(self, text: str) -> str:
        """Return a text in the language; what is not known stays as it is."""
        try:
            return self._say(text, {})
        except _TooMuch:
            return text

    def _say(self, text: str, said: dict[str, str]) -> str:
        """Return ``say`` for a text or a part of one; ``said`` keeps what was tried of the whole."""
        if text not in said:
            if len(said) >= MOST_PARTS:
                raise _TooMuch
            said[text] = text  # counts at once, also while its own parts are tried
            said[text] = self._found(text, said)
        return said[text]

    def _found(self, text: str, tried: dict[str, str]) -> str:
        if not _chinese.search(text) and not _sentence.search(text):
            return text.translate(PUNCTUATION) if re.search("[（：、]", text) else text
        if (known := self.known.get(text.strip())) is not None:
            return known
        if "\n" in text:
            return "\n".join(map(self.say, text.split("\n")))
        for template in self.templates:
            if (inserted := template.inserted(text)) is not None:
                filled = self._fill(template.said, inserted, tried)
                # marks alone say nothing of their own: a text between them is somebody's, unless all of it is known
                if filled is not None and (template.worded or not _chinese.search(filled)):
                    return filled
        listed = text.split("、")
        said_each = [self.known.get(one, one) for one in listed]
        if len(listed) > 1 and not any(map(_chinese.search, said_each)):
            return ", ".join(said_each)
        return text

    def _fill(self, said: str, inserted: Iterable[str], tried: dict[str, str]) -> str | None:
        """Fill the places; None where one of them holds a sentence, which somebody has written."""
        values = []
        for value in (self._say(one, tried) for one in inserted):
            if _chinese.search(value) and (len(value) > LONGEST_INSERTED or _sentence.search(value)):
                return None
            values.append(value)
        parts = said.split(PLACE)
        return "".join(part + value for part, value in zip(parts, [*values, ""], strict=True))


@cache
def _words(language: str) -> _Words:
    named: Mapping[str, str] = json.loads((FOLDER / f"document_words.{language}.json").read_text(encoding="utf-8"))
    known = {**dict(_from_catalogues(language)), **{zh: said for zh, said in named.items() if PLACE not in zh}}
    placed = {**dict(_answered()), **{zh: said for zh, said in named.items() if PLACE in zh}}
    by_length = sorted(placed, key=lambda zh: -len(zh.replace(PLACE, "")))
    templates = [_Template(tuple(zh.split(PLACE)), placed[zh], bool(_chinese.search(zh))) for zh in by_length]
    return _Words(known, tuple(sorted(templates, key=lambda template: not template.worded)))


def _answered() -> Iterator[tuple[str, str]]:
    """Yield each question of a stage as a sheet has it, with its answer behind it."""
    for stage in STAGES.values():
        yield from ((f"{question.zh} {PLACE}", f"{question.en} {PLACE}") for question in stage.questions)


def _from_catalogues(language: str) -> Iterator[tuple[str, str]]:
    """Yield what the pages, stages, checklists and kinds say in Chinese, with how they say it in the language."""
    own = catalogue(language)
    for (context, english), chinese in catalogue(ORIGINAL).items():
        yield chinese[0], own.get((context, english), (english,))[0]
    for kind in WORK_ORDERS.values():
        yield kind.zh, kind.en
        yield from ((item.zh, item.en) for item in kind.checklist)
    for stage in STAGES.values():
        yield stage.zh, stage.en
        yield from ((question.zh, question.en) for question in stage.questions)
    yield from ((outcome.zh, outcome.en) for outcome in STAGES.outcomes.values())
    yield from ((sanction.zh, sanction.en) for sanction in STAGES.sanctions.values())
    yield from ((question.zh, question.en) for _, question in checklists.load().questions().values())


def _part(part: Part, say: Callable[[str], str]) -> Part:
    """Translate every text of a part; hashes and strokes stay what they are."""
    title = say(part.title)
    if isinstance(part, Facts):
        return Facts(title, [[(say(name), _cell(cell, say)) for name, cell in row] for row in part.rows])
    if isinstance(part, Listing):
        rows = [[_cell(cell, say) for cell in row] for row in part.rows]
        return replace(part, title=title, heads=[say(head) for head in part.heads], rows=rows)
    if isinstance(part, Prose):
        return Prose(title, say(part.text))
    if isinstance(part, Signatures):
        return Signatures(title, [_signature(block, say) for block in part.blocks])
    if isinstance(part, Drawings):
        return Drawings(title, [Drawing(say(one.name), one.strokes) for one in part.blocks])
    return Columns(title, [say(label) for label in part.labels], part.values)


def _cell(cell: Cell, say: Callable[[str], str]) -> Cell:
    return tuple(Line(say(line.text), line.style) for line in cell)


def _signature(block: Signature, say: Callable[[str], str]) -> Signature:
    return replace(block, role=say(block.role), method=say(block.method), note=say(block.note))
