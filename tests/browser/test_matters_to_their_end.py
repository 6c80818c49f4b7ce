"""In Chromium, in both languages: a problem report, a police disclosure that is printed and signed, a violation."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from desk_browser import SignIn, decide, signing_in
from lent_case import attached
from loan_matter import LoanDesk, lent
from main_job import DESKTOP_ZH, PHONE_EN, Device
from playwright.sync_api import Browser, expect
from prepared_desk import prepared_desk
from provided_case import ProvidingDesk, lent_to_security, with_medium

from services.database.tables.custody import HandOver
from services.database.tables.disclosures import DisclosureDownload
from services.database.tables.matters import Matter
from services.database.tables.violations import Sanction
from services.domain.disclosures import service as disclosures
from services.domain.matters import problems
from services.domain.matters.violations import tasks
from services.domain.matters.violations.assessment import Assessment

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("device", [DESKTOP_ZH, PHONE_EN], ids=["Chinese at a desk", "English on a phone"])
LEAK = Assessment("severe", "violation-management", suspend_person=True, referral_asked=True)
Case = Callable[[Any, type[LoanDesk]], tuple[Any, SignIn]]


@pytest.fixture
def case(tmp_path: Path, browser: Browser) -> Iterator[Case]:
    """Lay out a loan, and let its people sign in."""
    opened: list[Any] = []

    def lay_out(prepare: Any, kind: type[LoanDesk]) -> tuple[Any, SignIn]:
        desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", prepare)
        people = signing_in(desk, browser, tmp_path)
        opened.extend([desk, people])
        return kind(desk, ids), people.__enter__()

    yield lay_out
    desk, people = opened
    people.__exit__(None, None, None)
    desk.close()


@BOTH
@pytest.mark.requirement("R43", "R44")
def test_a_problem_report_freezes_the_copies_until_security_has_answered(case: Case, device: Device) -> None:
    loan, sign_in = case(lent, LoanDesk)
    keeper = sign_in("keeper", device)
    home = f"/hand-overs/{loan.ids['hand_over_id']}"
    page = keeper.open(home)
    expect(page.locator("a[href$='/watch']").first).to_be_visible()
    page.locator("a[href^='/matters/new/problem']").click()
    page.locator("[name=problem][value=wrong-camera]").check()
    page.fill("[name=reason]", "画面是停车场。")
    keeper.well_made()
    page.locator("form.card button").click()
    page.wait_for_url("**/matters/*")
    [matter] = loan.desk.all(Matter)
    number = str(matter.number)

    page.locator(f"main a[href='{home}']").click()
    for gone in ("/watch", "/return", "/download"):
        expect(page.locator(f"main a[href$='{gone}']")).to_have_count(0)
    expect(page.locator("a[href^='/matters/new/custody-transfer']")).to_have_count(0)
    expect(page.locator(".callout.refused a")).to_contain_text(number)
    keeper.well_made()

    loan.desk.run(problems.freeze, matter.id, loan.instance)
    loan.open(matter.id, "problem")
    decide(sign_in("reviewer", device), number, "explained", reason="画面与批准一致。")
    loan.desk.run(problems.answer, matter.id, "do what follows", ("explained",))
    page.locator(".callout.refused a").click()
    expect(page.locator("main")).to_contain_text("画面与批准一致。")
    keeper.well_made()
    keeper.open(home)
    expect(page.locator("a[href$='/watch']").first).to_be_visible()


@BOTH
@pytest.mark.requirement("R57", "R58")
def test_a_police_disclosure_is_decided_printed_and_signed(case: Case, device: Device) -> None:
    loan, sign_in = case(lent_to_security, ProvidingDesk)
    with_medium(loan.desk, "JZ-007")
    holder = sign_in("inspector", device)
    page = holder.open(f"/matters/new/disclosure?case={loan.application_id}")
    page.locator("[name=opensWith][value=medium]").check()
    page.select_option("[name=medium]", "JZ-007")
    page.fill("[name=seal]", "0033")
    page.fill("[name=reason]", "依函提供。")
    holder.well_made()
    page.locator("form.card button").click()
    page.wait_for_url("**/matters/*")
    [matter] = loan.desk.all(Matter)
    number = str(matter.number)

    loan.check(matter.id)
    for stage, by in (("security", "reviewer"), ("legal", "counsel"), ("security-signature", "security-head")):
        loan.open(matter.id, stage)
        decider = sign_in(by, device)
        decide(decider, number, "signed" if stage == "security-signature" else "approved")
    assert loan.apply(matter.id)
    loan.close(matter.id, "applied")

    office = sign_in("reviewer2", device)
    page = office.open(f"/matters/{matter.id}")
    page.locator(f"main .acts a[href='/disclosures/{matter.id}']").click()
    office.well_made()
    page.locator("form[action*='/files/'] button").click()
    expect(page.locator("a[href^='/api/disclosure-files/']")).to_be_visible()
    office.well_made()
    [download] = loan.desk.all(DisclosureDownload)  # the vault of this desk is of paper
    loan.desk.run(disclosures.start_download, download.id, by="reviewer2")
    loan.desk.run(disclosures.continue_download, download.id, last=True, by="reviewer2")

    sheet = page.context.new_page()
    sheet.goto(f"/api/documents/{number}/print")
    for signer in ("李警官", "周警官"):
        expect(sheet.locator("th", has_text=f"接收人签字（{signer}")).to_have_count(1)
    file = matter.facts["before"]["files"][0]
    for text in (file["sha256"], file["file"]):
        shown = sheet.get_by_text(text, exact=True).locator("xpath=ancestor-or-self::td[1]")
        assert shown.evaluate("(cell) => cell.scrollWidth <= cell.clientWidth")
    assert sheet.pdf().startswith(b"%PDF-")

    scan = loan.desk.run(attached, loan.application_id, "receipt", by="reviewer2")
    office.open(f"/disclosures/{matter.id}")
    for officer in loan.officers:
        page.locator(f"[name=outsiderIds][value='{officer}']").check()
    page.select_option("[name=attachmentId]", scan)
    page.locator("form[action$='/receipt'] button").click()
    expect(page.locator("h1 .tag.good")).to_be_visible()
    expect(page.locator("main")).to_contain_text("李警官")
    office.well_made()
    assert loan.desk.the(HandOver, id=loan.ids["hand_over_id"]).ended_at is not None


@BOTH
@pytest.mark.requirement("R65", "R66", "R67")
def test_a_violation_goes_from_the_record_to_its_settlement(case: Case, device: Device) -> None:
    loan, sign_in = case(lent, LoanDesk)
    recorder = sign_in("security-head", device)
    page = recorder.open(f"/matters/new/violation?case={loan.application_id}")
    page.locator("[name=violationKind][value=leak]").check()
    page.fill("[name=reason]", "片段出现在外部群聊。")
    recorder.well_made()
    page.locator("form.card button").click()
    page.wait_for_url("**/matters/*")
    [matter] = loan.desk.all(Matter)
    address, number = f"/matters/{matter.id}", str(matter.number)
    loan.desk.run(tasks.assess, matter.id, loan.instance)
    loan.desk.run(tasks.serve, matter.id, LEAK)

    accused = sign_in("keeper", device)
    own = accused.open("/")
    own.locator(f"main .callout a[href^='{address}']").click()
    expect(own.locator("main")).not_to_contain_text("security-head")
    own.fill("[name=text]", "当时在医院。")
    accused.well_made()
    own.locator("form[action$='/reply'] button").click()
    expect(own.locator("form[action$='/reply']")).to_have_count(0)

    loan.open(matter.id, "violation-management")
    typed = {"judgement-sanctions-0-kind": "warning", "judgement-sanctions-2-kind": "fine"}
    typed |= {"judgement-sanctions-2-amount": "200", "judgement-loss": "true", "judgement-lossAmount": "120.50"}
    typed |= {"judgement-referral": "true", "reason": "经核实。"}
    decide(sign_in("manager", device), number, "upheld", **typed)
    loan.open(matter.id, "legal-sanction")
    legal = sign_in("manager2", device)
    asked = legal.open("/inbox")
    asked.locator("main a", has_text=number).first.click()
    expect(asked.locator("main")).to_contain_text("200.00")  # Legal reads which sanction it approves
    decide(legal, number, "rejected", reason="罚款没有法律依据。")
    loan.desk.run(tasks.record_sanctions, matter.id)
    assert {(row.kind, row.dropped_because) for row in loan.desk.all(Sanction)} == {
        ("warning", None),
        ("fine", "legal-rejected"),
    }

    loan.open(matter.id, "referral")
    decide(legal, number, "approved", opinion="应当移送。", **{"judgement-authority": "三号区公安分局"})
    loan.desk.run(tasks.begin_referral, matter.id)
    loan.desk.clock.turn(timedelta(hours=2))
    lead = sign_in("security-deputy", device)
    page = lead.open(address)
    local = (loan.desk.clock.now() + timedelta(hours=8) - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M")
    page.fill("[name=handedAt]", local)
    page.fill("[name=receipt]", "公刑受 88 号")
    page.fill("[name=packageSha256]", "ab" * 32)
    page.fill("[name=unknownPackageBecause]", "由公安机关制作。")
    lead.well_made()
    page.locator("form[action$='/referral'] button").click()
    page.fill("[name=account]", "已赔偿。")
    page.fill("[name=amount]", "120.50")
    lead.well_made()
    page.locator("form[action$='/settlement'] button").click()
    expect(page.locator("form[action$='/settlement']")).to_have_count(0)
    loan.close(matter.id, "handled")

    lead.open(address)
    expect(page.locator("h1 .tag")).to_have_text("已赔偿结案" if device.language == "zh" else "settled")
    page.locator(f"main .acts a[href$='/{number}/print']").click()
    expect(page.locator("body")).to_contain_text("120.50")
    own.goto(address)
    expect(own.locator("a[href$='/print']")).to_have_count(0)  # the sheet names who has recorded it
    accused.well_made()
