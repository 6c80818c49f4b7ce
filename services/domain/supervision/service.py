"""Inspections: opened for a period, their sample drawn once, their end; the rows decide, never the job (R63)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from services.database.base import new_id
from services.database.tables.inspections import GroupInspection, InspectedCase, PopulationCase
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.documents import service as document_service
from services.domain.process import outbox
from services.domain.process.messages import INSPECTION_DUE
from services.domain.process.subjects import Subject
from services.domain.stages.catalogue import STAGES
from services.domain.supervision import checklists, groups, periods, sampling
from services.domain.supervision.periods import Period
from services.domain.supervision.sampling import Seed
from services.runtime.errors import NotFound, NotPermitted, Refused
from services.runtime.translations import Message

SUBJECT = "inspection"  # the kind of its process
REPORT = "inspection-report"  # the kind of its document, whose number it has
SIGNED, REFUSED, NO_CASES = "signed", "refused", "no-cases"


@dataclass(frozen=True)
class Drawn:
    """Which cases are to be inspected, by their places in the sample; ``duplicate``: another process has drawn it."""

    duplicate: bool
    positions: Sequence[int]


def open_by_leader(uow: UnitOfWork, period_name: str) -> GroupInspection:
    """Open the inspection of a period that is over, by the leader of the group.

    Refused to everybody else, without a valid group, for a period that is not over or is inspected already, and where
    no checkpoint of the audit trail was signed since its end. Also for a period of another length than the rule says:
    who may choose between month and quarter can compute both samples before, and chooses between them.
    """
    group = groups.find_current(uow)
    if group is None or uow.actor.id != groups.leader_of(group):
        raise Refused(
            "leader-only", "Only the leader of the supervision group begins an inspection: ask the leader.", status=403
        )
    period = periods.parse(period_name, uow.rules.zone)
    if not _is_usual(uow, period):
        raise Refused(
            "period-length",
            "Inspections are of each month or of each quarter, as the rule says: choose such a period.",
            status=422,
            field="period",
        )
    return _open(uow, period, by_system=False)


def open_due(uow: UnitOfWork, period: Period) -> GroupInspection:
    """Open the inspection of a period because it is due. Refused as ``open_by_leader``."""
    return _open(uow, period, by_system=True)


def is_overlapped(uow: UnitOfWork, period: Period) -> bool:
    """Return whether there is an inspection of this period, or of a part of it."""
    there = select(GroupInspection.id).where(
        GroupInspection.period_from < period.end, GroupInspection.period_to > period.start
    )
    return uow.session.scalar(there.limit(1)) is not None


def _is_usual(uow: UnitOfWork, period: Period) -> bool:
    """Whether the period has the length that the rule says, or is a month that a quarter of the rule lacks.

    The latter where the rule has changed within a quarter, of which another month is inspected.
    """
    if periods.length_of(period) == uow.rules.inspection_period:
        return True
    return periods.length_of(period) == periods.MONTH and is_overlapped(uow, periods.quarter_of(period, uow.rules.zone))


def _open(uow: UnitOfWork, period: Period, *, by_system: bool) -> GroupInspection:
    group = groups.find_current(uow, for_change=True)
    refusal = groups.refusal_of(uow, group)
    if refusal is not None:
        raise refusal
    assert group is not None  # noqa: S101  a missing one is refused
    _require_stages()
    if period.end > uow.now:
        raise Refused("period-open", "This period is not over yet: choose one that has ended.", field="period")
    overlaps = select(GroupInspection.number).where(
        GroupInspection.period_from < period.end, GroupInspection.period_to > period.start
    )
    number = uow.session.scalar(overlaps.limit(1))
    if number is not None:
        raise Refused("inspected-already", "{number} inspects this period already.", number=number, field="period")
    seed = sampling.find_seed(uow, period.end)
    if seed is None:
        raise Refused(
            "no-seed",
            "No checkpoint of the audit trail was signed since the end of this period: wait a few minutes.",
            field="period",
        )
    inspection = GroupInspection(
        id=new_id(),
        number=document_service.next_number(uow, REPORT),
        period=period.name,
        period_from=period.start,
        period_to=period.end,
        group_id=group.id,
        opened_by=None if by_system else uow.actor.id,
        opened_at=uow.now,
        seed=seed.value,
        seed_size=seed.size,
        seed_rule=seed.rule,
    )
    uow.session.add(inspection)
    uow.session.flush()
    _record(uow, "inspection-opened", inspection, period=period.name, seed=seed.value, seed_size=seed.size)
    outbox.publish(
        uow,
        INSPECTION_DUE,
        period.name,
        application_id=None,
        subject=subject_of(inspection),
        message_id=f"{INSPECTION_DUE}:{inspection.id}",
        variables={"inspectionId": inspection.id, "period": period.name},
    )
    return inspection


def _require_stages() -> None:
    """Raise Refused where the organisation's folder of models is older than inspections."""
    lacking = [code for code in ("supervision", "inspection-signature") if code not in STAGES]
    if lacking:
        raise Refused(
            "stage-lacking",
            "The review stage {stage} is not set up here: ask the administrator to add it to review-stages.json.",
            stage=lacking[0],
        )
    if not (STAGES.folder / checklists.NAME).is_file():
        raise Refused(
            "checklists-lacking", "The checklists are not set up here: ask the administrator to add checklists.json."
        )


def draw(uow: UnitOfWork, inspection_id: str, process_instance_key: int) -> Drawn:
    """Draw the sample, once; a second run finds what the first one drew.

    A process that comes later than the one that has drawn it is told so, and ends (P10). Raises NotPermitted where the
    database does not have the inspection, and without a valid group.
    """
    act = "draw the sample"
    inspection = lock(uow, inspection_id, act)
    if inspection.process_instance_key not in (None, process_instance_key):
        return Drawn(duplicate=True, positions=())
    require_open(inspection, act)
    inspection.process_instance_key = process_instance_key
    outbox.settle_subject(uow, subject_of(inspection), "the sample is drawn", INSPECTION_DUE)
    if inspection.drawn_at is None:
        refusal = groups.composition_refusal(uow, groups.get(uow, inspection.group_id))
        if refusal is not None:
            raise not_permitted(inspection, act, f"its group is not valid: {refusal.en}")
        _draw(uow, inspection)
    query = select(InspectedCase.position).where(InspectedCase.inspection_id == inspection.id)
    return Drawn(duplicate=False, positions=list(uow.session.scalars(query.order_by(InspectedCase.position))))


def _draw(uow: UnitOfWork, inspection: GroupInspection) -> None:
    population = sampling.read_population(uow, period_of(inspection), uow.now)
    sample = sampling.draw(population, seed_of(inspection))
    rows: list[dict[str, Any]] = [
        {
            "inspection_id": inspection.id,
            "number": one.number,
            "application_id": one.application_id,
            "because": ",".join(one.because),
        }
        for one in population
    ]
    if rows:
        uow.session.execute(insert(PopulationCase), rows)  # SQLAlchemy divides it
    uow.session.add_all(
        InspectedCase(
            inspection_id=inspection.id,
            position=position,
            application_id=one.application_id,
            number=one.number,
            because=list(one.because),
        )
        for position, one in enumerate(sample.chosen, 1)
    )
    inspection.drawn_at = uow.now
    inspection.population, inspection.population_sha256 = sample.population, sample.sha256
    inspection.sampled = len(sample.chosen)
    uow.session.flush()
    _record(
        uow,
        "inspection-drawn",
        inspection,
        population=sample.population,
        population_sha256=sample.sha256,
        sampled=len(sample.chosen),
        seed=inspection.seed,
    )


def close(uow: UnitOfWork, inspection_id: str, closed_as: str) -> None:
    """Close an inspection; nothing where it is closed so already.

    Raises NotPermitted where the rows have no reason for it: there are cases, or the group has not signed.
    """
    act = "close the inspection"
    inspection = lock(uow, inspection_id, act)
    if inspection.closed_at is not None:
        if inspection.closed_as == closed_as:
            return
        raise not_permitted(inspection, act, f"it is closed as {inspection.closed_as}")
    if closed_as == NO_CASES:
        if inspection.drawn_at is None or inspection.sampled:
            raise not_permitted(inspection, act, "its sample is not drawn, or has cases")
    elif closed_as != inspection.signed_as:
        raise not_permitted(inspection, act, f"its group has not answered {closed_as!r}")
    inspection.closed_at, inspection.closed_as = uow.now, closed_as
    outbox.settle_subject(uow, subject_of(inspection), "the inspection is closed")
    _record(uow, "inspection-closed", inspection, closed_as=closed_as)


def lock(uow: UnitOfWork, inspection_id: str, act: str) -> GroupInspection:
    """Return an inspection for a job, locked; NotPermitted where the database does not have it."""
    inspection = uow.session.get(GroupInspection, inspection_id, with_for_update=True, populate_existing=True)
    if inspection is None:
        raise NotPermitted(
            f"could not {act} | {inspection_id} | the database does not have this inspection | find out who sent this "
            "job"
        )
    return inspection


def get(uow: UnitOfWork, inspection_id: str) -> GroupInspection:
    """Return an inspection; NotFound where there is none."""
    inspection = uow.session.get(GroupInspection, inspection_id)
    if inspection is None:
        raise NotFound(Message("inspection"), inspection_id)
    return inspection


def require_open(inspection: GroupInspection, act: str) -> None:
    if inspection.closed_at is not None:
        raise not_permitted(inspection, act, f"it is closed as {inspection.closed_as}")


def seed_of(inspection: GroupInspection) -> Seed:
    return Seed(inspection.seed, inspection.seed_size, inspection.seed_rule)


def period_of(inspection: GroupInspection) -> Period:
    return Period(inspection.period, inspection.period_from, inspection.period_to)


def subject_of(inspection: GroupInspection) -> Subject:
    return Subject(SUBJECT, inspection.id)


def is_over(uow: UnitOfWork, inspection_id: str) -> bool:
    """Return whether nothing of the process is left: for the relay."""
    query = select(GroupInspection.closed_at).where(GroupInspection.id == inspection_id)
    return uow.session.scalar(query) is not None


def not_permitted(inspection: GroupInspection, act: str, cause: str) -> NotPermitted:
    """Return the error of a job that the rows do not allow."""
    return NotPermitted(
        f"could not {act} | {inspection.number} | {cause} | find out who sent this job; where the inspection is to go "
        "on, remove the cause, then resolve the incident"
    )


def _record(uow: UnitOfWork, action: str, inspection: GroupInspection, **detail: Any) -> None:
    audit_trail.record(uow, action, "inspection", inspection.id, number=inspection.number, **detail)
