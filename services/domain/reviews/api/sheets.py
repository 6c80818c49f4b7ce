"""What belongs to a review beside its form: what exists of each item, and what came back with a return (R34, R39)."""

from fastapi import APIRouter

from services.domain.cases import review_sheets
from services.domain.reviews.schemas import ItemCoverage, ReturnSheet
from services.web.dependencies import GivenDatabase, GivenRecorders
from services.web.errors import problems
from services.web.identity import Acting

router = APIRouter(prefix="/api/reviews", tags=["reviews"])


@router.get("/{review_id}/coverage", responses=problems(401, 404))
async def read_coverage(
    review_id: str, actor: Acting, database: GivenDatabase, recorders: GivenRecorders
) -> list[ItemCoverage]:
    """Return what exists of each item now; of what was retrieved, what the vault holds."""
    sources = await database.read(actor, review_sheets.coverage_sources, review_id)
    return await review_sheets.measure(sources, recorders)


@router.get("/{review_id}/return", responses=problems(401, 404))
async def read_return(review_id: str, actor: Acting, database: GivenDatabase) -> ReturnSheet:
    """Return what a return inspection is about."""
    return await database.read(actor, review_sheets.get_return, review_id)
