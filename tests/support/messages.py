"""Collect every text for people that code and templates mark, as translators need it.

``python tests/support/messages.py`` prints them as a catalogue without translations: the start of a new language.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from services.runtime import labels
from services.runtime.places import SERVICES

TEMPLATES = [("**.html", "jinja2.ext:babel_extract")]
OPTIONS = {
    "**.html": {"extensions": "jinja2.ext.i18n", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
}
# A function that takes a message: which argument is the msgid, the plural and the context.
MARKERS = {
    "_": (0, None, None),
    "gettext": (0, None, None),
    "translated": (0, None, None),
    "tell": (0, None, None),
    "ngettext": (0, 1, None),
    "Message": (0, None, None),
    "in_context": (1, None, 0),
    "Joined": (0, None, None),
    "Counted": (0, 1, None),
    "Refused": (1, None, None),
}


@dataclass(frozen=True)
class Marked:
    """One text with its context, and where it stands."""

    context: str | None
    msgid: str
    plural: str | None
    where: str

    @property
    def key(self) -> tuple[str | None, str]:
        return self.context, self.msgid


def marked() -> list[Marked]:
    """Return all texts of templates, code and labels."""
    in_code = (text for file in sorted(SERVICES.rglob("*.py")) for text in _of_module(file))
    return [*_of_templates(), *in_code, *_of_labels()]


def _of_templates() -> Iterator[Marked]:
    for file, line, message, *_ in extract_from_dir(SERVICES, TEMPLATES, OPTIONS):
        msgid, plural = (message, None) if isinstance(message, str) else (message[0], message[1])
        yield Marked(None, msgid, plural, f"{file}:{line}")


def _of_module(file: Path) -> Iterator[Marked]:
    for call in ast.walk(ast.parse(file.read_text())):
        if not isinstance(call, ast.Call):
            continue
        function = call.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name == "tell" and isinstance(function, ast.Attribute):
            continue  # another one's: ours is a name for visitor.translated
        if name not in MARKERS:
            continue
        msgid, plural, context = (_argument(call, place) for place in MARKERS[name])
        if msgid is not None:
            yield Marked(context, msgid, plural, f"{file.relative_to(SERVICES)}:{call.lineno}")


def _argument(call: ast.Call, place: int | None) -> str | None:
    if place is None or place >= len(call.args):
        return None
    argument = call.args[place]
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else None


def _of_labels() -> Iterator[Marked]:
    for code, word in labels.WORDS.items():
        yield Marked(f"label {code}", word, None, f"runtime/labels.py: {code}")


def main() -> None:
    """Print the catalogue that a new language begins with."""
    catalog = Catalog(charset="utf-8", fuzzy=False)
    for text in marked():
        catalog.add((text.msgid, text.plural) if text.plural else text.msgid, context=text.context)
    write_po(sys.stdout.buffer, catalog, width=120)


if __name__ == "__main__":
    main()
