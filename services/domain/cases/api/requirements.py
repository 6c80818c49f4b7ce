"""Which requirement of the policy a case has met, as JSON (R62)."""

from fastapi import APIRouter

from services.domain.cases import requirements
from services.domain.cases.api.timeline import GivenModels
from services.domain.cases.schemas.requirements import CaseRequirements
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting

router = APIRouter(prefix="/api", tags=["cases"])


@router.get("/cases/{application_id}/requirements", responses=problems(401, 404))
async def read_requirements(
    application_id: str, actor: Acting, database: GivenDatabase, models: GivenModels
) -> CaseRequirements:
    """Return which requirement was met at which element, by whom, when; for supervision what broke one, too."""
    return await database.read(actor, requirements.get_requirements, application_id, models)
