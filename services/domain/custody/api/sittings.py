"""Viewings on site: who is present, the companion's confirmation, and the signed end (R41, R56, R58)."""

from fastapi import APIRouter, Request

from services.domain.accounts.signatures.http import signed
from services.domain.custody import sitting_queries, sittings
from services.domain.custody.api.footage import address
from services.domain.custody.schemas import EndBody, SittingBody, SittingOffer, SittingView
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api", tags=["custody"])


@router.get("/hand-overs/{hand_over_id}/sittings/offer", responses=problems(401, 404, 409))
async def read_offer(
    hand_over_id: Identifier, request: Request, actor: Acting, database: GivenDatabase
) -> SittingOffer:
    """Return who may be present at a viewing on site of these copies, and whether it may begin from here."""
    return await database.read(actor, sitting_queries.get_offer, hand_over_id, address=address(request))


@router.post("/hand-overs/{hand_over_id}/sittings", status_code=201, responses=problems(*USUAL))
async def begin(
    hand_over_id: Identifier, body: SittingBody, request: Request, actor: Acting, database: GivenDatabase
) -> SittingView:
    """Begin a viewing on site, at a registered station, with everybody who is present and their cards checked."""
    sitting = await database.run(
        actor,
        sittings.begin,
        hand_over_id,
        present=present_of(body),
        purpose_confirmed=body.purpose_confirmed,
        address=address(request),
    )
    return await database.read(actor, sitting_queries.get, sitting.id)


@router.get("/sittings/{sitting_id}", responses=problems(401, 404))
async def read(sitting_id: Identifier, actor: Acting, database: GivenDatabase) -> SittingView:
    """Return a viewing on site, with what was shown so far."""
    return await database.read(actor, sitting_queries.get, sitting_id)


@router.post("/sittings/{sitting_id}/presence", responses=problems(*USUAL))
async def confirm(sitting_id: Identifier, request: Request, actor: Acting, database: GivenDatabase) -> SittingView:
    """Confirm, from the station, that the companion is present: else the viewing closes by itself."""
    await database.run(actor, sittings.confirm, sitting_id, address=address(request))
    return await database.read(actor, sitting_queries.get, sitting_id)


@router.post("/sittings/{sitting_id}/end", responses=signed(*USUAL))
async def end(sitting_id: Identifier, body: EndBody, actor: Acting, database: GivenDatabase) -> SittingView:
    """End a viewing on site, signed by its companion and by each visitor; its sheet is written."""
    await database.run(actor, sittings.end, sitting_id, leaves=leaves_of(body), note=body.note, proof=body.proof())
    return await database.read(actor, sitting_queries.get, sitting_id)


def present_of(body: SittingBody) -> sittings.Present:
    """Return who is present."""
    return sittings.Present(tuple(body.person_ids), tuple(body.outsider_ids), tuple(body.checked_ids))


def leaves_of(body: EndBody) -> list[sittings.Leave]:
    """Return how each visitor has signed."""
    return [sittings.Leave(one.visitor_id, one.how, tuple(map(tuple, one.strokes))) for one in body.leaves]
