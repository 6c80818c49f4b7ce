"""However a case went: its package is sound, and says how it went (R22, R25, R35, R46, R48)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import package_tampering as tampering
import pytest
import rfc8785
from case_people import CUSTODIAN, People
from demo_container import Places
from passkey_desk import PLACE, preparing
from soft_passkey import SoftPasskey
from whole_desk import open_desk
from whole_footage import MADE_FOR, Footage

from services.app.evidence import sources_of
from services.database.tables.applications import Application
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.domain.accounts import own_account, passkeys
from services.domain.accounts.signatures import challenges as signature_challenges
from services.domain.accounts.signatures.challenges import Prepared
from services.domain.accounts.signatures.given import Assertion, Proof
from services.domain.custody import queries as custody_queries
from services.domain.custody import viewings
from services.domain.reviews.scopes import Granting
from services.evidence import package
from services.runtime.threads import run_in_thread
from services.vault.age import generate_identity
from services.vault.keys.log_key import FOLDER, ensure_log_key
from services.verifier.examination import examine
from services.verifier.report import Report

pytestmark = pytest.mark.slow


@pytest.fixture
async def desk(tmp_path: Path, case_footage: Footage, case_books: Path) -> AsyncIterator[People]:
    async with open_desk(People, Places(tmp_path, case_footage, database=case_books), moment=MADE_FOR) as opened:
        ensure_log_key(opened.settings.keys / FOLDER)
        _ = opened.container.signer
        yield opened


async def packaged(desk: People, case: str, path: Path, how: package.How = "clear") -> Report:
    """The report on the case's package, which has to be sound."""
    number = str(desk.application(case).number)
    made = await run_in_thread(package.make, sources_of(desk.container), number, path, how)
    report = examine(path, [made.fingerprints["root"]])
    assert (report.failed, report.exit_code) == ([], 0)
    return report


def found(report: Report, check: str) -> str:
    return next(line.found for line in report.lines if line.check == check)


@pytest.mark.requirement("R22", "R31")
async def test_of_a_case_that_was_corrected_twice_and_filed_twice(desk: People, tmp_path: Path) -> None:
    case = await desk.apply("cam1", "dark")
    await desk.decide(case, "preliminary", "returned", reason="请说明为何需要第二项")
    await desk.correct(case, "cam1")
    await desk.reach(case, "storage-release")
    await desk.decide(case, "storage-release", "returned", reason="画面不是所申请的位置，应为南门摄像头")
    await desk.correct(case, "gate")
    await desk.accept(case)

    report = await packaged(desk, case, tmp_path / "case.zip")

    forms = [line.of for line in report.lines if line.check == "document" and "application-form" in line.found]
    assert len(forms) == 2
    assert found(report, "approvals") == "4 of 4"


@pytest.mark.requirement("R35", "R48", "R57")
async def test_of_a_case_that_lacked_footage_and_lost_a_copy(desk: People, tmp_path: Path) -> None:
    case = await desk.apply("cam1", "yard", "dark", way_of_use="download")
    await desk.decide(case, "preliminary")
    await desk.decide(case, "security", granting=Granting(way_of_use="download"))
    await desk.accept(case)
    first = desk.rows(Copy)[0]
    await desk.as_person(CUSTODIAN, viewings.open_viewing, first.id, purpose_confirmed=True, address="127.0.0.1")
    recipient = generate_identity()[1]
    await desk.as_person(
        CUSTODIAN, viewings.list_download, first.id, recipient=recipient, medium="办公电脑", address="127.0.0.1"
    )
    await desk.as_person(CUSTODIAN, custody_queries.get_log, desk.hand_over(case).id)
    await desk.report_loss(case)
    await closed(desk, case)

    report = await packaged(desk, case, tmp_path / "case.zip")

    assert found(report, "footage-complete") == "2 masters, 2 copies"
    assert found(report, "loan-keys") == "2 of 2"
    assert found(report, "return") == "there was no return"


@pytest.mark.requirement("R40")
async def test_of_a_case_whose_footage_the_archive_had_and_no_word_of_the_other_case(
    desk: People, tmp_path: Path
) -> None:
    first = await desk.apply("cam1")
    await desk.accept(first)
    await desk.returned(first)
    await desk.turn(days=60)
    for path in desk.recordings_of("cam1"):
        path.unlink()
    case = await desk.apply("cam1")
    await desk.accept(case)
    await desk.returned(case)

    report = await packaged(desk, case, tmp_path / "case.zip")

    assert found(report, "footage-complete") == "1 masters, 1 copies"
    [record] = desk.rows(Document, application_id=case, kind="retrieval-record")
    assert json.loads(record.content)["source"]["origin"] == "archive"
    [earlier] = desk.rows(Document, application_id=first, kind="retrieval-record")
    with ZipFile(tmp_path / "case.zip") as made:
        members = {name: made.read(name) for name in made.namelist()}
    for secret in (first, str(desk.application(first).number), earlier.number):
        assert [name for name, content in members.items() if secret.encode() in content] == []


@pytest.mark.requirement("R46")
async def test_of_a_case_whose_copies_nobody_took(desk: People, tmp_path: Path) -> None:
    case = await desk.apply("cam1")
    await desk.decline(case)
    await closed(desk, case)

    report = await packaged(desk, case, tmp_path / "case.zip", "hash")

    assert found(report, "footage-complete") == "1 masters, 0 copies"
    assert found(report, "loan-keys") == "1 of 1"


@pytest.mark.requirement("R25", refuses=True)
async def test_a_passkeys_signature_is_checked_by_whoever_has_the_package(desk: People, tmp_path: Path) -> None:
    case = await desk.apply("cam1")
    await decided_by_passkey(desk, case, "preliminary")
    await desk.accept(case)

    report = await packaged(desk, case, tmp_path / "case.zip")

    [line] = [line for line in report.lines if line.check == "decision" and "preliminary" in line.of]
    assert line.found.endswith("by passkey")
    contents = tampering.read(tmp_path / "case.zip")
    for change in ("signature", "authenticatorData", "clientDataJSON"):
        told = json.loads(contents[line.of])
        text = told["signature"]["passkey"][change]
        told["signature"]["passkey"][change] = ("A" if text[0] != "A" else "B") + text[1:]
        changed = {**contents, line.of: rfc8785.dumps(told)}
        tampering.write(tmp_path / "changed.zip", tampering.resealed(changed, desk.container.signer))
        first = examine(tmp_path / "changed.zip").failed[0]
        assert (first.check, first.of) == ("decision", line.of)


async def closed(desk: People, case: str) -> None:
    await desk.until(lambda uow: uow.session.get_one(Application, case).closed_at is not None, "the case's end")
    await desk.quiet()


async def decided_by_passkey(desk: People, case: str, stage: str) -> None:
    """Somebody who may decides the stage with a passkey that they have just added."""
    review = await desk.review(case, stage)
    login = desk.candidates(review)[0]
    passkey, person = SoftPasskey(), demo_id(login)
    begun = await desk.as_person(login, own_account.begin_passkey, PLACE, f"demo-{login}", None)
    await desk.as_person(
        login, passkeys.finish_enrolment, person, begun.id, passkey.attestation(begun.options["challenge"]), "钥"
    )
    form_sha256 = desk.proof(case, login).form_sha256
    with pytest.raises(Prepared) as caught:
        await desk.decide(case, stage, by=login, proof=preparing(form_sha256))

    def keep(uow: UnitOfWork) -> Any:
        own = [one.credential_id for one in passkeys.list_passkeys(uow, person, PLACE)]
        return signature_challenges.store(uow, caught.value, PLACE, own)

    shown = await desk.as_person(login, keep)
    answer = Assertion(shown.pending, passkey.assertion(shown.options["challenge"]))
    await desk.decide(case, stage, by=login, proof=Proof(form_sha256, passkey=answer))
