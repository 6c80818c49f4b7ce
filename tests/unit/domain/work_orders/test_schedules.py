"""Schedules: what a poke opens, once for each period and subject, and who changes them (R11, R15, R47, R55, R59)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from archived_case import further
from lent_case import lend
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import NOON, PASSWORD, ReviewDesk
from sqlalchemy import event, insert, update

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.custody import HandOver
from services.database.tables.disposals import DUE, DisposalItem
from services.database.tables.holds import Hold
from services.database.tables.maintenance import Damage
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.tables.work_orders import Schedule, WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.agreements import service as agreements
from services.domain.cameras import device_health
from services.domain.change_requests import service as change_requests
from services.domain.matters import held as holds
from services.domain.storage import devices, health, sites
from services.domain.storage.schemas import DeviceBody, SiteBody
from services.domain.work_orders import opening, periods, queries, schedules, service, sources, tasks
from services.domain.work_orders.kinds import SCHEDULES
from services.domain.work_orders.roles import Role
from services.domain.work_orders.schedules import Values
from services.domain.work_orders.service import Answered, Done
from services.runtime.errors import Refused
from services.runtime.storage_health import Disk, StorageHealth
from services.runtime.translations import Message

DAY = timedelta(days=1)


def lent(desk: ReviewDesk) -> dict[str, str]:
    ids = lend(desk)
    poke(desk)
    return ids


def poke(desk: ReviewDesk) -> int:
    opened, more = 0, True
    while more:
        number, more = desk.run(schedules.open_due_work_orders)
        opened += number
    return opened


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk, _ = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent)
    yield desk
    desk.close()


def orders(desk: ReviewDesk, kind: str) -> list[WorkOrder]:
    return list(desk.all(WorkOrder, kind=kind))


def finish(desk: ReviewDesk, order: WorkOrder, by: str, **changed: Answered) -> None:
    """Do a work order that nobody verifies, and close it as its process does."""
    answers = {item["code"]: Answered("yes") for item in order.facts["checklist"]} | {
        name.replace("_", "-"): given for name, given in changed.items()
    }
    desk.run(service.done, order.id, Done(answers), Proof(order.facts_sha256, PASSWORD), by=by)
    desk.run(tasks.close, order.id, "done")


@pytest.mark.requirement("R53")
@pytest.mark.requirement("R55")
def test_a_poke_opens_what_is_due_once_and_after_an_outage_one_for_each_subject(desk: ReviewDesk) -> None:
    assert (poke(desk), desk.all(WorkOrder)) == (0, []), "the first period of a schedule begins with the first poke"
    recorders = len([row for row in desk.all(Recorder) if row.active and row.kind != "upload"])

    desk.clock.turn(100 * DAY)
    opened = poke(desk)

    assert opened == len(desk.all(WorkOrder))
    assert poke(desk) == 0
    assert len(orders(desk, "device-service")) == recorders, "one for each recorder, not one for each month"
    assert sorted(row.doer_department_id or "" for row in orders(desk, "access-review")) == [
        "board",
        "office",
        "security",
        "storage",
        "works",
    ]
    [review] = [row for row in orders(desk, "access-review") if row.doer_department_id == "works"]
    assert {"head", "deputy"} <= {line["post"] for line in review.facts["facts"]["posts"]}
    own = [row.verifier_post for row in orders(desk, "access-review") if row.doer_department_id == "security"]
    assert own == ["supervisor"], "the head of Security does not have the own review verified below"
    due = {row.code: row.next_due for row in desk.all(Schedule)}
    assert all(moment > desk.clock.now() for moment in due.values())

    desk.clock.turn(40 * DAY)
    poke(desk)
    assert len(orders(desk, "device-service")) == recorders, "the earlier one is still open"
    desk.run(lambda uow: uow.session.query(WorkOrder).update({"closed_at": uow.now, "closed_as": "done"}))
    desk.clock.turn(40 * DAY)
    poke(desk)
    assert len(orders(desk, "device-service")) == 2 * recorders


@pytest.mark.requirement("R47")
async def test_the_custodian_of_a_long_loan_reports_each_week_and_a_no_is_a_finding(desk: ReviewDesk) -> None:
    desk.clock.turn(8 * DAY)
    poke(desk)
    assert orders(desk, "check-in") == [], "the loan is not yet long"
    desk.clock.turn(7 * DAY)
    poke(desk)
    [order] = orders(desk, "check-in")
    assert (order.doer_id, order.is_verified, order.subject_kind) == ("keeper", False, "loan")
    assert order.due_at == desk.clock.now() + 3 * DAY
    with pytest.raises(Refused, match="another person"):
        finish(desk, order, "reviewer")
    async with Portal(desk) as portal:
        client = await portal.signed_in("keeper")
        assert order.number in (await client.get(f"/hand-overs/{order.subject_id}")).text
        assert order.number in (await client.get("/work-orders")).text

    finish(desk, order, "keeper", not_passed_on=Answered("no", "借给同事看过一次"))

    [row] = desk.run(queries.list_without_finding)
    assert row.number == order.number
    assert [one.person_id for one in desk.all(Notice, code="work-order-check-in-no")] == ["security-head"]
    desk.clock.turn(7 * DAY)
    poke(desk)
    assert len(orders(desk, "check-in")) == 2
    desk.run(lambda uow: uow.session.query(HandOver).update({"returned_at": uow.now}))
    second = orders(desk, "check-in")[1]
    with pytest.raises(Refused, match="nothing left to report"):
        finish(desk, second, "keeper")
    poke(desk)
    assert desk.the(WorkOrder, id=second.id).closed_as == "cancelled"


@pytest.mark.requirement("R59")
def test_an_agreement_that_ends_soon_is_renewed_by_signing_it_and_by_nothing_else(desk: ReviewDesk) -> None:
    [agreement] = [row for row in desk.all(Agreement) if row.person_id == "reviewer"]
    desk.clock.turn(agreement.expires_at - 20 * DAY - NOON)
    poke(desk)
    [order] = [row for row in orders(desk, "agreement-renewal") if row.doer_id == "reviewer"]

    with pytest.raises(Refused, match="Sign the confidentiality agreement first"):
        finish(desk, order, "reviewer")
    version = desk.rules.agreement_version
    desk.run(agreements.sign, version, Proof(password=PASSWORD), by="reviewer")

    finish(desk, order, "reviewer")
    assert desk.the(WorkOrder, id=order.id).closed_as == "done"


def test_the_owner_reviews_a_hold_which_goes_on(desk: ReviewDesk) -> None:
    number = str(desk.the(Application, id=desk.all(HandOver)[0].application_id).number)
    desk.run(holds.place, number, cause="manual", reason="等待复核", by="security-head")
    before = desk.the(Hold).review_at
    desk.clock.turn(95 * DAY)
    poke(desk)
    [order] = orders(desk, "hold-review")
    assert order.doer_id == "security-head"
    desk.run(lambda uow: uow.session.query(WorkOrder).filter_by(id=order.id).update({"verifier_post": None}))
    told = {"person_id": "security-head", "code": "hold-review-due", "subject_id": desk.the(Hold).id}
    desk.run(lambda uow: uow.session.add(Notice(**told, created_at=uow.now)))
    finish(desk, order, "security-head")
    assert all(notice.done_at is not None for notice in desk.all(Notice, code="hold-review-due"))
    assert desk.the(Hold).review_at > before
    assert desk.the(Hold).review_at == desk.clock.now() + desk.rules.hold_review


def test_what_the_machine_measures_opens_a_check(desk: ReviewDesk) -> None:
    def measured(uow: UnitOfWork) -> None:
        uow.session.query(Recorder).update({"clock_offset_ms": -31_000, "clock_measured_at": uow.now})
        uow.session.query(Camera).update(
            {
                "oldest_frame_at": uow.now - 5 * DAY,
                "oldest_measured_at": uow.now,
                "oldest_moved_at": uow.now,
                "retention_days": 30,
            }
        )

    desk.run(measured)
    desk.clock.turn(8 * DAY)
    poke(desk)
    assert {row.facts["facts"]["offsetMs"] for row in orders(desk, "clock-check")} == {-31_000}
    short = orders(desk, "kept-days-check")
    assert {(row.facts["facts"]["declaredDays"], row.facts["facts"]["keptDays"]) for row in short} == {(30, 5)}


@pytest.mark.requirement("R10")
@pytest.mark.requirement("R53")
def test_a_device_in_bad_health_is_serviced_once_it_has_lasted(desk: ReviewDesk) -> None:
    bad = StorageHealth("bad", (Message("1 disk is offline."),), {"drivesOffline": 1})
    recorder = next(row for row in desk.all(Recorder) if row.kind != "upload")

    def enter(uow: UnitOfWork) -> None:
        site = sites.add(uow, SiteBody(name="东区机房", address="厂区东路1号"))
        devices.add(uow, DeviceBody(number="SB-1", kind="node", make="M", model="M", site_id=site.id, store="vault"))
        with pytest.raises(Refused) as twice:
            devices.add(
                uow,
                DeviceBody(
                    number="SB-2", kind="recorder", make="M", model="M", site_id=site.id,
                    store="vault", recorder_id=recorder.id,
                ),
            )  # fmt: skip
        assert twice.value.code == "device-twice"

    desk.run(enter, by="operator")
    desk.clock.turn(DAY)
    poke(desk)
    desk.run(health.keep_stores, [("vault", bad), ("replica", bad)])
    desk.run(device_health.keep_disks, recorder.id, [Disk("hdd1", "error", True)])
    assert desk.run(health.list_unhealthy) == [], "a restart opens nothing"
    assert desk.run(health.count_unhealthy) == {"vault": 1, "replica": 1, "recorder": 1}
    desk.clock.turn(DAY)
    poke(desk)
    poke(desk)
    opened = [row for row in orders(desk, "device-service") if row.schedule == "device-health"]
    assert sorted((row.subject_kind, row.subject_label) for row in opened) == [
        ("device", "SB-1"),
        ("recorder", recorder.name),
        ("store", "备份库 replica store"),
    ]
    [store] = [row for row in opened if row.subject_kind == "store"]
    assert (store.title_zh, store.title_en) == ("设备检查维护：备份库", "device service: replica store")
    shown = {line.id: line for line in desk.run(queries.read, by="operator").lines}[store.id]
    assert (shown.subject_zh, shown.subject_en) == ("备份库", "replica store")
    assert {str(row.facts["facts"]["health"][0]["en"]) for row in opened} == {
        "1 disk is offline.",
        "Disk hdd1 fails: the recorder calls it error.",
    }
    [line] = desk.run(devices.read, by="operator").lines
    assert (line.health.state, line.health.figures) == ("bad", {"drivesOffline": 1})
    desk.run(lambda uow: setattr(uow.session.get_one(Recorder, recorder.id), "active", False))
    assert desk.run(health.count_unhealthy)["recorder"] == 0, "one that is retired counts no more"


@pytest.mark.requirement("R11", "R12")
@pytest.mark.requirement("R53")
def test_a_site_is_checked_by_its_keeper_and_each_device_is_serviced(desk: ReviewDesk) -> None:
    def enter(uow: UnitOfWork) -> None:
        kept = sites.add(uow, SiteBody(name="东区机房", address="厂区东路1号"))
        sites.set_keeper(uow, kept.id, "operator", "keeper")
        gone = sites.add(uow, SiteBody(name="西区机房", address="厂区西路1号"))
        sites.close(uow, gone.id)
        devices.add(uow, DeviceBody(number="SB-001", kind="array", make="M", model="M", site_id=kept.id))
        retired = devices.add(uow, DeviceBody(number="SB-002", kind="node", make="M", model="M", site_id=kept.id))
        devices.retire(uow, retired.id, "报废")

    desk.run(enter, by="operator")
    desk.clock.turn(93 * DAY)
    poke(desk)

    assert [(one.subject_label, one.doer_id) for one in orders(desk, "site-check")] == [("东区机房", "operator")]
    assert [one.subject_label for one in orders(desk, "device-service") if one.subject_kind == "device"] == ["SB-001"]


@pytest.mark.requirement("R11", "R12", "R13")
def test_the_check_of_a_site_goes_to_who_can_do_it_when_its_keeper_leaves(desk: ReviewDesk) -> None:
    def enter(uow: UnitOfWork) -> None:
        for name in ("东区机房", "南区机房"):
            kept = sites.add(uow, SiteBody(name=name, address="厂区东路1号"))
            sites.set_keeper(uow, kept.id, "operator", "keeper")

    def leave(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "operator").active = False

    desk.run(enter, by="operator")
    desk.clock.turn(93 * DAY)
    poke(desk)
    before = orders(desk, "site-check")
    assert [one.doer_id for one in before] == ["operator", "operator"]

    desk.run(leave)
    poke(desk)
    given_on = orders(desk, "site-check")
    assert [(one.id, one.doer_id, one.doer_post, one.closed_at) for one in given_on] == [
        (one.id, None, "head", None) for one in before
    ]
    desk.clock.turn(timedelta(days=1))
    desk.run(lambda uow: uow.session.execute(update(WorkOrder).values(closed_at=uow.now, closed_as="done")))
    desk.clock.turn(93 * DAY)
    poke(desk)
    again = [one for one in orders(desk, "site-check") if one.closed_at is None]
    assert [(one.doer_id, one.doer_post) for one in again] == [(None, "head")] * 2


@pytest.mark.requirement("R11")
def test_the_checks_of_a_camera_end_when_it_is_retired(desk: ReviewDesk) -> None:
    desk.clock.turn(400 * DAY)
    poke(desk)
    [camera, *others] = [one for one in orders(desk, "view-check") if one.closed_at is None]
    desk.run(lambda uow: setattr(uow.session.get_one(Camera, camera.subject_id), "active", False))
    poke(desk)
    ended = desk.the(WorkOrder, id=camera.id)
    assert (ended.closed_as, ended.closed_because) == ("cancelled", "It is no longer in use.")
    assert all(desk.the(WorkOrder, id=one.id).closed_at is None for one in others)


@pytest.mark.requirement("R59")
def test_who_has_left_is_asked_for_no_agreement(desk: ReviewDesk) -> None:
    [agreement] = [row for row in desk.all(Agreement) if row.person_id == "reviewer"]
    desk.clock.turn(agreement.expires_at - 20 * DAY - NOON)
    poke(desk)
    before = orders(desk, "agreement-renewal")
    assert len(before) > 1
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "reviewer"), "active", False))
    poke(desk)
    ended = {one.doer_id: one.closed_because for one in orders(desk, "agreement-renewal") if one.closed_at is not None}
    assert ended == {"reviewer": "This person has left."}


@pytest.mark.requirement("R15")
def test_the_restore_drill_draws_masters_that_nobody_chooses(desk: ReviewDesk) -> None:
    desk.clock.turn(200 * DAY)
    poke(desk)
    [order] = orders(desk, "restore-drill")
    assert order.facts["facts"]["drawn"]
    assert order.number.startswith("HF-2031-")
    [defect] = {desk.run(opening.open_defect, "reconcile").id for _ in range(2)}
    assert desk.the(WorkOrder, id=defect).kind == "defect"
    with pytest.raises(KeyError):
        desk.run(opening.open_defect, "whatever")


def _unneeded(uow: UnitOfWork, master: Master) -> None:
    master.unneeded_at = uow.now


def _suspect(uow: UnitOfWork, master: Master) -> None:
    master.suspect_since = uow.now


def _discarded(uow: UnitOfWork, master: Master) -> None:
    master.discarded_at = uow.now


def _damaged(uow: UnitOfWork, master: Master) -> None:
    sealed = {"bucket": "masters", "key": master.id, "version_id": "1", "sha256": "0" * 64}
    of = {"master_id": master.id, "application_id": master.application_id, "place": "primary"}
    uow.session.add(Damage(faults=["bytes"], found_at=uow.now, **of, **sealed))


def _agreed(uow: UnitOfWork, master: Master) -> None:
    matter = Matter(number=f"XH-{master.id}", kind="disposal", application_id=master.application_id, opened_at=uow.now)
    matter.facts, matter.facts_sha256 = {}, "0" * 64
    uow.session.add(matter)
    uow.session.flush()
    of = {"matter_id": matter.id, "master_id": master.id, "application_id": master.application_id}
    uow.session.add(DisposalItem(position=1, facts={}, state=DUE, **of))


@pytest.mark.both_databases
@pytest.mark.requirement("R15")
@pytest.mark.parametrize("gone", [_unneeded, _suspect, _discarded, _damaged, _agreed])
def test_the_restore_drill_draws_nothing_that_cannot_be_restored(
    any_database_url: str, gone: Callable[[UnitOfWork, Master], None]
) -> None:
    desk, _ = prepared_desk(any_database_url, lent)
    desk.run(further, 1)
    first, second = sorted(row.id for row in desk.all(Master))

    def drawn(uow: UnitOfWork) -> set[str]:
        [vault] = sources.list_vault(uow)
        assert vault.find_facts is not None
        return {one["master"] for one in vault.find_facts(uow)["drawn"]}

    desk.run(lambda uow: gone(uow, uow.session.get_one(Master, second)))
    assert desk.run(drawn) == {first}
    desk.run(lambda uow: gone(uow, uow.session.get_one(Master, first)))
    assert desk.run(drawn) == set()
    desk.close()


@pytest.mark.requirement("R53")
async def test_a_schedule_is_changed_by_two_people(desk: ReviewDesk) -> None:
    code, head = "device-service-recorder", Role("head", department_kind="storage")
    shipped = SCHEDULES[code]
    was = Values(shipped.every, shipped.doer, shipped.verifier, active=True)
    new = Values("P2M", shipped.doer, head, active=True)

    def change(values: Values, by: str = "admin", seen: Values = was, reason: str = "厂家建议") -> str | None:
        try:
            desk.run(schedules.change_schedule, code, values, reason, was=seen, by=by)
        except Refused as refusal:
            return refusal.code
        return None

    assert change(new, by="security-head") == "administrators-only"
    for values, refusal in (
        (was, "schedule-same"),
        (Values("P0D", shipped.doer, head, active=True), "period"),
        (Values("P9Y", shipped.doer, head, active=True), "period"),
        (Values("P2M", None, head, active=True), "doer"),
        (Values("P2M", shipped.doer, None, active=True), "verifier"),
        (Values("P2M", Role("nobody"), head, active=True), "role"),
        (Values("P2M", Role("administrator"), head, active=True), "role"),
    ):
        assert change(values) == refusal
    assert change(new, seen=new) == "schedule-changed"
    assert change(new, reason=" ") == "missing"

    assert change(new) == "second-person-needed"

    assert desk.the(Schedule, code=code).every == "P1M"
    [asked] = desk.run(change_requests.list_visible, by="security-head")
    desk.run(change_requests.confirm, asked.id, by="security-head")
    async with Portal(desk) as portal:
        client = await portal.signed_in("security-head")
        assert (await client.get("/api/schedules")).json()["schedules"][0]["every"] == "P1M"
        assert (await (await portal.signed_in("drafter")).get("/api/schedules")).status_code == 403
        client = await portal.signed_in("admin")
        assert "P1M" in (await client.get("/admin/schedules")).text
        described = await client.get("/api/change-requests")
        assert "P2M" in described.text
        carried = await client.post(f"/api/change-requests/{asked.id}/carry-out")
        assert carried.status_code < 300, carried.text
    row = desk.the(Schedule, code=code)
    assert (row.every, row.verifier, row.changed_by) == ("P2M", head.as_json(), "admin")


def test_periods_are_whole_days_weeks_months_and_years() -> None:
    zone = "Asia/Shanghai"
    january = NOON.replace(month=1, day=31)
    assert periods.after(january, "P1M", zone).day == 28
    assert periods.after(NOON, "P1Y", zone) == NOON.replace(year=2032)
    assert periods.after(NOON, "P2W", zone) == NOON + 14 * DAY
    assert periods.next_after(NOON, "P7D", zone, NOON + 31 * DAY) == NOON + 35 * DAY
    for wrong in ("", "P", "P1H", "PT1H", "P1000D", "P4Y", "7D", "P-1D"):
        with pytest.raises(ValueError, match=r"period|years"):
            periods.parse(wrong)


async def test_a_list_takes_few_statements_however_many_work_orders_there_are(desk: ReviewDesk) -> None:
    desk.clock.turn(100 * DAY)
    poke(desk)

    def more(uow: UnitOfWork) -> None:
        [template] = uow.session.query(WorkOrder).filter_by(kind="device-service").limit(1)
        attempt = uow.session.query(WorkOrderAttempt).filter_by(work_order_id=template.id).one()
        columns = {c.name: getattr(template, c.name) for c in WorkOrder.__table__.columns}
        of_attempt = {c.name: getattr(attempt, c.name) for c in WorkOrderAttempt.__table__.columns}
        many = range(500)
        rows = [{**columns, "id": f"o{n}", "number": f"X{n}", "key": f"k{n}"} for n in many]
        uow.session.execute(insert(WorkOrder), rows)
        uow.session.execute(
            insert(WorkOrderAttempt), [{**of_attempt, "id": f"a{n}", "work_order_id": f"o{n}"} for n in many]
        )

    desk.run(more)
    counted: list[str] = []
    engine = desk.database.engine

    def count(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        counted.append(statement)

    async with Portal(desk) as portal:
        client = await portal.signed_in("operator")
        event.listen(engine, "before_cursor_execute", count)
        for address in ("/work-orders", "/work-orders?whose=all", "/api/work-orders?whose=overdue", "/work-orders/o1"):
            counted.clear()
            answer = await client.get(address)
            assert answer.status_code == 200, answer.text
            assert 1 < len(counted) <= 25, "\n".join((address, *counted))
        event.remove(engine, "before_cursor_execute", count)


def confirmed(desk: ReviewDesk) -> str:
    """Have the head of Security confirm what the administrator has asked for."""
    [asked] = [one for one in desk.run(change_requests.list_visible, by="security-head") if one.outcome is None]
    desk.run(change_requests.confirm, asked.id, by="security-head")
    return asked.id


@pytest.mark.requirement("R53")
async def test_checklist_and_days_of_a_schedule_hold_from_the_next_work_order_on(desk: ReviewDesk) -> None:
    code = "device-service-recorder"
    desk.clock.turn(32 * DAY)
    poke(desk)
    running = next(row for row in orders(desk, "device-service") if row.schedule == code)
    kept = running.facts["checklist"]
    new = [
        {**kept[0], "zh": "运行灯与散热是否正常？"},
        {"code": "cables", "zh": "线缆是否完好？", "en": "Are the cables sound?"},
    ]

    async with Portal(desk) as portal:
        clients = {person: await portal.signed_in(person) for person in ("admin", "security-head", "operator")}
        [shown] = [
            one for one in (await clients["admin"].get("/api/schedules")).json()["schedules"] if one["code"] == code
        ]
        assert (shown["checklist"], shown["days"]) == (kept, 7)
        roles = {name: {k: shown[name][k] for k in ("post", "departmentKind")} for name in ("doer", "verifier")}
        was = {"every": shown["every"], "active": True, **roles}

        async def change(person: str, **value: object) -> tuple[int, str]:
            body = {"was": was, "value": {**was, **value}, "reason": "厂家建议"}
            answer = await clients[person].put(f"/api/schedules/{code}", json=body)
            return answer.status_code, answer.json().get("code", "")

        for person in ("security-head", "operator"):
            assert (await change(person, checklist=new, days=3))[0] == 403
        assert (await change("admin"))[1] == "schedule-same"
        for wrong in (
            {"checklist": []},
            {"checklist": [new[0], new[0]]},
            {"checklist": [{**new[0], "en": ""}]},
            {"days": 0},
            {"days": 367},
        ):
            assert (await change("admin", **wrong))[0] == 422, wrong
        assert (await change("admin", checklist=new, days=3))[1] == "second-person-needed"
        asked = confirmed(desk)
        for words in ("线缆是否完好？", "due after 7 days", "due after 3 days"):
            assert words in (await clients["security-head"].get("/api/change-requests")).text
        assert (await clients["admin"].post(f"/api/change-requests/{asked}/carry-out")).status_code < 300

    assert desk.the(WorkOrder, id=running.id).facts["checklist"] == kept, "what was opened goes on as it was"
    desk.run(lambda uow: uow.session.query(WorkOrder).update({"closed_at": uow.now, "closed_as": "done"}))
    desk.clock.turn(32 * DAY)
    poke(desk)
    later = next(row for row in orders(desk, "device-service") if row.schedule == code and row.closed_at is None)
    assert (later.facts["checklist"], later.due_at) == (new, desk.clock.now() + 3 * DAY)
    [changed] = [row for row in desk.all(AuditEvent) if row.action == "schedule-changed"]
    detail = json.loads(changed.entry)["detail"]
    assert (changed.actor_id, detail["old"]["days"], detail["new"]["checklist"]) == ("admin", 7, new)


@pytest.mark.requirement("R53")
async def test_the_checklist_of_a_schedule_is_changed_on_its_page(desk: ReviewDesk) -> None:
    fields = {"every": "P6M", "active": "true", "reason": "演练方案", "days": "21"}
    posts = {"doerPost": "storage-operator", "doerDepartmentKind": "storage"}
    verifier = {"verifierPost": "head", "verifierDepartmentKind": "legal"}
    items = SCHEDULES["restore-drill"].checklist

    def rows(*given: tuple[str, str, str]) -> dict[str, list[str]]:
        return {name: [row[place] for row in given] for place, name in enumerate(("itemCode", "itemZh", "itemEn"))}

    first = (items[0].code, items[0].zh, items[0].en)
    added = ("", "是否邀请法务到场？", "Was Legal asked to attend?")
    async with Portal(desk) as portal:
        client = await portal.signed_in("admin")
        shown = await client.get("/admin/schedules")
        assert items[3].zh in shown.text

        async def change(given: dict[str, list[str]]) -> tuple[int, str]:
            body = {**fields, **posts, **verifier, **given}
            answer = await client.post("/admin/schedules/restore-drill", data=body)
            return answer.status_code, answer.text

        for given, said in (
            (rows(("", "", ""), (items[0].code, "", "")), "1 至 40"),
            (rows((items[0].code, items[0].zh, "")), "须填写中文和英文"),
        ):
            status, text = await change(given)
            assert (status, said in text) == (422, True), text
        status, text = await change({**rows(first), "days": ["9" * 5000]})
        assert (status, "完成期限须为 1 至" in text) == (422, True), text
        status, text = await change(rows(first, (items[1].code, "", ""), added, ("", "", "")))
        assert "第二人复核，申请已提交" in text
        asked = confirmed(desk)
        assert (await client.post(f"/api/change-requests/{asked}/carry-out")).status_code < 300
        assert "是否邀请法务到场？" in (await client.get("/admin/schedules")).text
    assert desk.the(Schedule, code="restore-drill").checklist == {
        "items": [
            {"code": items[0].code, "zh": items[0].zh, "en": items[0].en},
            {"code": "question-1", "zh": added[1], "en": added[2]},
        ],
        "days": 21,
    }


@pytest.mark.requirement("R53")
def test_a_question_whose_answer_the_system_acts_on_stays_and_older_requests_go_on(desk: ReviewDesk) -> None:
    shipped = SCHEDULES["check-in"]
    was = Values(shipped.every, None, None, active=True)
    for kept in (
        shipped.checklist[1:],
        (replace(shipped.checklist[0], en="Did you lose the copies?"), *shipped.checklist[1:]),
    ):
        other = replace(was, checklist=kept)
        with pytest.raises(Refused) as refused:
            desk.run(schedules.change_schedule, "check-in", other, "简化", was=was, by="admin")
        assert refused.value.code == "checklist-acted-on"
    fewer = replace(was, checklist=shipped.checklist[:2])
    with pytest.raises(Refused) as asked:
        desk.run(schedules.change_schedule, "check-in", fewer, "简化", was=was, by="admin")
    assert asked.value.code == "second-person-needed"
    [request] = desk.all(ChangeRequest)
    assert set(request.payload["was"]) == {"every", "doer", "verifier", "active", "checklist"}
    # as an earlier release has written it, without what did not change
    payload = {
        "was": was.as_json(),
        "value": {**was.as_json(), "every": "P14D"},
        "reason": "间隔",
        "schedule": "check-in",
    }
    desk.run(lambda uow: uow.session.query(ChangeRequest).update({"payload": {**request.payload, **payload}}))
    desk.run(change_requests.confirm, request.id, by="security-head")
    desk.run(schedules.change_schedule, "check-in", replace(was, every="P14D"), "间隔", was=was, by="admin")
    row = desk.the(Schedule, code="check-in")
    assert (row.every, row.checklist) == ("P14D", [item.as_json() for item in shipped.checklist])
