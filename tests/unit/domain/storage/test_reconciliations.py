"""Who reads reconciliations and explains what they have found: pages, API, report and figures (R13, R53, R62)."""

import json

import pytest
from lent_case import lend
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import ReviewDesk
from statements import statements

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.documents import Document
from services.database.tables.maintenance import Damage, ReconciliationFinding
from services.database.tables.masters import Master
from services.database.tables.notices import Notice
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import metrics as case_metrics
from services.domain.holds import queries as holds
from services.domain.notifications import service as notification_service
from services.domain.storage import damages, findings, maintenance, reconciliation, verification
from services.domain.storage.findings import Found
from services.runtime import metrics

HERE = "/storage/reconciliations"
WHY = "经核对，系迁移时遗留。"


@pytest.fixture
def desk(any_database_url: str) -> ReviewDesk:
    desk: ReviewDesk = prepared_desk(any_database_url, lend)[0]
    return desk


def reconciled(desk: ReviewDesk, extra: int = 0) -> str:
    """A reconciliation that has found a missing master, and a stranger; its day."""

    def act(uow: UnitOfWork) -> str:
        day = maintenance.begin(uow, maintenance.RECONCILE, "job 1")
        assert day is not None
        master = uow.session.query(Master).first()
        assert master is not None
        found = [Found("missing", "primary", master.sealed["key"], "", master.application_id)]
        found += [Found("extra", "primary", f"masters/stranger/{number}") for number in range(1 + extra)]
        findings.record(uow, day, found)
        damages.report(uow, verification.subject_of(master, "primary"), ["missing"])
        reconciliation.finish(uow, day, ["primary"], [])
        return day

    return str(desk.run(act))


@pytest.mark.requirement("R62")
async def test_who_keeps_what_is_stored_reads_and_explains_nothing(desk: ReviewDesk, portal: Portal) -> None:
    reconciled(desk)
    number = desk.the(Document, kind="reconciliation").number
    finding = desk.the(ReconciliationFinding, kind="extra")
    for person, reads, explains in (
        *(("drafter", False, False), ("admin", False, False), ("operator", True, False)),
        *(("reviewer", True, False), ("supervisor", True, True), ("security-head", True, True)),
    ):
        client = await portal.signed_in(person)
        page = await client.get(HERE)
        assert page.status_code == (200 if reads else 403), person
        assert (f"{HERE}/findings/{finding.id}" in page.text) is explains, person
        answer = await client.get("/api/storage/reconciliations", params={"state": "work-order"})
        assert answer.status_code == (200 if reads else 403), person
        assert (await client.get(f"/api/documents/{number}/print")).status_code == (200 if reads else 404), person
        if reads:
            assert number in page.text
            assert {one["kind"] for one in answer.json()["findings"]} == {"extra", "missing"}
            refused = await client.post(f"{HERE}/findings/{finding.id}", data={"explanation": "x"})
            assert refused.status_code in (403, 422)

    head = await portal.signed_in("security-head")
    assert (await head.post(f"{HERE}/findings/{finding.id}", data={"explanation": WHY})).status_code == 303
    assert (await head.post(f"{HERE}/findings/{finding.id}", data={"explanation": WHY})).status_code == 409
    shown = (await head.get(HERE)).text
    assert WHY in shown
    assert desk.the(ReconciliationFinding, kind="extra").state == "explained"
    left = desk.the(ReconciliationFinding, kind="missing")
    assert {one.done_at for one in desk.all(Notice, code="reconciliation-findings")} == {None}
    assert (await head.post(f"{HERE}/findings/{left.id}", data={"explanation": WHY})).status_code == 303
    assert all(one.done_at for one in desk.all(Notice, code="reconciliation-findings"))


@pytest.mark.requirement("R53")
async def test_an_unexamined_damage_holds_its_case_and_is_counted(desk: ReviewDesk, portal: Portal) -> None:
    reconciled(desk)
    damage = desk.the(Damage)
    assert "damage" in {one.cause for one in desk.run(holds.list_holdings, damage.application_id)}
    desk.run(case_metrics.update_gauges)
    assert metrics.DAMAGES_UNREPAIRED._value.get() == 1
    assert metrics.FINDINGS_OPEN._value.get() == 2
    assert metrics.RECONCILE_AGE._value.get() == 0

    operator, supervisor = await portal.signed_in("operator"), await portal.signed_in("supervisor")
    body = {"found": "硬盘坏道。"}
    assert (await operator.post(f"/api/storage/damages/{damage.id}/examination", json=body)).status_code == 403
    repaired = desk.run(
        notification_service.notify, "reviewer", "footage-repaired", application_id=None, subject_id=damage.id
    )
    examined = await supervisor.post(f"/api/storage/damages/{damage.id}/examination", json=body)
    assert examined.json()["examinedAs"] == "硬盘坏道。"
    assert "damage" not in {one.cause for one in desk.run(holds.list_holdings, damage.application_id)}
    assert "damage-examined" in {event.action for event in desk.all(AuditEvent)}
    assert desk.the(Notice, id=repaired.id).done_at is not None


@pytest.mark.requirement("R62")
async def test_whom_a_case_concerns_learns_nothing_of_it_from_a_reconciliation(
    desk: ReviewDesk, portal: Portal
) -> None:
    reconciled(desk)
    concerned = desk.the(Damage).application_id
    desk.run(lambda uow: setattr(uow.session.get_one(Application, concerned), "subject_ids", ["supervisor"]))
    client = await portal.signed_in("supervisor")
    answer = (await client.get("/api/storage/reconciliations")).json()
    assert {one["kind"] for one in answer["findings"]} == {"extra"}
    assert answer["damages"] == []
    number = desk.the(Document, kind="reconciliation").number
    assert (await client.get(f"/api/documents/{number}")).status_code == 404
    damage = desk.the(Damage)
    body = {"found": "none"}
    assert (await client.post(f"/api/storage/damages/{damage.id}/examination", json=body)).status_code == 404


async def test_the_page_takes_as_many_statements_however_many_findings_there_are(
    desk: ReviewDesk, portal: Portal
) -> None:
    reconciled(desk, extra=60)
    client = await portal.signed_in("reviewer")
    with statements(desk.database.engine) as made:
        page = await client.get(HERE)
    assert len(made) <= 25
    following = page.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert following
    assert (await client.get(following)).status_code == 200
    content = json.loads(desk.the(Document, kind="reconciliation").content)
    assert (content["found"], len(content["findings"])) == (62, 62)
