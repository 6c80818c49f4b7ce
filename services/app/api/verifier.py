"""Serve the verifier of evidence packages, for those to whom an organisation hands one out."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from services.verifier import pyz
from services.web.errors import problems_beside
from services.web.identity import Acting

router = APIRouter(prefix="/api/verifier", tags=["cases"])
PROGRAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "A Python zipapp", "content": {"application/octet-stream": {}}},
    **problems_beside(401),
}


@router.get("", responses=PROGRAM, response_class=Response)
async def download_verifier(_: Acting) -> Response:
    """Return ``verify.pyz``, with the same bytes as ``footage-desk verifier`` of this release writes."""
    headers = {"content-disposition": 'attachment; filename="verify.pyz"'}
    return Response(pyz.build(), media_type="application/octet-stream", headers=headers)
