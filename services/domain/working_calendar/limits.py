"""When the limit of a review ends, from values alone: the stage, the organisation's rules and its calendar."""

from collections.abc import Callable, Iterable
from datetime import datetime

from services.domain.stages.schema import Stage
from services.domain.working_calendar.working_time import WorkingCalendar
from services.runtime.rules import Rules

GetCalendar = Callable[[], WorkingCalendar]
"""Asked only where a stage counts working time."""


def due_at(stage: Stage, rules: Rules, calendar: GetCalendar, start: datetime) -> datetime:
    """Return when a review of the stage that opens at ``start`` is due."""
    limit = stage.limit(rules)
    if stage.limit_counts == "calendar":
        return start + limit
    counted = calendar()
    return counted.add(start, counted.working_limit(limit))


def first_reminder_at(stage: Stage, rules: Rules, calendar: GetCalendar, start: datetime) -> datetime:
    """Return when a review of the stage that opens at ``start`` is first reminded of."""
    limit, first = stage.limit(rules), rules.first_reminder_after
    if stage.limit_counts == "calendar":
        return start + min(first, limit / 2)
    counted = calendar()
    return counted.add(start, min(counted.working_limit(first), counted.working_limit(limit) / 2))


def approval_end(
    approvals: Iterable[Stage], release: Stage | None, rules: Rules, calendar: GetCalendar, start: datetime
) -> datetime:
    """Return when approvals and release that begin at ``start`` end at the latest; decides what is at risk (T4).

    Each begins when the one before it has reached its limit, so that days off between them count.
    """
    moment = start
    for stage in approvals:
        moment = due_at(stage, rules, calendar, moment)
    moment += rules.notify_limit
    return moment if release is None else due_at(release, rules, calendar, moment)
