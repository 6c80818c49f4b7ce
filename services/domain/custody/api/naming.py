"""Naming another custodian after the approval, until somebody has accepted the copies (R46)."""

from fastapi import APIRouter

from services.database.unit_of_work import UnitOfWork
from services.domain.cases import queries as case_queries
from services.domain.cases.schemas.case import CaseSummary
from services.domain.custody import naming
from services.domain.custody.schemas import NewCustodian
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api/applications", tags=["custody"])


@router.post("/{application_id}/custodian", responses=problems(*USUAL))
async def name_custodian(
    application_id: Identifier, body: NewCustodian, actor: Acting, database: GivenDatabase
) -> CaseSummary:
    """Name another custodian of an approved case, for who leads the department or Security; the form stays."""

    def act(uow: UnitOfWork) -> CaseSummary:
        application = naming.name(uow, application_id, body.person_id, reason=body.reason)
        return case_queries.get_summary(uow, application)

    return await database.run(actor, act)
