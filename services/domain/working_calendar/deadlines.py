"""Compute when a review is due and when it is first reminded of, and say why (T11)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.database.unit_of_work import UnitOfWork
from services.domain.rules.catalogue import duration_text
from services.domain.stages.catalogue import STAGES, list_approvals
from services.domain.stages.schema import Stage
from services.domain.working_calendar import limits, queries
from services.domain.working_calendar.working_time import WorkingCalendar
from services.runtime import calendar_days, working_hours
from services.runtime.calendar_days import DAY
from services.runtime.translations import Counted, Joined, Message, Text

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Deadline:
    """When a review is due, when it is first reminded of, and why, as the review stores it (``describe``)."""

    due_at: datetime
    first_reminder_at: datetime
    reason: dict[str, Any]


def compute(uow: UnitOfWork, stage: Stage) -> Deadline:
    """Compute the moments of a review of this stage that opens now; a later change of the calendar moves neither."""
    limit, get = stage.limit(uow.rules), partial(queries.load, uow)
    due_at = limits.due_at(stage, uow.rules, get, uow.now)
    first_reminder_at = limits.first_reminder_at(stage, uow.rules, get, uow.now)
    if stage.limit_counts == "calendar":
        return Deadline(due_at, first_reminder_at, {"counts": "calendar", "seconds": int(limit.total_seconds())})
    return Deadline(due_at, first_reminder_at, _reason(uow, get(), uow.now, due_at, limit))


def compute_approval_end(uow: UnitOfWork) -> datetime:
    """Return when approvals and release that begin now end at the latest; decides what is at risk (T4)."""
    release = STAGES["storage-release"]
    return limits.approval_end(list_approvals(), release, uow.rules, partial(queries.load, uow), uow.now)


def try_out(uow: UnitOfWork, start: datetime, limit: timedelta) -> Deadline:
    """Compute a limit that counts working time from ``start``, as a review that opens then would have it."""
    calendar = queries.load(uow)
    due_at = calendar.add(start, calendar.working_limit(limit))
    return Deadline(due_at, due_at, _reason(uow, calendar, start, due_at, limit))


def is_paused(uow: UnitOfWork, reason: Mapping[str, Any] | None) -> bool:
    """Return whether a review is not reminded of today: it counts working time, and today is a day off."""
    if reason is None or reason["counts"] != "working-time":
        return False
    calendar = queries.load(uow)
    return not calendar.works_on(calendar.local_day(uow.now))


def describe(reason: Mapping[str, Any] | None) -> Text | None:
    """Say why a review is due when it is; None where the review does not know it."""
    if reason is None:
        return None
    limit = timedelta(seconds=reason["seconds"])
    if reason["counts"] == "calendar":
        return Message("{limit} after the review was opened", limit=duration_text(limit))
    return Joined("; ", [_describe_limit(limit, reason["hours"]), *_describe_days(reason)])


def _reason(
    uow: UnitOfWork, calendar: WorkingCalendar, start: datetime, due_at: datetime, limit: timedelta
) -> dict[str, Any]:
    begins, ends = calendar.local_day(start), calendar.local_day(due_at)
    runs = calendar_days.runs_of(calendar.days.values())
    return {
        "counts": "working-time",
        "seconds": int(limit.total_seconds()),
        "hours": uow.rules.working_hours,
        "zone": uow.rules.zone,
        "days": [run.as_json() for run in runs if run.first.date <= ends and begins <= run.last.date],
        "notImported": [year for year in range(begins.year, ends.year + 1) if year not in calendar.years],
    }


def _describe_limit(limit: timedelta, hours: str) -> Text:
    day_length = timedelta(minutes=sum(closes - opens for opens, closes in working_hours.parse(hours)))
    days, rest = divmod(limit, DAY)
    if rest >= day_length:
        days, rest = days + 1, timedelta()
    parts: list[Text] = [Counted("{count} working day", "{count} working days", days)] if days else []
    if rest and rest % HOUR:
        parts.append(Counted("{count} working minute", "{count} working minutes", -(-rest // MINUTE)))
    elif rest:
        parts.append(Counted("{count} working hour", "{count} working hours", rest // HOUR))
    return Message("{limit} after the review was opened", limit=Joined(", ", parts))


def _describe_days(reason: Mapping[str, Any]) -> list[Text]:
    clauses = calendar_days.describe(reason["days"])
    if reason["notImported"]:
        years = Joined(", ", map(str, reason["notImported"]))
        clauses.append(
            Message(
                "the working calendar of {years} was not imported, so that only weekends count as days off", years=years
            )
        )
    return clauses
