"""Pages begin in the language that the browser asks for, until the reader chooses another."""

import pytest
from starlette.requests import Request

from services.web.language import COOKIE, chosen


def asked(accepted: str | None = None, cookie: str | None = None) -> Request:
    headers = [(b"accept-language", accepted.encode())] if accepted is not None else []
    if cookie is not None:
        headers.append((b"cookie", f"{COOKIE}={cookie}".encode()))
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("en-US,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr-FR,fr;q=0.9,en;q=0.5,zh;q=0.4", "en"),
        ("zh;q=0.3, en-GB;q=0.7", "en"),
        ("EN", "en"),
        ("en;q=0, zh;q=0.1", "zh"),
        ("de", "zh"),
        ("*", "zh"),
        ("en;q=high", "zh"),
        ("", "zh"),
        (None, "zh"),
    ],
)
def test_the_browser_is_asked_where_nobody_chose(accepted: str | None, language: str) -> None:
    assert chosen(asked(accepted)) == language


def test_a_header_of_many_spaces_is_read_once() -> None:
    assert chosen(asked("en" + " " * 200_000 + "x")) == "zh"
    assert chosen(asked("de," + " " * 200_000 + "en" + " " * 200_000 + ";" + " " * 200_000 + "q=0.5")) == "en"


def test_the_account_and_this_browser_go_before() -> None:
    assert chosen(asked("en"), "zh") == "zh"
    assert chosen(asked("zh", cookie="en"), "zh") == "en"
    assert chosen(asked("en", cookie="xx")) == "zh"
