"""A stage that the organisation adds in ``review-stages.json`` holds like the policy's own, with no code for it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from authenticator import Authenticator
from own_stage import own_stage_desk
from review_desk import NOON, PASSWORD, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.notices import Notice
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import parts
from services.domain.access import queries as access_queries
from services.domain.accounts import second_factors
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import objections
from services.domain.cases import inbox as case_inbox
from services.domain.cases import metrics as case_metrics
from services.domain.reviews import tasks as review_tasks
from services.runtime import metrics
from services.runtime.errors import NotFound, Refused


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    with own_stage_desk(tmp_path) as desk:
        yield desk


@pytest.fixture
def review_id(desk: ReviewDesk) -> str:
    return desk.opened(desk.submitted(), "interpreting")


def told(desk: ReviewDesk, code: str) -> list[str]:
    return sorted(notice.person_id for notice in desk.all(Notice, code=code))


def test_it_is_asked_of_its_posts_and_seen_by_nobody_else(desk: ReviewDesk, review_id: str) -> None:
    assert told(desk, "review-opened") == ["inspector"]
    assert [line.id for line in desk.run(case_inbox.read_waiting, by="inspector").lines] == [review_id]
    for stranger in ("operator", "manager"):
        with pytest.raises(NotFound):
            desk.run(case_inbox.get_review, review_id, by=stranger)


@pytest.mark.requirement("R30")
def test_it_is_reminded_of_and_widened_to_the_substitutes_at_its_limit(desk: ReviewDesk, review_id: str) -> None:
    assert desk.the(Review, id=review_id).due_at == NOON + timedelta(hours=8)

    desk.run(review_tasks.remind, review_id, 71)
    desk.escalate(review_id)

    assert told(desk, "review-reminder") == ["inspector"]
    assert desk.candidates(review_id) == ["inspector", "office-head"]


def test_whoever_is_away_has_a_substitute_at_once(desk: ReviewDesk) -> None:
    desk.away("inspector")
    desk.opened(desk.submitted(), "interpreting")

    assert told(desk, "review-opened") == ["office-head"]


@pytest.mark.requirement("R25", refuses=True)
def test_its_signature_takes_a_code_of_whom_the_rule_asks_for_one(desk: ReviewDesk, review_id: str) -> None:
    object.__setattr__(desk.database.rules, "second_factor", "signers")
    for person, must in (("inspector", True), ("office-head", True), ("deputy", False), ("drafter", False)):
        assert desk.run(second_factors.is_required, person) is must, person
    with pytest.raises(Refused) as refused:
        desk.decide(review_id, "inspector")
    assert refused.value.code == "second-factor-missing"

    app = Authenticator(desk, "inspector")
    desk.decide(review_id, "inspector", proof=Proof(desk.form_sha256(review_id), PASSWORD, app.next_code()))

    assert desk.the(Decision, review_id=review_id).signature["method"] == "password+totp"


@pytest.mark.parametrize("dialect", [True, False])
def test_only_a_no_that_stands_in_the_way_is_criticised(desk: ReviewDesk, review_id: str, dialect: bool) -> None:
    answers = {"translatable": False, "dialect": dialect}
    with pytest.raises(Refused, match="With the answer “No” to “Can it be translated"):
        desk.decide(review_id, "inspector", "approved", answers=answers)

    desk.decide(review_id, "inspector", "returned", answers=answers)

    case = desk.the(Review, id=review_id).application_id
    found = desk.run(lambda uow: objections.get_objection(uow, uow.session.get_one(Application, case)))
    assert found is not None
    assert found.stage == "interpreting"
    assert [question.code for question in found.denied] == ["translatable"]


def test_it_is_counted_under_its_name(desk: ReviewDesk, review_id: str) -> None:
    desk.clock.turn(timedelta(hours=9))
    desk.run(case_metrics.update_gauges)

    stage = {"stage": "interpreting"}
    assert metrics.DATABASE_REGISTRY.get_sample_value("footage_desk_reviews_overdue", stage) == 1
    assert metrics.DATABASE_REGISTRY.get_sample_value("footage_desk_review_age_seconds", stage) == 9 * 3600


def test_one_person_does_no_other_duty_of_the_case(desk: ReviewDesk) -> None:
    case = desk.submitted()
    desk.decide(desk.opened(case, "interpreting"), "inspector")

    def refused(uow: UnitOfWork) -> str:
        refusal = parts.duty_refusal(
            access_queries.load_directory(uow), access_queries.load_facts(uow, case), "return-inspection", "inspector"
        )
        return refusal.zh + refusal.en if refusal else ""

    said = desk.run(refused)
    assert "翻译审核人" in said
    assert "the interpreter" in said
