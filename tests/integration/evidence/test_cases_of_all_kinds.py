"""However a case went: its package is sound, and says how it went (R22, R25, R35, R46, R48)."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import package_tampering as tampering
import pytest
import rfc8785
from case_people import CUSTODIAN, People
from demo_container import Places
from evidence_case import attach
from passkey_desk import PLACE, preparing
from photographs import png
from soft_passkey import SoftPasskey
from whole_desk import open_desk
from whole_footage import MADE_FOR, Footage
from whole_matter import ask

from services.app.evidence import sources_of
from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.inspections import GroupInspection, InspectedCase
from services.database.tables.people import Person
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.domain.accounts import own_account, passkeys
from services.domain.accounts.signatures import challenges as signature_challenges
from services.domain.accounts.signatures.challenges import Prepared
from services.domain.accounts.signatures.given import Assertion, Proof
from services.domain.custody import queries as custody_queries
from services.domain.custody import viewings
from services.domain.reviews.scopes import Granting
from services.domain.supervision import case_reviews, case_sheet, groups
from services.domain.supervision.case_reviews import Given
from services.domain.supervision.groups import Appointment
from services.domain.work_orders import opening
from services.domain.work_orders import service as work_orders
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import Role
from services.domain.work_orders.service import Answered, Done, Verdict
from services.evidence import package
from services.runtime.threads import run_in_thread
from services.vault.age import generate_identity
from services.vault.keys.log_key import FOLDER, ensure_log_key
from services.verifier import layout
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


@pytest.mark.requirement("R34", "R52")
async def test_of_a_case_whose_release_waits_for_a_second_person_or_was_never_answered(
    desk: People, tmp_path: Path
) -> None:
    case = await desk.apply("cam1", important_information=True)
    await desk.reach(case, "storage-release")
    decided = await desk.decide(case, "storage-release")
    assert not decided.published
    await desk.confirm(case, agrees=False)
    await desk.decide(case, "storage-release")

    waiting = await packaged(desk, case, tmp_path / "waiting.zip", "hash")
    await desk.withdraw(case)
    await closed(desk, case)
    withdrawn = await packaged(desk, case, tmp_path / "withdrawn.zip", "hash")

    for report in (waiting, withdrawn):
        signed = sorted(line.of.partition("-")[2] for line in report.lines if line.check == "decision")
        assert [name for name in signed if name.endswith("storage-release.json")] == [
            "confirmation-storage-release.json",
            "proposal-storage-release.json",
            "proposal-storage-release.json",
        ]


@pytest.mark.requirement("R47", "R52", "R64")
async def test_of_a_case_whose_work_orders_were_done_and_verified(desk: People, tmp_path: Path) -> None:
    """A check-in of the custodian and a review of the hold, each with what was attached to it."""
    case = await desk.apply("cam1")
    loan = await desk.accept(case)
    await ask(desk, case, "hold", "zhaoqiang", cause="manual")
    [hold] = desk.rows(Hold)
    check_in = await opened(desk, case, "check-in", Subject("loan", loan.id, "借用"), demo_id(CUSTODIAN))
    await attach(desk, CUSTODIAN, check_in, "evidence", png(40, 30))
    await done(desk, check_in, CUSTODIAN)
    review = await opened(desk, case, "hold-review", Subject("hold", hold.id, "保留"), hold.owner_id)
    await attach(desk, "zhaoqiang", review, "evidence", png(41, 30))
    await done(desk, review, "zhaoqiang")
    await verified(desk, review)
    still_open = await opened(desk, case, "check-in", Subject("loan", loan.id, "借用"), demo_id(CUSTODIAN))
    await attach(desk, CUSTODIAN, still_open, "evidence", png(42, 30))
    await desk.quiet()

    report = await packaged(desk, case, tmp_path / "case.zip", "hash")

    signed = sorted(line.of.partition("-")[2] for line in report.lines if line.check == "decision")
    assert [name for name in signed if name.startswith("work-order")] == [
        "work-order-done.json",
        "work-order-done.json",
        "work-order-verified.json",
    ]
    assert found(report, "attachments-complete").startswith("3 files, 2 of them named")
    assert [line.check for line in report.lines if line.check == "older"] == []
    contents = tampering.read(tmp_path / "case.zip")
    without = {name: data for name, data in contents.items() if not name.endswith("work-order-verified.json")}
    tampering.write(tmp_path / "changed.zip", tampering.resealed(without, desk.container.signer))
    assert "decisions-complete" in {line.check for line in examine(tmp_path / "changed.zip").failed}


@pytest.mark.requirement("R62")
@pytest.mark.requirement("R52", refuses=True)
async def test_of_a_case_that_supervision_has_inspected_without_what_it_answered(desk: People, tmp_path: Path) -> None:
    case = await desk.apply("cam1")
    await desk.decline(case)
    await closed(desk, case)
    await inspected(desk, case)
    assert desk.events("inspection-case-inspected")

    await packaged(desk, case, tmp_path / "case.zip", "hash")

    contents = tampering.read(tmp_path / "case.zip")
    events = [json.loads(json.loads(line)["entry"]) for line in contents[layout.EVENTS].splitlines()]
    assert not [event for event in events if event["action"].startswith("inspection-")]
    assert not [name for name, data in contents.items() if b"inspection-answers" in data or "核对无误".encode() in data]


async def opened(desk: People, case: str, kind: str, subject: Subject, doer: str) -> str:
    def act(uow: UnitOfWork) -> str:
        order = opening.open_work_order(
            uow,
            kind,
            subject,
            key=new_id(),
            doer=Role(person_id=doer),
            application_id=case,
            by_system=True,
        )
        return order.id

    return str(await desk.as_person(CUSTODIAN, act))


async def done(desk: People, order_id: str, by: str) -> None:
    [order] = desk.rows(WorkOrder, id=order_id)
    said = Done({item["code"]: Answered("yes") for item in order.facts["checklist"]})
    await desk.as_person(by, work_orders.done, order_id, said, Proof(order.facts_sha256, f"demo-{by}"))


async def verified(desk: People, order_id: str) -> None:
    def asked(uow: UnitOfWork) -> WorkOrderAttempt | None:
        [attempt] = uow.session.query(WorkOrderAttempt).filter_by(work_order_id=order_id)
        return attempt if attempt.review_id is not None else None

    await desk.until(asked, "the verification")
    [order] = desk.rows(WorkOrder, id=order_id)
    [login, *_] = [
        desk.rows(Person, id=one)[0].login for one in desk.look(lambda uow: work_orders.list_verifiers(uow, order))
    ]
    verdict = Verdict("verified", {"on-site": True, "met": True})
    await desk.as_person(login, work_orders.verify, order_id, verdict, Proof(order.facts_sha256, f"demo-{login}"))


async def inspected(desk: People, case: str) -> None:
    """The case is one of an inspection's sample, and a member answers the checklists about it."""
    leader, others = "heping", ("sunli", "hanxue")
    until = desk.clock.now() + timedelta(days=365)
    wanted = Appointment(demo_id(leader), [demo_id(one) for one in others], until, "会议纪要第3号")
    group = await desk.as_person("gaofeng", groups.propose, wanted, Proof("", "demo-gaofeng"))
    await desk.as_person("songtao", groups.confirm, group.id, Proof("", "demo-songtao"))
    number = str(desk.application(case).number)

    def draw(uow: UnitOfWork) -> str:
        inspection = GroupInspection(
            number="JC-2031-000001",
            period="2031-02",
            period_from=uow.now - timedelta(days=31),
            period_to=uow.now,
            group_id=group.id,
            opened_at=uow.now,
            seed="0" * 64,
            seed_size=1,
            drawn_at=uow.now,
            sampled=1,
        )
        uow.session.add(inspection)
        uow.session.flush()
        row = InspectedCase(inspection_id=inspection.id, position=1, application_id=case, number=number, because=[])
        uow.session.add(row)
        uow.session.flush()
        case_reviews.open_review(uow, inspection.id, 1, job_key=1)
        return row.id

    row_id = await desk.as_person(leader, draw)
    [row] = desk.rows(InspectedCase, id=row_id)
    sheet = desk.look(lambda uow: case_sheet.build(uow, row))
    given = {line.question.code: Given(line.system or "yes", "核对无误") for line in sheet.lines}
    login = desk.rows(Person, id=row.assigned_to)[0].login
    await desk.as_person(login, case_reviews.decide, row_id, given, sheet.sha256, Proof("", f"demo-{login}"))


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
