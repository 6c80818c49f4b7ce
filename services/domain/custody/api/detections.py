"""Proposals of boxes for a redaction: asked for by who may view the copy, and read by them (R41, R58)."""

from fastapi import APIRouter, Request

from services.domain.custody import detections
from services.domain.custody.api.footage import address, run_allowed
from services.domain.custody.schemas import DetectionView
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api", tags=["footage"])


@router.post("/copies/{copy_id}/detections", status_code=201, responses=problems(401, 403, 404, 409))
async def ask_for_detection(
    copy_id: Identifier, request: Request, actor: Acting, database: GivenDatabase
) -> DetectionView:
    """Have the detector look for faces in a copy; what it found before is given again."""
    return await run_allowed(
        database,
        actor,
        copy_id,
        "view",
        lambda: database.run(actor, detections.ask, copy_id, address=address(request)),
    )


@router.get("/copies/{copy_id}/detections/{detection_id}", responses=problems(401, 403, 404))
async def read_detection(
    copy_id: Identifier, detection_id: Identifier, request: Request, actor: Acting, database: GivenDatabase
) -> DetectionView:
    """Return how far the detector has come, and the boxes that it proposes."""
    return await run_allowed(
        database,
        actor,
        copy_id,
        "view",
        lambda: database.read(actor, detections.get, copy_id, detection_id, address=address(request)),
    )
