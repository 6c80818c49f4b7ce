"""A version of a model is known by the engine's key; what is on no record is noted, told once, and accepted by name."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from review_desk import ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.notices import Notice
from services.database.tables.process_steps import ProcessStep
from services.database.unit_of_work import UnitOfWork
from services.domain.deployments import versions
from services.domain.deployments.versions import Definition, RecordStatus
from services.runtime.errors import Fatal

FAR = 2**60  # keys of a cluster do not fit into JavaScript's numbers
WHY = "the exercise of 4 March"


@pytest.fixture
def any_desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def review(version: int, key: int | None = None) -> Definition:
    return Definition("review", version, FAR + version if key is None else key)


def status(desk: ReviewDesk, definition: Definition, instance: int = 1) -> RecordStatus:
    found: RecordStatus = desk.run(versions.status_of, definition, instance)
    return found


def ran(desk: ReviewDesk, process_id: str, instance: int) -> None:
    def add(uow: UnitOfWork) -> None:
        uow.session.add(
            ProcessStep(
                **{"element_instance_key": instance + 1, "application_id": case, "process_id": process_id},
                **{"process_instance_key": instance, "element_id": "Task", "began_at": uow.now, "attempts": 1},
            )
        )

    case = desk.submitted()
    desk.run(add)


@pytest.mark.both_databases
@pytest.mark.requirement("R2", "R52")
def test_what_ran_before_the_record_goes_on_and_what_comes_past_it_does_not(any_desk: ReviewDesk) -> None:
    desk = any_desk
    ran(desk, "of-long-ago", 70)
    assert status(desk, review(9)) is RecordStatus.UNTIL_NOW, "the record has not begun"
    desk.clock.turn(timedelta(hours=1))

    assert desk.run(versions.enter, [review(4)], "shipped") == [review(4)]
    assert desk.run(versions.enter, [review(4)], "shipped") == []

    assert status(desk, review(4)) is RecordStatus.RECORDED
    assert status(desk, review(3)) is RecordStatus.BEFORE
    assert status(desk, review(5)) is RecordStatus.UNRECORDED
    assert status(desk, Definition("somebody-elses", 1, FAR)) is RecordStatus.UNRECORDED
    assert status(desk, Definition("of-long-ago", 2, FAR), 70) is RecordStatus.UNTIL_NOW
    assert status(desk, Definition("of-long-ago", 2, FAR), 71) is RecordStatus.UNRECORDED

    # The number of a version says nothing: an engine that begins anew gives it again, with another key.
    assert status(desk, review(4, key=17)) is RecordStatus.UNRECORDED
    # What came between two versions on record stays out, and going back to earlier models is a new version on record.
    desk.run(versions.enter, [review(6)], "shipped")
    assert status(desk, review(5)) is RecordStatus.UNRECORDED
    assert status(desk, review(6)) is RecordStatus.RECORDED


@pytest.mark.both_databases
@pytest.mark.requirement("R52", verb="recorded")
def test_an_unrecorded_version_is_told_once_and_forgotten_after_a_day(any_desk: ReviewDesk) -> None:
    desk = any_desk
    desk.run(versions.enter, [review(1)], "shipped")
    first = desk.run(versions.note_unrecorded, review(2))
    desk.clock.turn(timedelta(minutes=5))
    assert desk.run(versions.note_unrecorded, review(2)) == first
    desk.run(versions.note_unrecorded, review(3))

    told = desk.all(Notice, code="model-unrecorded")
    assert {notice.person_id for notice in told} == {"admin", "security-head", "supervisor"}
    assert len(told) == 3, "a hundred versions at once are one notice"
    assert len(desk.all(AuditEvent, action="model-unrecorded")) == 2
    assert [row.version for row in desk.run(versions.list_unrecorded)] == [3, 2]

    desk.clock.turn(timedelta(hours=23))
    desk.run(versions.note_unrecorded, review(2))
    desk.clock.turn(timedelta(hours=2))
    assert [row.version for row in desk.run(versions.list_unrecorded)] == [2]
    assert desk.run(versions.count_unrecorded) == 1


@pytest.mark.requirement("R2", refuses=True)
def test_only_what_was_seen_is_accepted_with_a_reason_on_record(desk: ReviewDesk) -> None:
    desk.run(versions.enter, [review(1)], "shipped")
    desk.run(versions.note_unrecorded, review(3))
    for key, reason, says in (
        (FAR + 9, WHY, "no worker has met a model with the key"),
        (FAR + 1, WHY, "is on record"),
        (FAR + 3, " x ", "say in a few words why"),
    ):
        with pytest.raises(Fatal, match=says):
            desk.run(versions.accept, key, reason, "li.na")

    desk.run(versions.accept, FAR + 3, WHY, "li.na")

    assert status(desk, review(3)) is RecordStatus.RECORDED
    assert status(desk, review(2)) is RecordStatus.UNRECORDED, "an accepted version says nothing of those below it"
    detail = json.loads(desk.the(AuditEvent, action="model-accepted").entry)["detail"]
    assert detail == {"version": 3, "key": str(FAR + 3), "reason": WHY, "by": "li.na"}
