"""What a reconciliation finds becomes work orders: one for each kind of difference, place and day (R13, R53, R64).

A finding that is explained or gone closes its part; where no part is left before anybody has done the work order, the
system cancels it. A work order that is done closes nothing by its word: what the next day finds again is open again,
and gets a work order of its own. What nobody should have done is examined by who leads Security, and not by who keeps
the recorders and stores; supervision verifies that (R66).
"""

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from services.database.tables.cameras import Recorder
from services.database.tables.maintenance import ReconciliationFinding
from services.database.tables.matters import Matter
from services.database.tables.sites import SiteKeeper
from services.database.tables.violations import Violation
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.stages.catalogue import STAGES
from services.domain.storage import finding_notices
from services.domain.storage.differences import ACCESSES, EVENTS, EXPLAINED, OPEN, WORK_ORDER
from services.domain.work_orders import opening, roles, service
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import Role
from services.runtime.canonical_json import hash_of
from services.runtime.errors import Refused
from services.runtime.labels import word
from services.runtime.translations import Bilingual, Message

DIFFERENCE, INQUIRY = "difference", "access-inquiry"  # kinds of work orders
SUBJECT_KIND = "difference"
SECURITY, STORAGE = Role("head", department_kind="security"), Role("storage-operator", department_kind="storage")
LANGUAGES = ("zh", "en")
NAMED = 20  # lines of a log that the facts of an inquiry name; the page of the reconciliations has all
SETTLED = Message("Every difference is gone or explained.")


def register() -> None:
    """Register what these kinds need before they are done, and what follows; again is no error."""
    for kind in (DIFFERENCE, INQUIRY):
        service.WHEN_DONE[kind] = follow
    service.REQUIREMENTS[INQUIRY] = require_no_keeper


def settle(uow: UnitOfWork, day: str) -> list[WorkOrder]:
    """Bring findings and work orders together at the end of a day's reconciliation; return the new work orders."""
    _take_decided(uow)
    _release(uow)
    _cancel_settled(uow)
    return _open(uow, day)


def cancel_if_settled(uow: UnitOfWork, work_order_id: str | None) -> None:
    """Cancel a work order of which no part is left and which nobody has done yet."""
    if work_order_id is None:
        return
    left = select(ReconciliationFinding.id).where(
        ReconciliationFinding.work_order_id == work_order_id, ReconciliationFinding.state == WORK_ORDER
    )
    if uow.session.scalar(left.limit(1)) is not None:
        return
    order = service.lock(uow, work_order_id)
    attempt = select(WorkOrderAttempt.done_at).where(
        WorkOrderAttempt.work_order_id == order.id, WorkOrderAttempt.attempt == order.attempt
    )
    if order.closed_at is None and uow.session.scalar(attempt) is None:
        service.cancel(uow, order.id, SETTLED.en, by_system=True)


def follow(uow: UnitOfWork, order: WorkOrder) -> None:
    """Take what has happened as examined, by who has verified it; a state has to be gone by itself.

    What was not allowed, or has let footage out, is a finding of supervision.
    """
    query = select(WorkOrderAttempt).where(
        WorkOrderAttempt.work_order_id == order.id, WorkOrderAttempt.attempt == order.attempt
    )
    attempt = uow.session.scalars(query).one()
    parts = update(ReconciliationFinding).where(
        ReconciliationFinding.work_order_id == order.id,
        ReconciliationFinding.state == WORK_ORDER,
        ReconciliationFinding.kind.in_(EVENTS),
    )
    examined = {"explained_by": attempt.verified_by or attempt.done_by, "explained_at": uow.now}
    uow.session.execute(
        parts.values(state=EXPLAINED, explanation=order.number, **examined).execution_options(synchronize_session=False)
    )
    days = select(ReconciliationFinding.first_day).where(ReconciliationFinding.work_order_id == order.id).distinct()
    finding_notices.end_settled(uow, uow.session.scalars(days).all())
    answers = attempt.answers or {}
    if order.kind == INQUIRY and any(answers.get(one, {}).get("answer") == "no" for one in ("allowed", "footage-safe")):
        order.finding_due_at = order.finding_due_at or uow.now


def require_no_keeper(uow: UnitOfWork, order: WorkOrder) -> Message | None:
    """Return why the acting person does not examine it: they keep the site where the recorder stands."""
    keepers = (
        select(SiteKeeper.id)
        .join(Recorder, Recorder.site_id == SiteKeeper.site_id)
        .where(
            Recorder.name == order.facts["facts"].get("recorder"),
            SiteKeeper.person_id == uow.actor.id,
            SiteKeeper.until.is_(None),
        )
    )
    if uow.session.scalar(keepers.limit(1)) is not None:
        return Message("You keep the site of this recorder: another person has to check what was exported from it.")
    return None


def is_asked(uow: UnitOfWork, row: ReconciliationFinding) -> bool:
    """Return whether the acting person is who examines this by a work order that supervision verifies."""
    if row.kind not in ACCESSES or row.violation_id is not None:
        return False
    return any(uow.actor.id in group for group in roles.pools(access_queries.load_directory(uow), SECURITY))


def require_not_asked(uow: UnitOfWork, row: ReconciliationFinding) -> None:
    """Raise Refused for who would close an inquiry of their own by an explanation, past its verification (R66)."""
    if is_asked(uow, row):
        raise Refused(
            "inquiry-own",
            "This is checked by your own work order, which the supervision group verifies: enter the result there.",
            status=403,
        )


def _take_decided(uow: UnitOfWork) -> None:
    """Take as explained what a violation was about that is decided now: its matter says by whom."""
    decided = (
        select(ReconciliationFinding.id, Violation.closed_at, Matter.number)
        .join(Violation, Violation.id == ReconciliationFinding.violation_id)
        .join(Matter, Matter.id == Violation.matter_id)
        .where(ReconciliationFinding.state == OPEN, Violation.closed_at.is_not(None))
    )
    for finding_id, closed_at, number in uow.session.execute(decided).all():
        row = uow.session.get_one(ReconciliationFinding, finding_id, with_for_update=True, populate_existing=True)
        row.state, row.explained_at, row.explanation = EXPLAINED, closed_at, number


def _release(uow: UnitOfWork) -> None:
    """Open again what a closed work order has left: of a cancelled one all, of one that is done what is still so."""
    held = select(ReconciliationFinding.work_order_id).where(ReconciliationFinding.state == WORK_ORDER).distinct()
    closed = select(WorkOrder).where(WorkOrder.id.in_(held), WorkOrder.closed_at.is_not(None))
    for order in uow.session.scalars(closed).all():
        opened = update(ReconciliationFinding).where(
            ReconciliationFinding.work_order_id == order.id, ReconciliationFinding.state == WORK_ORDER
        )
        if order.closed_as == service.DONE and order.closed_at is not None:
            closed_on = order.closed_at.astimezone(ZoneInfo(uow.rules.zone)).date().isoformat()
            opened = opened.where(ReconciliationFinding.last_day > closed_on)
        uow.session.execute(opened.values(state=OPEN, work_order_id=None).execution_options(synchronize_session=False))


def _cancel_settled(uow: UnitOfWork) -> None:
    parts = select(ReconciliationFinding.id).where(
        ReconciliationFinding.work_order_id == WorkOrder.id, ReconciliationFinding.state == WORK_ORDER
    )
    settled = select(WorkOrder.id).where(
        WorkOrder.closed_at.is_(None), WorkOrder.kind.in_((DIFFERENCE, INQUIRY)), ~parts.exists()
    )
    for order_id in uow.session.scalars(settled.order_by(WorkOrder.id)).all():
        cancel_if_settled(uow, order_id)


def _open(uow: UnitOfWork, day: str) -> list[WorkOrder]:
    """Open one work order for each kind and place; what has led to a violation is handled there.

    Nothing where the review stages of an installation lack the verification: the findings stay open, and are reported.
    """
    if service.STAGE not in STAGES:
        return []
    groups = (
        select(ReconciliationFinding.kind, ReconciliationFinding.place)
        .where(ReconciliationFinding.state == OPEN, ReconciliationFinding.violation_id.is_(None))
        .distinct()
        .order_by(ReconciliationFinding.kind, ReconciliationFinding.place)
    )
    opened = []
    for kind, place in uow.session.execute(groups).all():
        parts = (
            ReconciliationFinding.state == OPEN,
            ReconciliationFinding.violation_id.is_(None),
            ReconciliationFinding.kind == kind,
            ReconciliationFinding.place == place,
        )
        if place != "recorder":
            opened.append(_open_one(uow, day, kind, place, parts))
            continue
        named = select(ReconciliationFinding.subject).where(*parts).distinct().order_by(ReconciliationFinding.subject)
        for recorder in uow.session.scalars(named).all():
            of_recorder = (*parts, ReconciliationFinding.subject == recorder)
            opened.append(_open_one(uow, day, kind, place, of_recorder, recorder=recorder))
    return opened


def _open_one(
    uow: UnitOfWork, day: str, kind: str, place: str, parts: tuple[Any, ...], *, recorder: str | None = None
) -> WorkOrder:
    marks = uow.session.scalars(
        select(ReconciliationFinding.fingerprint).where(*parts).order_by(ReconciliationFinding.fingerprint)
    ).all()
    facts: dict[str, Any] = {
        "day": day,
        "differences": len(marks),
        "findingsSha256": hash_of({"findings": list(marks)}),
    }
    if recorder is not None:
        facts["recorder"] = recorder
    inquiry = kind in ACCESSES
    doer = SECURITY if inquiry else STORAGE
    if inquiry:
        facts["evidence"] = _evidence(uow, parts)
    zh, en = (f"{word(language, f'difference-{kind}')} · {_place(language, place, recorder)}" for language in LANGUAGES)
    order = opening.open_work_order(
        uow,
        INQUIRY if inquiry else DIFFERENCE,
        Subject(SUBJECT_KIND, f"{kind}:{place}", f"{zh} {en}"),
        key=":".join((SUBJECT_KIND, day, kind, place, recorder or "")),
        title=Bilingual(zh, en),
        doer=doer,
        facts=facts,
        by_system=True,
    )
    uow.session.execute(
        update(ReconciliationFinding)
        .where(*parts)
        .values(state=WORK_ORDER, work_order_id=order.id)
        .execution_options(synchronize_session=False)
    )
    return order


def _place(language: str, place: str, recorder: str | None) -> str:
    return recorder if recorder is not None else word(language, f"place-{place}")


def _evidence(uow: UnitOfWork, parts: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return the first lines of the log, of what belongs to no case: a work order is read besides the cases (T8)."""
    query = (
        select(ReconciliationFinding)
        .where(*parts, ReconciliationFinding.application_id.is_(None))
        .order_by(ReconciliationFinding.found_at, ReconciliationFinding.fingerprint)
        .limit(NAMED)
    )
    return [
        {"subject": row.subject, **{name: value for name, value in row.detail.items() if value}}
        for row in uow.session.scalars(query)
    ]
