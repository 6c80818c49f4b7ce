"""Chromium for the tests of a module, one for each language: the locked package's, with its libraries and fonts."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
import tools
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="module")
def browser_in() -> Iterator[Callable[[str], Browser]]:
    """The browser whose own controls are in a language."""
    with sync_playwright() as playwright:
        opened: list[Browser] = []

        @cache
        def launch(language: str) -> Browser:
            opened.append(
                playwright.chromium.launch(
                    executable_path=tools.chromium(),
                    args=["--no-sandbox"],
                    env=tools.chromium_environment(language),
                )
            )
            return opened[-1]

        yield launch
        for one in opened:
            one.close()


@pytest.fixture(scope="module")
def browser(browser_in: Callable[[str], Browser]) -> Browser:
    return browser_in("en")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser_in" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.tool("chromium"))
