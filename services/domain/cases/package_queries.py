"""The evidence packages that wait for the approval of the acting person, with what their cases are about (R67)."""

from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.cases import footage as case_footage
from services.domain.cases.schemas.lists import WaitingPackage
from services.domain.packages import service


def list_waiting(uow: UnitOfWork) -> list[WaitingPackage]:
    """List the packages that the acting person can approve now, the first to lapse first."""
    rows = service.list_waiting(uow)
    if not rows:
        return []
    names = access_queries.get_names(uow, {row.asked_by for row, _ in rows})
    abouts = case_footage.list_abouts(uow, {row.application_id for row, _ in rows})
    return [
        WaitingPackage(
            id=row.id,
            number=str(application.number),
            recipient=row.recipient,
            asked_by=names.get(row.asked_by, row.asked_by),
            asked_at=row.asked_at,
            due_at=service.lapses_at(row),
            about=abouts.get(row.application_id),
        )
        for row, application in rows
    ]
