"""Matters in Chromium: an extension in two clicks on a phone, a transfer of custody; and files of an application."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import letters
import photographs
import pytest
from lent_case import Lens
from loan_matter import LoanDesk, lent
from main_job import DESKTOP_ZH, PHONE_EN, Device, PortalUser
from memory_vault import MemoryStore
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from portal_client import MODELS, portal_over
from portal_store import PortalStore
from prepared_desk import prepared_desk
from review_desk import FORM, PASSWORD
from served import served

from services.database.tables.attachments import Attachment
from services.database.tables.matters import Matter
from services.domain.applications import service as application_service
from services.runtime.settings import Settings
from services.vault.age import generate_identity

PHONE_ZH = Device("zh", PHONE_EN.viewport, phone=True)
DESKTOP_EN = Device("en", DESKTOP_ZH.viewport)
SignIn = Callable[[str, Device], PortalUser]


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.fixture
def sign_in(tmp_path: Path, loan: LoanDesk, browser: Browser) -> Iterator[SignIn]:
    """Open a browser for a person; at the end none of them may have complained."""
    dependencies = {
        "database": loan.desk.database,
        "settings": Settings(data_dir=tmp_path),
        "models": MODELS,
        "recorders": lambda *_: Lens(),
        "store": PortalStore(MemoryStore()),
        "vault_recipients": lambda: [generate_identity()[1]],
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
            somebody.page.on("pageerror", lambda error: somebody.said.append(str(error)))
            opened.append((context, somebody))
            return somebody

        yield sign_in
        for context, somebody in opened:
            assert somebody.said == []
            context.close()


@pytest.mark.requirement("R22", "R25", "R50")
def test_an_extension_takes_two_clicks_on_a_phone_and_a_signature_at_a_desk(loan: LoanDesk, sign_in: SignIn) -> None:
    keeper = sign_in("keeper", PHONE_ZH)
    page = keeper.open(f"/hand-overs/{loan.ids['hand_over_id']}")
    keeper.well_made()
    page.get_by_role("link", name="延期", exact=True).click()
    keeper.well_made()
    page.get_by_role("button", name="申请延期", exact=True).click()
    page.wait_for_url("**/matters/*")

    [matter] = loan.desk.all(Matter)
    assert datetime.fromisoformat(matter.facts["asked"]["dueAt"]) == datetime.fromisoformat(loan.later(7))
    keeper.well_made()
    loan.check(matter.id)
    loan.open(matter.id, "extension")

    reviewer = sign_in("reviewer", DESKTOP_EN)
    _decide(reviewer, str(matter.number), "approved")

    assert loan.apply(matter.id)
    loan.close(matter.id, "applied")
    page.reload()
    expect(page.locator("h1 .tag")).to_have_text("已生效")
    expect(page.locator("main ol.steps")).to_contain_text("reviewer")
    keeper.well_made()


@pytest.mark.requirement("R47", "R50")
def test_custody_is_offered_to_a_person_who_is_searched_for_and_accepted(loan: LoanDesk, sign_in: SignIn) -> None:
    keeper = sign_in("keeper", PHONE_ZH)
    page = keeper.open(f"/hand-overs/{loan.ids['hand_over_id']}")
    page.get_by_role("link", name="移交保管", exact=True).click()
    page.fill("[name=person]", "operator2")
    page.get_by_role("button", name="查找", exact=True).click()
    page.get_by_label("operator2").check()
    page.fill("form.card [name=reason]", "岗位调整，由他继续使用。")
    keeper.well_made()
    page.get_by_role("button", name="提交移交", exact=True).click()
    page.wait_for_url("**/matters/*")

    [matter] = loan.desk.all(Matter)
    loan.check(matter.id)
    loan.open(matter.id, "custody-receipt")
    _decide(sign_in("operator2", DESKTOP_EN), str(matter.number), "accepted")

    assert loan.apply(matter.id)
    assert loan.loan.custodian_id == "operator2"


@pytest.mark.requirement("R21", "R55")
def test_files_are_chosen_or_dropped_and_one_is_removed(loan: LoanDesk, sign_in: SignIn) -> None:
    draft = loan.desk.run(lambda uow: application_service.create_draft(uow, FORM).id, by="drafter")
    drafter = sign_in("drafter", PHONE_ZH)
    page = drafter.open(f"/applications/{draft}/attachments")
    rows = page.locator("table.attachments tbody tr")
    page.select_option("[name=kind]", index=1)
    page.set_input_files(
        "[name=file]",
        [
            {"name": "现场.jpg", "mimeType": "image/jpeg", "buffer": photographs.jpeg(80, 60)},
            {"name": "来函.pdf", "mimeType": "application/pdf", "buffer": letters.letter()},
        ],
    )
    page.get_by_role("button", name="添加", exact=True).click()
    expect(rows).to_have_count(2)
    drafter.well_made()

    _drop(page, "更多.pdf", letters.letter(2))  # without a kind nothing is sent, and nothing is lost
    assert page.evaluate("() => document.querySelector('[name=file]').files.length") == 1
    page.select_option("[name=kind]", index=1)
    _drop(page, "更多.pdf", letters.letter(2))
    expect(rows).to_have_count(3)

    page.get_by_role("button", name="移除 现场.jpg").click()
    expect(rows).to_have_count(2)
    assert sorted(row.file_name for row in loan.desk.all(Attachment, application_id=draft)) == ["更多.pdf", "来函.pdf"]


def _decide(somebody: PortalUser, number: str, outcome: str) -> None:
    """Find the matter in the inbox, answer its questions with yes, and sign."""
    page = somebody.open("/inbox")
    page.locator("main a", has_text=number).first.click()
    page.wait_for_url("**/reviews/*")
    somebody.well_made()
    for answer in page.locator("[name^=answers-][value=true]").all():
        answer.check()
    page.fill("form.decide [name=password]", PASSWORD)
    somebody.press("outcome", outcome)
    expect(page.locator("#callouts")).to_contain_text(number)


def _drop(page: Page, name: str, content: bytes) -> None:
    given = page.evaluate_handle(
        """([name, bytes]) => {
            const given = new DataTransfer();
            given.items.add(new File([new Uint8Array(bytes)], name));
            return given;
        }""",
        [name, list(content)],
    )
    for kind in ("dragenter", "dragover", "drop"):
        page.dispatch_event(".drop", kind, {"dataTransfer": given})


def _complaint(message: ConsoleMessage) -> list[str]:
    return [f"{message.type}: {message.text}"] if message.type in ("error", "warning") else []
