"""Every document of a case: written once at its moment, numbered, filed with its PDF under the seal (R28, R35, R47)."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from custody_desk import PASSWORD, Case, Desk, open_review

from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy
from services.database.tables.custody import CustodyEntry
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.people import Department, Post
from services.database.tables.returns import ArchiveEntry, Return
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.agreements import service as agreement_service
from services.domain.custody.integrity import list_expected
from services.domain.reviews import service as review_service
from services.vault.examination import Expected, examine
from services.vault.keys.signer import trusted_signers
from services.vault.labels import label_key, read_label
from services.vault.store.protocol import StoreDown
from services.workers import inspect_return, re_archive

SERIES = {
    "application-form": "SQ",
    "retrieval-record": "DQ",
    "label": "BQ",
    "hand-over-receipt": "JJ",
    "return-inspection": "GH",
    "custody-log": "BG",
}


async def returned(desk: Desk) -> tuple[Case, dict[str, str]]:
    """A case with a loan under an agreement of this release, returned, inspected and found in order."""
    proof = Proof(password=PASSWORD)
    desk.as_person("custodian", agreement_service.sign, desk.rules.agreement_version, proof)
    case = desk.case("gate")
    hand_over_id = await case.lend()
    case.give_back(hand_over_id)
    ids = {"application_id": case.id, "hand_over_id": hand_over_id}
    await desk.work(inspect_return, **ids)
    desk.do(_inspector)
    desk.do(open_review, case.id, "return-inspection", next(desk.keys), hand_over_id)
    [review] = [row for row in desk.rows(Review) if row.stage == "return-inspection"]
    answers = dict.fromkeys(("all-accounted", "media-intact", "right-footage"), True)
    desk.as_person(
        "stranger", review_service.decide, review.id, outcome="in-order", answers=answers, proof=case.proof()
    )
    return case, ids


def _inspector(uow: UnitOfWork) -> None:
    uow.session.add(Department(id="guard", name_zh="保卫部", name_en="Guard", kind="security"))
    uow.session.flush()
    uow.session.add(Post(person_id="stranger", department_id="guard", kind="return-inspector", since=uow.now))


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, footage: Path) -> Desk:
    """A desk whose one case is closed, by a worker that ran twice."""
    desk = Desk(tmp_path_factory.mktemp("closed"), footage)

    async def close() -> None:
        _, ids = await returned(desk)
        for _ in range(2):
            await desk.work(re_archive, **ids, decision="in-order")

    asyncio.run(close())
    return desk


def told(desk: Desk, kind: str) -> dict[str, Any]:
    [document] = [row for row in desk.rows(Document) if row.kind == kind]
    return json.loads(document.content)  # type: ignore[no-any-return]


@pytest.mark.requirement("R28", "R35", "R37", "R47")
def test_each_is_written_once_and_numbered_in_a_series_of_its_own(closed: Desk) -> None:
    of_case = [row for row in closed.rows(Document) if row.application_id]
    assert sorted(row.kind for row in of_case) == sorted([*SERIES, "label"])
    assert all(row.number.startswith(SERIES[row.kind]) for row in of_case)
    assert {row.subject_id for row in of_case if row.kind == "label"} == {
        closed.rows(Master)[0].id,
        closed.rows(Copy)[0].id,
    }
    written = [event.subject_id for event in closed.rows(AuditEvent) if event.action.endswith("-written")]
    assert sorted(written) == sorted(row.number for row in closed.rows(Document))


@pytest.mark.requirement("R25", "R45", "R47")
def test_the_receipt_holds_what_the_custodian_signed(closed: Desk) -> None:
    receipt = told(closed, "hand-over-receipt")
    [decision] = [row for row in closed.rows(Decision) if row.stage == "receipt"]
    [copy] = closed.rows(Copy)
    assert receipt["statement"] == decision.statement_sha256
    assert receipt["by"] == {"id": "custodian", "name": "Custodian"}
    assert [one["sha256Cipher"] for one in receipt["copies"]] == [copy.sealed["sha256Cipher"]]
    assert receipt["agreement"]["document"].startswith("XY-2031-")
    assert receipt["signature"]["method"] == "password"


@pytest.mark.requirement("R47")
def test_the_custody_log_holds_every_line_of_the_loan(closed: Desk) -> None:
    lines = told(closed, "custody-log")["entries"]
    kept = sorted(closed.rows(CustodyEntry), key=lambda row: row.seq)
    assert [(one["seq"], one["event"], one["sha256"]) for one in lines] == [
        (row.seq, row.event, row.sha256) for row in kept
    ]
    assert lines[-1]["event"] == "ended"
    assert [one["previous"] for one in lines[1:]] == [one["sha256"] for one in lines[:-1]]


@pytest.mark.requirement("R39")
def test_the_inspection_holds_hashes_answers_and_both_signatures(closed: Desk) -> None:
    check = told(closed, "return-inspection")
    assert [one["matches"] for one in check["copies"]] == [True]
    assert check["return"]["statement"] == closed.rows(Return)[0].statement_sha256
    assert check["decision"]["outcome"] == "in-order"
    assert check["decision"]["by"]["id"] == "stranger"
    assert all(one["answer"] is True and one["question"] != one["code"] for one in check["decision"]["questions"])


@pytest.mark.requirement("R37")
def test_the_printed_label_says_what_the_sealed_label_says(closed: Desk) -> None:
    [copy] = closed.rows(Copy)
    [printed] = [json.loads(row.content) for row in closed.rows(Document) if row.subject_id == copy.id]
    label = read_label(b"".join(closed.store.get(copy.sealed["bucket"], label_key(copy.sealed["key"]))))
    database = label.statement["predicate"]["database"]
    assert printed["object"]["sha256Plain"] == copy.sealed["sha256Plain"]
    assert printed["record"]["number"] == database["recordNumber"]
    assert printed["source"] == database["source"]
    assert printed["retrievedAt"] == database["retrievedAt"]
    assert printed["copy"] == copy.id


@pytest.mark.requirement("R59")
def test_the_agreement_is_filed_with_the_case_that_was_lent_under_it(closed: Desk) -> None:
    [agreement] = [row for row in closed.rows(Document) if row.kind == "confidentiality-agreement"]
    assert agreement.application_id is None
    assert json.loads(agreement.content)["textZh"].startswith("一、")
    [entry] = closed.rows(ArchiveEntry)
    for form in ("json", "pdf", "label.json"):
        kept = closed.store.stat("documents", f"{agreement.number}.{form}").retain_until
        assert kept == entry.archived_at + closed.rules.document_retention


@pytest.mark.requirement("R28", "R35")
async def test_a_run_that_dies_between_data_and_pdf_is_taken_up_where_it_was(desk: Desk) -> None:
    _, ids = await returned(desk)
    with patch("services.workers.document_filing.render_pdf", side_effect=StoreDown("away")), pytest.raises(StoreDown):
        await desk.work(re_archive, **ids, decision="in-order")
    [first] = desk.store.list_keys("documents")

    await desk.work(re_archive, **ids, decision="in-order")

    keys = set(desk.store.list_keys("documents"))
    assert first in keys
    assert keys == {f"{row.number}.{form}" for row in desk.rows(Document) for form in ("json", "pdf", "label.json")}


async def test_what_two_runs_have_left_that_died_in_a_put_and_behind_it_is_removed(desk: Desk) -> None:
    _, ids = await returned(desk)
    with patch.object(desk.store, "sweep", side_effect=StoreDown("away")), pytest.raises(StoreDown):
        await desk.work(re_archive, **ids, decision="in-order")
    [first] = desk.store.list_keys("documents")
    unfinished = desk.root / "store" / "t-documents" / "unfinished"
    (unfinished / f"{first}.0123456789abcdef").mkdir()

    await desk.work(re_archive, **ids, decision="in-order")

    assert list(unfinished.iterdir()) == []


@pytest.mark.requirement("R52")
async def test_a_filed_document_that_was_touched_is_found(closed: Desk) -> None:
    [entry] = closed.rows(ArchiveEntry)
    due = [one for one in closed.do(list_expected, entry.application_id) if one.kind == "document"]
    assert [await found(closed, one) for one in due] == [[]] * len(due)

    for one, form in zip(due, ("pdf", "json", "label.json"), strict=False):
        closed.damage("documents", f"{one.of}.{form}")

    faults = [await found(closed, one) for one in due]
    assert faults == [["pdf"], ["bytes"], ["label-seal"], *[[]] * (len(due) - 3)]


async def test_a_document_that_was_filed_before_there_were_seals_is_said_to_be_unsigned(closed: Desk) -> None:
    [entry] = closed.rows(ArchiveEntry)
    due = [one for one in closed.do(list_expected, entry.application_id) if one.kind == "document"][-1]
    where = Expected("documents", str(due.key), None, due.size, due.sha256, document="XX-none")

    assert await examine(closed.store, where) == ["label-unsigned"]


async def found(desk: Desk, due: Any) -> list[str]:
    seals = trusted_signers(desk.root / "seal")
    where = Expected(
        *(due.bucket, due.key, due.version_id, due.size, due.sha256),
        document=due.of,
        trusted=seals,
        retain_until=due.retain_until,
    )
    assert seals.since < datetime.now(UTC)
    return await examine(desk.store, where)
