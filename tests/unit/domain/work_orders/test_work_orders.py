"""Work orders: who does and verifies them, what a job may do, and what becomes of one that is late (R11, R64)."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import NOON, PASSWORD, ReviewDesk
from sqlalchemy import update

from services.database.tables.audit import AuditEvent
from services.database.tables.documents import Document
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Absence
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.cases.document_layouts import render_pdf
from services.domain.process import relay
from services.domain.process.messages import REVIEW_DECIDED
from services.domain.work_orders import documents, opening, queries, service, tasks
from services.domain.work_orders.kinds import KINDS
from services.domain.work_orders.opening import Cause, Subject
from services.domain.work_orders.roles import Role
from services.domain.work_orders.service import Answered, Done, Verdict
from services.runtime.errors import Fatal, NotFound, NotPermitted, Refused

DAY = timedelta(days=1)
OPERATORS = Role("storage-operator", department_kind="storage")
REVIEWERS = Role("security-reviewer", department_kind="security")
HEAD = Role("head", department_id="works")


def opened(desk: ReviewDesk) -> str:
    return _open(desk)


def _open(desk: ReviewDesk, **values: Any) -> str:
    given = {"key": "one", "doer": OPERATORS, "verifier": REVIEWERS, "by_system": True, **values}
    kind = given.pop("kind", "corrective-action")

    def act(uow: UnitOfWork) -> str:
        return opening.open_work_order(uow, kind, Subject("recorder", "recorder", "三号录像机"), **given).id

    return desk.run(act, by=given.pop("by", None))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk, _ = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", opened)
    yield desk
    desk.close()


def order(desk: ReviewDesk) -> WorkOrder:
    return desk.the(WorkOrder)


def said(desk: ReviewDesk, **changed: Answered) -> Done:
    codes = [item["code"] for item in order(desk).facts["checklist"]]
    return Done({**dict.fromkeys(codes, Answered("yes")), **changed}, "已按要求整改")


def do(desk: ReviewDesk, by: str = "operator", what: Done | None = None, **proof: Any) -> None:
    signed = Proof(proof.get("form", order(desk).facts_sha256), proof.get("password", PASSWORD))
    desk.run(service.done, order(desk).id, what or said(desk), signed, by=by)


def ask(desk: ReviewDesk, job_key: int = 7) -> None:
    desk.run(tasks.open_verification, order(desk).id, job_key=job_key)


def settle_all(uow: UnitOfWork) -> None:
    uow.session.execute(update(OutboxMessage).values(settled_at=uow.now))


def verify(desk: ReviewDesk, by: str = "reviewer", outcome: str = "verified", **values: Any) -> None:
    given = {"answers": {"on-site": True, "met": True}, "reason": "", **values}
    proof = Proof(order(desk).facts_sha256, PASSWORD)
    desk.run(service.verify, order(desk).id, Verdict(outcome, **given), proof, by=by)


def code(act: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises((Refused, NotFound)) as found:
        act(*args, **named)
    return found.value.code


def refused(desk: ReviewDesk, act: Callable[..., Any], *args: Any, **named: Any) -> None:
    """A job that the rows do not allow is refused and changes nothing."""
    before = [vars(row).copy() for row in (*desk.all(WorkOrder), *desk.all(WorkOrderAttempt))]
    with pytest.raises(NotPermitted):
        desk.run(act, *args, **named)
    after = [vars(row).copy() for row in (*desk.all(WorkOrder), *desk.all(WorkOrderAttempt))]
    for row in (*before, *after):
        row.pop("_sa_instance_state")
    assert after == before


def messages(desk: ReviewDesk) -> list[tuple[str, str]]:
    return [(row.name, row.correlation_key) for row in desk.all(OutboxMessage) if row.subject_kind == "work-order"]


def told(desk: ReviewDesk, notice: str) -> list[str]:
    return sorted(row.person_id for row in desk.all(Notice, code=notice))


@pytest.mark.requirement("R64")
def test_it_is_done_by_its_doer_verified_by_somebody_else_and_leaves_a_sheet_with_both_signatures(
    desk: ReviewDesk,
) -> None:
    work_order_id = order(desk).id
    assert _open(desk) == work_order_id, "the same key opens nothing"
    assert told(desk, "work-order-opened") == ["operator", "operator2"]
    for by, refusal in (("drafter", "not-found"), ("admin", "not-found"), ("reviewer", "not-the-doer")):
        assert code(do, desk, by) == refusal
    assert code(do, desk, password="another password") == "password-wrong"
    assert code(do, desk, form="0" * 64) == "form-changed"
    assert code(do, desk, what=Done({"cause-removed": Answered("yes")})) == "missing"
    assert code(do, desk, what=said(desk, **{"measure-done": Answered("no")})) == "missing"
    assert code(do, desk, what=said(desk, **{"whatever": Answered("yes")})) == "unknown"
    refused(desk, tasks.close, work_order_id, "done")
    refused(desk, tasks.open_verification, work_order_id, job_key=7)

    do(desk, what=said(desk, **{"interim-ended": Answered("no", "临时锁具保留一周")}))

    assert code(do, desk, "operator2") == "done-already"
    refused(desk, tasks.close, work_order_id, "done")
    assert code(verify, desk) == "nothing-to-verify"
    ask(desk)
    ask(desk)
    refused(desk, tasks.open_verification, work_order_id, job_key=8)
    for by, refusal in (("operator", "was-doer"), ("manager", "not-found"), ("supervisor", "not-the-verifier")):
        assert code(verify, desk, by) == refusal
    assert code(verify, desk, answers={"on-site": True}) == "missing"
    assert code(verify, desk, answers={"on-site": False, "met": True}) == "needs-yes"
    assert code(verify, desk, outcome="approved") == "outcome"
    refused(desk, tasks.reopen, work_order_id)

    verify(desk)

    assert code(verify, desk, "reviewer2") == "nothing-to-verify"
    desk.run(settle_all)
    ask(desk)  # its worker died before, and the process did not wait for the answer
    assert [row.name for row in desk.all(OutboxMessage, settled_at=None)] == [REVIEW_DECIDED]
    refused(desk, tasks.reopen, work_order_id)
    refused(desk, tasks.close, work_order_id, "cancelled")
    desk.run(tasks.close, work_order_id, "done")
    desk.run(tasks.close, work_order_id, "done")
    assert (order(desk).closed_as, code(do, desk)) == ("done", "closed")
    sheet = desk.the(Document, kind="corrective-action")
    content = json.loads(sheet.content)
    assert (sheet.number, content["title"]) == (order(desk).number, KINDS["corrective-action"].sheet)
    [attempt] = content["attempts"]
    assert [attempt[name]["by"]["id"] for name in ("done", "verified")] == ["operator", "reviewer"]
    assert attempt["verified"]["signature"]["statement"]["done"] == attempt["done"]["statement"]
    assert render_pdf("corrective-action", sheet.number, sheet.content, sheet.sha256, sheet.made_at)
    assert sheet.number.startswith("ZG-2031-")
    assert messages(desk) == [
        ("work-order-opened", work_order_id),
        ("work-order-done", f"{work_order_id}:1"),
        ("review-decided", desk.the(WorkOrderAttempt).review_id),
    ]
    assert not [row for row in desk.all(Notice) if row.code.startswith("work-order-") and row.done_at is None]


@pytest.mark.requirement("R64")
def test_what_has_to_be_done_again_has_new_dates_and_the_doers_of_all_attempts_verify_none(desk: ReviewDesk) -> None:
    work_order_id = order(desk).id
    do(desk)
    ask(desk)
    assert code(verify, desk, outcome="again") == "missing"
    assert code(verify, desk, outcome="again", reason="未附照片", due_at=NOON) == "due-date"
    verify(desk, outcome="again", reason="未附照片", due_at=NOON + 5 * DAY)

    desk.clock.turn(2 * DAY)
    waiting = desk.run(tasks.reopen, work_order_id)

    assert (waiting.attempt, waiting.due_at, waiting.first_reminder_at) == (2, NOON + 5 * DAY, NOON + 4 * DAY)
    assert desk.run(tasks.reopen, work_order_id) == waiting
    assert told(desk, "work-order-again") == ["operator", "operator2"]
    refused(desk, tasks.close, work_order_id, "done")
    do(desk, "operator2")
    assert ("work-order-done", f"{work_order_id}:2") in messages(desk)
    ask(desk, 9)
    assert code(verify, desk, "operator2") == "was-doer"
    verify(desk, "reviewer2")
    desk.run(tasks.close, work_order_id, "done")
    content = json.loads(desk.the(Document, kind="corrective-action").content)
    assert [attempt["reason"] for attempt in content["attempts"]] == ["未附照片", None]


@pytest.mark.requirement("R64")
def test_nobody_verifies_as_substitute_what_was_done_in_their_place_or_what_they_have_opened(desk: ReviewDesk) -> None:
    def away(uow: UnitOfWork, who: str, until: int) -> None:
        uow.session.add(Absence(person_id=who, since=NOON - DAY, until=NOON + until * DAY, added_by=who))

    def ordered(**values: Any) -> str:
        desk.run(lambda uow: uow.session.query(WorkOrder).update({"closed_at": uow.now, "closed_as": "done"}))
        return _open(desk, **values)

    def act(who: str, work_order_id: str) -> str | None:
        row = desk.the(WorkOrder, id=work_order_id)
        answers = {item["code"]: Answered("yes") for item in row.facts["checklist"]}
        proof = Proof(row.facts_sha256, PASSWORD)
        try:
            if desk.the(WorkOrderAttempt, work_order_id=work_order_id).review_id is None:
                desk.run(service.done, work_order_id, Done(answers), proof, by=who)
            else:
                verdict = Verdict("verified", {"on-site": True, "met": True})
                desk.run(service.verify, work_order_id, verdict, proof, by=who)
        except Refused as refusal:
            return refusal.code
        return None

    review = ordered(key="two", kind="access-review", doer=HEAD, verifier=HEAD)
    assert act("deputy", review) == "not-yet"
    desk.run(away, "head", 1)
    assert act("deputy", review) is None
    with pytest.raises(Fatal, match="nobody may verify"):
        desk.run(tasks.open_verification, review, job_key=21)

    both = ordered(key="three", doer=OPERATORS, verifier=OPERATORS, by="operator2", by_system=False)
    assert act("operator", both) is None
    with pytest.raises(Fatal, match="nobody may verify"):
        desk.run(tasks.open_verification, both, job_key=22)
    own = ordered(key="four", doer=OPERATORS, verifier=Role("head", department_kind="security"), by="security-head",
                  by_system=False)  # fmt: skip
    assert act("operator", own) is None
    desk.run(tasks.open_verification, own, job_key=23)
    assert act("security-head", own) == "was-opener"
    assert act("security-deputy", own) is None


@pytest.mark.requirement("R64")
def test_one_that_is_late_is_escalated_to_the_head_and_the_second_time_is_a_finding(desk: ReviewDesk) -> None:
    work_order_id = order(desk).id
    desk.run(tasks.start, work_order_id, 5)
    refused(desk, tasks.start, work_order_id, 6)
    refused(desk, tasks.remind, work_order_id, 31)
    refused(desk, tasks.escalate, work_order_id, 32)
    desk.clock.turn(13 * DAY)
    desk.run(tasks.remind, work_order_id, 31)
    desk.run(tasks.remind, work_order_id, 31)
    desk.run(tasks.remind, work_order_id, 33)
    assert told(desk, "work-order-reminder") == ["operator", "operator2"]

    desk.clock.turn(DAY)
    desk.run(tasks.escalate, work_order_id, 32)
    desk.run(tasks.escalate, work_order_id, 32)
    refused(desk, tasks.escalate, work_order_id, 34)
    assert told(desk, "work-order-overdue") == ["operator", "operator2"]
    assert told(desk, "work-order-overdue-below") == ["board-head"], "the storage office has no head"
    assert order(desk).finding_due_at is None
    assert [line.number for line in desk.run(queries.read, whose="overdue", by="supervisor").lines] == [
        order(desk).number
    ]

    desk.clock.turn(7 * DAY)
    desk.run(tasks.escalate, work_order_id, 34)
    assert order(desk).finding_due_at == desk.clock.now()
    assert [row.id for row in desk.run(queries.list_without_finding)] == [work_order_id]
    assert desk.run(queries.count_open) == ({"corrective-action": 1}, 1)
    do(desk)
    assert desk.run(queries.count_open) == ({"corrective-action": 1}, 0)
    desk.run(tasks.escalate, work_order_id, 35)
    desk.run(tasks.remind, work_order_id, 36)
    assert order(desk).escalations == 2


def test_a_verification_is_reminded_of_and_escalated(desk: ReviewDesk) -> None:
    do(desk)
    ask(desk)
    review_id = str(desk.the(WorkOrderAttempt).review_id)
    refused(desk, tasks.escalate_verification, review_id, 41)
    desk.run(tasks.remind_verifier, review_id, 42)
    desk.run(tasks.remind_verifier, review_id, 42)
    assert told(desk, "work-order-verification-reminder") == ["reviewer", "reviewer2"]
    desk.clock.turn(30 * DAY)
    desk.run(tasks.escalate_verification, review_id, 43)
    assert told(desk, "work-order-verification-overdue") == ["reviewer", "reviewer2"]
    with pytest.raises(NotPermitted):
        desk.run(tasks.remind_verifier, "nothing", 44)
    with pytest.raises(NotPermitted):
        tasks.require_stage("one", "security")


async def test_the_reason_of_a_cancelling_stands_on_the_page_as_it_was_written(desk: ReviewDesk) -> None:
    work_order_id = order(desk).id
    desk.run(service.cancel, work_order_id, "<b>只完成 50%</b>", by="supervisor")
    async with Portal(desk) as portal:
        page = (await (await portal.signed_in("supervisor")).get(f"/work-orders/{work_order_id}")).text
    assert "&lt;b&gt;只完成 50%&lt;/b&gt;" in page


@pytest.mark.requirement("R64")
def test_it_is_cancelled_with_a_reason_by_who_oversees_it_and_never_by_its_doer(desk: ReviewDesk) -> None:
    work_order_id = order(desk).id
    assert code(desk.run, service.cancel, work_order_id, "重复", by="operator") == "not-a-canceller"
    assert code(desk.run, service.cancel, work_order_id, " ", by="supervisor") == "missing"
    refused(desk, tasks.close, work_order_id, "cancelled")

    desk.run(service.cancel, work_order_id, "重复发起", by="supervisor")

    assert code(desk.run, service.cancel, work_order_id, "重复发起", by="supervisor") == "cancelled"
    assert code(do, desk) == "cancelled"
    assert ("work-order-cancelled", work_order_id) in messages(desk)
    assert "work-order-cancelled" in [one.name for one in desk.run(relay.claim_due)]
    desk.run(tasks.close, work_order_id, "cancelled")
    assert not [one for one in desk.run(relay.claim_due) if one.name.startswith("work-order")]
    assert desk.all(Document, kind="corrective-action") == []


@pytest.mark.requirement("R64")
def test_a_job_closes_nothing_over_other_facts_or_over_signatures_that_are_not_there(desk: ReviewDesk) -> None:
    work_order_id = order(desk).id
    do(desk)
    ask(desk)
    desk.run(
        lambda uow: uow.session.query(WorkOrderAttempt).update(
            {"outcome": "verified", "verified_by": "reviewer", "verified_at": uow.now}
        )
    )
    refused(desk, tasks.close, work_order_id, "done")
    desk.run(lambda uow: uow.session.query(WorkOrderAttempt).update({"outcome": None, "verified_by": None}))
    verify(desk)
    facts = order(desk).facts
    desk.run(lambda uow: uow.session.query(WorkOrder).update({"facts": {**facts, "interim": "改写"}}))
    refused(desk, tasks.close, work_order_id, "done")
    for act, args in ((tasks.close, ("nothing", "done")), (tasks.start, ("nothing", 1)), (tasks.reopen, ("nothing",))):
        refused(desk, act, *args)


def test_a_checklist_and_a_due_date_that_cannot_be_are_refused(desk: ReviewDesk) -> None:
    for values, refusal in (
        ({"due_at": NOON - DAY}, "due-date"),
        ({"due_at": NOON + 400 * DAY}, "due-date"),
        ({"checklist": []}, "checklist"),
        ({"kind": "whatever"}, "not-found"),
    ):
        assert code(_open, desk, key="other", **values) == refusal
    with pytest.raises(ValueError, match="a person or a post"):
        Role()
    for kind in KINDS:
        assert documents.describe.__doc__
        assert KINDS[kind].checklist


@pytest.mark.requirement("R64")
async def test_it_is_opened_done_and_verified_on_the_pages_and_by_the_interface(desk: ReviewDesk) -> None:
    asked = {
        "kind": "device-service",
        "subjectKind": "recorder",
        "subjectId": "recorder",
        "subjectLabel": "三号录像机",
        "reason": "风扇异响",
        "doer": {"post": "storage-operator", "departmentKind": "storage"},
        "verifier": {"post": "security-reviewer"},
    }
    async with Portal(desk) as portal:
        for login, kind, status in (("head", "device-service", 403), ("operator", "corrective-action", 403)):
            client = await portal.signed_in(login)
            assert (await client.post("/api/work-orders", json={**asked, "kind": kind})).status_code == status
        client = await portal.signed_in("operator")
        answer = await client.post("/api/work-orders", json=asked)
        assert answer.status_code == 201, answer.text
        view = answer.json()
        assert (view["mayDo"], view["mayVerify"], view["mayCancel"]) == (True, False, True)
        page = await client.get(f"/work-orders/{view['id']}")
        assert page.status_code == 200
        assert "风扇异响" in page.text
        answers = {item["code"]: {"answer": "yes"} for item in view["checklist"]}
        body = {"formSha256": view["factsSha256"], "password": PASSWORD, "answers": answers}
        address = f"/api/work-orders/{view['id']}"
        other = await portal.signed_in("operator2")
        assert (await other.post(f"{address}/done", json=body)).status_code == 200
        desk.run(tasks.open_verification, view["id"], job_key=51)
        for login, status in (("operator", 403), ("operator2", 403), ("supervisor", 403), ("admin", 404)):
            client = await portal.signed_in(login)
            verdict = {**body, "outcome": "verified", "answers": {"on-site": True, "met": True}}
            assert (await client.post(f"{address}/verify", json=verdict)).status_code == status
        client = await portal.signed_in("reviewer")
        for whose, found in (("verify", True), ("mine", False), ("all", True)):
            listed = await client.get(f"/work-orders?whose={whose}&kind=device-service&subject=recorder")
            assert (view["number"] in listed.text) is found, whose
        form = {
            "formSha256": view["factsSha256"],
            "password": PASSWORD,
            "outcome": "again",
            "answer-on-site": "yes",
            "answer-met": "no",
            "reason": "",
        }
        shown = await client.post(f"/work-orders/{view['id']}/verify", data=form)
        assert shown.status_code == 422
        done = await client.post(f"/work-orders/{view['id']}/verify", data={**form, "reason": "仍有异响"})
        assert done.status_code == 303
        assert (await client.get("/work-orders?form=csv&whose=all")).status_code == 200
        assert (await client.get("/work-orders/new")).status_code == 404
    events = [row.action for row in desk.all(AuditEvent, subject_id=view["id"])]
    assert {"work-order-opened", "work-order-read", "work-order-done", "work-order-verified"} <= set(events)
    assert Cause("reason", "", "风扇异响").label == desk.the(WorkOrder, id=view["id"]).facts["cause"]["label"]


@pytest.mark.requirement("R52", refuses=True)
async def test_nothing_is_signed_on_a_page_that_its_reader_does_not_see_as_it_was_typed(desk: ReviewDesk) -> None:
    made, wrong = order(desk), ("\u202e过经认确要需", "\x1b[2J", "\u200b\u2800", "长" * 4001)
    async with Portal(desk) as portal:
        client = await portal.signed_in("operator")
        view = (await client.get(f"/api/work-orders/{made.id}")).json()
        codes = [item["code"] for item in view["checklist"]]
        signed = {"formSha256": view["factsSha256"], "password": PASSWORD}
        done = {**signed, **{f"answer-{code}": "yes" for code in codes}}
        for field in ("note", f"note-{codes[0]}"):
            for text in wrong:
                answer = await client.post(f"/work-orders/{made.id}/done", data={**done, field: text})
                assert answer.status_code == 422, (field, text[:5])
        assert (await client.post(f"/work-orders/{made.id}/done", data=done)).status_code == 303
        desk.run(tasks.open_verification, made.id, job_key=51)
        reviewer = await portal.signed_in("reviewer")
        verdict = {**signed, "outcome": "again", "answer-on-site": "yes", "answer-met": "no"}
        for text in wrong:
            answer = await reviewer.post(f"/work-orders/{made.id}/verify", data={**verdict, "reason": text})
            assert answer.status_code == 422, text[:5]
    assert all(row.outcome is None for row in desk.all(WorkOrderAttempt, work_order_id=made.id))


@pytest.mark.requirement("R64")
async def test_what_waits_is_on_the_overview_of_who_does_it_and_then_of_who_verifies_it(desk: ReviewDesk) -> None:
    async def shown_to(portal: Portal) -> list[str]:
        number, found = order(desk).number, []
        for login in ("operator", "reviewer", "head"):
            client = await portal.signed_in(login)
            pages = {address: number in (await client.get(address)).text for address in ("/", "/work-orders")}
            assert len(set(pages.values())) == 1, (login, pages)
            found += [login] if pages["/"] else []
        return found

    async with Portal(desk) as portal:
        assert await shown_to(portal) == ["operator"]
        do(desk)
        assert await shown_to(portal) == []
        ask(desk)
        assert await shown_to(portal) == ["reviewer"]
        [line], count = desk.run(queries.list_waiting, 5, by="reviewer")
        assert (line.to_verify, count) == (True, 1)
        verify(desk)
        assert await shown_to(portal) == []
