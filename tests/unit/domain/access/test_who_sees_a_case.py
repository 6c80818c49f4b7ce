"""Who sees a case and its documents, where it stands, and that every look is on the trail (R2, R62, F20, F24)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from review_desk import FORM, NOON, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.domain.access import visibility
from services.domain.applications import service as application_service
from services.domain.applications.forms import ItemAsked
from services.domain.cases import footage as case_footage
from services.domain.cases import queries as case_queries
from services.domain.cases import states as case_states
from services.runtime.errors import NotFound

pytestmark = pytest.mark.both_databases


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def sees(desk: ReviewDesk, person: str, application_id: str) -> bool:
    listed = [row.id for row in desk.run(visibility.list_visible, limit=10, offset=0, by=person)]
    try:
        desk.run(visibility.get_visible, application_id, by=person)
    except NotFound:
        assert application_id not in listed
        return False
    assert application_id in listed
    return True


def state(desk: ReviewDesk, application_id: str) -> tuple[str, str | None]:
    found = desk.run(lambda uow: case_states.states_of(uow, [uow.session.get_one(Application, application_id)]))
    return found[application_id].code, found[application_id].detail


@pytest.mark.requirement("R2", "R5", refuses=True)
@pytest.mark.requirement("R62")
def test_a_case_is_seen_by_those_who_have_a_part_in_it(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    before = {person for person in ("keeper", "operator", "manager", "admin") if sees(desk, person, application_id)}
    always = ("drafter", "head", "deputy", "reviewer", "security-head", "supervisor")

    assert before == set()
    assert [person for person in always if not sees(desk, person, application_id)] == []


@pytest.mark.requirement("R2", "R5", refuses=True)
def test_a_part_in_the_case_opens_it(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.filed(application_id)
    desk.opened(application_id, "management")
    desk.offered(application_id)

    assert [sees(desk, person, application_id) for person in ("operator", "manager", "keeper")] == [True] * 3
    assert not sees(desk, "admin", application_id)


@pytest.mark.requirement("R5", refuses=True)
@pytest.mark.requirement("R25")
def test_whoever_signs_in_securitys_place_sees_the_case_while_asked(desk: ReviewDesk) -> None:
    application_id = desk.submitted(subject_ids=("inspector",))

    with pytest.raises(NotFound):
        desk.run(visibility.get_visible, application_id, by="office-head")
    review_id = desk.opened(application_id, "security-signature")

    assert desk.run(visibility.get_visible, application_id, by="office-head").id == application_id
    desk.decide(review_id, "office-head")
    assert sees(desk, "office-head", application_id)


def test_a_draft_is_seen_by_its_drafter_alone(desk: ReviewDesk) -> None:
    def draft(uow: Any) -> str:
        return application_service.create_draft(uow, FORM).id

    application_id = desk.run(draft, by="drafter")

    assert sees(desk, "drafter", application_id)
    assert not [person for person in ("head", "reviewer", "supervisor", "admin") if sees(desk, person, application_id)]


@pytest.mark.requirement("R52", refuses=True)
def test_every_look_at_a_case_is_on_the_trail_and_none_in_the_time_line(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    case = desk.run(case_queries.get_case, application_id, by="supervisor")

    looks = [event for event in desk.all(AuditEvent, application_id=application_id) if event.action == "case-read"]
    assert [event.actor_id for event in looks] == ["supervisor"]
    assert [event.action for event in case.events] == ["application-drafted", "application-submitted"]
    with pytest.raises(NotFound):
        desk.run(case_queries.get_case, application_id, by="admin")


def test_where_a_case_stands_follows_from_the_books(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    seen = [state(desk, application_id)]
    review_id = desk.opened(application_id, "preliminary")
    seen.append(state(desk, application_id))
    desk.decide(review_id, "head", "returned")
    seen.append(state(desk, application_id))
    desk.run(application_service.correct, application_id, FORM, by="drafter")
    desk.approved(application_id)
    desk.filed(application_id)
    seen.append(state(desk, application_id))
    desk.opened(application_id, "storage-release")
    seen.append(state(desk, application_id))

    assert seen == [
        ("approval", None),
        ("approval", "preliminary"),
        ("correction", None),
        ("retrieval", None),
        ("retrieval", "storage-release"),
    ]


@pytest.mark.requirement("R51", verb="recorded")
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, "awaiting-receipt"),
        ({"accepted_at": NOON, "due_at": NOON + timedelta(days=1)}, "in-use"),
        ({"accepted_at": NOON, "due_at": NOON}, "overdue"),
        ({"accepted_at": NOON, "due_at": NOON, "returned_at": NOON}, "return-inspection"),
    ],
)
def test_where_the_copies_are(desk: ReviewDesk, values: dict[str, Any], code: str) -> None:
    application_id = desk.submitted()
    desk.offered(application_id, **values)

    assert state(desk, application_id) == (code, None)


@pytest.mark.requirement("R20", "R31")
def test_the_overwrite_countdown_is_the_nearest_of_what_is_not_yet_kept(desk: ReviewDesk) -> None:
    early = ItemAsked("camera", NOON - timedelta(days=20), NOON - timedelta(days=20, hours=-1), "Asia/Shanghai")
    application_id = desk.submitted(items=(*FORM.items, early))

    footage = desk.run(lambda uow: case_footage.read(uow, [uow.session.get_one(Application, application_id)]))

    assert footage[application_id].overwrite_at == early.start + timedelta(days=30)
