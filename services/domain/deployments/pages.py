"""Serve the pages of the process models: upload, result of the check, request for a second person."""

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import Database
from services.domain.access import administrators
from services.domain.deployments import queries, service, uploads
from services.domain.deployments.schemas import AskBody
from services.runtime.errors import Refused
from services.runtime.threads import run_in_thread
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/models")


@router.get("")
async def show_models(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show what is deployed, the sets of late, and versions on no record."""
    return await _overview(visitor, database)


@router.post("")
async def upload_models(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Keep uploaded models, to be checked; nothing is deployed."""
    await database.read(visitor.actor, administrators.require_administrator)
    try:
        files = [(file.filename or "", await file.read(service.MAX_UPLOAD + 1)) for file in typed.all_files("files")]
        uploaded = await run_in_thread(uploads.read, files)
        row = await database.run(visitor.actor, service.upload, uploaded)
    except Refused as refusal:
        if refusal.status == 403:
            raise
        return await _overview(visitor, database, refusal)
    return visitor.redirect(f"/admin/models/{row.id}", Message("Uploaded. The check takes up to a minute."))


@router.get("/{set_id}.zip")
async def download_set(set_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Download the files of a set."""
    content = await database.read(visitor.actor, queries.read_content, set_id)
    headers = {"Content-Disposition": 'attachment; filename="models.zip"', "Cache-Control": "no-store"}
    # As bytes that no browser opens by itself: it is what somebody uploaded.
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.get("/{set_id}")
async def show_set(set_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show a set: files, what the check found, the differences, and who asked and confirmed."""
    if visitor.is_htmx:
        view = await database.read(visitor.actor, queries.read_set, set_id)
        # When the wait is over, the rest of the page has changed as well.
        headers = {} if view.state in ("checking", "approved") else {"HX-Refresh": "true"}
        return visitor.part("deployments/_set.html", headers=headers, view=view)
    return await _set(visitor, database, set_id)


@router.post("/{set_id}")
async def ask_for_deployment(set_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Ask a second person for the deployment, or have it done once one has confirmed it."""
    try:
        body = typed.body(AskBody)
        await database.run(visitor.actor, service.ask, set_id, body.reason, body.unchecked)
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _set(visitor, database, set_id, refusal=refusal, typed=typed)
    return visitor.redirect(f"/admin/models/{set_id}", Message("Approved: the models are being deployed."))


async def _overview(visitor: Visitor, database: Database, refusal: Refused | None = None) -> Response:
    overview = await database.read(visitor.actor, queries.read_overview)
    status = refusal.status if refusal else 200
    return visitor.page("deployments/models.html", status, overview=overview, refusal=refusal)


async def _set(
    visitor: Visitor,
    database: Database,
    set_id: str,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    view = await database.read(visitor.actor, queries.read_set, set_id)
    status = refusal.status if refusal else 200
    return visitor.page("deployments/set.html", status, view=view, refusal=refusal, typed=typed)
