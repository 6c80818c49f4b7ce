"""One picture of an item's camera, for the operator who is to confirm the camera by it (R34)."""

from typing import Any

from fastapi import APIRouter, Response

from services.domain.cases import review_sheets
from services.recorders.protocol import NothingRecorded, OutOfReach, ReplayUnsupported
from services.runtime.errors import Refused
from services.web.dependencies import GivenDatabase, GivenRecorders
from services.web.errors import USUAL, problems_beside
from services.web.identity import Acting
from services.web.schemas import Moment

router = APIRouter(prefix="/api/reviews", tags=["reviews"])

PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "The picture at that moment"}
}


@router.get(
    "/{review_id}/items/{item_id}/picture", response_class=Response, responses={**problems_beside(*USUAL), **PICTURE}
)
async def read_picture(
    review_id: str,
    item_id: str,
    *,
    actor: Acting,
    database: GivenDatabase,
    recorders: GivenRecorders,
    at: Moment | None = None,
) -> Response:
    """Return what the camera showed at the start of the approved span, or at another moment inside it."""
    picture = await database.read(actor, review_sheets.get_picture_source, review_id, item_id, at)
    configuration = {name: str(value) for name, value in picture.source.configuration.items()}
    try:
        image = await recorders(picture.source.kind, configuration).snapshot(picture.source.channel, picture.at)
    except OutOfReach as error:
        raise Refused(
            "picture-out-of-reach",
            "The recording is too large to show this frame: choose a moment nearer to its start.",
            status=404,
            field="at",
        ) from error
    except NothingRecorded as error:
        raise Refused(
            "no-picture",
            "There is no recording at that moment: choose another one.",
            status=404,
            field="at",
        ) from error
    except ReplayUnsupported as error:
        raise Refused(
            "replay-unsupported",
            "Frames of this recorder cannot be shown here: check them on the recorder.",
            status=404,
        ) from error
    return Response(image, media_type="image/jpeg")
