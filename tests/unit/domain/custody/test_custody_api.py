"""Custody over the JSON API: accept, view by ranges, download, return; every refusal with its reason."""

import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
import pyzipper
from custody_browser import Browser
from custody_desk import PASSWORD, Case, Desk
from pypdf import PdfReader

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy, Download, Grant, Viewing
from services.database.tables.notices import Notice
from services.domain.accounts import sessions
from services.domain.custody import footage_reader, viewings
from services.vault.age import PassphraseIdentity, Reader, X25519Identity, generate_identity
from services.vault.labels import label_key
from services.vault.sealing import Sealed, open_sealed
from services.workers import re_archive


@pytest.fixture
def desk(request: pytest.FixtureRequest, tmp_path: Path, filmed: Path) -> Desk:
    """With the case where a test asks for it, else without."""
    if "case" in request.fixturenames:
        return request.getfixturevalue("case").desk  # type: ignore[no-any-return]
    return Desk(tmp_path, filmed)


@pytest.fixture
async def custodian(desk: Desk) -> AsyncIterator[Browser]:
    browser = await Browser.of(desk, "custodian")
    yield browser
    await browser.client.aclose()


@pytest.fixture
def case(tmp_path: Path, filmed: Path) -> Case:
    return Desk.at_stage("offer", tmp_path, filmed, "gate")


@pytest.fixture
async def copy_id(desk: Desk, case: Case, custodian: Browser) -> str:
    """The case's copy, accepted over the API."""
    [hand_over] = (await custodian.get("/api/hand-overs")).json()
    answer = await custodian.post(
        f"/api/hand-overs/{hand_over['id']}/accept",
        conditionsVersion=hand_over["conditionsVersion"],
        formSha256=hand_over["formSha256"],
        password=PASSWORD,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["copies"][0]["id"])


async def view(browser: Browser, copy_id: str) -> str:
    answer = await browser.post(f"/api/copies/{copy_id}/viewings", purposeConfirmed=True)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["content"])


def plaintext(desk: Desk, copy_id: str) -> bytes:
    sealed = Sealed.from_json(desk.row(Copy, copy_id).sealed)
    return open_sealed(desk.store, sealed.location, desk.loan_keys.unwrapper(copy_id)).read()


def code(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert told["zh"]
    assert told["en"]
    return str(told["code"])


async def test_the_whole_footage_comes_as_it_was_sealed_and_is_kept_nowhere(
    desk: Desk, custodian: Browser, copy_id: str
) -> None:
    answer = await custodian.get(await view(custodian, copy_id))

    assert answer.status_code == 200
    assert answer.content == plaintext(desk, copy_id)
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"] == "video/mp4"


@pytest.mark.requirement("R52")
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=100-299", 100, 300), ("bytes=65000-66000", 65000, 66001), ("bytes=10-", 10, None),
     ("bytes=-7", -7, None), ("bytes=5-999999999", 5, None)],
)  # fmt: skip
async def test_a_range_is_exactly_what_was_asked_for(
    desk: Desk, custodian: Browser, copy_id: str, asked: str, *, start: int, end: int | None
) -> None:
    whole = plaintext(desk, copy_id)

    answer = await custodian.get(await view(custodian, copy_id), Range=asked)

    assert answer.status_code == 206
    assert answer.content == whole[start:end]
    first = start % len(whole)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(whole)}"
    assert answer.headers["Content-Length"] == str(len(answer.content))


async def test_a_range_outside_is_answered_with_the_length_and_one_not_understood_with_the_whole(
    desk: Desk, custodian: Browser, copy_id: str
) -> None:
    content, size = await view(custodian, copy_id), len(plaintext(desk, copy_id))

    for asked in (f"bytes={size}-", "bytes=-0"):
        answer = await custodian.get(content, Range=asked)
        assert answer.status_code == 416
        assert answer.headers["Content-Range"] == f"bytes */{size}"
    for asked in ("bytes=0-1,5-6", "seconds=1-2", "bytes=9-3", "bytes=-"):
        assert (await custodian.get(content, Range=asked)).status_code == 200
    stale = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert (await custodian.get(content, **stale)).status_code == 200


@pytest.mark.requirement("R41", refuses=True)
async def test_each_read_is_counted_in_its_viewing_and_a_viewing_is_one_copy_s_alone(
    desk: Desk, custodian: Browser, copy_id: str
) -> None:
    assert code(await custodian.get(f"/api/copies/{copy_id}/content?viewing=none"), 404) == "not-found"
    refused = await custodian.post(f"/api/copies/{copy_id}/viewings", purposeConfirmed=False)
    assert code(refused, 422) == "purpose-not-confirmed"
    content = await view(custodian, copy_id)

    await custodian.get(content, Range="bytes=0-9")
    await custodian.get(content, Range="bytes=20-29")

    [viewing] = desk.rows(Viewing)
    assert (viewing.reads, viewing.bytes_read, viewing.ranges) == (2, 20, [[0, 10], [20, 30]])


@pytest.mark.requirement("R55", "R57", refuses=True)
async def test_a_stranger_finds_nothing(desk: Desk, custodian: Browser, copy_id: str) -> None:
    content = await view(custodian, copy_id)
    stranger = await Browser.of(desk, "stranger")

    assert code(await stranger.get(content), 404) == "not-found"
    assert code(await stranger.post(f"/api/copies/{copy_id}/viewings", purposeConfirmed=True), 404) == "not-found"
    assert (await stranger.get("/api/hand-overs")).json() == []
    stranger.client.cookies.clear()
    assert code(await stranger.get(content), 401) == "logged-out"
    await stranger.client.aclose()


@pytest.mark.requirement("R41", "R44", "R51", refuses=True)
async def test_a_refusal_says_why_and_is_on_the_trail(desk: Desk, custodian: Browser, copy_id: str) -> None:
    content = await view(custodian, copy_id)
    desk.freeze()
    assert code(await custodian.get(content), 403) == "copy-frozen"
    desk.unfreeze()
    desk.clock.turn(timedelta(days=10))
    assert code(await custodian.get(content), 403) == "use-period-over"

    denied = [event.entry for event in desk.rows(AuditEvent) if event.action == "access-denied"]
    assert ["copy-frozen" in denied[0], "use-period-over" in denied[1]] == [True, True]


@pytest.mark.requirement("R52", "R55", refuses=True)
async def test_a_grant_that_ends_while_footage_is_sent_ends_the_sending(
    desk: Desk, custodian: Browser, copy_id: str
) -> None:
    content, size = await view(custodian, copy_id), len(plaintext(desk, copy_id))
    reads = 0

    async def ended_meanwhile(function, *arguments):  # type: ignore[no-untyped-def]
        nonlocal reads
        reads += function is footage_reader._read
        if reads == 2:
            desk.change(Grant, desk.rows(Grant)[0].id, ended_at=desk.clock.now())
        return await run(function, *arguments)

    run = footage_reader.run_in_thread
    with (
        patch.object(footage_reader, "CHECKED_EVERY", size // 4),
        patch.object(footage_reader, "run_in_thread", ended_meanwhile),
        pytest.raises(footage_reader.SendingStopped, match="grant has ended"),
    ):
        await custodian.get(content)


@pytest.mark.requirement("R52", "R55", refuses=True)
@pytest.mark.parametrize("sent", ["viewing", "age-key", "browser"])
async def test_a_session_that_is_ended_while_footage_is_sent_ends_the_sending(
    desk: Desk, custodian: Browser, copy_id: str, sent: str
) -> None:
    """Who signs out everywhere, or gets a new password, ends what a thief is still receiving."""
    if sent == "viewing":
        content = await view(custodian, copy_id)
    else:
        desk.do(_grant_download, copy_id)
        wish = {"recipient": generate_identity()[1]} if sent == "age-key" else {"opensWith": sent}
        listed = await custodian.post(f"/api/copies/{copy_id}/downloads", medium="USB stick 7", **wish)
        content = listed.json()["content"]
    allow, checks = footage_reader.allow, 0

    async def ended_meanwhile(check: footage_reader.Check, position: int, stretch: int) -> None:
        nonlocal checks
        checks += 1
        if checks == 2:
            desk.do(sessions.end_all, "custodian")
        await allow(check, position, stretch)

    with (
        patch.object(footage_reader, "CHECKED_EVERY", len(plaintext(desk, copy_id)) // 4),
        patch.object(footage_reader, "allow", ended_meanwhile),
        pytest.raises(footage_reader.SendingStopped, match="sign in"),
    ):
        await custodian.get(content)
    assert checks == 2
    assert all(download.finished_at is None for download in desk.rows(Download))


@pytest.mark.requirement("R57", refuses=True)
async def test_a_download_is_for_one_key_alone_and_is_listed_for_the_attestation(
    desk: Desk, custodian: Browser, copy_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity, recipient = generate_identity()
    wish = {"recipient": recipient, "medium": "USB stick 7"}
    assert code(await custodian.post(f"/api/copies/{copy_id}/downloads", **wish), 403) == "not-granted"
    desk.do(_grant_download, copy_id)
    wrong = {**wish, "recipient": "age1nobody"}
    assert code(await custodian.post(f"/api/copies/{copy_id}/downloads", **wrong), 422) == "recipient-wrong"

    listed = await custodian.post(f"/api/copies/{copy_id}/downloads", **wish)
    assert listed.status_code == 201
    answer = await custodian.get(listed.json()["content"])

    sealed = answer.content
    reader = Reader(lambda offset, length: sealed[offset : offset + length], len(sealed), X25519Identity(identity))
    assert reader.read() == plaintext(desk, copy_id)
    [download] = desk.rows(Download)
    assert download.finished_at is not None
    # no more than a return can attest for: else the copies could not be given back
    monkeypatch.setattr(viewings, "MOST_DOWNLOADS", 1)
    assert code(await custodian.post(f"/api/copies/{copy_id}/downloads", **wish), 409) == "entries-full"
    [hand_over] = (await custodian.get("/api/hand-overs")).json()
    [told] = hand_over["downloads"]
    assert (told["id"], told["opensWith"], told["recipient"]) == (download.id, "age-key", recipient)
    assert listed.json()["password"] is None
    assert answer.headers["Content-Length"] == str(len(sealed))
    assert answer.headers["Content-Disposition"].endswith('_Gate_2031-03-04_0900.mp4.age"')


async def fetched(desk: Desk, custodian: Browser, copy_id: str, **wish: str) -> tuple[str, httpx.Response]:
    """The password of a download that was asked for, and the file."""
    desk.do(_grant_download, copy_id)
    listed = await custodian.post(f"/api/copies/{copy_id}/downloads", medium="USB stick 7", **wish)
    assert listed.status_code == 201, listed.text
    answer = await custodian.get(listed.json()["content"])
    assert answer.status_code == 200
    return str(listed.json()["password"]), answer


def files_of(archive: zipfile.ZipFile, name: str) -> dict[str, bytes]:
    """What lies in the one folder of a download."""
    assert all(one.startswith(f"{name}/") for one in archive.namelist())
    return {one.removeprefix(f"{name}/"): archive.read(one) for one in archive.namelist()}


def printed(pdf: bytes) -> str:
    """What is on the pages of a PDF, without spaces and breaks."""
    return "".join("".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())


@pytest.mark.requirement("R37", "R41", "R42")
async def test_a_download_for_an_archive_program_is_a_zip_that_holds_all_that_belongs_to_the_copy(
    desk: Desk, case: Case, custodian: Browser, copy_id: str
) -> None:
    desk.change(Application, case.id, purpose="See who moved it.")
    password, answer = await fetched(desk, custodian, copy_id, opensWith="archiver")
    name = f"SQ-2031-{case.id}_Gate_2031-03-04_0900"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.zip"'
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert "no-store" in answer.headers["Cache-Control"]

    with pyzipper.AESZipFile(io.BytesIO(answer.content)) as archive:
        archive.setpassword(password.encode())
        files = files_of(archive, name)

    assert files[f"{name}.mp4"] == plaintext(desk, copy_id)
    sums = dict(reversed(line.split("  ")) for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {one: hashlib.sha256(content).hexdigest() for one, content in files.items()}
    assert files[f"{name}.label.pdf"].startswith(b"%PDF")
    cover = printed(files[f"{name}.cover.pdf"])
    for said in ("仅限此用途：Seewhomovedit.", f"SQ-2031-{case.id}", f"{name}.mp4", "2031-03-14", "7-Zip"):
        assert said in cover
    sealed = desk.row(Copy, copy_id).sealed
    assert files[f"{name}.label.json"] == b"".join(desk.store.get("copies", label_key(sealed["key"])))
    readme = files["README.txt"].decode("utf-8-sig")
    for line in ("For this purpose only: See who moved it.", "仅限此用途：See who moved it.", "Use until 2031-03-14"):
        assert line in readme
    assert "See who moved it." in files["player.html"].decode()
    assert "open.html" not in files


@pytest.mark.requirement("R41", "R42")
async def test_a_download_for_a_browser_is_the_default_and_says_no_purpose_beside_the_encrypted_footage(
    desk: Desk, case: Case, custodian: Browser, copy_id: str
) -> None:
    desk.change(Application, case.id, purpose="See who moved it.")
    password, answer = await fetched(desk, custodian, copy_id)
    name = f"SQ-2031-{case.id}_Gate_2031-03-04_0900"
    assert answer.headers["Content-Length"] == str(len(answer.content))

    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = files_of(archive, name)

    age = files.pop(f"{name}.mp4.age")
    opened = Reader(lambda at, length: age[at : at + length], len(age), PassphraseIdentity(password)).read()
    assert opened == plaintext(desk, copy_id)
    sums = dict(reversed(line.split("  ")) for line in files.pop("SHA256SUMS").decode().splitlines())
    files[f"{name}.mp4"] = opened
    assert sums == {one: hashlib.sha256(content).hexdigest() for one, content in files.items()}
    beside = b"".join(files[one] for one in ("README.txt", "player.html", "open.html"))
    assert b"See who moved it." not in beside
    cover = files[f"{name}.cover.pdf"]
    [attached] = [data for [data] in PdfReader(io.BytesIO(cover)).attachments.values()]
    assert "Seewhomovedit." not in printed(cover)
    assert b"See who moved it." not in attached
    assert f"SQ-2031-{case.id}" in printed(cover)
    assert password.encode() not in answer.content


@pytest.mark.requirement("R47", "R52")
async def test_the_register_says_how_a_download_opens_and_its_password_is_kept_nowhere(
    desk: Desk, custodian: Browser, copy_id: str
) -> None:
    password, first = await fetched(desk, custodian, copy_id, opensWith="archiver")
    [download] = desk.rows(Download)

    again = await custodian.get(f"/api/downloads/{download.id}/content")

    with pyzipper.AESZipFile(io.BytesIO(again.content)) as archive:
        archive.setpassword(password.encode())
        assert archive.testzip() is None  # it is the same at each sending
    assert again.content != first.content
    [row] = desk.rows(Download)
    assert (row.opens_with, row.recipient, row.reads) == ("archiver", "", 2)
    assert row.finished_at is not None
    sent = [json.loads(event.entry)["detail"] for event in desk.rows(AuditEvent) if event.action == "download-sent"]
    assert [(one["opens_with"], one["sendings"]) for one in sent] == [("archiver", 1), ("archiver", 2)]
    [hand_over] = (await custodian.get("/api/hand-overs")).json()
    log = (await custodian.get(f"/api/hand-overs/{hand_over['id']}/custody-log")).json()
    assert log["entries"][-1]["detail"]["opensWith"] == "archiver"
    kept = [path for path in desk.root.rglob("*") if path.is_file()]
    words = [password, password.replace("-", "")]
    assert [path for path in kept for word in words if word.encode() in path.read_bytes()] == []
    assert password not in json.dumps([hand_over, log])


@pytest.mark.parametrize("opens_with", ["browser", "archiver"])
@pytest.mark.requirement("R52", "R55", refuses=True)
async def test_a_grant_that_ends_while_a_zip_is_sent_ends_the_sending(
    desk: Desk, custodian: Browser, copy_id: str, opens_with: str
) -> None:
    desk.do(_grant_download, copy_id)
    listed = await custodian.post(f"/api/copies/{copy_id}/downloads", medium="USB stick 7", opensWith=opens_with)
    [granted] = [grant for grant in desk.rows(Grant) if grant.action == "download"]
    allow, checks = footage_reader.allow, 0

    async def ended_meanwhile(check: footage_reader.Check, position: int, stretch: int) -> None:
        nonlocal checks
        checks += 1
        if checks == 2:
            desk.change(Grant, granted.id, ended_at=desk.clock.now())
        await allow(check, position, stretch)

    with (
        patch.object(footage_reader, "CHECKED_EVERY", len(plaintext(desk, copy_id)) // 4),
        patch.object(footage_reader, "allow", ended_meanwhile),
        pytest.raises(footage_reader.SendingStopped, match="grant has ended"),
    ):
        await custodian.get(listed.json()["content"])

    [download] = desk.rows(Download)
    assert (download.reads, download.finished_at) == (1, None)


@pytest.mark.parametrize("opens_with", ["browser", "archiver"])
async def test_a_damaged_copy_is_never_sent_as_a_zip(
    desk: Desk, custodian: Browser, copy_id: str, opens_with: str
) -> None:
    desk.do(_grant_download, copy_id)
    listed = await custodian.post(f"/api/copies/{copy_id}/downloads", medium="USB stick 7", opensWith=opens_with)
    desk.damage("copies", desk.row(Copy, copy_id).sealed["key"])

    with pytest.raises(footage_reader.SendingStopped, match="damaged near byte"):
        await custodian.get(listed.json()["content"])


async def test_a_copy_without_its_label_is_not_sent_as_a_zip(desk: Desk, custodian: Browser, copy_id: str) -> None:
    desk.do(_grant_download, copy_id)
    listed = await custodian.post(f"/api/copies/{copy_id}/downloads", medium="USB stick 7")
    desk.remove_as_root("copies", label_key(desk.row(Copy, copy_id).sealed["key"]))

    assert code(await custodian.get(listed.json()["content"]), 500) == "label-missing"


@pytest.mark.requirement("R41", "R52", refuses=True)
async def test_a_listed_download_that_is_granted_no_longer_is_refused_and_seen(
    desk: Desk, custodian: Browser, copy_id: str
) -> None:
    desk.do(_grant_download, copy_id)
    listed = await custodian.post(f"/api/copies/{copy_id}/downloads", medium="USB stick 7")
    [grant] = [row for row in desk.rows(Grant) if row.action == "download"]
    desk.change(Grant, grant.id, ended_at=desk.clock.now())

    assert code(await custodian.get(listed.json()["content"]), 403) == "grant-ended"

    denied = [json.loads(event.entry)["detail"] for event in desk.rows(AuditEvent) if event.action == "access-denied"]
    assert denied == [{"asked": "download", "code": "grant-ended"}]


async def test_a_key_beside_another_way_to_open_is_asked_about(desk: Desk, custodian: Browser, copy_id: str) -> None:
    desk.do(_grant_download, copy_id)
    path, wish = f"/api/copies/{copy_id}/downloads", {"medium": "USB stick 7", "recipient": generate_identity()[1]}

    assert code(await custodian.post(path, **wish, opensWith="browser"), 422) == "recipient-unused"
    assert code(await custodian.post(path, medium="x", opensWith="age-key"), 422) == "recipient-wrong"
    assert (await custodian.post(path, medium="x", opensWith="telepathy")).status_code == 422
    assert desk.rows(Download) == []


def _grant_download(uow, copy_id: str) -> None:  # type: ignore[no-untyped-def]
    [grant] = uow.session.query(Grant).all()
    uow.session.add(
        Grant(copy_id=copy_id, person_id="custodian", action="download", since=grant.since, until=grant.until)
    )


@pytest.mark.requirement("R38", "R40", refuses=True)
async def test_after_the_return_the_copy_opens_with_nothing(
    desk: Desk, case: Case, custodian: Browser, copy_id: str
) -> None:
    content = await view(custodian, copy_id)
    [hand_over] = (await custodian.get("/api/hand-overs")).json()
    body = {"returnTo": "storage", "downloads": [], "noOtherCopies": True}
    path = f"/api/hand-overs/{hand_over['id']}/return"
    assert code(await custodian.post(path, **body, password="wrong"), 403) == "password-wrong"

    desk.change(Application, case.id, subject_ids=["operator"])
    answer = await custodian.post(path, **body, password=PASSWORD)
    assert answer.json()["returnTo"] == "storage"
    assert [row for row in desk.rows(Notice) if row.code == "copy-returned"] == [], (
        "the case concerns the operator (T8)"
    )
    desk.change(Application, case.id, subject_ids=[])
    assert code(await custodian.get(content), 403) == "copy-returned"

    ids = {"application_id": case.id, "hand_over_id": hand_over["id"]}
    await case.inspect(hand_over["id"])
    await desk.work(re_archive, **ids, decision="in-order")
    desk.change(Application, case.id, closed_at=None)
    assert not list((desk.root / "loans").glob("*.key"))
    log = (await custodian.get(f"/api/hand-overs/{hand_over['id']}/custody-log")).json()
    events = [entry["event"] for entry in log["entries"]]
    assert events == ["offered", "received", "viewed", "returned", "inspected", "ended"]
    assert log["brokenAt"] is None


async def test_a_key_that_is_destroyed_under_a_running_grant_is_a_sentence_and_no_crash(
    desk: Desk, custodian: Browser, copy_id: str
) -> None:
    content = await view(custodian, copy_id)
    desk.loan_keys.destroy(copy_id)

    assert code(await custodian.get(content), 403) == "key-destroyed"


async def test_a_damaged_copy_is_never_sent_as_footage(desk: Desk, custodian: Browser, copy_id: str) -> None:
    content = await view(custodian, copy_id)
    desk.damage("copies", desk.row(Copy, copy_id).sealed["key"])

    with pytest.raises(footage_reader.SendingStopped, match="damaged near byte"):
        await custodian.get(content)


@pytest.mark.requirement("R48")
async def test_a_loss_is_reported_and_stops_access(desk: Desk, custodian: Browser, copy_id: str) -> None:
    content = await view(custodian, copy_id)
    [hand_over] = (await custodian.get("/api/hand-overs")).json()

    answer = await custodian.post(
        f"/api/hand-overs/{hand_over['id']}/report-loss", kind="lost", whatHappened="Left on a train."
    )

    assert answer.json()["lostAt"] is not None
    assert code(await custodian.get(content), 403) == "copy-lost"


async def test_declining_over_the_api(case: Case, custodian: Browser) -> None:
    [hand_over] = (await custodian.get("/api/hand-overs")).json()
    body = {"formSha256": hand_over["formSha256"], "password": PASSWORD}
    path = f"/api/hand-overs/{hand_over['id']}/decline"
    assert (await custodian.post(path, **body)).status_code == 422

    answer = await custodian.post(path, **body, reason="Settled otherwise.")

    assert answer.json()["declinedAt"] is not None


async def test_the_description_names_the_errors_of_every_route(custodian: Browser) -> None:
    paths = (await custodian.get("/api/openapi.json")).json()["paths"]
    ours = {path: verbs for path, verbs in paths.items() if path.startswith(("/api/hand-overs", "/api/copies"))}

    assert len(ours) == 22
    for path, verbs in ours.items():
        for verb in verbs.values():
            assert {"401", "422", "503"} <= set(verb["responses"]), path
    assert {"206", "416", "403", "404"} <= set(paths["/api/copies/{copy_id}/content"]["get"]["responses"])
