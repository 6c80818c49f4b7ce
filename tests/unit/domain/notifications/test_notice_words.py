"""Every notice that the product writes has words in both languages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import services
from services.domain.notifications.texts import all_texts, get_text, link_path
from services.runtime.errors import Fatal

SERVICES = Path(services.__file__).parent
CODE = re.compile(r"[a-z][a-z-]+")


def codes_given() -> Iterator[tuple[str, str]]:
    """Every text that is given where a notice is left: the file, and the code or its fixed beginning."""
    for file in sorted([*SERVICES.glob("domain/**/*.py"), *SERVICES.glob("workers/*.py")]):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and "notify" in ast.unparse(node.func).rpartition(".")[2]:
                for given in node.args[1:]:
                    if isinstance(given, ast.Constant) and isinstance(given.value, str):
                        yield file.name, given.value
                    elif isinstance(given, ast.JoinedStr) and isinstance(given.values[0], ast.Constant):
                        yield file.name, str(given.values[0].value)


def test_every_code_that_a_book_or_a_worker_uses_has_words() -> None:
    found = set(codes_given())

    assert len(found) > 15
    assert [(file, code) for file, code in found if not any(known.startswith(code) for known in all_texts())] == []
    assert [(file, code) for file, code in found if code not in all_texts() and code[-1] not in ":-"] == []


@pytest.mark.parametrize("code", sorted(all_texts()))
def test_words_are_one_sentence_in_each_language(code: str) -> None:
    words = get_text(code)

    assert re.fullmatch(r"[^\x00-\x7f。][^\n。]{3,58}[。]", words.zh), words.zh
    assert re.fullmatch(r"[A-Z][ -~]{8,118}[.]", words.en), words.en


def test_a_code_without_words_is_refused_with_what_to_do() -> None:
    with pytest.raises(Fatal, match=r"nonsense \| it has no text \| add it in"):
        get_text("nonsense")


@pytest.mark.parametrize(
    ("code", "page"),
    [
        ("review-opened", "/reviews/s"),
        ("copy-offered", "/hand-overs/s"),
        ("storage-prepare", "/cases/a"),
        ("deliveries-failing", "/admin/notices"),
        ("test-notice", "/notices"),
    ],
)
def test_a_notice_leads_to_the_page_where_something_can_be_done(code: str, page: str) -> None:
    assert link_path(code, "a", "s") == page


def test_a_notice_without_its_subject_leads_to_the_case_or_the_list() -> None:
    assert link_path("review-opened", "a", None) == "/cases/a"
    assert link_path("storage-prepare", None, None) == "/notices"
