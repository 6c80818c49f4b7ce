"""Matters in Chromium: an extension in two clicks on a phone, a transfer of custody; and files of an application."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import letters
import photographs
import pytest
from desk_browser import DESKTOP_EN, PHONE_ZH, SignIn, decide, signing_in
from loan_matter import LoanDesk, lent
from main_job import PHONE_EN, Device
from playwright.sync_api import Browser, Page, expect
from prepared_desk import prepared_desk
from review_desk import FORM, PASSWORD

from services.database.tables.attachments import Attachment
from services.database.tables.matters import Matter
from services.domain.applications import service as application_service

pytestmark = pytest.mark.slow


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.fixture
def sign_in(tmp_path: Path, loan: LoanDesk, browser: Browser) -> Iterator[SignIn]:
    with signing_in(loan.desk, browser, tmp_path) as sign_in:
        yield sign_in


@pytest.mark.requirement("R22", "R25", "R50")
@pytest.mark.parametrize("device", [PHONE_ZH, PHONE_EN], ids=["Chinese", "English"])
def test_an_extension_takes_two_clicks_on_a_phone_and_a_signature_at_a_desk(
    loan: LoanDesk, sign_in: SignIn, device: Device
) -> None:
    keeper = sign_in("keeper", device)
    page = keeper.open(f"/hand-overs/{loan.ids['hand_over_id']}")
    keeper.well_made()
    page.locator("a[href^='/matters/new/extension']").click()
    keeper.well_made()
    page.locator("form.card button").click()
    page.wait_for_url("**/matters/*")

    [matter] = loan.desk.all(Matter)
    assert datetime.fromisoformat(matter.facts["asked"]["dueAt"]) == datetime.fromisoformat(loan.later(7))
    keeper.well_made()
    loan.check(matter.id)
    loan.open(matter.id, "extension")
    page.reload()
    expect(page.locator("main")).to_contain_text("reviewer")  # who can decide it, and until when
    # the page of the loan says that it is asked for
    keeper.open(f"/hand-overs/{loan.ids['hand_over_id']}")
    expect(page.locator("#matters")).to_contain_text(str(matter.number))

    reviewer = sign_in("reviewer", DESKTOP_EN)
    asked = reviewer.open(f"/matters/{matter.id}")
    expect(asked.locator("main .acts a[href^='/reviews/']")).to_be_visible()
    decide(reviewer, str(matter.number), "approved")

    assert loan.apply(matter.id)
    loan.close(matter.id, "applied")
    keeper.open(f"/matters/{matter.id}")
    expect(page.locator("h1 .tag")).to_have_text("已生效" if device.language == "zh" else "in effect")
    expect(page.locator("main ol.steps")).to_contain_text("reviewer")
    keeper.well_made()


@pytest.mark.requirement("R42", "R57")
@pytest.mark.parametrize("device", [PHONE_ZH, DESKTOP_EN], ids=["Chinese on a phone", "English at a desk"])
def test_copies_in_use_are_recalled_from_the_page_of_their_case(
    loan: LoanDesk, sign_in: SignIn, device: Device
) -> None:
    reviewer = sign_in("reviewer", device)
    page = reviewer.open(f"/cases/{loan.application_id}")
    page.locator("a[href^='/matters/new/recall']").click()
    reviewer.well_made()
    page.locator("input[name=ground][value=leak]").check()
    page.locator("textarea[name=reason]").fill("网上发现了这段录像。")
    page.locator("form.card button.danger").click()
    page.wait_for_url("**/matters/*")

    [matter] = loan.desk.all(Matter)
    assert (matter.kind, matter.facts["asked"]["ground"]) == ("recall", "leak")
    reviewer.well_made()
    keeper = sign_in("keeper", device)
    keeper.open(f"/hand-overs/{loan.ids['hand_over_id']}")
    keeper.well_made()


@pytest.mark.requirement("R47", "R50")
@pytest.mark.parametrize("device", [PHONE_ZH, DESKTOP_EN], ids=["Chinese on a phone", "English at a desk"])
def test_custody_is_offered_to_a_person_who_is_searched_for_and_accepted(
    loan: LoanDesk, sign_in: SignIn, device: Device
) -> None:
    keeper = sign_in("keeper", device)
    page = keeper.open(f"/hand-overs/{loan.ids['hand_over_id']}")
    page.locator("a[href^='/matters/new/custody-transfer']").click()
    page.fill("[name=person]", "security-head")  # who has decided in the case cannot take the copies
    page.locator("form.find button").click()
    expect(page.locator("form.card button")).to_have_count(0)
    page.fill("[name=person]", "drafter")
    page.locator("form.find button").click()
    page.get_by_label("drafter").check()
    page.fill("form.card [name=reason]", "岗位调整，由他继续使用。")
    page.fill("form.card [name=password]", PASSWORD)
    keeper.well_made()
    page.locator("form.card button").click()
    page.wait_for_url("**/matters/*")

    [matter] = loan.desk.all(Matter)
    loan.check(matter.id)
    loan.open(matter.id, "custody-receipt")
    decide(sign_in("drafter", device), str(matter.number), "accepted")

    assert loan.apply(matter.id)
    assert loan.loan.custodian_id == "drafter"
    sheet = sign_in("head", device).open(f"/api/documents/{matter.number}/print")
    copied = matter.facts["before"]["copies"][loan.ids["copy_id"]]
    expect(sheet.get_by_text(copied)).to_have_count(2)  # the same before and after
    expect(sheet.locator("body")).to_contain_text("接收人签字（drafter）")


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
