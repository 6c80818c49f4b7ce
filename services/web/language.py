"""The reader's language: English, or one of those that have a catalogue; Chinese where nobody chose."""

from fastapi import Request

from services.runtime import translations

Language = str

COOKIE = "footage_desk_language"
DEFAULT: Language = "zh"


def known() -> tuple[Language, ...]:
    """List the languages that pages can be shown in."""
    return translations.languages()


def chosen(request: Request, locale: str = DEFAULT) -> Language:
    """The language that the reader switched to in this browser, else the one of the person's locale."""
    wish = request.cookies.get(COOKIE, locale)
    return wish if wish in known() else DEFAULT


def gettext(language: Language, message: str) -> str:
    """The message in this language; one without a translation stays English (a test finds it)."""
    return translations.translate(language, message)


def ngettext(language: Language, singular: str, plural: str, count: int) -> str:
    """As ``gettext``, by number."""
    return translations.translate_plural(language, singular, plural, count)
