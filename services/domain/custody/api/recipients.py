"""Named recipients who view the copies under their own names: allowed and ended by the custodian (R57)."""

from fastapi import APIRouter

from services.domain.custody import queries, recipient_access
from services.domain.custody.schemas import HandOverView, RecipientBody, ShownLoan
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api", tags=["custody"])


@router.post("/hand-overs/{hand_over_id}/recipients", responses=problems(*USUAL))
async def allow_viewing(
    hand_over_id: Identifier, body: RecipientBody, actor: Acting, database: GivenDatabase
) -> HandOverView:
    """Let a recipient whom the application names view the copies under the own name, up to the due date."""
    await database.run(actor, recipient_access.allow, hand_over_id, body.person_id)
    return await database.read(actor, queries.get_mine, hand_over_id)


@router.delete("/hand-overs/{hand_over_id}/recipients/{person_id}", responses=problems(*USUAL))
async def end_viewing(
    hand_over_id: Identifier, person_id: Identifier, actor: Acting, database: GivenDatabase
) -> HandOverView:
    """End at once what a recipient was allowed to view."""
    await database.run(actor, recipient_access.withdraw, hand_over_id, person_id)
    return await database.read(actor, queries.get_mine, hand_over_id)


@router.get("/shown-loans", responses=problems(401))
async def my_shown_loans(actor: Acting, database: GivenDatabase) -> list[ShownLoan]:
    """Return the loans whose copies I may view as a named recipient, the nearest end first."""
    return await database.read(actor, queries.list_shown)
