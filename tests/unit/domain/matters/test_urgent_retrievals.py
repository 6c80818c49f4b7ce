"""Urgent retrievals: called and released by two people, seen before the approval and never downloaded, and it ends."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from by_hand import anything_goes
from portal_client import Portal, problem
from review_desk import FORM, NOON, PASSWORD
from urgent_desk import ASKED, CALLER, RELEASER, Urgent

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.documents import Document
from services.database.tables.emergency_views import EmergencyCopy, EmergencyGrant, EmergencyViewing
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import forms
from services.domain.applications import service as application_service
from services.domain.applications.forms import ItemAsked
from services.domain.custody import emergency, suspensions, viewings, violation_ends
from services.domain.holds import queries as holds
from services.domain.matters import queries, tasks, urgents
from services.domain.process.messages import APPLICATION_APPROVED, APPLICATION_REFUSED, MATTER_MOOT, URGENT_CALLED
from services.domain.retrieval import preservations
from services.domain.reviews import moot_matters
from services.domain.reviews import service as review_service
from services.domain.reviews import tasks as review_tasks
from services.domain.supervision import footage_viewers
from services.runtime.errors import NotFound, NotPermitted, NotYet, Refused
from services.runtime.spans import Span


@pytest.fixture
def urgent(any_database_url: str) -> Iterator[Urgent]:
    made = Urgent(any_database_url)
    yield made
    made.desk.close()


def preserve(uow: UnitOfWork, matter_id: str, instance: int = 1) -> str | None:
    return urgents.begin_preserving(uow, matter_id, instance)


def refused(urgent: Urgent, by: str = CALLER, **named: Any) -> str:
    with pytest.raises(Refused) as caught:
        urgent.call(by, **named)
    assert caught.value.zh
    return caught.value.code


@pytest.mark.requirement("R2")
def test_the_form_is_recorded_in_the_act_and_signed_by_the_caller(urgent: Urgent) -> None:
    matter_id = urgent.call()

    matter = urgent.matter(matter_id)
    assert matter.number.startswith("JQ-")
    [message] = urgent.messages(URGENT_CALLED)
    assert message.variables == {"matterId": matter_id, "applicationId": urgent.case}
    form = json.loads(urgent.desk.the(Document, kind="urgent").content)
    assert form["number"] == matter.number
    [signature] = form["calls"]
    assert signature["signature"]["statement"]["ground"] == "missing-person"
    assert signature["by"]["id"] == CALLER
    assert [one.cause for one in urgent.desk.run(holds.list_holdings, urgent.case)] == ["urgent"]
    assert refused(urgent, "reviewer") == "asked-already"


@pytest.mark.requirement("R2")
def test_a_draft_is_submitted_in_the_same_act(urgent: Urgent) -> None:
    draft = urgent.desk.run(lambda uow: application_service.create_draft(uow, FORM).id, by=CALLER)

    matter_id = urgent.call(case=draft)

    assert urgent.desk.the(Application, id=draft).submitted_at is not None
    assert urgent.matter(matter_id).application_id == draft


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize(
    ("by", "code"),
    [("drafter", "not-yours"), ("keeper", "not-found"), ("supervisor", "not-yours"), ("admin", "not-found")],
)
def test_footage_is_not_called_urgently_by_the_wrong_person(urgent: Urgent, by: str, code: str) -> None:
    assert refused(urgent, by) == code
    assert urgent.desk.all(Matter) == []


@pytest.mark.requirement("R2", refuses=True)
def test_a_call_without_signature_or_ground_and_of_too_much_is_refused(urgent: Urgent) -> None:
    assert refused(urgent, password="wrong") == "password-wrong"
    assert refused(urgent, ground="curiosity") == "missing"
    hour = timedelta(hours=1)
    long = ItemAsked("camera", NOON - 5 * hour, NOON - 2.5 * hour, "Asia/Shanghai")
    assert refused(urgent, case=urgent.desk.submitted(items=(long,))) == "not-now"
    twice = tuple(ItemAsked("camera", NOON - (2 + n) * hour, NOON - (1 + n) * hour, "UTC") for n in (0, 2, 4))
    assert refused(urgent, case=urgent.desk.submitted(items=twice)) == "not-now"
    urgent.desk.run(lambda uow: uow.session.add_all(_cameras()))
    of_four = tuple(ItemAsked(one, NOON - 2 * hour, NOON - hour, "UTC") for one in ("camera", "c1", "c2", "c3"))
    assert refused(urgent, case=urgent.desk.submitted(items=of_four)) == "not-now"
    urgent.call(case=urgent.desk.submitted(items=of_four[1:]))


@pytest.mark.requirement("R2", "R24", refuses=True)
def test_the_caller_alone_releases_nothing(urgent: Urgent) -> None:
    matter_id = urgent.call("reviewer")
    review_id = urgent.open_release(matter_id)
    with pytest.raises(Refused):
        urgent.decide(review_id, "reviewer")
    with pytest.raises(NotPermitted, match="nobody has released it"):
        urgent.desk.run(urgents.open_view, matter_id)
    urgent.decide(review_id, "reviewer2")
    urgent.desk.run(lambda uow: setattr(uow.session.get_one(Matter, matter_id), "opened_by", "reviewer2"))
    with pytest.raises(NotPermitted, match="caller alone"):
        urgent.desk.run(urgents.open_view, matter_id)


@pytest.mark.requirement("R2", "R24", refuses=True)
def test_who_has_a_part_in_the_case_is_no_second_person(urgent: Urgent) -> None:
    """Neither the applicant, nor whom the case concerns, nor who administers, whatever their posts."""
    case = urgent.desk.submitted(subject_ids=("reviewer",))
    review_id = urgent.open_release(urgent.call(case=case))
    urgent.desk.post("drafter", "storage-operator", "storage")
    urgent.desk.post("admin", "security-reviewer", "security")
    for by in (CALLER, "drafter", "reviewer", "admin", "keeper"):
        with pytest.raises((Refused, NotFound)):
            urgent.decide(review_id, by)
    urgent.decide(review_id, "reviewer2")


@pytest.mark.requirement("R2", refuses=True)
def test_a_release_without_the_signed_facts_or_a_reason_is_refused(urgent: Urgent) -> None:
    matter_id = urgent.call()
    review_id = urgent.open_release(matter_id)
    for named in ({"proof": Proof("0" * 64, PASSWORD)}, {"proof": Proof(urgent.matter(matter_id).facts_sha256, "x")}):
        with pytest.raises(Refused):
            urgent.decide(review_id, **named)
    with pytest.raises(Refused):
        urgent.decide(review_id, outcome="rejected", reason="")
    with pytest.raises(Refused):
        urgent.decide(review_id, answers={"urgent": False, "smallest": True})


@pytest.mark.requirement("R2", refuses=True)
def test_what_a_correction_adds_after_the_release_is_not_shown(urgent: Urgent) -> None:
    matter_id = urgent.released()
    hour = timedelta(hours=1)
    urgent.desk.run(
        lambda uow: forms.replace_items(
            uow,
            uow.session.get_one(Application, urgent.case),
            (ItemAsked("camera", NOON - 9 * hour, NOON - 8 * hour, "UTC"),),
        )
    )
    with anything_goes():
        [[item]] = urgent.desk.run(
            lambda uow: [[one.id for one in preservations.items_in_scope(uow, urgent.case)]],
        )
    assert item not in {one["item"] for one in urgent.matter(matter_id).facts["before"]["items"]}
    assert urgent.desk.run(urgents.list_orders, matter_id, 1) == []


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("job", [preserve, urgents.open_view, urgents.end_view, urgents.open_violation])
def test_jobs_by_hand_change_nothing(urgent: Urgent, job: Any) -> None:
    with pytest.raises(NotPermitted, match="does not have this matter"):
        urgent.desk.run(job, "nothing")
    matter_id = urgent.call()
    with pytest.raises(NotPermitted, match="nobody has released it"):
        urgent.desk.run(job, matter_id)
    self_review = urgent.open_release(matter_id)
    urgent.decide(self_review, outcome="rejected")
    with pytest.raises(NotPermitted, match="nobody has released it"):
        urgent.desk.run(job, matter_id)
    urgent.desk.run(tasks.close, matter_id, "refused")
    assert urgent.matter(matter_id).closed_as == "refused"
    assert urgent.desk.all(EmergencyGrant) == urgent.desk.all(Violation) == []


@pytest.mark.requirement("R2", refuses=True)
def test_a_release_over_other_facts_opens_nothing(urgent: Urgent) -> None:
    matter_id = urgent.released()

    def change(uow: UnitOfWork) -> None:
        matter = uow.session.get_one(Matter, matter_id)
        matter.facts = {**matter.facts, "asked": {**matter.facts["asked"], "ground": "fire"}}

    urgent.desk.run(change)
    with pytest.raises(NotPermitted, match="not those that were signed"):
        urgent.desk.run(urgents.open_view, matter_id)


@pytest.mark.requirement("R2", "R41")
def test_the_two_people_see_it_and_each_look_is_booked(urgent: Urgent) -> None:
    matter_id, copy_id = urgent.shown()

    assert urgent.view(copy_id) == urgent.view(copy_id, RELEASER) == "opens"
    [own, other] = urgent.desk.all(EmergencyViewing)
    first, second = (own, other) if own.person_id == CALLER else (other, own)
    urgent.desk.run(emergency.record_read, copy_id, first.id, 0, 64, by=CALLER)
    with pytest.raises(NotFound):  # nobody reads by the other's look
        urgent.desk.run(emergency.record_read, copy_id, second.id, 0, 64, by=CALLER)
    item = urgent.desk.the(Item, application_id=urgent.case)
    span = Span(item.asked_start, item.asked_end)
    seen = urgent.desk.run(footage_viewers.list_all, item.camera_id, span)
    assert [(one.how, one.person_id) for one in seen] == [("emergency-viewing", CALLER)]
    for stranger in ("drafter", "reviewer", "keeper"):
        assert urgent.view(copy_id, stranger) == "not-found"
    with pytest.raises(Refused, match="Confirm first"):
        urgent.desk.run(emergency.open_viewing, copy_id, purpose_confirmed=False, address="::1", by=CALLER)
    until = urgent.desk.run(urgents.open_view, matter_id)
    assert len(urgent.desk.all(EmergencyGrant)) == 2
    assert until - urgent.desk.clock.now() <= timedelta(hours=24)


@pytest.mark.requirement("R41", refuses=True)
def test_it_is_never_downloaded(urgent: Urgent) -> None:
    _, copy_id = urgent.shown()

    with pytest.raises(NotFound):
        urgent.desk.run(
            viewings.list_download, copy_id, recipient="", medium="U盘", address="::1", opens_with="browser", by=CALLER
        )


@pytest.mark.requirement("R59", refuses=True)
def test_it_opens_only_with_an_agreement_and_to_nobody_who_is_suspended(urgent: Urgent) -> None:
    _, copy_id = urgent.shown()
    urgent.desk.run(suspensions.open_for_person, CALLER, suspensions.VIOLATION)
    assert urgent.view(copy_id) == "violation-open"

    def lapse(uow: UnitOfWork) -> None:
        for agreement in uow.session.query(Agreement).filter_by(person_id=RELEASER):
            agreement.expires_at = uow.now

    urgent.desk.run(lapse)
    assert urgent.view(copy_id, RELEASER) == "agreement-missing"


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("end", ["file", "close_case", "over"])
def test_it_closes_with_the_approval_the_refusal_or_the_time_whatever_the_process_does(
    urgent: Urgent, end: str
) -> None:
    _, copy_id = urgent.shown()
    if end == "over":
        urgent.later(hours=24)
    else:
        getattr(urgent, end)()
    assert urgent.view(copy_id) == "emergency-view-over"


@pytest.mark.requirement("R2", refuses=True)
def test_the_view_is_not_ended_and_no_violation_opened_before_the_time(urgent: Urgent) -> None:
    matter_id, copy_id = urgent.shown()

    with pytest.raises(NotPermitted, match="can be approved until"):
        urgent.desk.run(urgents.end_view, matter_id)
    with pytest.raises(NotPermitted, match="still open"):
        urgent.desk.run(urgents.open_violation, matter_id)
    assert urgent.view(copy_id) == "opens"


@pytest.mark.requirement("R2")
def test_an_approval_ratifies_it(urgent: Urgent) -> None:
    matter_id, copy_id = urgent.shown()
    urgent.view(copy_id)
    urgent.file()

    [message] = urgent.messages(APPLICATION_APPROVED)
    assert (message.correlation_key, message.matter_id) == (urgent.case, matter_id)
    ended = urgent.desk.run(urgents.end_view, matter_id)
    again = urgent.desk.run(urgents.end_view, matter_id)
    assert ended.ratified
    assert again.ratified
    assert [one[0] for one in ended.copies] == [copy_id]
    assert urgent.matter(matter_id).closed_as == "ratified"
    assert urgent.desk.run(urgents.open_violation, matter_id) is None
    assert urgent.desk.all(Violation) == []
    last = urgent.desk.all(Document, kind="urgent")[-1]
    assert last.number == f"{urgent.matter(matter_id).number}/1"
    assert "查看 1 次" in last.content


@pytest.mark.requirement("R24", refuses=True)
def test_the_caller_does_not_approve_what_has_to_ratify_the_call(urgent: Urgent) -> None:
    """Whoever answers for a call that is not approved would approve it."""
    desk = urgent.desk
    before = desk.opened(urgent.case, "preliminary")
    assert desk.candidates(before) == [CALLER]
    desk.run(review_tasks.claim, before, by=CALLER)
    urgent.call()
    assert desk.candidates(before) == ["deputy"]
    assert "deputy" in {one.person_id for one in desk.all(Notice, code="review-opened", subject_id=before)}
    desk.run(review_tasks.claim, before, by="deputy")
    given = {"outcome": "approved", "answers": {}, "proof": Proof("", PASSWORD)}
    with pytest.raises(Refused) as caught:
        desk.run(review_service.decide, before, by=CALLER, **given)
    assert caught.value.code == "was-caller"


@pytest.mark.requirement("R2", "R65")
@pytest.mark.parametrize("end", ["close_case", "over"])
def test_t7_without_approval_it_is_a_violation_of_the_caller_once(urgent: Urgent, end: str) -> None:
    matter_id, _ = urgent.shown()
    if end == "over":
        urgent.later(hours=24)
    else:
        urgent.close_case()
        urgent.close_case()
        assert len(urgent.messages(APPLICATION_REFUSED)) == 1
        assert urgent.messages(MATTER_MOOT) == []
    assert not urgent.desk.run(urgents.end_view, matter_id).ratified
    first = urgent.desk.run(urgents.open_violation, matter_id)
    assert urgent.desk.run(urgents.open_violation, matter_id) == first
    violation = urgent.desk.the(Violation)
    assert (violation.kind, violation.accused, violation.hand_over_id) == ("urgent-not-ratified", [CALLER], None)
    assert urgent.matter(matter_id).closed_as == "not-ratified"
    assert [one.cause for one in urgent.desk.run(holds.list_holdings, urgent.case)] == ["violation"]
    told = {one.person_id for one in urgent.desk.all(Notice, code="violation-urgent-not-ratified")}
    assert {CALLER, "reviewer", "security-head", "supervisor"} <= told
    urgent.desk.run(lambda uow: violation_ends.close(uow, uow.session.get_one(Violation, violation.id), "cleared"))
    assert urgent.desk.run(holds.list_holdings, urgent.case) == []


@pytest.mark.requirement("R2", refuses=True)
def test_p13_an_approval_that_comes_while_the_timer_fires_is_no_violation(urgent: Urgent) -> None:
    matter_id, _ = urgent.shown()
    urgent.later(hours=24)
    assert not urgent.desk.run(urgents.end_view, matter_id).ratified
    urgent.file()

    assert urgent.desk.run(urgents.open_violation, matter_id) is None

    assert urgent.desk.all(Violation) == []
    assert urgent.matter(matter_id).closed_as == "ratified"


@pytest.mark.requirement("R2", refuses=True)
def test_an_approval_after_the_time_ratifies_nothing_however_late_the_process_is(urgent: Urgent) -> None:
    matter_id, _ = urgent.shown()
    urgent.later(hours=25)
    urgent.file()

    assert not urgent.desk.run(urgents.end_view, matter_id).ratified
    assert urgent.desk.run(urgents.open_violation, matter_id) is not None

    violation = urgent.desk.the(Violation)
    number = urgent.desk.the(Document, kind="application-form").number
    assert violation.facts["approvedLate"] == number
    assert urgent.matter(matter_id).closed_as == "not-ratified"
    lines = urgent.desk.run(
        lambda uow: queries.lines_of(uow, uow.session.get_one(Matter, violation.matter_id)), by="security-head"
    )
    assert number in {line.zh for line in lines}


@pytest.mark.requirement("R2")
def test_an_approval_that_was_signed_in_time_and_is_filed_later_ratifies_it(urgent: Urgent) -> None:
    matter_id, copy_id = urgent.shown()
    urgent.later(hours=23)
    urgent.desk.approved(urgent.case, first="deputy")
    urgent.later(hours=2)

    assert urgent.view(copy_id) == "emergency-view-over"
    assert not urgent.desk.run(urgents.end_view, matter_id).ratified
    with pytest.raises(NotYet, match="approved and not filed yet"):
        urgent.desk.run(urgents.open_violation, matter_id)
    urgent.file()
    assert urgent.desk.run(urgents.open_violation, matter_id) is None
    assert urgent.matter(matter_id).closed_as == "ratified"
    assert urgent.desk.all(Violation) == []


@pytest.mark.requirement("R2")
@pytest.mark.parametrize(("end", "because"), [("file", MATTER_MOOT), ("close_case", MATTER_MOOT)])
def test_a_decision_before_the_release_makes_it_moot(urgent: Urgent, end: str, because: str) -> None:
    matter_id = urgent.call()
    review_id = urgent.open_release(matter_id)
    getattr(urgent, end)()

    assert urgent.matter(matter_id).closed_as == "moot"
    assert len(urgent.messages(because)) == 1
    with pytest.raises(Refused):
        urgent.decide(review_id)


@pytest.mark.requirement("R2", refuses=True)
def test_nobody_answers_for_footage_that_was_never_shown(urgent: Urgent) -> None:
    matter_id = urgent.released()
    urgent.close_case()

    urgent.desk.run(urgents.open_view, matter_id)
    assert not urgent.desk.run(urgents.end_view, matter_id).ratified
    assert urgent.desk.run(urgents.open_violation, matter_id) is None
    assert urgent.desk.all(Violation) == urgent.desk.all(EmergencyGrant) == urgent.desk.all(EmergencyCopy) == []


@pytest.mark.requirement("R24")
def test_a_second_call_within_thirty_days_is_a_finding_for_security(urgent: Urgent) -> None:
    first = urgent.matter(urgent.call())
    urgent.later(days=29)
    second = urgent.matter(urgent.call(case=urgent.desk.submitted()))

    assert second.facts["before"]["repeats"] == first.number
    told = urgent.desk.all(Notice, code="urgent-repeated")
    assert "security-head" in {one.person_id for one in told}
    assert {one.done_at for one in told} == {None}
    urgent.desk.run(lambda uow: moot_matters.close(uow, uow.session.get_one(Matter, second.id), "moot", {}))
    assert None not in {one.done_at for one in urgent.desk.all(Notice, code="urgent-repeated")}
    urgent.later(days=31)
    assert urgent.matter(urgent.call(case=urgent.desk.submitted())).facts["before"]["repeats"] is None


@pytest.mark.requirement("R2")
def test_everything_of_an_urgent_retrieval_is_preserved(urgent: Urgent) -> None:
    """Also what is not at risk; and not before the release, which the caller alone does not give."""
    urgent.desk.add_north_gate()
    urgent.case = urgent.desk.submitted(
        items=(ItemAsked("north", NOON - timedelta(hours=2), NOON - timedelta(hours=1), "UTC"),)
    )
    matter_id = urgent.call()
    assert urgent.desk.run(preservations.list_needs, urgent.case) == (0, [])
    urgent.decide(urgent.open_release(matter_id))
    assert urgent.desk.run(preserve, matter_id) == urgent.case
    assert urgent.matter(matter_id).process_instance_key == 1
    assert len(urgent.desk.run(preservations.list_needs, urgent.case)[1]) == 1
    with pytest.raises(NotPermitted, match="another process instance handles it already"):
        urgent.desk.run(preserve, matter_id, 2)


@pytest.fixture
async def portal(urgent: Urgent) -> AsyncIterator[Portal]:
    async with Portal(urgent.desk) as portal:
        yield portal


@pytest.mark.requirement("R2")
async def test_pages_and_api_of_an_urgent_retrieval(portal: Portal, urgent: Urgent) -> None:
    head = await portal.signed_in(CALLER)
    page = await head.get(f"/cases/{urgent.case}")
    assert "/matters/new/urgent?case=" in page.text
    page = await head.get(f"/matters/new/urgent?case={urgent.case}")
    assert page.status_code == 200, page.text
    assert "情况" in page.text or "urgent" in page.text
    generic = {"kind": "urgent", "applicationId": urgent.case, "asked": ASKED}
    assert problem(await head.post("/api/matters", json=generic))[1] == "signature-missing"
    answer = await head.post(f"/api/applications/{urgent.case}/urgent", json={**ASKED, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    matter_id = answer.json()["id"]
    assert (await head.get(f"/matters/{matter_id}")).status_code == 200
    urgent.decide(urgent.open_release(matter_id))
    copy_id = urgent.copy(matter_id)
    urgent.desk.run(urgents.open_view, matter_id)
    assert f"/emergency-copies/{copy_id}/watch" in (await head.get(f"/matters/{matter_id}")).text
    assert (await head.get(f"/emergency-copies/{copy_id}/watch")).status_code == 200
    opened = await head.post(f"/api/emergency-copies/{copy_id}/viewings", json={"purposeConfirmed": True})
    assert opened.status_code == 201, opened.text
    assert (await head.get(opened.json()["playlist"])).status_code == 200
    assert (await head.get(f"/copies/{copy_id}/download")).status_code == 404
    urgent.file()
    assert (await head.get(f"/emergency-copies/{copy_id}/watch")).status_code == 403
    assert (await head.get(opened.json()["playlist"])).status_code == 403


def _cameras() -> list[Camera]:
    names = {"name_zh": "门", "name_en": "gate", "place_zh": "门", "place_en": "gate", "retention_days": 30}
    return [Camera(id=f"c{n}", recorder_id="recorder", channel=f"{n}", **names) for n in (1, 2, 3)]
