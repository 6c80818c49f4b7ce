"""The reader's language: chosen in this browser or in the account, else what the browser asks for, else Chinese."""

import re
from typing import Annotated

from fastapi import Request
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from services.runtime import translations
from services.runtime.translations import in_context

Language = str

COOKIE = "footage_desk_language"
DEFAULT: Language = "zh"
# Possessive: whoever sends a header of many spaces would have them tried in all ways, for seconds.
_WISH = re.compile(
    r"(?:^|,)\s*+([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*+)?\s*+(?:;\s*+q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*+)?(?=,|$)"
)
NAME = in_context("language name", "English")  # each catalogue has here what its language calls itself


def known() -> tuple[Language, ...]:
    """List the languages that pages can be shown in."""
    return translations.languages()


def _require_known(wish: str) -> Language:
    if wish not in known():
        names = ", ".join(known())
        raise PydanticCustomError("literal_error", "Input should be one of {names}", {"names": names})
    return wish


KnownLanguage = Annotated[str, AfterValidator(_require_known)]  # of a body or a query: one that has a catalogue


def known_or_default(wish: str) -> Language:
    """Return the language that was wished for, or Chinese where it has no catalogue."""
    return wish if wish in known() else DEFAULT


def others(language: Language) -> list[Language]:
    """List the languages that a reader of this one may switch to."""
    return [other for other in known() if other != language]


def name(language: Language) -> str:
    """What the language calls itself."""
    return NAME.translate(language)


def tag(language: Language) -> str:
    """Return the language as HTML and mails name it (RFC 5646)."""
    return "zh-CN" if language == "zh" else language


def chosen(request: Request, locale: str | None = None) -> Language:
    """Return the language chosen in this browser, else the person's ``locale``, else what the browser asks for."""
    wish = request.cookies.get(COOKIE, locale)
    return known_or_default(wish) if wish else _accepted(request.headers.get("accept-language", ""))


def _accepted(header: str) -> Language:
    """Return the known language that the header prefers (RFC 9110, 12.5.4), by its first subtag alone."""
    wishes = [(float(match[2] or 1), match[1].lower()) for match in _WISH.finditer(header)]
    for quality, language in sorted(wishes, key=lambda wish: wish[0], reverse=True):
        if quality and language in known():
            return language
    return DEFAULT


def gettext(language: Language, message: str) -> str:
    """The message in this language; one without a translation stays English (a test finds it)."""
    return translations.translate(language, message)


def ngettext(language: Language, singular: str, plural: str, count: int) -> str:
    """As ``gettext``, by number."""
    return translations.translate_plural(language, singular, plural, count)
