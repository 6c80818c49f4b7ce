"""Read the cases of the register's last year, some hundred at a time: seven statements a page."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select, tuple_
from sqlalchemy.orm import Session

from services.database.tables.applications import Application, Item, Revision
from services.database.tables.cameras import Camera
from services.database.tables.custody import HandOver
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Decision, Finding
from services.database.unit_of_work import UnitOfWork
from services.designers.simulation.draws import word
from services.designers.simulation.samples import Samples
from services.domain.process.steps import COMPLETED
from services.domain.working_calendar.working_time import WorkingCalendar
from services.runtime.models import read as read_models

CASES_AT_ONCE = 500
STEPS_OF = 25  # cases of a page: the times of jobs are many and alike
MARKS = {
    "importantInformation": "important_information",
    "sensitiveEvent": "sensitive_event",
    "highImpact": "high_impact",
    "usePeriodDays": "granted_use_days",
    "wayOfUse": "granted_way_of_use",
}
MANAGEMENT_OTHER = "management-other"  # who decides where management itself is involved
EXTENSION_LEAST = timedelta(hours=1)
RETURNED, CHECK, BLOCKS = "returned", "preliminary-review", "blocks"


def read(uow: UnitOfWork, models: Path, calendar: WorkingCalendar, since: datetime) -> Samples:
    """Return what the cases say that were submitted from ``since`` on; ``models`` is the folder that they ran on."""
    samples = Samples()
    jobs = {
        (process_id, element.id): element.job_type
        for process_id, model in read_models(sorted(models.glob("*.bpmn"))).items()
        for element in model.elements.values()
        if element.job_type is not None
    }
    for page in _pages(uow.session, since, uow.now):
        ids = [row.id for row in page]
        for row in page:
            _add_application(samples, row, calendar)
        _add_items(samples, uow.session, {row.id: row.submitted_at for row in page})
        _add_rounds(samples, uow.session, ids)
        _add_loans(samples, uow.session, ids)
        _add_steps(samples, uow.session, ids[:STEPS_OF], jobs)
    return samples


def _pages(session: Session, since: datetime, until: datetime) -> Iterator[Sequence[Row[Any]]]:
    query = (
        select(Application.id, Application.submitted_at, Application.department_id, Application.withdrawn_at)
        .add_columns(Application.decided_by, Application.listed_at)
        .add_columns(*(getattr(Application, column) for column in MARKS.values()))
        .where(Application.submitted_at.is_not(None))
        .where(Application.listed_at >= since, Application.listed_at < until)
        .order_by(Application.listed_at, Application.id)
        .limit(CASES_AT_ONCE)
    )
    key, kinds = tuple_(Application.listed_at, Application.id), [Application.listed_at.type, Application.id.type]
    page = session.execute(query).all()
    while page:
        yield page
        behind = tuple_(page[-1].listed_at, page[-1].id, types=kinds)
        page = session.execute(query.where(key > behind)).all()


def _add_application(samples: Samples, row: Row[Any], calendar: WorkingCalendar) -> None:
    samples.applications += 1
    local = row.submitted_at.astimezone(calendar.zone)
    hours = samples.hours if calendar.works_on(local.date()) else samples.hours_off
    hours[local.hour] += 1
    samples.departments[row.department_id] += 1
    for name, column in MARKS.items():
        value = getattr(row, column)
        if value is not None:
            samples.counts[name][word(value)] += 1
    samples.counts["managementInvolved"][word(row.decided_by == MANAGEMENT_OTHER)] += 1
    if row.withdrawn_at is not None:
        samples.withdrawal.add((row.withdrawn_at - row.submitted_at).total_seconds())


def _add_items(samples: Samples, session: Session, submitted: dict[str, datetime]) -> None:
    query = (
        select(Item.application_id, Item.asked_start, Item.asked_end, Item.outcome)
        .add_columns(Camera.camera_class, Camera.retention_days, Camera.overwritten)
        .add_columns(Camera.oldest_frame_at, Camera.oldest_measured_at, Camera.oldest_moved_at)
        .join(Camera, Camera.id == Item.camera_id)
        .where(Item.application_id.in_(submitted), Item.dropped_in_round.is_(None))
    )
    items: Counter[str] = Counter()
    for row in session.execute(query):
        items[row.application_id] += 1
        samples.age.add(max(0.0, (submitted[row.application_id] - row.asked_end).total_seconds()))
        samples.length.add((row.asked_end - row.asked_start).total_seconds())
        samples.cameras[row.camera_class, _kept_days(row)] += 1
        if row.outcome is not None:
            samples.footage[row.outcome] += 1
    samples.items.update(items.values())


def _kept_days(row: Row[Any]) -> float | None:
    """Return for how long footage is kept: as it is configured, or less where the recorder showed it (T4)."""
    if not row.overwritten:
        return None
    days = float(row.retention_days)
    if row.oldest_moved_at is not None and row.oldest_frame_at is not None and row.oldest_measured_at is not None:
        days = min(days, (row.oldest_measured_at - row.oldest_frame_at) / timedelta(days=1))
    return round(days, 1)


def _add_rounds(samples: Samples, session: Session, ids: Sequence[str]) -> None:
    """Add how often a form went back, and how long until it came again."""
    sent: dict[tuple[str, int], datetime] = {}
    query = select(Revision.application_id, Revision.round, Revision.submitted_at)
    for application_id, round_, at in session.execute(query.where(Revision.application_id.in_(ids))):
        sent[application_id, round_] = at
    returned = select(Decision.application_id, Decision.round, Decision.decided_at).where(
        Decision.application_id.in_(ids), Decision.outcome == RETURNED
    )
    blocked = select(Finding.application_id, Finding.round, Finding.found_at).where(
        Finding.application_id.in_(ids), Finding.check == CHECK, Finding.severity == BLOCKS
    )
    back: dict[tuple[str, int], datetime] = {}
    incomplete: set[tuple[str, int]] = set()
    for application_id, round_, at in session.execute(returned):
        back[application_id, round_] = at
    for application_id, round_, at in session.execute(blocked):
        incomplete.add((application_id, round_))
        back.setdefault((application_id, round_), at)
    for (application_id, round_), at in back.items():
        samples.returns += 1
        again = sent.get((application_id, round_ + 1))
        if again is not None:
            samples.corrected += 1
            samples.correction.add(max(0.0, (again - at).total_seconds()))
    samples.counts["applicationComplete"][word(False)] += len(incomplete)
    samples.counts["applicationComplete"][word(True)] += max(0, len(sent) - len(incomplete))


def _add_loans(samples: Samples, session: Session, ids: Sequence[str]) -> None:
    query = select(HandOver.accepted_at, HandOver.due_at, HandOver.use_days, HandOver.returned_at, HandOver.lost_at)
    accepted = query.where(HandOver.application_id.in_(ids), HandOver.accepted_at.is_not(None))
    for row in session.execute(accepted):
        length = timedelta(days=row.use_days)
        samples.loans += 1
        samples.lost += row.lost_at is not None
        samples.extended += row.due_at is not None and row.due_at - row.accepted_at > length + EXTENSION_LEAST
        if row.returned_at is not None and length:
            samples.returned.add((row.returned_at - row.accepted_at) / length)


def _add_steps(samples: Samples, session: Session, ids: Sequence[str], jobs: dict[tuple[str, str], str]) -> None:
    query = select(ProcessStep.process_id, ProcessStep.element_id, ProcessStep.began_at, ProcessStep.ended_at)
    done = query.where(ProcessStep.application_id.in_(ids), ProcessStep.outcome == COMPLETED)
    for process_id, element_id, began, ended in session.execute(done):
        job_type = jobs.get((process_id, element_id))
        if job_type is not None and ended is not None:
            samples.jobs[job_type].add((ended - began).total_seconds())
