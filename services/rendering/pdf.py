"""Render a document as PDF/A-3b with its data attached; reproducible for the same data and release (R28, R35, R37).

Texts reach the template as JSON, never as markup. The date in the file is the document's own.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import typst

from services.rendering import glyphs
from services.rendering.sheet import Sheet

FOLDER = Path(__file__).parent
TEMPLATE = FOLDER / "sheet.typ"
STANDARD: Final = "a-3b"
ATTACHMENT = "data.json"
ORIGINAL = "zh"


def render(sheet: Sheet, content: str, made_at: datetime) -> bytes:
    """Return the PDF of a sheet; ``content`` is its canonical JSON, attached byte for byte as data.json."""
    return _compile(asdict(sheet), ORIGINAL, made_at, data=content)


def render_translation(sheet: Sheet, original_title: str, language: str, made_at: datetime) -> bytes:
    """Return the PDF of a translated sheet, which names its original and has no data attached.

    ``language`` is one that `words_of` has.
    """
    return _compile({**asdict(sheet), "original": original_title}, language, made_at)


@cache
def words_of(language: str) -> Mapping[str, str]:
    """Return what every document says of itself in the language."""
    words: Mapping[str, str] = json.loads((FOLDER / f"sheet_words.{language}.json").read_text(encoding="utf-8"))
    return words


def _compile(fields: Mapping[str, Any], language: str, made_at: datetime, **inputs: str) -> bytes:
    made = made_at.astimezone(UTC).replace(microsecond=0)
    date = dict(zip(("year", "month", "day", "hour", "minute", "second"), made.timetuple()[:6], strict=True))
    shown = {**glyphs.all_visible(fields), "date": date, "lacking": glyphs.has_code_points(fields)}
    compiler = typst.Compiler(
        TEMPLATE,
        root=FOLDER,
        font_paths=load_fonts(),
        ignore_system_fonts=True,
        sys_inputs={"sheet": json.dumps(shown), "words": json.dumps(words_of(language)), **inputs},
    )
    pdf = compiler.compile(format="pdf", pdf_standards=STANDARD, timestamp=made)
    if not isinstance(pdf, bytes):
        raise TypeError("typst returned no PDF: install the version that requirements.lock names")
    return pdf


@cache
def load_fonts() -> typst.Fonts:
    """Return our fonts and those of typst, for hashes; no system fonts, so that every machine makes the same bytes."""
    return typst.Fonts(include_system_fonts=False, font_paths=[glyphs.FONTS])
