"""Applications on behalf of people outside: what they need, who checks it, and what is never shown."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import rfc8785
from behalf_case import DRAFTER, LETTER, OFFICERS, STAGES, drafted, submitted
from review_desk import ReviewDesk
from sqlalchemy import text

from services.database.tables.applications import Revision
from services.database.tables.audit import AuditEvent
from services.database.tables.outsiders import Outsider
from services.database.unit_of_work import UnitOfWork
from services.domain.access import parts, queries
from services.domain.applications import completeness, drafts, forms, on_behalf, previews, security_check
from services.domain.applications import service as application_service
from services.domain.applications.forms import Form
from services.domain.applications.on_behalf import Letter, Named
from services.domain.cases import document_layouts
from services.domain.documents import service as document_service
from services.domain.reviews import filing
from services.domain.reviews import tasks as review_tasks
from services.domain.reviews.classification import Classification
from services.runtime.errors import NotFound, NotPermitted, Refused

ORDINARY = Classification("ordinary", False, False, False, 15)
RESIDENT = Named("王某", "本市居民", "resident-card", "11010519491231002X", "13800000000")


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def lacking(desk: ReviewDesk, application_id: str, by: str = DRAFTER) -> set[str]:
    """What keeps the draft from being submitted."""

    def read(uow: UnitOfWork) -> set[str]:
        form = forms.from_application(uow, application_service.get_own(uow, application_id))
        found = previews.preview(uow, form, application_id=application_id)
        return {finding.code for finding in found if finding.severity == "blocks" and finding.zh and finding.en}

    return desk.run(read, by=by)


def opens(desk: ReviewDesk, application_id: str, stage: str) -> str:
    """Open the stage as the process does, with all that the register wants."""
    act, key = review_tasks.open_review, next(desk.keys)
    return desk.run(act, application_id, stage, job_key=key, process_instance_key=1).review_id


@pytest.mark.requirement("R21", refuses=True)
@pytest.mark.requirement("R3")
@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"people": OFFICERS[:1]}, "officers-missing"),
        ({"people": ()}, "officers-missing"),
        ({"people": (OFFICERS[0], replace(OFFICERS[0], card_number="992345"))}, "outsider-twice"),
        ({"letter": replace(LETTER, number="")}, "letter-incomplete"),
        ({"letter": replace(LETTER, title=" ")}, "letter-incomplete"),
        ({"letter": replace(LETTER, dated=None)}, "letter-incomplete"),
        ({"letter": replace(LETTER, dated=date(2031, 3, 6))}, "letter-in-future"),
        ({"letter": replace(LETTER, seal_checked=False)}, "seal-unchecked"),
        ({"kind": "filmed-person", "people": (), "letter": Letter()}, "outsiders-missing"),
        ({"kind": "counterpart", "people": (RESIDENT,), "letter": Letter()}, "letter-incomplete"),
        ({"by": "drafter", "custodian_id": "keeper"}, "outsiders-elsewhere"),
    ],
)
def test_what_lacks_of_letter_and_people_is_said_and_not_submitted(
    desk: ReviewDesk, changed: dict[str, Any], code: str
) -> None:
    application_id, by = drafted(desk, **changed), changed.get("by", DRAFTER)
    assert code in lacking(desk, application_id, by)

    def hand_in(uow: UnitOfWork) -> None:
        drafts.submit(
            uow, application_id, forms.from_application(uow, application_service.get_own(uow, application_id))
        )

    with pytest.raises(Refused):
        desk.run(hand_in, by=by)
    # whoever hands it in past the page gets it back from the process
    desk.run(application_service.submit, application_id, by=by)
    assert not desk.run(completeness.review, application_id)


def test_a_filmed_person_needs_no_letter_and_comes_alone(desk: ReviewDesk) -> None:
    application_id = submitted(desk, kind="filmed-person", people=(RESIDENT,), letter=Letter())
    assert desk.run(completeness.review, application_id)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"card_number": "110105194912310021"}, "cardNumber"),
        ({"card_number": "1"}, "cardNumber"),
        ({"card_kind": "library-card"}, "cardKind"),
        ({"card_number": "_____"}, "cardNumber"),
        ({"name": " "}, "name"),
        ({"name": "\u200b"}, "name"),
        ({"name": "王某\n已签收"}, "name"),
        ({"unit": ""}, "unit"),
        ({"contact": ""}, "contact"),
    ],
)
def test_a_card_that_cannot_be_one_is_refused(desk: ReviewDesk, changed: dict[str, str], field: str) -> None:
    with pytest.raises(Refused) as caught:
        drafted(desk, people=(replace(RESIDENT, **changed),))
    assert (caught.value.field, caught.value.status) == (field, 422)
    assert caught.value.zh
    assert not desk.all(Outsider)


@pytest.mark.requirement("R21", refuses=True)
@pytest.mark.parametrize("number", [OFFICERS[0].card_number, "０１２３４５", "01 2345"])
def test_one_card_does_not_make_two_officers(desk: ReviewDesk, number: str) -> None:
    with pytest.raises(Refused) as caught:
        drafted(desk, people=(OFFICERS[0], replace(OFFICERS[1], card_number=number)))
    assert caught.value.field == "cardNumber"


@pytest.mark.requirement("R5", refuses=True)
def test_the_whole_number_of_a_card_is_nowhere_in_clear(desk: ReviewDesk) -> None:
    application_id = submitted(desk, kind="filmed-person", people=(RESIDENT,), letter=Letter())
    number = RESIDENT.card_number
    assert desk.the(Outsider).card_tail == number[-4:]
    for table in ("outsiders", "revisions", "audit_events", "applications"):
        rows = desk.run(lambda uow, table=table: str(uow.session.execute(text(f"SELECT * FROM {table}")).all()))  # noqa: S608
        assert number not in rows, table

    # who checks it reads it, on record; the applicant's side and strangers do not
    opens(desk, application_id, "credentials")
    for stranger in ("operator", "manager2", "admin"):
        with pytest.raises(NotFound):
            desk.run(on_behalf.card_numbers, application_id, by=stranger)
    [(_, shown)] = desk.run(on_behalf.card_numbers, application_id, by="reviewer2")
    assert shown == number
    assert desk.the(AuditEvent, action="card-numbers-read").actor_id == "reviewer2"


@pytest.mark.requirement("R21", "R58", refuses=True)
def test_credentials_replace_the_department_and_nothing_is_filed_without_them(desk: ReviewDesk) -> None:
    application_id = submitted(desk)
    with pytest.raises(NotPermitted, match="begins with the stage credentials"):
        opens(desk, application_id, "preliminary")
    with pytest.raises(NotPermitted, match="credentials has not ended favourably"):
        opens(desk, application_id, "security")

    # a process that leaves the check out gets no form filed, whatever else was decided
    for stage, by in STAGES[1:]:
        desk.decide(desk.opened(application_id, stage), by)
    with pytest.raises(NotPermitted, match="the stage credentials has not ended with 'approved'"):
        desk.run(filing.file, application_id, ORDINARY)


@pytest.mark.requirement("R22", refuses=True)
def test_an_own_application_is_not_passed_by_a_check_of_credentials(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    with pytest.raises(NotPermitted, match="begins with the stage preliminary"):
        opens(desk, application_id, "credentials")
    desk.decide(desk.opened(application_id, "credentials"), "reviewer2")
    for stage, by in STAGES[1:]:
        desk.decide(desk.opened(application_id, stage), by)
    with pytest.raises(NotPermitted, match="the stage preliminary has not ended"):
        desk.run(filing.file, application_id, ORDINARY)


@pytest.mark.requirement("R21", "R58", refuses=True)
def test_the_drafter_checks_no_credentials_and_each_answer_has_to_be_yes(desk: ReviewDesk) -> None:
    application_id = submitted(desk, by="reviewer2", custodian_id=DRAFTER)
    review_id = opens(desk, application_id, "credentials")
    with pytest.raises(Refused) as caught:
        desk.decide(review_id, "reviewer2")
    assert caught.value.code == "was-applicant"
    for code in ("enough-people", "cards-seen", "letter-valid", "scope-as-asked"):
        answers = dict.fromkeys(("enough-people", "cards-seen", "letter-valid", "scope-as-asked"), True)
        with pytest.raises(Refused) as caught:
            desk.decide(review_id, "reviewer", answers={**answers, code: False})
        assert caught.value.code == "answer-contradicts"
    desk.decide(review_id, "reviewer")
    # who has checked them does not review what they ask for
    with pytest.raises(Refused) as caught:
        desk.decide(opens(desk, application_id, "security"), "reviewer")
    assert caught.value.code == "was-credentials"


@pytest.mark.requirement("R26")
def test_security_that_asks_for_others_is_no_party_to_the_case(desk: ReviewDesk) -> None:
    for_others, own = submitted(desk), desk.submitted(by=DRAFTER, custodian_id=DRAFTER)

    def near(uow: UnitOfWork, application_id: str) -> list[str]:
        facts = queries.load_facts(uow, application_id)
        return parts.people_concerned(queries.load_directory(uow), facts, "security")

    assert desk.run(near, for_others) == []
    assert desk.run(near, own) == [DRAFTER]
    desk.decide(opens(desk, for_others, "credentials"), "reviewer2")
    assert not desk.run(security_check.review, for_others).security_involved
    # whom the case concerns is a party all the same
    concerned = submitted(desk, subject_ids=("security-head",))
    assert desk.run(near, concerned) == ["security-head"]


@pytest.mark.requirement("R16", "R21", "R28")
def test_letter_and_people_are_signed_with_the_form_and_printed(desk: ReviewDesk) -> None:
    application_id = submitted(desk)
    for stage, by in STAGES:
        desk.decide(opens(desk, application_id, stage), by)
    filed = desk.run(filing.file, application_id, ORDINARY)
    form = desk.the(Revision, application_id=application_id).form
    assert form["formVersion"] == 2
    assert form["onBehalf"]["letter"] == {
        "title": LETTER.title,
        "number": LETTER.number,
        "date": "2031-03-03",
        "sealChecked": True,
    }
    assert [person["name"] for person in form["onBehalf"]["outsiders"]] == ["李警官", "周警官"]

    def printed(uow: UnitOfWork) -> str:
        document = document_service.by_number(uow, filed.form_number)
        assert document is not None
        return document_layouts.render_page(document.kind, document.number, "", json.loads(document.content))

    page = desk.run(printed)
    for said in ("外部委托", LETTER.number, "李警官，市公安局", "尾号 2345", "印章核对"):
        assert said in page
    assert "012345" not in page


def test_a_form_on_nobodys_behalf_keeps_the_hash_that_it_had(desk: ReviewDesk) -> None:
    revision = desk.the(Revision, application_id=desk.submitted())
    assert not {"formVersion", "onBehalf"} & revision.form.keys()
    assert revision.sha256 == hashlib.sha256(rfc8785.dumps(revision.form)).hexdigest()


@pytest.mark.requirement("R58", refuses=True)
def test_what_was_submitted_is_not_changed_behind_the_signatures(desk: ReviewDesk) -> None:
    application_id, own = submitted(desk), desk.submitted(by=DRAFTER, custodian_id=DRAFTER)
    first = desk.all(Outsider)[0].id
    for act in (
        lambda uow: on_behalf.set_kind(uow, application_id, None, Letter()),
        lambda uow: on_behalf.add(uow, application_id, RESIDENT),
        lambda uow: on_behalf.remove(uow, first),
        lambda uow: on_behalf.set_kind(uow, own, "authority", LETTER),
    ):
        with pytest.raises(Refused) as caught:
            desk.run(act, by=DRAFTER)
        assert caught.value.code == "form-bound"
    with pytest.raises(NotFound):
        desk.run(on_behalf.add, application_id, RESIDENT, by="drafter")

    # a correction may mend letter and people, and never for whom it is made
    for case, kind in ((application_id, None), (own, "authority")):
        stage, by = ("credentials", "reviewer2") if case == application_id else ("preliminary", "security-head")
        desk.decide(desk.opened(case, stage), by, "returned")
        with pytest.raises(Refused) as caught:
            desk.run(on_behalf.set_kind, case, kind, LETTER, by=DRAFTER)
        assert caught.value.code == "behalf-bound"
    desk.run(on_behalf.add, application_id, RESIDENT, by=DRAFTER)


def test_a_form_without_a_draft_is_checked_as_before(desk: ReviewDesk) -> None:
    assert desk.run(previews.preview, Form(), by="drafter")
