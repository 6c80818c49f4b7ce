"""Another group takes an inspection over, where the one that began it is no valid group any more (R60, R63).

A member who has left can neither inspect nor sign, and a report wants every member. So the group that management has
appointed since goes on: it inspects what is not inspected, and all of it sign. It does so as well where the group was
replaced before there is a report: the one that is missing was appointed for that.
"""

from sqlalchemy import delete, select

from services.database.tables.inspections import GroupInspection, InspectionSignature, SupervisionGroup
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.supervision import case_reviews, findings, groups, reports, signing


def take_over(uow: UnitOfWork) -> int:
    """Give the open inspections of broken and of replaced groups to the valid one; return how many.

    Where there is no other valid group, a work order asks management for one, once for each period.
    """
    current = groups.find_current(uow)
    is_valid = groups.refusal_of(uow, current) is None
    open_ones = select(GroupInspection).where(GroupInspection.closed_at.is_(None), GroupInspection.signed_as.is_(None))
    taken = 0
    for inspection in uow.session.scalars(open_ones.order_by(GroupInspection.period_from).with_for_update()).all():
        group = groups.get(uow, inspection.group_id)
        broken = groups.composition_refusal(uow, group)
        # one that was replaced goes on with the report that it signs, and with nothing before
        replaced = group.ended_at is not None and inspection.report is None
        if is_valid and current is not None and current.id != group.id and (broken is not None or replaced):
            _give(uow, inspection, current)
            taken += 1
        elif broken is not None:
            findings.open_without_group(uow, inspection.period, broken.en)
    return taken


def _give(uow: UnitOfWork, inspection: GroupInspection, group: SupervisionGroup) -> None:
    former = inspection.group_id
    inspection.group_id = group.id
    uow.session.flush()
    signatures = select(InspectionSignature.statement_sha256).where(InspectionSignature.inspection_id == inspection.id)
    audit_trail.record(
        uow,
        "inspection-taken-over",
        "inspection",
        inspection.id,
        number=inspection.number,
        former=former,
        group=group.id,
        report_before=inspection.report_sha256,
        signed_before=sorted(uow.session.scalars(signatures)),
    )
    case_reviews.assign_anew(uow, inspection)
    if inspection.report is not None:
        # what was signed is another report: it named another group
        uow.session.execute(delete(InspectionSignature).where(InspectionSignature.inspection_id == inspection.id))
        reports.name_group(uow, inspection)
        signing.ask_anew(uow, inspection)
