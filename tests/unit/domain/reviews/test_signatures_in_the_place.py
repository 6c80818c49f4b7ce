"""What a substitute signs names all in whose place it is, and so the evidence package has the absences of them all."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from review_desk import FORM, PASSWORD, ReviewDesk

from services.database.tables.consents import Consent, Consultation
from services.database.tables.reviews import Confirmation, Decision
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import joint
from services.domain.applications import service as application_service
from services.domain.cases import consent_queries
from services.verifier.accounts import Signatures
from services.verifier.package import moment


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def assert_named(signature: dict[str, Any], *absent: str) -> None:
    """The statement names these, and the package would have their absences and nobody else's."""
    statement, signatures = signature["statement"], Signatures()
    assert statement["represented"] == list(absent)
    signatures.add(signature, statement)
    for person in ("head", "keeper", "deputy", "operator", "operator2", "office-head", "supervisor"):
        entry = {"action": "absence-added", "application": None, "subject": {"kind": "person", "id": person}}
        shown = signatures.concerns({**entry, "detail": {}}, moment(signature["signedAt"]))
        assert shown is (person in (*absent, signature["person"])), person


@pytest.mark.requirement("R16")
def test_a_decision_names_both_heads_and_the_deputy_who_are_away(desk: ReviewDesk) -> None:
    desk.post("keeper", "head", "works")
    desk.away("head", "keeper")
    first = desk.opened(desk.submitted(), "preliminary")
    desk.decide(first, "deputy")
    desk.away("deputy")
    second = desk.opened(desk.submitted(), "preliminary")
    desk.decide(second, "board-head")

    assert_named(desk.the(Decision, review_id=first).signature, "head", "keeper")
    assert_named(desk.the(Decision, review_id=second).signature, "head", "keeper", "deputy")


@pytest.mark.requirement("R34")
def test_a_confirmation_names_the_operators_and_not_who_released(desk: ReviewDesk) -> None:
    desk.post("keeper", "head", "storage")
    desk.post("deputy", "head", "storage")
    application_id = desk.submitted()
    desk.classed(application_id, importance="important", second_person=True)
    desk.away("operator2")
    review_id = desk.opened(application_id, "storage-release")
    desk.decide(review_id, "operator")
    desk.away("operator")

    desk.confirm(review_id, "deputy")

    assert_named(desk.the(Confirmation, review_id=review_id).signature, "operator2")


@pytest.mark.requirement("R17")
def test_a_consent_names_the_head_of_the_department(desk: ReviewDesk) -> None:
    desk.post("keeper", "deputy", "office")
    desk.away("office-head")
    draft = desk.run(application_service.create_draft, replace(FORM, joint_department_ids=("office",)), by="drafter")
    desk.run(application_service.submit, draft.id, by="drafter")
    (line,) = desk.run(consent_queries.list_waiting, by="keeper")

    desk.run(joint.consent, line.id, Proof(desk.the(Consultation).sha256, PASSWORD), by="keeper")

    signature = desk.the(Consent).signature
    assert signature is not None
    assert_named(signature, "office-head")
