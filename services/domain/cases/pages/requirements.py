"""The page of a case with the requirements of the policy that it has met (R62)."""

from fastapi import APIRouter
from fastapi.responses import Response

from services.domain.cases import requirements
from services.domain.cases.api.timeline import GivenModels
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting

router = APIRouter(prefix="/cases")


@router.get("/{application_id}/requirements")
async def show_requirements(
    application_id: str, visitor: Visiting, database: GivenDatabase, models: GivenModels
) -> Response:
    """Return which requirement was met at which element, by whom, when."""
    found = await database.read(visitor.actor, requirements.get_requirements, application_id, models)
    return visitor.page("cases/requirements.html", case=found)
