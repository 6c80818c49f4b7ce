"""Chinese and English: the source is English, ``locale/zh.po`` of a package has the Chinese, which is the default."""

from collections.abc import Sequence
from functools import cache
from typing import Literal

from babel.messages.pofile import read_po
from fastapi import Request

from services.runtime.places import SERVICES

Language = Literal["zh", "en"]

COOKIE = "footage_desk_language"
DEFAULT: Language = "zh"


def chosen(request: Request, locale: str = DEFAULT) -> Language:
    """Return the language chosen in this browser, else that of the person's locale."""
    return "en" if request.cookies.get(COOKIE, locale) == "en" else "zh"


@cache
def catalogue() -> dict[str, str]:
    """English to Chinese, from all packages; of a plural the one form that Chinese has."""
    texts: dict[str, str] = {}
    for file in sorted(SERVICES.rglob("locale/zh.po")):
        with file.open("rb") as source:
            for message in read_po(source, locale="zh"):
                msgid, string = _first(message.id), _first(message.string)
                if msgid and string:
                    texts[msgid] = string
    return texts


def _first(forms: str | Sequence[str] | None) -> str:
    if not forms:
        return ""
    return forms if isinstance(forms, str) else forms[0]


def gettext(language: Language, message: str) -> str:
    """The message in this language; one without Chinese stays English (a test finds it)."""
    return catalogue().get(message, message) if language == "zh" else message


def ngettext(language: Language, singular: str, plural: str, count: int) -> str:
    """Translate a message by number; Chinese has one form for all numbers."""
    if language == "zh":
        return catalogue().get(singular, singular if count == 1 else plural)
    return singular if count == 1 else plural
