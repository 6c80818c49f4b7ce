"""Supervision in the demo year: the group, an inspection from its sample to its filed report, and one that is open."""

from datetime import timedelta

from sqlalchemy import select, update

from services.database.tables.inspections import GroupInspection, InspectedCase
from services.database.tables.outbox import OutboxMessage
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import accounts, demo_id
from services.demo.year.past import Past, proof
from services.domain.supervision import (
    case_reviews,
    case_sheet,
    checklists,
    findings,
    groups,
    reports,
    service,
    signing,
)
from services.domain.supervision.case_reviews import Given
from services.domain.supervision.checks import NO
from services.domain.supervision.groups import Appointment
from services.domain.supervision.periods import Period

LEADER, MEMBERS = "heping", ("sunli", "hanxue")
CONFIRMED = "与卷宗核对无误。"
SOUND = "已调阅原件核对，符合要求。"
# What a member found that the system cannot see, by the place in the sample; the first is severe.
FOUND = {
    2: "归还检查时未逐一核对下载所用的介质，交还数量与登记不符。",
    4: "查看室登记与在线查看时间相差一个多小时，使用人未能说明。",
}


def appoint(past: Past) -> str:
    """Appoint the group for a term that covers the year and the next."""
    until = past.clock.now() + timedelta(days=2 * 365)
    people = tuple(demo_id(login) for login in MEMBERS)
    wanted = Appointment(demo_id(LEADER), people, until, "总经理办公会纪要第3号")
    group = past.act("gaofeng", groups.propose, wanted, proof("gaofeng"))
    past.clock.advance(timedelta(hours=20))
    past.act("songtao", groups.confirm, group.id, proof("songtao"))
    return group.id


def open_one(past: Past, period: Period) -> str:
    """Open the inspection of a period; its process, which draws the sample, begins when the installation starts."""
    return past.act(LEADER, service.open_by_leader, period.name).id


def finish(past: Past, inspection_id: str) -> None:
    """Lead an inspection to its end: drawn, inspected by the members, reported, signed and filed."""
    positions = past.act(None, service.draw, inspection_id, past.key()).positions
    for position in positions:
        past.act(None, case_reviews.open_review, inspection_id, position, job_key=past.key())
    past.clock.advance(timedelta(hours=20))
    for case_id, person in past.act(None, _list_cases, inspection_id):
        login = _login(person)
        given, sha256 = past.act(login, _answers, case_id)
        past.act(login, case_reviews.decide, case_id, given, sha256, proof(login))
    past.act(None, reports.write, inspection_id)
    past.act(None, signing.open_review, inspection_id, job_key=past.key())
    for login in (LEADER, *MEMBERS):
        past.clock.advance(timedelta(hours=3))
        report = past.act(None, _report, inspection_id)
        past.act(login, signing.sign, inspection_id, service.SIGNED, report, proof=proof(login))
    past.act(None, findings.open_corrections, inspection_id)
    past.act(None, service.close, inspection_id, service.SIGNED)
    past.act(None, _settle, inspection_id)


def _answers(uow: UnitOfWork, case_id: str) -> tuple[dict[str, Given], str]:
    """Answer as the system does, where it does; with what was found beside that."""
    row = uow.session.get_one(InspectedCase, case_id)
    sheet = case_sheet.build(uow, row)
    given = {
        line.question.code: Given("yes", SOUND) if line.system == NO else Given(line.system or "yes", CONFIRMED)
        for line in sheet.lines
    }
    found = FOUND.get(row.position)
    if found is not None:
        severe = row.position == min(FOUND)
        fitting = [one for one in sheet.lines if (one.question.severity_if_no == checklists.SEVERE) == severe]
        given[fitting[-1].question.code] = Given(NO, found)
    return given, sheet.sha256


def _list_cases(uow: UnitOfWork, inspection_id: str) -> list[tuple[str, str]]:
    query = select(InspectedCase).where(InspectedCase.inspection_id == inspection_id).order_by(InspectedCase.position)
    return [(row.id, str(row.assigned_to)) for row in uow.session.scalars(query)]


def _login(person_id: str) -> str:
    return next(account.login for account in accounts() if demo_id(account.login) == person_id)


def _report(uow: UnitOfWork, inspection_id: str) -> str:
    return str(uow.session.get_one(GroupInspection, inspection_id).report_sha256)


def _settle(uow: UnitOfWork, inspection_id: str) -> None:
    of_inspection = update(OutboxMessage).where(OutboxMessage.subject_id == inspection_id)
    received = {"published_at": OutboxMessage.created_at, "settled_at": OutboxMessage.created_at, "attempts": 1}
    uow.session.execute(of_inspection.values(**received, settled_because="received"))
