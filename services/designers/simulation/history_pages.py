"""Read the cases of the register's last year, some hundred at a time: seven statements a page."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from services.database.tables.applications import Application, Item, Revision
from services.database.tables.cameras import Camera
from services.database.tables.custody import HandOver
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Decision, Finding
from services.database.unit_of_work import UnitOfWork
from services.designers.simulation.draws import word
from services.designers.simulation.samples import Samples
from services.domain.cases.event_log import submitted_cases
from services.domain.process.steps import COMPLETED
from services.domain.retrieval.preservations import overwrite_moment
from services.domain.working_calendar.working_time import WorkingCalendar
from services.runtime.calendar_days import DAY
from services.runtime.models import read as read_models

STEPS_OF = 25  # cases of a page: the times of jobs are many and alike
VARIABLES = {
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
    query = select(
        Application.submitted_at,
        Application.department_id,
        Application.withdrawn_at,
        Application.decided_by,
        Application.on_behalf,
        *(getattr(Application, column) for column in VARIABLES.values()),
    )
    for page in submitted_cases.read_pages(uow.session, query, since, uow.now):
        ids = [row.id for row in page]
        for row in page:
            _add_application(samples, row, calendar)
        _add_items(samples, uow.session, {row.id: row.submitted_at for row in page})
        _add_rounds(samples, uow.session, ids)
        _add_loans(samples, uow.session, ids)
        _add_steps(samples, uow.session, ids[:STEPS_OF], jobs)
    return samples


def _add_application(samples: Samples, row: Row[Any], calendar: WorkingCalendar) -> None:
    samples.applications += 1
    local = row.submitted_at.astimezone(calendar.zone)
    hours = samples.hours if calendar.works_on(local.date()) else samples.hours_off
    hours[local.hour] += 1
    samples.departments[row.department_id] += 1
    for name, column in VARIABLES.items():
        value = getattr(row, column)
        if value is not None:
            samples.counts[name][word(value)] += 1
    samples.counts["onBehalf"][word(row.on_behalf is not None)] += 1
    samples.counts["managementInvolved"][word(row.decided_by == MANAGEMENT_OTHER)] += 1
    if row.withdrawn_at is not None:
        samples.withdrawal.add((row.withdrawn_at - row.submitted_at).total_seconds())


def _add_items(samples: Samples, session: Session, submitted: dict[str, datetime]) -> None:
    query = (
        select(Item.application_id, Item.asked_start, Item.asked_end, Item.outcome, Camera)
        .join(Camera, Camera.id == Item.camera_id)
        .where(Item.application_id.in_(submitted), Item.dropped_in_round.is_(None))
    )
    items: Counter[str] = Counter()
    for row in session.execute(query):
        items[row.application_id] += 1
        samples.age.add(max(0.0, (submitted[row.application_id] - row.asked_end).total_seconds()))
        samples.length.add((row.asked_end - row.asked_start).total_seconds())
        samples.cameras[row.Camera.camera_class, _kept_days(row.Camera, row.asked_start)] += 1
        if row.outcome is not None:
            samples.footage[row.outcome] += 1
    samples.items.update(items.values())


def _kept_days(camera: Camera, start: datetime) -> float | None:
    """Return for how many days the recorder keeps footage; None where nothing overwrites it."""
    overwritten = overwrite_moment(camera, start)
    return None if overwritten is None else round((overwritten - start) / DAY, 1)


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
