"""The gauges say what the books hold, and only where the books were counted."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from review_desk import ReviewDesk

from services.app import portal_tasks
from services.database.tables.cameras import Recorder
from services.database.tables.process_steps import ProcessStep
from services.database.unit_of_work import UnitOfWork
from services.domain.cameras import measurements
from services.domain.cases import metrics as case_metrics
from services.domain.cases import storage_office
from services.runtime import metrics


@pytest.fixture(autouse=True)
def never_counted() -> Iterator[None]:
    metrics.DATABASE_METRICS_UPDATED.set(0)
    yield
    metrics.DATABASE_METRICS_UPDATED.set(0)


@pytest.fixture
def desk(tmp_path: object) -> ReviewDesk:
    return ReviewDesk(f"sqlite:///{tmp_path}/database.sqlite3")


@dataclass
class Answer:
    """What a recorder says of itself."""

    make: str = "M"
    model: str = "N"
    identity: str = "I"
    oldest_frame: dict[str, datetime] = field(default_factory=dict)
    clock_offset_ms: int | None = 2500
    clock_method: str = "ntp"
    clock_uncertainty_ms: int | None = 10


def said(name: str, **labels: str) -> float | None:
    return metrics.DATABASE_REGISTRY.get_sample_value(name, labels)


@pytest.mark.requirement("R62", verb="recorded")
def test_the_gauges_say_what_the_books_hold(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.opened(application_id, "preliminary")

    desk.run(case_metrics.update_gauges)

    assert said("footage_desk_applications", state="approval") == 1
    assert said("footage_desk_review_age_seconds", stage="preliminary") == 0
    assert said("footage_desk_reviews_open", stage="preliminary") == 1
    assert said("footage_desk_reviews_overdue", stage="preliminary") == 0
    assert (said("footage_desk_audit_events") or 0) > 0
    assert said("footage_desk_hand_overs_open") == 0
    assert said("footage_desk_items_preserved") == 0


def test_a_review_past_its_limit_is_overdue_from_its_due_moment_on(desk: ReviewDesk) -> None:
    desk.opened(desk.submitted(), "preliminary")
    limit = desk.database.rules.review_limit

    desk.clock.turn(limit - timedelta(seconds=1))
    desk.run(case_metrics.update_gauges)
    before = said("footage_desk_reviews_overdue", stage="preliminary")
    desk.clock.turn(timedelta(seconds=1))
    desk.run(case_metrics.update_gauges)

    assert before == 0
    assert said("footage_desk_reviews_overdue", stage="preliminary") == 1
    assert said("footage_desk_review_age_seconds", stage="preliminary") == limit.total_seconds()


async def test_a_process_that_counts_no_books_says_nothing_of_them(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics.Counted, "text", "")
    before = metrics.exposition()
    await portal_tasks.count(desk.database)._run_once()

    assert b"footage_desk_nearest_overwrite_seconds" not in before
    assert b"footage_desk_nearest_overwrite_seconds" in metrics.exposition()


def test_a_recorder_that_gave_no_answer_is_told_until_it_answers_again(desk: ReviewDesk) -> None:
    def measured(uow: UnitOfWork) -> None:
        measurements.record_measured(uow, "recorder", Answer())

    desk.run(measured)
    desk.run(case_metrics.update_gauges)
    answers = [said("footage_desk_recorder_up", recorder="R")]
    desk.run(lambda uow: storage_office.record_unreachable(uow, "recorder"))
    desk.run(case_metrics.update_gauges)
    answers.append(said("footage_desk_recorder_up", recorder="R"))
    desk.run(measured)
    desk.run(case_metrics.update_gauges)
    answers.append(said("footage_desk_recorder_up", recorder="R"))

    assert answers == [1, 0, 1]
    assert said("footage_desk_recorder_clock_offset_seconds", recorder="R") == 2.5


def test_what_waits_is_counted_until_nobody_tries_it_any_more(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    def waits(uow: UnitOfWork) -> None:
        step = ProcessStep(
            element_instance_key=7,
            application_id=application_id,
            process_id="video-retrieval",
            process_instance_key=1,
            element_id="Task_RetrieveFootage",
            began_at=uow.now,
            attempts=1,
            waiting_for="recorder",
            waiting_since=uow.now - timedelta(hours=2),
            next_try_at=uow.now + timedelta(minutes=5),
            waiting_until=uow.now + timedelta(hours=22),
        )
        uow.session.add(step)

    desk.run(waits)
    desk.run(case_metrics.update_gauges)
    assert said("footage_desk_longest_wait_seconds", part="recorder") == 7200
    assert said("footage_desk_steps_waiting", part="recorder") == 1
    assert said("footage_desk_longest_wait_seconds", part="store") == 0

    desk.clock.turn(timedelta(minutes=30))  # its job is gone: an engine that has it would have sent it
    desk.run(case_metrics.update_gauges)
    assert said("footage_desk_longest_wait_seconds", part="recorder") == 0


def test_a_recorder_out_of_use_leaves_no_series_behind(desk: ReviewDesk) -> None:
    desk.run(case_metrics.update_gauges)
    before = said("footage_desk_recorder_clock_offset_seconds", recorder="R")

    def retire(uow: UnitOfWork) -> None:
        uow.session.get_one(Recorder, "recorder").active = False

    desk.run(retire)
    desk.run(case_metrics.update_gauges)

    assert before == 1.5
    assert said("footage_desk_recorder_clock_offset_seconds", recorder="R") is None
