"""Who asks for legal holds and their lifting, who decides, and who reads of them (R65 to R67, F14, F34)."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from behalf_case import add_legal
from loan_matter import LoanDesk
from portal_client import Portal, problem
from prepared_desk import prepared_desk
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import metrics as case_metrics
from services.domain.cases.document_layouts import render_pdf
from services.domain.holds import queries, reminders, service
from services.domain.matters import held, tasks
from services.domain.matters import queries as matter_queries
from services.domain.matters.kinds.hold import HoldKind
from services.domain.process import permissions
from services.runtime import metrics
from services.runtime.errors import Fatal, NotFound, NotPermitted, Refused

WHY = "市公安局来函，要求保留至办结"
DAY = timedelta(days=1)


def submitted(desk: ReviewDesk) -> str:
    add_legal(desk)
    return desk.submitted()


@pytest.fixture
def desk(any_database_url: str) -> ReviewDesk:
    return prepared_desk(any_database_url, submitted)[0]


@pytest.fixture
def matters(desk: ReviewDesk) -> LoanDesk:
    """The matters of the case, which is under approval and has no loan."""
    return LoanDesk(desk, {"application_id": desk.the(Application).id})


def number(desk: ReviewDesk) -> str:
    return str(desk.the(Application).number)


def place(desk: ReviewDesk, by: str = "security-head", **values: Any) -> str:
    given = {"cause": "authority", "reason": WHY, **values}
    return str(desk.run(held.place, number(desk), by=by, **given).id)


def code(desk: ReviewDesk, act: Callable[..., Any], *args: Any, by: str, **named: Any) -> str:
    with pytest.raises(Refused) as found:
        desk.run(act, *args, by=by, **named)
    return found.value.code


def told(desk: ReviewDesk, notice: str) -> list[str]:
    return sorted(one.person_id for one in desk.all(Notice, code=notice))


@pytest.mark.requirement("R67")
@pytest.mark.parametrize("by", ["drafter", "head", "operator", "manager", "supervisor", "office-head", "admin"])
def test_only_legal_and_security_place_a_hold(desk: ReviewDesk, by: str) -> None:
    with pytest.raises((Refused, NotFound)) as found:
        place(desk, by=by)

    assert found.value.code in ("not-yours", "not-found")
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
        ({"cause": "whim"}, "missing"),
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
def test_a_hold_waits_for_nobody_and_legal_confirms_it(matters: LoanDesk) -> None:
    desk, hold_id = matters.desk, place(matters.desk, by="reviewer")
    matter_id = str(desk.the(Hold).matter_id)
    matter = matters.matter(matter_id)
    assert (matter.number[:3], matter.opened_by) == ("BL-", "reviewer")
    assert desk.the(Document, kind="hold-notice").number == matter.number
    [shown] = desk.run(queries.list_open, by="supervisor").holds
    assert (shown.confirmed, shown.may_ask_lift) == (False, False)
    assert code(desk, held.ask_lift, hold_id, "不再需要", by="security-head") == "hold-unconfirmed"
    assert matters.check(matter_id).allowed
    with pytest.raises(NotPermitted, match="the stage legal has not decided it"):
        matters.apply(matter_id)
    with pytest.raises(NotPermitted, match="nobody has decided against it"):
        matters.close(matter_id, "refused")
    review_id = matters.open(matter_id, "legal")
    assert desk.candidates(review_id) == ["counsel"]

    matters.answer(review_id, matter_id, "legal", "counsel")
    assert matters.apply(matter_id)
    assert matters.apply(matter_id), "sent twice"
    with pytest.raises(NotPermitted, match="closed as applied"):
        matters.open(matter_id, "legal")
    matters.close(matter_id, "refused")

    assert (matters.matter(matter_id).closed_as, desk.the(Hold).lifted_at) == ("applied", None)
    assert desk.the(Document, kind="hold").number == f"{matter.number}/1"
    assert [one.confirmed for one in desk.run(queries.list_open, by="supervisor").holds] == [True]


@pytest.mark.requirement("R67")
def test_a_refusal_of_legal_lifts_the_hold_and_nothing_else_does(matters: LoanDesk) -> None:
    desk = matters.desk
    kept, refused = place(desk, cause="referral"), place(desk)
    matter_id = str(desk.the(Hold, id=refused).matter_id)
    matters.check(matter_id)
    matters.decide(matter_id, "legal", "counsel", "rejected", reason="没有依据")
    with pytest.raises(NotPermitted, match="decided against it"):
        matters.apply(matter_id)
    for _ in range(2):
        matters.close(matter_id, "refused")

    hold = desk.the(Hold, id=refused)
    assert (hold.lifted_by, hold.lifted_because) == ("counsel", "没有依据")
    assert hold.lift_signature["statement"]["outcome"] == "rejected"
    assert told(desk, "hold-lifted") == ["security-head"]
    # another stage against it does not end what Legal has confirmed
    kept_by = str(desk.the(Hold, id=kept).matter_id)
    matters.check(kept_by)
    matters.decide(kept_by, "legal", "counsel")
    desk.run(
        lambda uow: HoldKind().undo(
            uow, uow.session.get_one(Matter, kept_by), permissions.read(uow, matters.application_id)
        )
    )
    assert desk.the(Hold, id=kept).lifted_at is None
    assert desk.run(queries.is_held, matters.application_id)
    assert code(desk, held.ask_lift, refused, "again", by="security-head") == "hold-over"


@pytest.mark.requirement("R67")
def test_whoever_has_placed_a_hold_does_not_confirm_it_alone(matters: LoanDesk) -> None:
    desk, hold_id = matters.desk, place(matters.desk, by="counsel")
    matter_id = str(desk.the(Hold, id=hold_id).matter_id)
    with pytest.raises(Fatal, match="nobody may decide"):
        matters.open(matter_id, "legal")
    desk.clock.turn(30 * DAY)
    assert desk.run(queries.is_held, matters.application_id), "it is in effect all the same"


def confirmed(matters: LoanDesk, **values: Any) -> str:
    """A hold that Security has placed and Legal has confirmed; its id."""
    hold_id = place(matters.desk, **values)
    matter_id = str(matters.desk.the(Hold, id=hold_id).matter_id)
    matters.agreed(matter_id, ("legal", "counsel"))
    assert matters.apply(matter_id)
    return hold_id


@pytest.mark.requirement("R67")
def test_a_hold_is_lifted_by_legal_and_the_head_of_security_and_not_before(matters: LoanDesk) -> None:
    desk, hold_id = matters.desk, confirmed(matters)
    for other in ("reviewer", "supervisor"):
        assert code(desk, held.ask_lift, hold_id, "不再需要", by=other) == "hold-placers-only"
    matter_id = desk.run(held.ask_lift, hold_id, "不再需要", by="security-deputy").id
    assert code(desk, held.ask_lift, hold_id, "不再需要", by="security-head") == "lift-asked"
    assert matters.check(matter_id).allowed
    matters.decide(matter_id, "legal", "counsel")
    with pytest.raises(NotPermitted, match="the stage security-signature has not decided it"):
        matters.apply(matter_id)
    review_id = matters.open(matter_id, "security-signature")
    for by, refusal in (("security-deputy", "was-opener"), ("counsel", "was-legal")):
        with pytest.raises(Refused) as found:
            matters.answer(review_id, matter_id, "security-signature", by)
        assert found.value.code == refusal
    desk.clock.turn(30 * DAY)  # waiting takes nobody's place
    assert desk.run(queries.is_held, matters.application_id)
    matters.answer(review_id, matter_id, "security-signature", "security-head")

    facts = matters.matter(matter_id).facts
    change(matters, Matter, matter_id, facts={**facts, "asked": {**facts["asked"], "reason": "其他"}})
    with pytest.raises(NotPermitted, match="its facts are not those that were signed"):
        matters.apply(matter_id)
    change(matters, Matter, matter_id, facts=facts)
    by_legal = desk.the(Decision, matter_id=matter_id, stage="legal").id
    for person, cause in (("security-head", "two people"), ("security-deputy", "two people")):
        change(matters, Decision, by_legal, decided_by=person)
        with pytest.raises(NotPermitted, match=cause):
            matters.apply(matter_id)
    change(matters, Decision, by_legal, decided_by="counsel")
    assert desk.run(queries.is_held, matters.application_id)

    assert matters.apply(matter_id)
    assert matters.apply(matter_id), "sent twice"
    hold = desk.the(Hold)
    assert (hold.lift_asked_by, hold.lifted_by, hold.lifted_because) == ("security-deputy", "security-head", "不再需要")
    assert hold.lift_signature["statement"]["matter"] == matter_id
    assert not desk.run(queries.is_held, matters.application_id)
    assert desk.the(Document, kind="lift-hold").number.startswith("JL-")
    assert code(desk, held.ask_lift, hold_id, "again", by="security-head") == "hold-over"


@pytest.mark.requirement("R67")
def test_whoever_says_no_keeps_the_hold_and_it_can_be_asked_again(matters: LoanDesk) -> None:
    desk, hold_id = matters.desk, confirmed(matters)
    matter_id = desk.run(held.ask_lift, hold_id, "不再需要", by="security-deputy").id
    matters.agreed(matter_id, ("legal", "counsel"))
    matters.decide(matter_id, "security-signature", "security-head", "refused")
    with pytest.raises(NotPermitted, match="decided against it"):
        matters.apply(matter_id)
    matters.close(matter_id, "refused")

    hold = desk.the(Hold)
    assert (hold.lifted_at, hold.lift_asked_at, hold.lift_matter_id) == (None, None, None)
    assert desk.run(queries.is_held, matters.application_id)
    assert desk.run(held.ask_lift, hold_id, "不再需要", by="security-head").id != matter_id


def change(matters: LoanDesk, table: type, row_id: str, **values: Any) -> None:
    def act(uow: UnitOfWork) -> None:
        row = uow.session.get_one(table, row_id)
        for name, value in values.items():
            setattr(row, name, value)

    matters.desk.run(act)


@pytest.mark.requirement("R67")
def test_holds_and_requests_of_an_older_release_go_on(matters: LoanDesk) -> None:
    desk = matters.desk
    first, second = place(desk), place(desk, cause="referral")
    for hold_id, by in ((first, "security-deputy"), (second, "keeper")):
        asked = {"lift_asked_by": by, "lift_asked_at": desk.clock.now(), "lifted_because": "案件已结"}
        change(matters, Hold, hold_id, matter_id=None, **asked)
    concerned = ["keeper"]
    change(matters, Application, matters.application_id, subject_ids=concerned)
    assert code(desk, held.ask_lift, first, "不再需要", by="security-head") == "lift-asked"

    for _ in range(2):
        assert not desk.run(held.open_asked_lifts)

    assert desk.the(Hold, id=second).lift_asked_at is None, "who has asked may have no hand in it"
    [matter] = desk.all(Matter, kind="lift-hold")
    assert (matter.opened_by, matter.facts["asked"]["reason"]) == ("security-deputy", "案件已结")
    matters.agreed(matter.id, ("legal", "counsel"), ("security-signature", "security-head"))
    assert matters.apply(matter.id)
    assert [one.lifted_at is None for one in (desk.the(Hold, id=first), desk.the(Hold, id=second))] == [False, True]


@pytest.mark.parametrize("part", ["drafter_id", "custodian_id"])
def test_nobody_lifts_the_hold_of_a_case_in_which_they_have_a_part(matters: LoanDesk, part: str) -> None:
    hold_id = confirmed(matters)
    change(matters, Application, matters.application_id, **{part: "security-deputy"})

    assert code(matters.desk, held.ask_lift, hold_id, "不再需要", by="security-deputy") == "hold-party"


def test_a_person_concerned_learns_nothing_of_the_hold(matters: LoanDesk) -> None:
    desk, hold_id = matters.desk, place(matters.desk)
    case, matter_id = number(desk), str(desk.the(Hold).matter_id)
    change(matters, Application, matters.application_id, subject_ids=["security-deputy"])

    assert desk.run(queries.list_open, by="security-deputy").holds == []
    for act, args in ((held.ask_lift, (hold_id, "不再需要")), (matter_queries.get, (matter_id,))):
        with pytest.raises(NotFound):
            desk.run(act, *args, by="security-deputy")
    with pytest.raises(NotFound):
        desk.run(held.place, case, by="security-deputy", cause="manual", reason=WHY)


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


@pytest.mark.requirement("R30")
def test_whoever_owns_a_hold_no_longer_is_told_of_it_no_more(desk: ReviewDesk) -> None:
    hold_id = place(desk, owner_id="reviewer")
    desk.clock.turn(DAY)
    desk.run(service.review, hold_id, "reviewer2", by="reviewer")
    owned = desk.all(Notice, code="hold-owned")
    assert {one.person_id: one.done_at is None for one in owned} == {"reviewer": False, "reviewer2": True}

    def lift(uow: UnitOfWork) -> None:
        decision = Decision(decided_by="counsel", signature={})
        service.lift(uow, uow.session.get_one(Hold, hold_id), decision, "不再需要")

    desk.run(lift)
    assert all(one.done_at for one in desk.all(Notice, code="hold-owned"))


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
    matter_id = desk.the(Hold).matter_id
    key = next(desk.keys)
    review = desk.run(tasks.open_review, matter_id, "legal", job_key=key, process_instance_key=key).review_id
    for person, reads in (("drafter", False), ("head", False), ("reviewer", True), ("counsel", True)):
        client = await portal.signed_in(person)
        for path in (f"/matters/{matter_id}", f"/api/matters/{matter_id}", f"/api/reviews/{review}"):
            answer = await client.get(path)
            assert (answer.status_code, WHY in answer.text) == ((200, True) if reads else (404, False)), (person, path)
    page = (await (await portal.signed_in("drafter")).get(f"/cases/{application_id}")).text
    assert "保留" in page
    assert WHY not in page


@pytest.mark.requirement("R67")
async def test_a_hold_is_placed_and_lifted_from_its_page(matters: LoanDesk, portal: Portal) -> None:
    desk = matters.desk
    first, second = await portal.signed_in("security-head"), await portal.signed_in("counsel")
    wanted = {"number": number(desk), "cause": "referral", "reason": WHY, "ownerId": "", "reviewDay": ""}

    short = await first.post("/holds", data={**wanted, "reason": "x"})
    assert short.status_code == 422
    assert number(desk) in short.text, "what was typed stays"
    assert (await first.post("/holds", data={**wanted, "number": "SQ-2031-999999"})).status_code == 404
    sent = await first.post("/holds", data=wanted)
    hold = desk.the(Hold)
    assert (sent.status_code, sent.headers["location"]) == (303, f"/matters/{hold.matter_id}")
    assert WHY in (await first.get(f"/cases/{matters.application_id}")).text
    assert f"/matters/{hold.matter_id}" in (await first.get("/holds")).text
    assert (await first.get("/matters/new/hold", params={"case": matters.application_id})).status_code == 404
    matters.agreed(str(hold.matter_id), ("legal", "counsel"))
    matters.apply(str(hold.matter_id))

    assert (await first.post(f"/holds/{hold.id}/review", data={"ownerId": ""})).status_code == 303
    asked = await second.post(f"/holds/{hold.id}/ask-lift", data={"because": "不再需要"})
    lift_id = desk.the(Hold).lift_matter_id
    assert (asked.status_code, asked.headers["location"]) == (303, f"/matters/{lift_id}")
    assert "不再需要" in (await first.get("/holds")).text
    again = await first.post(f"/api/holds/{hold.id}/ask-lift", json={"because": "不再需要"})
    assert problem(again)[:2] == (409, "lift-asked")
    for act in ("keep", "confirm-lift"):
        assert (await first.post(f"/api/holds/{hold.id}/{act}", json={})).status_code == 404
    assert desk.the(Hold).lifted_at is None
    listed = (await first.get("/api/holds")).json()["holds"]
    assert [(one["matterId"], one["liftMatterId"], one["confirmed"]) for one in listed] == [
        (hold.matter_id, lift_id, True)
    ]
    assert (await (await portal.signed_in("head")).get("/holds")).status_code == 200, "nothing to see, and it says so"
