"""One Chromium for the tests of a module: the locked package's, with its libraries and fonts."""

from collections.abc import Iterator

import pytest
import tools
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=tools.chromium(), args=["--no-sandbox"], env=tools.chromium_environment()
        )
        yield opened
        opened.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.tool("chromium"))
