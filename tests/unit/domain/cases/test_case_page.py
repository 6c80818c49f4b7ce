"""The case page: what it shows of a case, to whom, and what its check finds of what the vault holds."""

import asyncio
import hashlib
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from custody_browser import Browser
from custody_desk import Case, Desk
from portal_client import MODELS
from seals import seal

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.tables.integrity_checks import IntegrityCheck
from services.database.tables.masters import Master
from services.database.tables.notices import Notice
from services.database.tables.reviews import Decision
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.cases.api.timeline import verifier
from services.domain.custody import integrity
from services.domain.custody.integrity_checks import Verifier
from services.runtime.errors import Refused, Retryable
from services.runtime.jobs.failures import Backoff
from services.runtime.labels import word
from services.vault.keys.signer import TrustedSigners, trusted_signers
from services.vault.labels import label_key
from services.verifier import pyz

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture
def desk(request: pytest.FixtureRequest, tmp_path: Path, filmed: Path) -> Desk:
    """With the case where a test asks for it, else without."""
    if "case" in request.fixturenames:
        return request.getfixturevalue("case").desk  # type: ignore[no-any-return]
    return Desk(tmp_path, filmed)


@pytest.fixture
def case(tmp_path: Path, filmed: Path) -> Case:
    return Desk.at_stage("lend", tmp_path, filmed, "yard")


async def browser_of(desk: Desk, login: str, language: str = "en", **given: object) -> Browser:
    browser = await Browser.of(desk, login, models=MODELS, **given)
    browser.client.cookies.set("footage_desk_language", language)
    return browser


@pytest.fixture
async def security(desk: Desk) -> AsyncIterator[Browser]:
    browser = await browser_of(desk, "security")
    yield browser
    await browser.client.aclose()


async def verified(browser: Browser, case: Case) -> dict[str, Any]:
    """Verify over the API and wait for what is found."""
    case.desk.clock.turn(timedelta(seconds=1))  # each check has a moment of its own
    answer = await browser.post(f"/api/cases/{case.id}/integrity")
    assert answer.status_code == 202, answer.text
    await idle(browser)
    found: dict[str, Any] = (await browser.get(f"/api/cases/{case.id}/integrity")).json()
    return found


async def idle(browser: Browser) -> None:
    transport = browser.client._transport
    assert isinstance(transport, httpx.ASGITransport)
    checks = await verifier(_Asking(transport.app))
    await checks.idle()


class _Asking:  # stands for a request of which only its application is asked
    def __init__(self, app: Any) -> None:
        self.app = app


def faults(found: dict[str, Any]) -> dict[str, list[str]]:
    return {one["kind"]: one["faults"] for one in found["objects"] if one["faults"]}


@pytest.mark.requirement("R2", "R62", verb="recorded")
async def test_the_page_shows_the_whole_case(desk: Desk, case: Case, security: Browser) -> None:
    answer = await security.get(f"/cases/{case.id}")

    assert answer.status_code == 200
    page = answer.text
    assert f"<title>SQ-2031-{case.id}" in page
    for words in ("A pallet is missing.", "Steps so far", "Reviews and decisions", "Custody log", "gap", "UTC"):
        assert words in page, words
    for document in desk.rows(Document):
        assert f'href="/api/documents/{document.number}/print"' in page
    for master in desk.rows(Master):
        assert master.sealed["sha256Cipher"] in page
        assert master.sealed["key"] not in page
    assert "conditionsVersion" not in page, "what a receipt states is no question that was answered"
    assert "custody-" not in re.sub(r'href="[^"]*"|id="[^"]*"|aria-\w+="[^"]*"', "", page)


@pytest.mark.parametrize("stage", ["draft", "submitted", "correction", "retrieved", "offered", "lent", "closed"])
async def test_page_and_api_say_the_same_of_a_case(desk: Desk, stage: str) -> None:
    case = await _at(desk, stage)
    browser = await browser_of(desk, "custodian" if stage in ("offered", "lent") else "drafter")

    page = (await browser.get(f"/cases/{case.id}")).text
    view = (await browser.get(f"/api/cases/{case.id}")).json()

    [heading] = re.findall(r"<h1>.*?</h1>", page)
    codes = [code for code in (view["state"], view["stateDetail"]) if code is not None]
    assert re.findall(r'<span class="tag[^>]*>(.*?)</span>', heading) == [word("en", code) for code in codes]
    loan = view["handOver"] or {"dueAt": None, "endedAt": None}
    due = [act["dueAt"] for act in view["nextActs"]]
    due += [view["overwriteAt"], view["correctionUntil"], None if loan["endedAt"] else loan["dueAt"]]
    due += [review["dueAt"] for review in view["reviews"] if not review["closedAt"]]
    shown = {datetime.fromisoformat(moment) for moment in re.findall(r'data-until="([^"]+)"', page)}
    assert shown == {datetime.fromisoformat(moment) for moment in due if moment is not None}
    assert len(view["items"]) == page.count('<svg class="bar"') == 1
    [item] = view["items"]
    assert f"{item['position']}. {item['camera']['nameEn']}" in page
    assert (item["master"] is not None) == ("% of the time span is covered" in page) == (stage in FETCHED)
    if item["master"] is not None:
        assert item["master"]["sha256Cipher"] in page
        assert f"{100 * item['measured']['share']:.1f} %" in page
    await browser.client.aclose()


FETCHED = ("retrieved", "offered", "lent")


async def _at(desk: Desk, stage: str) -> Case:
    if stage in ("offered", "lent"):
        case = desk.case("yard")
        await (case.offer() if stage == "offered" else case.lend())
        return case
    values: dict[str, dict[str, Any]] = {
        "draft": {"submitted_at": None, "number": None},
        "correction": {"correction_until": desk.clock.now() + timedelta(days=3)},
        "closed": {"closed_at": desk.clock.now(), "closed_as": "rejected"},
    }
    case = desk.case("yard", **values.get(stage, {}))
    if stage == "retrieved":
        await case.approve().retrieve()
    return case


@pytest.mark.requirement("R47", verb="recorded")
async def test_the_page_has_the_verifier_of_packages_and_its_hash(case: Case, security: Browser) -> None:
    page = (await security.get(f"/cases/{case.id}")).text

    program = (await security.get("/api/verifier")).content

    assert f'<code class="hash">{hashlib.sha256(program).hexdigest()}</code>' in page
    assert "The copy inside a package is not proof by itself." in page
    assert program == pyz.build()


async def test_the_page_is_chinese_by_default(desk: Desk, case: Case) -> None:
    browser = await browser_of(desk, "security", "zh")

    page = (await browser.get(f"/cases/{case.id}")).text

    assert "办理步骤" in page
    assert "时间线" in page
    assert 'lang="zh-CN"' in page
    await browser.client.aclose()


@pytest.mark.requirement("R2", refuses=True)
async def test_others_find_no_case_no_steps_and_no_check(desk: Desk, case: Case) -> None:
    stranger = await browser_of(desk, "stranger")

    for path in (
        f"/cases/{case.id}",
        f"/api/cases/{case.id}/timeline",
        f"/api/cases/{case.id}/integrity",
        "/cases/none",
    ):
        assert (await stranger.get(path)).status_code == 404, path
    assert (await stranger.post(f"/api/cases/{case.id}/integrity")).status_code == 404
    assert (await stranger.send(f"/cases/{case.id}/integrity")).status_code == 404
    assert desk.rows(IntegrityCheck) == []
    await stranger.client.aclose()


async def test_whom_the_case_concerns_finds_nothing(desk: Desk, case: Case, security: Browser) -> None:
    desk.change(Application, case.id, subject_ids=["security"])

    assert (await security.get(f"/cases/{case.id}")).status_code == 404


async def test_nothing_that_was_typed_runs_on_the_page(desk: Desk, security: Browser) -> None:
    texts = ("reason", "purpose", "place_of_use", "incident_reference", "urgent_because")
    case = desk.case("yard", **{name: f"{name} {EVIL}" for name in texts})
    await case.lend()
    for decision in desk.rows(Decision):
        desk.change(Decision, decision.id, reason=EVIL, opinion=EVIL, answers={EVIL: True})

    page = (await security.get(f"/cases/{case.id}")).text

    assert "<script>alert" not in page
    assert "<img src=x" not in page
    for name in texts:
        assert f"{name} &lt;script&gt;" in page, name


async def test_the_page_allows_no_inline_script_and_no_inline_style(case: Case, security: Browser) -> None:
    answer = await security.get(f"/cases/{case.id}")

    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]*\ssrc=)", answer.text)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_custodian_is_led_to_the_hand_over_and_security_is_not(
    desk: Desk, case: Case, security: Browser
) -> None:
    custodian = await browser_of(desk, "custodian")

    mine = (await custodian.get(f"/cases/{case.id}")).text

    assert "Your tasks" in mine
    assert re.search(r'href="/hand-overs/[^"]+">View or return the copies', mine)
    assert "Your tasks" not in (await security.get(f"/cases/{case.id}")).text
    await custodian.client.aclose()


async def test_the_drafter_may_withdraw_until_the_copies_are_made(desk: Desk) -> None:
    drafter = await browser_of(desk, "drafter")
    case = desk.case("yard")
    assert f"/applications/{case.id}/withdraw" in (await drafter.get(f"/cases/{case.id}")).text

    await case.lend()

    assert f"/applications/{case.id}/withdraw" not in (await drafter.get(f"/cases/{case.id}")).text
    await drafter.client.aclose()


async def test_operate_is_linked_where_it_is_configured(desk: Desk, case: Case, security: Browser) -> None:
    from services.runtime.settings import Settings  # noqa: PLC0415

    desk.change(Application, case.id, process_instance_key=2251799813685249)
    settings = Settings.load(data_dir=desk.root, portal={"operate_url": "https://operate.example/"})
    linked = await browser_of(desk, "security", settings=settings)

    assert 'href="https://operate.example/processes/2251799813685249"' in (await linked.get(f"/cases/{case.id}")).text
    assert "Operate" not in (await security.get(f"/cases/{case.id}")).text
    await linked.client.aclose()


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_model_is_given_in_either_language(security: Browser, language: str) -> None:
    answer = await security.get(f"/api/models/review?language={language}")

    assert answer.status_code == 200
    assert ("等待审核结论" in answer.text) == (language == "zh")
    assert ('name="审核任务"' in answer.text) == (language == "zh")  # the trail above an opened phase begins with it
    assert 'id="Task_AwaitDecision"' in answer.text
    assert (await security.get("/api/models/none")).status_code == 404


@pytest.mark.requirement("R6", "R53")
async def test_a_check_of_sound_footage_is_kept_with_who_asked_for_it(
    desk: Desk, case: Case, security: Browser
) -> None:
    assert (await security.get(f"/api/cases/{case.id}/integrity")).json() is None

    found = await verified(security, case)

    assert (found["outcome"], found["askedBy"]) == ("intact", "Security")
    assert found["bytesRead"] == found["bytesTotal"] > 0
    assert {one["kind"] for one in found["objects"]} == {"master", "copy", "record"}
    page = (await security.get(f"/cases/{case.id}")).text
    assert "All objects are unchanged" in page
    [event] = [one for one in desk.rows(AuditEvent) if one.action == "integrity-checked"]
    assert event.actor_id == "security"
    assert [one for one in desk.rows(Notice) if one.code == integrity.DAMAGE_NOTICE] == []


@pytest.mark.requirement("R6", "R53")
async def test_a_flipped_bit_is_said_in_red_and_told_to_security_once(
    desk: Desk, case: Case, security: Browser
) -> None:
    [master] = desk.rows(Master)
    desk.damage(master.sealed["bucket"], master.sealed["key"])

    found = await verified(security, case)

    assert found["outcome"] == "damaged"
    assert faults(found) == {"master": ["bytes"]}
    page = (await security.get(f"/cases/{case.id}")).text
    assert "The content differs from the sealed object." in page
    assert 'class="callout refused" role="alert"' in page
    assert desk.rows(Master)[0].suspect_since == desk.clock.now()  # it is read, and made anew, before all others
    await verified(security, case)
    told = [one for one in desk.rows(Notice) if one.code == integrity.DAMAGE_NOTICE]
    assert [one.person_id for one in told] == ["security"]


async def test_a_removed_object_and_a_changed_document_are_found(desk: Desk, case: Case, security: Browser) -> None:
    [copy] = desk.rows(Copy)
    where = (copy.sealed["bucket"], copy.sealed["key"], copy.sealed["versionId"])
    desk.store.set_legal_hold(*where, False)
    document = desk.rows(Document)[0]
    desk.change(Document, document.id, content=document.content + " ")
    assert faults(await verified(security, case)) == {"copy": ["hold"], "record": ["bytes"]}

    desk.store.delete(*where)

    assert faults(await verified(security, case))["copy"] == ["missing"]


def relabel(desk: Desk, content: bytes) -> None:
    """Another label for the master, by somebody who owns the folder: the store refuses to remove a locked one."""
    [master] = desk.rows(Master)
    where, key = master.sealed["bucket"], label_key(master.sealed["key"])
    desk.remove_as_root(where, key)
    desk.store.put(where, key, io.BytesIO(content), metadata={})


@pytest.mark.requirement("R37", "R53")
async def test_a_label_under_a_strange_seal_is_damage_and_one_from_before_seals_is_none(desk: Desk, case: Case) -> None:
    ours = desk.root / "seal"
    security = await browser_of(desk, "security", trusted_signers=lambda: trusted_signers(ours))
    assert faults(await verified(security, case)) == {}
    [master] = desk.rows(Master)
    told = desk.label_of(master.sealed)

    relabel(desk, seal("a stranger").sign(told))
    assert faults(await verified(security, case)) == {"master": ["label-seal"]}
    assert "The signature on the label is broken, or is not ours." in (await security.get(f"/cases/{case.id}")).text

    since = desk.clock.now() + timedelta(days=1)  # labels were not signed yet when this one was written
    later = TrustedSigners(trusted_signers(ours).roots, since)
    old = await browser_of(desk, "security", trusted_signers=lambda: later)
    relabel(desk, json.dumps(told).encode())
    found = await verified(old, case)
    assert (found["outcome"], faults(found)) == ("intact", {})
    assert [one["remarks"] for one in found["objects"] if one["kind"] == "master"] == [["label-unsigned"]]
    assert (
        "The label is unsigned: it was created before labels were signed." in (await old.get(f"/cases/{case.id}")).text
    )

    nowhere = await browser_of(desk, "security", trusted_signers=lambda: trusted_signers(desk.root / "nowhere"))
    assert (await verified(nowhere, case))["outcome"] == "unfinished", "whose seals are ours is not known there"
    for browser in (security, old, nowhere):
        await browser.client.aclose()


async def test_one_check_of_a_case_runs_at_a_time(desk: Desk, case: Case, security: Browser) -> None:
    desk.as_person("security", integrity.start, case.id)

    answer = await security.post(f"/api/cases/{case.id}/integrity")
    part = await security.client.post(f"/cases/{case.id}/integrity", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.json()["code"]) == (409, "check-runs")
    assert "An integrity check of this case is already running" in part.text
    assert f'hx-get="/cases/{case.id}/integrity"' in part.text


async def test_a_check_that_died_makes_way_for_the_next(desk: Desk, case: Case, security: Browser) -> None:
    desk.as_person("security", integrity.start, case.id)
    desk.clock.turn(integrity.SILENCE)

    found = await verified(security, case)

    assert found["outcome"] == "intact"
    assert {one.outcome for one in desk.rows(IntegrityCheck)} == {"intact", "unfinished"}


async def test_a_store_that_is_away_leaves_the_check_unfinished_and_nobody_is_alarmed(desk: Desk, case: Case) -> None:
    class Away:
        def stat(self, *_: object) -> None:
            raise Retryable("away")

    browser = await browser_of(desk, "security", store=Away())

    found = await verified(browser, case)

    assert found["outcome"] == "unfinished"
    assert faults(found) == {}
    assert "The check was interrupted" in (await browser.get(f"/cases/{case.id}")).text
    assert [one for one in desk.rows(Notice) if one.code == integrity.DAMAGE_NOTICE] == []
    await browser.client.aclose()


async def test_the_button_works_as_a_plain_form_and_needs_its_token(desk: Desk, case: Case, security: Browser) -> None:
    answer = await security.send(f"/cases/{case.id}/integrity")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/cases/{case.id}#integrity")
    await idle(security)
    part = await security.get(f"/cases/{case.id}/integrity", **{"HX-Request": "true"})
    assert "All objects are unchanged" in part.text

    del security.client.headers["X-CSRF-Token"]
    assert (await security.send(f"/cases/{case.id}/integrity")).status_code == 403


async def test_a_case_without_footage_and_documents_has_nothing_to_check(desk: Desk) -> None:
    case = desk.case("yard")

    with pytest.raises(Refused) as refused:
        desk.as_person("security", integrity.start, case.id)
    assert refused.value.code == "nothing-to-check"


async def test_a_draft_is_shown_to_its_drafter_with_the_way_on(desk: Desk) -> None:
    case = desk.case("yard", submitted_at=None, number=None)
    drafter = await browser_of(desk, "drafter")

    page = (await drafter.get(f"/cases/{case.id}")).text

    assert "Continue with the draft" in page
    assert "The process has not started." in page
    await drafter.client.aclose()


@pytest.mark.requirement("R6", "R53")
async def test_findings_that_meet_an_absent_database_are_stored_when_it_is_back(desk: Desk, case: Case) -> None:
    desk.damage("masters", desk.rows(Master)[0].sealed["key"])
    security, store = Actor("person", "security"), integrity.finish
    tries = list[str]()

    def away_twice(uow: UnitOfWork, check_id: str, *arguments: Any, **named: Any) -> IntegrityCheck:
        tries.append(check_id)
        if len(tries) < 3:
            raise Retryable("the database did not answer", away="database")
        return store(uow, check_id, *arguments, **named)

    checks = Verifier(
        desk.database, desk.store, pauses=Backoff(timedelta(microseconds=1), longest=timedelta(seconds=1))
    )
    with patch.object(integrity, "finish", away_twice):
        await checks.begin(security, case.id)
        await checks.idle()

    [check] = desk.rows(IntegrityCheck)
    assert (tries, check.outcome) == ([check.id] * 3, integrity.DAMAGED)


async def test_a_check_that_was_given_up_as_silent_still_says_what_it_found(desk: Desk, case: Case) -> None:
    check, _ = desk.as_person("security", integrity.start, case.id)
    desk.clock.turn(integrity.SILENCE)
    desk.as_person("security", integrity.start, case.id)
    assert desk.row(IntegrityCheck, check.id).outcome == integrity.UNFINISHED

    found = {"kind": "master", "id": "1", "faults": ["bytes"]}
    for _ in range(2):
        desk.as_person("security", integrity.finish, check.id, [found])

    assert desk.row(IntegrityCheck, check.id).outcome == integrity.DAMAGED
    assert len([one for one in desk.rows(AuditEvent) if one.action == "integrity-checked"]) == 1


async def test_a_process_that_stops_waits_for_no_database(desk: Desk, case: Case) -> None:
    reading, tries = asyncio.Event(), list[str]()

    async def never(*_: object) -> None:
        reading.set()
        await asyncio.Event().wait()

    def away(_: UnitOfWork, check_id: str, *_arguments: Any, **_named: Any) -> None:
        tries.append(check_id)
        raise Retryable("the database did not answer", away="database")

    checks = Verifier(desk.database, desk.store)
    with patch.object(integrity, "finish", away), patch.object(checks, "_examined", never):
        await checks.begin(Actor("person", "security"), case.id)
        await reading.wait()
        for task in set(checks._running):
            task.cancel()
        async with asyncio.timeout(30):
            await checks.idle()
    assert len(tries) == 1
