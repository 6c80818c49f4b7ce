"""Who may decide what: every pair of duties, subjects, administrators, agreements, substitutes (T1, T8, F26)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from behalf_case import add_legal
from review_desk import FORM, NOON, ReviewDesk

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.people import Department, Post
from services.database.tables.returns import Return
from services.database.tables.reviews import Confirmation, Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import parts
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.accounts import posts, staff
from services.domain.accounts.staff import Details
from services.domain.applications import service as application_service
from services.domain.reviews import escalation
from services.runtime.errors import Fatal, Refused

STAGE_OF = {
    "preliminary": "preliminary",
    "credentials": "credentials",
    "security": "security",
    "security-signature": "security-signature",
    "management": "management",
    "storage-release": "storage-release",
    "second-person": "storage-release",
    "return-inspection": "return-inspection",
    "legal": "legal",
    "violation": "violation-security",
    "appeal": "violation-appeal",
}
# Inspections of the supervision come after all else, and nobody becomes the applicant of a case that is under way. The
# verification is of work orders, which are of no case.
DONE_FIRST = [duty for duty in parts.all_duties() if duty not in ("supervision", "verification")]
DONE_NEXT = [duty for duty in DONE_FIRST if duty != "applicant"]
PAIRS = [(first, then) for first, then in permutations(DONE_FIRST, 2) if then in DONE_NEXT]


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewDesk]:
    """A desk where ``busy`` holds every post there is, but for the administrator's."""
    desk = ReviewDesk(f"sqlite:///{tmp_path_factory.mktemp('busy') / 'database.sqlite3'}")
    add_legal(desk)
    for kind, department in (
        ("head", "works"),
        ("head", "legal"),
        ("security-reviewer", "security"),
        ("head", "security"),
        ("manager", "board"),
        ("storage-operator", "storage"),
        ("return-inspector", "security"),
        ("supervisor", "office"),
    ):
        desk.post("keeper", kind, department)
    yield desk
    desk.close()


def _did(desk: ReviewDesk, application_id: str, duty: str, person_id: str) -> None:
    """Write into the books that the person has done this duty."""

    def act(uow: UnitOfWork) -> None:
        stage = STAGE_OF[duty]
        review = Review(
            application_id=application_id,
            stage=stage,
            round=0,
            job_key=next(desk.keys),
            process_instance_key=1,
            opened_at=uow.now,
            due_at=uow.now,
            closed_at=uow.now,
            closed_because="decided",
        )
        uow.session.add(review)
        uow.session.flush()
        signed = {"statement_sha256": "0" * 64, "signature": {}}
        if duty == "second-person":
            uow.session.add(Confirmation(review_id=review.id, person_id=person_id, confirmed_at=uow.now, **signed))
            return
        uow.session.add(
            Decision(
                review_id=review.id,
                application_id=application_id,
                stage=stage,
                round=0,
                outcome="approved",
                decided_by=person_id,
                decided_at=uow.now,
                answers={},
                variables={},
                form_sha256="0" * 64,
                **signed,
            )
        )

    desk.run(act)


def _may(desk: ReviewDesk, application_id: str, duty: str, person_id: str) -> Refused | None:
    def ask(uow: UnitOfWork) -> Refused | None:
        staff, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, application_id)
        review = Review(application_id=application_id, stage=STAGE_OF[duty], escalated_at=uow.now)
        return access_policy.refusal_for(staff, facts, review, person_id, second=duty == "second-person")

    return desk.run(ask)


@pytest.mark.requirement("R22", "R24", "R25", "R27", "R33", "R39", "R61", refuses=True)
@pytest.mark.parametrize(("first", "then"), PAIRS)
def test_whoever_did_one_duty_does_no_other(busy: ReviewDesk, first: str, then: str) -> None:
    application_id = busy.submitted("keeper" if first == "applicant" else "drafter", custodian_id="drafter")
    assert first == "applicant" or _may(busy, application_id, then, "keeper") is None
    if first != "applicant":
        _did(busy, application_id, first, "keeper")

    refusal = _may(busy, application_id, then, "keeper")

    assert refusal is not None
    assert refusal.code == f"was-{first}"
    assert refusal.zh
    assert refusal.en


@pytest.mark.parametrize("duty", DONE_FIRST)
def test_whoever_did_one_duty_does_not_supervise_the_case(busy: ReviewDesk, duty: str) -> None:
    def ask(uow: UnitOfWork) -> Refused | None:
        staff, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, application_id)
        return access_policy.supervision_refusal(staff, facts, "keeper")

    application_id = busy.submitted("keeper" if duty == "applicant" else "drafter", custodian_id="drafter")
    assert duty == "applicant" or busy.run(ask) is None
    if duty != "applicant":
        _did(busy, application_id, duty, "keeper")

    refusal = busy.run(ask)

    assert refusal is not None
    assert refusal.code == f"was-{duty}"


@pytest.mark.parametrize("duty", ["preliminary", "security", "storage-release"])
def test_the_same_duty_may_be_done_again_in_a_later_round(busy: ReviewDesk, duty: str) -> None:
    application_id = busy.submitted(custodian_id="drafter")
    _did(busy, application_id, duty, "keeper")

    assert _may(busy, application_id, duty, "keeper") is None


@pytest.mark.requirement("R22", "R24", "R25", "R27", "R33", "R39", "R46", "R61", refuses=True)
@pytest.mark.parametrize("duty", DONE_NEXT)
def test_the_custodian_of_a_case_decides_nothing_in_it(busy: ReviewDesk, duty: str) -> None:
    assert _may(busy, busy.submitted(custodian_id="drafter"), duty, "keeper") is None
    application_id = busy.submitted(custodian_id="keeper")

    refusal = _may(busy, application_id, duty, "keeper")

    assert refusal is not None
    assert refusal.code == "was-custodian"


@pytest.mark.parametrize("duty", DONE_NEXT)
def test_a_subject_of_the_case_decides_nothing(busy: ReviewDesk, duty: str) -> None:
    application_id = busy.submitted(custodian_id="drafter", subject_ids=("keeper",))

    refusal = _may(busy, application_id, duty, "keeper")

    assert refusal is not None
    assert refusal.code == "subject"


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("duty", list(STAGE_OF))
def test_an_administrator_decides_nothing_whatever_other_post_is_held(desk: ReviewDesk, duty: str) -> None:
    for kind, department in (("head", "works"), ("security-reviewer", "security"), ("storage-operator", "storage")):
        desk.post("admin", kind, department)

    refusal = _may(desk, desk.submitted(), duty, "admin")

    assert refusal is not None
    assert refusal.code == "administrator"


@pytest.mark.requirement("R59", refuses=True)
def test_without_a_valid_agreement_nobody_decides(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    def end(uow: UnitOfWork) -> None:
        for agreement in uow.session.query(Agreement).filter(Agreement.person_id.in_(("reviewer", "reviewer2"))):
            agreement.ended_at = uow.now - timedelta(hours=1)

    desk.run(end)
    refusal = _may(desk, application_id, "security", "reviewer")

    assert refusal is not None
    assert refusal.code == "agreement-missing"
    assert desk.candidates(desk.opened(application_id, "security")) == ["security-deputy"]


def test_a_stranger_to_the_stage_is_told_so(desk: ReviewDesk) -> None:
    refusal = _may(desk, desk.submitted(), "management", "reviewer")

    assert refusal is not None
    assert refusal.code == "not-yours"


@pytest.mark.requirement("R16", "R22")
def test_the_head_who_drafted_leaves_the_preliminary_review_to_the_deputy(desk: ReviewDesk) -> None:
    assert desk.candidates(desk.opened(desk.submitted("drafter"), "preliminary")) == ["head"]
    assert desk.candidates(desk.opened(desk.submitted("head"), "preliminary")) == ["deputy"]


@pytest.mark.requirement("R22")
def test_without_a_deputy_the_head_of_the_department_above_decides(desk: ReviewDesk) -> None:
    desk.away("deputy")

    assert desk.candidates(desk.opened(desk.submitted("head"), "preliminary")) == ["board-head"]


def test_a_circle_of_superior_departments_ends(desk: ReviewDesk) -> None:
    def bend(uow: UnitOfWork) -> None:
        uow.session.get_one(Department, "board").superior_id = "works"

    desk.run(bend)
    desk.away("deputy")

    assert desk.candidates(desk.opened(desk.submitted("head"), "preliminary")) == ["board-head"]


@pytest.mark.requirement("R25")
def test_t8_where_security_is_concerned_the_head_of_administration_signs(desk: ReviewDesk) -> None:
    as_usual = desk.opened(desk.submitted(), "security-signature")
    concerned = desk.opened(desk.submitted(subject_ids=("reviewer2",)), "security-signature")

    assert desk.candidates(as_usual) == ["security-head"]
    assert desk.candidates(concerned) == ["office-head"]


@pytest.mark.requirement("R25")
def test_who_signs_does_not_change_with_memberships_that_one_administrator_gives_or_ends(desk: ReviewDesk) -> None:
    desk.post("drafter", "member", "security")
    of_security = desk.opened(desk.submitted(custodian_id="drafter"), "security-signature")
    ordinary = desk.submitted("head", subject_ids=("keeper",), custodian_id="head")
    ordinary_review = desk.opened(ordinary, "security-signature")

    [membership] = desk.all(Post, person_id="drafter", department_id="security")
    desk.run(posts.end, membership.id, by="admin")
    desk.run(staff.change_person, "keeper", Details("keeper", "security"), by="admin")
    desk.clock.turn(timedelta(minutes=1))

    assert desk.candidates(of_security) == ["office-head"]
    assert desk.candidates(ordinary_review) == ["security-head"]
    assert desk.candidates(desk.opened(desk.submitted("deputy"), "security-signature")) == ["security-head"]
    # a post that decides is given by two, and adds to what the case began with
    desk.post("keeper", "security-reviewer", "security")
    assert desk.candidates(ordinary_review) == ["office-head"]


@pytest.mark.requirement("R25")
def test_a_correction_adds_the_departments_of_those_whom_it_names_first(desk: ReviewDesk) -> None:
    application_id = desk.submitted(subject_ids=("keeper",), custodian_id="drafter")
    desk.run(staff.change_person, "keeper", Details("keeper", "security"), by="admin")
    desk.decide(desk.opened(application_id, "preliminary"), "head", "returned")
    desk.classed(application_id, correction_until=NOON + timedelta(days=1))

    form = replace(FORM, subject_ids=("keeper", "operator"), custodian_id="drafter")
    desk.run(application_service.correct, application_id, form, by="drafter")

    kept = desk.the(Application, id=application_id).near_departments
    assert kept == {"drafter": ["works"], "keeper": ["works"], "operator": ["storage"]}


@pytest.mark.requirement("R27")
def test_t8_where_management_is_concerned_another_manager_decides(desk: ReviewDesk) -> None:
    application_id = desk.submitted(subject_ids=("manager",))
    desk.approved(application_id)

    deciders = desk.run(escalation.escalate_to_management, application_id, "management-other", 99)

    assert deciders == ["manager2"]
    assert desk.run(escalation.escalate_to_management, application_id, "management-other", 99) == deciders


@pytest.mark.requirement("R27", refuses=True)
def test_a_manager_of_another_department_comes_first_where_management_is_concerned(desk: ReviewDesk) -> None:
    desk.post("office-head", "manager", "office")

    application_id = desk.submitted(subject_ids=("manager",))
    desk.approved(application_id)

    # the register sees by itself that management is concerned
    assert desk.run(escalation.escalate_to_management, application_id, "management", 98) == ["office-head"]
    assert desk.the(Application, id=application_id).decided_by == "management-other"
    review_id = desk.opened(application_id, "management")
    with pytest.raises(Refused) as refused:
        desk.decide(review_id, "manager2")
    assert refused.value.code == "not-yet"
    desk.decide(review_id, "office-head")


def test_escalating_fails_aloud_when_every_manager_is_concerned(desk: ReviewDesk) -> None:
    application_id = desk.submitted(subject_ids=("manager", "manager2", "board-head"))
    desk.approved(application_id)

    with pytest.raises(Fatal, match="no manager may decide"):
        desk.run(escalation.escalate_to_management, application_id, "management", 97)


def test_a_substitute_waits_until_the_head_is_absent_or_the_review_overdue(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    with pytest.raises(Refused) as refused:
        desk.decide(review_id, "deputy")

    desk.escalate(review_id)

    assert refused.value.code == "not-yet"
    assert desk.candidates(review_id) == ["head", "deputy", "board-head"]
    assert desk.decide(review_id, "deputy").published
    assert desk.the(Decision, review_id=review_id).stands_in_for == "head"


def test_the_deputy_decides_at_once_while_the_head_is_absent(desk: ReviewDesk) -> None:
    desk.away("head")
    review_id = desk.opened(desk.submitted(), "preliminary")

    assert desk.candidates(review_id) == ["deputy"]
    assert desk.decide(review_id, "deputy").published


def test_opening_fails_aloud_when_nobody_may_decide(desk: ReviewDesk) -> None:
    desk.away("manager", "manager2", "board-head")

    with pytest.raises(Fatal, match="nobody may decide"):
        desk.opened(desk.submitted(), "management")


def test_a_post_ends_with_its_time(desk: ReviewDesk) -> None:
    application_id = desk.submitted(custodian_id="drafter")
    desk.post("keeper", "manager", "board")
    assert _may(desk, application_id, "management", "keeper") is None

    def end(uow: UnitOfWork) -> None:
        for post in uow.session.query(Post).filter_by(person_id="keeper", kind="manager"):
            post.until = NOON

    desk.run(end)
    refusal = _may(desk, application_id, "management", "keeper")

    assert refusal is not None
    assert refusal.code == "not-yours"


@pytest.mark.requirement("R39", refuses=True)
@pytest.mark.parametrize(
    ("office", "inspectors", "other"),
    [("storage", ["operator", "operator2"], "inspector"), ("security", ["inspector"], "operator")],
)
def test_t12_the_office_that_the_custodian_chose_inspects(
    desk: ReviewDesk, office: str, inspectors: list[str], other: str
) -> None:
    application_id = desk.submitted()
    desk.approved(application_id)
    desk.offered(application_id, accepted_at=NOON, due_at=NOON + timedelta(days=20), returned_at=NOON)
    hand_over_id = desk.the(HandOver, application_id=application_id).id

    def bring_back(uow: UnitOfWork) -> None:
        values = {"attestation": {}, "statement_sha256": "0" * 64, "signature": {}}
        uow.session.add(
            Return(hand_over_id=hand_over_id, returned_by="keeper", returned_at=NOON, return_to=office, **values)
        )

    desk.run(bring_back)
    review_id = desk.opened(application_id, "return-inspection")

    assert desk.candidates(review_id) == inspectors
    with pytest.raises(Refused):
        desk.decide(review_id, other)
