"""docs/recorders.md says of every kind what becomes of every wrong answer, and says what the tests show."""

from recorders.table import DOCUMENT, document, lacking, rows


def test_the_table_of_wrong_answers_says_what_the_tests_show() -> None:
    assert document() == DOCUMENT.read_text(encoding="utf-8"), "make recorder-docs writes it anew"


def test_every_kind_speaks_of_every_wrong_answer() -> None:
    assert lacking(rows()) == []
