"""People of a review desk in Chromium: each with a language and a device of their own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lent_case import Away, Lens
from main_job import DESKTOP_ZH, PHONE_EN, Device, PortalUser
from memory_vault import MemoryStore
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, expect
from portal_client import MODELS, portal_over
from portal_store import PortalStore
from review_desk import PASSWORD, ReviewDesk
from served import served

from services.runtime.settings import Settings
from services.vault.age import generate_identity

PHONE_ZH = Device("zh", PHONE_EN.viewport, phone=True)
DESKTOP_EN = Device("en", DESKTOP_ZH.viewport)
SignIn = Callable[[str, Device], PortalUser]


@contextmanager
def signing_in(desk: ReviewDesk, browser: Browser, folder: Path, **others: Any) -> Iterator[SignIn]:
    """Open a browser for a person; at the end none of them may have complained. ``others`` replace dependencies."""
    dependencies = {
        "database": desk.database,
        "settings": Settings(data_dir=folder),
        "models": MODELS,
        "recorders": lambda *_: Lens(),
        "store": PortalStore(MemoryStore()),
        "loan_keys": Away(),
        "vault_recipients": lambda: [generate_identity()[1]],
        "log_keys": tuple,
        "trusted_signers": tuple,
        **others,
    }
    opened: list[tuple[BrowserContext, PortalUser]] = []
    with served(portal_over(dependencies)) as address:

        def sign_in(login: str, device: Device) -> PortalUser:
            context = browser.new_context(
                base_url=address, viewport=device.viewport, is_mobile=device.phone, reduced_motion="reduce"
            )
            context.add_cookies([{"name": "footage_desk_language", "value": device.language, "url": address}])
            assert context.request.post("/api/login", data={"login": login, "password": PASSWORD}).ok
            somebody = PortalUser(login, context.new_page())
            somebody.page.on("console", lambda message: somebody.said.extend(_complaint(message)))
            somebody.page.on("pageerror", lambda error: somebody.said.append(error.stack or str(error)))
            opened.append((context, somebody))
            return somebody

        yield sign_in
        for context, somebody in opened:
            assert not somebody.said, somebody.said
            context.close()


def decide(somebody: PortalUser, number: str, outcome: str, **typed: str) -> None:
    """Find the matter in the inbox, answer its questions with yes, and sign; ``typed`` are further fields."""
    page = somebody.open("/inbox")
    page.locator("main a", has_text=number).first.click()
    page.wait_for_url("**/reviews/*")
    somebody.well_made()
    for answer in page.locator("[name^=answers-][value=true]").all():
        answer.check()
    for name, text in typed.items():
        field = page.locator(f"form.decide [name='{name}']")
        if field.first.get_attribute("type") in ("radio", "checkbox"):
            page.locator(f"form.decide [name='{name}'][value='{text}']").check()
        else:
            field.fill(text)
    page.fill("form.decide [name=password]", PASSWORD)
    somebody.press("outcome", outcome)
    expect(page.locator("#callouts")).to_contain_text(number)


def _complaint(message: ConsoleMessage) -> list[str]:
    return [f"{message.type}: {message.text}"] if message.type in ("error", "warning") else []
