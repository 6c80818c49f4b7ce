"""Ask management for a valid group where one that has begun an inspection is none any more (R60, R61)."""

from services.database.tables.inspections import GroupInspection
from services.database.unit_of_work import UnitOfWork
from services.domain.supervision import findings, groups


def warn_without_group(uow: UnitOfWork, inspection_id: str) -> None:
    """Open the work order where the sample is still to be drawn; the job is refused in a unit of its own."""
    inspection = uow.session.get(GroupInspection, inspection_id)
    if inspection is None or inspection.drawn_at is not None or inspection.closed_at is not None:
        return
    refusal = groups.composition_refusal(uow, groups.get(uow, inspection.group_id))
    if refusal is not None:
        findings.open_without_group(uow, inspection.period, refusal.en)
