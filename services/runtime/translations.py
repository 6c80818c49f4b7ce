"""Texts for people: English in the code, every other language in the catalogues ``locale/<language>.po``.

A catalogue lies beside the package whose texts it holds. Its msgid is the English sentence, with ``{names}`` for
values; a msgctxt tells apart what is one English text and several in another language. docs/translating.md says how
a language is added.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from gettext import c2py
from pathlib import Path

from babel.messages.pofile import read_po

from services.runtime.places import SERVICES

SOURCE = "en"
LOCALES = [SERVICES]  # the folders below which catalogues are found

Key = tuple[str | None, str]  # context, msgid


@cache
def languages() -> tuple[str, ...]:
    """List the languages that have a catalogue, and English."""
    return tuple(sorted({SOURCE, *(file.stem for file in _files("*"))}))


@cache
def catalogue(language: str) -> Mapping[Key, tuple[str, ...]]:
    """Read the translations of all packages; a plural has several forms, everything else one."""
    texts: dict[Key, tuple[str, ...]] = {}
    for file in _files(language):
        with file.open("rb") as source:
            for entry in read_po(source, locale=language):
                msgid, forms = _forms(entry.id), _forms(entry.string)
                if msgid and msgid[0] and forms and all(forms):
                    texts[entry.context, msgid[0]] = forms
    return texts


def _files(language: str) -> list[Path]:
    return sorted(file for folder in LOCALES for file in folder.rglob(f"locale/{language}.po"))


def _forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    if not text:
        return ()
    return (text,) if isinstance(text, str) else tuple(text)


def translate(language: str, msgid: str, context: str | None = None) -> str:
    """Look up the msgid; what has no translation stays English (a test finds it)."""
    if language == SOURCE:
        return msgid
    return catalogue(language).get((context, msgid), (msgid,))[0]


def translate_plural(language: str, singular: str, plural: str, count: int) -> str:
    """Look up the form for this number, by the catalogue's Plural-Forms."""
    forms = catalogue(language).get((None, singular)) if language != SOURCE else None
    if forms is None:
        return singular if count == 1 else plural
    return forms[min(plural_form(language)(count), len(forms) - 1)]


@cache
def plural_form(language: str) -> Callable[[int], int]:
    """Return the rule that gives a number's form; the language's first catalogue has it in its head."""
    for file in _files(language):
        with file.open("rb") as source:
            return c2py(read_po(source, locale=language).plural_expr)
    return c2py("n != 1")


class Text(ABC):
    """A text in every language."""

    @abstractmethod
    def translate(self, language: str) -> str:
        """Return the text in this language."""

    @property
    def zh(self) -> str:
        """The Chinese text, as the API publishes it."""
        return self.translate("zh")

    @property
    def en(self) -> str:
        """The English text, as the API publishes it."""
        return self.translate(SOURCE)

    def __str__(self) -> str:
        return self.en

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and (self.zh, self.en) == (other.zh, other.en)

    def __hash__(self) -> int:
        return hash(self.en)


Value = Text | str | int | float | None


class Message(Text):
    """An English sentence of the code with the values of its ``{names}``, which may be texts themselves."""

    def __init__(self, msgid: str, /, **values: Value) -> None:
        self.msgid = msgid
        self.values = values
        self.context: str | None = None

    def with_values(self, **values: Value) -> "Message":
        """Return the same sentence with these values."""
        return in_context(self.context, self.msgid, **values)

    def translate(self, language: str) -> str:
        sentence = translate(language, self.msgid, self.context)
        if not self.values:
            return sentence
        return sentence.format(**{name: _shown(value, language) for name, value in self.values.items()})

    def __repr__(self) -> str:
        return f"Message({self.msgid!r}, {self.values!r})"


def in_context(context: str | None, msgid: str, /, **values: Value) -> Message:
    """Return a message whose English has other translations elsewhere; ``context`` is its msgctxt."""
    message = Message(msgid, **values)
    message.context = context
    return message


class Bilingual(Text):
    """Data in Chinese and English, such as a camera's name; other languages show the English."""

    def __init__(self, zh: str, en: str) -> None:
        self._zh, self._en = zh, en

    def translate(self, language: str) -> str:
        return self._zh if language == "zh" else self._en


class Verbatim(Text):
    """A text that is the same in every language: a name, a path, or what another program said."""

    def __init__(self, text: str) -> None:
        self._text = text

    def translate(self, language: str) -> str:
        return self._text


class Joined(Text):
    """Several names in one text. ``separator`` is a msgid: Chinese puts another comma between names."""

    def __init__(self, separator: str, names: Iterable[Text | str]) -> None:
        self._separator, self._names = separator, tuple(names)

    def translate(self, language: str) -> str:
        return translate(language, self._separator).join(str(_shown(name, language)) for name in self._names)


class Counted(Text):
    """A number with its noun: English singular and plural, each with ``{count}``."""

    def __init__(self, singular: str, plural: str, count: int) -> None:
        self._singular, self._plural, self._count = singular, plural, count

    def translate(self, language: str) -> str:
        return translate_plural(language, self._singular, self._plural, self._count).format(count=self._count)


class Capitalised(Text):
    """A text that begins a sentence, also if it begins with a value."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def translate(self, language: str) -> str:
        sentence = self._text.translate(language)
        return sentence[:1].upper() + sentence[1:]


def _shown(value: Value, language: str) -> str | int | float | None:
    return value.translate(language) if isinstance(value, Text) else value


class Worded:
    """An object with one message, and its Chinese and English for API and tables."""

    message: Text

    @property
    def zh(self) -> str:
        return self.message.zh

    @property
    def en(self) -> str:
        return self.message.en
