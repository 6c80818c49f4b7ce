"""Deciding a review: what is asked, what is granted, the signature, what is published, the second person."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import rfc8785
from review_desk import NOON, PASSWORD, ReviewDesk

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Confirmation, Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import service as application_service
from services.domain.process.messages import REVIEW_DECIDED
from services.domain.reviews import tasks as review_tasks
from services.domain.reviews.scopes import Classification, Granting, Narrowed
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotFound, Refused
from services.runtime.rules import Rules


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def _message(desk: ReviewDesk, review_id: str) -> OutboxMessage:
    return desk.the(OutboxMessage, correlation_key=review_id)


@pytest.mark.requirement("R22", "R23", "R16")
def test_a_decision_closes_the_review_and_tells_the_process_in_one_transaction(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "preliminary")

    decided = desk.decide(review_id, "head")

    review, decision = desk.the(Review, id=review_id), desk.the(Decision, review_id=review_id)
    message = _message(desk, review_id)
    assert decided.published
    assert (review.closed_at, review.closed_because) == (NOON, "decided")
    assert (decision.outcome, decision.decided_by, decision.stands_in_for) == ("approved", "head", None)
    assert (message.name, message.message_id) == (REVIEW_DECIDED, decision.id)
    assert message.variables == {"decision": "approved"}
    assert len(desk.all(AuditEvent, action="review-decided", subject_id=review_id)) == 1
    assert desk.the(AuditEvent, action="department-became-applicant").subject_id == "works"


@pytest.mark.requirement("R25")
def test_the_signature_is_over_the_canonical_decision_and_the_forms_hash(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security-signature")

    desk.decide(review_id, "security-head")

    decision = desk.the(Decision, review_id=review_id)
    statement = decision.signature["statement"]
    assert hashlib.sha256(rfc8785.dumps(statement)).hexdigest() == decision.statement_sha256
    assert statement["form"] == desk.form_sha256(review_id) == decision.form_sha256
    assert (statement["outcome"], statement["stage"], statement["person"]) == (
        "signed",
        "security-signature",
        "security-head",
    )


@pytest.mark.requirement("R25", refuses=True)
def test_a_wrong_password_signs_nothing(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security-signature")

    with pytest.raises(Refused) as refused:
        desk.decide(review_id, "security-head", proof=Proof(desk.form_sha256(review_id), "guess"))

    assert refused.value.code == "password-wrong"
    assert desk.all(Decision) == []
    assert desk.the(Review, id=review_id).closed_at is None


@pytest.mark.requirement("R25", refuses=True)
def test_another_forms_hash_is_refused(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")

    with pytest.raises(Refused) as refused:
        desk.decide(review_id, "head", proof=Proof("0" * 64, PASSWORD))

    assert refused.value.code == "form-changed"


def test_a_review_is_decided_once(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    desk.decide(review_id, "head")

    with pytest.raises(Refused) as refused:
        desk.decide(review_id, "head", "rejected")

    assert refused.value.code == "review-closed"
    assert len(desk.all(OutboxMessage, correlation_key=review_id)) == 1


def test_a_withdrawn_application_is_decided_no_more(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "preliminary")
    desk.run(application_service.withdraw, application_id, "不再需要", by="drafter")

    with pytest.raises(Refused) as refused:
        desk.decide(review_id, "head")

    assert refused.value.code == "withdrawn"


@pytest.mark.requirement("R4", "R22", "R24", "R34", "R39", refuses=True)
@pytest.mark.requirement("R3")
@pytest.mark.parametrize(
    ("stage", "by", "codes"),
    [
        ("preliminary", "head", {"reason-reasonable", "content-complete", "necessary", "narrowest"}),
        ("security", "reviewer", {"rules-met", "security-met", "necessary", "narrowest"}),
        ("storage-release", "operator", {"camera-confirmed", "clock-offset-stated", "span-right"}),
    ],
)
def test_every_question_is_answered_for_itself_and_a_no_does_not_pass(
    desk: ReviewDesk, stage: str, by: str, codes: set[str]
) -> None:
    review_id = desk.opened(desk.submitted(), stage)
    yes = dict.fromkeys(codes, True)
    assert {question.code for question in STAGES[stage].questions} == codes

    for code in codes:
        with pytest.raises(Refused) as missing:
            desk.decide(review_id, by, answers={key: value for key, value in yes.items() if key != code})
        with pytest.raises(Refused) as contradiction:
            desk.decide(review_id, by, answers={**yes, code: False})
        assert (missing.value.code, missing.value.field) == ("missing", f"answers.{code}")
        assert contradiction.value.code == "answer-contradicts"
    with pytest.raises(Refused) as unknown:
        desk.decide(review_id, by, answers={**yes, "weather-good": True})
    assert unknown.value.field == "answers.weather-good"

    desk.decide(review_id, by, "returned", answers=dict.fromkeys(codes, False))


@pytest.mark.requirement("R22", "R24", refuses=True)
@pytest.mark.parametrize(
    ("stage", "by"), [("preliminary", "head"), ("security", "reviewer"), ("storage-release", "operator")]
)
def test_a_form_is_sent_back_with_a_reason_and_a_signature_and_no_answers(
    desk: ReviewDesk, stage: str, by: str
) -> None:
    review_id = desk.opened(desk.submitted(), stage)
    for outcome in STAGES[stage].outcomes:
        if outcome != "returned":
            with pytest.raises(Refused) as missing:
                desk.decide(review_id, by, outcome, answers={})
            assert (missing.value.code, missing.value.field) == (
                "missing",
                f"answers.{STAGES[stage].questions[0].code}",
            )
    with pytest.raises(Refused) as unreasoned:
        desk.decide(review_id, by, "returned", answers={}, reason=" ")
    with pytest.raises(Refused) as unsigned:
        desk.decide(review_id, by, "returned", answers={}, proof=Proof(desk.form_sha256(review_id), "guess"))
    with pytest.raises(Refused) as unread:
        desk.decide(review_id, by, "returned", answers={STAGES[stage].questions[0].code: "maybe"})
    assert (unreasoned.value.field, unsigned.value.code) == ("reason", "password-wrong")
    assert unread.value.field == f"answers.{STAGES[stage].questions[0].code}"

    assert desk.decide(review_id, by, "returned", answers={}).published

    assert desk.the(Decision, review_id=review_id).answers == {}


@pytest.mark.requirement("R24", "R27", refuses=True)
@pytest.mark.parametrize(
    ("stage", "by", "outcome", "left_out"),
    [
        ("preliminary", "head", "returned", "reason"),
        ("preliminary", "head", "rejected", "reason"),
        ("security", "reviewer", "rejected", "reason"),
        ("security-signature", "security-head", "refused", "reason"),
        ("storage-release", "operator", "returned", "reason"),
        ("partial-footage", "reviewer", "approved", "reason"),
        ("return-inspection", "inspector", "discrepancy", "reason"),
        ("management", "manager", "approved", "opinion"),
        ("management", "manager", "rejected", "opinion"),
    ],
)
def test_words_are_demanded_where_the_outcome_needs_them(
    desk: ReviewDesk, stage: str, by: str, outcome: str, left_out: str
) -> None:
    review_id = desk.opened(desk.submitted(), stage)

    with pytest.raises(Refused) as refused:
        desk.decide(review_id, by, outcome, **{left_out: "  "})

    assert refused.value.field == left_out
    assert desk.decide(review_id, by, outcome).published


def test_an_outcome_of_another_stage_is_refused(desk: ReviewDesk) -> None:
    with pytest.raises(Refused) as refused:
        desk.decide(desk.opened(desk.submitted(), "security-signature"), "security-head", "approved")

    assert refused.value.field == "outcome"


@pytest.mark.requirement("R4", "R49")
def test_securitys_approval_grants_the_scope_asked_for_but_no_download_unless_it_says_so(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "security")

    desk.decide(review_id, "reviewer")

    application, item = desk.the(Application, id=application_id), desk.the(Item, application_id=application_id)
    assert (item.granted_start, item.granted_end) == (item.asked_start, item.asked_end)
    assert (application.granted_use_days, application.granted_way_of_use) == (20, "view")
    assert _message(desk, review_id).variables == {
        "decision": "approved",
        "importantInformation": False,
        "sensitiveEvent": False,
        "highImpact": False,
        "usePeriodDays": 20,
        "wayOfUse": "view",
    }


@pytest.mark.requirement("R4", "R49")
def test_security_narrows_span_days_and_way_of_use(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    item = desk.the(Item, application_id=application_id)
    start, end = item.asked_start + timedelta(minutes=5), item.asked_end - timedelta(minutes=5)

    desk.decide(
        desk.opened(application_id, "security"),
        "reviewer",
        granting=Granting((Narrowed(item.id, start, end),), 3, "view"),
    )

    application, item = desk.the(Application, id=application_id), desk.the(Item, application_id=application_id)
    assert (item.granted_start, item.granted_end) == (start, end)
    assert (application.granted_use_days, application.granted_way_of_use) == (3, "view")


@pytest.mark.requirement("R4", refuses=True)
@pytest.mark.parametrize(
    ("earlier", "later"), [(timedelta(seconds=-1), timedelta()), (timedelta(), timedelta(seconds=1))]
)
def test_the_scope_is_never_widened(desk: ReviewDesk, earlier: timedelta, later: timedelta) -> None:
    application_id = desk.submitted()
    item = desk.the(Item, application_id=application_id)
    wider = Narrowed(item.id, item.asked_start + earlier, item.asked_end + later)

    with pytest.raises(Refused) as refused:
        desk.decide(desk.opened(application_id, "security"), "reviewer", granting=Granting((wider,)))

    assert refused.value.code == "scope"
    assert desk.the(Item, application_id=application_id).granted_start is None


@pytest.mark.requirement("R50", refuses=True)
def test_use_days_stay_within_what_was_asked_and_the_maximum(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url, Rules(max_use_days=10))
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "security")

    for days in (0, 11, 20):
        with pytest.raises(Refused) as refused:
            desk.decide(review_id, "reviewer", granting=Granting(use_period_days=days))
        assert refused.value.field == "usePeriodDays"
    desk.decide(review_id, "reviewer")

    assert desk.the(Application, id=application_id).granted_use_days == 10
    desk.close()


@pytest.mark.requirement("R41", refuses=True)
def test_a_download_that_was_not_asked_for_is_not_granted(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(way_of_use="view"), "security")

    with pytest.raises(Refused) as refused:
        desk.decide(review_id, "reviewer", granting=Granting(way_of_use="download"))

    assert refused.value.field == "wayOfUse"


def test_only_securitys_approval_grants_anything(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    for stage, by, outcome in (("preliminary", "head", "approved"), ("security", "reviewer", "rejected")):
        with pytest.raises(Refused) as refused:
            desk.decide(desk.opened(application_id, stage), by, outcome, granting=Granting(use_period_days=3))
        assert refused.value.code == "grants-elsewhere"


@pytest.mark.requirement("R26")
def test_t10_anyone_raises_the_class_and_the_process_hears_it(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head", classification=Classification(sensitive_event=True))
    desk.decide(desk.opened(application_id, "security"), "reviewer")
    signature = desk.opened(application_id, "security-signature")

    desk.decide(signature, "security-head", classification=Classification(high_impact=True))

    assert _message(desk, signature).variables == {
        "decision": "signed",
        "importantInformation": False,
        "sensitiveEvent": True,
        "highImpact": True,
    }


@pytest.mark.requirement("R26", refuses=True)
def test_t10_lowering_the_class_needs_security_and_a_recorded_reason(desk: ReviewDesk) -> None:
    application_id = desk.submitted(high_impact=True)
    lower = Classification(high_impact=False)
    security = desk.opened(application_id, "security")

    with pytest.raises(Refused) as by_head:
        desk.decide(desk.opened(application_id, "preliminary"), "head", classification=lower)
    with pytest.raises(Refused) as without_reason:
        desk.decide(security, "reviewer", classification=lower, reason=None)
    desk.decide(security, "reviewer", classification=lower, reason="影响范围有限")

    assert by_head.value.code == "class-only-raised"
    assert without_reason.value.code == "lowering-reason"
    assert desk.the(Decision, review_id=security).signature["statement"]["lowered"] == ["high_impact"]
    assert not desk.the(Application, id=application_id).high_impact


@pytest.mark.requirement("R22")
def test_a_returned_application_may_be_corrected_within_its_time(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    desk.decide(desk.opened(application_id, "preliminary"), "head", "returned")

    assert desk.the(Application, id=application_id).correction_until == NOON + timedelta(days=7)


# The receipt is decided with the hand-over; the tests of the custody show it.
@pytest.mark.parametrize("stage", [code for code in STAGES if code != "receipt" and STAGES[code].phase != "matter"])
def test_no_variable_is_ever_null(desk: ReviewDesk, stage: str) -> None:
    deciders = {
        "preliminary": "head",
        "credentials": "reviewer2",
        "security": "reviewer",
        "security-signature": "security-head",
        "management": "manager",
        "storage-release": "operator",
        "partial-footage": "reviewer",
        "return-inspection": "inspector",
    }
    for outcome in STAGES[stage].outcomes:
        review_id = desk.opened(desk.submitted(), stage)
        desk.decide(review_id, deciders[stage], outcome)
        variables = _message(desk, review_id).variables
        assert variables["decision"] == outcome
        assert all(value is not None for value in variables.values())


@pytest.mark.requirement("R34")
def test_a_release_records_camera_clock_offset_and_span(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "storage-release")

    desk.decide(review_id, "operator")

    decision = desk.the(Decision, review_id=review_id)
    (line,) = decision.signature["statement"]["granted"]
    assert (line["camera"], line["clockOffsetMs"]) == ("camera", 1500)
    assert decision.answers["camera-confirmed"] is True


def _important(desk: ReviewDesk) -> tuple[str, str]:
    application_id = desk.submitted()
    desk.classed(application_id, importance="important", second_person=True)
    return application_id, desk.opened(application_id, "storage-release")


@pytest.mark.requirement("R34", refuses=True)
def test_an_important_release_waits_for_a_second_person(desk: ReviewDesk) -> None:
    _, review_id = _important(desk)

    first = desk.decide(review_id, "operator")
    messages_before = desk.all(OutboxMessage, correlation_key=review_id)
    for by, code in (("operator", "was-storage-release"), ("reviewer", "not-yours")):
        with pytest.raises(Refused) as refused:
            desk.confirm(review_id, by)
        assert refused.value.code == code
    second = desk.confirm(review_id, "operator2")

    assert (first.published, messages_before) == (False, [])
    assert second.published
    assert desk.the(Confirmation, review_id=review_id).person_id == "operator2"
    assert desk.the(Decision, review_id=review_id).decided_by == "operator"
    assert _message(desk, review_id).variables == {"decision": "approved"}


@pytest.mark.requirement("R34", refuses=True)
def test_a_second_person_who_disagrees_says_why_and_it_is_decided_anew(desk: ReviewDesk) -> None:
    _, review_id = _important(desk)
    desk.decide(review_id, "operator")

    with pytest.raises(Refused) as refused:
        desk.confirm(review_id, "operator2", agrees=False)
    desk.confirm(review_id, "operator2", agrees=False, reason="画面不是大门")
    assert desk.all(Decision) == []
    again = desk.decide(review_id, "operator", "returned")

    assert refused.value.field == "reason"
    assert again.published
    assert _message(desk, review_id).variables == {"decision": "returned"}


def test_what_waits_for_a_second_person_is_not_decided_twice(desk: ReviewDesk) -> None:
    _, review_id = _important(desk)
    desk.decide(review_id, "operator")

    with pytest.raises(Refused) as refused:
        desk.decide(review_id, "operator2")

    assert refused.value.code == "second-person-needed"


def test_there_is_nothing_to_confirm_before_it_is_decided(desk: ReviewDesk) -> None:
    _, review_id = _important(desk)

    with pytest.raises(Refused) as refused:
        desk.confirm(review_id, "operator2")

    assert refused.value.code == "nothing-to-confirm"


def test_a_claimed_review_is_left_to_its_claimant_until_it_is_put_back(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    desk.run(review_tasks.claim, review_id, by="reviewer")
    for act in (
        lambda: desk.run(review_tasks.claim, review_id, by="reviewer2"),
        lambda: desk.decide(review_id, "reviewer2"),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == "claimed"

    desk.run(review_tasks.unclaim, review_id, by="reviewer")

    assert desk.decide(review_id, "reviewer2").published


def test_the_claim_of_somebody_absent_holds_nobody_off(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    desk.run(review_tasks.claim, review_id, by="reviewer")
    desk.away("reviewer")

    assert desk.decide(review_id, "reviewer2").published


def test_a_worker_decides_nothing(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")

    def claim(uow: UnitOfWork) -> Any:
        return review_tasks.claim(uow, review_id)

    with pytest.raises(Refused) as refused:
        desk.run(claim)

    assert refused.value.code == "not-a-person"


@pytest.mark.requirement("R46", refuses=True)
@pytest.mark.requirement("R59")
def test_a_receipt_is_not_decided_past_the_hand_over(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.offered(application_id, id="hand-over")
    review_id = desk.opened(application_id, "receipt", hand_over_id="hand-over")

    for outcome in ("accepted", "declined"):
        with pytest.raises(Refused) as refused:
            desk.decide(review_id, "keeper", outcome)
        assert refused.value.code == "receipt-elsewhere"
    with pytest.raises(Refused) as refused:
        desk.decide(review_id, "head")
    assert refused.value.code == "not-yours"


def test_an_unknown_review_is_not_found(desk: ReviewDesk) -> None:
    with pytest.raises(NotFound):
        desk.run(review_tasks.claim, "nothing", by="head")
