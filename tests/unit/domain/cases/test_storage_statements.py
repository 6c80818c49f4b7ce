"""The storage office asks the same few statements however much is under way; its page asks every two seconds."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from review_desk import NOON, ReviewDesk
from statements import statements

from services.database.listing import Listing
from services.database.tables.applications import Item
from services.database.tables.cameras import Camera, Recorder, RetentionMeasurement
from services.database.tables.progress import Progress
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import storage_office
from services.domain.cases.schemas.storage import FootageProgress, WatchedRecorder

pytestmark = pytest.mark.both_databases
FEW, MANY = 2, 40
WEEK = timedelta(days=7)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def fill(uow: UnitOfWork, numbers: range, application_id: str) -> None:
    """For each number a recorder, a camera that reaches so many days less far back than a week ago, and its work."""
    for number in numbers:
        key, now = f"{number:02}", NOON + timedelta(days=number)
        named = {"name_zh": key, "name_en": key, "place_zh": key, "place_en": key, "retention_days": 30}
        reach = {"oldest_frame_at": now - timedelta(days=60 - number), "oldest_measured_at": now}
        uow.session.add(Recorder(id=f"r{key}", name=f"R{key}", site="S", kind="folder", configuration={}, zone="UTC"))
        uow.session.flush()
        for channel in ("b", "a"):
            uow.session.add(Camera(id=f"{channel}{key}", recorder_id=f"r{key}", channel=channel, **named, **reach))
        uow.session.flush()
        earlier = {"measured_at": now - WEEK, "oldest_frame_at": now - WEEK - timedelta(days=60)}
        uow.session.add(
            RetentionMeasurement(camera_id=f"a{key}", day=(now - WEEK).date().isoformat(), **earlier),
        )
        span = {"asked_start": NOON - timedelta(hours=1), "asked_end": NOON}
        uow.session.add(
            Item(
                id=f"i{key}",
                application_id=application_id,
                position=number + 2,
                camera_id=f"a{key}",
                zone="UTC",
                **span,
            )
        )
        uow.session.flush()
        uow.session.add(
            Progress(
                item_id=f"i{key}",
                purpose="master",
                application_id=application_id,
                phase="probing",
                since=now,
                heartbeat_at=now,
            )
        )


def asked(desk: ReviewDesk, read: Callable[[UnitOfWork], Any]) -> tuple[Any, int]:
    with statements(desk.database.engine) as sent:
        found = desk.run(read, by="operator")
    return found, sum(one.startswith(("SELECT", "WITH")) for one in sent)


@pytest.mark.parametrize("page", ["work", "recorders", "office"])
def test_a_page_asks_as_often_for_many_as_for_few(desk: ReviewDesk, page: str) -> None:
    read: Callable[[UnitOfWork], Any] = {
        "work": storage_office.list_work,
        "recorders": storage_office.list_recorders,
        "office": lambda uow: storage_office.get_office(uow, Listing(limit=10), releases=50, recorders=6),
    }[page]
    case = desk.submitted()
    desk.run(fill, range(FEW), case)
    _, few = asked(desk, read)
    desk.run(fill, range(FEW, MANY), case)
    _, many = asked(desk, read)
    assert many == few <= 25


@pytest.mark.requirement("R31", "R34", verb="recorded")
def test_each_is_shown_with_what_is_its_own(desk: ReviewDesk) -> None:
    case = desk.submitted()
    desk.run(fill, range(MANY), case)

    work: list[FootageProgress] = desk.run(storage_office.list_work, by="operator")[0]
    recorders: list[WatchedRecorder] = desk.run(storage_office.list_recorders, by="operator")

    shown = [(one.item_id, one.position, one.camera_en, one.recorder) for one in work]
    assert shown == [(f"i{n:02}", n + 2, f"{n:02}", f"R{n:02}") for n in range(MANY)]
    of_number = {one.id: one.cameras for one in recorders}
    for number in range(MANY):
        first, second = of_number[f"r{number:02}"]
        assert (first.camera_id, second.camera_id) == (f"a{number:02}", f"b{number:02}")
        assert first.retention_change_seconds == -timedelta(days=number).total_seconds()
        assert second.retention_change_seconds is None
