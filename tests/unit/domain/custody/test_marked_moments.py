"""Thumbnails, bookmarks and stills: footage like the rest, under the same rights, logged, and never without a mark."""

import hashlib
import io
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import pytest
import redacted_footage
from custody_browser import Browser
from custody_desk import Case, Desk
from lent_case import SEALED
from loan_matter import LoanDesk, lent
from on_site_case import COMPANION, ELSEWHERE, STATION, OnSiteDesk, lent_on_site
from prepared_desk import prepared_desk
from redacted_case import HOUR, PART, RECIPE, made
from statements import TRANSACTION, statements

from services.database.tables.applications import Application, Revision
from services.database.tables.attachments import Attachment, AttachmentUpload
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy, Viewing
from services.database.tables.custody import CustodyEntry
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.attachments import queries as attachment_queries
from services.domain.attachments import retention
from services.domain.cases.document_layouts import render_pdf
from services.domain.custody import (
    derivative_viewings,
    locks,
    log,
    moments,
    recipient_access,
    stills,
    suspensions,
    thumbnails,
    viewings,
)
from services.evidence import attachment_members
from services.runtime.errors import NotFound, Refused
from services.vault.envelopes import open_envelope
from services.vault.keys.secret_box import KeyFileBox
from services.vault.labels import label_key
from services.vault.sealing import open_sealed
from services.vault.store.protocol import Location
from services.workers.attachment_sweep import sweep

FROZEN = "copy-frozen"
MOST = 25  # statements of a page


class Watching:
    """The custodian with both cameras open; ``yard`` has a gap from second 6 to 14 of its copy."""

    def __init__(self, desk: Desk, case: Case, browser: Browser) -> None:
        self.desk, self.case, self.browser = desk, case, browser
        self.gate, self.yard = (
            next(copy.id for copy in desk.rows(Copy) if copy.item_id == case.item(position)) for position in (1, 2)
        )

    async def view(self, copy_id: str, browser: Browser | None = None) -> str:
        answer = await (browser or self.browser).post(f"/api/copies/{copy_id}/viewings", purposeConfirmed=True)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def events(self, action: str) -> list[dict[str, Any]]:
        return [json.loads(row.entry)["detail"] for row in self.desk.rows(AuditEvent) if row.action == action]

    def entries(self, event: str) -> list[CustodyEntry]:
        return [row for row in self.desk.rows(CustodyEntry) if row.event == event]


@pytest.fixture
async def watching(tmp_path: Path, filmed: Path) -> AsyncIterator[Watching]:
    case = Desk.at_stage("lend", tmp_path, filmed, "gate", "yard")
    desk = case.desk
    desk.database.secrets = KeyFileBox(desk.root / "secret.key")
    desk.database.secrets.ensure()
    recipients = desk.vault_keys.recipients
    browser = await Browser.of(desk, "custodian", vault_recipients=lambda: recipients)
    yield Watching(desk, case, browser)
    await browser.client.aclose()


def picture(content: bytes) -> Any:
    with av.open(io.BytesIO(content)) as container:
        return next(container.decode(video=0))


@pytest.mark.requirement("R41", "R52", verb="recorded")
@pytest.mark.requirement("R55", "R57", refuses=True)
async def test_thumbnails_are_made_for_an_open_viewing_alone_and_are_reads_of_it(watching: Watching) -> None:
    browser, yard = watching.browser, watching.yard
    viewing = await watching.view(yard)
    place = f"/api/copies/{yard}/thumbnails?viewing={viewing}&cells=12"

    answer = await browser.get(place)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg"), answer.text
    assert answer.headers["cache-control"] == "no-store, private"
    row = picture(answer.content)
    assert (row.width, row.height) == (1920, 90)
    read = watching.desk.row(Viewing, viewing)
    assert (read.strips, read.reads) == (1, 7)  # of twelve places five lie in the gap
    assert watching.events("thumbnails-shown")[0]["pictures"] == 7
    assert watching.events("footage-read")

    stranger = await Browser.of(watching.desk, "stranger")
    assert (await stranger.get(place)).status_code == 404
    assert (await browser.get(place.replace(viewing, "another"))).status_code == 404
    assert (await browser.get(place.replace("cells=12", "cells=500"))).status_code == 422
    watching.desk.change(Viewing, viewing, strips=thumbnails.MOST)
    assert (await browser.get(place)).json()["code"] == "thumbnails-over"
    # what was read is written at each read: somebody who reads a byte here and there would make it grow for ever
    scattered = [[10**12 + 2 * place, 10**12 + 2 * place + 1] for place in range(viewings.MOST_RANGES)]
    watching.desk.change(Viewing, viewing, strips=0, ranges=scattered)
    assert (await browser.get(place)).json()["code"] == "viewing-scattered"
    assert watching.desk.row(Viewing, viewing).ranges == scattered
    watching.desk.freeze()
    refused = await browser.get(place)
    assert (refused.status_code, refused.json()["code"]) == (403, FROZEN)
    assert watching.events("access-denied")[-1]["code"] == FROZEN
    assert watching.desk.row(Viewing, viewing).reads == 7
    await stranger.client.aclose()


@pytest.mark.requirement("R47", refuses=True)
async def test_a_bookmark_is_an_entry_of_the_custody_log_by_who_may_watch(watching: Watching) -> None:
    browser, desk, yard = watching.browser, watching.desk, watching.yard
    viewing = await watching.view(yard)
    place = f"/api/copies/{yard}/bookmarks"

    added = await browser.post(place, viewing=viewing, atMs=14_500, text=" A pallet is moved. ")

    assert added.status_code == 201, added.text
    [moment] = added.json()
    assert (moment["kind"], moment["atMs"], moment["text"]) == ("bookmark", 14_500, "A pallet is moved.")
    assert moment["at"] == "2031-03-04T09:00:16.500000Z"
    [entry] = watching.entries(moments.BOOKMARKED)
    assert (entry.person_id, entry.copy_id) == ("custodian", yard)
    assert desk.do(lambda uow: log.broken_at(log.list_entries(uow, entry.hand_over_id))) is None
    assert entry.detail["at"] == "2031-03-04T09:00:16.500+00:00"

    gap = await browser.post(place, viewing=viewing, atMs=9_000, text="nothing")
    assert gap.json()["code"] == "moment-without-footage"
    assert (await browser.post(place, viewing=viewing, atMs=0, text="  ")).json()["code"] == "moment-words"
    # nobody's viewing but one's own, and of this copy
    other = await watching.view(watching.gate)
    assert (await browser.post(place, viewing=other, atMs=0, text="x")).status_code == 404
    # a named viewer marks and reads as well, once the custodian lets them
    [form] = desk.rows(Revision)
    desk.change(Revision, form.id, form={**form.form, "recipients": [{"id": "security"}]})
    desk.change(Application, watching.case.id, recipient_ids=["security"])
    viewer = await Browser.of(desk, "security")
    assert (await viewer.post(place, viewing=viewing, atMs=0, text="x")).status_code == 404
    desk.as_person("custodian", recipient_access.allow, entry.hand_over_id, "security")
    theirs = await watching.view(yard, viewer)
    both = await viewer.post(place, viewing=theirs, atMs=1_000, text="Theirs.")
    assert [one["by"] for one in both.json()] == ["Security", "Custodian"]
    listed = await browser.get(f"/api/copies/{yard}/moments?viewing={viewing}")
    assert listed.json() == both.json()

    desk.freeze()
    for person, opened in ((browser, viewing), (viewer, theirs)):
        assert (await person.post(place, viewing=opened, atMs=0, text="x")).status_code == 403
        assert (await person.get(f"/api/copies/{yard}/moments?viewing={opened}")).status_code == 403
    assert len(watching.entries(moments.BOOKMARKED)) == 2
    await viewer.client.aclose()


@pytest.mark.requirement("R28", "R37")
@pytest.mark.requirement("R41", "R57", refuses=True)
async def test_a_still_is_a_sealed_document_whose_picture_opens_like_the_footage(watching: Watching) -> None:
    browser, desk, gate = watching.browser, watching.desk, watching.gate
    viewing = await watching.view(gate)

    saved = await browser.post(f"/api/copies/{gate}/stills", viewing=viewing, atMs=1_249, text="The door opens.")

    assert saved.status_code == 201, saved.text
    [moment] = saved.json()
    [document] = [one for one in desk.rows(Document) if one.kind == stills.KIND]
    content = json.loads(document.content)
    copy = desk.row(Copy, gate)
    assert moment["number"] == document.number
    assert document.number.startswith("JT-2031-")
    # ten pictures a second: shown at 1.249 s is the one that began at 1.2 s
    assert (moment["atMs"], content["moment"]) == (1_200, "2031-03-04T09:00:03.200+00:00")
    assert content["copy"]["sha256"] == copy.sealed["sha256Plain"]
    assert content["master"]["sha256"] == desk.row(Master, copy.master_id).sealed["sha256Plain"]
    assert content["frame"]["sha256"] == decoded(desk, copy.sealed, gate)[12]
    [entry] = watching.entries(moments.STILL_SAVED)
    assert entry.detail["sha256"] == content["picture"]["sha256"]
    assert "The door opens." in document.content
    assert render_pdf(document.kind, document.number, document.content, document.sha256, document.made_at)

    # the picture is no clear file in the store, and no attachment that people of the case open
    [row] = desk.rows(Attachment)
    stored = b"".join(desk.store.get(row.sealed["bucket"], row.sealed["key"]))
    assert hashlib.sha256(stored).hexdigest() == content["picture"]["sha256Cipher"]
    assert b"\xff\xd8\xff" not in stored[:4096]
    generic = await browser.get(f"/api/attachments/{row.id}/content")
    assert generic.status_code == 404
    shown = await browser.get(f"{moment['picture']}?viewing={viewing}")
    assert shown.status_code == 200, shown.text
    assert hashlib.sha256(shown.content).hexdigest() != content["picture"]["sha256"]  # marked with who sees it, too
    assert watching.events("still-read")[0]["viewing"] == viewing

    # sealed and signed as the other documents of the case, and in its evidence package
    await desk.keep_locks()
    label = open_envelope(b"".join(desk.store.get("documents", label_key(document.number))))
    assert label.statement["predicate"]["kind"] == stills.KIND
    assert desk.do(lambda uow: attachment_queries.list_kept(uow, watching.case.id))[0].retain_until is not None
    [member] = desk.do(partial(attachment_members.list_of_case, in_clear=True), watching.case.id)
    assert (member.line["of"], member.line["kind"]) == (document.number, stills.KIND)
    [kept] = [data for name, data in attachment_members.read(desk.store, [member]).items() if name == member.member]
    assert hashlib.sha256(kept).hexdigest() == content["picture"]["sha256"]
    # but not in one that one person gets alone, because its footage is sealed or not in it
    [left_out] = desk.do(partial(attachment_members.list_of_case, in_clear=False), watching.case.id)
    assert (left_out.member, left_out.opened, left_out.line["because"]) == (None, None, "footage")
    desk.change(Master, copy.master_id, discarded_at=desk.clock.now())  # nor once the footage was disposed of
    [gone] = desk.do(partial(attachment_members.list_of_case, in_clear=True), watching.case.id)
    assert (gone.member, gone.line["because"]) == (None, "footage")

    # another copy's viewing does not open it, nor anybody else's, nor a viewing of footage that is closed
    other = await watching.view(watching.yard)
    path = f"/api/copies/{watching.yard}/stills/{row.id}/picture?viewing={other}"
    assert (await browser.get(path)).status_code == 404
    stranger = await Browser.of(desk, "stranger")
    assert (await stranger.get(f"{moment['picture']}?viewing={viewing}")).status_code == 404
    desk.freeze()
    assert (await browser.get(f"{moment['picture']}?viewing={viewing}")).json()["code"] == FROZEN
    again = await browser.post(f"/api/copies/{gate}/stills", viewing=viewing, atMs=0, text="")
    assert again.json()["code"] == FROZEN
    assert len(desk.rows(Attachment)) == len(desk.rows(AttachmentUpload)) == 1
    await stranger.client.aclose()


@pytest.mark.requirement("R52")
async def test_the_picture_of_a_still_goes_with_its_footage_unless_the_case_is_held(watching: Watching) -> None:
    browser, desk = watching.browser, watching.desk
    for copy_id in (watching.gate, watching.yard):
        viewing = await watching.view(copy_id)
        assert (
            await browser.post(f"/api/copies/{copy_id}/stills", viewing=viewing, atMs=0, text="")
        ).status_code == 201
    of_item = {desk.row(Document, row.matter_id).item_id: row for row in desk.rows(Attachment)}
    gate, yard = (of_item[desk.row(Copy, copy_id).item_id] for copy_id in (watching.gate, watching.yard))

    def hold(uow: UnitOfWork) -> None:
        placed = {"placed_by": "custodian", "placed_at": uow.now, "owner_id": "custodian", "review_at": uow.now}
        uow.session.add(Hold(application_id=watching.case.id, cause="manual", reason="诉讼。", **placed))

    desk.do(hold)
    desk.do(locks.record_disposal, [desk.row(Copy, watching.gate).master_id])
    assert await sweep(desk.database, desk.store, all_open=False) == 0
    listed_before_the_hold = [retention.Purge(gate.id, gate.sealed["key"])]
    with patch.object(retention, "list_to_purge", return_value=listed_before_the_hold):
        assert await sweep(desk.database, desk.store, all_open=False) == 0
    assert desk.row(Attachment, gate.id).secret is not None
    assert desk.store.stat(gate.sealed["bucket"], gate.sealed["key"]) is not None

    desk.change(Hold, desk.rows(Hold)[0].id, lifted_at=desk.clock.now())
    assert await sweep(desk.database, desk.store, all_open=False) == 1
    assert desk.row(Attachment, gate.id).secret is None
    assert desk.store.stat(gate.sealed["bucket"], gate.sealed["key"]) is None
    [event] = [row for row in desk.rows(AuditEvent) if row.action == "picture-purged"]
    assert event.application_id == watching.case.id
    assert len([row for row in desk.rows(Document) if row.kind == stills.KIND]) == 2
    assert desk.store.stat(yard.sealed["bucket"], yard.sealed["key"]) is not None
    assert desk.row(Attachment, yard.id).secret is not None


def decoded(desk: Desk, sealed: dict[str, Any], key_id: str) -> list[str]:
    """The SHA-256 of each picture of a copy, or a redacted one, of its samples alone."""
    location = Location(sealed["bucket"], sealed["key"], sealed["versionId"], sealed["size"])
    content = open_sealed(desk.store, location, desk.loan_keys.unwrapper(key_id)).read(sealed["plainSize"])
    found = []
    with av.open(io.BytesIO(content)) as container:
        for frame in container.decode(video=0):
            digest = hashlib.sha256()
            for plane in frame.planes:
                lines = bytes(plane)
                for line in range(plane.height):
                    digest.update(lines[line * plane.line_size :][: plane.width])
            found.append(digest.hexdigest())
    return found


async def test_a_still_that_a_freeze_overtakes_is_not_kept(watching: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    viewing = await watching.view(watching.gate)
    watermark = moments.watermark

    def freezing(uow: UnitOfWork, number: str) -> str:
        hand_over = uow.session.get_one(Copy, watching.gate).hand_over_id
        suspensions.open_once(uow, log.lock(uow, str(hand_over), watching.case.id), suspensions.PROBLEM)
        return watermark(uow, number)

    monkeypatch.setattr(moments, "watermark", freezing)
    late = await watching.browser.post(f"/api/copies/{watching.gate}/stills", viewing=viewing, atMs=0, text="")

    assert late.json()["code"] == FROZEN
    assert watching.desk.rows(Attachment) == []
    [upload] = watching.desk.rows(AttachmentUpload)
    assert upload.unwanted_at is not None


@pytest.mark.requirement("R41", "R55", refuses=True)
async def test_two_cameras_open_together_or_not_at_all(watching: Watching) -> None:
    browser, desk = watching.browser, watching.desk
    path = f"/copies/{watching.gate}/beside/{watching.yard}"
    assert watching.yard in (await browser.get(f"/hand-overs/{desk.row(Copy, watching.gate).hand_over_id}")).text

    token = {"csrf_token": browser.client.headers["X-CSRF-Token"]}
    unconfirmed = await browser.send(path, **token)
    assert unconfirmed.status_code == 422
    assert desk.rows(Viewing) == []
    opened = await browser.send(path, **token, purposeConfirmed="true")
    assert opened.status_code == 200, opened.text
    assert {row.copy_id for row in desk.rows(Viewing)} == {watching.gate, watching.yard}
    assert opened.text.count("data-playlist=") == 2

    assert (await browser.get(f"/copies/{watching.gate}/beside/{watching.gate}")).status_code == 404
    assert (await browser.get(f"/copies/{watching.gate}/beside/nothing")).status_code == 404
    stranger = await Browser.of(desk, "stranger")
    assert (await stranger.get(path)).status_code == 404
    desk.freeze()
    assert (await browser.send(path, **token, purposeConfirmed="true")).status_code == 403
    with statements(desk.database.engine) as sent:
        refused = await browser.get(path)
    assert refused.status_code == 403
    assert sum(not one.startswith(TRANSACTION) for one in sent) <= MOST
    assert (await browser.get(f"/copies/{watching.gate}/beside/nothing")).status_code == 404
    assert len(desk.rows(Viewing)) == 2
    await stranger.client.aclose()


@pytest.fixture
def on_site(tmp_path: Path) -> Iterator[OnSiteDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent_on_site)
    loan = OnSiteDesk(desk, ids)

    def with_parts(uow: UnitOfWork) -> None:
        copy = uow.session.get_one(Copy, ids["copy_id"])
        coverage = {**copy.sealed["coverage"], "parts": [{**PART, "length": 5000}]}
        copy.sealed = {**copy.sealed, "coverage": coverage}

    desk.run(with_parts)
    yield loan
    desk.close()


@pytest.mark.requirement("R41", refuses=True)
def test_what_is_viewed_on_site_shows_and_marks_nothing_elsewhere(on_site: OnSiteDesk) -> None:
    on_site.begin()
    earlier, viewing, copy_id = on_site.view(), on_site.view(), on_site.ids["copy_id"]
    run = on_site.desk.run

    def codes(viewing_id: str, address: str) -> set[str]:
        found = set()
        for act, arguments in (
            (thumbnails.record, ("copy", copy_id, viewing_id, 6)),
            (moments.get_list, ("copy", copy_id, viewing_id)),
        ):
            with pytest.raises(Refused) as caught:
                run(act, *arguments, address=address, by=COMPANION)
            found.add(caught.value.code)
        for act, named in ((moments.add_bookmark, {"text": "x"}), (stills.prepare, {"text": ""})):
            with pytest.raises(Refused) as caught:
                run(act, "copy", copy_id, viewing_id, at_ms=0, address=address, by=COMPANION, **named)
            found.add(caught.value.code)
        return found

    assert codes(viewing, ELSEWHERE) == {"not-a-station"}
    assert codes(earlier, STATION) == {"viewing-superseded"}
    row = run(thumbnails.record, "copy", copy_id, viewing, 6, address=STATION, by=COMPANION)
    assert any(row.pieces)
    on_site.desk.clock.turn(on_site.desk.rules.companion_interval)
    assert codes(viewing, STATION) == {"sitting-lapsed"}


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.mark.requirement("R58", refuses=True)
def test_thumbnails_of_a_redacted_copy_count_as_nothing_watched(loan: LoanDesk) -> None:
    loan.ask("redaction", "keeper", copyId=loan.ids["copy_id"], recipe=RECIPE)
    row = made(loan)
    opened = loan.desk.run(
        derivative_viewings.open_viewing, row.id, purpose_confirmed=True, address="x", by="keeper"
    ).viewing_id

    strip = loan.desk.run(thumbnails.record, "derivative", row.id, opened, 12, address="x", by="keeper")
    loan.desk.run(derivative_viewings.record_played, row.id, opened, 0, 3000, by="keeper")

    assert strip.key_id == row.attempt_id
    left = loan.desk.run(lambda uow: derivative_viewings.unwatched(uow, row, "keeper"))
    assert left[0][0] == 0
    assert left[-1][1] == HOUR - derivative_viewings.EDGE_MS
    for stranger in ("office-head", "drafter"):
        with pytest.raises(NotFound):
            loan.desk.run(thumbnails.record, "derivative", row.id, opened, 12, address="x", by=stranger)


@pytest.mark.requirement("R28", "R37", "R47")
@pytest.mark.requirement("R6", "R41", "R57", refuses=True)
async def test_marks_of_a_redacted_copy_are_of_it_alone_and_its_stills_say_so(watching: Watching) -> None:
    browser, desk, gate = watching.browser, watching.desk, watching.gate
    row = redacted_footage.make(desk, gate)
    [matter] = desk.rows(Matter)
    api = f"/api/derivatives/{row.id}"
    viewing = (await browser.post(f"{api}/viewings", purposeConfirmed=True)).json()["id"]
    of_copy = await watching.view(gate)

    marked = await browser.post(f"{api}/bookmarks", viewing=viewing, atMs=500, text=" A lorry. ")
    saved = await browser.post(f"{api}/stills", viewing=viewing, atMs=1_249, text="The door opens.")

    assert (marked.status_code, saved.status_code) == (201, 201), (marked.text, saved.text)
    told = [(one["kind"], one["item"], one["redaction"], one["atMs"]) for one in saved.json()]
    assert told == [("bookmark", 1, matter.number, 500), ("still", 1, matter.number, 1_200)]
    [entry] = watching.entries(moments.BOOKMARKED)
    assert (entry.copy_id, entry.detail["redaction"], entry.detail["derivative"]) == (gate, matter.number, row.id)
    # the picture is one of the redacted copy, and of no original
    [document] = [one for one in desk.rows(Document) if one.kind == stills.KINDS["derivative"]]
    content, copy = json.loads(document.content), desk.row(Copy, gate)
    assert content["frame"]["sha256"] == decoded(desk, row.sealed, row.attempt_id)[12]
    assert content["frame"]["sha256"] not in decoded(desk, copy.sealed, gate)
    assert content["derivative"]["statement"] == stills.DERIVED
    named = {name: content["derivative"][name] for name in ("id", "redaction", "sha256", "labelSha256", "recipeSha256")}
    assert named == {
        **{"id": row.id, "redaction": matter.number, "sha256": row.sealed["sha256Plain"]},
        **{"labelSha256": row.label_sha256, "recipeSha256": row.recipe_sha256},
    }
    assert (content["title"], document.item_id) == ("脱敏副本截图单", copy.item_id)
    assert render_pdf(document.kind, document.number, document.content, document.sha256, document.made_at)
    await desk.keep_locks()
    label = open_envelope(b"".join(desk.store.get("documents", label_key(document.number))))
    assert label.statement["predicate"]["kind"] == "redacted-still"
    [member] = desk.do(partial(attachment_members.list_of_case, in_clear=True), watching.case.id)
    assert (member.line["of"], member.line["kind"]) == (document.number, stills.KIND)
    [left_out] = desk.do(partial(attachment_members.list_of_case, in_clear=False), watching.case.id)
    assert left_out.line["because"] == "footage"

    # what was read for a still is no fragment watched
    desk.clock.turn(timedelta(seconds=30))
    played = await browser.post(f"{api}/viewings/{viewing}/played", startMs=0, lengthMs=1_500)
    assert played.json()["watchedShare"] == 0.0
    # neither has the marks of the other, nor opens its pictures, nor takes a viewing of the other
    assert (await browser.get(f"/api/copies/{gate}/moments?viewing={of_copy}")).json() == []
    still = saved.json()[1]["picture"]
    assert (await browser.get(f"{still}?viewing={viewing}")).status_code == 200
    [attached] = desk.rows(Attachment)
    assert (await browser.get(f"/api/copies/{gate}/stills/{attached.id}/picture?viewing={of_copy}")).status_code == 404
    assert (await browser.get(f"{still}?viewing={of_copy}")).status_code == 404
    own = await browser.post(f"/api/copies/{gate}/stills", viewing=of_copy, atMs=0, text="")
    shown = own.json()[0]["picture"].replace(f"/api/copies/{gate}", api)
    assert (await browser.get(f"{shown}?viewing={viewing}")).status_code == 404
    assert (await browser.post(f"{api}/bookmarks", viewing=of_copy, atMs=0, text="x")).status_code == 404
    assert (await browser.post(f"/api/copies/{gate}/bookmarks", viewing=viewing, atMs=0, text="x")).status_code == 404
    assert (await browser.post(f"{api}/stills", viewing=viewing, atMs=99_000)).json()[
        "code"
    ] == "moment-without-footage"
    recipients = desk.vault_keys.recipients
    stranger = await Browser.of(desk, "stranger", vault_recipients=lambda: recipients)
    for path in (f"{api}/moments?viewing={viewing}", f"{still}?viewing={viewing}"):
        assert (await stranger.get(path)).status_code == 404
    for path in (f"{api}/bookmarks", f"{api}/stills"):
        assert (await stranger.post(path, viewing=viewing, atMs=0, text="x")).status_code == 404

    desk.freeze()
    for path in (f"{api}/bookmarks", f"{api}/stills"):
        assert (await browser.post(path, viewing=viewing, atMs=0, text="x")).json()["code"] == FROZEN
    for path in (f"{api}/moments?viewing={viewing}", f"{still}?viewing={viewing}"):
        assert (await browser.get(path)).json()["code"] == FROZEN
    assert watching.events("access-denied")[-1]["code"] == FROZEN
    assert len(watching.entries(moments.BOOKMARKED)) == 1
    await stranger.client.aclose()


@pytest.mark.requirement("R47", "R58", refuses=True)
def test_who_checks_a_redacted_copy_marks_it_while_its_loan_is_open_alone(loan: LoanDesk) -> None:
    matter_id = loan.ask("redaction", "keeper", copyId=loan.ids["copy_id"], recipe=RECIPE)
    row = made(loan)
    loan.check(matter_id)
    loan.open(matter_id, "redaction-check")
    run = loan.desk.run
    opened = run(
        derivative_viewings.open_viewing, row.id, purpose_confirmed=True, address="x", by="reviewer2"
    ).viewing_id
    theirs = {"by": "reviewer2", "address": "x"}

    def refused() -> set[str]:
        found = set()
        for act in (moments.add_bookmark, stills.prepare):
            with pytest.raises(Refused) as caught:
                run(act, "derivative", row.id, opened, at_ms=0, text="x", **theirs)
            found.add(caught.value.code)
        return found

    run(moments.add_bookmark, "derivative", row.id, opened, at_ms=0, text="A face.", **theirs)
    assert run(stills.prepare, "derivative", row.id, opened, at_ms=0, text="", **theirs).key_id == row.attempt_id
    # the custodian reads it in a viewing of the own; the copy itself has none of it
    own = run(derivative_viewings.open_viewing, row.id, purpose_confirmed=True, address="x", by="keeper").viewing_id
    [seen] = run(moments.get_list, "derivative", row.id, own, address="x", by="keeper")
    assert seen.text == "A face."
    with pytest.raises(NotFound):
        run(moments.get_list, "derivative", row.id, opened, address="x", by="keeper")
    with pytest.raises(NotFound):  # who watches the redacted copy does not watch the copy
        run(moments.add_bookmark, "copy", row.copy_id, opened, at_ms=0, text="x", **theirs)

    report = loan.report()
    assert refused() == {"marks-closed"}  # frozen: it is watched for the check, and nothing is written in the log
    assert len(run(moments.get_list, "derivative", row.id, opened, **theirs)) == 1
    loan.respond(report, "unfounded")
    loan.desk.clock.turn(timedelta(days=40))
    assert refused() == {"marks-closed"}


def test_a_row_of_an_hour_reads_a_few_megabytes() -> None:
    length = 4 << 20  # two seconds of 1080p, generously
    coverage = {**SEALED["coverage"], "parts": [{**PART, "length": 1800 * length + 100}]}  # type: ignore[dict-item]
    sealed = {"coverage": coverage, "fragments": [[at * 2000, 100 + at * length, length] for at in range(1800)]}

    pieces = thumbnails.plan(sealed, 12)

    assert all(pieces)
    assert sum(piece.length + piece.init for piece in pieces if piece is not None) < 13 << 20
    assert len({piece.offset for piece in pieces if piece is not None}) == 12
