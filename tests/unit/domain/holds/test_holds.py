"""Who places, reviews and lifts legal holds, and who reads of them (R65 to R67, F14, F34)."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from portal_client import Portal, problem
from prepared_desk import prepared_desk
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.domain.accounts.signatures.given import Proof
from services.domain.cases import metrics as case_metrics
from services.domain.cases.document_layouts import render_pdf
from services.domain.holds import queries, reminders, service
from services.runtime import metrics
from services.runtime.errors import NotFound, Refused

WHY = "市公安局来函，要求保留至办结"
DAY = timedelta(days=1)


def submitted(desk: ReviewDesk) -> str:
    return desk.submitted()


@pytest.fixture
def desk(any_database_url: str) -> ReviewDesk:
    return prepared_desk(any_database_url, submitted)[0]


def number(desk: ReviewDesk) -> str:
    return str(desk.the(Application).number)


def place(desk: ReviewDesk, by: str = "security-head", **values: Any) -> str:
    given = {"cause": "authority", "reason": WHY, **values}
    return str(desk.run(service.place, number(desk), by=by, **given).id)


def code(desk: ReviewDesk, act: Callable[..., Any], *args: Any, by: str, **named: Any) -> str:
    with pytest.raises(Refused) as found:
        desk.run(act, *args, by=by, **named)
    return found.value.code


def told(desk: ReviewDesk, notice: str) -> list[str]:
    return sorted(one.person_id for one in desk.all(Notice, code=notice))


@pytest.mark.requirement("R67")
@pytest.mark.parametrize(
    "by", ["drafter", "head", "reviewer", "operator", "manager", "supervisor", "office-head", "admin"]
)
def test_only_those_who_lead_legal_or_security_place_a_hold(desk: ReviewDesk, by: str) -> None:
    with pytest.raises((Refused, NotFound)) as found:
        place(desk, by=by)

    assert found.value.code == "hold-placers-only"
    assert desk.all(Hold) == []
    assert not desk.run(queries.is_held, desk.the(Application).id)


@pytest.mark.requirement("R67")
def test_a_hold_has_an_owner_a_review_date_and_a_notice(desk: ReviewDesk) -> None:
    hold_id = place(desk, owner_id="reviewer")

    hold, document = desk.the(Hold), desk.the(Document, kind="hold-notice")
    assert desk.run(queries.is_held, hold.application_id)
    assert (hold.owner_id, hold.review_at) == ("reviewer", desk.clock.now() + 90 * DAY)
    assert told(desk, "hold-owned") == ["reviewer"]
    content = json.loads(document.content)
    assert document.number.startswith("BL-2031-")
    assert (content["application"], content["reason"], content["owner"]["id"]) == (number(desk), WHY, "reviewer")
    assert [item["position"] for item in content["held"]] == [1]
    assert content["hold"] == hold_id
    assert render_pdf("hold-notice", document.number, document.content, document.sha256, document.made_at)
    events = [one.entry for one in desk.all(AuditEvent) if one.action.startswith("hold-")]
    assert events
    assert not any(WHY in entry for entry in events), "the applicant reads the events of the case"


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({"owner_id": "keeper"}, "hold-owner"),
        ({"owner_id": "nobody"}, "hold-owner"),
        ({"review_in": 91 * DAY}, "hold-review-date"),
        ({"review_in": -DAY}, "hold-review-date"),
        ({"cause": "whim"}, "unknown"),
    ],
)
def test_a_hold_without_an_owner_or_an_end_of_its_term_is_refused(
    desk: ReviewDesk, values: dict[str, Any], refused: str
) -> None:
    if "review_in" in values:
        values = {"review_at": desk.clock.now() + values["review_in"]}
    with pytest.raises(Refused) as found:
        place(desk, **values)
    assert found.value.code == refused
    assert desk.all(Hold) == []


@pytest.mark.requirement("R67")
def test_a_hold_is_lifted_by_two_and_by_nobody_alone(desk: ReviewDesk) -> None:
    hold_id, proof = place(desk), Proof(password=PASSWORD)

    assert code(desk, service.confirm_lift, hold_id, proof, by="security-head") == "lift-not-asked"
    assert code(desk, service.ask_lift, hold_id, "不再需要", by="reviewer") == "hold-placers-only"
    desk.run(service.ask_lift, hold_id, "不再需要", by="security-head")
    assert told(desk, "hold-lift-asked") == ["security-deputy"]
    assert code(desk, service.ask_lift, hold_id, "不再需要", by="security-deputy") == "lift-asked"
    assert code(desk, service.confirm_lift, hold_id, proof, by="security-head") == "not-second-person"
    for other in ("reviewer", "supervisor", "admin", "head"):
        with pytest.raises((Refused, NotFound)):
            desk.run(service.confirm_lift, hold_id, proof, by=other)
    assert code(desk, service.confirm_lift, hold_id, Proof(password="guess"), by="security-deputy") == "password-wrong"
    desk.clock.turn(30 * DAY)  # waiting takes nobody's place
    assert desk.run(queries.is_held, desk.the(Application).id)

    desk.run(service.confirm_lift, hold_id, proof, by="security-deputy")

    hold = desk.the(Hold)
    assert (hold.lift_asked_by, hold.lifted_by, hold.lifted_because) == ("security-head", "security-deputy", "不再需要")
    assert hold.lift_signature["statement"]["askedBy"] == "security-head"
    assert not desk.run(queries.is_held, hold.application_id)
    assert code(desk, service.ask_lift, hold_id, "again", by="security-head") == "hold-over"


def test_whoever_says_no_keeps_the_hold(desk: ReviewDesk) -> None:
    hold_id = place(desk)
    desk.run(service.ask_lift, hold_id, "不再需要", by="security-head")

    desk.run(service.withdraw_lift, hold_id, by="security-deputy")

    assert code(desk, service.confirm_lift, hold_id, Proof(password=PASSWORD), by="security-deputy") == "lift-not-asked"
    assert desk.run(queries.is_held, desk.the(Application).id)


@pytest.mark.parametrize("part", ["drafter_id", "custodian_id"])
def test_nobody_lifts_the_hold_of_a_case_in_which_they_have_a_part(desk: ReviewDesk, part: str) -> None:
    hold_id = place(desk)
    application_id = desk.the(Application).id
    desk.run(lambda uow: setattr(uow.session.get_one(Application, application_id), part, "security-deputy"))

    assert code(desk, service.ask_lift, hold_id, "不再需要", by="security-deputy") == "hold-party"


def test_a_person_concerned_learns_nothing_of_the_hold(desk: ReviewDesk) -> None:
    hold_id = place(desk)
    application_id, case = desk.the(Application).id, number(desk)
    concerned = ["security-deputy"]
    desk.run(lambda uow: setattr(uow.session.get_one(Application, application_id), "subject_ids", concerned))

    assert desk.run(queries.list_open, by="security-deputy").holds == []
    with pytest.raises(NotFound):
        desk.run(service.ask_lift, hold_id, "不再需要", by="security-deputy")
    with pytest.raises(NotFound):
        desk.run(service.place, case, by="security-deputy", cause="manual", reason=WHY)


@pytest.mark.requirement("R67")
def test_two_holds_on_one_case_are_lifted_one_by_one(desk: ReviewDesk) -> None:
    first, second = place(desk), place(desk, cause="referral")
    for hold_id in (first, second):
        assert desk.run(queries.is_held, desk.the(Application).id)
        desk.run(service.ask_lift, hold_id, "不再需要", by="security-head")
        desk.run(service.confirm_lift, hold_id, Proof(password=PASSWORD), by="security-deputy")
    assert not desk.run(queries.is_held, desk.the(Application).id)


def test_the_owner_is_reminded_of_the_review_and_again(desk: ReviewDesk) -> None:
    hold_id = place(desk, owner_id="reviewer")
    desk.clock.turn(90 * DAY - timedelta(seconds=1))
    desk.run(reminders.remind)
    assert told(desk, "hold-review-due") == []

    desk.clock.turn(timedelta(seconds=1))
    for _ in range(2):
        desk.run(reminders.remind)
    assert told(desk, "hold-review-due") == ["reviewer"]
    desk.run(case_metrics.update_gauges)
    assert (metrics.HOLDS_OPEN._value.get(), metrics.HOLDS_REVIEW_OVERDUE._value.get()) == (1, 1)
    desk.clock.turn(7 * DAY)
    desk.run(reminders.remind)
    assert told(desk, "hold-review-due") == ["reviewer", "reviewer"]

    desk.run(service.review, hold_id, by="reviewer")
    desk.run(case_metrics.update_gauges)
    assert (metrics.HOLDS_OPEN._value.get(), metrics.HOLDS_REVIEW_OVERDUE._value.get()) == (1, 0)
    assert all(one.done_at for one in desk.all(Notice, code="hold-review-due"))
    assert code(desk, service.review, hold_id, by="supervisor") == "hold-placers-only"


def test_of_an_owner_who_has_left_the_head_is_reminded(desk: ReviewDesk) -> None:
    place(desk, owner_id="reviewer")
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "reviewer"), "active", False))
    desk.clock.turn(90 * DAY)
    desk.run(reminders.remind)
    assert "security-head" in told(desk, "hold-review-due")


@pytest.mark.requirement("R67")
async def test_the_reason_is_for_those_who_read_holds_alone(desk: ReviewDesk, portal: Portal) -> None:
    place(desk)
    application_id, bl = desk.the(Application).id, desk.the(Document, kind="hold-notice").number

    for person, reads in (("drafter", False), ("operator", False), ("reviewer", True), ("supervisor", True)):
        client = await portal.signed_in(person)
        case = await client.get(f"/api/cases/{application_id}")
        assert (WHY in case.text) is reads, person
        if case.status_code == 200:
            assert ("hold-notice" in {one["kind"] for one in case.json()["documents"]}) is reads, person
            assert case.json()["heldSince"], "everybody who sees the case learns that it is held"
        assert (await client.get(f"/api/documents/{bl}")).status_code == (200 if reads else 404), person
        assert (await client.get("/api/holds")).status_code == (200 if reads else 403), person
    page = (await (await portal.signed_in("drafter")).get(f"/cases/{application_id}")).text
    assert "保留" in page
    assert WHY not in page


@pytest.mark.requirement("R67")
async def test_a_hold_is_placed_and_lifted_on_its_page(desk: ReviewDesk, portal: Portal) -> None:
    first, second = await portal.signed_in("security-head"), await portal.signed_in("security-deputy")
    wanted = {"number": number(desk), "cause": "referral", "reason": WHY, "ownerId": "", "reviewDay": ""}

    short = await first.post("/holds", data={**wanted, "reason": "x"})
    assert short.status_code == 422
    assert number(desk) in short.text, "what was typed stays"
    assert (await first.post("/holds", data={**wanted, "number": "SQ-2031-999999"})).status_code == 404
    assert (await first.post("/holds", data=wanted)).status_code == 303
    hold_id = desk.the(Hold).id
    case_page = (await first.get(f"/cases/{desk.the(Application).id}")).text
    assert WHY in case_page
    assert (await first.post(f"/holds/{hold_id}/ask-lift", data={"because": "不再需要"})).status_code == 303
    assert (await first.post(f"/holds/{hold_id}/confirm-lift", data={"password": PASSWORD})).status_code == 403
    shown = (await second.get("/holds")).text
    assert "不再需要" in shown
    assert f"/holds/{hold_id}/confirm-lift" in shown
    assert problem(await second.post(f"/api/holds/{hold_id}/confirm-lift", json={})) == (422, "missing", "password")
    assert (await second.post(f"/holds/{hold_id}/confirm-lift", data={"password": PASSWORD})).status_code == 303
    assert desk.the(Hold).lifted_by == "security-deputy"
    lifted = (await second.get("/api/holds?lifted=true")).json()["holds"]
    assert [one["liftedBy"] for one in lifted] == [desk.the(Person, id="security-deputy").name]
    assert (await (await portal.signed_in("head")).get("/holds")).status_code == 200, "nothing to see, and it says so"
