"""CSV that a spreadsheet opens: as it was, and never as a formula."""

import csv
import io

import pytest

from services.web.csv import csv_answer, safe


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "=cmd|' /C calc'!A0"])
def test_a_cell_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize("cell", ["录像", "a=b", "'quoted'", "2026-01", -5, 1.5, ""])
def test_other_cells_stay_as_they_are(cell: str | float) -> None:
    assert safe(cell) == cell


def test_an_answer_is_an_attachment_that_excel_reads() -> None:
    answer = csv_answer("摄像机 1", ["name", "n"], [["一,号", 1], ['say "x"\nthen', None], ["=1", -1]])
    text = bytes(answer.body).decode("utf-8-sig")

    assert bytes(answer.body).startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["name", "n"],
        ["一,号", "1"],
        ['say "x"\nthen', ""],
        ["'=1", "-1"],
    ]
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''%E6%91%84%E5%83%8F%E6%9C%BA%201.csv")
