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
from services.database.tables.people import Absence, Post
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.work_orders import queries, service, tasks
from services.domain.work_orders.roles import Role
from services.domain.work_orders.service import Answered, Done, Subject, Verdict
from services.runtime.errors import NotFound, Refused

DAY = timedelta(days=1)
SECURITY = Role("head", department_kind="security")
SUPERVISORS = Role("supervisor")


@pytest.fixture
def lent(tmp_path: Path) -> Iterator[tuple[ReviewDesk, str]]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lend)
    yield desk, ids["application_id"]
    desk.close()


def opened(desk: ReviewDesk, doer: Role, key: str = "one", **values: Any) -> WorkOrder:
    def act(uow: UnitOfWork) -> WorkOrder:
        given = {"key": key, "doer": doer, "by_system": True, **values}
        return service.open_work_order(uow, "corrective-action", Subject("finding", "f", "JC-2031-000001/1"), **given)

    return desk.run(act)


def code(act: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises((Refused, NotFound)) as found:
        act(*args, **named)
    return found.value.code


def do(desk: ReviewDesk, order: WorkOrder, by: str) -> None:
    answers = {item["code"]: Answered("yes") for item in order.facts["checklist"]}
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


@pytest.mark.requirement("R62", "R64")
def test_whom_the_case_concerns_neither_sees_its_work_orders_nor_verifies_them(lent: tuple[ReviewDesk, str]) -> None:
    desk, case = lent

    def concern(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, case).subject_ids = ["supervisor", "security-head", "reviewer"]

    desk.run(concern)
    order = opened(desk, Role("storage-operator"), application_id=case, verifier=Role("security-reviewer"))
    for by in ("supervisor", "security-head"):
        assert code(desk.run, queries.get, order.id, by=by) == "not-found"
        assert desk.run(queries.read, by=by).lines == []
    do(desk, order, "operator")
    desk.run(tasks.open_verification, order.id, job_key=7)
    verdict, proof = Verdict("verified", {"on-site": True, "met": True}), Proof(order.facts_sha256, PASSWORD)
    assert code(desk.run, service.verify, order.id, verdict, proof, by="reviewer") == "subject"
    desk.run(service.verify, order.id, verdict, proof, by="reviewer2")


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
    own = desk.run(service.open_defect, "reconcile")
    assert own.id != by_hand
    assert own.doer_post == "storage-operator"
    assert desk.run(service.open_defect, "reconcile").id == own.id
