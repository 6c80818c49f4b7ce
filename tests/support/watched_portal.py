"""A portal in a browser whose custodian has copies of several cameras."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from custody_desk import PASSWORD, Desk
from main_job import Device, PortalUser
from playwright.sync_api import Browser
from portal_client import portal_over
from served import served

from services.database.tables.copies import Copy
from services.runtime.settings import Settings
from services.vault.keys.secret_box import KeyFileBox

Begin = Callable[[Device], tuple[Desk, PortalUser, Mapping[str, str]]]


@contextmanager
def watched_portal(folder: Path, filmed: Path, browser: Browser, channels: tuple[str, ...]) -> Iterator[Begin]:
    """Yield what signs the custodian in on a device: the desk, the person's page, and the copies' ids by channel."""
    case = Desk.at_stage("lend", folder / "desk", filmed, *channels)
    desk = case.desk
    desk.database.secrets = KeyFileBox(desk.root / "secret.key")
    desk.database.secrets.ensure()
    recipients = desk.vault_keys.recipients
    parts = {"settings": Settings(data_dir=desk.root), "vault_recipients": lambda: recipients}
    with served(portal_over({**desk.worker, **parts})) as address:

        def begin(device: Device) -> tuple[Desk, PortalUser, Mapping[str, str]]:
            context = browser.new_context(base_url=address, viewport=device.viewport, is_mobile=device.phone)
            context.add_cookies([{"name": "footage_desk_language", "value": device.language, "url": address}])
            assert context.request.post("/api/login", data={"login": "custodian", "password": PASSWORD}).ok
            user = PortalUser("custodian", context.new_page())
            user.page.on("console", lambda message: user.said.append(f"{message.type}: {message.text}"))
            user.page.on("pageerror", lambda error: user.said.append(str(error)))
            copies = {copy.item_id: copy.id for copy in desk.rows(Copy)}
            return desk, user, {channel: copies[case.item(number)] for number, channel in enumerate(channels, 1)}

        yield begin
        for context in browser.contexts:
            context.close()
