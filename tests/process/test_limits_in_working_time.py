"""A review whose stage counts working time, at its process: timers come at the stored moments and not before."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from case_people import People
from working_stages import working_stages

from services.database.tables.working_calendar import CalendarYear
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo.organisation import demo_id
from services.runtime.calendar_days import CalendarDay

pytestmark = pytest.mark.zeebe
DAYS_OFF = 5  # from today on


def close_down(uow: UnitOfWork) -> None:
    """Make today and the days after it holidays."""
    days = [uow.now.date() + timedelta(days=number) for number in range(DAYS_OFF)]
    for year in sorted({day.year for day in days}):
        off = [CalendarDay(day, "off", "停工", "shutdown").as_json() for day in days if day.year == year]
        uow.session.add(
            CalendarYear(year=year, days=off, imported_at=uow.now, imported_by=demo_id("luoxin"), reason="shutdown")
        )


@pytest.mark.requirement("R30")
async def test_nobody_is_reminded_or_replaced_while_nobody_works(desk: People, tmp_path: Path) -> None:
    desk.database.run_now(Actor("system", "test"), close_down)
    with working_stages(tmp_path, "preliminary"):
        case = await desk.apply("cam1")
        review = await desk.review(case, "preliminary")
        first, due = review.first_reminder_at, review.due_at
        assert first is not None
        end_of_holidays = datetime.combine(
            desk.clock.now().date() + timedelta(days=DAYS_OFF), datetime.min.time(), tzinfo=UTC
        )
        assert end_of_holidays < first < due

        await desk.turn(seconds=(end_of_holidays - desk.clock.now()).total_seconds())
        assert not desk.notices("zhangwei", "review-reminder")
        assert not desk.notices("wangfang", "review-escalated")
        await desk.turn(seconds=(first - desk.clock.now()).total_seconds() + 1)
        await desk.until(lambda _: desk.notices("zhangwei", "review-reminder"), "the first reminder")
        assert not desk.notices("wangfang", "review-escalated")
        await desk.turn(seconds=(due - desk.clock.now()).total_seconds() + 1)
        await desk.until(lambda _: desk.notices("wangfang", "review-escalated"), "the escalation")

        await desk.decide(case, "preliminary", "rejected", by="wangfang")
        await desk.closed(case, "rejected")
