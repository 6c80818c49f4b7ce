"""Packages with matters, replies, their attachments and a viewing on site; and of recalled copies (R35, R47, R52)."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import package_tampering as tampering
import pytest
import rfc8785
from case_people import DRAFTER, People
from demo_container import Places
from evidence_case import attach
from package_tampering import Contents
from photographs import png
from whole_desk import open_desk
from whole_footage import MADE_FOR, Footage
from whole_matter import ask, decide

from services.app.evidence import sources_of
from services.database.tables.attachments import Attachment
from services.database.tables.violations import Violation
from services.demo.organisation import demo_id
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import service as application_service
from services.domain.custody import copies, returns, sittings, viewings
from services.domain.matters.violations import acts
from services.evidence import package
from services.runtime.threads import run_in_thread
from services.vault.keys.log_key import FOLDER, ensure_log_key
from services.verifier import layout
from services.verifier.examination import examine
from services.verifier.report import Report

pytestmark = pytest.mark.slow

COMPANION, VIEWER, STATION = "machao", "wangfang", "127.0.0.1"


@pytest.fixture
async def desk(tmp_path: Path, case_footage: Footage, case_books: Path) -> AsyncIterator[People]:
    places = Places(tmp_path, case_footage, database=case_books)
    stations = {"rules.viewing_stations": f"{STATION} 监控室"}
    async with open_desk(People, places, moment=MADE_FOR, **stations) as opened:
        ensure_log_key(opened.settings.keys / FOLDER)
        _ = opened.container.signer
        yield opened


async def packaged(desk: People, case: str, path: Path) -> tuple[Contents, Report]:
    number = str(desk.application(case).number)
    made = await run_in_thread(package.make, sources_of(desk.container), number, path, "hash")
    report = examine(path, [made.fingerprints["root"]])
    assert (report.failed, report.exit_code) == ([], 0)
    return tampering.read(path), report


def changes(contents: Contents, altered: tuple[str, ...]) -> Iterator[tuple[str, Contents]]:
    """Each member removed; one of these altered; one added: with the member's name."""
    for name in contents:
        yield name, {one: data for one, data in contents.items() if one != name}
    for name in contents:
        if name.startswith(altered):
            yield name, {**contents, name: contents[name][:-1] + bytes([contents[name][-1] ^ 1])}
    for name in ("attachments/99.png", "decisions/99-decision-recall.json", "documents/ZZ-2031-000001.json"):
        yield name, {name: b"{}", **contents}


def found_all(contents: Contents, altered: tuple[str, ...], target: Path) -> None:
    for name, changed in changes(contents, altered):
        tampering.write(target, changed)
        report = examine(target)
        assert report.exit_code == 1, name
        assert any(name in (line.of, *line.found.replace(",", "").split()) for line in report.failed), name


async def on_site(desk: People) -> str:
    """A case that is viewed on site, with a form that names an attachment and a copy of a card; its id."""
    changed = {"custodian_id": demo_id(COMPANION), "recipient_ids": (demo_id(VIEWER),), "way_of_use": "on-site"}
    form = desk.form("cam1", **changed)
    draft = await desk.as_person(DRAFTER, application_service.create_draft, form)
    await attach(desk, DRAFTER, draft.id, "letter", png(40, 30))
    await attach(desk, DRAFTER, draft.id, "identity-card", png(41, 30))
    await desk.as_person(DRAFTER, application_service.submit, draft.id)
    case = str(draft.id)
    loan = await desk.accept(case, COMPANION)
    present = sittings.Present((demo_id(VIEWER),))
    opening = {"present": present, "purpose_confirmed": True, "address": STATION}
    sitting = await desk.as_person(COMPANION, sittings.begin, loan.id, **opening)
    [copy] = [one.id for one in desk.look(copies.list_lent, loan.id)]
    await desk.as_person(COMPANION, viewings.open_viewing, copy, purpose_confirmed=True, address=STATION)
    leaves, proof = [sittings.Leave(demo_id(VIEWER), "sheet")], Proof(password=f"demo-{COMPANION}")
    await desk.as_person(COMPANION, sittings.end, sitting.id, leaves=leaves, note="", proof=proof)
    return case


@pytest.mark.requirement("R41", "R65")
@pytest.mark.requirement("R47", "R52", refuses=True)
async def test_a_package_has_the_attachments_of_matters_and_no_copy_of_a_card(desk: People, tmp_path: Path) -> None:
    """And the sheet of a viewing on site. Whatever is done to it is found, by whoever holds the seal key too."""
    case = await on_site(desk)
    extension = await ask(desk, case, "extension", COMPANION, dueAt=later(desk, case))
    await attach(desk, COMPANION, extension, "evidence", png(42, 30))
    await decide(desk, extension, "extension")
    await ask(desk, case, "custody-transfer", COMPANION, toPersonId=demo_id("guotao"))
    violation = await ask(desk, case, "violation", "zhaoqiang", violationKind="finding")
    await desk.until(lambda _: desk.rows(Violation)[0].served_at, "the facts to be served")
    await attach(desk, COMPANION, violation, "reply", png(43, 30))
    await desk.as_person(COMPANION, acts.reply, violation, "当时在场。")
    attestation = {"return_to": "storage", "fates": [], "no_other_copies": True}
    proof = desk.proof(case, COMPANION)
    await desk.as_person(COMPANION, returns.return_copies, desk.hand_over(case).id, **attestation, proof=proof)
    await desk.decide(case, "return-inspection")
    await desk.quiet()

    contents, report = await packaged(desk, case, tmp_path / "case.zip")

    listed = json.loads(contents[layout.ATTACHMENTS])
    kinds = {row.kind: row for row in desk.rows(Attachment)}
    assert {line["kind"] for line in listed["attachments"]} == {"letter", "evidence", "reply"}
    for line in listed["attachments"]:
        assert hashlib.sha256(contents[line["member"]]).hexdigest() == line["sha256"] == kinds[line["kind"]].sha256
    [left_out] = listed["leftOut"]
    assert (left_out["because"], left_out["sha256"]) == ("identity-card", kinds["identity-card"].sha256)
    assert "name" not in left_out
    assert not [name for name in contents if name.startswith("attachments/04")]
    [complete] = [line.found for line in report.lines if line.check == "attachments-complete"]
    assert complete.startswith("3 files, 2 of them named")  # nobody has decided on the reply yet
    assert any(
        json.loads(data).get("title") == "视频录像查阅登记表" for name, data in contents.items() if is_data(name)
    )
    assert any(name.endswith("-sitting.json") for name in contents)
    assert any(name.endswith("-custody-offer.json") for name in contents)

    target = tmp_path / "changed.zip"
    found_all(contents, ("attachments/", "custody/"), target)
    assert insider(desk, contents, target, "attachments/02.png", png(44, 30))
    shorter = {**listed, "attachments": listed["attachments"][1:]}
    assert insider(desk, contents, target, layout.ATTACHMENTS, rfc8785.dumps(shorter))
    without = {name: data for name, data in contents.items() if not name.startswith("attachments/")}
    manifest = json.loads(without[layout.MANIFEST])
    without[layout.MANIFEST] = rfc8785.dumps({**manifest, "format": layout.FORMATS[0]})
    tampering.write(target, tampering.resealed(without, desk.container.signer))
    assert {line.check for line in examine(target).failed} == {"as-made"}


def later(desk: People, case: str) -> str:
    due_at = desk.hand_over(case).due_at
    assert due_at is not None
    return (due_at + timedelta(days=3)).isoformat()


def is_data(name: str) -> bool:
    return name.startswith("documents/") and name.endswith(".json") and not name.endswith(".label.json")


def insider(desk: People, contents: Contents, target: Path, name: str, data: bytes) -> bool:
    """Whether a change is named that is signed again with the seal key."""
    tampering.write(target, tampering.resealed({**contents, name: data}, desk.container.signer))
    failed = examine(target).failed
    return any(line.of == name and line.check == "as-made" for line in failed) and len(failed) > 1


@pytest.mark.requirement("R44", "R47", "R52", refuses=True)
async def test_whatever_is_done_to_the_package_of_recalled_copies_is_found(desk: People, tmp_path: Path) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    matter_id = await ask(desk, case, "recall", by="wulei", ground="leak")
    await decide(desk, matter_id, "recall")
    await desk.decide(case, "return-inspection")
    await desk.closed(case, "footage-re-archived")
    await desk.quiet()

    contents, _ = await packaged(desk, case, tmp_path / "case.zip")

    found_all(contents, (layout.RETURN, layout.CUSTODY, layout.ATTACHMENTS, "decisions/"), tmp_path / "changed.zip")
    returned = json.loads(contents[layout.RETURN])
    returned["attestation"]["recalled"] = "SH-2031-000009"
    assert insider(desk, contents, tmp_path / "changed.zip", layout.RETURN, rfc8785.dumps(returned))
