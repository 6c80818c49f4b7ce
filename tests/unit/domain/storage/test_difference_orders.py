"""What a reconciliation finds becomes work orders, of which each finding is a part (R13, R53, R64, R66)."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import amount
import pytest
from lent_case import lend
from prepared_desk import prepared_desk
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.cameras import Recorder
from services.database.tables.maintenance import ReconciliationFinding
from services.database.tables.sites import SiteKeeper
from services.database.tables.violations import Violation
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.storage import findings, maintenance, reconciliation, sites
from services.domain.storage.findings import Found
from services.domain.storage.schemas import SiteBody
from services.domain.work_orders import opening, queries, service, tasks
from services.domain.work_orders.service import Answered, Done, Verdict
from services.runtime.errors import NotFound, Refused

DAY = timedelta(days=1)
WHY = "经核对，系迁移时遗留。"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk: ReviewDesk = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lend)[0]
    yield desk
    desk.close()


def reconcile(desk: ReviewDesk, found: Sequence[Found]) -> list[WorkOrder]:
    """The reconciliation of the next day; the work orders that are open then, by title."""
    desk.clock.turn(DAY)

    def act(uow: UnitOfWork) -> None:
        day = maintenance.begin(uow, maintenance.RECONCILE, "job 1")
        assert day is not None
        findings.record(uow, day, found)
        reconciliation.finish(uow, day, ["primary", "replica", "engine"], [])
        reconciliation.finish(uow, day, ["primary", "replica", "engine"], [])  # a job that is sent twice

    desk.run(act)
    return opened(desk)


def opened(desk: ReviewDesk) -> list[WorkOrder]:
    kinds = ("difference", "access-inquiry")
    rows = [row for row in desk.all(WorkOrder) if row.closed_at is None and row.kind in kinds]
    return sorted(rows, key=lambda row: row.title_en)


def extra(number: int, **detail: object) -> Found:
    return Found("extra", "primary", f"masters/stranger/{number}", detail=detail)


def states(desk: ReviewDesk) -> list[str]:
    return sorted(row.state for row in desk.all(ReconciliationFinding))


def work(desk: ReviewDesk, order: WorkOrder, doer: str, verifier: str, **answers: Answered) -> None:
    """Do it, have it verified and close it, as its process does."""
    given = {item["code"]: Answered("yes") for item in order.facts["checklist"]} | answers
    proof = Proof(order.facts_sha256, PASSWORD)
    desk.run(service.done, order.id, Done(given), proof, by=doer)
    desk.run(tasks.open_verification, order.id, job_key=next(desk.keys))
    desk.run(service.verify, order.id, Verdict("verified", {"on-site": True, "met": True}), proof, by=verifier)
    desk.run(tasks.close, order.id, "done")


@pytest.mark.requirement("R53", "R64")
def test_one_work_order_for_each_kind_place_and_day_and_not_for_each_object(desk: ReviewDesk) -> None:
    many = amount.examples(sample=300, full=10_000)
    found = [extra(number) for number in range(many)]
    elsewhere = Found("extra", "replica", "replicas/stranger/1")
    orders = reconcile(desk, [*found, elsewhere, Found("lock", "primary", "masters/1", detail={"until": "a"})])
    assert [order.title_en for order in orders] == [
        "lock missing or too short · primary store",
        "not in the register · backup store",
        "not in the register · primary store",
    ]
    assert orders[2].facts["facts"]["differences"] == many
    assert states(desk) == ["work-order"] * (many + 2)
    # the same again opens nothing; what is new has a work order of its own, which does not change what was signed
    assert len(reconcile(desk, [*found, elsewhere, Found("lock", "primary", "masters/1", detail={"until": "a"})])) == 3
    later = reconcile(desk, [*found, extra(many)])
    assert sorted(order.facts["facts"]["differences"] for order in later) == [1, many]
    with pytest.raises(Refused):
        desk.run(opening.require_may_open, "difference", by="security-head")


@pytest.mark.requirement("R53", "R64")
def test_what_is_explained_or_gone_closes_its_part_and_hides_nothing_new(desk: ReviewDesk) -> None:
    [order] = reconcile(desk, [extra(1, size=5), extra(2, size=5)])
    first, _ = sorted(desk.all(ReconciliationFinding), key=lambda row: row.subject)
    desk.run(findings.explain, first.id, WHY, by="supervisor")
    assert [one.id for one in opened(desk)] == [order.id], "one part is left"
    assert reconcile(desk, [extra(1, size=5)]) == [], "the last part is gone"
    assert desk.the(WorkOrder, id=order.id).closed_as == "cancelled"
    assert states(desk) == ["explained", "gone"]
    # another object under the key that was explained is no longer what was explained
    [again] = reconcile(desk, [extra(1, size=6)])
    assert again.id != order.id
    finding = desk.the(ReconciliationFinding, id=first.id)
    assert (finding.state, finding.explanation, finding.detail) == ("work-order", None, {"size": 6})
    desk.run(findings.explain, first.id, WHY, by="supervisor")
    assert opened(desk) == [], "cancelled in the act that explains the last part"


@pytest.mark.requirement("R64")
def test_a_work_order_closes_nothing_by_its_word_and_none_that_is_cancelled_hides_its_parts(desk: ReviewDesk) -> None:
    [order] = reconcile(desk, [extra(1)])
    work(desk, order, "operator", "reviewer")
    assert states(desk) == ["work-order"]
    [again] = reconcile(desk, [extra(1)])
    assert again.id != order.id
    desk.run(service.cancel, again.id, "重复", by="supervisor")
    [third] = reconcile(desk, [extra(1)])
    assert third.id != again.id
    work(desk, third, "operator", "reviewer")
    assert reconcile(desk, []) == []
    assert states(desk) == ["gone"]


def ghost(number: int, name: str = "mine") -> Found:
    return Found(
        "ghost-export", "recorder", "North recorder", f"r:{number}", None, {"export": str(number), "name": name}
    )


@pytest.mark.requirement("R53", "R66")
def test_an_export_of_no_case_is_examined_by_security_and_not_by_who_keeps_the_recorder(desk: ReviewDesk) -> None:
    [order] = reconcile(desk, [ghost(1), ghost(2)])
    assert "ghost-export" not in {row.kind for row in desk.all(Violation)}, "it has no case"
    assert order.kind == "access-inquiry"
    assert [line["export"] for line in order.facts["facts"]["evidence"]] == ["1", "2"]
    for stranger in ("operator", "drafter", "keeper", "admin"):
        with pytest.raises(NotFound):
            desk.run(queries.get, order.id, by=stranger)
        with pytest.raises(NotFound):
            desk.run(service.done, order.id, Done({}), Proof(order.facts_sha256, PASSWORD), by=stranger)
    assert desk.run(queries.get, order.id, by="supervisor").kind == "access-inquiry"
    with pytest.raises(Refused) as refused:
        desk.run(service.done, order.id, Done({}), Proof(order.facts_sha256, PASSWORD), by="supervisor")
    assert refused.value.code == "not-the-doer"

    def keep(uow: UnitOfWork) -> None:
        recorder = uow.session.query(Recorder).first()
        assert recorder is not None
        site = sites.add(uow, SiteBody(name="东区机房", address="厂区东路1号"))
        recorder.name, recorder.site_id = "North recorder", site.id
        uow.session.add(
            SiteKeeper(site_id=site.id, person_id="security-head", part="keeper", since=uow.now, entered_by="admin")
        )

    desk.run(keep, by="operator")
    for finding in desk.all(ReconciliationFinding):
        for head in ("security-head", "security-deputy"):
            with pytest.raises(Refused) as refused:
                desk.run(findings.explain, finding.id, WHY, by=head)
            assert refused.value.code == "inquiry-own", "an inquiry is not closed by who makes it"
    answers = {item["code"]: Answered("yes") for item in order.facts["checklist"]}
    with pytest.raises(Refused) as refused:
        desk.run(service.done, order.id, Done(answers), Proof(order.facts_sha256, PASSWORD), by="security-head")
    assert refused.value.code == "not-done-yet"
    desk.run(lambda uow: uow.session.query(SiteKeeper).filter_by(person_id="security-head").update({"until": uow.now}))
    work(desk, order, "security-head", "supervisor", allowed=Answered("no", "未经申请导出。"))
    done = desk.the(WorkOrder, id=order.id)
    assert done.finding_due_at is not None, "supervision records it"
    assert states(desk) == ["explained", "explained"]
    assert {row.explained_by for row in desk.all(ReconciliationFinding)} == {"supervisor"}
    with pytest.raises(Refused) as refused:
        desk.run(service.cancel, order.id, "不需要", by="security-head")
    assert refused.value.code == "not-a-canceller"
    # the recorder lists them for ever; a new one under an old number is new
    [second] = reconcile(desk, [ghost(1), ghost(2, name="other")])
    assert [line["name"] for line in second.facts["facts"]["evidence"]] == ["other"]
