"""The PDF of a document over HTTP: for whom, as what, and that each reading is on the trail (R28, R59, F20)."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from custody_browser import Browser
from custody_desk import PASSWORD, Desk
from portal_client import MODELS

from services.database.tables.audit import AuditEvent
from services.database.tables.documents import Document
from services.domain import custody
from services.domain.accounts.signatures.given import Proof
from services.domain.agreements import service as agreement_service
from services.domain.custody import loan_documents


@pytest.fixture
def desk(tmp_path: Path, filmed: Path) -> Desk:
    return Desk(tmp_path, filmed)


@pytest.fixture
async def browsers(desk: Desk) -> AsyncIterator[dict[str, Browser]]:
    people = {
        login: await Browser.of(desk, login, models=MODELS)
        for login in ("security", "custodian", "supervisor", "stranger")
    }
    yield people
    for browser in people.values():
        await browser.client.aclose()


@pytest.mark.requirement("R28", "R35")
async def test_who_sees_the_case_gets_its_documents_as_pdf(desk: Desk, browsers: dict[str, Browser]) -> None:
    await desk.case("yard").lend()
    [receipt] = [row for row in desk.rows(Document) if row.kind == "hand-over-receipt"]

    answer = await browsers["security"].get(f"/api/documents/{receipt.number}/pdf")

    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'attachment; filename="{receipt.number}.pdf"'
    assert answer.content.startswith(b"%PDF-1.7")
    assert (await browsers["stranger"].get(f"/api/documents/{receipt.number}/pdf")).status_code == 404
    page = await browsers["security"].get(f"/api/documents/{receipt.number}/print")
    assert "视频录像移交签收单" in page.text
    read = [event for event in desk.rows(AuditEvent) if event.action == "document-read"]
    assert [(event.actor_id, json.loads(event.entry)["detail"]["form"]) for event in read] == [
        ("security", "pdf"),
        ("security", "page"),
    ]


async def test_the_case_page_links_each_document_as_page_and_as_pdf(desk: Desk, browsers: dict[str, Browser]) -> None:
    case = desk.case("yard")
    await case.lend()

    page = (await browsers["security"].get(f"/cases/{case.id}")).text

    for document in desk.rows(Document):
        for form in ("print", "pdf"):
            assert f'href="/api/documents/{document.number}/{form}"' in page


@pytest.mark.requirement("R59")
async def test_an_agreement_is_for_its_signer_and_those_who_supervise(desk: Desk, browsers: dict[str, Browser]) -> None:
    signing = Proof(password=PASSWORD)
    desk.as_person("custodian", agreement_service.sign, desk.rules.agreement_version, signing)
    [document] = desk.rows(Document)
    path = f"/api/documents/{document.number}/pdf"

    answers = {login: (await browser.get(path)).status_code for login, browser in browsers.items()}

    assert answers == {"custodian": 200, "supervisor": 200, "security": 404, "stranger": 404}
    page = (await browsers["custodian"].get("/account/agreement")).text
    assert f'href="{path}"' in page
    listed = (await browsers["custodian"].get("/api/agreements")).json()["signed"]
    assert sorted(one["document"] or "" for one in listed) == ["", document.number]


@pytest.mark.requirement("R41", "R45", "R46")
def test_the_receipt_prints_the_conditions_that_its_page_shows() -> None:
    folder = Path(custody.__file__).parent
    chinese = {one.id: one.string for one in read_po((folder / "locale" / "zh.po").open("rb")) if one.id}
    conditions = (
        (folder / "templates" / "parts.html")
        .read_text(encoding="utf-8")
        .split("macro conditions")[1]
        .split("endmacro")[0]
    )
    shown = re.findall(r'<li>{{ _\("([^"]+)"\) }}', conditions)

    assert [chinese[one] for one in shown] == list(loan_documents.CONDITIONS)
    assert loan_documents.UNDERTAKING in chinese.values()
