"""When a review is due, first reminded of and escalated, where its stage counts working time; and why."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from own_stage import own_stage
from review_desk import NOON, ReviewDesk
from second_person import confirmed
from working_stages import day, table, working_stages, write_year

from services.database.tables.audit import AuditEvent
from services.database.tables.custody import HandOver
from services.database.tables.notices import Notice
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import inbox as case_inbox
from services.domain.reviews import tasks as review_tasks
from services.domain.rules import service as rule_service
from services.domain.stages.catalogue import STAGES
from services.domain.working_calendar import deadlines, queries, service
from services.runtime.errors import NotPermitted
from services.runtime.rules import Rules

SHANGHAI = ZoneInfo("Asia/Shanghai")
# From Tuesday 4 March 2031, 20:00 in Shanghai: Wednesday is off, Saturday is a working day.
HOLIDAY, INSTEAD = day("2031-03-05"), day("2031-03-08", "working")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


@pytest.fixture(autouse=True)
def stages(tmp_path: Path) -> Iterator[None]:
    with working_stages(tmp_path, "preliminary", "storage-release"):
        yield


def imported(desk: ReviewDesk) -> None:
    desk.run(write_year, [HOLIDAY, INSTEAD])


def why(review: Review, language: str = "en") -> str:
    said = deadlines.describe(review.due_reason)
    assert said is not None
    return said.translate(language)


@pytest.mark.requirement("R30")
def test_a_stage_that_counts_working_time_is_due_in_working_time_and_says_why(desk: ReviewDesk) -> None:
    imported(desk)

    review = desk.the(Review, id=desk.opened(desk.submitted(), "preliminary"))

    assert review.due_at == local("2031-03-06T18:00")  # a whole working day after Wednesday, which is off
    assert review.first_reminder_at == local("2031-03-06T14:00")  # half of it
    assert why(review) == "1 working day after the review was opened; March 5 is a day off (Arbour Day)"
    assert why(review, "zh") == "审核任务发起后 1 个工作日；3月5日放假（植树节）"
    entry = json.loads(desk.the(AuditEvent, action="review-opened").entry)
    assert entry["detail"]["due_reason"] == review.due_reason


def test_the_worker_gives_the_process_the_moments_that_the_review_has(desk: ReviewDesk) -> None:
    imported(desk)
    application_id = desk.submitted()
    opening = {"job_key": 91, "process_instance_key": 1}

    first = desk.run(review_tasks.open_review, application_id, "preliminary", **opening)
    desk.run(write_year, [HOLIDAY, day("2031-03-06")])
    desk.clock.turn(timedelta(minutes=5))
    second = desk.run(review_tasks.open_review, application_id, "preliminary", **opening)

    assert first == second
    assert NOON + first.review_limit == local("2031-03-06T18:00")
    assert first.first_review_reminder_at == local("2031-03-06T14:00")


def test_a_later_change_of_table_hours_or_limit_moves_no_open_review(desk: ReviewDesk) -> None:
    imported(desk)
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "preliminary")
    before = desk.the(Review, id=review_id)

    confirmed(desk, service.import_year, table(day("2031-03-06"), INSTEAD), "moved", was=1)
    confirmed(desk, rule_service.change_rule, "working_hours", "10:00-12:00", "less", was=Rules(None).working_hours)
    confirmed(desk, rule_service.change_rule, "review_limit", "P9D", "more", was="P1D")

    after = desk.the(Review, id=review_id)
    assert (after.due_at, after.first_reminder_at, why(after)) == (before.due_at, before.first_reminder_at, why(before))
    fresh = desk.the(Review, id=desk.opened(application_id, "preliminary"))
    # nine days of two hours: Wednesday, Friday, the Saturday in exchange, the five of the next week, and a Monday
    assert fresh.due_at == local("2031-03-17T12:00")
    assert why(fresh).startswith("9 working days after the review was opened; March 6 is a day off")


def test_a_year_without_a_table_counts_by_weekends_and_the_reason_says_so(desk: ReviewDesk) -> None:
    desk.clock.turn(timedelta(days=3))

    review = desk.the(Review, id=desk.opened(desk.submitted(), "preliminary"))

    assert review.due_at == local("2031-03-10T18:00")  # opened on Friday evening
    assert why(review) == (
        "1 working day after the review was opened; "
        "the working calendar of 2031 was not imported, so that only weekends count as days off"
    )


def test_over_the_end_of_the_year_the_reason_names_the_year_that_lacks(desk: ReviewDesk) -> None:
    imported(desk)
    desk.clock.turn(local("2031-12-31T17:00") - NOON)

    found = desk.run(lambda uow: deadlines.try_out(uow, uow.now, timedelta(hours=3)))

    assert found.due_at == local("2032-01-01T11:00")
    assert found.reason["notImported"] == [2032]


@pytest.mark.parametrize("stage", ["security", "receipt"])
def test_every_other_stage_counts_calendar_time_as_before(desk: ReviewDesk, stage: str) -> None:
    imported(desk)
    application_id = desk.submitted()
    if stage == "receipt":
        desk.offered(application_id)

    review = desk.the(Review, id=desk.opened(application_id, stage, **handed_over(desk, stage)))

    if stage == "receipt":
        assert (review.due_at, review.first_reminder_at, review.due_reason) == (NOON + timedelta(days=7), None, None)
        assert deadlines.describe(review.due_reason) is None
    else:
        assert review.due_at == NOON + timedelta(hours=24)
        assert review.first_reminder_at == NOON + timedelta(hours=12)
        assert why(review) == "1 day after the review was opened"


def handed_over(desk: ReviewDesk, stage: str) -> dict[str, Any]:
    return {"hand_over_id": desk.the(HandOver).id} if stage == "receipt" else {}


def test_a_review_that_an_older_release_opened_keeps_its_moment_and_its_reminder(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    opening = {"job_key": 91, "process_instance_key": 1}
    desk.run(review_tasks.open_review, application_id, "preliminary", **opening)

    def as_before(uow: UnitOfWork) -> None:
        review = uow.session.query(Review).one()
        review.due_at, review.first_reminder_at, review.due_reason = NOON + timedelta(hours=24), None, None

    desk.run(as_before)
    again = desk.run(review_tasks.open_review, application_id, "preliminary", **opening)

    assert again.first_review_reminder_at == NOON + timedelta(hours=12)
    assert again.review_limit == timedelta(hours=24)
    shown = desk.run(case_inbox.get_review, again.review_id, by="head")
    assert (shown.due_reason_zh, shown.due_reason_en) == (None, None)


@pytest.mark.requirement("R30")
def test_nobody_is_reminded_on_a_day_off(desk: ReviewDesk) -> None:
    imported(desk)
    review_id = desk.opened(desk.submitted(), "preliminary")
    reminded: Callable[[], int] = lambda: len(desk.all(Notice, code="review-reminder"))  # noqa: E731
    sent = []
    # Wednesday off, Thursday, Friday, the working Saturday, Sunday, Monday
    for key, text in enumerate(("03-05", "03-06", "03-07", "03-08", "03-09", "03-10"), 500):
        desk.clock.turn(local(f"2031-{text}T14:00") - desk.clock.now())
        before = reminded()
        desk.run(review_tasks.remind, review_id, key)
        sent.append(reminded() - before)

    assert sent == [0, 1, 1, 1, 0, 1]


@pytest.mark.requirement("R30")
def test_it_is_escalated_at_its_moment_and_not_before(desk: ReviewDesk) -> None:
    imported(desk)
    review_id = desk.opened(desk.submitted(), "preliminary")
    desk.clock.turn(timedelta(hours=25))  # when a day is over
    with pytest.raises(NotPermitted, match="is due on 2031-03-06T10:00"):
        desk.run(review_tasks.escalate, review_id, 600)

    desk.clock.turn(local("2031-03-06T18:00") - desk.clock.now())
    desk.run(review_tasks.escalate, review_id, 601)

    assert desk.the(Review, id=review_id).escalated_at == local("2031-03-06T18:00")


@pytest.mark.requirement("R31")
def test_what_is_at_risk_counts_the_days_off_between_the_approvals(desk: ReviewDesk, tmp_path: Path) -> None:
    assert desk.run(deadlines.compute_approval_end) == local("2031-03-10T18:00")  # released on the Monday

    desk.run(write_year, [HOLIDAY, day("2031-03-10")])

    assert desk.run(deadlines.compute_approval_end) == local("2031-03-11T18:00")
    with own_stage(tmp_path):  # where all count calendar time, with an interpreter's eight hours
        assert desk.run(deadlines.compute_approval_end) == NOON + timedelta(days=5, hours=1 + 8)


def test_the_page_of_the_review_has_the_reason_in_both_languages(desk: ReviewDesk) -> None:
    imported(desk)
    review_id = desk.opened(desk.submitted(), "preliminary")

    shown = desk.run(case_inbox.get_review, review_id, by="head")

    assert shown.due_reason_en == "1 working day after the review was opened; March 5 is a day off (Arbour Day)"
    assert shown.due_reason_zh == "审核任务发起后 1 个工作日；3月5日放假（植树节）"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (timedelta(days=2), "2 working days"),
        (timedelta(days=1, hours=3), "1 working day, 3 working hours"),
        (timedelta(hours=8), "1 working day"),
        (timedelta(hours=12), "1 working day"),
        (timedelta(hours=1), "1 working hour"),
        (timedelta(minutes=90), "90 working minutes"),
    ],
)
def test_a_limit_is_said_as_it_counts(desk: ReviewDesk, limit: timedelta, said: str) -> None:
    found = desk.run(lambda uow: deadlines.try_out(uow, NOON, limit))

    assert str(deadlines.describe(found.reason)).startswith(f"{said} after the review was opened")


@pytest.mark.parametrize(
    ("today", "years", "missing"),
    [
        ("2031-03-04T12:00", [], [2031]),
        ("2031-03-04T12:00", [2031], []),
        ("2031-12-02T12:00", [2031], [2032]),  # the month before the year ends
        ("2031-12-02T12:00", [2031, 2032], []),
        ("2031-12-31T23:00", [2031], [2032]),
    ],
)
def test_a_year_that_lacks_is_named_before_it_begins(
    desk: ReviewDesk, today: str, years: list[int], missing: list[int]
) -> None:
    for year in years:
        desk.run(write_year, [replace(day("2031-01-01"), date=day(f"{year}-01-01").date)])
    desk.clock.turn(local(today) - NOON)

    coverage = desk.run(queries.read_coverage)

    assert list(coverage.missing) == missing
    assert coverage.stages == ("preliminary", "storage-release")
    assert coverage.imported == bool(years)


def test_a_calendar_stage_reads_no_calendar(desk: ReviewDesk) -> None:
    def act(uow: UnitOfWork) -> bool:
        deadlines.compute(uow, STAGES["security"])
        return queries.LOADED in uow.session.info

    assert not desk.run(act)
