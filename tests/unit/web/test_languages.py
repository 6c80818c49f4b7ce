"""Every language is complete: all texts are in the catalogues, nothing else is, and code holds English alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from support.messages import marked

from services.runtime import labels, translations
from services.runtime.errors import Refused
from services.runtime.places import SERVICES
from services.web.templates import render

CHINESE = re.compile(r"[\u4e00-\u9fff]")
HOLES = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}")
LANGUAGES = [language for language in translations.languages() if language != translations.SOURCE]

# Python that holds Chinese, and why. Whatever else has a Chinese text has to take it from a catalogue.
CHINESE_IN_CODE = {
    "verifier/*.py": "the verifier stands alone, without our catalogues",
    "demo/*.py": "names of people and places, and what they write",
    "demo/year/*.py": "the same, of a year",
    "bench/*.py": "names",
    "designers/*.py": "templates that a modeller shows in both languages side by side",
    "designers/policy_check/*.py": "what it finds is told in both languages side by side, as its rules file does",
    "cli/policy.py": "the same: a word of its report",
    "designers/simulation/*.py": "the same: what a simulated year came to",
    "designers/lint/human_steps.py": "the words by which a task's name means a person, and a template's name",
    "domain/**/*_sheet.py": "a filed document is Chinese by the organisation's rule",
    "domain/custody/l*_documents.py": "the same",
    "domain/matters/documents.py": "the same",
    "domain/work_orders/documents.py": "the same",
    "domain/matters/kinds/*.py": "titles of these documents",
    "domain/matters/violations/documents.py": "the same",
    "domain/custody/labels.py": "the same: its titles",
    "domain/agreements/service.py": "the same: its title",
    "domain/applications/forms.py": "the same: its title",
    "domain/retrieval/records.py": "the same: its title",
    "domain/applications/pages/form_view.py": "the place of use that a form begins with, filed in Chinese",
    "rendering/formatting.py": "the same",
    "evidence/readme.py": "the same",
    "database/outages.py": "the words of a PostgreSQL server that speaks Chinese",
    "domain/agreements/texts.py": "the agreement that an organisation begins with",
    "domain/accounts/people_import.py": "what a list of people says for yes and no",
    "domain/accounts/staff.py": "the name of the first department",
    "domain/stages/schema.py": "the pattern of what is Chinese",
    "runtime/settings/whole.py": "the organisation's name, which settings begin with",
    "runtime/settings/portal.py": "an example of a provider's name",
    "cli/processes.py": "the product's name",
}

# Values that have no translation, such as pydantic's own messages; left out where the language is not English.
ENGLISH_ONLY = {
    "{field} is not valid: {message}.": {"message"},
    "{variable} is not set: set it to {description}.": {"description"},  # of a setting, in docs/settings.md
}


def catalogues(language: str) -> Iterator[tuple[tuple[str | None, str], str, str]]:
    for file in SERVICES.rglob(f"locale/{language}.po"):
        with file.open("rb") as source:
            for entry in read_po(source, locale=language):
                msgid = entry.id if isinstance(entry.id, str) else entry.id[0]
                string = entry.string if isinstance(entry.string, str) else entry.string[0]
                if msgid:
                    yield (entry.context, msgid), string, file.parents[1].name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language: str) -> None:
    known = translations.catalogue(language)
    assert [f"{text.where}: {text.msgid}" for text in marked() if text.key not in known] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_stands_for_a_text_that_is_gone(language: str) -> None:
    used = {text.key for text in marked()}
    assert [f"{package}: {key}" for key, _, package in catalogues(language) if key not in used] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_is_translated_once(language: str) -> None:
    seen: dict[tuple[str | None, str], tuple[str, str]] = {}
    twice = []
    for key, string, package in catalogues(language):
        other = seen.setdefault(key, (string, package))
        if other[0] != string:
            twice.append(f"{key}: {other[0]} ({other[1]}), {string} ({package})")
    assert twice == []


def values_of(text: str) -> set[str]:
    return {a or b for a, b in HOLES.findall(text)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_have_the_values_of_the_english(language: str) -> None:
    wrong = [
        key
        for key, string, _ in catalogues(language)
        if values_of(string) != values_of(key[1]) - ENGLISH_ONLY.get(key[1], set())
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "file", sorted(SERVICES.rglob("templates/**/*.html")), ids=lambda file: f"{file.parent.name}/{file.name}"
)
def test_a_template_holds_no_chinese_of_its_own(file: Path) -> None:
    allowed = "print" in file.parts  # a filed document
    lines = [line for line in file.read_text().splitlines() if CHINESE.search(line)]
    assert allowed or lines == []


def chinese_in(file: Path) -> list[str]:
    tree = ast.parse(file.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    ours = (node for node in texts if id(node) not in docstrings)
    return [f"{node.lineno}: {node.value}" for node in ours if CHINESE.search(node.value)]


def test_code_holds_no_chinese_of_its_own() -> None:
    allowed = {file for pattern in CHINESE_IN_CODE for file in SERVICES.glob(pattern)}
    found = {file.relative_to(SERVICES): chinese_in(file) for file in SERVICES.rglob("*.py") if file not in allowed}
    assert {file: texts for file, texts in found.items() if texts} == {}


@pytest.mark.parametrize("pattern", CHINESE_IN_CODE)
def test_an_exception_is_still_needed(pattern: str) -> None:
    assert any(chinese_in(file) for file in SERVICES.glob(pattern))


@pytest.mark.parametrize("code", [code for code in labels.WORDS if isinstance(code, str)])
def test_a_code_has_a_word_in_both_languages(code: str) -> None:
    chinese, english = labels.word("zh", code), labels.word("en", code)
    assert CHINESE.search(chinese) or chinese == english
    assert not CHINESE.search(english)
    assert english


FRENCH = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=n > 1;\\n"

msgid "There is no {noun} {key}."
msgstr "{noun} {key} : introuvable."

msgctxt "label draft"
msgid "draft"
msgstr "brouillon"

msgid "Not possible"
msgstr "Impossible"

msgid "{count} day"
msgid_plural "{count} days"
msgstr[0] "{count} jour"
msgstr[1] "{count} jours"
"""


@pytest.fixture
def french(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "locale").mkdir()
    (tmp_path / "locale" / "fr.po").write_text(FRENCH)
    caches = (translations.languages, translations.catalogue, translations.plural_form)
    monkeypatch.setattr(translations, "LOCALES", [SERVICES, tmp_path])
    for cached in caches:
        cached.cache_clear()
    yield "fr"
    monkeypatch.undo()
    for cached in caches:
        cached.cache_clear()


def test_a_third_language_is_a_file(french: str) -> None:
    assert translations.languages() == ("en", "fr", "zh")
    refusal = Refused("not-found", "There is no {noun} {key}.", noun="caméra", key="7")

    page = render("refused.html", french, "UTC", {"refusal": refusal, "visitor": None, "signed_in": False})

    assert "caméra 7 : introuvable." in page
    assert "<h1>Impossible</h1>" in page
    assert labels.word(french, "draft") == "brouillon"
    assert labels.word(french, "closed") == "closed"
    assert translations.Counted("{count} day", "{count} days", 0).translate(french) == "0 jour"
    assert translations.Counted("{count} day", "{count} days", 2).translate(french) == "2 jours"
    assert (refusal.zh, refusal.en) == ("没有找到caméra 7。", "There is no caméra 7.")
