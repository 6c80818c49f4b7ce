"""Pictures of the manuals, made by browser tests where ``FOOTAGE_DESK_TEST_PICTURES`` asks for pictures."""

import base64
from typing import Any

from playwright.sync_api import Page

from services.app import manuals

TALLEST = 1400  # pixels of a picture


def clip_of(page: Page, *, least: int = 0, tallest: int = TALLEST) -> dict[str, Any]:
    """The page from its top, as tall as it is within these bounds in pixels."""
    page.evaluate("() => scrollTo(0, 0)")
    size = page.viewport_size or {"width": 1280, "height": 900}
    tall = min(tallest, page.evaluate("() => document.querySelector('main').getBoundingClientRect().bottom"))
    return {"x": 0, "y": 0, "width": size["width"], "height": max(least, tall)}


def save(page: Page, language: str, name: str, clip: dict[str, Any]) -> None:
    """Write the picture if a manual shows it; smaller than those of the docs, as each installation carries them."""
    path = manuals.FOLDER / language / f"{name}.webp"
    if not any(f"({name})" in text.read_text(encoding="utf-8") for text in path.parent.glob("*.md")):
        return
    wanted = {"format": "webp", "quality": 70, "captureBeyondViewport": True, "clip": {**clip, "scale": 0.75}}
    answer = page.context.new_cdp_session(page).send("Page.captureScreenshot", wanted)
    path.write_bytes(base64.b64decode(answer["data"]))
