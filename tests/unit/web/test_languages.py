"""Chinese and English are complete: every message has its Chinese, and no Chinese stands for a message that is gone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from services.runtime import labels
from services.runtime.places import SERVICES
from services.web import language

PAGES = SERVICES
METHODS = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "translated": None, "tell": None}
OPTIONS = {
    "**.html": {"extensions": "jinja2.ext.i18n", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
HOLES = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}")


def messages() -> Iterator[tuple[str, str]]:
    """Every message that templates and code of the pages mark, and where it stands."""
    for file, line, message, *_ in extract_from_dir(PAGES, METHODS, OPTIONS, KEYWORDS):
        yield (message if isinstance(message, str) else message[0]), f"{file}:{line}"


def catalogues() -> Iterator[tuple[str, str, str]]:
    for file in PAGES.rglob("locale/zh.po"):
        with file.open("rb") as source:
            for entry in read_po(source, locale="zh"):
                msgid = entry.id if isinstance(entry.id, str) else entry.id[0]
                string = entry.string if isinstance(entry.string, str) else entry.string[0]
                if msgid:
                    yield msgid, string, file.parents[1].name


def test_every_message_has_its_chinese() -> None:
    known = language.catalogue()
    assert [f"{where}: {message}" for message, where in messages() if message not in known] == []


def test_no_chinese_stands_for_a_message_that_is_gone() -> None:
    used = {message for message, _ in messages()}
    assert [f"{group}: {msgid}" for msgid, _, group in catalogues() if msgid not in used] == []


def test_a_message_has_one_chinese_in_all_groups() -> None:
    seen: dict[str, tuple[str, str]] = {}
    twice = []
    for msgid, string, group in catalogues():
        other = seen.setdefault(msgid, (string, group))
        if other[0] != string:
            twice.append(f"{msgid}: {other[0]} ({other[1]}), {string} ({group})")
    assert twice == []


def test_both_languages_have_the_same_holes_for_values() -> None:
    wrong = [
        msgid
        for msgid, string, _ in catalogues()
        if {a or b for a, b in HOLES.findall(msgid)} != {a or b for a, b in HOLES.findall(string)}
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "file", sorted(PAGES.rglob("templates/**/*.html")), ids=lambda file: f"{file.parent.name}/{file.name}"
)
def test_a_template_holds_no_chinese_of_its_own(file: Path) -> None:
    allowed = file.name in ("base.html", "door.html")  # the switch says 中文 in its own language
    lines = [line for line in file.read_text().splitlines() if CHINESE.search(line)]
    assert allowed or lines == []


@pytest.mark.parametrize("code", [code for code in labels.WORDS if isinstance(code, str)])
def test_a_code_has_a_word_in_both_languages(code: str) -> None:
    chinese, english = labels.WORDS[code]
    assert CHINESE.search(chinese) or chinese == english
    assert not CHINESE.search(english)
    assert english
