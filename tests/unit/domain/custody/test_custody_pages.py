"""The custodian's pages: what is shown and asked at each point of a loan, in words; nothing typed is lost."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from custody_browser import Browser
from custody_desk import NOON, PASSWORD, Case, Desk, forms_sha256

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.copies import Copy, Download, Grant, Viewing
from services.database.tables.custody import CustodyEntry, HandOver
from services.runtime import labels
from services.vault.age import generate_identity

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture
def desk(request: pytest.FixtureRequest, tmp_path: Path, filmed: Path) -> Desk:
    """With the case where a test asks for it, else without."""
    if "case" in request.fixturenames:
        return request.getfixturevalue("case").desk  # type: ignore[no-any-return]
    return Desk(tmp_path, filmed)


@pytest.fixture
def case(tmp_path: Path, filmed: Path) -> Case:
    return Desk.at_stage("offer", tmp_path, filmed, "yard", purpose=f"See who moved it. {EVIL}")


@pytest.fixture
def path(desk: Desk, case: Case) -> str:
    [hand_over] = desk.rows(HandOver)
    return f"/hand-overs/{hand_over.id}"


@pytest.fixture
def copy_id(desk: Desk, case: Case) -> str:
    [copy] = desk.rows(Copy)
    return str(copy.id)


@pytest.fixture
async def custodian(desk: Desk) -> AsyncIterator[Browser]:
    browser = await Browser.of(desk, "custodian")
    browser.client.cookies.set("footage_desk_language", "en")
    yield browser
    await browser.client.aclose()


def acceptance(desk: Desk, case: Case, **changes: str) -> dict[str, str]:
    version = desk.rules.policy_version
    return {"conditionsVersion": version, "formSha256": forms_sha256(case.id), "password": PASSWORD, **changes}


async def lend(desk: Desk, case: Case, *, download: bool = False) -> None:
    [hand_over] = desk.rows(HandOver)
    case.accept(hand_over.id)
    if download:
        [grant] = desk.rows(Grant)
        values = {"copy_id": grant.copy_id, "since": grant.since, "until": grant.until}
        desk.do(lambda uow: uow.session.add(Grant(person_id="custodian", action="download", **values)))


def shown(answer: httpx.Response, status: int = 200) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    return answer.text


async def test_an_offer_is_in_the_list_and_asks_to_be_accepted(custodian: Browser, path: str) -> None:
    listed = shown(await custodian.get("/hand-overs"))
    assert path in listed
    assert "Accept or decline" in listed

    offered = shown(await custodian.get(path))
    assert "I have read these conditions" in offered
    assert "Accept by" in offered
    assert "No footage from" in offered
    for act in ("/watch", "/return", "/report-loss", "/download"):
        assert act not in offered


@pytest.mark.requirement("R57", "R59")
async def test_the_custodian_reads_to_whom_the_copies_may_be_shown_before_taking_and_before_watching(
    desk: Desk, case: Case, custodian: Browser, path: str, copy_id: str
) -> None:
    alone = shown(await custodian.get(path))
    desk.change(Application, case.id, recipient_ids=["security", "supervisor"])
    desk.change(Agreement, "agreement-supervisor", ended_at=NOON)

    offered = shown(await custodian.get(path))
    await lend(desk, case)
    before = shown(await custodian.get(f"/copies/{copy_id}/watch"))
    [told] = (await custodian.get("/api/hand-overs")).json()

    assert "only you may view the footage" in alone
    for read in (offered, before):
        assert re.search(r"Viewers: Security, Supervisor <small>only after signing the confidentiality agreement", read)
    assert [(one["id"], one["agreement"]) for one in told["recipients"]] == [("security", True), ("supervisor", False)]


@pytest.mark.requirement("R55", "R57", refuses=True)
async def test_whom_the_application_names_opens_nothing_without_the_custodian(
    desk: Desk, case: Case, path: str, copy_id: str
) -> None:
    desk.change(Application, case.id, recipient_ids=["stranger"])
    await lend(desk, case)
    named = await Browser.of(desk, "stranger")

    answers = [await named.get(one) for one in (path, f"/copies/{copy_id}/watch", f"/copies/{copy_id}/download")]
    answers.append(await named.post(f"/api/copies/{copy_id}/viewings", purposeConfirmed=True))
    await named.client.aclose()

    assert [answer.status_code for answer in answers] == [404] * 4
    assert desk.rows(Viewing) == []


async def test_a_wrong_password_accepts_nothing_and_the_tick_stays(
    desk: Desk, case: Case, custodian: Browser, path: str
) -> None:
    refused = shown(await custodian.send(f"{path}/accept", **acceptance(desk, case, password="wrong")), 403)

    assert "The password is wrong: nothing was signed" in refused
    assert "required checked>" in refused
    assert "wrong" not in refused.partition('name="password"')[2].partition(">")[0]
    [hand_over] = desk.rows(HandOver)
    assert hand_over.accepted_at is None


@pytest.mark.requirement("R46", refuses=True)
async def test_what_was_not_ticked_is_named_in_the_words_of_the_page(
    desk: Desk, case: Case, custodian: Browser, path: str
) -> None:
    fields = acceptance(desk, case)
    del fields["conditionsVersion"]

    assert "Tick that you have read the conditions." in shown(await custodian.send(f"{path}/accept", **fields), 422)


@pytest.mark.requirement("R46", "R59")
async def test_accepting_opens_watching_and_the_return(desk: Desk, case: Case, custodian: Browser, path: str) -> None:
    answer = await custodian.send(f"{path}/accept", **acceptance(desk, case))

    assert (answer.status_code, answer.headers["location"]) == (303, path)
    held = shown(await custodian.get(path))
    assert "the use period starts now" in held
    assert "Use until" in held
    assert f"{path}/return" in held
    assert "/watch" in held
    assert "/download" not in held


@pytest.mark.requirement("R59")
async def test_without_an_agreement_the_page_leads_to_it_and_offers_no_signature(
    desk: Desk, custodian: Browser, path: str
) -> None:
    desk.change(Agreement, "agreement-custodian", ended_at=desk.clock.now())

    offered = shown(await custodian.get(path))

    assert 'href="/account"' in offered
    assert "Accept and sign" not in offered


async def test_declining_keeps_the_reason_when_it_is_refused(
    desk: Desk, case: Case, custodian: Browser, path: str
) -> None:
    fields = {**acceptance(desk, case), "reason": f"Settled otherwise. {EVIL}"}
    del fields["conditionsVersion"]

    refused = shown(await custodian.send(f"{path}/decline", **{**fields, "password": "wrong"}), 403)
    assert "Settled otherwise. &lt;script&gt;" in refused
    assert "<details open>" in refused

    assert (await custodian.send(f"{path}/decline", **fields)).status_code == 303
    assert "The case ended without a hand-over" in shown(await custodian.get(path))


@pytest.mark.requirement("R41", refuses=True)
async def test_the_purpose_is_confirmed_before_each_watching(
    desk: Desk, case: Case, custodian: Browser, copy_id: str
) -> None:
    await lend(desk, case)
    asked = shown(await custodian.get(f"/copies/{copy_id}/watch"))
    assert "See who moved it. &lt;script&gt;" in asked
    assert desk.rows(Viewing) == []
    assert "Confirm first" in shown(await custodian.send(f"/copies/{copy_id}/watch"), 422)

    watched = shown(await custodian.send(f"/copies/{copy_id}/watch", purposeConfirmed="true"))

    [viewing] = desk.rows(Viewing)
    assert f"/api/copies/{copy_id}/playlist.m3u8?viewing={viewing.id}" in watched
    assert 'data-mark="Custodian · Works' in watched
    for forbidden in ("style=", "onclick", "javascript:", "http://", "https://"):
        assert forbidden not in watched.replace('xmlns="http://www.w3.org/2000/svg"', "")


@pytest.mark.requirement("R47")
async def test_the_log_and_the_case_say_of_which_copy_a_viewing_is(
    desk: Desk, case: Case, custodian: Browser, copy_id: str, path: str
) -> None:
    await lend(desk, case)
    assert "Item 1" not in shown(await custodian.get(f"{path}/custody-log"))

    await custodian.send(f"/copies/{copy_id}/watch", purposeConfirmed="true")

    assert "Item 1 <small>from" in shown(await custodian.get(f"{path}/custody-log"))
    custody = (await custodian.get(f"/api/cases/{case.id}")).json()["custody"]
    assert [(line["event"], line["item"]) for line in custody][-2:] == [("received", None), ("viewed", 1)]


@pytest.mark.requirement("R41", "R51", refuses=True)
async def test_what_does_not_open_says_why_instead_of_asking_for_the_purpose(
    desk: Desk, case: Case, custodian: Browser, copy_id: str
) -> None:
    assert "You have not accepted the copy yet" in shown(await custodian.get(f"/copies/{copy_id}/watch"), 403)
    await lend(desk, case)
    desk.clock.turn(timedelta(days=40))

    refused = shown(await custodian.get(f"/copies/{copy_id}/watch"), 403)

    assert "The use period has ended" in refused
    assert "Open the footage" not in refused


async def test_a_stranger_finds_none_of_the_pages(desk: Desk, case: Case, path: str, copy_id: str) -> None:
    await lend(desk, case)
    stranger = await Browser.of(desk, "stranger")

    for page in ("", "/return", "/report-loss", "/custody-log", "/custody-log.csv"):
        assert (await stranger.get(path + page)).status_code == 404, page
    for act in ("accept", "decline", "return", "report-loss"):
        fields = {**acceptance(desk, case), "reason": "x", "kind": "lost", "whatHappened": "x", "returnTo": "security"}
        assert (await stranger.send(f"{path}/{act}", **fields)).status_code in {404, 422}, act
    for page in ("watch", "download"):
        assert (await stranger.get(f"/copies/{copy_id}/{page}")).status_code == 404
        assert (await stranger.send(f"/copies/{copy_id}/{page}", purposeConfirmed="true")).status_code == 404
    assert path not in (await stranger.get("/hand-overs")).text
    await stranger.client.aclose()
    [hand_over] = desk.rows(HandOver)
    assert (hand_over.returned_at, hand_over.lost_at) == (None, None)


@pytest.mark.requirement("R57", refuses=True)
async def test_a_download_is_explained_listed_and_fetched(
    desk: Desk, case: Case, custodian: Browser, path: str, copy_id: str
) -> None:
    await lend(desk, case)
    assert "Only viewing is granted" in shown(await custodian.get(f"/copies/{copy_id}/download"), 403)
    [grant] = desk.rows(Grant)
    values = {"copy_id": copy_id, "since": grant.since, "until": grant.until}
    desk.do(lambda uow: uow.session.add(Grant(person_id="custodian", action="download", **values)))
    assert "age-keygen" in shown(await custodian.get(f"/copies/{copy_id}/download"))

    wrong = {"recipient": "age1nobody", "medium": f"stick {EVIL}"}
    refused = shown(await custodian.send(f"/copies/{copy_id}/download", **wrong), 422)
    assert 'value="age1nobody"' in refused
    assert "stick &lt;script&gt;" in refused

    listed = await custodian.send(f"/copies/{copy_id}/download", **{**wrong, "recipient": generate_identity()[1]})

    assert listed.status_code == 303
    [download] = desk.rows(Download)
    page = shown(await custodian.get(path))
    assert f"/api/downloads/{download.id}/content" in page
    assert "registered, not downloaded" in page
    assert (await custodian.get(f"/api/downloads/{download.id}/content")).status_code == 200
    assert "downloaded" in shown(await custodian.get(path))


@pytest.mark.requirement("R42", "R57")
@pytest.mark.parametrize(("opens_with", "needed"), [("browser", "open.html"), ("archiver", "7-Zip")])
async def test_the_password_of_a_download_is_shown_once_and_told_apart_from_the_file(
    desk: Desk, case: Case, custodian: Browser, path: str, copy_id: str, *, opens_with: str, needed: str
) -> None:
    await lend(desk, case, download=True)
    asked = shown(await custodian.get(f"/copies/{copy_id}/download"))
    assert re.search(r'value="browser" checked', asked)  # it needs nothing but a browser
    assert re.search(r'id="opens-archiver">[^<]*Windows and macOS cannot', asked)
    assert '<details class="own-key">' in asked

    listed = shown(await custodian.send(f"/copies/{copy_id}/download", opensWith=opens_with, medium=f"stick {EVIL}"))

    [password] = re.findall(r'<code class="secret">([2-9A-Z-]{29})</code>', listed)
    [download] = desk.rows(Download)
    assert f'href="/api/downloads/{download.id}/content"' in listed
    assert "never on the same medium" in listed
    assert needed in listed
    word = labels.word("en", f"opens-with-{opens_with}")
    loan = shown(await custodian.get(path))
    assert word in loan
    assert "shown only once" in loan
    assert password not in loan
    assert word in shown(await custodian.get(f"{path}/custody-log"))


async def test_a_key_beside_another_choice_is_asked_about_where_it_was_typed(
    desk: Desk, case: Case, custodian: Browser, copy_id: str
) -> None:
    await lend(desk, case, download=True)
    wish = {"opensWith": "archiver", "recipient": "age1nobody", "medium": "stick 1"}

    refused = shown(await custodian.send(f"/copies/{copy_id}/download", **wish), 422)

    assert 'id="refusal"' in refused
    assert '<details class="own-key" open>' in refused
    assert re.search(r'value="archiver" checked', refused)
    assert re.search(r'value="age1nobody"[^>]* aria-invalid="true"', refused)
    assert desk.rows(Download) == []


@pytest.mark.requirement("R38", refuses=True)
async def test_the_return_asks_for_each_download_and_keeps_what_was_typed(
    desk: Desk, case: Case, custodian: Browser, path: str, copy_id: str
) -> None:
    await lend(desk, case, download=True)
    for medium in ("stick 1", "stick 2"):
        wish = {"recipient": generate_identity()[1], "medium": medium}
        await custodian.send(f"/copies/{copy_id}/download", **wish)
    asked = shown(await custodian.get(f"{path}/return"))
    assert "stick 1" in asked
    assert "stick 2" in asked
    first, second = (download.id for download in desk.rows(Download))
    fields = {
        "returnTo": "storage",
        "downloads-0-downloadId": first, "downloads-0-fate": "destroyed", "downloads-0-note": f"shredded {EVIL}",
        "downloads-1-downloadId": second,
        "password": PASSWORD,
    }  # fmt: skip

    forgotten = shown(await custodian.send(f"{path}/return", **fields), 422)
    assert "For each download, choose whether it was destroyed or given back." in forgotten
    assert "shredded &lt;script&gt;" in forgotten
    fields["downloads-1-fate"] = "given-back"
    assert "Confirm that no other copy was kept" in shown(await custodian.send(f"{path}/return", **fields), 422)
    fields["noOtherCopies"] = "true"

    assert (await custodian.send(f"{path}/return", **fields)).status_code == 303
    done = shown(await custodian.get(path))
    assert "They are being inspected" in done
    assert "Receipt of the return" in done
    assert "the storage office" in done
    assert "shredded &lt;script&gt;" in done
    assert "/watch" not in done
    assert "nothing to return" in shown(await custodian.get(f"{path}/return"))


@pytest.mark.requirement("R48")
async def test_a_loss_is_explained_and_reported_with_its_story(
    desk: Desk, case: Case, custodian: Browser, path: str
) -> None:
    await lend(desk, case)
    assert "ends at once" in shown(await custodian.get(f"{path}/report-loss"))
    story = f"Left on a train. {EVIL}"

    refused = shown(await custodian.send(f"{path}/report-loss", kind="leaked", whatHappened=story), 422)
    assert "report damage or a leak as a problem" in refused
    assert "Left on a train. &lt;script&gt;" in refused

    assert (await custodian.send(f"{path}/report-loss", kind="lost", whatHappened=story)).status_code == 303
    done = shown(await custodian.get(path))
    assert "Left on a train. &lt;script&gt;" in done
    assert "You reported: lost" in done


@pytest.mark.requirement("R47")
async def test_the_custody_log_is_a_page_and_a_table_and_shows_a_change(
    desk: Desk, case: Case, custodian: Browser, path: str
) -> None:
    await lend(desk, case)
    page = shown(await custodian.get(f"{path}/custody-log"))
    assert "The log is complete" in page
    assert "Custodian" in page

    table = await custodian.get(f"{path}/custody-log.csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert [line.split(",")[2] for line in table.text.splitlines()[1:]] == ["offered", "received"]

    entry = desk.rows(CustodyEntry)[0]
    desk.change(CustodyEntry, entry.id, event="viewed")
    assert "entry 1 does not match" in shown(await custodian.get(f"{path}/custody-log"))


async def test_an_overdue_loan_is_marked_and_leads_to_the_return(
    desk: Desk, case: Case, custodian: Browser, path: str
) -> None:
    await lend(desk, case)
    desk.clock.turn(timedelta(days=40))

    assert f"{path}/return" in shown(await custodian.get("/hand-overs"))
    late = shown(await custodian.get(path))

    assert "The use period has ended and the copies can no longer be opened" in late
    assert "/watch" not in late
    assert f"{path}/return" in late


async def test_the_list_is_searched_and_goes_to_a_spreadsheet(case: Case, custodian: Browser, path: str) -> None:
    assert path in shown(await custodian.get("/hand-overs?text=who%20MOVED"))
    assert path not in shown(await custodian.get("/hand-overs?text=elephant"))

    table = await custodian.get("/hand-overs.csv")

    assert "no-store" in table.headers["cache-control"]
    assert case.id in table.text


async def test_chinese_is_what_a_person_reads_who_chose_nothing(desk: Desk, path: str) -> None:
    browser = await Browser.of(desk, "custodian")
    page = (await browser.get(path)).text
    await browser.client.aclose()

    assert "签收副本" in page
    assert "待签收" in page
