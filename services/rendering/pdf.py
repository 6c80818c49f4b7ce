"""Render a document as PDF/A-3b with its data attached; reproducible for the same data and release (R28, R35, R37).

Texts reach the template as JSON, never as markup. The date in the file is the document's own.
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

import typst

from services.rendering import glyphs
from services.rendering.sheet import Sheet

TEMPLATE = Path(__file__).parent / "sheet.typ"
STANDARD: Final = "a-3b"
ATTACHMENT = "data.json"


def render(sheet: Sheet, content: str, made_at: datetime) -> bytes:
    """Return the PDF of a sheet; ``content`` is its canonical JSON, attached byte for byte as data.json."""
    fields = asdict(sheet)
    made = made_at.astimezone(UTC).replace(microsecond=0)
    date = dict(zip(("year", "month", "day", "hour", "minute", "second"), made.timetuple()[:6], strict=True))
    shown = {**glyphs.all_visible(fields), "date": date, "lacking": glyphs.has_code_points(fields)}
    compiler = typst.Compiler(
        TEMPLATE,
        root=TEMPLATE.parent,
        font_paths=load_fonts(),
        ignore_system_fonts=True,
        sys_inputs={"sheet": json.dumps(shown), "data": content},
    )
    pdf = compiler.compile(format="pdf", pdf_standards=STANDARD, timestamp=made)
    if not isinstance(pdf, bytes):
        raise TypeError("typst returned no PDF: install the version that requirements.lock names")
    return pdf


@cache
def load_fonts() -> typst.Fonts:
    """Return our fonts and those of typst, for hashes; no system fonts, so that every machine makes the same bytes."""
    return typst.Fonts(include_system_fonts=False, font_paths=[glyphs.FONTS])
