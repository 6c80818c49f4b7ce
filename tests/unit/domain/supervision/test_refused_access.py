"""Refused accesses: counted by cause, on record once, and told where one person has many of them (R52)."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from lent_case import lend
from portal_client import Portal, problem
from prepared_desk import prepared_desk
from review_desk import ReviewDesk
from sqlalchemy import event

from services.database.tables.access_refusals import AccessRefusal
from services.database.tables.audit import AuditEvent
from services.database.tables.notices import Notice
from services.database.tables.violations import Hearing, Violation
from services.domain.supervision import refused_access
from services.runtime import metrics

STRANGER = "office-head"


@pytest.fixture
async def portal(tmp_path: object) -> AsyncIterator[tuple[ReviewDesk, Portal, str]]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path}/books.db", lend)
    async with Portal(desk) as portal:
        yield desk, portal, ids["application_id"]
    desk.close()


def counted(cause: str) -> float:
    return metrics.REGISTRY.get_sample_value("footage_desk_access_refused_total", {"cause": cause}) or 0


@pytest.mark.requirement("R52", refuses=True)
async def test_many_refused_accesses_of_one_person_are_told_once_and_can_be_recorded(
    portal: tuple[ReviewDesk, Portal, str],
) -> None:
    desk, over, case = portal
    client = await over.signed_in(STRANGER)
    before = {cause: counted(cause) for cause in metrics.REFUSED_CAUSES}
    tried = [f"/api/cases/{case}", "/api/audit/events", "/api/devices", "/storage/devices", "/api/statistics"]
    for address in [*tried[:4], tried[0], tried[0]]:
        assert (await client.get(address)).status_code in (403, 404), address
    assert desk.all(Notice, code=refused_access.OFTEN) == [], "the same address again is no further one"
    assert (await over.anonymous().get("/api/devices")).status_code == 401
    assert (await client.get("/api/no-such-address")).status_code == 404
    assert counted("signed-out") == before["signed-out"] + 1
    assert counted("not-allowed") + counted("not-there") == before["not-allowed"] + before["not-there"] + 6

    for address in (tried[4], "/api/work-orders/none", "/api/matters/none"):
        await client.get(address)
    told = [notice.person_id for notice in desk.all(Notice, code=refused_access.OFTEN)]
    assert sorted(told) == ["security-head", "supervisor"], "once in a window"
    assert len(desk.all(AuditEvent, action="access-refused")) == 7
    for number in range(40):
        await client.get(f"/api/matters/{number}")
    assert len(desk.all(AccessRefusal)) == 20, "what is kept is bounded"
    other = desk.submitted()
    for address in (f"/cases/{other}", f"/api/cases/{other}", f"/cases/{case}"):
        await client.get(address)
    assert [one.asked for one in desk.all(AccessRefusal, application_id=other)] == [f"GET /cases/{other}"], (
        "a case is on record, however much was asked before"
    )
    assert len(desk.all(AccessRefusal)) == 21

    # a page elsewhere leads another browser here and there, and the record does not hide it
    led = await over.signed_in("keeper")
    for number in range(2):
        await led.get(f"/api/matters/{number}", headers={"Sec-Fetch-Site": ("cross-site", "<b>x</b>")[number]})
    await led.get("/help/%E2%80%AEx%0Ay")
    assert sorted(one.asked for one in desk.all(AccessRefusal, person_id="keeper")) == [
        "GET /api/matters/0 [cross-site]",
        "GET /api/matters/1",
        "GET /help/\ufffdx\ufffdy",
    ]

    head = await over.signed_in("security-head")
    page = await head.get(f"/supervision/refusals/{STRANGER}")
    assert page.status_code == 200
    assert "action=access-refused" in page.text
    assert tried[0] in page.text
    own = await client.get(f"/api/refusals/{STRANGER}")
    assert own.status_code == 403, "nobody reads their own"
    number = (await head.get(f"/api/refusals/{STRANGER}")).json()["number"]
    body = {"number": number, "violationKind": "refusal-pattern", "reason": "反复尝试打开无关案件。"}
    assert problem(await head.post("/api/violations", json=body))[1] == "unknown"
    wrong = await head.post("/api/violations", json={**body, "accusedId": "drafter"})
    assert problem(wrong)[1] == "no-refusal-pattern", "the register has to know of them"
    assert (await head.post("/api/violations", json={**body, "accusedId": STRANGER})).status_code == 201
    assert all(notice.done_at for notice in desk.all(Notice, code=refused_access.OFTEN))
    [violation] = desk.all(Violation, kind="refusal-pattern")
    assert (violation.accused, violation.hand_over_id, violation.facts["refused"]) == ([STRANGER], None, 21)
    assert [hearing.person_id for hearing in desk.all(Hearing, matter_id=violation.matter_id)] == [STRANGER]
    told_of_it = {notice.person_id for notice in desk.all(Notice, code="violation-refusal-pattern")}
    assert STRANGER in told_of_it
    assert "head" not in told_of_it, "the department of the case is not that of the accused"
    for login, status in ((STRANGER, 200), ("head", 404)):
        reader = await over.signed_in(login)
        assert (await reader.get(f"/api/matters/{violation.matter_id}")).status_code == status, login
    again = await head.post("/api/violations", json={**body, "accusedId": STRANGER})
    assert problem(again)[1] == "asked-already"

    desk.clock.turn(timedelta(days=1, seconds=1))
    for address in tried:
        await (client := await over.signed_in(STRANGER)).get(address)
    assert len(desk.all(Notice, code=refused_access.OFTEN)) == 4, "a new window is told anew"


@pytest.mark.requirement("R52")
async def test_what_is_allowed_costs_no_statement_more(portal: tuple[ReviewDesk, Portal, str]) -> None:
    desk, over, _ = portal
    client = await over.signed_in("operator")
    await client.get("/api/devices")
    made: list[str] = []
    event.listen(desk.database.engine, "before_cursor_execute", lambda *given: made.append(given[2]))
    assert (await client.get("/api/devices")).status_code == 200
    assert not [statement for statement in made if "access_refusals" in statement]
    await client.get("/api/statistics")
    assert [statement for statement in made if "access_refusals" in statement]
