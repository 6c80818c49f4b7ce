"""The business in figures: what the metrics say of the database, counted now and then (docs/architecture.md)."""

from collections import Counter
from typing import get_args

from sqlalchemy import case, func, or_, select

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import UPLOADED, Camera, Recorder
from services.database.tables.custody import HandOver
from services.database.tables.deliveries import Delivery
from services.database.tables.outbox import OutboxMessage
from services.database.tables.preservations import FailedPreservation, Preservation
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Review
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import checkpoints
from services.domain.cameras import measurements
from services.domain.cases import footage as case_footage
from services.domain.cases import states
from services.domain.cases.standstills import UNTAKEN
from services.domain.custody import disposals
from services.domain.deployments import versions
from services.domain.holds import queries as holds
from services.domain.matters.violations.assessment import SEVERITIES
from services.domain.notifications import deliveries
from services.domain.retrieval.preservations import overwrite_moment
from services.domain.storage import damages, findings, health, reconciliation, store_accesses, verification
from services.domain.supervision import due as inspections_due
from services.domain.work_orders import queries as work_orders
from services.domain.work_orders.kinds import KINDS
from services.runtime import metrics
from services.runtime.errors import Away

PARTS = get_args(Away)
UNASSESSED = "unassessed"


def update_gauges(uow: UnitOfWork) -> None:
    """Set every gauge that is counted in the database; the cost grows with the open cases, not with all."""
    _states(uow)
    _reviews(uow)
    _custody(uow)
    preserved = select(func.count(Preservation.item_id.distinct())).where(Preservation.released_at.is_(None))
    metrics.ITEMS_PRESERVED.set(uow.session.scalar(preserved) or 0)
    _failed_preservations(uow)
    at_risk = (
        select(Camera, func.min(Item.asked_start))
        .join(Item, Item.camera_id == Camera.id)
        .join(Application, Application.id == Item.application_id)
        .where(Application.closed_at.is_(None), Item.dropped_in_round.is_(None), ~case_footage.is_safe())
        .group_by(Camera.id)
    )
    earliest = [overwrite_moment(camera, start) for camera, start in uow.session.execute(at_risk)]
    moments = [moment for moment in earliest if moment is not None]
    metrics.NEAREST_OVERWRITE.set((min(moments) - uow.now).total_seconds() if moments else float("inf"))
    oldest = uow.session.scalar(
        select(func.min(OutboxMessage.created_at)).where(
            OutboxMessage.published_at.is_(None), OutboxMessage.settled_at.is_(None)
        )
    )
    metrics.OUTBOX_LAG.set((uow.now - oldest).total_seconds() if oldest else 0)
    _waits(uow)
    _notices(uow)
    open_holds, late = holds.count_open(uow)
    metrics.HOLDS_OPEN.set(open_holds)
    metrics.HOLDS_REVIEW_OVERDUE.set(late)
    due, since = disposals.count_due(uow)
    metrics.DISPOSALS_DUE.set(due)
    metrics.LONGEST_DISPOSAL_DUE.set((uow.now - since).total_seconds() if since is not None else 0)
    _violations(uow)
    _work_orders(uow)
    unsigned = inspections_due.unsigned_since(uow)
    metrics.INSPECTION_UNSIGNED.set((uow.now - unsigned).total_seconds() if unsigned is not None else 0)
    _storage(uow)
    metrics.MODELS_UNRECORDED.set(versions.count_unrecorded(uow))
    metrics.AUDIT_EVENTS.set(uow.session.scalar(select(func.max(AuditEvent.seq))) or 0)
    metrics.CHECKPOINT_LAG.set(checkpoints.signing_lag(uow).total_seconds())
    _recorders(uow)
    metrics.DATABASE_METRICS_UPDATED.set_to_current_time()


def _violations(uow: UnitOfWork) -> None:
    """Those that are not assessed yet are counted as such."""
    query = select(Violation.severity, func.count()).where(Violation.closed_at.is_(None)).group_by(Violation.severity)
    found = {severity or UNASSESSED: number for severity, number in uow.session.execute(query)}
    for severity in (UNASSESSED, *SEVERITIES):
        metrics.VIOLATIONS_OPEN.labels(severity).set(found.get(severity, 0))


def _work_orders(uow: UnitOfWork) -> None:
    by_kind, overdue = work_orders.count_open(uow)
    for kind in KINDS:
        metrics.WORK_ORDERS_OPEN.labels(kind).set(by_kind.get(kind, 0))
    metrics.WORK_ORDERS_OVERDUE.set(overdue)


def _storage(uow: UnitOfWork) -> None:
    """Of what is stored: how long nobody has read it, and how old the last reconciliation is."""
    oldest = verification.oldest_unverified(uow)
    metrics.MASTERS_UNVERIFIED.set((uow.now - oldest).total_seconds() if oldest is not None else 0)
    last = reconciliation.get_last(uow) or reconciliation.get_first_master(uow)
    metrics.RECONCILE_AGE.set((uow.now - last).total_seconds() if last is not None else 0)
    fed = store_accesses.list_feeds(uow).values()
    metrics.STORE_LOG_AGE.set(max(((uow.now - last_at).total_seconds() for last_at in fed), default=0))
    metrics.DAMAGES_UNREPAIRED.set(damages.count_unrepaired(uow))
    metrics.FINDINGS_OPEN.set(findings.count_open(uow))
    for part, number in health.count_unhealthy(uow).items():
        metrics.DEVICES_UNHEALTHY.labels(part).set(number)


def _states(uow: UnitOfWork) -> None:
    open_ones = select(states.code(uow.now).label("state")).where(Application.closed_at.is_(None)).subquery()
    counted = uow.session.execute(select(open_ones.c.state, func.count()).group_by(open_ones.c.state))
    by_state = Counter({str(code): int(number) for code, number in counted})
    closed = select(func.count()).select_from(Application).where(Application.closed_at.is_not(None))
    by_state["closed"] = uow.session.scalar(closed) or 0
    for state in states.STATES:
        metrics.APPLICATIONS.labels(state).set(by_state[state])


def _waits(uow: UnitOfWork) -> None:
    """Count the steps that wait for a part; those that no process tries any more belong to jobs that are gone."""
    taken = or_(ProcessStep.next_try_at.is_(None), ProcessStep.next_try_at > uow.now - UNTAKEN)
    query = (
        select(ProcessStep.waiting_for, func.count(), func.min(ProcessStep.waiting_since))
        .join(Application, Application.id == ProcessStep.application_id)
        .where(ProcessStep.waiting_since.is_not(None), taken, Application.closed_at.is_(None))
        .group_by(ProcessStep.waiting_for)
    )
    waits = {part: (number, since) for part, number, since in uow.session.execute(query)}
    for part in PARTS:
        number, since = waits.get(part, (0, None))
        metrics.STEPS_WAITING.labels(part).set(number)
        metrics.LONGEST_WAIT.labels(part).set((uow.now - since).total_seconds() if since is not None else 0)


def _failed_preservations(uow: UnitOfWork) -> None:
    """Count what is tried again; what the recorder has overwritten is not, and the storage office has been told."""
    first = func.min(func.coalesce(FailedPreservation.since, FailedPreservation.failed_at))
    query = (
        select(func.count(), first)
        .join(Application, Application.id == FailedPreservation.application_id)
        .where(FailedPreservation.next_try_at.is_not(None), Application.closed_at.is_(None))
    )
    number, since = uow.session.execute(query).one()
    metrics.PRESERVATIONS_OPEN.set(number)
    metrics.LONGEST_UNPRESERVED.set((uow.now - since).total_seconds() if since is not None else 0)


def _notices(uow: UnitOfWork) -> None:
    waiting = Delivery.delivered_at.is_(None), Delivery.given_up_at.is_(None)
    query = select(Delivery.channel, func.count()).where(*waiting).group_by(Delivery.channel)
    by_kind = Counter[str]()
    for channel, number in uow.session.execute(query):
        by_kind[deliveries.kind_of(channel)] += number
    metrics.NOTICES_WAITING.clear()
    for kind, number in by_kind.items():
        metrics.NOTICES_WAITING.labels(kind).set(number)


def _reviews(uow: UnitOfWork) -> None:
    past = func.sum(case((Review.due_at <= uow.now, 1), else_=0))
    query = select(Review.stage, func.min(Review.opened_at), func.count(), past)
    # Read first: a scrape that comes between clearing and setting would miss the series.
    rows = uow.session.execute(query.where(Review.closed_at.is_(None)).group_by(Review.stage)).all()
    metrics.REVIEW_AGE.clear()
    metrics.REVIEWS_OPEN.clear()
    metrics.REVIEWS_OVERDUE.clear()
    for stage, opened_at, number, overdue in rows:
        metrics.REVIEW_AGE.labels(stage).set((uow.now - opened_at).total_seconds())
        metrics.REVIEWS_OPEN.labels(stage).set(number)
        metrics.REVIEWS_OVERDUE.labels(stage).set(overdue)


def _recorders(uow: UnitOfWork) -> None:
    """Those in use; one that was renamed or put out of use leaves no series behind."""
    rows = uow.session.scalars(select(Recorder).where(Recorder.kind != UPLOADED, Recorder.active)).all()
    metrics.RECORDER_CLOCK_OFFSET.clear()
    metrics.RECORDER_LAST_SEEN.clear()
    metrics.RECORDER_UP.clear()
    for recorder in rows:
        if recorder.clock_offset_ms is not None:
            metrics.RECORDER_CLOCK_OFFSET.labels(recorder.name).set(recorder.clock_offset_ms / 1000)
        if recorder.last_seen_at is not None:
            metrics.RECORDER_LAST_SEEN.labels(recorder.name).set(recorder.last_seen_at.timestamp())
        if recorder.last_error is not None or recorder.last_seen_at is not None:
            metrics.RECORDER_UP.labels(recorder.name).set(not measurements.is_silent(recorder))


def _custody(uow: UnitOfWork) -> None:
    out = select(func.count()).where(
        HandOver.accepted_at.is_not(None), HandOver.returned_at.is_(None), HandOver.ended_at.is_(None)
    )
    metrics.HAND_OVERS_OPEN.set(uow.session.scalar(out) or 0)
    metrics.HAND_OVERS_OVERDUE.set(uow.session.scalar(out.where(HandOver.due_at <= uow.now)) or 0)
