"""Custody over the JSON API: accept, view by ranges, download, return; every refusal with its reason."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from custody_browser import Browser
from custody_desk import PASSWORD, Case, Desk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy, Download, Grant, Viewing
from services.domain.custody import footage_reader
from services.vault.age import Reader, X25519Identity, generate_identity
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


@pytest.mark.requirement("R41")
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


@pytest.mark.requirement("R55", "R57")
async def test_a_stranger_finds_nothing(desk: Desk, custodian: Browser, copy_id: str) -> None:
    content = await view(custodian, copy_id)
    stranger = await Browser.of(desk, "stranger")

    assert code(await stranger.get(content), 404) == "not-found"
    assert code(await stranger.post(f"/api/copies/{copy_id}/viewings", purposeConfirmed=True), 404) == "not-found"
    assert (await stranger.get("/api/hand-overs")).json() == []
    stranger.client.cookies.clear()
    assert code(await stranger.get(content), 401) == "logged-out"
    await stranger.client.aclose()


@pytest.mark.requirement("R41", "R51")
async def test_a_refusal_says_why_and_is_on_the_trail(desk: Desk, custodian: Browser, copy_id: str) -> None:
    content = await view(custodian, copy_id)
    desk.change(Grant, desk.rows(Grant)[0].id, suspended_at=desk.clock.now())
    assert code(await custodian.get(content), 403) == "access-suspended"
    desk.clock.turn(timedelta(days=10))
    assert code(await custodian.get(content), 403) == "use-period-over"

    denied = [event.entry for event in desk.rows(AuditEvent) if event.action == "access-denied"]
    assert ["access-suspended" in denied[0], "use-period-over" in denied[1]] == [True, True]


@pytest.mark.requirement("R52", "R55")
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


@pytest.mark.requirement("R57")
async def test_a_download_is_for_one_key_alone_and_is_listed_for_the_attestation(
    desk: Desk, custodian: Browser, copy_id: str
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
    [hand_over] = (await custodian.get("/api/hand-overs")).json()
    assert [one["id"] for one in hand_over["downloads"]] == [download.id]


def _grant_download(uow, copy_id: str) -> None:  # type: ignore[no-untyped-def]
    [grant] = uow.session.query(Grant).all()
    uow.session.add(
        Grant(copy_id=copy_id, person_id="custodian", action="download", since=grant.since, until=grant.until)
    )


@pytest.mark.requirement("R38", "R40")
async def test_after_the_return_the_copy_opens_with_nothing(
    desk: Desk, case: Case, custodian: Browser, copy_id: str
) -> None:
    content = await view(custodian, copy_id)
    [hand_over] = (await custodian.get("/api/hand-overs")).json()
    body = {"returnTo": "storage", "downloads": [], "noOtherCopies": True}
    path = f"/api/hand-overs/{hand_over['id']}/return"
    assert code(await custodian.post(path, **body, password="wrong"), 403) == "password-wrong"

    answer = await custodian.post(path, **body, password=PASSWORD)
    assert answer.json()["returnTo"] == "storage"
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

    assert len(ours) == 11
    for path, verbs in ours.items():
        for verb in verbs.values():
            assert {"401", "422", "503"} <= set(verb["responses"]), path
    assert {"206", "416", "403", "404"} <= set(paths["/api/copies/{copy_id}/content"]["get"]["responses"])
