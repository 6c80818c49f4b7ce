"""Who may decide, over values alone: for each rule the right person is let in, and the wrong one tried and refused."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from written_directory import directory_of

from services.database.tables.reviews import Review
from services.domain.access import parts
from services.domain.access import policy as access_policy
from services.domain.access.directory import DepartmentInfo, Directory, HeldPost, PersonInfo
from services.domain.access.parts import CaseFacts

NOW = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
DIRECTORY = directory_of(
    ("head", "works", "head"),
    ("deputy", "works", "deputy"),
    ("manager", "board", "manager"),
    ("manager2", "office", "manager"),
    ("reviewer", "security", "security-reviewer"),
    ("inspector", "security", "return-inspector"),
    ("operator", "storage", "storage-operator"),
    ("operator2", "storage", "storage-operator"),
    ("supervisor", "office", "supervisor"),
    ("admin", "office", "administrator"),
)
CASE = CaseFacts(
    application_id="case",
    department_id="works",
    custodian_id="keeper",
    custodians={"keeper"},
    done={"applicant": {"drafter"}},
    near={"drafter": {"works"}},
)


def did(duty: str, person: str, case: CaseFacts = CASE) -> CaseFacts:
    return replace(case, done={**case.done, duty: {*case.done.get(duty, ()), person}})


def concerning(person: str, *departments: str, **changes: str) -> CaseFacts:
    """The case with this person as its subject."""
    return replace(CASE, subjects={person}, near={**CASE.near, person: set(departments)}, **changes)


def consented(person: str, department: str) -> CaseFacts:
    case = did("applicant", person)
    return replace(case, near={**case.near, person: {department}})


def kept_by(person: str) -> CaseFacts:
    """The case with this person as its custodian."""
    return replace(CASE, custodian_id=person, custodians={person})


def away(*people: str) -> Directory:
    return replace(DIRECTORY, absent={*people})


def unsigned(person: str) -> Directory:
    return replace(DIRECTORY, agreed={*DIRECTORY.agreed} - {person})


def and_post(person: str, department: str, kind: str) -> Directory:
    people = {**DIRECTORY.people, person: DIRECTORY.people.get(person, PersonInfo(person, department))}
    held = [*DIRECTORY.held, HeldPost(person, department, kind)]
    return replace(DIRECTORY, people=people, held=held, agreed={*DIRECTORY.agreed, person})


def without(person: str) -> Directory:
    return replace(DIRECTORY, held=[post for post in DIRECTORY.held if post.person_id != person])


RELEASE_OF_TWO = replace(CASE, second_person=True)
TO_STORAGE = replace(CASE, return_to="storage")
OF_MANAGEMENT = concerning("board-head", "board", decided_by="management-other")

# stage, the organisation, the case, who may decide it now
DECIDERS = [
    ("preliminary", DIRECTORY, CASE, ["head"]),
    ("preliminary", away("head"), CASE, ["deputy"]),
    ("preliminary", away("head", "deputy"), CASE, ["board-head"]),
    ("preliminary", without("head"), CASE, ["deputy"]),
    ("preliminary", unsigned("head"), CASE, ["deputy"]),
    ("preliminary", DIRECTORY, did("applicant", "head"), ["deputy"]),
    ("preliminary", DIRECTORY, concerning("head", "works"), ["deputy"]),
    ("preliminary", DIRECTORY, kept_by("head"), ["deputy"]),
    ("security", DIRECTORY, kept_by("reviewer"), ["security-deputy"]),
    ("security-signature", DIRECTORY, kept_by("security-head"), ["security-deputy"]),
    ("management", DIRECTORY, kept_by("manager"), ["manager2"]),
    ("storage-release", DIRECTORY, kept_by("operator"), ["operator2"]),
    ("receipt", DIRECTORY, kept_by("head"), ["head"]),
    ("preliminary", and_post("works-head", "works", "head"), CASE, ["head", "works-head"]),
    ("security", DIRECTORY, CASE, ["reviewer"]),
    ("security", DIRECTORY, consented("reviewer", "security"), ["security-deputy"]),
    ("security-signature", DIRECTORY, CASE, ["security-head"]),
    ("security-signature", DIRECTORY, concerning("reviewer", "security"), ["office-head"]),
    ("security-signature", DIRECTORY, consented("security-head", "security"), ["office-head"]),
    ("security-signature", away("office-head", "office-deputy"), concerning("reviewer", "security"), ["counsel"]),
    ("security-signature", away("security-head", "security-deputy"), CASE, ["board-head"]),
    ("management", DIRECTORY, CASE, ["manager", "manager2"]),
    ("management", DIRECTORY, OF_MANAGEMENT, ["manager2"]),
    ("management", and_post("manager2", "board", "member"), OF_MANAGEMENT, ["manager", "manager2"]),
    ("management", away("manager", "manager2"), CASE, ["board-head"]),
    ("storage-release", DIRECTORY, CASE, ["operator", "operator2"]),
    ("storage-release", away("operator2"), RELEASE_OF_TWO, ["operator", "storage-head"]),
    ("receipt", DIRECTORY, CASE, ["keeper"]),
    ("return-inspection", DIRECTORY, CASE, ["inspector"]),
    ("return-inspection", DIRECTORY, TO_STORAGE, ["operator", "operator2", "storage-head"]),
    (
        "return-inspection",
        DIRECTORY,
        replace(CASE, custodians={"inspector"}),
        ["reviewer", "security-deputy", "security-head"],
    ),
]

# stage, the organisation, the case, who tries, and the code of the refusal
REFUSED = [
    ("preliminary", DIRECTORY, CASE, "deputy", "not-yet"),
    ("preliminary", DIRECTORY, CASE, "board-head", "not-yet"),
    ("preliminary", away("head"), CASE, "board-head", "not-yet"),
    ("preliminary", DIRECTORY, CASE, "office-head", "not-yours"),
    ("preliminary", DIRECTORY, did("applicant", "head"), "head", "was-applicant"),
    ("preliminary", unsigned("head"), CASE, "head", "agreement-missing"),
    ("preliminary", unsigned("office-head"), CASE, "office-head", "not-yours"),
    ("preliminary", and_post("head", "office", "administrator"), CASE, "head", "administrator"),
    ("security", DIRECTORY, concerning("reviewer", "security"), "reviewer", "subject"),
    ("security", DIRECTORY, consented("reviewer", "security"), "reviewer", "was-applicant"),
    ("security", DIRECTORY, did("preliminary", "reviewer"), "reviewer", "was-preliminary"),
    ("security", DIRECTORY, CASE, "drafter", "was-applicant"),
    ("security", DIRECTORY, CASE, "stranger", "not-yours"),
    ("security-signature", DIRECTORY, did("security", "security-head"), "security-head", "was-security"),
    ("security-signature", DIRECTORY, concerning("reviewer", "security"), "security-head", "not-yours"),
    ("management", DIRECTORY, OF_MANAGEMENT, "board-head", "subject"),
    ("storage-release", DIRECTORY, did("second-person", "operator"), "operator", "was-second-person"),
    ("storage-release", DIRECTORY, CASE, "inspector", "not-yours"),
    ("receipt", DIRECTORY, CASE, "inspector", "not-yours"),
    ("preliminary", DIRECTORY, kept_by("head"), "head", "was-custodian"),
    ("preliminary", away("head"), kept_by("deputy"), "deputy", "was-custodian"),
    ("security", DIRECTORY, kept_by("reviewer"), "reviewer", "was-custodian"),
    ("security-signature", DIRECTORY, kept_by("security-head"), "security-head", "was-custodian"),
    ("management", DIRECTORY, kept_by("manager"), "manager", "was-custodian"),
    ("storage-release", DIRECTORY, kept_by("operator"), "operator", "was-custodian"),
    ("partial-footage", DIRECTORY, kept_by("reviewer"), "reviewer", "was-custodian"),
    ("return-inspection", DIRECTORY, replace(CASE, custodians={"inspector"}), "inspector", "was-custodian"),
    ("return-inspection", DIRECTORY, did("storage-release", "inspector"), "inspector", "was-storage-release"),
    ("return-inspection", DIRECTORY, TO_STORAGE, "reviewer", "not-yours"),
]


@pytest.mark.parametrize(("stage", "directory", "case", "people"), DECIDERS)
def test_exactly_these_people_may_decide(stage: str, directory: Directory, case: CaseFacts, people: list[str]) -> None:
    review = Review(stage=stage)
    assert access_policy.candidates(directory, case, review) == people
    assert [one for one in people if access_policy.refusal_for(directory, case, review, one)] == []


@pytest.mark.parametrize(("stage", "directory", "case", "person", "code"), REFUSED)
def test_the_wrong_person_is_refused_with_the_reason(
    stage: str, directory: Directory, case: CaseFacts, person: str, code: str
) -> None:
    refusal = access_policy.refusal_for(directory, case, Review(stage=stage), person)
    assert refusal is not None
    assert (refusal.code, refusal.status) == (code, 403)


def test_after_the_escalation_all_who_are_fit_and_present_may_decide() -> None:
    review = Review(stage="preliminary", escalated_at=NOW)
    assert access_policy.candidates(away("head"), CASE, review) == ["deputy", "board-head"]
    assert access_policy.refusal_for(away("head"), CASE, review, "board-head") is None


def test_whoever_is_in_charge_may_decide_though_entered_as_absent() -> None:
    assert access_policy.refusal_for(away("head"), CASE, Review(stage="preliminary"), "head") is None


def test_whoever_releases_is_not_the_second_person_too() -> None:
    review, released = Review(stage="storage-release"), did("storage-release", "operator", RELEASE_OF_TWO)
    assert access_policy.second_people(DIRECTORY, released, review) == ["operator2"]
    refusal = access_policy.refusal_for(DIRECTORY, released, review, "operator", second=True)
    assert refusal is not None
    assert refusal.code == "was-storage-release"


@pytest.mark.requirement("R33", "R46")
def test_the_custodian_is_no_second_person_of_the_release() -> None:
    kept = replace(kept_by("operator2"), second_person=True)
    review, released = Review(stage="storage-release"), did("storage-release", "operator", kept)
    assert access_policy.second_people(DIRECTORY, released, review) == ["storage-head"]
    refusal = access_policy.refusal_for(DIRECTORY, released, review, "operator2", second=True)
    assert refusal is not None
    assert refusal.code == "was-custodian"


@pytest.mark.parametrize(("claimed", "who"), [("deputy", "head"), ("head", "head")])
def test_the_custodian_gives_no_review_of_the_case_to_another(claimed: str, who: str) -> None:
    review = Review(stage="preliminary", claimed_by=claimed)
    refusal = access_policy.reassignment_refusal(DIRECTORY, kept_by(who), review, who)
    assert refusal is not None
    assert refusal.code == "was-custodian"


def test_whoever_has_decided_in_the_case_cannot_become_its_custodian() -> None:
    case = did("second-person", "operator", did("security", "reviewer"))
    decided = {person for person in DIRECTORY.people if parts.has_decided(case, person)}
    assert decided == {"reviewer", "operator"}
    assert not parts.has_decided(case, "drafter"), "who asks for the footage may keep it"


@pytest.mark.requirement("R59")
@pytest.mark.parametrize(
    ("stage", "directory", "case", "lacking"),
    [
        ("preliminary", DIRECTORY, CASE, []),
        ("preliminary", unsigned("head"), CASE, ["head"]),
        ("preliminary", unsigned("deputy"), CASE, []),
        ("preliminary", replace(away("head"), agreed=()), CASE, ["deputy"]),
        ("management", unsigned("manager2"), CASE, ["manager2"]),
        ("management", unsigned("manager"), kept_by("manager"), []),
        ("security", unsigned("reviewer"), concerning("reviewer", "security"), []),
        ("receipt", replace(DIRECTORY, agreed=()), CASE, []),
    ],
)
def test_only_whose_turn_it_is_but_for_the_agreement_is_to_sign_it(
    stage: str, directory: Directory, case: CaseFacts, lacking: list[str]
) -> None:
    assert access_policy.lacking_agreement(directory, case, Review(stage=stage)) == lacking


def test_a_substitute_stands_in_for_whoever_is_in_charge_first() -> None:
    review = Review(stage="preliminary")
    assert access_policy.stands_in_for(DIRECTORY, CASE, review, "deputy") == "head"
    assert access_policy.stands_in_for(DIRECTORY, CASE, review, "head") is None


def test_all_come_before_a_substitute_whose_turn_is_earlier() -> None:
    review = Review(stage="preliminary")
    assert access_policy.all_before(DIRECTORY, CASE, review, "head") == []
    assert access_policy.all_before(DIRECTORY, CASE, review, "deputy") == ["head"]
    assert access_policy.all_before(DIRECTORY, CASE, review, "board-head") == ["head", "deputy"]
    assert access_policy.all_before_in_department(DIRECTORY, "works", "board-head") == ["head", "deputy"]


@pytest.mark.parametrize(
    ("case", "person", "code"),
    [
        (CASE, "supervisor", None),
        (CASE, "reviewer", "not-yours"),
        (replace(CASE, custodians={"supervisor"}), "supervisor", "was-custodian"),
        (did("security", "supervisor"), "supervisor", "was-security"),
        (concerning("supervisor", "office"), "supervisor", "subject"),
    ],
)
def test_nobody_supervises_a_case_of_their_own(case: CaseFacts, person: str, code: str | None) -> None:
    refusal = access_policy.supervision_refusal(DIRECTORY, case, person)
    assert (refusal.code if refusal else None) == code


@pytest.mark.parametrize(
    ("directory", "outside", "people"),
    [
        (DIRECTORY, set(), ["head"]),
        (DIRECTORY, {"head"}, ["deputy"]),
        (away("head"), set(), ["head", "deputy"]),
        (away("head", "deputy"), {"head"}, ["deputy", "board-head"]),
        (and_post("head", "office", "administrator"), set(), ["deputy"]),
    ],
)
def test_a_department_consents_by_its_head_or_substitutes(
    directory: Directory, outside: set[str], people: list[str]
) -> None:
    assert access_policy.consent_givers(directory, "works", outside) == people


@pytest.mark.parametrize(
    ("directory", "excluded", "people"),
    [
        (DIRECTORY, {"keeper"}, ["head"]),
        (DIRECTORY, {"head"}, ["deputy"]),
        (away("head"), {"keeper"}, ["deputy"]),
        (away("head"), {"deputy"}, []),
    ],
)
def test_the_head_else_the_deputy_hears_what_an_absent_person_would(
    directory: Directory, excluded: set[str], people: list[str]
) -> None:
    assert access_policy.substitutes(directory, "works", excluded) == people


def test_a_circle_of_departments_ends_where_it_closes() -> None:
    circle = replace(DIRECTORY, departments={**DIRECTORY.departments, "board": DepartmentInfo("management", "works")})
    assert circle.superiors("works") == ["board"]
