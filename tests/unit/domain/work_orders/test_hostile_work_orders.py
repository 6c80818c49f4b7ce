"""Attempts on work orders by people whom they ask, or whom their case concerns."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lent_case import lend
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import NOON, PASSWORD, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.notices import Notice
from services.database.tables.people import Absence, Post
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.documents import service as document_service
from services.domain.work_orders import attached, opening, queries, service, tasks
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import Role
from services.domain.work_orders.service import Answered, Done, Verdict
from services.runtime.errors import NotFound, Refused

DAY = timedelta(days=1)
SECURITY = Role("head", department_kind="security")
SUPERVISORS = Role("supervisor")
IN_PLACE = "work-order-signed-in-your-place"


@pytest.fixture
def lent(tmp_path: Path) -> Iterator[tuple[ReviewDesk, str]]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lend)
    yield desk, ids["application_id"]
    desk.close()


def opened(
    desk: ReviewDesk, doer: Role, key: str = "one", kind: str = "corrective-action", loan: str = "", **values: Any
) -> WorkOrder:
    subject = Subject("loan", loan, "SQ-2031-000001") if loan else Subject("finding", "f", "JC-2031-000001/1")

    def act(uow: UnitOfWork) -> WorkOrder:
        given = {"key": key, "doer": doer, "by_system": True, **values}
        return opening.open_work_order(uow, kind, subject, **given)

    return desk.run(act)


def concern(desk: ReviewDesk, case: str, *people: str) -> None:
    def act(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, case).subject_ids = list(people)

    desk.run(act)


def told(desk: ReviewDesk, notice: str) -> set[str]:
    return {row.person_id for row in desk.all(Notice, code=notice)}


def code(act: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises((Refused, NotFound)) as found:
        act(*args, **named)
    return found.value.code


def do(desk: ReviewDesk, order: WorkOrder, by: str, answer: str = "yes") -> None:
    answers = {item["code"]: Answered(answer, "遗失") for item in order.facts["checklist"]}
    desk.run(service.done, order.id, Done(answers), Proof(order.facts_sha256, PASSWORD), by=by)


@pytest.mark.requirement("R64")
def test_nobody_cancels_what_is_asked_of_their_own_post(lent: tuple[ReviewDesk, str]) -> None:
    desk, _ = lent
    order = opened(desk, SECURITY)
    for by in ("security-head", "security-deputy"):
        assert not desk.run(queries.get, order.id, by=by).may_cancel
        assert code(desk.run, service.cancel, order.id, "不需要", by=by) == "not-a-canceller"
    assert desk.the(WorkOrder, id=order.id).closed_at is None
    desk.run(service.cancel, order.id, "重复", by="supervisor")


@pytest.mark.requirement("R64")
def test_none_of_those_in_whose_place_it_was_done_verifies_it(lent: tuple[ReviewDesk, str]) -> None:
    """A deputy acts for all absent heads, and not for the first of them alone."""
    desk, _ = lent
    heads = Role("head", department_kind="security")

    def second_head(uow: UnitOfWork) -> None:
        uow.session.add(Post(person_id="reviewer", department_id="security", kind="head", since=NOON - DAY))
        for person in ("security-head", "reviewer"):
            uow.session.add(Absence(person_id=person, since=NOON - DAY, until=NOON + DAY, added_by=person))

    desk.run(second_head)
    order = opened(desk, heads, verifier=Role("security-reviewer", department_kind="security"))
    do(desk, order, "security-deputy")
    desk.run(tasks.open_verification, order.id, job_key=7)
    verdict = Verdict("verified", {"on-site": True, "met": True})
    proof = Proof(order.facts_sha256, PASSWORD)
    assert code(desk.run, service.verify, order.id, verdict, proof, by="reviewer") == "was-doer"
    desk.run(service.verify, order.id, verdict, proof, by="reviewer2")
    assert told(desk, IN_PLACE) == {"security-head", "reviewer"}, "by the act itself, and by no verification"


@pytest.mark.requirement("R64")
def test_who_is_in_charge_is_told_that_a_substitute_did_or_verified_it_but_not_whom_the_case_concerns(
    lent: tuple[ReviewDesk, str],
) -> None:
    desk, case = lent
    desk.post("reviewer", "head", "security")
    desk.away("security-head", "reviewer")
    concern(desk, case, "reviewer")
    order = opened(desk, Role("storage-operator"), application_id=case, verifier=SECURITY)
    do(desk, order, "operator")
    assert told(desk, IN_PLACE) == set()
    desk.run(tasks.open_verification, order.id, job_key=7)
    verdict = Verdict("verified", {"on-site": True, "met": True})
    desk.run(service.verify, order.id, verdict, Proof(order.facts_sha256, PASSWORD), by="security-deputy")
    assert told(desk, IN_PLACE) == {"security-head"}
    [notice] = desk.all(Notice, code=IN_PLACE)
    assert (notice.subject_id, notice.done_at) == (order.id, None)
    desk.run(queries.get, order.id, by="security-head")


@pytest.mark.requirement("R62", "R64")
def test_whom_the_case_concerns_neither_sees_its_work_orders_nor_verifies_them(lent: tuple[ReviewDesk, str]) -> None:
    desk, case = lent
    concern(desk, case, "supervisor", "security-head", "reviewer")
    order = opened(desk, Role("storage-operator"), application_id=case, verifier=Role("security-reviewer"))
    do(desk, order, "operator")
    desk.run(tasks.open_verification, order.id, job_key=7)
    for by in ("supervisor", "security-head", "reviewer"):
        assert code(desk.run, queries.get, order.id, by=by) == "not-found"
        assert code(desk.run, attached.read, order.id, by=by) == "not-found"
        assert desk.run(queries.read, by=by).lines == []
        assert desk.run(queries.list_waiting, 10, by=by) == ([], 0)
    verdict, proof = Verdict("verified", {"on-site": True, "met": True}), Proof(order.facts_sha256, PASSWORD)
    assert code(desk.run, service.verify, order.id, verdict, proof, by="reviewer") == "not-found"
    assert "reviewer" not in told(desk, "work-order-to-verify")
    desk.run(service.verify, order.id, verdict, proof, by="reviewer2")
    desk.run(tasks.close, order.id, "done")
    assert code(desk.run, document_service.read_document, order.number, "data", by="reviewer") == "not-found"
    desk.run(document_service.read_document, order.number, "data", by="reviewer2")


@pytest.mark.requirement("R62", refuses=True)
def test_whom_the_case_concerns_sees_no_corrective_action_by_the_post_that_does_or_verifies_it(
    lent: tuple[ReviewDesk, str],
) -> None:
    """The supervisor would verify it, the office's deputy would stand in for its doer."""
    desk, case = lent
    desk.post("keeper", "deputy", "office")
    concern(desk, case, "supervisor", "keeper")
    order = opened(desk, Role("head", department_id="office"), application_id=case, verifier=SUPERVISORS)
    for by in ("supervisor", "keeper"):
        assert code(desk.run, queries.get, order.id, by=by) == "not-found", by
        assert desk.run(queries.read, by=by).lines == [], by
        assert desk.run(lambda uow: uow.session.execute(queries.select_due(uow)).all(), by=by) == [], by
    assert [line.id for line in desk.run(queries.read, by="office-head").lines] == [order.id]


@pytest.mark.requirement("R62", refuses=True)
def test_whom_the_case_concerns_does_nothing_by_a_post_and_only_what_they_are_asked_by_name(
    lent: tuple[ReviewDesk, str],
) -> None:
    desk, case = lent
    loan = desk.the(HandOver).id
    concern(desk, case, "head", "keeper")
    by_post = opened(desk, Role("head", department_id="works"), "post", "hold-review", loan, application_id=case)
    assert (by_post.doer_post, by_post.doer_department_id) == ("deputy", "works")
    assert code(desk.run, queries.get, by_post.id, by="head") == "not-found"
    assert desk.run(queries.get, by_post.id, by="deputy").may_do
    assert told(desk, "work-order-opened") == {"deputy"}

    by_name = opened(desk, Role(person_id="keeper"), "name", "check-in", loan, application_id=case)
    assert "keeper" in told(desk, "work-order-opened")
    assert desk.run(queries.get, by_name.id, by="keeper").may_do
    do(desk, by_name, "keeper")


@pytest.mark.requirement("R62", refuses=True)
def test_no_notice_of_a_work_order_goes_to_a_head_whom_its_case_concerns(lent: tuple[ReviewDesk, str]) -> None:
    desk, case = lent
    loan = desk.the(HandOver).id
    concern(desk, case, "head", "security-head")
    desk.away("keeper")  # so that somebody is told in the place
    order = opened(desk, Role(person_id="keeper"), "one", "check-in", loan, application_id=case)
    assert told(desk, "work-order-opened") == {"keeper", "deputy"}
    other = opened(desk, Role(person_id="deputy"), "two", "hold-review", loan, application_id=case)

    desk.clock.turn(15 * DAY)
    desk.run(tasks.escalate, order.id, 98)
    assert told(desk, "work-order-overdue-below") == {"security-deputy"}
    desk.run(tasks.escalate, other.id, 99)
    assert told(desk, "work-order-overdue-below") == {"security-deputy", "board-head"}

    do(desk, order, "keeper", answer="no")
    desk.run(tasks.close, order.id, "done")
    assert told(desk, "work-order-check-in-no") == {"security-deputy"}


@pytest.mark.requirement("R47", "R64")
async def test_nobody_opens_by_hand_what_follows_a_row_or_stands_for_the_systems_own(
    lent: tuple[ReviewDesk, str],
) -> None:
    desk, _ = lent
    asked = {"subjectId": "reconcile", "subjectLabel": "x", "reason": "x", "doer": {"personId": "operator2"}}
    async with Portal(desk) as portal:
        leader = await portal.signed_in("security-head")
        for kind, subject in (("check-in", "loan"), ("hold-review", "hold"), ("agreement-renewal", "agreement")):
            answer = await leader.post("/api/work-orders", json={**asked, "kind": kind, "subjectKind": subject})
            assert (answer.status_code, answer.json()["code"]) == (403, "not-an-opener"), kind
        operator = await portal.signed_in("operator")
        answer = await operator.post("/api/work-orders", json={**asked, "kind": "defect", "subjectKind": "defect"})
        assert answer.status_code == 201, answer.text
    by_hand = answer.json()["id"]
    own = desk.run(opening.open_defect, "reconcile")
    assert own.id != by_hand
    assert own.doer_post == "storage-operator"
    assert desk.run(opening.open_defect, "reconcile").id == own.id
