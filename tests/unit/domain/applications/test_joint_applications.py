"""Joint applications: the departments that are named say who the applicant is before the application counts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from review_desk import FORM, NOON, PASSWORD, ReviewDesk

from services.database.tables.applications import Application, Revision
from services.database.tables.audit import AuditEvent
from services.database.tables.consents import Consent, Consultation
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Department
from services.database.tables.reviews import Review
from services.domain.access import consents, parts, visibility
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import drafts, joint
from services.domain.applications import service as application_service
from services.domain.applications.forms import Form, ItemAsked
from services.domain.cases import consent_queries
from services.domain.cases import queries as case_queries
from services.domain.cases.schemas.consents import WaitingConsent
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification
from services.runtime.errors import NotFound, Refused

pytestmark = pytest.mark.requirement("R17")

JOINT = replace(FORM, joint_department_ids=("storage", "office"))
OTHER = ItemAsked("camera", NOON - timedelta(hours=5), NOON - timedelta(hours=4), "Asia/Shanghai")


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    desk.post("operator2", "head", "storage")
    yield desk
    desk.close()


def asked(desk: ReviewDesk, form: Form = JOINT) -> str:
    """A joint application that waits for its consents."""
    draft = desk.run(application_service.create_draft, form, by="drafter")
    desk.run(application_service.submit, draft.id, by="drafter")
    return str(draft.id)


def waiting(desk: ReviewDesk, by: str) -> list[WaitingConsent]:
    return desk.run(consent_queries.list_waiting, by=by)


def proof(desk: ReviewDesk, password: str = PASSWORD) -> Proof:
    newest = max(desk.all(Consultation), key=lambda one: (one.ended_at is None, one.asked_at))
    return Proof(newest.sha256, password)


def consent(desk: ReviewDesk, by: str) -> None:
    [line] = waiting(desk, by)
    desk.run(joint.consent, line.id, proof(desk), by=by)


def refusal_of(desk: ReviewDesk, *call: Any, by: str) -> str:
    with pytest.raises(Refused) as refusal:
        desk.run(*call, by=by)
    return refusal.value.code


@pytest.mark.requirement("R17", refuses=True)
def test_nothing_counts_before_every_department_has_consented(desk: ReviewDesk) -> None:
    application_id = asked(desk)
    assert desk.the(Application).submitted_at is None
    assert desk.all(OutboxMessage) == desk.all(Revision) == []

    consent(desk, "operator2")
    assert desk.all(OutboxMessage) == []
    consent(desk, "office-head")

    application, revision, message = desk.the(Application), desk.the(Revision), desk.the(OutboxMessage)
    assert (application.number, application.submitted_at) == ("SQ-2031-000001", NOON)
    assert (message.name, message.correlation_key) == ("application-submitted", application_id)
    assert revision.submitted_by == "drafter"
    assert [one.code for one in desk.all(Notice, person_id="drafter")] == ["consents-complete"]


def test_the_form_bears_who_consented_to_exactly_it(desk: ReviewDesk) -> None:
    asked(desk)
    consent(desk, "operator2")
    consent(desk, "office-head")

    form = desk.the(Revision).form
    assert [one["id"] for one in form["jointDepartments"]] == ["storage", "office"]
    assert {(one["department"]["id"], one["by"]["id"]) for one in form["consents"]} == {
        ("storage", "operator2"),
        ("office", "office-head"),
    }
    for one in form["consents"]:
        assert one["form"] == consents.hash_form(form)
        assert one["statement"] == one["signature"]["sha256"]


def test_the_filed_document_bears_the_consents(desk: ReviewDesk) -> None:
    application_id = asked(desk)
    consent(desk, "operator2")
    consent(desk, "office-head")
    desk.approved(application_id)

    filed = desk.run(filing.file, application_id, Classification("ordinary", False, False, False, 15))

    assert filed.form_number == "SQ-2031-000001"


def test_the_heads_are_told_and_find_the_consent_first_to_be_overwritten_first(desk: ReviewDesk) -> None:
    later = asked(desk, replace(JOINT, joint_department_ids=("storage",)))
    sooner = asked(desk, replace(JOINT, joint_department_ids=("storage",), items=(OTHER,)))

    lines = waiting(desk, "operator2")

    assert [line.application_id for line in lines] == [sooner, later]
    assert lines[0].overwrite_at == OTHER.start + timedelta(days=30)
    assert {one.code for one in desk.all(Notice, person_id="operator2")} == {"consent-asked"}
    assert waiting(desk, "head") == waiting(desk, "drafter") == []


@pytest.mark.requirement("R17", refuses=True)
def test_a_refusal_with_its_reason_makes_it_a_draft_again(desk: ReviewDesk) -> None:
    application_id = asked(desk)
    [line] = waiting(desk, "operator2")
    assert refusal_of(desk, joint.refuse, line.id, " ", proof(desk), by="operator2") == "reason-missing"

    desk.run(joint.refuse, line.id, "应由仓储部申请", proof(desk), by="operator2")

    assert desk.the(Application).submitted_at is None
    assert waiting(desk, "office-head") == []
    consultation = desk.run(case_queries.get_case, application_id, by="drafter").consultation
    assert consultation is not None
    assert consultation.ended_because == "refused"
    assert "应由仓储部申请" in [answer.reason for answer in consultation.answers]
    assert [one.code for one in desk.all(Notice, person_id="drafter")] == ["consent-refused"]
    desk.run(
        application_service.update_draft,
        application_id,
        replace(FORM, reason="改由本部门单独申请的另一事由"),
        by="drafter",
    )
    desk.run(application_service.submit, application_id, by="drafter")
    assert desk.the(Application).submitted_at == NOON


@pytest.mark.requirement("R17", refuses=True)
def test_a_change_of_the_form_voids_what_was_consented(desk: ReviewDesk) -> None:
    application_id = asked(desk)
    consent(desk, "operator2")
    desk.run(
        application_service.update_draft,
        application_id,
        replace(JOINT, purpose="另一个目的，需要重新协商"),
        by="drafter",
    )
    assert waiting(desk, "office-head") == []

    desk.run(application_service.submit, application_id, by="drafter")

    assert [
        desk.run(consent_queries.get_consent, line.id, by="operator2").own.answer for line in waiting(desk, "operator2")
    ] == [None]
    consent(desk, "office-head")
    assert desk.all(OutboxMessage) == []


def test_saving_the_same_again_voids_nothing(desk: ReviewDesk) -> None:
    application_id = asked(desk)
    consent(desk, "operator2")

    desk.run(application_service.update_draft, application_id, JOINT, by="drafter")
    desk.run(application_service.submit, application_id, by="drafter")
    consent(desk, "office-head")

    assert len(desk.all(Consultation)) == len(desk.all(OutboxMessage)) == 1


@pytest.mark.requirement("R17", refuses=True)
def test_who_read_another_form_or_gives_a_wrong_password_has_not_consented(desk: ReviewDesk) -> None:
    asked(desk)
    [line] = waiting(desk, "operator2")

    assert refusal_of(desk, joint.consent, line.id, Proof("0" * 64, PASSWORD), by="operator2") == "form-changed"
    wrong = refusal_of(desk, joint.consent, line.id, proof(desk, "wrong"), by="operator2")
    assert wrong == "password-wrong"
    assert [one.answer for one in desk.all(Consent)] == [None, None]


@pytest.mark.requirement("R17", refuses=True)
def test_a_second_answer_and_one_that_comes_too_late_are_refused(desk: ReviewDesk) -> None:
    asked(desk)
    [line] = waiting(desk, "operator2")
    [other] = waiting(desk, "office-head")
    consent(desk, "operator2")
    assert refusal_of(desk, joint.consent, line.id, proof(desk), by="operator2") == "answered"

    desk.clock.turn(timedelta(days=7))
    assert refusal_of(desk, joint.consent, other.id, proof(desk), by="office-head") == "consultation-over"


@pytest.mark.requirement("R17", refuses=True)
def test_others_find_no_such_consent(desk: ReviewDesk) -> None:
    asked(desk)
    [line] = waiting(desk, "operator2")

    for stranger in ("drafter", "head", "reviewer", "operator", "admin"):
        with pytest.raises(NotFound):
            desk.run(consent_queries.get_consent, line.id, by=stranger)
        with pytest.raises(NotFound):
            desk.run(joint.consent, line.id, proof(desk), by=stranger)


def test_the_deputy_answers_where_the_head_drafted_or_is_away(desk: ReviewDesk) -> None:
    desk.post("operator", "deputy", "storage")
    desk.away("operator2")
    asked(desk, replace(JOINT, joint_department_ids=("storage",)))

    assert len(waiting(desk, "operator")) == 1
    consent(desk, "operator")
    assert len(desk.all(OutboxMessage)) == 1


def test_a_head_who_drafted_it_or_is_concerned_does_not_consent(desk: ReviewDesk) -> None:
    asked(desk, replace(JOINT, joint_department_ids=("storage",), subject_ids=("operator2",)))

    assert waiting(desk, "operator2") == []
    assert len(waiting(desk, "board-head")) == 1  # of the department above


def test_consents_that_do_not_come_are_reminded_and_lapse(desk: ReviewDesk) -> None:
    asked(desk)
    consent(desk, "office-head")
    desk.clock.turn(timedelta(days=6))
    desk.run(joint.check_deadlines)
    desk.run(joint.check_deadlines)
    assert [one.code for one in desk.all(Notice, person_id="operator2")] == ["consent-asked", "consent-reminder"]
    assert len(desk.all(Notice, person_id="office-head")) == 1

    desk.clock.turn(timedelta(days=1))
    desk.run(joint.check_deadlines)
    desk.run(joint.check_deadlines)

    assert desk.the(Consultation).ended_because == "lapsed"
    assert [one.code for one in desk.all(Notice, person_id="drafter")] == ["consents-lapsed"]


@pytest.mark.requirement("R17", refuses=True)
@pytest.mark.parametrize(
    ("departments", "code"),
    [
        (("works",), "own-department"),
        (("nowhere",), "unknown"),
        (("storage", "storage"), "department-twice"),
        (tuple(map(str, range(11))), "too-many-departments"),
    ],
)
def test_departments_that_cannot_be_asked_are_refused(
    desk: ReviewDesk, departments: tuple[str, ...], code: str
) -> None:
    form = replace(JOINT, joint_department_ids=departments)
    assert refusal_of(desk, application_service.create_draft, form, by="drafter") == code


@pytest.mark.requirement("R17", refuses=True)
def test_a_department_without_a_head_to_ask_is_named(desk: ReviewDesk) -> None:
    island = Department(id="island", name_zh="孤岛", name_en="island", kind="business")
    desk.run(lambda uow: uow.session.add(island))
    draft = desk.run(application_service.create_draft, replace(JOINT, joint_department_ids=("island",)), by="drafter")

    assert refusal_of(desk, application_service.submit, draft.id, by="drafter") == "nobody-consents"


def test_the_drafter_stops_the_asking_by_withdrawing(desk: ReviewDesk) -> None:
    application_id = asked(desk)

    desk.run(application_service.withdraw, application_id, "再考虑", by="drafter")

    assert desk.the(Application).withdrawn_at is None
    assert desk.the(Consultation).ended_because == "withdrawn"
    assert waiting(desk, "operator2") == []
    desk.run(drafts.discard, application_id, by="drafter")
    assert desk.all(Consultation) == desk.all(Consent) == []


@pytest.mark.requirement("R17", refuses=True)
def test_heads_see_the_case_while_they_are_asked_and_after_consenting_only(desk: ReviewDesk) -> None:
    application_id = asked(desk)
    assert desk.run(visibility.get_visible, application_id, by="operator2").id == application_id
    [line] = waiting(desk, "operator2")
    desk.run(joint.refuse, line.id, "不同意", proof(desk), by="operator2")
    with pytest.raises(NotFound):
        desk.run(visibility.get_visible, application_id, by="operator2")

    desk.run(application_service.submit, application_id, by="drafter")
    consent(desk, "operator2")
    consent(desk, "office-head")
    for head in ("operator2", "office-head"):
        assert desk.run(visibility.get_visible, application_id, by=head).id == application_id


@pytest.mark.requirement("R61", refuses=True)
@pytest.mark.parametrize("stage", ["security", "security-signature", "management", "storage-release"])
def test_whoever_consented_is_on_the_applicants_side(desk: ReviewDesk, stage: str) -> None:
    application_id = asked(desk)
    consent(desk, "operator2")
    consent(desk, "office-head")

    def why_not(uow: Any) -> str:
        facts = access_queries.load_facts(uow, application_id)
        refusal = parts.duty_refusal(access_queries.load_directory(uow), facts, stage, "operator2")
        assert refusal is not None
        return refusal.code

    assert desk.run(why_not) == "was-applicant"


def returned(desk: ReviewDesk) -> str:
    application_id = asked(desk)
    consent(desk, "operator2")
    consent(desk, "office-head")
    desk.decide(desk.opened(application_id, "preliminary"), "head", "returned")
    return application_id


def test_a_correction_asks_again_only_where_the_form_has_changed(desk: ReviewDesk) -> None:
    application_id = returned(desk)

    desk.run(application_service.correct, application_id, JOINT, by="drafter")

    assert desk.the(Application).round == 1
    assert waiting(desk, "operator2") == []
    assert len(desk.the(Revision, round=1).form["consents"]) == 2


def test_a_changed_correction_waits_for_new_consents(desk: ReviewDesk) -> None:
    application_id = returned(desk)
    changed = replace(JOINT, items=(OTHER,))

    desk.run(application_service.correct, application_id, changed, by="drafter")
    assert desk.the(Application).round == 0
    consent(desk, "operator2")
    consent(desk, "office-head")

    assert desk.the(Application).round == 1
    assert desk.the(Application).correction_until is None
    assert [one.name for one in desk.all(OutboxMessage)].count("application-corrected") == 1
    assert desk.the(Revision, round=1).submitted_by == "drafter"
    assert desk.all(Review, stage="security") == []


def test_every_step_is_on_the_trail(desk: ReviewDesk) -> None:
    asked(desk)
    consent(desk, "operator2")
    [line] = waiting(desk, "office-head")
    desk.run(joint.refuse, line.id, "不同意", proof(desk), by="office-head")

    actions = [one.action for one in desk.all(AuditEvent)]
    for action in ("consents-asked", "consent-consented", "consent-refused", "consultation-ended"):
        assert actions.count(action) == 1
