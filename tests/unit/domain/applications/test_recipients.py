"""Recipients: whom the form names beside the custodian, what goes back to the drafter, and what is signed."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from review_desk import FORM, ReviewDesk

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application, Revision
from services.database.tables.people import Person
from services.database.tables.reviews import Finding
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import completeness, drafts, forms, recipients, security_check
from services.domain.applications import service as application_service
from services.runtime.errors import NotFound, Refused


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def leave(uow: UnitOfWork, person_id: str) -> None:
    uow.session.get_one(Person, person_id).active = False


def end_agreements(uow: UnitOfWork, person_id: str) -> None:
    for one in uow.session.query(Agreement).filter_by(person_id=person_id):
        one.ended_at = uow.now


def named(desk: ReviewDesk, application_id: str) -> list[recipients.Recipient]:
    return desk.run(lambda uow: recipients.list_of(uow, uow.session.get_one(Application, application_id)))


def codes(desk: ReviewDesk, application_id: str) -> dict[str, Finding]:
    return {finding.code: finding for finding in desk.all(Finding, application_id=application_id)}


@pytest.mark.requirement("R21", "R25", "R57")
def test_the_form_that_is_signed_names_the_recipients(desk: ReviewDesk) -> None:
    several = desk.the(Revision, application_id=desk.submitted(recipient_ids=("deputy", "head")))
    none = desk.the(Revision, application_id=desk.submitted())

    assert [one["id"] for one in several.form["recipients"]] == ["deputy", "head"]
    assert none.form["recipients"] == []
    assert several.sha256 == hashlib.sha256(rfc8785.dumps(several.form)).hexdigest()


@pytest.mark.requirement("R21", "R57")
def test_recipients_are_kept_in_a_draft_and_proposed_by_a_copy(desk: ReviewDesk) -> None:
    form = replace(FORM, recipient_ids=("deputy", "reviewer"))
    draft = desk.run(application_service.create_draft, FORM, by="drafter")

    desk.run(application_service.update_draft, draft.id, form, by="drafter")
    desk.run(application_service.submit, draft.id, by="drafter")

    _, copied = desk.run(drafts.get_source, draft.id, by="drafter")
    assert copied == form


@pytest.mark.requirement("R57")
def test_the_custodian_named_again_is_no_recipient(desk: ReviewDesk) -> None:
    application_id = desk.submitted(recipient_ids=("keeper", "deputy"))

    assert [one.id for one in named(desk, application_id)] == ["deputy"]
    assert [one["id"] for one in desk.the(Revision).form["recipients"]] == ["deputy"]


@pytest.mark.requirement("R57", refuses=True)
def test_somebody_unknown_is_refused_with_a_sentence(desk: ReviewDesk) -> None:
    with pytest.raises(Refused, match="nobody is not a known person") as refusal:
        desk.run(application_service.create_draft, replace(FORM, recipient_ids=("deputy", "nobody")), by="drafter")

    assert (refusal.value.status, refusal.value.field) == (422, "recipient_ids")


@pytest.mark.requirement("R2", "R21", "R57", refuses=True)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"recipient_ids": ("deputy",), "subject_ids": ("deputy",)}, "recipient-is-subject"),
        ({"recipient_ids": ("deputy", "operator")}, "recipient-left"),
        ({"recipient_ids": ("admin",)}, "recipient-is-administrator"),
    ],
)
def test_who_may_not_see_footage_cannot_be_named(desk: ReviewDesk, changes: dict[str, Any], code: str) -> None:
    desk.run(leave, "operator")
    application_id = desk.submitted(**changes)

    assert desk.run(completeness.review, application_id) is False

    finding = codes(desk, application_id)[code]
    assert finding.severity == "blocks"
    assert finding.en.endswith("remove the person from the list.")
    with pytest.raises(Refused) as refusal:
        desk.run(
            drafts.submit,
            desk.run(application_service.create_draft, FORM, by="drafter").id,
            replace(FORM, **changes),
            by="drafter",
        )
    assert (refusal.value.code, refusal.value.field) == ("incomplete", "recipientIds")


@pytest.mark.requirement("R57", "R59")
def test_security_is_told_who_must_sign_the_agreement_first(desk: ReviewDesk) -> None:
    desk.run(end_agreements, "deputy")
    application_id = desk.submitted(recipient_ids=("deputy", "head"))

    desk.run(security_check.review, application_id)

    assert "deputy" in codes(desk, application_id)["recipient-agreement-missing"].en
    assert "head" not in codes(desk, application_id)["recipient-agreement-missing"].en
    assert [(one.id, one.agreement) for one in named(desk, application_id)] == [("deputy", False), ("head", True)]


@pytest.mark.requirement("R57")
def test_who_leaves_is_shown_nothing_any_more(desk: ReviewDesk) -> None:
    application_id = desk.submitted(recipient_ids=("deputy", "head"))

    desk.run(leave, "deputy")

    assert [one.id for one in named(desk, application_id)] == ["head"]


@pytest.mark.requirement("R55", "R57", refuses=True)
def test_to_be_named_opens_no_case(desk: ReviewDesk) -> None:
    application_id = desk.submitted(recipient_ids=("office-head",))

    with pytest.raises(NotFound):
        desk.run(drafts.get_source, application_id, by="office-head")


def test_a_case_of_before_the_list_has_no_recipients(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.run(lambda uow: setattr(uow.session.get_one(Application, application_id), "recipient_ids", None))

    form = desk.run(lambda uow: forms.from_application(uow, uow.session.get_one(Application, application_id)))

    assert form.recipient_ids == ()
    assert named(desk, application_id) == []
