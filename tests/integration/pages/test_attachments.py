"""Attachments through pages and API: who may add, open and remove them, and what becomes of them."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import letters
import photographs
import pytest
from bad_disk import bad_disk
from portal_client import Portal, problem
from portal_store import PortalStore
from review_desk import FORM, NOON, ReviewDesk

from services.database.tables.applications import Application, Revision
from services.database.tables.attachments import Attachment, AttachmentUpload
from services.database.tables.audit import AuditEvent
from services.database.tables.consents import Consultation
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import drafts
from services.domain.applications import service as application_service
from services.domain.attachments import receiver, retention, schemas
from services.domain.custody import closing
from services.domain.matters import held as legal_holds
from services.runtime.errors import Retryable
from services.runtime.settings.stores import FolderStore
from services.vault.age import generate_identity
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store, StoreDown
from services.workers import attachment_sweep, vault_locks
from services.workers.vault_locks import LockKeeper

pytestmark = pytest.mark.requirement("R3", "R21", "R55")

LETTER = letters.letter()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(FolderStore(tmp_path / "store", "test"))
    store.ensure()
    return store


@pytest.fixture
async def portal(desk: ReviewDesk, store: Store) -> AsyncIterator[Portal]:
    _, recipient = generate_identity()
    async with Portal(desk, store=PortalStore(store), vault_recipients=lambda: [recipient]) as opened:
        yield opened


@pytest.fixture
async def drafter(portal: Portal) -> httpx.AsyncClient:
    return await portal.signed_in("drafter")


@pytest.fixture
def draft(desk: ReviewDesk) -> str:
    return desk.run(application_service.create_draft, FORM, by="drafter").id


async def added(
    browser: httpx.AsyncClient, case: str, kind: str = "letter", name: str = "公函.pdf", content: Any = LETTER
) -> httpx.Response:
    asked = {"kind": kind, "name": name, "note": "原件在档"}
    return await browser.post(f"/api/applications/{case}/attachments", params=asked, content=content)


async def card(browser: httpx.AsyncClient, case: str) -> str:
    answer = await added(browser, case, "identity-card", "张三身份证.jpg", photographs.jpeg(300, 200))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def objects(store: Store) -> list[str]:
    return [key for key in store.list_keys("documents") if key.startswith("attachments/")]


async def swept(desk: ReviewDesk, store: Store) -> int:
    return await attachment_sweep.sweep(desk.database, store, all_open=True)


def acts(desk: ReviewDesk, action: str) -> list[AuditEvent]:
    return desk.all(AuditEvent, action=action)


async def test_a_letter_is_sealed_listed_opened_and_a_part_of_the_signed_form(
    desk: ReviewDesk, drafter: httpx.AsyncClient, portal: Portal, store: Store, draft: str
) -> None:
    told = (await added(drafter, draft)).json()
    page = (await drafter.get(f"/applications/{draft}/attachments")).text
    for place in ("edit", "summary"):
        assert "公函.pdf" in (await drafter.get(f"/applications/{draft}/{place}")).text
    desk.run(application_service.submit, draft, by="drafter")

    digest = hashlib.sha256(LETTER).hexdigest()
    assert (told["fileName"], told["sha256"], told["mediaType"]) == ("公函.pdf", digest, "application/pdf")
    assert "公函.pdf" in page
    assert digest in page
    assert desk.the(Revision).form["attachments"] == [{"sha256": digest, "kind": "letter", "name": "公函.pdf"}]
    [key] = objects(store)
    assert LETTER[:100] not in b"".join(store.get("documents", key))
    head = await portal.signed_in("head")
    [listed] = (await head.get(f"/api/applications/{draft}/attachments")).json()["attachments"]
    assert (listed["note"], listed["addedBy"], listed["removable"]) == ("原件在档", "drafter", False)
    opened = await head.get(f"/attachments/{listed['id']}")
    assert opened.content == LETTER
    assert opened.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E5%85%AC")
    assert opened.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert (opened.headers["x-content-type-options"], opened.headers["content-type"]) == ("nosniff", "application/pdf")
    assert [event.actor_id for event in acts(desk, "attachment-read")] == ["head"]
    assert "公函.pdf" in (await head.get(f"/cases/{draft}")).text


async def test_a_form_without_attachments_is_frozen_as_before(desk: ReviewDesk) -> None:
    desk.submitted()
    assert "attachments" not in desk.the(Revision).form


async def test_a_photograph_is_shown_in_the_browser_without_its_place(drafter: httpx.AsyncClient, draft: str) -> None:
    photograph = photographs.with_exif(photographs.jpeg(300, 200), 1, b"GPS 31.2304 N")

    told = (await added(drafter, draft, "evidence", "现场.jpg", photograph)).json()
    opened = await drafter.get(told["content"])

    assert b"GPS" not in opened.content
    assert told["sha256"] == hashlib.sha256(opened.content).hexdigest()
    assert opened.headers["content-disposition"].startswith("inline")


async def test_what_is_refused_leaves_nothing(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, draft: str
) -> None:
    program = await added(drafter, draft, name="letter.pdf", content=b"MZ\x90\0")
    path = await added(drafter, draft, name="../../etc/passwd")
    large = await added(drafter, draft, content=b"%PDF-" + bytes(schemas.LARGEST))

    async def broken() -> AsyncIterator[bytes]:
        yield LETTER[:100]

    cut = await drafter.post(
        f"/api/applications/{draft}/attachments",
        params={"kind": "letter", "name": "a.pdf"},
        content=broken(),
        headers={"Content-Length": str(len(LETTER))},
    )

    assert problem(program) == (422, "attachment-kind", "file")
    assert problem(path) == (422, "attachment-name", "name")
    assert problem(large) == (413, "upload-too-large", "file")
    assert problem(cut)[:2] == (422, "upload-cut")
    assert (desk.all(Attachment), desk.all(AttachmentUpload), objects(store)) == ([], [], [])


async def test_a_killed_upload_leaves_nothing(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, draft: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Retryable("the process was killed before it was entered")

    monkeypatch.setattr(receiver.service, "add", killed)
    monkeypatch.setattr(receiver.service, "abandon", killed)
    answer = await added(drafter, draft)

    assert answer.status_code == 503
    assert len(objects(store)) == 1
    assert await swept(desk, store) == 1
    assert (objects(store), desk.all(Attachment)) == ([], [])
    assert await swept(desk, store) == 0


async def test_there_are_so_many_and_no_more(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, draft: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.domain.attachments.service.MOST", 1)
    await added(drafter, draft)

    assert problem(await added(drafter, draft))[:2] == (409, "attachments-full")
    assert len(objects(store)) == len(desk.all(AttachmentUpload)) == 1


async def test_a_draft_gives_up_what_was_attached(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, draft: str
) -> None:
    first, _ = [(await added(drafter, draft, name=f"{number}.pdf")).json() for number in (1, 2)]

    assert (await drafter.delete(f"/api/attachments/{first['id']}")).status_code == 204
    desk.run(drafts.discard, draft, by="drafter")

    assert desk.all(Attachment) == []
    assert await swept(desk, store) == 2
    assert objects(store) == []


async def test_what_was_submitted_stays_and_a_correction_adds_to_it(
    desk: ReviewDesk, drafter: httpx.AsyncClient, draft: str
) -> None:
    first = (await added(drafter, draft, name="1.pdf")).json()["id"]
    desk.run(application_service.submit, draft, by="drafter")
    desk.decide(desk.opened(draft, "preliminary"), "head", "returned")
    desk.clock.turn(timedelta(minutes=1))
    second = (await added(drafter, draft, name="2.pdf")).json()["id"]

    assert problem(await drafter.delete(f"/api/attachments/{first}"))[:2] == (409, "attachment-bound")
    desk.run(application_service.correct, draft, replace(FORM, purpose=FORM.purpose * 2), by="drafter")

    names = {row.round: [one["name"] for one in row.form["attachments"]] for row in desk.all(Revision)}
    assert names == {0: ["1.pdf"], 1: ["1.pdf", "2.pdf"]}
    assert problem(await drafter.delete(f"/api/attachments/{second}"))[:2] == (409, "attachment-bound")


async def test_others_add_to_the_case_and_not_to_the_form_and_strangers_find_nothing(
    desk: ReviewDesk, portal: Portal, draft: str
) -> None:
    desk.run(application_service.submit, draft, by="drafter")
    reviewer, supervisor = await portal.signed_in("reviewer"), await portal.signed_in("supervisor")
    told = (await added(reviewer, draft, "screenshot")).json()
    manager = await portal.signed_in("manager")

    assert told["ofForm"] is False
    assert "attachments" not in desk.the(Revision).form
    assert problem(await added(supervisor, draft))[:2] == (403, "attachment-no-part")
    assert (await supervisor.get(told["content"])).status_code == 200
    for answer in (
        await added(manager, draft),
        await manager.get(told["content"]),
        await manager.get(f"/attachments/{told['id']}"),
        await manager.get(f"/api/applications/{draft}/attachments"),
        await manager.delete(f"/api/attachments/{told['id']}"),
    ):
        assert answer.status_code == 404
    desk.classed(draft, closed_at=NOON, closed_as="rejected")
    assert problem(await added(reviewer, draft))[:2] == (409, "attachment-closed")


@pytest.mark.requirement("R5", "R55")
async def test_a_copy_of_an_identity_card_is_in_no_list_and_opens_for_who_handles_the_case(
    desk: ReviewDesk, portal: Portal, drafter: httpx.AsyncClient, draft: str
) -> None:
    card_id = await card(drafter, draft)
    assert (await drafter.get(f"/attachments/{card_id}")).status_code == 200
    desk.run(application_service.submit, draft, by="drafter")
    review = desk.opened(draft, "preliminary")
    for login in ("drafter", "supervisor"):
        browser = await portal.signed_in(login)
        listed = (await browser.get(f"/api/applications/{draft}/attachments")).json()
        assert (listed["attachments"], listed["identityCards"]) == ([], None)
        assert (
            "身份证件复印件" not in (await browser.get(f"/applications/{draft}/attachments")).text.partition("<form")[0]
        )
        assert "张三" not in (await browser.get(f"/cases/{draft}")).text
        for path in (f"/attachments/{card_id}", f"/api/applications/{draft}/identity-cards"):
            assert (await browser.get(path)).status_code == 404
    assert desk.the(Revision).form["attachments"][0]["name"] == "identity-card"

    for login in ("head", "reviewer"):  # whom the open review asks, and Security
        browser = await portal.signed_in(login)
        listed = (await browser.get(f"/api/applications/{draft}/attachments")).json()
        assert (listed["attachments"], listed["identityCards"]) == ([], 1)
        page = await browser.get(f"/applications/{draft}/identity-cards")
        assert "张三身份证.jpg" in page.text
        assert (await browser.get(f"/attachments/{card_id}")).status_code == 200
    assert [event.actor_id for event in acts(desk, "identity-cards-listed")] == ["head", "reviewer"]
    desk.decide(review, "head", "returned")  # who corrects sees the cards that they add, and none of the case
    assert (await drafter.get(f"/attachments/{card_id}")).status_code == 404
    assert (await drafter.get(f"/attachments/{await card(drafter, draft)}")).status_code == 200
    assert [event.actor_id for event in acts(desk, "attachment-read")] == ["drafter", "head", "reviewer", "drafter"]


@pytest.mark.requirement("R5", "R52")
async def test_a_copy_of_an_identity_card_is_purged_when_its_case_has_ended_and_all_else_stays(
    desk: ReviewDesk, portal: Portal, drafter: httpx.AsyncClient, store: Store, draft: str
) -> None:
    card_id = await card(drafter, draft)
    letter = (await added(drafter, draft)).json()
    desk.run(application_service.submit, draft, by="drafter")
    desk.run(application_service.withdraw, draft, "不再需要", by="drafter")
    desk.run(closing.release_case, draft, "withdrawn")
    reviewer = await portal.signed_in("reviewer")

    desk.clock.turn(desk.rules.identity_card_retention - timedelta(minutes=1))
    assert await swept(desk, store) == 0
    assert (await reviewer.get(f"/attachments/{card_id}")).status_code == 200
    held = desk.run(
        legal_holds.place, desk.the(Application).number, cause="manual", reason="none", by="security-deputy"
    )
    desk.clock.turn(timedelta(minutes=2))
    content = f"/api/attachments/{card_id}/content"
    assert await swept(desk, store) == 0
    assert problem(await reviewer.get(content))[:2] == (409, "attachment-expired")  # kept, and opened no more
    assert desk.the(Attachment, id=card_id).purged_at is None

    def lift(uow: UnitOfWork) -> None:
        uow.session.get_one(Hold, held.id).lifted_at = uow.now

    desk.run(lift)
    assert await swept(desk, store) == 1
    assert problem(await reviewer.get(content))[:2] == (409, "attachment-purged")
    assert await swept(desk, store) == 0

    row = desk.the(Attachment, id=card_id)
    assert (row.purged_at, row.secret, len(row.sha256)) == (desk.clock.now(), None, 64)
    assert len(acts(desk, "attachment-purged")) == 1
    assert objects(store) == [f"attachments/{letter['id']}"]
    assert '<span class="tag calm">已到期删除' in (await reviewer.get(f"/applications/{draft}/identity-cards")).text


@pytest.mark.requirement("R5", refuses=True)
async def test_a_copy_of_a_card_that_the_store_does_not_remove_keeps_no_other_longer(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, draft: str
) -> None:
    for _ in range(3):
        await card(drafter, draft)
    bad, *others = objects(store)
    desk.clock.turn(desk.rules.identity_card_retention + timedelta(minutes=1))

    with bad_disk(store, "delete", bad), pytest.raises(StoreDown):
        await swept(desk, store)
    assert objects(store) == [bad]
    assert len([row for row in desk.all(Attachment) if row.purged_at]) == len(others)
    assert await swept(desk, store) == 1
    assert objects(store) == []


async def test_a_forgotten_draft_keeps_no_copy_of_an_identity_card(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, draft: str
) -> None:
    await card(drafter, draft)
    desk.clock.turn(desk.rules.identity_card_retention + timedelta(minutes=1))
    assert await swept(desk, store) == 1
    assert objects(store) == []


@pytest.mark.requirement("R28", "R52")
async def test_attachments_of_a_submitted_case_are_locked_as_its_documents_are(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, draft: str
) -> None:
    letter = (await added(drafter, draft)).json()["id"]
    card_id = await card(drafter, draft)
    assert desk.run(retention.list_due, "", 10) == []
    desk.run(application_service.submit, draft, by="drafter")

    keeper = LockKeeper(desk.database, store, None, lambda: pytest.fail("no document is filed here"))
    await keeper._lock_attachments()

    facts = store.stat("documents", f"attachments/{letter}")
    free = store.stat("documents", f"attachments/{card_id}")
    assert facts is not None
    assert free is not None
    assert facts.retain_until == desk.the(Attachment, id=letter).retain_until
    assert (free.retain_until, desk.run(retention.list_due, "", 10)) == (None, [])
    assert desk.all(Document) == []
    assert vault_locks.AT_ONCE >= schemas.MOST


async def test_departments_that_consent_are_asked_again_about_a_form_with_another_file(
    desk: ReviewDesk, drafter: httpx.AsyncClient
) -> None:
    joint = replace(FORM, joint_department_ids=("security",))
    case = desk.run(application_service.create_draft, joint, by="drafter").id
    desk.run(application_service.submit, case, by="drafter")

    await added(drafter, case)

    assert desk.the(Consultation).ended_because == "changed"


async def test_a_plain_form_brings_a_file_too(drafter: httpx.AsyncClient, desk: ReviewDesk, draft: str) -> None:
    token = drafter.headers["X-CSRF-Token"]
    address = f"/applications/{draft}/attachments"
    files = {"file": ("回执.pdf", LETTER, "text/html")}

    unknown = await drafter.post(address, data={"csrf_token": token, "kind": "none"}, files=files)
    forged = await drafter.post(address, data={"csrf_token": "x", "kind": "receipt"}, files=files)
    brought = await drafter.post(address, data={"csrf_token": token, "kind": "receipt", "note": ""}, files=files)

    assert (unknown.status_code, forged.status_code, brought.status_code) == (303, 403, 303)
    row = desk.the(Attachment)
    assert (row.kind, row.file_name, row.note) == ("receipt", "回执.pdf", None)
    removed = await drafter.post(f"/attachments/{row.id}/remove", data={"csrf_token": token})
    assert (removed.status_code, desk.all(Attachment)) == (303, [])
