"""The page of what was refused to a person of late, to which the notice of it leads (R52)."""

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import UnitOfWork
from services.domain.matters.violations import by_number
from services.domain.supervision import refused_access
from services.domain.supervision.audit_schemas import RefusalsView
from services.web.dependencies import GivenDatabase
from services.web.schemas import Identifier
from services.web.visitor import Visiting

router = APIRouter(prefix="/supervision/refusals")


@router.get("/{person_id}")
async def read_refusals(person_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show what was refused to a person, and offer to record it as a violation."""

    def read(uow: UnitOfWork) -> tuple[RefusalsView, bool]:
        return refused_access.read(uow, person_id), by_number.may_record(uow)

    view, records = await database.read(visitor.actor, read)
    return visitor.page("supervision/refusals.html", view=view, records=records)
