"""Reconciliations as people read them: reports, findings and damaged versions; cases that concern the reader are left
out (T8)."""

from sqlalchemy import or_, select

from services.database.keyset import Page, Section, page_of
from services.database.listing import EVERYTHING, Listing
from services.database.tables.applications import Application
from services.database.tables.maintenance import Damage, Reconciliation, ReconciliationFinding
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import storage as storage_access
from services.domain.access import visibility
from services.domain.storage import difference_orders, readers
from services.domain.storage.reconciliation_schemas import DamageLine, FindingLine, ReconciliationLine

NEWEST = 14  # reports that a page shows
MOST_DAMAGES = 50


def may_explain(uow: UnitOfWork) -> bool:
    """Return whether the acting person explains findings."""
    return storage_access.may_explain(access_queries.load_directory(uow), uow.actor.id)


def list_reports(uow: UnitOfWork, limit: int = NEWEST) -> list[ReconciliationLine]:
    """List the newest reconciliations; Refused with 403 for people who do not read them."""
    readers.require_reader(uow)
    query = select(Reconciliation).order_by(Reconciliation.day.desc()).limit(limit)
    return [ReconciliationLine.model_validate(row) for row in uow.session.scalars(query)]


def read_findings(
    uow: UnitOfWork, listing: Listing = EVERYTHING, *, state: str = "", kind: str = ""
) -> Page[FindingLine]:
    """Read a page of findings, the newest first; Refused with 403 for people who do not read them."""
    readers.require_reader(uow)
    query = (
        select(ReconciliationFinding, Application.number, Violation.matter_id)
        .outerjoin(Application, Application.id == ReconciliationFinding.application_id)
        .outerjoin(Violation, Violation.id == ReconciliationFinding.violation_id)
        .where(
            or_(ReconciliationFinding.application_id.is_(None), ~visibility.concerns(uow.actor.id)),
            listing.mentioned(ReconciliationFinding.subject, Application.number),
        )
    )
    if state:
        query = query.where(ReconciliationFinding.state == state)
    if kind:
        query = query.where(ReconciliationFinding.kind == kind)
    section = Section((ReconciliationFinding.found_at.expression, ReconciliationFinding.id.expression))
    page = page_of(uow.session, query, (section,), listing)
    names = access_queries.get_names(uow, [row[0].explained_by for row in page.lines if row[0].explained_by])
    explains = may_explain(uow)
    return page.showing(
        [
            _finding(row[0], row[1], row[2], names, explains=explains and not difference_orders.is_asked(uow, row[0]))
            for row in page.lines
        ]
    )


def list_damages(uow: UnitOfWork, limit: int = MOST_DAMAGES) -> list[DamageLine]:
    """List damaged versions that nobody has examined, the newest first; Refused with 403 as above."""
    readers.require_reader(uow)
    query = (
        select(Damage, Application.number)
        .join(Application, Application.id == Damage.application_id)
        .where(Damage.examined_at.is_(None), ~visibility.concerns(uow.actor.id))
        .order_by(Damage.found_at.desc(), Damage.id)
        .limit(limit)
    )
    return [_damage(row, number) for row, number in uow.session.execute(query)]


def get_damage(uow: UnitOfWork, damage_id: str) -> DamageLine:
    """Return one damaged version to who has just examined it."""
    row = uow.session.get_one(Damage, damage_id)
    name = access_queries.get_names(uow, [row.examined_by]).get(row.examined_by) if row.examined_by else None
    line = _damage(row, uow.session.get_one(Application, row.application_id).number)
    return line.model_copy(update={"examined_by": name})


def get_finding(uow: UnitOfWork, finding_id: str) -> FindingLine:
    """Return one finding to who has just explained it."""
    query = (
        select(ReconciliationFinding, Application.number, Violation.matter_id)
        .outerjoin(Application, Application.id == ReconciliationFinding.application_id)
        .outerjoin(Violation, Violation.id == ReconciliationFinding.violation_id)
        .where(ReconciliationFinding.id == finding_id)
    )
    row = uow.session.execute(query).one()
    names = access_queries.get_names(uow, [row[0].explained_by] if row[0].explained_by else [])
    return _finding(row[0], row[1], row[2], names)


def _finding(
    row: ReconciliationFinding,
    number: str | None,
    matter_id: str | None,
    names: dict[str, str],
    *,
    explains: bool = False,
) -> FindingLine:
    return FindingLine(
        id=row.id,
        kind=row.kind,
        place=row.place,
        subject=row.subject,
        application_id=row.application_id,
        application_number=number,
        detail=row.detail,
        found_at=row.found_at,
        last_day=row.last_day,
        state=row.state,
        explained_by=names.get(row.explained_by, row.explained_by) if row.explained_by else None,
        explained_at=row.explained_at,
        explanation=row.explanation,
        violation_matter_id=matter_id,
        work_order_id=row.work_order_id,
        may_explain=explains and row.state != "explained",
    )


def _damage(row: Damage, number: str | None) -> DamageLine:
    return DamageLine(
        id=row.id,
        application_id=row.application_id,
        application_number=number,
        place=row.place,
        key=row.key,
        version_id=row.version_id,
        faults=row.faults,
        found_at=row.found_at,
        repaired_at=row.repaired_at,
        unrepaired_because=row.unrepaired_because,
        examined_by=row.examined_by,
        examined_at=row.examined_at,
        examined_as=row.examined_as,
        removed_at=row.removed_at,
    )
