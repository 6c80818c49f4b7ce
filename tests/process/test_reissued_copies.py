"""Copies that have to be replaced: the same application is released, retrieved and handed over again (R44)."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from case_people import CUSTODIAN, DRAFTER, People
from test_matters_at_work import ask, decide, ended, report

from services.app.evidence import sources_of
from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.returns import Return
from services.database.tables.violations import Violation
from services.demo.organisation import demo_id
from services.domain.cases import inbox
from services.domain.cases import queries as case_queries
from services.domain.custody import grants, returns
from services.domain.process.messages import LOAN_CLOSED
from services.domain.staffing import leaving
from services.evidence import package
from services.runtime.errors import Refused
from services.runtime.threads import run_in_thread
from services.vault.keys.log_key import FOLDER, ensure_log_key
from services.verifier.examination import examine

pytestmark = [pytest.mark.slow, pytest.mark.zeebe]


def records(desk: People, item_id: str) -> dict[str, Any]:
    [document] = desk.rows(Document, item_id=item_id, kind="retrieval-record")
    return {"number": document.number, **json.loads(document.content)}


@pytest.mark.requirement("R29", "R32", "R35")
@pytest.mark.requirement("R43", "R44", "R50")
async def test_a_wrong_camera_is_retrieved_again_on_the_same_approval(desk: People, tmp_path: Path) -> None:
    """Of two items one is wrong: it is retrieved anew, the other comes from the vault, both are handed over again."""
    case = await desk.apply("cam1", "cam2", requested_use_days=5)
    first = await desk.accept(case)
    other = await ask(desk, case, "extension", dueAt=(first.due_at + timedelta(days=7)).isoformat())
    right, wrong = sorted(desk.rows(Item, application_id=case), key=lambda item: item.position)
    [copy] = desk.rows(Copy, item_id=wrong.id)
    before = records(desk, wrong.id)
    await desk.turn(days=2)

    matter_id = await ask(desk, case, "problem", CUSTODIAN, problem="wrong-camera", copyId=copy.id)
    await decide(desk, matter_id, "problem", "replace")
    await ended(desk, matter_id, "answered")
    await ended(desk, other, "moot")

    # the loan is over, nothing of it opens, and the storage office is asked anew on the approval that stands
    assert desk.hand_over(case).replaced_at is not None
    assert not [grant for grant in desk.rows(Grant) if grant.ended_at is None]
    with pytest.raises(Refused) as caught:
        await desk.as_person(CUSTODIAN, grants.check, copy.id, "view")
    assert caught.value.code == "copy-replaced"
    assert (await desk.review(case)).stage == "storage-release"
    second = await desk.accept(case)

    assert (first.issue, second.issue, second.custodian_id) == (1, 2, first.custodian_id)
    await desk.entered("Event_ReplacementOrdered")
    await desk.entered("Task_PreliminaryReview")
    items = {item.replaces_id: item for item in desk.rows(Item, application_id=case) if item.replaces_id}
    again = {name: records(desk, items[item.id].id) for name, item in (("right", right), ("wrong", wrong))}
    assert again["wrong"]["replaces"]["record"] == before["number"] != again["wrong"]["number"]
    assert [items[item.id].unchanged for item in (right, wrong)] == [True, False]
    masters = {row.item_id: row for row in desk.rows(Master)}
    assert [masters[item.id].superseded_at is not None for item in (right, wrong)] == [True, True]
    assert masters[items[right.id].id].origin == "earlier-issue"
    assert masters[items[wrong.id].id].origin == "recorder"
    assert masters[items[right.id].id].sealed["sha256Cipher"] == masters[right.id].sealed["sha256Cipher"]
    # the longest use period counts from the first acceptance
    assert first.accepted_at is not None
    longest = desk.rows(Application, id=case)[0].max_use_days or desk.database.rules.max_use_days
    assert second.due_at is not None
    assert second.due_at <= first.accepted_at + timedelta(days=longest)
    assert {grant.until for grant in desk.rows(Grant) if grant.ended_at is None} == {second.due_at}
    assert [row.variables for row in desk.rows(OutboxMessage, name=LOAN_CLOSED)] == [{"loanOutcome": "replace"}]

    await desk.returned(case)
    assert not desk.rows(Violation), "a wrong camera is nobody's breach"
    assert [row.hand_over_id for row in desk.rows(Return)] == [second.id]
    assert all(row.archived_at is not None for row in desk.rows(Master)), "the masters of before are kept"
    assert not desk.loan_keys()

    await check_package(desk, case, tmp_path)


async def check_package(desk: People, case: str, folder: Path) -> None:
    """Make the evidence package of the case, and have the verifier find nothing wrong."""
    ensure_log_key(desk.settings.keys / FOLDER)
    number = str(desk.application(case).number)
    made = await run_in_thread(package.make, sources_of(desk.container), number, folder / "case.zip", "hash")
    examined = examine(made.path, [made.fingerprints["root"]])
    assert (examined.failed, examined.exit_code) == ([], 0)


@pytest.mark.slow
@pytest.mark.requirement("R35", "R38")
async def test_the_package_of_copies_that_the_head_returned_for_who_has_left_can_be_checked(
    desk: People, tmp_path: Path
) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    await desk.as_person("luoxin", leaving.leave, demo_id(CUSTODIAN))

    given = {"return_to": "security", "fates": [], "no_other_copies": False}
    proof = desk.proof(case, "zhangwei")
    await desk.as_person("zhangwei", returns.return_copies, desk.hand_over(case).id, **given, proof=proof)
    await desk.decide(case, "return-inspection")
    await desk.closed(case, "footage-re-archived")
    await desk.quiet()

    [returned] = desk.rows(Return)
    assert returned.attestation["inPlaceOf"] == demo_id(CUSTODIAN)
    await check_package(desk, case, tmp_path)


@pytest.mark.slow
@pytest.mark.requirement("R35", "R42", "R46")
async def test_a_recalled_offer_ends_the_case_and_its_package_can_be_checked(desk: People, tmp_path: Path) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.reach(case, "receipt")

    matter_id = await ask(desk, case, "recall", by="wulei", ground="leak")
    await decide(desk, matter_id, "recall")
    await desk.closed(case, "copy-not-taken-up")
    await desk.quiet()

    assert desk.rows(Matter, id=matter_id)[0].closed_as == "applied"
    assert (desk.rows(Grant), desk.rows(Return)) == ([], [])
    await desk.entered("Event_CopyDeclined")
    await check_package(desk, case, tmp_path)


@pytest.mark.slow
@pytest.mark.requirement("R35", "R44")
@pytest.mark.parametrize("how", ["recall", "problem"])
async def test_the_package_of_recalled_copies_can_be_checked(desk: People, tmp_path: Path, how: str) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    if how == "recall":
        matter_id = await ask(desk, case, "recall", by="wulei", ground="leak")
        await decide(desk, matter_id, "recall")
    else:
        matter_id = await report(desk, case)
        await decide(desk, matter_id, "problem", "recall")
    await desk.decide(case, "return-inspection")
    await desk.closed(case, "footage-re-archived")
    await desk.quiet()

    await check_package(desk, case, tmp_path)


@pytest.mark.requirement("R44", "R46")
@pytest.mark.requirement("R46", refuses=True)
async def test_copies_that_are_replaced_are_accepted_by_whom_custody_was_transferred_to(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    transfer = await ask(desk, case, "custody-transfer", toPersonId=demo_id(DRAFTER))
    await decide(desk, transfer, "custody-receipt")
    await ended(desk, transfer, "applied")
    problem = await report(desk, case, by=DRAFTER)
    await decide(desk, problem, "problem", "replace")
    await ended(desk, problem, "answered")

    review = await desk.reach(case, "receipt")

    assert desk.candidates(review) == [DRAFTER]
    told = {login: {row.subject_id for row in desk.notices(login, "review-opened")} for login in (DRAFTER, CUSTODIAN)}
    assert [login for login, reviews in told.items() if review.id in reviews] == [DRAFTER]
    waiting = [await desk.as_person(login, inbox.read_waiting) for login in (DRAFTER, CUSTODIAN)]
    assert [[line.id for line in page.lines] for page in waiting] == [[review.id], []]
    with pytest.raises(Refused) as caught:
        await desk.accept(case, by=CUSTODIAN)
    assert caught.value.code == "not-found"
    with pytest.raises(Refused) as caught:
        await desk.decide(case, "receipt", by=CUSTODIAN)
    assert caught.value.code == "not-yours"
    second = await desk.accept(case, by=DRAFTER)
    shown = await desk.as_person("zhangwei", case_queries.get_case, case)
    assert shown.custodian == "李娜"
    assert (second.issue, second.custodian_id) == (2, demo_id(DRAFTER))


@pytest.mark.requirement("R2", "R44")
async def test_an_application_is_withdrawn_while_its_copies_are_replaced(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    matter_id = await report(desk, case)
    await decide(desk, matter_id, "problem", "replace")
    await ended(desk, matter_id, "answered")
    await desk.review(case, "storage-release")

    await desk.withdraw(case)

    await desk.closed(case, "withdrawn")
    assert not desk.loan_keys()
    [row] = desk.rows(HandOver)
    assert row.replaced_at is not None
    assert [entry.event for entry in desk.rows(CustodyEntry)][-1] == "replaced"
