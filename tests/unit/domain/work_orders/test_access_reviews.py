"""The review of grants each quarter: what is open is asked for one by one, and ends by acts that there are (R55)."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from lent_case import Parts, lend
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.copies import Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.notices import Notice
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.custody import copies, grants
from services.domain.matters import service as matters
from services.domain.work_orders import access_reviews, schedules, service, tasks
from services.domain.work_orders.service import Answered, Done, Verdict
from services.runtime.errors import Refused

QUARTER = timedelta(days=93)


def lent(desk: ReviewDesk) -> dict[str, str]:
    ids = lend(desk, Parts(subject_ids=()))

    def allow(uow: UnitOfWork) -> None:
        hand_over = uow.session.get_one(HandOver, ids["hand_over_id"])
        grants.create(uow, hand_over, copies.list_lent(uow, hand_over.id), ("view",), person_id="drafter")

    desk.run(allow)
    poke(desk)
    return ids


def poke(desk: ReviewDesk) -> None:
    while desk.run(schedules.open_due_work_orders)[1]:
        pass


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[ReviewDesk, str]]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent)
    later = desk.clock.now() + QUARTER
    for grant in desk.all(Grant):
        desk.run(lambda uow, grant=grant: setattr(uow.session.get_one(Grant, grant.id), "until", later + 2 * QUARTER))
    desk.clock.turn(QUARTER)
    poke(desk)
    yield desk, ids["hand_over_id"]
    desk.close()


def review(desk: ReviewDesk, department: str = "works") -> WorkOrder:
    return next(row for row in desk.all(WorkOrder, kind="access-review") if row.subject_id == department)


def done(desk: ReviewDesk, order: WorkOrder, by: str, *ended: str) -> None:
    answers = {
        item["code"]: Answered("no", "工作已经结束。") if item["code"] in ended else Answered("yes")
        for item in order.facts["checklist"]
    }
    desk.run(service.done, order.id, Done(answers), Proof(order.facts_sha256, PASSWORD), by=by)
    desk.run(tasks.open_verification, order.id, job_key=int(order.opened_at.timestamp()))


def accept(desk: ReviewDesk, order: WorkOrder) -> None:
    verdict = Verdict("verified", {"on-site": True, "met": True})
    desk.run(service.verify, order.id, verdict, Proof(order.facts_sha256, PASSWORD), by="security-head")
    desk.run(tasks.close, order.id, "done")


@pytest.mark.requirement("R55", refuses=True)
async def test_grants_are_asked_for_one_by_one_and_end_when_the_review_is_verified(
    desk: tuple[ReviewDesk, str],
) -> None:
    at, loan = desk
    order = review(at)
    of_grants = [item for item in order.facts["checklist"] if item["code"].startswith("grant:")]
    viewer, custodian = f"grant:{loan}:drafter", f"grant:{loan}:keeper"
    assert sorted(item["code"] for item in of_grants) == [viewer, custodian]
    number = at.all(Application)[0].number or ""
    assert all(number in item["zh"] and number in item["en"] for item in of_grants)
    assert {(one["person"], one["actions"]) for one in order.facts["facts"]["grants"]} == {
        ("drafter", "view"),
        ("keeper", "download + view"),
    }
    async with Portal(at) as portal:
        page = (await (await portal.signed_in("head")).get(f"/work-orders/{order.id}")).text
        assert f"answer-{viewer}" in page
        shown = re.sub(r'(datetime|data-[a-z]+)="[^"]*"', "", page)
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", shown)  # moments as pages write them
        assert not re.search(r"\d\dT\d\d:", shown)
    with pytest.raises(Refused) as missing:
        at.run(
            service.done,
            order.id,
            Done({item["code"]: Answered("yes") for item in order.facts["checklist"][:3]}),
            Proof(order.facts_sha256, PASSWORD),
            by="head",
        )
    assert missing.value.code == "missing", "no grant is passed over"

    done(at, order, "head", viewer)
    assert [grant for grant in at.all(Grant, person_id="drafter") if grant.ended_at is not None] == [], "not before"
    assert at.all(Notice, code="work-order-recall-asked") == []
    accept(at, order)
    [grant] = at.all(Grant, person_id="drafter")
    assert grant.ended_because == "access-review"
    assert sorted(one.person_id for one in at.all(Notice, code="view-ended-by-review")) == ["drafter", "keeper"]
    [entry] = at.all(CustodyEntry, event="view-ended")
    assert entry.detail["review"] == order.number
    sheet = json.loads(at.the(Document, number=order.number).content)["attempts"][0]["answers"]
    asked_of = next(item["zh"] for item in of_grants if item["code"] == viewer)
    assert {"question": asked_of, "answer": "否", "note": "工作已经结束。"} in sheet

    at.clock.turn(QUARTER)
    poke(at)
    later = next(row for row in at.all(WorkOrder, kind="access-review", subject_id="works") if row.id != order.id)
    assert [item["code"] for item in later.facts["checklist"] if item["code"].startswith("grant:")] == [custodian]
    done(at, later, "head", custodian)
    assert {one.person_id for one in at.all(Notice, code="work-order-recall-asked")} >= {"security-head", "reviewer"}
    with pytest.raises(Refused) as early:
        accept(at, later)
    assert early.value.code == "not-accepted-yet", "the custodian's access ends by a recall alone"
    asked = {"ground": "no-longer-needed", "reason": "权限复核要求收回。"}
    recalls = at.all(Notice, code="work-order-recall-asked")
    assert {(one.done_at, one.subject_id) for one in recalls} == {(None, later.id)}
    at.run(matters.open_matter, "recall", at.all(Application)[0].id, asked, by="reviewer")
    assert all(one.done_at for one in at.all(Notice, code="work-order-recall-asked"))
    accept(at, later)
    assert at.the(WorkOrder, id=later.id).closed_as == "done"


@pytest.mark.requirement("R55", refuses=True)
def test_no_head_reviews_what_concerns_them_or_is_their_own(desk: tuple[ReviewDesk, str]) -> None:
    at, _ = desk

    def listed(**changed: object) -> dict[str, list[str]]:
        def change(uow: UnitOfWork) -> dict[str, list[str]]:
            application = uow.session.query(Application).filter(Application.number.is_not(None)).first()
            application.subject_ids = changed["subject_ids"]
            uow.session.flush()
            return {key: [one.person_id for one in ones] for key, ones in access_reviews.by_reviewer(uow).items()}

        return at.run(change)

    assert listed(subject_ids=[]) == {"works": ["drafter", "keeper"]}
    assert listed(subject_ids=["head"]) == {"withheld": ["drafter", "keeper"]}
    assert listed(subject_ids=["security-head"]) == {}, "who reads every review must not learn of it"


@pytest.mark.requirement("R55", refuses=True)
def test_nobody_reviews_verifies_or_cancels_the_review_of_the_own_grants(desk: tuple[ReviewDesk, str]) -> None:
    at, _loan = desk
    order = review(at)

    def name_the_head(uow: UnitOfWork) -> None:
        row = uow.session.get_one(WorkOrder, order.id)
        items = [*row.facts["checklist"], {"code": f"grant:{_loan}:head", "zh": "？", "en": "?"}]
        row.facts = {**row.facts, "checklist": items}

    at.run(name_the_head)
    asked = review(at)
    with pytest.raises(Refused) as refused:
        done(at, asked, "head")
    assert refused.value.code == "has-a-part"
    at.post("head", "supervisor", "works")
    with pytest.raises(Refused) as refused:
        at.run(service.cancel, order.id, "不需要", by="head")
    assert refused.value.code == "not-a-canceller"
