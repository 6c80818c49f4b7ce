"""The storage office shows nothing of a case to whom it concerns, and does not count it for them either (T8)."""

from collections.abc import Iterator

import pytest
from lent_case import SEALED, offered
from review_desk import ReviewDesk

from services.database.listing import Listing
from services.database.tables.applications import Item
from services.database.unit_of_work import UnitOfWork
from services.domain.applications.service import item_ids
from services.domain.cases import storage_office
from services.domain.cases.schemas.storage import StorageFigures, StorageOffice
from services.domain.retrieval import attempts, preservations, progress
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification
from services.runtime.spans import Span

pytestmark = pytest.mark.both_databases


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def filed(desk: ReviewDesk, *subjects: str) -> tuple[str, str]:
    """An approved case that its storage office is asked to release: its id, and that of the question."""
    case = desk.submitted(subject_ids=subjects)
    desk.approved(case)
    desk.run(filing.file, case, Classification("ordinary", False, False, False, 15))
    desk.classed(case, granted_way_of_use="download")
    return case, desk.opened(case, "storage-release")


def preserved(uow: UnitOfWork, case: str) -> None:
    """Its footage is in the quarantine, and the recorder does not answer to who fetches it."""
    [item_id] = item_ids(uow, case)
    attempt = attempts.start(uow, "quarantine", application_id=case, item_id=item_id, job_key=1)
    uow.session.flush()
    item = uow.session.get_one(Item, item_id)
    sealed = {**SEALED, "bucket": attempt.bucket, "key": attempt.key}
    assert preservations.create(uow, attempt.id, "v1", Span(item.asked_start, item.asked_end), sealed) == "kept"
    progress.start(uow, case, item_id, "master", "probing")
    uow.session.flush()
    progress.record_error(uow, item_id, "master", "RecorderDown")


def without_footage(uow: UnitOfWork, case: str) -> None:
    """It was retrieved today, and its record says that the footage is missing."""
    item_id, _, _ = offered(uow, case)
    uow.session.get_one(Item, item_id).outcome = "missing"


def fill(desk: ReviewDesk, *subjects: str) -> None:
    """A case of each kind: what waits for its release, what is released, and what was retrieved."""
    filed(desk, *subjects)
    released, question = filed(desk, *subjects)
    desk.decide(question, "operator2")
    desk.run(preserved, released)
    retrieved, question = filed(desk, *subjects)
    desk.decide(question, "operator2")
    desk.run(without_footage, retrieved)


def office(desk: ReviewDesk, by: str) -> StorageOffice:
    return desk.run(storage_office.get_office, Listing(), releases=50, recorders=6, by=by)


@pytest.mark.requirement("R62", refuses=True)
def test_whom_a_case_concerns_sees_and_counts_nothing_of_it(desk: ReviewDesk) -> None:
    fill(desk, "operator", "supervisor")
    shown = office(desk, "operator2")
    assert [len(part) for part in (shown.releases, shown.work, shown.preserved)] == [1, 1, 1]
    assert shown.figures == StorageFigures(retrieved=1, waiting=1, failed=2)
    for by in ("operator", "supervisor"):
        hidden = office(desk, by)
        assert (hidden.releases, hidden.work, hidden.preserved) == ([], [], []), by
        assert hidden.figures == StorageFigures(retrieved=0, waiting=0, failed=0), by
        assert "SQ-" not in hidden.model_dump_json(), by
        assert desk.run(storage_office.list_preserved, Listing(text="SQ-"), by=by) == [], by
        assert desk.run(storage_office.list_work, by=by) == ([], hidden.figures), by

    fill(desk)  # beside it what concerns nobody
    assert office(desk, "operator2").figures == StorageFigures(retrieved=2, waiting=2, failed=4)
    assert office(desk, "operator").figures == shown.figures
    assert len(office(desk, "operator").work) == 1


@pytest.mark.requirement("R62")
def test_who_has_drafted_the_case_about_themselves_sees_it_as_before(desk: ReviewDesk) -> None:
    desk.post("drafter", "storage-operator", "storage")
    fill(desk, "drafter")
    shown = office(desk, "drafter")
    assert [len(part) for part in (shown.releases, shown.work, shown.preserved)] == [1, 1, 1]
