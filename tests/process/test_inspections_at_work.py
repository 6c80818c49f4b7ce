"""Inspections on the engine: drawn, inspected, signed or refused, put right; and one without cases."""

import base64
from datetime import datetime, timedelta

import pytest
from case_people import DRAFTER, People

from services.database.tables.applications import Application
from services.database.tables.audit import AuditCheckpoint
from services.database.tables.inspections import GroupInspection, InspectedCase, InspectionFinding
from services.database.tables.people import Department
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo.organisation import demo_id
from services.domain.accounts.signatures.given import Proof
from services.domain.process.messages import INSPECTION_DUE
from services.domain.supervision import case_reviews, case_sheet, groups, periods, service, signing
from services.domain.supervision.case_reviews import Given
from services.domain.supervision.groups import Appointment

pytestmark = pytest.mark.zeebe

LEADER, MEMBERS = "heping", ("sunli", "hanxue")
QUARTERS = 3  # that have ended: one is inspected and signed, one refused, one has no cases


def proof(login: str) -> Proof:
    return Proof("", f"demo-{login}")


def prepare(uow: UnitOfWork) -> list[str]:
    """A checkpoint of now, and two closed cases in each of the last two quarters; these, the newest first."""
    names, now = [], uow.now
    department = uow.session.query(Department).filter_by(kind="business").first()
    assert department is not None
    for quarter in range(QUARTERS):
        period = periods.last_complete(now, "quarter", uow.rules.zone)
        names.append(period.name)
        now = period.start + timedelta(hours=1)
        for number in range(2 if quarter < QUARTERS - 1 else 0):
            uow.session.add(closed(quarter * 2 + number, department.id, period.start + timedelta(days=2)))
    root = base64.b64encode(b"r" * 32).decode()
    uow.session.add(AuditCheckpoint(size=1, origin="log", root=root, note="", signed_at=uow.now))
    return names


def closed(number: int, department: str, at: datetime) -> Application:
    return Application(
        number=f"SQ-2000-{number:06d}",
        policy_version="1",
        drafter_id=demo_id(DRAFTER),
        department_id=department,
        created_at=at,
        submitted_at=at,
        reason="三号门货物丢失，需要确认经过",
        purpose="核对出入库人员与时间的记录",
        purpose_category="security-incident",
        legal_basis="internal-management",
        way_of_use="view",
        place_of_use="办公室",
        requested_use_days=5,
        sensitivities=[],
        closed_at=at,
        closed_as="withdrawn",
    )


async def appointed(desk: People) -> list[str]:
    names = await desk.database.run(Actor("system", "test"), prepare)
    until = desk.look(lambda uow: uow.now) + timedelta(days=365)
    wanted = Appointment(demo_id(LEADER), [demo_id(one) for one in MEMBERS], until, "会议纪要第3号")
    group = await desk.as_person("gaofeng", groups.propose, wanted, proof("gaofeng"))
    await desk.as_person("songtao", groups.confirm, group.id, proof("songtao"))
    return names


async def opened(desk: People, period: str) -> str:
    """The inspection of a period, which is due: what looks for such may have opened it first."""
    for due in desk.rows(GroupInspection, period=period):
        return str(due.id)
    return (await desk.as_person(LEADER, service.open_by_leader, period)).id


async def inspected(desk: People, period: str, *, found: bool) -> str:
    """The inspection of a period whose cases are inspected, with a finding in the first one."""
    inspection_id = await opened(desk, period)
    logins = {demo_id(one): one for one in (LEADER, *MEMBERS)}

    def open_cases(uow: UnitOfWork) -> list[InspectedCase]:
        rows = uow.session.query(InspectedCase).filter_by(inspection_id=inspection_id).all()
        return rows if len(rows) == 2 and all(row.opened_at for row in rows) else []

    for row in await desk.until(open_cases, "the cases to inspect"):
        sheet = desk.look(lambda uow, row_id=row.id: case_sheet.build(uow, uow.session.get_one(InspectedCase, row_id)))
        given = {line.question.code: Given(line.system or "yes", "核对无误") for line in sheet.lines}
        if found and row.position == 1:
            given["use-6"] = Given("no", "用于获准用途之外")
        by = logins[str(row.assigned_to)]
        await desk.as_person(by, case_reviews.decide, row.id, given, sheet.sha256, proof(by))
    await desk.until(lambda _: desk.rows(GroupInspection, id=inspection_id)[0].signing_opened_at, "the report")
    return inspection_id


async def sign(desk: People, inspection_id: str, by: str, outcome: str = "signed", reason: str | None = None) -> None:
    report = str(desk.rows(GroupInspection, id=inspection_id)[0].report_sha256)
    await desk.as_person(by, signing.sign, inspection_id, outcome, report, proof=proof(by), reason=reason)


async def closed_as(desk: People, inspection_id: str, expected: str) -> None:
    await desk.until(lambda _: desk.rows(GroupInspection, id=inspection_id)[0].closed_at, "the end of the inspection")
    assert desk.rows(GroupInspection, id=inspection_id)[0].closed_as == expected
    await desk.quiet()
    assert not desk.trace.incidents


@pytest.mark.usefixtures("a_year_on")
@pytest.mark.requirement("R63", "R64")
async def test_inspections_are_signed_refused_and_without_cases(desk: People) -> None:
    signed, refused, empty = await appointed(desk)
    first = await inspected(desk, signed, found=True)
    for person in (LEADER, *MEMBERS):
        await sign(desk, first, person)
    await closed_as(desk, first, "signed")
    [finding] = desk.rows(InspectionFinding)
    assert [order.id for order in desk.rows(WorkOrder, kind="corrective-action")] == [finding.work_order_id]

    second = await inspected(desk, refused, found=False)
    await sign(desk, second, LEADER)
    await sign(desk, second, MEMBERS[0], "refused", "数字与台账不符")
    await closed_as(desk, second, "refused")

    third = await opened(desk, empty)
    await closed_as(desk, third, "no-cases")

    # the same message once more: a process of its own that draws nothing
    await desk.publish(INSPECTION_DUE, signed, "again", inspectionId=first, period=signed)
    await desk.quiet()
    assert len(desk.rows(InspectedCase)) == 4
    assert not desk.trace.incidents
