"""Police ask for footage: their credentials are checked, the footage is signed for, fetched, handed out, archived."""

import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pyzipper
from behalf_case import OFFICERS
from built_portal import portal_over
from case_people import People
from test_matters_at_work import ask, decide, ended

from services.app.evidence import sources_of
from services.database.tables.copies import Copy
from services.database.tables.devices import Medium
from services.database.tables.disclosures import Disclosure, DisclosureDownload
from services.database.tables.outsiders import Outsider
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.domain.applications import on_behalf
from services.domain.applications import service as application_service
from services.domain.applications.on_behalf import Letter
from services.domain.storage import media, sites
from services.domain.storage.schemas import MediumBody, SiteBody
from services.evidence import package
from services.runtime.threads import run_in_thread
from services.vault.keys.log_key import FOLDER, ensure_log_key
from services.verifier.examination import examine

pytestmark = [pytest.mark.slow, pytest.mark.zeebe]

HOLDER, OFFICE = "machao", "wulei"  # of Security: drafter and custodian; who hands out
STORAGE = "hutao"


def _register_disc(uow: UnitOfWork) -> None:
    site = sites.add(uow, SiteBody(name="介质室", address="厂区西路2号"))
    media.add(uow, MediumBody(number="GP-003", kind="disc", site_id=site.id))


async def registered(desk: People) -> str:
    """Submit on behalf of two officers with their letter; the application's id."""
    form = desk.form("cam1", custodian_id=demo_id(HOLDER))

    def act(uow: UnitOfWork) -> str:
        application_id = application_service.create_draft(uow, form).id
        letter = Letter("调取证据通知书", "沪公调证字12号", (uow.now - timedelta(days=1)).date(), seal_checked=True)
        on_behalf.set_kind(uow, application_id, "authority", letter)
        for officer in OFFICERS:
            on_behalf.add(uow, application_id, officer)
        return application_service.submit(uow, application_id).id

    application_id: str = await desk.as_person(HOLDER, act)
    return application_id


async def provided(desk: People, case: str, **changes: Any) -> str:
    """Ask for the disclosure and let Security, Legal and the head of Security agree; the matter's id."""
    officers = [row.id for row in desk.rows(Outsider, application_id=case)]
    wish = {"opensWith": "archiver", "endsLoan": True, "notOriginalBecause": "录像机须继续录像。", **changes}
    matter_id = await ask(desk, case, "disclosure", HOLDER, outsiderIds=officers, **wish)
    for stage in ("security", "legal", "security-signature"):
        await decide(desk, matter_id, stage)
    await ended(desk, matter_id, "applied")
    return matter_id


@asynccontextmanager
async def portal(desk: People, login: str) -> AsyncIterator[httpx.AsyncClient]:
    """The portal of the desk's installation, as this person uses it."""
    container = desk.container
    given = {"database": desk.database, "settings": desk.settings, "store": container.store}
    app = portal_over({**given, "loan_keys": container.loan_keys})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://footage.example") as client:
        answer = await client.post("/api/login", json={"login": login, "password": f"demo-{login}"})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrfToken"]
        yield client


@pytest.mark.requirement("R57", "R58")
@pytest.mark.requirement("R21", "R40")
async def test_police_get_what_was_signed_and_the_masters_are_archived(desk: People, tmp_path: Path) -> None:
    case = await registered(desk)
    assert (await desk.review(case)).stage == "credentials"
    await desk.accept(case, by=HOLDER)
    assert not desk.rows(Review, stage="preliminary")
    matter_id = await provided(desk, case)
    [copy] = desk.rows(Copy, application_id=case)
    people = [row.id for row in desk.rows(Outsider)]

    async with portal(desk, "lina") as stranger:
        assert (await stranger.post(f"/api/disclosures/{matter_id}/files/{copy.id}")).status_code == 404
    async with portal(desk, OFFICE) as office:
        listed = await office.post(f"/api/disclosures/{matter_id}/files/{copy.id}")
        assert listed.status_code == 201, listed.text
        password, content = listed.json()["password"], listed.json()["content"]
        answer = await office.get(content)
        assert answer.status_code == 200, answer.text
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        with pyzipper.AESZipFile(io.BytesIO(answer.content)) as archive:
            archive.setpassword(password.encode())
            files = {name.split("/")[1]: archive.read(name) for name in archive.namelist()}
        [footage] = [name for name in files if name.endswith(".mp4")]
        assert hashlib.sha256(files[footage]).hexdigest() == copy.sealed["sha256Plain"]
        number = next(name for name in files if name.startswith("TG-"))
        assert files[number].startswith(b"%PDF-")
        for line in files["SHA256SUMS"].decode().splitlines():
            sha256, name = line.split("  ")
            assert hashlib.sha256(files[name]).hexdigest() == sha256
        assert {"verify.pyz", "README.txt", "player.html"} <= files.keys()

        page = await office.get(f"/disclosures/{matter_id}")
        assert page.status_code == 200
        assert password not in page.text
        receipt = await office.post(f"/api/disclosures/{matter_id}/receipt", json={"outsiderIds": people})
        assert receipt.status_code == 200, receipt.text
        assert (await office.get(content)).status_code == 409

    await desk.closed(case, "footage-provided")
    await desk.entered("Event_FootageProvided")
    assert not desk.loan_keys()

    # a court verifies that the credentials were checked before anything was retrieved
    ensure_log_key(desk.settings.keys / FOLDER)
    number = str(desk.application(case).number)
    made = await run_in_thread(package.make, sources_of(desk.container), number, tmp_path / "case.zip", "hash")
    report = examine(made.path, [made.fingerprints["root"]])
    assert (report.failed, report.exit_code) == ([], 0)


@pytest.mark.requirement("R58", refuses=True)
async def test_credentials_that_are_not_right_end_the_request(desk: People) -> None:
    case = await registered(desk)
    answers = {"enough-people": True, "cards-seen": False, "letter-valid": True, "scope-as-asked": True}
    await desk.decide(case, "credentials", "rejected", answers=answers)
    await desk.closed(case, "rejected")
    assert not desk.rows(Disclosure)


@pytest.mark.requirement("R47", "R58")
async def test_files_in_clear_go_onto_a_medium_and_the_loan_goes_on(desk: People) -> None:
    case = await registered(desk)
    await desk.accept(case, by=HOLDER)
    await desk.as_person(STORAGE, _register_disc)
    matter_id = await provided(desk, case, opensWith="medium", medium="GP-003", seal="0042", endsLoan=False)
    [copy] = desk.rows(Copy, application_id=case)
    async with portal(desk, OFFICE) as office:
        listed = (await office.post(f"/api/disclosures/{matter_id}/files/{copy.id}")).json()
        assert listed["password"] is None
        with pyzipper.ZipFile(io.BytesIO((await office.get(listed["content"])).content)) as archive:
            [footage] = [name for name in archive.namelist() if name.endswith(".mp4")]
            assert hashlib.sha256(archive.read(footage)).hexdigest() == copy.sealed["sha256Plain"]
        people = [row.id for row in desk.rows(Outsider)]
        answer = await office.post(f"/api/disclosures/{matter_id}/receipt", json={"outsiderIds": people})
        assert answer.status_code == 200
    await desk.quiet()
    [row] = desk.rows(DisclosureDownload)
    assert row.finished_at is not None
    assert [medium.state for medium in desk.rows(Medium, number="GP-003")] == ["provided"]
    assert desk.hand_over(case).ended_at is None
    assert desk.application(case).closed_at is None
