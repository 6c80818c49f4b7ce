"""Lay out the demo year: cases as rows, and between them the register's own acts, each at its moment of the past."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.maintenance import ReconciliationFinding
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import Database, UnitOfWork
from services.demo import organisation
from services.demo.recordings import Recordings
from services.demo.year import inspections, orders, registers
from services.demo.year.fill import HOUR, YEAR, ZONE, Filling, Size
from services.demo.year.orders import CLOSED, DAY
from services.demo.year.past import MEMBER_PASSWORD, Past, PastClock, proof
from services.domain.audit import checkpoints
from services.domain.custody import violations
from services.domain.custody.violations import KINDS
from services.domain.holds import queries as hold_queries
from services.domain.matters import held
from services.domain.matters import tasks as matter_tasks
from services.domain.matters.kinds.hold import STAGE as LEGAL
from services.domain.matters.kinds.hold import HoldKind
from services.domain.process import outbox
from services.domain.reviews import service as reviews
from services.domain.stages.catalogue import STAGES
from services.domain.storage import disposals, findings, maintenance, reconciliation
from services.domain.storage.differences import OPEN, WORK_ORDER
from services.domain.storage.findings import Found
from services.domain.supervision import periods
from services.vault.keys.log_key import LogKey
from services.vault.store.protocol import Store

CASES, ORDERS = 10_000, 40
MEMBERS = 300
RECONCILED = 7  # days
SETTLED = timedelta(hours=3)  # after the end of a period
HELD = (
    (70, "dispute", "与承运方的货损诉讼尚未审结"),
    (45, "authority", "公安机关来函要求保留"),
    (15, "manual", "工伤认定复核期间保留"),
)
ACCUSED = (
    (2, "leak", "副本的截图出现在部门以外的聊天群里"),
    (1, "breach", "保管人把登录后的查看页面交给同事操作"),
)


@dataclass(frozen=True)
class Place:
    """Where a year is laid out: a database that is empty but for its schema, the vault, and the key of the log.

    ``open_database`` opens the register with a clock.
    """

    open_database: Callable[[PastClock], Database]
    recordings: Recordings
    store: Store | None
    log_key: LogKey


Step = tuple[datetime, Callable[[Past], Any]]


def lay_out(place: Place, now: datetime, cases: int, *, opened: int = 0) -> None:
    """Lay out a year of so many cases that ends at ``now``; ``opened``: of these are open, without any process."""
    clock = PastClock(now)
    database = place.open_database(clock)
    try:
        _lay_out(place, Past(database, clock), now, cases, opened)
    finally:
        database.close()


def _lay_out(place: Place, past: Past, now: datetime, cases: int, opened: int) -> None:
    database, clock = past.database, past.clock
    clock.set(now - YEAR - 11 * DAY)
    organisation.enter(database, place.recordings)
    size = Size(cases, open=opened, people=MEMBERS, cameras=0, violations=KINDS, password=MEMBER_PASSWORD)
    filling = Filling(database, size, _At(now), store=place.store)
    for moment, act in _steps(place, now):
        filling.until(moment)
        clock.set(moment)
        act(past)
    filling.until(None)
    clock.set(now)
    past.act(None, checkpoints.sign, place.log_key.known, place.log_key.sign)


@dataclass(frozen=True)
class _At:
    moment: datetime
    turned = True

    def now(self) -> datetime:
        return self.moment


def _steps(place: Place, now: datetime) -> list[Step]:
    """List what is done when, in the order of time."""
    finished, opened = _periods(now)
    sign = partial(_checkpoint, key=place.log_key)
    before = [now - YEAR - 9 * DAY, *(now - (360 - week * 7) * DAY for week in range(51)), now - 2 * HOUR]
    # the seed of a sample is of the first checkpoint after its period
    moments = sorted({*before, finished.end, opened.end})
    steps: list[Step] = [
        (now - YEAR - 10 * DAY, registers.enter),
        (now - 340 * DAY, inspections.appoint),
        # the agreements of a year ago have expired, and are signed again
        (now - 10 * DAY - 12 * HOUR, lambda past: organisation.enter(past.database, place.recordings)),
        (now - 100 * DAY, registers.use_media),
        *((moment, sign) for moment in moments),
        (finished.end + 3 * DAY, partial(_inspect, period=finished)),
        (opened.end + HOUR, lambda past: inspections.open_one(past, opened)),
        *((now - days * DAY, partial(_hold, cause=cause, reason=reason)) for days, cause, reason in HELD),
        *((now - days * DAY, partial(_accuse, kind=kind, found=found)) for days, kind, found in ACCUSED),
        *((now - one.days_ago * DAY, partial(orders.make, planned=one)) for one in orders.PLANNED),
        *((_night(now, days), partial(_reconcile, days=days)) for days in range(RECONCILED, 0, -1)),
        (now - 6 * HOUR, _top_up),
        (now - HOUR, lambda past: past.act(None, disposals.list_disposals)),
    ]
    return sorted(steps, key=lambda step: step[0])


def _periods(now: datetime) -> tuple[periods.Period, periods.Period]:
    """Return the month that was inspected, and the last month, whose inspection is open.

    One that ended within the last hours is not taken: nothing may have happened since, and so no checkpoint was signed.
    """
    opened = periods.last_complete(now - SETTLED, periods.MONTH, ZONE)
    first = opened.start
    for _ in range(3):
        first = periods.last_complete(first + DAY, periods.MONTH, ZONE).start
    finished = periods.last_complete(first + DAY, periods.MONTH, ZONE)
    return finished, opened


def _night(now: datetime, days: int) -> datetime:
    local = (now - days * DAY).astimezone(ZoneInfo(ZONE))
    return local.replace(hour=2, minute=30, second=0, microsecond=0).astimezone(now.tzinfo)


def _checkpoint(past: Past, key: LogKey) -> None:
    past.act(None, checkpoints.sign, key.known, key.sign)


def _inspect(past: Past, period: periods.Period) -> None:
    inspections.finish(past, inspections.open_one(past, period))


def _hold(past: Past, cause: str, reason: str) -> None:
    """Hold a case as Security, and confirm it as Legal."""
    number = past.act(None, _last_closed)
    owner = organisation.demo_id("zhaoqiang")
    matter_id = past.act("zhaoqiang", _place, number, cause, reason, owner)
    past.act(None, matter_tasks.check, matter_id, past.key())
    keys = {"job_key": past.key(), "process_instance_key": past.key()}
    review = past.act(None, matter_tasks.open_review, matter_id, LEGAL, **keys)
    past.clock.advance(timedelta(hours=5))
    answers = {question.code: True for question in STAGES[LEGAL].asked_about(HoldKind.code).questions}
    signed = proof("yangfan", past.act(None, _facts_of, matter_id))
    past.act("yangfan", reviews.decide, review.review_id, outcome="approved", answers=answers, proof=signed)
    past.act(None, _publish, review.review_id)
    past.act(None, matter_tasks.apply, matter_id)


def _publish(uow: UnitOfWork, review_id: str) -> None:
    """Record that the process was told of a decision, which it acts by next."""
    for message in uow.session.scalars(select(OutboxMessage).where(OutboxMessage.correlation_key == review_id)).all():
        outbox.mark_published(uow, message.message_id, attempts=message.attempts, retry_after=DAY)


def _place(uow: UnitOfWork, number: str, cause: str, reason: str, owner: str) -> str:
    return str(held.place(uow, number, cause=cause, reason=reason, owner_id=owner).matter_id)


def _facts_of(uow: UnitOfWork, matter_id: str) -> str:
    return uow.session.get_one(Matter, matter_id).facts_sha256


def _last_closed(uow: UnitOfWork) -> str:
    """Return the number of the case that was archived last and is not held."""
    query = (
        select(Application.number)
        .join(Master, Master.application_id == Application.id)
        .where(Application.closed_at <= uow.now, ~hold_queries.holding(Application.id.expression))
        .order_by(Application.closed_at.desc(), Application.id)
    )
    return str(uow.session.scalar(query.limit(1)))


def _accuse(past: Past, kind: str, found: str) -> None:
    def record(uow: UnitOfWork) -> None:
        query = select(HandOver).where(HandOver.returned_at.is_not(None)).order_by(HandOver.returned_at.desc())
        loan = next(one for one in uow.session.scalars(query.limit(50)) if violations.find(uow, one, kind) is None)
        violations.open_once(uow, loan, kind, {"custodian": loan.custodian_id, "found": found})

    past.act("wulei", record)


def _reconcile(past: Past, days: int) -> None:
    """Compare register, store, recorders and engine, as the nightly run writes it down."""

    def run(uow: UnitOfWork) -> None:
        day = maintenance.begin(uow, maintenance.RECONCILE, "demo")
        if day is None:
            return
        kept = uow.session.scalar(select(func.count()).where(Master.discarded_at.is_(None))) or 0
        maintenance.set_counts(uow, day, maintenance.RECONCILE, {"masters": kept, "copies": 0, "documents": 0})
        differences = []
        if days == RECONCILED - 1:
            differences.append(Found("unexplained-put", "primary", "masters/临时测试文件", detail={"by": "backup"}))
        if days in (RECONCILED - 2, RECONCILED - 3):
            differences.append(Found("extra", "replica", "replicas/迁移遗留对象", "1", detail={"size": 4096}))
        findings.record(uow, day, differences)
        reconciliation.finish(uow, day, ("primary", "replica"), [])

    past.act(None, run)
    if days == RECONCILED - 1:
        past.clock.advance(timedelta(hours=7))
        for finding_id in past.act(None, _open_findings):
            past.act("heping", findings.explain, finding_id, "备份软件升级时写入的测试文件，已由存储部删除。")
    orders.settle_ended(past)


def _open_findings(uow: UnitOfWork) -> list[str]:
    query = select(ReconciliationFinding.id).where(ReconciliationFinding.state.in_((OPEN, WORK_ORDER)))
    return list(uow.session.scalars(query))


def _top_up(past: Past) -> None:
    """Make the work orders forty, whatever the inspection has found."""

    def count(uow: UnitOfWork) -> int:
        return uow.session.scalar(select(func.count()).select_from(WorkOrder)) or 0

    now = past.clock.now()
    for place in range(ORDERS - past.act(None, count)):
        past.clock.set(now - (5 - place % 3) * DAY)
        orders.make(past, orders.camera_check(place, CLOSED, "画面清晰，位置与登记一致。"))
    past.clock.set(now)
