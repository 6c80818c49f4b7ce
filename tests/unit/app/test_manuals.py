"""The manuals: each in both languages, about buttons that are there, with pictures that are there."""

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from services.app import manuals
from services.app.web import routers_of
from services.runtime.errors import NotFound
from services.runtime.places import SERVICES
from services.web import help as page_help

ANCHORS = re.compile(r"^## .* \{#([a-z-]+)\}$", re.MULTILINE)
TEXT = re.compile(r'^msg(?:id|str)(?:\[\d\])? "(.+)"$', re.MULTILINE)
FILES = (".csv", ".svg", ".zip", ".ics")
# Pages about which no manual says anything, and why.
NEEDS_NONE = {
    **dict.fromkeys(("/help", "/help/{manual}", "/help/pictures/{language}/{picture}"), "the manuals themselves"),
    **dict.fromkeys(("/login", "/login/code", "/login/enrolment", "/login/password"), "before anybody is signed in"),
    **dict.fromkeys(("/login/provider", "/login/provider/callback"), "these only lead on"),
    **dict.fromkeys(("/policy", "/applicable-rules", "/applicable-rules/{rule_id}"), "they are what manuals rest on"),
    "/attachments/{attachment_id}": "a file",
}
EACH = [(name, language) for name in manuals.NAMES for language in ("zh", "en")]


def list_pages() -> list[str]:
    """The address of each page."""
    routes = [route for router in routers_of("pages") for route in router.routes if isinstance(route, APIRoute)]
    return [route.path for route in routes if "GET" in route.methods]


def fits(start: str, page: str) -> bool:
    """Whether some address of the page begins so: a parameter of it is any value."""
    parts = zip(start.split("/"), page.split("/"), strict=False)
    return start.count("/") <= page.count("/") and all(one == part or part[:1] == "{" for one, part in parts)


def source(name: str, language: str) -> str:
    return (manuals.FOLDER / language / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", manuals.NAMES)
def test_a_manual_has_the_same_sections_in_each_language(name: str) -> None:
    chinese, english = manuals.read(name, "zh"), manuals.read(name, "en")
    assert [anchor for anchor, _ in chinese.sections] == [anchor for anchor, _ in english.sections]
    assert chinese.title != english.title
    for manual in (chinese, english):
        assert "{#" not in manual.body
        for anchor, heading in manual.sections:
            assert f'<h2 id="{anchor}">{heading}</h2>' in manual.body


@pytest.fixture(scope="module")
def texts() -> set[str]:
    """Every text of the pages, in both languages."""
    files = SERVICES.rglob("*.po")
    return {match[1] for file in files for match in TEXT.finditer(file.read_text(encoding="utf-8"))}


@pytest.mark.parametrize(("name", "language"), EACH)
def test_what_it_says_to_press_is_on_a_page(name: str, language: str, texts: set[str]) -> None:
    named = set(re.findall(r"\*\*(.+?)\*\*", source(name, language)))
    assert named
    assert named - texts == set()


@pytest.mark.parametrize(("name", "language"), EACH)
def test_its_pictures_are_there(name: str, language: str) -> None:
    shown = re.findall(r'src="/help/pictures/([^"]+)"', manuals.read(name, language).body)
    assert len(shown) == source(name, language).count("![") > 0
    for address in shown:
        folder, _, file = address.partition("/")
        content = manuals.picture(folder, file).read_bytes()
        assert content[:4] == b"RIFF"
        assert content[8:12] == b"WEBP"


def test_no_picture_is_left_over() -> None:
    used = {
        f"{language}/{picture}.webp"
        for name, language in EACH
        for picture in re.findall(r"!\[.*?\]\((.+?)\)", source(name, language))
    }
    assert {str(path.relative_to(manuals.FOLDER)) for path in manuals.FOLDER.rglob("*.webp")} == used


def test_each_question_mark_leads_to_a_section_and_stands_on_a_page() -> None:
    pages = list_pages()
    for start, (name, section) in page_help.SECTIONS.items():
        assert section in ANCHORS.findall(source(name, "en")), (name, section)
        assert any(fits(start, page) for page in pages), start
    assert page_help.about("/storage/sites/x") == "/help/storage#registers"
    assert page_help.about("/hand-overs/x") == "/help/custodian#use"
    assert page_help.about("/hand-overs/x/return") == "/help/custodian#return"
    assert page_help.about("/matters/x") == "/help/custodian#change"
    assert page_help.about("/matters/new/problem") == "/help/custodian#problem"
    assert page_help.about("/") == "/help"
    assert page_help.about("/storages") is None
    assert page_help.about("/policy") is None


def test_each_page_has_its_question_mark_or_is_named_as_needing_none() -> None:
    without = {page for page in list_pages() if page_help.about(page) is None and not page.endswith(FILES)}
    assert without == set(NEEDS_NONE)


@pytest.mark.parametrize("name", ["../zh/custodian.md", "custodian.md", "", "/etc/passwd", "..%2f"])
def test_nothing_but_manuals_and_their_pictures_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.webp").write_bytes(b"secret")
    for read in (lambda: manuals.read(name, "zh"), lambda: manuals.picture("zh", name)):
        with pytest.raises(NotFound):
            read()
    with pytest.raises(NotFound):
        manuals.picture(str(tmp_path), "secret.webp")


def test_ones_own_manuals_come_first() -> None:
    assert manuals.first_for({"administrator"}, "technical")[0] == "administrator"
    assert manuals.first_for({"storage-operator"}, "storage")[:3] == ["applicant", "storage", "custodian"]
    assert "security-head" in manuals.first_for({"head"}, "security")[:4]
    assert "security-head" not in manuals.first_for({"head"}, "business")[:3]
    assert sorted(manuals.first_for((), "business")) == sorted(manuals.NAMES)
