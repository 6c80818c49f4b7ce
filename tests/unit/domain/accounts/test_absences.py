"""Absences: who puts somebody out of office, from when others sign in the place, and that the person is told."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from review_desk import FORM, NOON, PASSWORD, ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.consents import Consultation
from services.database.tables.notices import Notice
from services.database.tables.people import Absence
from services.database.tables.reviews import Decision
from services.domain.access import queries as access_queries
from services.domain.accounts import absences
from services.domain.accounts.absences import NOTICE, AbsenceView
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import joint
from services.domain.applications import service as application_service
from services.domain.cases import consent_queries, inbox
from services.domain.notifications import texts
from services.domain.reviews import tasks as review_tasks
from services.runtime.errors import NotFound, Refused

pytestmark = pytest.mark.requirement("R16")

DAY = timedelta(days=1)
SIGNED, ENTERED, CONFIRMED = "signed-in-your-place", "absence-entered", "absence-confirmed"


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def enter(desk: ReviewDesk, by: str, person_id: str = "head", since: datetime = NOON) -> str:
    """The id of an absence of two days."""
    return desk.run(absences.add, person_id, since=since, until=since + 2 * DAY, by=by).id


def listed(desk: ReviewDesk, by: str, person_id: str = "head") -> AbsenceView:
    (view,) = desk.run(absences.list_absences, person_id, by=by)
    return view


def told(desk: ReviewDesk, code: str) -> list[str]:
    return sorted(notice.person_id for notice in desk.all(Notice, code=code))


@pytest.mark.requirement("R16", refuses=True)
def test_nobody_has_absences_without_number(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who signs is asked of each of them, also on the page of all posts."""
    monkeypatch.setattr(absences, "MOST", 2)
    over = enter(desk, "head", since=NOON + DAY)
    enter(desk, "head", since=NOON + 2 * DAY)
    with pytest.raises(Refused) as refused:
        enter(desk, "head", since=NOON + 4 * DAY)
    assert refused.value.code == "absences-enough"
    desk.run(absences.end, over, by="head")
    assert enter(desk, "head", since=NOON + 4 * DAY)


def preliminary(desk: ReviewDesk) -> str:
    return desk.opened(desk.submitted(), "preliminary")


def refusal(desk: ReviewDesk, review_id: str, by: str = "deputy") -> Refused:
    with pytest.raises(Refused) as refused:
        desk.decide(review_id, by)
    assert not desk.all(Decision, review_id=review_id)
    return refused.value


@pytest.mark.both_databases
@pytest.mark.requirement("R16", "R25", refuses=True)
def test_a_deputy_who_enters_the_heads_absence_signs_after_a_notice_and_the_head_is_told_of_both(
    desk: ReviewDesk,
) -> None:
    review_id = preliminary(desk)
    enter(desk, "deputy")

    refused = refusal(desk, review_id)
    assert refused.code == "not-yet"
    assert "2031-03-05 08:00 +0800" in refused.message.en  # twelve hours after noon in UTC, in the rules' zone
    assert "2031-03-05 08:00 +0800" in refused.message.zh
    shown = desk.run(inbox.get_review, review_id, by="deputy").why_not
    assert shown is not None
    assert shown.en == refused.message.en
    assert told(desk, ENTERED) == ["head"]
    view = listed(desk, "head")
    assert (view.state, view.effective_from, view.added_by) == ("notice", NOON + NOTICE, "deputy")
    desk.clock.turn(NOTICE - timedelta(seconds=1))
    refusal(desk, review_id)

    desk.clock.turn(timedelta(seconds=1))

    assert desk.candidates(review_id) == ["deputy"]
    assert listed(desk, "head").state == "in-force"
    assert told(desk, SIGNED) == []
    desk.decide(review_id, "deputy")
    assert desk.the(Decision, review_id=review_id).stands_in_for == "head"
    assert told(desk, SIGNED) == ["head"]


def test_the_heads_own_word_counts_at_once_and_each_signature_is_told(desk: ReviewDesk) -> None:
    enter(desk, "head")
    assert (listed(desk, "head").state, told(desk, ENTERED)) == ("in-force", [])

    for _ in range(2):
        desk.decide(preliminary(desk), "deputy")

    assert told(desk, SIGNED) == ["head", "head"]  # and not the deputy, who otherwise gets an absent head's notices
    notice = desk.all(Notice, code=SIGNED)[0]
    assert texts.link_path(notice.code, notice.application_id, notice.subject_id) == f"/reviews/{notice.subject_id}"
    assert desk.run(inbox.get_review, str(notice.subject_id), by="head")
    assert told(desk, "review-opened").count("deputy") == 2


@pytest.mark.parametrize("by", ["admin", "head"])
def test_an_absence_that_somebody_else_confirms_counts_at_once(desk: ReviewDesk, by: str) -> None:
    review_id, absence_id = preliminary(desk), enter(desk, "deputy")

    desk.run(absences.confirm, absence_id, by=by)

    desk.decide(review_id, "deputy")
    assert told(desk, SIGNED) == ["head"]
    assert told(desk, CONFIRMED) == ([] if by == "head" else ["head"])
    view = listed(desk, "head")
    assert (view.state, view.effective_from, view.confirmed_by) == ("in-force", NOON, by)
    assert desk.the(AuditEvent, action="absence-confirmed").actor_id == by
    with pytest.raises(Refused) as again:
        desk.run(absences.confirm, absence_id, by=by)
    assert again.value.code == "confirmed"


def test_an_administrators_word_counts_at_once_and_is_told(desk: ReviewDesk) -> None:
    review_id = preliminary(desk)
    enter(desk, "admin")

    assert told(desk, ENTERED) == ["head"]
    desk.decide(review_id, "deputy")
    assert told(desk, SIGNED) == ["head"]


@pytest.mark.requirement("R16", refuses=True)
@pytest.mark.parametrize("by", ["deputy", "second-deputy"])
def test_no_substitute_confirms(desk: ReviewDesk, by: str) -> None:
    review_id, absence_id = preliminary(desk), enter(desk, "deputy")
    if by == "second-deputy":
        by = "keeper"
        desk.post(by, "deputy", "works")

    with pytest.raises(Refused) as refused:
        desk.run(absences.confirm, absence_id, by=by)

    assert refused.value.code == "not-yours-to-confirm"
    refusal(desk, review_id, by)


@pytest.mark.requirement("R16", refuses=True)
@pytest.mark.parametrize("by", ["board-head", "security-head", "drafter"])
def test_nobody_outside_enters_or_confirms(desk: ReviewDesk, by: str) -> None:
    absence_id = enter(desk, "deputy")
    for act in (lambda: desk.run(absences.confirm, absence_id, by=by), lambda: enter(desk, by)):
        with pytest.raises(NotFound):
            act()


@pytest.mark.requirement("R16", refuses=True)
def test_nobody_signs_when_the_head_ends_it_before(desk: ReviewDesk) -> None:
    review_id, absence_id = preliminary(desk), enter(desk, "deputy")

    desk.run(absences.end, absence_id, by="head")
    desk.clock.turn(NOTICE + DAY)

    refusal(desk, review_id)
    with pytest.raises(Refused) as over:
        desk.run(absences.confirm, absence_id, by="admin")
    assert over.value.code == "over"


@pytest.mark.requirement("R16", refuses=True)
def test_the_notice_begins_when_it_is_entered_however_early_the_absence_is(desk: ReviewDesk) -> None:
    review_id = preliminary(desk)
    enter(desk, "deputy", since=NOON - DAY)
    refusal(desk, review_id)
    desk.run(absences.end, listed(desk, "head").id, by="head")

    enter(desk, "deputy", since=NOON + 3 * DAY)
    view = listed(desk, "head")
    assert (view.state, view.effective_from) == ("notice", NOON + 3 * DAY)
    desk.clock.turn(DAY)
    assert listed(desk, "head").state == "to-come"
    refusal(desk, review_id)


@pytest.mark.requirement("R16", refuses=True)
def test_who_waits_for_another_head_is_not_said_a_time(desk: ReviewDesk) -> None:
    review_id = preliminary(desk)
    desk.post("operator2", "head", "works")
    enter(desk, "deputy")

    assert "recorded absence" not in refusal(desk, review_id).message.en


@pytest.mark.requirement("R16", refuses=True)
def test_an_absence_that_ends_within_its_notice_lets_nobody_sign(desk: ReviewDesk) -> None:
    review_id = preliminary(desk)
    desk.run(absences.add, "head", since=NOON, until=NOON + NOTICE, by="deputy")

    assert listed(desk, "head").effective_from is None
    assert "recorded absence" not in refusal(desk, review_id).message.en


@pytest.mark.requirement("R16", refuses=True)
def test_a_claim_holds_until_the_absence_of_who_claimed_it_counts(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    desk.run(review_tasks.claim, review_id, by="reviewer")
    enter(desk, "security-head", "reviewer")

    assert refusal(desk, review_id, "reviewer2").code == "claimed"
    desk.clock.turn(NOTICE)
    assert desk.decide(review_id, "reviewer2").published


def test_an_absence_of_the_first_release_goes_on(desk: ReviewDesk) -> None:
    desk.away("head")
    row = desk.the(Absence)
    assert (row.notice_until, row.confirmed_by) == (None, None)

    assert desk.run(access_queries.is_absent, "head")
    assert (listed(desk, "head").state, listed(desk, "head").effective_from) == ("in-force", row.since)
    assert desk.decide(preliminary(desk), "deputy").published


def test_a_signature_after_the_limit_is_told_to_the_head_who_is_not_away(desk: ReviewDesk) -> None:
    review_id = preliminary(desk)
    desk.clock.turn(30 * DAY)
    desk.run(review_tasks.escalate, review_id, 55)

    desk.decide(review_id, "deputy")

    assert told(desk, SIGNED) == ["head"]


def test_whom_the_case_concerns_hears_nothing_of_a_signature_in_the_place(desk: ReviewDesk) -> None:
    desk.decide(desk.opened(desk.submitted(subject_ids=("head",)), "preliminary"), "deputy")

    assert told(desk, SIGNED) == []


@pytest.mark.requirement("R34")
def test_a_release_and_its_confirmation_in_the_place_of_operators_are_told_to_each(desk: ReviewDesk) -> None:
    desk.post("inspector", "deputy", "storage")
    desk.post("office-head", "head", "storage")
    for operator in ("operator", "operator2"):
        enter(desk, operator, operator)
    application_id = desk.submitted()
    desk.classed(application_id, importance="important", second_person=True)
    review_id = desk.opened(application_id, "storage-release")
    first, second = desk.candidates(review_id)

    desk.decide(review_id, first)
    assert told(desk, SIGNED) == ["operator", "operator2"]
    desk.confirm(review_id, second)

    assert told(desk, SIGNED) == ["operator", "operator", "operator2", "operator2"]


@pytest.mark.requirement("R17")
def test_a_consent_in_the_place_of_the_head_waits_for_the_notice_and_is_told(desk: ReviewDesk) -> None:
    desk.post("keeper", "deputy", "office")
    draft = desk.run(application_service.create_draft, replace(FORM, joint_department_ids=("office",)), by="drafter")
    desk.run(application_service.submit, draft.id, by="drafter")
    enter(desk, "keeper", "office-head")
    assert desk.run(consent_queries.list_waiting, by="keeper") == []
    desk.clock.turn(NOTICE)
    (line,) = desk.run(consent_queries.list_waiting, by="keeper")

    desk.run(joint.consent, line.id, Proof(desk.the(Consultation).sha256, PASSWORD), by="keeper")

    assert told(desk, SIGNED) == ["office-head"]
