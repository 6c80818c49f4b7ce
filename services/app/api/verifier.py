"""Serve the verifiers of evidence packages, for those to whom an organisation hands one out."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from services.verifier import pyz
from services.verifier.page import build as page
from services.web.errors import problems_beside
from services.web.identity import Acting

router = APIRouter(prefix="/api/verifier", tags=["cases"])
PROGRAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "A Python zipapp", "content": {"application/octet-stream": {}}},
    **problems_beside(401),
}
PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A page that needs no network", "content": {"text/html": {}}},
    **problems_beside(401),
}


@router.get("", responses=PROGRAM, response_class=Response)
async def download_verifier(_: Acting) -> Response:
    """Return ``verify.pyz``, with the same bytes as ``footage-desk verifier`` of this release writes."""
    headers = {"content-disposition": 'attachment; filename="verify.pyz"'}
    return Response(pyz.build(), media_type="application/octet-stream", headers=headers)


@router.get("/page", responses=PAGE, response_class=Response)
async def download_verifier_page(_: Acting) -> Response:
    """Return ``verify.html``, the verifier for a browser, with the same bytes as ``footage-desk verifier`` writes."""
    headers = {"content-disposition": 'attachment; filename="verify.html"'}
    return Response(page.build(), media_type="text/html", headers=headers)
