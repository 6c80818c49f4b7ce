"""What supervision adds to capabilities before it: its processes, its schedule, what follows a corrective action."""

from datetime import timedelta

from services.database.unit_of_work import UnitOfWork
from services.domain.process import subjects
from services.domain.supervision import findings, groups, service
from services.domain.work_orders import schedules
from services.domain.work_orders import service as work_orders
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import Role
from services.domain.work_orders.sources import ScheduleSubject

TERM_LEAD = timedelta(days=30)


def register() -> None:
    """Register what is asked of supervision; again is no error."""
    subjects.register(service.SUBJECT, service.is_over)
    work_orders.WHEN_DONE[findings.CORRECTIVE] = findings.close_finding
    work_orders.UNTIL_DONE[findings.CORRECTIVE] = findings.is_of_finding
    schedules.SUBJECTS["group"] = list_ending


def list_ending(uow: UnitOfWork) -> list[ScheduleSubject]:
    """List the group while its term ends soon or its composition is broken (R60)."""
    group = groups.find_current(uow)
    if group is None:
        return []
    if groups.refusal_of(uow, group) is None and group.until > uow.now + TERM_LEAD:
        return []
    doer = Role(post="head", department_kind="management")
    return [ScheduleSubject(Subject("group", group.id, str(group.document)), doer=doer)]
