"""Serial borrowing: Security is told that the same department had the same footage until a short while ago (R50)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from review_desk import NOON, ReviewDesk

from services.database.tables.applications import Application, Item
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.reviews import Finding
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import security_check
from services.domain.applications.forms import ItemAsked
from services.domain.cases import inbox, queries
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification

pytestmark = pytest.mark.requirement("R50")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WITHIN = security_check.SERIAL_WITHIN


def span(start: timedelta, end: timedelta, camera: str = "camera") -> tuple[ItemAsked, ...]:
    """One item, by how long before noon it starts and ends."""
    return (ItemAsked(camera, NOON - start, NOON - end, "Asia/Shanghai"),)


@dataclass(frozen=True)
class Borrower:
    """A department that has footage on loan, or had, and asks for it anew."""

    desk: ReviewDesk

    def lent(self, ended: timedelta | None = None, by: str = "drafter", **changes: Any) -> str:
        """An earlier case whose loan ended so long ago, or goes on."""
        application_id = self.desk.submitted(by, **changes)
        until = NOON - ended if ended is not None else None
        held = {"accepted_at": NOON - (ended or DAY) - DAY, "returned_at": until}
        self.desk.offered(application_id, **held)
        return application_id

    def change(self, table: type[Any], application_id: str, **values: Any) -> None:
        def act(uow: UnitOfWork) -> None:
            for row in uow.session.query(table).filter_by(application_id=application_id):
                for name, value in values.items():
                    setattr(row, name, value)

        self.desk.run(act)

    def found(self, application_id: str) -> list[Finding]:
        self.desk.run(security_check.review, application_id)
        return self.desk.all(Finding, application_id=application_id, code=security_check.SERIAL)

    def number(self, application_id: str) -> str:
        return str(self.desk.the(Application, id=application_id).number)

    def read_by(self, person_id: str, application_id: str, review_id: str) -> set[bool]:
        """Whether the person reads the finding: on the page of the case, and of the review."""
        case = self.desk.run(queries.get_case, application_id, by=person_id)
        review = self.desk.run(inbox.get_review, review_id, by=person_id)
        return {any(one.code == security_check.SERIAL for one in view.findings) for view in (case, review)}


@pytest.fixture
def borrower(any_database_url: str) -> Iterator[Borrower]:
    desk = ReviewDesk(any_database_url)
    desk.add_north_gate()
    yield Borrower(desk)
    desk.close()


@pytest.mark.both_databases
@pytest.mark.parametrize(("ended", "said"), [(None, "on loan now"), (WITHIN, "until 2030-12-04")])
def test_the_same_footage_for_the_same_department_is_a_finding(
    borrower: Borrower, ended: timedelta | None, said: str
) -> None:
    earlier = borrower.lent(ended)
    again = borrower.desk.submitted()

    [finding] = borrower.found(again)
    assert borrower.found(again)[0].en == finding.en, "a second run finds the same"

    assert (finding.severity, finding.check) == ("warns", security_check.CHECK)
    assert finding.item_id == borrower.desk.the(Item, application_id=again).id
    for told in (finding.en, finding.zh):
        assert borrower.number(earlier) in told
    assert said in finding.en


def test_it_is_found_once_for_each_item_and_earlier_case(borrower: Borrower) -> None:
    earlier = [borrower.lent(DAY), borrower.lent(2 * DAY)]
    borrower.desk.offered(earlier[0], issue=2, accepted_at=NOON - HOUR)  # the copies were replaced
    again = borrower.desk.submitted(items=span(3 * HOUR, HOUR) + span(2 * HOUR, HOUR, "north"))

    found = borrower.found(again)

    assert len(found) == 2
    [replaced] = [one for one in found if borrower.number(earlier[0]) in one.en]
    assert "on loan now" in replaced.en


@pytest.mark.parametrize(
    "earlier",
    [
        {"ended": WITHIN + HOUR},
        {"by": "operator", "custodian_id": "operator2"},
        {"items": span(2 * HOUR, HOUR, "north")},
        {"items": span(3 * HOUR, 2 * HOUR)},
        {"items": span(HOUR, HOUR / 2)},
    ],
    ids=["long ago", "another department", "another camera", "until it begins", "from its end on"],
)
def test_other_footage_and_other_people_are_none(borrower: Borrower, earlier: dict[str, Any]) -> None:
    borrower.lent(**earlier)

    assert borrower.found(borrower.desk.submitted()) == []


def test_what_was_never_held_or_never_granted_is_none(borrower: Borrower) -> None:
    declined = borrower.lent()
    borrower.change(HandOver, declined, accepted_at=None, declined_at=NOON)
    narrowed = borrower.lent(items=span(4 * HOUR, HOUR))
    borrower.change(Item, narrowed, granted_start=NOON - 4 * HOUR, granted_end=NOON - 2 * HOUR)
    dropped = borrower.lent()
    borrower.change(Item, dropped, dropped_in_round=0)
    outsiders = borrower.lent()
    borrower.desk.classed(outsiders, on_behalf="authority")
    again = borrower.desk.submitted()

    assert borrower.found(again) == []

    borrower.lent()
    assert len(borrower.found(again)) == 1
    borrower.desk.classed(again, on_behalf="authority")
    assert borrower.found(again) == [], "Security drafts it for others"


def test_reviewers_read_it_and_the_applicants_side_and_the_form_do_not(borrower: Borrower) -> None:
    borrower.lent()
    again = borrower.desk.submitted()
    preliminary = borrower.desk.opened(again, "preliminary")
    borrower.desk.decide(preliminary, "head")
    assert borrower.found(again)
    review_id = borrower.desk.opened(again, "security")

    assert borrower.read_by("reviewer", again, review_id) == {True}
    for own in ("drafter", "head"):
        case = borrower.desk.run(queries.get_case, again, by=own)
        assert security_check.SERIAL not in {one.code for one in case.findings}, own

    borrower.desk.decide(review_id, "reviewer")
    borrower.desk.decide(borrower.desk.opened(again, "security-signature"), "security-head")
    borrower.desk.run(filing.file, again, Classification("ordinary", False, False, False, 15))
    form = json.loads(borrower.desk.the(Document, kind="application-form", application_id=again).content)
    assert {one["code"] for one in form["findings"]} == {"download-asked"}


@pytest.mark.requirement("R24")
def test_whom_the_earlier_case_concerns_reads_nothing_of_it(borrower: Borrower) -> None:
    borrower.lent(subject_ids=("reviewer2",))
    again = borrower.desk.submitted()
    borrower.desk.decide(borrower.desk.opened(again, "preliminary"), "head")
    assert borrower.found(again)
    review_id = borrower.desk.opened(again, "security")

    assert borrower.read_by("reviewer", again, review_id) == {True}
    assert borrower.read_by("reviewer2", again, review_id) == {False}
