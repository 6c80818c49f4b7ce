"""Ways around an approval: steps at the same moment, steps of another case, steps of a case that has ended."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from at_once import at_once
from custody_desk import Desk
from review_desk import FORM, ReviewDesk

from services.database.tables.applications import Application, Revision
from services.database.tables.copies import Copy, Download, Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Post
from services.database.tables.reviews import Decision
from services.domain.applications import service as application_service
from services.domain.custody import hand_overs, viewings
from services.runtime.errors import Fatal, NotFound, Refused, Retryable
from services.vault.age import generate_identity
from services.workers import encrypt_copy, hand_over, retrieve_footage, suspend_access

pytestmark = pytest.mark.both_databases


@pytest.fixture
def reviews(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


@pytest.fixture
def desk(any_database_url: str, tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "nothing").mkdir()
    desk = Desk(tmp_path, tmp_path / "nothing", database_url=any_database_url)
    yield desk
    desk.database.close()


@pytest.mark.requirement("R24", "R25", refuses=True)
def test_of_two_decisions_at_the_same_moment_one_counts(reviews: ReviewDesk) -> None:
    application_id = reviews.submitted()
    reviews.decide(reviews.opened(application_id, "preliminary"), "head")
    review_id = reviews.opened(application_id, "security")

    answers = at_once(
        *(lambda by=by, outcome=outcome: reviews.decide(review_id, by, outcome)
          for by, outcome in (("reviewer", "approved"), ("reviewer2", "rejected"), ("reviewer", "approved")))
    )  # fmt: skip

    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert {error.code for error in answers if isinstance(error, Refused)} <= {"review-closed"}
    [decision] = reviews.all(Decision, review_id=review_id)
    [message] = [row for row in reviews.all(OutboxMessage) if row.correlation_key == review_id]
    assert message.variables["decision"] == decision.outcome


@pytest.mark.requirement("R25")
def test_a_draft_that_changes_while_it_is_handed_in_is_what_was_frozen(reviews: ReviewDesk) -> None:
    for _ in range(5):
        draft = reviews.run(application_service.create_draft, FORM, by="drafter")
        other = replace(FORM, reason="另一个事由：设备损坏，需要查看经过")

        at_once(
            lambda draft=draft: reviews.run(application_service.submit, draft.id, by="drafter"),
            lambda draft=draft, other=other: reviews.run(
                application_service.update_draft, draft.id, other, by="drafter"
            ),
        )

        application, revision = reviews.the(Application, id=draft.id), reviews.the(Revision, application_id=draft.id)
        assert revision.form["reason"] == application.reason


@pytest.mark.requirement("R29", "R33", refuses=True)
@pytest.mark.parametrize("module", [retrieve_footage, encrypt_copy])
async def test_a_job_that_names_the_item_of_another_case_gets_nothing(desk: Desk, module: ModuleType) -> None:
    own, other = desk.case("gate").approve(), desk.case("yard").approve()
    desk.do(lambda uow: desk.lend_on_paper(uow, other))
    before = len(desk.rows(Copy))

    with pytest.raises(Fatal):
        await desk.work(module, application_id=own.id, item_id=other.item())

    assert len(desk.rows(Copy)) == before
    assert desk.objects("masters") == desk.objects("copies") == []


@pytest.mark.requirement("R29", "R35", "R46", refuses=True)
@pytest.mark.parametrize("ended", ["withdrawn_at", "closed_at"])
async def test_nothing_is_offered_in_a_case_that_has_ended(desk: Desk, ended: str) -> None:
    case = desk.case("gate").approve()
    desk.do(lambda uow: desk.lend_on_paper(uow, case))
    [offered] = desk.rows(HandOver)
    other = desk.case("yard").approve()
    with pytest.raises(Fatal, match="the database does not have it"):
        await desk.work(suspend_access, application_id=other.id, hand_over_id=offered.id)

    def take_back(uow: Any) -> None:
        for review in uow.session.query(hand_overs.Review).filter_by(stage="receipt").all():
            uow.session.delete(review)
        for copy in uow.session.query(Copy).all():
            copy.hand_over_id = None
        for entry in uow.session.query(CustodyEntry).all():
            uow.session.delete(entry)
        uow.session.flush()
        uow.session.delete(uow.session.get_one(HandOver, offered.id))

    desk.do(take_back)
    desk.change(Application, case.id, **{ended: desk.clock.now()})

    with pytest.raises((Fatal, Retryable), match=r"was withdrawn|is closed"):
        await desk.work(hand_over, application_id=case.id, use_period_days=10)

    assert desk.rows(HandOver) == []


@pytest.mark.requirement("R38", "R46", refuses=True)
def test_a_download_that_is_asked_for_during_the_return_is_attested_for_or_refused(desk: Desk) -> None:
    case = desk.case("gate").approve(granted_way_of_use="download")
    hand_over_id = desk.do(lambda uow: desk.lend_on_paper(uow, case))
    both = at_once(lambda: case.accept(hand_over_id), lambda: case.accept(hand_over_id))
    assert not [answer for answer in both if isinstance(answer, (Refused, Fatal))]
    assert sorted(grant.action for grant in desk.rows(Grant)) == ["download", "view"]
    [copy] = desk.rows(Copy)
    ask = {"recipient": generate_identity()[1], "medium": "disk", "address": "x"}

    returned, asked = at_once(
        lambda: case.give_back(hand_over_id),
        lambda: desk.as_person("custodian", viewings.list_download, copy.id, **ask),
    )

    if isinstance(returned, Exception):
        assert isinstance(asked, Download)
    else:
        assert isinstance(asked, Refused)
        assert asked.code == "copy-returned"
        assert desk.rows(Download) == []


@pytest.mark.requirement("R2", "R55", refuses=True)
def test_an_administrator_opens_no_copy_even_as_its_custodian(desk: Desk) -> None:
    case = desk.case("gate").approve()
    hand_over_id = desk.do(lambda uow: desk.lend_on_paper(uow, case))
    case.accept(hand_over_id)
    [copy] = desk.rows(Copy)
    since = desk.clock.now() - timedelta(days=1)
    post = Post(person_id="custodian", department_id="works", kind="administrator", since=since)
    desk.do(lambda uow: uow.session.add(post))

    with pytest.raises(Refused) as refused:
        desk.as_person("custodian", viewings.open_viewing, copy.id, purpose_confirmed=True, address="x")
    assert refused.value.code == "administrator"
    with pytest.raises(NotFound):
        desk.as_person("stranger", viewings.open_viewing, copy.id, purpose_confirmed=True, address="x")
