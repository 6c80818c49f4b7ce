"""Downloads of a loan that ended without a return: each is accounted for, and Security confirms it (R38, R39)."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from loan_matter import LoanDesk, lent
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import NOON, PASSWORD, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.copies import Download
from services.database.tables.custody import CustodyEntry
from services.database.tables.documents import Document
from services.database.tables.notices import Notice
from services.database.tables.people import Person, Post
from services.database.tables.work_orders import DownloadAccount, WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.custody import closing, hand_overs, log, returns
from services.domain.matters import held
from services.domain.supervision import case_evidence, checks
from services.domain.work_orders import downloads, queries, schedules, service, tasks
from services.domain.work_orders.downloads import Account
from services.domain.work_orders.service import Answered, Done, Verdict
from services.runtime.errors import NotFound, Refused

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SAID = Done({"each-accounted": Answered("yes"), "no-other-copies": Answered("yes")})
YES = Verdict("verified", {"on-site": True, "met": True})


def recalled(desk: ReviewDesk) -> dict[str, str]:
    """A loan with a download, recalled and inspected a day later: nobody has attested for it."""
    ids = lent(desk)
    loan = LoanDesk(desk, ids)
    desk.clock.turn(DAY)
    matter_id = loan.ask("recall", "reviewer", ground="leak")
    loan.agreed(matter_id, ("recall", "security-head"))
    loan.apply(matter_id)
    loan.close(matter_id, "applied")
    for _ in range(2):
        found = desk.run(returns.record_inspection, ids["application_id"], ids["hand_over_id"], {ids["copy_id"]: True})
        assert found == 1
    return ids


@pytest.fixture
def desk_and_ids(tmp_path: Path) -> Iterator[tuple[ReviewDesk, dict[str, str]]]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", recalled)
    yield desk, ids
    desk.close()


def order_of(desk: ReviewDesk) -> WorkOrder:
    return desk.the(WorkOrder, kind="download-account", closed_at=None)


def code(act: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises((Refused, NotFound)) as found:
        act(*args, **named)
    return found.value.code


def say(desk: ReviewDesk, by: str, *said: Account, checklist: Done = SAID) -> None:
    order = order_of(desk)
    desk.run(downloads.account, order.id, said, checklist, Proof(order.facts_sha256, PASSWORD), by=by)


def given_back(ids: dict[str, str]) -> Account:
    return Account(ids["download_id"], "given-back", medium="JZ-001")


def destroyed(desk: ReviewDesk, ids: dict[str, str], **changed: Any) -> Account:
    values = {"how": "粉碎介质", "happened_at": desk.clock.now() - HOUR, "witness_id": "head", **changed}
    return Account(ids["download_id"], "destroyed", **values)


def verify(desk: ReviewDesk, by: str, verdict: Verdict = YES) -> None:
    order = order_of(desk)
    desk.run(service.verify, order.id, verdict, Proof(order.facts_sha256, PASSWORD), by=by)


@pytest.mark.requirement("R38", "R39", refuses=True)
@pytest.mark.requirement("R47", verb="recorded")
async def test_the_custodian_accounts_for_each_download_once_and_another_person_confirms_it(
    desk_and_ids: tuple[ReviewDesk, dict[str, str]],
) -> None:
    desk, ids = desk_and_ids
    order = order_of(desk)
    assert (order.doer_id, order.verifier_post, order.subject_id) == (
        "keeper",
        "security-reviewer",
        ids["hand_over_id"],
    )
    assert code(say, desk, "head", given_back(ids)) == "not-the-doer"
    assert code(say, desk, "reviewer", given_back(ids)) == "not-the-doer"
    for stranger in ("operator", "admin", "drafter"):
        assert code(say, desk, stranger, given_back(ids)) == "not-found"
    for wrong, because in (
        ((), "accounts-incomplete"),
        ((given_back(ids), given_back(ids)), "accounts-incomplete"),
        ((Account("another", "lost", how="x"),), "accounts-incomplete"),
        ((Account(ids["download_id"], "kept"),), "account-fate"),
        ((Account(ids["download_id"], "given-back", medium=" "),), "account-medium"),
        ((Account(ids["download_id"], "lost"),), "account-how"),
        ((destroyed(desk, ids, how=""),), "account-how"),
        ((destroyed(desk, ids, happened_at=None),), "account-when"),
        ((destroyed(desk, ids, happened_at=desk.clock.now() + HOUR),), "account-when"),
        ((destroyed(desk, ids, happened_at=NOON - DAY),), "account-when"),
        ((destroyed(desk, ids, witness_id="keeper"),), "account-witness"),
        ((destroyed(desk, ids, witness_id="deputy"),), "account-witness"),  # whom the case concerns
        ((destroyed(desk, ids, witness_id="manager"),), "account-witness"),
    ):
        assert code(say, desk, "keeper", *wrong) == because
    signed = Proof(order.facts_sha256, PASSWORD)
    assert code(desk.run, service.done, order.id, SAID, signed, by="keeper") == "not-done-yet"
    assert code(desk.run, service.cancel, order.id, "x", by="security-head") == "until-done"
    assert desk.all(DownloadAccount) == []
    assert not desk.run(queries.get, order.id, by="security-head").may_cancel

    async with Portal(desk) as portal:
        client = await portal.signed_in("keeper")
        assert order.number in (await client.get(f"/hand-overs/{ids['hand_over_id']}")).text
        assert 'name="downloads-0-fate"' in (await client.get(f"/work-orders/{order.id}")).text
        form = {
            "formSha256": order.facts_sha256,
            "password": PASSWORD,
            **{f"answer-{item}": "yes" for item in ("each-accounted", "no-other-copies")},
            "downloads-0-downloadId": ids["download_id"],
            "downloads-0-fate": "destroyed",
            "downloads-0-how": "删除并粉碎介质",
            "downloads-0-witnessId": "head",
        }
        at = f"/work-orders/{order.id}/downloads"
        for typed in ("yesterday", "2031-03-04T09:00"):
            refused = await client.post(at, data={**form, "downloads-0-happenedAt": typed})
            assert refused.status_code == 422
        assert "删除并粉碎介质" in refused.text
        body = {
            "formSha256": order.facts_sha256,
            "password": PASSWORD,
            "answers": {item: {"answer": "yes"} for item in ("each-accounted", "no-other-copies")},
            "downloads": [{"downloadId": ids["download_id"], "fate": "given-back", "medium": "JZ-001"}],
        }
        answer = await client.post(f"/api/work-orders/{order.id}/downloads", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["downloads"][0]["accounts"][0]["medium"] == "JZ-001"
        again = await client.post(f"/api/work-orders/{order.id}/downloads", json=body)
        assert (again.status_code, again.json()["code"]) == (409, "done-already")

    desk.run(tasks.open_verification, order.id, job_key=7)
    assert code(verify, desk, "keeper") == "was-doer"
    verify(desk, "reviewer")
    desk.run(tasks.close, order.id, "done")
    [sheet] = desk.all(Document, kind="download-account")
    assert (sheet.application_id, ids["download_id"] in sheet.content) == (ids["application_id"], True)
    entries = desk.run(log.list_entries, ids["hand_over_id"])
    named = [(one.event, one.person_id) for one in entries if one.event.startswith("downloads-")]
    assert named == [("downloads-accounted", "keeper"), ("downloads-confirmed", "reviewer")]
    assert log.broken_at(entries) is None
    [attempt] = desk.all(WorkOrderAttempt, work_order_id=order.id)
    assert attempt.done_signature is not None
    [besides] = attempt.done_signature["statement"]["besides"]
    assert (besides["download"], besides["fate"], besides["medium"]) == (ids["download_id"], "given-back", "JZ-001")
    found = desk.run(lambda uow: checks.downloads_accounted(case_evidence.load(uow, ids["application_id"])))
    assert found.answer == "yes"


@pytest.mark.requirement("R38", "R39", refuses=True)
@pytest.mark.requirement("R67")
def test_over_a_held_case_a_medium_is_given_back_and_not_destroyed(
    desk_and_ids: tuple[ReviewDesk, dict[str, str]],
) -> None:
    desk, ids = desk_and_ids
    before = desk.clock.now()
    number = str(desk.the(Application, id=ids["application_id"]).number)
    desk.run(held.place, number, cause="manual", reason="none", by="security-deputy")
    desk.clock.turn(HOUR)
    since = destroyed(desk, ids, happened_at=desk.clock.now())

    assert code(say, desk, "keeper", since) == "case-held"
    assert code(say, desk, "keeper", since) == "case-held"
    assert desk.all(DownloadAccount) == []

    earlier = destroyed(desk, ids, happened_at=before - HOUR)
    with pytest.raises(ZeroDivisionError):
        desk.run(_tried, ids, earlier, by="keeper")
    say(desk, "keeper", given_back(ids))
    assert desk.the(DownloadAccount).fate == "given-back"


def _tried(uow: UnitOfWork, ids: dict[str, str], said: Account) -> None:
    """What was destroyed before the hold is on record as it was; taken back."""
    order = uow.session.query(WorkOrder).filter_by(kind="download-account").one()
    downloads.account(uow, order.id, [said], SAID, Proof(order.facts_sha256, PASSWORD))
    raise ZeroDivisionError


@pytest.mark.requirement("R48", "R64")
async def test_a_lost_download_is_a_finding_that_security_may_make_a_violation_of_and_may_ask_about_again(
    desk_and_ids: tuple[ReviewDesk, dict[str, str]],
) -> None:
    desk, ids = desk_and_ids
    order = order_of(desk)
    form = {
        "formSha256": order.facts_sha256,
        "password": PASSWORD,
        "answer-each-accounted": "yes",
        "answer-no-other-copies": "yes",
        "downloads-0-downloadId": ids["download_id"],
        "downloads-0-fate": "lost",
        "downloads-0-how": "U盘遗失在车上",
    }
    async with Portal(desk) as portal:
        client = await portal.signed_in("keeper")
        answer = await client.post(f"/work-orders/{order.id}/downloads", data=form)
        assert answer.status_code == 303, answer.text

    told = {one.person_id for one in desk.all(Notice, code="download-lost")}
    assert {"security-head", "reviewer"} <= told
    assert "keeper" not in told
    assert [row.number for row in desk.run(queries.list_without_finding)] == [order.number]
    desk.run(tasks.open_verification, order.id, job_key=7)
    async with Portal(desk) as portal:
        client = await portal.signed_in("reviewer")
        page = (await client.get(f"/work-orders/{order.id}")).text
        assert f"/matters/new/violation?case={ids['application_id']}" in page
        assert "U盘遗失在车上" in page
    verify(desk, "reviewer", Verdict("again", YES.answers, "写明时间和地点"))
    desk.run(tasks.reopen, order.id)
    proof = Proof(order.facts_sha256, PASSWORD)
    assert code(desk.run, service.done, order.id, SAID, proof, by="keeper") == "not-done-yet"
    say(desk, "keeper", given_back(ids))
    assert [(row.attempt, row.fate) for row in desk.all(DownloadAccount)] == [(1, "lost"), (2, "given-back")]


@pytest.mark.requirement("R38", "R39", refuses=True)
@pytest.mark.requirement("R64")
def test_once_the_custodian_has_left_the_head_accounts_and_nobody_else(
    desk_and_ids: tuple[ReviewDesk, dict[str, str]],
) -> None:
    desk, ids = desk_and_ids
    first = order_of(desk)
    desk.run(schedules.open_due_work_orders)
    assert order_of(desk).id == first.id, "who is there keeps it"

    def leave(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "keeper").active = False

    desk.run(leave)
    for _ in range(2):
        desk.run(schedules.open_due_work_orders)

    order = order_of(desk)
    assert desk.the(WorkOrder, id=first.id).closed_as == "cancelled"
    # the case concerns the deputy, who must not learn of it
    assert (order.doer_id, order.doer_post) == ("head", None)
    assert order.facts["facts"] == first.facts["facts"]
    assert code(say, desk, "keeper", given_back(ids)) in ("not-found", "not-the-doer")
    assert code(say, desk, "deputy", given_back(ids)) == "not-found"
    assert code(say, desk, "reviewer", given_back(ids)) == "not-the-doer"
    assert code(say, desk, "head", destroyed(desk, ids, witness_id="head")) == "account-witness"
    say(desk, "head", given_back(ids))
    [entry] = desk.all(CustodyEntry, event="downloads-accounted")
    assert entry.person_id == "head"


@pytest.mark.requirement("R39", "R48")
def test_the_downloads_of_a_lost_copy_are_asked_about_as_well(tmp_path: Path) -> None:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent)
    told = {"kind": "lost", "what_happened": "丢失"}
    desk.run(hand_overs.report_loss, ids["hand_over_id"], **told, by="keeper")
    for _ in range(2):
        desk.run(closing.end_lost_loan, ids["application_id"], ids["hand_over_id"])
    order = order_of(desk)
    assert [one["id"] for one in order.facts["facts"]["downloads"]] == [desk.the(Download).id]
    desk.clock.turn(HOUR)
    # the violation of the loss holds the case
    assert code(say, desk, "keeper", destroyed(desk, ids, happened_at=desk.clock.now())) == "case-held"
    desk.close()


@pytest.mark.requirement("R38", "R39", refuses=True)
def test_who_is_named_as_a_witness_is_told_and_does_not_confirm_it(
    desk_and_ids: tuple[ReviewDesk, dict[str, str]],
) -> None:
    desk, ids = desk_and_ids

    def hold(uow: UnitOfWork, until: datetime | None) -> None:
        uow.session.query(Post).filter_by(person_id="reviewer2", kind="security-reviewer").one().until = until

    desk.run(hold, desk.clock.now() - HOUR)
    named = destroyed(desk, ids, witness_id="reviewer")
    assert code(say, desk, "keeper", named) == "account-witness", "nobody else would be there to confirm it"
    desk.run(hold, None)
    say(desk, "keeper", named)
    assert [one.person_id for one in desk.all(Notice, code="download-witnessed")] == ["reviewer"]
    desk.run(tasks.open_verification, order_of(desk).id, job_key=7)
    assert code(verify, desk, "reviewer") == "was-witness"
    verify(desk, "reviewer2")
